//! What a look at a few files tells of a repository's refs, without opening it.

use std::{
    fs::{self, Metadata},
    io::ErrorKind,
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime},
};

use super::{
    ledger::JOURNAL,
    refs::{BRANCHES, EXECUTIONS, OWN, PACKED, TAGS, TRIGGERS, Tag},
};

/// What was written so lately may be written once more without another time of its file.
const FRESH: Duration = Duration::from_millis(50);

/// What is another one once a branch, a tag or a run moved, whoever moved it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glimpse {
    sum: u64,
    /// Whether it may stay the same though something moves.
    is_fresh: bool,
}

/// What is another one once a file is written, or made anew; zeros where there is none.
pub(super) fn times(file: Option<&Metadata>) -> [u64; 3] {
    file.map_or([0; 3], |it| [it.ino(), it.mtime() as u64, it.mtime_nsec() as u64])
}

/// The same of two in one folder.
pub(super) fn times_of(folder: &Path, names: [&str; 2]) -> [u64; 6] {
    let of = |name: &str| times(fs::metadata(folder.join(name)).ok().as_ref());
    let ([a, b, c], [d, e, f]) = (of(names[0]), of(names[1]));
    [a, b, c, d, e, f]
}

impl Glimpse {
    pub fn of(common_folder: &Path) -> Glimpse {
        let mut glimpse = Glimpse { sum: 0, is_fresh: false };
        for name in [PACKED, JOURNAL, OWN] {
            glimpse.add(fs::metadata(common_folder.join(name)).ok().as_ref());
        }
        for folder in [BRANCHES, TAGS] {
            glimpse.add_folders(&common_folder.join(folder));
        }
        glimpse
    }

    /// Whether nothing has moved since this one.
    pub fn is_still(&self, before: Option<&Glimpse>) -> bool {
        before.is_some_and(|it| !it.is_fresh && it.sum == self.sum)
    }

    /// A ref that moves is a file that is renamed, which changes its folder.
    fn add_folders(&mut self, folder: &Path) {
        self.add(fs::metadata(folder).ok().as_ref());
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|it| it.is_dir()) {
                self.add_folders(&entry.path());
            }
        }
    }

    fn add(&mut self, found: Option<&Metadata>) {
        for it in times(found) {
            self.sum = (self.sum.rotate_left(5) ^ it).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
        let written = found.and_then(|it| it.modified().ok());
        let age = written.map(|it| SystemTime::now().duration_since(it));
        // Also what comes from the future.
        self.is_fresh |= age.is_some_and(|it| it.is_err() || it.is_ok_and(|it| it < FRESH));
    }
}

/// Whether a daemon writes there, or was killed over it.
pub fn is_left(common_folder: &Path) -> bool {
    common_folder.join(JOURNAL).exists()
}

/// Whether there are, or may be, runs in a repository.
pub fn has_runs(common_folder: &Path) -> bool {
    has_refs(common_folder, EXECUTIONS)
}

/// Whether processes are, or may be, published in a repository.
pub fn has_processes(common_folder: &Path) -> bool {
    has_refs(common_folder, &format!("{TAGS}{}", Tag::PROCESSES))
}

/// Whether somebody has looked at the triggers of a repository.
pub fn has_triggers(common_folder: &Path) -> bool {
    common_folder.join(TRIGGERS).exists() || is_packed(common_folder, TRIGGERS)
}

/// Whether there are refs in a folder of them.
fn has_refs(common_folder: &Path, folder: &str) -> bool {
    has_files(&common_folder.join(folder)) || is_packed(common_folder, folder)
}

fn has_files(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => has_files(&entry.path()),
        Ok(_) => true,
        Err(_) => false,
    })
}

/// Whether the file of refs without files of their own has something of this name.
fn is_packed(common_folder: &Path, name: &str) -> bool {
    match fs::read(common_folder.join(PACKED)) {
        Ok(packed) => memchr::memmem::find(&packed, name.as_bytes()).is_some(),
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}
