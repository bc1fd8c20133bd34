//! A revision as a folder of files, for the time of one program: no repository, and in none.

use std::{
    ffi::OsStr,
    fs::{self, OpenOptions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{OpenOptionsExt, symlink},
    },
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use super::{Archive, Export, Format, Meter, blob::Blob};
use crate::{
    error::{Error, Result},
    git::{Repository, remote, removal::remove_any},
    watch::Watch,
};

/// A folder that is gone when this is; what a dead daemon left is removed by the next.
pub struct Scratch(Option<TempDir>);

impl Scratch {
    pub fn new() -> Result<Scratch> {
        remote::scratch().map(|it| Scratch(Some(it)))
    }

    pub fn path(&self) -> &Path {
        self.0.as_ref().map_or(Path::new("/"), TempDir::path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let Some(folder) = self.0.take() else { return };
        let folder = folder.keep();
        // A program may have put something else there.
        if let Err(error) = remove_any(&folder) {
            log::warn!("{} stays: {error}", folder.display());
        }
    }
}

impl Repository {
    /// Puts the files of a commit into an empty folder, as they are in Git: neither attributes nor
    /// filters change them, and submodules are empty folders.
    pub fn unpack(&self, rev: &str, folder: &Path, watch: &Watch) -> Result<()> {
        let commit = self.resolve_commit(rev)?;
        let everything = Export { format: Format::TarGz, prefix: None, paths: None };
        let unpacked = Unpacked(folder.to_owned());
        self.archive(&commit, &everything, unpacked, &Meter::new(watch))
    }
}

/// Nothing that is there is written over, so that no link is followed.
struct Unpacked(PathBuf);

impl Unpacked {
    fn place(&self, name: &[u8]) -> PathBuf {
        self.0.join(OsStr::from_bytes(name))
    }

    fn failed(name: &[u8], error: &io::Error) -> Error {
        let ours = error.get_ref().and_then(|it| it.downcast_ref::<Error>());
        let made = || Error::from_io(format!("making {}", String::from_utf8_lossy(name)), error);
        ours.cloned().unwrap_or_else(made)
    }
}

impl Archive for Unpacked {
    fn folder(&mut self, name: &[u8]) -> Result<()> {
        fs::create_dir(self.place(name)).map_err(|error| Unpacked::failed(name, &error))
    }

    fn file(&mut self, name: &[u8], is_executable: bool, mut content: Blob) -> Result<()> {
        let mode = if is_executable { 0o755 } else { 0o644 };
        let file =
            OpenOptions::new().write(true).create_new(true).mode(mode).open(self.place(name));
        file.and_then(|mut it| io::copy(&mut content, &mut it))
            .map(drop)
            .map_err(|error| Unpacked::failed(name, &error))
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<()> {
        symlink(OsStr::from_bytes(target), self.place(name))
            .map_err(|error| Unpacked::failed(name, &error))
    }

    fn end(self) -> Result<()> {
        Ok(())
    }
}
