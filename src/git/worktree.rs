//! The files of a worktree: whether they are as the index says, and putting others in their place.
//!
//! Every folder is reached through no symbolic link, whoever swaps one in and whenever.

use std::{
    ffi::OsStr,
    fs,
    io::Read,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path},
};

use git2::{IndexEntry, IndexTime};
use rustix::{
    fs::{
        AtFlags, FileType, Gid, Mode, OFlags, Stat, chownat, fstat, mkdirat, open, openat,
        readlinkat, renameat, statat, symlinkat, unlinkat,
    },
    io::Errno,
};

use super::{
    removal::remove_tree,
    tree::{EXECUTABLE, Kind, LINK, PLAIN},
};
use crate::error::{Error, Result};

pub(super) struct Worktree {
    top: OwnedFd,
    /// The folder that was asked for last: neighbours follow each other.
    last: Option<(Vec<u8>, OwnedFd)>,
}

impl Worktree {
    pub fn open(path: &Path) -> Result<Worktree> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let top = open(path, flags, Mode::empty())
            .map_err(|error| Error::from_io(path.display(), &error.into()))?;
        Ok(Worktree { top, last: None })
    }

    /// Whether a file has the times, size and mode that the index has of it. One that is not older
    /// than the index, which was `written` then, may have been changed unseen, and is read.
    pub fn is_unchanged(&mut self, entry: &IndexEntry, written: (i64, i64)) -> bool {
        let (parent, name) = split(&entry.path);
        let Ok(folder) = self.folder(parent, false) else { return false };
        let Ok(stat) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else { return false };
        let kind = FileType::from_raw_mode(stat.st_mode);
        let is_executable = |mode: u32| mode & 0o100 != 0;
        match FileType::from_raw_mode(entry.mode) {
            FileType::RegularFile => {
                let is_same_mode = is_executable(stat.st_mode) == is_executable(entry.mode);
                if kind != FileType::RegularFile || !is_same_mode {
                    return false;
                }
            }
            FileType::Symlink if kind == FileType::Symlink => (),
            // A submodule has a folder; what is in there is its own.
            _ => return kind == FileType::Directory && is_submodule(entry),
        }
        let modified = (stat.st_mtime, stat.st_mtime_nsec as i64);
        let known = (i64::from(entry.mtime.seconds()), i64::from(entry.mtime.nanoseconds()));
        let is_as_known = stat.st_size as u32 == entry.file_size
            && stat.st_ino as u32 == entry.ino
            && modified == known;
        // Whoever sets the time of a change back cannot set back when that was.
        let is_untouched = modified < written
            && (i64::from(entry.ctime.seconds()), i64::from(entry.ctime.nanoseconds()))
                == (stat.st_ctime, stat.st_ctime_nsec as i64);
        is_as_known && (is_untouched || has_content(folder, name, entry))
    }

    /// Fails where a repository is in the way of a file: it is not ours to remove.
    pub fn expect_no_repository(&mut self, entry: &IndexEntry) -> Result<()> {
        // Through no link, and with a `.git` that is a folder: the file of a submodule is not all
        // there is of it.
        let Ok(folder) = self.folder(&entry.path, false) else { return Ok(()) };
        match statat(folder, ".git", AtFlags::SYMLINK_NOFOLLOW) {
            Ok(it) if FileType::from_raw_mode(it.st_mode).is_dir() && !is_submodule(entry) => {
                let name = String::from_utf8_lossy(&entry.path).into_owned();
                Err(Error::conflict(format!("a repository is where the file {name} belongs"))
                    .with("expected", "a file")
                    .with("actual", "a repository"))
            }
            _ => Ok(()),
        }
    }

    /// Moves a file that was written aside to its place, and notes its times. Whatever is in its
    /// way goes, also a link where a folder belongs: nothing is written behind it.
    pub fn place(&mut self, aside: &OwnedFd, entry: &mut IndexEntry) -> Result<()> {
        let (parent, name) = split(&entry.path);
        let failed = |error: Errno| {
            Error::from_io(String::from_utf8_lossy(&entry.path), &std::io::Error::from(error))
        };
        if is_submodule(entry) {
            return self.folder(&entry.path, true).map(drop).map_err(failed);
        }
        let folder = self.folder(parent, true).map_err(failed)?;
        let from = OsStr::from_bytes(&entry.path);
        let moved = match renameat(aside, from, folder, name) {
            Err(Errno::ISDIR | Errno::NOTEMPTY | Errno::EXIST) => {
                let inside = format!("/proc/self/fd/{}", folder.as_raw_fd());
                // Where it fails, so does the move.
                let _ = remove_tree(&Path::new(&inside).join(name));
                renameat(aside, from, folder, name)
            }
            moved => moved,
        };
        let moved = match moved {
            Err(Errno::XDEV) => copy(aside, from, folder, name),
            moved => moved,
        };
        moved.map_err(failed)?;
        give_group(folder, name).map_err(failed)?;
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
        note(entry, &stat);
        Ok(())
    }

    /// The content of a file or link as it is now, with what an index would keep of it.
    pub fn read(&mut self, path: &[u8]) -> Result<(Vec<u8>, IndexEntry), Errno> {
        let (parent, name) = split(path);
        let folder = self.folder(parent, false)?;
        let mut entry = blank(path);
        let stat = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
            let target = readlinkat(folder, name, Vec::new())?.into_bytes();
            entry.mode = LINK;
            note(&mut entry, &stat);
            return Ok((target, entry));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = fs::File::from(openat(folder, name, flags, Mode::empty())?);
        // Taken before it is read: what changes meanwhile shows.
        let stat = fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Errno::INVAL);
        }
        let mut content = Vec::with_capacity(usize::try_from(stat.st_size).unwrap_or_default());
        let read = file.read_to_end(&mut content);
        read.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
        entry.mode = if stat.st_mode & 0o100 == 0 { PLAIN } else { EXECUTABLE };
        note(&mut entry, &stat);
        Ok((content, entry))
    }

    /// A folder of the worktree, made where it is missing if that is wanted.
    fn folder(&mut self, name: &[u8], makes: bool) -> Result<BorrowedFd<'_>, Errno> {
        if name.is_empty() {
            return Ok(self.top.as_fd());
        }
        if self.last.as_ref().is_none_or(|(last, _)| last != name) {
            let mut here = None;
            for part in Path::new(OsStr::from_bytes(name)).components() {
                let Component::Normal(part) = part else { return Err(Errno::INVAL) };
                let above = here.as_ref().unwrap_or(&self.top);
                here = Some(enter(above, part, makes)?);
            }
            self.last = here.map(|it| (name.to_vec(), it));
        }
        self.last.as_ref().map(|(_, folder)| folder.as_fd()).ok_or(Errno::NOENT)
    }
}

fn enter(above: &OwnedFd, part: &OsStr, makes: bool) -> Result<OwnedFd, Errno> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(above, part, flags, Mode::empty()) {
        Err(Errno::NOENT) if makes => (),
        Err(Errno::NOTDIR | Errno::LOOP) if makes => unlinkat(above, part, AtFlags::empty())?,
        opened => return opened,
    }
    mkdirat(above, part, Mode::from_raw_mode(0o777))?;
    openat(above, part, flags, Mode::empty())
}

/// Moves a file to another file system: beside its place first, so that it appears there whole.
fn copy(aside: &OwnedFd, from: &OsStr, folder: BorrowedFd, name: &OsStr) -> Result<(), Errno> {
    let beside = format!(".gitport-{}", std::process::id());
    // What a dead process of this number left.
    let _ = unlinkat(folder, &beside, AtFlags::empty());
    let stat = statat(aside, from, AtFlags::SYMLINK_NOFOLLOW)?;
    if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink {
        let target = readlinkat(aside, from, Vec::new())?;
        symlinkat(target, folder, &beside)?;
    } else {
        let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let mut source = fs::File::from(openat(aside, from, read, Mode::empty())?);
        let mode = Mode::from_raw_mode(stat.st_mode & 0o777);
        let mut target = fs::File::from(openat(folder, &beside, write, mode)?);
        let copied = std::io::copy(&mut source, &mut target);
        copied.map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::IO))?;
    }
    renameat(folder, &beside, folder, name)
}

/// Gives a file the group that it would have if it had been made in this folder.
fn give_group(folder: BorrowedFd, name: &OsStr) -> Result<(), Errno> {
    const SETGID: u32 = 0o2000;
    let above = fstat(folder)?;
    if above.st_mode & SETGID != 0 {
        let group = Some(Gid::from_raw(above.st_gid));
        // Whoever may not give it away keeps it.
        let _ = chownat(folder, name, None, group, AtFlags::SYMLINK_NOFOLLOW);
    }
    Ok(())
}

fn split(name: &[u8]) -> (&[u8], &OsStr) {
    match name.iter().rposition(|it| *it == b'/') {
        Some(at) => (&name[..at], OsStr::from_bytes(&name[at + 1..])),
        None => (&[], OsStr::from_bytes(name)),
    }
}

pub(super) fn is_submodule(entry: &IndexEntry) -> bool {
    Kind::of(entry.mode) == Kind::Submodule
}

fn has_content(folder: BorrowedFd, name: &OsStr, entry: &IndexEntry) -> bool {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Ok(file) = openat(folder, name, flags, Mode::empty()) else { return false };
    let file = format!("/proc/self/fd/{}", file.as_raw_fd());
    git2::Oid::hash_file(git2::ObjectType::Blob, file).is_ok_and(|it| it == entry.id)
}

/// What an index has of a file of which nothing is known.
fn blank(path: &[u8]) -> IndexEntry {
    let never = || IndexTime::new(0, 0);
    IndexEntry {
        ctime: never(),
        mtime: never(),
        dev: 0,
        ino: 0,
        mode: PLAIN,
        uid: 0,
        gid: 0,
        file_size: 0,
        id: git2::Oid::ZERO_SHA1,
        flags: 0,
        flags_extended: 0,
        path: path.to_vec(),
    }
}

/// What an index keeps of a file, cut to its 32 bits as Git does.
fn note(entry: &mut IndexEntry, stat: &Stat) {
    entry.ctime = IndexTime::new(stat.st_ctime as i32, stat.st_ctime_nsec as u32);
    entry.mtime = IndexTime::new(stat.st_mtime as i32, stat.st_mtime_nsec as u32);
    entry.dev = stat.st_dev as u32;
    entry.ino = stat.st_ino as u32;
    entry.uid = stat.st_uid;
    entry.gid = stat.st_gid;
    entry.file_size = stat.st_size as u32;
}
