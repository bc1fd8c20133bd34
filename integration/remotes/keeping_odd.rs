//! Locks on remotes that fail, refuse or fall silent, and pushes that only who holds one may do.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{
    BUILT_IN, STOCK_GIT, each_way,
    keeping::{Machine, REFERENCE, Scene, at_once},
    pushing::{at, commit, push},
    with,
};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    servers::{
        hostile,
        http::{HttpServer, PASSWORD, USER},
        inetd::GitDaemon,
        origin::Origin,
        output,
    },
};

/// Ends the remote's part of a push at this point, before it can answer, for as long as there is a
/// file `kills`.
fn kill_at(origin: &Origin, stage: &str, goes_on: bool) {
    // A remote that is killed would leave its own lock, and stay locked.
    let end = if goes_on { "" } else { "rm kills; rm -f refs/gitvan/locks/a.lock; " };
    let script =
        format!(r#"[ "$1" = {stage} ] && [ -e kills ] && {{ {end}kill -9 $PPID; }}; true"#);
    origin.hook("reference-transaction", &script);
}

fn arm(origin: &Origin) {
    fs::write(origin.path().join("kills"), "").unwrap();
}

#[test]
fn what_nobody_confirmed_is_looked_for_and_found_or_done_again() {
    let origin = Origin::new().accepting();
    let (http, git) = (HttpServer::start(origin.folder()), GitDaemon::start(origin.folder()));
    for stage in ["prepared", "committed"] {
        kill_at(&origin, stage, false);
        for url in [http.url("open/project.git"), git.url("project.git")] {
            let (mut machine, mut other) =
                (Machine::new(&origin, &url, BUILT_IN), Machine::new(&origin, &url, STOCK_GIT));
            arm(&origin);
            let token = machine.take(json!({"reason": "r"}));
            assert_eq!(other.lock(json!({"owner": "bob"}))["token"], token, "{stage} {url}");
            arm(&origin);
            let request = machine.ask("renew", json!({"token": token, "ttl_ms": 60_000}));
            machine.daemon.ok(request);
            assert_eq!(other.held()[0]["holders"].as_array().unwrap().len(), 1);
            arm(&origin);
            let released = machine.unlock(token);
            assert_eq!(released["ok"]["token"], token, "{stage} {url}: {released}");
            assert_eq!(other.held(), json!([]));
        }
    }
}

#[test]
fn what_may_be_held_is_said_where_nobody_can_be_asked() {
    let scene = Scene::new();
    let mut machine = scene.machine();
    kill_at(&scene.origin, "committed", true);
    scene.origin.hook("pre-receive", "rm HEAD");
    arm(&scene.origin);
    let reply = machine.lock(json!({"ttl_ms": 60_000}));
    assert_eq!((&reply["token"], &reply["expires_in_ms"]), (&json!(1), &json!(60_000)), "{reply}");
    assert!(reply["err"].as_str().unwrap().contains("may have been taken"), "{reply}");
    fs::write(scene.origin.path().join("HEAD"), "ref: refs/heads/main\n").unwrap();
    fs::remove_file(scene.origin.path().join("kills")).unwrap();
    fs::remove_file(scene.origin.path().join("hooks/pre-receive")).unwrap();
    // It was taken, and what was told lets go of it.
    let refused = machine.lock(json!({}));
    assert_eq!((&refused["code"], &refused["token"]), (&json!("locked"), &json!(1)), "{refused}");
    assert_eq!(machine.unlock(1)["ok"]["token"], 1);
    assert_eq!(machine.take(json!({})), 2);
}

#[test]
fn a_server_that_is_gone_or_refuses_is_told_apart() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let mut machine = Machine::new(&origin, &server.url("closed/project.git"), BUILT_IN);
    assert_eq!(machine.lock(json!({}))["code"], "unauthorized");
    let secret = "sesame-4711";
    let refused = machine.lock(json!({"auth": {"user": USER, "password": secret}}));
    assert_eq!(refused["code"], "unauthorized", "{refused}");
    assert!(!refused.to_string().contains(secret), "{refused}");
    let auth = json!({"auth": {"user": USER, "password": PASSWORD}});
    let token = machine.take(auth.clone());
    assert_eq!(machine.lock(with(auth, json!({"ttl_ms": 5})))["code"], "locked");
    origin.hook("update", "echo no locks here; exit 1");
    let request =
        json!({"name": "b", "owner": "ada", "auth": {"user": USER, "password": PASSWORD}});
    let refused = machine.daemon.refused("denied", machine.ask("lock", request));
    assert_eq!(refused["rule"], "remote");
    assert!(refused["err"].as_str().unwrap().contains("no locks here"), "{refused}");
    drop(server);
    let renewing = json!({"token": token, "ttl_ms": 5});
    machine.daemon.refused("unavailable", machine.ask("renew", renewing));
    machine.url = origin.folder().join("none.git").display().to_string();
    assert_eq!(machine.lock(json!({}))["code"], "not_found");
    let again = HttpServer::start(origin.folder());
    machine.url = again.url("open/project.git");
    assert_eq!(machine.lock(json!({}))["holder"], "ada");
    let silent = hostile::silent();
    machine.url = format!("http://{}/project.git", silent.address());
    assert_eq!(machine.lock(json!({"timeout_ms": 300, "wait_ms": 5000}))["code"], "timeout");
}

#[test]
fn arguments_that_say_nothing_together_are_refused() {
    let scene = Scene::new();
    let mut machine = scene.machine();
    let mut refused = |arguments: Value, field: &str| {
        let request = machine.ask("lock", with(json!({"owner": "ada"}), arguments));
        assert_eq!(machine.daemon.refused("bad_request", request)["field"], field);
    };
    refused(json!({"remote": "origin"}), "url");
    refused(json!({"durability": "relaxed"}), "durability");
    refused(json!({"url": null, "proxy": "none"}), "remote");
    refused(json!({"url": null, "auth": {"token": "x"}}), "remote");
    let none = machine.lock(json!({"url": null, "remote": "none"}));
    assert_eq!(none["code"], "not_found", "{none}");
}

#[test]
fn what_a_killed_daemon_left_of_a_look_is_cleared_away() {
    let scene = Scene::new();
    let (silent, folder) = (hostile::silent(), tempfile::tempdir().unwrap());
    let start = || {
        let variables = [("TMPDIR", folder.path().to_str().unwrap())];
        Daemon::start_in(tempfile::tempdir().unwrap(), &[], &variables)
    };
    let left = || fs::read_dir(folder.path()).unwrap().count();
    let mut machine = scene.machine();
    let url = machine.url.clone();
    machine.daemon = start();
    machine.url = format!("http://{}/project.git", silent.address());
    machine.daemon.send(machine.ask("lock", json!({"owner": "ada"})));
    until("it looks", PATIENCE, || left() == 1);
    machine.daemon.signal(Signal::KILL);
    machine.daemon.exit();
    assert_eq!(left(), 1);
    (machine.daemon, machine.url) = (start(), url);
    machine.take(json!({}));
    assert_eq!(left(), 0);
}

/// Pushes `main` of the clone, fenced by the lock `a`.
fn fenced(machine: &mut Machine, token: u64, more: Value) -> Value {
    let fence = json!({"fence": {"lock": "a", "token": token}});
    let request = push(&machine.url, &machine.place, json!([{"from": "main"}]));
    machine.daemon.call(with(with(request, fence), more))
}

#[test]
fn a_fenced_push_moves_all_while_the_lock_is_held_and_nothing_else() {
    let scene = Scene::new();
    let (mut machine, mut other) = (scene.machine(), scene.machine());
    let before = scene.origin.tip("main");
    let new = json!(commit(&machine.place, "main", "new"));
    assert_eq!(fenced(&mut machine, 1, json!({}))["code"], "conflict");
    let token = machine.take(json!({"ttl_ms": 60_000}));
    let pushed = fenced(&mut machine, token, json!({}));
    let moved = json!({"ref": "refs/heads/main", "from": before, "to": new, "status": "updated"});
    assert_eq!(pushed["ok"]["refs"], json!([moved]), "{pushed}");
    let log = output(scene.origin.git().args(["log", "--format=%s", REFERENCE]));
    assert_eq!(log, "Lock a: ada pushed under it\nLock a: taken by ada");
    let same = fenced(&mut machine, token, json!({}));
    assert_eq!(same["ok"]["refs"][0]["status"], "up_to_date", "{same}");
    assert_eq!(machine.held()[0]["holders"][0]["renewals"], 0);
    // A ref that is not as expected keeps all where it is.
    commit(&machine.place, "main", "newer");
    let lock = at(&scene.origin, REFERENCE);
    let expecting = json!({"refs": [{"from": "main", "expect": before}]});
    let refused = fenced(&mut machine, token, expecting);
    assert_eq!(
        (&refused["reason"], &refused["refs"]),
        (&json!("expected"), &json!(["refs/heads/main"]))
    );
    assert_eq!(at(&scene.origin, REFERENCE), lock);
    // Renewed elsewhere, which is no reason to refuse.
    let request = other.ask("renew", json!({"token": token, "ttl_ms": 60_000}));
    other.daemon.ok(request);
    let pushed = fenced(
        &mut machine,
        token,
        json!({"refs": [{"from": "main"}, {"from": "main", "to": "more"}]}),
    );
    assert_eq!(pushed["ok"]["refs"][1]["status"], "created", "{pushed}");
    assert_eq!(other.unlock(token)["ok"]["token"], token);
    commit(&machine.place, "main", "too late");
    let refused = fenced(&mut machine, token, json!({}));
    assert_eq!((&refused["code"], &refused["expected"]), (&json!("conflict"), &json!("token 1")));
    other.take(json!({"owner": "bob"}));
    let refused = fenced(&mut machine, token, json!({}));
    assert_eq!(refused["actual"], "token 2 of bob", "{refused}");
    assert_eq!(at(&scene.origin, "refs/heads/main"), pushed["ok"]["refs"][0]["to"]);
    output(scene.origin.git().args(["fsck", "--strict", "--no-progress"]));
}

#[test]
fn a_fenced_push_is_not_refused_because_its_lock_is_renewed_meanwhile() {
    let scene = Scene::new();
    let mut machines = [scene.machine(), scene.machine()];
    let token = machines[0].take(json!({"ttl_ms": 60_000}));
    let renewing = machines[1].place.path();
    let replies = at_once(&mut machines, |it| {
        let act = |number: usize| match it.place.path() == renewing {
            true => {
                let request = it.ask("renew", json!({"token": token, "ttl_ms": 60_000}));
                it.daemon.call(request)
            }
            false => {
                commit(&it.place, "main", &number.to_string());
                fenced(it, token, json!({}))
            }
        };
        Value::Array((0..8).map(act).collect())
    });
    let all = replies.iter().flat_map(|it| it.as_array().unwrap());
    all.for_each(|it| assert!(it.get("ok").is_some(), "{it}"));
    assert_eq!(machines[0].held()[0]["holders"][0]["renewals"], 8);
}

#[test]
fn a_fence_is_refused_where_nothing_moves_as_one() {
    let scene = Scene::new();
    each_way(|flags| {
        let mut machine = Machine::new(&scene.origin, &scene.url, flags);
        let token = machine.take(json!({"owner": flags[1]}));
        commit(&machine.place, "main", flags[1]);
        let refused = fenced(&mut machine, token, json!({"atomic": false}));
        assert_eq!(
            (&refused["code"], &refused["field"]),
            (&json!("bad_request"), &json!("atomic"))
        );
        let twice = json!({"refs": [{"from": "main", "to": REFERENCE}]});
        assert_eq!(fenced(&mut machine, token, twice)["field"], "refs");
        if flags == BUILT_IN {
            let refused = fenced(&mut machine, token, json!({}));
            assert_eq!(
                (&refused["code"], &refused["feature"]),
                (&json!("unsupported"), &json!("atomic"))
            );
        }
        machine.unlock(token);
    });
}

#[test]
fn a_fenced_push_from_a_shallow_clone_brings_what_it_has() {
    let scene = Scene::new();
    let mut machine = scene.machine();
    fs::remove_dir_all(machine.place.path()).unwrap();
    let path = machine.place.path();
    machine.daemon.ok(super::sync(&scene.url, &path));
    let new = commit(&machine.place, "main", "new");
    let token = machine.take(json!({}));
    let pushed = fenced(&mut machine, token, json!({"url": null, "remote": "origin"}));
    assert_eq!(pushed["ok"]["refs"][0]["to"], json!(new), "{pushed}");
    assert_eq!(machine.place.git(&["rev-parse", "refs/remotes/origin/main"]), new);
    output(scene.origin.git().args(["fsck", "--strict", "--no-progress"]));
}
