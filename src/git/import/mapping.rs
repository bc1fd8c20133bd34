//! What an import did: states and their commits, kept in the repository itself.
//!
//! Each step adds a commit to the ref of the import. Its tree has `import`, a line of JSON with the
//! format's version and sums, and below `states` one file for each step, named by the number of its
//! first state, with a line for each state: the commit and the quoted id. Its parents are the one
//! before and the commits of the step that no other in it goes on from, so that nothing of an
//! import is ever without a ref. What a state that is not whole yet has so far is below `pending`.

use std::{
    collections::{HashMap, HashSet},
    io::{BufWriter, Write},
};

use git2::Oid;
use serde::{Deserialize, Serialize};

use super::{folder_of, percent, quoted, step::Sums};
use crate::{
    error::{Error, Result},
    git::{Repository, RepositoryPath, folder::flush, refs},
};

/// 1: as it says above.
const FORMAT: u32 = 1;
pub const SUMS: &str = "import";
pub const STATES: &str = "states";
pub const PENDING: &str = "pending";

#[derive(Default)]
pub struct Mapping {
    /// The commit it was read from.
    pub at: Option<Oid>,
    /// In their order.
    list: Vec<(String, Oid)>,
    places: HashMap<String, usize>,
    sums: Sums,
}

/// What a step adds.
pub struct Made {
    pub at: Option<Oid>,
    pub states: Vec<(String, Oid)>,
    pub sums: Sums,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    files: u64,
    bytes: u64,
}

impl Mapping {
    /// Nothing where nothing was imported under this name.
    pub fn read(repository: &Repository, name: &str) -> Result<Mapping> {
        let reference = refs::import(name)?;
        repository.expect_plain_ref(&reference)?;
        let at = match repository.inner.refname_to_id(&reference) {
            Err(error) if error.code() == git2::ErrorCode::NotFound => {
                return Ok(Mapping::default());
            }
            at => at?,
        };
        let damaged = || Error::corrupt(format!("{reference} is damaged"));
        let tree = repository.inner.find_commit(at)?.tree()?;
        let head = tree.get_name(SUMS).ok_or_else(damaged)?;
        let head = repository.object(head.id())?.1;
        let head: Head = serde_json::from_slice(&head).map_err(|_| damaged())?;
        if head.format != FORMAT {
            let message = format!("{reference} has format {}", head.format);
            return Err(Error::unsupported(message).with("feature", "format of imports"));
        }
        let sums = Sums { files: head.files, bytes: head.bytes };
        let mut mapping = Mapping { at: Some(at), sums, ..Mapping::default() };
        let states = tree.get_name(STATES).map(|it| repository.inner.find_tree(it.id()));
        for entry in states.transpose()?.iter().flat_map(git2::Tree::iter) {
            let lines = repository.object(entry.id())?.1;
            for line in str::from_utf8(&lines).map_err(|_| damaged())?.lines() {
                let (commit, id) = line.split_once(' ').ok_or_else(damaged)?;
                let commit = Oid::from_str(commit).map_err(|_| damaged())?;
                mapping.push(percent::decode(id).ok_or_else(damaged)?, commit);
            }
        }
        Ok(mapping)
    }

    pub fn find(&self, state: &str) -> Option<Oid> {
        self.places.get(state).map(|it| self.list[*it].1)
    }

    /// Which one it was, from 0.
    pub fn place(&self, state: &str) -> Option<usize> {
        self.places.get(state).copied()
    }

    /// The latest of these states.
    pub fn last(&self, states: &HashSet<String>) -> Option<Oid> {
        self.list.iter().rev().find(|it| states.contains(&it.0)).map(|it| it.1)
    }

    /// Whether this is the commit of one of these states.
    pub fn has(&self, commit: Oid, states: &HashSet<String>) -> bool {
        self.list.iter().any(|it| it.1 == commit && states.contains(&it.0))
    }

    pub fn len(&self) -> usize {
        self.list.len()
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn sums(&self) -> Sums {
        self.sums
    }

    /// At most so many states behind the first `skip`, and their commits.
    pub fn page(&self, skip: usize, limit: usize) -> impl Iterator<Item = (&str, String)> {
        let page = self.list.iter().skip(skip).take(limit);
        page.map(|(state, commit)| (state.as_str(), commit.to_string()))
    }

    pub fn advance(&mut self, made: Made) {
        self.at = made.at;
        self.sums = made.sums;
        made.states.into_iter().for_each(|(state, commit)| self.push(state, commit));
    }

    fn push(&mut self, state: String, commit: Oid) {
        self.places.insert(state.clone(), self.list.len());
        self.list.push((state, commit));
    }

    /// Writes all of it as lines of JSON. The file appears whole, and replaces one that is there.
    pub fn write(&self, to: &RepositoryPath) -> Result<()> {
        let failed = |error: std::io::Error| Error::from_io(to.display(), &error);
        let aside = tempfile::Builder::new().prefix(".gitport-mapping-").tempfile_in(folder_of(to));
        let mut aside = BufWriter::new(aside.map_err(failed)?);
        for (state, commit) in &self.list {
            let line = serde_json::json!({"state": state, "commit": commit.to_string()});
            writeln!(aside, "{line}").map_err(failed)?;
        }
        let aside = aside.into_inner().map_err(|error| failed(error.into_error()))?;
        aside.as_file().sync_all().map_err(failed)?;
        aside.persist(&**to).map_err(|error| failed(error.error))?;
        flush(folder_of(to)).map_err(failed)
    }
}

/// The file with the version and sums.
pub fn head(sums: Sums) -> Vec<u8> {
    let head = Head { format: FORMAT, files: sums.files, bytes: sums.bytes };
    let mut line = serde_json::to_vec(&head).expect("numbers can be written");
    line.push(b'\n');
    line
}

/// The file of a step, and its name.
pub fn chunk(first: usize, states: &[(String, Oid)]) -> (String, Vec<u8>) {
    let line = |(state, commit): &(String, Oid)| format!("{commit} {}\n", quoted(state));
    let lines: String = states.iter().map(line).collect();
    (format!("{first:010}"), lines.into_bytes())
}
