//! Files of published processes that were fetched from far away, by their digests.
//!
//! It can be removed at any time, and may be damaged: what is read of it is checked.

use std::{
    fs::{self, File},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    time::SystemTime,
};

use rustix::fs::OFlags;

use super::{artifact::sha256, yaml};

/// So many files are kept; of more the oldest go.
const FILES_MAX: usize = 1000;
/// And of so many bytes together.
const BYTES_MAX: u64 = 64 << 20;
const FILE_BYTES_MAX: u64 = yaml::FILE_BYTES_MAX as u64;
const ENDING: &str = ".yaml";

pub struct Cache {
    folder: Option<PathBuf>,
}

impl Cache {
    /// Without a folder nothing is kept.
    pub fn new(folder: Option<PathBuf>) -> Cache {
        Cache { folder }
    }

    /// The file with these digits.
    pub fn get(&self, digits: &str) -> Option<Vec<u8>> {
        let path = self.folder.as_ref()?.join(format!("{digits}{ENDING}"));
        // Somebody may have put anything there.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path).ok()?;
        let found = file.metadata().ok()?;
        if !found.is_file() || found.len() > FILE_BYTES_MAX {
            return None;
        }
        let mut bytes = Vec::new();
        file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).ok()?;
        (sha256(&bytes) == digits).then_some(bytes)
    }

    /// Keeps a file. That it cannot is nobody's trouble.
    pub fn put(&self, digits: &str, bytes: &[u8]) {
        let Some(folder) = &self.folder else { return };
        let put = || {
            fs::create_dir_all(folder)?;
            let mut file = tempfile::NamedTempFile::new_in(folder)?;
            file.write_all(bytes)?;
            file.persist(folder.join(format!("{digits}{ENDING}")))?;
            self.make_room()
        };
        if let Err(error) = put() {
            log::debug!("{}: {error}", folder.display());
        }
    }

    fn make_room(&self) -> std::io::Result<()> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut files = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            // Others make room, too.
            let Ok(found) = entry.metadata() else { continue };
            let since = found.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((since, found.len(), entry.path()));
        }
        files.sort_unstable_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (index, (_, length, path)) in files.into_iter().enumerate() {
            bytes += length;
            if FILES_MAX <= index || BYTES_MAX < bytes {
                let _ = fs::remove_file(path);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_there_until_it_is_damaged_or_old() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::new(Some(folder.path().join("processes")));
        let first = sha256(b"first");
        assert_eq!(cache.get(&first), None);
        cache.put(&first, b"first");
        assert_eq!(cache.get(&first).as_deref(), Some(&b"first"[..]));
        for number in 0..FILES_MAX + 5 {
            let bytes = number.to_string().into_bytes();
            cache.put(&sha256(&bytes), &bytes);
        }
        let kept = fs::read_dir(folder.path().join("processes")).unwrap().count();
        assert_eq!(kept, FILES_MAX);
        let last = sha256((FILES_MAX + 4).to_string().as_bytes());
        let file = folder.path().join(format!("processes/{last}.yaml"));
        fs::write(file, b"other").unwrap();
        assert_eq!(cache.get(&last), None);
        Cache::new(None).put(&first, b"first");
        assert_eq!(Cache::new(None).get(&first), None);
    }
}
