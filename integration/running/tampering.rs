//! Whoever changes what a run has come to, with stock git, is found out: the first commit that is
//! another one is named, and what was signed by somebody else.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Scene, execution};
use crate::{daemon::Daemon, repository::text};

const PROCESS: &str = "\
process_name: p
data: {total: 1}
steps:
  - {step_id: s, split: all, next: [a, b]}
  - {step_id: a, next: z}
  - {step_id: b, next: z}
  - {step_id: z, join: all}
";

/// A run that is done, and nobody at work: what somebody does to it is all that happens.
struct Done {
    scene: Scene,
    /// In their order.
    commits: Vec<Commit>,
}

#[derive(Clone)]
struct Commit {
    id: String,
    /// As Git has it.
    content: String,
}

impl Done {
    fn new() -> Done {
        let mut scene = Scene::of(PROCESS);
        scene.start("r", json!({}));
        loop {
            let tasks = scene.claim(json!({"max": 1}));
            let Some(task) = tasks.first() else { break };
            scene.complete(task, json!({"data": {task["step"].as_str().unwrap(): {"n": 1}}}));
        }
        assert_eq!(scene.status("r"), "done");
        scene.restart();
        let tip = execution("r");
        let listed = scene.git(&["rev-list", &tip]);
        let commit = |id: &str| {
            let content = scene.git(&["cat-file", "commit", id]) + "\n";
            Commit { id: id.to_owned(), content }
        };
        let mut commits: Vec<Commit> = listed.lines().map(commit).collect();
        commits.sort_by_key(Commit::seq);
        Done { scene, commits }
    }

    /// Writes the history anew with these commits, in which parents are called by their old ids;
    /// the new ids.
    fn forge(&mut self, commits: &[Commit]) -> Vec<String> {
        let mut new: BTreeMap<&str, String> = BTreeMap::new();
        let mut ids = Vec::new();
        for it in commits {
            let mut content = it.content.clone();
            new.iter().for_each(|(old, id)| content = content.replace(old, id));
            ids.push(self.write(&content));
            new.insert(&it.id, ids.last().unwrap().clone());
        }
        self.scene.git(&["update-ref", &execution("r"), ids.last().unwrap()]);
        ids
    }

    fn write(&self, content: &str) -> String {
        let input = content.as_bytes();
        let arguments = ["hash-object", "-t", "commit", "-w", "--stdin"];
        let id = self.scene.repository.git_with_input(&arguments, input);
        String::from_utf8(id).unwrap().trim_end().to_owned()
    }

    /// Which of the commits is the first that says this.
    fn at(&self, words: &str) -> usize {
        self.commits.iter().position(|it| it.content.contains(words)).unwrap()
    }

    /// What is wrong with the run, of which there is one thing.
    #[track_caller]
    fn problem(&mut self) -> Value {
        let verified = self.scene.ok("run.verify", json!({"run": "r"}));
        assert_eq!(verified["ok"], false, "{verified}");
        let problems = verified["problems"].as_array().unwrap();
        assert_eq!(problems.len(), 1, "{verified}");
        problems[0].clone()
    }

    /// The history is this one, and the first commit that is not as it should be is the one there.
    #[track_caller]
    fn expect_named(&mut self, commits: &[Commit], at: usize) {
        let ids = self.forge(commits);
        let problem = self.problem();
        assert_eq!((&problem["kind"], &problem["commit"]), (&json!("commit"), &json!(ids[at])));
        assert!(problem["message"].as_str().unwrap().contains(&ids[at]), "{problem}");
        // It is left as it is, and made good by who has the true one.
        self.scene.git(&["update-ref", &execution("r"), &self.commits.last().unwrap().id]);
        let verified = self.scene.ok("run.verify", json!({"run": "r"}));
        assert_eq!(verified["ok"], true, "{verified}");
    }
}

impl Commit {
    fn seq(&self) -> u64 {
        let line = self.content.lines().find_map(|it| it.strip_prefix("Seq: "));
        line.unwrap().parse().unwrap()
    }

    fn is_finish(&self) -> bool {
        self.content.contains("\nEvent: complete\n")
    }

    fn replaced(&self, from: &str, to: &str) -> Commit {
        assert!(self.content.contains(from), "{from} in {}", self.content);
        Commit { content: self.content.replace(from, to), ..self.clone() }
    }

    fn tree(&self) -> &str {
        self.content.lines().next().unwrap().strip_prefix("tree ").unwrap()
    }
}

/// A tree like another one, with this file in it.
fn with_file(scene: &Scene, tree: &str, file: &str, content: &str) -> String {
    let blob =
        scene.repository.git_with_input(&["hash-object", "-w", "--stdin"], content.as_bytes());
    let blob = String::from_utf8(blob).unwrap();
    scene.git(&["read-tree", tree]);
    let entry = format!("100644,{},{file}", blob.trim_end());
    scene.git(&["update-index", "--add", "--cacheinfo", &entry]);
    scene.git(&["write-tree"])
}

#[test]
fn the_first_commit_that_was_changed_is_named() {
    let mut done = Done::new();
    for at in 0..done.commits.len() {
        let mut changed = done.commits.clone();
        let actor = if changed[at].content.contains("Actor: w\n") { "w" } else { "gitport" };
        changed[at] = changed[at].replaced(&format!("Actor: {actor}\n"), "Actor: eve\n");
        done.expect_named(&changed, at);
        // Nor is another time the same, also where nothing else says so.
        let mut later = done.commits.clone();
        let time = later[at].content.split("committer ").nth(1).unwrap().lines().next().unwrap();
        let seconds = time.split(' ').rev().nth(1).unwrap().to_owned();
        let next = (seconds.parse::<u64>().unwrap() + 1).to_string();
        let of = |seconds: &str| format!(" {seconds} +0000\n");
        later[at] = later[at].replaced(&of(&seconds), &of(&next));
        done.expect_named(&later, at);
    }
}

#[test]
fn the_first_commit_with_other_data_is_named() {
    let mut done = Done::new();
    let at = done.at("Step: a\nOutcome");
    // All that come after it have it as well.
    let mut changed = done.commits.clone();
    for it in &mut changed[at..] {
        let tree = with_file(&done.scene, it.tree(), "data/total", "1000000\n");
        *it = it.replaced(it.tree(), &tree);
    }
    done.expect_named(&changed, at);
}

#[test]
fn where_a_commit_was_dropped_the_next_one_is_named() {
    let mut done = Done::new();
    let last = done.commits.len() - 1;
    for at in 1..last {
        let mut left = done.commits.clone();
        let gone = left.remove(at);
        let parents = gone.content.lines().filter_map(|it| it.strip_prefix("parent "));
        let parents: Vec<String> = parents.map(|it| format!("parent {it}")).collect();
        for it in &mut left[at..] {
            it.content = it.content.replace(&format!("parent {}", gone.id), &parents.join("\n"));
        }
        done.expect_named(&left, at);
    }
    // Without the first one there is no run at all.
    let mut left = done.commits.clone();
    let first = left.remove(0);
    for it in &mut left {
        it.content = it.content.replace(&format!("parent {}\n", first.id), "");
    }
    done.forge(&left);
    assert!(done.problem()["message"].as_str().unwrap().contains("first commit"));
}

#[test]
fn where_commits_were_reordered_the_first_of_them_is_named() {
    let mut done = Done::new();
    for at in 1..done.commits.len() - 1 {
        let mut swapped = done.commits.clone();
        let [one, other] = [at, at + 1].map(|it| done.commits[it].seq());
        let seq = |it: u64| format!("Seq: {it}\n");
        swapped[at] = swapped[at].replaced(&seq(one), &seq(other));
        swapped[at + 1] = swapped[at + 1].replaced(&seq(other), &seq(one));
        // The other one is now the first of both.
        done.expect_named(&swapped, at + 1);
    }
}

#[test]
fn receipts_tell_what_a_history_that_was_cut_short_has_lost() {
    let mut done = Done::new();
    let at = done.at("Event: complete\nStep: z");
    let (commit, before) = (done.commits[at].id.clone(), done.at("Event: start\nStep: z"));
    // What is left is a run that is as it should be: it is at its last step.
    done.scene.git(&["update-ref", &execution("r"), &done.commits[before].id.clone()]);
    assert_eq!(done.scene.status("r"), "running");
    let verified = done.scene.ok("receipt.verify", json!({}));
    let problem = &verified["problems"][0];
    assert_eq!((&problem["kind"], &problem["commit"]), (&json!("misplaced"), &json!(commit)));
    assert_eq!(problem["run"], "r");
    assert_eq!(done.problem(), *problem, "the run says so as well");
    // The same of what it has lost before: first what it lost first.
    done.scene.restart();
    let first = done.at("Event: start\nStep: s");
    let lost: Vec<String> =
        done.commits[first..].iter().filter(|it| it.is_finish()).map(|it| it.id.clone()).collect();
    done.scene.git(&["update-ref", &execution("r"), &done.commits[first].id.clone()]);
    for _ in 0..2 {
        let verified = done.scene.ok("run.verify", json!({"run": "r"}));
        let problems = verified["problems"].as_array().unwrap();
        let named: Vec<&str> = problems.iter().map(|it| it["commit"].as_str().unwrap()).collect();
        assert_eq!(named, lost, "{verified}");
        assert_eq!((&verified["ok"], &verified["status"]), (&json!(false), &json!("running")));
        done.scene.restart();
    }
    // What is done anew is right, and does not bring back what is lost.
    let task = done.scene.claim_one();
    assert_eq!(task["step"], "s");
    let again = done.scene.complete(&task, json!({}))["commit"].clone();
    let verified = done.scene.ok("run.verify", json!({"run": "r"}));
    let problems = verified["problems"].as_array().unwrap();
    assert_eq!(problems.len(), lost.len(), "{verified}");
    assert!(problems.iter().all(|it| it["commit"] != again), "{verified}");
}

#[test]
fn a_run_that_was_tried_again_and_lost_that_is_found_out() {
    let mut scene = Scene::of("process_name: p\nsteps: [{step_id: a, next: b}, {step_id: b}]\n");
    scene.start("r", json!({}));
    scene.ok("run.cancel", json!({"run": "r"}));
    let ended = scene.get("r")["commit"].clone();
    scene.ok("run.retry", json!({"run": "r"}));
    let task = scene.claim_one();
    let done = scene.complete(&task, json!({}))["commit"].clone();
    scene.restart();
    assert_eq!(scene.ok("run.verify", json!({"run": "r"}))["ok"], true);
    scene.git(&["update-ref", &execution("r"), ended.as_str().unwrap()]);
    let verified = scene.ok("run.verify", json!({"run": "r"}));
    assert_eq!((&verified["ok"], &verified["status"]), (&json!(false), &json!("cancelled")));
    let problem = &verified["problems"][0];
    assert_eq!((&problem["kind"], &problem["commit"]), (&json!("misplaced"), &done), "{verified}");
}

#[test]
fn other_bytes_of_the_definition_in_a_run_are_told_with_its_first_commit() {
    let mut done = Done::new();
    let folder = done.scene.git(&["ls-tree", "--name-only", "-r", &execution("r")]);
    let file = folder.lines().find(|it| it.starts_with("process/")).unwrap().to_owned();
    let definition = done.scene.git(&["show", &format!("{}:{file}", execution("r"))]);
    let definition = definition.replace("join: all", "join: 1");
    let mut changed = done.commits.clone();
    for it in &mut changed {
        let tree = with_file(&done.scene, it.tree(), &file, &definition);
        *it = it.replaced(it.tree(), &tree);
    }
    done.expect_named(&changed, 0);
}

#[test]
fn a_published_definition_whose_bytes_were_changed_starts_nothing_and_its_runs_go_on() {
    let definition =
        PROCESS.replace("process_name: p\n", "process_name: p\nprocess_version: 1.0.0\n");
    let mut scene = Scene::of("nothing: yet\n");
    scene.ok("process.publish", json!({"content": definition, "encoding": "utf8"}));
    let start = |run: &str| json!({"run": run, "process": "p", "version": "1.0.0"});
    scene.ok("run.start", start("before"));
    let digest = scene.get("before")["digest"].clone();
    let tag = "refs/tags/process/p/v1.0.0";
    let content = scene.git(&["cat-file", "tag", tag]);
    let (head, said) = content.split_once("\n\n").unwrap();
    let commit = head.lines().next().unwrap().strip_prefix("object ").unwrap();
    // The same tag of other bytes.
    let changed = definition.replace("total: 1", "total: 9");
    let tree = with_file(&scene, commit, "p/p_v1.0.0.yaml", &changed);
    let other = scene.git(&["commit-tree", "-m", "process p 1.0.0", &tree]);
    let forged = format!("{}\n\n{said}\n", head.replace(commit, &other));
    let arguments = ["hash-object", "-t", "tag", "-w", "--stdin"];
    let forged = scene.repository.git_with_input(&arguments, forged.as_bytes());
    let forged = String::from_utf8(forged).unwrap().trim_end().to_owned();
    scene.git(&["update-ref", tag, &forged]);
    for _ in 0..2 {
        let refused = scene.refused("corrupt", "run.start", start("after"));
        assert!(refused["err"].as_str().unwrap().contains("1.0.0"), "{refused}");
        scene.refused("not_found", "run.get", json!({"run": "after"}));
        // It has had what it needs from the start on.
        assert_eq!(scene.get("before")["digest"], digest);
        assert_eq!(scene.ok("run.verify", json!({"run": "before"}))["ok"], true);
        scene.restart();
    }
    let task = scene.claim_one();
    assert_eq!(task["data"], json!({"total": 1}));
    scene.complete(&task, json!({}));
}

#[test]
fn each_receipt_that_somebody_else_has_signed_is_named_with_its_step() {
    let folder = TempDir::new().unwrap();
    let key = |name: &str| {
        let file = folder.path().join(name);
        let mut command = std::process::Command::new("ssh-keygen");
        command.args(["-q", "-N", "", "-C", "", "-t", "ed25519", "-f"]).arg(&file);
        assert!(command.status().unwrap().success());
        let public = fs::read_to_string(folder.path().join(format!("{name}.pub"))).unwrap();
        (text(&file).to_owned(), format!("{name}@example.org {public}"))
    };
    let (ours, foreign) = (key("ours"), key("foreign"));
    let mut scene = Scene::of(PROCESS);
    let mut commits = BTreeMap::new();
    for (file, count) in [(&ours.0, 1), (&foreign.0, 2), (&ours.0, 1)] {
        scene.daemon = Daemon::start_with(&["--receipt-key", file]);
        if count == 1 && commits.is_empty() {
            scene.start("r", json!({}));
        }
        for _ in 0..count {
            let task = scene.claim_one();
            let done = scene.complete(&task, json!({}));
            commits
                .insert(task["step"].to_string(), (done["commit"].clone(), task["task"].clone()));
        }
        scene.restart();
    }
    let allowed = json!({"run": "r", "allowed_signers": ours.1});
    let verified = scene.ok("run.verify", allowed.clone());
    assert_eq!((&verified["ok"], &verified["signed"]), (&json!(false), &json!(4)), "{verified}");
    let problems = verified["problems"].as_array().unwrap();
    let told: Vec<Value> = problems
        .iter()
        .map(|it| json!([it["kind"], it["commit"], it["task"], it["run"]]))
        .collect();
    let of = |step: &str| {
        let (commit, task) = &commits[&format!("{step:?}")];
        json!(["signer", commit, task, "r"])
    };
    assert_eq!(told.len(), 2, "{verified}");
    assert!(told.contains(&of("a")) && told.contains(&of("b")), "{verified}");
    // One bit of a signature.
    let commit = commits["\"s\""].0.as_str().unwrap();
    let note = scene.git(&["notes", "--ref=gitvan/results", "show", commit]);
    let at = note.find("\"signature\":\"").unwrap() + 100;
    let other = if note.as_bytes()[at] == b'A' { "B" } else { "A" };
    let broken = format!("{}{other}{}", &note[..at], &note[at + 1..]);
    scene.git(&["notes", "--ref=gitvan/results", "add", "-f", "-m", &broken, commit]);
    let verified = scene.ok("run.verify", allowed);
    let problems = verified["problems"].as_array().unwrap().iter();
    let named = problems.filter(|it| it["kind"] == "signature").collect::<Vec<_>>();
    assert_eq!(named.len(), 1, "{verified}");
    assert_eq!(named[0]["commit"], *commit);
}
