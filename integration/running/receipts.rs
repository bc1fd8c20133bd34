//! Each task that is finished has a receipt, which anybody can check, and which nobody loses.

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Scene, git, held};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::text,
};

const RESULTS: &str = "--ref=gitvan/results";

const PROCESS: &str = "\
process_name: p
process_version: 1.0.0
data: {total: 1}
steps:
  - {step_id: a, retry: {attempts: 3}, next: b}
  - {step_id: b, each: {count: 2}, next: z}
  - {step_id: z, step_type: final_commit}
";

/// What a daemon signs with, and who says that it may.
struct Key {
    _folder: TempDir,
    file: String,
    allowed: String,
}

impl Key {
    fn new() -> Key {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("key");
        let mut command = Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f"]).arg(&file);
        assert!(command.status().unwrap().success());
        let public = fs::read_to_string(folder.path().join("key.pub")).unwrap();
        let allowed = format!("daemon@example.org {public}");
        Key { file: text(&file).to_owned(), allowed, _folder: folder }
    }

    fn daemon(&self) -> Daemon {
        Daemon::start_with(&["--receipt-key", &self.file])
    }
}

fn digest(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let digits: String = hash.iter().map(|it| format!("{it:02x}")).collect();
    format!("sha256:{digits}")
}

fn signed(definitions: &str) -> (Scene, Key) {
    let (mut scene, key) = (Scene::of(definitions), Key::new());
    scene.daemon = key.daemon();
    (scene, key)
}

/// A scene in which a run was done with one attempt that failed.
fn done() -> (Scene, Key) {
    let (mut scene, key) = signed(PROCESS);
    scene.start("r", json!({"actor": "ann"}));
    let task = scene.claim(json!({"worker": "bob"}))[0].clone();
    scene.ok("task.fail", held(&task, json!({"message": "no", "type": "odd"})));
    let task = scene.claim(json!({"worker": "bob"}))[0].clone();
    scene.complete(&task, json!({"data": {"total": 5}}));
    work(&mut scene);
    (scene, key)
}

/// Does all there is to do.
fn work(scene: &mut Scene) -> Vec<String> {
    let mut commits = Vec::new();
    loop {
        let tasks = scene.claim(json!({"max": 100}));
        if tasks.is_empty() {
            return commits;
        }
        for task in &tasks {
            let done = scene.complete(task, json!({}));
            commits.push(done["commit"].as_str().unwrap().to_owned());
        }
    }
}

fn list(scene: &mut Scene, query: Value) -> Vec<Value> {
    scene.ok("receipt.list", query)["receipts"].as_array().unwrap().clone()
}

fn commits(receipts: &[Value]) -> BTreeSet<String> {
    receipts.iter().map(|it| it["commit"].as_str().unwrap().to_owned()).collect()
}

/// The commits of all runs that finish a task, but for attempts that failed.
fn complete(scene: &Scene) -> BTreeSet<String> {
    let format = "--format=%H %(trailers:key=Event,valueonly,separator=)";
    let log = scene.git(&["log", format, "--glob=refs/workflow/*"]);
    let complete = log.lines().filter_map(|it| it.strip_suffix(" complete"));
    complete.map(str::to_owned).collect()
}

fn kinds(verified: &Value) -> Vec<(String, String)> {
    let problems = verified["problems"].as_array().unwrap().iter();
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    problems.map(|it| (text(&it["kind"]), text(&it["commit"]))).collect()
}

fn verify(scene: &mut Scene, key: &Key) -> Value {
    scene.ok("receipt.verify", json!({"allowed_signers": key.allowed}))
}

fn note(scene: &Scene, commit: &str) -> String {
    scene.git(&["notes", RESULTS, "show", commit])
}

fn unsigned(line: &str) -> String {
    let (before, rest) = line.split_once(",\"signature\":\"").unwrap();
    format!("{before}{}", rest.split_once('"').unwrap().1)
}

fn set_note(scene: &Scene, commit: &str, content: &str) {
    scene.git(&["notes", RESULTS, "add", "-f", "-m", content, commit]);
}

#[test]
fn each_task_that_is_finished_has_one_receipt_that_says_what_became_of_it() {
    let (mut scene, _key) = done();
    let all = list(&mut scene, json!({"run": "r"}));
    let told = |it: &Value| {
        let parts = ["step", "outcome", "actor", "worker"].map(|name| it[name].to_string());
        format!("{} {} {}", parts.join(" "), it["attempt"], it["again"]).replace('"', "")
    };
    let told: Vec<String> = all.iter().map(told).collect();
    assert_eq!(
        told,
        [
            "a failed bob bob 1 true",
            "a ok bob bob 2 null",
            "b#1 ok w w 1 null",
            "b#2 ok w w 1 null",
            "z ok gitport gitport 1 null",
        ]
    );
    let history = scene.ok("run.history", json!({"run": "r"}));
    let events = history["events"].as_array().unwrap();
    let run = scene.get("r");
    for it in &all {
        assert_eq!(
            (&it["receipt"], &it["run"], &it["process"]),
            (&json!(1), &json!("r"), &json!("p"))
        );
        assert_eq!((&it["version"], &it["definition"]), (&json!("1.0.0"), &run["digest"]));
        let event = events.iter().find(|event| event["commit"] == it["commit"]).unwrap();
        assert_eq!((&event["seq"], &event["step"]), (&it["seq"], &it["step"]));
        assert_eq!(event["at_ms"], it["finished_ms"]);
        let times =
            ["offered_ms", "claimed_ms", "finished_ms"].map(|time| it[time].as_i64().unwrap());
        assert!(times.is_sorted(), "{it}");
    }
    // What a task sees, and what it brings, is told by digests that anybody can make.
    let inputs = ["{\"total\":1}", "{\"total\":1}", "{\"total\":5}", "{\"total\":5}"].map(digest);
    let found: Vec<&str> = all.iter().map(|it| it["input"].as_str().unwrap()).collect();
    assert_eq!(found[..4], inputs);
    assert_eq!(all[0]["output"], digest("{\"message\":\"no\",\"type\":\"odd\"}"));
    assert_eq!(all[0]["problem"], "odd");
    assert_eq!(all[1]["output"], digest("{\"total\":5}"));
    assert_eq!(all[2]["output"], digest("{}"));
    let shown = note(&scene, all[1]["commit"].as_str().unwrap());
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap(), all[1]);
    scene.is_sound();
}

#[test]
fn stock_tools_verify_a_receipt() {
    let (scene, key) = done();
    let (mut scene, folder) = (scene, TempDir::new().unwrap());
    let commit = list(&mut scene, json!({"run": "r"}))[2]["commit"].as_str().unwrap().to_owned();
    let file = |name: &str| text(&folder.path().join(name)).to_owned();
    fs::write(file("allowed"), &key.allowed).unwrap();
    // As the contract says it.
    let script = r#"
        git notes --ref=gitvan/results show "$1" > receipt
        sed 's/,"signature":"[^"]*"//' receipt > signed
        { echo '-----BEGIN SSH SIGNATURE-----'
          sed 's/.*,"signature":"\([^"]*\)".*/\1/' receipt
          echo '-----END SSH SIGNATURE-----'; } > signature
        ssh-keygen -Y verify -n gitport-receipt -I daemon@example.org -f "$2" -s signature < "${3:-signed}"
    "#;
    let run = |more: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-c", script, "sh", &commit, &file("allowed")]).args(more);
        shell.env("GIT_DIR", scene.path().join(".git")).current_dir(folder.path());
        shell.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(run(&[]));
    let other = fs::read_to_string(file("signed")).unwrap().replace("\"ok\"", "\"no\"");
    fs::write(file("other"), other).unwrap();
    assert!(!run(&["other"]));
    let got = scene.ok("receipt.get", json!({"commit": commit, "allowed_signers": key.allowed}));
    assert_eq!((&got["ok"], &got["signature"]["status"]), (&json!(true), &json!("good")));
    assert_eq!(got["signature"]["principals"], json!(["daemon@example.org"]));
    let line = fs::read_to_string(file("receipt")).unwrap();
    assert_eq!(got["line"].as_str().unwrap(), line.trim_end());
}

#[test]
fn a_receipt_is_found_by_its_task_and_its_attempt() {
    let (mut scene, _key) = done();
    let all = list(&mut scene, json!({"run": "r"}));
    let task = all[0]["task"].clone();
    assert_eq!(scene.ok("receipt.get", json!({"task": task}))["receipt"], all[1]);
    let first = json!({"task": task, "attempt": 1});
    assert_eq!(scene.ok("receipt.get", first)["receipt"], all[0]);
    scene.refused("not_found", "receipt.get", json!({"task": task, "attempt": 3}));
    scene.refused("not_found", "receipt.get", json!({"task": "r/99"}));
    scene.refused("not_found", "receipt.get", json!({"task": "none/1"}));
    scene.refused("not_found", "receipt.get", json!({"commit": "0".repeat(40)}));
}

#[test]
fn each_receipt_that_is_not_what_it_should_be_is_named() {
    let (mut scene, key) = done();
    let all = list(&mut scene, json!({"run": "r"}));
    let commit = |at: usize| all[at]["commit"].as_str().unwrap().to_owned();
    let verified = verify(&mut scene, &key);
    assert_eq!(
        (&verified["ok"], &verified["receipts"], &verified["signed"]),
        (&json!(true), &json!(5), &json!(5))
    );
    let of_run = json!({"run": "r", "allowed_signers": key.allowed});
    let run = scene.ok("run.verify", of_run.clone());
    assert_eq!(
        (&run["ok"], &run["receipts"], &run["signed"]),
        (&json!(true), &json!(5), &json!(5))
    );

    let originals: Vec<String> = (0..5).map(|it| note(&scene, &commit(it))).collect();
    let expect = |scene: &mut Scene, at: &str, wanted: &[&str]| {
        for (op, query) in [("receipt.verify", of_run.clone()), ("run.verify", of_run.clone())] {
            let verified = scene.ok(op, query);
            assert_eq!(verified["ok"], false, "{op}: {verified}");
            let wanted: BTreeSet<(String, String)> =
                wanted.iter().map(|it| ((*it).to_owned(), at.to_owned())).collect();
            assert_eq!(kinds(&verified).into_iter().collect::<BTreeSet<_>>(), wanted, "{verified}");
        }
    };
    // Somebody says something else, and has no key.
    let lie = originals[0].replace("\"actor\":\"bob\"", "\"actor\":\"eve\"");
    set_note(&scene, &commit(0), &lie);
    expect(&mut scene, &commit(0), &["signature", "record"]);
    let lie = originals[0].replace(all[0]["output"].as_str().unwrap(), &digest("{}"));
    set_note(&scene, &commit(0), &lie);
    expect(&mut scene, &commit(0), &["signature", "digest"]);
    // The same by somebody with a key of his own.
    let other = Key::new();
    set_note(&scene, &commit(0), &unsigned(&originals[0]));
    expect(&mut scene, &commit(0), &["unsigned"]);
    let good = scene.ok("receipt.verify", json!({"run": "r"}));
    assert_eq!((&good["ok"], &good["signed"]), (&json!(true), &json!(4)), "{good}");
    let by_other =
        scene.ok("receipt.verify", json!({"run": "r", "allowed_signers": other.allowed}));
    assert_eq!(kinds(&by_other).iter().filter(|it| it.0 == "signer").count(), 4, "{by_other}");
    set_note(&scene, &commit(0), "something else");
    expect(&mut scene, &commit(0), &["record"]);
    set_note(&scene, &commit(0), &originals[0].replace("{\"a", "{ \"a"));
    expect(&mut scene, &commit(0), &["record", "signature"]);
    set_note(&scene, &commit(0), &format!("{}\n{}", originals[0], originals[0]));
    expect(&mut scene, &commit(0), &["record"]);
    // It is that of another task, or of none.
    set_note(&scene, &commit(0), &originals[1]);
    expect(&mut scene, &commit(0), &["misplaced"]);
    set_note(&scene, &commit(0), &originals[0]);
    let begin =
        scene.ok("run.history", json!({"run": "r", "limit": 1}))["events"][0]["commit"].clone();
    let begin = begin.as_str().unwrap();
    set_note(&scene, begin, &originals[0].replace(&commit(0), begin));
    expect(&mut scene, begin, &["misplaced", "signature"]);
    scene.git(&["notes", RESULTS, "remove", begin]);
    scene.git(&["notes", RESULTS, "remove", &commit(3)]);
    expect(&mut scene, &commit(3), &["missing"]);
    // On what is no commit of a run.
    set_note(&scene, &commit(3), &originals[3]);
    set_note(&scene, "HEAD", &originals[3]);
    let head = scene.git(&["rev-parse", "HEAD"]);
    let all = verify(&mut scene, &key);
    assert_eq!(kinds(&all), [("misplaced".to_owned(), head.clone())], "{all}");
    scene.git(&["notes", RESULTS, "remove", "HEAD"]);
    assert_eq!(verify(&mut scene, &key)["ok"], true);
}

#[test]
fn what_was_finished_right_before_a_kill_has_its_receipt_after_the_next_start() {
    let (mut scene, key) = signed(PROCESS);
    let mut known = 0;
    for round in 0..4 {
        for at in 0..20 {
            scene.start(&format!("r{round}-{at}"), json!({}));
        }
        let half = scene.claim(json!({"max": 10, "worker": "gone"}));
        assert_eq!(half.len(), 10);
        work(&mut scene);
        scene.daemon.signal(Signal::KILL);
        scene.daemon.exit();
        scene.daemon = key.daemon();
        // Who had begun before the kill is done after it.
        half.iter().for_each(|it| drop(scene.complete(it, json!({}))));
        work(&mut scene);
        scene.daemon.signal(Signal::KILL);
        scene.daemon.exit();
        scene.daemon = key.daemon();
        let all = list(&mut scene, json!({"limit": 10_000}));
        known += 20 * 4;
        assert_eq!(all.len(), known);
        assert_eq!(commits(&all), complete(&scene));
        let verified = verify(&mut scene, &key);
        assert_eq!(verified["ok"], true, "{verified}");
    }
    scene.is_sound();
}

#[test]
fn an_attempt_that_failed_right_before_a_kill_has_its_receipt_after_the_next_start() {
    let (mut scene, key) = signed(PROCESS);
    scene.start("first", json!({}));
    work(&mut scene);
    scene.start("r", json!({}));
    let task = scene.claim_one();
    scene.ok("task.fail", held(&task, json!({"message": "not yet"})));
    scene.daemon.signal(Signal::KILL);
    scene.daemon.exit();
    scene.daemon = key.daemon();
    let all = list(&mut scene, json!({"run": "r"}));
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(all[0]["again"], true, "{all:?}");
    assert_eq!(verify(&mut scene, &key)["ok"], true);
}

/// A scene with a process of two steps, in which there are receipts already: the first one of a
/// repository waits for nothing.
fn with_two_steps() -> Scene {
    let two = "process_name: p\nsteps: [{step_id: a, next: b}, {step_id: b}]\n";
    let mut scene = Scene::of(two);
    scene.start("first", json!({}));
    work(&mut scene);
    scene
}

#[test]
fn what_a_kill_took_is_made_again_also_where_runs_go_on_meanwhile() {
    let mut scene = with_two_steps();
    let runs: Vec<String> = (0..15).map(|it| format!("r{it}")).collect();
    for run in &runs {
        scene.start(run, json!({}));
    }
    let all = json!({"max": 100});
    for task in scene.claim(all.clone()) {
        scene.complete(&task, json!({}));
    }
    scene.daemon.signal(Signal::KILL);
    scene.daemon.exit();
    scene.daemon = Daemon::start();
    // Whenever somebody looks, the newest commits of runs are some that Git does not see yet.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(900) {
        for task in scene.claim(all.clone()) {
            scene.ok("task.release", held(&task, json!({})));
        }
    }
    work(&mut scene);
    for run in &runs {
        let verified = scene.ok("run.verify", json!({"run": run}));
        assert_eq!(verified["ok"], true, "{verified}");
        assert_eq!(verified["receipts"], 2, "{verified}");
    }
}

#[test]
fn of_each_run_receipts_are_written_in_their_order_whoever_finished_what() {
    let mut scene = with_two_steps();
    let path = text(scene.path()).to_owned();
    for run in ["r1", "r2", "r3"] {
        scene.start(run, json!({}));
        // It looks for receipts half a second after it came, and the other one, which has the
        // first of them, half a second after it has it.
        let mut other = Daemon::start();
        other.ok(json!({"op": "run.get", "path": path, "run": run}));
        sleep(Duration::from_millis(300));
        let task = scene.claim_one();
        scene.complete(&task, json!({}));
        let claimed = other.ok(json!({"op": "task.claim", "path": path, "worker": "w"}));
        other.ok(held(&claimed["tasks"][0], json!({"op": "task.complete", "path": path})));
        sleep(Duration::from_millis(300));
        for daemon in [&mut scene.daemon, &mut other] {
            daemon.signal(Signal::KILL);
            daemon.exit();
        }
        scene.daemon = Daemon::start();
        let verified = scene.ok("run.verify", json!({"run": run}));
        assert_eq!(verified["ok"], true, "{verified}");
        assert_eq!(verified["receipts"], 2);
    }
}

#[test]
fn receipts_are_written_by_themselves_and_at_the_end() {
    let mut scene = Scene::of(PROCESS);
    scene.start("r", json!({}));
    work(&mut scene);
    // The first is there as soon as it is answered for.
    let count = |scene: &Scene| scene.git(&["notes", RESULTS, "list"]).lines().count();
    assert!(0 < count(&scene));
    until("receipts are written", PATIENCE, || count(&scene) == 4);
    scene.start("s", json!({}));
    work(&mut scene);
    scene.restart();
    assert_eq!(count(&scene), 8);
    let verified = scene.ok("receipt.verify", json!({}));
    assert_eq!((&verified["ok"], &verified["signed"]), (&json!(true), &json!(0)));
}

#[test]
fn two_daemons_write_one_receipt_for_each_task() {
    let (mut scene, key) = signed(
        "process_name: p\nsteps: [{step_id: a, each: {count: 40}, next: z}, {step_id: z}]\n",
    );
    let mut other = key.daemon();
    scene.start("r", json!({}));
    let path = text(scene.path()).to_owned();
    let mut turn = 0;
    loop {
        turn += 1;
        let daemon = if turn % 2 == 0 { &mut scene.daemon } else { &mut other };
        let claim = json!({"op": "task.claim", "path": path, "worker": "w"});
        let claimed = daemon.ok(claim);
        let Some(task) = claimed["tasks"].as_array().unwrap().first().cloned() else { break };
        let daemon = if turn % 3 == 0 { &mut scene.daemon } else { &mut other };
        daemon.ok(held(&task, json!({"op": "task.complete", "path": path})));
        if turn % 10 == 0 {
            list(&mut scene, json!({}));
        }
    }
    until("both have written", PATIENCE, || list(&mut scene, json!({})).len() == 41);
    let verified = verify(&mut scene, &key);
    assert_eq!(verified["ok"], true, "{verified}");
    assert!(other.end().status.success());
    // What one who was killed did not write, the other one does.
    let mut other = key.daemon();
    scene.start("s", json!({}));
    let claimed = other.ok(json!({"op": "task.claim", "path": path, "worker": "w", "max": 20}));
    for task in claimed["tasks"].as_array().unwrap() {
        other.ok(held(task, json!({"op": "task.complete", "path": path})));
    }
    other.signal(Signal::KILL);
    other.exit();
    assert_eq!(list(&mut scene, json!({"run": "s"})).len(), 20);
    assert_eq!(verify(&mut scene, &key)["ok"], true);
    scene.is_sound();
}

const OTHER: &str = "\
process_name: q
steps:
  - {step_id: a, transitions: [{on: ok, next_step: b}, {on: '-no, \"never\"', next_step: b}]}
  - {step_id: b}
";

#[test]
fn receipts_are_found_by_what_they_say_page_by_page() {
    let mut scene = Scene::of(PROCESS);
    scene
        .repository
        .write("q.yaml", "process_name: q\nsteps: [{step_id: a, next: b}, {step_id: b}]\n");
    scene.repository.commit("another");
    for run in ["r1", "r2", "r3"] {
        scene.start(run, json!({}));
    }
    scene.ok("run.start", json!({"run": "q1", "files": ["q.yaml"]}));
    let task = scene.claim(json!({"worker": "ann", "task": "q1/3"}))[0].clone();
    scene.complete(&task, json!({}));
    work(&mut scene);
    let all = list(&mut scene, json!({}));
    assert_eq!(all.len(), 3 * 4 + 2);
    let ids: Vec<&str> = all.iter().map(|it| it["commit"].as_str().unwrap()).collect();
    assert!(ids.is_sorted());
    let mut count = |query: Value| list(&mut scene, query).len();
    assert_eq!(count(json!({"run": "r2"})), 4);
    assert_eq!(count(json!({"process": "p"})), 12);
    assert_eq!(count(json!({"process": "p", "version": "1.0.0"})), 12);
    assert_eq!(count(json!({"version": "2.0.0"})), 0);
    assert_eq!(count(json!({"step": "a"})), 4);
    assert_eq!(count(json!({"step": "b#2"})), 3);
    assert_eq!(count(json!({"actor": "gitport"})), 3);
    assert_eq!(count(json!({"worker": "ann"})), 1);
    assert_eq!(count(json!({"outcome": "ok", "worker": "w", "step": "b"})), 1);
    assert_eq!(count(json!({"outcome": "failed"})), 0);
    assert_eq!(count(json!({"until_ms": 1})), 0);
    assert_eq!(count(json!({"since_ms": 1})), 14);
    assert_eq!(count(json!({"run": "none"})), 0);
    for query in [json!({}), json!({"run": "r1"}), json!({"process": "p", "step": "a"})] {
        let whole = list(&mut scene, query.clone());
        let (mut paged, mut after) = (Vec::new(), Value::Null);
        loop {
            let mut page = query.clone();
            (page["limit"], page["after"]) = (json!(1), after);
            let found = scene.ok("receipt.list", page);
            paged.extend(found["receipts"].as_array().unwrap().clone());
            after = found["next"].clone();
            if after.is_null() {
                break;
            }
        }
        assert_eq!(paged, whole, "{query}");
    }
}

#[test]
fn receipts_come_as_lines_and_as_a_table_that_is_no_program() {
    let (mut scene, _key) = signed(OTHER);
    scene.start("r", json!({}));
    let task = scene.claim(json!({"worker": "@cmd"}))[0].clone();
    scene.complete(&task, json!({"outcome": "-no, \"never\""}));
    let task = scene.claim(json!({"worker": "=1+1"}))[0].clone();
    scene.complete(&task, json!({}));
    let all = list(&mut scene, json!({"run": "r"}));
    let lines = scene.ok("receipt.list", json!({"run": "r", "format": "jsonl"}));
    let text = lines["text"].as_str().unwrap();
    let read: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(read, all);
    assert!(text.ends_with('\n'));
    let mut table = String::new();
    let mut after = Value::Null;
    loop {
        let page = scene
            .ok("receipt.list", json!({"run": "r", "format": "csv", "limit": 1, "after": after}));
        table += page["text"].as_str().unwrap();
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    let rows: Vec<&str> = table.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 3, "{table}");
    assert!(rows[0].starts_with("receipt,run,process,version,definition,step,task,"));
    assert!(rows[2].contains(",'=1+1,'=1+1,ok,"), "{table}");
    assert!(rows[1].contains(",'@cmd,\"'-no, \"\"never\"\"\","), "{table}");
    let whole = scene.ok("receipt.list", json!({"run": "r", "format": "csv"}));
    assert_eq!(whole["text"], table.as_str());
}

#[test]
fn a_clone_with_the_notes_has_all_receipts_and_what_two_wrote_unites() {
    let (mut scene, key) = done();
    scene.restart();
    let folder = TempDir::new().unwrap();
    let url = format!("file://{}", scene.repository.path());
    let clone = text(&folder.path().join("clone")).to_owned();
    let mut daemon = Daemon::start();
    let sync = json!({"op": "sync", "url": url, "branch": "main", "path": clone, "depth": 0,
                      "notes": ["gitvan/results"]});
    daemon.ok(sync.clone());
    let place = Path::new(&clone);
    git(place, &["fetch", "-q", "origin", "refs/workflow/*:refs/workflow/*"]);
    let verify = json!({"op": "receipt.verify", "path": clone, "allowed_signers": key.allowed});
    let verified = daemon.ok(verify.clone());
    assert_eq!((&verified["ok"], &verified["receipts"]), (&json!(true), &json!(5)), "{verified}");
    // Others are written on both sides, and one is on both.
    daemon.ok(json!({"op": "run.start", "path": clone, "run": "here", "files": ["p.yaml"]}));
    let claimed = daemon.ok(json!({"op": "task.claim", "path": clone, "worker": "w"}));
    let task = claimed["tasks"][0].clone();
    daemon.ok(held(&task, json!({"op": "task.complete", "path": clone})));
    daemon.ok(json!({"op": "receipt.list", "path": clone}));
    scene.daemon = key.daemon();
    scene.start("there", json!({}));
    let theirs = work(&mut scene);
    list(&mut scene, json!({}));
    let both = theirs[0].clone();
    let shown = note(&scene, &both);
    git(place, &["fetch", "-q", "origin", "refs/workflow/*:refs/workflow/*"]);
    git(place, &["notes", RESULTS, "add", "-m", &unsigned(&shown), &both]);
    daemon.ok(sync);
    assert_eq!(git(place, &["notes", RESULTS, "show", &both]), shown, "the signed one stays");
    let verified = daemon.ok(json!({"op": "receipt.verify", "path": clone}));
    assert_eq!(verified["ok"], true, "{verified}");
    assert_eq!(verified["receipts"], 5 + 1 + theirs.len() + 1);
    assert_eq!(git(place, &["fsck", "--strict", "--no-dangling"]), "");
}

#[test]
fn receipts_alone_are_listed_and_those_who_signed_them_are_told() {
    let (mut scene, key) = done();
    list(&mut scene, json!({}));
    scene.restart();
    let folder = TempDir::new().unwrap();
    git(folder.path(), &["init", "-q", "--bare"]);
    let refspec = "refs/notes/gitvan/results:refs/notes/gitvan/results";
    git(folder.path(), &["fetch", "-q", scene.repository.path(), refspec]);
    let path = text(folder.path()).to_owned();
    let mut daemon = Daemon::start();
    let listed = daemon.ok(json!({"op": "receipt.list", "path": path, "run": "r"}));
    assert_eq!(listed["receipts"].as_array().unwrap().len(), 5);
    let verified =
        daemon.ok(json!({"op": "receipt.verify", "path": path, "allowed_signers": key.allowed}));
    assert_eq!((&verified["ok"], &verified["apart"]), (&json!(true), &json!(5)), "{verified}");
    let other = Key::new();
    let verified =
        daemon.ok(json!({"op": "receipt.verify", "path": path, "allowed_signers": other.allowed}));
    assert_eq!(verified["found"], 5, "{verified}");
}

#[test]
fn what_time_does_and_what_is_waited_for_have_receipts_too() {
    let definition = "\
process_name: p
steps:
  - {step_id: s, split: all, next: [t, e, o]}
  - {step_id: t, await: {after: 20ms}, next: j}
  - {step_id: e, await: paid, next: j}
  - {step_id: o, timeout: 1s, transitions: [{on: timeout, next_step: h}, {on: ok, next_step: h}]}
  - {step_id: h, heartbeat: 500ms, retry: {attempts: 2}, next: j}
  - {step_id: j, join: all}
";
    let mut scene = Scene::of(definition);
    scene.start("r", json!({}));
    let task = scene.claim_one();
    scene.complete(&task, json!({}));
    scene.ok("run.signal", json!({"run": "r", "name": "paid", "actor": "bank", "data": {"n": 1}}));
    let slow = scene.claim(json!({"wait_ms": 5000}));
    assert_eq!(slow[0]["step"], "o");
    let silent = scene.claim(json!({"wait_ms": 5000, "worker": "silent"}));
    assert_eq!(silent[0]["step"], "h");
    let again = scene.claim(json!({"wait_ms": 5000}));
    assert_eq!((&again[0]["step"], &again[0]["attempt"]), (&json!("h"), &json!(2)));
    scene.complete(&again[0], json!({}));
    while !scene.ok("task.list", json!({}))["tasks"].as_array().unwrap().is_empty() {
        work(&mut scene);
    }
    let listed = list(&mut scene, json!({"run": "r"}));
    let told = |it: &Value| {
        let parts =
            ["step", "outcome", "actor", "worker", "problem"].map(|name| it[name].to_string());
        parts.join(" ").replace('"', "")
    };
    let told: BTreeSet<String> = listed.iter().map(told).collect();
    let wanted = [
        "e ok bank null null",
        "h failed gitport silent heartbeat",
        "h ok w w null",
        "j ok w w null",
        "o timeout gitport w null",
        "s ok w w null",
        "t ok gitport null null",
    ];
    assert_eq!(told, wanted.map(str::to_owned).into());
    scene.restart();
    let verified = scene.ok("receipt.verify", json!({}));
    assert_eq!((&verified["ok"], &verified["receipts"]), (&json!(true), &json!(7)), "{verified}");
}

#[test]
fn three_thousand_tasks_have_three_thousand_receipts() {
    let definition = "process_name: p\nsteps: [{step_id: a, each: {count: 3000}}]\n";
    let (mut scene, key) = signed(definition);
    scene.start("r", json!({}));
    let mut done = BTreeSet::new();
    loop {
        let tasks = scene.claim(json!({"max": 1000}));
        if tasks.is_empty() {
            break;
        }
        for (id, task) in tasks.iter().enumerate() {
            let mut request = scene.request("task.complete", held(task, json!({})));
            request["id"] = json!(id);
            scene.daemon.send(request);
        }
        for reply in scene.daemon.receive_many(tasks.len()) {
            done.insert(reply["ok"]["commit"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(done.len(), 3000);
    let all = list(&mut scene, json!({"limit": 10_000}));
    assert_eq!(commits(&all), done);
    let verified = verify(&mut scene, &key);
    assert_eq!((&verified["ok"], &verified["signed"]), (&json!(true), &json!(3000)));
    scene.is_sound();
}

#[test]
fn runs_go_on_where_receipts_cannot_be_written() {
    let mut scene = Scene::of(PROCESS);
    scene.git(&["update-ref", "refs/notes/gitvan", "HEAD"]);
    scene.start("r", json!({}));
    work(&mut scene);
    assert_eq!(scene.status("r"), "done");
    scene.refused("conflict", "receipt.list", json!({}));
    scene.git(&["update-ref", "-d", "refs/notes/gitvan"]);
    assert_eq!(list(&mut scene, json!({})).len(), 4);
    assert_eq!(scene.ok("receipt.verify", json!({}))["ok"], true);
}

#[test]
fn a_daemon_with_a_key_that_cannot_sign_does_not_start() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("key");
    fs::write(&file, "no key").unwrap();
    let mut daemon = Daemon::start_with(&["--receipt-key", text(&file)]);
    assert!(!daemon.exit().success());
    assert!(daemon.stderr().contains("the key for receipts"), "{}", daemon.stderr());
}
