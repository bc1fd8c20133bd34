//! Processes published in a folder, where anybody can read them: `<name>/<name>_v<version>.yaml`.
//!
//! A file is written aside, flushed, and given its name by a hard link, which one of all succeeds
//! with. Beside it lies what is recorded of it; who was killed before it was there has published
//! all the same, and whoever comes next writes it. Nothing is reached through a link.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStringExt, fs::MetadataExt},
    },
    time::Duration,
};

use rustix::{
    fs::{AtFlags, Dir, Mode, OFlags, fsync, linkat, mkdirat, openat, statat, unlinkat},
    io::Errno,
};
use semver::Version;

use super::{Listed, Published, Store, missing, random};
use crate::{
    error::{Code, Error, Result},
    git::Folder,
    process::artifact::{Artifact, BYTES_MAX, Name, Record},
};

const FILE: &str = ".yaml";
const RECORD: &str = ".json";
/// What is not whole yet; no process has such a name.
const ASIDE: &str = ".gitport-";
/// Whoever wrote aside for so long is dead.
const ASIDE_TIME: Duration = Duration::from_secs(3600);

pub struct InFolder {
    folder: Folder,
}

impl InFolder {
    pub fn new(folder: Folder) -> InFolder {
        InFolder { folder }
    }

    /// The folder of a process, if there is one.
    fn of(&self, name: &str) -> Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        match openat(&self.folder, name, flags, Mode::empty()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(Errno::LOOP | Errno::NOTDIR) => {
                let message = format!("`{name}` in the store is no folder");
                Err(Error::denied(message).with("rule", "symbolic link"))
            }
            Err(error) => Err(failed(name, error)),
        }
    }

    fn make(&self, name: &str) -> Result<OwnedFd> {
        match mkdirat(&self.folder, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => (),
            Err(error) => return Err(failed(name, error)),
        }
        // Also where somebody else made it, who has not come to this yet.
        fsync(&self.folder).map_err(|error| failed(name, error))?;
        self.of(name)?.ok_or_else(|| Error::unavailable(format!("`{name}` is gone")))
    }
}

impl Store for InFolder {
    fn publish(&self, artifact: &Artifact) -> Result<Published> {
        let place = Place::new(&artifact.name, &artifact.version);
        let folder = self.make(artifact.name.as_str())?;
        let published = match place.record(&folder, artifact)? {
            Some(record) => {
                record.expect_same(artifact)?;
                Published::Before
            }
            None => place.publish(&folder, artifact)?,
        };
        // Also what somebody else published, since this answers for it.
        fsync(&folder).map_err(|error| failed(&place.file, error))?;
        Ok(published)
    }

    fn get(&self, name: &Name, version: &Version) -> Result<Artifact> {
        let place = Place::new(name, version);
        let folder = self.of(name.as_str())?.ok_or_else(|| missing(name, version))?;
        let bytes = read(&folder, &place.file)?;
        // In this order: a record comes after its file.
        let record = read(&folder, &place.record)?;
        match (bytes, record) {
            (Some(bytes), Some(line)) => {
                Artifact::checked(bytes, &Record::read(&line, name, version)?)
            }
            (Some(bytes), None) => unrecorded(bytes, name, version),
            (None, _) => Err(missing(name, version)),
        }
    }

    fn list(&self, name: Option<&Name>) -> Result<Vec<Listed>> {
        let names = match name {
            Some(name) => vec![name.clone()],
            None => {
                let names = names(self.folder.as_fd())?.into_iter();
                names.filter_map(|it| Name::new(&it).ok()).collect()
            }
        };
        let is_one_of_all = name.is_none();
        let mut listed = Vec::new();
        for name in names {
            let folder = match self.of(name.as_str()) {
                Ok(Some(folder)) => folder,
                Ok(None) => continue,
                // Among others, what is no folder is none of them.
                Err(error) if error.code == Code::Denied && is_one_of_all => continue,
                Err(error) => return Err(error),
            };
            let versions = names_of_versions(&folder, &name)?;
            listed.extend(versions.into_iter().map(|it| (name.clone(), it)));
        }
        Ok(listed)
    }
}

/// What the files of a version are called.
struct Place {
    file: String,
    record: String,
}

impl Place {
    fn new(name: &Name, version: &Version) -> Place {
        let file = name.file(version);
        let record = file.strip_suffix(FILE).expect("files end so").to_owned() + RECORD;
        Place { file, record }
    }

    /// What is recorded of the version that is there.
    fn record(&self, folder: &OwnedFd, artifact: &Artifact) -> Result<Option<Record>> {
        let Some(line) = read(folder, &self.record)? else { return Ok(None) };
        let record = Record::read(&line, &artifact.name, &artifact.version)?;
        match statat(folder, &self.file, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(_) => Ok(Some(record)),
            Err(Errno::NOENT) => {
                let message = format!("the file of {} is gone from the store", artifact.title());
                Err(Error::corrupt(message))
            }
            Err(error) => Err(failed(&self.file, error)),
        }
    }

    /// Publishes what has no record yet.
    fn publish(&self, folder: &OwnedFd, artifact: &Artifact) -> Result<Published> {
        let Artifact { name, version, .. } = artifact;
        let file = Aside::write(folder, &artifact.bytes)?;
        sweep(folder, &file);
        let is_first = file.link(&self.file)?;
        let record = match is_first {
            true => artifact.record(),
            false => {
                let bytes = read(folder, &self.file)?.ok_or_else(|| missing(name, version))?;
                unrecorded(bytes, name, version)?.record()
            }
        };
        // Somebody else may have come to it first, and says the same.
        Aside::write(folder, &record.line())?.link(&self.record)?;
        record.expect_same(artifact)?;
        Ok(if is_first { Published::Now } else { Published::Before })
    }
}

/// A file that got its name, and of which nothing was recorded yet: it is whole.
fn unrecorded(bytes: Vec<u8>, name: &Name, version: &Version) -> Result<Artifact> {
    let corrupt = |why: &str| Error::corrupt(format!("{name} {version} is damaged: {why}"));
    let artifact = Artifact::of(bytes).map_err(|error| corrupt(&error.message))?;
    match (&artifact.name, &artifact.version) == (name, version) {
        true => Ok(artifact),
        false => Err(corrupt("its file is another one's")),
    }
}

/// A file without its name yet. It goes when the value goes; what has its name stays.
struct Aside<'a> {
    folder: &'a OwnedFd,
    name: String,
    written: Duration,
}

impl Aside<'_> {
    fn write<'a>(folder: &'a OwnedFd, bytes: &[u8]) -> Result<Aside<'a>> {
        let name = format!("{ASIDE}{}", random());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        // Nobody has any business writing it again.
        let mode = Mode::from_raw_mode(0o444);
        let file = openat(folder, &name, flags | OFlags::CLOEXEC, mode);
        let mut file = File::from(file.map_err(|error| failed(&name, error))?);
        let mut aside = Aside { folder, name, written: Duration::ZERO };
        let mut write = || {
            file.write_all(bytes)?;
            file.sync_all()?;
            file.metadata()
        };
        let found = write().map_err(|error| Error::from_io(&aside.name, &error))?;
        aside.written = Duration::from_secs(found.mtime().max(0).cast_unsigned());
        Ok(aside)
    }

    /// Gives it a name; false where there is one of that name.
    fn link(&self, name: &str) -> Result<bool> {
        match linkat(self.folder, &self.name, self.folder, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(Errno::PERM | Errno::OPNOTSUPP) => {
                let message = "the store's file system has no hard links";
                Err(Error::unsupported(message).with("feature", "hard links"))
            }
            Err(error) => Err(failed(name, error)),
        }
    }
}

impl Drop for Aside<'_> {
    fn drop(&mut self) {
        // The next to publish here sweeps what is left.
        let _ = unlinkat(self.folder, &self.name, AtFlags::empty());
    }
}

/// Removes what the dead left aside. Their age is told by the clock of the file system itself.
fn sweep(folder: &OwnedFd, now: &Aside) {
    for name in names(folder.as_fd()).into_iter().flatten() {
        let Ok(found) = statat(folder, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
        let since = Duration::from_secs(found.st_mtime.max(0).cast_unsigned());
        if name.starts_with(ASIDE) && ASIDE_TIME < now.written.saturating_sub(since) {
            let _ = unlinkat(folder, &name, AtFlags::empty());
        }
    }
}

fn names_of_versions(folder: &OwnedFd, name: &Name) -> Result<Vec<Version>> {
    let names = names(folder.as_fd())?.into_iter();
    Ok(names.filter_map(|it| name.version_of(&it, FILE)).collect())
}

/// What is in a folder, as far as it is text.
fn names(folder: impl AsFd) -> Result<Vec<String>> {
    let failed = |error| failed("a folder of the store", error);
    let mut names = Vec::new();
    for entry in Dir::read_from(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = OsString::from_vec(entry.file_name().to_bytes().to_vec());
        names.extend(name.into_string().ok());
    }
    Ok(names)
}

/// The bytes of a file, if there is one.
fn read(folder: &OwnedFd, name: &str) -> Result<Option<Vec<u8>>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => {
            let message = format!("`{name}` in the store is a symbolic link");
            return Err(Error::denied(message).with("rule", "symbolic link"));
        }
        Err(error) => return Err(failed(name, error)),
    };
    let mut bytes = Vec::new();
    let limit = BYTES_MAX as u64 + 1;
    match file.metadata() {
        Ok(found) if found.is_file() && found.len() < limit => (),
        Ok(_) => return Err(Error::corrupt(format!("`{name}` in the store is no such file"))),
        Err(error) => return Err(Error::from_io(name, &error)),
    }
    let read = file.take(limit).read_to_end(&mut bytes);
    read.map_err(|error| Error::from_io(name, &error))?;
    Ok(Some(bytes))
}

fn failed(name: &str, error: Errno) -> Error {
    Error::from_io(format!("`{name}` in the store"), &error.into())
}
