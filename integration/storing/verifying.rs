//! Damage is found and named, by stock git and without it.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    repository::{Repository, varied},
};

fn verify(repository: &Repository) -> Value {
    json!({"op": "verify", "path": repository.path()})
}

fn daemons() -> [Daemon; 2] {
    [Daemon::start(), Daemon::start_with(&["--git", "none"])]
}

/// Both kinds of daemon find a problem of one of these kinds.
#[track_caller]
fn expect_found(repository: &Repository, kinds: &[&str], object: Option<&str>) {
    for mut daemon in daemons() {
        let verified = daemon.ok(verify(repository));
        assert_eq!(verified["ok"], false, "{verified}");
        let problems = verified["problems"].as_array().unwrap();
        let is_it = |it: &&Value| {
            kinds.contains(&it["kind"].as_str().unwrap())
                && object.is_none_or(|id| it["object"] == id)
        };
        assert!(problems.iter().any(|it| is_it(&it)), "{verified}");
    }
}

fn loose(repository: &Repository, id: &str) -> PathBuf {
    repository.file(Path::new(".git/objects").join(&id[..2]).join(&id[2..]))
}

fn overwrite(file: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut content = fs::read(file).unwrap();
    change(&mut content);
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(file, content).unwrap();
}

#[test]
fn a_whole_repository_is_whole() {
    let repository = varied();
    for mut daemon in daemons() {
        let verified = daemon.ok(verify(&repository));
        assert_eq!(verified["ok"], true, "{verified}");
        assert_eq!(verified["problems"], json!([]));
        let count = repository.git(&["rev-list", "--all", "--objects", "--no-object-names"]);
        assert_eq!(verified["objects"], count.lines().count());
    }
}

#[test]
fn an_object_that_is_missing_is_found() {
    let repository = varied();
    let id = repository.git(&["rev-parse", "HEAD:long.txt"]);
    fs::remove_file(loose(&repository, &id)).unwrap();
    expect_found(&repository, &["missing"], Some(&id));
}

#[test]
fn an_object_that_is_damaged_is_found() {
    let repository = varied();
    let id = repository.git(&["rev-parse", "HEAD:long.txt"]);
    let other = loose(&repository, &repository.git(&["rev-parse", "HEAD:config.yaml"]));
    // Sound in itself, but another one's.
    overwrite(&loose(&repository, &id), |it| *it = fs::read(other).unwrap());
    expect_found(&repository, &["object"], Some(&id));
}

#[test]
fn a_pack_that_is_damaged_is_found() {
    let repository = varied();
    repository.git(&["repack", "-a", "-d", "-q"]);
    let packs = fs::read_dir(repository.file(".git/objects/pack")).unwrap().flatten();
    let pack = packs.map(|it| it.path()).find(|it| it.extension().unwrap() == "pack").unwrap();
    overwrite(&pack, |it| {
        let last = it.len() - 30;
        it[last] ^= 0xff;
    });
    expect_found(&repository, &["pack", "object"], None);
}

#[test]
fn a_ref_that_leads_nowhere_is_found() {
    let repository = varied();
    repository.write(".git/refs/heads/lost", format!("{}\n", "1".repeat(40)));
    for mut daemon in daemons() {
        let verified = daemon.ok(verify(&repository));
        let problems = verified["problems"].as_array().unwrap();
        let problem = problems.iter().find(|it| it["ref"] == "refs/heads/lost").unwrap();
        assert_eq!(problem["kind"], "missing", "{verified}");
        assert_eq!(problem["object"], "1".repeat(40), "{verified}");
        assert!(problems.iter().all(|it| it["kind"] == "missing"), "{verified}");
    }
}

#[test]
fn a_commit_that_nobody_signed_has_no_status() {
    let repository = varied();
    let mut daemon = Daemon::start();
    let mut request = verify(&repository);
    request["range"] = json!("HEAD");
    request["limit"] = json!(2);
    let first = daemon.ok(request.clone());
    assert_eq!(first["signatures"].as_array().unwrap().len(), 2);
    assert_eq!(first["signatures"][0]["object"], repository.head());
    assert_eq!(first["signatures"][0]["status"], Value::Null);
    request["after"] = first["next"].clone();
    request["fsck"] = json!(false);
    let rest = daemon.ok(request);
    assert_eq!(rest["signatures"].as_array().unwrap().len(), 1);
    assert_eq!(rest["next"], Value::Null);
}
