//! Folders and files on disk, reached through no `..` and no symbolic link.
//!
//! The kernel resolves every name beneath the folder's own descriptor, so that a link swapped in
//! between a look and a read leads nowhere.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    path::{Path, PathBuf},
};

use rustix::{
    fs::{Dir, FileType, Mode, OFlags, ResolveFlags},
    io::Errno,
};

use super::{
    FileName, Text, fit,
    tree::{Entry, Kind, Listing, Range},
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// Has what a file or folder is by now on disk; of a folder the names in it.
pub fn flush(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// The files below a folder whose name is wanted.
pub fn files_below(folder: &Path, is_wanted: &impl Fn(&str) -> bool) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => files.extend(files_below(&entry.path(), is_wanted)),
            Ok(_) if entry.file_name().to_str().is_some_and(is_wanted) => files.push(entry.path()),
            _ => (),
        }
    }
    files
}

/// All files below a folder, or why not all of them can be told.
pub fn all_files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => files.extend(all_files_below(&entry.path())?),
            false => files.push(entry.path()),
        }
    }
    Ok(files)
}

/// Removes a folder in which there is nothing but folders.
pub fn remove_empty(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        remove_empty(&entry?.path())?;
    }
    fs::remove_dir(folder)
}

pub struct Folder {
    descriptor: OwnedFd,
    is_bare_repository: bool,
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Folder {
    /// Opens an existing folder. Links in `path` itself are followed; the caller named them.
    pub fn open(path: &Path) -> Result<Folder> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let descriptor = rustix::fs::open(path, flags, Mode::empty())
            .map_err(|error| Error::from_io(path.display(), &error.into()))?;
        Ok(Folder::from(descriptor))
    }

    /// Opens a folder below another one, through no link.
    pub fn open_beneath(root: &Path, below: &Path) -> Result<Folder> {
        let root = Folder::open(root)?;
        if below.as_os_str().is_empty() {
            return Ok(root);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        Ok(Folder::from(open_beneath(&root.descriptor, below, flags)?))
    }

    fn from(descriptor: OwnedFd) -> Folder {
        let has = |name: &str| rustix::fs::statat(&descriptor, name, rustix::fs::AtFlags::empty());
        let is_bare_repository =
            has("HEAD").is_ok() && has("objects").is_ok() && has("refs").is_ok();
        Folder { descriptor, is_bare_repository }
    }

    /// Whether this is what a bare repository looks like, so that its files are not for reading.
    pub fn is_bare_repository(&self) -> bool {
        self.is_bare_repository
    }

    /// The bytes of a file, or a range of them.
    pub fn read(&self, name: &FileName, range: Range, limit: u64) -> Result<Vec<u8>> {
        let mut file = self.open_file(name)?;
        let failed = |error: &io::Error| Error::from_io(name.as_path().display(), error);
        let size = file.metadata().map_err(|error| failed(&error))?.len();
        let range = range.within(size);
        let length = range.end - range.start;
        if limit < length {
            return Err(Error::too_large("the file is too long for one reply; read it in ranges")
                .with("bytes", length)
                .with("limit", limit));
        }
        let mut content = Vec::with_capacity(length as usize);
        if 0 < range.start {
            file.seek(SeekFrom::Start(range.start)).map_err(|error| failed(&error))?;
        }
        file.take(length).read_to_end(&mut content).map_err(|error| failed(&error))?;
        Ok(content)
    }

    fn open_file(&self, name: &FileName) -> Result<File> {
        // Opening must not wait for the other end of a named pipe.
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let file = File::from(open_beneath(&self.descriptor, name.as_path(), flags)?);
        let shown = name.as_path().display();
        let metadata = file.metadata().map_err(|error| Error::from_io(&shown, &error))?;
        if metadata.is_dir() {
            return Err(Error::bad_request(format!("{shown} is a folder")));
        }
        if !metadata.is_file() {
            return Err(Error::denied(format!("{shown} is no regular file")).with("rule", "type"));
        }
        Ok(file)
    }

    /// Removes a file, and the folders that are empty without it. What is not there, or behind a
    /// link, is not removed.
    pub fn remove(&self, name: &Path) {
        let mut flags = rustix::fs::AtFlags::empty();
        let mut name = Some(name);
        while let Some(here) = name.filter(|it| !it.as_os_str().is_empty()) {
            let parent = here.parent().filter(|it| !it.as_os_str().is_empty());
            let flags_of_parent = OFlags::PATH | OFlags::DIRECTORY;
            let opened = match parent {
                Some(parent) => open_beneath(&self.descriptor, parent, flags_of_parent).ok(),
                None => self.descriptor.try_clone().ok(),
            };
            let (Some(opened), Some(last)) = (opened, here.file_name()) else { return };
            if rustix::fs::unlinkat(&opened, last, flags).is_err() {
                return;
            }
            flags = rustix::fs::AtFlags::REMOVEDIR;
            name = parent;
        }
    }

    /// The files in a folder, sorted by the bytes of their names.
    pub fn list(
        &self,
        below: Option<&FileName>,
        listing: &Listing,
        watch: &Watch,
    ) -> Result<Vec<Entry>> {
        let folder = match below {
            Some(name) => {
                open_beneath(&self.descriptor, name.as_path(), OFlags::RDONLY | OFlags::DIRECTORY)?
            }
            None => {
                self.descriptor.try_clone().map_err(|error| Error::from_io("folder", &error))?
            }
        };
        let mut entries = Vec::new();
        collect(&folder, &mut Vec::new(), listing, watch, &mut entries)?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }
}

/// Adds what matches in an open folder, whose name relative to the first one is `prefix`.
fn collect(
    folder: &OwnedFd,
    prefix: &mut Vec<u8>,
    listing: &Listing,
    watch: &Watch,
    entries: &mut Vec<Entry>,
) -> Result<()> {
    fit::expect_depth_of_folder(prefix)?;
    let shown = String::from_utf8_lossy(prefix).into_owned();
    let failed = |error: Errno| Error::from_io(format!("listing {shown:?}"), &error.into());
    // A descriptor of its own: one that is shared has one position for all who list it.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let own = rustix::fs::openat(folder, ".", flags, Mode::empty()).map_err(failed)?;
    for found in Dir::new(own).map_err(failed)? {
        watch.check()?;
        let found = found.map_err(failed)?;
        let name = found.file_name();
        if name.to_bytes().starts_with(b".") {
            continue;
        }
        let length = prefix.len();
        if 0 < length {
            prefix.push(b'/');
        }
        prefix.extend_from_slice(name.to_bytes());
        let kind = kind(folder, name, found.file_type());
        if let Some(kind) = kind
            && listing.wants(kind, prefix)
        {
            let mut entry = Entry { name: Text(prefix.clone()), kind, size: 0, mode: 0, sha: None };
            if listing.details {
                describe(folder, name, &mut entry);
            }
            entries.push(entry);
        }
        if listing.recursive && kind == Some(Kind::Folder) {
            let flags = flags | OFlags::NOFOLLOW;
            // A folder that vanished or may not be read has nothing to list.
            if let Ok(below) = rustix::fs::openat(folder, name, flags, Mode::empty()) {
                collect(&below, prefix, listing, watch, entries)?;
            }
        }
        prefix.truncate(length);
    }
    Ok(())
}

fn kind(folder: &OwnedFd, name: &std::ffi::CStr, file_type: FileType) -> Option<Kind> {
    let file_type = match file_type {
        FileType::Unknown => {
            let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
            let stat = rustix::fs::statat(folder, name, flags).ok()?;
            FileType::from_raw_mode(stat.st_mode)
        }
        known => known,
    };
    match file_type {
        FileType::RegularFile => Some(Kind::File),
        FileType::Directory => Some(Kind::Folder),
        FileType::Symlink => Some(Kind::Link),
        _ => None,
    }
}

fn describe(folder: &OwnedFd, name: &std::ffi::CStr, entry: &mut Entry) {
    let flags = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
    let Ok(stat) = rustix::fs::statat(folder, name, flags) else { return };
    let is_executable = stat.st_mode & 0o100 != 0;
    (entry.mode, entry.size) = match entry.kind {
        Kind::File if is_executable => (0o100_755, stat.st_size as u64),
        Kind::File => (0o100_644, stat.st_size as u64),
        Kind::Link => (0o120_000, stat.st_size as u64),
        Kind::Folder => (0o040_000, 0),
        Kind::Submodule => (0o160_000, 0),
    };
}

fn open_beneath(folder: impl AsFd, name: &Path, flags: OFlags) -> Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    let flags = flags | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let opened = match rustix::fs::openat2(&folder, name, flags, Mode::empty(), resolve) {
        // Without it, or to tell a link from a file where a folder is wanted.
        Err(Errno::NOSYS | Errno::PERM | Errno::NOTDIR) => open_by_parts(folder, name, flags),
        opened => opened,
    };
    opened.map_err(|error| match error {
        Errno::LOOP | Errno::XDEV => {
            let message = format!("{} leads through a symbolic link", name.display());
            Error::denied(message).with("rule", "symbolic link")
        }
        // With a folder wanted, a link and a file are both no folder.
        Errno::NOTDIR => Error::not_found(format!("{} leads through no folder", name.display())),
        error => Error::from_io(name.display(), &io::Error::from(error)),
    })
}

/// The same on kernels and in sandboxes without `openat2`: one part at a time, following no link.
fn open_by_parts(folder: impl AsFd, name: &Path, flags: OFlags) -> Result<OwnedFd, Errno> {
    let mut parts: Vec<_> = name.components().collect();
    let last = parts.pop().ok_or(Errno::NOENT)?;
    let through = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut here = folder.as_fd().try_clone_to_owned().map_err(|_| Errno::MFILE)?;
    for part in parts {
        let next = rustix::fs::openat(&here, part.as_os_str(), through, Mode::empty());
        here = match next {
            Err(Errno::NOTDIR) if is_link(&here, part.as_os_str()) => return Err(Errno::LOOP),
            next => next?,
        };
    }
    match rustix::fs::openat(&here, last.as_os_str(), flags, Mode::empty()) {
        Err(Errno::NOTDIR) if is_link(&here, last.as_os_str()) => Err(Errno::LOOP),
        opened => opened,
    }
}

fn is_link(folder: &OwnedFd, name: &std::ffi::OsStr) -> bool {
    let stat = rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    stat.is_ok_and(|it| FileType::from_raw_mode(it.st_mode) == FileType::Symlink)
}
