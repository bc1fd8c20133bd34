//! Ids and folders lead to each other, and to nothing else.

use proptest::prelude::*;

use super::*;

fn id(text: &str) -> WorkspaceId {
    WorkspaceId::new(text).unwrap_or_else(|why| panic!("{text:?}: {why}"))
}

#[test]
fn every_byte_has_a_safe_name_of_its_own() {
    let mut seen = std::collections::HashSet::new();
    for byte in 0u8..0x80 {
        let text = char::from(byte).to_string();
        if char::from(byte).is_control() {
            assert!(WorkspaceId::new(&text).is_err(), "{text:?}");
            continue;
        }
        let folder = id(&text).folder();
        let is_safe =
            |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || "_-%".contains(it);
        assert!(folder.chars().all(is_safe), "{folder}");
        assert_eq!(WorkspaceId::of_folder(&folder), Some(id(&text)));
        assert!(seen.insert(folder));
    }
    for first in 0x80u8..=0xff {
        let folder = format!("%{first:02x}");
        assert_eq!(WorkspaceId::of_folder(&folder), None, "half a character is no id");
    }
}

#[test]
fn names_that_systems_take_for_something_else_are_escaped() {
    let check = |text: &str, folder: &str| {
        assert_eq!(id(text).folder(), folder);
        assert_eq!(WorkspaceId::of_folder(folder), Some(id(text)));
    };
    check("team/project-7", "team%2fproject-7");
    check("7f3a0c4e-0000-4000-8000-000000000001", "7f3a0c4e-0000-4000-8000-000000000001");
    check(".", "%2e");
    check("..", "%2e%2e");
    check("../x", "%2e%2e%2fx");
    check(".git", "%2egit");
    check("x.lock", "x%2elock");
    check("con", "%63on");
    check("lpt9", "%6cpt9");
    check("console", "console");
    check("A", "%41");
    check("é", "%c3%a9");
    check("a%2fb", "a%252fb");
}

#[test]
fn other_spellings_are_no_folders() {
    for name in ["", "A", "%41b%", "%4", "%zz", "%61", "a.b", "%2F", "%+1", "con", "%0a", "%00"] {
        assert_eq!(WorkspaceId::of_folder(name), None, "{name}");
    }
}

#[test]
fn ids_have_a_length() {
    assert!(WorkspaceId::new("").is_err());
    assert!(WorkspaceId::new(&"a".repeat(200)).is_ok());
    assert!(WorkspaceId::new(&"a".repeat(201)).is_err());
    assert!(WorkspaceId::new(&"A".repeat(75)).is_ok());
    assert!(WorkspaceId::new(&"A".repeat(76)).is_err());
}

#[test]
fn devices_have_other_folders() {
    for device in DEVICES {
        let folder = id(device).folder();
        assert!(!DEVICES.contains(&&*folder));
        assert_eq!(WorkspaceId::of_folder(&folder), Some(id(device)));
    }
}

proptest! {
    #[test]
    fn folders_tell_their_id_and_fit(text in "\\PC{1,60}") {
        if let Ok(id) = WorkspaceId::new(&text) {
            let folder = id.folder();
            prop_assert!(folder.len() <= FOLDER_BYTES_MAX);
            prop_assert_eq!(folder.to_lowercase(), folder.clone());
            prop_assert_eq!(WorkspaceId::of_folder(&folder), Some(id));
        }
    }

    #[test]
    fn two_ids_have_two_folders(one in "[aA%./é0-2]{1,8}", other in "[aA%./é0-2]{1,8}") {
        let (one, other) = (id(&one), id(&other));
        prop_assert_eq!(one == other, one.folder() == other.folder());
    }
}
