//! Steps that are operations on the repository: each is done once, with what says so.

use std::{thread::sleep, time::Duration};

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{daemon::Daemon, running::Scene};

const GIT: &[&str] = &["--git-steps"];

const RELEASE: &str = "\
process_name: p
data: {version: 1.2.0, text: what is new}
steps:
  - step_id: fork
    step_type: git
    configuration: {do: branch, branch: {value: \"'release/' + version\"}}
    next: write
  - step_id: write
    step_type: git
    configuration:
      do: commit
      branch: {value: \"'release/' + version\"}
      message: {value: \"'release ' + version\"}
      encoding: utf8
      changes: [{file: NEWS, content: {value: text}}, {file: VERSION, content: {value: version}}]
    next: mark
  - step_id: mark
    step_type: git
    configuration: {do: tag, tag: {value: \"'v' + version\"}, target: {value: write.commit}, message: released, result: marked}
    next: say
  - step_id: say
    step_type: git
    configuration: {do: note, target: {value: write.commit}, content: done by a run, encoding: utf8}
    next: bring
  - step_id: bring
    step_type: git
    configuration: {do: merge, into: main, from: {value: \"'release/' + version\"}, strategy: no_ff, message: merged}
";

#[test]
fn a_release_is_made_by_steps_alone() {
    let mut scene = Scene::with(RELEASE, GIT);
    let run = scene.run("r", json!({}));
    assert_eq!(run["status"], "done", "{}", scene.problems("r"));
    let data = &run["data"];
    let commit = scene.git(&["rev-parse", "release/1.2.0"]);
    assert_eq!(data["write"]["commit"], *commit);
    assert_eq!(scene.git(&["show", "release/1.2.0:NEWS"]), "what is new");
    assert_eq!(scene.git(&["rev-parse", "v1.2.0^{commit}"]), commit);
    assert!(data["marked"].is_object() && data.get("mark").is_none(), "{data}");
    assert_eq!(scene.git(&["notes", "show", &commit]), "done by a run");
    assert_eq!(data["bring"]["commit"], *scene.git(&["rev-parse", "main"]));
    assert_eq!(scene.git(&["log", "-1", "--format=%s", "main^2"]), "release 1.2.0");
    assert_eq!(std::fs::read_to_string(scene.repository.file("NEWS")).unwrap(), "what is new");
    assert_eq!(scene.git(&["status", "--porcelain"]), "");
    scene.is_verified("r");
}

#[test]
fn a_conflict_is_a_failure_and_leaves_nothing() {
    let definition = "\
process_name: p
steps:
  - step_id: a
    step_type: git
    configuration: {do: merge, into: main, from: side}
    transitions: [{next_step: b}, {on: failed, next_step: mend}]
  - {step_id: b}
  - {step_id: mend}
";
    let mut scene = Scene::with(definition, GIT);
    scene.repository.git(&["checkout", "-q", "-b", "side"]);
    scene.repository.write("p.yaml", "theirs");
    scene.repository.commit("theirs");
    scene.repository.git(&["checkout", "-q", "main"]);
    scene.repository.write("p.yaml", format!("{definition}# ours\n"));
    scene.repository.commit("ours");
    let before = scene.git(&["rev-parse", "main"]);
    scene.start("r", json!({}));
    let task = scene.claim(json!({"wait_ms": 60_000}));
    assert_eq!(task[0]["step"], "mend");
    scene.complete(&task[0], json!({}));
    assert!(scene.problems("r").starts_with("conflict: "), "{}", scene.problems("r"));
    assert_eq!(scene.git(&["rev-parse", "main"]), before);
    scene.is_verified("r");
}

/// Whatever steps could write, without the receipts that each of them has.
fn written(scene: &mut Scene) -> Vec<String> {
    let refs = scene.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/notes"]);
    let refs = refs.lines().filter(|it| !it.ends_with("refs/notes/gitvan/results"));
    refs.map(str::to_owned).collect()
}

#[test]
fn what_a_step_may_not_do_it_is_told() {
    let of = |configuration: Value| {
        let step = json!({"step_id": "a", "step_type": "git", "configuration": configuration});
        json!({"process_name": "p", "data": {"name": "process/p/v1"}, "steps": [step]}).to_string()
    };
    for (configuration, told) in [
        (json!({"do": "tag", "tag": "process/p/v1"}), "denied: "),
        (json!({"do": "tag", "tag": {"value": "name"}}), "denied: "),
        (json!({"do": "tag", "tag": "refs/tags/milestone/r/x"}), "denied: "),
        (
            json!({"do": "note", "target": "HEAD", "content": "", "namespace": "gitvan/results"}),
            "denied: ",
        ),
        (json!({"do": "tag", "tag": "a b"}), "bad_request: "),
        (json!({"do": "tag", "tag": "v1", "target": "none"}), "not_found: "),
        (json!({"do": "tag", "tag": {"value": "nothing"}}), "expression: "),
        (json!({"do": "tag", "tag": "v1", "sign": {"agent": true}}), "invalid: "),
        (json!({"do": "push"}), "invalid: "),
        (json!({"branch": "x"}), "invalid: "),
        (json!({"do": "branch", "branch": "x", "path": "/"}), "invalid: "),
    ] {
        let mut scene = Scene::with(&of(configuration.clone()), GIT);
        let refs = written(&mut scene);
        assert_eq!(scene.run("r", json!({}))["status"], "failed", "{configuration}");
        assert!(scene.problems("r").starts_with(told), "{configuration}: {}", scene.problems("r"));
        assert_eq!(written(&mut scene), refs);
    }
    // A branch can have any name, and is none of these refs.
    let mut scene = Scene::with(&of(json!({"do": "branch", "branch": "gitvan/policy"})), GIT);
    assert_eq!(scene.run("r", json!({}))["status"], "done");
    scene.git(&["rev-parse", "refs/heads/gitvan/policy"]);
}

#[test]
fn what_a_step_brings_has_to_fit_or_nothing_of_it_is_done() {
    let definition = "\
process_name: p
steps:
  - step_id: a
    step_type: git
    output: {properties: {a: {type: string}}}
    configuration: {do: branch, branch: new}
";
    let mut scene = Scene::with(definition, GIT);
    assert_eq!(scene.run("r", json!({}))["status"], "failed");
    assert!(scene.problems("r").starts_with("output: "), "{}", scene.problems("r"));
    assert_eq!(scene.git(&["branch", "--list", "new"]), "");
    scene.is_verified("r");
}

#[test]
fn each_is_done_once_whatever_kills_the_daemon() {
    let definition = "\
process_name: p
steps:
  - {step_id: one, next: two, step_type: git, configuration: {do: commit, branch: log, empty: true, message: {value: \"name + ' 1'\"}, changes: []}}
  - {step_id: two, next: three, step_type: git, configuration: {do: note, target: {value: one.commit}, content: {value: name}, encoding: utf8, append: true}}
  - {step_id: three, step_type: git, configuration: {do: commit, branch: log, empty: true, message: {value: \"name + ' 2'\"}, changes: []}}
";
    let mut scene = Scene::with(definition, GIT);
    let (mut chance, mut count) = (u64::from(std::process::id()) | 1, 0);
    for _ in 0..12 {
        for _ in 0..4 {
            count += 1;
            let name = format!("r{count}");
            let more =
                json!({"run": name, "files": ["p.yaml"], "input": {"name": name}, "id": count});
            let start = scene.request("run.start", more);
            scene.daemon.send(start);
        }
        scene.daemon.receive_many(4);
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        sleep(Duration::from_micros(chance % 20_000));
        scene.daemon.signal(Signal::KILL);
        scene.daemon = Daemon::start_with(GIT);
        // It hears of the repository by what it is asked.
        scene.ok("run.list", json!({}));
    }
    for at in 1..=count {
        let name = format!("r{at}");
        assert_eq!(scene.ended(&name)["status"], "done", "{}", scene.problems(&name));
        for step in ["one", "two", "three"] {
            assert_eq!(scene.begun(&name, step), 1, "{name} {step}");
        }
        let commit = scene.get(&name)["data"]["one"]["commit"].as_str().unwrap().to_owned();
        assert_eq!(scene.git(&["notes", "show", &commit]), name);
    }
    let subjects = scene.git(&["log", "--format=%s", "log"]);
    let mut once: Vec<&str> = subjects.lines().filter(|it| it.starts_with('r')).collect();
    let all = once.len();
    once.sort_unstable();
    once.dedup();
    assert_eq!((all, once.len()), (2 * count as usize, 2 * count as usize));
    scene.is_sound();
}

#[test]
fn a_loop_of_steps_keeps_nobody_waiting() {
    let definition = "\
process_name: p
data: {stop: false}
steps:
  - step_id: a
    step_type: git
    repeat: {until: stop}
    configuration: {do: branch, branch: moving, force: true}
";
    let mut scene = Scene::with(definition, GIT);
    scene.start("r", json!({}));
    for _ in 0..20 {
        assert_eq!(scene.status("r"), "running");
    }
    scene.ok("run.cancel", json!({"run": "r"}));
    assert_eq!(scene.status("r"), "cancelled");
    scene.is_sound();
}
