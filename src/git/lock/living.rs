//! Which files are in use by processes that live, as far as this machine tells.

use std::{
    collections::HashSet,
    fs, io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::{Duration, SystemTime},
};

/// What the living have to do with one repository.
pub(super) struct Living {
    opened: HashSet<PathBuf>,
    /// A git is at work there: it closes its locks while it waits for an editor.
    is_git_inside: bool,
}

impl Living {
    pub fn look(git_folder: &Path) -> Living {
        let mut living = Living { opened: HashSet::new(), is_git_inside: false };
        let Ok(processes) = fs::read_dir("/proc") else {
            // Nothing can be seen: anybody may be there.
            return Living { is_git_inside: true, ..living };
        };
        let tops = tops(git_folder);
        for process in processes.flatten().map(|it| it.path()) {
            let opened = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
            living.opened.extend(opened.filter_map(|it| fs::read_link(it.path()).ok()));
            living.is_git_inside |= is_git_inside(&process, &tops);
        }
        living
    }

    pub fn uses(&self, file: &Path) -> bool {
        let folder = file.parent().and_then(|it| fs::canonicalize(it).ok());
        let place = folder.zip(file.file_name()).map(|(folder, name)| folder.join(name));
        self.is_git_inside || self.opened.contains(place.as_deref().unwrap_or(file))
    }
}

/// The folders in which a git that works on this repository would be.
fn tops(git_folder: &Path) -> Vec<PathBuf> {
    let git_folder = fs::canonicalize(git_folder).unwrap_or_else(|_| git_folder.to_owned());
    let git = git_folder.ancestors().find(|it| it.file_name().is_some_and(|name| name == ".git"));
    let mut tops = vec![git.and_then(Path::parent).unwrap_or(&git_folder).to_owned()];
    let linked = fs::read_dir(git_folder.join("worktrees")).into_iter().flatten().flatten();
    for folder in linked.map(|it| it.path()).chain([git_folder]) {
        // The file names the `.git` of a linked worktree.
        let named = fs::read_to_string(folder.join("gitdir")).unwrap_or_default();
        let top = Path::new(named.trim_end()).parent().and_then(|it| fs::canonicalize(it).ok());
        tops.extend(top);
    }
    tops
}

fn is_git_inside(process: &Path, tops: &[PathBuf]) -> bool {
    let name = fs::read_to_string(process.join("comm")).unwrap_or_default();
    name.starts_with("git")
        && name.trim() != env!("CARGO_PKG_NAME")
        && match fs::read_link(process.join("cwd")) {
            Ok(folder) => tops.iter().any(|top| folder.starts_with(top)),
            // Its time is over.
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            // Of somebody else, who hides where it is.
            Err(_) => tops.iter().any(|top| could_write(process, top)),
        }
}

/// Whether a process might write a folder, as far as its owner tells.
fn could_write(process: &Path, folder: &Path) -> bool {
    let (Ok(process), Ok(folder)) = (fs::metadata(process), fs::metadata(folder)) else {
        return false;
    };
    let is_shared = folder.permissions().mode() & 0o022 != 0;
    process.uid() == 0 || process.uid() == folder.uid() || is_shared
}

/// When the machine started, as far as it tells.
pub(super) fn started() -> Option<SystemTime> {
    static STARTED: OnceLock<Option<SystemTime>> = OnceLock::new();
    *STARTED.get_or_init(|| {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let seconds = text.lines().find_map(|it| it.strip_prefix("btime "))?.trim();
        Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.parse().ok()?))
    })
}

/// A file as it was when it was looked at.
#[derive(PartialEq)]
pub(super) struct Seen {
    pub path: PathBuf,
    pub modified: SystemTime,
    inode: u64,
}

impl Seen {
    pub fn at(path: &Path) -> Option<Seen> {
        let metadata = fs::symlink_metadata(path).ok()?;
        let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        Some(Seen { path: path.to_owned(), modified, inode: metadata.ino() })
    }

    /// Removes it, unless somebody put another one there meanwhile.
    pub fn remove(&self) -> bool {
        self.is_there() && fs::remove_file(&self.path).is_ok()
    }

    /// Whether it is still this one.
    pub fn is_there(&self) -> bool {
        Seen::at(&self.path).is_some_and(|it| it == *self)
    }
}

#[cfg(test)]
mod tests;
