//! Repositories by the ids of a client's own.

mod luck;

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, program},
    processes::{PATIENCE, until},
    repository::{Repository, git_command, text},
};

/// A data directory that does not exist yet.
struct Data {
    base: TempDir,
}

impl Data {
    fn new() -> Data {
        Data { base: TempDir::new().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.base.path().canonicalize().unwrap().join("data")
    }

    fn daemon(&self) -> Daemon {
        Daemon::start_with(&["--data", text(&self.path())])
    }

    /// The names of everything in a folder of it.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path().join(folder)).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn create(id: impl Into<Value>) -> Value {
    json!({"op": "workspace.create", "workspace": id.into()})
}

fn on(op: &str, id: &str) -> Value {
    json!({"op": op, "workspace": id})
}

fn ids(listed: &Value) -> Vec<&str> {
    let entries = listed["workspaces"].as_array().unwrap().iter();
    entries.map(|it| it["workspace"].as_str().unwrap()).collect()
}

fn git(path: &str, arguments: &[&str]) -> String {
    let output = git_command(Path::new(path)).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Puts a history into a workspace, as a client with stock git would.
fn fill(path: &str, files: &[(&str, &str)]) -> Repository {
    let repository = Repository::of(files);
    repository.git(&["push", "-q", path, "main"]);
    repository
}

#[test]
fn a_workspace_is_a_bare_repository_that_stock_git_agrees_with() {
    let data = Data::new();
    let mut daemon = data.daemon();
    assert!(!data.path().exists(), "nothing is made before it is needed");
    let mut request = on("workspace.create", "team/Project");
    request["branch"] = json!("trunk");
    request["description"] = json!("A project.");
    let created = daemon.ok(request.clone());
    assert_eq!(created["workspace"], "team/Project");
    assert_eq!(created["branch"], "trunk");
    let path = created["path"].as_str().unwrap();
    assert_eq!(git(path, &["rev-parse", "--is-bare-repository"]), "true");
    assert_eq!(git(path, &["symbolic-ref", "HEAD"]), "refs/heads/trunk");
    for op in ["workspace.create", "workspace.import"] {
        let mut request = json!({"op": op, "workspace": "two", "branch": "HEAD"});
        if op == "workspace.import" {
            request["from"] = json!({"folder": text(&data.path())});
        }
        assert_eq!(daemon.refused("bad_request", request)["field"], "branch");
    }
    daemon.refused("not_found", on("workspace.info", "two"));
    git(path, &["fsck", "--strict"]);
    for (key, value) in [
        ("gc.auto", "0"),
        ("maintenance.auto", "false"),
        ("gc.packRefs", "false"),
        ("core.protectHFS", "true"),
        ("core.protectNTFS", "true"),
        ("core.logAllRefUpdates", "false"),
        ("receive.autogc", "false"),
    ] {
        assert_eq!(git(path, &["config", "--local", key]), value);
    }
    let mut there: Vec<_> = fs::read_dir(path).unwrap().map(|it| it.unwrap().file_name()).collect();
    there.sort();
    assert_eq!(there, ["HEAD", "config", "description", "objects", "refs"], "and no hook");
    let mode = data.path().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    daemon.refused("already_exists", request);
    daemon.refused("not_found", on("head", "team/Project"));
}

#[test]
fn whatever_takes_a_path_takes_an_id() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let path = daemon.ok(create("one"))["path"].as_str().unwrap().to_owned();
    let origin = fill(&path, &[("a.yaml", "1\n"), ("folder/b.yaml", "2\n")]);
    origin.write("a.yaml", "3\n");
    let head = origin.commit("second");
    origin.git(&["push", "-q", &path, "main"]);

    assert_eq!(daemon.ok(on("head", "one"))["sha"], head);
    for _ in 0..3 {
        let read = json!({"op": "read", "workspace": "one", "file": "a.yaml", "rev": "HEAD",
            "encoding": "utf8"});
        assert_eq!(daemon.ok(read), "3\n");
    }
    assert_eq!(daemon.ok(on("files", "one")), json!(["a.yaml"]));
    assert_eq!(daemon.ok(on("log", "one"))["commits"].as_array().unwrap().len(), 2);
    let diff = json!({"op": "diff", "workspace": "one", "range": "HEAD~1..HEAD"});
    assert_eq!(daemon.ok(diff)["insertions"], 1);
    daemon.refused("unsupported", on("status", "one"));
    daemon.refused("unsupported", json!({"op": "checkout", "workspace": "one", "sha": "HEAD"}));
    let batch = json!({"op": "batch", "requests": [on("head", "one"), on("head", "two")]});
    let replies = daemon.ok(batch);
    assert_eq!(replies[0]["ok"]["sha"], head);
    assert_eq!(replies[1]["code"], "not_found");

    let info = daemon.ok(on("workspace.info", "one"));
    assert_eq!((&info["head"], &info["branch"]), (&json!(head), &json!("main")));
    assert_eq!((&info["branches"], &info["tags"]), (&json!(1), &json!(0)));
    assert!(info["bytes"].as_u64().unwrap() > 0 && info["created_ms"].is_u64(), "{info}");
    assert_eq!(daemon.ok(json!({"op": "stats"}))["repositories"][&path]["errors"], 2);
}

#[test]
fn an_id_and_a_path_at_once_or_an_id_where_none_belongs_is_a_bad_request() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let path = daemon.ok(create("one"))["path"].clone();
    let both = json!({"op": "log", "workspace": "one", "path": path});
    assert_eq!(daemon.refused("bad_request", both)["field"], "workspace");
    let sync = json!({"op": "sync", "url": "/srv/x", "branch": "main", "workspace": "one"});
    assert_eq!(daemon.refused("bad_request", sync)["field"], "workspace");
    let path = json!({"op": "workspace.delete", "workspace": "one", "path": path});
    assert_eq!(daemon.refused("bad_request", path)["field"], "path");
    let mut daemon = Daemon::start();
    assert_eq!(daemon.refused("unsupported", on("head", "one"))["feature"], "workspaces");
    daemon.refused("unsupported", json!({"op": "workspace.list"}));
}

#[test]
fn errors_name_the_workspace_and_not_its_folder() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let path = daemon.ok(create("team/one"))["path"].as_str().unwrap().to_owned();
    let absent = daemon.refused("not_found", on("log", "team/none"));
    assert_eq!(absent["err"], "no workspace is called `team/none`");
    for (op, more) in [
        ("commit", json!({"message": "m", "changes": []})),
        ("note", json!({"target": "main", "content": ""})),
        ("tag", json!({"tag": "a"})),
        ("branch", json!({"branch": "a"})),
        ("merge", json!({"from": "a"})),
        ("lock", json!({"name": "a", "owner": "b"})),
        ("unlock", json!({"name": "a", "token": 1})),
        ("renew", json!({"name": "a", "token": 1, "ttl_ms": 1})),
        ("ref.update", json!({"updates": [{"ref": "refs/heads/a"}]})),
    ] {
        let mut request = on(op, "team/none");
        request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let absent = daemon.refused("not_found", request);
        assert_eq!(absent["err"], "no workspace is called `team/none`");
    }
    assert_eq!(daemon.stderr(), "");
    fs::write(Path::new(&path).join("config"), "[core\n").unwrap();
    let reply = daemon.call(on("log", "team/one"));
    let message = reply["err"].as_str().unwrap();
    assert!(message.contains("team/one") && !message.contains(text(&data.path())), "{message}");
}

#[test]
fn nothing_else_is_made_among_workspaces() {
    let data = Data::new();
    let origin = Repository::of(&[("a", "1")]);
    let mut daemon = data.daemon();
    daemon.ok(create("one"));
    for place in ["workspaces/two.git", "workspaces", "three", ""] {
        let path = data.path().join(place);
        let request = json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path});
        assert_eq!(daemon.refused("denied", request)["rule"], "data", "{place}");
    }
    assert_eq!(data.names("workspaces"), ["one.git"]);
}

#[test]
fn a_workspace_is_pushed_to_a_path_and_several_refs_as_one() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let path = daemon.ok(create("one"))["path"].as_str().unwrap().to_owned();
    let remote = Repository::init(&["--bare"]);
    let changes = json!([{"file": "a", "content": ""}]);
    let mut commit = on("commit", "one");
    commit["message"] = json!("first");
    commit["changes"] = changes;
    let id = daemon.ok(commit)["commit"].clone();
    let mut push = on("push", "one");
    push["url"] = json!(remote.path());
    push["refs"] = json!([{"from": "main"}]);
    daemon.ok(push.clone());
    push["refs"] = json!([{"from": "main", "to": "two"}, {"from": "main", "to": "three"}]);
    daemon.ok(push.clone());
    for branch in ["main", "two", "three"] {
        assert_eq!(remote.git(&["rev-parse", branch]), id);
    }
    git(&path, &["config", "core.sshCommand", "false"]);
    push["refs"] = json!([{"from": "main", "to": "four"}]);
    let refused = daemon.refused("unsupported", push);
    assert!(refused["err"].as_str().unwrap().contains("`core.sshcommand`"), "{refused}");
}

#[test]
fn every_id_is_a_folder_of_its_own_and_none_leads_anywhere() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let odd = [
        "a",
        "A",
        "%41",
        "é",
        "e\u{301}",
        "É",
        ".",
        "..",
        "...",
        ".git",
        "../x",
        "a/../b",
        "/etc/passwd",
        "a/b",
        "a%2fb",
        "a\\b",
        "con",
        "CON",
        "nul",
        "x.lock",
        "x.git",
        "a b",
        " ",
        "-rf",
        "--help",
        "a@1",
        "@",
        "~",
        "$HOME",
        "*",
        "\u{202e}abc",
        "🦀",
        "7f3a0c4e-0000-4000-8000-000000000001",
        "0",
        "007",
        "-1",
    ];
    for id in odd {
        daemon.ok(create(id));
    }
    daemon.ok(create(12));
    daemon.refused("already_exists", create("12"));
    let mut expected: Vec<&str> = odd.into_iter().chain(["12"]).collect();
    expected.sort_unstable();
    assert_eq!(ids(&daemon.ok(json!({"op": "workspace.list"}))), expected);
    let folders = data.names("workspaces");
    assert_eq!(folders.len(), expected.len());
    let folded: BTreeSet<String> = folders.iter().map(|it| it.to_lowercase()).collect();
    assert_eq!(folded.len(), folders.len(), "also where case makes no difference");
    assert!(folders.iter().all(|it| !it.starts_with('.')), "{folders:?}");
    assert_eq!(data.names("."), ["aside", "workspaces"]);
    for id in odd {
        assert_eq!(daemon.ok(on("workspace.info", id))["workspace"], id);
    }
    let long = "a".repeat(300);
    for id in ["", "a\0b", "a\nb", "\u{7f}", "\u{85}", &long] {
        assert_eq!(daemon.refused("bad_request", create(id))["field"], "workspace", "{id:?}");
    }
    let longest = "é".repeat(37);
    daemon.ok(create(longest));
    daemon.ok(create("b".repeat(200)));
    daemon.ok(on("workspace.delete", &"b".repeat(200)));
}

#[test]
fn lists_come_in_pages_in_the_order_of_ids() {
    let data = Data::new();
    let mut daemon = data.daemon();
    for number in 0..10 {
        daemon.ok(create(format!("p/{number}")));
    }
    fs::create_dir(data.path().join("workspaces/Stranger.git")).unwrap();
    fs::write(data.path().join("workspaces/notes.txt"), "").unwrap();
    let mut found: Vec<String> = Vec::new();
    let mut after = Value::Null;
    loop {
        let page = daemon.ok(json!({"op": "workspace.list", "limit": 3, "after": after}));
        found.extend(ids(&page).into_iter().map(str::to_owned));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    let expected: Vec<String> = (0..10).map(|number| format!("p/{number}")).collect();
    assert_eq!(found, expected);
    for _ in 0..4 {
        daemon.ok(on("workspace.delete", "p/3"));
        daemon.ok(create("p/3"));
    }
    let mut times: Vec<u64> = Vec::new();
    loop {
        let page = json!({"op": "workspace.list", "limit": 3, "deleted": true, "after": after});
        let page = daemon.ok(page);
        assert!(ids(&page).iter().all(|id| *id == "p/3"), "{page}");
        let entries = page["workspaces"].as_array().unwrap().iter();
        times.extend(entries.map(|it| it["deleted_ms"].as_u64().unwrap()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(times.len(), 4);
    assert!(times.is_sorted());
}

#[test]
fn what_is_deleted_is_gone_and_can_be_restored() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let path = daemon.ok(create("one"))["path"].as_str().unwrap().to_owned();
    let zeros = "0".repeat(40);
    let expecting = |it: &str| json!({"op": "workspace.delete", "workspace": "one", "expect": it});
    assert_eq!(daemon.refused("bad_request", expecting("main"))["field"], "expect");
    let conflict = daemon.refused("conflict", expecting(&"1".repeat(40)));
    assert_eq!(conflict["actual"], zeros);
    let head = fill(&path, &[("a", "1")]).head();
    daemon.ok(on("head", "one"));
    let expect = |sha: &str| json!({"op": "workspace.delete", "workspace": "one", "expect": sha});
    let conflict = daemon.refused("conflict", expect(&zeros));
    assert_eq!((&conflict["expected"], &conflict["actual"]), (&json!(zeros), &json!(head)));
    let first = daemon.ok(expect(&head))["deleted_ms"].clone();

    for op in ["head", "files", "log", "diff", "workspace.info", "workspace.delete"] {
        daemon.refused("not_found", on(op, "one"));
    }
    let read = json!({"op": "read", "workspace": "one", "file": "a", "rev": head});
    daemon.refused("not_found", read);
    assert_eq!(ids(&daemon.ok(json!({"op": "workspace.list"}))), [""; 0]);
    let mut info = on("workspace.info", "one");
    info["deleted_ms"] = first.clone();
    let info = daemon.ok(info);
    assert_eq!((&info["head"], &info["deleted_ms"]), (&json!(head), &first));

    daemon.ok(create("one"));
    daemon.refused("not_found", on("head", "one"));
    daemon.refused("already_exists", on("workspace.restore", "one"));
    daemon.ok(expect(&zeros));
    let restore =
        |time: &Value| json!({"op": "workspace.restore", "workspace": "one", "deleted_ms": time});
    daemon.refused("not_found", restore(&json!(1)));
    daemon.refused("not_found", on("workspace.restore", "two"));
    assert_eq!(daemon.ok(restore(&first))["deleted_ms"], first);
    assert_eq!(daemon.ok(on("head", "one"))["sha"], head);
    daemon.ok(on("workspace.delete", "one"));
    daemon.ok(on("workspace.restore", "one"));
    assert_eq!(daemon.ok(on("head", "one"))["sha"], head, "the last deletion is undone first");
}

#[test]
fn an_import_and_a_deletion_are_done_only_while_a_lock_is_held() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let state = Repository::of(&[("a", "1\n")]);
    let fenced = |op: &str, token: u64| {
        let mut request = on(op, "a");
        request["fence"] = json!({"lock": "l", "token": token});
        if op == "workspace.import" {
            request["from"] = json!({"folder": state.path()});
        }
        request
    };
    daemon.refused("not_found", fenced("workspace.import", 1));
    daemon.refused("not_found", fenced("workspace.delete", 1));
    assert!(data.names("workspaces").is_empty());
    let created = daemon.ok(create("a"));
    let path = created["path"].as_str().unwrap();
    daemon.refused("conflict", fenced("workspace.import", 1));
    let mut lock = on("lock", "a");
    lock["name"] = json!("l");
    lock["owner"] = json!("ada");
    assert_eq!(daemon.ok(lock)["token"], 1);
    daemon.refused("conflict", fenced("workspace.import", 2));
    assert_eq!(git(path, &["for-each-ref", "refs/heads"]), "");
    assert_eq!(daemon.ok(fenced("workspace.import", 1))["commits"], 1);
    daemon.refused("conflict", fenced("workspace.delete", 2));
    daemon.ok(fenced("workspace.delete", 1));
    daemon.refused("not_found", on("head", "a"));
    daemon.ok(on("workspace.restore", "a"));
    assert_eq!(git(path, &["show", "main:a"]), "1");
    assert!(!Path::new(path).join("refs/gitvan/locks/l.lock").exists());
    daemon.refused("conflict", fenced("workspace.delete", 2));
    daemon.ok(fenced("workspace.delete", 1));
}

#[test]
fn the_data_directory_is_inside_the_root_or_the_daemon_does_not_start() {
    let base = TempDir::new().unwrap();
    let base = base.path().canonicalize().unwrap();
    fs::create_dir(base.join("root")).unwrap();
    let root = base.join("root");
    let flags = |data: &Path| [format!("--root={}", text(&root)), format!("--data={}", text(data))];
    let inside = flags(&root.join("data"));
    let mut daemon = Daemon::start_with(&[&inside[0], &inside[1]]);
    daemon.ok(create("one"));
    daemon.ok(on("workspace.info", "one"));
    for data in [base.join("data"), root.join("../data"), PathBuf::from("data")] {
        let home = TempDir::new().unwrap();
        let output = program(home.path()).arg("serve").args(flags(&data)).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains("data directory"), "{errors}");
    }
    assert!(!base.join("data").exists());
}

#[test]
fn what_was_deleted_long_ago_is_removed_for_good() {
    let data = Data::new();
    let mut daemon = data.daemon();
    let deleted = |daemon: &mut Daemon| {
        let page = daemon.ok(json!({"op": "workspace.list", "deleted": true}));
        page["workspaces"].as_array().unwrap().clone()
    };
    for id in ["long ago", "just now"] {
        daemon.ok(create(id));
        daemon.ok(on("workspace.delete", id));
    }
    let month_ms = 30 * 24 * 60 * 60 * 1000;
    let found = deleted(&mut daemon);
    let time =
        found.iter().find(|it| it["workspace"] == "long ago").unwrap()["deleted_ms"].as_u64();
    let (time, folder) = (time.unwrap(), data.path().join("deleted"));
    let name = |time: u64| folder.join(format!("long%20ago@{time}.git"));
    for (age, is_kept) in [(month_ms - 600_000, true), (month_ms + 600_000, false)] {
        fs::rename(name(time), name(time - age)).unwrap();
        let done = daemon.ok(json!({"op": "maintain"}));
        assert_eq!(done["purged"], u64::from(!is_kept), "{done}");
        assert_eq!(deleted(&mut daemon).len(), 1 + usize::from(is_kept));
        if is_kept {
            fs::rename(name(time - age), name(time)).unwrap();
        }
    }
    let done = daemon.ok(json!({"op": "maintain", "purge_after_ms": 0}));
    assert_eq!((&done["purged"], deleted(&mut daemon).len()), (&json!(1), 0));
    let restore = json!({"op": "workspace.restore", "workspace": "just now"});
    daemon.refused("not_found", restore);
    assert_eq!((data.names("deleted"), data.names("aside")), (vec![], vec![]));
}

#[test]
fn a_daemon_removes_by_itself_what_was_deleted_long_ago() {
    let data = Data::new();
    let mut daemon = data.daemon();
    daemon.ok(create("old"));
    daemon.ok(create("new"));
    let old = daemon.ok(on("workspace.delete", "old"))["deleted_ms"].as_u64().unwrap();
    daemon.ok(on("workspace.delete", "new"));
    let folder = data.path().join("deleted");
    fs::rename(folder.join(format!("old@{old}.git")), folder.join("old@1000.git")).unwrap();
    let _other =
        Daemon::start_with(&["--data", text(&data.path()), "--maintain-every-ms", "60000"]);
    until("the old one is gone", PATIENCE, || data.names("deleted").len() == 1);
    daemon.ok(on("workspace.restore", "new"));
}
