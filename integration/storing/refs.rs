//! Every ref is listed, once, with what stock git says of it.

use std::{collections::BTreeSet, fs};

use serde_json::{Value, json};

use super::all_refs;
use crate::{daemon::Daemon, repository::Repository};

/// All pages of so many.
fn pages(daemon: &mut Daemon, path: &str, prefix: &str, limit: usize) -> Vec<Value> {
    let (mut refs, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = daemon.ok(
            json!({"op": "refs", "path": path, "prefix": prefix, "limit": limit, "after": after}),
        );
        refs.extend(page["refs"].as_array().unwrap().iter().cloned());
        after = page["next"].clone();
        if after.is_null() {
            return refs;
        }
    }
}

#[test]
fn refs_are_those_that_git_lists() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    repository.git(&["tag", "-a", "-m", "one", "v1"]);
    repository.git(&["tag", "-a", "-m", "of a tag", "v2", "v1"]);
    repository.git(&["tag", "light"]);
    repository.git(&["pack-refs", "--all"]);
    repository.git(&["tag", "-a", "-m", "loose", "v3"]);
    repository.git(&["update-ref", "refs/odd/one", "HEAD:a"]);
    repository.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/heads/main"]);
    repository.git(&["symbolic-ref", "refs/remotes/origin/none", "refs/heads/none"]);
    repository.git(&["notes", "add", "-m", "note"]);
    let format = "--format=%(refname) %(objectname) %(*objectname) %(symref)";
    let expected = repository.git(&["for-each-ref", format]);
    for limit in [1, 2, 3, 10_000] {
        let refs = pages(&mut daemon, repository.path(), "", limit);
        let shown: Vec<String> = refs
            .iter()
            .map(|it| {
                let word = |key: &str| it.get(key).map_or("", |it| it.as_str().unwrap());
                format!("{} {} {} {}", word("name"), word("sha"), word("peeled"), word("symbolic"))
            })
            .collect();
        let trimmed = |it: &str| it.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        assert_eq!(trimmed(&shown.join("\n")), trimmed(&expected));
    }
    let tags = pages(&mut daemon, repository.path(), "refs/tags/v", 2);
    assert_eq!(tags.len(), 3);
    assert_eq!(tags[1]["peeled"], repository.head());
    assert!(pages(&mut daemon, repository.path(), "refs/none/", 2).is_empty());
}

#[test]
fn names_that_are_no_utf8_are_listed() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let head = repository.head();
    let line = [head.as_bytes(), b" refs/heads/caf\xe9\n"].concat();
    fs::write(repository.file(".git/packed-refs"), line).unwrap();
    let refs = daemon.ok(json!({"op": "refs", "path": repository.path()}))["refs"].clone();
    assert_eq!(refs.as_array().unwrap().len(), 2);
    assert!(!refs[0]["name"].is_string() && refs[0]["sha"] == json!(head), "{refs}");
    let branches = daemon.ok(json!({"op": "branches", "path": repository.path()}));
    assert_eq!(branches["branches"].as_array().unwrap().len(), 2);
}

#[test]
fn a_list_that_is_read_while_refs_are_packed_misses_none() {
    let (mut daemon, repository) = (Daemon::start(), Repository::of(&[("a", "a\n")]));
    let (head, count) = (repository.head(), 300);
    let all: BTreeSet<String> = (0..count).map(|it| format!("refs/heads/b{it:03}")).collect();
    for _ in 0..3 {
        let input: String = all.iter().map(|it| format!("update {it} {head}\n")).collect();
        repository.git_with_input(&["update-ref", "--stdin"], input.as_bytes());
        std::thread::scope(|scope| {
            let packing = scope.spawn(|| repository.git(&["pack-refs", "--all", "--prune"]));
            while !packing.is_finished() {
                let refs = pages(&mut daemon, repository.path(), "refs/heads/b", 10_000);
                assert_eq!(refs.len(), count);
            }
        });
        assert_eq!(pages(&mut daemon, repository.path(), "refs/heads/b", 7).len(), count);
        let input: String = all.iter().map(|it| format!("delete {it}\n")).collect();
        repository.git_with_input(&["update-ref", "--stdin"], input.as_bytes());
    }
    assert_eq!(all_refs(&repository).lines().count(), 1);
}
