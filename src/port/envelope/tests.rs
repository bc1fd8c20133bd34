use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

/// What is understood of a request that is written as JSON.
#[track_caller]
fn check(json: &str, expected: Expect) {
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let body = rmp_serde::to_vec(&json).unwrap();
    let (id, request) = Request::read(&body);
    let told = match request {
        Ok(it) => format!("{} {:?} {} arguments", it.op, it.timeout_ms, it.arguments.count),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&format!("{id:?}: {told}"));
}

#[test]
fn the_envelope_is_separated_from_the_arguments() {
    check(r#"{"op": "ping"}"#, expect!["None: ping None 0 arguments"]);
    check(
        r#"{"a": 1, "id": 7, "op": "x", "timeout_ms": 5, "b": {"id": 1}}"#,
        expect!["Some(Unsigned(7)): x Some(5) 2 arguments"],
    );
}

#[test]
fn nil_is_the_same_as_nothing() {
    check(
        r#"{"op": "x", "id": null, "timeout_ms": null, "a": null}"#,
        expect!["None: x None 0 arguments"],
    );
}

#[test]
fn a_mistake_is_told_with_the_id() {
    check(
        r#"{"timeout_ms": 0, "id": "a", "op": "x"}"#,
        expect![[
            r#"Some(Text("a")): bad_request: `timeout_ms` is a whole number from 1 to 86400000"#
        ]],
    );
    check(r#"{"id": -1}"#, expect!["Some(Negative(-1)): bad_request: the request has no `op`"]);
}

/// What is wrong with these arguments.
#[track_caller]
fn check_arguments(json: &str, expected: Expect) {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only decoded")]
    struct Known {
        limit: Option<u64>,
        full: Option<bool>,
        names: Option<Vec<String>>,
        author: Option<Person>,
    }

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields, expecting = "a map {name}")]
    #[expect(dead_code, reason = "only decoded")]
    struct Person {
        name: String,
    }

    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let body = rmp_serde::to_vec(&json).unwrap();
    let (_, request) = Request::read(&body);
    let error = request.unwrap().arguments.decode::<Known>().unwrap_err();
    expected.assert_eq(&format!("{error} {:?}", error.details()));
}

#[test]
fn a_wrong_argument_is_told_what_it_should_be_and_not_what_it_is() {
    let check = check_arguments;
    let told = expect![[
        r#"bad_request: `limit` is a whole number that is not negative [("field", Text("limit"))]"#
    ]];
    check(r#"{"op": "x", "limit": "secret", "full": true}"#, told);
    let told = expect![[r#"bad_request: `full` is true or false [("field", Text("full"))]"#]];
    check(r#"{"op": "x", "full": "secret"}"#, told);
    let told = expect![[r#"bad_request: `names` is a list [("field", Text("names"))]"#]];
    check(r#"{"op": "x", "names": "secret"}"#, told);
    let told = expect![[r#"bad_request: `names[1]` is a text [("field", Text("names[1]"))]"#]];
    check(r#"{"op": "x", "names": ["a", 17]}"#, told);
    let told = expect![[r#"bad_request: `author` is a map {name} [("field", Text("author"))]"#]];
    check(r#"{"op": "x", "author": "secret"}"#, told);
    let told =
        expect![[r#"bad_request: `author.name` is missing [("field", Text("author.name"))]"#]];
    check(r#"{"op": "x", "author": {}}"#, told);
}

#[test]
fn an_argument_that_is_like_none_is_told_with_all_there_are() {
    let told = expect![[
        r#"bad_request: no argument is called `else`; there are `limit`, `full`, `names`, `author` [("field", Text("else"))]"#
    ]];
    check_arguments(r#"{"op": "x", "else": 1}"#, told);
    let long = format!(r#"{{"op": "x", "{}": 1}}"#, "a".repeat(1 << 20));
    let json: serde_json::Value = serde_json::from_str(&long).unwrap();
    let body = rmp_serde::to_vec(&json).unwrap();
    let error = Request::read(&body).1.unwrap().arguments.decode::<Vec<u8>>().unwrap_err();
    assert!(error.message.len() < 1000, "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in any::<Vec<u8>>()) {
        let _ = Request::read(&body);
    }
}
