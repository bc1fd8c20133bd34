#![expect(clippy::disallowed_methods, reason = "stock git makes the trees to compare with")]

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use proptest::prelude::*;

use super::*;
use crate::git::{hash::object_id, pack::Kind as ObjectKind};

fn git(folder: &Path, arguments: &[&str], input: &str) -> Vec<u8> {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments);
    let mut git = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = git.wait_with_output().unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    output.stdout
}

fn entry(choice: u8) -> Entry {
    let id = Oid::from_bytes(&[choice | 1; HASH_BYTES]).unwrap();
    match choice % 3 {
        0 => folder(id),
        1 => Entry { mode: 0o100_644, id },
        _ => Entry { mode: 0o100_755, id },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Names that are one another's beginnings, as files and as folders.
    #[test]
    fn an_edited_tree_is_what_stock_git_makes_of_the_same_entries(
        steps in prop::collection::vec(
            prop::collection::btree_map("[a-b.~-]{1,4}", prop::option::of(any::<u8>()), 0..12),
            1..6,
        ),
    ) {
        let here = tempfile::tempdir().unwrap();
        git(here.path(), &["init", "-q", "--bare", "."], "");
        let (mut content, mut wanted) = (Vec::new(), BTreeMap::new());
        for step in &steps {
            let step: BTreeMap<&[u8], Option<Entry>> = step
                .iter()
                .filter(|(name, _)| *name != "." && *name != "..")
                .map(|(name, choice)| (name.as_bytes(), choice.map(entry)))
                .collect();
            content = edited(&content, &step).unwrap();
            for (name, entry) in step {
                match entry {
                    Some(entry) => drop(wanted.insert(name.to_vec(), entry)),
                    None => drop(wanted.remove(name)),
                }
            }
            for (name, entry) in &wanted {
                prop_assert_eq!(find(&content, name), Some(*entry));
            }
            prop_assert_eq!(entries(&content).count(), wanted.len());
        }
        let lines: String = wanted
            .iter()
            .map(|(name, it)| {
                let kind = if it.is_folder() { "tree" } else { "blob" };
                format!("{:06o} {kind} {}\t{}\n", it.mode, it.id, String::from_utf8_lossy(name))
            })
            .collect();
        let made = git(here.path(), &["mktree", "--missing"], &lines);
        let made = String::from_utf8(made).unwrap();
        prop_assert_eq!(made.trim(), object_id(ObjectKind::Tree, &content).to_string());
    }
}

#[test]
fn a_damaged_tree_is_not_edited() {
    for damaged in [&b"100644 a"[..], b"100644 a\0short", b"x", b"10064x a\0aaaaaaaaaaaaaaaaaaaa"] {
        assert_eq!(edited(damaged, &BTreeMap::new()), None, "{}", damaged.escape_ascii());
    }
}
