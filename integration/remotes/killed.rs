//! The daemon, its client or its helpers die in the middle of a clone or a fetch: nothing half done
//! stays.

use std::path::PathBuf;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{Place, SOON, each_way, sync, with};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, Process, until},
    servers::{
        http::HttpServer,
        inetd::GitDaemon,
        origin::{Origin, noise},
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

/// A daemon that hangs in the middle of a fetch into a clone.
struct MidFetch {
    daemon: Daemon,
    place: Place,
    relay: Relay,
    request: Value,
    origin: Origin,
    _server: GitDaemon,
}

impl MidFetch {
    fn start(depth: u32, flags: &[&str]) -> MidFetch {
        let origin = Origin::new();
        let server = GitDaemon::start(origin.folder());
        let relay = Relay::to(server.address());
        let place = Place::new();
        let url = format!("git://{}/project.git", relay.address());
        let request = with(sync(url, &place.path()), json!({"depth": depth}));
        let mut daemon = Daemon::start_with(flags);
        daemon.ok(request.clone());
        origin.commit_bytes("main", "noise.bin", &noise(300_000, 2));
        relay.fail_after(100_000, Kind::Stall);
        daemon.send(with(request.clone(), json!({"id": 1})));
        until("the pack comes", PATIENCE, || {
            let is_pack = |it: &PathBuf| it.parent().unwrap().ends_with("pack");
            relay.received() > 100_000 && place.half_done().iter().any(is_pack)
        });
        MidFetch { daemon, place, relay, request, origin, _server: server }
    }

    /// Ends it at once, with all it started.
    fn kill(&mut self) {
        let children = self.daemon.children();
        self.daemon.signal(Signal::KILL);
        self.daemon.exit();
        until("the children are gone", SOON, || children.iter().all(|it| !it.is_alive()));
        assert!(!self.place.half_done().is_empty(), "nobody lives who could clear up");
    }

    fn is_mended_by(&self, daemon: &mut Daemon) {
        self.relay.heal();
        assert_eq!(daemon.ok(self.request.clone()), self.origin.tip("main"));
        self.place.is_sound("main", &self.origin.tip("main"));
        assert_eq!(self.place.half_done(), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_daemon_killed_in_a_fetch_does_not_block_the_next_sync() {
    each_way(|flags| {
        for depth in [1, 0] {
            let mut scene = MidFetch::start(depth, flags);
            scene.kill();
            scene.is_mended_by(&mut Daemon::start_with(flags));
        }
    });
}

#[test]
fn daemons_killed_one_after_the_other_do_not_block_the_next_sync() {
    each_way(|flags| {
        let mut scene = MidFetch::start(1, flags);
        scene.kill();
        let left = scene.place.half_done();
        scene.daemon = Daemon::start_with(flags);
        scene.relay.fail_after(100_000, Kind::Stall);
        scene.daemon.send(with(scene.request.clone(), json!({"id": 1})));
        until("the pack comes again", PATIENCE, || {
            let now = scene.place.half_done();
            scene.relay.received() > 100_000 && !now.is_empty() && now != left
        });
        scene.kill();
        scene.is_mended_by(&mut Daemon::start_with(flags));
    });
}

#[test]
fn a_fetch_that_ends_early_is_cleared_away_by_the_living() {
    each_way(|flags| {
        for depth in [1, 0] {
            let mut scene = MidFetch::start(depth, flags);
            scene.daemon.send(json!({"op": "cancel", "request": 1, "id": 2}));
            let replies = scene.daemon.receive_many(2);
            assert!(replies.iter().any(|it| it["code"] == "cancelled"), "{replies:?}");
            until("nothing is left over", SOON * 2, || scene.place.half_done().is_empty());
            let MidFetch { relay, request, origin, daemon, .. } = &mut scene;
            relay.heal();
            assert_eq!(daemon.ok(request.clone()), origin.tip("main"));
        }
    });
}

#[test]
fn what_a_living_daemon_fetches_is_not_swept_away_by_another() {
    each_way(|flags| {
        let mut scene = MidFetch::start(1, flags);
        let before = scene.place.half_done();
        let mut other = Daemon::start_with(flags);
        scene.relay.heal();
        let reply = other.refused("locked", scene.request.clone());
        let path = reply["path"].as_str().unwrap();
        assert!(path.starts_with(scene.place.path().to_str().unwrap()), "{reply}");
        assert!(reply["age_ms"].is_u64() && reply["retry_after_ms"].is_u64(), "{reply}");
        assert_eq!(scene.place.half_done(), before);
        scene.kill();
        scene.is_mended_by(&mut other);
    });
}
