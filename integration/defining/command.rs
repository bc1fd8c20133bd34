//! The command line, as somebody who writes definitions uses it.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;
use tempfile::TempDir;

use super::{SHIP, process, text};
use crate::repository::Repository;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn lint_says_what_is_wrong_in_a_folder_and_ends_with_1() {
    let wrong = SHIP.replace("next: send", "next: sned");
    let folder =
        folder(&[("a/ship.yaml", &wrong), ("other.yaml", "key: value\n"), (".b/x.yaml", &wrong)]);
    let done = process(folder.path(), &["lint"]);
    assert_eq!(done.status.code(), Some(1));
    let said = text(&done.stdout);
    assert!(said.contains("a/ship.yaml:5:11") && said.contains("next: sned"), "{said}");
    assert!(!said.contains("other.yaml") && !said.contains(".b/"), "{said}");
    fs::write(folder.path().join("a/ship.yaml"), SHIP).unwrap();
    let done = process(folder.path(), &["lint", "a"]);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), "0 errors, 0 warnings\n"));
    for odd in ["/dev/zero", "a"] {
        symlink(odd, folder.path().join("odd.yaml")).unwrap();
        let done = process(folder.path(), &["publish", "odd.yaml", "--folder", "store"]);
        assert_eq!(done.status.code(), Some(2));
        assert!(text(&done.stderr).contains("odd.yaml: this is no file"), "{done:?}");
        fs::remove_file(folder.path().join("odd.yaml")).unwrap();
    }
    let done = process(folder.path(), &["lint", "none.yaml"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("none.yaml: No such file"), "{}", text(&done.stderr));
}

#[test]
fn warnings_fail_where_they_are_denied() {
    let odd = SHIP.replace("step_id: send\n", "step_id: send\n  - step_id: never\n");
    let folder = folder(&[("ship.yaml", &odd)]);
    let codes = ["", "--deny-warnings"].map(|flag| {
        let arguments: Vec<&str> = ["lint", flag].into_iter().filter(|it| !it.is_empty()).collect();
        process(folder.path(), &arguments)
    });
    let said = text(&codes[0].stdout);
    assert!(said.contains("warning"), "{said}");
    assert_eq!(codes.map(|it| it.status.code()), [Some(0), Some(1)]);
}

#[test]
fn test_tells_what_failed_and_what_no_test_came_to() {
    let folder = folder(&[("ship.yaml", SHIP)]);
    let done = process(folder.path(), &["test"]);
    assert_eq!(done.status.code(), Some(0));
    assert!(text(&done.stdout).contains("ship: 1 passed, steps 2/2, transitions 1/1"));
    let json = process(folder.path(), &["test", "--format", "json"]);
    assert_eq!(serde_json::from_slice::<Value>(&json.stdout).unwrap()["passed"], true);
    fs::write(folder.path().join("ship.yaml"), SHIP.replace("'=done'", "'=stuck'")).unwrap();
    let done = process(folder.path(), &["test"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stdout).contains("packed fails at ship.yaml:8:"), "{}", text(&done.stdout));
    let done = process(folder.path(), &["test", "--only", "ship.other"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("no test has `ship.other`"));
}

#[test]
fn graph_writes_a_picture_to_a_file_or_to_the_terminal() {
    let folder = folder(&[("ship.yaml", SHIP)]);
    let done = process(folder.path(), &["graph", "--output", "ship.svg"]);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(0), ""));
    assert!(fs::read_to_string(folder.path().join("ship.svg")).unwrap().starts_with("<svg"));
    let done = process(folder.path(), &["graph", "--format", "mermaid", "ship.yaml"]);
    assert!(text(&done.stdout).contains("flowchart"));
    let done = process(folder.path(), &["graph", "--process", "other"]);
    assert_eq!(done.status.code(), Some(1));
}

#[test]
fn publish_get_and_list_use_the_repository_around_a_folder_of_it() {
    let repository = Repository::of(&[("processes/ship.yaml", SHIP)]);
    let folder = repository.file("processes");
    for word in ["is published", "was published before"] {
        let done = process(&folder, &["publish", "ship.yaml"]);
        assert!(text(&done.stdout).starts_with(&format!("ship 1.0.0 {word}: sha256:")), "{done:?}");
    }
    assert_eq!(text(&process(&folder, &["list"]).stdout), "ship 1.0.0\n");
    let done = process(&folder, &["list", "shipp"]);
    assert_eq!((done.status.code(), text(&done.stdout)), (Some(1), ""));
    assert!(text(&done.stderr).contains("no process `shipp` is published here: `ship` is meant?"));
    let got = process(&folder, &["get", "ship@^1"]);
    assert_eq!(text(&got.stdout), SHIP);
    fs::write(folder.join("ship.yaml"), format!("# other\n{SHIP}")).unwrap();
    let done = process(&folder, &["publish", "ship.yaml"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("published already, with other bytes"));
}

#[test]
fn tests_beside_a_file_keep_it_from_being_published_when_they_fail() {
    let beside = "process_name: ship\ntests: {wrong: [pack, '=done']}\n";
    let folder = folder(&[("ship.yaml", SHIP), ("ship.test.yaml", beside)]);
    let done = process(folder.path(), &["publish", "ship.yaml", "--folder", "store"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("ship.test.yaml:2:"), "{done:?}");
}

#[test]
fn what_may_not_be_published_is_told_with_each_place() {
    let wrong = SHIP.replace("next: send", "next: sned").replace("step_id: send", "step_id: sent");
    let folder = folder(&[("ship.yaml", &wrong), ("store/.keep", "")]);
    let done = process(folder.path(), &["publish", "ship.yaml", "--folder", "store"]);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("ship.yaml:5:11: error[missing-target]"), "{done:?}");
    assert_eq!(text(&process(folder.path(), &["list", "--folder", "store"]).stdout), "");
    let done = process(folder.path(), &["list"]);
    assert_eq!(done.status.code(), Some(2));
    assert!(text(&done.stderr).contains("no Git repository is around this folder"));
}
