//! Who may write a repository, and what became of those who died while they did.
//!
//! The right to write is an exclusive lock on a file in the Git folder: `gitport-writer` for a
//! worktree, `gitport-fetch` and `gitport-store` for what all worktrees share. The kernel takes it
//! back when its holder dies. The file has content while somebody writes, and afterwards where that
//! came to no good end, so that the next one knows what was interrupted.

mod left;
mod living;
mod note;

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use rustix::{
    fs::{FlockOperation, OFlags, flock},
    io::Errno,
};

pub use self::left::{let_go, let_go_at_last};
use self::living::{Living, Seen};
pub use self::note::doubt;
use super::plain;
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// The names of Git's locks.
pub const CONFIG_LOCK: &str = "config.lock";
pub const HEAD_LOCK: &str = "HEAD.lock";
pub const INDEX_LOCK: &str = "index.lock";
pub const PACKED_LOCK: &str = "packed-refs.lock";

const WORKTREE: &str = "gitport-writer";
const SHARED: &str = "gitport-fetch";
const STORE: &str = "gitport-store";
const MAINTENANCE: &str = "gitport-maintain";
/// How long another writer is waited for.
const WAIT: Duration = Duration::from_secs(10);
/// How long somebody who only looks whether it is held may hold the right to take care.
const WAIT_FOR_A_LOOK: Duration = Duration::from_millis(100);
/// How long stock git's locks are waited for; git itself waits one second for most of them.
const WAIT_FOR_GIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
/// The first pause while another writer is waited for; most take a millisecond for their turn.
const FIRST_PAUSE: Duration = Duration::from_micros(250);
/// The longest one for a right that is given back after each step.
const TURN: Duration = Duration::from_millis(2);
/// A lock file this old that no process has to do with is a dead process's.
const STALE: Duration = Duration::from_secs(600);
const RETRY_AFTER_MS: u64 = 1000;
const IN_THE_WAY: &str = "a lock of another process is in the way";

/// Whether the last writer of a worktree died while writing, or somebody writes now.
pub fn was_interrupted(git_folder: &Path) -> bool {
    has_content(&git_folder.join(WORKTREE))
}

fn has_content(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|it| 0 < it.len())
}

/// Since when somebody takes care of a repository, or looks at all of it: packs that are as old
/// stay where they are.
pub fn maintained_since(common_folder: &Path) -> Option<SystemTime> {
    let file = plain::open(&common_folder.join(MAINTENANCE)).ok()?;
    match flock(&file, FlockOperation::NonBlockingLockShared) {
        Ok(()) => None,
        Err(_) => file.metadata().and_then(|it| it.modified()).ok(),
    }
}

/// How long ago somebody took care of a repository, or looked at all of it.
pub fn maintained_ago(common_folder: &Path) -> Option<Duration> {
    let then = fs::symlink_metadata(common_folder.join(MAINTENANCE)).and_then(|it| it.modified());
    then.ok()?.elapsed().ok()
}

/// The right to write.
pub struct Writer {
    file: File,
    /// When the first of the writers before this one began that came to no good end.
    interrupted: Option<SystemTime>,
    /// Whether the next writer has to know that this one did not finish.
    is_unfinished: bool,
}

impl Writer {
    /// The right to write one worktree.
    pub fn acquire(git_folder: &Path, watch: &Watch) -> Result<Writer> {
        let why = "another daemon writes this worktree";
        Writer::of(&git_folder.join(WORKTREE), why, WAIT, PAUSE, watch)
    }

    /// The right to write what all worktrees share.
    pub fn of_shared(common_folder: &Path, watch: &Watch) -> Result<Writer> {
        let why = "another daemon fetches into this repository";
        Writer::of(&common_folder.join(SHARED), why, WAIT, PAUSE, watch)
    }

    /// The right to move refs, which writers take in turns of milliseconds.
    pub fn of_store(common_folder: &Path, watch: &Watch) -> Result<Writer> {
        Writer::of_store_within(common_folder, WAIT, watch)
    }

    /// The same, for those who do not wait that long.
    pub fn of_store_within(common_folder: &Path, wait: Duration, watch: &Watch) -> Result<Writer> {
        let why = "another daemon writes this repository";
        Writer::of(&common_folder.join(STORE), why, wait, TURN, watch)
    }

    /// Whether somebody moves refs at this moment.
    pub fn is_at_work(common_folder: &Path) -> bool {
        let file = plain::open(&common_folder.join(STORE));
        file.is_ok_and(|it| flock(&it, FlockOperation::NonBlockingLockShared).is_err())
    }

    /// The right to take care of a repository while others use it.
    pub fn of_maintenance(common_folder: &Path) -> Result<Writer> {
        let why = "somebody takes care of this repository, or verifies it";
        Writer::of(&common_folder.join(MAINTENANCE), why, WAIT_FOR_A_LOOK, PAUSE, &Watch::default())
    }

    /// The right to write what all worktrees share, if nobody has it.
    pub fn of_shared_at_once(common_folder: &Path) -> Option<Writer> {
        let path = common_folder.join(SHARED);
        Writer::of(&path, "somebody fetches", Duration::ZERO, PAUSE, &Watch::default()).ok()
    }

    /// The same, only to clear up after one that did not finish and writes no more.
    pub fn after_unfinished(common_folder: &Path) -> Option<Writer> {
        let path = common_folder.join(SHARED);
        if !has_content(&path) {
            return None;
        }
        let watch = Watch::default();
        let writer = Writer::of(&path, "somebody writes", Duration::ZERO, PAUSE, &watch).ok();
        writer.filter(|it| it.interrupted.is_some())
    }

    fn of(
        path: &Path,
        why: &str,
        wait: Duration,
        pause_max: Duration,
        watch: &Watch,
    ) -> Result<Writer> {
        let failed = |error: std::io::Error| Error::from_io(path.display(), &error);
        let mut file = open(path)?;
        let deadline = Instant::now() + wait;
        let mut pause = FIRST_PAUSE;
        loop {
            if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() {
                if is_at(&file, path) {
                    break;
                }
                // Whoever had it before moved the repository away, or left it without locks.
                file = open(path)?;
                continue;
            }
            watch.check()?;
            if deadline <= Instant::now() {
                return Err(locked(path, why));
            }
            watch.pause(pause);
            pause = pause_max.min(pause * 3 / 2);
        }
        path.parent().into_iter().for_each(let_go_at_last);
        let before = file.metadata().map_err(failed)?;
        let interrupted = match before.len() {
            0 => None,
            _ => before.modified().ok(),
        };
        if interrupted.is_none() {
            let text = format!("process {}\n", std::process::id());
            file.write_all_at(text.as_bytes(), 0).map_err(failed)?;
        }
        // Content that is there stays as old as it is: what the dead left is younger.
        Ok(Writer { file, interrupted, is_unfinished: interrupted.is_some() })
    }

    /// Whether somebody before this one did not finish.
    pub fn follows_unfinished(&self) -> bool {
        self.interrupted.is_some()
    }

    /// From here on what is written is in pieces until [`Writer::finish`].
    pub fn begin(&mut self) {
        self.is_unfinished = true;
    }

    /// Leaves nothing of this right behind. Who waits for it takes it anew.
    pub fn remove(self, common_folder: &Path) {
        if !self.is_unfinished {
            let _ = fs::remove_file(common_folder.join(STORE));
        }
    }

    /// What this one began is whole. What others left in pieces, and nobody mended, still is.
    pub fn done(&mut self) {
        self.is_unfinished = self.interrupted.is_some();
    }

    /// What others left in pieces is mended.
    pub fn mended(&mut self) {
        (self.interrupted, self.is_unfinished) = (None, false);
    }

    /// All is written, and what others left in pieces was mended.
    pub fn finish(mut self) {
        self.is_unfinished = false;
    }

    /// Makes one of Git's locks. The living are waited for, but not for ever.
    pub fn take(&self, git_folder: &Path, name: &str, watch: &Watch) -> Result<PathBuf> {
        let lock = git_folder.join(name);
        loop {
            match File::create_new(&lock) {
                Ok(_) => return Ok(lock),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    self.clear(git_folder, &[name], watch)?;
                }
                Err(error) => return Err(Error::from_io(lock.display(), &error)),
            }
        }
    }

    /// Waits until none of stock git's locks is there, removing those of the dead.
    pub fn clear(&self, git_folder: &Path, locks: &[&str], watch: &Watch) -> Result<()> {
        let deadline = Instant::now() + WAIT_FOR_GIT;
        for name in locks {
            let path = git_folder.join(name);
            while let Some(lock) = Seen::at(&path) {
                watch.check()?;
                if self.remove_of_the_dead(vec![lock], git_folder).is_empty() {
                    continue;
                }
                if deadline <= Instant::now() {
                    return Err(locked(&path, IN_THE_WAY));
                }
                watch.pause(PAUSE);
            }
        }
        Ok(())
    }

    /// Removes those of these files that the dead left; false where one may be in use after all.
    pub fn sweep(&self, git_folder: &Path, files: Vec<PathBuf>, watch: &Watch) -> bool {
        self.sweep_within(git_folder, files, WAIT_FOR_GIT, watch)
    }

    /// The same, for those who do not wait for the end of who was killed.
    pub fn sweep_within(
        &self,
        git_folder: &Path,
        files: Vec<PathBuf>,
        wait: Duration,
        watch: &Watch,
    ) -> bool {
        let deadline = Instant::now() + wait;
        let mut files: Vec<Seen> = files.iter().filter_map(|it| Seen::at(it)).collect();
        loop {
            files.retain(|it| self.is_due(it.modified));
            files = self.remove_of_the_dead(files, git_folder);
            if files.is_empty() || deadline <= Instant::now() || watch.is_stopped() {
                return files.is_empty();
            }
            // Who was killed takes a moment to let go.
            watch.pause(PAUSE);
        }
    }

    /// Removes those of these files that the dead left, as far as that shows at once; how many.
    pub fn sweep_at_once(&self, git_folder: &Path, files: &[PathBuf]) -> usize {
        let mut files: Vec<Seen> = files.iter().filter_map(|it| Seen::at(it)).collect();
        files.retain(|it| self.is_due(it.modified));
        let count = files.len();
        count - self.remove_of_the_dead(files, git_folder).len()
    }

    /// What was begun began now; when, as files are dated.
    pub fn stamp(&mut self) -> Result<SystemTime> {
        self.interrupted = None;
        let text = format!("process {}\n", std::process::id());
        let written =
            self.file.set_len(0).and_then(|()| self.file.write_all_at(text.as_bytes(), 0));
        let stamp = written.and_then(|()| self.file.metadata()?.modified());
        stamp.map_err(|error| Error::from_io(MAINTENANCE, &error))
    }

    /// Removes the files that nobody who lives has to do with; the others come back.
    fn remove_of_the_dead(&self, mut files: Vec<Seen>, git_folder: &Path) -> Vec<Seen> {
        if !files.iter().any(|it| self.is_due(it.modified)) {
            return files;
        }
        let living = Living::look(git_folder);
        files.retain(|file| {
            let is_dead = self.is_due(file.modified) && !living.uses(&file.path);
            let is_gone = is_dead && file.remove();
            if is_gone {
                let path = file.path.display();
                log::warn!("removed {path}, which a dead process left behind");
            }
            !is_gone
        });
        files
    }

    /// Whether a file last changed at this time is a dead process's, if nobody who lives uses it.
    fn is_due(&self, modified: SystemTime) -> bool {
        // A time in the future says nothing about its age.
        let Ok(age) = SystemTime::now().duration_since(modified) else { return false };
        // Who wrote before the machine started died with it at the latest.
        STALE <= age
            || living::started().is_some_and(|started| modified < started)
            || self.interrupted.is_some_and(|since| since <= modified)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        if !self.is_unfinished {
            // Content that stays only makes the next writer more careful.
            let _ = self.file.set_len(0);
        }
    }
}

/// Whether this is the file that is at a path now.
pub fn is_at(file: &File, path: &Path) -> bool {
    let place = |it: fs::Metadata| (it.dev(), it.ino());
    let opened = file.metadata().map(place);
    opened.is_ok_and(|it| fs::symlink_metadata(path).map(place).ok() == Some(it))
}

/// Opens the file that a writer locks; through a link it would be somebody else's.
fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let file = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP) => Error::denied(format!("{} is a symbolic link", path.display()))
            .with("rule", "symbolic link"),
        _ => Error::from_io(path.display(), &error),
    })?;
    let failed = |error: std::io::Error| Error::from_io(path.display(), &error);
    match file.metadata().map_err(failed)?.is_file() {
        true => Ok(file),
        false => {
            Err(Error::denied(format!("{} is no regular file", path.display()))
                .with("rule", "type"))
        }
    }
}

/// The error for a lock file that is in the way.
fn locked(path: &Path, message: &str) -> Error {
    let modified = fs::symlink_metadata(path).and_then(|it| it.modified());
    let age = modified.ok().and_then(|it| it.elapsed().ok()).unwrap_or_default();
    Error::locked(format!("{message}: {}", path.display()))
        .with("path", path.to_string_lossy().into_owned())
        .with("age_ms", age.as_millis() as u64)
        .with("retry_after_ms", RETRY_AFTER_MS)
}

/// The error for a lock file that libgit2 or stock git stumbled over, if these words say so.
pub fn locked_in_words(words: &str) -> Option<Error> {
    const FRAMES: &[(&str, &str)] =
        &[("failed to lock file '", "' for writing"), ("Unable to create '", "': File exists")];
    FRAMES.iter().find_map(|(before, after)| {
        let (path, _) = words.split_once(before)?.1.split_once(after)?;
        path.ends_with(".lock").then(|| locked(Path::new(path), IN_THE_WAY))
    })
}

/// The error for a lock that nobody names.
pub fn locked_somewhere(message: &str) -> Error {
    Error::locked(message).with("retry_after_ms", RETRY_AFTER_MS)
}
