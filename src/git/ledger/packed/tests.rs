use std::{collections::BTreeMap, fs};

use proptest::prelude::*;

use super::*;

fn id(byte: u8) -> Oid {
    Oid::from_bytes(&[byte; 20]).unwrap()
}

fn read(content: &[u8]) -> Packed {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(PACKED), content).unwrap();
    let mut packed = Packed::default();
    packed.refresh(folder.path()).unwrap();
    packed
}

proptest! {
    #[test]
    fn refs_are_what_they_were_last_said_to_be(
        steps in prop::collection::vec(
            prop::collection::btree_map(
                "refs/heads/[a-c/-]{1,4}",
                prop::option::of((1u8.., prop::option::of(1u8..))),
                0..10,
            ),
            1..6,
        ),
    ) {
        let (mut content, mut wanted) = (Vec::new(), BTreeMap::new());
        for step in &steps {
            let said = |it: &Option<(u8, Option<u8>)>| it.map(|(to, peeled)| (id(to), peeled.map(id)));
            let changes = step.iter().map(|(name, it)| (name.as_str(), said(it)));
            let with = read(&content).with(changes).unwrap();
            let again = Listing::read(with.content.clone()).unwrap();
            prop_assert_eq!(&with.lines, &again.lines);
            content = with.content;
            for (name, it) in step {
                match said(it) {
                    Some(it) => drop(wanted.insert(name.clone(), it)),
                    None => drop(wanted.remove(name)),
                }
            }
        }
        let mut file = "# pack-refs with: peeled fully-peeled sorted \n".to_owned();
        for (name, (to, peeled)) in &wanted {
            file += &format!("{to} {name}\n");
            file += &peeled.map_or(String::new(), |it| format!("^{it}\n"));
        }
        prop_assert_eq!(String::from_utf8(content.clone()).unwrap(), file);
        let packed = read(&content);
        for (name, (to, _)) in &wanted {
            prop_assert_eq!(packed.find(name.as_bytes()), Some(*to));
        }
        prop_assert_eq!(packed.find(b"refs/heads/none"), None);
    }
}

#[test]
fn a_file_that_another_program_did_not_sort_is_understood() {
    let content = format!("{} refs/heads/z\n^{}\n{} refs/heads/a\n", id(1), id(2), id(3));
    let packed = read(content.as_bytes());
    assert_eq!(packed.find(b"refs/heads/a"), Some(id(3)));
    assert_eq!(packed.find(b"refs/heads/z"), Some(id(1)));
    let with = packed.with([("refs/heads/b", Some((id(4), None)))]).unwrap();
    let with = with.content;
    let names: Vec<String> = read(&with).below("refs/heads").collect();
    assert_eq!(names, ["refs/heads/a", "refs/heads/b", "refs/heads/z"]);
    assert!(String::from_utf8(with).unwrap().contains(&format!("z\n^{}\n", id(2))));
}

#[test]
fn a_damaged_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for damaged in ["x", "0123 refs/heads/a\n", &format!("{}refs/heads/a\n", id(1))] {
        fs::write(folder.path().join(PACKED), damaged).unwrap();
        assert!(Packed::default().refresh(folder.path()).is_err(), "{damaged:?}");
    }
}
