//! `read` gives the bytes that `git show` gives, whole or in ranges.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    msgpack::{bin, bytes},
    repository::{Repository, varied},
};

fn files_of(repository: &Repository, rev: &str) -> Vec<String> {
    let lines = repository.git_list(&["ls-tree", "-r", "-z", "--full-tree", rev]);
    let lines = lines.iter().map(|line| std::str::from_utf8(line).unwrap());
    let files = lines.filter_map(|line| line.strip_prefix("100")?.split_once('\t'));
    files.map(|(_, name)| name.to_owned()).collect()
}

fn content(repository: &Repository, rev: &str, file: &str) -> Vec<u8> {
    repository.git_bytes(&["cat-file", "blob", &format!("{rev}:{file}")])
}

#[test]
fn every_file_of_every_commit_is_what_git_shows() {
    let origin = varied();
    origin.git(&["tag", "-a", "v1", "-m", "tag", "HEAD~1"]);
    let packed = origin.cloned(&["--no-checkout"]);
    packed.git(&["repack", "-adfq", "--depth=50", "--window=50"]);
    let bare = origin.bare();
    let mut daemon = Daemon::start();
    for rev in ["HEAD", "main", "v1", "HEAD~2", "HEAD^", &origin.head(), &origin.head()[..9]] {
        for file in files_of(&origin, rev) {
            let expected = bin(&content(&origin, rev, &file));
            for repository in [&origin, &packed, &bare] {
                let request = json!({"op": "read", "path": repository.path(), "rev": rev,
                                     "file": file, "encoding": "binary"});
                assert_eq!(daemon.ok(request), expected, "{rev}:{file}");
            }
        }
    }
}

#[test]
fn a_bare_repository_is_read_at_its_head() {
    let bare = varied().bare();
    let request = json!({"op": "read", "path": bare.path(), "file": "README.md",
                         "encoding": "utf8"});
    assert_eq!(Daemon::start().ok(request), "# Varied\n\nAnother line.\n");
}

#[test]
fn many_files_come_in_the_order_asked_with_an_error_for_each_that_fails() {
    let repository = varied();
    let mut daemon = Daemon::start();
    for rev in [json!(null), json!("HEAD")] {
        let request = json!({"op": "read", "path": repository.path(), "rev": rev,
            "encoding": "utf8", "files": ["long.txt", "none", "config.yaml", "source", "../x",
                                          "link", "binary.bin", "config.yaml", "empty"]});
        let list = daemon.ok(request);
        let outcomes: Vec<(&str, &str)> = list
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| {
                assert_eq!(entry.get("content").is_some(), entry.get("err").is_none(), "{entry}");
                let outcome = entry.get("code").or(entry.get("content")).unwrap();
                (entry["file"].as_str().unwrap(), outcome.as_str().unwrap())
            })
            .collect();
        let long = repository.read("long.txt");
        let expected = [
            ("long.txt", &*long),
            ("none", "not_found"),
            ("config.yaml", "a: 1\n"),
            ("source", "bad_request"),
            ("../x", "denied"),
            ("link", "denied"),
            ("binary.bin", "invalid"),
            ("config.yaml", "a: 1\n"),
            ("empty", ""),
        ];
        assert_eq!(outcomes, expected);
    }
    let none = json!({"op": "read", "path": repository.path(), "files": []});
    let reply = daemon.call(none);
    assert!(reply["ok"] == json!([]) || reply["field"] == "files", "{reply}");
}

#[test]
fn hundreds_of_files_are_read_at_once() {
    let repository = Repository::new();
    for number in 0..600 {
        let file = format!("{:02}/{number}.yaml", number % 37);
        repository.write(&file, format!("number: {number}\n").repeat(number % 9));
    }
    repository.commit("many");
    repository.git(&["repack", "-adq"]);
    let files = files_of(&repository, "HEAD");
    let mut daemon = Daemon::start();
    for rev in [json!(null), json!("HEAD")] {
        let request = json!({"op": "read", "path": repository.path(), "rev": rev, "files": files,
                             "encoding": "utf8"});
        let expected: Vec<Value> = files
            .iter()
            .map(|file| json!({"file": file, "content": repository.read(file)}))
            .collect();
        assert_eq!(daemon.ok(request), json!(expected));
    }
}

/// Two versions of 300 KB, so that one of them is a delta once they are packed.
fn large() -> Repository {
    let repository = Repository::new();
    let text = (0..20_000).fold(String::new(), |mut text, line| {
        writeln!(text, "line {line} {}", line * 7919 % 10_007).unwrap();
        text
    });
    repository.write("large", &text);
    repository.commit("first");
    repository.write("large", text.replace("line 500 ", "row 500 "));
    repository.commit("second");
    repository
}

#[test]
fn ranges_are_the_bytes_between_them() {
    let repository = large();
    let packed = repository.cloned(&[]);
    packed.git(&["repack", "-adfq", "--depth=10"]);
    let whole = content(&repository, "HEAD", "large");
    let older = content(&repository, "HEAD~1", "large");
    let end = whole.len();
    let ranges = [
        (Some(0), Some(10)),
        (Some(1), Some(1)),
        (Some(5000), Some(70_000)),
        (Some(100_000), Some(3)),
        (Some(7), Some(3)),
        (None, Some(11)),
        (Some(end - 5), None),
        (Some(end - 5), Some(100)),
        (Some(end), Some(1)),
        (Some(end + 1000), Some(1000)),
        (Some(end + 1000), None),
        (Some(3), Some(0)),
        (Some(0), None),
    ];
    let mut daemon = Daemon::start();
    for (path, rev, content) in [
        (repository.path(), json!(null), &whole),
        (repository.path(), json!("HEAD"), &whole),
        (packed.path(), json!("HEAD"), &whole),
        (packed.path(), json!("HEAD~1"), &older),
    ] {
        for (offset, length) in ranges {
            let request = json!({"op": "read", "path": path, "file": "large", "rev": rev,
                "encoding": "binary", "offset": offset, "length": length});
            let from = offset.unwrap_or(0).min(content.len());
            let to = from.saturating_add(length.unwrap_or(usize::MAX)).min(content.len());
            assert!(bytes(&daemon.ok(request)) == content[from..to], "{offset:?} {length:?}");
        }
    }
}

#[test]
fn ranges_far_beyond_any_file_are_empty() {
    let repository = Repository::of(&[("a", "content")]);
    let mut daemon = Daemon::start();
    for rev in [json!(null), json!("HEAD")] {
        for (offset, length) in [(i64::MAX as u64, 1), (u64::MAX, u64::MAX), (7, u64::MAX)] {
            let request = json!({"op": "read", "path": repository.path(), "file": "a", "rev": rev,
                                 "offset": offset, "length": length});
            let reply = daemon.call(request);
            assert!(reply["ok"] == "" || reply["code"] == "bad_request", "{reply}");
        }
        let rest = json!({"op": "read", "path": repository.path(), "file": "a", "rev": rev,
                          "offset": 3, "length": u64::MAX, "encoding": "utf8"});
        assert_eq!(daemon.ok(rest), "tent");
    }
}

#[test]
fn a_large_file_read_in_pieces_is_the_whole() {
    let repository = large();
    let whole = content(&repository, "HEAD", "large");
    let mut daemon = Daemon::start();
    for rev in [json!(null), json!("HEAD")] {
        let mut pieces = Vec::new();
        loop {
            let request = json!({"op": "read", "path": repository.path(), "file": "large",
                "rev": rev, "encoding": "binary", "offset": pieces.len(), "length": 65_537});
            let piece = bytes(&daemon.ok(request));
            if piece.is_empty() {
                break;
            }
            pieces.extend(piece);
        }
        assert!(pieces == whole);
    }
}

#[test]
fn an_encoding_is_base64_binary_or_utf8() {
    let repository = Repository::of(&[("a", "grün\n")]);
    let mut daemon = Daemon::start();
    let mut read = |encoding: &str| {
        let path = repository.path();
        daemon.call(json!({"op": "read", "path": path, "file": "a", "encoding": encoding}))
    };
    assert_eq!(read("base64")["ok"], "Z3LDvG4K");
    assert_eq!(read("utf8")["ok"], "grün\n");
    assert_eq!(read("binary")["ok"], bin("grün\n".as_bytes()));
    for wrong in ["hex", "", "Base64"] {
        let reply = read(wrong);
        assert_eq!((&reply["code"], &reply["field"]), (&json!("bad_request"), &json!("encoding")));
    }
}

#[test]
fn a_range_that_cuts_a_character_is_no_utf8() {
    let repository = Repository::of(&[("a", "grün\n")]);
    let request = json!({"op": "read", "path": repository.path(), "file": "a", "length": 3,
                         "encoding": "utf8"});
    Daemon::start().refused("invalid", request);
}

#[test]
fn what_changed_on_disk_or_in_a_branch_is_read_the_next_time() {
    let repository = Repository::of(&[("a", "one")]);
    let mut daemon = Daemon::start();
    for content in ["two", "six", "ten"] {
        repository.write("a", content);
        repository.commit(content);
        if content == "six" {
            repository.git(&["repack", "-adq"]);
            repository.git(&["prune-packed"]);
        }
        for rev in [json!(null), json!("HEAD"), json!("main")] {
            let request = json!({"op": "read", "path": repository.path(), "file": "a", "rev": rev,
                                 "encoding": "utf8"});
            assert_eq!(daemon.ok(request), content);
        }
        let head = daemon.ok(json!({"op": "head", "path": repository.path()}));
        assert_eq!(head["sha"], repository.head());
    }
}
