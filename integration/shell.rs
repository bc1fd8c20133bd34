//! At a shell the program explains itself, and every operation can be had as JSON.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    daemon::{PROGRAM, program},
    repository::{Repository, git_command, varied},
    servers::{
        http::HttpServer,
        origin::Origin,
        relay::{Kind, Relay},
    },
    terminal::{finish, on_a_terminal, run},
};

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

#[test]
fn call_prints_the_reply_as_json() {
    let repository = Repository::of(&[("a.yaml", "a: 1\n")]);
    let path = format!("path={}", repository.path());
    let head = run(&["call", "head", &path], "");
    assert!(head.status.success(), "{}", head.stderr);
    assert!(head.stdout.contains(&repository.head()), "{}", head.stdout);
    json_of(&head.stdout);

    let read = run(&["call", "read", &path, "files=[\"a.yaml\"]", "encoding=utf8"], "");
    assert!(json_of(&read.stdout).to_string().contains("a: 1"), "{}", read.stdout);
    let log = run(&["call", "log", &path, "limit=1", "paths=null"], "");
    assert!(log.status.success(), "{}{}", log.stdout, log.stderr);
    json_of(&log.stdout);
}

#[test]
fn call_takes_text_that_looks_like_json_where_text_is_wanted() {
    let repository = Repository::of(&[("1", "one\n"), ("true", "yes\n")]);
    let path = format!("path={}", repository.path());
    for (file, content) in [("1", "one\\n"), ("true", "yes\\n")] {
        let quoted = format!("file=\"{file}\"");
        let read = run(&["call", "read", &path, &quoted, "encoding=utf8"], "");
        assert!(read.stdout.contains(content), "{}{}", read.stdout, read.stderr);
    }
}

#[test]
fn a_call_that_fails_says_so_with_its_status() {
    let home = TempDir::new().unwrap();
    let path = format!("path={}", home.path().display());
    let failed = run(&["call", "head", &path], "");
    assert_eq!(failed.status.code(), Some(1));
    let printed = format!("{}{}", failed.stdout, failed.stderr);
    assert!(printed.contains("not_found"), "{printed}");
    let unknown = run(&["call", "heads", &path], "");
    assert!(!unknown.status.success());
    assert!(format!("{}{}", unknown.stdout, unknown.stderr).contains("head"));
    assert!(!run(&["call", "head", "no equals sign"], "").status.success());
    assert!(!run(&["call"], "").status.success());
}

#[test]
fn call_syncs_too() {
    let origin = varied();
    let url = format!("url={}", origin.path());
    let clone = origin.beside("clone");
    let path = format!("path={}", clone.display());
    let synced = run(&["call", "sync", &url, "branch=main", &path], "");
    assert!(synced.status.success(), "{}{}", synced.stdout, synced.stderr);
    assert!(synced.stdout.contains(&origin.head()));
    assert!(clone.join("README.md").exists());
}

#[test]
fn a_sync_shows_how_it_gets_on_to_a_terminal_and_to_nobody_else() {
    let origin = Origin::large(100_000);
    let server = HttpServer::start(origin.folder());
    let relay = Relay::to(server.address());
    relay.fail_after(0, Kind::Slow);
    let url = server.url_at(&relay.address().to_string(), "open/project.git");
    let folder = TempDir::new().unwrap();
    let path = |name: &str| format!("path={}", folder.path().join(name).display());
    let words = |path: String| {
        ["call", "sync", "branch=main", &format!("url={url}"), &path].map(str::to_owned)
    };
    let shown = on_a_terminal(&format!("{PROGRAM} {}", words(path("shown")).join(" ")));
    assert!(shown.status.success(), "{}", shown.stdout);
    assert!(shown.stdout.contains("receiving"), "{}", shown.stdout);
    assert!(shown.stdout.contains(&origin.tip("main")), "{}", shown.stdout);

    let silent = words(path("silent"));
    let silent = run(&silent.each_ref().map(String::as_str), "");
    assert!(silent.status.success());
    assert_eq!(silent.stderr, "");
    assert_eq!(json_of(&silent.stdout), json!(origin.tip("main")));
}

#[test]
fn shell_answers_each_line_with_a_line() {
    let repository = Repository::of(&[("a.yaml", "a: 1\n")]);
    let path = repository.path();
    let lines = [
        json!({"op": "ping"}).to_string(),
        json!({"op": "files", "path": path, "id": 7}).to_string(),
        "no json".to_owned(),
        json!({"op": "nothing"}).to_string(),
        json!({"op": "ping", "id": "last"}).to_string(),
    ];
    let shell = run(&["shell"], &(lines.join("\n") + "\n"));
    let replies: Vec<Value> = shell.stdout.lines().map(json_of).collect();
    assert_eq!(replies.len(), lines.len(), "{}{}", shell.stdout, shell.stderr);
    let find = |wanted: &dyn Fn(&Value) -> bool| replies.iter().any(wanted);
    assert!(find(&|reply| *reply == json!({"ok": "pong"})), "{replies:?}");
    assert!(find(&|reply| *reply == json!({"id": 7, "ok": ["a.yaml"]})), "{replies:?}");
    assert!(find(&|reply| reply["code"] == "bad_request"), "{replies:?}");
    assert!(find(&|reply| reply["code"] == "unknown_operation"), "{replies:?}");
    assert!(find(&|reply| *reply == json!({"id": "last", "ok": "pong"})), "{replies:?}");
    assert!(shell.status.success());
}

#[test]
fn help_of_the_program_and_of_each_subcommand_tells_what_it_is_for() {
    let help = run(&["--help"], "");
    assert!(help.status.success());
    for word in ["serve", "call", "shell", "demo", "completions", "--root", "GITPORT_ROOT"] {
        assert!(help.stdout.contains(word), "{word} is not in\n{}", help.stdout);
    }
    for subcommand in ["serve", "call", "shell", "demo", "completions"] {
        for flag in ["--help", "-h"] {
            let help = run(&[subcommand, flag], "");
            assert!(help.status.success(), "{subcommand}");
            assert!(help.stdout.contains("Usage:"), "{subcommand}\n{}", help.stdout);
        }
    }
    let version = run(&["--version"], "");
    assert_eq!(version.stdout.trim(), format!("gitport {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_flag_nobody_knows_and_a_value_that_is_none_are_refused() {
    for arguments in [
        &["serve", "--rooot", "/tmp"][..],
        &["serve", "--workers", "0"],
        &["serve", "--workers", "many"],
        &["serve", "--transports", "carrier-pigeon"],
        &["serve", "--request-bytes-max", "99999999999"],
        &["wrong"],
    ] {
        let refused = run(arguments, "");
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}");
        assert!(refused.stdout.is_empty() && !refused.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_root_that_is_no_folder_is_refused_at_the_start() {
    let refused = run(&["serve", "--root", "/nowhere/at/all"], "");
    assert!(!refused.status.success());
    assert!(refused.stderr.contains("/nowhere/at/all"), "{}", refused.stderr);
    assert!(refused.stdout.is_empty());
}

#[test]
fn completions_are_a_script_that_the_shell_takes() {
    let script = run(&["completions", "bash"], "");
    assert!(script.status.success());
    assert!(script.stdout.contains("gitport"));
    let mut bash = Command::new("bash");
    let bash = bash.arg("-n").stdin(Stdio::piped()).spawn();
    let mut bash = bash.unwrap();
    std::io::Write::write_all(&mut bash.stdin.take().unwrap(), script.stdout.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
    for shell in ["zsh", "fish"] {
        assert!(run(&["completions", shell], "").stdout.contains("gitport"), "{shell}");
    }
}

#[test]
fn on_a_terminal_without_a_subcommand_it_explains_itself_and_ends() {
    let said = on_a_terminal(PROGRAM);
    for word in ["serve", "demo", "--help"] {
        assert!(said.stdout.contains(word), "{word} is not in\n{}", said.stdout);
    }
}

#[test]
fn the_demo_shows_requests_replies_and_times() {
    let demo = run(&["demo"], "");
    assert!(demo.status.success(), "{}{}", demo.stdout, demo.stderr);
    for word in [
        "sync",
        "files",
        "read",
        "head",
        "lsremote",
        "ping",
        "workspace.create",
        "commit",
        "merge",
        "note",
        "lock",
        "workspace.export",
        "process.publish",
        "run.start",
        "run.verify",
        "shutdown",
    ] {
        let row = format!("{{\"op\": \"{word}\"");
        assert!(demo.stdout.contains(&row), "{word} is not in\n{}", demo.stdout);
    }
    let rows =
        |kind: &str| demo.stdout.lines().filter(|it| it.trim_start().starts_with(kind)).count();
    assert_eq!(rows("request "), rows("reply "), "{}", demo.stdout);
    for row in demo.stdout.lines().filter(|it| it.trim_start().starts_with("reply ")) {
        let words: Vec<&str> = row.split_whitespace().collect();
        assert!(words[1].parse::<f64>().is_ok_and(|it| it >= 0.0), "no time in {row}");
        assert!(["µs", "ms"].contains(&words[2]), "no unit in {row}");
        assert!(["{\"ok\":", "{\"err\":", "{\"id\":"].contains(&words[3]), "{row}");
    }
    let (_, failed) = demo.stdout.split_once("{\"err\":").expect("one of them fails");
    let (failed, rest) = failed.split_once('}').unwrap();
    assert!(failed.contains("\"code\": \"not_found\""), "{failed}");
    let (_, failed) = rest.split_once("{\"err\":").expect("and one with an old token");
    let (failed, rest) = failed.split_once('}').unwrap();
    assert!(failed.contains("\"code\": \"conflict\""), "{failed}");
    assert!(!rest.contains("\"err\":"), "{}", demo.stdout);
    assert!(!demo.stdout.contains('\u{1b}'), "no colours where nobody sees them");
    order_is_carried_out(&demo.stdout);
    let demo = on_a_terminal(&format!("{PROGRAM} demo"));
    assert!(demo.status.success() && demo.stdout.contains("sync"), "{}", demo.stdout);
}

/// What the demo tells of its last act: who did what, and the picture that stock git draws of it.
fn order_is_carried_out(said: &str) {
    let (before, graph) = said.split_once("git log --graph draws").expect("git draws it");
    for name in ["ann", "ben"] {
        let does = |line: &str| line.trim_start().starts_with(name) && line.contains("takes up");
        assert!(before.lines().any(does), "{name} does nothing in\n{before}");
    }
    for what in ["it is tried again", "approve: approved", "takes up review#1"] {
        assert!(before.contains(what), "{what} is not in\n{before}");
    }
    for what in ["|\\", "|/", "decide joins 2", "review joins 2", "the run ends", "fsck --strict"] {
        assert!(graph.contains(what), "{what} is not in\n{graph}");
    }
}

#[test]
fn the_demo_leaves_what_it_made_only_where_it_shall_be_kept() {
    let folder = TempDir::new().unwrap();
    let left = || fs::read_dir(folder.path()).unwrap().count();
    let demo = |arguments: &[&str]| {
        let home = TempDir::new().unwrap();
        let mut command = program(home.path());
        command.args(arguments).env("TMPDIR", folder.path());
        finish(command, &home, "")
    };
    assert!(demo(&["demo"]).status.success());
    assert_eq!(left(), 0);
    let kept = demo(&["demo", "--keep"]);
    assert_eq!(left(), 1, "{}", kept.stdout);
    let line = kept.stdout.lines().find_map(|it| it.trim().strip_prefix("cd ")).unwrap();
    let run = "refs/workflow/executions/order-17";
    let shown = git_command(Path::new(line)).args(["log", "--format=%s", run]).output().unwrap();
    assert!(String::from_utf8(shown.stdout).unwrap().starts_with("the run ends\n"));
}

#[test]
fn flags_may_come_from_the_environment() {
    let home = TempDir::new().unwrap();
    let mut command = program(home.path());
    command.args(["call", "hello"]).env("GITPORT_WAITING", "77");
    let hello = finish(command, &home, "");
    assert!(hello.stdout.contains("77"), "{}{}", hello.stdout, hello.stderr);
}

#[test]
fn an_operation_tells_what_it_takes_and_is_no_command() {
    let help = run(&["call", "commit", "--help"], "");
    assert!(help.status.success() && help.stdout.contains("message_encoding?"), "{}", help.stdout);
    let help = run(&["call", "--help"], "");
    assert!(help.status.success() && help.stdout.contains("KEY=VALUE"), "{}", help.stdout);
    let none = run(&["call", "nothing", "--help"], "");
    assert_eq!(none.status.code(), Some(2));
    let misused = run(&["head", "path=/srv/app"], "");
    assert_eq!(misused.status.code(), Some(2));
    assert!(misused.stderr.contains("gitport call head"), "{}", misused.stderr);
    let nearest = run(&["call", "export"], "");
    assert!(nearest.stdout.contains("workspace.export"), "{}", nearest.stdout);
}

#[test]
fn json_that_is_none_is_told_where_it_breaks_off() {
    let repository = varied();
    let path = format!("path={}", repository.path());
    let broken = run(&["call", "commit", &path, "message=m", r#"changes=[{file:"a"}]"#], "");
    assert_eq!(broken.status.code(), Some(1));
    assert!(broken.stderr.contains("line 1 column 3"), "{}", broken.stderr);
    let long = TempDir::new().unwrap();
    let file = long.path().join("changes");
    fs::write(&file, format!("[{}]", "1,".repeat(1 << 20))).unwrap();
    let argument = format!("changes@{}", file.display());
    let text = run(&["call", "commit", &path, "message=m", &argument], "");
    assert!(text.stdout.len() < 1000 && text.stderr.contains("$(cat "), "{}", text.stderr);
    let list = run(&["shell"], "[1]\n");
    assert!(list.stdout.contains("no map of `op`"), "{}", list.stdout);
}
