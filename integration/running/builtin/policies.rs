//! What policies say of steps that the daemon does itself counts for them, and is recorded.

use serde_json::{Value, json};

use super::script;
use crate::{daemon::Daemon, running::Scene};

const FLAGS: &[&str] = &["--exec-allow=sh,touch", "--git-steps"];

fn step(step_type: &str, configuration: &Value) -> Value {
    json!({"step_id": "a", "step_type": step_type, "configuration": configuration})
}

impl Scene {
    /// Runs a process of one step by a daemon that does such steps; how it ended, and why.
    fn run_of(&mut self, run: &str, step: &Value) -> (String, String) {
        let process = json!({"process_name": "p", "steps": [step]}).to_string();
        let drafts = json!([{"file": "p.yaml", "content": process}]);
        let request = json!({"run": run, "drafts": drafts, "encoding": "utf8"});
        self.ok("run.start", request);
        let status = self.ended(run)["status"].as_str().unwrap().to_owned();
        (status, self.problems(run))
    }

    /// The refs that were asked for and refused, by who asked, for what, and by which rule.
    fn refusals(&mut self) -> Vec<String> {
        let text = |it: &Value| {
            let part = |key: &str| it[key].as_str().unwrap_or("-").to_owned();
            ["actor", "action", "run", "process", "step", "ref", "rule"].map(part).join(" ")
        };
        self.denials().iter().map(text).collect()
    }
}

#[test]
fn a_step_does_what_a_list_about_it_names_and_a_check_says_the_same() {
    let mut scene = Scene::with("process_name: p\nsteps: [{step_id: a}]\n", FLAGS);
    scene.set(
        "x",
        "\
policy: 1
exec: [{name: programs, process: p, programs: [t*]}]
git: [{name: tags, process: 'p*', step: a, actions: [tag], refs: ['refs/tags/v*']}]
",
    );
    let exec = |program: &str| {
        let arguments = if program == "sh" { json!(["-c", "exit 0"]) } else { json!(["file"]) };
        (
            step("exec", &json!({"program": program, "arguments": arguments})),
            json!({"action": "exec", "program": program}),
            "x/programs",
        )
    };
    let git = |configuration: Value, reference: &str| {
        let check = json!({"action": "git", "git": configuration["do"], "ref": reference});
        (step("git", &configuration), check, "x/tags")
    };
    let mut refused = Vec::new();
    for (number, ((step, mut check, rule), may)) in [
        (exec("touch"), true),
        (exec("sh"), false),
        (git(json!({"do": "tag", "tag": "v1"}), "refs/tags/v1"), true),
        (git(json!({"do": "tag", "tag": "w1"}), "refs/tags/w1"), false),
        (git(json!({"do": "branch", "branch": "v1"}), "refs/heads/v1"), false),
    ]
    .into_iter()
    .enumerate()
    {
        for (key, value) in [("actor", "gitport"), ("process", "p"), ("step", "a")] {
            check[key] = json!(value);
        }
        let checked = scene.check(check.clone());
        assert_eq!(checked["allowed"], may, "{checked}");
        let run = format!("r{number}");
        let (status, problems) = scene.run_of(&run, &step);
        assert_eq!(status, if may { "done" } else { "failed" }, "{step}: {problems}");
        if !may {
            assert!(problems.starts_with("denied: `a` of `p` may not "), "{problems}");
            assert!(problems.contains(rule), "{problems}");
            let action = check["action"].as_str().unwrap();
            let reference = check["ref"].as_str().unwrap_or("-");
            refused.push(format!("gitport {action} {run} p a {reference} {rule}"));
        }
        scene.is_verified(&run);
    }
    assert_eq!(scene.git(&["for-each-ref", "--format=%(refname)", "refs/tags"]), "refs/tags/v1");
    refused.reverse();
    assert_eq!(scene.refusals(), refused);
}

#[test]
fn a_program_that_the_operator_does_not_name_is_refused_by_that_rule_and_recorded() {
    let mut scene = Scene::with(&script("exit 0", &[], json!({})), &["--exec-allow=cat"]);
    assert_eq!(scene.run("r", json!({}))["status"], "failed");
    assert_eq!(scene.refusals(), ["gitport exec r p a - --exec-allow"]);
}

#[test]
fn a_ref_that_is_protected_no_step_moves() {
    let mut scene = Scene::with("process_name: p\nsteps: [{step_id: a}]\n", FLAGS);
    scene.repository.write("second", "");
    scene.repository.commit("second");
    for reference in ["refs/heads/kept", "refs/tags/kept", "refs/notes/kept"] {
        scene.git(&["update-ref", reference, "HEAD"]);
    }
    scene.git(&["branch", "side", "HEAD~1"]);
    let changes = json!([{"file": "new", "content": ""}]);
    let protected = "refs: ['refs/heads/kept*', refs/tags/kept, refs/notes/kept], force: true, \
                     delete: true, allow: [nobody]";
    scene.set("x", &format!("policy: 1\nprotected: [{{name: kept, {protected}}}]\n"));
    let refs =
        |scene: &Scene| scene.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/notes/kept"]);
    let before = refs(&scene);
    for (number, configuration) in [
        json!({"do": "branch", "branch": "kept-too"}),
        json!({"do": "branch", "branch": "kept", "from": "HEAD~1", "force": true}),
        json!({"do": "branch", "branch": "kept", "delete": true, "force": true}),
        json!({"do": "branch", "branch": "side", "rename": "kept-side"}),
        json!({"do": "commit", "branch": "kept", "message": "m", "encoding": "utf8", "changes": changes}),
        json!({"do": "merge", "into": "kept", "from": "side", "strategy": "no_ff", "message": "m"}),
        json!({"do": "tag", "tag": "kept", "target": "HEAD~1", "force": true}),
        json!({"do": "note", "target": "HEAD", "content": "said", "encoding": "utf8", "namespace": "kept"}),
    ]
    .into_iter()
    .enumerate()
    {
        let run = format!("r{number}");
        let (status, problems) = scene.run_of(&run, &step("git", &configuration));
        let is_done_already = configuration["do"] == "merge";
        match is_done_already {
            // What is merged already moves nothing.
            true => assert_eq!(status, "done", "{problems}"),
            false => {
                assert_eq!(status, "failed", "{configuration}");
                assert!(problems.starts_with("denied: "), "{configuration}: {problems}");
                assert!(problems.contains("x/kept"), "{configuration}: {problems}");
            }
        }
        assert_eq!(refs(&scene), before, "{configuration}");
        scene.is_verified(&run);
    }
    assert_eq!(scene.refusals().iter().filter(|it| it.ends_with(" x/kept")).count(), 7);
}

#[test]
fn rules_about_workers_keep_no_step_from_being_done_by_the_daemon() {
    let mut scene = Scene::with(&script("echo said", &[], json!({})), FLAGS);
    scene.set(
        "x",
        "policy: 1\nrules: [{name: no, on: [claim, complete], process: p, allow: [ann]}]\n",
    );
    let run = scene.run("r", json!({}));
    assert_eq!(run["data"]["a"]["stdout"], "said\n", "{run}");
    // And nobody is given it, whatever a policy says: a daemon that does it is to come.
    scene.daemon = Daemon::start();
    scene.start("s", json!({}));
    assert_eq!(scene.claim(json!({"worker": "bob"})).len(), 0);
    assert_eq!(scene.claim(json!({"worker": "ann"})).len(), 1);
}
