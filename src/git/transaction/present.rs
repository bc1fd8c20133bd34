//! Whether what a ref shall lead to is on disk: what is open may have been removed since.

use git2::Oid;

use super::{Repository, Transaction};
use crate::{
    error::{Error, Result},
    git::hash::id_of,
};

impl Transaction<'_> {
    /// Fails where an object is gone that nothing led to for long. One that was made here, or that
    /// a ref which is held leads to, is there.
    pub(in crate::git) fn expect_present(&mut self, id: Oid) -> Result<()> {
        if self.fresh.contains_key(&id) || self.led_to.contains(&id) {
            return Ok(());
        }
        let repository = self.repository();
        // Opened under the right to write, without which nobody removes anything.
        let disk = match self.disk.take() {
            Some(disk) => disk,
            None => Repository::open_again(repository.common_folder())?,
        };
        let is_there = disk.inner.odb()?.exists(id);
        self.disk = Some(disk);
        match is_there {
            true => Ok(()),
            false => Err(repository.missing(format!("no object is {id}"))),
        }
    }
}

/// What a tag is about.
pub(super) fn target_of(tag: &[u8]) -> Result<Oid> {
    let target = tag.strip_prefix(b"object ").and_then(id_of);
    target.ok_or_else(|| Error::corrupt("a tag is about nothing"))
}
