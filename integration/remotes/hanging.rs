//! Remotes that keep a client waiting: a request ends at its deadline or when it is cancelled, at once
//! and without a trace.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{Place, SOON, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, Process, until},
    servers::{
        acceptor::Acceptor,
        hostile::{self, BlackHole},
        http::HttpServer,
        inetd::GitDaemon,
        origin::Origin,
        relay::{Kind, Relay},
        ssh::SshServer,
        ssh_keys::Key,
    },
};

/// A url for each way to keep a client waiting, with the arguments to get there.
struct Hanging {
    /// These hang whatever is asked.
    always: Vec<(String, Value)>,
    /// These show their refs, and hang in the middle of the pack.
    in_pack: Vec<(String, Value)>,
    _acceptors: Vec<Acceptor>,
    _black_hole: BlackHole,
    _relays: Vec<Relay>,
    _servers: (HttpServer, GitDaemon, SshServer, SshServer),
}

impl Hanging {
    fn serve(origin: &Origin) -> Hanging {
        let nothing = json!({});
        let silent = hostile::silent();
        let dripping = hostile::dripping("HTTP/1.1 200 OK\r\nServer: ");
        let dripping_ssh = hostile::dripping("SSH-2.0-");
        let dripping_git = hostile::dripping("0100");
        let black_hole = BlackHole::new();
        let url = |transport: &str, address: SocketAddr| {
            (format!("{transport}://{address}/project.git"), nothing.clone())
        };
        let mut always = vec![
            url("http", dripping.address()),
            url("ssh", dripping_ssh.address()),
            url("git", dripping_git.address()),
        ];
        for transport in ["http", "https", "ssh", "git"] {
            always.push(url(transport, silent.address()));
            always.push(url(transport, black_hole.address()));
        }
        let proxy = json!({"proxy": format!("http://{}", silent.address())});
        always.push(("https://git.invalid/project.git".to_owned(), proxy));

        let key = Key::new();
        let entering = |ssh: &SshServer| json!({"auth": {"key": key.text()}, "known_hosts": ssh.known_hosts()});
        let hanging = SshServer::hanging(&key);
        always.push((hanging.url(&origin.path()), entering(&hanging)));

        let http = HttpServer::start(origin.folder());
        let git = GitDaemon::start(origin.folder());
        let ssh = SshServer::start(&key);
        let mut relays = Vec::new();
        let mut in_pack = Vec::new();
        for kind in [Kind::Stall, Kind::Drip] {
            let mut relay = |target| {
                let relay = Relay::to(target);
                relay.fail_after(100_000, kind);
                let address = relay.address();
                relays.push(relay);
                address
            };
            let address = relay(http.address()).to_string();
            in_pack.push((http.url_at(&address, "open/project.git"), json!({})));
            in_pack.push(url("git", relay(git.address())));
            let address = relay(ssh.address());
            let known_hosts = ssh.known_hosts_at(address);
            let arguments = json!({"auth": {"key": key.text()}, "known_hosts": known_hosts});
            in_pack.push((format!("ssh://git@{address}{}", origin.path().display()), arguments));
        }
        let acceptors = vec![silent, dripping, dripping_ssh, dripping_git];
        let servers = (http, git, ssh, hanging);
        Hanging {
            always,
            in_pack,
            _acceptors: acceptors,
            _black_hole: black_hole,
            _relays: relays,
            _servers: servers,
        }
    }
}

/// Watches until so many processes were seen at work, or until `end`, and tells which they were.
fn children(daemon: &Daemon, requests: usize, end: Instant) -> Vec<Process> {
    let mut seen = Vec::new();
    while seen.len() < requests && Instant::now() < end {
        seen.extend(daemon.children());
        seen.sort();
        seen.dedup();
        std::thread::park_timeout(Duration::from_millis(20));
    }
    assert!(!seen.is_empty(), "network work is done by children");
    seen
}

/// Nobody is left over, neither of `children` nor of any other that the daemon started.
fn are_gone(daemon: &Daemon, children: &[Process]) {
    until("the processes are gone", SOON, || {
        children.iter().all(|child| !child.is_alive()) && daemon.children().is_empty()
    });
}

#[test]
fn whatever_keeps_it_waiting_a_request_ends_at_its_deadline_and_leaves_nothing() {
    let origin = Origin::large(300_000);
    each_way(|flags| {
        let hanging = Hanging::serve(&origin);
        let mut daemon = Daemon::start_with(&[flags, &["--network", "64"]].concat());
        let mut requests = BTreeMap::new();
        let mut places = Vec::new();
        for (url, arguments) in hanging.always.iter().chain(&hanging.in_pack) {
            let place = Place::new();
            let request = sync(url, &place.path());
            requests.insert(requests.len(), with(request, arguments.clone()));
            places.push(place);
        }
        for (url, arguments) in &hanging.always {
            requests.insert(requests.len(), with(lsremote(url), arguments.clone()));
        }
        let timeout = Duration::from_secs(5);
        let mut deadlines = BTreeMap::new();
        for (id, request) in &requests {
            deadlines.insert(*id, Instant::now() + timeout);
            let more = json!({"id": id, "timeout_ms": timeout.as_millis() as u64});
            daemon.send(with(request.clone(), more));
        }
        let children = children(&daemon, requests.len(), deadlines[&0]);
        for _ in &requests {
            let reply = daemon.receive();
            let id = reply["id"].as_u64().unwrap() as usize;
            let asked = &requests[&id];
            assert_eq!(reply["code"], "timeout", "{asked} got {reply}");
            assert_eq!(reply["timeout_ms"], timeout.as_millis() as u64, "{reply}");
            let now = Instant::now();
            assert!(now < deadlines[&id] + SOON, "{asked} took {:?} more", now - deadlines[&id]);
            assert!(now >= deadlines[&id], "{asked} gave up early");
        }
        are_gone(&daemon, &children);
        for place in &places {
            place.is_left_with(&[]);
        }
        assert_eq!(daemon.ok(json!({"op": "ping"})), "pong");
    });
}

#[test]
fn the_daemons_own_limit_ends_a_request_without_a_deadline() {
    let silent = hostile::silent();
    each_way(|flags| {
        let mut daemon = Daemon::start_with(&[flags, &["--network-timeout-ms", "400"]].concat());
        let place = Place::new();
        for request in [
            sync(format!("http://{}/x.git", silent.address()), &place.path()),
            lsremote(format!("git://{}/x.git", silent.address())),
        ] {
            let reply = daemon.refused("timeout", request.clone());
            assert_eq!(reply["timeout_ms"], 400, "{reply}");
            // A client that would wait longer changes nothing.
            let reply = daemon.refused("timeout", with(request, json!({"timeout_ms": 60_000})));
            assert_eq!(reply["timeout_ms"], 400, "{reply}");
        }
        are_gone(&daemon, &[]);
        place.is_left_with(&[]);
    });
}

#[test]
fn a_cancelled_clone_leaves_nothing_and_a_cancelled_fetch_leaves_the_clone() {
    each_way(|flags| {
        let origin = Origin::large(300_000);
        let server = HttpServer::start(origin.folder());
        let relay = Relay::to(server.address());
        let url = server.url_at(&relay.address().to_string(), "open/project.git");
        let (clone, fetch) = (Place::new(), Place::new());
        let mut daemon = Daemon::start_with(flags);
        let before = daemon.ok(sync(&url, &fetch.path()));
        let noise = crate::servers::origin::noise(300_000, 7);
        let after = origin.commit_bytes("main", "more.bin", &noise);
        for (place, names) in [(&clone, &[][..]), (&fetch, &["clone"])] {
            relay.fail_after(100_000, Kind::Stall);
            daemon.send(with(sync(&url, &place.path()), json!({"id": "it"})));
            until("the pack comes", PATIENCE, || relay.received() > 100_000);
            let children = children(&daemon, 1, Instant::now() + PATIENCE);
            daemon.send(json!({"op": "cancel", "id": "end", "request": "it"}));
            let mut replies = daemon.receive_many(2);
            replies.sort_by_key(|reply| reply["id"].as_str().unwrap().to_owned());
            assert_eq!(replies[0], json!({"id": "end", "ok": true}));
            assert_eq!(replies[1]["code"], "cancelled", "{}", replies[1]);
            are_gone(&daemon, &children);
            place.is_left_with(names);
        }
        fetch.is_sound("main", before.as_str().unwrap());
        relay.heal();
        for place in [&clone, &fetch] {
            assert_eq!(daemon.ok(sync(&url, &place.path())), after);
            place.is_sound("main", &after);
            assert_eq!(place.names(), ["clone"]);
        }
    });
}

#[test]
fn eight_hung_clones_keep_nobody_from_a_ping_or_a_reading() {
    let origin = Origin::new();
    let silent = hostile::silent();
    each_way(|flags| {
        let mut daemon = Daemon::start_with(&[flags, &["--network", "8"]].concat());
        let there = Place::new();
        daemon.ok(sync(origin.path().display(), &there.path()));
        let places: Vec<_> = (0..8).map(|_| Place::new()).collect();
        for (id, place) in places.iter().enumerate() {
            let url = format!("http://{}/x.git", silent.address());
            daemon.send(with(sync(url, &place.path()), json!({"id": id})));
        }
        let children = children(&daemon, 8, Instant::now() + PATIENCE);
        for _ in 0..100 {
            assert_eq!(daemon.call(json!({"op": "ping", "id": "ping"}))["ok"], "pong");
        }
        daemon.ok(json!({"op": "head", "path": there.path()}));
        let read = json!({"op": "read", "path": there.path(), "file": "readme.txt"});
        assert_eq!(daemon.ok(read), "NQo=");
        for id in 0..8 {
            let mut codes = Vec::new();
            daemon.send(json!({"op": "cancel", "request": id}));
            for reply in daemon.receive_many(2) {
                codes.push(reply.get("code").cloned());
            }
            assert!(codes.contains(&Some(json!("cancelled"))), "{codes:?}");
        }
        are_gone(&daemon, &children);
    });
}

#[test]
fn a_hung_submodule_ends_at_the_deadline_too() {
    let origin = Origin::new();
    let silent = hostile::silent();
    let id = origin.tip("side");
    let url = format!("http://{}/x.git", silent.address());
    crate::servers::origin::commit_submodule(&origin.path(), "main", "module", &url, &id);
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let request = sync(server.url("open/project.git"), &place.path());
        let more = json!({"submodules": true, "timeout_ms": 2000});
        daemon.refused("timeout", with(request, more));
        are_gone(&daemon, &[]);
        place.is_left_with(&[]);
    });
}
