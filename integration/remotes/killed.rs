//! The daemon, its client or its helpers die in the middle of a clone: nothing half done stays.

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use super::{Place, SOON, each_way, sync, with};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, Process, until},
    servers::{
        http::HttpServer,
        inetd::GitDaemon,
        origin::Origin,
        relay::{Kind, Relay},
    },
};

/// A daemon that hangs in the middle of receiving a clone.
struct MidClone {
    daemon: Daemon,
    place: Place,
    relay: Relay,
    url: String,
    children: Vec<Process>,
    origin: Origin,
    _servers: (HttpServer, GitDaemon),
}

impl MidClone {
    fn start(transport: &str, flags: &[&str]) -> MidClone {
        let origin = Origin::large(300_000);
        let http = HttpServer::start(origin.folder());
        let git = GitDaemon::start(origin.folder());
        let relay = Relay::to(if transport == "http" { http.address() } else { git.address() });
        let url = match transport {
            "http" => http.url_at(&relay.address().to_string(), "open/project.git"),
            _ => format!("git://{}/project.git", relay.address()),
        };
        relay.fail_after(100_000, Kind::Stall);
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        daemon.send(with(sync(&url, &place.path()), json!({"id": 1})));
        until("the pack comes", PATIENCE, || relay.received() > 100_000);
        let children = daemon.children();
        assert!(!children.is_empty(), "network work is done by children");
        MidClone { daemon, place, relay, url, children, origin, _servers: (http, git) }
    }

    fn children_are_gone(&self) {
        until("the children are gone", SOON, || {
            self.children.iter().all(|child| !child.is_alive()) && self.daemon.children().is_empty()
        });
    }

    /// Another daemon clones as if nothing had been, and clears up.
    fn another_works(&self, flags: &[&str]) {
        assert!(!self.place.path().exists());
        self.relay.heal();
        let mut daemon = Daemon::start_with(flags);
        let id = daemon.ok(sync(&self.url, &self.place.path()));
        assert_eq!(id, self.origin.tip("main"));
        self.place.is_sound("main", &self.origin.tip("main"));
        assert_eq!(self.place.names(), ["clone"]);
    }
}

#[test]
fn a_killed_daemon_takes_its_children_along_and_the_next_one_clears_up() {
    each_way(|flags| {
        for transport in ["http", "git"] {
            let mut scene = MidClone::start(transport, flags);
            scene.daemon.signal(Signal::KILL);
            scene.daemon.exit();
            scene.children_are_gone();
            scene.another_works(flags);
        }
    });
}

#[test]
fn a_client_that_is_gone_ends_the_daemon_and_its_children_at_once() {
    each_way(|flags| {
        let mut scene = MidClone::start("http", flags);
        scene.daemon.close_output();
        scene.daemon.close_input();
        scene.daemon.exit_within(SOON);
        scene.children_are_gone();
        scene.another_works(flags);
    });
}

#[test]
fn at_the_end_of_the_input_a_hung_clone_is_cancelled_after_the_grace_time() {
    each_way(|flags| {
        let mut scene = MidClone::start("http", &[flags, &["--grace-ms", "300"]].concat());
        scene.daemon.close_input();
        let end = scene.daemon.rest();
        assert!(end.status.success(), "{}", end.status);
        assert_eq!(end.frames.len(), 1, "{:?}", end.frames);
        assert_eq!(end.frames[0]["code"], "cancelled");
        scene.children_are_gone();
        assert!(scene.place.names().is_empty(), "{:?}", scene.place.names());
        scene.another_works(flags);
    });
}

#[test]
fn a_child_that_is_killed_costs_its_request_and_nothing_else() {
    each_way(|flags| {
        let mut scene = MidClone::start("http", flags);
        for child in &scene.children {
            let id = Pid::from_raw(child.id.cast_signed()).unwrap();
            // The first may have taken the others along.
            let _ = kill_process(id, Signal::KILL);
        }
        let reply = scene.daemon.receive();
        assert_eq!(reply["id"], 1);
        assert!(reply["err"].is_string() && reply["code"].is_string(), "{reply}");
        assert_eq!(scene.daemon.ok(json!({"op": "ping"})), "pong");
        scene.place.is_left_with(&[]);
        scene.another_works(flags);
    });
}
