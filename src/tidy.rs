//! Rules about the source itself, checked like any other behaviour.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use crate::{
    error::Code,
    ops::{OPERATIONS, Subject},
};

/// Which modules may name which. Anything absent is forbidden.
const MAY_USE: &[(&str, &[&str])] = &[
    ("main", &["config", "dispatch", "git", "port", "runs", "shell", "snapshots"]),
    ("config", &["git"]),
    ("shell", &["config", "engine", "git", "port", "process"]),
    ("dispatch", &["config", "git", "ops", "port", "process", "runs", "stats"]),
    ("ops", &["config", "engine", "git", "port", "process", "runs", "snapshots", "stats"]),
    ("port", &[]),
    ("runs", &["engine", "git", "process"]),
    ("process", &["engine", "git"]),
    ("engine", &[]),
    ("git", &[]),
    ("snapshots", &[]),
    ("stats", &[]),
    ("memory", &[]),
    ("watch", &[]),
    ("id", &[]),
    ("error", &[]),
];

/// What everyone may use.
const COMMON: &[&str] = &["error", "id", "watch"];

/// What may lie at the top of the project, besides dot files.
const TOP: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "integration",
    "protocol",
    "src",
];

#[test]
fn modules_only_use_those_below() {
    for (path, text) in sources() {
        let module = module_of(&path);
        let allowed = MAY_USE.iter().find(|(name, _)| *name == module).map(|(_, it)| *it);
        let allowed = allowed.unwrap_or_else(|| panic!("give `{module}` a line in MAY_USE"));
        for used in used_modules(&text) {
            let is_fine = used == module || COMMON.contains(&&*used) || allowed.contains(&&*used);
            assert!(is_fine, "{path}: may not use `{used}`");
        }
    }
}

#[test]
fn only_the_git_module_knows_git() {
    for (path, text) in sources() {
        if !path.starts_with("src/git/") {
            assert!(!text.contains("git2::"), "{path}: go through `crate::git`");
        }
        // What a test compares with is no name that the program uses.
        let text = text.split("#[cfg(test)]").next().unwrap();
        if path != "src/git/refs.rs" && path != "src/git/example.rs" {
            assert!(!text.contains("\"refs/"), "{path}: name refs in src/git/refs.rs");
        }
    }
}

#[test]
fn files_begin_by_saying_what_they_are_and_end_in_time() {
    for (path, text) in sources() {
        assert!(text.starts_with("//! "), "{path}: begin with `//!`");
        assert!(text.lines().count() <= 400, "{path}: split it");
        for (index, line) in text.lines().enumerate() {
            assert!(line.chars().count() <= 100, "{path}:{}: wrap at 100", index + 1);
        }
    }
}

#[test]
fn functions_fit_on_a_screen() {
    for (path, text) in sources() {
        let mut start = None;
        for (index, line) in text.lines().enumerate() {
            let code = line.trim_start();
            let is_function = ["fn ", "pub fn ", "pub(super) fn ", "pub(crate) fn ", "const fn "];
            if is_function.iter().any(|it| code.starts_with(it)) && line.len() - code.len() <= 4 {
                start = Some((index, line.len() - code.len()));
            }
            if let Some((from, indent)) = start
                && line == format!("{}}}", " ".repeat(indent))
            {
                assert!(index - from <= 70, "{path}:{}: split the function", from + 1);
                start = None;
            }
        }
    }
}

#[test]
fn features_are_a_file_and_a_line_never_in_a_body() {
    for (path, text) in sources() {
        for line in text.lines().filter(|it| it.contains("cfg(feature")) {
            // As far in as the arms of a match, which are a list too.
            let indent = line.len() - line.trim_start().len();
            assert!(indent <= 12, "{path}: {}", line.trim());
        }
    }
}

#[test]
fn the_contract_has_a_row_for_every_operation_and_code() {
    let contract = fs::read_to_string("protocol/README.md").unwrap();
    let rows: Vec<&str> = contract.lines().filter_map(first_cell).collect();
    let operations = OPERATIONS.iter().map(|it| it.name).filter(|it| *it != "fault");
    for name in operations.chain(Code::ALL.iter().map(|it| it.as_str())) {
        let count = rows.iter().filter(|it| **it == name).count();
        assert_eq!(count, 1, "protocol/README.md: one row for `{name}`");
    }
}

#[test]
fn what_is_on_a_repository_in_the_contract_takes_a_workspace() {
    let contract = fs::read_to_string("protocol/README.md").unwrap();
    for entry in OPERATIONS {
        let row = format!("| `{}` | ", entry.name);
        let Some(row) = contract.lines().find_map(|line| line.strip_prefix(&row)) else { continue };
        let is_on_one = row.split([',', ' ']).next() == Some("R");
        assert_eq!(is_on_one, entry.subject == Subject::Repository, "{}", entry.name);
    }
}

#[test]
fn every_operation_has_a_file_of_vectors() {
    for name in OPERATIONS.iter().map(|it| it.name).filter(|it| *it != "fault") {
        let path = format!("protocol/vectors/{name}.txt");
        assert!(Path::new(&path).exists(), "write {path}");
    }
}

#[test]
fn every_operation_is_the_file_of_its_name() {
    for name in OPERATIONS.iter().map(|it| it.name) {
        let path = format!("src/ops/{}.rs", name.replace('.', "/"));
        let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("{path} is missing"));
        assert!(text.starts_with(&format!("//! `{name}`: ")), "{path}: say what `{name}` is");
    }
}

#[test]
fn every_module_is_on_the_map() {
    let map = fs::read_to_string("src/README.md").unwrap();
    for (path, _) in sources() {
        let name = path.trim_start_matches("src/");
        let is_there = map.contains(&format!("`{name}`")) || name.starts_with("ops/");
        assert!(is_there, "src/README.md: add `{name}` to the map");
    }
}

/// What is encrypted with ring needs no other library, which would need tools to be built.
#[test]
fn tls_needs_no_aws_lc() {
    assert!(!fs::read_to_string("Cargo.lock").unwrap().contains("name = \"aws-lc"));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "git itself tells which files are tracked")]
fn nothing_lies_around_at_the_top() {
    let listed = Command::new("git").args(["ls-files"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let top: BTreeSet<&str> = listed.lines().filter_map(|it| it.split('/').next()).collect();
    for name in top.iter().filter(|it| !it.starts_with('.')) {
        assert!(TOP.contains(name), "{name} does not belong at the top");
    }
}

/// The name in a row such as "| `head` | ... |".
fn first_cell(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split('`').next()
}

/// The files that ship: all of `src` but tests.
fn sources() -> Vec<(String, String)> {
    let mut files = Vec::new();
    collect(&mut files, Path::new("src"));
    files
}

fn collect(files: &mut Vec<(String, String)>, folder: &Path) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_str().unwrap().to_owned();
        if path.is_dir() {
            collect(files, &path);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") && name != "src/tidy.rs" {
            files.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

fn module_of(path: &str) -> &str {
    path.trim_start_matches("src/").trim_end_matches(".rs").split('/').next().unwrap()
}

/// The first segment of every `crate::a` and `crate::{a, b::c}`.
fn used_modules(text: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (start, _) in text.match_indices("crate::") {
        let rest = &text[start + "crate::".len()..];
        let Some(group) = rest.strip_prefix('{') else {
            used.insert(identifier(rest));
            continue;
        };
        let (mut depth, mut is_start) = (0, true);
        for (index, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => is_start = true,
                c if is_start && c.is_alphabetic() => {
                    is_start = false;
                    used.insert(identifier(&group[index..]));
                }
                _ => (),
            }
        }
    }
    used
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}
