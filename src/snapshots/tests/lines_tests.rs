use super::*;

#[track_caller]
fn check(lines: impl AsRef<[u8]>, expected: &str) {
    let folder = Folder::new();
    assert_eq!(outline(json!({"lines": folder.file("it.jsonl", lines)})), expected);
}

#[track_caller]
fn check_invalid(lines: impl AsRef<[u8]>, facts: &[&str]) {
    let folder = Folder::new();
    check_refused(json!({"lines": folder.file("it.jsonl", lines)}), "invalid", facts);
}

#[test]
fn a_line_is_a_state_with_its_files() {
    let second = [
        r#"{"state": 2, "parent": "1", "label": "zwei ü", "time": "2023-11-14T23:14:20+01:00","#,
        r#""files": [{"path": "a", "content": "é"}, {"path": "b", "base64": "AP8="}]}"#,
    ];
    let first = [
        r#"{"files": [{"path": "a", "content": "\u0041", "mode": "100755"}], "author": "Ada","#,
        r#""state": "1", "time": 1700000000.5}"#,
    ];
    check(
        format!("{}\n\n{}\n", second.concat(), first.concat()),
        "1 1700000000+0 '' Ada: a=A(755)\n\
         2<1 1700000060+60 'zwei \\xc3\\xbc': a=\\xc3\\xa9 b=\\x00\\xff\n",
    );
    check("", "");
    check("\r\n{\"state\": \"x\", \"files\": []}\r\n", "x 0+0 '':\n");
}

#[test]
fn where_no_line_names_a_parent_they_follow_one_another() {
    let lines = r#"{"state": "b", "files": []}
{"state": "a", "files": [], "time": 5}
{"state": 10, "files": []}"#;
    check(lines, "b 0+0 '':\na<b 5+0 '':\n10<a 5+0 '':\n");
}

#[test]
fn an_error_names_the_line() {
    let good = r#"{"state": 1, "files": []}"#;
    for (bad, why) in [
        ("{", "column 1: EOF"),
        ("nonsense", "column"),
        (r#"{"state": 2, "files": []} x"#, "trailing characters"),
        (r#"{"state": 2}"#, "missing field `files`"),
        (r#"{"files": []}"#, "missing field `state`"),
        (r#"{"state": "", "files": []}"#, "no id"),
        (r#"{"state": null, "files": []}"#, "column"),
        (r#"{"state": 2, "files": [], "size": 3}"#, "unknown field `size`"),
        (r#"{"state": 2, "state": 3, "files": []}"#, "duplicate field `state`"),
        (r#"{"state": 2, "files": [], "time": "soon"}"#, "`soon` is no time"),
        (r#"{"state": 1, "files": []}"#, "line 1 has a state with this id too"),
        (r#"{"state": 2, "files": {}}"#, "a list of files"),
        (r#"{"state": 2, "files": [{"content": ""}]}"#, "missing field `path`"),
        (r#"{"state": 2, "files": [{"path": "a"}]}"#, "`a` has no content"),
        (r#"{"state": 2, "files": [{"path": "a", "content": null}]}"#, "`a` has no content"),
        (r#"{"state": 2, "files": [{"path": "a", "content": "", "base64": ""}]}"#, "has both"),
        (r#"{"state": 2, "files": [{"path": "a", "base64": "?"}]}"#, "the content of `a`"),
        (r#"{"state": 2, "files": [{"path": "a", "content": "", "mode": 7}]}"#, "a mode"),
        (r#"{"state": 2, "files": [{"path": "a", "content": "", "size": 1}]}"#, "`size`"),
        (r#"{"state": 2, "files": [{"path": "\ud800", "content": ""}]}"#, "column"),
    ] {
        check_invalid(format!("{good}\n\n{bad}\n"), &[why, r#""line":3"#]);
    }
    let entry = r#"{"path": "a", "content": ""}"#;
    let twice = format!(r#"{{"state": 1, "files": [{entry}, {entry}]}}"#);
    check_invalid(twice, &["is there twice", r#""state":"1","path":"a","line":1"#]);
}

#[test]
fn text_is_utf8() {
    for text in [
        &b"{\"state\": \"\xff\", \"files\": []}"[..],
        b"{\"state\": 1, \"files\": [{\"path\": \"\xff\", \"content\": \"\"}]}",
        b"{\"state\": 1, \"files\": [{\"path\": \"a\", \"content\": \"\xff\"}]}",
    ] {
        check_invalid(text, &[r#""line":1"#]);
    }
}

#[test]
fn paths_come_as_they_are() {
    let lines = r#"{"state": 1, "files": [{"path": "/etc/passwd", "content": ""},
 {"path": "../up", "content": ""}, {"path": "a\u0000b", "content": ""}]}"#;
    check(lines.replace('\n', ""), "1 0+0 '': ../up= /etc/passwd= a\\x00b=\n");
}

#[test]
fn families_that_cannot_be_are_refused() {
    check_invalid(r#"{"state": 1, "parent": 1, "files": []}"#, &["its own parent"]);
    check_invalid(r#"{"state": 1, "parent": 2, "files": []}"#, &["`2` is not there"]);
    let circle =
        [r#"{"state": 1, "parent": 2, "files": []}"#, r#"{"state": 2, "parent": 1, "files": []}"#];
    check_invalid(circle.join("\n"), &["its own ancestor"]);
}

#[test]
fn a_line_has_a_limit() {
    let folder = Folder::new();
    let path = folder.file("it.jsonl", "{\"state\": 1, \"files\": []}\n");
    let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    // A hole, which takes no room on the disk.
    file.set_len(300 << 20).unwrap();
    let facts = [r#""line":2,"limit":268435456"#];
    check_refused(json!({"lines": path}), "too_large", &facts);
}

#[test]
fn a_file_that_changes_meanwhile_is_a_conflict() {
    let folder = Folder::new();
    let path = folder.file("it.jsonl", "{\"state\": 1, \"files\": []}\n");
    let mut source = open(json!({"lines": path})).unwrap();
    let state = source.states().unwrap().remove(0);
    folder.file("it.jsonl", "{\"state\": 2, \"files\": [ ]}\n");
    let error = source.files(&state, &mut |_| Ok(())).unwrap_err();
    assert_eq!(error.code.as_str(), "conflict", "{error}");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = Folder::new();
    check_refused(json!({"lines": folder.path("nothing")}), "not_found", &["nothing"]);
    check_refused(json!({"lines": folder.0.path()}), "invalid", &["is no file"]);
    check_refused(json!({"lines": "/dev/zero"}), "invalid", &["is no file"]);
}
