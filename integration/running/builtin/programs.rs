//! What a program is given, and what becomes of how it ends.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{super::steps, ALLOWED, lines, script};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::{Repository, text},
    running::Scene,
};

#[test]
fn exit_codes_are_outcomes_and_all_others_fail_with_what_was_complained() {
    let definition = "\
process_name: p
data: {code: 0}
steps:
  - step_id: a
    step_type: exec
    configuration:
      program: sh
      arguments: [-c, 'echo no such thing >&2; exit $1', sh, {value: code}]
      outcomes: {0: ok, 3: changed}
    transitions:
      - {on: ok, next_step: good}
      - {on: changed, next_step: other}
      - {on: failed, next_step: mend}
  - {step_id: good}
  - {step_id: other}
  - {step_id: mend}
";
    let mut scene = Scene::with(definition, &[ALLOWED]);
    for (code, step) in [(0, "good"), (3, "other"), (4, "mend"), (200, "mend")] {
        let run = format!("r{code}");
        scene.start(&run, json!({"input": {"code": code}}));
        let task = scene.claim(json!({"wait_ms": 60_000}));
        assert_eq!(steps(&task), [step], "{code}");
        scene.complete(&task[0], json!({}));
        scene.is_verified(&run);
        let problems = scene.problems(&run);
        match step {
            "mend" => {
                let told = format!("exit: `sh` ended with the exit code {code}: no such thing");
                assert_eq!(problems, told);
            }
            _ => assert_eq!(problems, ""),
        }
    }
    let killed = script("kill -9 $$", &[], json!({}));
    let mut scene = Scene::with(&killed, &[ALLOWED]);
    assert_eq!(scene.run("r", json!({}))["status"], "failed");
    assert!(scene.problems("r").contains("was ended by the signal 9"), "{}", scene.problems("r"));
}

#[test]
fn arguments_reach_a_program_as_they_are() {
    let odd = ["two words", "$(touch /tmp/never)", "*", "; exit 9", "", "\"'\\", "a\nb", "-n", "ü"];
    let mut definition: Value =
        serde_json::from_str(&script(r#"for it; do printf '[%s]' "$it"; done"#, &odd, json!({})))
            .unwrap();
    let arguments = &mut definition["steps"][0]["configuration"]["arguments"];
    let more = ["name + '!'", "size(name) > 2", "lines[1].n", "'$HOME'"];
    for it in more {
        arguments.as_array_mut().unwrap().push(json!({"value": it}));
    }
    definition["data"] = json!({"name": "Ann's", "lines": [{"n": 1}, {"n": 2}]});
    let mut scene = Scene::with(&definition.to_string(), &[ALLOWED]);
    let run = scene.run("r", json!({}));
    let told: String = odd.iter().map(|it| format!("[{it}]")).collect();
    let expected = json!({
        "exit": 0,
        "stdout": told + "[Ann's!][true][2][$HOME]",
        "stderr": "",
        "truncated": false,
    });
    assert_eq!(run["data"]["a"], expected);
    scene.is_verified("r");
}

#[test]
fn the_environment_of_a_program_is_what_is_listed_and_nothing_else() {
    let definition = "\
process_name: p
data: {colour: red}
steps:
  - step_id: a
    step_type: exec
    configuration: {program: env, env: {CC: cc -O2, COLOUR: {value: colour}, TZ: CET}}
";
    let mut scene = Scene::with(definition, &[ALLOWED]);
    let run = scene.run("r1", json!({}));
    let stdout = run["data"]["a"]["stdout"].as_str().unwrap();
    let there: BTreeSet<&str> = stdout.lines().filter(|it| !it.starts_with("HOME=")).collect();
    let path = format!("PATH={}", std::env::var("PATH").unwrap());
    let expected = [
        path.as_str(),
        "LANG=C.UTF-8",
        "TZ=CET",
        "CC=cc -O2",
        "COLOUR=red",
        "GITPORT_RUN=r1",
        "GITPORT_STEP=a",
        "GITPORT_ATTEMPT=1",
    ];
    let mut expected: BTreeSet<&str> = expected.into();
    let task = stdout.lines().find(|it| it.starts_with("GITPORT_TASK=r1/")).unwrap();
    expected.insert(task);
    assert_eq!(there, expected);
}

#[test]
fn a_program_works_in_the_files_of_the_runs_revision_which_are_gone_with_it() {
    let definition = "\
process_name: p
steps:
  - {step_id: first, next: a}
  - step_id: a
    step_type: exec
    configuration:
      program: sh
      arguments: [-c, 'pwd; cat ../said; ls -A ..; echo new > file; mkdir x; echo y > x/z; chmod 500 x .']
      folder: {value: \"'in' + 'side'\"}
    next: b
  - step_id: b
    step_type: exec
    configuration: {program: sh, arguments: [-c, 'ls -A; test -x run && ./run']}
";
    let mut scene = Scene::with(definition, &[ALLOWED]);
    scene.repository.write("said", "before\n");
    scene.repository.write("inside/file", "old\n");
    scene.repository.write("run", "#!/bin/sh\necho runs\n");
    scene.repository.git(&["add", "-A"]);
    scene.repository.git(&["update-index", "--chmod=+x", "run"]);
    scene.repository.git(&["commit", "-q", "-m", "second"]);
    let revision = scene.git(&["rev-parse", "HEAD"]);
    scene.start("r", json!({}));
    scene.repository.write("said", "after\n");
    scene.repository.commit("third");
    scene.restart_with(&[ALLOWED]);
    let task = scene.claim_one();
    scene.complete(&task, json!({}));
    let run = scene.ended("r");
    let stdout = run["data"]["a"]["stdout"].as_str().unwrap();
    let told: Vec<&str> = stdout.lines().collect();
    assert_eq!(told[1..], ["before", "inside", "p.yaml", "run", "said"], "{run}");
    assert!(!std::path::Path::new(told[0]).exists(), "{}", told[0]);
    assert_eq!(run["data"]["b"]["stdout"], "inside\np.yaml\nrun\nsaid\nruns\n");
    let trailer = "--format=%(trailers:key=Revision,valueonly)";
    let told = scene.git(&["log", "--reverse", trailer, &crate::running::execution("r")]);
    assert_eq!(told.lines().next(), Some(revision.as_str()));
    scene.is_verified("r");
}

#[test]
fn folders_deeper_than_any_stack_go_and_the_daemon_stays() {
    let dig = "for (1 .. 20_000) { mkdir 'd'; chdir 'd' or die } print 'deep'";
    let step = json!({"step_id": "a", "step_type": "exec",
        "configuration": {"program": "perl", "arguments": ["-e", dig]}});
    let definition = json!({"process_name": "p", "steps": [step]}).to_string();
    let temporary = tempfile::tempdir().unwrap();
    let mut scene = Scene::of(&definition);
    let variables = [("TMPDIR", text(temporary.path())), ("GITPORT_EXEC_ALLOW", "perl")];
    scene.daemon = Daemon::start_in(tempfile::tempdir().unwrap(), &[], &variables);
    let run = scene.run("r", json!({}));
    assert_eq!(run["data"]["a"]["stdout"], "deep", "{run}");
    until("nothing is left", PATIENCE, || temporary.path().read_dir().unwrap().count() == 0);
    scene.is_verified("r");
}

#[test]
fn a_run_of_a_repository_without_commits_has_an_empty_folder() {
    let store = tempfile::tempdir().unwrap();
    let store = json!({"folder": text(store.path())});
    let definition = "\
process_name: p
process_version: 1.0.0
steps: [{step_id: a, step_type: exec, configuration: {program: sh, arguments: [-c, ls -A]}}]
";
    let repository = Repository::new();
    let mut scene = Scene { daemon: Daemon::start_with(&[ALLOWED]), repository };
    let publish =
        json!({"op": "process.publish", "store": store, "content": definition, "encoding": "utf8"});
    scene.daemon.ok(publish);
    scene.ok("run.start", json!({"run": "r", "process": "p", "store": store}));
    let run = scene.ended("r");
    assert_eq!(run["data"]["a"]["stdout"], "", "{run}");
}

#[test]
fn no_folder_leads_out_of_the_revision() {
    for (folder, why) in [("none", "is not"), ("file", "is not"), ("away", "is not")] {
        let definition = script("pwd", &[], json!({"folder": folder}));
        let mut scene = Scene::with(&definition, &[ALLOWED]);
        scene.repository.write("file", "x");
        std::os::unix::fs::symlink("/", scene.repository.file("away")).unwrap();
        scene.repository.commit("more");
        assert_eq!(scene.run("r", json!({}))["status"], "failed");
        let told = scene.problems("r");
        assert!(told.starts_with("invalid: ") && told.contains(why), "{told}");
    }
    let definition = script("pwd", &[], json!({"folder": {"value": "'../' + name"}}));
    let mut scene = Scene::with(&definition, &[ALLOWED]);
    assert_eq!(scene.run("r", json!({}))["status"], "failed");
}

#[test]
fn no_file_is_made_through_a_link_of_the_revision() {
    let outside = tempfile::tempdir().unwrap();
    let mut scene = Scene::with(&script("true", &[], json!({})), &[ALLOWED]);
    let write = |kind: &str, content: &[u8]| {
        let flags = ["hash-object", "-w", "--stdin", "--literally", "-t", kind];
        let id = scene.repository.git_with_input(&flags, content);
        String::from_utf8(id).unwrap().trim_end().to_owned()
    };
    let bytes = |id: &str| -> Vec<u8> {
        (0..20).map(|it| u8::from_str_radix(&id[2 * it..2 * it + 2], 16).unwrap()).collect()
    };
    let link = bytes(&write("blob", text(outside.path()).as_bytes()));
    let file = bytes(&write("blob", b"new"));
    let definition = bytes(&scene.git(&["rev-parse", "HEAD:p.yaml"]));
    let entries: [(&[u8], &[u8]); 3] =
        [(b"120000 a\0", &link), (b"100644 a/new\0", &file), (b"100644 p.yaml\0", &definition)];
    let tree = write("tree", &entries.map(|(head, id)| [head, id].concat()).concat());
    let commit = scene.git(&["commit-tree", "-m", "evil", &tree]);
    scene.git(&["update-ref", "refs/heads/main", &commit]);
    assert_eq!(scene.run("r", json!({}))["status"], "failed");
    assert!(scene.problems("r").starts_with("denied: "), "{}", scene.problems("r"));
    assert_eq!(outside.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_program_reads_the_data_of_the_run() {
    let definition = "\
process_name: p
data: {total: 5, lines: [a, b]}
steps:
  - {step_id: a, step_type: exec, configuration: {program: cat}, next: b}
  - {step_id: b, step_type: exec, configuration: {program: cat, stdin: none, result: nothing}, next: c}
  - {step_id: c, step_type: exec, configuration: {program: cat, stdin: {value: 'lines[1]'}}}
";
    let mut scene = Scene::with(definition, &[ALLOWED]);
    let run = scene.run("r", json!({}));
    let read: Value = serde_json::from_str(run["data"]["a"]["stdout"].as_str().unwrap()).unwrap();
    assert_eq!(read, json!({"total": 5, "lines": ["a", "b"]}));
    assert_eq!(run["data"]["nothing"]["stdout"], "");
    assert_eq!(run["data"]["c"]["stdout"], "b");
}

#[test]
fn each_instance_has_its_item() {
    let definition = "\
process_name: p
data: {names: [x, y, z]}
steps:
  - step_id: a
    step_type: exec
    each: {in: names}
    collect: {into: told, value: a.stdout}
    configuration: {program: sh, arguments: [-c, 'printf %s \"$*\"', sh, {value: item}, {value: index}]}
";
    let mut scene = Scene::with(definition, &[ALLOWED]);
    let run = scene.run("r", json!({}));
    assert_eq!(run["data"]["told"], json!(["x 0", "y 1", "z 2"]), "{run}");
}

#[test]
fn what_is_json_is_the_data_and_what_should_be_fails() {
    let json_of = |text: &str, result: Value| {
        let more = json!({"output": "json", "result": result});
        script("printf %s \"$1\"", &[text], more)
    };
    let mut scene =
        Scene::with(&json_of(r#"{"n": {"a": 1}, "name": null}"#, Value::Null), &[ALLOWED]);
    assert_eq!(scene.run("r", json!({}))["data"], json!({"n": {"a": 1}}));
    let mut scene = Scene::with(&json_of(r#"{"n": 1}"#, json!("found")), &[ALLOWED]);
    assert_eq!(scene.run("r", json!({}))["data"]["found"], json!({"n": 1}));
    let deep = |depth: usize| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth);
    let mut scene = Scene::with(&json_of(&deep(47), Value::Null), &[ALLOWED]);
    assert_eq!(scene.run("r", json!({}))["status"], "done");
    scene.restart();
    scene.is_verified("r");
    for text in ["[1]", "{", "", &deep(48), &deep(64), &deep(127)] {
        let mut scene = Scene::with(&json_of(text, Value::Null), &[ALLOWED]);
        assert_eq!(scene.run("r", json!({}))["status"], "failed");
        assert!(scene.problems("r").starts_with("output: "), "{}", scene.problems("r"));
    }
}

#[test]
fn what_does_not_fit_the_steps_schema_fails() {
    let definition = "\
process_name: p
steps:
  - step_id: a
    step_type: exec
    output: {properties: {n: {type: integer}}}
    configuration: {program: sh, arguments: [-c, 'printf %s \"$1\"', sh, '{\"n\": \"x\"}'], output: json}
";
    let mut scene = Scene::with(definition, &[ALLOWED]);
    assert_eq!(scene.run("r", json!({}))["status"], "failed");
    assert!(scene.problems("r").starts_with("output: "), "{}", scene.problems("r"));
}

#[test]
fn more_output_than_is_kept_is_read_all_the_same() {
    let long = "i=0; while [ $i -lt 3000 ]; do printf 'line %s of many\\n' $i; i=$((i+1)); done";
    let both = format!("{long}; {long} >&2");
    let definition = script(&both, &[], json!({"output_bytes_max": 100}));
    let mut scene = Scene::with(&definition, &[ALLOWED]);
    let data = scene.run("r", json!({}))["data"]["a"].clone();
    let (stdout, stderr) = (data["stdout"].as_str().unwrap(), data["stderr"].as_str().unwrap());
    assert!(stdout.starts_with("line 0 of many\n") && stdout.len() == 100, "{data}");
    assert!(stderr.ends_with("line 2999 of many\n") && stderr.len() == 100, "{data}");
    assert_eq!((&data["truncated"], &data["exit"]), (&json!(true), &json!(0)));
}

#[test]
fn what_the_operator_did_not_name_is_denied_and_not_tried_again() {
    let mut definition: Value = serde_json::from_str(&script("exit 0", &[], json!({}))).unwrap();
    definition["steps"][0]["retry"] = json!({"attempts": 5});
    for allowed in ["cat", "/bin/sh", "s"] {
        let flags = format!("--exec-allow={allowed}");
        let mut scene = Scene::with(&definition.to_string(), &[&flags]);
        assert_eq!(scene.run("r", json!({}))["status"], "failed");
        let told = scene.problems("r");
        assert!(told.starts_with("denied: `sh` is not allowed"), "{told}");
        assert!(told.contains("--exec-allow"), "{told}");
        assert_eq!(scene.begun("r", "a"), 1);
    }
}

#[test]
fn a_program_that_fails_is_tried_again_as_the_process_says() {
    let definition = script("test \"$GITPORT_ATTEMPT\" = 3", &[], json!({}));
    let mut definition: Value = serde_json::from_str(&definition).unwrap();
    definition["steps"][0]["retry"] = json!({"errors": ["exit"], "attempts": 3});
    let mut scene = Scene::with(&definition.to_string(), &[ALLOWED]);
    assert_eq!(scene.run("r", json!({}))["status"], "done");
    assert_eq!(scene.begun("r", "a"), 3);
    scene.is_verified("r");
}

#[test]
fn what_cannot_be_run_says_why() {
    let of = |configuration: Value| {
        let step = json!({"step_id": "a", "step_type": "exec", "configuration": configuration});
        json!({"process_name": "p", "steps": [step]}).to_string()
    };
    let flags = "--exec-allow=sh,no-such-program,/no/such/program,/etc/passwd";
    for (configuration, told) in [
        (json!({}), "invalid: "),
        (json!({"program": "sh", "arguments": "-c"}), "invalid: "),
        (json!({"program": "no-such-program"}), "not_found: "),
        (json!({"program": "/no/such/program"}), "unavailable: "),
        (json!({"program": "/etc/passwd"}), "unavailable: "),
        (json!({"program": "sh", "arguments": [{"value": "nothing"}]}), "expression: "),
        (json!({"program": "sh", "arguments": [{"value": "[1]"}]}), "expression: "),
    ] {
        let mut scene = Scene::with(&of(configuration.clone()), &[flags]);
        assert_eq!(scene.run("r", json!({}))["status"], "failed", "{configuration}");
        assert!(scene.problems("r").starts_with(told), "{configuration}: {}", scene.problems("r"));
    }
}

#[test]
fn tasks_that_the_daemon_does_are_no_workers() {
    let definition = "\
process_name: p
steps:
  - {step_id: s, step_type: route, split: all, next: [a, b]}
  - {step_id: a, step_type: exec}
  - {step_id: b, step_type: git, transitions: [{on: failed}, {on: ok}]}
";
    let mut scene = Scene::with(definition, &[]);
    scene.start("none", json!({}));
    assert_eq!(scene.claim(json!({"types": ["exec", "git"], "max": 9})).len(), 2);
    scene.restart_with(&["--git-steps"]);
    scene.start("git", json!({}));
    let of_run = |tasks: Vec<Value>| -> Vec<Value> {
        tasks.into_iter().filter(|it| it["run"] == "git").collect()
    };
    assert_eq!(steps(&of_run(scene.claim(json!({"types": ["exec", "git"], "max": 9})))), ["a"]);

    let waiting = script("echo begun >> \"$1\"; sleep 1000", &["FILE"], json!({}));
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("file");
    let mut scene = Scene::with(&waiting.replace("FILE", text(&file)), &[ALLOWED]);
    scene.start("r", json!({}));
    lines(&file, 1);
    assert!(scene.claim(json!({"max": 9})).is_empty());
    let listed = scene.ok("task.list", json!({}));
    let task = &listed["tasks"][0];
    assert_eq!((&task["worker"], &task["type"]), (&json!("gitport"), &json!("exec")));
    scene.refused("conflict", "task.claim", json!({"worker": "w", "task": task["task"]}));
    scene.refused("bad_request", "task.claim", json!({"worker": "w", "queue": "\0gitport"}));
}

#[test]
fn only_so_many_programs_run_at_a_time() {
    let place = tempfile::tempdir().unwrap();
    let lock = place.path().join("lock");
    let alone = "mkdir \"$1\" || exit 9; sleep 0.05; rmdir \"$1\"";
    let definition = script(alone, &[text(&lock)], json!({}));
    let mut scene = Scene::with(&definition, &[ALLOWED, "--exec-parallel=1"]);
    let runs: Vec<String> = (0..8).map(|it| format!("r{it}")).collect();
    runs.iter().for_each(|it| drop(scene.start(it, json!({}))));
    for run in &runs {
        assert_eq!(scene.ended(run)["status"], "done", "{}", scene.problems(run));
    }
    scene.is_sound();
}
