//! Which daemon gave a task to somebody, and whether it still sees to that.

use std::{fs, sync::OnceLock};

use serde::{Deserialize, Serialize};

use crate::git::now_ms;

/// What is written down of a lease, for other daemons on the same repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// The process: the start of its machine, its namespace, its number and when it started there.
    pub by: String,
    pub lease_ms: u64,
}

impl Given {
    pub fn now(lease_ms: u64) -> Given {
        Given { by: myself().to_owned(), lease_ms }
    }

    /// How much is left of a lease of this process, which began at this time; never more than it
    /// was to be, whatever the clock shows.
    pub fn left_ms(&self, at_ms: i64) -> Option<u64> {
        let until_ms = at_ms.saturating_add_unsigned(self.lease_ms);
        let left_ms = until_ms.saturating_sub(now_ms().cast_signed());
        let left_ms = u64::try_from(left_ms).unwrap_or(0).min(self.lease_ms);
        (self.by == myself()).then_some(left_ms)
    }

    /// Whether another daemon sees to this lease, which began at this time. Of one that cannot be
    /// seen from here, only how long the lease was to be is known.
    pub fn is_kept(&self, at_ms: i64) -> bool {
        let mine = myself();
        if self.by == mine {
            return false;
        }
        let (Some((place, process)), Some((here, _))) = (split(&self.by), split(mine)) else {
            return false;
        };
        match place == here {
            true => process.split_once('.').is_some_and(|(id, started)| {
                id.parse().ok().and_then(started_at).as_deref() == Some(started)
            }),
            false => now_ms().cast_signed() < at_ms.saturating_add_unsigned(self.lease_ms),
        }
    }
}

/// A machine with a namespace, and a process there.
fn split(name: &str) -> Option<(&str, &str)> {
    let at = name.match_indices('.').nth(1)?.0;
    Some((&name[..at], &name[at + 1..]))
}

fn myself() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let boot = boot.split('-').next().unwrap_or_default().to_owned();
        let space = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        let space: String = space.to_string_lossy().chars().filter(char::is_ascii_digit).collect();
        let id = std::process::id();
        format!("{boot}.{space}.{id}.{}", started_at(id).unwrap_or_default())
    })
}

/// When a process started, in ticks since the boot; nothing where there is none, or one that has
/// ended and waits for its parent to hear of it.
fn started_at(id: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name of the program may have anything in it.
    let mut rest = stat.rsplit_once(')')?.1.split_whitespace();
    let is_alive = rest.next().is_some_and(|state| !matches!(state, "Z" | "X"));
    rest.nth(18).filter(|_| is_alive).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_kept_by_who_lives_and_elsewhere_for_as_long_as_it_was_to_be() {
        let mine = myself().to_owned();
        let given = |by: &str| Given { by: by.to_owned(), lease_ms: 60_000 };
        let now = now_ms().cast_signed();
        assert!(!given(&mine).is_kept(now), "what it holds itself it knows");
        let (place, process) = split(&mine).unwrap();
        let (id, started) = process.split_once('.').unwrap();
        let parent = rustix::process::getppid().unwrap().as_raw_nonzero().get().cast_unsigned();
        let alive = format!("{place}.{parent}.{}", started_at(parent).unwrap());
        assert!(given(&alive).is_kept(now - 3_600_000), "however long ago");
        assert!(
            !given(&format!("{place}.{parent}.1{started}")).is_kept(now),
            "another one's number"
        );
        assert!(given(&format!("0.1.{id}.{started}")).is_kept(now));
        assert!(!given(&format!("0.1.{id}.{started}")).is_kept(now - 60_001));
        assert!(!given("nonsense").is_kept(now));
    }

    #[test]
    fn what_is_left_of_a_lease_is_never_more_than_it_was() {
        let (now, mine) = (now_ms().cast_signed(), Given::now(60_000));
        assert_eq!(mine.left_ms(now - 60_000), Some(0));
        assert_eq!(mine.left_ms(now + 3_600_000), Some(60_000), "a clock that went back");
        let left = mine.left_ms(now - 30_000).unwrap();
        assert!((1..=30_000).contains(&left), "{left}");
        assert_eq!(Given { by: "another".to_owned(), ..mine }.left_ms(now), None);
    }

    #[test]
    fn a_process_that_has_ended_keeps_nothing_though_nobody_has_heard_of_it() {
        #[expect(clippy::disallowed_methods, reason = "it is no child of the daemon")]
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let status = format!("/proc/{}/stat", child.id());
        while !fs::read_to_string(&status).unwrap().contains(") Z") {
            std::thread::yield_now();
        }
        assert_eq!(started_at(child.id()), None);
        child.wait().unwrap();
    }
}
