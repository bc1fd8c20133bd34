//! The first protocol stays as it was: one request at a time, no ids, nothing unasked.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    msgpack::bin,
    repository::{Repository, text},
};

fn origin() -> Repository {
    Repository::of(&[
        ("b.yaml", "b: 2\n"),
        ("a.yml", "a: 1\n"),
        ("notes.txt", "text\n"),
        ("sub/c.yaml", "c\n"),
    ])
}

#[test]
fn sync_clones_a_local_path_and_answers_with_the_commit() {
    let origin = origin();
    let target = origin.beside("clone");
    let mut daemon = Daemon::start();
    for url in [origin.path().to_owned(), format!("file://{}", origin.path())] {
        let path = format!("{}-{}", text(&target), url.len());
        let request = json!({"op": "sync", "url": url, "branch": "main", "path": path, "depth": 1});
        assert_eq!(daemon.call(request.clone()), json!({"ok": origin.head()}));
        assert_eq!(fs::read_to_string(format!("{path}/b.yaml")).unwrap(), "b: 2\n");
        assert_eq!(daemon.call(request), json!({"ok": origin.head()}));
    }
}

#[test]
fn sync_needs_no_depth() {
    let origin = origin();
    let path = origin.beside("clone");
    let request =
        json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path, "depth": null});
    assert_eq!(Daemon::start().call(request), json!({"ok": origin.head()}));
}

#[test]
fn a_second_sync_brings_what_is_new() {
    let origin = origin();
    let path = origin.beside("clone");
    let request = json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path});
    let mut daemon = Daemon::start();
    daemon.ok(request.clone());
    origin.write("b.yaml", "b: 3\n");
    let newer = origin.commit("second");
    assert_eq!(daemon.call(request), json!({"ok": newer}));
    assert_eq!(fs::read_to_string(path.join("b.yaml")).unwrap(), "b: 3\n");
}

#[test]
fn files_lists_what_is_yaml_in_byte_order() {
    let origin = origin();
    let mut daemon = Daemon::start();
    let top = json!({"op": "files", "path": origin.path(), "subpath": null});
    assert_eq!(daemon.call(top), json!({"ok": ["a.yml", "b.yaml"]}));
    let below = json!({"op": "files", "path": origin.path(), "subpath": "sub"});
    assert_eq!(daemon.call(below), json!({"ok": ["c.yaml"]}));
}

#[test]
fn files_and_read_need_no_repository() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("z.yaml"), "plain\n").unwrap();
    let mut daemon = Daemon::start();
    let files = json!({"op": "files", "path": folder.path(), "subpath": null});
    assert_eq!(daemon.call(files), json!({"ok": ["z.yaml"]}));
    let read = json!({"op": "read", "path": folder.path(), "file": "z.yaml"});
    assert_eq!(daemon.call(read), json!({"ok": "cGxhaW4K"}));
}

#[test]
fn read_answers_with_padded_base64() {
    let origin = Repository::of(&[("empty", ""), ("one", "a"), ("two", "ab"), ("three", "abc")]);
    let mut daemon = Daemon::start();
    for (file, content) in [("empty", ""), ("one", "YQ=="), ("two", "YWI="), ("three", "YWJj")] {
        let read = json!({"op": "read", "path": origin.path(), "file": file});
        assert_eq!(daemon.call(read), json!({"ok": content}));
    }
}

#[test]
fn head_tells_the_commit_and_nothing_else() {
    let origin = origin();
    origin.commit("a title\n\nand a body");
    let reply = Daemon::start().call(json!({"op": "head", "path": origin.path()}));
    let expected = json!({"ok": {
        "sha": origin.head(),
        "author": "Ada Lovelace",
        "email": "ada@example.org",
        "message": "a title\n\nand a body\n",
        "timestamp": 1_700_000_120,
    }});
    assert_eq!(reply, expected);
}

#[test]
fn checkout_goes_back_and_moves_no_branch() {
    let origin = origin();
    let first = origin.head();
    origin.write("b.yaml", "b: 3\n");
    let second = origin.commit("second");
    let reply =
        Daemon::start().call(json!({"op": "checkout", "path": origin.path(), "sha": first}));
    assert_eq!(reply, json!({"ok": first}));
    assert_eq!(origin.read("b.yaml"), "b: 2\n");
    assert_eq!(origin.git(&["rev-parse", "HEAD", "main"]), format!("{first}\n{second}"));
    assert_eq!(origin.git(&["rev-parse", "--symbolic-full-name", "HEAD"]), "HEAD");
}

#[test]
fn lsremote_answers_with_the_id_of_the_branch() {
    let origin = origin();
    let request = json!({"op": "lsremote", "url": origin.path(), "branch": "main"});
    assert_eq!(Daemon::start().call(request), json!({"ok": origin.head()}));
}

#[test]
fn every_failure_is_a_plain_text() {
    let origin = origin();
    let (path, nowhere) = (origin.path(), origin.beside("nowhere"));
    let failing = [
        json!({"op": "sync", "url": nowhere, "branch": "main", "path": origin.beside("clone")}),
        json!({"op": "sync", "url": path, "branch": "none", "path": origin.beside("clone")}),
        json!({"op": "files", "path": nowhere, "subpath": null}),
        json!({"op": "files", "path": path, "subpath": "none"}),
        json!({"op": "read", "path": path, "file": "none"}),
        json!({"op": "read", "path": path, "file": "sub"}),
        json!({"op": "head", "path": nowhere}),
        json!({"op": "checkout", "path": path, "sha": "0123456789012345678901234567890123456789"}),
        json!({"op": "lsremote", "url": path, "branch": "none"}),
        json!({"op": "lsremote", "url": nowhere, "branch": "main"}),
        json!({"op": "nothing"}),
        json!({}),
    ];
    let mut daemon = Daemon::start();
    for request in failing {
        let reply = daemon.call(request.clone());
        assert!(reply["err"].is_string(), "{request} got {reply}");
        assert!(reply["code"].is_string(), "{request} got {reply}");
        assert!(reply.get("ok").is_none() && reply.get("id").is_none(), "{request} got {reply}");
    }
}

#[test]
fn nil_is_the_same_as_leaving_it_out() {
    let origin = origin();
    let (path, url, nil) = (origin.path(), origin.path(), Value::Null);
    let requests = [
        json!({"op": "files", "path": path, "subpath": nil, "rev": nil, "pattern": nil,
               "recursive": nil, "details": nil, "timeout_ms": nil}),
        json!({"op": "read", "path": path, "file": "b.yaml", "files": nil, "rev": nil,
               "encoding": nil, "offset": nil, "length": nil}),
        json!({"op": "lsremote", "url": url, "branch": "main", "auth": nil, "known_hosts": nil,
               "ca": nil, "ca_file": nil, "proxy": nil}),
        json!({"op": "sync", "url": url, "branch": "main", "path": origin.beside("clone"),
               "depth": nil, "submodules": nil, "auth": nil, "known_hosts": nil, "ca": nil,
               "ca_file": nil, "proxy": nil}),
        json!({"op": "log", "path": path, "range": nil, "paths": nil, "limit": nil, "after": nil}),
        json!({"op": "diff", "path": path, "range": nil, "paths": nil, "patch": nil,
               "context": nil, "limit": nil, "after": nil}),
        json!({"op": "status", "path": path, "paths": nil, "untracked": nil, "ignored": nil,
               "limit": nil, "after": nil}),
        json!({"op": "hello", "protocol": nil, "client": nil}),
    ];
    let mut daemon = Daemon::start();
    for request in requests {
        let mut without = request.clone();
        without.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        let expected = daemon.ok(without);
        assert_eq!(daemon.ok(request), expected);
    }
}

#[test]
fn a_text_may_come_as_bytes() {
    let origin = origin();
    let path = bin(origin.path().as_bytes());
    let mut daemon = Daemon::start();
    let read = json!({"op": bin(b"read"), "path": path, "file": bin(b"a.yml")});
    assert_eq!(daemon.call(read), json!({"ok": "YTogMQo="}));
    let remote = json!({"op": "lsremote", "url": path, "branch": bin(b"main")});
    assert_eq!(daemon.call(remote), json!({"ok": origin.head()}));
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order_also_behind_a_slow_one() {
    let origin = origin();
    let (path, head) = (origin.path(), origin.head());
    let mut daemon = Daemon::start();
    daemon.send(json!({"op": "fault", "kind": "stall", "ms": 300}));
    daemon.send(json!({"op": "ping"}));
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 300}));
    daemon.send(json!({"op": "files", "path": path}));
    daemon.send(json!({"op": "lsremote", "url": path, "branch": "main"}));
    daemon.send(json!({"op": "read", "path": path, "file": "none"}));
    daemon.send(json!({"op": "checkout", "path": path, "sha": "HEAD"}));
    daemon.send(json!({"op": "ping"}));
    let replies = daemon.receive_many(8);
    assert_eq!(replies[0], json!({"ok": true}));
    assert_eq!(replies[1], json!({"ok": "pong"}));
    assert_eq!(replies[2], json!({"ok": true}));
    assert_eq!(replies[3], json!({"ok": ["a.yml", "b.yaml"]}));
    assert_eq!(replies[4], json!({"ok": head}));
    assert_eq!(replies[5]["code"], "not_found");
    assert_eq!(replies[6], json!({"ok": head}));
    assert_eq!(replies[7], json!({"ok": "pong"}));
}

#[test]
fn no_frame_comes_unasked() {
    let origin = origin();
    let path = origin.beside("clone");
    let mut daemon = Daemon::start();
    let requests = [
        json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path}),
        json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path}),
        json!({"op": "files", "path": path}),
        json!({"op": "checkout", "path": path, "sha": "HEAD"}),
    ];
    let count = requests.len();
    requests.into_iter().for_each(|request| daemon.send(request));
    let end = daemon.end();
    assert_eq!(end.frames.len(), count, "{:?}", end.frames);
    assert!(end.frames.iter().all(|frame| frame.get("ok").is_some()), "{:?}", end.frames);
    assert!(end.status.success());
}

#[test]
fn a_daemon_that_is_asked_nothing_says_nothing() {
    let end = Daemon::start().end();
    assert_eq!(end.frames, [] as [Value; 0]);
    assert!(end.status.success());
}

#[test]
fn a_file_of_20_mebibytes_is_read_whole() {
    let folder = TempDir::new().unwrap();
    let content: Vec<u8> = (0..20 << 20).map(|at: u32| (at ^ (at >> 8)) as u8).collect();
    fs::write(folder.path().join("large"), &content).unwrap();
    let mut daemon = Daemon::start();
    let request = json!({"op": "read", "path": folder.path(), "file": "large"});
    let encoded = daemon.ok(request);
    let encoded = encoded.as_str().unwrap();
    assert_eq!(encoded.len(), content.len().div_ceil(3) * 4);
    assert!(decode_base64(encoded) == content);
}

fn decode_base64(text: &str) -> Vec<u8> {
    use base64::{Engine, engine::general_purpose::STANDARD};
    STANDARD.decode(text).unwrap()
}
