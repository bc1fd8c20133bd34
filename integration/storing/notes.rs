//! Notes and keys, as stock git sees them.

use std::{collections::BTreeSet, fmt::Write as _, path::Path, thread};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    repository::{Repository, expect_sound, git_command, text},
};

const NOBODY: &str = "0000000000000000000000000000000000000000";

/// A request to note one text.
fn note(path: &str, target: &str, content: &str) -> Value {
    json!({"op": "note", "path": path, "target": target, "content": content, "encoding": "utf8"})
}

fn with(mut request: Value, more: &Value) -> Value {
    for (key, value) in more.as_object().unwrap() {
        request[key] = value.clone();
    }
    request
}

/// All notes as stock git tells them: what they are about, sorted.
fn listed(repository: &Repository, namespace: &str) -> Vec<String> {
    let reference = format!("--ref={namespace}");
    let listed = repository.git(&["notes", &reference, "list"]);
    let mut targets: Vec<String> =
        listed.lines().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect();
    targets.sort();
    targets
}

/// All notes as the daemon tells them, page by page.
fn paged(daemon: &mut Daemon, path: &str, namespace: &str, limit: usize) -> Vec<String> {
    let (mut targets, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = daemon.ok(json!({"op": "notes", "path": path, "namespace": namespace,
            "limit": limit, "after": after}));
        let notes = page["notes"].as_array().unwrap();
        targets.extend(notes.iter().map(|it| it["target"].as_str().unwrap().to_owned()));
        after = page["next"].clone();
        if after.is_null() {
            return targets;
        }
        assert_eq!(notes.len(), limit);
    }
}

fn shown(repository: &Repository, namespace: &str, target: &str) -> String {
    let reference = format!("--ref={namespace}");
    let bytes = repository.git_bytes(&["notes", &reference, "show", target]);
    String::from_utf8(bytes).unwrap()
}

fn check(repository: &Repository) {
    repository.expect_sound();
}

/// Blobs to write notes about.
fn targets(repository: &Repository, count: usize) -> Vec<String> {
    let mut stream = String::new();
    for number in 0..count {
        let content = format!("target {number}");
        write!(stream, "blob\nmark :{}\ndata {}\n{content}\n", number + 1, content.len()).unwrap();
    }
    let marks = repository.beside("marks");
    let flag = format!("--export-marks={}", text(&marks));
    repository.git_with_input(&["fast-import", "--quiet", &flag], stream.as_bytes());
    let marks = std::fs::read_to_string(marks).unwrap();
    marks.lines().map(|it| it.split(' ').nth(1).unwrap().to_owned()).collect()
}

/// Notes on these targets in folders as somebody else might have made them.
fn shelved(
    repository: &Repository,
    reference: &str,
    targets: &[String],
    depth: fn(usize) -> usize,
) {
    let mut stream = format!(
        "commit {reference}\ncommitter A <a@example.org> 1700000000 +0000\ndata 6\nshelve\n"
    );
    for (number, target) in targets.iter().enumerate() {
        let mut name = target.clone();
        for level in 0..depth(number) {
            name.insert(2 + 3 * level, '/');
        }
        let content = format!("note {number}\n");
        write!(stream, "M 100644 inline {name}\ndata {}\n{content}\n", content.len()).unwrap();
    }
    repository.git_with_input(&["fast-import", "--quiet"], stream.as_bytes());
}

#[test]
fn what_is_noted_stock_git_shows() {
    let repository = Repository::of(&[("file", "content")]);
    let (path, head) = (repository.path(), repository.head());
    let mut daemon = Daemon::start();
    let noted = daemon.ok(note(path, "HEAD", "first\n"));
    assert_eq!(noted["notes"][0]["target"], head);
    assert_eq!(noted["commit"], repository.git(&["rev-parse", "refs/notes/commits"]));
    assert_eq!(shown(&repository, "commits", "HEAD"), "first\n");
    assert!(repository.git(&["log", "-1"]).contains("first"));

    daemon.ok(with(note(path, "HEAD", "second\n"), &json!({"append": true})));
    assert_eq!(shown(&repository, "commits", "HEAD"), "first\n\nsecond\n");
    repository.git(&["notes", "append", "-m", "third"]);
    let one = json!({"op": "notes", "path": path, "target": "HEAD", "encoding": "utf8"});
    assert_eq!(daemon.ok(one.clone())["content"], "first\n\nsecond\n\nthird\n");

    daemon.ok(note(path, &head, "anew"));
    assert_eq!(shown(&repository, "commits", "HEAD"), "anew");
    daemon.ok(json!({"op": "note.remove", "path": path, "target": "HEAD"}));
    assert_eq!(listed(&repository, "commits"), Vec::<String>::new());
    daemon.refused("not_found", one);
    check(&repository);
}

#[test]
fn a_note_that_is_no_text_hides_no_other() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    daemon.ok(note(path, "HEAD", "text"));
    let bytes = json!({"content": crate::msgpack::bin(b"\xff")});
    daemon.ok(with(note(path, "HEAD:file", ""), &bytes));
    let list = json!({"op": "notes", "path": path, "contents": true, "encoding": "utf8"});
    let listed = daemon.ok(list.clone());
    let contents: Vec<&Value> =
        listed["notes"].as_array().unwrap().iter().filter_map(|it| it.get("content")).collect();
    assert_eq!((listed["notes"].as_array().unwrap().len(), contents), (2, vec![&json!("text")]));
    daemon.refused("invalid", with(list, &json!({"target": "HEAD:file"})));
}

#[test]
fn several_notes_are_one_commit_with_its_author_and_message() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    daemon.ok(json!({"op": "note", "path": path, "namespace": "refs/notes/gitvan/results",
        "notes": [{"target": "HEAD", "content": "YQ=="}, {"target": tree, "content": "Yg=="}],
        "author": {"name": "Ada", "email": "ada@example.org", "time": 1_700_000_000},
        "message": "two at once"}));
    assert_eq!(shown(&repository, "gitvan/results", "HEAD"), "a");
    assert_eq!(shown(&repository, "gitvan/results", &tree), "b");
    let format = ["log", "--format=%an %at %s", "refs/notes/gitvan/results"];
    assert_eq!(repository.git(&format), "Ada 1700000000 two at once");
    let removed = daemon.ok(json!({"op": "note.remove", "path": path,
        "namespace": "gitvan/results", "targets": ["HEAD", tree, NOBODY], "missing_ok": true}));
    assert_eq!(removed["removed"], 2);
    check(&repository);
}

#[test]
fn a_note_that_is_not_as_expected_stays() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    let expecting = |content: &str, expect: &Value| {
        with(note(path, "HEAD", content), &json!({"expect": expect}))
    };
    let first = daemon.ok(expecting("first", &json!(NOBODY)))["notes"][0]["note"].clone();
    let refused = daemon.refused("conflict", expecting("other", &json!(NOBODY)));
    assert_eq!(refused["actual"], first);
    daemon.ok(expecting("second", &first));
    daemon.refused("conflict", expecting("third", &first));
    assert_eq!(shown(&repository, "commits", "HEAD"), "second");
    daemon.refused(
        "conflict",
        json!({"op": "note.remove", "path": path, "target": "HEAD",
        "expect": first}),
    );
}

#[test]
fn a_note_that_is_there_already_makes_no_commit() {
    let repository = Repository::of(&[("file", "content")]);
    let mut daemon = Daemon::start();
    let first = daemon.ok(note(repository.path(), "HEAD", "same"));
    assert_eq!(daemon.ok(note(repository.path(), "HEAD", "same")), first);
    assert_eq!(repository.git(&["rev-list", "--count", "refs/notes/commits"]), "1");
}

/// Also where all of them wait together, and are made durable by one flush.
#[test]
fn a_target_is_what_the_requests_before_it_made_it() {
    let repository = Repository::of(&[("a", "1")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    for id in 0..30 {
        daemon.send(match id % 3 {
            0 => with(
                json!({"op": "commit", "path": path, "branch": "side", "message": "m"}),
                &json!({"changes": [], "empty": true, "id": id}),
            ),
            1 => with(note(path, "side", "at it"), &json!({"namespace": "at", "id": id})),
            _ => with(note(path, "side~1^0", "before"), &json!({"namespace": "before", "id": id})),
        });
    }
    let mut replies = daemon.receive_many(30);
    replies.sort_by_key(|it| it["id"].as_u64());
    let commits: Vec<&Value> = replies.iter().step_by(3).map(|it| &it["ok"]["commit"]).collect();
    for (number, made) in replies.chunks(3).enumerate() {
        assert_eq!(made[1]["ok"]["notes"][0]["target"], *commits[number], "{made:?}");
        match number {
            0 => assert_eq!(made[2]["code"], "not_found", "{made:?}"),
            _ => assert_eq!(made[2]["ok"]["notes"][0]["target"], *commits[number - 1], "{made:?}"),
        }
    }
}

#[test]
fn nothing_is_noted_about_what_is_not_there() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    daemon.refused("not_found", note(path, &"ab".repeat(20), "x"));
    daemon.refused("not_found", note(path, "nobody", "x"));
    let twice = json!([{"target": "HEAD", "content": ""}, {"target": "main", "content": ""}]);
    daemon.refused("bad_request", json!({"op": "note", "path": path, "notes": twice}));
    daemon.refused("bad_request", json!({"op": "note", "path": path, "notes": []}));
    daemon.refused("bad_request", json!({"op": "note", "path": path, "target": "HEAD"}));
    daemon.refused("not_found", json!({"op": "note.remove", "path": path, "target": "HEAD"}));
    assert_eq!(repository.git(&["for-each-ref", "refs/notes"]), "");
}

#[test]
fn a_namespace_is_what_git_takes_for_a_ref() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    let bad = ["../x", "a..b", "", "x.lock", "a/.b", "a b", "refs/heads/main", "-x", "x/", "a\\b"];
    for namespace in bad {
        let space = json!({"namespace": namespace});
        let refused = daemon.refused("bad_request", with(note(path, "HEAD", "x"), &space));
        assert_eq!(refused["field"], "namespace", "{namespace:?}");
        daemon.refused("bad_request", with(json!({"op": "notes", "path": path}), &space));
        daemon.refused(
            "bad_request",
            with(json!({"op": "note.remove", "path": path, "target": "HEAD"}), &space),
        );
    }
    for ours in ["gitvan/keys", "gitvan/keys/below", "gitvan"] {
        let ours = json!({"namespace": ours});
        let refused = daemon.refused("denied", with(note(path, "HEAD", "forged"), &ours));
        assert_eq!(refused["rule"], "keys");
    }
    // One ref cannot be below another one.
    daemon.ok(note(path, "HEAD", "x"));
    let below = json!({"namespace": "commits/below"});
    daemon.refused("conflict", with(note(path, "HEAD", "x"), &below));
}

#[test]
fn notes_in_folders_of_any_depth_are_read_and_changed() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut targets = targets(&repository, 600);
    shelved(&repository, "refs/notes/mixed", &targets, |number| number % 4);
    let mut daemon = Daemon::start();
    targets.sort();
    assert_eq!(paged(&mut daemon, path, "mixed", 7), targets);
    assert_eq!(listed(&repository, "mixed"), targets);
    for target in targets.iter().step_by(3) {
        let mixed = json!({"namespace": "mixed"});
        daemon.ok(with(note(path, target, "changed\n"), &mixed));
    }
    for target in targets.iter().skip(1).step_by(3) {
        daemon.ok(json!({"op": "note.remove", "path": path, "target": target,
            "namespace": "mixed"}));
    }
    let left: Vec<String> =
        targets.iter().enumerate().filter(|it| it.0 % 3 != 1).map(|it| it.1.clone()).collect();
    assert_eq!(listed(&repository, "mixed"), left);
    assert_eq!(paged(&mut daemon, path, "mixed", 1000), left);
    assert_eq!(shown(&repository, "mixed", &targets[3]), "changed\n");
    assert!(shown(&repository, "mixed", &targets[2]).starts_with("note "));
    check(&repository);
}

#[test]
fn a_hundred_thousand_notes_are_listed_and_added_to() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut stream = String::from(
        "commit refs/notes/many\ncommitter A <a@example.org> 1700000000 +0000\ndata 4\nmany\n",
    );
    let mut commits = String::new();
    for number in 1..=100_000 {
        write!(
            commits,
            "commit refs/heads/many\nmark :{number}\n\
             committer A <a@example.org> {number} +0000\ndata 1\nx\n"
        )
        .unwrap();
        write!(stream, "N inline :{number}\ndata 4\nnote\n").unwrap();
    }
    commits.push_str(&stream);
    repository.git_with_input(&["fast-import", "--quiet"], commits.as_bytes());
    let mut daemon = Daemon::start();
    let before = paged(&mut daemon, path, "many", 10_000);
    assert_eq!(before.len(), 100_000);
    assert_eq!(listed(&repository, "many"), before);
    let many = json!({"namespace": "many"});
    daemon.ok(with(note(path, "HEAD", "one more"), &many));
    daemon.ok(with(note(path, "many", "changed"), &many));
    assert_eq!(shown(&repository, "many", "HEAD"), "one more");
    assert_eq!(shown(&repository, "many", "many"), "changed");
    assert_eq!(listed(&repository, "many").len(), 100_001);
    repository.git(&["notes", "--ref=many", "add", "-f", "-m", "by hand", "HEAD"]);
    let one = json!({"op": "notes", "path": path, "target": "HEAD", "namespace": "many",
        "encoding": "utf8"});
    assert_eq!(daemon.ok(one)["content"], "by hand\n");
    check(&repository);
}

#[test]
fn notes_that_were_all_in_one_folder_are_divided() {
    let repository = Repository::of(&[("file", "content")]);
    let mut targets = targets(&repository, 1000);
    shelved(&repository, "refs/notes/flat", &targets, |_| 0);
    let mut daemon = Daemon::start();
    let flat = json!({"namespace": "flat"});
    daemon.ok(with(note(repository.path(), "HEAD", "x"), &flat));
    let names = repository.git(&["ls-tree", "--name-only", "refs/notes/flat"]);
    assert!(names.lines().all(|it| it.len() == 2), "{names}");
    targets.push(repository.head());
    targets.sort();
    assert_eq!(listed(&repository, "flat"), targets);
    check(&repository);
}

/// Has a daemon note all of these at once, and tells which it said it did.
fn noted_at_once(path: &str, targets: &[String]) -> Vec<String> {
    let mut daemon = Daemon::start();
    for (id, target) in targets.iter().enumerate() {
        daemon.send(with(note(path, target, "by a daemon"), &json!({"id": id})));
    }
    let replies = daemon.receive_many(targets.len());
    let good = replies.iter().filter(|it| it.get("ok").is_some());
    good.map(|it| targets[it["id"].as_u64().unwrap() as usize].clone()).collect()
}

/// Has stock git note these one after the other; those it could not are left out.
fn noted_by_hand(repository: &Repository, namespace: &str, targets: &[String]) -> Vec<String> {
    let reference = format!("--ref={namespace}");
    let add = |target: &&String| {
        let mut command = git_command(repository.file("").as_path());
        command.args(["notes", &reference, "add", "-m", "by hand", target.as_str()]);
        command.output().unwrap().status.success()
    };
    targets.iter().filter(add).cloned().collect()
}

#[test]
fn three_writers_at_once_lose_no_note() {
    let repository = Repository::of(&[("file", "content")]);
    let targets = targets(&repository, 330);
    let acknowledged: Vec<String> = thread::scope(|scope| {
        let path = repository.path();
        let daemons = [&targets[..150], &targets[150..300]]
            .map(|targets| scope.spawn(move || noted_at_once(path, targets)));
        let by_hand = scope.spawn(|| noted_by_hand(&repository, "by-hand", &targets[300..]));
        assert_eq!(by_hand.join().unwrap().len(), 30);
        daemons.into_iter().flat_map(|it| it.join().unwrap()).collect()
    });
    assert!(!acknowledged.is_empty());
    let there: BTreeSet<String> = listed(&repository, "commits").into_iter().collect();
    let lost: Vec<&String> = acknowledged.iter().filter(|it| !there.contains(*it)).collect();
    assert!(lost.is_empty(), "{} of {}", lost.len(), acknowledged.len());
    assert_eq!(listed(&repository, "by-hand").len(), 30);
    check(&repository);
}

/// Git itself writes a ref of notes without comparing it to what it read, so what it puts there
/// is not asked about here.
#[test]
fn no_note_of_stock_git_is_taken_away_by_a_daemon() {
    let repository = Repository::of(&[("file", "content")]);
    let targets = targets(&repository, 240);
    thread::scope(|scope| {
        let path = repository.path();
        let daemons = [&targets[..100], &targets[100..200]]
            .map(|targets| scope.spawn(move || noted_at_once(path, targets)));
        let by_hand = scope.spawn(|| noted_by_hand(&repository, "commits", &targets[200..]));
        let noted: usize = daemons.into_iter().map(|it| it.join().unwrap().len()).sum();
        assert!(0 < noted && !by_hand.join().unwrap().is_empty());
    });
    // All commits there are: those of ours that stock git moved the ref away from have no name.
    let kinds = "--batch-check=%(objecttype) %(objectname)";
    let objects = repository.git(&["cat-file", "--batch-all-objects", kinds]);
    let commits: String = objects
        .lines()
        .filter_map(|it| Some(format!("{}\n", it.strip_prefix("commit ")?)))
        .collect();
    let log = [
        "log",
        "--no-walk=unsorted",
        "--stdin",
        "--no-renames",
        "--name-status",
        "--format=commit %an",
        "--author=gitport",
    ];
    let log = String::from_utf8(repository.git_with_input(&log, commits.as_bytes())).unwrap();
    assert!(log.contains("\nA\t"), "{log}");
    for commit in log.split("commit gitport").skip(1) {
        // A folder that is divided has every note again in a folder below.
        let of = |status: &str| -> BTreeSet<String> {
            let lines = commit.lines().filter_map(|it| it.strip_prefix(status));
            lines.map(|it| it.trim().replace('/', "")).collect()
        };
        assert!(of("D\t").is_subset(&of("A\t")), "{commit}");
        assert!(of("M\t").is_empty(), "{commit}");
    }
    check(&repository);
}

fn keyed(path: &str, key: &str, content: &str) -> Value {
    json!({"op": "commit", "path": path, "branch": "main", "message": "keyed", "key": key,
        "encoding": "utf8", "changes": [{"file": "keyed", "content": content}]})
}

#[test]
fn a_key_gives_the_same_commit_after_a_restart_and_a_kill() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    let first = daemon.ok(keyed(path, "order 1", "one"));
    assert_eq!(daemon.ok(keyed(path, "order 1", "one")), first);
    assert_eq!(daemon.end().status.code(), Some(0));

    let mut daemon = Daemon::start();
    let mut other = Daemon::start();
    assert_eq!(daemon.ok(keyed(path, "order 1", "one")), first);
    let second = daemon.ok(keyed(path, "order 2", "two"));
    daemon.signal(Signal::KILL);
    daemon.exit();
    assert_eq!(other.ok(keyed(path, "order 2", "two")), second);
    assert_eq!(other.ok(keyed(path, "order 1", "one")), first);
    let bytes = json!({"changes": [{"file": "keyed", "content": "b25l"}], "encoding": "base64"});
    assert_eq!(other.ok(with(keyed(path, "order 1", ""), &bytes)), first);
    other.refused("conflict", keyed(path, "order 1", "another"));
    other.refused("conflict", with(keyed(path, "order 1", "one"), &json!({"branch": "side"})));
    for key in ["", &"k".repeat(201)] {
        other.refused("bad_request", keyed(path, key, "one"));
    }
    assert_eq!(repository.git(&["rev-list", "--count", "main"]), "3");
    check(&repository);
}

#[test]
fn a_key_that_is_sent_many_times_at_once_is_one_commit() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    for id in 0..50 {
        daemon.send(with(keyed(path, "once", "one"), &json!({"id": id})));
    }
    let replies = daemon.receive_many(50);
    assert!(replies.iter().all(|it| it["ok"] == replies[0]["ok"]), "{replies:?}");
    assert_eq!(repository.git(&["rev-list", "--count", "main"]), "2");
}

#[test]
fn a_commit_that_was_refused_leaves_its_key_free() {
    let repository = Repository::of(&[("file", "content")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    let stale = with(keyed(path, "k", "one"), &json!({"expect": NOBODY}));
    daemon.refused("conflict", stale);
    daemon.ok(keyed(path, "k", "one"));
    let line = shown(&repository, "gitvan/keys", &key_id("k"));
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(record["key"], "k");
    assert_eq!(record["commit"], repository.git(&["rev-parse", "main"]));
}

/// The SHA-1 of `k`.
fn key_id(key: &str) -> String {
    assert_eq!(key, "k");
    "13fbd79c3d390e5d6585a21e11ff5ec1970cff0c".to_owned()
}

#[test]
fn notes_come_with_a_sync_that_asks_for_them_with_and_without_stock_git() {
    let origin = Repository::of(&[("file", "content")]);
    origin.git(&["notes", "--ref=ci/one", "add", "-m", "one"]);
    origin.git(&["notes", "--ref=other", "add", "-m", "other"]);
    for flags in [&[] as &[&str], &["--git", "none"]] {
        let home = TempDir::new().unwrap();
        let path = text(&home.path().join("clone")).to_owned();
        let mut daemon = Daemon::start_with(flags);
        let sync = |notes: Value| {
            json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path,
                "notes": notes})
        };
        let one = json!({"op": "notes", "path": path, "namespace": "ci/one", "target": "HEAD",
            "encoding": "utf8"});
        daemon.ok(sync(Value::Null));
        daemon.refused("not_found", one.clone());
        daemon.ok(sync(json!(["refs/notes/ci/one", "nobody"])));
        assert_eq!(daemon.ok(one)["content"], "one\n");
        let other = json!({"op": "notes", "path": path, "namespace": "other"});
        assert_eq!(daemon.ok(other.clone())["notes"], json!([]));
        daemon.ok(sync(json!(true)));
        assert_eq!(daemon.ok(other)["notes"].as_array().unwrap().len(), 1);
        daemon.refused("bad_request", sync(json!(["a..b"])));
    }
}

#[test]
fn notes_of_clones_that_diverged_are_merged_both_ways() {
    let origin = Repository::of(&[("file", "content")]);
    let targets = targets(&origin, 6);
    origin.git(&["config", "receive.denyCurrentBranch", "ignore"]);
    for target in &targets {
        origin.git(&["notes", "add", "-m", "base", target]);
    }
    let home = TempDir::new().unwrap();
    let mut daemon = Daemon::start();
    let paths = ["one", "two"].map(|it| text(&home.path().join(it)).to_owned());
    let sync = |path: &str| {
        json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path,
            "notes": true})
    };
    for path in &paths {
        daemon.ok(sync(path));
    }
    let git = |path: &str, arguments: &[&str]| {
        let mut command = git_command(std::path::Path::new(path));
        let output = command.args(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    };
    let [one, two] = paths.each_ref().map(|it| it.as_str());
    git(one, &["notes", "add", "-f", "-m", "one", &targets[0]]);
    git(one, &["notes", "add", "-f", "-m", "one", &targets[1]]);
    git(one, &["notes", "remove", &targets[2], &targets[3]]);
    git(two, &["notes", "add", "-f", "-m", "two", &targets[0]]);
    git(two, &["notes", "add", "-f", "-m", "two", &targets[2]]);
    git(two, &["notes", "--ref=bulk", "add", "-m", "bulk", &targets[4]]);
    git(one, &["push", "-q", "origin", "refs/notes/*"]);
    // The reference for the result.
    git(two, &["fetch", "-q", "origin", "refs/notes/commits:refs/notes/theirs"]);
    git(two, &["update-ref", "refs/notes/reference", "refs/notes/commits"]);
    git(two, &["notes", "--ref=reference", "merge", "-q", "-s", "union", "theirs"]);

    daemon.ok(sync(two));
    let tree = |path: &str, reference: &str| git(path, &["notes", "--ref", reference, "list"]);
    assert_eq!(tree(two, "commits"), tree(two, "reference"));
    assert_eq!(git(two, &["rev-list", "--parents", "-1", "refs/notes/commits"]).len(), 122);
    assert_eq!(git(two, &["notes", "show", &targets[0]]), "two\n\none");
    let after = git(two, &["rev-parse", "refs/notes/commits"]);
    daemon.ok(sync(two));
    assert_eq!(git(two, &["rev-parse", "refs/notes/commits"]), after);

    git(two, &["push", "-q", "origin", "refs/notes/commits", "refs/notes/bulk"]);
    daemon.ok(sync(one));
    assert_eq!(git(one, &["rev-parse", "refs/notes/commits"]), after);
    assert_eq!(tree(one, "bulk"), tree(two, "bulk"));
    for path in [one, two] {
        expect_sound(Path::new(path));
    }
}
