//! `diff` finds the changes that `git diff` finds, and writes them as it does.

use std::fmt::Write;

use serde_json::{Value, json};

use super::{Dates, Dice, random_history};
use crate::{
    daemon::Daemon,
    msgpack::bytes,
    repository::{Repository, varied},
};

/// The entries that git tells, in our words.
fn entries(repository: &Repository, arguments: &[&str]) -> Vec<Value> {
    let diff = |format: &[&str]| {
        let command = [&["diff", "-z", "-M", "--no-abbrev"], format, arguments].concat();
        let fields = repository.git_bytes(&command);
        let text = String::from_utf8(fields).unwrap();
        text.trim_end_matches('\0').split('\0').map(str::to_owned).collect::<Vec<String>>()
    };
    let mut raw = diff(&["--raw"]).into_iter();
    let mut counts = diff(&["--numstat"]).into_iter();
    let mut entries = Vec::new();
    while let Some(head) = raw.next().filter(|head| !head.is_empty()) {
        let fields: Vec<&str> = head.trim_start_matches(':').split(' ').collect();
        let mut entry = json!({"status": word(fields[4])});
        let first = raw.next().unwrap();
        let renamed = fields[4].starts_with(['R', 'C']);
        let file = if renamed { raw.next().unwrap() } else { first.clone() };
        entry["file"] = file.into();
        if renamed {
            entry["old_file"] = first.into();
        }
        let count = counts.next().unwrap();
        let count: Vec<&str> = count.split('\t').collect();
        if renamed {
            counts.by_ref().take(2).for_each(drop);
        }
        entry["old_mode"] = fields[0].into();
        entry["mode"] = fields[1].into();
        entry["old_sha"] = fields[2].into();
        entry["sha"] = fields[3].into();
        entry["binary"] = (count[0] == "-").into();
        entry["insertions"] = count[0].parse().unwrap_or(0).into();
        entry["deletions"] = count[1].parse().unwrap_or(0).into();
        entries.push(entry);
    }
    entries
}

fn word(letter: &str) -> &'static str {
    match &letter[..1] {
        "A" => "added",
        "D" => "deleted",
        "M" => "modified",
        "R" => "renamed",
        "C" => "copied",
        "T" => "type_changed",
        other => panic!("git says {other}"),
    }
}

/// The daemon's entries with ids written as git writes them.
fn as_git_writes(mut reply: Value) -> Vec<Value> {
    for entry in reply["entries"].as_array_mut().unwrap() {
        for key in ["old_sha", "sha"] {
            if entry[key].is_null() {
                entry[key] = "0".repeat(40).into();
            }
        }
        if entry.get("old_file").is_some_and(Value::is_null) {
            entry.as_object_mut().unwrap().remove("old_file");
        }
    }
    reply["entries"].as_array().unwrap().clone()
}

/// Compares range by range with stock git, entries and patch.
fn check(daemon: &mut Daemon, repository: &Repository, range: Option<&str>, paths: &[&str]) {
    let on_disk = range.is_none_or(|range| !range.contains(".."));
    let git_range = range.unwrap_or("HEAD");
    let arguments = [&[git_range, "--"], paths].concat();
    let mut request = json!({"op": "diff", "path": repository.path(), "range": range,
                             "patch": true});
    if !paths.is_empty() {
        request["paths"] = json!(paths);
    }
    let reply = daemon.ok(request.clone());
    let mut expected = entries(repository, &arguments);
    let mut found = as_git_writes(reply.clone());
    if on_disk {
        // Git does not tell the ids of what is only on disk.
        for entry in expected.iter_mut().chain(&mut found) {
            entry["sha"] = json!(null);
        }
    }
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found, expected, "{request}");
    }
    assert_eq!(found.len(), expected.len(), "{request}");
    let sum = |key: &str| -> u64 { expected.iter().map(|one| one[key].as_u64().unwrap()).sum() };
    assert_eq!(reply["insertions"], sum("insertions"));
    assert_eq!(reply["deletions"], sum("deletions"));
    assert_eq!(reply["next"], json!(null));
    let patch = repository.git_bytes(&[&["diff", "-M"], &arguments[..]].concat());
    let (patch, found) = (without_percents(&patch), without_percents(&bytes(&reply["patch"])));
    assert!(found == patch, "{request}\n--- gitport\n{found}\n--- git\n{patch}");
}

/// How similar two files are to a percent is a matter of taste; the rest of a patch is not.
fn without_percents(patch: &[u8]) -> String {
    let patch = String::from_utf8_lossy(patch);
    let lines = patch.split_inclusive('\n');
    lines
        .map(|line| if line.starts_with("similarity index ") { "similar\n" } else { line })
        .collect()
}

#[test]
fn two_commits_differ_as_git_says() {
    let repository = varied();
    let mut daemon = Daemon::start();
    for range in ["HEAD~2..HEAD", "HEAD~1..HEAD", "HEAD..HEAD~2", "HEAD..HEAD", "main~1...main"] {
        check(&mut daemon, &repository, Some(range), &[]);
    }
    check(&mut daemon, &repository, Some("HEAD~2..HEAD"), &["source", "README.md"]);
    check(&mut daemon, &repository.bare(), Some("HEAD~2..HEAD"), &[]);
    repository.git(&["checkout", "-q", "-b", "side", "HEAD~2"]);
    repository.write("side", "1\n");
    repository.commit("side");
    check(&mut daemon, &repository, Some("main...side"), &[]);
    check(&mut daemon, &repository, Some("side...main"), &[]);
    check(&mut daemon, &repository, Some("side..main"), &[]);
}

#[test]
fn random_histories_differ_as_git_says() {
    let mut daemon = Daemon::start();
    for seed in 51..54 {
        let repository = random_history(seed, 50, Dates::Rising);
        // Nothing is deleted on the way, so nothing can be taken for renamed in two ways.
        for range in ["main~5..main", "b0~3..b0", "b1~2..b1", "main~9..main~2", "b0~4...b0"] {
            check(&mut daemon, &repository, Some(range), &[]);
        }
        check(&mut daemon, &repository, Some("main~5..main"), &["d"]);
    }
}

#[test]
fn every_kind_of_change_is_named() {
    let repository = varied();
    let before = repository.head();
    repository.set_mode("config.yaml", 0o755);
    repository.remove("link");
    repository.write("link", "a file now\n");
    repository.remove("README.md");
    repository.link("README.md", "config.yaml");
    repository.write("binary.bin", [0, 1, 2, 3, 0, 200]);
    repository.git(&["mv", "long.txt", "folder-long.txt"]);
    repository.git(&["rm", "-q", "script.sh"]);
    repository.write("new/file", "no line end");
    repository.write("empty", "not any more\n");
    let after = repository.commit("changes");
    let mut daemon = Daemon::start();
    check(&mut daemon, &repository, Some(&format!("{before}..{after}")), &[]);
    check(&mut daemon, &repository, Some(&format!("{after}..{before}")), &[]);
}

#[test]
fn a_rename_with_changes_is_a_rename() {
    let repository = varied();
    let text = repository.read("long.txt");
    repository.remove("long.txt");
    repository.write("moved/away.txt", text.replace("line 7\n", "line seven\nand more\n"));
    repository.commit("moved");
    check(&mut Daemon::start(), &repository, Some("HEAD~1..HEAD"), &[]);
}

#[test]
fn hunks_are_cut_where_git_cuts_them() {
    let mut source = String::new();
    for number in 0..40 {
        writeln!(source, "fn name_{number}() {{\n    let a = {number};\n    call(a);\n}}\n")
            .unwrap();
    }
    let repository = Repository::of(&[("code.rs", &source)]);
    let mut dice = Dice(61);
    let mut daemon = Daemon::start();
    for round in 0..12 {
        let mut lines: Vec<String> =
            repository.read("code.rs").lines().map(str::to_owned).collect();
        for _ in 0..4 {
            let at = dice.below(lines.len() - 10);
            match dice.below(3) {
                0 => lines[at] = format!("    // round {round}"),
                1 => drop(lines.drain(at..at + 5)),
                _ => {
                    let copy: Vec<String> = lines[at..at + 5].to_vec();
                    lines.splice(at..at, copy);
                }
            }
        }
        repository.write("code.rs", lines.join("\n") + "\n");
        repository.commit("round");
        check(&mut daemon, &repository, Some("HEAD~1..HEAD"), &[]);
    }
}

#[test]
fn context_is_as_many_lines_as_wished() {
    let repository = varied();
    let mut daemon = Daemon::start();
    for context in [0, 1, 10, 1000] {
        let request = json!({"op": "diff", "path": repository.path(), "range": "HEAD~1..HEAD",
                             "patch": true, "context": context});
        let unified = format!("-U{context}");
        let patch = repository.git_bytes(&["diff", "-M", &unified, "HEAD~1..HEAD"]);
        assert_eq!(bytes(&daemon.ok(request)["patch"]), patch, "{context}");
    }
}

#[test]
fn the_patch_comes_only_when_wished() {
    let repository = varied();
    let request = json!({"op": "diff", "path": repository.path(), "range": "HEAD~1..HEAD"});
    assert_eq!(Daemon::start().ok(request).get("patch"), None);
}

#[test]
fn the_worktree_differs_as_git_says() {
    let repository = varied();
    let mut daemon = Daemon::start();
    check(&mut daemon, &repository, None, &[]);
    repository.write("README.md", "changed\n");
    repository.write("config.yaml", "staged\n");
    repository.git(&["add", "config.yaml"]);
    repository.write("config.yaml", "staged and changed\n");
    repository.write("added", "staged and new\n");
    repository.git(&["add", "added"]);
    repository.remove("long.txt");
    repository.set_mode("script.sh", 0o644);
    repository.write("untracked", "not told\n");
    check(&mut daemon, &repository, None, &[]);
    check(&mut daemon, &repository, Some("HEAD"), &[]);
    check(&mut daemon, &repository, Some("HEAD~1"), &[]);
    check(&mut daemon, &repository, None, &["README.md", "source"]);
}

#[test]
fn what_was_staged_and_taken_back_is_no_change() {
    let repository = varied();
    let before = repository.read("config.yaml");
    repository.write("config.yaml", "staged\n");
    repository.git(&["add", "config.yaml"]);
    repository.write("config.yaml", before);
    check(&mut Daemon::start(), &repository, None, &[]);
}

#[test]
fn pages_put_together_are_the_whole() {
    let repository = Repository::new();
    for number in 0..25 {
        repository.write(format!("{:02}", number), format!("{number}\n"));
    }
    repository.commit("first");
    for number in 0..25 {
        repository.write(format!("{:02}", number), format!("{number}\nmore\n"));
    }
    repository.commit("second");
    let whole = entries(&repository, &["HEAD~1..HEAD"]);
    let mut daemon = Daemon::start();
    for limit in [1, 10, 25, 26] {
        let mut seen = Vec::new();
        let mut patches = Vec::new();
        let mut after = json!(null);
        loop {
            let reply = daemon.ok(json!({"op": "diff", "path": repository.path(), "patch": true,
                "range": "HEAD~1..HEAD", "limit": limit, "after": after}));
            let page = as_git_writes(reply.clone());
            assert!(page.len() <= limit);
            assert_eq!(reply["insertions"], page.len());
            patches.extend(bytes(&reply["patch"]));
            seen.extend(page);
            after = reply["next"].clone();
            if after.is_null() {
                break;
            }
        }
        assert_eq!(seen, whole, "by {limit}");
        assert_eq!(patches, repository.git_bytes(&["diff", "HEAD~1..HEAD"]));
    }
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let repository = varied();
    let mut daemon = Daemon::start();
    for range in ["none", "none..HEAD", "HEAD..none", "HEAD...none"] {
        let request = json!({"op": "diff", "path": repository.path(), "range": range});
        daemon.refused("not_found", request);
    }
    let bare = repository.bare();
    daemon.refused("unsupported", json!({"op": "diff", "path": bare.path()}));
    repository.git(&["checkout", "-q", "--orphan", "apart"]);
    repository.commit("no relation");
    let request = json!({"op": "diff", "path": repository.path(), "range": "main...apart"});
    assert!(daemon.call(request)["code"].is_string());
}
