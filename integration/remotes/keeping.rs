//! Locks that a remote keeps: daemons that share nothing but a Git server exclude each other.

use std::{
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    BUILT_IN, Place, STOCK_GIT,
    cloning::Everywhere,
    each_way,
    pushing::{at, clone, is_local},
    with,
};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    servers::{http::HttpServer, origin::Origin, output},
};

/// Where the lock `a` is on the remote.
pub const REFERENCE: &str = "refs/gitvan/locks/a";

/// A machine of its own: a clone and a daemon.
pub struct Machine {
    pub place: Place,
    pub url: String,
    pub daemon: Daemon,
}

impl Machine {
    pub fn new(origin: &Origin, url: &str, flags: &[&str]) -> Machine {
        Machine { place: clone(origin), url: url.to_owned(), daemon: Daemon::start_with(flags) }
    }

    pub fn ask(&self, op: &str, arguments: Value) -> Value {
        let request = json!({"op": op, "path": self.place.path(), "url": self.url, "name": "a"});
        with(request, arguments)
    }

    pub fn lock(&mut self, arguments: Value) -> Value {
        let request = self.ask("lock", with(json!({"owner": "ada"}), arguments));
        self.daemon.call(request)
    }

    /// Takes the lock `a`; its token.
    pub fn take(&mut self, arguments: Value) -> u64 {
        let reply = self.lock(arguments);
        reply["ok"]["token"].as_u64().unwrap_or_else(|| panic!("{reply}"))
    }

    fn is_locked(&mut self, holder: &str) -> Value {
        let reply = self.lock(json!({}));
        assert_eq!(
            (&reply["code"], &reply["holder"]),
            (&json!("locked"), &json!(holder)),
            "{reply}"
        );
        reply
    }

    pub fn unlock(&mut self, token: u64) -> Value {
        let request = self.ask("unlock", json!({"token": token}));
        self.daemon.call(request)
    }

    pub fn held(&mut self) -> Value {
        let request = json!({"op": "locks", "path": self.place.path(), "url": self.url});
        self.daemon.ok(request)["locks"].clone()
    }
}

pub struct Scene {
    pub origin: Origin,
    pub url: String,
    _server: HttpServer,
}

impl Scene {
    pub fn new() -> Scene {
        let origin = Origin::new().accepting();
        let server = HttpServer::start(origin.folder());
        Scene { url: server.url("open/project.git"), origin, _server: server }
    }

    pub fn machine(&self) -> Machine {
        Machine::new(&self.origin, &self.url, STOCK_GIT)
    }
}

#[test]
fn every_transport_takes_renews_lists_and_lets_go() {
    let origin = Origin::new().accepting();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        for (number, (url, arguments)) in everywhere.remotes.iter().enumerate() {
            let name = format!("{number} {}", flags[1]);
            let [mut one, mut other] = [(); 2].map(|()| Machine::new(&origin, url, flags));
            let more = with(json!({"name": name}), arguments.clone());
            let taking = |owner: &str| with(json!({"owner": owner, "reason": "r"}), more.clone());
            let taken = one.lock(taking("ada"));
            if is_local(url) && flags == BUILT_IN {
                assert_eq!(
                    (&taken["code"], &taken["feature"]),
                    (&json!("unsupported"), &json!("push to a path"))
                );
                continue;
            }
            assert_eq!(taken["ok"]["token"], 1, "{url}: {taken}");
            let refused = other.lock(taking("bob"));
            assert_eq!(
                (&refused["code"], &refused["holder"]),
                (&json!("locked"), &json!("ada")),
                "{url}: {refused}"
            );
            assert_eq!((&refused["token"], &refused["reason"]), (&json!(1), &json!("r")));
            let renewing = with(more.clone(), json!({"token": 1, "ttl_ms": 60_000}));
            let renewed = one.daemon.ok(one.ask("renew", renewing.clone()));
            assert!(renewed["expires_in_ms"].as_u64().unwrap() > 30_000, "{renewed}");
            // The token says who may, not the daemon.
            other.daemon.ok(other.ask("renew", renewing));
            let mut listing = with(other.ask("locks", arguments.clone()), json!({"prefix": name}));
            listing.as_object_mut().unwrap().remove("name");
            let held = other.daemon.ok(listing)["locks"].clone();
            assert_eq!(held[0]["name"], json!(name), "{held}");
            assert_eq!(held[0]["holders"][0]["renewals"], 2, "{held}");
            let ending = with(more.clone(), json!({"token": 1}));
            one.daemon.ok(one.ask("unlock", ending.clone()));
            one.daemon.refused("conflict", one.ask("unlock", ending));
            assert_eq!(other.lock(taking("bob"))["ok"]["token"], 2);
        }
    });
    output(origin.git().args(["fsck", "--strict", "--no-progress"]));
}

/// Who commits on another machine.
const EVE: [&str; 4] = ["-c", "user.name=Eve", "-c", "user.email=eve@example.org"];

/// Has a lock taken on another machine, whose clock says nothing here.
fn foreign(origin: &Origin, token: u64, ttl_ms: u64) {
    let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    output(origin.git().args(["mktree"]).stdin(std::process::Stdio::null()));
    let message = format!(
        "Lock a: taken by eve\n\nFormat: 1\nLock: a\nLast-Token: {token}\nHistory: 1\n\
         Holder: {token}\nMode: exclusive\nOwner: eve\nTtl-Ms: {ttl_ms}\nRenewals: 0\n\
         Taken: 1\nClock: another machine\nSince-Ms: 5\n"
    );
    let id = output(origin.git().args(EVE).args(["commit-tree", tree, "-m", &message]));
    output(origin.git().args(["update-ref", REFERENCE, &id]));
}

#[test]
fn of_many_daemons_exactly_one_gets_it_each_time() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    let mut machines: Vec<_> =
        (0..8).map(|it| Machine::new(&origin, &url, [BUILT_IN, STOCK_GIT][it % 2])).collect();
    for round in 1..=5 {
        let replies = at_once(&mut machines, |it| it.lock(json!({})));
        let won: Vec<usize> = (0..8).filter(|it| replies[*it].get("ok").is_some()).collect();
        assert_eq!(won.len(), 1, "{replies:?}");
        assert_eq!(replies[won[0]]["ok"]["token"], round);
        let lost = replies.iter().filter(|it| it.get("ok").is_none());
        lost.for_each(|it| assert_eq!(it["code"], "locked", "{it}"));
        let released = machines[won[0]].unlock(round);
        assert_eq!(released["ok"]["token"], round, "{released}");
    }
}

#[test]
fn those_that_wait_get_it_one_after_the_other() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    let mut machines: Vec<_> = (0..5).map(|_| Machine::new(&origin, &url, STOCK_GIT)).collect();
    let inside = std::sync::Mutex::new(Vec::new());
    at_once(&mut machines, |it| {
        for _ in 0..2 {
            let token = it.take(json!({"wait_ms": 120_000}));
            let mut tokens = inside.try_lock().expect("only one is here");
            assert!(tokens.last().is_none_or(|last| *last < token), "{tokens:?}, then {token}");
            tokens.push(token);
            drop(tokens);
            let released = it.unlock(token);
            assert!(released.get("ok").is_some(), "{released}");
        }
        Value::Null
    });
    assert_eq!(inside.into_inner().unwrap(), (1..=10).collect::<Vec<u64>>());
}

#[test]
fn all_that_would_share_it_do_however_much_they_meet() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    let mut machines: Vec<_> = (0..6).map(|_| Machine::new(&origin, &url, BUILT_IN)).collect();
    let replies = at_once(&mut machines, |it| it.lock(json!({"shared": true})));
    let mut tokens: Vec<_> = replies.iter().filter_map(|it| it["ok"]["token"].as_u64()).collect();
    tokens.sort_unstable();
    assert_eq!(tokens, [1, 2, 3, 4, 5, 6], "{replies:?}");
    assert_eq!(machines[0].held()[0]["holders"].as_array().unwrap().len(), 6);
    let renewed = at_once(&mut machines, |it| {
        let mine = it.held()[0]["holders"][0]["token"].clone();
        let request = it.ask("renew", json!({"token": mine, "ttl_ms": 60_000}));
        it.daemon.call(request)
    });
    renewed.iter().for_each(|it| assert!(it.get("ok").is_some(), "{it}"));
    let refused = machines[0].lock(json!({}));
    assert_eq!(refused["code"], "locked", "{refused}");
}

/// Has all of them do something at the same time.
pub fn at_once(machines: &mut [Machine], act: impl Fn(&mut Machine) -> Value + Sync) -> Vec<Value> {
    let act = &act;
    thread::scope(|scope| {
        let acting: Vec<_> = machines.iter_mut().map(|it| scope.spawn(move || act(it))).collect();
        acting.into_iter().map(|it| it.join().unwrap()).collect()
    })
}

#[test]
fn who_waits_in_one_daemon_is_served_in_the_order_of_coming() {
    let scene = Scene::new();
    let (mut holder, mut waiting) = (scene.machine(), scene.machine());
    let token = holder.take(json!({}));
    for number in 0..3 {
        let more = json!({"owner": format!("{number}"), "wait_ms": 60_000, "id": number});
        waiting.daemon.send(waiting.ask("lock", more));
        until("it waits", PATIENCE, || holder_sees(&mut waiting) == number + 1);
    }
    // Whoever does not wait is not let in before them.
    assert_eq!(waiting.lock(json!({}))["code"], "locked");
    holder.unlock(token);
    for number in 0..3 {
        let reply = waiting.daemon.receive();
        assert_eq!((&reply["id"], &reply["ok"]["token"]), (&json!(number), &json!(number + 2)));
        waiting.unlock(number + 2);
    }
}

/// How many wait for the lock in this daemon.
fn holder_sees(machine: &mut Machine) -> u64 {
    machine.held()[0]["waiting"].as_u64().unwrap()
}

#[test]
fn who_waits_holds_up_nobody_and_can_be_called_off() {
    let scene = Scene::new();
    let mut holder = scene.machine();
    let mut waiting = Machine::new(&scene.origin, &scene.url, &["--network", "2"]);
    holder.take(json!({"ttl_ms": 600_000}));
    for number in 0..20 {
        let more = json!({"owner": "ada", "wait_ms": 600_000, "id": format!("w{number}")});
        waiting.daemon.send(waiting.ask("lock", more));
    }
    until("they wait", PATIENCE, || holder_sees(&mut waiting) == 20);
    let late = waiting.lock(json!({"wait_ms": 600_000, "timeout_ms": 300}));
    assert_eq!(late["code"], "timeout", "{late}");
    let short = waiting.lock(json!({"wait_ms": 300}));
    assert_eq!((&short["code"], &short["holder"]), (&json!("locked"), &json!("ada")), "{short}");
    waiting.daemon.send(json!({"op": "cancel", "request": "w3", "id": "c"}));
    let replies = waiting.daemon.receive_many(2);
    let of = |id: &str| replies.iter().find(|it| it["id"] == *id).unwrap();
    assert_eq!((&of("w3")["code"], &of("c")["ok"]), (&json!("cancelled"), &json!(true)));
    until("it is gone", PATIENCE, || holder_sees(&mut waiting) == 19);
    waiting.daemon.send(json!({"op": "shutdown", "grace_ms": 100, "id": "s"}));
    let last = waiting.daemon.receive_many(20).pop().unwrap();
    assert_eq!(last["ok"], json!({"finished": 0, "cancelled": 19}), "{last}");
}

#[test]
fn the_lock_of_a_killed_daemon_is_over_when_its_time_is() {
    let scene = Scene::new();
    let (mut dead, mut other) = (scene.machine(), scene.machine());
    let taken = Instant::now();
    dead.take(json!({"ttl_ms": 4000}));
    dead.daemon.signal(Signal::KILL);
    other.is_locked("ada");
    assert_eq!(other.take(json!({"wait_ms": 60_000})), 2);
    assert!(Duration::from_millis(4000) <= taken.elapsed());
    let mut again = scene.machine();
    for op in [json!({"op": "renew", "ttl_ms": 9}), json!({"op": "unlock"})] {
        let refused =
            again.daemon.refused("conflict", again.ask("", with(json!({"token": 1}), op)));
        assert_eq!(
            (&refused["expected"], &refused["actual"]),
            (&json!("token 1"), &json!("token 2 of ada"))
        );
    }
}

#[test]
fn the_lock_of_another_machine_counts_from_when_it_was_first_seen() {
    let scene = Scene::new();
    let mut machine = scene.machine();
    foreign(&scene.origin, 7, 1500);
    thread::sleep(Duration::from_millis(1600));
    // However long it has been there.
    let refused = machine.is_locked("eve");
    assert!(refused["expires_in_ms"].as_u64().unwrap() > 1000, "{refused}");
    thread::sleep(Duration::from_millis(1600));
    assert_eq!(machine.take(json!({})), 8);
    foreign(&scene.origin, 9, 700);
    assert_eq!(machine.take(json!({"wait_ms": 60_000})), 10);
    foreign(&scene.origin, 11, 60_000);
    let refused = machine.unlock(10);
    assert_eq!(
        (&refused["code"], &refused["actual"]),
        (&json!("conflict"), &json!("token 11 of eve"))
    );
}

#[test]
fn nothing_of_it_is_written_here_and_stock_git_shows_it_there() {
    let scene = Scene::new();
    let mut machine = scene.machine();
    let before = machine.place.git(&["count-objects", "-v"]);
    for token in 1..=60 {
        assert_eq!(machine.take(json!({})), token);
        machine.unlock(token);
    }
    let local = json!({"op": "lock", "path": machine.place.path(), "name": "a", "owner": "ada"});
    assert_eq!(machine.place.git(&["count-objects", "-v"]), before);
    assert_eq!(machine.place.git(&["for-each-ref", "refs/gitvan"]), "");
    assert_eq!(machine.daemon.ok(local)["token"], 1, "it is another lock");
    assert_eq!(machine.take(json!({"remote": "origin", "url": null})), 61);
    let listed = machine.place.git(&["ls-remote", &scene.url, "refs/gitvan/*"]);
    assert_eq!(listed, format!("{}\t{REFERENCE}", at(&scene.origin, REFERENCE).as_str().unwrap()));
    let log = output(scene.origin.git().args(["log", "--format=%s", REFERENCE]));
    assert_eq!(
        log.lines().take(2).collect::<Vec<_>>(),
        ["Lock a: taken by ada", "Lock a: released by ada"]
    );
    assert_eq!(log.lines().count(), 21);
    output(scene.origin.git().args(["fsck", "--strict", "--no-progress"]));
    let held = machine.held();
    let expected = json!([["a", 0, 61, "ada"]]);
    let told = held.as_array().unwrap().iter().map(|it| {
        let holder = &it["holders"][0];
        json!([it["name"], it["waiting"], holder["token"], holder["owner"]])
    });
    assert_eq!(Value::Array(told.collect()), expected);
}
