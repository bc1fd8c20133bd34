//! What the operations say of definitions.

use serde_json::json;

use super::{SHIP, about, lint, test};
use crate::{daemon::Daemon, repository::Repository};

const WRONG: &str = "\
process_name: ship
steps:
  - step_id: pack
    next: sned
  - step_id: send
";

#[test]
fn a_diagnostic_has_its_rule_its_place_and_what_to_do() {
    let reply = lint(&mut Daemon::start(), &[("ship.yaml", WRONG)]);
    let missing = reply["diagnostics"].as_array().unwrap().iter();
    let missing = missing.clone().find(|it| it["rule"] == "missing-target").unwrap();
    assert_eq!(
        (&missing["file"], &missing["line"], &missing["column"]),
        (&json!("ship.yaml"), &json!(4), &json!(11))
    );
    assert!(missing["help"].as_str().unwrap().contains("`send`"), "{missing}");
    assert_eq!(missing["severity"], "error");
}

#[test]
fn diagnostics_are_rendered_for_people_and_for_each_kind_of_program() {
    let mut daemon = Daemon::start();
    let mut rendered = |format: &str| {
        let files = [("ship.yaml", WRONG)];
        let reply = daemon.ok(about("process.lint", &files, &json!({"format": format})));
        reply["rendered"].as_str().unwrap().to_owned()
    };
    let people = rendered("text");
    assert!(people.contains("ship.yaml:4:11") && people.contains("    next: sned"), "{people}");
    let list: serde_json::Value = serde_json::from_str(&rendered("json")).unwrap();
    assert_eq!(list[0]["file"], "ship.yaml");
    let sarif: serde_json::Value = serde_json::from_str(&rendered("sarif")).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "ship.yaml");
    assert!(rendered("github").starts_with("::error file=ship.yaml,line="));
}

#[test]
fn definitions_come_from_a_revision_or_from_the_disk() {
    let repository = Repository::of(&[("ship.yaml", SHIP)]);
    repository.write("ship.yaml", WRONG);
    let mut daemon = Daemon::start();
    let mut errors = |more: serde_json::Value| {
        let mut request = json!({"op": "process.lint", "path": repository.path()});
        request["files"] = json!(["ship.yaml"]);
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        daemon.ok(request)["errors"].as_u64().unwrap()
    };
    assert_eq!(errors(json!({"rev": "HEAD"})), 0);
    assert!(errors(json!({})) > 0);
}

#[test]
fn a_test_that_fails_says_where_and_what_there_was() {
    let wrong = SHIP.replace("@send", "@pack");
    let reply = test(&mut Daemon::start(), &[("ship.yaml", &wrong)]);
    assert_eq!((&reply["passed"], &reply["failed"]), (&json!(false), &json!(1)));
    let failure = &reply["tested"][0]["tests"][0]["failure"];
    assert_eq!((&failure["file"], &failure["line"]), (&json!("ship.yaml"), &json!(8)));
    assert_eq!(failure["deed"], "@pack");
    assert!(failure["found"].as_str().unwrap().contains("send"), "{failure}");
}

#[test]
fn tests_beside_a_definition_are_played_too_and_chance_and_mistakes_on_request() {
    let beside = "process_name: ship\ntests: {again: [pack, send, '=done']}\n";
    let files = [("ship.yaml", SHIP), ("ship.test.yaml", beside)];
    let more = json!({"interleavings": 20, "seed": 7, "mutants": true, "format": "junit"});
    let reply = Daemon::start().ok(about("process.test", &files, &more));
    assert_eq!((&reply["passed"], &reply["tests"]), (&json!(true), &json!(2)));
    let tested = &reply["tested"][0];
    assert_eq!(
        (&tested["coverage"]["steps_run"], &tested["coverage"]["steps"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(tested["interleavings"]["runs"], 20);
    assert!(tested["mutation"]["noticed"].as_u64().unwrap() > 0, "{tested}");
    assert!(reply["rendered"].as_str().unwrap().starts_with("<?xml"));
}

#[test]
fn a_picture_is_drawn_in_three_languages_with_a_marking() {
    let mut daemon = Daemon::start();
    let mut drawn = |format: &str| {
        let more = json!({"format": format, "marking": {"pack": {"running": 2}}});
        let reply = daemon.ok(about("process.graph", &[("ship.yaml", SHIP)], &more));
        assert_eq!(reply["process_name"], "ship");
        reply["picture"].as_str().unwrap().to_owned()
    };
    assert!(drawn("svg").starts_with("<svg"));
    assert!(drawn("dot").starts_with("digraph"));
    assert!(drawn("mermaid").contains("flowchart"));
    assert_eq!(drawn("svg"), drawn("svg"));
    let plain = Daemon::start().ok(about("process.graph", &[("ship.yaml", SHIP)], &json!({})));
    assert_ne!(plain["picture"].as_str().unwrap(), drawn("svg"));
}

#[test]
fn a_test_of_many_steps_of_time_leaves_its_worker_when_nobody_waits() {
    let lines = vec!["\">9s\""; 2000].join(", ");
    let timer = format!(
        "process_name: p\nsteps: [{{step_id: a, await: {{after: 1ms}}, next: a}}]\n\
         tests: {{t: [{lines}]}}\n"
    );
    let mut daemon = Daemon::start_with(&["--workers", "1"]);
    let more = json!({"id": 1, "timeout_ms": 200});
    daemon.refused("timeout", about("process.test", &[("p.yaml", &timer)], &more));
    daemon.ok(about("process.lint", &[("ship.yaml", SHIP)], &json!({"id": 2})));
}

#[test]
fn a_file_name_says_nothing_to_a_terminal_or_a_pipeline() {
    let files = [("a\n::error::b\u{1b}[2J.yaml", WRONG)];
    for format in ["text", "github"] {
        let reply = Daemon::start().ok(about("process.lint", &files, &json!({"format": format})));
        let rendered = reply["rendered"].as_str().unwrap();
        assert!(!rendered.contains('\u{1b}') && !rendered.contains("\n::error::b"), "{rendered}");
    }
}

#[test]
fn a_request_nobody_waits_for_any_more_ends() {
    let mut daemon = Daemon::start();
    let more = json!({"interleavings": 100_000, "id": 1, "timeout_ms": 100});
    let patterns = include_str!("../../protocol/patterns.yaml");
    daemon.refused("timeout", about("process.test", &[("patterns.yaml", patterns)], &more));
    daemon.ok(about("process.lint", &[("ship.yaml", SHIP)], &json!({"id": 2})));
}

/// Every key of the plain style, and no other.
const PLAIN: &str = "\
process_name: leave-request
process_version: 1.2.0
initial_step: request
steps:
  - step_id: request
    step_type: human_in_the_loop
    description: The employee says from when to when.
    configuration:
      assignee_role: employee
      form: {from: date, to: date}
    transitions:
      - on: submitted
        next_step: approve
  - step_id: approve
    step_type: human_in_the_loop
    description: The manager decides.
    configuration:
      timeout: 3d
    transitions:
      - on: approved
        next_step: book
      - on: rejected
        next_step: refused
      - on: timeout
        next_step: refused
  - step_id: book
    step_type: external
    description: The calendar is told.
    configuration: {queue: calendar, retries: 3}
    transitions:
      - on: booked
        next_step: done
  - step_id: done
    step_type: final_commit
    description: The leave is granted.
    configuration: {status: granted}
  - step_id: refused
    step_type: final_commit
    description: The leave is not granted.
";
const PLAIN_TESTS: &str = "\
process_name: leave-request
tests:
  granted: [request:submitted, approve:approved, book:booked, done, '=done']
  refused: [request:submitted, approve:rejected, refused, '=done']
  nobody_decides: [request:submitted, '>2d', '?approve', '>1d', '@refused', refused, '=done']
";

#[test]
fn a_definition_in_the_plain_style_is_played_as_it_stands() {
    let mut daemon = Daemon::start();
    let files = [("leave.yaml", PLAIN), ("leave.test.yaml", PLAIN_TESTS)];
    let said = lint(&mut daemon, &files[..1]);
    assert_eq!(said["diagnostics"], json!([]), "{said}");
    let report = test(&mut daemon, &files);
    assert_eq!((&report["passed"], &report["tests"]), (&json!(true), &json!(3)), "{report}");
    assert_eq!(report["tested"][0]["coverage"]["never"], json!([]), "{report}");
}
