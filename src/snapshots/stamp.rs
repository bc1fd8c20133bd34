//! Whether a file is still what it was when it was opened.

use std::{
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::error::{Error, Result};

#[derive(Debug)]
pub struct Stamp {
    path: PathBuf,
    seen: Seen,
}

/// Device, inode, length, and the last change in seconds and nanoseconds.
type Seen = (u64, u64, u64, i64, i64);

impl Stamp {
    pub fn new(path: &Path, field: &str) -> Result<Stamp> {
        if !path.is_absolute() {
            let message = format!("`{}` is not absolute", path.display());
            return Err(Error::bad_request(message).with("field", field));
        }
        let metadata = read(path)?;
        // Whoever opens a pipe waits for its other end.
        if !metadata.is_file() {
            return Err(Error::invalid(format!("{} is no file", path.display())));
        }
        Ok(Stamp { path: path.to_owned(), seen: seen(&metadata) })
    }

    pub fn check(&self) -> Result<()> {
        match seen(&read(&self.path)?) == self.seen {
            true => Ok(()),
            false => {
                let message = format!("{} changed while it was read", self.path.display());
                Err(Error::conflict(message))
            }
        }
    }
}

fn read(path: &Path) -> Result<Metadata> {
    fs::metadata(path).map_err(|error| Error::from_io(path.display(), &error))
}

fn seen(it: &Metadata) -> Seen {
    (it.dev(), it.ino(), it.len(), it.mtime(), it.mtime_nsec())
}
