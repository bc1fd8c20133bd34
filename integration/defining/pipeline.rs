//! `gitport process ci`: what changed is published when everything is right, and only then.

use std::fs;

use super::{SHIP, process, text};
use crate::repository::Repository;

const BILL: &str = "\
process_name: bill
process_version: \"2.1.0\"
steps:
  - step_id: ship
    call: ship
tests:
  shipped: [ship/pack, ship/send, '=done']
";

fn table(lines: &[&str]) -> String {
    let head = "| process | version | last published | change | tests | published |\n\
                | --- | --- | --- | --- | --- | --- |\n";
    head.to_owned() + &lines.concat()
}

#[test]
fn what_is_new_is_published_and_the_table_says_what_changed() {
    let repository = Repository::of(&[("ship.yaml", SHIP), ("bill.yaml", BILL)]);
    let folder = repository.file("");
    let dry = process(&folder, &["ci", "--dry-run"]);
    assert_eq!(dry.status.code(), Some(0), "{}", text(&dry.stderr));
    assert_eq!(
        text(&dry.stdout),
        table(&[
            "| bill | 2.1.0 |  | new | 1 of 1 passed, 100 % covered | would be |\n",
            "| ship | 1.0.0 |  | new | 1 of 1 passed, 100 % covered | would be |\n",
        ])
    );
    assert_eq!(repository.git(&["tag"]), "");
    assert!(text(&process(&folder, &["ci"]).stdout).contains("covered | yes |"));
    assert_eq!(repository.git(&["tag"]), "process/bill/v2.1.0\nprocess/ship/v1.0.0\n".trim_end());
    fs::write(folder.join("ship.yaml"), SHIP.replace("1.0.0", "1.1.0")).unwrap();
    let done = process(&folder, &["ci", "--junit", "report.xml"]);
    assert_eq!(
        text(&done.stdout),
        table(&[
            "| bill | 2.1.0 | 2.1.0 | none | 1 of 1 passed, 100 % covered |  |\n",
            "| ship | 1.1.0 | 1.0.0 | new version | 1 of 1 passed, 100 % covered | yes |\n",
        ])
    );
    assert!(repository.read("report.xml").starts_with("<?xml"));
}

/// What the steps of the example say to run.
fn commands() -> Vec<String> {
    let example = include_str!("../processes/pipeline.yml");
    let (mut commands, mut lines) = (Vec::new(), example.lines().peekable());
    while let Some(line) = lines.next() {
        let Some((before, command)) = line.split_once("run: ") else { continue };
        let (deep, mut block) = (before.len(), String::new());
        while let Some(more) = lines.next_if(|it| it.len() - it.trim_start().len() > deep) {
            block += more.trim_start();
            block.push(if command == ">" { ' ' } else { '\n' });
        }
        commands.push(if block.is_empty() { command.to_owned() } else { block });
    }
    commands
}

#[test]
fn the_example_of_a_pipeline_runs_as_it_stands() {
    let repository = Repository::of(&[("processes/ship.yaml", SHIP)]);
    let origin = Repository::init(&["--bare"]);
    repository.git(&["remote", "add", "origin", origin.path()]);
    let home = tempfile::TempDir::new().unwrap();
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_gitport")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let summary = home.path().join("summary");
    let [fetch, dry_run, publish] = commands().try_into().unwrap();
    for command in [&fetch, &dry_run, &publish] {
        let mut bash = crate::daemon::alone("bash", home.path());
        bash.args(["-eo", "pipefail", "-c", command]).current_dir(repository.path());
        let done = bash.env("PATH", &path).env("GITHUB_STEP_SUMMARY", &summary).output().unwrap();
        assert!(done.status.success(), "{command}: {}", text(&done.stderr));
    }
    let told = fs::read_to_string(&summary).unwrap();
    assert!(told.contains("| would be |") && told.contains("| yes |"), "{told}");
    assert_eq!(origin.git(&["tag"]), "process/ship/v1.0.0");
    assert_eq!(origin.git(&["notes", "--ref", "gitvan/definitions", "list"]).lines().count(), 1);
}

#[test]
fn one_that_is_wrong_keeps_all_from_being_published() {
    let repository = Repository::of(&[("bill.yaml", BILL), ("ship.yaml", SHIP)]);
    let folder = repository.file("");
    let expect_nothing = |change: &str| {
        let done = process(&folder, &["ci"]);
        assert_eq!(done.status.code(), Some(1));
        assert!(text(&done.stdout).contains(change), "{}", text(&done.stdout));
        assert!(!text(&done.stdout).contains("| yes |"));
    };
    fs::write(folder.join("ship.yaml"), SHIP.replace("'=done'", "'=stuck'")).unwrap();
    expect_nothing("0 of 1 passed");
    fs::write(folder.join("ship.yaml"), SHIP.replace("process_version: \"1.0.0\"\n", "")).unwrap();
    expect_nothing("no `process_version`");
    assert_eq!(repository.git(&["tag"]), "");
    fs::write(folder.join("ship.yaml"), SHIP.replace("next:", "nxt:")).unwrap();
    expect_nothing("| ship.yaml |  |  | it cannot be read or played |");
    fs::write(folder.join("ship.yaml"), SHIP).unwrap();
    assert_eq!(process(&folder, &["ci"]).status.code(), Some(0));
    fs::write(folder.join("ship.yaml"), format!("# other\n{SHIP}")).unwrap();
    fs::write(folder.join("bill.yaml"), BILL.replace("2.1.0", "2.2.0")).unwrap();
    expect_nothing("| changed: give it a new version |");
    let both = format!("{SHIP}---\n{BILL}").replace("1.0.0", "1.2.0");
    fs::write(folder.join("ship.yaml"), both).unwrap();
    fs::remove_file(folder.join("bill.yaml")).unwrap();
    expect_nothing("more than one process in a file");
}

#[test]
fn what_cannot_be_published_is_told_before_anything_is() {
    let odd = SHIP.replace("ship\n", "a-ship\n").replace("1.0.0", "1.0.0+b1");
    let repository = Repository::of(&[("odd.yaml", &odd), ("ship.yaml", SHIP)]);
    for arguments in [&["ci", "--dry-run"][..], &["ci"]] {
        let done = process(&repository.file(""), arguments);
        assert_eq!(done.status.code(), Some(1), "{}", text(&done.stdout));
        assert!(text(&done.stdout).contains("| refused |"), "{}", text(&done.stdout));
    }
    assert_eq!(repository.git(&["tag"]), "");
}

#[test]
fn what_is_wrong_is_told_to_github_and_in_files() {
    let failing = SHIP.replace("'=done'", "'=stuck'");
    let repository = Repository::of(&[("ship.yaml", &failing)]);
    let reports = ["ci", "--format", "github", "--sarif", "report.sarif", "--junit", "report.xml"];
    let done = process(&repository.file(""), &reports);
    assert_eq!(done.status.code(), Some(1));
    assert!(text(&done.stderr).contains("::error file=ship.yaml,line=8"), "{}", text(&done.stderr));
    assert!(repository.read("report.sarif").contains("\"2.1.0\""));
    assert!(repository.read("report.xml").contains("<failure"));
}

#[test]
fn a_folder_that_is_not_there_yet_is_a_store_without_anything() {
    let repository = Repository::of(&[("ship.yaml", SHIP)]);
    let done = process(&repository.file(""), &["ci", "--folder", "store"]);
    assert_eq!(done.status.code(), Some(0), "{}", text(&done.stderr));
    assert!(repository.file("store/ship/ship_v1.0.0.yaml").is_file());
}

#[test]
fn what_was_published_goes_to_a_remote_with_tags_and_notes_and_is_known_in_the_next_clone() {
    let first = Repository::of(&[("ship.yaml", SHIP)]);
    let remote = first.bare();
    let refs = ["refs/tags/process/*", "refs/notes/gitvan/*"].map(|it| format!("{it}:{it}"));
    first.git(&["remote", "add", "origin", remote.path()]);
    assert_eq!(process(&first.file(""), &["ci"]).status.code(), Some(0));
    first.git(&["push", "-q", "--atomic", "origin", &refs[0], &refs[1]]);
    let next = remote.cloned(&[]);
    next.git(&["fetch", "-q", "origin", &refs[1]]);
    let done = process(&next.file(""), &["ci"]);
    assert!(text(&done.stdout).contains("| ship | 1.0.0 | 1.0.0 | none |"), "{done:?}");
    next.write("ship.yaml", SHIP.replace("1.0.0", "1.0.1"));
    assert_eq!(process(&next.file(""), &["ci"]).status.code(), Some(0));
    next.git(&["push", "-q", "--atomic", "origin", &refs[0], &refs[1]]);
    let notes = remote.git(&["notes", "--ref=gitvan/definitions", "list"]);
    assert_eq!(notes.lines().count(), 2);
}
