//! The refs of runs, and the commits behind them.

use std::{
    collections::{BTreeMap, HashSet},
    fmt,
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use git2::Oid;

use super::{
    Output, Transaction,
    commit::now_ms,
    edit,
    glimpse::times_of,
    hash::{id_of, parents_of, time_of},
    pack::Kind,
    refs::{CHILDREN, EXECUTIONS, MILESTONES, PACKED, THREADS, is_part},
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

    /// The folder of its refs of one kind.
    fn folder(&self, of: &str) -> String {
        format!("{of}{}/", self.0)
    }

    fn mark(&self, mark: &Mark) -> String {
        match mark {
            Mark::Path(number) => format!("{}{number}", self.folder(THREADS)),
            Mark::Child(item) => format!("{}{item}", self.folder(CHILDREN)),
            Mark::Milestone(name) => format!("{}{name}", self.folder(MILESTONES)),
        }
    }
}

/// A ref of a run, besides the one of its newest commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Of a parallel path.
    Path(u32),
    /// Of a process that it calls, by the item that does.
    Child(u64),
    /// What it has reached.
    Milestone(String),
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Mark::Path(number) => write!(f, "path {number}"),
            Mark::Child(item) => write!(f, "call {item}"),
            Mark::Milestone(name) => write!(f, "milestone {name}"),
        }
    }
}

/// A commit of a run.
pub struct Execution {
    pub id: Oid,
    pub tree: Oid,
    pub parents: Vec<Oid>,
    /// When it was made, in seconds since 1970.
    pub time: i64,
    pub message: Vec<u8>,
}

/// Objects of a run, and where its refs go.
pub struct Advance {
    pub objects: Vec<(Oid, Kind, Vec<u8>)>,
    pub before: Option<Oid>,
    pub newest: Oid,
    /// Its other refs: from where to where.
    pub marks: Vec<(Mark, Option<Oid>, Option<Oid>)>,
}

impl Transaction<'_> {
    /// All runs, and the newest commit of each.
    pub fn executions(&mut self) -> Result<Vec<(RunId, Oid)>> {
        let below = self.refs_below(EXECUTIONS)?.into_iter();
        // A ref that somebody else put there is no run.
        Ok(below.filter_map(|(name, id)| Some((RunId::new(&name).ok()?, id))).collect())
    }

    /// What is another one once stock git, too, has moved refs of runs.
    pub fn executions_stamp(&mut self) -> Result<[u64; 6]> {
        self.show()?;
        Ok(times_of(self.repository().common_folder(), [EXECUTIONS, PACKED]))
    }

    /// Refs in a folder, as this transaction leaves them, by their names in it.
    pub(super) fn refs_below(&mut self, folder: &str) -> Result<BTreeMap<String, Oid>> {
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

    /// The same without holding its ref, which nobody moves who has not the right to write here.
    fn newest_of(&mut self, run: &RunId) -> Result<Option<Oid>> {
        self.show()?;
        let name = run.reference();
        Ok(self.moved(&name).unwrap_or_else(|| self.on_disk(&name)))
    }

    /// Takes a run on from where the caller knows that it is.
    pub fn advance(&mut self, run: &RunId, advance: Advance) {
        for (id, kind, content) in advance.objects {
            self.add_plain(id, kind, content);
        }
        self.move_later(&run.reference(), advance.before, Some(advance.newest));
        for (mark, from, to) in advance.marks {
            self.move_later(&run.mark(&mark), from, to);
        }
    }

    /// All refs of a run besides the one of its newest commit.
    pub fn marks(&mut self, run: &RunId) -> Result<BTreeMap<Mark, Oid>> {
        let mut marks = BTreeMap::new();
        let number = |name: &str| name.parse().ok();
        for (name, id) in self.refs_below(&run.folder(THREADS))? {
            marks.extend(number(&name).map(|it| (Mark::Path(it), id)));
        }
        for (name, id) in self.refs_below(&run.folder(CHILDREN))? {
            marks.extend(name.parse().ok().map(|it| (Mark::Child(it), id)));
        }
        for (name, id) in self.refs_below(&run.folder(MILESTONES))? {
            marks.insert(Mark::Milestone(name), id);
        }
        Ok(marks)
    }

    /// All commits of a run, each once, the newest first.
    pub fn history(&mut self, run: &RunId) -> Result<Vec<Execution>> {
        let mut next: Vec<Oid> = self.newest_of(run)?.into_iter().collect();
        next.extend(self.marks(run)?.into_values());
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
        let time = time_of(&content, "committer ").ok_or_else(damaged)?;
        let end = memchr::memmem::find(&content, b"\n\n").ok_or_else(damaged)?;
        Ok(Execution { id, tree, parents, time, message: content[end + 2..].to_vec() })
    }

    /// Writes runs with all of their refs to a file; tells its size.
    pub fn archive(&mut self, runs: &[RunId], output: Output) -> Result<u64> {
        let mut refs = Vec::new();
        for run in runs {
            refs.extend(self.execution(run)?.map(|it| (run.reference(), it)));
            refs.extend(self.marks(run)?.into_iter().map(|(mark, it)| (run.mark(&mark), it)));
        }
        self.show()?;
        self.repository().bundle(&refs, output, self.watch())
    }

    /// Takes the refs of a run away.
    pub fn drop_run(&mut self, run: &RunId) -> Result<()> {
        for (mark, from) in self.marks(run)? {
            self.move_later(&run.mark(&mark), Some(from), None);
        }
        let newest = self.execution(run)?;
        self.move_later(&run.reference(), newest, None);
        Ok(())
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
