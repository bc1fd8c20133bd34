//! What lies in a Git folder: files and folders, and links to them that lead nowhere else.
//!
//! libgit2 and stock git open what they read and wait for it: a pipe that nobody writes would hold
//! them for ever. So it is looked at first: all of it where a repository is opened, and a single
//! file again before libgit2 is asked for it.

use std::{
    collections::HashSet,
    ffi::OsStr,
    fs::{self, File, FileType, OpenOptions},
    io::{self, Read},
    os::unix::{
        ffi::OsStrExt,
        fs::{FileTypeExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::OFlags;

use super::{
    Repository,
    refs::{LOGS, PACKED, REFS, REMOTES, meanings},
    repository::head_target,
    root::outside,
};
use crate::error::{Error, Result};

/// Where nothing is read or run.
const HOOKS: &str = "hooks";
/// What is looked through as a whole; of other folders the packs make the rest.
const WHOLE: [&str; 5] = ["info", LOGS, "objects/info", "objects/pack", REFS];

/// Fails where something in a Git folder is no file, and with a root where a link leads outside.
pub fn expect_plain(git_folder: &Path, root: Option<&Path>) -> Result<()> {
    let mut look = Look { git_folder, root, seen: HashSet::new() };
    look.through(git_folder, false)?;
    look.through(&git_folder.join("objects"), false)?;
    WHOLE.iter().try_for_each(|it| look.through(&git_folder.join(it), true))
}

/// The same before libgit2 opens what is at a path: a repository, the folder of a worktree, or
/// neither.
pub fn expect_plain_at(path: &Path, root: Option<&Path>) -> Result<()> {
    let named = |file: &Path, key: &[u8]| {
        let content = read(file).ok()?;
        Some(OsStr::from_bytes(content.strip_prefix(key)?.trim_ascii()).to_owned())
    };
    let top = path.join(".git");
    let folder = match named(&top, b"gitdir:") {
        Some(named) => path.join(named),
        None if top.is_dir() => top,
        None => path.to_owned(),
    };
    let common = named(&folder.join("commondir"), b"").map(|it| folder.join(it));
    let is_git_folder = |it: &PathBuf| fs::symlink_metadata(it.join("HEAD")).is_ok();
    let folders = common.into_iter().chain([folder]).filter(is_git_folder);
    folders.into_iter().try_for_each(|it| expect_plain(&it, root))
}

struct Look<'a> {
    git_folder: &'a Path,
    root: Option<&'a Path>,
    /// The folders that links led to.
    seen: HashSet<PathBuf>,
}

impl Look<'_> {
    fn through(&mut self, folder: &Path, is_deep: bool) -> Result<()> {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = match entry.file_type() {
                Ok(kind) if kind.is_symlink() => self.behind(&path)?,
                kind => kind.ok(),
            };
            match kind {
                Some(kind) if kind.is_dir() && is_deep => self.through(&path, true)?,
                Some(kind) => expect_file(kind, self.git_folder, &path)?,
                None => (),
            }
        }
        Ok(())
    }

    /// What a link leads to, unless it was there already.
    fn behind(&mut self, link: &Path) -> Result<Option<FileType>> {
        let resolved = fs::canonicalize(link).ok();
        if let Some(root) = self.root
            && link != self.git_folder.join(HOOKS)
            // One that leads nowhere yet may lead out by the time it is used.
            && !resolved.as_ref().is_some_and(|it| it.starts_with(root))
        {
            return Err(outside(link));
        }
        let Some(resolved) = resolved else { return Ok(None) };
        let kind = fs::metadata(&resolved).ok().map(|it| it.file_type());
        Ok(kind.filter(|it| !it.is_dir() || self.seen.insert(resolved)))
    }
}

/// Fails for what opening might wait for. Sockets are those of stock git's daemons.
fn expect_file(kind: FileType, git_folder: &Path, path: &Path) -> Result<()> {
    match kind.is_fifo() || kind.is_char_device() || kind.is_block_device() {
        false => Ok(()),
        true => {
            let name = path.strip_prefix(git_folder).unwrap_or(path).display();
            Err(Error::corrupt(format!("`{name}` in the Git folder is no file")))
        }
    }
}

impl Repository {
    /// Fails where libgit2 would wait for a ref: one with this whole name, or `HEAD`.
    pub(super) fn expect_plain_ref(&self, name: &str) -> Result<()> {
        self.expect_plain_file(name)?;
        self.expect_plain_file(PACKED)
    }

    /// The same for `HEAD` and what it stands for.
    pub(super) fn expect_plain_head(&self) -> Result<()> {
        self.expect_plain_ref("HEAD")?;
        let target = head_target(&self.git_folder().join("HEAD"));
        let target = target.and_then(|it| String::from_utf8(it).ok());
        target.map_or(Ok(()), |it| self.expect_plain_file(&it))
    }

    /// The same for all that a revision may begin with.
    pub(super) fn expect_plain_rev(&self, rev: &str) -> Result<()> {
        let word = rev.split(['^', '~', ':', '@']).next().unwrap_or_default();
        let others = [format!("{REFS}{word}"), format!("{REMOTES}{word}/HEAD"), PACKED.to_owned()];
        let names = meanings(word).into_iter().chain(others);
        names.into_iter().try_for_each(|it| self.expect_plain_file(&it))
    }

    fn expect_plain_file(&self, name: &str) -> Result<()> {
        if name.starts_with('/') || name.contains("..") {
            // No name of a ref: libgit2 does not look for it.
            return Ok(());
        }
        let is_own = !name.starts_with(REFS) && name != PACKED;
        let folder = if is_own { self.git_folder() } else { self.common_folder() };
        let path = folder.join(name);
        // What is not there, or has no name that a file could have, nobody waits for.
        let kind = fs::metadata(&path).ok().map(|it| it.file_type());
        kind.map_or(Ok(()), |it| expect_file(it, folder, &path))
    }
}

/// Opens a file to read it. What is none is told at once, and not waited for.
pub fn open(path: &Path) -> io::Result<File> {
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let kind = file.metadata()?.file_type();
    match kind.is_file() {
        true => Ok(file),
        false if kind.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        false => Err(io::Error::new(io::ErrorKind::InvalidData, "it is no file")),
    }
}

/// The content of a file, opened so.
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    open(path)?.read_to_end(&mut content)?;
    Ok(content)
}

/// Makes a file where there may be something that nobody needs: it is never written through.
pub fn create_anew(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => File::create_new(path),
    }
}
