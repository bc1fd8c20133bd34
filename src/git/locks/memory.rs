//! What this process knows of locks beside their refs: its own clock, since when it sees those
//! whose clock it cannot read, and who waits here, first come first served.

use std::{
    collections::{BTreeSet, HashMap, hash_map::RandomState},
    fs,
    hash::{BuildHasher, Hasher},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    time::Duration,
};

use git2::Oid;
use rustix::time::{ClockId, clock_gettime};

use super::{
    state::{Now, Sighting, Stamp, State},
    text::{Seen, Written},
};
use crate::git::{cache::Cache, now, plain, refs::PACKED};

/// A lock, by who has its ref.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockKey {
    pub keeper: Keeper,
    pub reference: String,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Keeper {
    /// A repository here: the folder that has its refs.
    Folder(PathBuf),
    /// A remote, by its url.
    Remote(String),
}

/// Of how many commits it is remembered what they say.
const WRITTEN_MAX: usize = 1024;
/// Of how many locks on remotes it is remembered how they were last seen.
const SEEN_MAX: usize = 1024;

/// One for the whole process.
pub struct Locks {
    /// Names the clock that this process measures time by.
    clock: String,
    known: Mutex<Known>,
    /// What commits say of locks: the newest would be the most expensive objects to find.
    written: Mutex<Cache<Oid, Written>>,
    /// How locks on remotes were when they were last read or written here.
    seen: Mutex<Cache<LockKey, Seen>>,
    stirred: Condvar,
}

#[derive(Default)]
struct Known {
    seen_ms: HashMap<LockKey, HashMap<Sighting, u64>>,
    /// The numbers of those that wait.
    queues: HashMap<LockKey, BTreeSet<u64>>,
    last_number: u64,
    /// Locks that something happened to here since anybody looked.
    stirred: BTreeSet<LockKey>,
}

/// A place in the queue for a lock. Whoever drops it has left the queue.
pub struct Queued {
    locks: Arc<Locks>,
    key: LockKey,
    number: u64,
}

/// Changes whenever a ref moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mark {
    Loose(Vec<u8>),
    /// It may be in the file with all the others.
    Packed([u64; 4]),
    /// Where a remote had it when this process last looked.
    Remote(Option<Oid>),
}

/// What somebody waits for who is in the queue for a lock.
#[derive(Clone)]
pub struct Wait {
    pub key: LockKey,
    pub number: u64,
    pub is_shared: bool,
    /// Whether nobody waited before it when it looked.
    pub was_first: bool,
    pub seen: Mark,
    /// When who holds it has expired, unless something happens before.
    pub until_ms: u64,
    /// How often it was free, and somebody else about to write: maybe to take it.
    pub beaten: u32,
    pub gives_up_ms: u64,
}

/// The time since the machine was started, also while it slept: nobody can set this clock, and it
/// is the same for all processes of one boot.
pub fn boottime_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec.cast_unsigned() * 1000 + time.tv_nsec.cast_unsigned() / 1_000_000
}

/// Somewhere from half of a time to all of it, so that those that met do not meet again.
pub fn jittered_ms(ms: u64) -> u64 {
    let random = RandomState::new().build_hasher().finish();
    ms / 2 + random % (ms / 2 + 1)
}

/// One boot of one machine; a container may have a clock of its own.
fn this_clock() -> String {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let space = fs::read_link("/proc/self/ns/time").unwrap_or_default();
    match boot.trim() {
        // No two processes know that they have the same clock.
        "" => format!("process {} {:?}", std::process::id(), std::time::SystemTime::now()),
        boot => format!("{boot} {}", space.display()),
    }
}

impl Locks {
    pub fn new() -> Arc<Locks> {
        let (known, stirred) = (Mutex::default(), Condvar::new());
        let written = Mutex::new(Cache::new(WRITTEN_MAX));
        let seen = Mutex::new(Cache::new(SEEN_MAX));
        Arc::new(Locks { clock: this_clock(), known, written, seen, stirred })
    }

    /// How a lock on a remote was last seen.
    pub fn seen(&self, key: &LockKey) -> Option<Seen> {
        self.seen.lock().expect("nobody panics with the lock").get(key)
    }

    pub fn see(&self, key: &LockKey, seen: &Seen) {
        let mut cache = self.seen.lock().expect("nobody panics with the lock");
        cache.insert(key.clone(), seen.clone(), 1);
    }

    /// Where the ref of a lock is now, as far as can be told without asking anybody.
    pub fn mark(&self, key: &LockKey) -> Mark {
        match &key.keeper {
            Keeper::Folder(folder) => local_mark(folder, &key.reference),
            Keeper::Remote(_) => Mark::Remote(self.seen(key).and_then(|it| it.at)),
        }
    }

    /// What a commit says, if it was read or written here lately.
    pub fn written(&self, commit: Oid) -> Option<Written> {
        self.written.lock().expect("nobody panics with the lock").get(&commit)
    }

    pub fn remember(&self, commit: Oid, written: &Written) {
        let mut cache = self.written.lock().expect("nobody panics with the lock");
        cache.insert(commit, written.clone(), 1);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().expect("nobody panics with the lock")
    }

    /// What there is to know for a decision about a lock that is now in this state.
    pub fn now(&self, key: &LockKey, state: &State) -> Now {
        let stamp = Stamp { clock: self.clock.clone(), at_ms: boottime_ms() };
        let mut known = self.known();
        let mut before = known.seen_ms.remove(key).unwrap_or_default();
        let strangers = state.holders.iter().filter(|it| !stamp.knows(&it.since));
        let strangers = strangers.map(|it| it.sighting());
        let seen_ms: HashMap<Sighting, u64> =
            strangers.map(|it| (it, before.remove(&it).unwrap_or(stamp.at_ms))).collect();
        if !seen_ms.is_empty() {
            known.seen_ms.insert(key.clone(), seen_ms.clone());
        }
        Now { stamp, wall: now(), seen_ms }
    }

    /// A place behind all that wait for the lock.
    pub fn line_up(self: &Arc<Self>, key: &LockKey) -> Queued {
        let mut known = self.known();
        known.last_number += 1;
        let number = known.last_number;
        known.queues.entry(key.clone()).or_default().insert(number);
        Queued { locks: self.clone(), key: key.clone(), number }
    }

    pub fn waiting(&self, key: &LockKey) -> usize {
        self.known().queues.get(key).map_or(0, BTreeSet::len)
    }

    /// Whether nobody waits before this one.
    pub fn is_first(&self, key: &LockKey, number: Option<u64>) -> bool {
        let known = self.known();
        let first = known.queues.get(key).and_then(BTreeSet::first);
        first.is_none_or(|first| Some(*first) == number)
    }

    /// Something happened here that those who wait for a lock may have waited for.
    pub fn stir(&self, key: &LockKey) {
        let mut known = self.known();
        if known.queues.contains_key(key) && known.stirred.insert(key.clone()) {
            self.stirred.notify_all();
        }
    }

    /// Waits for something to happen here, for so long if it is said; tells to which locks.
    pub fn wait(&self, time: Option<Duration>) -> BTreeSet<LockKey> {
        let mut known = self.known();
        if known.stirred.is_empty() {
            known = match time {
                Some(time) => {
                    let waited = self.stirred.wait_timeout(known, time);
                    waited.expect("nobody panics with the lock").0
                }
                None => self.stirred.wait(known).expect("nobody panics with the lock"),
            };
        }
        std::mem::take(&mut known.stirred)
    }
}

impl Queued {
    pub fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Queued {
    fn drop(&mut self) {
        let mut known = self.locks.known();
        let Some(queue) = known.queues.get_mut(&self.key) else { return };
        queue.remove(&self.number);
        if queue.is_empty() {
            known.queues.remove(&self.key);
            return;
        }
        drop(known);
        self.locks.stir(&self.key);
    }
}

impl LockKey {
    pub fn is_remote(&self) -> bool {
        matches!(self.keeper, Keeper::Remote(_))
    }
}

fn local_mark(common_folder: &Path, reference: &str) -> Mark {
    match plain::read(&common_folder.join(reference)) {
        Ok(content) => Mark::Loose(content),
        Err(_) => Mark::Packed(packed(common_folder)),
    }
}

fn packed(common_folder: &Path) -> [u64; 4] {
    fs::metadata(common_folder.join(PACKED)).map_or([0; 4], |it| {
        [it.ino(), it.len(), it.mtime().cast_unsigned(), it.mtime_nsec().cast_unsigned()]
    })
}
