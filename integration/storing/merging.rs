//! A merge is the one that stock git makes, and a conflict writes nothing.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use super::{all_refs, commit, expect_sound, id_of, text};
use crate::{
    daemon::Daemon,
    repository::{Repository, git_command},
};

const LINES: &str = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\n";

/// Two branches, `main` and `side`, that changed these files since they parted.
fn parted(base: &[(&str, &str)], ours: &[(&str, &str)], theirs: &[(&str, &str)]) -> Repository {
    let repository = Repository::of(base);
    for (branch, files) in [("side", theirs), ("main", ours)] {
        if branch == "side" {
            repository.git(&["checkout", "-q", "-b", branch]);
        } else {
            repository.git(&["checkout", "-q", branch]);
        }
        for (file, content) in files {
            match *content {
                "" => repository.remove(file),
                _ => repository.write(file, content),
            }
        }
        repository.commit(branch);
    }
    repository
}

fn merge(repository: &Repository, more: Value) -> Value {
    let mut request =
        json!({"op": "merge", "path": repository.path(), "into": "main", "from": "side"});
    request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    request
}

fn objects(repository: &Repository) -> String {
    repository.git(&["count-objects", "-v"])
}

#[test]
fn changes_of_both_sides_are_in_the_merge() {
    let theirs = LINES.replace("eight", "8");
    let ours = LINES.replace("one", "1");
    let repository = parted(
        &[("a", LINES), ("d/e", "e\n")],
        &[("a", &ours), ("new", "new\n")],
        &[("a", &theirs), ("d/f", "f\n")],
    )
    .bare();
    let mut daemon = Daemon::start();
    let expected = repository.git(&["merge-tree", "--write-tree", "main", "side"]);
    let (ours, theirs) = (id_of(&repository, "main"), id_of(&repository, "side"));
    let merged = daemon.ok(merge(&repository, json!({})));
    assert_eq!((&merged["merged"], &merged["tree"]), (&json!("merge"), &json!(expected)));
    assert_eq!(id_of(&repository, "main"), text(&merged["commit"]));
    assert_eq!(repository.git(&["log", "-1", "--format=%P", "main"]), format!("{ours} {theirs}"));
    assert_eq!(
        repository.git(&["log", "-1", "--format=%B", "main"]),
        "Merge branch 'side' into main"
    );
    expect_sound(&repository);
    let again = daemon.ok(merge(&repository, json!({"strategy": "no_ff"})));
    assert_eq!(again["merged"], "up_to_date");
    assert_eq!(again["commit"], merged["commit"]);
    let forward = json!({"into": "side", "from": "main", "strategy": "ff_only"});
    let forward = daemon.ok(merge(&repository, forward));
    assert_eq!(
        (&forward["merged"], &forward["commit"]),
        (&json!("fast_forward"), &merged["commit"])
    );
    assert_eq!(id_of(&repository, "side"), id_of(&repository, "main"));
}

#[test]
fn strategies_are_those_of_git() {
    let mut daemon = Daemon::start();
    let repository = parted(&[("a", "a\n")], &[("b", "b\n")], &[("c", "c\n")]).bare();
    let before = id_of(&repository, "main");
    daemon.refused("conflict", merge(&repository, json!({"strategy": "ff_only"})));
    daemon.refused("conflict", merge(&repository, json!({"expect": id_of(&repository, "side")})));
    assert_eq!(id_of(&repository, "main"), before);
    let who = json!({"name": "Ada", "email": "ada@example.org", "time": 1_700_000_000});
    let squash = json!({"strategy": "squash", "message": "all of it\n", "author": who});
    let squashed = daemon.ok(merge(&repository, squash));
    assert_eq!(squashed["merged"], "squash");
    assert_eq!(
        repository.git(&["log", "-1", "--format=%P %an %s", "main"]),
        format!("{before} Ada all of it")
    );
    daemon
        .ok(json!({"op": "branch", "path": repository.path(), "branch": "ahead", "from": "side"}));
    let made = daemon
        .ok(merge(&repository, json!({"into": "ahead", "from": "main", "strategy": "no_ff"})));
    assert_eq!(made["merged"], "merge");
    commit(&mut daemon, repository.path(), "ahead", "more", "more\n");
    let made = daemon.ok(merge(&repository, json!({"from": "ahead~1", "strategy": "no_ff"})));
    assert_eq!(made["merged"], "merge");
    assert_eq!(made["tree"], id_of(&repository, "ahead~1^{tree}"));
    let made = daemon.ok(merge(&repository, json!({"into": "ahead", "from": "main"})));
    assert_eq!(made["merged"], "merge");
    daemon.refused("not_found", merge(&repository, json!({"from": "none"})));
    daemon.refused("not_found", merge(&repository, json!({"into": "none"})));
    let reply = daemon.refused("bad_request", merge(&repository, json!({"into": "a..b"})));
    assert_eq!(reply["field"], "into");
    let reply = daemon.refused("bad_request", merge(&repository, json!({"from": "HEAD:a"})));
    assert_eq!(reply["field"], "from");
    expect_sound(&repository);
}

#[test]
fn a_conflict_shows_three_sides_and_writes_nothing() {
    let mut daemon = Daemon::start();
    let repository = parted(
        &[("both", LINES), ("gone", LINES), ("mode", "m\n"), ("place", "p\n")],
        &[("both", &LINES.replace("two", "2")), ("gone", ""), ("new", "ours\n"), ("place", "")],
        &[("both", &LINES.replace("two", "II")), ("gone", "changed\n"), ("new", "theirs\n")],
    );
    repository.write("place/below", "below\n");
    repository.commit("a folder");
    repository.git(&["checkout", "-q", "side"]);
    repository.write("place", "still a file\n");
    repository.commit("the file");
    let repository = repository.bare();
    let (refs, before) = (all_refs(&repository), objects(&repository));
    let refused = daemon.refused("conflict", merge(&repository, json!({"encoding": "utf8"})));
    let files = refused["files"].as_array().unwrap();
    let kinds: Vec<(&str, &str)> = files
        .iter()
        .map(|it| (it["file"].as_str().unwrap(), it["kind"].as_str().unwrap()))
        .collect();
    let expected = [("both", "content"), ("gone", "delete/modify"), ("new", "add/add")];
    assert_eq!(kinds[..3], expected, "{refused}");
    assert!(kinds[3].0.starts_with("place"), "{refused}");
    assert_eq!(kinds[3].1, "modify/folder");
    let both = &files[0];
    for (side, rev) in [("base", "main~2:both"), ("ours", "main:both"), ("theirs", "side:both")] {
        assert_eq!(both[side]["sha"], id_of(&repository, rev), "{side}");
        assert_eq!(both[side]["mode"], "100644");
        assert_eq!(
            both[side]["content"].as_str().unwrap().trim_end(),
            repository.git(&["show", rev])
        );
    }
    assert_eq!((&files[1]["ours"], &files[2]["base"]), (&Value::Null, &Value::Null));
    assert_eq!(files[1]["theirs"]["content"], "changed\n");
    assert_eq!((all_refs(&repository), objects(&repository)), (refs, before));
    let base64 = daemon.refused("conflict", merge(&repository, json!({})));
    assert_eq!(base64["files"][2]["ours"]["content"], "b3Vycwo=");
}

#[test]
fn a_side_that_is_favoured_wins_where_lines_conflict() {
    let mut daemon = Daemon::start();
    let [ours, theirs] = ["2", "II"].map(|it| LINES.replace("two", it));
    for (favor, line) in [("ours", "2"), ("theirs", "II"), ("union", "2\nII")] {
        let repository = parted(&[("a", LINES)], &[("a", &ours)], &[("a", &theirs)]).bare();
        daemon.ok(merge(&repository, json!({"favor": favor})));
        let expected = LINES.replace("two", line);
        assert_eq!(repository.git(&["show", "main:a"]), expected.trim_end());
        expect_sound(&repository);
    }
}

#[test]
fn unrelated_histories_are_joined_only_if_asked_to() {
    let mut daemon = Daemon::start();
    let repository = Repository::of(&[("a", "a\n")]);
    repository.git(&["checkout", "-q", "--orphan", "side"]);
    repository.git(&["mv", "a", "b"]);
    repository.commit("another beginning");
    let repository = repository.bare();
    daemon.refused("conflict", merge(&repository, json!({})));
    daemon.ok(merge(&repository, json!({"unrelated": true})));
    assert_eq!(repository.git(&["ls-tree", "--name-only", "main"]), "a\nb");
    expect_sound(&repository);
}

#[test]
fn commits_of_the_same_step_are_merged() {
    let mut daemon = Daemon::start();
    let repository = Repository::of(&[("a", LINES)]).bare();
    let path = repository.path();
    daemon.ok(json!({"op": "branch", "path": path, "branch": "side"}));
    let change = |branch: &str, id: u64, content: String| {
        json!({"op": "commit", "id": id, "path": path, "branch": branch, "message": "m\n",
            "encoding": "utf8", "changes": [{"file": "a", "content": content}]})
    };
    for round in 0..10 {
        let round_of = |line: &str| LINES.replace(line, &format!("{line} {round}"));
        let mut ours = round_of("one");
        if 0 < round {
            // What the round before it left on the last line.
            ours = ours.replace("eight", &format!("eight {}", round - 1));
        }
        let mut theirs = round_of("eight");
        if 0 < round {
            theirs = theirs.replace("one", &format!("one {}", round - 1));
        }
        daemon.send(change("main", 10 * round, ours));
        daemon.send(change("side", 10 * round + 1, theirs));
        daemon.send(merge(&repository, json!({"id": 10 * round + 2})));
        let back = json!({"id": 10 * round + 3, "into": "side", "from": "main"});
        daemon.send(merge(&repository, back));
    }
    for reply in daemon.receive_many(40) {
        assert!(reply.get("ok").is_some(), "{reply}");
    }
    let expected = LINES.replace("one", "one 9").replace("eight", "eight 9");
    assert_eq!(repository.git(&["show", "main:a"]), expected.trim_end());
    assert_eq!(id_of(&repository, "main"), id_of(&repository, "side"));
    expect_sound(&repository);
}

#[test]
fn histories_that_cross_are_merged() {
    let mut daemon = Daemon::start();
    let repository = parted(
        &[("a", LINES)],
        &[("a", &LINES.replace("one", "1"))],
        &[("a", &LINES.replace("eight", "8"))],
    );
    let (ours, theirs) = (id_of(&repository, "main"), id_of(&repository, "side"));
    repository.git(&["merge", "-q", "-m", "cross", &theirs]);
    repository.git(&["checkout", "-q", "side"]);
    repository.git(&["merge", "-q", "-m", "cross", &ours]);
    repository.write("b", "b\n");
    repository.commit("b");
    let repository = repository.bare();
    assert_eq!(repository.git(&["merge-base", "--all", "main", "side"]).lines().count(), 2);
    let expected = repository.git(&["merge-tree", "--write-tree", "main", "side"]);
    let merged = daemon.ok(merge(&repository, json!({"strategy": "no_ff"})));
    assert_eq!(merged["tree"], expected);
    expect_sound(&repository);
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) as usize % bound
    }
}

#[test]
fn merges_of_many_kinds_are_those_of_git() {
    let (mut daemon, mut dice) = (Daemon::start(), Dice(7));
    let repository = Repository::new();
    let lines = |dice: &mut Dice, before: &str| -> String {
        let mut lines: Vec<String> = before.lines().map(str::to_owned).collect();
        let at = dice.below(lines.len());
        match dice.below(3) {
            0 => lines[at] = format!("changed {}", dice.below(1000)),
            1 => lines.insert(at, format!("added {}", dice.below(1000))),
            _ => drop(lines.remove(at)),
        }
        lines.join("\n") + "\n"
    };
    let base: String = (0..40).map(|it| format!("a line of number {it}\n")).collect();
    let files = ["a", "b/c", "b/d", "e.txt"];
    for file in files {
        repository.write(file, format!("{file}\n{base}"));
    }
    repository.commit("base");
    let (mut clean, mut conflicts) = (0, 0);
    for case in 0..40 {
        for side in ["ours", "theirs"] {
            repository.git(&["checkout", "-q", "-f", "-B", &format!("{side}-{case}"), "main"]);
            for _ in 0..=dice.below(3) {
                let file = files[dice.below(files.len())];
                let is_there = repository.file(file).exists();
                match dice.below(8) {
                    0 if is_there => repository.remove(file),
                    1 => {
                        repository.write(format!("new-{}", dice.below(4)), lines(&mut dice, &base))
                    }
                    2 if is_there => {
                        repository.git(&["mv", file, &format!("moved-{side}")]).clear()
                    }
                    3 if is_there => repository.set_mode(file, 0o755),
                    _ if is_there => {
                        let content = lines(&mut dice, &repository.read(file));
                        repository.write(file, content);
                    }
                    _ => (),
                }
                // A file is moved once.
                repository.git(&["add", "-A"]);
                if repository.file(format!("moved-{side}")).exists() {
                    break;
                }
            }
            repository.commit(side);
        }
        let names = [format!("ours-{case}"), format!("theirs-{case}")];
        let mut git = git_command(&repository.file("."));
        let git = git.args(["merge-tree", "--write-tree", &names[0], &names[1]]).output().unwrap();
        let reply = daemon.call(merge(
            &repository,
            json!({"into": names[0], "from": names[1], "strategy": "no_ff"}),
        ));
        let printed = String::from_utf8(git.stdout).unwrap();
        if git.status.success() {
            clean += 1;
            assert_eq!(reply["ok"]["tree"], printed.trim_end(), "{case}: {reply}");
        } else {
            conflicts += 1;
            assert_eq!(reply["code"], "conflict", "{case}: {printed}");
        }
    }
    expect_sound(&repository);
    assert!(10 < clean && 3 < conflicts, "{clean} clean, {conflicts} not");
}

#[test]
fn a_worktree_follows_a_merge() {
    let mut daemon = Daemon::start();
    let theirs = [("a", LINES), ("c/d", "d\n"), ("gone", "")];
    let repository = parted(&[("a", "a\n"), ("gone", "g\n")], &[("b", "b\n")], &theirs);
    repository.write("b", "mine\n");
    let refused = daemon.refused("conflict", merge(&repository, json!({})));
    assert_eq!(refused["files"], json!(["b"]));
    assert_eq!((repository.read("a"), repository.read("b")), ("a\n".into(), "mine\n".into()));
    repository.git(&["checkout", "-q", "b"]);
    let merged = daemon.ok(merge(&repository, json!({})));
    assert_eq!(
        (&merged["merged"], &merged["commit"]),
        (&json!("merge"), &json!(repository.head()))
    );
    assert_eq!((repository.read("a"), repository.read("c/d")), (LINES.into(), "d\n".into()));
    assert!(!repository.file("gone").exists());
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    // Another branch than the one it is on leaves it alone.
    let forward = daemon.ok(merge(&repository, json!({"into": "side", "from": "main"})));
    assert_eq!(forward["merged"], "fast_forward");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
    expect_sound(&repository);
}

/// How often the two branches are merged while stock git packs.
const ROUNDS: usize = 150;

#[test]
fn what_git_repacks_meanwhile_is_merged() {
    let repository = parted(&[("a", LINES)], &[("b", "b\n")], &[("c", "c\n")]).bare();
    let is_over = AtomicBool::new(false);
    let repack = || {
        while !is_over.load(Ordering::Relaxed) {
            repository.git(&["repack", "-adq"]);
        }
    };
    let merges = || {
        let mut daemon = Daemon::start();
        (0..ROUNDS)
            .map(|round| {
                for branch in ["main", "side"] {
                    let file = format!("{branch}/{round}");
                    commit(&mut daemon, repository.path(), branch, &file, &file);
                }
                daemon.call(merge(&repository, json!({"strategy": "no_ff"})))
            })
            .collect::<Vec<Value>>()
    };
    let replies = std::thread::scope(|scope| {
        let packer = scope.spawn(repack);
        let replies = scope.spawn(merges).join();
        is_over.store(true, Ordering::Relaxed);
        packer.join().unwrap();
        replies.unwrap()
    });
    for reply in replies {
        assert_eq!(reply["ok"]["merged"], "merge", "{reply}");
    }
    expect_sound(&repository);
}
