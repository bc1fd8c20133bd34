//! Runs that ended go when the rule says so, into a file that has all of them; others never do.

use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::{Scene, execution, git};
use crate::{processes::until, repository::text};

const SOON: Duration = Duration::from_secs(10);

const DEFINITION: &str = "\
process_name: p
steps:
  - {step_id: a, milestone: half, next: c}
  - {step_id: c, call: q}
---
process_name: q
steps: [{step_id: b}]
";

/// Plays a run to its end.
fn play(scene: &mut Scene, run: &str) {
    scene.start(run, json!({}));
    for _ in 0..2 {
        let listed = scene.ok("task.list", json!({"run": run}));
        let task = scene.claim(json!({"task": listed["tasks"][0]["task"]}))[0].clone();
        scene.complete(&task, json!({}));
    }
    assert_eq!(scene.status(run), "done");
}

fn gone(reply: &Value) -> Vec<&str> {
    reply["runs"].as_array().unwrap().iter().map(|it| it["run"].as_str().unwrap()).collect()
}

fn there(scene: &mut Scene) -> Vec<String> {
    let listed = scene.ok("run.list", json!({}));
    gone(&listed).into_iter().map(str::to_owned).collect()
}

/// The refs of a run.
fn refs(folder: &Path, run: &str) -> Vec<String> {
    let told = git(folder, &["for-each-ref", "--format=%(refname)"]);
    let is_its = |it: &&str| it.ends_with(&format!("/{run}")) || it.contains(&format!("/{run}/"));
    told.lines().filter(is_its).map(str::to_owned).collect()
}

#[test]
fn runs_that_ended_are_folded_into_a_file_with_all_that_they_are() {
    let mut scene = Scene::of(DEFINITION);
    for run in ["r1", "r2", "r3"] {
        play(&mut scene, run);
    }
    scene.start("open", json!({}));
    let history = scene.ok("run.history", json!({"run": "r1"}));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("runs.bundle");
    let ask = json!({"keep": 1, "to": text(&file)});
    let mut tried = ask.clone();
    tried["dry_run"] = json!(true);
    let tried = scene.ok("run.prune", tried);
    assert_eq!(gone(&tried).len(), 2);
    assert!(!file.exists() && there(&mut scene).len() == 4, "it was only tried");
    let pruned = scene.ok("run.prune", ask.clone());
    assert_eq!((gone(&pruned), &pruned["more"]), (gone(&tried), &json!(false)));
    assert_eq!(pruned["bytes"], file.metadata().unwrap().len());
    let left = there(&mut scene);
    assert!(left.len() == 2 && left.contains(&"open".to_owned()), "{left:?}");
    let run = gone(&pruned)[0].to_owned();
    scene.refused("not_found", "run.get", json!({"run": run}));
    scene.restart();
    assert_eq!(there(&mut scene), left);
    assert_eq!(refs(scene.path(), &run), Vec::<String>::new());
    scene.is_sound();
    // A file that is there stays, and with it what it was to take.
    play(&mut scene, "r4");
    scene.refused("already_exists", "run.prune", ask);
    assert_eq!(there(&mut scene).len(), 3);

    // Stock git brings it back from the file.
    scene.git(&["bundle", "verify", "-q", text(&file)]);
    scene.git(&["fetch", "-q", text(&file), "refs/*:refs/*"]);
    until("the daemon sees it", SOON, || there(&mut scene).contains(&run));
    let again = scene.ok("run.history", json!({"run": run}));
    assert!(run != "r1" || again == history);
    assert_eq!(scene.ok("run.verify", json!({"run": run}))["ok"], true);
    let names = refs(scene.path(), &run);
    assert!(names.contains(&execution(&run)) && names.len() == 3, "{names:?}");
}

#[test]
fn nothing_that_is_under_way_goes_and_a_rule_has_to_be_said() {
    let mut scene = Scene::of(DEFINITION);
    play(&mut scene, "r");
    scene.start("open", json!({}));
    scene.start("suspended", json!({}));
    scene.ok("run.suspend", json!({"run": "suspended"}));
    for more in [
        json!({}),
        json!({"runs": ["r"], "keep": 0}),
        json!({"keep": 0, "status": "running"}),
        json!({"keep": 0, "limit": 0}),
        json!({"runs": ["a/b"]}),
        json!({"keep": -1}),
    ] {
        scene.refused("bad_request", "run.prune", more);
    }
    scene.refused("conflict", "run.prune", json!({"runs": ["r", "open"]}));
    scene.refused("conflict", "run.prune", json!({"runs": ["suspended"]}));
    scene.refused("not_found", "run.prune", json!({"runs": ["nobody"]}));
    assert_eq!(gone(&scene.ok("run.prune", json!({"keep_ms": 3_600_000}))), [""; 0]);
    assert_eq!(gone(&scene.ok("run.prune", json!({"keep": 0, "process": "q"}))), [""; 0]);
    assert_eq!(gone(&scene.ok("run.prune", json!({"keep": 0, "status": "failed"}))), [""; 0]);
    assert_eq!(gone(&scene.ok("run.prune", json!({"keep": 0}))), ["r"]);
    assert_eq!(there(&mut scene), ["open", "suspended"]);
}

#[test]
fn runs_go_in_portions_those_first_that_ended_first() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a, step_type: final_commit}]\n");
    for at in 0..5 {
        scene.start(&format!("r{at}"), json!({}));
    }
    let first = scene.ok("run.prune", json!({"keep": 1, "limit": 3}));
    assert_eq!((gone(&first).len(), &first["more"]), (3, &json!(true)));
    let rest = scene.ok("run.prune", json!({"keep": 1, "limit": 3}));
    assert_eq!((gone(&rest).len(), &rest["more"]), (1, &json!(false)));
    // What goes is gone for good only once nothing reaches it: a fork keeps what it began as.
    assert_eq!(there(&mut scene).len(), 1);
    scene.is_sound();
}
