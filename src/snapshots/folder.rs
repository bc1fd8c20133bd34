//! A folder as a database of one state.
//!
//! Every name is opened in the folder that was opened before it and through no link, so that
//! nothing outside is read whatever is swapped in meanwhile. Links are kept as links.

use std::{
    fs::File as Disk,
    io::{self, Read},
    os::fd::{AsFd, OwnedFd},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, readlinkat, statat};

use super::{CONTENT_BYTES_MAX, File, Source, State, invalid};
use crate::error::{Error, Result};

/// What its one state is called.
const STATE: &str = "folder";
const GIT: &[u8] = b".git";
const DEPTH_MAX: usize = 512;

pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    if !path.is_absolute() {
        let message = format!("`{}` is not absolute", path.display());
        return Err(Error::bad_request(message).with("field", "folder"));
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| Error::from_io(path.display(), &error.into()))?;
    Ok(Box::new(Folder { path: path.to_owned(), folder }))
}

struct Folder {
    path: PathBuf,
    folder: OwnedFd,
}

impl Source for Folder {
    /// The state is as old as the last change of a file in it, so that a copy is the same.
    fn states(&mut self) -> Result<Vec<State>> {
        let mut newest = 0;
        walk(&self.folder, &mut Vec::new(), &mut |_, found| {
            newest = newest.max(found.modified);
            Ok(())
        })
        .map_err(|error| self.about(error))?;
        Ok(vec![State {
            id: STATE.to_owned(),
            parent: None,
            label: Vec::new(),
            author: None,
            email: None,
            time: newest,
            offset: 0,
        }])
    }

    fn files(&mut self, _: &State, each: &mut dyn FnMut(File) -> Result<()>) -> Result<()> {
        walk(&self.folder, &mut Vec::new(), &mut |path, found| {
            let (content, mode) = found.read(path)?;
            each(File { path: path.to_vec(), content, mode: Some(mode) })
        })
        .map_err(|error| self.about(error))
    }
}

impl Folder {
    fn about(&self, error: Error) -> Error {
        error.while_doing(self.path.display())
    }
}

/// A file or a link in a folder.
struct Found<'a> {
    folder: &'a OwnedFd,
    name: &'a [u8],
    is_link: bool,
    bytes: u64,
    modified: i64,
}

impl Found<'_> {
    fn read(&self, path: &[u8]) -> Result<(Vec<u8>, u32)> {
        if self.is_link {
            let target = readlinkat(self.folder, self.name, Vec::new());
            let target = target.map_err(|error| failed(path, &error.into()))?;
            return Ok((target.into_bytes(), 0o120_000));
        }
        if CONTENT_BYTES_MAX as u64 <= self.bytes {
            return Err(too_large(path, self.bytes));
        }
        // Opening must not wait for the other end of a pipe that is there by now.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(self.folder, self.name, flags, Mode::empty());
        let file = Disk::from(file.map_err(|error| failed(path, &error.into()))?);
        let before = file.metadata().map_err(|error| failed(path, &error))?;
        if !before.is_file() {
            return Err(changed(path));
        }
        let mut content = Vec::new();
        let read = (&file).take(CONTENT_BYTES_MAX as u64 + 1).read_to_end(&mut content);
        read.map_err(|error| failed(path, &error))?;
        if CONTENT_BYTES_MAX < content.len() {
            return Err(too_large(path, content.len() as u64));
        }
        let after = file.metadata().map_err(|error| failed(path, &error))?;
        let stamp = |it: &std::fs::Metadata| (it.len(), it.mtime(), it.mtime_nsec());
        if stamp(&before) != stamp(&after) {
            return Err(changed(path));
        }
        let is_executable = before.permissions().mode() & 0o100 != 0;
        Ok((content, if is_executable { 0o100_755 } else { 0o100_644 }))
    }
}

/// Shows each file and link below a folder, in the order of names; `.git` is left out.
fn walk(
    folder: &OwnedFd,
    above: &mut Vec<u8>,
    each: &mut dyn FnMut(&[u8], &Found) -> Result<()>,
) -> Result<()> {
    if DEPTH_MAX < above.iter().filter(|it| **it == b'/').count() {
        return Err(invalid(STATE, "its folders lie too deep"));
    }
    for name in names(folder).map_err(|error| failed(above, &error))? {
        let length = above.len();
        above.extend_from_slice(&name);
        let found = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW);
        let found = found.map_err(|error| failed(above, &error.into()))?;
        let kind = FileType::from_raw_mode(found.st_mode);
        match kind {
            FileType::Directory => {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let below = openat(folder, &name, flags, Mode::empty());
                let below = below.map_err(|error| failed(above, &error.into()))?;
                above.push(b'/');
                walk(&below, above, each)?;
            }
            FileType::RegularFile | FileType::Symlink => {
                let is_link = kind == FileType::Symlink;
                let (bytes, modified) = (found.st_size as u64, found.st_mtime as i64);
                each(above, &Found { folder, name: &name, is_link, bytes, modified })?;
            }
            _ => {
                let path = String::from_utf8_lossy(above).into_owned();
                let error = invalid(STATE, format!("`{path}` is neither a file nor a link"));
                return Err(error.with("path", path));
            }
        }
        above.truncate(length);
    }
    Ok(())
}

fn names(folder: &OwnedFd) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder.as_fd())? {
        let name = entry?.file_name().to_bytes().to_vec();
        if ![&b"."[..], b"..", GIT].contains(&&*name) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn failed(path: &[u8], error: &io::Error) -> Error {
    let path = String::from_utf8_lossy(path).into_owned();
    Error::from_io(&path, error).with("state", STATE).with("path", path)
}

fn changed(path: &[u8]) -> Error {
    let path = String::from_utf8_lossy(path).into_owned();
    Error::conflict(format!("{path} changed while it was read")).with("path", path)
}

fn too_large(path: &[u8], bytes: u64) -> Error {
    let path = String::from_utf8_lossy(path).into_owned();
    Error::too_large(format!("{path} has {bytes} bytes"))
        .with("state", STATE)
        .with("path", path)
        .with("bytes", bytes)
        .with("limit", CONTENT_BYTES_MAX as u64)
}
