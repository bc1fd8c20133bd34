//! What the machine says about processes: who lives, whose child it is, what it holds in memory.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// How long anything may take before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A process that cannot be mistaken for a later one with the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    pub id: u32,
    parent: u32,
    started: u64,
}

impl Process {
    pub fn is_alive(self) -> bool {
        find(self.id).is_some_and(|found| found.started == self.started)
    }
}

/// Waits until the condition holds, and fails when it does not in time.
pub fn until(what: &str, within: Duration, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + within;
    while !condition() {
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Does one thing again and again while the test runs.
pub fn meanwhile(mut busy: impl FnMut() + Send, test: impl FnOnce()) {
    /// Ends the other thread also when the test fails.
    struct Bell<'a>(&'a AtomicBool);
    impl Drop for Bell<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                busy();
            }
        });
        let _bell = Bell(&done);
        test();
    });
}

/// The living processes that descend from `root`, and those that carry `mark` in their environment:
/// a child whose parent died has another parent, but its environment still.
pub fn family(root: u32, mark: &str) -> Vec<Process> {
    let all = living();
    let mut found: Vec<Process> = all.iter().copied().filter(|one| one.id == root).collect();
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(all.iter().filter(|one| one.parent == parent.id));
        next += 1;
    }
    found.extend(all.iter().filter(|one| carries(one.id, mark)));
    found.sort();
    found.dedup();
    found
}

/// The most memory the process ever held.
pub fn resident_bytes_max(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("the process lives");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a known line");
    line.trim().trim_end_matches("kB").trim().parse::<u64>().unwrap() * 1024
}

/// Waits until the process has used no processor time for a while.
pub fn until_still(id: u32) {
    let mut before = 0;
    let mut same = 0;
    until("the process holds still", PATIENCE, || {
        let now = processor_ticks(id);
        same = if now == before { same + 1 } else { 0 };
        before = now;
        same == 40
    });
}

fn living() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(find).collect()
}

fn find(id: u32) -> Option<Process> {
    let fields = stat(id)?;
    if fields[0] == "Z" || fields[0] == "X" {
        return None;
    }
    Some(Process { id, parent: fields[1].parse().ok()?, started: fields[19].parse().ok()? })
}

fn processor_ticks(id: u32) -> u64 {
    let fields = stat(id).expect("the process lives");
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}

/// The fields after the name, which may have blanks and parentheses in it.
fn stat(id: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

fn carries(id: u32, mark: &str) -> bool {
    let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
    environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
}

/// Exchanges two names as fast as it can while the test runs.
pub fn while_swapping(one: &Path, other: &Path, test: impl FnOnce()) {
    let swap = || renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE).unwrap();
    meanwhile(swap, test);
}
