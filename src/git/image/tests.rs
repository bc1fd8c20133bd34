#![expect(clippy::disallowed_methods, reason = "stock git judges what is written for it")]

use std::{
    fs,
    io::{Seek, Write},
    path::Path,
    process::Command,
};

use proptest::prelude::*;

use super::*;
use crate::git::hash::object_id;

/// A history of one tree: some blobs, and states that each are made out of the one before.
fn filled(blobs: &[Vec<u8>], edits: &[(u8, u8)]) -> Image {
    let mut image = Image::default();
    let ids: Vec<Oid> = blobs.iter().map(|it| object_id(Kind::Blob, it)).collect();
    for (id, blob) in ids.iter().zip(blobs) {
        image.add(*id, Kind::Blob, blob);
    }
    let mut names = vec![0usize; 40];
    let mut before: Option<(Oid, Vec<u8>)> = None;
    for (place, blob) in edits {
        names[usize::from(*place) % 40] = usize::from(*blob) % ids.len();
        let mut content = Vec::new();
        for (name, blob) in names.iter().enumerate() {
            content.extend_from_slice(format!("100644 file-{name:02}\0").as_bytes());
            content.extend_from_slice(ids[*blob].as_bytes());
        }
        let id = object_id(Kind::Tree, &content);
        image.add_like(
            id,
            Kind::Tree,
            &content,
            before.as_ref().map(|(id, it)| (*id, it.as_slice())),
        );
        before = Some((id, content));
    }
    image
}

fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git").current_dir(folder).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {said}");
}

/// Stock git reads it, and makes the very same index of it.
fn is_accepted(image: &Image) {
    let folder = tempfile::tempdir().unwrap();
    let (pack, hash) = image.pack();
    let place = folder.path().join(format!("pack-{hash}.pack"));
    fs::write(&place, &pack).unwrap();
    git(folder.path(), &["init", "-q", "--bare", "."]);
    let [place, index] =
        [place, folder.path().join("made.idx")].map(|it| it.to_str().unwrap().to_owned());
    git(folder.path(), &["index-pack", "--no-rev-index", "-o", &index, &place]);
    assert!(fs::read(&index).unwrap() == image.index(hash), "another index");
    fs::write(place.replace(".pack", ".idx"), image.index(hash)).unwrap();
    git(folder.path(), &["verify-pack", &place]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn stock_git_accepts_what_is_written(
        blobs in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..5000), 1..6),
        edits in prop::collection::vec(any::<(u8, u8)>(), 0..120),
        others in prop::collection::vec(any::<(u8, u8)>(), 0..120),
    ) {
        let mut image = filled(&blobs, &edits);
        is_accepted(&image);
        let (pack, hash) = image.pack();
        let read = Image::read(&pack, &image.index(hash)).unwrap();
        prop_assert_eq!(read.pack(), image.pack());
        prop_assert_eq!(read.index(hash), image.index(hash));
        image.absorb(&filled(&blobs, &others));
        image.absorb(&read);
        is_accepted(&image);
    }
}

#[test]
fn a_chain_of_differences_grows_without_end_where_packs_are_merged() {
    let tree = |state: usize| -> (Oid, Vec<u8>) {
        let mut content = Vec::new();
        for name in 0..20 {
            content.extend_from_slice(format!("100644 file-{name:02}\0").as_bytes());
            let changed = if name == state % 20 { state + 1 } else { 0 };
            content.extend_from_slice(&[(changed % 255) as u8 + 1; HASH_BYTES]);
        }
        (object_id(Kind::Tree, &content), content)
    };
    let mut merged = Image::default();
    for first in (0..320).step_by(40) {
        // Each begins with a whole tree, which in the merged one is a difference already.
        let mut image = Image::default();
        let (id, content) = tree(first);
        image.add(id, Kind::Tree, &content);
        for state in first + 1..=first + 40 {
            let ((before, old), (id, content)) = (tree(state - 1), tree(state));
            image.add_like(id, Kind::Tree, &content, Some((before, &old)));
        }
        merged.absorb(&image);
    }
    is_accepted(&merged);
}

#[test]
fn an_index_says_where_objects_are_beyond_two_gibibytes() {
    let at = [0, 0x7fff_fff3, 0x7fff_fff4, 0xffff_ffff];
    let placed =
        |(number, at)| Placed { id: [number; HASH_BYTES], at, sum: 7, base: None, depth: 0 };
    let objects = (1..).zip(at).map(placed).collect();
    let index = Image { objects, ..Image::default() }.index(Oid::ZERO_SHA1);
    let read: Vec<u32> = listed(&index).unwrap().into_iter().map(|(_, at, _)| at).collect();
    assert_eq!(read, at);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&index).unwrap();
    file.rewind().unwrap();
    let shown = Command::new("git").arg("show-index").stdin(file).output().unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    let shown = shown.lines().map(|it| it.split(' ').next().unwrap().parse::<u64>().unwrap());
    assert_eq!(shown.collect::<Vec<_>>(), at.map(|it| u64::from(it) + HEAD_BYTES as u64));
}

#[test]
fn what_is_taken_back_is_as_if_it_had_never_been() {
    let blobs = [b"one".to_vec(), b"two".to_vec()];
    let mut image = filled(&blobs, &[(1, 1)]);
    let before = image.pack();
    let mark = image.mark();
    let id = object_id(Kind::Blob, b"three");
    image.add(id, Kind::Blob, b"three");
    image.go_back(mark);
    assert_eq!(image.pack(), before);
    image.add(id, Kind::Blob, b"three");
    assert!(image.has(id));
    is_accepted(&image);
}
