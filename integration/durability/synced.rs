//! An answer means that it is on disk: one flush for all that waited together, seen by `strace`.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{Store, WRITINGS, with, writing};
use crate::daemon::Daemon;

/// The number of a commit on the main branch, as is each multiple of it.
const COMMIT: u64 = WRITINGS.len() as u64;

/// Calls of the daemon, in order, while it answered these requests one batch after the other.
fn calls(store: &Store, batches: &[Vec<Value>]) -> Option<Vec<String>> {
    if Command::new("strace").arg("-V").output().is_err() {
        crate::skipped("flushes before answers", "there is no strace");
        return None;
    }
    let trace = store.repository.beside("trace");
    let traced = "trace=read,write,pwrite64,writev,pwritev,pwritev2,fsync,fdatasync,sync,syncfs";
    let place = trace.to_str().unwrap();
    let data = format!("GITPORT_DATA={}", store.repository.beside("data").display());
    let strace = ["strace", "-f", "-y", "-qq", "-s", "100000", "-e", traced, "-o", place];
    let strace = [&strace[..], &["-E", &data]].concat();
    let mut daemon = Daemon::started_by(&strace);
    for batch in batches {
        let frames = batch.iter().map(crate::daemon::request_frame);
        daemon.send_bytes(&frames.collect::<Vec<_>>().concat());
        for _ in batch {
            let reply = daemon.receive();
            assert!(reply.get("ok").is_some(), "{reply}");
        }
    }
    assert!(daemon.end().status.success());
    let text = String::from_utf8_lossy(&fs::read(&trace).unwrap()).into_owned();
    Some(text.lines().map(str::to_owned).collect())
}

/// The flushes between the first time that one id is seen and the last time that another is: the
/// request's being read and the reply's being written.
fn flushes(calls: &[String], first: &str, last: &str) -> Vec<String> {
    let from = calls.iter().position(|it| it.contains(first)).unwrap();
    let to = calls.iter().rposition(|it| it.contains(last)).unwrap();
    assert!(from < to && calls[from].contains("read"), "{}", calls[from]);
    let is_flush = |it: &&String| it.contains("sync(") || it.contains("syncfs(");
    let is_begun = |it: &&String| !it.contains("resumed>");
    calls[from..to].iter().filter(is_flush).filter(is_begun).cloned().collect()
}

fn named(store: &Store, number: u64, id: &str) -> Value {
    with(writing(number).request(store.path(), number), json!({"id": id}))
}

#[test]
fn one_commit_is_answered_after_one_flush_of_the_journal() {
    for is_bare in [true, false] {
        let store = Store::new(is_bare);
        // The first one of all also makes the journal.
        let batches = [vec![named(&store, 0, "first")], vec![named(&store, COMMIT, "the-one")]];
        let Some(calls) = calls(&store, &batches) else { return };
        let flushes = flushes(&calls, "the-one", "the-one");
        assert_eq!(flushes.len(), 1, "{flushes:#?}");
        assert!(flushes[0].contains("fdatasync(") && flushes[0].contains("gitport-journal"));
    }
}

#[test]
fn commits_that_wait_together_share_a_flush() {
    let store = Store::new(true);
    let many = (0..64).map(|it| named(&store, COMMIT * (it + 1), &format!("of-many-{it}")));
    let Some(calls) = calls(&store, &[vec![named(&store, 0, "first")], many.collect()]) else {
        return;
    };
    let flushes = flushes(&calls, "of-many-0", "of-many-");
    assert!((1..=16).contains(&flushes.len()), "{flushes:#?}");
}

#[test]
fn a_relaxed_commit_is_answered_without_a_flush_and_says_so() {
    let store = Store::new(true);
    let relaxed = with(named(&store, COMMIT, "the-one"), json!({"durability": "relaxed"}));
    let Some(calls) = calls(&store, &[vec![named(&store, 0, "first")], vec![relaxed]]) else {
        return;
    };
    assert_eq!(flushes(&calls, "the-one", "the-one"), [] as [String; 0]);
    let reply = calls.iter().rfind(|it| it.contains("the-one")).unwrap();
    assert!(reply.contains("relaxed"), "{reply}");
}

#[test]
fn what_any_operation_wrote_is_flushed_before_it_is_answered() {
    for is_bare in [true, false] {
        let store = Store::new(is_bare);
        let folder = store.repository.beside("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "1\n").unwrap();
        let is_durable = |it: &Value| it["durability"] != "relaxed";
        let id = |it: u64| format!("number-{it}-");
        let writings = (0..COMMIT).map(|it| named(&store, it, &id(it))).filter(is_durable);
        let create = json!({"op": "workspace.create", "workspace": "w", "id": id(COMMIT)});
        let import = json!({"op": "workspace.import", "workspace": "w", "id": id(COMMIT + 1),
                            "from": {"folder": folder}});
        let content = "process_name: p\nprocess_version: 1.0.0\nsteps: [{step_id: a}]\n";
        let publish = |number: u64, place: Value| {
            let publish = json!({"op": "process.publish", "content": content, "encoding": "utf8"});
            with(with(publish, place), json!({"id": id(number)}))
        };
        let tagged = publish(COMMIT + 2, json!({"path": store.path()}));
        let published = store.repository.beside("published");
        let filed = publish(COMMIT + 3, json!({"store": {"folder": published}}));
        let others = [create, import, tagged, filed];
        let batches: Vec<_> = writings.chain(others).map(|it| vec![it]).collect();
        let Some(calls) = calls(&store, &batches) else { return };
        for request in batches.concat() {
            let id = request["id"].as_str().unwrap();
            assert!(!flushes(&calls, id, id).is_empty(), "{request}");
        }
    }
}
