//! The same findings in every form.

use expect_test::{Expect, expect};

use super::{Format, render};
use crate::process::lint::lint;

const WRONG: &str = "process_name: p\nsteps:\n  - {step_id: a, next: bb}\n  - {step_id: bbb}\n";

fn check(format: Format, expected: Expect) {
    let diagnostics = lint(&[("my files/p.yaml", WRONG.as_bytes())]);
    expected.assert_eq(&render(&diagnostics, format, false));
}

#[test]
fn text_has_the_line_underneath() {
    check(
        Format::Text,
        expect![[r#"
        error[missing-target]: no step here is `bb`: name one that there is
         --> my files/p.yaml:3:24
          |
        3 |   - {step_id: a, next: bb}
          |                        ^^
          |
          = help: `bbb` is meant?

        warning[unreachable-step]: no way leads to `bbb`: name it in a transition of another step, or take it away
         --> my files/p.yaml:4:15
          |
        4 |   - {step_id: bbb}
          |               ^^^

        1 error, 1 warning
    "#]],
    );
}

#[test]
fn a_place_is_in_the_line_also_where_a_piece_of_it_is_shown() {
    let text = format!(
        "{{process_name: p, title: {}, steps: [{{step_id: a, next: bb}}]}}",
        "x".repeat(200)
    );
    let column = text.find("bb").unwrap() + 1;
    let shown = render(&lint(&[("p.yaml", text.as_bytes())]), Format::Text, false);
    assert!(shown.contains(&format!("--> p.yaml:1:{column}\n")), "{shown}");
}

#[test]
fn github_has_one_command_for_each() {
    check(
        Format::Github,
        expect![[r#"
        ::error file=my files/p.yaml,line=3,col=24,endColumn=26,title=missing-target::no step here is `bb`: name one that there is%0A`bbb` is meant?
        ::warning file=my files/p.yaml,line=4,col=15,endColumn=18,title=unreachable-step::no way leads to `bbb`: name it in a transition of another step, or take it away
    "#]],
    );
}

#[test]
fn colour_is_for_terminals() {
    let diagnostics = lint(&[("p.yaml", WRONG.as_bytes())]);
    assert!(render(&diagnostics, Format::Text, true).contains('\u{1b}'));
    assert!(!render(&diagnostics, Format::Text, false).contains('\u{1b}'));
}

#[test]
fn json_and_sarif_have_rule_and_place_for_programs() {
    let diagnostics = lint(&[("my files/p.yaml", WRONG.as_bytes())]);
    let json: serde_json::Value =
        serde_json::from_str(&render(&diagnostics, Format::Json, false)).unwrap();
    let first = &json[0];
    assert_eq!(first["rule"], "missing-target");
    assert_eq!((&first["line"], &first["column"]), (&3.into(), &24.into()));
    assert_eq!(first["path"], "steps[0].next[0]");
    let sarif: serde_json::Value =
        serde_json::from_str(&render(&diagnostics, Format::Sarif, false)).unwrap();
    let run = &sarif["runs"][0];
    let result = &run["results"][0];
    let no = result["ruleIndex"].as_u64().unwrap() as usize;
    assert_eq!(run["tool"]["driver"]["rules"][no]["id"], result["ruleId"]);
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "my%20files/p.yaml");
    assert_eq!(place["region"]["startColumn"], 24);
}
