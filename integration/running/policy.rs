//! Policies say who may do what, to everybody and at once; what they refuse is recorded.

use std::{fs, path::PathBuf, process::Command, time::Duration};

use serde_json::{Value, json};

use super::{Scene, execution, git, held, steps};
use crate::{
    daemon::Daemon,
    processes::until,
    repository::{git_command, text},
};

const ORDER: &str = "\
process_name: order
process_version: \"1.0.0\"
steps:
  - {step_id: enter, next: approve}
  - {step_id: approve, retry: {attempts: 3}, next: ship}
  - {step_id: ship}
";

const PEOPLE: &str = "\
policy: 1
roles: {clerk: [ann, bob], boss: ['lead-*'], admin: [root]}
rules:
  - {name: policies, on: [policy], allow: ['role:admin']}
  - {name: begin, on: [start, signal, cancel], process: order, allow: ['role:clerk']}
  - {name: approvals, on: [claim, complete, fail], process: order, step: approve, allow: ['role:boss']}
  - {name: no-bots, on: [claim], deny: ['bot-*']}
  - {name: publishers, on: [publish], process: order, allow: ['role:boss']}
";

impl Scene {
    pub(super) fn set(&mut self, name: &str, policy: &str) -> String {
        let wanted = json!({"name": name, "policy": policy, "actor": "root"});
        self.ok("policy.set", wanted)["commit"].as_str().unwrap().to_owned()
    }

    /// What was refused, with the rule that did it.
    #[track_caller]
    pub(super) fn denied(&mut self, rule: &str, op: &str, more: Value) -> Value {
        let denied = self.refused("denied", op, more);
        assert_eq!(denied["rule"], rule, "{denied}");
        denied
    }

    fn claim_of(&mut self, worker: &str, task: &str) -> Value {
        self.claim(json!({"worker": worker, "task": task}))[0].clone()
    }

    /// A worker does the next task that it may have.
    fn do_next(&mut self, worker: &str) -> String {
        let task = self.claim(json!({"worker": worker}))[0].clone();
        self.complete(&task, json!({}));
        task["step"].as_str().unwrap().to_owned()
    }

    pub(super) fn denials(&mut self) -> Vec<Value> {
        self.ok("policy.denials", json!({}))["denials"].as_array().unwrap().clone()
    }

    pub(super) fn check(&mut self, more: Value) -> Value {
        self.ok("policy.check", more)
    }

    /// The task of a step.
    fn task_at(&mut self, run: &str, step: &str) -> String {
        let tasks = self.ok("task.list", json!({"run": run}))["tasks"].clone();
        let mut tasks = tasks.as_array().unwrap().iter();
        tasks.find(|it| it["step"] == step).unwrap()["task"].as_str().unwrap().to_owned()
    }
}

#[test]
fn each_action_is_allowed_to_those_that_a_rule_names_and_denied_to_others() {
    let mut scene = Scene::of(ORDER);
    let begin = |actor: &str, run: &str| json!({"run": run, "files": ["p.yaml"], "actor": actor});
    scene.ok("run.start", begin("zoe", "free"));
    scene.set("people", PEOPLE);
    scene.denied("people/begin", "run.start", begin("zoe", "r"));
    scene.refused("not_found", "run.get", json!({"run": "r"}));
    scene.ok("run.start", begin("ann", "r"));
    scene.ok("run.start", begin("zoe", "r"));
    let signal = |actor: &str| json!({"run": "r", "name": "paid", "actor": actor});
    let denied = scene.denied("people/begin", "run.signal", signal("zoe"));
    for word in ["zoe", "signal", "`r`", "order", "people/begin", "role:clerk"] {
        assert!(denied["err"].as_str().unwrap().contains(word), "{word}: {denied}");
    }
    scene.ok("run.signal", signal("bob"));
    assert!(scene.claim(json!({"worker": "bot-1", "max": 9})).is_empty());
    let enter = scene.task_at("r", "enter");
    scene.denied("people/no-bots", "task.claim", json!({"worker": "bot-1", "task": enter}));
    let task = scene.claim_of("ann", &enter);
    scene.complete(&task, json!({}));
    let approve = scene.task_at("r", "approve");
    scene.denied("people/approvals", "task.claim", json!({"worker": "ann", "task": approve}));
    let taken = scene.claim(json!({"worker": "ann", "max": 9}));
    assert_eq!(steps(&taken), ["enter"], "of the other run: what is not for it is passed over");
    let task = scene.claim_of("lead-1", &approve);
    scene.ok("task.fail", held(&task, json!({"message": "not yet", "retry": true})));
    scene.denied("people/begin", "run.cancel", json!({"run": "r", "actor": "zoe"}));
    scene.ok("run.cancel", json!({"run": "r", "actor": "bob"}));
    scene.denied(
        "people/policies",
        "policy.set",
        json!({"name": "x", "policy": "policy: 1", "actor": "ann"}),
    );
    scene.denied("people/policies", "policy.remove", json!({"name": "people", "actor": "ann"}));
    let publish =
        |name: &str| json!({"file": "p.yaml", "tagger": {"name": name, "email": "a@example.org"}});
    scene.denied("people/publishers", "process.publish", publish("ann"));
    assert_eq!(scene.git(&["tag"]), "");
    scene.ok("process.publish", publish("lead-1"));
    scene.denied(
        "people/begin",
        "run.start",
        json!({"run": "s", "process": "order", "actor": "zoe"}),
    );
    // What one asks twice for by the same rule is counted.
    assert_eq!(scene.denials().len(), 7, "{:?}", scene.denials());
    scene.is_sound();
}

#[test]
fn roles_that_a_worker_says_it_has_count_only_where_no_policy_says_who_has_them() {
    let mut scene =
        Scene::of("process_name: p\nsteps: [{step_id: a, roles: [boss], each: {count: 9}}]\n");
    scene.start("r", json!({}));
    let forged = json!({"worker": "ann", "roles": ["boss"]});
    assert_eq!(scene.claim(forged.clone()).len(), 1);
    scene.set("people", "policy: 1\nroles: {boss: [lea]}\n");
    assert!(scene.claim(forged).is_empty());
    let task = scene.ok("task.list", json!({"limit": 2}))["tasks"][1]["task"].clone();
    let named = json!({"worker": "ann", "roles": ["boss"], "task": task});
    scene.refused("denied", "task.claim", named);
    assert_eq!(scene.claim(json!({"worker": "lea"})).len(), 1, "whatever it says");
}

const TWO: &str = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [a, b, c], step_type: route}
  - {step_id: a, retry: {attempts: 5}}
  - {step_id: b}
  - {step_id: c}
";
const EYES: &str = "policy: 1\nfour_eyes: [{name: two, steps: [a, b]}]\n";

#[test]
fn nobody_completes_two_steps_that_want_two_people_on_whatever_path_and_after_a_restart() {
    let mut scene = Scene::of(TWO);
    let mut other = Daemon::start();
    scene.set("eyes", EYES);
    scene.start("r", json!({}));
    let (a, b) = (scene.task_at("r", "a"), scene.task_at("r", "b"));
    let path = text(scene.path()).to_owned();
    let first = scene.claim_of("ann", &a);
    scene.denied("eyes/two", "task.claim", json!({"worker": "ann", "task": b}));
    // What was tried without success is nobody's.
    scene.ok("task.fail", held(&first, json!({"message": "no"})));
    let task = scene.claim_of("bob", &a);
    scene.ok("task.fail", held(&task, json!({"message": "no"})));
    // They were claimed while nobody minded.
    scene.ok("policy.remove", json!({"name": "eyes"}));
    let (of_a, of_b) = (scene.claim_of("ann", &a), scene.claim_of("ann", &b));
    scene.set("eyes", EYES);
    scene.complete(&of_a, json!({}));
    let denied = scene.denied("eyes/two", "task.complete", held(&of_b, json!({})));
    assert!(denied["err"].as_str().unwrap().contains("`a`"), "{denied}");
    let complete = held(&of_b, json!({"op": "task.complete", "path": path}));
    let denied = other.refused("denied", complete.clone());
    assert_eq!(denied["rule"], "eyes/two", "the other daemon knows");
    scene.restart();
    scene.denied("eyes/two", "task.complete", held(&of_b, json!({})));
    scene.ok("task.release", held(&of_b, json!({})));
    assert_eq!(steps(&scene.claim(json!({"worker": "ann", "max": 9}))), ["c"]);
    let claim = json!({"op": "task.claim", "path": path, "worker": "bob", "task": b});
    let of_bob = other.ok(claim)["tasks"][0].clone();
    other.ok(held(&of_bob, json!({"op": "task.complete", "path": path})));
    other.refused("conflict", complete);
    assert!(other.end().status.success());
    assert_eq!(scene.ok("run.verify", json!({"run": "r"}))["ok"], true);
    scene.is_sound();
}

#[test]
fn each_instance_of_a_step_may_want_somebody_else() {
    let review = "process_name: p\nsteps: [{step_id: review, each: {count: 3}}]\n";
    let mut scene = Scene::of(review);
    scene.set("eyes", "policy: 1\nfour_eyes: [{name: n, steps: [review], instances: true}]\n");
    scene.start("r", json!({}));
    let mine = scene.claim(json!({"worker": "ann", "max": 9}));
    assert_eq!(mine.len(), 1, "what it holds counts");
    scene.complete(&mine[0], json!({}));
    assert!(scene.claim(json!({"worker": "ann"})).is_empty());
    scene.do_next("bob");
    scene.do_next("lea");
    assert_eq!(scene.status("r"), "done");
}

#[test]
fn what_is_forbidden_is_done_for_a_reason_by_who_may_and_the_commit_says_so() {
    let mut scene = Scene::of(TWO);
    let policy = format!("{EYES}override: [{{name: lead, on: [claim, complete], allow: [lea]}}]\n");
    scene.set("eyes", &policy);
    scene.start("r", json!({}));
    for worker in ["ann", "lea"] {
        let run = format!("of-{worker}");
        scene.start(&run, json!({}));
        let a = scene.task_at(&run, "a");
        let task = scene.claim_of(worker, &a);
        scene.complete(&task, json!({"override": "needed by nothing"}));
    }
    let b = scene.task_at("of-ann", "b");
    let wanted = json!({"worker": "ann", "task": b, "override": "please"});
    scene.denied("eyes/two", "task.claim", wanted);
    let b = scene.task_at("of-lea", "b");
    scene.denied("eyes/two", "task.claim", json!({"worker": "lea", "task": b}));
    let claim = json!({"worker": "lea", "task": b, "override": "everybody else is ill"});
    let task = scene.claim(claim)[0].clone();
    scene.denied("eyes/two", "task.complete", held(&task, json!({})));
    let done = scene.complete(&task, json!({"override": "still ill"}));
    // Git sees what happens to runs a moment later.
    scene.restart();
    let show = |scene: &Scene, commit: &Value| {
        scene.git(&["log", "-1", "--format=%(trailers:key=Override)", commit.as_str().unwrap()])
    };
    assert_eq!(show(&scene, &done["commit"]), "Override: eyes/two: still ill");
    assert_eq!(show(&scene, &task["token"]), "Override: eyes/two: everybody else is ill");
    let history = scene.ok("run.history", json!({"run": "of-lea"}))["events"].clone();
    let causes = history.as_array().unwrap().iter().filter_map(|it| it["cause"].get("override"));
    let reasons: Vec<&Value> = causes.map(|it| &it["reason"]).collect();
    assert_eq!(reasons, ["everybody else is ill", "still ill"]);
    for run in ["of-ann", "of-lea"] {
        assert_eq!(scene.ok("run.verify", json!({"run": run}))["ok"], true);
    }
    for bad in [json!(""), json!("a\nb"), json!(" a"), json!("a".repeat(501))] {
        let refused =
            scene.refused("bad_request", "run.cancel", json!({"run": "r", "override": bad}));
        assert_eq!(refused["field"], "override");
    }
    let nobody = json!({"worker": "lea", "override": "any"});
    scene.refused("bad_request", "task.claim", nobody);
}

#[test]
fn a_policy_that_is_changed_while_tasks_are_held_counts_when_they_end() {
    let mut scene = Scene::of(ORDER);
    scene.start("r", json!({}));
    let task = scene.claim(json!({"worker": "ann"}))[0].clone();
    let deny = "policy: 1\nrules: [{name: no, on: [complete, fail, claim], deny: [ann]}]\n";
    scene.set("p", deny);
    scene.denied("p/no", "task.complete", held(&task, json!({})));
    scene.denied("p/no", "task.fail", held(&task, json!({"message": "no"})));
    scene.ok("task.heartbeat", held(&task, json!({})));
    scene.ok("task.release", held(&task, json!({})));
    assert!(scene.claim(json!({"worker": "ann"})).is_empty());
    scene.do_next("bob");
    // Somebody waits while it is changed once more.
    let path = text(scene.path()).to_owned();
    let wait =
        json!({"id": 7, "op": "task.claim", "path": path, "worker": "ann", "wait_ms": 60_000});
    scene.daemon.send(wait);
    let set =
        json!({"id": 8, "op": "policy.set", "path": path, "name": "p", "policy": "policy: 1"});
    scene.daemon.send(set);
    let replies = [scene.daemon.receive(), scene.daemon.receive()];
    let claimed = replies.iter().find(|it| it["id"] == 7).unwrap();
    assert_eq!(claimed["ok"]["tasks"][0]["step"], "approve", "{replies:?}");
}

#[test]
fn what_stock_git_or_another_daemon_changes_counts_at_once() {
    let mut scene = Scene::of(ORDER);
    let mut other = Daemon::start();
    let path = text(scene.path()).to_owned();
    let start = |run: &str| json!({"op": "run.start", "path": path, "run": run, "files": ["p.yaml"], "actor": "ann"});
    let first = scene.set("p", "policy: 1\nrules: [{name: no, on: [start], deny: [ann]}]\n");
    other.refused("denied", start("a"));
    let set = json!({"op": "policy.set", "path": path, "name": "p", "policy": "policy: 1"});
    let second = other.ok(set)["commit"].as_str().unwrap().to_owned();
    scene.ok("run.start", json!({"run": "b", "files": ["p.yaml"], "actor": "ann"}));
    scene.git(&["update-ref", "refs/gitvan/policy/p", &first]);
    let again = json!({"run": "c", "files": ["p.yaml"], "actor": "ann"});
    scene.denied("p/no", "run.start", again.clone());
    scene.git(&["pack-refs", "--all"]);
    scene.denied("p/no", "run.start", again.clone());
    other.refused("denied", start("d"));
    scene.git(&["update-ref", "-d", "refs/gitvan/policy/p"]);
    scene.ok("run.start", again);
    assert_eq!(scene.git(&["log", "--format=%an %s", &second]).lines().count(), 2, "its history");
    assert!(other.end().status.success());
}

#[test]
fn a_policy_that_cannot_be_read_allows_nothing_that_it_could_be_about() {
    let mut scene = Scene::of(ORDER);
    scene.start("r", json!({}));
    let task = scene.claim(json!({"worker": "ann"}))[0].clone();
    let good = scene.set("p", "policy: 1\n");
    let head = scene.git(&["rev-parse", "HEAD"]);
    let blob = scene.git(&["rev-parse", "HEAD:p.yaml"]);
    let broken = {
        fs::write(scene.repository.file("policy.yaml"), "policy: 1\nrulez: []\n").unwrap();
        scene.git(&["add", "policy.yaml"]);
        let tree = scene.git(&["write-tree"]);
        scene.git(&["commit-tree", "-m", "a typing error", &tree])
    };
    for nonsense in [&head, &blob, &broken] {
        scene.git(&["update-ref", "refs/gitvan/policy/p", nonsense]);
        for (op, more) in [
            ("run.start", json!({"run": "s", "files": ["p.yaml"]})),
            ("run.signal", json!({"run": "r", "name": "paid"})),
            ("run.cancel", json!({"run": "r"})),
            ("task.claim", json!({"worker": "bob"})),
            ("task.claim", json!({"worker": "bob", "wait_ms": 60_000})),
            ("task.complete", held(&task, json!({}))),
            ("task.fail", held(&task, json!({"message": "no"}))),
            ("policy.set", json!({"name": "p", "policy": "policy: 1"})),
            ("policy.check", json!({"actor": "ann", "action": "start"})),
            ("branch", json!({"branch": "b"})),
            ("process.publish", json!({"file": "p.yaml"})),
        ] {
            let refused = scene.refused("corrupt", op, more);
            assert!(refused["err"].as_str().unwrap().contains("`p`"), "{refused}");
        }
        let told = scene.ok("policy.get", json!({}))["policies"][0].clone();
        assert!(told["problem"].is_string(), "{told}");
        assert_eq!(scene.status("r"), "running", "reading it is no matter of policies");
    }
    scene.git(&["update-ref", "refs/gitvan/policy/p", &good]);
    scene.complete(&task, json!({}));
    fs::write(scene.repository.file(".git/refs/gitvan/policy/q"), "ref: refs/heads/none\n")
        .unwrap();
    scene.refused("corrupt", "run.cancel", json!({"run": "r"}));
    fs::remove_file(scene.repository.file(".git/refs/gitvan/policy/q")).unwrap();
    scene.ok("run.cancel", json!({"run": "r"}));
}

#[test]
fn what_is_refused_is_recorded_once_however_often_somebody_asks() {
    let mut scene = Scene::of(ORDER);
    scene.set("p", "policy: 1\nrules: [{name: no, on: [start, cancel], deny: [ann, 'b*']}]\n");
    scene.start("r", json!({"actor": "zoe"}));
    for _ in 0..50 {
        scene.denied("p/no", "run.cancel", json!({"run": "r", "actor": "ann"}));
    }
    for run in ["x", "y"] {
        scene.denied("p/no", "run.start", json!({"run": run, "files": ["p.yaml"], "actor": "bob"}));
    }
    let denials = scene.denials();
    assert_eq!(denials.len(), 2, "{denials:?}");
    let of_ann = &denials[1];
    let wanted = json!({"actor": "ann", "action": "cancel", "run": "r", "process": "order",
                        "rule": "p/no", "count": 1});
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(of_ann[key], *value, "{of_ann}");
    }
    assert_eq!((&denials[0]["actor"], &denials[0]["run"]), (&json!("bob"), &Value::Null));
    let page = scene.ok("policy.denials", json!({"limit": 1}));
    assert_eq!(page["next"], denials[0]["commit"]);
    let page = scene.ok("policy.denials", json!({"after": page["next"]}));
    assert_eq!(page["denials"], json!([of_ann]));
    let page = scene.ok("policy.denials", json!({"actor": "ann", "limit": 1}));
    assert_eq!(page, json!({"denials": [of_ann], "next": null}));
    scene.restart();
    assert_eq!(scene.denials(), denials);
    let log = scene.git(&["log", "--format=%s", "refs/gitvan/denials"]);
    assert_eq!(log, "start is denied by p/no\ncancel is denied by p/no");
    scene.git(&["rev-parse", &execution("r")]);
    scene.is_sound();
}

#[test]
fn two_daemons_record_what_they_refuse_one_behind_the_other() {
    let mut scene = Scene::of(ORDER);
    let mut other = Daemon::start();
    let path = text(scene.path()).to_owned();
    scene.set("p", "policy: 1\nrules: [{name: no, on: [start], deny: ['*']}]\n");
    for at in 0..6 {
        let start = json!({"op": "run.start", "path": path, "run": "r", "files": ["p.yaml"],
                           "actor": format!("a{at}")});
        let daemon = if at % 2 == 0 { &mut scene.daemon } else { &mut other };
        daemon.refused("denied", start);
    }
    let denials = scene.denials();
    let actors: Vec<&Value> = denials.iter().map(|it| &it["actor"]).collect();
    assert_eq!(actors, ["a5", "a4", "a3", "a2", "a1", "a0"]);
    assert!(other.end().status.success());
    scene.is_sound();
}

#[test]
fn a_check_says_what_the_operation_does() {
    let mut scene = Scene::of(ORDER);
    let policy = format!(
        "{PEOPLE}four_eyes: [{{name: two, process: order, steps: [enter, ship]}}]
override: [{{name: lea, on: [cancel, claim], allow: [lea]}}]\n"
    );
    scene.set("people", &policy);
    let actors = ["ann", "zoe", "lead-1", "bot-1", "lea"];
    let mut allowed = 0;
    for (at, actor) in actors.iter().enumerate() {
        for reason in [None, Some("a reason")] {
            let run = format!("r{at}-{}", reason.is_some());
            let with = |mut more: Value| {
                if let Some(reason) = reason {
                    more["override"] = json!(reason);
                }
                more
            };
            let mut agrees = |scene: &mut Scene, asked: Value, op: &str, more: Value| {
                let checked = scene.check(with(asked));
                let request = scene.request(op, with(more));
                let done = scene.daemon.call(request);
                let is_done = done.get("ok").is_some();
                assert_eq!(checked["allowed"], is_done, "{op}: {checked} {done}");
                if !is_done {
                    assert_eq!(
                        (&done["code"], &done["rule"]),
                        (&json!("denied"), &checked["rule"])
                    );
                }
                allowed += usize::from(is_done);
                done
            };
            let asked = json!({"actor": actor, "action": "start", "process": "order"});
            let start = json!({"run": format!("{run}-x"), "files": ["p.yaml"], "actor": actor});
            agrees(&mut scene, asked, "run.start", start);
            scene.start(&run, json!({"actor": "ann"}));
            let of = |action: &str| json!({"actor": actor, "action": action, "run": run});
            let asked = of("signal");
            let signal = json!({"run": run, "name": "paid", "actor": actor});
            agrees(&mut scene, asked, "run.signal", signal);
            for step in ["enter", "approve", "ship"] {
                let task = scene.task_at(&run, step);
                let mut asked = of("claim");
                asked["step"] = json!(step);
                let claim = json!({"worker": actor, "task": task});
                let claimed = agrees(&mut scene, asked, "task.claim", claim);
                let mut is_done = false;
                if let Some(held_one) = claimed["ok"]["tasks"].get(0) {
                    let mut asked = of("complete");
                    asked["step"] = json!(step);
                    let complete = held(held_one, json!({}));
                    let done = agrees(&mut scene, asked, "task.complete", complete);
                    is_done = done.get("ok").is_some();
                    if !is_done {
                        scene.ok("task.release", held(held_one, json!({})));
                    }
                }
                if !is_done {
                    let other = if step == "approve" { "lead-2" } else { "bob" };
                    let other = if step == "ship" { "sue" } else { other };
                    let task = scene.claim_of(other, &task);
                    scene.complete(&task, json!({}));
                }
            }
            scene.start(&run.replace('r', "s"), json!({"actor": "ann"}));
            let run = run.replace('r', "s");
            let asked = json!({"actor": actor, "action": "cancel", "run": run});
            agrees(&mut scene, asked, "run.cancel", json!({"run": run, "actor": actor}));
        }
    }
    assert!((20..70).contains(&allowed), "both happen: {allowed}");
}

#[test]
fn what_is_refused_where_nobody_else_waits_is_recorded_all_the_same() {
    let mut scene = Scene::of(ORDER);
    scene.set("people", "policy: 1\nrules: [{name: ours, on: [start], allow: [ann]}]\n");
    let folder = tempfile::tempdir().unwrap();
    let store = json!({"folder": text(&folder.path().join("store"))});
    let publish = json!({"op": "process.publish", "content": ORDER, "encoding": "utf8",
        "store": store});
    scene.daemon.ok(publish);
    let start = json!({"process": "order", "store": store, "actor": "zoe"});
    scene.denied("people/ours", "run.start", start);
    // No other request comes, which would record it in its own step.
    let names = ["for-each-ref", "--format=%(refname)", "refs/gitvan/denials"];
    until("git has the record", Duration::from_secs(10), || !scene.git(&names).is_empty());
}

#[test]
fn whoever_moves_a_run_as_a_whole_is_asked_for_and_may_have_a_reason() {
    let mut scene = Scene::of(ORDER);
    let policy = "policy: 1
rules:
  - {name: ours, on: [suspend, resume, retry, fork, migrate, prune], allow: [ann]}
override: [{name: late, on: [suspend, resume, retry, fork, migrate, prune], allow: [bob]}]
";
    scene.set("moves", policy);
    for run in ["r", "over"] {
        scene.start(run, json!({}));
    }
    scene.ok("run.cancel", json!({"run": "over"}));
    let moves = [
        ("run.suspend", json!({"run": "r"})),
        ("run.resume", json!({"run": "r"})),
        ("run.fork", json!({"run": "r", "seq": 1, "new": "f"})),
        ("run.retry", json!({"run": "over"})),
        ("run.migrate", json!({"run": "r", "files": ["p.yaml"]})),
        ("run.prune", json!({"runs": ["f"]})),
    ];
    for (op, more) in moves {
        let by = |actor: &str| {
            let mut more = more.clone();
            more["actor"] = json!(actor);
            more
        };
        if op == "run.prune" {
            scene.ok("run.cancel", json!({"run": "f"}));
        }
        scene.denied("moves/ours", op, by("zoe"));
        scene.denied("moves/ours", op, by("bob"));
        let mut reasoned = by("bob");
        reasoned["override"] = json!("nobody else is there");
        if op == "run.migrate" {
            // It is let through, and then there is nothing to migrate to.
            scene.refused("conflict", op, by("ann"));
            continue;
        }
        scene.ok(op, reasoned);
    }
    assert!(
        scene.git(&["log", "--format=%B", "refs/workflow/executions/r"]).contains("Override: ")
    );
}

#[test]
fn a_check_tells_each_rule_that_it_looked_at() {
    let mut scene = Scene::of(ORDER);
    let nothing = scene.check(json!({"actor": "ann", "action": "prune"}));
    assert_eq!(nothing, json!({"allowed": true, "rule": null, "overridden": [], "why": []}));
    scene.set("people", PEOPLE);
    let more = "policy: 1
exec: [{name: tools, programs: [/usr/bin/make]}]
git: [{name: tags, actions: [tag], refs: ['refs/tags/**']}]
protected: [{name: main, refs: [refs/heads/main], allow: [ann]}]
";
    scene.set("more", more);
    let claim = json!({"actor": "ann", "action": "claim", "process": "order", "step": "approve"});
    let checked = scene.check(claim);
    assert_eq!(
        (&checked["allowed"], &checked["rule"]),
        (&json!(false), &json!("people/approvals"))
    );
    let why = checked["why"].as_array().unwrap();
    let verdicts: Vec<(&str, &str)> = why
        .iter()
        .map(|it| (it["rule"].as_str().unwrap(), it["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(verdicts, [("people/approvals", "forbids"), ("people/no-bots", "passes")]);
    assert_eq!(why[0]["says"], "allows `role:boss`");
    for (asked, allowed) in [
        (json!({"action": "exec", "process": "p", "step": "s", "program": "/usr/bin/make"}), true),
        (json!({"action": "exec", "process": "p", "step": "s", "program": "make"}), false),
        (
            json!({"action": "git", "process": "p", "step": "s", "git": "tag", "ref": "refs/tags/a"}),
            true,
        ),
        (
            json!({"action": "git", "process": "p", "step": "s", "git": "merge", "ref": "refs/tags/a"}),
            false,
        ),
        (json!({"action": "move", "ref": "refs/heads/main"}), true),
        (json!({"action": "force", "ref": "refs/heads/main"}), false),
        (json!({"action": "delete", "ref": "refs/heads/other"}), true),
        (json!({"action": "policy", "policy": "more"}), false),
        (json!({"action": "migrate", "process": "order"}), true),
    ] {
        let mut wanted = asked.clone();
        wanted["actor"] = json!("ann");
        assert_eq!(scene.check(wanted)["allowed"], allowed, "{asked}");
    }
    assert!(scene.denials().is_empty(), "asking is no offence");
}

#[test]
fn a_policy_is_changed_by_those_whom_policies_let_and_somebody_is_always_left() {
    let mut scene = Scene::of(ORDER);
    let first =
        scene.ok("policy.set", json!({"name": "people", "policy": PEOPLE, "actor": "anybody"}));
    assert_eq!(first["was"], Value::Null);
    let same = scene.ok("policy.set", json!({"name": "people", "policy": PEOPLE, "actor": "root"}));
    assert_eq!(same["commit"], first["commit"], "nothing has changed");
    scene.refused(
        "conflict",
        "policy.set",
        json!({"name": "people", "policy": "policy: 1",
        "actor": "root", "expect": "0".repeat(40)}),
    );
    for locked in [
        "policy: 1\nrules: [{name: a, on: [policy], allow: []}]",
        "policy: 1\nrules: [{name: a, on: [policy], allow: ['role:nobody']}]",
        "policy: 1\nrules: [{name: a, on: [policy], deny: ['*']}]",
    ] {
        let wanted = json!({"name": "people", "policy": locked, "actor": "root"});
        scene.denied("nobody left", "policy.set", wanted);
    }
    let map = json!({"policy": 1, "rules": [{"name": "a", "on": ["policy"], "allow": []}]});
    scene.ok("policy.set", json!({"name": "last", "policy": map, "actor": "root", "force": true}));
    let told = scene.ok("policy.get", json!({"name": "last"}))["policies"][0].clone();
    let written: Value = serde_json::from_str(told["policy"].as_str().unwrap()).unwrap();
    assert_eq!(written, map);
    assert_eq!(told["commits"][0]["actor"], "root");
    scene.ok("policy.set", json!({"name": "people", "policy": "policy: 1\nroles: {admin: [root]}\nrules: [{name: policies, on: [policy], allow: ['role:admin']}]", "actor": "root"}));
    let told = scene.ok("policy.get", json!({"name": "people", "rev": first["commit"]}));
    assert_eq!(told["policies"][0]["policy"], PEOPLE);
    assert_eq!(scene.git(&["show", "refs/gitvan/policy/people~1:policy.yaml"]), PEOPLE.trim_end());
    scene.refused("not_found", "policy.get", json!({"name": "none"}));
    scene.refused("not_found", "policy.remove", json!({"name": "none", "actor": "root"}));
    let lock = "policy: 1\nrules: [{name: a, on: [policy], deny: ['*']}]";
    scene.ok("policy.set", json!({"name": "z", "policy": lock, "actor": "root", "force": true}));
    scene.denied("z/a", "policy.set", json!({"name": "z", "policy": "policy: 1", "actor": "root"}));
    for bad in ["policy: 1\nrulez: []", "", "policy: 1\nrules: [{name: a, on: [claim]}]"] {
        let refused = scene.refused(
            "invalid",
            "policy.set",
            json!({"name": "x", "policy": bad, "actor": "root"}),
        );
        assert_eq!(refused["field"], "policy");
    }
    let moving = json!({"updates": [{"ref": "refs/gitvan/policy/people", "to": "HEAD"}]});
    scene.denied("policies", "ref.update", moving);
    let moving = json!({"updates": [{"ref": "refs/gitvan/denials", "to": "HEAD"}]});
    scene.denied("denials", "ref.update", moving);
    scene.is_sound();
}

/// A key, and the line that lets it sign.
fn key(scene: &Scene) -> (PathBuf, String) {
    let key = scene.repository.beside("key");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", text(&key)])
        .status()
        .unwrap();
    assert!(made.success());
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    (key, format!("ann {}", public.trim()))
}

#[test]
fn a_protected_ref_moves_forward_signed_and_by_those_who_may() {
    let mut scene = Scene::of(ORDER);
    let (key, signer) = key(&scene);
    let ann = json!({"name": "ann", "email": "ann@example.org"});
    let zoe = json!({"name": "zoe", "email": "zoe@example.org"});
    let base = scene.git(&["rev-parse", "HEAD"]);
    let change = |who: &Value, message: &str| json!({"message": message, "committer": who, "empty": true, "changes": [], "branch": "main"});
    let policy = format!(
        "policy: 1
protected:
  - {{name: main, refs: [refs/heads/main], allow: ['*@example.org'], signed: true}}
  - {{name: notes, refs: ['refs/notes/**'], allow: [ann]}}
  - {{name: kept, refs: ['refs/tags/v*', refs/heads/kept]}}
rules: [{{name: nobody-else, on: [policy], allow: [root]}}]
signers: |
  {signer}
"
    );
    scene.git(&["branch", "kept"]);
    scene.git(&["checkout", "-q", "-b", "work"]);
    scene.set("refs", &policy);
    scene.denied("refs/main", "commit", change(&ann, "unsigned"));
    let mut signed = change(&json!({"name": "ann", "email": "a@elsewhere"}), "of somebody else");
    signed["sign"] = json!({"key_file": key});
    scene.denied("refs/main", "commit", signed);
    assert_eq!(scene.git(&["rev-parse", "main"]), base);
    let mut signed = change(&zoe, "signed");
    signed["sign"] = json!({"key_file": key});
    let commit = scene.ok("commit", signed)["commit"].clone();
    scene.denied("refs/main", "branch", json!({"branch": "main", "from": base, "force": true}));
    let update = json!({"updates": [{"ref": "refs/heads/main", "to": base}]});
    scene.denied("refs/main", "ref.update", update);
    scene.denied("refs/main", "branch", json!({"branch": "main", "delete": true}));
    // A merge brings what nobody signed.
    scene.ok(
        "commit",
        json!({"branch": "other", "message": "unsigned", "empty": true, "changes": []}),
    );
    assert_eq!(scene.git(&["rev-parse", "main"]), commit.as_str().unwrap());
    let note =
        |who: &Value| json!({"target": base, "content": "a", "encoding": "utf8", "committer": who});
    scene.denied("refs/notes", "note", note(&zoe));
    scene.ok("note", note(&ann));
    scene.ok("tag", json!({"tag": "v1", "target": base}));
    scene.denied(
        "refs/kept",
        "tag",
        json!({"tag": "v1", "target": commit, "force": true,
        "message": "another"}),
    );
    scene.denied("refs/kept", "tag", json!({"tag": "v1", "delete": true}));
    scene.denied("refs/kept", "branch", json!({"branch": "kept", "rename": "gone"}));
    scene.ok("branch", json!({"branch": "kept", "from": commit, "force": true}));
    assert_eq!(
        scene.git(&["rev-parse", "v1", "kept"]),
        format!("{base}\n{}", commit.as_str().unwrap())
    );
    let refs: Vec<Value> = scene.denials().iter().map(|it| it["ref"].clone()).collect();
    assert!(refs.contains(&json!("refs/notes/commits")), "{refs:?}");
    scene.is_sound();
}

#[test]
fn published_processes_and_policies_are_signed_where_a_policy_wants_it() {
    let mut scene = Scene::of(ORDER);
    let (key, signer) = key(&scene);
    let policy = format!(
        "policy: 1
signed: [{{name: releases, of: publish, process: 'ord*'}}, {{name: own, of: policy}}]
signers: |
  {signer}
"
    );
    scene.set("signed", &policy);
    let publish = json!({"file": "p.yaml"});
    scene.denied("signed/releases", "process.publish", publish.clone());
    let mut signed = publish;
    signed["sign"] = json!({"key_file": key});
    scene.ok("process.publish", signed);
    let tag = json!({"tag": "process/order/v2.0.0"});
    scene.denied("signed/releases", "tag", tag);
    let mut set = json!({"name": "more", "policy": "policy: 1"});
    scene.denied("signed/own", "policy.set", set.clone());
    scene.denied("signed/own", "policy.remove", json!({"name": "signed"}));
    set["sign"] = json!({"key_file": key});
    let commit = scene.ok("policy.set", set)["commit"].clone();
    let signers = scene.repository.beside("signers");
    fs::write(&signers, format!("{signer}\n")).unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", text(&signers));
    let arguments =
        ["-c", "gpg.format=ssh", "-c", &allowed, "verify-commit", commit.as_str().unwrap()];
    git(scene.path(), &arguments);
    let refused: Vec<Value> = scene.denials().iter().map(|it| it["ref"].clone()).collect();
    let [first, second] = ["1", "2"].map(|it| json!(format!("refs/tags/process/order/v{it}.0.0")));
    assert_eq!(refused, [Value::Null, second, first], "of the policies once for one rule");
}

const PUBLISHING: &str = "\
policy: 1
rules: [{name: others, on: [publish], process: order, deny: [bob]}]
protected: [{name: tags, refs: ['refs/tags/process/other/**'], allow: [ann]}]
";

fn named(name: &str) -> Value {
    json!({"name": name, "email": "x@example.org"})
}

#[test]
fn whoever_may_not_publish_is_told_so_by_a_dry_run_which_leaves_nothing() {
    let mut scene = Scene::of(ORDER);
    scene.set("p", PUBLISHING);
    let before = scene.git(&["for-each-ref", "refs/tags", "refs/notes"]);
    let publish =
        |file: &str, name: &str| json!({"file": file, "tagger": named(name), "dry_run": true});
    scene.denied("p/others", "process.publish", publish("p.yaml", "bob"));
    assert_eq!(scene.denials()[0]["action"], "publish");
    assert_eq!(scene.ok("process.publish", publish("p.yaml", "ann"))["created"], true);
    scene.repository.write("o.yaml", ORDER.replace("process_name: order", "process_name: other"));
    scene.repository.commit("another one");
    scene.denied("p/tags", "process.publish", publish("o.yaml", "bob"));
    assert_eq!(scene.git(&["for-each-ref", "refs/tags", "refs/notes"]), before);
    assert_eq!(scene.ok("process.list", json!({}))["processes"], json!([]));
    scene.refused("not_found", "process.get", json!({"name": "order"}));
    let mut published = publish("p.yaml", "ann");
    published["dry_run"] = json!(false);
    assert_eq!(scene.ok("process.publish", published)["created"], true);
    // What is there nobody has to publish.
    assert_eq!(scene.ok("process.publish", publish("p.yaml", "bob"))["created"], false);
    scene.is_sound();
}

#[test]
fn signs_that_git_leaves_out_of_names_make_nobody_another_one() {
    let mut scene = Scene::of(ORDER);
    scene.set("p", PUBLISHING);
    for name in ["bob ", " bob", "bob.", "'bob'", "bob\t"] {
        let publish = json!({"file": "p.yaml", "tagger": named(name)});
        scene.denied("p/others", "process.publish", publish);
    }
    scene.ok("process.publish", json!({"file": "p.yaml", "tagger": named("bobby")}));
    scene.set("p", "policy: 1\nrules: [{name: w, on: [claim], deny: [bob]}]\nfour_eyes: [{name: two, steps: [enter, approve]}]\n");
    scene.start("r", json!({}));
    assert!(scene.claim(json!({"worker": "bob."})).is_empty());
    assert_eq!(scene.do_next("ann"), "enter");
    let approve = scene.task_at("r", "approve");
    scene.denied("p/two", "task.claim", json!({"worker": "ann.", "task": approve}));
}

#[test]
fn whoever_may_not_publish_may_not_take_a_version_away() {
    let mut scene = Scene::of(ORDER);
    scene.ok("process.publish", json!({"file": "p.yaml"}));
    scene.set("p", &PUBLISHING.replace("bob", "A"));
    let tag = "refs/tags/process/order/v1.0.0";
    let there = scene.git(&["rev-parse", tag]);
    scene.git(&["config", "user.name", "A"]);
    scene.denied("p/others", "tag", json!({"tag": "process/order/v1.0.0", "delete": true}));
    scene.denied("p/others", "ref.update", json!({"updates": [{"ref": tag, "to": Value::Null}]}));
    assert_eq!(scene.git(&["rev-parse", tag]), there);
    scene.git(&["config", "user.name", "B"]);
    scene.ok("tag", json!({"tag": "process/order/v1.0.0", "delete": true}));
}

#[test]
fn a_remote_brings_no_tags_and_notes_where_policies_guard_such() {
    let mut scene = Scene::of(ORDER);
    let url = text(scene.path()).to_owned();
    let clone = scene.repository.beside("clone");
    let sync =
        json!({"op": "sync", "url": url, "branch": "main", "path": text(&clone), "depth": 0});
    scene.daemon.ok(sync.clone());
    let set = |scene: &mut Scene, policy: &str| {
        let path = text(&clone);
        scene.daemon.ok(json!({"op": "policy.set", "path": path, "name": "p", "policy": policy}));
    };
    let tags = || git(&clone, &["tag", "--list"]);
    for (number, policy) in [
        "policy: 1\nprotected: [{name: releases, refs: ['refs/tags/v*'], allow: [ann]}]\n",
        "policy: 1\nprotected: [{name: all, refs: ['refs/**'], force: true}]\n",
        "policy: 1\nrules: [{name: publishers, on: [publish], allow: [ann]}]\n",
    ]
    .into_iter()
    .enumerate()
    {
        set(&mut scene, policy);
        scene.git(&["commit", "-q", "--allow-empty", "-m", "more"]);
        scene.git(&["tag", &format!("v{number}")]);
        scene.git(&["tag", &format!("process/order/v6.6.{number}")]);
        let commit = scene.daemon.ok(sync.clone());
        assert_eq!(git(&clone, &["rev-parse", "main"]), commit.as_str().unwrap());
        assert_eq!(tags(), "", "{policy}");
    }
    set(&mut scene, "policy: 1\nprotected: [{name: ci, refs: [refs/notes/ci], allow: [ann]}]\n");
    scene.git(&["notes", "--ref=ci", "add", "-m", "said", "HEAD"]);
    scene.git(&["notes", "--ref=other", "add", "-m", "said", "HEAD"]);
    let before = git(&clone, &["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"]);
    scene.git(&["commit", "-q", "--allow-empty", "-m", "still more"]);
    for (notes, field) in [(json!(true), json!("notes")), (json!(["ci"]), Value::Null)] {
        let mut sync = sync.clone();
        sync["notes"] = notes;
        let denied = scene.daemon.refused("denied", sync);
        assert_eq!(denied["field"], field, "{denied}");
        let after =
            git(&clone, &["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads"]);
        assert_eq!(after, before, "nothing of it is done");
    }
    let mut sync = sync;
    sync["notes"] = json!(["other"]);
    scene.daemon.ok(sync);
    git(&clone, &["rev-parse", "--verify", "refs/notes/other"]);
    assert_ne!(tags(), "", "nobody guards tags any more");
}

#[test]
fn a_push_to_a_path_of_this_machine_goes_around_no_policy() {
    let mut scene = Scene::of(ORDER);
    scene.start("r", json!({}));
    let here = text(scene.path()).to_owned();
    scene.git(&["commit", "-q", "--allow-empty", "-m", "more"]);
    let push = |to: &str, url: &str, delete: bool| {
        let from = if delete { Value::Null } else { json!("HEAD~1") };
        json!({"op": "push", "path": here, "url": url, "refs": [{"from": from, "to": to, "force": true}]})
    };
    // Nobody but gitport moves what runs are in, also where there is no policy.
    let run = execution("r");
    for url in [here.clone(), format!("file://{here}")] {
        let denied = scene.daemon.refused("denied", push(&run, &url, true));
        assert_eq!(denied["rule"], "runs", "{denied}");
        scene.daemon.refused("denied", push("refs/gitvan/policy/p", &url, false));
    }
    scene.set(
        "p",
        "policy: 1\nprotected: [{name: kept, refs: [refs/heads/kept], allow: [ann], force: true, \
         delete: true}]\nrules: [{name: publishers, on: [publish], allow: [ann]}]\n",
    );
    scene.git(&["update-ref", "refs/heads/kept", "HEAD"]);
    for (to, rule) in [
        ("refs/heads/kept", "p/kept"),
        ("refs/tags/process/order/v6.6.6", "p/publishers"),
        ("refs/gitvan/policy/p", "policies"),
    ] {
        let denied = scene.daemon.refused("denied", push(to, &here, false));
        assert_eq!(denied["rule"], rule, "{denied}");
    }
    scene.daemon.refused("denied", push("refs/heads/kept", &here, true));
    scene.daemon.ok(push("refs/heads/free", &here, false));
    // The same from another repository; one without policies takes what it is given.
    let other = scene.repository.beside("other");
    let sync =
        json!({"op": "sync", "url": here, "branch": "main", "path": text(&other), "depth": 0});
    scene.daemon.ok(sync);
    let mut from_there = push("refs/heads/kept", &here, true);
    from_there["path"] = json!(text(&other));
    assert_eq!(scene.daemon.refused("denied", from_there)["rule"], "p/kept");
    scene.daemon.ok(push("refs/heads/kept", text(&other), false));
    scene.git(&["rev-parse", "--verify", "refs/heads/kept"]);
}

#[test]
fn a_remote_moves_no_branch_that_is_protected_from_being_forced() {
    let mut scene = Scene::of(ORDER);
    let url = text(scene.path()).to_owned();
    let clone = scene.repository.beside("clone");
    let sync =
        json!({"op": "sync", "url": url, "branch": "main", "path": text(&clone), "depth": 0});
    let first = scene.daemon.ok(sync.clone());
    let protect = "policy: 1\nprotected: [{name: main, refs: [refs/heads/main]}]\n";
    let set = json!({"op": "policy.set", "path": text(&clone), "name": "p", "policy": protect});
    scene.daemon.ok(set.clone());
    scene.git(&["commit", "-q", "--allow-empty", "-m", "more"]);
    let denied = scene.daemon.refused("denied", sync.clone());
    assert_eq!(denied["rule"], "p/main");
    assert_eq!(git(&clone, &["rev-parse", "main"]), first.as_str().unwrap());
    let mut allow = set;
    allow["policy"] = json!(protect.replace("]}]", "], force: true}]"));
    scene.daemon.ok(allow);
    assert_ne!(scene.daemon.ok(sync), first);
    let denials = scene.daemon.ok(json!({"op": "policy.denials", "path": text(&clone)}));
    assert_eq!(denials["denials"][0]["ref"], "refs/heads/main");
    assert!(git_command(&clone).args(["fsck", "--strict"]).output().unwrap().status.success());
}
