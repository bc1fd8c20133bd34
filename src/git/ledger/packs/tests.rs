//! Git clears up beside packs that are being written.

use std::{fs, process::Command};

use git2::Oid;
use tempfile::TempDir;

use super::PackFolder;
use crate::{
    error::Code,
    git::{hash::object_id, image::Image, pack::Kind},
};

#[test]
#[expect(clippy::disallowed_methods, reason = "stock git is what would take it away")]
fn git_leaves_what_is_being_written_where_it_is() {
    let folder = TempDir::new().unwrap();
    let git = |arguments: &[&str]| {
        let output = Command::new("git").arg("-C").arg(folder.path()).args(arguments).output();
        assert!(output.unwrap().status.success(), "{arguments:?}");
    };
    git(&["init", "-q", "--bare"]);
    let packs = PackFolder::of(folder.path());
    // By itself: what ends like an index and has a pack beside it is left alone anyway.
    let part = packs.aside(&packs.file("0123", "idx"));
    fs::write(&part, "half").unwrap();
    git(&["gc", "-q", "--prune=now"]);
    git(&["prune-packed", "-q"]);
    assert!(part.exists());
    packs.sweep(&[]);
    assert!(!part.exists());
}

#[test]
fn a_pack_that_cannot_be_put_is_not_what_was_asked_for() {
    let folder = TempDir::new().unwrap();
    let mut image = Image::default();
    let id: Oid = object_id(Kind::Blob, b"one");
    image.add(id, Kind::Blob, b"one");
    let error = PackFolder::of(&folder.path().join("gone")).put(&image, None).unwrap_err();
    assert_eq!(error.code, Code::Unavailable);
}

#[test]
fn a_rotten_pack_is_not_merged_into_one_that_looks_whole() {
    let folder = TempDir::new().unwrap();
    let packs = PackFolder::in_folder(folder.path());
    let names = [b"one", b"two", b"six"].map(|content| {
        let mut image = Image::default();
        image.add(object_id(Kind::Blob, content), Kind::Blob, content);
        packs.put_for_good(&image).unwrap()
    });
    let rotten = packs.file(&names[0], "pack");
    let mut content = fs::read(&rotten).unwrap();
    content[16] ^= 1;
    fs::write(&rotten, &content).unwrap();
    packs.roll_up(2, None).unwrap();
    assert_eq!(fs::read(&rotten).unwrap(), content);
    assert!(!names[1..].iter().any(|it| packs.file(it, "pack").exists()));
    assert_eq!(packs.names("idx").len(), 2);
}
