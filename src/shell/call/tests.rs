use std::fs;

use expect_test::{Expect, expect};

use super::*;
use crate::shell::json::spaced;

fn check(op: &str, arguments: &[&str], expected: Expect) {
    let arguments: Vec<String> = arguments.iter().map(|it| it.to_string()).collect();
    let text = match request(op, &arguments) {
        Ok(request) => spaced(&request),
        Err(mistake) => mistake,
    };
    expected.assert_eq(&text);
}

#[test]
fn a_value_is_json_where_it_is_json_and_text_where_it_is_not() {
    check(
        "read",
        &["path=/srv/app", r#"files=["a","b"]"#, "length=10"],
        expect![[r#"{"op": "read", "path": "/srv/app", "files": ["a", "b"], "length": 10}"#]],
    );
    check(
        "files",
        &["rev=null", "subpath="],
        expect![[r#"{"op": "files", "rev": null, "subpath": ""}"#]],
    );
}

#[test]
fn quotes_make_text_of_what_would_be_a_number() {
    check("checkout", &["sha=\"1234567\""], expect![[r#"{"op": "checkout", "sha": "1234567"}"#]]);
}

#[test]
fn only_the_first_sign_of_an_argument_divides_it() {
    check(
        "log",
        &["range=@{1}..HEAD", "path=/a=b"],
        expect![[r#"{"op": "log", "range": "@{1}..HEAD", "path": "/a=b"}"#]],
    );
}

#[test]
fn a_dot_in_a_key_leads_into_a_map() {
    check(
        "sync",
        &["auth.user=ada", "auth.password=1.5e", "a.b.c=1"],
        expect![[
            r#"{"op": "sync", "auth": {"user": "ada", "password": "1.5e"}, "a": {"b": {"c": 1}}}"#
        ]],
    );
    check(
        "sync",
        &[r#"auth={"user":"ada"}"#, "auth.password=x"],
        expect![[r#"{"op": "sync", "auth": {"user": "ada", "password": "x"}}"#]],
    );
}

#[test]
fn a_file_gives_its_text_without_the_line_end() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, "secret\r\n").unwrap();
    let argument = format!("auth.token@{}", file.path().display());
    check(
        "lsremote",
        &[&argument],
        expect![[r#"{"op": "lsremote", "auth": {"token": "secret"}}"#]],
    );
}

#[test]
fn what_is_no_argument_is_told() {
    check(
        "head",
        &["/srv/app"],
        expect!["`/srv/app` is no argument: write key=value, or key@file"],
    );
    check("head", &["=x"], expect!["`` has no name"]);
    check("head", &["auth.=x"], expect!["`auth.` has no name"]);
    check("head", &["op=read"], expect!["`op` is given twice"]);
    check("head", &["path=/a", "path=/b"], expect!["`path` is given twice"]);
    check("head", &["auth=x", "auth.token=y"], expect!["`auth.token` is given twice"]);
    check("head", &["auth.token=y", "auth=x"], expect!["`auth` is given twice"]);
    check("head", &["key@/nowhere"], expect!["/nowhere: No such file or directory (os error 2)"]);
}

#[test]
fn an_argument_that_was_taken_for_something_else_is_told() {
    let told = |argument: &str, field: &str, err: &str| {
        let request = request("commit", &[argument.to_owned()]).unwrap();
        hint(argument, &request, &json!({"err": err, "code": "bad_request", "field": field}))
    };
    let broken = told(r#"changes=[{file:"a"}]"#, "changes", "`changes` is a list").unwrap();
    assert!(broken.contains("no JSON: key must be a string at line 1 column 3"), "{broken}");
    let number = told("author.name=17", "author.name", "`author.name` is a text").unwrap();
    assert!(number.contains(r#"author.name='"17"'"#), "{number}");
    assert_eq!(told("message=[wip] x", "changes", "`changes` is missing"), None);
    assert_eq!(told("limit=0", "limit", "`limit` is from 1 to 10000"), None);
}
