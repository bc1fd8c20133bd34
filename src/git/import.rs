//! Imports: states of a project, each with all of its files, become commits.
//!
//! Many states are one durable step, and what is done is written down in the same step
//! ([`mapping`]): whoever was killed goes on behind the last one. Of a state only what is different
//! from its parent is kept until then. The same states give the same commits.

mod bundle;
mod files;
mod mapping;
mod step;

use std::{
    collections::{HashMap, HashSet},
    path::Path,
    time::{Duration, Instant},
};

use serde::Serialize;

pub use self::{bundle::Bundle, mapping::Mapping};
use self::{
    files::{Files, Shelf, Tree},
    step::{Prepared, Step, expect_branch},
};
use super::{
    Branch, LockName, Message, Person, RepositoryPath, Store, percent, refs, repository::Sha,
};
use crate::{
    error::{Error, Result},
    watch::{Progress, Stage, Watch},
};

/// A step has so many states at most …
const STEP_STATES_MAX: usize = 500;
/// … of new contents about so much …
const STEP_BYTES_MAX: usize = 16 * 1024 * 1024;
/// … and comes at least so often, so that little is done again after a kill.
const STEP_TIME_MAX: Duration = Duration::from_secs(5);

/// A state to import, without its files.
pub struct Snapshot {
    pub id: String,
    pub parent: Option<String>,
    pub author: Person,
    pub committer: Person,
    pub message: Message,
}

/// Where states are imported to.
pub struct Destination<'a> {
    pub store: &'a Store,
    pub path: &'a RepositoryPath,
    /// What the import is called among others in the repository.
    pub name: &'a str,
    pub branch: &'a Branch,
    /// A lock and the token that must hold it at each step.
    pub fence: Option<(&'a LockName, u64)>,
    pub watch: &'a Watch,
}

/// What became of an import.
#[derive(Serialize)]
pub struct Imported {
    pub states: usize,
    /// Those of them that this request made.
    pub commits: usize,
    pub files: u64,
    #[serde(skip)]
    pub bytes: u64,
    pub head: Option<Sha>,
}

pub struct Import<'a> {
    to: Destination<'a>,
    line: Line,
    mapping: Mapping,
    step: Step,
    step_begun: Instant,
    shelf: Shelf,
    commits: usize,
    total: usize,
    bytes_read: u64,
}

/// The order of states, as far as refs depend on it.
struct Line {
    /// Of a branch that grows to the last state.
    main: HashSet<String>,
    /// States that no other goes on from.
    leaves: HashSet<String>,
}

impl<'a> Import<'a> {
    /// Fails where what is there is in the way. The states are all of the project, in their order.
    pub fn begin(to: Destination<'a>, states: &[(String, Option<String>)]) -> Result<Import<'a>> {
        let repository = to.store.open(to.path, Instant::now())?;
        let mapping = Mapping::read(&repository, to.name)?;
        let line = Line::of(states);
        let left = || states.iter().filter(|it| mapping.find(&it.0).is_none());
        if left().next().is_some() {
            let at = repository.inner.refname_to_id(&to.branch.reference()).ok();
            expect_branch(&mapping, &line, to.branch, at)?;
        }
        let import = Import {
            shelf: Shelf::new(left().filter_map(|it| it.1.as_ref())),
            line,
            mapping,
            step: Step::default(),
            step_begun: Instant::now(),
            commits: 0,
            total: states.len(),
            bytes_read: 0,
            to,
        };
        import.tell();
        Ok(import)
    }

    pub fn is_done(&self, state: &str) -> bool {
        self.mapping.find(state).is_some()
    }

    /// Prepares a state whose parent was imported or prepared before. `read` gives its files.
    pub fn add(
        &mut self,
        snapshot: Snapshot,
        read: impl FnOnce(&mut dyn FnMut(&[u8], Vec<u8>, Option<u32>) -> Result<()>) -> Result<()>,
    ) -> Result<()> {
        let before = self.files_of(snapshot.parent.as_deref())?;
        let mut files = Files::new(&snapshot.id, before);
        read(&mut |path, content, mode| {
            self.to.watch.check()?;
            self.bytes_read += content.len() as u64;
            if let Some(blob) = files.add(path, content, mode)? {
                self.step.push(blob);
            }
            match STEP_BYTES_MAX <= self.step.bytes {
                true => self.carry_out(),
                false => Ok(()),
            }
        })?;
        let (now, changes, sums) = files.finish()?;
        self.shelf.put(&snapshot.id, now);
        self.step.states.push(Prepared { snapshot, changes, sums });
        self.commits += 1;
        let is_due = STEP_STATES_MAX <= self.step.states.len()
            || STEP_BYTES_MAX <= self.step.bytes
            || STEP_TIME_MAX <= self.step_begun.elapsed();
        if is_due {
            self.carry_out()?;
        }
        self.tell();
        Ok(())
    }

    /// Carries out what is prepared, also after an error: what is done need not be done again.
    pub fn keep(&mut self) -> Result<()> {
        self.step.forget_unfinished();
        match self.step.states.is_empty() {
            true => Ok(()),
            false => self.carry_out(),
        }
    }

    /// The end, where all states were added or done before.
    pub fn finish(mut self) -> Result<(Imported, Mapping)> {
        // Where nothing is left to do, the branch may still have to be made.
        self.carry_out()?;
        self.to.store.settle(self.to.path, self.to.watch)?;
        let head = self.mapping.last(&self.line.main);
        let sums = self.mapping.sums();
        let imported = Imported {
            states: self.total,
            commits: self.commits,
            files: sums.files,
            bytes: sums.bytes,
            head: head.map(Sha::from),
        };
        Ok((imported, self.mapping))
    }

    fn carry_out(&mut self) -> Result<()> {
        self.to.watch.check()?;
        let mut step = std::mem::take(&mut self.step);
        let Destination { store, path, name, branch, fence, watch } = self.to;
        let (line, mapping) = (&self.line, &self.mapping);
        let made = store.change_alone(path, watch, |transaction| {
            transaction.expect_fence(fence)?;
            step.apply(transaction, mapping, line, name, branch)
        })?;
        self.mapping.advance(made);
        self.step_begun = Instant::now();
        store.clear_up(path, watch)
    }

    /// The files of a state, to compare those of its children with.
    fn files_of(&mut self, state: Option<&str>) -> Result<Tree> {
        let Some(state) = state else { return Ok(Tree::new()) };
        if let Some(files) = self.shelf.take(state) {
            return Ok(files);
        }
        if self.mapping.find(state).is_none() {
            self.carry_out()?;
        }
        let commit = self.mapping.find(state);
        let commit = commit.ok_or_else(|| Error::internal("a parent comes before its children"))?;
        files::of_commit(&*self.to.store.open(self.to.path, Instant::now())?, commit)
    }

    fn tell(&self) {
        self.to.watch.tell(&Progress {
            stage: Stage::Importing,
            done: (self.mapping.len() + self.step.states.len()) as u64,
            total: self.total as u64,
            bytes: self.bytes_read,
        });
    }
}

impl Line {
    fn of(states: &[(String, Option<String>)]) -> Line {
        let mut leaves: HashSet<String> = states.iter().map(|it| it.0.clone()).collect();
        let parents: HashMap<&str, Option<&str>> =
            states.iter().map(|(id, parent)| (id.as_str(), parent.as_deref())).collect();
        states.iter().filter_map(|it| it.1.as_ref()).for_each(|it| {
            leaves.remove(it);
        });
        let last = states.last().map(|it| it.0.as_str());
        let ancestry = std::iter::successors(last, |it| parents.get(it).copied().flatten());
        Line { main: ancestry.map(str::to_owned).collect(), leaves }
    }
}

impl Store {
    /// What an import did: states and their commits, in their order.
    pub fn imported(&self, path: &RepositoryPath, name: &str, asked: Instant) -> Result<Mapping> {
        let mapping = Mapping::read(&*self.open(path, asked)?, name)?;
        match mapping.is_empty() {
            true => Err(Error::not_found(format!("no import is called `{name}`"))),
            false => Ok(mapping),
        }
    }

    /// The bytes of a repository's objects on disk.
    pub fn bytes(&self, path: &RepositoryPath, watch: &Watch) -> Result<u64> {
        self.open(path, Instant::now())?.describe(watch).map(|it| it.bytes)
    }
}

/// The state of an error, as far as one is about a file of it.
fn about(state: &str, path: &[u8], error: Error) -> Error {
    let path = String::from_utf8_lossy(path).into_owned();
    error.while_doing(format!("state `{state}`")).with("state", state).with("path", path)
}

/// Text without what could be taken for the end of a line or for another name: `%` and control
/// characters, and blanks at the ends, are percent-encoded.
fn quoted(text: &str) -> String {
    let inner = text.trim_matches(' ');
    let is_whole = inner.len() == text.len();
    let encode = |all: &mut String, it: char| match it {
        '%' => all.push_str("%25"),
        ' ' if !is_whole => all.push_str("%20"),
        it if it.is_control() => {
            it.encode_utf8(&mut [0; 4]).bytes().for_each(|it| all.push_str(&format!("%{it:02x}")));
        }
        it => all.push(it),
    };
    let mut all = String::with_capacity(text.len());
    text.chars().for_each(|it| encode(&mut all, it));
    all
}

/// The name of an import, where it can be one.
pub fn check_name(name: &str) -> Result<()> {
    refs::import(name).map(drop)
}

/// What a state's commit says of it, for programs.
pub fn trailer(state: &str) -> String {
    format!("State: {}\n", quoted(state))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_one_line_and_comes_back() {
        for (id, line) in [
            ("7", "7"),
            ("a b", "a b"),
            (" a b ", "%20a%20b%20"),
            ("a\nState: b", "a%0aState: b"),
            ("50%", "50%25"),
            ("é\u{85}", "é%c2%85"),
        ] {
            assert_eq!(quoted(id), line);
            assert_eq!(percent::decode(line).as_deref(), Some(id));
        }
        assert_eq!(percent::decode("%"), None);
        assert_eq!(percent::decode("%zz"), None);
    }
}
