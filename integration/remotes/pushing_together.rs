//! Pushes that meet each other, and pushes that meet nobody: one wins, and all of them end.

use std::collections::BTreeMap;

use serde_json::json;

use super::{
    BUILT_IN, SOON, STOCK_GIT,
    cloning::Everywhere,
    each_way,
    pushing::{at, clone, commit, push},
    with,
};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    servers::{
        hostile,
        http::HttpServer,
        inetd::GitDaemon,
        origin::{Origin, noise},
        output,
    },
};

const PUSHERS: usize = 6;
const ROUNDS: usize = 3;

#[test]
fn of_many_who_move_it_from_one_place_exactly_one_does() {
    let origin = Origin::new().accepting();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let places: Vec<_> = (0..PUSHERS).map(|_| clone(&origin)).collect();
        let mut daemon = Daemon::start_with(&[flags, &["--network", "8"]].concat());
        for (url, arguments) in &everywhere.remotes {
            if !url.contains("127.0.0.1") && flags == BUILT_IN {
                continue;
            }
            for round in 0..ROUNDS {
                let before = at(&origin, "refs/heads/shared");
                let mut commits = BTreeMap::new();
                for (id, place) in places.iter().enumerate() {
                    let text = format!("{url} {round} {id} {flags:?}");
                    commits.insert(id, json!(commit(place, "main", &text)));
                    let refs = json!([
                        {"from": "main", "to": "shared", "force": true, "expect": before}
                    ]);
                    let request = with(push(url, place, refs), arguments.clone());
                    daemon.send(with(request, json!({"id": id})));
                }
                let mut winners = Vec::new();
                for reply in daemon.receive_many(PUSHERS) {
                    let id = reply["id"].as_u64().unwrap() as usize;
                    match reply.get("ok") {
                        Some(_) => winners.push(commits[&id].clone()),
                        None => {
                            let code = reply["code"].as_str().unwrap();
                            assert!(["conflict", "locked"].contains(&code), "{url}: {reply}");
                        }
                    }
                }
                assert_eq!(winners, [at(&origin, "refs/heads/shared")], "{url}, round {round}");
            }
        }
    });
}

#[test]
fn who_moves_it_between_the_look_and_the_push_is_not_overwritten() {
    let origin = Origin::new().accepting();
    // Runs after the client looked and before the remote compares.
    let script = "unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main refs/heads/side";
    origin.hook("pre-receive", script);
    let everywhere = Everywhere::serve(&origin);
    let (before, side) = (origin.tip("main"), json!(origin.tip("side")));
    each_way(|flags| {
        for (url, arguments) in &everywhere.remotes {
            if !url.contains("127.0.0.1") {
                continue;
            }
            for more in [json!({"expect": before}), json!({}), json!({"force": true})] {
                output(origin.git().args(["update-ref", "refs/heads/main", &before]));
                let place = clone(&origin);
                commit(&place, "main", "lost");
                let mut daemon = Daemon::start_with(flags);
                let refs = json!([with(json!({"from": "main"}), more)]);
                let request = with(push(url, &place, refs), arguments.clone());
                let reply = daemon.refused("conflict", request);
                assert_eq!((&reply["reason"], &reply["actual"]), (&json!("expected"), &side));
                assert_eq!(at(&origin, "main"), side, "{url}");
            }
        }
    });
}

#[test]
fn as_one_they_move_from_where_they_were_seen_or_not_at_all() {
    let origin = Origin::new().accepting();
    let script = "unset GIT_QUARANTINE_PATH; git update-ref refs/heads/main refs/heads/side";
    origin.hook("pre-receive", script);
    let (before, side) = (origin.tip("main"), json!(origin.tip("side")));
    let (http, git) = (HttpServer::start(origin.folder()), GitDaemon::start(origin.folder()));
    for url in [http.url("open/project.git"), git.url("project.git")] {
        for expect in [json!({"expect": before}), json!({})] {
            output(origin.git().args(["update-ref", "refs/heads/main", &before]));
            let place = clone(&origin);
            commit(&place, "main", "lost");
            let mut daemon = Daemon::start_with(STOCK_GIT);
            let refs =
                json!([{"from": "main", "to": "more"}, with(json!({"from": "main"}), expect)]);
            let reply = daemon.refused("conflict", push(&url, &place, refs));
            assert_eq!((&reply["reason"], &reply["actual"]), (&json!("expected"), &side), "{url}");
            assert_eq!(reply["refs"], json!(["refs/heads/main"]));
            assert_eq!(at(&origin, "main"), side);
            assert_eq!(at(&origin, "more"), json!(null));
        }
    }
}

#[test]
fn a_ref_that_somebody_holds_at_the_remote_is_locked() {
    let origin = Origin::new().accepting();
    let everywhere = Everywhere::serve(&origin);
    let lock = origin.path().join("refs/heads/main.lock");
    each_way(|flags| {
        let place = clone(&origin);
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            if !url.contains("127.0.0.1") && flags == BUILT_IN {
                continue;
            }
            let new = json!(commit(&place, "main", &format!("{url} {flags:?}")));
            let request = with(push(url, &place, json!([{"from": "main"}])), arguments.clone());
            std::fs::write(&lock, "").unwrap();
            let reply = daemon.refused("locked", request.clone());
            assert!(reply["retry_after_ms"].is_u64(), "{url}: {reply}");
            std::fs::remove_file(&lock).unwrap();
            daemon.ok(request);
            assert_eq!(at(&origin, "main"), new, "{url}");
        }
    });
}

#[test]
fn a_small_push_is_one_connection() {
    let origin = Origin::new().accepting();
    let server = GitDaemon::start(origin.folder());
    each_way(|flags| {
        let place = clone(&origin);
        commit(&place, "main", &format!("{flags:?}"));
        let mut daemon = Daemon::start_with(flags);
        let before = server.accepted();
        let refs = json!([{"from": "main", "expect": origin.tip("main")}]);
        daemon.ok(push(&server.url("project.git"), &place, refs));
        assert_eq!(server.accepted() - before, 1);
    });
}

#[test]
fn a_push_that_nobody_answers_ends_at_its_deadline_or_when_it_is_cancelled() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let silent = hostile::silent();
    // The refs come through, the report does not.
    origin.hook("pre-receive", "exec sleep 600");
    each_way(|flags| {
        let stalled = server.url("open/project.git");
        let place = clone(&origin);
        commit(&place, "main", &format!("{flags:?}"));
        let mut daemon = Daemon::start_with(flags);
        let silent = format!("http://{}/project.git", silent.address());
        for (url, is_sent) in [(stalled, true), (silent, false)] {
            let request = push(&url, &place, json!([{"from": "main", "force": true}]));
            let timeout = json!({"timeout_ms": 2000});
            let reply = daemon.refused("timeout", with(request.clone(), timeout));
            let is_in_doubt = reply["err"].as_str().unwrap().contains("may or may not");
            assert_eq!(is_in_doubt, is_sent, "{reply}");
            daemon.send(with(request, json!({"id": "it"})));
            until("it runs", PATIENCE, || !daemon.children().is_empty());
            daemon.send(json!({"op": "cancel", "id": "end", "request": "it"}));
            let mut replies = daemon.receive_many(2);
            replies.sort_by_key(|reply| reply["id"].as_str().unwrap().to_owned());
            assert_eq!(replies[1]["code"], "cancelled", "{}", replies[1]);
            until("the processes are gone", SOON, || daemon.children().is_empty());
        }
        assert!(place.half_done().is_empty(), "{:?}", place.half_done());
        output(origin.git().args(["fsck", "--no-progress"]));
    });
}

#[test]
fn a_push_tells_how_much_it_has_sent() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = clone(&origin);
        crate::servers::origin::commit(&place.path(), "main", &[("a.txt", "a"), ("b.txt", "b")]);
        std::fs::write(place.path().join("noise.bin"), noise(3_000_000, 3)).unwrap();
        let person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
        place.git(&["add", "noise.bin"]);
        place.git(&[&person[..], &["commit", "--quiet", "-m", "noise"]].concat());
        let mut daemon = Daemon::start_with(flags);
        daemon.ok(json!({"op": "subscribe", "id": 1, "events": ["progress"]}));
        let refs = json!([{"from": "main", "to": flags.join("-").trim_start_matches('-')}]);
        let url = server.url("open/project.git");
        daemon.send(with(push(&url, &place, refs), json!({"id": 2, "timeout_ms": 60_000})));
        let mut stages = Vec::new();
        let reply = loop {
            let frame = daemon.receive();
            if frame.get("event").is_none() {
                break frame;
            }
            assert_eq!(frame["op"], "push");
            stages.push(frame["stage"].clone());
        };
        assert!(reply.get("ok").is_some(), "{reply}");
        stages.dedup();
        assert_eq!(stages, ["connecting", "sending"]);
    });
}
