//! What the one who writes a worktree notes for whoever comes after a kill: where it was.

use std::{os::unix::fs::FileExt, path::Path};

use git2::Oid;

use super::{WORKTREE, Writer, has_content, open};
use crate::error::{Error, Result};

/// Where a worktree was, in the note of who writes it.
const AT: &str = "at ";

/// Has the next writer of a worktree know that the one before may not have finished; at which
/// commit the worktree was is noted as [`Writer::note_commit`] does.
pub fn doubt(git_folder: &Path, commit: Option<Oid>) -> Result<()> {
    let path = git_folder.join(WORKTREE);
    if has_content(&path) {
        return Ok(());
    }
    let written = open(&path)?.write_all_at(note_of(0, commit).as_bytes(), 0);
    written.map_err(|error| Error::from_io(path.display(), &error))
}

fn note_of(process: u32, commit: Option<Oid>) -> String {
    format!("process {process}\n{AT}{}\n", commit.unwrap_or(Oid::ZERO_SHA1))
}

impl Writer {
    /// Notes at which commit the worktree is, for whoever comes after a kill. What one who did not
    /// finish noted stays: the worktree may still be there. Other locks are taken after this, or
    /// they would look older than the writer.
    pub fn note_commit(&self, commit: Option<Oid>) -> Result<()> {
        if self.interrupted.is_some() {
            return Ok(());
        }
        let written = self.file.write_all_at(note_of(std::process::id(), commit).as_bytes(), 0);
        written.map_err(|error| Error::from_io(WORKTREE, &error))
    }

    /// The commit that was noted; zero where there was none yet.
    pub fn noted_commit(&self) -> Option<Oid> {
        let mut note = [0; 128];
        let length = self.file.read_at(&mut note, 0).ok()?;
        let id =
            str::from_utf8(&note[..length]).ok()?.lines().find_map(|it| it.strip_prefix(AT))?;
        Oid::from_str(id).ok()
    }
}
