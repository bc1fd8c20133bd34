//! The refs of runs, and the commits behind them.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use git2::Oid;

use super::{
    Transaction,
    commit::now_ms,
    edit,
    hash::{id_of, parents_of},
    pack::Kind,
    refs::{EXECUTIONS, THREADS, is_part},
};
use crate::error::{Error, Result};

const ID_BYTES_MAX: usize = 100;

/// What a run is called: a part of its refs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Arc<str>);

impl RunId {
    pub fn new(id: &str) -> Result<RunId> {
        match is_part(id, ID_BYTES_MAX) {
            true => Ok(RunId(id.into())),
            false => Err(Error::bad_request(format!(
                "`{id}` cannot be the id of a run: it has 1 to {ID_BYTES_MAX} of A-Z, a-z, 0-9, \
                 `_`, `-` and single dots inside"
            ))
            .with("field", "run")),
        }
    }

    /// One that no other run has: later ones come behind it in lists.
    pub fn new_one() -> RunId {
        let random = RandomState::new().hash_one(std::process::id());
        RunId(format!("{:012x}-{random:016x}", now_ms()).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn reference(&self) -> String {
        format!("{EXECUTIONS}{}", self.0)
    }

    /// The folder of the refs of its parallel paths.
    fn paths(&self) -> String {
        format!("{THREADS}{}/", self.0)
    }

    fn path(&self, number: u32) -> String {
        format!("{}{number}", self.paths())
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A commit of a run.
pub struct Execution {
    pub id: Oid,
    pub tree: Oid,
    pub parents: Vec<Oid>,
    pub message: Vec<u8>,
}

/// Objects of a run, and where its refs go.
pub struct Advance {
    pub objects: Vec<(Oid, Kind, Vec<u8>)>,
    pub before: Option<Oid>,
    pub newest: Oid,
    /// Of its parallel paths, by their numbers: from where to where.
    pub paths: Vec<(u32, Option<Oid>, Option<Oid>)>,
}

impl Transaction<'_> {
    /// All runs, and the newest commit of each.
    pub fn executions(&mut self) -> Result<Vec<(RunId, Oid)>> {
        let below = self.refs_below(EXECUTIONS)?.into_iter();
        // A ref that somebody else put there is no run.
        Ok(below.filter_map(|(name, id)| Some((RunId::new(&name).ok()?, id))).collect())
    }

    /// Refs in a folder, as this transaction leaves them, by their names in it.
    fn refs_below(&mut self, folder: &str) -> Result<BTreeMap<String, Oid>> {
        self.show()?;
        let mut there: BTreeMap<String, Oid> =
            self.repository().all_below(folder, self.watch())?.into_iter().collect();
        for (name, to) in self.moves_below(folder) {
            match to {
                Some(to) => there.insert(name.to_owned(), to),
                None => there.remove(name),
            };
        }
        Ok(there)
    }

    /// The newest commit of a run. From here on nobody else moves it.
    pub fn execution(&mut self, run: &RunId) -> Result<Option<Oid>> {
        self.at(&run.reference())
    }

    /// Takes a run on from where the caller knows that it is.
    pub fn advance(&mut self, run: &RunId, advance: Advance) {
        for (id, kind, content) in advance.objects {
            self.add_plain(id, kind, content);
        }
        self.move_later(&run.reference(), advance.before, Some(advance.newest));
        for (path, from, to) in advance.paths {
            self.move_later(&run.path(path), from, to);
        }
    }

    /// The refs of a run's parallel paths, by their numbers.
    pub fn paths(&mut self, run: &RunId) -> Result<BTreeMap<String, Oid>> {
        self.refs_below(&run.paths())
    }

    /// All commits of a run, each once, the newest first.
    pub fn history(&mut self, run: &RunId) -> Result<Vec<Execution>> {
        let mut next: Vec<Oid> = self.execution(run)?.into_iter().collect();
        next.extend(self.paths(run)?.into_values());
        let (mut known, mut found) = (HashSet::new(), Vec::new());
        while let Some(id) = next.pop() {
            if known.insert(id) {
                let commit = self.execution_at(id)?;
                next.extend(&commit.parents);
                found.push(commit);
            }
        }
        Ok(found)
    }

    pub fn execution_at(&mut self, id: Oid) -> Result<Execution> {
        let content = self.content(id, Kind::Commit)?;
        let damaged = || Error::corrupt(format!("the commit {id} cannot be read"));
        let tree = content.strip_prefix(b"tree ").and_then(id_of).ok_or_else(damaged)?;
        let parents = parents_of(&content).collect();
        let end = memchr::memmem::find(&content, b"\n\n").ok_or_else(damaged)?;
        Ok(Execution { id, tree, parents, message: content[end + 2..].to_vec() })
    }

    /// The content of a file in a tree, if there is one.
    pub fn file(&mut self, tree: Oid, path: &str) -> Result<Option<Vec<u8>>> {
        match self.find(tree, path.as_bytes())? {
            Some(entry) => Ok(Some(self.content(entry.id, Kind::Blob)?.to_vec())),
            None => Ok(None),
        }
    }

    /// What is in a folder of a tree.
    pub fn folder(&mut self, tree: Oid, path: &str) -> Result<Vec<(String, Vec<u8>)>> {
        let Some(entry) = self.find(tree, path.as_bytes())? else { return Ok(Vec::new()) };
        let content = self.content(entry.id, Kind::Tree)?;
        let mut files = Vec::new();
        for (name, entry) in edit::entries(&content) {
            let name = String::from_utf8_lossy(name).into_owned();
            files.push((name, self.content(entry.id, Kind::Blob)?.to_vec()));
        }
        Ok(files)
    }
}
