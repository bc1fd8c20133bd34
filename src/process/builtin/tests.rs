//! What configurations say, and what is wrong with those that say nothing.

use serde_json::{Value, json};

use super::{
    Builtin, Wrong,
    exec::{Exec, Input, Output, is_below},
};

fn read(step_type: &str, configuration: Value) -> Option<Result<Builtin, Vec<Wrong>>> {
    Builtin::read(step_type, configuration.as_object().unwrap())
}

/// Where something is wrong.
fn wrong(step_type: &str, configuration: Value) -> Vec<String> {
    let read = read(step_type, configuration.clone()).unwrap();
    let wrong = read.err().unwrap_or_else(|| panic!("{configuration} is fine"));
    wrong.into_iter().map(|it| it.path).collect()
}

#[test]
fn a_configuration_without_a_program_or_deed_is_a_workers() {
    assert_eq!(read("exec", json!({"anything": 1})), None);
    assert_eq!(read("git", json!({"program": "make"})), None);
    assert_eq!(read("human_in_the_loop", json!({"program": "make", "do": "tag"})), None);
}

#[test]
fn what_is_not_said_is_as_usual() {
    let Some(Ok(Builtin::Exec(exec))) = read("exec", json!({"program": "make"})) else { panic!() };
    let usual = Exec {
        program: "make".to_owned(),
        arguments: Vec::new(),
        env: Default::default(),
        folder: None,
        input: Input::Data,
        outcomes: [(0, "ok".to_owned())].into(),
        output: Output::Text,
        result: None,
        timeout_ms: 600_000,
        output_bytes_max: 65_536,
    };
    assert_eq!(*exec, usual);
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let of = |key: &str, value: Value| {
        let mut configuration = json!({"program": "make"});
        configuration[key] = value;
        wrong("exec", configuration)
    };
    assert_eq!(wrong("exec", json!({"program": ""})), ["program"]);
    assert_eq!(wrong("exec", json!({"program": "./make"})), ["program"]);
    assert_eq!(wrong("exec", json!({"program": "a\0b"})), ["program"]);
    assert_eq!(of("arguments", json!("all")), ["arguments"]);
    assert_eq!(of("arguments", json!(["a", 1, "b\0"])), ["arguments[1]", "arguments[2]"]);
    assert_eq!(of("arguments", json!([{"value": "1 +"}])), ["arguments[0].value"]);
    assert_eq!(of("arguments", json!([{"value": "sizee(x)"}])), ["arguments[0].value"]);
    assert_eq!(of("arguments", json!([{"value": "x", "or": "y"}])), ["arguments[0]"]);
    assert_eq!(of("env", json!({"PATH": "/x"})), ["env.PATH"]);
    assert_eq!(of("env", json!({"GITPORT_RUN": "x"})), ["env.GITPORT_RUN"]);
    assert_eq!(of("outcomes", json!({"-1": "a", "01": "b", "2": ""})).len(), 3);
    assert_eq!(of("outcomes", json!({"1": "timeout"})), ["outcomes.1"]);
    assert_eq!(of("output_bytes_max", json!(9 << 20)), ["output_bytes_max"]);
    assert_eq!(of("timeout_ms", json!("90s")), ["timeout_ms"]);
    assert_eq!(of("argumets", json!([])), ["argumets"]);
    assert_eq!(wrong("git", json!({"do": "comit"})), ["do"]);
    assert_eq!(wrong("git", json!({"do": "tag", "path": "/srv"})), ["path"]);
    let nested = json!({"do": "commit", "changes": [{"file": "a", "content": {"value": "("}}]});
    assert_eq!(wrong("git", nested), ["changes[0].content.value"]);
}

#[test]
fn a_folder_is_below_where_nothing_leads_up() {
    for folder in ["a", "a/b", "./a", "", "a/./b"] {
        assert!(is_below(folder), "{folder:?}");
    }
    for folder in ["/", "/a", "..", "a/../..", "a/..", "a\0"] {
        assert!(!is_below(folder), "{folder:?}");
    }
}
