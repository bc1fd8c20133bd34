//! Whoever guards a repository is asked before what a request moves is kept.

use std::collections::BTreeMap;

use git2::Oid;

use super::{Savepoint, Transaction};
use crate::{
    error::Result,
    git::{pack::Kind, refs},
};

/// A ref that a request moved.
#[derive(Debug, Clone)]
pub struct Moved {
    pub name: String,
    pub from: Option<Oid>,
    pub to: Option<Oid>,
    /// The name and the mail of who did it.
    pub who: (String, String),
}

/// Whoever knows what may be moved.
pub trait Guard: Send + Sync {
    /// Fails where something that was moved since then may not be.
    fn expect(&self, since: &Savepoint, transaction: &mut Transaction) -> Result<()>;
}

impl Transaction<'_> {
    /// Does a piece of work, of which nothing stays where it fails or moves what it may not.
    pub fn attempt<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let savepoint = self.savepoint();
        let value = work(self).and_then(|it| self.expect_allowed(&savepoint).map(|()| it));
        if value.is_err() {
            self.go_back(&savepoint);
        }
        value
    }

    /// Fails where a ref that clients may move was moved since then, and may not be.
    pub fn expect_allowed(&mut self, since: &Savepoint) -> Result<()> {
        let has_any = self.moves[since.moves..].iter().any(|it| !refs::is_ours(&it.name));
        match self.guard.clone().filter(|_| has_any) {
            Some(guard) => guard.expect(since, self),
            None => Ok(()),
        }
    }

    /// The refs that clients may move and that were moved since then, each once.
    pub fn moved_since(&mut self, since: &Savepoint) -> Result<Vec<Moved>> {
        let mut by_name: BTreeMap<String, (Option<Oid>, Option<Oid>)> = BTreeMap::new();
        for it in self.moves[since.moves..].iter().filter(|it| !refs::is_ours(&it.name)) {
            let ends = by_name.entry(it.name.clone()).or_insert((it.from(), None));
            ends.1 = it.to();
        }
        by_name.retain(|_, (from, to)| from != to);
        let moved = by_name.into_iter().map(|(name, (from, to))| {
            let who = self.mover(&name, to, since)?;
            Ok(Moved { name, from, to, who })
        });
        moved.collect()
    }

    /// Whoever the reflog would name, who made what came, or whoever the repository says it is.
    fn mover(&self, name: &str, to: Option<Oid>, since: &Savepoint) -> Result<(String, String)> {
        let said = self.lines[since.lines..].iter().rev().find(|it| it.name() == name);
        if let Some(line) = said {
            return Ok(line.who().clone());
        }
        let made = to.and_then(|it| match self.fresh.get(&it)? {
            (Kind::Commit, content) => committer(content),
            _ => None,
        });
        Ok(made.unwrap_or_else(|| self.repository().owner().texts()))
    }
}

fn committer(commit: &[u8]) -> Option<(String, String)> {
    let mut head = commit.split(|it| *it == b'\n').take_while(|it| !it.is_empty());
    let line = head.find_map(|it| it.strip_prefix(b"committer "))?;
    let line = String::from_utf8_lossy(line);
    let (name, rest) = line.split_once(" <")?;
    Some((name.to_owned(), rest.split_once('>')?.0.to_owned()))
}
