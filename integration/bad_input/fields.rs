//! A wrong argument is named by the error.

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    repository::{Repository, varied},
};

/// Values of every kind; each argument refuses those that are not its own.
fn values() -> Vec<(&'static str, Value)> {
    vec![
        ("bool", json!(true)),
        ("number", json!(3)),
        ("fraction", json!(1.5)),
        ("negative", json!(-3)),
        ("text", json!("text")),
        ("bytes", crate::msgpack::bin(b"bytes")),
        ("list", json!(["text"])),
        ("numbers", json!([1])),
        ("map", json!({"token": "x", "wrong": 1})),
    ]
}

/// `argument: kinds it takes`, for each operation.
const ARGUMENTS: &[(&str, &[(&str, &str)])] = &[
    ("sync", &[("url", TEXT), ("branch", TEXT), ("path", TEXT), ("depth", NUMBER)]),
    ("sync", &[("submodules", "bool"), ("known_hosts", TEXT), ("ca", TEXT), ("ca_file", TEXT)]),
    ("sync", &[("proxy", TEXT), ("auth", "")]),
    ("lsremote", &[("url", TEXT), ("branch", TEXT), ("auth", ""), ("proxy", TEXT)]),
    ("files", &[("path", TEXT), ("subpath", TEXT), ("rev", TEXT), ("pattern", TEXT)]),
    ("files", &[("recursive", "bool"), ("details", "bool")]),
    ("read", &[("path", TEXT), ("file", TEXT), ("files", "list"), ("rev", TEXT)]),
    ("read", &[("encoding", ""), ("offset", NUMBER), ("length", NUMBER)]),
    ("head", &[("path", TEXT)]),
    ("checkout", &[("path", TEXT), ("sha", TEXT)]),
    ("log", &[("path", TEXT), ("range", TEXT), ("paths", "list"), ("limit", NUMBER)]),
    ("log", &[("after", TEXT)]),
    ("diff", &[("path", TEXT), ("range", TEXT), ("paths", "list"), ("patch", "bool")]),
    ("diff", &[("context", NUMBER), ("limit", NUMBER), ("after", TEXT)]),
    ("status", &[("path", TEXT), ("paths", "list"), ("untracked", "bool"), ("ignored", "bool")]),
    ("status", &[("limit", NUMBER), ("after", TEXT)]),
    ("hello", &[("protocol", NUMBER), ("client", TEXT)]),
    ("subscribe", &[("events", "")]),
    ("cancel", &[("request", "number negative text")]),
    ("batch", &[("requests", "list numbers"), ("stop_on_error", "bool")]),
    ("shutdown", &[("grace_ms", NUMBER)]),
];

const TEXT: &str = "text bytes";
const NUMBER: &str = "number";

/// A request that is right but for what a test puts into it.
fn sound(operation: &str, path: &str) -> Value {
    match operation {
        "sync" => json!({"op": "sync", "url": path, "branch": "main", "path": "/none/at/all"}),
        "lsremote" => json!({"op": "lsremote", "url": path}),
        "read" => json!({"op": "read", "path": path, "file": "a"}),
        "checkout" => json!({"op": "checkout", "path": path, "sha": "HEAD"}),
        "hello" | "subscribe" | "cancel" | "batch" | "shutdown" => json!({"op": operation}),
        _ => json!({"op": operation, "path": path}),
    }
}

/// The field is this argument, or a place within it.
fn field_is(reply: &Value, argument: &str) -> bool {
    let field = reply["field"].as_str().unwrap_or_default();
    field.split(['.', '[']).any(|part| part == argument)
}

#[test]
fn a_value_of_the_wrong_kind_is_a_bad_request_that_names_its_argument() {
    let repository = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start();
    let mut wrong = Vec::new();
    for (operation, arguments) in ARGUMENTS {
        for (argument, kinds) in *arguments {
            for (kind, value) in values() {
                if kinds.split(' ').any(|taken| taken == kind) {
                    continue;
                }
                let mut request = sound(operation, repository.path());
                if *argument == "files" {
                    request.as_object_mut().unwrap().remove("file");
                }
                request[*argument] = value;
                let reply = daemon.call(request.clone());
                let inner = field_is(&reply, "wrong") && *argument == "auth";
                let named = field_is(&reply, argument) || inner;
                if reply["code"] != "bad_request" || !named {
                    wrong.push(format!("{request} got {reply}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_text_with_a_nul_byte_is_a_bad_request_and_a_file_name_with_one_is_denied() {
    let repository = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start();
    let (mut count, mut wrong) = (0, Vec::new());
    // A list here is one of file names, and an id may be any text.
    let takes_text = |kinds: &str| [TEXT, "list"].contains(&kinds);
    for (operation, arguments) in ARGUMENTS {
        for (argument, kinds) in arguments.iter().filter(|(_, kinds)| takes_text(kinds)) {
            let values = [json!("x\0y"), crate::msgpack::bin(b"x\0y"), json!("/\0"), json!("\0")];
            for value in values {
                let mut request = sound(operation, repository.path());
                request[*argument] = if *kinds == "list" { json!(["a", value]) } else { value };
                if *argument == "files" {
                    request.as_object_mut().unwrap().remove("file");
                }
                count += 1;
                let reply = daemon.call(request.clone());
                let is_file = ["file", "files", "paths", "subpath"].contains(argument);
                let is_right = match is_file {
                    true if *argument == "files" => reply["ok"][1]["code"] == "denied",
                    true => reply["code"] == "denied" && reply["rule"].is_string(),
                    false => reply["code"] == "bad_request" && field_is(&reply, argument),
                };
                if !is_right {
                    wrong.push(format!("{request} got {reply}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {count}\n{}", wrong.len(), wrong.join("\n"));
    assert!(count > 100, "{count}");
}

#[test]
fn a_file_of_certificates_or_of_a_key_has_an_absolute_path() {
    let mut daemon = Daemon::start();
    let request = |key: &str, value: Value| json!({"op": "lsremote", "url": "git@h:x", key: value});
    let reply = daemon.refused("bad_request", request("ca_file", json!("etc/ssl/ca.pem")));
    assert_eq!(reply["field"], "ca_file");
    assert!(reply["err"].as_str().unwrap().contains("absolute"), "{reply}");
    let reply = daemon.refused("bad_request", request("auth", json!({"key_file": "id_ed25519"})));
    assert_eq!(reply["field"], "auth");
}

#[test]
fn a_number_outside_its_bounds_is_a_bad_request_that_names_its_argument() {
    let repository = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start();
    let bounds = [
        ("sync", "depth", json!(-1)),
        ("sync", "depth", json!(u64::MAX)),
        ("read", "offset", json!(-1)),
        ("read", "length", json!(-1)),
        ("log", "limit", json!(0)),
        ("log", "limit", json!(10_001)),
        ("diff", "context", json!(-1)),
        ("diff", "limit", json!(-1)),
        ("diff", "limit", json!(u64::MAX)),
        ("status", "limit", json!(-1)),
        ("hello", "protocol", json!(-1)),
        ("shutdown", "grace_ms", json!(-1)),
    ];
    for (operation, argument, value) in bounds {
        let mut request = sound(operation, repository.path());
        request[argument] = value;
        assert_eq!(daemon.refused("bad_request", request)["field"], argument);
    }
}

#[test]
fn a_revision_that_is_none_is_a_bad_request_that_names_its_argument() {
    let repository = Repository::of(&[("a", "1")]);
    let mut daemon = Daemon::start();
    for (operation, argument) in [
        ("checkout", "sha"),
        ("log", "range"),
        ("diff", "range"),
        ("files", "rev"),
        ("read", "rev"),
    ] {
        for rev in ["main^{nothing}", "main@{x", "a b^{/["] {
            let mut request = sound(operation, repository.path());
            request[argument] = json!(rev);
            assert_eq!(daemon.refused("bad_request", request)["field"], argument, "{rev}");
        }
        let mut request = sound(operation, repository.path());
        request[argument] = json!("nobody-made-this");
        daemon.refused("not_found", request);
    }
}

#[test]
fn an_argument_nobody_knows_is_named_with_the_one_that_was_meant() {
    let repository = Repository::of(&[("a", "1")]);
    let misspelt = [
        ("sync", "brnach", json!("branch")),
        ("sync", "submodule", json!("submodules")),
        ("files", "sub_path", json!("subpath")),
        ("read", "encodin", json!("encoding")),
        ("head", "paths", json!("path")),
        ("log", "rang", json!("range")),
        ("diff", "contexts", json!("context")),
        ("status", "untrackd", json!("untracked")),
        ("lsremote", "know_hosts", json!("known_hosts")),
        ("ping", "nothing_like_it", json!(null)),
    ];
    let mut daemon = Daemon::start();
    for (operation, argument, nearest) in misspelt {
        let mut request = sound(operation, repository.path());
        if operation == "ping" {
            request.as_object_mut().unwrap().remove("path");
        }
        request[argument] = json!("x");
        let reply = daemon.refused("bad_request", request);
        assert_eq!(reply["field"], argument, "{reply}");
        assert_eq!(reply.get("nearest").cloned().unwrap_or_default(), nearest, "{reply}");
    }
}

#[test]
fn what_is_wrong_within_an_argument_is_named_with_the_way_there() {
    let repository = Repository::of(&[("a", "1")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    let commit = |changes: Value, author: Value| json!({"op": "commit", "path": path, "message": "m", "changes": changes, "author": author});
    let update = |it: Value| json!({"op": "ref.update", "path": path, "updates": [it]});
    let good = json!({"file": "b", "content": "Yg=="});
    for (request, field) in [
        (commit(json!([good]), json!({"name": "Ada"})), "author.email"),
        (commit(json!([good, {"file": "c", "content": "*"}]), json!(null)), "changes[1].content"),
        (commit(json!([good, {"file": "c", "mode": "7"}]), json!(null)), "changes[1].mode"),
        (update(json!({"ref": "main"})), "updates[0].ref"),
        (update(json!({"ref": "refs/heads/a", "expect": "x"})), "updates[0].expect"),
    ] {
        let refused = daemon.refused("bad_request", request);
        assert_eq!(refused["field"], field, "{refused}");
    }
    let refused = daemon.refused("bad_request", json!({"op": "head"}));
    assert_eq!(refused["err"], "`path` or `workspace` is missing");
    let both = json!({"op": "head", "path": path, "workspace": "x"});
    let refused = daemon.refused("bad_request", both);
    assert_eq!(refused["err"], "`path` and `workspace` are both given; give one");
}

#[test]
fn an_argument_that_must_be_there_is_named() {
    let needed = [
        (json!({"op": "sync", "branch": "b", "path": "/none"}), "url"),
        (json!({"op": "sync", "url": "/none", "path": "/none"}), "branch"),
        (json!({"op": "sync", "url": "/none", "branch": "b"}), "path"),
        (json!({"op": "files"}), "path"),
        (json!({"op": "read", "file": "a"}), "path"),
        (json!({"op": "head"}), "path"),
        (json!({"op": "checkout", "path": "/none"}), "sha"),
        (json!({"op": "checkout", "sha": "HEAD"}), "path"),
        (json!({"op": "lsremote"}), "url"),
        (json!({"op": "log"}), "path"),
        (json!({"op": "diff"}), "path"),
        (json!({"op": "status"}), "path"),
        (json!({"op": "subscribe"}), "events"),
        (json!({"op": "cancel"}), "request"),
        (json!({"op": "batch"}), "requests"),
    ];
    let mut daemon = Daemon::start();
    for (request, argument) in needed {
        assert_eq!(daemon.refused("bad_request", request)["field"], argument);
    }
}

#[test]
fn read_takes_one_file_or_many() {
    let repository = Repository::of(&[("a", "1")]);
    let path = repository.path();
    let mut daemon = Daemon::start();
    daemon.refused("bad_request", json!({"op": "read", "path": path}));
    daemon.refused("bad_request", json!({"op": "read", "path": path, "file": "a", "files": ["a"]}));
    let many = vec!["a"; 10_001];
    let reply = daemon.refused("bad_request", json!({"op": "read", "path": path, "files": many}));
    assert_eq!(reply["field"], "files");
    let most = vec!["a"; 10_000];
    let list = daemon.ok(json!({"op": "read", "path": path, "files": most}));
    assert_eq!(list.as_array().unwrap().len(), 10_000);
}

#[test]
fn a_wrong_argument_within_credentials_is_named_and_never_shown() {
    let mut daemon = Daemon::start();
    for auth in [
        json!({"token": "s3cret", "wrong": 1}),
        json!({"user": "s3cret"}),
        json!({"password": "s3cret"}),
        json!({"token": ["s3cret"]}),
        json!({"agent": "s3cret"}),
        json!({"token": "s3cret\0"}),
        json!({"token": "s3cret\nx"}),
        json!({"token": "s3cret\r"}),
        json!({"user": "s3cret\nx", "password": "s3cret"}),
        json!({"user": "git\0", "password": "s3cret"}),
        json!({"user": "x", "password": "s3cret\r\nX: y"}),
        json!({"user": "x", "password": "\0s3cret"}),
        json!({"user": "git\0", "key": "s3cret"}),
        json!({"user": "git\n", "agent": true}),
        json!({"key": "s3cret\0"}),
        json!({"key": "s3cret", "passphrase": "s3cret\0"}),
        json!({"key_file": "/s3cret\0"}),
        json!({}),
    ] {
        let request = json!({"op": "lsremote", "url": "https://localhost/x", "auth": auth});
        let reply = daemon.refused("bad_request", request);
        assert!(["auth", "wrong"].iter().any(|name| field_is(&reply, name)), "{reply}");
        assert!(!reply.to_string().contains("s3cret"), "{reply}");
    }
    for url in ["https://s3cret%0Ax:y@localhost/x", "https://x:s3cret%00@localhost/x"] {
        let reply = daemon.refused("bad_request", json!({"op": "lsremote", "url": url}));
        assert_eq!(reply["field"], "url");
        assert!(!reply.to_string().contains("s3cret"), "{reply}");
    }
    assert!(!daemon.stderr().contains("s3cret"));
}

#[test]
fn a_long_value_is_not_repeated_as_a_whole() {
    let repository = varied();
    let mut daemon = Daemon::start();
    let (path, long) = (repository.path(), "ü".repeat(500_000));
    for request in [
        json!({"op": "log", "path": path, "range": long}),
        json!({"op": "read", "path": path, "rev": format!("HEAD^{{{long}}}"), "file": "a"}),
        json!({"op": "read", "path": path, "rev": "HEAD", "file": long}),
        json!({"op": "branch", "path": path, "branch": long}),
        json!({"op": "tag", "path": path, "tag": long}),
        json!({"op": "note", "path": path, "target": long, "content": ""}),
        json!({"op": "head", "path": format!("/{long}")}),
    ] {
        let reply = daemon.call(request);
        let message = reply["err"].as_str().unwrap();
        assert!(message.len() <= 4100, "{}", &message[..100]);
    }
}
