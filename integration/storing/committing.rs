//! `commit` makes commits that stock git takes for its own, and answers when they are on disk.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use super::{ZEROS, bare, expect_sound};
use crate::{
    daemon::Daemon,
    repository::{Repository, varied},
};

const ADA: &str = "Ada Lovelace";

fn commit(daemon: &mut Daemon, path: &str, changes: Value) -> String {
    let author =
        json!({"name": ADA, "email": "ada@example.org", "time": 1_700_000_000, "offset": 120});
    let request = json!({
        "op": "commit", "path": path, "branch": "main", "message": "a message\n",
        "encoding": "utf8", "author": author, "committer": author, "changes": changes,
    });
    daemon.ok(request)["commit"].as_str().unwrap().to_owned()
}

#[test]
fn a_first_commit_is_made_onto_an_unborn_branch() {
    let repository = bare();
    let mut daemon = Daemon::start();
    let id =
        commit(&mut daemon, repository.path(), json!([{"file": "a/b.txt", "content": "text\n"}]));
    assert_eq!(repository.git(&["rev-parse", "main"]), id);
    assert_eq!(repository.git(&["show", "main:a/b.txt"]), "text");
    let shown = repository.git(&["log", "-1", "--format=%an <%ae> %ad|%cn|%B", "--date=raw"]);
    assert_eq!(shown, format!("{ADA} <ada@example.org> 1700000000 +0200|{ADA}|a message"));
    expect_sound(&repository);
}

#[test]
fn the_same_request_gives_the_commit_that_stock_git_would_make() {
    let repository = Repository::new();
    repository.write("a/b.txt", "text\n");
    repository.write("c", "other\n");
    repository.set_mode("c", 0o755);
    repository.link("d", "a/b.txt");
    repository.git(&["add", "-A"]);
    let tree = repository.git(&["write-tree"]);
    let other = bare();
    let changes = json!([
        {"file": "a/b.txt", "content": "text\n"},
        {"file": "d", "content": "a/b.txt", "mode": "120000"},
        {"file": "c", "content": "other\n", "mode": "100755"},
    ]);
    let id = commit(&mut Daemon::start(), other.path(), changes);
    assert_eq!(other.git(&["rev-parse", &format!("{id}^{{tree}}")]), tree);
    let person = "Ada Lovelace <ada@example.org> 1700000000 +0200";
    let raw = format!("tree {tree}\nauthor {person}\ncommitter {person}\n\na message\n");
    let hashed = other.git_with_input(&["hash-object", "-t", "commit", "--stdin"], raw.as_bytes());
    assert_eq!(String::from_utf8(hashed).unwrap().trim_end(), id);
}

#[test]
fn files_are_edited_deleted_renamed_and_change_their_mode() {
    let repository = bare();
    let mut daemon = Daemon::start();
    let path = repository.path();
    let files = ["edited", "deleted", "renamed", "mode", "deep/er/only"];
    let first: Vec<Value> =
        files.iter().map(|it| json!({"file": it, "content": format!("{it}\n")})).collect();
    commit(&mut daemon, path, json!(first));
    let changes = json!([
        {"file": "edited", "content": "new\n"},
        {"file": "deleted", "delete": true},
        {"file": "renamed", "rename": "folder/name", "mode": "100755"},
        {"file": "mode", "mode": "100755"},
        {"file": "deep/er/only", "delete": true},
        {"file": "deep.txt", "content": ""},
    ]);
    commit(&mut daemon, path, changes);
    let listed = repository.git(&["ls-tree", "-r", "--format=%(objectmode) %(path)", "main"]);
    let expected =
        ["100644 deep.txt", "100644 edited", "100755 folder/name", "100755 mode"].join("\n");
    assert_eq!(listed, expected);
    assert_eq!(repository.git(&["show", "main:edited"]), "new");
    assert_eq!(repository.git(&["show", "main:folder/name"]), "renamed");
    expect_sound(&repository);
}

#[test]
fn a_file_may_become_a_folder_in_one_commit() {
    let repository = bare();
    let mut daemon = Daemon::start();
    commit(&mut daemon, repository.path(), json!([{"file": "a", "content": "1"}]));
    let both = [json!({"file": "a", "delete": true}), json!({"file": "a/b", "content": "2"})];
    for (number, changes) in
        [json!([both[0], both[1]]), json!([both[1], both[0]])].iter().enumerate()
    {
        let branch = format!("b{number}");
        repository.git(&["branch", &branch, "main"]);
        daemon.ok(json!({
            "op": "commit", "path": repository.path(), "branch": branch, "message": "m",
            "encoding": "utf8", "changes": changes,
        }));
        assert_eq!(repository.git(&["show", &format!("{branch}:a/b")]), "2");
    }
    expect_sound(&repository);
}

#[test]
fn changes_that_cannot_be_made_are_refused_and_change_nothing() {
    let repository = bare();
    let mut daemon = Daemon::start();
    let files = json!([{"file": "a", "content": "1"}, {"file": "f/b", "content": "2"}]);
    let id = commit(&mut daemon, repository.path(), files);
    let cases = [
        ("bad_request", json!([{"file": "f", "content": "x"}])),
        ("bad_request", json!([{"file": "a/b", "content": "x"}])),
        ("bad_request", json!([{"file": "n", "content": "x"}, {"file": "n", "content": "y"}])),
        ("bad_request", json!([{"file": "n", "content": "x"}, {"file": "n/m", "content": "y"}])),
        ("bad_request", json!([{"file": "a", "rename": "n"}, {"file": "n", "content": "y"}])),
        ("bad_request", json!([{"file": "n"}])),
        ("bad_request", json!([{"file": "n", "content": "x", "delete": true}])),
        ("bad_request", json!([{"file": "n", "content": "x", "mode": "40000"}])),
        ("already_exists", json!([{"file": "a", "rename": "f/b"}])),
        ("not_found", json!([{"file": "n", "delete": true}])),
        ("not_found", json!([{"file": "n", "rename": "m"}])),
        ("not_found", json!([{"file": "n", "mode": "100755"}])),
        ("conflict", json!([])),
        ("conflict", json!([{"file": "a", "content": "1"}])),
    ];
    for (code, changes) in cases {
        let request = json!({
            "op": "commit", "path": repository.path(), "message": "m", "encoding": "utf8",
            "changes": changes,
        });
        daemon.refused(code, request);
    }
    for name in [
        "../x",
        "/x",
        ".git/x",
        "a/../b",
        ".GIT",
        "git~1",
        ".g\u{200c}it/x",
        "",
        "x\0y",
        "x//y",
        "x/",
    ] {
        let changes = json!([{"file": name, "content": ""}]);
        let request =
            json!({"op": "commit", "path": repository.path(), "message": "m", "changes": changes});
        daemon.refused("denied", request);
    }
    assert_eq!(repository.git(&["rev-parse", "main"]), id);
    expect_sound(&repository);
}

#[test]
fn a_first_commit_without_a_file_is_a_conflict_unless_it_may_be_empty() {
    let repository = bare();
    let mut daemon = Daemon::start();
    for branch in ["main", "new"] {
        let mut request = json!({"op": "commit", "path": repository.path(), "branch": branch,
                                 "message": "m", "changes": []});
        daemon.refused("conflict", request.clone());
        request["empty"] = json!(true);
        daemon.ok(request);
    }
    expect_sound(&repository);
}

#[test]
fn a_branch_that_is_elsewhere_than_expected_is_a_conflict() {
    let repository = bare();
    let mut daemon = Daemon::start();
    let first = commit(&mut daemon, repository.path(), json!([{"file": "a", "content": "1"}]));
    let mut expecting = |expect: &str, branch: &str| {
        daemon.call(json!({
            "op": "commit", "path": repository.path(), "branch": branch, "expect": expect,
            "message": "m", "encoding": "utf8", "changes": [{"file": "a", "content": expect}],
        }))
    };
    let refused = expecting(ZEROS, "main");
    assert_eq!([&refused["expected"], &refused["actual"]], [&json!(ZEROS), &json!(first)]);
    let second = expecting(&first, "main")["ok"]["commit"].clone();
    assert_eq!(expecting(&first, "main")["actual"], second);
    assert_eq!(expecting(&first, "new")["actual"], ZEROS);
    assert!(expecting(ZEROS, "new")["ok"].is_object());
}

#[test]
fn many_commits_sent_at_once_are_all_made_in_their_order() {
    let repository = bare();
    let mut daemon = Daemon::start();
    for number in 0..300 {
        daemon.send(json!({
            "op": "commit", "id": number, "path": repository.path(), "branch": "main",
            "message": format!("{number}"), "encoding": "utf8",
            "changes": [{"file": format!("d{}/f{}", number % 7, number % 5), "content": format!("{number}")}],
        }));
    }
    assert!(daemon.receive_many(300).iter().all(|it| it["ok"].is_object()));
    let messages = repository.git(&["log", "--reverse", "--format=%s", "main"]);
    let expected: Vec<String> = (0..300).map(|it| it.to_string()).collect();
    assert_eq!(messages.lines().collect::<Vec<_>>(), expected);
    expect_sound(&repository);
    assert!(daemon.end().status.success());
    let left: Vec<_> =
        std::fs::read_dir(repository.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|it| it.to_str().unwrap().starts_with("gitport")), "{left:?}");
    expect_sound(&repository);
}

#[test]
fn no_branch_is_made_that_git_would_not_make() {
    let repository = Repository::of(&[("a", "1\n")]);
    let mut daemon = Daemon::start();
    let before = repository.git(&["for-each-ref"]);
    for name in ["HEAD", "refs/heads/HEAD", "-x", &"x".repeat(251)] {
        let changes = json!([{"file": "a", "content": ""}]);
        let commit = json!({"op": "commit", "path": repository.path(), "branch": name, "message": "m", "changes": changes});
        assert_eq!(daemon.refused("bad_request", commit)["field"], "branch");
        let merge = json!({"op": "merge", "path": repository.path(), "into": name, "from": "main"});
        assert_eq!(daemon.refused("bad_request", merge)["field"], "into");
    }
    assert_eq!(repository.git(&["for-each-ref"]), before);
}

#[test]
fn a_worktree_follows_its_branch_and_stays_clean() {
    let repository = Repository::of(&[("kept", "1\n"), ("edited", "1\n"), ("gone/x", "1\n")]);
    let mut daemon = Daemon::start();
    let changes = json!([
        {"file": "edited", "content": "2\n"},
        {"file": "gone/x", "delete": true},
        {"file": "new/x", "content": "3\n", "mode": "100755"},
    ]);
    commit(&mut daemon, repository.path(), changes);
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    assert_eq!(repository.read("edited"), "2\n");
    assert!(!repository.file("gone").exists());
    let mode = repository.file("new/x").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0o111);
}

#[test]
fn a_worktree_that_is_not_clean_is_named_and_left_alone() {
    let repository = Repository::of(&[("a", "1\n"), ("b", "1\n")]);
    let id = repository.head();
    let mut daemon = Daemon::start();
    repository.write("a", "mine\n");
    repository.write("staged", "mine\n");
    repository.git(&["add", "staged"]);
    let mut committing = |file: &str| {
        let changes = json!([{"file": file, "content": "2\n"}]);
        daemon.refused(
            "conflict",
            json!({"op": "commit", "path": repository.path(), "message": "m", "encoding": "utf8", "changes": changes}),
        )
    };
    assert_eq!(committing("b")["files"], json!(["a", "staged"]));
    repository.git(&["reset", "-q", "--hard"]);
    repository.write("untracked", "mine\n");
    assert_eq!(committing("untracked")["files"], json!(["untracked"]));
    assert_eq!(repository.read("untracked"), "mine\n");
    assert_eq!(repository.head(), id);
    assert_eq!(repository.git(&["status", "--porcelain"]), "?? untracked");
}

/// Requests that are refused wherever they are made, with their codes.
fn impossible() -> Vec<(&'static str, Value)> {
    let (long, longer) = ("x".repeat(4096), "x".repeat(4097));
    let link =
        |file: &str, content: &str| json!({"file": file, "content": content, "mode": "120000"});
    vec![
        ("denied", link(".gitmodules", "a")),
        ("denied", link("folder/.GitModules ", "a")),
        ("denied", link("gi7eba~1", "a")),
        ("denied", json!({"file": "link", "rename": "folder/.gitmodules"})),
        ("denied", json!({"file": "empty", "rename": "folder/.gitmodules", "mode": "120000"})),
        ("denied", json!({"file": ".gitmodules", "mode": "120000"})),
        ("bad_request", link("new", "")),
        ("bad_request", link("new", "a\0b")),
        ("bad_request", link("new", &long)),
        ("bad_request", json!({"file": "link", "content": ""})),
        ("bad_request", json!({"file": "empty", "mode": "120000"})),
        ("bad_request", json!({"file": "binary", "rename": "new", "mode": "120000"})),
        ("bad_request", json!({"file": longer, "content": ""})),
        ("bad_request", json!({"file": "link", "rename": format!("folder/{longer}")})),
        ("unsupported", json!({"file": "x/".repeat(513) + "x", "content": ""})),
        ("unsupported", json!({"file": "link", "rename": "x/".repeat(1_000_000) + "x"})),
        ("unsupported", json!({"file": "x/".repeat(1_000_000) + "x", "delete": true})),
    ]
}

#[test]
fn what_git_or_every_file_system_refuses_is_refused() {
    let origin = Repository::of(&[("empty", ""), ("binary", "a\0b"), (".gitmodules", "")]);
    origin.link("link", "empty");
    origin.commit("with a link");
    let mut daemon = Daemon::start();
    for repository in [&origin, &origin.bare()] {
        let before = repository.head();
        let request = |change: &Value| {
            json!({"op": "commit", "path": repository.path(), "branch": "main", "message": "m",
                   "encoding": "utf8", "changes": [change]})
        };
        for (code, change) in impossible() {
            let refused = daemon.refused(code, request(&change));
            let (key, value) = match code {
                "denied" => ("rule", "symbolic link"),
                "unsupported" => ("feature", "deep folders"),
                _ => ("field", "changes"),
            };
            assert_eq!(refused[key], value, "{change}: {refused}");
        }
        assert_eq!(repository.head(), before);
        // Longer than a name is here, but not everywhere.
        let long = json!({"file": "x".repeat(256), "content": "1"});
        match repository.file(".git").exists() {
            true => {
                daemon.refused("bad_request", request(&long));
                assert_eq!(repository.head(), before);
                assert_eq!(repository.git(&["status", "--porcelain"]), "");
            }
            false => drop(daemon.ok(request(&long))),
        }
        for file in [".gitattributes", ".gitignore", ".mailmap", "gitmod~5"] {
            let link = json!({"file": file, "content": "empty", "mode": "120000"});
            daemon.ok(request(&link));
        }
        expect_sound(repository);
    }
    let repository = Repository::of(&[("a", "")]);
    repository.link(".gitmodules", "a");
    let all = json!({"op": "commit", "path": repository.path(), "message": "m", "all": true});
    assert_eq!(daemon.refused("denied", all)["rule"], "symbolic link");
}

/// Each folder in another one takes its part of a thread's stack, whoever made it.
#[test]
fn folders_without_end_are_refused_wherever_they_come_from() {
    let origin = Repository::of(&[("a", "")]);
    let mut daemon = Daemon::start();
    let deep = "x/".repeat(512);
    let change = json!({"file": format!("{deep}x"), "content": "1"});
    let request = json!({"op": "commit", "path": origin.path(), "message": "m", "changes": [change], "encoding": "utf8"});
    daemon.ok(request);
    // One more, by stock git.
    let tree = origin.git(&["rev-parse", "HEAD^{tree}"]);
    let above = origin.git_with_input(&["mktree"], format!("040000 tree {tree}\tx\n").as_bytes());
    let above = String::from_utf8(above).unwrap();
    let files = json!({"op": "files", "path": origin.path(), "recursive": true, "pattern": "x"});
    let mut request = files.clone();
    request["rev"] = json!("HEAD");
    assert_eq!(daemon.ok(request.clone()), json!([format!("{deep}x")]));
    request["rev"] = json!(above.trim());
    assert_eq!(daemon.refused("unsupported", request)["feature"], "deep folders");
    let status = json!({"op": "status", "path": origin.path()});
    assert_eq!(daemon.refused("unsupported", status)["feature"], "deep folders");
    let next = origin.git(&["commit-tree", "-m", "m", "-p", "HEAD~1", above.trim()]);
    let other = origin.git(&["commit-tree", "-m", "m", "-p", "HEAD~1", "HEAD~1^{tree}"]);
    for (name, at) in [("next", &*next), ("other", &other), ("base", "HEAD~1")] {
        origin.git(&["branch", name, at]);
    }
    let bare = origin.bare();
    let repository = Repository::of(&[("a", "")]);
    let url = format!("file://{}", bare.path());
    repository.git(&["fetch", "-q", &url, "+refs/heads/*:refs/heads/o/*"]);
    repository.git(&["checkout", "-q", "-B", "main", "o/base"]);
    for request in [
        json!({"op": "merge", "path": bare.path(), "into": "other", "from": "next"}),
        json!({"op": "merge", "path": repository.path(), "from": "o/next"}),
        json!({"op": "checkout", "path": repository.path(), "sha": "o/next"}),
    ] {
        let refused = daemon.refused("unsupported", request);
        assert_eq!(refused["feature"], "deep folders", "{refused}");
    }
    let merge = json!({"op": "merge", "path": bare.path(), "into": "base", "from": "next"});
    assert_eq!(daemon.ok(merge)["merged"], "fast_forward", "without a look into it");
    daemon.ok(json!({"op": "checkout", "path": repository.path(), "sha": "o/main"}));
    assert_eq!(repository.read(&format!("{deep}x")), "1");
}

#[test]
fn no_name_of_a_change_leads_out() {
    let repository = Repository::of(&[("a", "1\n"), ("b", "2\n")]);
    let (outside, before) = (repository.beside("outside"), repository.head());
    let mut daemon = Daemon::start();
    let absolute = outside.to_str().unwrap();
    for name in [
        "../outside",
        "x/../../outside",
        absolute,
        "..",
        ".",
        "",
        "/",
        "./x",
        "x//y",
        "x/./y",
        ".git/hooks/pre-commit",
        ".GIT/config",
        "x/.git/y",
        "git~1/config",
        ".g\u{200c}it/config",
        ".git /config",
        ".git::$INDEX_ALLOCATION/config",
        "a\0b",
    ] {
        for change in [
            json!({"file": "a", "rename": name}),
            json!({"file": "a", "rename": name, "mode": "120000"}),
            json!({"file": name, "rename": "x"}),
            json!({"file": name, "content": "x"}),
            json!({"file": name, "delete": true}),
            json!({"file": name, "mode": "100755"}),
        ] {
            let request = json!({"op": "commit", "path": repository.path(), "message": "m",
                                 "encoding": "utf8", "changes": [change, {"file": "b", "content": "3"}]});
            let refused = daemon.refused("denied", request);
            assert!(refused["rule"].is_string(), "{change}: {refused}");
        }
    }
    assert_eq!(repository.head(), before);
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    assert!(!outside.exists());
    // A link that is there leads nowhere either: what would be below it has no place.
    repository.link("out", "..");
    repository.commit("with a link");
    let change = json!({"file": "a", "rename": "out/outside"});
    let request =
        json!({"op": "commit", "path": repository.path(), "message": "m", "changes": [change]});
    daemon.refused("bad_request", request);
    assert!(!outside.exists());
}

#[test]
fn all_takes_the_worktree_as_git_add_would() {
    let repository = Repository::of(&[
        (".gitignore", "ignored\n"),
        ("edited", "1\n"),
        ("deleted", "1\n"),
        ("staged", "1\n"),
        (".gitattributes", "*.dos text eol=crlf\n"),
    ]);
    repository.write("edited", "2\n");
    repository.remove("deleted");
    repository.write("staged", "2\n");
    repository.git(&["add", "staged"]);
    repository.write("new/x", "3\n");
    repository.write("ignored", "4\n");
    repository.write("lines.dos", "a\r\nb\r\n");
    repository.link("link", "edited");
    repository.git(&["stash", "create"]);
    let mut daemon = Daemon::start();
    let made =
        daemon.ok(json!({"op": "commit", "path": repository.path(), "message": "m", "all": true}));
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    assert_eq!(repository.head(), made["commit"].as_str().unwrap());
    let tree = repository.git(&["rev-parse", "HEAD^{tree}"]);
    repository.git(&["read-tree", "--empty"]);
    repository.git(&["add", "-A"]);
    assert_eq!(repository.git(&["write-tree"]), tree);
    expect_sound(&repository);
}

#[test]
fn a_relaxed_commit_says_so() {
    let repository = bare();
    let mut daemon = Daemon::start();
    let mut request = json!({
        "op": "commit", "path": repository.path(), "message": "m", "encoding": "utf8",
        "changes": [{"file": "a", "content": "1"}], "durability": "relaxed",
    });
    assert_eq!(daemon.ok(request.clone())["durability"], "relaxed");
    request["changes"][0]["content"] = json!("2");
    request["durability"] = json!("durable");
    assert_eq!(daemon.ok(request)["durability"], Value::Null);
}

#[test]
fn a_message_in_another_encoding_is_kept_byte_for_byte() {
    let repository = bare();
    let mut daemon = Daemon::start();
    let latin = crate::msgpack::bin(b"gr\xfc\xdfe\n");
    let mut request = json!({
        "op": "commit", "path": repository.path(), "message": latin,
        "changes": [{"file": "a", "content": ""}],
    });
    daemon.refused("bad_request", request.clone());
    request["message_encoding"] = json!("ISO-8859-1");
    daemon.ok(request);
    assert_eq!(repository.git(&["log", "-1", "--format=%s"]), "grüße");
}

#[test]
fn a_head_at_what_is_no_branch_needs_one_to_be_named() {
    let repository = varied();
    repository.git(&["tag", "v1"]);
    repository.git(&["symbolic-ref", "HEAD", "refs/tags/v1"]);
    let before = super::all_refs(&repository);
    let mut daemon = Daemon::start();
    let path = repository.path();
    let changes = json!([{"file": "a", "content": "1"}]);
    for (field, request) in [
        (
            "branch",
            json!({"op": "commit", "path": path, "message": "x", "encoding": "utf8",
                          "changes": changes}),
        ),
        ("into", json!({"op": "merge", "path": path, "from": "HEAD~1"})),
    ] {
        let reply = daemon.refused("bad_request", request);
        assert_eq!(reply["field"], field, "{reply}");
        assert!(reply["err"].as_str().unwrap().contains("refs/tags/v1"), "{reply}");
    }
    assert_eq!(super::all_refs(&repository), before);
    daemon.ok(json!({"op": "commit", "path": path, "branch": "main", "message": "x",
                     "encoding": "utf8", "changes": changes}));
    assert_eq!(repository.git(&["rev-parse", "v1"]), repository.git(&["rev-parse", "main~1"]));
}
