//! The command line, as somebody who looks after runs and does their tasks uses it.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::git;
use crate::{
    daemon::{PROGRAM, program},
    processes::{PATIENCE, until},
    repository::Repository,
    terminal::{Outcome, Typist, finish, shown},
};

const SHIP: &str = "\
process_name: ship
process_version: \"1.0.0\"
steps:
  - {step_id: build, title: Build it, split: all, next: [check, look]}
  - {step_id: check, retry: {errors: network, attempts: 2}, next: send}
  - step_id: look
    step_type: human_in_the_loop
    roles: lead
    transitions:
      - {on: approved, next_step: send}
      - {on: rejected, next_step: drop}
  - {step_id: send, join: all, step_type: final_commit, final_status: shipped}
  - {step_id: drop, step_type: route, end: cancelled}
tests:
  shipped: [build, check, 'look:approved', send, '=shipped']
";

const WAITS: &str = "\
process_name: waits
steps:
  - {step_id: parcel, await: {event: arrived, key: n}, next: open}
  - {step_id: open}
";

/// In a repository with these files.
fn repository() -> Repository {
    Repository::of(&[("processes/ship.yaml", SHIP), ("waits.yaml", WAITS)])
}

/// `gitport …` in a folder, as somebody without a terminal calls it.
fn gitport(folder: &Path, arguments: &[&str]) -> Outcome {
    let home = TempDir::new().unwrap();
    let mut command: Command = program(home.path());
    command.args(arguments).current_dir(folder).env("USER", "ann");
    finish(command, &home, "")
}

#[track_caller]
fn ok(folder: &Path, line: &str) -> String {
    let done = gitport(folder, &line.split(' ').collect::<Vec<_>>());
    assert!(done.status.success(), "{line}: {}{}", done.stdout, done.stderr);
    assert_eq!(done.stderr, "", "{line}");
    done.stdout
}

/// What a refused or mistyped line says, with its exit status.
#[track_caller]
fn wrong(folder: &Path, status: i32, line: &str) -> String {
    let done = gitport(folder, &line.split(' ').collect::<Vec<_>>());
    assert_eq!(done.status.code(), Some(status), "{line}: {}{}", done.stdout, done.stderr);
    assert!(!done.stderr.is_empty(), "{line}");
    done.stderr
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn task(folder: &Path, step: &str) -> String {
    let listed = json_of(&ok(folder, "task list --json"));
    let tasks = listed["tasks"].as_array().unwrap();
    let task = tasks.iter().find(|it| it["step"] == step).unwrap_or_else(|| panic!("{listed}"));
    task["task"].as_str().unwrap().to_owned()
}

#[test]
fn a_run_is_begun_looked_at_done_and_proved_by_hand() {
    let repository = repository();
    let here = repository.file("processes");
    ok(&here, "process publish ship.yaml");
    let began = ok(&here, "run start ship --version ^1 --id r1 --input n=7 --attribute of=acme");
    assert_eq!(began, "r1 begins: ship 1.0.0, running\n");
    let again = ok(&here, "run start ship@1 --id r1 --input {\"n\":7}");
    assert_eq!(again, "r1 was there before: ship 1.0.0, running\n");
    let show = ok(&here, "run show r1");
    assert!(show.starts_with("r1  ship 1.0.0  running for "), "{show}");
    assert!(show.contains("\nof=acme\n") && show.contains("\n  n: 7\n"), "{show}");
    assert!(show.contains("\noffered    build  r1/"), "{show}");

    let listed = ok(&here, "task list");
    assert!(listed.contains("build  ship") && listed.contains("offered"), "{listed}");
    assert!(listed.trim_end().ends_with("Build it"), "{listed}");
    let build = task(&here, "build");
    let done = ok(&here, &format!("task complete {build} --set made.by=make --set size=3"));
    assert_eq!(done, format!("{build} is done; r1: running\n"));
    let check = task(&here, "check");
    let failed = ok(&here, &format!("task fail {check} --message down --type network"));
    assert_eq!(failed, format!("{check} has failed; r1: running\n"));
    assert!(ok(&here, "run show r1").contains("attempt 2"));
    ok(&here, &format!("task complete {check}"));
    let look = task(&here, "look");
    let line = format!("task complete {look} --role lead --outcome approved");
    assert_eq!(ok(&here, &line), format!("{look} is done; r1: done\n"));

    let list = ok(&here, "run list --process ship --status done --attribute of=acme --since 1h");
    assert!(list.starts_with("r1  done  ship 1.0.0  ") && list.contains("of=acme"), "{list}");
    assert_eq!(ok(&here, "run list --until 2020-01-01"), "");
    let history = ok(&here, "run history r1");
    let lines: Vec<&str> = history.lines().collect();
    assert!(lines[0].starts_with('1') && lines[0].contains("the run begins"), "{history}");
    let who = lines.iter().find(|it| it.contains("look is approved")).unwrap();
    assert!(who.contains("ann@"), "{who}");
    let then = ok(&here, "run show r1 --at 2");
    assert!(then.contains("running for") && then.contains("build"), "{then}");
    for what in ["show", "graph"] {
        let later = wrong(&here, 1, &format!("run {what} r1 --at 999"));
        assert!(later.contains("none is 999"), "{later}");
    }
    assert!(ok(&here, "run show r1").contains("\nit ended as shipped\n"));
    assert!(ok(&here, "run graph r1 --format mermaid").contains("flowchart"));
    ok(&here, "run graph r1 --at 3 -o r1.svg");
    assert!(fs::read_to_string(here.join("r1.svg")).unwrap().starts_with("<svg"));
    let verified = ok(&here, "run verify r1");
    assert!(verified.ends_with(&format!("its {} commits say: done\n", lines.len())), "{verified}");
    let there = format!("run verify r1 --json --repository {}", repository.path());
    assert_eq!(json_of(&ok(Path::new("/"), &there))["ok"], true);
    let graph = git(&here, &["log", "--graph", "--format=%s", "refs/workflow/executions/r1"]);
    assert!(graph.contains("send joins 2"), "{graph}");
}

#[test]
fn a_run_of_a_file_of_the_repository_is_told_of_events_and_withdrawn() {
    let repository = repository();
    let here = repository.file("processes");
    ok(&here, "run start --file ../waits.yaml --id w --input n=1");
    let show = ok(&here, "run show w");
    assert!(show.contains("waits      parcel") && show.contains("for an event"), "{show}");
    ok(&here, "run signal w arrived --key 2");
    assert!(ok(&here, "run show w").contains("waiting"));
    assert_eq!(
        ok(&here, "run signal w arrived --key 1 --set at=noon"),
        "w has heard of it: running\n"
    );
    assert!(ok(&here, "run show w").contains("\n  at: \"noon\"\n"));
    assert_eq!(ok(&here, "run cancel w --actor bob"), "w is withdrawn: cancelled\n");
    assert!(ok(&here, "run list --status cancelled").starts_with("w  cancelled  waits  "));
    // It is the committed file that counts here.
    fs::write(here.join("ship.yaml"), "no process").unwrap();
    let began = ok(&here, "run start ship --file ship.yaml --rev HEAD --id s");
    assert_eq!(began, "s begins: ship 1.0.0, running\n");
    let outside = wrong(&here, 2, "run start --file /etc/hostname");
    assert!(outside.contains("/etc/hostname: it is not in the repository"), "{outside}");
}

#[test]
fn a_task_is_taken_up_with_a_token_that_completes_it() {
    let repository = repository();
    let here = repository.file("processes");
    ok(&here, "run start --file ship.yaml --id r");
    let claimed = ok(&here, "task claim --worker bob");
    let token = claimed.lines().last().unwrap().strip_prefix("token ").unwrap().to_owned();
    assert!(claimed.contains("  build  Build it\n"), "{claimed}");
    assert!(ok(&here, "task list --worker bob").contains("held by bob"));
    let build = task(&here, "build");
    let other = "0".repeat(40);
    let refused = wrong(&here, 1, &format!("task complete {build} --token {other}"));
    assert!(refused.contains("is held with another token"), "{refused}");
    let back = ok(&here, &format!("task release {build} --token {token}"));
    assert_eq!(back, format!("{build} is offered again; r: running\n"));
    // Whoever takes it up by name has it; nobody keeps it when that ended.
    let claimed = json_of(&ok(&here, &format!("task claim {build} --json")));
    assert!(claimed["tasks"][0]["worker"].as_str().unwrap().starts_with("ann@"), "{claimed}");
    ok(&here, &format!("task complete {build}"));
    let none = ok(&here, "task claim --queue elsewhere --type x --wait 10ms");
    assert_eq!(none, "there is nothing to do\n");
}

#[test]
fn a_completion_that_is_refused_leaves_the_task_to_others() {
    let repository = repository();
    let here = repository.file("processes");
    ok(&here, "run start --file ship.yaml --id r");
    ok(&here, &format!("task complete {}", task(&here, "build")));
    let look = task(&here, "look");
    let denied = wrong(&here, 1, &format!("task complete {look} --outcome approved"));
    assert!(denied.contains("is not for `ann@"), "{denied}");
    let line = format!("task complete {look} --role lead --outcome perhaps");
    let refused = wrong(&here, 1, &line);
    assert!(refused.contains("but `approved`, `rejected`"), "{refused}");
    let listed = json_of(&ok(&here, "task list --run r --json"));
    assert!(listed["tasks"].as_array().unwrap().iter().all(|it| it.get("worker").is_none()));
    let check = task(&here, "check");
    ok(&here, &format!("task fail {check} --message broken --no-retry"));
    let show = ok(&here, "run show r");
    assert!(show.contains("failed after") && show.contains("\nfailure: broken\n"), "{show}");
}

#[test]
fn what_is_refused_ends_with_1_and_what_is_mistyped_with_2() {
    let repository = repository();
    let here = repository.file("processes");
    for line in ["run show none", "run watch none", "run verify none", "run start none"] {
        assert!(wrong(&here, 1, line).contains("none"), "{line}");
    }
    let unknown = gitport(&here, &["run", "show", "none", "--json"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert_eq!(json_of(&unknown.stdout)["code"], "not_found");
    let text = wrong(&here, 2, "run start ship --input fine");
    assert!(text.contains("--input: `fine` is none of"), "{text}");
    for line in [
        "run",
        "run start",
        "run start ship@1 --version 1",
        "run start ship --attribute of",
        "run list --since yesterday",
        "task claim --wait long",
        "task complete",
        "task fail r/1",
        "run none.yaml",
        "run start --file none.yaml --version 1",
    ] {
        wrong(&here, 2, line);
    }
    // What belongs to a task is not lost because a flag of the daemon is called so.
    for data in ["at=noon", "{}", "@file"] {
        let said = wrong(&here, 2, &format!("task complete r/1 --data {data}"));
        assert!(said.contains("give that with --set"), "{said}");
    }
    let nowhere = TempDir::new().unwrap();
    let none = wrong(nowhere.path(), 2, "run list");
    assert!(none.contains("no Git repository is around this folder: say with --repo"), "{none}");
}

/// Text that would do something to a terminal.
const EVIL: &str = "\u{1b}[2J\u{1b}[H\u{7}\u{9b}1A\u{202e}";

/// A run whose data, title, outcome and mistake are hostile.
fn hostile() -> Repository {
    let definition = "\
process_name: evil
steps:
  - {step_id: a, title: \"\\e[2J\\u009b1A\", description: \"\\e]0;x\\a\", next: b}
  - {step_id: b, retry: {attempts: 2}, next: c}
  - {step_id: c}
";
    let repository = Repository::of(&[("evil.yaml", definition)]);
    let here = Path::new(repository.path());
    let data = json!({"text": EVIL, EVIL: 1}).to_string();
    let line = ["run", "start", "--file", "evil.yaml", "--id", "e", "--input", &data];
    assert!(gitport(here, &line).status.success());
    repository
}

#[test]
fn text_of_others_moves_no_cursor() {
    let repository = hostile();
    let here = Path::new(repository.path());
    let mut said = String::new();
    for line in ["run show e", "task list", "task claim", "run show e --json", "task list --json"] {
        said += &ok(here, line);
    }
    let a = task(here, "a");
    let done = gitport(here, &["task", "complete", &a, "--outcome", EVIL]);
    said += &(done.stdout + &done.stderr);
    let b = task(here, "b");
    let line = ["task", "fail", &b, "--message", EVIL, "--type", EVIL, "--no-retry"];
    assert!(gitport(here, &line).status.success());
    for line in ["run show e", "run history e"] {
        said += &ok(here, line);
    }
    let none = gitport(here, &["task", "complete", "e/9", "--outcome", EVIL]);
    let watched = gitport(here, &["run", "watch", "e"]);
    assert_eq!(watched.status.code(), Some(1));
    said += &(none.stderr + &watched.stdout + &watched.stderr);
    assert!(said.contains("\\u{1b}[2J\\u{1b}[H") && said.contains("\\u009b"), "{said}");
    let odd = |it: char| it != '\n' && (it.is_control() || it == '\u{202e}');
    let json = said.replace('\u{202e}', "");
    assert!(!json.contains(odd), "{said:?}");
}

#[test]
fn who_looks_on_without_a_terminal_reads_a_line_for_each_happening() {
    let repository = repository();
    let here = repository.file("processes");
    ok(&here, "run start --file ship.yaml --id r");
    let watched = thread::scope(|scope| {
        let watch = scope.spawn(|| gitport(&here, &["run", "watch", "r"]));
        ok(&here, &format!("task complete {}", task(&here, "build")));
        ok(&here, &format!("task complete {}", task(&here, "check")));
        let look = task(&here, "look");
        ok(&here, &format!("task complete {look} --role lead --outcome approved"));
        watch.join().unwrap()
    });
    assert_eq!(watched.status.code(), Some(0), "{}", watched.stderr);
    let events = json_of(&ok(&here, "run history r --json"))["events"].clone();
    let lines: Vec<&str> = watched.stdout.lines().collect();
    for (line, event) in lines.iter().zip(events.as_array().unwrap()) {
        let (subject, actor) = (event["subject"].as_str(), event["actor"].as_str());
        let expected = format!(" {} ({})", subject.unwrap(), actor.unwrap());
        assert!(line.ends_with(&expected), "{line}: {expected}");
    }
    assert_eq!(lines.len(), events.as_array().unwrap().len() + 2, "{lines:?}");
    assert!(lines[lines.len() - 2].starts_with("r  ship 1.0.0  done after "), "{lines:?}");
    assert_eq!(lines[lines.len() - 1], "it ended as shipped");
    assert!(!watched.stdout.contains('\u{1b}'));
}

#[test]
fn who_looks_on_at_a_terminal_sees_the_run_redrawn_in_its_place() {
    let repository = repository();
    let here = repository.file("processes");
    ok(&here, "run start --file ship.yaml --id r");
    let typist = Typist::start(&format!("stty cols 44 rows 12; {PROGRAM} run watch r"), &here);
    typist.sees("offered    build", 1);
    ok(&here, &format!("task complete {} --worker bob", task(&here, "build")));
    typist.sees("done       build", 1);
    typist.sees("[###", 1);
    let look = task(&here, "look");
    ok(&here, &format!("task claim {look} --role lead --worker {}", "x".repeat(60)));
    typist.sees("under way  look", 1);
    ok(&here, &format!("task complete {}", task(&here, "check")));
    ok(&here, &format!("task complete {look} --role lead --outcome rejected"));
    let end = typist.end();
    assert_eq!(end.status.code(), Some(1));
    let lines = shown(&end.stdout, 44);
    assert!(lines[0].starts_with("r  ship 1.0.0  cancelled after"), "{lines:?}");
    let there: Vec<&str> = lines.iter().map(|it| it.as_str()).collect();
    let is_once = |text: &str| there.iter().filter(|it| it.starts_with(text)).count() == 1;
    for text in ["done       build  ok", "done       check  ok", "done       look   rejected"] {
        assert!(is_once(text), "{text}: {there:?}");
    }
    assert!(!there.iter().any(|it| it.starts_with("under way") || it.starts_with("offered")));
}

#[test]
fn a_terminal_that_shall_not_or_cannot_redraw_gets_lines() {
    let repository = hostile();
    let here = Path::new(repository.path());
    ok(here, "run cancel e");
    for variable in ["NO_COLOR=1", "TERM=dumb", "TERM="] {
        let typist = Typist::start(&format!("{variable} {PROGRAM} run watch e"), here);
        let end = typist.end();
        assert_eq!(end.status.code(), Some(1));
        let lines = shown(&end.stdout, 200);
        assert!(lines[0].contains("the run begins") && !end.stdout.contains('\u{1b}'), "{lines:?}");
    }
}

#[test]
fn control_c_leaves_the_run_as_it_is_and_says_how_to_go_on() {
    let repository = hostile();
    let here = Path::new(repository.path());
    let mut typist = Typist::start(&format!("{PROGRAM} run watch e"), here);
    typist.sees("offered", 1);
    typist.types("\u{3}");
    let end = typist.end();
    assert!(!end.status.success());
    assert!(end.stdout.contains("to look on: gitport run watch e"), "{}", end.stdout);
    assert!(ok(here, "run show e").contains("running"));
    let away = TempDir::new().unwrap();
    let path = repository.path();
    let line = format!("{PROGRAM} run watch e --repository {path}");
    let mut typist = Typist::start(&line, away.path());
    typist.sees("offered", 1);
    typist.types("\u{3}");
    let end = typist.end();
    assert!(end.stdout.contains(&format!("run watch e --repository {path}")), "{}", end.stdout);
}

#[test]
fn a_file_is_run_to_its_end_as_it_is_on_disk() {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let steps = |end: &str| format!("process_name: p\nsteps: [{{step_id: a, {end}}}]\n");
    file("done.yaml", &steps("step_type: route"));
    file("failed.yaml", &steps("step_type: route, end: failed"));
    file("soon.yaml", &steps("await: {after: 300ms}"));
    file("person.yaml", &steps("title: Look"));
    file("event.yaml", &steps("await: parcel"));
    file("wrong.yaml", &steps("next: nowhere"));
    let run = |name: &str| gitport(folder.path(), &["run", name]);
    for (name, status, said) in [
        ("done.yaml", 0, "p  done after"),
        ("soon.yaml", 0, "a is ok (gitport)"),
        ("failed.yaml", 1, "p  failed after"),
        ("person.yaml", 3, "gitport: a waits for somebody: gitport task complete "),
        ("event.yaml", 3, "gitport: a waits for an event: gitport run signal "),
        ("wrong.yaml", 1, "nowhere"),
        ("none.yaml", 2, "none.yaml: No such file"),
    ] {
        let done = run(name);
        let all = done.stdout + &done.stderr;
        assert_eq!(done.status.code(), Some(status), "{name}: {all}");
        assert!(all.contains(said), "{name}: {all}");
        let (_, place) = match all.split_once("the run is in ") {
            Some(told) => told,
            None => continue,
        };
        let place = place.lines().next().unwrap();
        let refs = git(Path::new(place), &["for-each-ref", "--format=%(refname)"]);
        assert_eq!(refs.contains("refs/workflow/executions/"), name != "wrong.yaml", "{refs}");
        remove_temporary(place);
    }
}

/// Removes the folder that a temporary repository is in.
fn remove_temporary(place: &str) {
    let is_it = |it: &&Path| {
        it.file_name().is_some_and(|it| it.to_string_lossy().starts_with("gitport-run-"))
    };
    fs::remove_dir_all(Path::new(place).ancestors().find(is_it).unwrap()).unwrap();
}

#[test]
fn a_file_in_a_repository_is_run_there_and_goes_on_under_its_id() {
    let repository = Repository::of(&[("other.yaml", "x: 1\n")]);
    let here = Path::new(repository.path());
    fs::write(here.join("ship.yaml"), SHIP).unwrap();
    let line = "run ship.yaml --id r --input n=1";
    let waits = wrong(here, 3, line);
    let build = task(here, "build");
    assert!(waits.contains(&format!("gitport task complete {build}\n")), "{waits}");
    assert!(!waits.contains("--repository") && !waits.contains("the run is in"), "{waits}");
    ok(here, &format!("task complete {build}"));
    assert!(wrong(here, 3, line).contains("look waits for somebody"));
    assert!(wrong(here, 1, "run ship.yaml --id r --input n=2").contains("with another input"));
    assert_eq!(git(here, &["status", "--porcelain"]), "?? ship.yaml");
    let temporary = wrong(here, 3, "run ship.yaml --temporary");
    assert!(temporary.contains("the run is in ") && temporary.contains("--repository"));
    let place = temporary.lines().next().unwrap().split("the run is in ").nth(1).unwrap();
    remove_temporary(place);
    assert_eq!(ok(here, "run list").lines().count(), 1);
}

#[test]
fn somebody_at_a_terminal_is_asked_for_what_people_do() {
    let repository = Repository::of(&[("ship.yaml", SHIP)]);
    let here = Path::new(repository.path());
    let line = format!("{PROGRAM} run ship.yaml --id r --input n=1");
    let mut typist = Typist::start(&line, here);
    typist.sees("build (r/", 1);
    typist.sees("  n: 1", 1);
    typist.sees("or nothing)> ", 1);
    typist.types("fine\n");
    typist.sees("`fine` is none of", 1);
    typist.types("made=yes size=3\n");
    typist.sees("There is to do:", 1);
    typist.types("9\n");
    typist.sees("a number from 1 to 2", 1);
    typist.types("look\n");
    typist.sees("outcome (approved, rejected)> ", 1);
    typist.types("maybe\n");
    typist.sees("one of these", 1);
    typist.types("approved\n");
    typist.sees("or nothing)> ", 3);
    typist.types("\n");
    typist.sees("check (r/", 2);
    typist.types("{\"all\": \"well\"}\n");
    let end = typist.end();
    assert_eq!(end.status.code(), Some(0), "{}", end.stdout);
    let run = json_of(&ok(here, "run show r --json"));
    assert_eq!(run["final_status"], "shipped");
    assert_eq!(run["data"], json!({"n": 1, "made": "yes", "size": 3, "all": "well"}));
}

#[test]
fn whoever_says_nothing_more_leaves_the_run_to_others() {
    let repository = Repository::of(&[("ship.yaml", SHIP)]);
    let here = Path::new(repository.path());
    let mut typist = Typist::start(&format!("{PROGRAM} run ship.yaml --id r"), here);
    typist.sees("or nothing)> ", 1);
    typist.types("\u{4}");
    let end = typist.end();
    assert_eq!(end.status.code(), Some(3), "{}", end.stdout);
    assert!(end.stdout.contains("build waits for somebody"), "{}", end.stdout);
    assert_eq!(json_of(&ok(here, "run show r --json"))["offers"][0]["status"], "offered");
}

#[test]
fn a_question_that_time_has_answered_is_none_any_more() {
    let definition = "\
process_name: p
steps:
  - {step_id: choose, step_type: route, split: race, next: [approve, late]}
  - {step_id: approve, next: end}
  - {step_id: late, await: {after: 2s}, next: end}
  - {step_id: end, step_type: final_commit}
";
    let repository = Repository::of(&[("p.yaml", definition)]);
    let here = Path::new(repository.path());
    let typist = Typist::start(&format!("{PROGRAM} run p.yaml --id r"), here);
    typist.sees("approve (r/", 1);
    typist.sees("that is not to be done any more", 1);
    let end = typist.end();
    assert_eq!(end.status.code(), Some(0), "{}", end.stdout);
    assert!(ok(here, "run history r").contains("late is ok"));
}

#[test]
fn what_two_people_do_at_once_is_done_by_one_and_told_to_the_other() {
    let repository = Repository::of(&[("ship.yaml", SHIP)]);
    let here = Path::new(repository.path());
    let mut typist = Typist::start(&format!("{PROGRAM} run ship.yaml --id r"), here);
    typist.sees("or nothing)> ", 1);
    ok(here, &format!("task complete {}", task(here, "build")));
    typist.types("\n");
    let told = || {
        let seen = typist.seen();
        seen.contains("any more") || seen.contains("cannot be claimed") || seen.contains("no task")
    };
    until("the other one is told", PATIENCE, told);
    typist.sees("There is to do:", 1);
    typist.types("\u{4}");
    assert_eq!(typist.end().status.code(), Some(3));
    let history = ok(here, "run history r");
    assert_eq!(history.matches("build is ok").count(), 1, "{history}");
}

#[test]
fn help_has_examples_and_completions_know_the_commands() {
    let home = TempDir::new().unwrap();
    let help = |line: &str| ok(home.path(), line);
    let run = help("run --help");
    for word in ["gitport run release.yaml", "exit status", "start"] {
        assert!(run.contains(word), "{word} is not in\n{run}");
    }
    assert!(help("run start --help").contains("gitport run start release --version ^1"));
    assert!(help("run signal --help").contains("--key o-17"));
    assert!(help("task complete --help").contains("--outcome approved"));
    for word in ["show", "list", "history", "graph", "watch", "signal", "cancel", "verify"] {
        assert!(help(&format!("run {word} -h")).contains("Usage:"), "{word}");
    }
    for word in ["list", "claim", "complete", "fail", "release"] {
        assert!(help(&format!("task {word} -h")).contains("Usage:"), "{word}");
    }
    let script = help("completions bash");
    assert!(script.contains("gitport__run__watch") || script.contains("gitport__subcmd__run"));
    let mut bash = Command::new("bash");
    let mut bash = bash.arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}
