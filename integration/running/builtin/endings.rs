//! A program ends with whatever it is for: its time, its task, its daemon. Nobody of its is left.

use std::{fs, path::PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ALLOWED, a_while, are_gone, is_alive, lines, script};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::text,
    running::Scene,
};

/// A program with children, of which one is in another session and none ends because it is asked
/// to. All write their numbers into a file; the second time it only says so.
const FAMILY: &str = "\
if [ -s \"$1\" ]; then echo again >> \"$1.again\"; exit 0; fi
trap '' TERM
sleep 1000 &
echo $! >> \"$1\"
setsid sh -c 'trap \"\" TERM; echo $$ >> \"$1\"; sleep 1000 & echo $! >> \"$1\"; wait' sh \"$1\" &
(trap '' TERM; sh -c 'echo $$; exec sleep 1000' >> \"$1\") &
echo $$ >> \"$1\"
while true; do sleep 1000; done";
const MEMBERS: usize = 5;

struct Family {
    scene: Scene,
    file: PathBuf,
    ids: Vec<String>,
    _place: TempDir,
}

/// The whole family, at work.
fn family(configuration: Value, step: Value) -> Family {
    let place = TempDir::new().unwrap();
    let file = place.path().join("ids");
    let definition = script(FAMILY, &[text(&file)], configuration);
    let mut definition: Value = serde_json::from_str(&definition).unwrap();
    for (key, value) in step.as_object().unwrap() {
        definition["steps"][0][key] = value.clone();
    }
    let mut scene = Scene::with(&definition.to_string(), &[ALLOWED]);
    scene.start("r", json!({}));
    let ids = lines(&file, MEMBERS);
    Family { scene, file, ids, _place: place }
}

#[test]
fn who_takes_too_long_ends_with_all_that_came_of_it() {
    let Family { mut scene, ids, _place, .. } = family(json!({"timeout_ms": 2000}), json!({}));
    let run = scene.ended("r");
    assert_eq!(run["status"], "failed");
    assert!(scene.problems("r").starts_with("timeout: not done after 2000 ms"));
    are_gone(&ids);
    scene.is_verified("r");
}

#[test]
fn who_ends_by_being_asked_may_say_so() {
    let polite = "trap 'echo bye >> \"$1\"; exit 0' TERM; echo $$ > \"$1\"; sleep 1000 & wait";
    let place = TempDir::new().unwrap();
    let file = place.path().join("file");
    let mut scene = Scene::with(&script(polite, &[text(&file)], json!({})), &[ALLOWED]);
    scene.start("r", json!({}));
    lines(&file, 1);
    scene.ok("run.cancel", json!({"run": "r"}));
    assert_eq!(lines(&file, 2)[1], "bye");
}

#[test]
fn what_is_left_behind_by_a_program_that_is_done_ends_too() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("ids");
    let leaving = "sleep 1000 & echo $! > \"$1\"; setsid sleep 1000 & echo $! >> \"$1\"; echo done";
    let mut scene = Scene::with(&script(leaving, &[text(&file)], json!({})), &[ALLOWED]);
    let run = scene.run("r", json!({}));
    assert_eq!(run["data"]["a"]["stdout"], "done\n", "{run}");
    are_gone(&lines(&file, 2));
}

#[test]
fn a_run_that_is_cancelled_ends_its_programs() {
    let Family { mut scene, ids, _place, .. } = family(json!({}), json!({}));
    scene.ok("run.cancel", json!({"run": "r"}));
    assert_eq!(scene.status("r"), "cancelled");
    are_gone(&ids);
    scene.is_verified("r");
}

#[test]
fn a_step_whose_time_is_over_ends_its_program() {
    let Family { mut scene, ids, _place, .. } = family(json!({}), json!({"timeout": "3s"}));
    let run = scene.ended("r");
    assert_eq!(run["status"], "failed", "{run}");
    are_gone(&ids);
}

#[test]
fn a_step_that_counts_on_hearing_of_its_program_hears() {
    let slow = script("sleep 2", &[], json!({}));
    let mut definition: Value = serde_json::from_str(&slow).unwrap();
    definition["steps"][0]["heartbeat"] = json!("600ms");
    let mut scene = Scene::with(&definition.to_string(), &[ALLOWED]);
    assert_eq!(scene.run("r", json!({}))["status"], "done", "{}", scene.problems("r"));
    scene.is_verified("r");
}

#[test]
fn a_daemon_that_ends_ends_its_programs_and_gives_their_tasks_back() {
    for is_asked in [false, true] {
        let Family { mut scene, ids, _place, .. } = family(json!({}), json!({}));
        let mut daemon = std::mem::replace(&mut scene.daemon, Daemon::start());
        if is_asked {
            daemon.ok(json!({"op": "shutdown"}));
        }
        assert!(daemon.end().status.success());
        assert!(!ids.iter().any(|it| is_alive(it)), "they end before the daemon");
        let task = scene.claim(json!({"types": ["exec"]}));
        assert_eq!((&task[0]["step"], &task[0]["attempt"]), (&json!("a"), &json!(1)));
        scene.is_verified("r");
    }
}

#[test]
fn a_daemon_that_is_killed_takes_its_programs_along_and_the_next_one_begins_anew() {
    let Family { mut scene, file, ids, _place } = family(json!({}), json!({}));
    scene.daemon.signal(Signal::KILL);
    are_gone(&ids);
    scene.daemon = Daemon::start_with(&[ALLOWED]);
    assert_eq!(scene.ended("r")["status"], "done");
    assert_eq!(lines(&file.with_extension("again"), 1).len(), 1);
    assert_eq!(scene.begun("r", "a"), 2);
    scene.is_verified("r");
}

#[test]
fn what_a_killed_daemon_left_on_disk_the_next_removes() {
    let home = TempDir::new().unwrap();
    let temporary = home.path().join("tmp");
    fs::create_dir(&temporary).unwrap();
    let place = TempDir::new().unwrap();
    let file = place.path().join("file");
    let once = "if [ -e \"$1\" ]; then exit 0; fi; echo $$ > \"$1\"; sleep 1000";
    let mut scene = Scene::of(&script(once, &[text(&file)], json!({})));
    let start = || {
        let variables = [("TMPDIR", text(&temporary)), ("GITPORT_EXEC_ALLOW", "cat,sh")];
        Daemon::start_in(TempDir::new().unwrap(), &[], &variables)
    };
    scene.daemon = start();
    scene.start("r", json!({}));
    let ids = lines(&file, 1);
    assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
    scene.daemon.signal(Signal::KILL);
    are_gone(&ids);
    scene.daemon = start();
    assert_eq!(scene.ended("r")["status"], "done");
    until("nothing is left", PATIENCE, || fs::read_dir(&temporary).unwrap().count() == 0);
}

/// A program that has a child in another session stop whoever sees to it, where that is told to be
/// the first time: then it has no end, and else one at once.
const STOPPING: &str = "\
if [ -s \"$1\" ]; then exit 0; fi
setsid sh -c 'trap \"\" TERM; kill -STOP $2; echo $$ >> \"$1\"; while :; do sleep 1000; done' \
  sh \"$1\" $PPID &
echo $PPID >> \"$1\"
echo $$ >> \"$1\"
while :; do sleep 1000; done";

/// Such a program, one at a time, and the file with who is to be gone with it.
fn stopping(configuration: Value) -> (Scene, PathBuf, TempDir) {
    let place = TempDir::new().unwrap();
    let file = place.path().join("ids");
    let definition = script(STOPPING, &[text(&file)], configuration);
    let mut scene = Scene::with(&definition, &[ALLOWED, "--exec-parallel=1"]);
    scene.start("r", json!({}));
    (scene, file, place)
}

#[test]
fn a_program_that_stops_who_sees_to_it_wins_no_time_by_that() {
    let (mut scene, file, _place) = stopping(json!({"timeout_ms": 4000}));
    assert_eq!(scene.ended("r")["status"], "failed");
    assert!(scene.problems("r").starts_with("timeout: not done after 4000 ms"));
    // A slow machine may not have come to all of them.
    are_gone(&lines(&file, 1));
    assert_eq!(scene.run("next", json!({}))["status"], "done", "its place is free");
    scene.is_verified("r");
}

#[test]
fn a_program_that_stops_who_sees_to_it_ends_with_its_run() {
    let (mut scene, file, _place) = stopping(json!({}));
    let ids = lines(&file, 3);
    scene.ok("run.cancel", json!({"run": "r"}));
    assert_eq!(scene.run("next", json!({}))["status"], "done", "its place is free");
    are_gone(&ids);
}

#[test]
fn a_program_that_stops_who_sees_to_it_ends_with_its_daemon() {
    let (mut scene, file, _place) = stopping(json!({}));
    let ids = lines(&file, 3);
    let daemon = std::mem::replace(&mut scene.daemon, Daemon::start());
    assert!(daemon.end().status.success());
    are_gone(&ids);
    assert_eq!(scene.claim(json!({"types": ["exec"]})).len(), 1);
    scene.is_verified("r");
}

#[test]
fn what_a_program_puts_in_the_place_of_its_folder_is_removed_and_what_that_leads_to_is_not() {
    let home = TempDir::new().unwrap();
    let [temporary, outside] = ["tmp", "outside"].map(|it| home.path().join(it));
    fs::create_dir(&temporary).unwrap();
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "").unwrap();
    for instead in ["ln -s \"$1\" \"$d\"", "ln -s \"$1/kept\" \"$d\"", "echo > \"$d\"", ":"] {
        let replacing = format!("d=$PWD; cd /; rm -rf \"$d\"; {instead}");
        let mut scene = Scene::of(&script(&replacing, &[text(&outside)], json!({})));
        let variables = [("TMPDIR", text(&temporary))];
        let flags = ["--exec-allow=sh"];
        scene.daemon = Daemon::start_in(TempDir::new().unwrap(), &flags, &variables);
        assert_eq!(scene.run("r", json!({}))["status"], "done", "{instead}");
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{instead}");
        assert!(outside.join("kept").exists(), "{instead}");
    }
}

#[test]
fn two_daemons_do_each_step_once() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("file");
    let definition = script("echo $GITPORT_TASK >> \"$1\"; sleep 0.1", &[text(&file)], json!({}));
    let mut scene = Scene::with(&definition, &[ALLOWED]);
    let mut other = Daemon::start_with(&[ALLOWED]);
    let path = text(scene.path()).to_owned();
    let runs: Vec<String> = (0..12).map(|it| format!("r{it}")).collect();
    for (at, run) in runs.iter().enumerate() {
        let daemon = if at % 2 == 0 { &mut scene.daemon } else { &mut other };
        daemon.ok(json!({"op": "run.start", "path": path, "run": run, "files": ["p.yaml"]}));
    }
    for run in &runs {
        let get = json!({"op": "run.get", "path": path, "run": run});
        until("both see the end", PATIENCE, || {
            [&mut scene.daemon, &mut other].map(|it| it.ok(get.clone())["status"] == "done")
                == [true, true]
        });
    }
    let done = fs::read_to_string(&file).unwrap();
    let mut tasks: Vec<&str> = done.lines().collect();
    tasks.sort_unstable();
    tasks.dedup();
    assert_eq!((tasks.len(), done.lines().count()), (12, 12), "{done}");
    scene.is_sound();
}

#[test]
fn what_a_daemon_does_another_one_does_again_only_when_that_is_dead() {
    let Family { mut scene, file, ids, _place } = family(json!({}), json!({}));
    let mut other = Daemon::start_with(&[ALLOWED]);
    let get = json!({"op": "run.get", "path": text(scene.path()), "run": "r"});
    for _ in 0..5 {
        assert_eq!(other.ok(get.clone())["status"], "running");
        a_while();
    }
    assert!(!file.with_extension("again").exists());
    assert!(ids.iter().all(|it| is_alive(it)));
    scene.daemon.signal(Signal::KILL);
    // Nobody asks it to: it looks by itself.
    assert_eq!(lines(&file.with_extension("again"), 1), ["again"]);
    until("it is noted", PATIENCE, || other.ok(get.clone())["status"] == "done");
    are_gone(&ids);
    scene.daemon = other;
    assert_eq!(scene.begun("r", "a"), 2);
    scene.is_verified("r");
}
