//! The program and all that came of it, seen from the child that started it: whoever loses their
//! parent becomes the child's own, whatever group they are in, so that none is overlooked.

use std::{
    collections::HashSet,
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::{
    Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, kill_process_group,
    set_child_subreaper, waitid, waitpid,
};

/// How long it takes until the killed are gone, unless the system holds them.
const DEATH: Duration = Duration::from_secs(1);
const LOOK: Duration = Duration::from_millis(5);

/// From now on nobody's child is lost.
pub fn adopt() {
    if let Err(error) = set_child_subreaper(Some(getpid())) {
        log::warn!("programs may leave children behind: {error}");
    }
}

/// A program that was started, and not waited for: its number is nobody else's.
#[derive(Debug, Clone, Copy)]
pub struct Leader(pub Pid);

impl Leader {
    /// Asks all of its group to end.
    pub fn ask_to_end(self) {
        let _ = kill_process_group(self.0, Signal::TERM);
    }

    /// Kills all that is left.
    pub fn kill(self) {
        let _ = kill_process_group(self.0, Signal::KILL);
        let until = Instant::now() + DEATH;
        loop {
            let has_ended = self.has_ended();
            let left = self.orphans();
            // Its children are nobody's before it has ended.
            if (left.is_empty() && has_ended) || until < Instant::now() {
                return;
            }
            for orphan in left.into_iter().filter(|it| !bury(*it)) {
                let _ = kill_process(orphan, Signal::KILL);
            }
            thread::park_timeout(LOOK);
        }
    }

    /// Waits until nobody is left, now that the program itself has ended, but not for ever.
    pub fn wait_until_alone(self, until: Instant) {
        loop {
            let left = self.orphans();
            if left.is_empty() || until <= Instant::now() {
                return;
            }
            for orphan in left {
                bury(orphan);
            }
            thread::park_timeout(LOOK);
        }
    }

    /// Whether the program itself has; it stays to be waited for.
    fn has_ended(self) -> bool {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        !matches!(waitid(WaitId::Pid(self.0), look), Ok(None))
    }

    /// Those whose parent ended, and who are not buried. Only when there are none is nobody left:
    /// the children of one who dies after this look are there at the next.
    fn orphans(self) -> Vec<Pid> {
        let mut children = children_of("self");
        children.retain(|it| *it != self.0);
        children
    }
}

/// Buries a child if it is dead; whether it was.
fn bury(child: Pid) -> bool {
    !matches!(waitpid(Some(child), WaitOptions::NOHANG), Ok(None))
}

/// Kills a child that sees to a program and says nothing any more, and before that all that came of
/// the program: since it adopts them and is kept from burying them, none is lost meanwhile.
pub fn kill_with_family(child: Pid) {
    let _ = kill_process(child, Signal::STOP);
    let until = Instant::now() + DEATH;
    let mut dead = HashSet::new();
    loop {
        let mut left = children_of(&child.as_raw_nonzero().to_string());
        // Who is found dead only now may have left children to it after this look.
        left.retain(|it| !dead.contains(it));
        if left.is_empty() || until < Instant::now() {
            break;
        }
        for it in left {
            if !lives(it) {
                dead.insert(it);
            }
            // Also who seems dead, and has threads that live.
            let _ = kill_process(it, Signal::KILL);
        }
        thread::park_timeout(LOOK);
    }
    let _ = kill_process(child, Signal::KILL);
}

/// The children of a process, the dead who are not buried with them.
fn children_of(process: &str) -> Vec<Pid> {
    let mut children = Vec::new();
    let tasks = fs::read_dir(format!("/proc/{process}/task"));
    for task in tasks.into_iter().flatten().flatten() {
        let of_thread = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        let ids = of_thread.split_whitespace();
        children.extend(ids.filter_map(|it| Pid::from_raw(it.parse().ok()?)));
    }
    children
}

/// Whether somebody else's child lives.
fn lives(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
    let stat = stat.unwrap_or_default();
    // Behind its name, in which there may be anything.
    let state = stat.rsplit_once(") ").and_then(|it| it.1.chars().next());
    state.is_some_and(|it| !"ZX".contains(it))
}
