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
        expect![[r#"Some(Text("a")): bad_request: `timeout_ms`: 0 is not from 1 to 86400000"#]],
    );
    check(r#"{"id": -1}"#, expect!["Some(Negative(-1)): bad_request: the request has no `op`"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in any::<Vec<u8>>()) {
        let _ = Request::read(&body);
    }
}
