//! What revisions name while a transaction goes on, with what it made and moved so far.

use git2::{ObjectType, Oid};

use super::{Transaction, hash::whole_id, pack::Kind, refs::meanings};
use crate::error::{Error, Result};

impl Transaction<'_> {
    /// The object a revision names. Refs that this transaction moves are where it moves them, if
    /// they are named alone.
    pub fn object_named(&mut self, rev: &str) -> Result<Oid> {
        if let Some(id) = self.whole_id(rev) {
            return Ok(id);
        }
        if rev == "HEAD"
            && let Ok(branch) = self.repository().current_branch()
            && let Some(Some(id)) = self.moved(&branch.reference())
        {
            return Ok(id);
        }
        for name in meanings(rev) {
            match self.moved(&name) {
                Some(Some(id)) => return Ok(id),
                None if self.repository().inner.find_reference(&name).is_ok() => break,
                _ => (),
            }
        }
        Ok(self.repository().resolve(rev)?.id())
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
