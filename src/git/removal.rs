//! Removing a folder with all that is in it, however deep it is.
//!
//! Programs make folders deeper than a thread's stack is, or than descriptors can be open. What is
//! too deep is moved up, so that nothing here grows with the depth.

use std::{
    ffi::CStr,
    fs::{Permissions, set_permissions},
    io,
    os::{
        fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
        unix::fs::PermissionsExt,
    },
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags, openat, renameat, unlinkat},
    io::Errno,
};

/// Whoever makes folders faster than they go is left with them after so many turns.
const TURNS_MAX: usize = 1_000_000;

/// Removes whatever has taken this name: a folder with what is in it; or a file or link, and never
/// what that leads to. What is not there is well.
pub fn remove_any(path: &Path) -> io::Result<()> {
    match unlinkat(CWD, path, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => remove_tree(path),
        Err(error) => Err(error.into()),
    }
}

/// Removes a folder and what is in it. No link is followed, and folders that say that nothing may
/// be removed from them are told otherwise.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let top = open(CWD, path)?;
    let mut names = 0..u64::MAX;
    for _ in 0..TURNS_MAX {
        let mut folders = Vec::new();
        let is_empty = empty(top.as_fd(), |name| {
            folders.push(name.to_owned());
            Ok(())
        })?;
        if is_empty {
            break;
        }
        for folder in folders {
            let opened = open(top.as_fd(), folder.as_c_str())?;
            empty(opened.as_fd(), |name| {
                // What may not be written may not be moved.
                open(opened.as_fd(), name)?;
                move_up(&opened, name, &top, &mut names)
            })?;
            // What has come meanwhile is found by the next turn.
            match unlinkat(&top, &folder, AtFlags::REMOVEDIR) {
                Err(Errno::NOTEMPTY) | Ok(()) => (),
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Opens a folder, and lets it be written.
fn open<P: rustix::path::Arg>(at: BorrowedFd<'_>, name: P) -> io::Result<OwnedFd> {
    let itself = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(at, name, OFlags::PATH | itself, Mode::empty())?;
    let inside = format!("/proc/self/fd/{}", folder.as_raw_fd());
    set_permissions(&inside, Permissions::from_mode(0o700))?;
    Ok(openat(folder, c".", OFlags::RDONLY | itself, Mode::empty())?)
}

/// Removes the files of a folder, and calls for each folder in it; tells if there was nothing.
fn empty(
    folder: BorrowedFd<'_>,
    mut each: impl FnMut(&CStr) -> io::Result<()>,
) -> io::Result<bool> {
    let mut is_empty = true;
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        is_empty = false;
        match unlinkat(folder, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => (),
            // The second is what other systems than Linux say of a folder.
            Err(Errno::ISDIR | Errno::PERM) => each(name)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(is_empty)
}

/// Gives a folder the next name that is free in another.
fn move_up(
    from: &OwnedFd,
    name: &CStr,
    to: &OwnedFd,
    names: &mut impl Iterator<Item = u64>,
) -> io::Result<()> {
    for number in names {
        match renameat(from, name, to, number.to_string()) {
            // A folder takes the place of one that is empty, which is well.
            Err(Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST) => (),
            moved => return Ok(moved?),
        }
    }
    Err(Errno::EXIST.into())
}

#[cfg(test)]
mod tests;
