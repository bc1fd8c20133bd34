//! Refs that are held while they are about to move, by the locks that every Git respects.

use std::{
    collections::BTreeMap,
    fs::{self, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use git2::Oid;
use rustix::fs::{FallocateFlags, fallocate};

use super::{Site, packed::Packed};
use crate::{
    error::{Error, Result},
    git::{
        folder::{all_files_below, files_below, remove_empty},
        hash::whole_id,
        lock::let_go,
        plain::{self, create_anew},
    },
};

/// A ref that nobody else can move.
pub struct Held {
    file: PathBuf,
    lock: PathBuf,
    /// What it is on disk.
    pub before: Option<Oid>,
    /// Whether it has a file of its own.
    pub is_loose: bool,
    is_locked: bool,
    /// Whether its lock is another name of the file of another lock.
    is_linked: bool,
}

/// What the file of a ref says.
pub enum Loose {
    Absent,
    At(Oid),
    /// It stands for another ref.
    Symbolic(Vec<u8>),
    /// Neither: the power went while it was written, or it is no file.
    Torn,
}

impl Held {
    /// With the lock of another ref this one becomes a second name of it: some file systems take
    /// long to make a file where many were removed a moment ago, and no time for a name.
    pub fn take(
        common_folder: &Path,
        name: &str,
        packed: &mut Packed,
        other: Option<&Held>,
        site: &Site,
    ) -> Result<Held> {
        let file = common_folder.join(name);
        let lock = common_folder.join(format!("{name}.lock"));
        let is_linked = loop {
            match make(&lock, other) {
                Ok(is_linked) => break is_linked,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    // Waits for those who live, but not for ever.
                    site.right.clear(common_folder, &[&format!("{name}.lock")], site.watch)?;
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let folder = lock.parent().expect("a ref lies in a folder");
                    fs::create_dir_all(folder).map_err(|error| in_the_way(name, &error))?;
                }
                Err(error) => return Err(in_the_way(name, &error)),
            }
        };
        let mut held =
            Held { file, lock, before: None, is_loose: false, is_locked: true, is_linked };
        held.before = match read(&held.file)? {
            Loose::At(id) => {
                held.is_loose = true;
                Some(id)
            }
            Loose::Absent => {
                // Somebody may have packed it since: until it was held anybody could.
                packed.refresh(common_folder)?;
                packed.find(name.as_bytes())
            }
            Loose::Symbolic(_) => {
                return Err(Error::unsupported(format!("`{name}` stands for another ref"))
                    .with("feature", "symbolic refs"));
            }
            Loose::Torn => return Err(Error::corrupt(format!("the ref `{name}`"))),
        };
        Ok(held)
    }

    /// A ref that can only be in `packed-refs`, since another one is where its folder would be:
    /// for that reason nobody else can hold it either.
    pub fn out_of_place(common_folder: &Path, name: &str, packed: &Packed) -> Held {
        let [file, lock] =
            [name.to_owned(), format!("{name}.lock")].map(|it| common_folder.join(it));
        let before = packed.find(name.as_bytes());
        Held { file, lock, before, is_loose: false, is_locked: false, is_linked: false }
    }

    /// Writes what the ref shall be into its lock, where it is not read yet.
    pub fn write(&self, id: Oid) -> Result<()> {
        let line = format!("{id}\n");
        let written = match self.is_linked {
            false => OpenOptions::new().write(true).open(&self.lock).and_then(|mut it| {
                // Some file systems begin to write what replaces a file, and wait for the disk,
                // unless it has its place there already. Others have no such call.
                let size = line.len() as u64;
                let _ = fallocate(&it, FallocateFlags::KEEP_SIZE, 0, size);
                it.write_all(line.as_bytes())
            }),
            // What is written into a shared file would be in all of them.
            true => {
                let mut own = self.lock.clone().into_os_string();
                own.push(".lock");
                let own = Path::new(&own);
                let written = create_anew(own).and_then(|mut it| it.write_all(line.as_bytes()));
                written.and_then(|()| fs::rename(own, &self.lock))
            }
        };
        written.map_err(|error| Error::from_io(self.lock.display(), &error))
    }

    /// Whether others may share the file of its lock.
    pub fn is_sharable(&self) -> bool {
        !self.is_linked
    }

    /// Makes the lock with what was written into it the ref.
    pub fn put(&mut self) -> Result<()> {
        let put = fs::rename(&self.lock, &self.file).or_else(|error| match error.kind() {
            // Folders that refs left behind.
            io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => {
                remove_empty(&self.file)?;
                fs::rename(&self.lock, &self.file)
            }
            _ => Err(error),
        });
        put.map_err(|error| Error::from_io(self.file.display(), &error))?;
        self.is_locked = false;
        Ok(())
    }

    /// Removes the ref's own file, so that `packed-refs` counts.
    pub fn remove_file(&self) -> Result<()> {
        remove_file(&self.file)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.is_locked {
            let_go(&self.lock);
        }
    }
}

/// Removes the file of a ref, if it has one.
pub fn remove_file(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::from_io(file.display(), &error))
        }
        _ => Ok(()),
    }
}

/// Makes a lock that is not there; true if it is a second name of another one.
fn make(lock: &Path, other: Option<&Held>) -> io::Result<bool> {
    if let Some(other) = other {
        match fs::hard_link(&other.lock, lock) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(error),
            // No folder, too many names, or a file system that knows but one.
            Err(_) => (),
        }
    }
    OpenOptions::new().write(true).create_new(true).open(lock).map(|_| false)
}

pub fn read(file: &Path) -> Result<Loose> {
    let content = match plain::read(file) {
        Ok(content) => content,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound
                | io::ErrorKind::IsADirectory
                | io::ErrorKind::NotADirectory => Ok(Loose::Absent),
                io::ErrorKind::InvalidData => Ok(Loose::Torn),
                _ => Err(Error::from_io(file.display(), &error)),
            };
        }
    };
    if let Some(target) = content.strip_prefix(b"ref:") {
        return Ok(Loose::Symbolic(target.trim_ascii().to_vec()));
    }
    let text = str::from_utf8(&content).unwrap_or_default().trim_ascii_end();
    Ok(whole_id(text).map_or(Loose::Torn, Loose::At))
}

/// The refs with files of their own below this name, as in a folder.
pub fn loose_below(common_folder: &Path, name: &str) -> Vec<String> {
    let files = files_below(&common_folder.join(name), &|it| !it.ends_with(".lock"));
    let name = |it: &PathBuf| Some(it.strip_prefix(common_folder).ok()?.to_str()?.to_owned());
    files.iter().filter_map(name).collect()
}

/// The refs with files of their own in a folder, by their names in it, and where they are.
pub fn loose_in(common_folder: &Path, folder: &str) -> Result<BTreeMap<String, Option<Oid>>> {
    let above = common_folder.join(folder);
    let files = all_files_below(&above).map_err(|error| Error::from_io(folder, &error))?;
    let mut found = BTreeMap::new();
    for file in files {
        let name = file.strip_prefix(&above).map(|it| it.to_string_lossy().into_owned());
        let Some(name) = name.ok().filter(|it| !it.ends_with(".lock")) else { continue };
        match read(&file)? {
            Loose::At(id) => found.insert(name, Some(id)),
            // It went while it was looked at.
            Loose::Absent => None,
            Loose::Symbolic(_) | Loose::Torn => found.insert(name, None),
        };
    }
    Ok(found)
}

fn in_the_way(name: &str, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Error::conflict(format!("`{name}` would lie below a ref"))
                .with("expected", "no ref of a name that this one begins with")
                .with("actual", name)
        }
        _ => Error::from_io(name, error),
    }
}
