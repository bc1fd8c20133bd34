//! Runs start by themselves: by what stock git does in a repository that is watched, and by time;
//! each once, whoever watches.

use std::{
    collections::BTreeSet,
    fs,
    process::Command,
    thread::sleep,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Scene, execution, git};
use crate::{
    daemon::Daemon,
    processes::until,
    repository::{Repository, text},
};

const SOON: Duration = Duration::from_secs(30);
const STEPS: &str = "steps: [{step_id: a, step_type: final_commit}]\n";

fn publish(scene: &mut Scene, definition: &str) {
    scene.ok("process.publish", json!({"content": definition, "encoding": "utf8"}));
}

/// A process whose runs end at once.
fn with_triggers(triggers: &str) -> String {
    format!("process_name: p\nprocess_version: 1.0.0\ntriggers:\n{triggers}{STEPS}")
}

/// A daemon and a repository with one commit, which none of these takes.
fn scene(definition: &str) -> Scene {
    let mut scene = Scene::of("nothing: yet\n");
    publish(&mut scene, definition);
    scene
}

/// The triggers that a commit has started a run by.
fn fired(scene: &mut Scene, commit: &str) -> BTreeSet<String> {
    let listed = scene.ok("run.list", json!({"attributes": {"commit": commit}}));
    let name = |it: &Value| it["attributes"]["trigger"].as_str().unwrap().to_owned();
    listed["runs"].as_array().unwrap().iter().map(name).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

/// Waits until these have fired for a commit. All of a commit is looked at in one step, so that
/// then no other one has.
#[track_caller]
fn expect_fired(scene: &mut Scene, commit: &str, expected: &[&str]) {
    until("a trigger fires", SOON, || !fired(scene, commit).is_empty());
    assert_eq!(fired(scene, commit), set(expected));
}

/// The triggers that `trigger.test` says would fire for the last commit of what it looks at.
fn tested(scene: &mut Scene, more: Value) -> BTreeSet<String> {
    let tested = scene.ok("trigger.test", more);
    let commit = tested["commits"].as_array().unwrap().last().unwrap().clone();
    let triggers = commit["triggers"].as_array().unwrap();
    for it in triggers {
        assert_eq!(it["fires"] == true, it["unmet"].is_null(), "{it}");
        assert_eq!(it["fires"] == true, !it["run"].is_null(), "{it}");
    }
    let name = |it: &Value| it["trigger"].as_str().unwrap().to_owned();
    triggers.iter().filter(|it| it["fires"] == true).map(name).collect()
}

/// Commits, and has what fires be what is expected and what `trigger.test` says.
#[track_caller]
fn commit(scene: &mut Scene, message: &str, expected: &[&str]) {
    let commit = scene.repository.commit(message);
    expect_fired(scene, &commit, expected);
    assert_eq!(tested(scene, json!({"rev": "main"})), set(expected));
}

const CONDITIONS: &str = r#"
  - {name: pushed, push: main}
  - {name: other, push: [dev, "release/*"]}
  - {name: changed, path: {changed: "src/**"}}
  - {name: added, path: {added: "src/**"}}
  - {name: modified, path: {modified: "src/**"}}
  - {name: deleted, path: {deleted: "src/**"}}
  - {name: said, message: urgent}
  - {name: pattern, message: "^[A-Z]+-[0-9]+"}
  - {name: bob, author: {name: Bob, email: "*@bob.org"}}
  - {name: fix, commit: {type: fix, scope: api}}
  - {name: both, push: main, message: urgent}
  - {name: all of it, all: [{push: main}, {path: {changed: "src/**"}}]}
  - {name: any of it, any: [{message: urgent}, {path: {deleted: "*"}}]}
  - {name: not docs, push: main, not: {path: {changed: "docs/**"}}}
"#;

#[test]
fn commits_start_what_asks_for_them_and_a_test_says_so_before() {
    let mut scene = scene(&with_triggers(CONDITIONS));
    scene.repository.write("docs/a.md", "1\n");
    commit(&mut scene, "documents", &["pushed"]);
    scene.repository.write("src/deep/a.rs", "1\n");
    let new = ["pushed", "changed", "added", "all-of-it", "not-docs"];
    commit(&mut scene, "urgently", &new);
    scene.repository.write("src/deep/a.rs", "2\n");
    let urgent = ["both", "said", "any-of-it", "modified"];
    let more = ["pushed", "changed", "all-of-it", "not-docs"];
    commit(&mut scene, "this is urgent", &[&urgent[..], &more].concat());
    scene.repository.remove("src/deep/a.rs");
    let fix = ["pushed", "changed", "deleted", "fix", "all-of-it", "not-docs"];
    commit(&mut scene, "fix(api): all of it", &fix);
    scene.repository.write("x", "1\n");
    commit(&mut scene, "ABC-17: numbers", &["pushed", "pattern", "not-docs"]);
    let bob = ["--author", "Bob <x@bob.org>", "-q", "--allow-empty", "-m", "by somebody else"];
    scene.repository.git(&[&["commit"], &bob[..]].concat());
    let head = scene.repository.head();
    expect_fired(&mut scene, &head, &["pushed", "bob", "not-docs"]);
    // What does not fire says the first condition that does not hold.
    let told = scene.ok("trigger.test", json!({"rev": "HEAD"}));
    let triggers = told["commits"][0]["triggers"].as_array().unwrap();
    let both = triggers.iter().find(|it| it["trigger"] == "both").unwrap();
    assert_eq!(both["unmet"]["condition"], "message", "{both}");
    // As if it were on another branch, and by a definition that nobody published.
    let other = json!({"ref": "release/1", "before": "0".repeat(40)});
    assert!(tested(&mut scene, other).contains("other"));
    let draft = "process_name: q\ntriggers: [{push: main}]\nsteps: [{step_id: a}]\n";
    scene.repository.write("q.yaml", draft);
    scene.repository.commit("a draft");
    assert_eq!(tested(&mut scene, json!({"files": ["q.yaml"]})), set(&["1"]));
    scene.is_sound();
}

#[test]
fn branches_tags_and_merges_start_what_asks_for_them() {
    let triggers = r#"
  - {name: made, branch: "feature/*"}
  - {name: pushed, push: "**"}
  - {name: tagged, tag: "v*"}
  - {name: version, semver: true}
  - {name: merged, merge: {into: main, from: "feature/*"}}
  - {name: said, message: "[a-z]"}
"#;
    let mut scene = scene(&with_triggers(triggers));
    // At a commit that was there before.
    scene.git(&["branch", "feature/x"]);
    let first = scene.repository.head();
    expect_fired(&mut scene, &first, &["made", "pushed"]);
    scene.git(&["switch", "-q", "feature/x"]);
    let side = scene.repository.commit("on the side");
    expect_fired(&mut scene, &side, &["pushed", "said"]);
    scene.git(&["switch", "-q", "main"]);
    let main = scene.repository.commit("on main");
    expect_fired(&mut scene, &main, &["pushed", "said"]);
    scene.repository.git(&["merge", "-q", "--no-ff", "-m", "all of it", "feature/x"]);
    let merge = scene.repository.head();
    expect_fired(&mut scene, &merge, &["merged", "pushed", "said"]);
    // A tag starts what asks for tags, whatever is at its commit.
    scene.repository.git(&["tag", "-m", "a version", "v1.0.0", &side]);
    until("tags fire", SOON, || fired(&mut scene, &side).len() == 4);
    assert_eq!(fired(&mut scene, &side), set(&["pushed", "said", "tagged", "version"]));
    assert_eq!(tested(&mut scene, json!({"rev": "v1.0.0"})), set(&["tagged", "version"]));
    scene.repository.git(&["tag", "vague", &main]);
    until("the tag fires", SOON, || fired(&mut scene, &main).contains("tagged"));
    assert_eq!(fired(&mut scene, &main), set(&["pushed", "said", "tagged"]));
    // What goes starts nothing, and a branch that is forced elsewhere does.
    scene.git(&["branch", "-q", "-D", "feature/x"]);
    scene.repository.git(&["commit", "-q", "--amend", "--allow-empty", "-m", "again"]);
    let again = scene.repository.head();
    until("it fires", SOON, || !fired(&mut scene, &again).is_empty());
    scene.git(&["reset", "-q", "--hard", &first]);
    let branch = scene.repository.commit("after a step back");
    expect_fired(&mut scene, &branch, &["pushed", "said"]);
    scene.is_sound();
}

#[test]
fn each_of_several_commits_between_two_looks_starts_a_run_that_is_told_of_it() {
    let definition = "\
process_name: p
process_version: 1.0.0
input: {type: object, required: [who], properties: {files: {type: array}}}
triggers:
  - name: each
    push: [dev, main]
    with: {who: event.author.email, files: event.paths.added, on: event.branch, n: 3}
steps: [{step_id: a, step_type: final_commit}]
";
    let mut scene = scene(definition);
    let clone = scene.repository.cloned(&[]);
    clone.git(&["switch", "-q", "-c", "dev"]);
    let commits: Vec<String> = (0..5)
        .map(|no| {
            clone.write(format!("f{no}"), "x\n");
            clone.commit(&format!("number {no}"))
        })
        .collect();
    clone.git(&["push", "-q", "origin", "dev"]);
    expect_fired(&mut scene, commits.last().unwrap(), &["each"]);
    let listed = scene.ok("run.list", json!({}));
    assert_eq!(listed["runs"].as_array().unwrap().len(), 5, "{listed}");
    for (no, commit) in commits.iter().enumerate() {
        let run = scene.get(&format!("p.each.{}", &commit[..12]));
        assert_eq!((&run["status"], &run["actor"]), (&json!("done"), &json!("gitport")));
        let data =
            json!({"who": "ada@example.org", "files": [format!("f{no}")], "on": "dev", "n": 3});
        assert_eq!(run["data"], data);
    }
    // On another branch they are the same commits, which have their runs.
    scene.git(&["merge", "-q", "--ff-only", "dev"]);
    let more = scene.repository.commit("one more");
    expect_fired(&mut scene, &more, &["each"]);
    let listed = scene.ok("run.list", json!({}));
    assert_eq!(listed["runs"].as_array().unwrap().len(), 6, "{listed}");
}

#[test]
fn only_what_happens_after_it_was_published_starts_runs() {
    let mut scene = Scene::of("nothing: yet\n");
    let before = scene.repository.commit("before anything");
    publish(&mut scene, &with_triggers("  - {name: old, push: main}\n"));
    let first = scene.repository.commit("first");
    expect_fired(&mut scene, &first, &["old"]);
    // Another version has another trigger; it is there from then on.
    let second = with_triggers("  - {name: old, push: main}\n  - {name: new, push: main}\n");
    publish(&mut scene, &second.replace("1.0.0", "1.1.0"));
    let third = scene.repository.commit("third");
    expect_fired(&mut scene, &third, &["old", "new"]);
    // A pre-release starts nothing, and what the latest version does not have is no trigger.
    publish(
        &mut scene,
        &with_triggers("  - {name: pre, push: main}\n").replace("1.0.0", "2.0.0-rc.1"),
    );
    publish(&mut scene, &with_triggers("  - {name: new, push: main}\n").replace("1.0.0", "1.2.0"));
    let fourth = scene.repository.commit("fourth");
    expect_fired(&mut scene, &fourth, &["new"]);
    assert_eq!(fired(&mut scene, &before), set(&[]));
    let run = scene.ok("run.list", json!({"attributes": {"commit": fourth}}));
    assert_eq!(run["runs"][0]["version"], "1.2.0");
}

#[test]
fn a_signature_counts_if_who_made_it_may_sign() {
    let triggers = "  - {name: pushed, push: main}\n  - {name: signed, signed: true}\n  \
                    - {name: unsigned, signed: false}\n  - {name: release, tag: \"v*\", signed: true}\n";
    let mut scene = scene(&with_triggers(triggers));
    let folder = TempDir::new().unwrap();
    let key = |name: &str| {
        let file = folder.path().join(name);
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f"]).arg(&file);
        assert!(command.status().unwrap().success());
        text(&file).to_owned()
    };
    let (ada, eve) = (key("ada"), key("eve"));
    let public = fs::read_to_string(format!("{ada}.pub")).unwrap();
    let allowed = folder.path().join("allowed");
    fs::write(&allowed, format!("ada@example.org {public}")).unwrap();
    scene.git(&["config", "gpg.ssh.allowedSignersFile", text(&allowed)]);
    scene.git(&["config", "gpg.format", "ssh"]);
    let sign = |scene: &Scene, key: &str| {
        let key = format!("user.signingKey={key}");
        scene.git(&["-c", &key, "commit", "-S", "-q", "--allow-empty", "-m", &key]);
        scene.repository.head()
    };
    let good = sign(&scene, &ada);
    expect_fired(&mut scene, &good, &["pushed", "signed"]);
    let foreign = sign(&scene, &eve);
    expect_fired(&mut scene, &foreign, &["pushed", "unsigned"]);
    let plain = scene.repository.commit("plain");
    expect_fired(&mut scene, &plain, &["pushed", "unsigned"]);
    scene.git(&["-c", &format!("user.signingKey={ada}"), "tag", "-s", "-m", "good", "v1", &plain]);
    until("the tag fires", SOON, || fired(&mut scene, &plain).contains("release"));
    scene.git(&["-c", &format!("user.signingKey={eve}"), "tag", "-s", "-m", "bad", "v2", &foreign]);
    let last = scene.repository.commit("the last");
    expect_fired(&mut scene, &last, &["pushed", "unsigned"]);
    assert_eq!(fired(&mut scene, &foreign), set(&["pushed", "unsigned"]));
}

const ONE_TASK: &str = "steps: [{step_id: a, next: z}, {step_id: z, step_type: final_commit}]\n";

fn overlapping(rule: &str) -> String {
    let triggers = format!("  - {{name: t, push: main, overlap: {rule}}}\n");
    with_triggers(&triggers).replace(STEPS, ONE_TASK)
}

/// A process beside it, whose run says that a commit was looked at.
fn with_marker(definition: &str) -> Scene {
    let mut scene = scene(definition);
    let marker = "process_name: z\nprocess_version: 1.0.0\ntriggers: [{name: seen, push: main}]\n";
    publish(&mut scene, &format!("{marker}{STEPS}"));
    scene
}

/// Commits, waits until that was looked at, and tells what it is called.
fn looked_at(scene: &mut Scene, message: &str) -> String {
    let commit = scene.repository.commit(message);
    until("it is seen", SOON, || fired(scene, &commit).contains("seen"));
    commit
}

fn run_of(commit: &str) -> String {
    format!("p.t.{}", &commit[..12])
}

#[test]
fn a_run_that_is_skipped_does_not_start_later_either() {
    let mut scene = with_marker(&overlapping("skip"));
    let first = looked_at(&mut scene, "first");
    assert_eq!(scene.status(&run_of(&first)), "running");
    let second = looked_at(&mut scene, "second");
    scene.refused("not_found", "run.get", json!({"run": run_of(&second)}));
    let task = scene.claim_one();
    scene.complete(&task, json!({}));
    let third = looked_at(&mut scene, "third");
    assert_eq!(scene.status(&run_of(&third)), "running");
    scene.refused("not_found", "run.get", json!({"run": run_of(&second)}));
}

#[test]
fn a_run_that_is_queued_starts_when_the_one_before_has_ended_also_after_a_restart() {
    let mut scene = with_marker(&overlapping("queue"));
    let commits: Vec<String> =
        ["first", "second", "third"].iter().map(|it| looked_at(&mut scene, it)).collect();
    assert_eq!(scene.status(&run_of(&commits[0])), "running");
    let listed = scene.ok("trigger.list", json!({}));
    let waiting = |it: &Value| it["triggers"][0]["waiting"].as_u64();
    assert_eq!(waiting(&listed), Some(2), "{listed}");
    scene.restart();
    for commit in &commits {
        let task = scene.claim(json!({"wait_ms": 20_000}))[0].clone();
        assert_eq!(task["run"], run_of(commit));
        scene.complete(&task, json!({}));
    }
    assert_eq!(waiting(&scene.ok("trigger.list", json!({}))), Some(0));
}

#[test]
fn a_run_that_replaces_others_cancels_them() {
    for rule in ["replace", "cancel_running"] {
        let mut scene = with_marker(&overlapping(rule));
        let first = looked_at(&mut scene, "first");
        let second = looked_at(&mut scene, "second");
        assert_eq!(scene.status(&run_of(&first)), "cancelled");
        assert_eq!(scene.status(&run_of(&second)), "running");
    }
    let mut scene = with_marker(&overlapping("allow"));
    let first = looked_at(&mut scene, "first");
    let second = looked_at(&mut scene, "second");
    assert_eq!(scene.status(&run_of(&first)), "running");
    assert_eq!(scene.status(&run_of(&second)), "running");
}

#[test]
fn a_trigger_that_is_paused_starts_nothing_of_what_happens_meanwhile() {
    let mut scene = with_marker(&overlapping("allow"));
    let which = json!({"process": "p", "trigger": "t"});
    assert_eq!(scene.ok("trigger.pause", which.clone())["paused"], true);
    scene.restart();
    let meanwhile = looked_at(&mut scene, "meanwhile");
    let listed = scene.ok("trigger.list", json!({}));
    assert_eq!(listed["triggers"][0]["paused"], true, "{listed}");
    assert_eq!(listed["triggers"][0]["fired"], Value::Null);
    assert_eq!(scene.ok("trigger.resume", which)["paused"], false);
    let after = looked_at(&mut scene, "after");
    assert_eq!(scene.status(&run_of(&after)), "running");
    scene.refused("not_found", "run.get", json!({"run": run_of(&meanwhile)}));
    let listed = scene.ok("trigger.list", json!({}));
    assert_eq!(listed["triggers"][0]["fired"]["run"], run_of(&after));
    scene.refused("not_found", "trigger.pause", json!({"process": "p", "trigger": "x"}));
}

#[test]
fn what_cannot_be_started_is_told_and_not_tried_again() {
    let definition = "\
process_name: p
process_version: 1.0.0
input: {type: object, properties: {n: {type: integer}}}
triggers: [{name: t, push: main, with: {n: event.message}}]
steps: [{step_id: a}]
";
    let mut scene = with_marker(definition);
    let commit = looked_at(&mut scene, "no number");
    scene.refused("not_found", "run.get", json!({"run": run_of(&commit)}));
    let listed = scene.ok("trigger.list", json!({}));
    let problem = &listed["triggers"][0]["problem"];
    assert_eq!(problem["run"], run_of(&commit), "{listed}");
    looked_at(&mut scene, "another one");
    let again = scene.ok("trigger.list", json!({}));
    assert_ne!(again["triggers"][0]["problem"]["run"], run_of(&commit));
    scene.is_sound();
}

/// What finds it is larger than anybody would wait for.
const COSTLY: &str = "(?s)[ab]*a[ab]{5000}c[^q]";

#[test]
fn a_pattern_that_is_no_small_table_is_not_published() {
    let mut scene = Scene::of("nothing: yet\n");
    for trigger in [
        json!({"message": COSTLY}),
        json!({"push": "main", "not": {"message": COSTLY}}),
        json!({"author": {"name": format!("*a{}", "?".repeat(30))}}),
    ] {
        let triggers = format!("  - {trigger}\n");
        let wanted = json!({"content": with_triggers(&triggers), "encoding": "utf8"});
        let refused = scene.refused("invalid", "process.publish", wanted);
        assert!(refused["err"].as_str().unwrap().contains("1 MiB"), "{refused}");
    }
    let many = "  - {push: main, message: word}\n".repeat(1000);
    let wanted = json!({"content": with_triggers(&many), "encoding": "utf8"});
    let refused = scene.refused("invalid", "process.publish", wanted);
    assert!(refused["err"].as_str().unwrap().contains("8 MiB"), "{refused}");
}

#[test]
fn a_pattern_that_was_published_before_it_was_too_large_starts_nothing_and_is_told() {
    let good = with_triggers("  - {name: lost, message: PATTERN}\n  - {name: kept, push: main}\n");
    let mut scene = scene(&good);
    // What another version took, as it would have put it there.
    let later = good.replace("1.0.0", "1.0.1").replace("PATTERN", &format!("'{COSTLY}'"));
    let drafts = json!([{"file": "p.yaml", "content": later}]);
    let draft = json!({"run": "draft", "drafts": drafts, "encoding": "utf8"});
    let digest = scene.ok("run.start", draft)["digest"].clone();
    let sha256: String = Sha256::digest(&later).iter().map(|it| format!("{it:02x}")).collect();
    let record = json!({"v": 1, "process": "p", "version": "1.0.1", "digest": digest,
                        "sha256": sha256, "bytes": later.len()});
    let message = format!("process p 1.0.1\n\nRecord: {record}\n");
    scene.git(&["checkout", "-q", "--orphan", "kept"]);
    scene.git(&["rm", "-q", "-r", "-f", "--cached", "."]);
    scene.repository.write("p/p_v1.0.1.yaml", &later);
    scene.git(&["add", "p"]);
    scene.git(&["commit", "-q", "-m", &message]);
    scene.git(&["tag", "-a", "-m", &message, "process/p/v1.0.1"]);
    scene.git(&["checkout", "-q", "-f", "main"]);
    let problem = |scene: &mut Scene| scene.ok("trigger.list", json!({}))["triggers"].clone();
    until("the later version counts", SOON, || problem(&mut scene)[0]["version"] == "1.0.1");
    let told = problem(&mut scene);
    let (lost, kept) = (&told[0]["problem"], &told[1]["problem"]);
    assert!(lost["message"].as_str().unwrap().contains("1 MiB"), "{told}");
    assert_eq!((&lost["run"], &lost["at_ms"], kept), (&Value::Null, &Value::Null, &Value::Null));
    let message = format!("{}\n", "ab".repeat(500_000));
    let wanted = json!({"message": message, "changes": [], "empty": true});
    let commit = scene.ok("commit", wanted)["commit"].clone();
    expect_fired(&mut scene, commit.as_str().unwrap(), &["kept"]);
    scene.is_sound();
}

#[test]
fn two_daemons_start_each_run_once_whatever_is_killed() {
    let mut scene = scene(&with_triggers("  - {name: a, push: main}\n  - {name: b, message: n}\n"));
    let watch = ["--watch", scene.repository.path()].map(str::to_owned);
    let flags = [watch[0].as_str(), watch[1].as_str()];
    let mut other = Daemon::start_with(&flags);
    let mut commits = Vec::new();
    for round in 0..6 {
        for no in 0..4 {
            commits.push(scene.repository.commit(&format!("n {round}.{no}")));
            sleep(Duration::from_millis(40));
        }
        match round % 3 {
            0 => {
                other.signal(Signal::KILL);
                other.rest();
                other = Daemon::start_with(&flags);
            }
            1 => {
                scene.daemon.signal(Signal::KILL);
                let killed = std::mem::replace(&mut scene.daemon, Daemon::start_with(&flags));
                killed.end();
            }
            _ => (),
        }
    }
    for commit in &commits {
        until("both fire", SOON, || fired(&mut scene, commit).len() == 2);
    }
    assert!(other.end().status.success());
    let listed = scene.ok("run.list", json!({}));
    let runs = listed["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), 2 * commits.len());
    for run in &runs {
        let name = run["run"].as_str().unwrap();
        let verified = scene.ok("run.verify", json!({"run": name}));
        assert_eq!((&verified["ok"], &verified["status"]), (&json!(true), &json!("done")));
        let begun =
            scene.git(&["log", "--format=%(trailers:key=Event,valueonly)", &execution(name)]);
        assert_eq!(begun.lines().filter(|it| *it == "begin").count(), 1);
    }
    scene.is_sound();
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

/// Milliseconds since 1970 as stock date tells them.
fn shown(ms: u64) -> String {
    let mut command = Command::new("date");
    command.args(["-u", "-d", &format!("@{}.{:03}", ms / 1000, ms % 1000)]);
    let output = command.arg("+%Y-%m-%dT%H:%M:%S.%3NZ").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Publishes a process with these triggers at a time that is still to come.
fn publish_for(scene: &mut Scene, triggers: impl Fn(&str) -> String) -> u64 {
    for no in 1.. {
        let at = now_ms() + 400 * no;
        let definition = with_triggers(&triggers(&shown(at)));
        publish(scene, &definition.replace("1.0.0", &format!("1.{no}.0")));
        if now_ms() + 50 < at {
            return at;
        }
    }
    unreachable!("some time is far enough");
}

#[test]
fn a_time_starts_a_run_once() {
    let mut scene = Scene::of("nothing: yet\n");
    let at = |at: &str| format!("  - {{name: once, at: \"{at}\", with: {{t: event.time}}}}\n");
    publish_for(&mut scene, at);
    let mut runs = || scene.ok("run.list", json!({}))["runs"].as_array().unwrap().clone();
    until("it starts", SOON, || !runs().is_empty());
    let run = runs()[0].clone();
    assert!(run["run"].as_str().unwrap().starts_with("p.once.2"), "{run}");
    assert_eq!(run["attributes"]["trigger"], "once");
    scene.restart();
    let commit = scene.repository.commit("something else");
    assert_eq!(fired(&mut scene, &commit), set(&[]));
    let listed = scene.ok("trigger.list", json!({}));
    let trigger = &listed["triggers"][0];
    assert_eq!((&trigger["kind"], &trigger["next_ms"]), (&json!("time"), &Value::Null));
    assert_eq!(trigger["fired"]["run"], run["run"]);
    assert_eq!(scene.ok("run.list", json!({}))["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn a_time_that_nobody_was_there_for_is_made_up_for_as_it_is_said() {
    let mut scene = Scene::of("nothing: yet\n");
    let triggers = |at: &str| {
        format!(
            "  - {{name: late, at: \"{at}\"}}\n  - {{name: paused, at: \"{at}\"}}\n  \
             - {{name: nightly, cron: \"0 3 * * *\", timezone: Europe/Berlin}}\n"
        )
    };
    let at = publish_for(&mut scene, triggers);
    scene.ok("trigger.pause", json!({"process": "p", "trigger": "paused"}));
    let watch = scene.repository.path().to_owned();
    let before = std::mem::replace(&mut scene.daemon, Daemon::start());
    assert!(before.end().status.success());
    sleep(Duration::from_millis(at.saturating_sub(now_ms()) + 100));
    scene.daemon = Daemon::start_with(&["--watch", &watch]);
    let mut runs = || scene.ok("run.list", json!({}))["runs"].as_array().unwrap().clone();
    until("it starts", SOON, || !runs().is_empty());
    let names: Vec<String> =
        runs().iter().map(|it| it["attributes"]["trigger"].as_str().unwrap().to_owned()).collect();
    assert_eq!(names, ["late"]);
    let listed = scene.ok("trigger.list", json!({}));
    let nightly = listed["triggers"].as_array().unwrap();
    let nightly = nightly.iter().find(|it| it["trigger"] == "nightly").unwrap();
    let next = nightly["next_ms"].as_u64().unwrap();
    assert!(now_ms() < next && next < now_ms() + 25 * 3_600_000, "{nightly}");
}

#[test]
fn timers_of_workspaces_go_on_after_a_restart_that_nobody_asks_after() {
    let data = TempDir::new().unwrap();
    let flags = ["--data", text(data.path())];
    let mut daemon = Daemon::start_with(&flags);
    let created = daemon.ok(json!({"op": "workspace.create", "workspace": "w"}));
    let path = created["path"].as_str().unwrap().to_owned();
    let timer = "process_name: p\nsteps: [{step_id: a, await: {after: 1s}, next: z}, \
                 {step_id: z, step_type: final_commit}]\n";
    daemon.ok(json!({"op": "commit", "workspace": "w", "branch": "main", "message": "a process",
        "encoding": "utf8", "changes": [{"file": "p.yaml", "content": timer}]}));
    for run in ["r", "s"] {
        let start = json!({"op": "run.start", "workspace": "w", "run": run, "files": ["p.yaml"],
                           "rev": "main"});
        daemon.ok(start);
    }
    daemon.signal(Signal::KILL);
    daemon.rest();
    let daemon = Daemon::start_with(&flags);
    let last = |run: &str| {
        let format = ["log", "-1", "--format=%(trailers:key=Status,valueonly)"];
        let shown = git(path.as_ref(), &[&format[..], &[&execution(run)]].concat());
        shown.trim() == "done"
    };
    until("both are done", SOON, || {
        let refs = git(path.as_ref(), &["for-each-ref", "refs/workflow/executions"]);
        refs.lines().count() == 2 && last("r") && last("s")
    });
    assert!(daemon.end().status.success());
}

#[test]
fn a_workspace_is_watched_from_the_start_on() {
    let data = TempDir::new().unwrap();
    let flags = ["--data", text(data.path())];
    let mut daemon = Daemon::start_with(&flags);
    let created = daemon.ok(json!({"op": "workspace.create", "workspace": "w"}));
    let path = created["path"].as_str().unwrap().to_owned();
    let definition = with_triggers("  - {name: t, push: main}\n");
    daemon.ok(json!({"op": "process.publish", "workspace": "w", "content": definition,
                     "encoding": "utf8"}));
    assert!(daemon.end().status.success());
    // While nobody is there, and while somebody is who was asked nothing.
    let repository = Repository::of(&[("a", "1\n")]);
    repository.git(&["push", "-q", &path, "main"]);
    let daemon = Daemon::start_with(&flags);
    let count = |expected: usize| {
        until("its runs are there", SOON, || {
            let refs = git(path.as_ref(), &["for-each-ref", "refs/workflow/executions"]);
            refs.lines().count() == expected
        });
    };
    count(1);
    repository.commit("another one");
    repository.git(&["push", "-q", &path, "main"]);
    count(2);
    assert!(daemon.end().status.success());
}

#[test]
fn what_the_daemon_itself_does_starts_runs_as_well() {
    let mut scene = Scene::of("nothing: yet\n");
    publish(&mut scene, &with_triggers("  - {name: t, push: dev}\n  - {name: v, tag: \"v*\"}\n"));
    let made = scene.ok(
        "commit",
        json!({"branch": "dev", "message": "by a request",
        "encoding": "utf8", "changes": [{"file": "x", "content": "1"}]}),
    );
    let commit = made["commit"].as_str().unwrap().to_owned();
    expect_fired(&mut scene, &commit, &["t"]);
    scene.ok("ref.update", json!({"updates": [{"ref": "refs/tags/v1", "to": commit}]}));
    until("the tag fires", SOON, || fired(&mut scene, &commit).len() == 2);
    let denied = json!({"updates": [{"ref": "refs/gitvan/triggers", "to": commit}]});
    let refused = scene.refused("denied", "ref.update", denied);
    assert_eq!(refused["rule"], "triggers");
}

#[test]
fn what_a_sync_brings_and_what_a_push_takes_elsewhere_starts_runs_there() {
    let origin = Repository::of(&[("a", "1\n")]);
    let mut here = Scene { daemon: Daemon::start(), repository: origin.cloned(&[]) };
    here.git(&["remote", "set-url", "origin", origin.path()]);
    let sync = json!({"url": origin.path(), "branch": "main", "depth": 0});
    here.ok("sync", sync.clone());
    publish(&mut here, &with_triggers("  - {name: t, push: main}\n"));
    let commits = [origin.commit("one"), origin.commit("two")];
    assert_eq!(here.ok("sync", sync), commits[1].as_str());
    for commit in &commits {
        expect_fired(&mut here, commit, &["t"]);
    }
    // From there to a repository that the daemon has had to do with.
    let mut there = Scene { daemon: here.daemon, repository: origin.bare() };
    publish(&mut there, &with_triggers("  - {name: far, push: [main, dev]}\n"));
    let commit = origin.commit("three");
    let push = json!({"op": "push", "path": origin.path(), "url": there.repository.path(),
                      "refs": [{"from": "main"}]});
    there.daemon.ok(push);
    expect_fired(&mut there, &commit, &["far"]);
    let runs = there.ok("run.list", json!({}));
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
}
