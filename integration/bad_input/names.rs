//! Names that are no UTF-8 go in and come out as they are.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt};

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    msgpack::{bin, bytes},
    repository::Repository,
};

const NAME: &[u8] = b"caf\xe9.yaml";

fn latin() -> Repository {
    let repository = Repository::new();
    repository.write(OsStr::from_bytes(NAME), "latin\n");
    repository.write(OsStr::from_bytes(b"f\xf6lder/in.yaml"), "inside\n");
    repository.write("plain.yaml", "plain\n");
    repository.commit("names");
    repository
}

#[test]
fn files_names_them_as_bin_and_the_others_as_str() {
    let repository = latin();
    let mut daemon = Daemon::start();
    for path in [repository.path(), repository.bare().path()] {
        for rev in [json!("HEAD"), json!(null)] {
            if rev.is_null() && path != repository.path() {
                continue;
            }
            let request = json!({"op": "files", "path": path, "rev": rev, "recursive": true});
            let expected = json!([bin(NAME), bin(b"f\xf6lder/in.yaml"), "plain.yaml"]);
            assert_eq!(daemon.ok(request), expected);
        }
    }
}

#[test]
fn read_finds_them_by_the_name_that_files_gave() {
    let repository = latin();
    let mut daemon = Daemon::start();
    for rev in [json!("HEAD"), json!(null)] {
        let files = json!({"op": "files", "path": repository.path(), "rev": rev});
        let name = daemon.ok(files)[0].clone();
        let read = json!({"op": "read", "path": repository.path(), "rev": rev, "file": name,
                          "encoding": "utf8"});
        assert_eq!(daemon.ok(read), "latin\n");
        let many = json!({"op": "read", "path": repository.path(), "rev": rev,
                          "files": [name, "plain.yaml"], "encoding": "binary"});
        let list = daemon.ok(many);
        assert_eq!(list[0], json!({"file": bin(NAME), "content": bin(b"latin\n")}));
        assert_eq!(list[1]["content"], bin(b"plain\n"));
        let below = json!({"op": "files", "path": repository.path(), "rev": rev,
                           "subpath": bin(b"f\xf6lder")});
        assert_eq!(daemon.ok(below), json!(["in.yaml"]));
    }
}

#[test]
fn status_diff_and_log_name_them_too() {
    let repository = latin();
    repository.write(OsStr::from_bytes(NAME), "changed\n");
    repository.write(OsStr::from_bytes(b"n\xe9w"), "new\n");
    let path = repository.path();
    let mut daemon = Daemon::start();
    let status = daemon.ok(json!({"op": "status", "path": path}));
    let names: Vec<Vec<u8>> = status["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry: &Value| bytes(&entry["file"]))
        .collect();
    assert_eq!(names, [NAME, b"n\xe9w"]);
    let diff = daemon.ok(json!({"op": "diff", "path": path, "paths": [bin(NAME)], "patch": true}));
    assert_eq!(diff["entries"][0]["file"], bin(NAME));
    assert_eq!(bytes(&diff["patch"]), repository.git_bytes(&["diff", "HEAD"]));
    let log = daemon.ok(json!({"op": "log", "path": path, "paths": [bin(NAME)]}));
    assert_eq!(log["commits"][0]["sha"], repository.head());
}

#[test]
fn content_is_bytes_whatever_they_are() {
    let repository = Repository::new();
    repository.write("bytes", b"\xff\xfe\0");
    repository.commit("bytes");
    let mut daemon = Daemon::start();
    for rev in [json!("HEAD"), json!(null)] {
        let mut read = |encoding: &str| {
            daemon.call(json!({"op": "read", "path": repository.path(), "rev": rev,
                               "file": "bytes", "encoding": encoding}))
        };
        assert_eq!(read("base64")["ok"], "//4A");
        assert_eq!(read("binary")["ok"], bin(b"\xff\xfe\0"));
        assert_eq!(read("utf8")["code"], "invalid");
    }
}
