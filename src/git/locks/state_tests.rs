//! The rules of locks, with the clock in the test's hand.

use proptest::prelude::*;

use super::*;

/// One process that looks at a lock, with a clock of its own and what it saw.
struct Process {
    clock: &'static str,
    at_ms: u64,
    seen_ms: HashMap<Sighting, u64>,
}

impl Process {
    fn new(clock: &'static str, at_ms: u64) -> Process {
        Process { clock, at_ms, seen_ms: HashMap::new() }
    }

    fn now(&mut self, state: &State, wall: i64) -> Now {
        for holder in &state.holders {
            self.seen_ms.entry(holder.sighting()).or_insert(self.at_ms);
        }
        let stamp = Stamp { clock: self.clock.to_owned(), at_ms: self.at_ms };
        Now { stamp, wall, seen_ms: self.seen_ms.clone() }
    }

    fn ask(&mut self, state: &mut State, request: &Request) -> Result<u64, Refusal> {
        let now = self.now(state, 0);
        let decision = decide(state, request, &now)?;
        *state = decision.state;
        Ok(decision.holder.token)
    }

    fn take(&mut self, state: &mut State, ttl_ms: u64) -> Option<u64> {
        self.ask(state, &Request::Take(&wish(false, ttl_ms))).ok()
    }

    fn share(&mut self, state: &mut State, ttl_ms: u64) -> Option<u64> {
        self.ask(state, &Request::Take(&wish(true, ttl_ms))).ok()
    }
}

fn wish(is_shared: bool, ttl_ms: u64) -> Wish {
    Wish { owner: "ada".to_owned(), reason: None, is_shared, ttl_ms, nonce: None }
}

#[test]
fn one_holds_a_lock_until_it_expires_to_the_millisecond() {
    let (mut state, mut it) = (State::default(), Process::new("a", 1000));
    assert_eq!(it.take(&mut state, 50), Some(1));
    it.at_ms = 1049;
    assert_eq!(it.take(&mut state, 50), None);
    it.at_ms = 1050;
    assert_eq!(it.take(&mut state, 50), Some(2));
}

#[test]
fn another_process_of_the_same_boot_knows_when_a_lock_expires() {
    let mut state = State::default();
    Process::new("a", 1000).take(&mut state, 50);
    assert_eq!(Process::new("a", 1049).take(&mut state, 50), None);
    assert_eq!(Process::new("a", 1050).take(&mut state, 50), Some(2));
}

#[test]
fn the_lock_of_another_machine_is_honoured_from_when_it_was_first_seen() {
    for theirs in [0, 5, 1000, u64::MAX / 2] {
        let mut state = State::default();
        Process::new("theirs", theirs).take(&mut state, 50);
        let mut ours = Process::new("ours", 1000);
        assert_eq!(ours.take(&mut state, 50), None, "{theirs}");
        ours.at_ms = 1049;
        assert_eq!(ours.take(&mut state, 50), None, "{theirs}");
        ours.at_ms = 1050;
        assert_eq!(ours.take(&mut state, 50), Some(2), "{theirs}");
    }
}

#[test]
fn a_renewal_is_seen_anew() {
    let mut state = State::default();
    let (mut theirs, mut ours) = (Process::new("theirs", 7), Process::new("ours", 1000));
    theirs.take(&mut state, 50);
    ours.take(&mut state, 50);
    theirs.ask(&mut state, &Request::Renew { token: 1, ttl_ms: 50 }).unwrap();
    ours.at_ms = 1050;
    assert_eq!(ours.take(&mut state, 50), None);
    ours.at_ms = 1100;
    assert_eq!(ours.take(&mut state, 50), Some(2));
}

#[test]
fn a_clock_that_was_set_back_does_not_cut_a_lock_short_or_keep_it_for_ever() {
    let mut state = State::default();
    Process::new("a", 5000).take(&mut state, 50);
    let mut it = Process::new("a", 10);
    assert_eq!(it.take(&mut state, 50), None);
    it.at_ms = 59;
    assert_eq!(it.take(&mut state, 50), None);
    it.at_ms = 60;
    assert_eq!(it.take(&mut state, 50), Some(2));
}

#[test]
fn the_time_of_day_decides_nothing() {
    for wall in [i64::MIN, -1, 0, 1_700_000_000, i64::MAX] {
        let mut state = State::default();
        let mut it = Process::new("a", 1000);
        it.take(&mut state, 50);
        it.at_ms = 1049;
        let now = it.now(&state, wall);
        assert!(decide(&state, &Request::Take(&wish(false, 1)), &now).is_err());
        it.at_ms = 1050;
        let now = it.now(&state, wall);
        assert!(decide(&state, &Request::Take(&wish(false, 1)), &now).is_ok());
    }
}

#[test]
fn readers_share_and_writers_do_not() {
    let (mut state, mut it) = (State::default(), Process::new("a", 0));
    assert_eq!(it.share(&mut state, 50), Some(1));
    assert_eq!(it.share(&mut state, 90), Some(2));
    assert_eq!(it.take(&mut state, 50), None);
    it.at_ms = 50;
    assert_eq!(it.take(&mut state, 50), None);
    it.at_ms = 90;
    assert_eq!(it.take(&mut state, 50), Some(3));
    assert_eq!(it.share(&mut state, 50), None);
}

#[test]
fn so_many_share_a_lock_and_no_more() {
    let (mut state, mut it) = (State::default(), Process::new("a", 0));
    for token in 1..=HOLDERS_MAX as u64 {
        assert_eq!(it.share(&mut state, 50), Some(token));
    }
    assert_eq!(it.share(&mut state, 50), None);
    it.ask(&mut state, &Request::Release { token: 9 }).unwrap();
    assert_eq!(it.share(&mut state, 50), Some(HOLDERS_MAX as u64 + 1));
}

#[test]
fn a_token_that_expired_is_good_for_nothing_though_nobody_took_the_lock() {
    let (mut state, mut it) = (State::default(), Process::new("a", 0));
    it.take(&mut state, 50);
    it.at_ms = 50;
    assert!(it.ask(&mut state, &Request::Renew { token: 1, ttl_ms: 50 }).is_err());
    assert!(it.ask(&mut state, &Request::Release { token: 1 }).is_err());
    let now = it.now(&state, 0);
    assert!(expect_token(&state, 1, &now).is_err());
}

#[derive(Debug, Clone)]
enum Act {
    Take {
        is_shared: bool,
        ttl_ms: u64,
    },
    Renew {
        which: usize,
        ttl_ms: u64,
    },
    Release {
        which: usize,
    },
    Pass {
        ms: u64,
    },
    /// Another process goes on, on this machine or another one.
    Other {
        clock: &'static str,
        at_ms: u64,
    },
}

fn act() -> impl Strategy<Value = Act> {
    let ttl_ms = 1..100u64;
    let clock = prop_oneof![Just("a"), Just("b")];
    prop_oneof![
        (any::<bool>(), ttl_ms.clone())
            .prop_map(|(is_shared, ttl_ms)| Act::Take { is_shared, ttl_ms }),
        (0..8usize, ttl_ms).prop_map(|(which, ttl_ms)| Act::Renew { which, ttl_ms }),
        (0..8usize).prop_map(|which| Act::Release { which }),
        (0..120u64).prop_map(|ms| Act::Pass { ms }),
        (clock, 0..500u64).prop_map(|(clock, at_ms)| Act::Other { clock, at_ms }),
    ]
}

proptest! {
    #[test]
    fn tokens_grow_and_holders_never_exclude_each_other(acts in proptest::collection::vec(act(), 1..60)) {
        let (mut state, mut it) = (State::default(), Process::new("a", 0));
        let (mut tokens, mut lost) = (Vec::new(), Vec::new());
        for act in acts {
            let pick = |which: usize, from: &[u64]| from.get(which % from.len().max(1)).copied();
            match act {
                Act::Take { is_shared, ttl_ms } => {
                    let taken = it.ask(&mut state, &Request::Take(&wish(is_shared, ttl_ms)));
                    if let Ok(token) = taken {
                        prop_assert!(tokens.iter().all(|it| *it < token));
                        tokens.push(token);
                    }
                }
                Act::Renew { which, ttl_ms } => {
                    let token = pick(which, &tokens).unwrap_or(9);
                    let done = it.ask(&mut state, &Request::Renew { token, ttl_ms }).is_ok();
                    prop_assert!(!(done && lost.contains(&token)));
                }
                Act::Release { which } => {
                    let token = pick(which, &tokens).unwrap_or(9);
                    let done = it.ask(&mut state, &Request::Release { token }).is_ok();
                    prop_assert!(!(done && lost.contains(&token)));
                    if done {
                        lost.push(token);
                    }
                }
                Act::Pass { ms } => it.at_ms += ms,
                Act::Other { clock, at_ms } => it = Process::new(clock, at_ms),
            }
            let is_exclusive = state.holders.iter().any(|it| !it.is_shared);
            prop_assert!(!is_exclusive || state.holders.len() == 1);
            lost.extend(tokens.iter().filter(|it| !state.holders.iter().any(|one| one.token == **it)));
        }
    }
}
