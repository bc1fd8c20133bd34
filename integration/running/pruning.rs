//! Runs that ended go when the rule says so, into a file that has all of them; others never do.

use std::{collections::BTreeSet, path::Path, time::Duration};

use serde_json::{Value, json};

use super::{Scene, execution, git};
use crate::{daemon::Daemon, processes::until, repository::text};

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

const PLAIN: &str = "\
process_name: p
steps: [{step_id: a, next: b}, {step_id: b, next: c}, {step_id: c}]
";
/// So many tasks it has, each with a receipt.
const TASKS: usize = 3;

/// Plays a run to its end.
fn play(scene: &mut Scene, run: &str) {
    scene.start(run, json!({}));
    play_on(scene, run);
}

/// Does the tasks of a run that has just begun.
fn play_on(scene: &mut Scene, run: &str) {
    loop {
        let listed = scene.ok("task.list", json!({"run": run}));
        let Some(task) = listed["tasks"].as_array().unwrap().first() else { break };
        let task = scene.claim(json!({"task": task["task"]}))[0].clone();
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

fn receipts(scene: &mut Scene, run: &str) -> Vec<Value> {
    let listed = scene.ok("receipt.list", json!({"run": run}));
    listed["receipts"].as_array().unwrap().clone()
}

fn ids(receipts: &[Value]) -> BTreeSet<String> {
    receipts.iter().map(|it| it["commit"].as_str().unwrap().to_owned()).collect()
}

/// What is wrong with a run, as `run.verify` says it: the kinds and the commits.
fn problems(scene: &mut Scene, op: &str, more: Value) -> Vec<(String, String)> {
    let verified = scene.ok(op, more);
    let problems = verified["problems"].as_array().unwrap();
    assert_eq!(verified["ok"] == true, problems.is_empty(), "{verified}");
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    problems.iter().map(|it| (text(&it["kind"]), text(&it["commit"]))).collect()
}

/// These are there, and are told to be apart from their run or not, whoever asks.
#[track_caller]
fn expect_receipts(scene: &mut Scene, run: &str, expected: &[Value], is_apart: bool) {
    assert_eq!(ids(&receipts(scene, run)), ids(expected));
    let apart = if is_apart { expected.len() } else { 0 };
    for more in [json!({}), json!({"run": run})] {
        let verified = scene.ok("receipt.verify", more);
        let told = (&verified["ok"], &verified["apart"], &verified["receipts"]);
        assert_eq!(told, (&json!(true), &json!(apart), &json!(expected.len())), "{verified}");
    }
    for receipt in expected {
        let of_task = json!({"task": receipt["task"], "attempt": receipt["attempt"]});
        let last = json!({"task": receipt["task"]});
        let by_task = [of_task, last].into_iter().filter(|it| !it["task"].is_null());
        for more in by_task.chain([json!({"commit": receipt["commit"]})]) {
            let got = scene.ok("receipt.get", more);
            assert_eq!(got["receipt"], *receipt);
            let told = (&got["ok"], &got["apart"]);
            assert_eq!(told, (&json!(true), &json!(is_apart)), "{got}");
        }
    }
}

/// Takes away what nothing leads to any more.
fn maintain(scene: &mut Scene, gone: &[Value]) {
    scene.ok("maintain", json!({"full": true, "prune_after_ms": 0}));
    for it in gone {
        let file = format!("{}^{{commit}}", it["commit"].as_str().unwrap());
        let found = crate::repository::git_command(scene.path())
            .args(["cat-file", "-e", &file])
            .output()
            .unwrap();
        assert!(!found.status.success(), "{it} is still there");
    }
}

#[test]
fn receipts_of_a_pruned_run_stay_and_are_told_to_be_apart_from_it_whoever_asks() {
    let mut scene = Scene::of(PLAIN);
    play(&mut scene, "r");
    let all = receipts(&mut scene, "r");
    assert_eq!(all.len(), TASKS);
    expect_receipts(&mut scene, "r", &all, false);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("runs.bundle");
    scene.ok("run.prune", json!({"runs": ["r"], "to": text(&file), "actor": "ann"}));
    expect_receipts(&mut scene, "r", &all, true);
    scene.refused("not_found", "receipt.get", json!({"task": "r/99"}));
    scene.refused("not_found", "receipt.get", json!({"task": all[0]["task"], "attempt": 2}));
    scene.refused("not_found", "run.verify", json!({"run": "r"}));
    until("its refs are gone", SOON, || refs(scene.path(), "r").is_empty());
    scene.restart();
    expect_receipts(&mut scene, "r", &all, true);
    maintain(&mut scene, &all);
    expect_receipts(&mut scene, "r", &all, true);
    scene.restart();
    expect_receipts(&mut scene, "r", &all, true);
    // Who took it away stays known, and nobody else writes there.
    let told = scene.git(&["log", "-1", "--format=%s", "refs/notes/gitvan/pruned"]);
    assert_eq!(told, "1 run pruned by ann");
    let note =
        json!({"namespace": "gitvan/pruned", "target": "HEAD", "content": "x", "encoding": "utf8"});
    scene.refused("denied", "note", note);

    // Brought back, it is the run of its receipts again.
    scene.git(&["fetch", "-q", text(&file), "refs/*:refs/*"]);
    until("the daemon sees it", SOON, || there(&mut scene) == ["r"]);
    expect_receipts(&mut scene, "r", &all, false);
    assert_eq!(problems(&mut scene, "run.verify", json!({"run": "r"})), []);
    // What it loses from then on is lost, and not pruned.
    let history = scene.ok("run.history", json!({"run": "r"}));
    let events = history["events"].as_array().unwrap();
    let last = events.iter().position(|it| it["commit"] == all[2]["commit"]).unwrap();
    scene.git(&["update-ref", &execution("r"), events[last - 1]["commit"].as_str().unwrap()]);
    let lost = all[2]["commit"].as_str().unwrap().to_owned();
    let lost = [("misplaced".to_owned(), lost)];
    assert_eq!(problems(&mut scene, "run.verify", json!({"run": "r"})), lost);
    assert_eq!(problems(&mut scene, "receipt.verify", json!({})), lost);
    scene.is_sound();
}

#[test]
fn an_id_that_was_pruned_is_used_again_and_the_receipts_of_both_runs_are_right() {
    let mut scene = Scene::of(PLAIN);
    play(&mut scene, "r");
    let old = receipts(&mut scene, "r");
    scene.ok("run.prune", json!({"runs": ["r"]}));
    scene.start("r", json!({}));
    let expect = |scene: &mut Scene, new: usize| {
        let verified = scene.ok("receipt.verify", json!({}));
        let told = (&verified["ok"], &verified["apart"], &verified["receipts"]);
        assert_eq!(told, (&json!(true), &json!(TASKS), &json!(TASKS + new)), "{verified}");
        assert_eq!(problems(scene, "run.verify", json!({"run": "r"})), []);
        for it in &old {
            let got = scene.ok("receipt.get", json!({"commit": it["commit"]}));
            let told = (&got["ok"], &got["apart"], &got["receipt"]);
            assert_eq!(told, (&json!(true), &json!(true), it), "{got}");
        }
        // With a name, it is the run that has it now.
        let here = receipts(scene, "r");
        assert_eq!(here.len(), new);
        assert!(ids(&here).is_disjoint(&ids(&old)));
    };
    expect(&mut scene, 0);
    play_on(&mut scene, "r");
    expect(&mut scene, TASKS);
    let new = receipts(&mut scene, "r");
    let got = scene.ok("receipt.get", json!({"task": new[0]["task"]}));
    assert_eq!((&got["receipt"], &got["apart"]), (&new[0], &json!(false)));
    scene.restart();
    maintain(&mut scene, &old);
    expect(&mut scene, TASKS);
    // A third one, after which two were pruned.
    scene.ok("run.prune", json!({"runs": ["r"]}));
    scene.start("r", json!({}));
    let verified = scene.ok("receipt.verify", json!({}));
    assert_eq!((&verified["ok"], &verified["apart"]), (&json!(true), &json!(2 * TASKS)));
    let task = scene.claim_one();
    let done = scene.complete(&task, json!({}))["commit"].clone();

    // What is no receipt of those that were pruned is not taken for one.
    scene.restart();
    let line = |scene: &Scene, commit: &Value| {
        scene.git(&["notes", "--ref=gitvan/results", "show", commit.as_str().unwrap()])
    };
    let true_one = line(&scene, &old[0]["commit"]);
    let head = scene.git(&["rev-parse", "HEAD"]);
    let set = |scene: &Scene, line: &str| {
        scene.git(&["notes", "--ref=gitvan/results", "add", "-f", "-m", line, &head]);
    };
    let later = |it: &str, by: i64| {
        let mut value: Value = serde_json::from_str(it).unwrap();
        value["commit"] = json!(head);
        value["finished_ms"] = json!(value["finished_ms"].as_i64().unwrap() + by);
        value.to_string()
    };
    for wrong in [later(&true_one, 0), later(&true_one, 3_600_000), true_one.clone()] {
        set(&scene, &wrong);
        let found = problems(&mut scene, "receipt.verify", json!({}));
        assert_eq!(found, [("misplaced".to_owned(), head.clone())], "{wrong}");
        let got = scene.ok("receipt.get", json!({"commit": head}));
        assert_eq!((&got["ok"], &got["apart"]), (&json!(false), &json!(false)), "{got}");
    }
    scene.git(&["notes", "--ref=gitvan/results", "remove", &head]);
    // Nor is what the third one has lost.
    let history = scene.ok("run.history", json!({"run": "r"}));
    let events = history["events"].as_array().unwrap();
    let at = events.iter().position(|it| it["commit"] == done).unwrap();
    scene.git(&["update-ref", &execution("r"), events[at - 1]["commit"].as_str().unwrap()]);
    let lost = [("misplaced".to_owned(), done.as_str().unwrap().to_owned())];
    assert_eq!(problems(&mut scene, "run.verify", json!({"run": "r"})), lost);
    assert_eq!(problems(&mut scene, "receipt.verify", json!({})), lost);
}

#[test]
fn a_run_that_stock_git_took_away_and_that_is_begun_anew_has_lost_what_it_was() {
    let mut scene = Scene::of(PLAIN);
    play(&mut scene, "r");
    let old = receipts(&mut scene, "r");
    scene.restart();
    for name in refs(scene.path(), "r") {
        scene.git(&["update-ref", "-d", &name]);
    }
    // Nobody can tell more of them while there is no such run.
    expect_receipts(&mut scene, "r", &old, true);
    scene.start("r", json!({}));
    let lost: Vec<String> =
        old.iter().map(|it| it["commit"].as_str().unwrap().to_owned()).collect();
    let found = problems(&mut scene, "run.verify", json!({"run": "r"}));
    assert!(found.iter().all(|it| it.0 == "misplaced"), "{found:?}");
    let found: Vec<String> = found.into_iter().map(|it| it.1).collect();
    assert_eq!(found, lost, "what was lost first is first");
    let found = problems(&mut scene, "receipt.verify", json!({}));
    assert_eq!(found.len(), TASKS, "{found:?}");
}

#[test]
fn a_clone_that_takes_along_what_was_pruned_knows_whose_receipts_there_are() {
    let mut scene = Scene::of(PLAIN);
    for _ in 0..2 {
        play(&mut scene, "r");
        scene.ok("run.prune", json!({"runs": ["r"]}));
    }
    play(&mut scene, "r");
    assert_eq!(receipts(&mut scene, "r").len(), TASKS);
    scene.restart();
    let folder = tempfile::tempdir().unwrap();
    let clone = folder.path().join("clone");
    let sync = json!({"op": "sync", "url": scene.repository.path(), "branch": "main", "depth": 0,
                      "path": text(&clone), "notes": ["gitvan/results", "gitvan/pruned"]});
    // Once it has pruned another run of that name, and once more went there.
    for count in [0, 1] {
        let mut there = Daemon::start();
        let ask = |op: &str, more: Value| {
            let mut request = json!({"op": op, "path": text(&clone)});
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            request
        };
        there.ok(sync.clone());
        if count == 0 {
            let start = json!({"run": "r", "files": ["p.yaml"]});
            there.ok(ask("run.start", start));
            there.ok(ask("run.cancel", json!({"run": "r"})));
            there.ok(ask("run.prune", json!({"runs": ["r"]})));
            until("its refs are gone", SOON, || refs(&clone, "r").is_empty());
        }
        git(&clone, &["fetch", "-q", "origin", "refs/workflow/*:refs/workflow/*"]);
        there.ok(sync.clone());
        let verified = there.ok(ask("receipt.verify", json!({})));
        let told = (&verified["ok"], &verified["apart"], &verified["receipts"]);
        let (apart, all) = ((2 + count) * TASKS, (3 + count) * TASKS);
        assert_eq!(told, (&json!(true), &json!(apart), &json!(all)), "{verified}");
        assert!(there.end().status.success());
        if count == 0 {
            play(&mut scene, "other");
            scene.ok("run.prune", json!({"runs": ["other"]}));
            scene.restart();
        }
    }
}

#[test]
fn what_was_finished_right_before_a_run_is_pruned_has_its_receipt_whatever_is_killed() {
    let mut scene = Scene::of(PLAIN);
    // The first receipt of a repository waits for nothing.
    play(&mut scene, "first");
    for run in ["r1", "r2", "r3"] {
        play(&mut scene, run);
        scene.ok("run.prune", json!({"runs": [run]}));
        scene.kill();
        assert_eq!(receipts(&mut scene, run).len(), TASKS);
    }
    let verified = scene.ok("receipt.verify", json!({}));
    assert_eq!((&verified["ok"], &verified["apart"]), (&json!(true), &json!(3 * TASKS)));
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
    assert_eq!(gone(&scene.ok("run.prune", json!({"keep_ms": 0}))), ["r"]);
    assert_eq!(gone(&scene.ok("run.prune", json!({"keep": 0}))), [""; 0]);
    assert_eq!(refs(scene.path(), "open"), [execution("open")]);
    until("its refs are gone", SOON, || refs(scene.path(), "r").is_empty());
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
