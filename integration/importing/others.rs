//! Folders and bundles come in too.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use serde_json::json;

use super::{Place, import, stdout, with};
use crate::repository::{Repository, git_command, text};

#[test]
fn a_folder_becomes_one_commit() {
    let place = Place::new();
    let folder = place.path("folder");
    for path in ["a/b", "a/.git", ".git/objects", ".hidden"] {
        fs::create_dir_all(folder.join(path)).unwrap();
    }
    for path in ["a/b/c.txt", "a/.git/x", ".git/config", ".hidden/.x", "run"] {
        fs::write(folder.join(path), path).unwrap();
    }
    fs::set_permissions(folder.join("run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(place.path("secret"), "secret").unwrap();
    symlink(place.path("secret"), folder.join("link")).unwrap();
    symlink(place.path(""), folder.join("out")).unwrap();
    let mut daemon = place.daemon();
    let request = with(import("one", &json!({"folder": folder})), "message", "As it was");
    let report = daemon.ok(request.clone());
    assert_eq!((&report["states"], &report["files"]), (&json!(1), &json!(5)));
    let listed = place.git("one", &["ls-tree", "-r", "--format=%(objectmode) %(path)", "main"]);
    let expected =
        ["100644 .hidden/.x", "100644 a/b/c.txt", "120000 link", "120000 out", "100755 run"];
    assert_eq!(listed.lines().collect::<Vec<_>>(), expected);
    assert_eq!(place.git("one", &["show", "main:link"]), text(&place.path("secret")));
    assert_eq!(place.git("one", &["log", "-1", "--format=%s", "main"]), "As it was");
    assert_eq!(daemon.ok(request)["head"], report["head"]);
    place.git("one", &["fsck", "--strict"]);
    stdout(std::process::Command::new("mkfifo").arg(folder.join("pipe")));
    let refused = daemon.refused("invalid", import("two", &json!({"folder": folder})));
    assert_eq!(refused["path"], "pipe");
}

#[test]
fn a_file_that_is_larger_than_a_step_comes_in_whole() {
    let place = Place::new();
    let folder = place.path("folder");
    fs::create_dir(&folder).unwrap();
    for number in 0..5u8 {
        let content: Vec<u8> =
            (0..9 << 20).map(|it: u32| (it as u8).wrapping_mul(number)).collect();
        fs::write(folder.join(number.to_string()), content).unwrap();
    }
    let mut daemon = place.daemon();
    let report = daemon.ok(import("one", &json!({"folder": folder})));
    assert_eq!(report["bytes_before"], 5 * (9 << 20));
    let tree = place.git("one", &["ls-tree", "--name-only", "refs/gitvan/imports/import"]);
    assert_eq!(tree.lines().collect::<Vec<_>>(), ["import", "states"], "nothing waits any more");
    place.git("one", &["fsck", "--strict"]);
}

#[test]
fn a_bundle_brings_all_its_branches_and_tags() {
    let place = Place::new();
    let repository = Repository::of(&[("a", "1")]);
    repository.git(&["branch", "-m", "trunk"]);
    repository.git(&["tag", "-a", "v1", "-m", "one"]);
    repository.git(&["branch", "side"]);
    let first = repository.head();
    let bundle = place.path("it.bundle");
    repository.git(&["bundle", "create", "-q", text(&bundle), "--all", "HEAD"]);
    let mut daemon = place.daemon();
    // Two branches are where `HEAD` is.
    let request = with(import("one", &json!({"bundle": bundle})), "branch", "trunk");
    let report = daemon.ok(request.clone());
    assert_eq!((&report["branches"], &report["tags"]), (&json!(2), &json!(1)));
    assert_eq!((&report["head"], &report["created"]), (&json!(first), &json!(true)));
    place.git("one", &["fsck", "--strict"]);
    assert_eq!(place.git("one", &["rev-parse", "v1^{}"]), first);
    let again = daemon.ok(request);
    assert_eq!((&again["head"], &again["created"]), (&report["head"], &json!(false)));

    let branch = repository.git(&["symbolic-ref", "--short", "HEAD"]);
    repository.write("a", "2");
    let second = repository.commit("second");
    let since = format!("{first}..{}", branch.trim());
    repository.git(&["bundle", "create", "-q", text(&bundle), &since]);
    assert_eq!(daemon.ok(import("one", &json!({"bundle": bundle})))["head"], second);
    let refused = daemon.refused("conflict", import("two", &json!({"bundle": bundle})));
    assert_eq!(refused["expected"], first);
    let objects = fs::read_dir(place.repository("one").join("objects")).unwrap();
    assert!(objects.flatten().all(|it| !it.file_name().to_str().unwrap().starts_with("tmp_")));
    let packs = fs::read_dir(place.repository("one").join("objects/pack")).unwrap();
    assert!(packs.flatten().all(|it| it.path().extension().unwrap() != "keep"));
}

#[test]
fn a_bundle_moves_refs_forward_alone_and_all_or_none() {
    let place = Place::new();
    let repository = Repository::of(&[("a", "1")]);
    let bundle = place.path("it.bundle");
    let mut daemon = place.daemon();
    let request = import("one", &json!({"bundle": bundle}));
    repository.git(&["bundle", "create", "-q", text(&bundle), "--all"]);
    daemon.ok(request.clone());
    let before = place.git("one", &["for-each-ref"]);
    repository.git(&["branch", "new"]);
    repository.git(&["commit", "-q", "--amend", "-m", "another"]);
    repository.git(&["bundle", "create", "-q", text(&bundle), "--all"]);
    daemon.refused("conflict", request.clone());
    assert_eq!(place.git("one", &["for-each-ref"]), before);

    let whole = fs::read(&bundle).unwrap();
    for cut in [10, 60, whole.len() / 2, whole.len() - 1] {
        fs::write(&bundle, &whole[..cut]).unwrap();
        daemon.refused("invalid", import("two", &json!({"bundle": bundle})));
    }
    let mut torn = whole.clone();
    let middle = torn.len() - 40;
    torn[middle] ^= 0x55;
    fs::write(&bundle, &torn).unwrap();
    daemon.refused("invalid", import("two", &json!({"bundle": bundle})));
    fs::write(&bundle, &whole).unwrap();
    daemon.ok(import("two", &json!({"bundle": bundle})));
    stdout(git_command(&place.repository("two")).args(["fsck", "--strict"]));
}
