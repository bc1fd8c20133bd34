//! What revisions name while a transaction goes on, with what it made and moved so far.

use git2::{ObjectType, Oid};

use super::{
    Transaction,
    hash::{parents_of, whole_id},
    ledger::{Loose, read_loose},
    pack::Kind,
    refs::{REFS, meanings},
};
use crate::error::{Error, Result};

impl Transaction<'_> {
    /// The object a revision names. Refs that this transaction moves are where it moves them, if
    /// they are named alone or their ancestors are.
    pub fn object_named(&mut self, rev: &str) -> Result<Oid> {
        if let Some(id) = self.whole_id(rev) {
            return Ok(id);
        }
        self.repository().expect_plain_rev(rev)?;
        if let Some(id) = self.where_moved(rev) {
            return Ok(id);
        }
        match last_step(rev) {
            Some((before, step)) if self.where_moved(first_name(before)).is_some() => {
                let commit = self.commit_named(before)?;
                let ancestor = match step {
                    Step::Back(times) => self.ancestor(commit, times)?,
                    Step::Parent(0) => Some(commit),
                    Step::Parent(number) => self.parents_of(commit)?.get(number - 1).copied(),
                };
                ancestor.ok_or_else(|| Error::not_found(format!("no revision is `{rev}`")))
            }
            _ => Ok(self.repository().resolve(rev)?.id()),
        }
    }

    /// Where this transaction moves the ref that a revision is the name of.
    fn where_moved(&self, rev: &str) -> Option<Oid> {
        if rev == "HEAD"
            && let Ok(branch) = self.repository().current_branch()
            && let Some(Some(id)) = self.moved(&branch.reference())
        {
            return Some(id);
        }
        for name in meanings(rev) {
            match self.moved(&name) {
                Some(Some(id)) => return Some(id),
                None if self.repository().inner.find_reference(&name).is_ok() => return None,
                _ => (),
            }
        }
        None
    }

    fn ancestor(&mut self, commit: Oid, times: usize) -> Result<Option<Oid>> {
        let mut here = Some(commit);
        for _ in 0..times {
            let Some(commit) = here else { break };
            self.watch().check()?;
            here = self.parents_of(commit)?.first().copied();
        }
        Ok(here)
    }

    fn parents_of(&mut self, commit: Oid) -> Result<Vec<Oid>> {
        let content = self.content(commit, Kind::Commit)?;
        Ok(parents_of(&content).collect())
    }

    /// The commit a revision names; through tags.
    pub fn commit_named(&mut self, rev: &str) -> Result<Oid> {
        let id = self.object_named(rev)?;
        let id = self.peeled(id)?.unwrap_or(id);
        match self.kind_of(id)? {
            Kind::Commit => Ok(id),
            kind => {
                let message = format!("`{rev}` names a {}, not a commit", kind.name());
                Err(Error::bad_request(message))
            }
        }
    }

    /// The commit that `HEAD` stands for, where there is one: out of the files that say it.
    pub fn head_commit(&mut self) -> Option<Oid> {
        let repository = self.repository();
        let id = match read_loose(&repository.git_folder().join("HEAD")).ok()? {
            Loose::At(id) => id,
            Loose::Symbolic(name) => {
                let name = str::from_utf8(&name).ok().filter(|it| it.starts_with(REFS))?;
                match self.moved(name) {
                    Some(moved) => moved?,
                    None => self.on_disk(name)?,
                }
            }
            Loose::Absent | Loose::Torn => return None,
        };
        self.kind_of(id).is_ok_and(|it| it == Kind::Commit).then_some(id)
    }

    /// An id that is written out and leads to an object.
    fn whole_id(&self, rev: &str) -> Option<Oid> {
        let id = whole_id(rev)?;
        self.kind_of(id).is_ok().then_some(id)
    }

    pub fn kind_of(&self, id: Oid) -> Result<Kind> {
        if let Some((kind, _)) = self.fresh(id) {
            return Ok(kind);
        }
        let repository = self.repository();
        match repository.inner.odb()?.read_header(id) {
            Ok((_, ObjectType::Commit)) => Ok(Kind::Commit),
            Ok((_, ObjectType::Tree)) => Ok(Kind::Tree),
            Ok((_, ObjectType::Tag)) => Ok(Kind::Tag),
            Ok(_) => Ok(Kind::Blob),
            Err(error) if error.code() == git2::ErrorCode::NotFound => {
                Err(repository.missing(format!("no object is {id}")))
            }
            Err(error) => Err(repository.unreadable(id, error)),
        }
    }
}

/// The end of a revision that leads to an ancestor.
enum Step {
    /// `~3`: to the first parent, so many times.
    Back(usize),
    /// `^2`: to this parent; `^0` is the commit itself.
    Parent(usize),
}

fn last_step(rev: &str) -> Option<(&str, Step)> {
    let front = rev.trim_end_matches(|it: char| it.is_ascii_digit());
    let number = match &rev[front.len()..] {
        "" => 1,
        digits => digits.parse().ok()?,
    };
    let back = front.strip_suffix('~').map(|it| (it, Step::Back(number)));
    back.or_else(|| front.strip_suffix('^').map(|it| (it, Step::Parent(number))))
}

/// What a revision begins with: no ref has one of these in its name.
fn first_name(rev: &str) -> &str {
    rev.split(['~', '^']).next().unwrap_or(rev)
}
