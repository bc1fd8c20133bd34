use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
};

use rustix::fs::{Mode, OFlags, mkdirat, openat};
use tempfile::TempDir;

use super::{remove_any, remove_tree};

#[test]
fn a_folder_deeper_than_a_stack_or_the_open_descriptors_goes() {
    let place = TempDir::new().unwrap();
    let top = place.path().join("top");
    fs::create_dir(&top).unwrap();
    let mut at = openat(rustix::fs::CWD, &top, OFlags::DIRECTORY, Mode::empty()).unwrap();
    for depth in 0..30_000 {
        if depth % 1000 == 0 {
            openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RUSR).unwrap();
        }
        mkdirat(&at, "d", Mode::RWXU).unwrap();
        at = openat(&at, "d", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    remove_tree(&top).unwrap();
    assert!(!top.exists());
}

#[test]
fn names_that_are_taken_above_are_in_nobodys_way() {
    let place = TempDir::new().unwrap();
    let top = place.path().join("top");
    for branch in ["0", "1/0", "1/1/0", "2/3/0/0/0", "2/3/1/1", "2/4/0"] {
        fs::create_dir_all(top.join(branch)).unwrap();
        fs::write(top.join(branch).join("7"), "").unwrap();
    }
    for number in 4..20 {
        fs::write(top.join(number.to_string()), "").unwrap();
    }
    remove_tree(&top).unwrap();
    assert!(!top.exists());
}

#[test]
fn no_link_is_followed_and_closed_folders_are_opened() {
    let place = TempDir::new().unwrap();
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "").unwrap();
    let top = place.path().join("top");
    fs::create_dir_all(top.join("a/b/c")).unwrap();
    symlink(&outside, top.join("link")).unwrap();
    symlink(&outside, top.join("a/b/link")).unwrap();
    for closed in ["a/b/c", "a/b", "a", ""] {
        fs::set_permissions(top.join(closed), Permissions::from_mode(0o000)).unwrap();
    }
    remove_tree(&top).unwrap();
    assert!(!top.exists());
    assert!(outside.join("kept").exists());

    symlink(&outside, &top).unwrap();
    assert!(remove_tree(&top).is_err());
    assert!(outside.join("kept").exists());
}

#[test]
fn what_is_there_instead_of_a_folder_goes_and_not_what_it_leads_to() {
    let place = TempDir::new().unwrap();
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "").unwrap();
    let top = place.path().join("top");
    for target in [outside.as_path(), &outside.join("kept"), &outside.join("nothing")] {
        symlink(target, &top).unwrap();
        remove_any(&top).unwrap();
        assert!(fs::symlink_metadata(&top).is_err());
    }
    assert!(outside.join("kept").exists());
    fs::write(&top, "").unwrap();
    remove_any(&top).unwrap();
    assert!(!top.exists());
    fs::create_dir_all(top.join("a")).unwrap();
    remove_any(&top).unwrap();
    assert!(!top.exists());
    remove_any(&top).unwrap();
}
