//! What a disk may hold after the power went, told from what was written to it and flushed.
//!
//! The rules: what was flushed is there. Of what was written to a file since, each sector is there
//! or not. Of what was done to the names in a folder since it was flushed, the first so many are
//! there, in each folder for itself. Flushing a file that was just made also keeps its name. A file
//! may have its new name and none of its content.

use std::{
    collections::{BTreeMap, HashMap},
    ffi::{OsStr, OsString},
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::Chance;

const SECTOR: usize = 512;

/// One thing that was done.
pub struct Deed {
    what: u8,
    inode: u64,
    at: i64,
    one: PathBuf,
    other: PathBuf,
    data: Vec<u8>,
}

impl Deed {
    /// What was written down, in order.
    pub fn all(log: &[u8]) -> Vec<Deed> {
        let (mut rest, mut deeds) = (log, Vec::new());
        while !rest.is_empty() {
            let end = rest.iter().position(|it| *it == b'\n').unwrap();
            let words: Vec<&str> = str::from_utf8(&rest[..end]).unwrap().split(' ').collect();
            rest = &rest[end + 1..];
            let mut take = |length: &str| {
                let (piece, after) = rest.split_at(length.parse().unwrap());
                rest = after;
                piece.to_vec()
            };
            let [one, other] =
                [words[3], words[4]].map(|it| PathBuf::from(String::from_utf8(take(it)).unwrap()));
            let data = take(words[5]);
            let (inode, at) = (words[1].parse().unwrap(), words[2].parse().unwrap());
            deeds.push(Deed { what: words[0].as_bytes()[0], inode, at, one, other, data });
        }
        deeds
    }

    /// The request that was answered here.
    pub fn answer(&self) -> Option<u64> {
        (self.what == b'A').then_some(self.inode)
    }
}

pub struct Disk {
    root: PathBuf,
    files: Vec<Content>,
    by_inode: HashMap<u64, usize>,
    folders: BTreeMap<PathBuf, Folder>,
    /// Whether a file that takes another one's name has its content by then, as ext4 has it.
    pub is_kind: bool,
}

#[derive(Default)]
struct Content {
    flushed: Vec<u8>,
    since: Vec<Change>,
}

enum Change {
    Write(usize, Vec<u8>),
    Cut(usize),
}

#[derive(Default)]
struct Folder {
    flushed: Names,
    since: Vec<Renaming>,
}

type Names = BTreeMap<OsString, Node>;

#[derive(Clone, Copy)]
enum Node {
    File(usize),
    Folder,
}

enum Renaming {
    Put(OsString, Node),
    Remove(OsString),
    Rename(OsString, OsString),
}

impl Disk {
    /// With all that is in a folder now flushed.
    pub fn of(root: &Path) -> Disk {
        let mut disk = Disk {
            root: root.to_owned(),
            files: Vec::new(),
            by_inode: HashMap::new(),
            folders: BTreeMap::new(),
            is_kind: false,
        };
        disk.take(root);
        disk
    }

    fn take(&mut self, folder: &Path) {
        let mut names = Names::new();
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let node = if entry.file_type().unwrap().is_dir() {
                self.take(&path);
                Node::Folder
            } else {
                let flushed = fs::read(&path).unwrap();
                let inode = entry.metadata().unwrap().ino();
                Node::File(self.add(inode, Content { flushed, since: Vec::new() }))
            };
            names.insert(entry.file_name(), node);
        }
        self.folders.insert(folder.to_owned(), Folder { flushed: names, since: Vec::new() });
    }

    fn add(&mut self, inode: u64, content: Content) -> usize {
        self.files.push(content);
        self.by_inode.insert(inode, self.files.len() - 1);
        self.files.len() - 1
    }

    pub fn apply(&mut self, deed: &Deed) {
        let at = deed.at as usize;
        match deed.what {
            b'C' => {
                let file = self.add(deed.inode, Content::default());
                self.rename(&deed.one, |it| Renaming::Put(it, Node::File(file)));
            }
            b'W' => self.change(deed.inode, Change::Write(at, deed.data.clone())),
            b'T' => self.change(deed.inode, Change::Cut(at)),
            b'S' => self.flush(deed.inode, &deed.one),
            b'D' => self.folders.get_mut(&deed.one).unwrap().flush(),
            b'M' => {
                self.folders.insert(deed.one.clone(), Folder::default());
                self.rename(&deed.one, |it| Renaming::Put(it, Node::Folder));
            }
            b'U' => self.rename(&deed.one, Renaming::Remove),
            b'R' => {
                assert_eq!(deed.one.parent(), deed.other.parent(), "only within a folder");
                let is_there = self.node(&deed.other).is_some();
                if self.is_kind
                    && is_there
                    && let Some(Node::File(file)) = self.node(&deed.one)
                {
                    self.files[file].flush();
                }
                let to = deed.other.file_name().unwrap().to_owned();
                self.rename(&deed.one, |it| Renaming::Rename(it, to));
            }
            b'A' => (),
            other => panic!("{}", char::from(other)),
        }
    }

    fn change(&mut self, inode: u64, change: Change) {
        let file = self.by_inode[&inode];
        self.files[file].since.push(change);
    }

    fn rename(&mut self, path: &Path, renaming: impl FnOnce(OsString) -> Renaming) {
        let name = path.file_name().unwrap().to_owned();
        self.folders.get_mut(path.parent().unwrap()).unwrap().since.push(renaming(name));
    }

    fn node(&self, path: &Path) -> Option<Node> {
        let folder = &self.folders[path.parent().unwrap()];
        folder.names(folder.since.len()).get(path.file_name().unwrap()).copied()
    }

    fn flush(&mut self, inode: u64, path: &Path) {
        let file = self.by_inode[&inode];
        self.files[file].flush();
        // With the folders above that are as new.
        let mut path = path;
        while path != self.root {
            let folder = self.folders.get_mut(path.parent().unwrap()).unwrap();
            let name = path.file_name().unwrap();
            let is_making = |it: &Renaming| match it {
                Renaming::Put(put, Node::File(it)) => put == name && *it == file,
                Renaming::Put(put, Node::Folder) => put == name,
                _ => false,
            };
            let Some(making) = folder.since.iter().position(is_making) else { break };
            // And with what was done to this name before, such as to a file that had it.
            let after = folder.since.split_off(making + 1);
            let before = std::mem::replace(&mut folder.since, after);
            let (of_it, mut others): (Vec<_>, Vec<_>) =
                before.into_iter().partition(|it| it.is_about(name));
            of_it.iter().for_each(|it| it.apply(&mut folder.flushed));
            others.append(&mut folder.since);
            folder.since = others;
            path = path.parent().unwrap();
        }
    }

    /// The folder as it may be found, elsewhere; by no chance only what was flushed is there.
    pub fn found(&self, at: &Path, chance: &mut Option<Chance>) {
        self.folder_found(&self.root, at, chance);
    }

    fn folder_found(&self, folder: &Path, at: &Path, chance: &mut Option<Chance>) {
        fs::create_dir_all(at).unwrap();
        let here = &self.folders[folder];
        let count = match chance {
            Some(chance) => chance.below(here.since.len() as u64 + 1) as usize,
            None => 0,
        };
        for (name, node) in here.names(count) {
            let place = at.join(&name);
            match node {
                Node::Folder => self.folder_found(&folder.join(&name), &place, chance),
                Node::File(file) => {
                    let mut content = self.files[file].found(chance);
                    if name == "gitport-journal" {
                        be_of_another_start(&mut content);
                    }
                    fs::write(&place, content).unwrap();
                    // It took a while until somebody came and switched the machine on.
                    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
                    File::options()
                        .write(true)
                        .open(&place)
                        .unwrap()
                        .set_modified(long_ago)
                        .unwrap();
                }
            }
        }
    }
}

impl Content {
    fn flush(&mut self) {
        let since = std::mem::take(&mut self.since);
        since.iter().for_each(|it| it.apply(&mut self.flushed, &mut None));
    }

    fn found(&self, chance: &mut Option<Chance>) -> Vec<u8> {
        let mut content = self.flushed.clone();
        if chance.is_some() {
            self.since.iter().for_each(|it| it.apply(&mut content, chance));
        }
        content
    }
}

impl Change {
    /// By chance each sector for itself.
    fn apply(&self, content: &mut Vec<u8>, chance: &mut Option<Chance>) {
        let mut happens = || chance.as_mut().is_none_or(Chance::is_heads);
        match self {
            Change::Cut(length) => {
                if happens() {
                    content.resize(*length, 0);
                }
            }
            Change::Write(at, data) => {
                let mut from = 0;
                while from < data.len() {
                    let here = at + from;
                    let to = data.len().min(from + SECTOR - here % SECTOR);
                    if happens() {
                        let end = at + to;
                        content.resize(content.len().max(end), 0);
                        content[here..end].copy_from_slice(&data[from..to]);
                    }
                    from = to;
                }
            }
        }
    }
}

impl Folder {
    fn flush(&mut self) {
        self.flushed = self.names(self.since.len());
        self.since.clear();
    }

    /// With so many of what was done since.
    fn names(&self, count: usize) -> Names {
        let mut names = self.flushed.clone();
        self.since[..count].iter().for_each(|it| it.apply(&mut names));
        names
    }
}

impl Renaming {
    fn is_about(&self, name: &OsStr) -> bool {
        match self {
            Renaming::Put(it, _) | Renaming::Remove(it) => it == name,
            Renaming::Rename(from, to) => from == name || to == name,
        }
    }

    fn apply(&self, names: &mut Names) {
        match self {
            Renaming::Put(name, node) => drop(names.insert(name.clone(), *node)),
            Renaming::Remove(name) => drop(names.remove(name)),
            Renaming::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }
}

/// The machine has started again since, and a journal tells one start from another.
fn be_of_another_start(journal: &mut [u8]) {
    const START: std::ops::Range<usize> = 8192 + 16..8192 + 16 + 36;
    if let Some(start) = journal.get_mut(START)
        && start.iter().any(|it| *it != 0)
    {
        start.copy_from_slice(b"00000000-0000-4000-8000-000000000000");
    }
}

/// Text that no compression makes much shorter.
pub fn noise(length: usize, seed: u64) -> String {
    let mut chance = Chance::of(seed + 1);
    (0..length).map(|_| char::from(b'!' + chance.below(90) as u8)).collect()
}
