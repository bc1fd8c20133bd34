//! `log` tells the commits that `git log` tells, in its order.

use serde_json::{Value, json};

use super::{Dates, random_history};
use crate::{
    daemon::Daemon,
    msgpack::{bin, bytes},
    repository::{Repository, varied},
};

fn ids(reply: &Value) -> Vec<&str> {
    let commits = reply["commits"].as_array().unwrap();
    commits.iter().map(|commit| commit["sha"].as_str().unwrap()).collect()
}

fn check(daemon: &mut Daemon, repository: &Repository, range: &str, paths: &[&str]) {
    let arguments = [&["log", "--format=%H", range, "--"], paths].concat();
    let expected = repository.git(&arguments);
    let mut request = json!({"op": "log", "path": repository.path(), "range": range});
    if !paths.is_empty() {
        request["paths"] = json!(paths);
    }
    let reply = daemon.ok(request.clone());
    assert_eq!(ids(&reply), expected.lines().collect::<Vec<_>>(), "{request}");
    assert_eq!(reply["next"], json!(null));
}

/// A commit as it stands in the object, told apart by hand.
fn commit(repository: &Repository, id: &str) -> Value {
    let text = repository.git_bytes(&["cat-file", "commit", id]);
    let text = String::from_utf8(text).unwrap();
    let (header, message) = text.split_once("\n\n").unwrap();
    let lines: Vec<(&str, &str)> = header.lines().filter_map(|line| line.split_once(' ')).collect();
    let all = |key: &str| -> Vec<&str> {
        lines.iter().filter(|line| line.0 == key).map(|line| line.1).collect()
    };
    let person = |key: &str| {
        let (who, when) = all(key)[0].rsplit_once("> ").unwrap();
        let (name, email) = who.split_once(" <").unwrap();
        let (time, zone) = when.split_once(' ').unwrap();
        let zone: i32 = zone.parse().unwrap();
        let time: i64 = time.parse().unwrap();
        json!({"name": name, "email": email, "time": time, "offset": zone / 100 * 60 + zone % 100})
    };
    json!({"sha": id, "tree": all("tree")[0], "parents": all("parent"),
           "author": person("author"), "committer": person("committer"), "message": message})
}

#[test]
fn a_commit_is_told_with_all_that_stands_in_it() {
    let repository = varied();
    repository.git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    repository.commit("on the side");
    repository.git(&["-c", "user.name=x", "merge", "-q", "--no-ff", "-m", "joined", "main"]);
    let reply = Daemon::start().ok(json!({"op": "log", "path": repository.path()}));
    let expected: Vec<Value> = ids(&reply).iter().map(|id| commit(&repository, id)).collect();
    assert_eq!(reply["commits"], json!(expected));
    assert_eq!(expected.len(), 5);
    assert_eq!(expected[0]["parents"].as_array().unwrap().len(), 2);
}

#[test]
fn ranges_of_random_histories_come_in_the_order_of_git() {
    let mut daemon = Daemon::start();
    for seed in 1..6 {
        let repository = random_history(seed, 60, Dates::Rising);
        for range in ["HEAD", "main", "b0", "b1~2", "b0..main", "main..b1", "b0...b1", "b1...main"]
        {
            check(&mut daemon, &repository, range, &[]);
        }
    }
}

#[test]
fn the_order_of_git_holds_also_where_dates_go_backwards() {
    let mut daemon = Daemon::start();
    for seed in 11..14 {
        let repository = random_history(seed, 50, Dates::Random);
        for range in ["HEAD", "b0", "b1", "b0..main", "b0...b1"] {
            check(&mut daemon, &repository, range, &[]);
        }
    }
}

#[test]
fn commits_that_changed_a_path_are_those_of_git() {
    let mut daemon = Daemon::start();
    for seed in 21..26 {
        let repository = random_history(seed, 60, Dates::Rising);
        for paths in [&["a"][..], &["d"], &["d/g"], &["d/f.yaml"], &["a", "z/z"], &["none"]] {
            check(&mut daemon, &repository, "main", paths);
            check(&mut daemon, &repository, "b0..main", paths);
            check(&mut daemon, &repository, "b0...b1", paths);
        }
    }
}

#[test]
fn a_path_is_taken_as_it_is_and_not_as_a_pattern() {
    let repository = Repository::of(&[("star*", "1")]);
    repository.write("starfish", "1");
    repository.commit("another");
    repository.write(":(top)odd", "1");
    let odd = repository.commit("odd");
    let mut daemon = Daemon::start();
    let mut log = |name: &str| {
        let reply = daemon.ok(json!({"op": "log", "path": repository.path(), "paths": [name]}));
        ids(&reply).into_iter().map(str::to_owned).collect::<Vec<String>>()
    };
    assert_eq!(log("star*"), [repository.git(&["rev-parse", "HEAD~2"])]);
    assert_eq!(log(":(top)odd"), [odd]);
    assert_eq!(log("s*"), [] as [String; 0]);
}

#[test]
fn pages_put_together_are_the_whole() {
    let repository = random_history(31, 60, Dates::Rising);
    let mut daemon = Daemon::start();
    for (range, paths) in [("main", json!(null)), ("main", json!(["d"])), ("b0...b1", json!(null))]
    {
        let mut page = |limit: usize, after: &Value| {
            daemon.ok(json!({"op": "log", "path": repository.path(), "range": range,
                             "paths": paths, "limit": limit, "after": after}))
        };
        let whole = page(10_000, &json!(null));
        let expected = ids(&whole);
        for limit in [1, 7, expected.len(), expected.len() + 1] {
            let mut seen: Vec<String> = Vec::new();
            let mut after = json!(null);
            loop {
                let reply = page(limit, &after);
                let found = ids(&reply);
                assert!(found.len() <= limit);
                seen.extend(found.iter().map(|id| (*id).to_owned()));
                after = reply["next"].clone();
                if after.is_null() {
                    break;
                }
                assert_eq!(found.len(), limit);
                assert_eq!(after, *seen.last().unwrap());
            }
            assert_eq!(seen, expected, "{range} by {limit}");
        }
    }
}

#[test]
fn a_hundred_commits_come_unless_told_otherwise() {
    let repository = random_history(41, 150, Dates::Rising);
    let reply = Daemon::start().ok(json!({"op": "log", "path": repository.path()}));
    let expected = repository.git(&["log", "--format=%H", "-100"]);
    assert_eq!(ids(&reply), expected.lines().collect::<Vec<_>>());
    assert_eq!(reply["next"], expected.lines().last().unwrap());
}

#[test]
fn a_range_that_names_nothing_is_not_found() {
    let repository = varied();
    let mut daemon = Daemon::start();
    for range in ["none", "abc", "none..main", "main..none", "main...none", "ab..main"] {
        let request = json!({"op": "log", "path": repository.path(), "range": range});
        daemon.refused("not_found", request);
    }
    let after = "0123456789012345678901234567890123456789";
    let reply = daemon.call(json!({"op": "log", "path": repository.path(), "after": after}));
    assert!(["not_found", "bad_request"].contains(&reply["code"].as_str().unwrap()), "{reply}");
}

#[test]
fn a_message_in_another_encoding_is_no_wrong_text() {
    let repository = Repository::new();
    repository.write("message", b"gr\xfcn\n");
    repository.write("a", "1");
    repository.git(&["add", "a"]);
    let flags = ["-c", "i18n.commitEncoding=ISO-8859-1", "commit", "-q", "-F", "message"];
    repository.git(&flags);
    let mut daemon = Daemon::start();
    let log = daemon.ok(json!({"op": "log", "path": repository.path()}));
    let head = daemon.ok(json!({"op": "head", "path": repository.path()}));
    for message in [&log["commits"][0]["message"], &head["message"]] {
        let known = [bin(b"gr\xfcn\n"), json!("grün\n")];
        assert!(known.contains(message), "{}", bytes(message).escape_ascii());
    }
}
