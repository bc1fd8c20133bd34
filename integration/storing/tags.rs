//! Tags are what `git tag` makes of the same words.

use serde_json::json;

use super::{ZEROS, expect_sound, id_of};
use crate::{daemon::Daemon, repository::Repository};

#[test]
fn a_tag_with_a_message_is_the_object_that_git_makes() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let path = repository.path();
    let tagger = json!({"name": "Grace Höpper", "email": "grace@example.org",
        "time": 1_700_000_060, "offset": 120});
    repository.git(&["tag", "-a", "-m", "version 1\n\nwith a body", "v1"]);
    let theirs = id_of(&repository, "v1");
    repository.git(&["tag", "-d", "v1"]);
    let made = daemon.ok(json!({"op": "tag", "path": path, "tag": "v1", "tagger": tagger,
        "message": "version 1\n\nwith a body\n"}));
    let head = repository.head();
    assert_eq!(made, json!({"tag": "v1", "target": head, "object": theirs, "was": null}));
    assert_eq!(repository.git(&["cat-file", "-t", "v1"]), "tag");
    assert_eq!(repository.git(&["describe"]), "v1");
    let on_tag = daemon.ok(json!({"op": "tag", "path": path, "tag": "v2", "target": "v1",
        "message": "of a tag\n"}));
    assert_eq!(on_tag["target"], theirs);
    let on_blob = json!({"op": "tag", "path": path, "tag": "blob", "target": "HEAD:a",
        "message": "of a file\n"});
    daemon.ok(on_blob);
    assert!(repository.git(&["cat-file", "-p", "blob"]).contains("type blob"));
    expect_sound(&repository);
}

#[test]
fn a_tag_without_a_message_names_its_object_itself() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let path = repository.path();
    let head = repository.head();
    let made = daemon.ok(json!({"op": "tag", "path": path, "tag": "light"}));
    assert_eq!(made, json!({"tag": "light", "target": head, "was": null}));
    assert_eq!(id_of(&repository, "refs/tags/light"), head);
    let request =
        json!({"op": "tag", "path": path, "tag": "x", "tagger": {"name": "n", "email": "e"}});
    assert_eq!(daemon.refused("bad_request", request)["field"], "tagger");
}

#[test]
fn a_tag_that_is_there_moves_only_if_asked_to() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let path = repository.path();
    let first = repository.head();
    let second = repository.commit("second");
    daemon.ok(json!({"op": "tag", "path": path, "tag": "v", "target": first}));
    daemon.refused("already_exists", json!({"op": "tag", "path": path, "tag": "v"}));
    daemon.refused("conflict", json!({"op": "tag", "path": path, "tag": "v", "expect": ZEROS}));
    daemon.refused("conflict", json!({"op": "tag", "path": path, "tag": "v", "expect": second}));
    let moved = daemon.ok(json!({"op": "tag", "path": path, "tag": "v", "expect": first}));
    assert_eq!((&moved["target"], &moved["was"]), (&json!(second), &json!(first)));
    daemon.ok(json!({"op": "tag", "path": path, "tag": "v", "target": first, "force": true}));
    let gone = daemon.ok(json!({"op": "tag", "path": path, "tag": "v", "delete": true}));
    assert_eq!(gone, json!({"tag": "v", "target": null, "was": first}));
    assert_eq!(repository.git(&["tag"]), "");
    daemon.refused("not_found", json!({"op": "tag", "path": path, "tag": "v", "delete": true}));
    for name in ["", "a..b", "-v", "HEAD", "a.lock"] {
        let reply = daemon.refused("bad_request", json!({"op": "tag", "path": path, "tag": name}));
        assert_eq!(reply["field"], "tag");
    }
}

#[test]
fn a_list_tells_what_tags_say() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let path = repository.path();
    repository.git(&["tag", "-a", "-m", "one", "v1"]);
    repository.git(&["tag", "light"]);
    repository.git(&["pack-refs", "--all"]);
    repository.git(&["tag", "-a", "-m", "two", "v2", "v1"]);
    let head = repository.head();
    let listed = daemon.ok(json!({"op": "tags", "path": path}));
    let [light, v1, v2] = [0, 1, 2].map(|it| listed["tags"][it].clone());
    assert_eq!(light, json!({"name": "light", "target": head, "annotated": false}));
    assert_eq!((&v1["target"], &v1["message"]), (&json!(head), &json!("one\n")));
    assert_eq!(v1["object"], id_of(&repository, "v1"));
    assert_eq!(v1["tagger"]["name"], "Grace Höpper");
    assert_eq!(v1["tagger"]["offset"], 120);
    assert_eq!((&v2["target"], &v2["message"]), (&json!(head), &json!("two\n")));
    let some = daemon.ok(json!({"op": "tags", "path": path, "pattern": "v*", "limit": 1}));
    assert_eq!((&some["tags"][0]["name"], &some["next"]), (&json!("v1"), &json!("v1")));
    let rest = json!({"op": "tags", "path": path, "pattern": "v*", "after": "v1"});
    let rest = daemon.ok(rest);
    assert_eq!((&rest["tags"][0]["name"], &rest["next"]), (&json!("v2"), &json!(null)));
}
