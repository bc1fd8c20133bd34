//! Where an export goes: into memory as far as a reply goes, or to a file that appears whole.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, BufWriter, Cursor, ErrorKind, Seek, SeekFrom, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{MetadataExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, OFlags, flock};
use tempfile::TempPath;

use super::Meter;
use crate::{
    error::{Error, Result},
    git::{RepositoryPath, folder::flush, hash::object_id, pack::Kind},
};

const BUFFER_BYTES: usize = 128 * 1024;
/// What a file system takes as a name.
const NAME_BYTES_MAX: usize = 255;
const SUFFIX: &str = ".gitport-export";
const RETRY_AFTER_MS: u64 = 1000;

pub enum Output {
    Memory { bytes_max: u64 },
    File { to: PathBuf, overwrite: bool },
}

impl Output {
    pub fn memory(bytes_max: u64) -> Output {
        Output::Memory { bytes_max }
    }

    /// Fails at once where it would in the end. A link is replaced, not what it leads to.
    pub fn file(to: &RepositoryPath, overwrite: bool) -> Result<Output> {
        if to.is_in_a_git_folder() {
            let message = format!("{} is in a Git folder", to.display());
            return Err(Error::denied(message).with("rule", "git folder"));
        }
        match fs::symlink_metadata(&**to) {
            Ok(found) if found.is_dir() => {
                let message = format!("{} is a folder", to.display());
                Err(Error::bad_request(message).with("field", "to"))
            }
            Ok(found) if !found.is_file() && !found.is_symlink() => {
                let message = format!("{} is no regular file", to.display());
                Err(Error::denied(message).with("rule", "type"))
            }
            Ok(_) if !overwrite => Err(taken(to)),
            Err(error) if error.kind() == ErrorKind::InvalidFilename => {
                Err(Error::from_io("`to`", &error).with("field", "to"))
            }
            _ => Ok(Output::File { to: to.to_path_buf(), overwrite }),
        }
    }

    pub(super) fn open<'a>(self, meter: &'a Meter<'a>) -> Result<Sink<'a>> {
        let target = match self {
            Output::Memory { bytes_max } => {
                Target::Memory { content: Cursor::default(), bytes_max }
            }
            Output::File { to, overwrite } => {
                let (file, aside) = open_aside(&to)?;
                let file = BufWriter::with_capacity(BUFFER_BYTES, file);
                Target::File(FileTarget { file, aside, to, overwrite })
            }
        };
        Ok(Sink { target, meter })
    }
}

/// What is written goes here, as long as somebody waits for it.
pub struct Sink<'a> {
    target: Target,
    meter: &'a Meter<'a>,
}

enum Target {
    Memory { content: Cursor<Vec<u8>>, bytes_max: u64 },
    File(FileTarget),
}

/// A file beside the one it is to be. It goes when the value goes.
struct FileTarget {
    file: BufWriter<File>,
    aside: TempPath,
    to: PathBuf,
    overwrite: bool,
}

impl Sink<'_> {
    /// How many bytes there are, and what is in memory of them.
    pub fn finish(self) -> Result<(u64, Vec<u8>)> {
        self.meter.watch.check()?;
        match self.target {
            Target::Memory { content, .. } => {
                let content = content.into_inner();
                Ok((content.len() as u64, content))
            }
            Target::File(target) => Ok((target.finish()?, Vec::new())),
        }
    }
}

impl FileTarget {
    fn finish(self) -> Result<u64> {
        let FileTarget { file, aside, to, overwrite } = self;
        let failed = |error: io::Error| Error::from_io(to.display(), &error);
        let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let moved = match overwrite {
            true => aside.persist(&to),
            false => aside.persist_noclobber(&to),
        };
        moved.map_err(|error| match error.error.kind() {
            ErrorKind::AlreadyExists => taken(&to),
            _ => failed(error.error),
        })?;
        flush(folder_of(&to)).map_err(failed)?;
        Ok(bytes)
    }
}

impl Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.meter.watch.check().map_err(io::Error::other)?;
        let count = match &mut self.target {
            Target::Memory { content, bytes_max } => {
                let end = content.position() + bytes.len() as u64;
                if *bytes_max < end {
                    let message = "it is too long for a reply; `to` writes it to a file";
                    let error = Error::too_large(message).with("limit", *bytes_max);
                    return Err(io::Error::other(error));
                }
                content.write(bytes)?
            }
            Target::File(target) => target.file.write(bytes)?,
        };
        self.meter.bytes.set(self.meter.bytes.get() + count as u64);
        self.meter.tell();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.target {
            Target::Memory { .. } => Ok(()),
            Target::File(target) => target.file.flush(),
        }
    }
}

impl Seek for Sink<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match &mut self.target {
            Target::Memory { content, .. } => content.seek(to),
            Target::File(target) => target.file.seek(to),
        }
    }
}

/// Opens the file beside `to` that all exports to it take, so that a killed one leaves one file at
/// most, which the next takes over.
fn open_aside(to: &Path) -> Result<(File, TempPath)> {
    let own = to.file_name().unwrap_or_default();
    let mut name = OsString::from(".");
    match own.len() <= NAME_BYTES_MAX - 1 - SUFFIX.len() {
        true => name.push(own),
        // Whatever is as long has another one here.
        false => name.push(object_id(Kind::Blob, own.as_bytes()).to_string()),
    }
    name.push(SUFFIX);
    let path = folder_of(to).join(name);
    let failed = |error: io::Error| Error::from_io(to.display(), &error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    let file = options.open(&path).map_err(failed)?;
    let found = file.metadata().map_err(failed)?;
    let is_ours = found.is_file() && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok();
    // Who had the lock before may have given the file its name.
    let is_still_there = fs::symlink_metadata(&path).is_ok_and(|it| it.ino() == found.ino());
    if !is_ours || !is_still_there {
        let message = format!("another export to {} is going on", to.display());
        return Err(Error::locked(message)
            .with("path", path.to_string_lossy().into_owned())
            .with("retry_after_ms", RETRY_AFTER_MS));
    }
    file.set_len(0).map_err(failed)?;
    let aside = TempPath::try_from_path(&path).map_err(failed)?;
    Ok((file, aside))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn taken(to: &Path) -> Error {
    Error::already_exists(format!("{} is there; `overwrite` replaces it", to.display()))
}
