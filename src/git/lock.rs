//! Who may write a worktree, and what became of those who died while they did.
//!
//! The right to write is an exclusive lock on `gitport-writer` in the Git folder; the kernel takes
//! it back when its holder dies. The file has content exactly while somebody writes, so that the
//! next one knows what was interrupted.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Write},
    path::{Path, PathBuf},
    time::{Duration, Instant, SystemTime},
};

use rustix::fs::{FlockOperation, flock};

use crate::{
    error::{Error, Result},
    watch::Watch,
};

const FILE: &str = "gitport-writer";
/// How long another writer is waited for.
const WAIT: Duration = Duration::from_secs(10);
/// How long stock git's locks are waited for; git itself waits one second for most of them.
const WAIT_FOR_GIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);
/// A lock file this old that no process has to do with is a dead process's.
const STALE: Duration = Duration::from_secs(600);

/// Whether the last writer died while writing, or somebody writes now.
pub fn was_interrupted(git_folder: &Path) -> bool {
    fs::metadata(git_folder.join(FILE)).is_ok_and(|it| 0 < it.len())
}

/// The right to write one worktree.
pub struct Writer {
    file: File,
    /// When the writer before this one began, if it died while writing.
    interrupted: Option<SystemTime>,
}

impl Writer {
    pub fn acquire(git_folder: &Path, watch: &Watch) -> Result<Writer> {
        let path = git_folder.join(FILE);
        let failed = |error: std::io::Error| Error::from_io(path.display(), &error);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        let deadline = Instant::now() + WAIT;
        while flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            watch.check()?;
            if deadline <= Instant::now() {
                return Err(locked(&path, "another daemon writes this worktree"));
            }
            watch.pause(PAUSE);
        }
        let mut before = String::new();
        file.read_to_string(&mut before).map_err(failed)?;
        let interrupted = match before.is_empty() {
            true => None,
            false => file.metadata().and_then(|it| it.modified()).ok(),
        };
        file.set_len(0).map_err(failed)?;
        let mut writer = Writer { file, interrupted };
        writeln!(writer.file, "process {}", std::process::id()).map_err(failed)?;
        Ok(writer)
    }

    /// Waits until none of stock git's locks is there, removing those of the dead.
    pub fn clear(&self, git_folder: &Path, locks: &[&str], watch: &Watch) -> Result<()> {
        let deadline = Instant::now() + WAIT_FOR_GIT;
        for name in locks {
            let path = git_folder.join(name);
            while let Ok(metadata) = fs::symlink_metadata(&path) {
                watch.check()?;
                let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                if self.is_of_the_dead(&path, git_folder, modified) {
                    log::warn!("removing {}, which a dead process left behind", path.display());
                    let _ = fs::remove_file(&path);
                } else if deadline <= Instant::now() {
                    return Err(locked(&path, "a lock of another process is in the way"));
                } else {
                    watch.pause(PAUSE);
                }
            }
        }
        Ok(())
    }

    fn is_of_the_dead(&self, lock: &Path, git_folder: &Path, modified: SystemTime) -> bool {
        // A time in the future says nothing about its age.
        let Ok(age) = SystemTime::now().duration_since(modified) else { return false };
        let is_ours = self.interrupted.is_some_and(|since| since <= modified);
        (is_ours || STALE <= age) && !is_in_use(lock, git_folder)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Content that stays only makes the next writer more careful.
        let _ = self.file.set_len(0);
    }
}

/// The error for a lock file that is in the way.
fn locked(path: &Path, message: &str) -> Error {
    let modified = fs::symlink_metadata(path).and_then(|it| it.modified());
    let age = modified.ok().and_then(|it| it.elapsed().ok()).unwrap_or_default();
    Error::locked(format!("{message}: {}", path.display()))
        .with("path", path.to_string_lossy().into_owned())
        .with("age_ms", age.as_millis() as u64)
        .with("retry_after_ms", 1000)
}

/// Whether some process has the lock open, or is a git at work in the repository: it closes its
/// lock while it waits for an editor.
pub fn is_in_use(lock: &Path, git_folder: &Path) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else { return true };
    let lock = fs::canonicalize(lock).unwrap_or_else(|_| lock.to_owned());
    let top = fs::canonicalize(git_folder).unwrap_or_else(|_| git_folder.to_owned());
    let top = match top.file_name() {
        Some(name) if name == ".git" => top.parent().unwrap_or(&top),
        _ => &top,
    };
    processes.flatten().map(|it| it.path()).any(|process| {
        let opened = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let mut targets = opened.filter_map(|it| fs::read_link(it.path()).ok());
        targets.any(|it: PathBuf| it == lock) || is_git_inside(&process, top)
    })
}

fn is_git_inside(process: &Path, top: &Path) -> bool {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    name.starts_with("git")
        && name.trim() != env!("CARGO_PKG_NAME")
        && fs::read_link(process.join("cwd")).is_ok_and(|it| it.starts_with(top))
}
