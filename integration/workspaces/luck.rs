//! A workspace is whole or absent, whoever is killed, races or runs out of space.

use std::{collections::BTreeSet, fs, process::Command};

use rustix::process::Signal;
use serde_json::{Value, json};

use super::{Data, create, fill, git, ids, on};
use crate::{
    bad_luck::disk::SmallDisk,
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::text,
};

#[test]
fn reads_of_what_is_deleted_meanwhile_are_answered_and_hurt_nobody() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let path = daemon.ok(create("one"))["path"].as_str().unwrap().to_owned();
    let names: Vec<String> = (0..200).map(|it| format!("{it}.yaml")).collect();
    let files: Vec<(&str, &str)> = names.iter().map(|it| (&**it, "a: 1\n")).collect();
    let head = fill(&path, &files).head();
    for round in 0..20 {
        for id in 0..40 {
            let file = &names[(id + round) % names.len()];
            let op = ["read", "log", "files"][id % 3];
            let mut request = json!({"op": op, "workspace": "one", "id": id});
            if op == "read" {
                request["file"] = json!(file);
                request["rev"] = json!(head);
            }
            daemon.send(request);
            if id == 20 {
                daemon.send(json!({"op": "workspace.delete", "workspace": "one", "id": "delete"}));
            }
        }
        for reply in daemon.receive_many(41) {
            let is_fine = reply.get("ok").is_some() || reply["code"] == "not_found";
            assert!(is_fine, "{reply}");
        }
        daemon.ok(on("workspace.restore", "one"));
    }
    assert_eq!(daemon.ok(on("head", "one"))["sha"], head);
}

#[test]
fn of_two_daemons_that_create_one_id_exactly_one_does() {
    let data = Data::new();
    let mut daemons = [data.daemon(), data.daemon()];
    for round in 0..50 {
        for op in ["workspace.create", "workspace.delete", "workspace.restore"] {
            let id = format!("round/{round}");
            daemons.iter_mut().for_each(|it| it.send(on(op, &id)));
            let replies: Vec<Value> = daemons.iter_mut().map(Daemon::receive).collect();
            let (done, refused): (Vec<_>, Vec<_>) =
                replies.iter().partition(|it| it.get("ok").is_some());
            assert_eq!(done.len(), 1, "{op}: {replies:?}");
            let expected: &[&str] = match op {
                "workspace.create" => &["already_exists"],
                "workspace.delete" => &["not_found"],
                // Whether the other was there already or has taken the last one.
                _ => &["already_exists", "not_found"],
            };
            assert!(expected.contains(&refused[0]["code"].as_str().unwrap()), "{op}: {replies:?}");
        }
    }
    assert_eq!(data.names("aside"), [""; 0]);
}

#[test]
fn what_a_killed_daemon_was_at_is_whole_or_absent() {
    let data = Data::new();
    let mut acknowledged = BTreeSet::new();
    for round in 0..40 {
        let mut daemon = data.daemon();
        for number in 0..20 {
            let id = format!("{round}/{number}");
            daemon.send(json!({"op": "workspace.create", "workspace": id, "id": id}));
        }
        // Each time after another number of replies; those that are on their way count as none.
        for _ in 0..round % 20 {
            let reply = daemon.receive();
            assert!(reply.get("ok").is_some(), "{reply}");
            acknowledged.insert(reply["id"].as_str().unwrap().to_owned());
        }
        daemon.signal(Signal::KILL);
        daemon.exit();
    }
    let mut daemon = data.daemon();
    let listed = daemon.ok(json!({"op": "workspace.list"}));
    assert_eq!(data.names("aside"), [""; 0], "the next one sweeps");
    let listed: BTreeSet<String> = ids(&listed).into_iter().map(str::to_owned).collect();
    assert!(listed.is_superset(&acknowledged));
    for (number, id) in listed.iter().enumerate() {
        let info = daemon.ok(on("workspace.info", id));
        assert_eq!((&info["branch"], &info["head"]), (&json!("main"), &Value::Null));
        if number % 20 == 0 {
            git(info["path"].as_str().unwrap(), &["fsck", "--strict"]);
        }
    }
    let missing = (0..40 * 20).map(|it| format!("{}/{}", it / 20, it % 20));
    for id in missing.filter(|id| !listed.contains(id)) {
        daemon.ok(create(id));
    }
}

#[test]
fn a_killed_delete_has_happened_or_not() {
    let data = Data::new();
    data.daemon().ok(create("one"));
    for round in 0..30 {
        let mut daemon = data.daemon();
        for number in 0..round {
            let op = ["workspace.delete", "workspace.restore"][number % 2];
            daemon.send(json!({"op": op, "workspace": "one", "id": number}));
        }
        if round % 3 != 0 {
            daemon.receive();
        }
        daemon.signal(Signal::KILL);
        daemon.exit();
        let living = data.names("workspaces").len();
        assert_eq!(living + data.names("deleted").len(), 1, "one repository in one place");
        let mut daemon = data.daemon();
        if living == 0 {
            daemon.ok(on("workspace.restore", "one"));
        }
        daemon.ok(on("workspace.info", "one"));
    }
}

#[test]
fn what_is_answered_is_on_disk() {
    if Command::new("strace").arg("-V").output().is_err() {
        return crate::skipped("syncs of a workspace", "there is no strace");
    }
    let data = Data::new();
    data.daemon().ok(create("first"));
    let trace = data.base.path().join("trace");
    let variable = format!("GITPORT_DATA={}", text(&data.path()));
    let calls = "trace=fsync,fdatasync,rename,renameat,renameat2,write,writev";
    let words =
        ["env", &variable, "strace", "-f", "-y", "-s", "200", "-o", text(&trace), "-e", calls];
    let mut daemon = Daemon::started_by(&words);
    daemon.ok(create("one"));
    daemon.ok(on("workspace.delete", "one"));
    assert!(daemon.end().status.success());
    let trace = fs::read_to_string(trace).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let find = |what: &dyn Fn(&str) -> bool| lines.iter().position(|line| what(line)).unwrap();
    let moved = |to: &str| find(&|line| line.contains("rename") && line.contains(to));
    let (created, deleted) = (moved("workspaces/one.git\")"), moved("deleted/one@"));
    let answered = |key: &str| find(&|line| line.contains("write") && line.contains(key));
    let synced = |within: &[&str], end: &str| {
        within.iter().any(|line| line.contains("sync(") && line.contains(&format!("{end}>)")))
    };
    for file in ["HEAD", "config", "objects", "objects/pack", "refs", "refs/heads"] {
        let aside = lines[..created].iter().copied().filter(|line| line.contains("/aside/"));
        let aside: Vec<&str> = aside.collect();
        assert!(synced(&aside, &format!("/{file}")), "{file}:\n{trace}");
    }
    let after = &lines[created..answered("created_ms")];
    assert!(synced(after, "/data/workspaces"), "{trace}");
    let after = &lines[deleted..answered("deleted_ms")];
    assert!(synced(after, "/data/workspaces") && synced(after, "/data/deleted"), "{trace}");
}

#[test]
fn a_full_disk_leaves_no_half_of_a_workspace() {
    let Some(disk) = SmallDisk::mount("256k") else { return };
    let data = disk.path().join("data");
    let mut daemon = Daemon::start_with(&["--data", text(&data)]);
    let mut count = 0;
    let refused = loop {
        let reply = daemon.call(create(count));
        if reply.get("ok").is_none() {
            break reply;
        }
        count += 1;
    };
    assert_eq!(refused["code"], "disk_full", "{refused}");
    let listed = daemon.ok(json!({"op": "workspace.list"}));
    assert_eq!(listed["workspaces"].as_array().unwrap().len(), count);
    until("nothing is left aside", PATIENCE, || {
        fs::read_dir(data.join("aside")).unwrap().next().is_none()
    });
    fs::remove_dir_all(data.join("workspaces").join("0.git")).unwrap();
    daemon.ok(create(count));
}
