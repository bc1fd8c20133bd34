//! What stock git tells of a run.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Scene, execution};
use crate::processes::until;

const SOON: Duration = Duration::from_secs(10);

const FORK: &str = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [a, b]}
  - {step_id: a, next: z}
  - {step_id: b, next: z}
  - {step_id: z, join: all}
";

#[test]
fn a_run_is_a_graph_of_commits_that_a_clone_has_whole() {
    let mut scene = Scene::of(FORK);
    scene.start("r", json!({"actor": "ann", "attributes": {"customer": "acme"}}));
    let task = scene.claim_one();
    scene.complete(&task, json!({"data": {"n": 1}}));
    let tasks = scene.claim(json!({"max": 2}));
    let path = "refs/workflow/threads/r/";
    until("git sees both paths", SOON, || {
        scene.git(&["for-each-ref", "--format=%(refname)", path]).lines().count() == 2
    });
    let tips = scene.git(&["for-each-ref", "--format=%(objectname)", path]);
    let tokens: Vec<&str> = tasks.iter().map(|it| it["token"].as_str().unwrap()).collect();
    assert!(tokens.iter().all(|it| tips.contains(it)), "{tips} {tokens:?}");
    scene.complete(&tasks[0], json!({}));
    scene.complete(&tasks[1], json!({"outcome": "ok"}));
    let task = scene.claim_one();
    assert_eq!(scene.complete(&task, json!({}))["status"], "done");

    let history = scene.ok("run.history", json!({"run": "r"}));
    let events = history["events"].as_array().unwrap();
    until("git sees the end", SOON, || {
        scene.git(&["for-each-ref", "--format=%(refname)", "refs/workflow"]) == execution("r")
    });
    scene.is_sound();
    let told = scene.git(&[
        "log",
        "--format=%H|%P|%s|%an|%(trailers:key=Seq,valueonly,separator=)",
        &execution("r"),
    ]);
    let mut told: Vec<Vec<&str>> = told.lines().map(|it| it.split('|').collect()).collect();
    told.sort_by_key(|it| it[4].parse::<u64>().unwrap());
    assert_eq!(told.len(), events.len());
    for (line, event) in told.iter().zip(events) {
        let parents: Vec<&str> =
            event["parents"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let said =
            [&event["commit"], &event["subject"], &event["actor"]].map(|it| it.as_str().unwrap());
        assert_eq!([line[0], line[2], line[3]], said);
        assert_eq!(line[1].split_whitespace().collect::<Vec<_>>(), parents);
    }
    let joined = told.iter().find(|it| it[2] == "z joins 2").unwrap();
    assert_eq!(joined[1].split(' ').count(), 2);
    assert_eq!(told[0][2..4], ["the run begins", "ann"]);

    let clone = scene.repository.cloned(&["--mirror"]);
    let count =
        super::git(std::path::Path::new(clone.path()), &["rev-list", "--count", &execution("r")]);
    assert_eq!(count, events.len().to_string());
    let pages = scene.ok("run.history", json!({"run": "r", "limit": 3, "after": 2}));
    assert_eq!(pages["events"].as_array().unwrap()[..], events[2..5]);
    assert_eq!(pages["next"], 5);
    let verified = scene.ok("run.verify", json!({"run": "r"}));
    assert_eq!((&verified["ok"], &verified["status"]), (&json!(true), &json!("done")));
    assert_eq!(verified["commits"], events.len());
    let then = scene.ok("run.get", json!({"run": "r", "seq": 2}));
    assert_eq!((&then["status"], &then["seq"]), (&json!("running"), &json!(2)));
    assert_eq!(then["commit"], task_of(events, "s"));
    let picture = |scene: &mut Scene, more: Value| {
        let mut wanted = json!({"run": "r", "format": "mermaid"});
        more.as_object().unwrap().iter().for_each(|it| wanted[it.0] = it.1.clone());
        scene.ok("run.graph", wanted)["picture"].as_str().unwrap().to_owned()
    };
    let (now, before) = (picture(&mut scene, json!({})), picture(&mut scene, json!({"seq": 2})));
    assert!(now.contains("done") && !now.contains("running"), "{now}");
    assert!(before.contains("running") && !before.contains("done"), "{before}");
    assert_eq!(events[0]["cause"]["event"], "begin");
    assert_eq!(scene.git(&["show", &format!("{}:data/n", execution("r"))]), "1");
}

/// The commit by which a step began.
fn task_of(events: &[Value], step: &str) -> Value {
    let is_it = |it: &&Value| it["step"] == *step && it["event"] == "start";
    events.iter().find(is_it).unwrap()["commit"].clone()
}

#[test]
fn clients_move_no_refs_of_runs() {
    let mut scene = Scene::of(FORK);
    scene.start("r", json!({}));
    let head = scene.git(&["rev-parse", "HEAD"]);
    let update = |name: &str, new: &str| json!({"updates": [{"ref": name, "to": new}]});
    for name in [execution("r"), execution("new"), "refs/workflow/threads/r/1".to_owned()] {
        let refused = scene.refused("denied", "ref.update", update(&name, &head));
        assert_eq!(refused["rule"], "runs");
    }
}

#[test]
fn a_run_whose_commits_are_not_what_their_causes_make_is_told_with_the_first_of_them() {
    let mut scene = Scene::of(FORK);
    scene.start("r", json!({}));
    scene.start("good", json!({}));
    let task = scene.claim(json!({"max": 2}));
    let task = task.iter().find(|it| it["run"] == "r").unwrap();
    let done: Value = scene.complete(task, json!({}));
    let commit = done["commit"].as_str().unwrap();
    let end = std::mem::replace(&mut scene.daemon, crate::daemon::Daemon::start());
    assert!(end.end().status.success());
    // Somebody writes history anew, with another worker in it.
    let raw = scene.git(&["cat-file", "commit", commit]);
    let file = scene.path().join("raw");
    std::fs::write(&file, raw.replace("Actor: w", "Actor: x") + "\n").unwrap();
    let forged = scene.git(&["hash-object", "-t", "commit", "-w", "raw"]);
    scene.git(&["update-ref", &execution("r"), &forged]);
    let refused = scene.refused("corrupt", "run.get", json!({"run": "r"}));
    assert_eq!(refused["commit"], forged, "{refused}");
    scene.refused("corrupt", "run.start", json!({"run": "r", "files": ["p.yaml"]}));
    scene.refused("corrupt", "task.claim", json!({"worker": "w", "task": task["task"]}));
    assert_eq!(scene.git(&["rev-parse", &execution("r")]), forged, "it is left as it is");
    let verified = scene.ok("run.verify", json!({"run": "r"}));
    assert_eq!(
        (&verified["ok"], &verified["problems"][0]["commit"]),
        (&json!(false), &json!(forged))
    );
    assert_eq!(scene.ok("run.verify", json!({"run": "good"}))["ok"], true);
    scene.refused("not_found", "run.verify", json!({"run": "none"}));
    // Others go on.
    assert_eq!(scene.status("good"), "running");
}
