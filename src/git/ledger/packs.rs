//! Packs of new objects, put where Git finds them.
//!
//! Until the journal has started over they are marked with a `.keep`, so that nobody's repack takes
//! them away before refs lead to them. Those that the journal has too are told from all others by
//! their names, which stay whole when the power goes, whatever becomes of the files.

use std::{
    collections::{BTreeMap, HashSet},
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    process,
    time::{SystemTime, UNIX_EPOCH},
};

use git2::Oid;
use sha1::{Digest, Sha1};

use crate::{
    error::{Error, Result},
    git::{folder::flush, image::Image},
};

const KEEP: &[u8] = b"gitport: in its journal\n";
/// Begins the names of files that are not whole yet; what begins with `tmp_` Git prunes …
const TEMPORARY: &str = "gitport_tmp_";
/// … and it takes away what ends like an index and has no pack beside it.
const TEMPORARY_ENDING: &str = ".part";
/// Begins the names of packs whose objects the journal has too: `gitport` in hexadecimal.
const JOURNALED: &str = "676974706f7274";
/// Packs that have such a file beside them mean more than their objects: that they stay, what age
/// those have that nothing leads to, that others can be fetched.
const APART: [&str; 3] = ["keep", "mtimes", "promisor"];
/// Lists packs that must stay as they are.
const LISTED: &str = "multi-pack-index";
/// What a name takes there at most, and how many packs may be in it that are gone.
const LISTED_NAME_BYTES: u64 = 64;
const LISTED_GONE_MAX: u64 = 4096;

/// Packs up to this size are rolled up …
const ROLLED_UP_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// … when there are so many of about the same size.
pub const ROLLED_UP_MIN: usize = 8;
/// So much at most becomes one pack at once.
const MERGED_BYTES_MAX: usize = 64 * 1024 * 1024;

pub struct PackFolder(PathBuf);

impl PackFolder {
    pub fn of(common_folder: &Path) -> PackFolder {
        PackFolder::in_folder(&common_folder.join("objects/pack"))
    }

    /// Of packs that lie in this folder themselves.
    pub fn in_folder(folder: &Path) -> PackFolder {
        PackFolder(folder.to_owned())
    }

    fn file(&self, pack: &str, extension: &str) -> PathBuf {
        self.0.join(format!("pack-{pack}.{extension}"))
    }

    /// Writes a pack for as long as the journal has its objects too. Its mark is another name of
    /// the one of a pack that was put here before, if that is there.
    pub fn put(&self, image: &Image, like: Option<&String>) -> Result<String> {
        let (pack, hash) = image.pack();
        let name = format!("{JOURNALED}{}", &unlike_any(hash)[JOURNALED.len()..]);
        let written = self.mark(&name, like).and_then(|()| {
            self.place(&self.file(&name, "pack"), &pack)?;
            self.replace(&self.file(&name, "idx"), &image.index(hash), false)
        });
        self.or_remove(name, written)
    }

    /// Some file systems take long to make a file where many were removed a moment ago, and no
    /// time for a name.
    fn mark(&self, name: &str, like: Option<&String>) -> Result<()> {
        let keep = self.file(name, "keep");
        match like.map(|it| fs::hard_link(self.file(it, "keep"), &keep)) {
            Some(Ok(())) => Ok(()),
            _ => self.place(&keep, KEEP),
        }
    }

    /// Writes a pack that the journal only names: it is on disk when this returns.
    pub fn put_whole(&self, image: &Image) -> Result<String> {
        let (pack, hash) = image.pack();
        let name = unlike_any(hash);
        let index = image.index(hash);
        let files = [("keep", KEEP), ("pack", &pack), ("idx", &index)];
        let mut files = files.into_iter();
        let written =
            files.try_for_each(|(it, content)| self.replace(&self.file(&name, it), content, true));
        self.or_remove(name, written.and_then(|()| self.sync()))
    }

    fn or_remove(&self, name: String, written: Result<()>) -> Result<String> {
        match written {
            Ok(()) => Ok(name),
            Err(error) => {
                self.remove(&name);
                Err(error)
            }
        }
    }

    /// Writes a pack that is on disk for good when this returns.
    pub fn put_for_good(&self, image: &Image) -> Result<String> {
        let (pack, hash) = image.pack();
        let name = hash.to_string();
        self.write_for_good(&name, &pack, &image.index(hash))?;
        Ok(name)
    }

    /// The same, marked until it is released.
    pub fn put_kept_for_good(&self, image: &Image) -> Result<String> {
        let (pack, hash) = image.pack();
        let name = hash.to_string();
        self.place(&self.file(&name, "keep"), KEEP)?;
        let written = self.write_for_good(&name, &pack, &image.index(hash));
        written.inspect_err(|_| self.release(&name))?;
        Ok(name)
    }

    /// Has packs on disk for good that were put here for a while. Of steps that Git saw together
    /// there is one pack, and none under the names of each.
    pub fn flush(&self, names: &[String]) -> Result<()> {
        for name in names {
            for ending in ["pack", "idx"] {
                let file = self.file(name, ending);
                match flush(&file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(failed(&file, &error));
                    }
                    _ => (),
                }
            }
        }
        self.sync()
    }

    fn write_for_good(&self, name: &str, pack: &[u8], index: &[u8]) -> Result<()> {
        self.replace(&self.file(name, "pack"), pack, true)?;
        self.replace(&self.file(name, "idx"), index, true)?;
        self.sync()
    }

    /// Writes a pack again, unless it is there as it should be.
    pub fn restore(&self, name: &str, image: &Image) -> Result<()> {
        let (pack, hash) = image.pack();
        let index = image.index(hash);
        for (extension, content) in [("keep", KEEP), ("pack", &pack), ("idx", &index)] {
            let file = self.file(name, extension);
            if fs::read(&file).is_ok_and(|it| it == content) {
                continue;
            }
            self.replace(&file, content, false)?;
        }
        Ok(())
    }

    /// Removes a pack whose objects are elsewhere.
    pub fn remove(&self, name: &str) {
        self.remove_list_with(name);
        // Without an index it is no pack any more, and then nobody opens the rest.
        const ENDINGS: [&str; 6] = ["idx", "pack", "keep", "rev", "bitmap", "mtimes"];
        ENDINGS.iter().for_each(|it| self.remove_file(name, it));
    }

    /// Removes the list of packs if it has this one: Git would look for its objects nowhere else.
    fn remove_list_with(&self, name: &str) {
        if self.list().is_ok_and(|it| is_in(&it, name)) {
            let _ = fs::remove_file(self.0.join(LISTED));
        }
    }

    /// The beginning of the list of packs, with their names; nothing where there is no list.
    fn list(&self) -> Result<Vec<u8>> {
        let list = self.0.join(LISTED);
        let mut front = Vec::new();
        // The names come first, after a head that is shorter than what is added for it.
        let names = self.names("idx").len() as u64;
        let bytes = (names + LISTED_GONE_MAX) * LISTED_NAME_BYTES;
        let read = File::open(&list).and_then(|it| it.take(bytes).read_to_end(&mut front));
        match read {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(&list, &error)),
            _ => Ok(front),
        }
    }

    fn remove_file(&self, name: &str, extension: &str) {
        // What stays is swept by the next recovery.
        let _ = fs::remove_file(self.file(name, extension));
    }

    /// A pack that was put here for a while stays for good.
    pub fn release(&self, name: &str) {
        self.remove_file(name, "keep");
    }

    /// Leaves a pack to housekeeping that nobody was answered for. It is not removed: a repack that
    /// found it marked may count on what is in it, and have removed what was elsewhere.
    pub fn give_up(&self, name: &str) {
        match self.whole(name) {
            Some(_) => self.release(name),
            None => self.remove(name),
        }
    }

    /// Makes one pack of small ones, as soon as there are several of about the same size: their
    /// number grows with the logarithm of what they hold, and so does how often it is copied.
    pub fn roll_up(&self, at_least: usize, since: Option<SystemTime>) -> Result<()> {
        // Where somebody keeps a list, what is in it is cared for.
        let list = self.list()?;
        let apart: HashSet<String> = APART.iter().flat_map(|it| self.names(it)).collect();
        let is_apart =
            |it: &String| apart.contains(it) || it.starts_with(JOURNALED) || is_in(&list, it);
        let mut classes: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for name in self.names("idx").into_iter().filter(|it| !is_apart(it)) {
            let Ok(metadata) = fs::metadata(self.file(&name, "pack")) else { continue };
            let is_free = since.is_none_or(|it| metadata.modified().is_ok_and(|then| it < then));
            if is_free && metadata.len() <= ROLLED_UP_BYTES_MAX {
                classes.entry(metadata.len().max(1).ilog(4)).or_default().push(name);
            }
        }
        for names in classes.into_values().filter(|it| at_least <= it.len()) {
            let mut merged = Image::default();
            let mut absorbed = Vec::new();
            for name in names {
                if MERGED_BYTES_MAX <= merged.bytes() {
                    break;
                }
                // What is rotten would get sums that say it is whole.
                if let Some(image) = self.whole(&name) {
                    merged.absorb(&image);
                    absorbed.push(name);
                }
            }
            if 2 <= absorbed.len() {
                let name = self.put_for_good(&merged)?;
                absorbed.iter().filter(|it| **it != name).for_each(|it| self.remove(it));
            }
        }
        Ok(())
    }

    /// Removes what dead writers left, but for packs that the journal names.
    pub fn sweep(&self, named: &[String]) {
        self.sweep_temporary();
        let is_superfluous = |it: &String| it.starts_with(JOURNALED) && !named.contains(it);
        let files = ["idx", "pack", "keep"].iter().flat_map(|it| self.names(it));
        let superfluous: HashSet<String> = files.filter(is_superfluous).collect();
        // A repack at that time may have left out what was in them.
        let mut merged = Image::default();
        superfluous.iter().filter_map(|it| self.whole(it)).for_each(|it| merged.absorb(&it));
        let is_safe = merged.is_empty() || self.put_for_good(&merged).is_ok();
        // Without room they stay for now.
        superfluous.iter().filter(|_| is_safe).for_each(|it| self.remove(it));
        // Whether something leads to their objects, housekeeping finds out.
        let is_ours = |it: &String| fs::read(self.file(it, "keep")).is_ok_and(|it| it == KEEP);
        let kept = self.names("keep").into_iter();
        kept.filter(|it| !named.contains(it) && is_ours(it)).for_each(|it| self.release(&it));
    }

    /// A pack of which nothing is torn.
    fn whole(&self, name: &str) -> Option<Image> {
        let [pack, index] = ["pack", "idx"].map(|it| {
            let content = fs::read(self.file(name, it)).ok()?;
            let (content_of, sum) = content.split_last_chunk::<20>()?;
            (Sha1::digest(content_of).as_slice() == sum).then_some(content)
        });
        Image::read(&pack?, &index?)
    }

    /// Whether a pack may go that somebody else might still count on.
    pub fn is_younger(&self, name: &str, than: SystemTime) -> bool {
        let modified = fs::metadata(self.file(name, "pack")).and_then(|it| it.modified());
        modified.map_or(true, |it| than < it)
    }

    /// The packs that somebody else marked to be kept.
    pub fn kept_by_others(&self) -> Vec<String> {
        let mut kept = self.names("keep");
        kept.retain(|it| fs::read(self.file(it, "keep")).is_ok_and(|it| it != KEEP));
        kept.retain(|it| self.file(it, "idx").exists());
        kept
    }

    fn names(&self, extension: &str) -> Vec<String> {
        let entries = fs::read_dir(&self.0).into_iter().flatten().flatten();
        let names = entries.filter_map(|it| it.file_name().into_string().ok());
        let name = |it: String| {
            let (name, end) = it.strip_prefix("pack-")?.rsplit_once('.')?;
            (end == extension).then(|| name.to_owned())
        };
        names.filter_map(name).collect()
    }

    fn sweep_temporary(&self) {
        for entry in fs::read_dir(&self.0).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|it| it.starts_with(TEMPORARY)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn sync(&self) -> Result<()> {
        flush(&self.0).map_err(|error| failed(&self.0, &error))
    }

    /// Writes a file that nobody reads yet. One of this name may be in use: it is replaced.
    fn place(&self, file: &Path, content: &[u8]) -> Result<()> {
        match File::create_new(file).and_then(|mut it| it.write_all(content)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                self.replace(file, content, false)
            }
            other => other.map_err(|error| {
                let _ = fs::remove_file(file);
                failed(file, &error)
            }),
        }
    }

    fn replace(&self, file: &Path, content: &[u8], for_good: bool) -> Result<()> {
        let aside = self.aside(file);
        let write = || {
            let mut new = File::create(&aside)?;
            new.write_all(content)?;
            if for_good {
                new.sync_all()?;
            }
            fs::rename(&aside, file)
        };
        // Somebody may clear up what is not theirs, but hardly twice.
        let written = write().or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => write(),
            _ => Err(error),
        });
        written.map_err(|error| {
            let _ = fs::remove_file(&aside);
            failed(file, &error)
        })
    }

    /// Where a file is while it is not whole.
    fn aside(&self, file: &Path) -> PathBuf {
        let name = file.file_name().and_then(|it| it.to_str()).expect("names of packs are text");
        self.0.join(format!("{TEMPORARY}{name}{TEMPORARY_ENDING}"))
    }
}

fn is_in(list: &[u8], name: &str) -> bool {
    memchr::memmem::find(list, name.as_bytes()).is_some()
}

/// A name that no pack here ever had: one that is there already may be somebody's only copy.
fn unlike_any(hash: Oid) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let salt = format!("{hash} {} {}", now.as_nanos(), process::id());
    Oid::from_bytes(&Sha1::digest(salt)).expect("a hash has this length").to_string()
}

/// Nobody asked for these files: that one is not there says nothing of what was asked for.
fn failed(file: &Path, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::NotFound => Error::unavailable(format!("{}: {error}", file.display())),
        _ => Error::from_io(file.display(), error),
    }
}

#[cfg(test)]
mod tests;
