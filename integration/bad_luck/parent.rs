//! The death of who started the daemon is its end, also where somebody else has both pipes; but not
//! that of one who only launched it.

use rustix::process::Signal;
use serde_json::json;

use super::AT_ONCE;
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, Process, until},
};

/// Longer than a launcher may live that is not taken for the client.
const SETTLED_MS: u32 = 1200;

/// A shell is the parent; this process is the sibling that has both pipes.
fn start(script: &str) -> Daemon {
    Daemon::started_by(&["sh", "-c", script])
}

fn hold_still(daemon: &mut Daemon) {
    daemon.ok(json!({"op": "fault", "kind": "stall", "ms": SETTLED_MS}));
}

fn is_left_alone(mut daemon: Daemon) {
    hold_still(&mut daemon);
    daemon.ok(json!({"op": "ping"}));
}

#[test]
fn a_parent_that_is_killed_takes_the_daemon_with_it_whoever_has_the_pipes() {
    for busy in [false, true] {
        let mut daemon = start("exec 3<&0; \"$0\" serve --grace-ms 600000 <&3 & wait");
        hold_still(&mut daemon);
        if busy {
            for kind in ["stall", "child_stall"] {
                daemon.send(json!({"op": "fault", "kind": kind, "ms": 600_000, "id": kind}));
            }
            until("a child works", PATIENCE, || daemon.children().len() > 1);
        }
        let family: Vec<Process> = daemon.children();
        assert!(!family.is_empty());
        daemon.signal(Signal::KILL);
        until("no process is left", AT_ONCE, || family.iter().all(|process| !process.is_alive()));
    }
}

#[test]
fn a_launcher_that_leaves_at_once_is_no_parent() {
    let mut daemon = start("exec 3<&0; \"$0\" serve <&3 &");
    daemon.exit();
    is_left_alone(daemon);
}

#[test]
fn a_daemon_under_nohup_outlives_its_parent() {
    let mut daemon = start("trap '' HUP; exec 3<&0; \"$0\" serve <&3 & wait");
    hold_still(&mut daemon);
    daemon.signal(Signal::KILL);
    is_left_alone(daemon);
}

#[test]
fn a_daemon_whose_output_has_a_name_outlives_its_parent() {
    let script = "mkfifo out; cat out & exec 3<&0; \"$0\" serve <&3 >out & wait";
    let mut daemon = start(script);
    hold_still(&mut daemon);
    daemon.signal(Signal::KILL);
    is_left_alone(daemon);
}
