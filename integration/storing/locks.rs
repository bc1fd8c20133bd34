//! Locks of clients: one has it, the next one in the queue gets it, and a lost one is lost.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::Repository,
};

/// A day: a lock that does not expire while a test runs.
const LONG_MS: u64 = 86_400_000;

struct Scene {
    repository: Repository,
    daemon: Daemon,
}

impl Scene {
    fn new() -> Scene {
        Scene { repository: Repository::init(&["--bare"]), daemon: Daemon::start() }
    }

    fn another(&self) -> Daemon {
        Daemon::start()
    }

    fn ask(&self, op: &str, arguments: Value) -> Value {
        ask(&self.repository, op, arguments)
    }

    /// Takes the lock `a` for long; its token.
    fn take(&mut self) -> u64 {
        let request = self.ask("lock", json!({"owner": "ada", "ttl_ms": LONG_MS}));
        self.daemon.ok(request)["token"].as_u64().unwrap()
    }

    fn unlock(&mut self, token: u64) {
        let request = self.ask("unlock", json!({"token": token}));
        self.daemon.ok(request);
    }

    fn held(&mut self) -> Vec<Value> {
        let request = json!({"op": "locks", "path": self.repository.path()});
        self.daemon.ok(request)["locks"].as_array().unwrap().clone()
    }

    /// Waits until so many wait here for the lock `a`, which is held.
    fn until_waiting(&mut self, count: u64) {
        until("they wait", PATIENCE, || self.held()[0]["waiting"] == count);
    }
}

/// A request about the lock `a`.
fn ask(repository: &Repository, op: &str, arguments: Value) -> Value {
    let mut request = json!({"op": op, "path": repository.path(), "name": "a"});
    let map = request.as_object_mut().unwrap();
    map.extend(arguments.as_object().unwrap().clone());
    request
}

fn commit(repository: &Repository, file: &str, fence: Value) -> Value {
    json!({
        "op": "commit", "path": repository.path(), "branch": "main", "message": "m\n",
        "changes": [{"file": file, "content": "x"}],
        "encoding": "utf8", "fence": fence,
    })
}

/// The frames that come, by the ids of the requests they answer, in their order.
fn ids(frames: &[Value]) -> Vec<String> {
    frames.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

fn is_stopped(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().flatten();
    let mut states = threads.map(|it| fs::read_to_string(it.path().join("stat")).unwrap());
    states.all(|it| it.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T')))
}

#[test]
fn one_has_a_lock_and_the_others_hear_who() {
    let mut scene = Scene::new();
    let lock = json!({"owner": "ada", "reason": "a release", "ttl_ms": 60_000});
    let lock = scene.ask("lock", lock);
    let lease = scene.daemon.ok(lock);
    assert_eq!((&lease["name"], &lease["token"]), (&json!("a"), &json!(1)));
    assert_eq!((&lease["owner"], &lease["shared"]), (&json!("ada"), &json!(false)));
    assert_eq!(lease["expires_in_ms"], 60_000);
    for mut daemon in [scene.another(), scene.another()] {
        let refused = daemon.refused("locked", scene.ask("lock", json!({"owner": "bob"})));
        assert_eq!((&refused["holder"], &refused["reason"]), (&json!("ada"), &json!("a release")));
        assert!(refused["expires_in_ms"].as_u64().unwrap() <= 60_000, "{refused}");
        assert!(refused["retry_after_ms"].is_u64(), "{refused}");
    }
    scene.unlock(1);
    let mut other = scene.another();
    assert_eq!(other.ok(scene.ask("lock", json!({"owner": "bob"})))["token"], 2);
}

#[test]
fn tokens_grow_over_unlocks_expiries_and_restarts() {
    let mut scene = Scene::new();
    for token in 1..=3 {
        assert_eq!(scene.take(), token);
        scene.unlock(token);
    }
    let short = scene.ask("lock", json!({"owner": "ada", "ttl_ms": 1}));
    assert_eq!(scene.daemon.ok(short)["token"], 4);
    let wait = scene.ask("lock", json!({"owner": "ada", "ttl_ms": 1, "wait_ms": 60_000}));
    assert_eq!(scene.daemon.ok(wait.clone())["token"], 5);
    scene.daemon.signal(Signal::KILL);
    scene.daemon = scene.another();
    assert_eq!(scene.daemon.ok(wait)["token"], 6);
    scene.repository.git(&["pack-refs", "--all"]);
    scene.repository.git(&["gc", "-q", "--prune=now"]);
    let wait = scene.ask("lock", json!({"owner": "ada", "wait_ms": 60_000}));
    assert_eq!(scene.daemon.ok(wait)["token"], 7);
    scene.repository.git(&["fsck", "--strict"]);
}

#[test]
fn the_history_of_a_lock_is_a_log_in_words_that_does_not_grow_for_ever() {
    let mut scene = Scene::new();
    for token in 1..=60 {
        assert_eq!(scene.take(), token);
        scene.unlock(token);
    }
    let reference = "refs/gitvan/locks/a";
    let log = scene.repository.git(&["log", "--format=%s", reference]);
    assert_eq!(log.lines().next(), Some("Lock a: released by ada"));
    assert_eq!(log.lines().nth(1), Some("Lock a: taken by ada"));
    assert_eq!(log.lines().count(), 20);
    let format = "--format=%(trailers:key=Last-Token,valueonly)";
    assert_eq!(scene.repository.git(&["log", "-1", format, reference]).trim(), "60");
    assert_eq!(scene.repository.git(&["ls-tree", reference]), "");
}

#[test]
fn whoever_comes_first_is_served_first() {
    let mut scene = Scene::new();
    let token = scene.take();
    let names: Vec<String> = (0..20).map(|it| format!("{it}")).collect();
    for (count, name) in (1..).zip(&names) {
        let wait = json!({"id": name, "owner": name, "wait_ms": LONG_MS, "ttl_ms": LONG_MS});
        let wait = scene.ask("lock", wait);
        scene.daemon.send(wait);
        scene.until_waiting(count);
    }
    let barging = scene.ask("lock", json!({"owner": "eve"}));
    scene.daemon.refused("locked", barging);
    scene.unlock(token);
    for (token, name) in (2..).zip(&names) {
        let reply = scene.daemon.receive();
        assert_eq!((&reply["id"], &reply["ok"]["token"]), (&json!(name), &json!(token)));
        scene.unlock(token);
    }
}

#[test]
fn a_thousand_that_wait_hold_up_nobody() {
    let mut scene = Scene { daemon: Daemon::start_with(&["--workers", "1"]), ..Scene::new() };
    let token = scene.take();
    for number in 0..1000 {
        let id = format!("{number}");
        let wait = json!({"id": id, "owner": id, "wait_ms": LONG_MS, "ttl_ms": LONG_MS});
        scene.daemon.send(scene.ask("lock", wait));
    }
    scene.until_waiting(1000);
    let free = commit(&scene.repository, "file", Value::Null);
    scene.daemon.ok(free);
    let other = scene.ask("lock", json!({"name": "b", "owner": "bob"}));
    scene.daemon.ok(other);
    scene.unlock(token);
    for number in 0..50 {
        assert_eq!(scene.daemon.receive()["ok"]["owner"], format!("{number}"));
        scene.unlock(number + 2);
    }
}

#[test]
fn readers_share_a_lock_and_a_writer_that_waits_comes_before_later_readers() {
    let mut scene = Scene::new();
    let share = |scene: &Scene, id: &str, wait_ms: u64| {
        let ttl_ms = LONG_MS;
        scene.ask(
            "lock",
            json!({"id": id, "owner": id, "shared": true, "wait_ms": wait_ms, "ttl_ms": ttl_ms}),
        )
    };
    for id in ["one", "two"] {
        let request = share(&scene, id, 0);
        assert_eq!(scene.daemon.ok(request)["shared"], true);
    }
    let writer = json!({"id": "writer", "owner": "writer", "wait_ms": LONG_MS, "ttl_ms": LONG_MS});
    let writer = scene.ask("lock", writer);
    scene.daemon.send(writer);
    scene.until_waiting(1);
    let impatient = share(&scene, "impatient", 0);
    scene.daemon.refused("locked", impatient);
    for (count, id) in [(2, "three"), (3, "four")] {
        let request = share(&scene, id, LONG_MS);
        scene.daemon.send(request);
        scene.until_waiting(count);
    }
    scene.unlock(1);
    assert_eq!(scene.held()[0]["holders"].as_array().unwrap().len(), 1);
    let last = scene.ask("unlock", json!({"id": "last", "token": 2}));
    scene.daemon.send(last);
    let mut both = ids(&scene.daemon.receive_many(2));
    both.sort();
    assert_eq!(both, ["last", "writer"]);
    let last = scene.ask("unlock", json!({"id": "last", "token": 3}));
    scene.daemon.send(last);
    let mut three = ids(&scene.daemon.receive_many(3));
    three.sort();
    assert_eq!(three, ["four", "last", "three"]);
    let held = scene.held();
    assert_eq!(
        (&held[0]["shared"], held[0]["holders"].as_array().unwrap().len()),
        (&json!(true), 2)
    );
}

#[test]
fn a_wait_ends_when_its_time_is_over_with_the_name_of_the_holder() {
    let mut scene = Scene::new();
    scene.take();
    let began = Instant::now();
    let wait = scene.ask("lock", json!({"owner": "bob", "wait_ms": 100}));
    let refused = scene.daemon.refused("locked", wait);
    assert_eq!(refused["holder"], "ada");
    assert!(Duration::from_millis(100) <= began.elapsed());
    until("it has left", PATIENCE, || scene.held()[0]["waiting"] == 0);
}

#[test]
fn one_that_is_cancelled_or_late_leaves_the_queue() {
    let mut scene = Scene::new();
    let token = scene.take();
    let wait = |scene: &Scene, id: &str, timeout_ms: Option<u64>| {
        let more = json!({"timeout_ms": timeout_ms, "wait_ms": LONG_MS, "ttl_ms": LONG_MS});
        let mut request = scene.ask("lock", json!({"id": id, "owner": id}));
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        request
    };
    for (count, (id, timeout_ms)) in
        [("late", Some(300)), ("cancelled", None), ("patient", None)].into_iter().enumerate()
    {
        let request = wait(&scene, id, timeout_ms);
        scene.daemon.send(request);
        until("they wait", PATIENCE, || scene.held()[0]["waiting"] == count as u64 + 1);
    }
    scene.daemon.send(json!({"op": "cancel", "id": "cancel", "request": "cancelled"}));
    let mut replies = scene.daemon.receive_many(3);
    replies.sort_by_key(|it| it["id"].as_str().unwrap().to_owned());
    assert_eq!(ids(&replies), ["cancel", "cancelled", "late"]);
    assert_eq!(
        (&replies[1]["code"], &replies[2]["code"]),
        (&json!("cancelled"), &json!("timeout"))
    );
    // Who is answered leaves its place a moment later.
    until("they have left", PATIENCE, || scene.held()[0]["waiting"] == 1);
    let unlock = scene.ask("unlock", json!({"id": "unlock", "token": token}));
    scene.daemon.send(unlock);
    let mut both = ids(&scene.daemon.receive_many(2));
    both.sort();
    assert_eq!(both, ["patient", "unlock"]);
}

#[test]
fn those_who_wait_in_another_daemon_get_the_lock_too() {
    let mut scene = Scene::new();
    let mut other = scene.another();
    let token = scene.take();
    let wait = json!({"id": "other", "owner": "bob", "wait_ms": LONG_MS, "ttl_ms": 200});
    other.send(scene.ask("lock", wait));
    let waiting = json!({"op": "locks", "path": scene.repository.path()});
    until("it waits", PATIENCE, || other.ok(waiting.clone())["locks"][0]["waiting"] == 1);
    scene.unlock(token);
    assert_eq!(other.receive()["ok"]["token"], token + 1);
    other.signal(Signal::KILL);
    let wait = scene.ask("lock", json!({"owner": "ada", "wait_ms": LONG_MS}));
    assert_eq!(scene.daemon.ok(wait)["token"], token + 2);
}

#[test]
fn the_end_of_the_daemon_answers_those_who_wait() {
    let mut scene = Scene { daemon: Daemon::start_with(&["--grace-ms", "100"]), ..Scene::new() };
    scene.take();
    let wait = scene.ask("lock", json!({"id": "w", "owner": "bob", "wait_ms": LONG_MS}));
    scene.daemon.send(wait);
    scene.until_waiting(1);
    let end = scene.daemon.end();
    assert!(end.status.success());
    assert_eq!(end.frames[0]["code"], "cancelled");
}

#[test]
fn a_lock_that_expired_is_anybodys_and_its_token_is_refused_for_ever() {
    let mut scene = Scene::new();
    let lock = scene.ask("lock", json!({"owner": "ada", "ttl_ms": 1}));
    scene.daemon.ok(lock);
    until("it expires", PATIENCE, || scene.held().is_empty());
    let fence = json!({"lock": "a", "token": 1});
    let late = [
        scene.ask("renew", json!({"token": 1, "ttl_ms": 1000})),
        scene.ask("unlock", json!({"token": 1})),
        commit(&scene.repository, "file", fence),
    ];
    for request in &late {
        let refused = scene.daemon.refused("conflict", request.clone());
        assert_eq!(refused["expected"], "token 1");
        assert_eq!(refused["actual"], "token 1, which expired");
    }
    assert_eq!(scene.take(), 2);
    for request in &late {
        let refused = scene.daemon.refused("conflict", request.clone());
        assert_eq!(refused["actual"], "token 2 of ada");
    }
    scene.unlock(2);
    for request in &late {
        let refused = scene.daemon.refused("conflict", request.clone());
        assert_eq!(refused["actual"], "nobody, and the last token was 2");
    }
    assert!(scene.repository.git(&["for-each-ref", "refs/heads"]).is_empty());
}

#[test]
fn a_lock_that_nobody_ever_held_is_told_so() {
    let mut scene = Scene::new();
    let request = scene.ask("unlock", json!({"token": 7}));
    let refused = scene.daemon.refused("conflict", request);
    assert_eq!(refused["expected"], "token 7");
    assert_eq!(refused["actual"], "nobody, and nobody ever did");
}

#[test]
fn whoever_renews_keeps_the_lock() {
    let mut scene = Scene::new();
    let lock = scene.ask("lock", json!({"owner": "ada", "ttl_ms": 60_000}));
    scene.daemon.ok(lock);
    let renew = scene.ask("renew", json!({"token": 1, "ttl_ms": LONG_MS}));
    let renewed = scene.daemon.ok(renew);
    assert_eq!((&renewed["token"], &renewed["expires_in_ms"]), (&json!(1), &json!(LONG_MS)));
    assert_eq!(scene.held()[0]["holders"][0]["renewals"], 1);
    let other = scene.another().refused("locked", scene.ask("lock", json!({"owner": "bob"})));
    assert!(60_000 < other["expires_in_ms"].as_u64().unwrap(), "{other}");
}

#[test]
fn what_is_not_held_by_this_token_is_not_let_go() {
    let mut scene = Scene::new();
    let request = scene.ask("unlock", json!({"token": 1}));
    scene.daemon.refused("conflict", request);
    let token = scene.take();
    for wrong in [0, token + 1] {
        let request = scene.ask("unlock", json!({"token": wrong}));
        scene.daemon.refused("conflict", request);
    }
    scene.unlock(token);
    let again = scene.ask("unlock", json!({"token": token}));
    scene.daemon.refused("conflict", again);
}

#[test]
fn a_change_is_made_only_under_the_lock_it_names() {
    let mut scene = Scene::new();
    let token = scene.take();
    let good = commit(&scene.repository, "one", json!({"lock": "a", "token": token}));
    scene.daemon.ok(good);
    for fence in [json!({"lock": "a", "token": 7}), json!({"lock": "b", "token": token})] {
        scene.daemon.refused("conflict", commit(&scene.repository, "two", fence));
    }
    let log = scene.repository.git(&["log", "--oneline", "main"]);
    assert_eq!(log.lines().count(), 1);
}

#[test]
fn a_holder_that_stalls_past_its_time_is_fenced_off() {
    let mut scene = Scene::new();
    let mut stalled = scene.another();
    let lock = scene.ask("lock", json!({"owner": "stalled", "ttl_ms": 300}));
    let token = stalled.ok(lock)["token"].as_u64().unwrap();
    stalled.signal(Signal::STOP);
    until("all of it stands still", PATIENCE, || is_stopped(stalled.id()));
    // It was asked in time, and comes to it too late.
    stalled.send(commit(&scene.repository, "late", json!({"lock": "a", "token": token})));
    let wait = scene.ask("lock", json!({"owner": "ada", "wait_ms": LONG_MS, "ttl_ms": LONG_MS}));
    assert_eq!(scene.daemon.ok(wait)["token"], token + 1);
    stalled.signal(Signal::CONT);
    let late = stalled.receive();
    assert_eq!(late["code"], "conflict", "{late}");
    let good = commit(&scene.repository, "good", json!({"lock": "a", "token": token + 1}));
    scene.daemon.ok(good);
    assert_eq!(scene.repository.git(&["ls-tree", "--name-only", "main"]), "good");
}

#[test]
fn a_daemon_that_was_killed_leaves_its_clients_their_locks() {
    let mut scene = Scene::new();
    let token = scene.take();
    scene.daemon.signal(Signal::KILL);
    scene.daemon = scene.another();
    let other = scene.ask("lock", json!({"owner": "bob"}));
    scene.daemon.refused("locked", other);
    let renew = scene.ask("renew", json!({"token": token, "ttl_ms": 1000}));
    scene.daemon.ok(renew);
    scene.unlock(token);
}

#[test]
fn the_lock_of_another_machine_is_honoured_for_its_time_and_no_longer() {
    let mut scene = Scene::new();
    let lock = scene.ask("lock", json!({"owner": "ada", "ttl_ms": 400}));
    scene.daemon.ok(lock);
    // The same lock as another machine would have written it, whose clock says nothing here.
    let reference = "refs/gitvan/locks/a";
    let message = scene.repository.git(&["log", "-1", "--format=%B", reference]);
    let foreign = |line: &str| match line.split_once(": ") {
        Some(("Clock", _)) => "Clock: elsewhere".to_owned(),
        Some(("Since-Ms", _)) => "Since-Ms: 9999999999999".to_owned(),
        _ => line.to_owned(),
    };
    let message: Vec<String> = message.lines().map(foreign).collect();
    let tree = scene.repository.git(&["rev-parse", &format!("{reference}^{{tree}}")]);
    let commit = ["commit-tree", &tree, "-m", &message.join("\n")];
    let commit = scene.repository.git(&commit);
    scene.repository.git(&["update-ref", reference, &commit]);
    let began = Instant::now();
    let wait = scene.ask("lock", json!({"owner": "bob", "wait_ms": LONG_MS}));
    assert_eq!(scene.another().ok(wait)["token"], 2);
    assert!(Duration::from_millis(400) <= began.elapsed());
}

#[test]
fn a_lock_may_be_called_anything() {
    let mut scene = Scene::new();
    let long = "/".repeat(200);
    let names =
        ["a/b", "a", "a.lock", "..", ".", "@{", "größe ☃", "HEAD", "-x", "a\nb", "%41", "A", &long];
    for name in names {
        let lock = scene.ask("lock", json!({"name": name, "owner": "ada"}));
        assert_eq!(scene.daemon.ok(lock)["token"], 1, "{name}");
        let again = scene.ask("lock", json!({"name": name, "owner": "bob"}));
        scene.daemon.refused("locked", again);
    }
    let mut expected = names.to_vec();
    expected.sort_unstable();
    let held: Vec<Value> = scene.held().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(held, expected);
    scene.repository.git(&["fsck", "--strict"]);
    for (field, arguments) in [
        ("name", json!({"name": "", "owner": "a"})),
        ("name", json!({"name": "a".repeat(201), "owner": "a"})),
        ("owner", json!({"owner": ""})),
        ("ttl_ms", json!({"owner": "a", "ttl_ms": 0})),
        ("wait_ms", json!({"owner": "a", "wait_ms": LONG_MS + 1})),
    ] {
        let request = scene.ask("lock", arguments);
        assert_eq!(scene.daemon.refused("bad_request", request)["field"], field);
    }
}

#[test]
fn locks_are_listed_by_name_in_pages() {
    let mut scene = Scene::new();
    for name in ["run/1", "run/2", "run/3", "other"] {
        let lock = scene.ask("lock", json!({"name": name, "owner": "ada", "reason": "why"}));
        scene.daemon.ok(lock);
    }
    let unlock = scene.ask("unlock", json!({"name": "run/2", "token": 1}));
    scene.daemon.ok(unlock);
    let mut page = |after: Value| {
        let path = scene.repository.path();
        let request =
            json!({"op": "locks", "path": path, "prefix": "run/", "limit": 1, "after": after});
        scene.daemon.ok(request)
    };
    let first = page(Value::Null);
    assert_eq!((&first["locks"][0]["name"], &first["next"]), (&json!("run/1"), &json!("run/1")));
    let holder = &first["locks"][0]["holders"][0];
    assert_eq!((&holder["owner"], &holder["reason"]), (&json!("ada"), &json!("why")));
    let second = page(first["next"].clone());
    assert_eq!((&second["locks"][0]["name"], &second["next"]), (&json!("run/3"), &Value::Null));
}

#[test]
fn of_a_hundred_daemons_one_has_the_lock_at_a_time() {
    const DAEMONS: usize = 100;
    const ROUNDS: usize = 3;
    let repository = Repository::init(&["--bare"]);
    let counter = repository.beside("counter");
    fs::write(&counter, "0").unwrap();
    // Whose turn it is among daemons is left to chance: who waited long enough asks again.
    let insist = |daemon: &mut Daemon, request: Value| loop {
        let reply = daemon.call(request.clone());
        match reply.get("ok") {
            Some(done) => break done.clone(),
            None => assert_eq!(reply["code"], "locked", "{reply}"),
        }
    };
    let work = || {
        let mut daemon = Daemon::start_with(&["--workers", "1"]);
        let mut tokens = Vec::new();
        for _ in 0..ROUNDS {
            let wait = json!({"owner": "one", "wait_ms": 20_000, "ttl_ms": 600_000});
            let lease = insist(&mut daemon, ask(&repository, "lock", wait));
            let count: usize = fs::read_to_string(&counter).unwrap().parse().unwrap();
            thread::yield_now();
            fs::write(&counter, (count + 1).to_string()).unwrap();
            insist(&mut daemon, ask(&repository, "unlock", json!({"token": lease["token"]})));
            tokens.push(lease["token"].as_u64().unwrap());
        }
        tokens
    };
    let mut tokens: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..DAEMONS).map(|_| scope.spawn(work)).collect();
        threads.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    tokens.sort_unstable();
    assert_eq!(tokens, (1..=(DAEMONS * ROUNDS) as u64).collect::<Vec<u64>>());
    assert_eq!(fs::read_to_string(&counter).unwrap(), (DAEMONS * ROUNDS).to_string());
}

#[test]
fn a_checkout_is_fenced_too() {
    let repository = Repository::of(&[("a", "1\n")]);
    let (path, mut daemon) = (repository.path(), Daemon::start());
    let first = repository.head();
    repository.write("a", "2\n");
    repository.commit("second");
    let checkout = |token: u64| {
        json!({"op": "checkout", "path": path, "sha": first,
               "fence": {"lock": "a", "token": token}})
    };
    daemon.refused("conflict", checkout(1));
    let lock = json!({"op": "lock", "path": path, "name": "a", "owner": "ada", "ttl_ms": LONG_MS});
    assert_eq!(daemon.ok(lock)["token"], 1);
    daemon.refused("conflict", checkout(2));
    assert_eq!(repository.read("a"), "2\n");
    assert_eq!(daemon.ok(checkout(1)), json!(first));
    assert_eq!(repository.read("a"), "1\n");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}
