//! Housekeeping beside readers, writers and stock git; what the dead left goes, the living are
//! left alone.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    process::Command,
    time::{Duration, SystemTime},
};

use rustix::{fs::FlockOperation, process::Signal};
use serde_json::{Value, json};

use super::{changing, expect_sound, written};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, meanwhile, until},
    repository::{Repository, git_command, varied},
};

fn maintain(repository: &Repository) -> Value {
    json!({"op": "maintain", "path": repository.path(), "full": true})
}

fn history(repository: &Repository) -> BTreeSet<String> {
    repository.git(&["rev-list", "main"]).lines().map(str::to_owned).collect()
}

/// As if it had been there for so long.
fn make_older(file: &std::path::Path, age: Duration) {
    let file = File::options().write(true).open(file).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn all_is_one_pack_and_one_file_of_refs_afterwards() {
    let mut daemon = Daemon::start();
    let repository = written(&mut daemon, 100);
    let before = history(&repository);
    let upkept = daemon.ok(maintain(&repository));
    assert_eq!(
        (&upkept["repacked"], &upkept["packs_after"]),
        (&json!(true), &json!(1)),
        "{upkept}"
    );
    assert_eq!((&upkept["refs_packed"], &upkept["commit_graph"]), (&json!(1), &json!(true)));
    assert!(!repository.file("refs/heads/main").exists());
    assert_eq!(history(&repository), before);
    expect_sound(&repository);
    let again = daemon.ok(json!({"op": "maintain", "path": repository.path()}));
    assert_eq!(again["repacked"], false, "nothing is new: {again}");
}

#[test]
fn small_packs_are_merged_without_the_git_program() {
    let mut daemon = Daemon::start_with(&["--git", "none"]);
    let repository = written(&mut daemon, 100);
    let upkept = daemon.ok(maintain(&repository));
    assert_eq!(upkept["not_done"], json!(["repack", "prune", "commit_graph"]));
    assert!(upkept["packs_after"].as_u64().unwrap() < 5, "{upkept}");
    expect_sound(&repository);
}

#[test]
fn what_nothing_leads_to_goes_when_it_is_old_enough() {
    let mut daemon = Daemon::start();
    let repository = varied();
    let young =
        String::from_utf8(repository.git_with_input(&["hash-object", "-w", "--stdin"], b"1"));
    let old = String::from_utf8(repository.git_with_input(&["hash-object", "-w", "--stdin"], b"2"));
    let [young, old] = [young, old].map(|it| it.unwrap().trim().to_owned());
    make_older(
        &{
            let file = repository.file(format!(".git/objects/{}/{}", &old[..2], &old[2..]));
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            fs::set_permissions(&file, mode).unwrap();
            file
        },
        24 * 30 * HOUR,
    );
    let upkept = daemon.ok(maintain(&repository));
    assert_eq!(upkept["repacked"], true, "{upkept}");
    repository.git(&["cat-file", "-e", &young]);
    assert!(
        !git_command(&repository.file(""))
            .args(["cat-file", "-e", &old])
            .status()
            .unwrap()
            .success()
    );
    let mut request = maintain(&repository);
    request["prune_after_ms"] = json!(0);
    daemon.ok(request);
    assert!(
        !git_command(&repository.file(""))
            .args(["cat-file", "-e", &young])
            .status()
            .unwrap()
            .success()
    );
    expect_sound(&repository);
}

#[test]
fn locks_of_the_dead_go_and_those_of_the_living_stay() {
    let mut daemon = Daemon::start();
    let repository = written(&mut daemon, 1);
    let [dead, living, young] =
        ["dead", "living", "young"].map(|it| repository.file(format!("refs/heads/{it}.lock")));
    [&dead, &living, &young].iter().for_each(|it| fs::write(it, "").unwrap());
    [&dead, &living].iter().for_each(|it| make_older(it, HOUR));
    let unfinished = repository.file("objects/pack/tmp_pack_dead");
    fs::write(&unfinished, "half").unwrap();
    make_older(&unfinished, HOUR);
    let _holder = File::open(&living).unwrap();
    let upkept = daemon.ok(maintain(&repository));
    assert_eq!(upkept["locks_removed"], 1, "{upkept}");
    assert_eq!(upkept["temporary_removed"], 1, "{upkept}");
    assert!(!dead.exists() && living.exists() && young.exists() && !unfinished.exists());
}

#[test]
fn readers_writers_and_stock_git_go_on_meanwhile() {
    let mut daemon = Daemon::start();
    let repository = written(&mut daemon, 100);
    let mut other = Daemon::start();
    let mut written = Vec::new();
    let mut number = 0;
    let mut busy = || {
        number += 1;
        let change =
            changing(&repository, &format!("file {}", number % 7), &format!("new {number}\n"));
        written.push(other.ok(change)["commit"].as_str().unwrap().to_owned());
        let path = repository.path();
        other.ok(json!({"op": "read", "path": path, "file": "file 3", "rev": "main"}));
        other.ok(json!({"op": "log", "path": path, "range": "main", "limit": 10}));
    };
    let gc = || {
        // Where both pack at once one of them may give up, and says so.
        let _ = git_command(&repository.file("")).args(["gc", "-q"]).output().unwrap();
    };
    meanwhile(&mut busy, || {
        meanwhile(gc, || {
            for _ in 0..5 {
                let reply = daemon.call(maintain(&repository));
                let is_fine = reply.get("ok").is_some() || reply["code"] != "internal";
                assert!(is_fine, "{reply}");
            }
        });
        assert_eq!(daemon.ok(maintain(&repository))["repacked"], true);
    });
    expect_sound(&repository);
    let there = history(&repository);
    assert!(written.iter().all(|it| there.contains(it)), "a commit is lost");
}

#[test]
fn one_that_is_killed_leaves_nothing_that_the_next_does_not_clear() {
    let mut first = Daemon::start();
    let repository = written(&mut first, 200);
    for _ in 0..5 {
        let mut daemon = Daemon::start();
        daemon.send(maintain(&repository));
        until("it packs", PATIENCE, || !daemon.children().is_empty());
        daemon.signal(Signal::KILL);
        daemon.exit();
    }
    let mut daemon = Daemon::start();
    until("the children are gone", PATIENCE, || {
        daemon.call(maintain(&repository)).get("ok").is_some()
    });
    assert_eq!(daemon.ok(maintain(&repository))["packs_after"], 1);
    expect_sound(&repository);
    let left =
        Command::new("find").arg(repository.path()).args(["-name", "*tmp*"]).output().unwrap();
    assert_eq!(String::from_utf8(left.stdout).unwrap(), "");
}

#[test]
fn a_repository_that_was_written_is_taken_care_of_when_it_is_quiet() {
    let mut daemon = Daemon::start_with(&["--maintain-every-ms", "200"]);
    let repository = written(&mut daemon, 30);
    until("it is packed", PATIENCE, || repository.file("gitport-packed").exists());
    until("its refs are", PATIENCE, || !repository.file("refs/heads/main").exists());
    assert!(daemon.end().status.success());
    expect_sound(&repository);
}

/// Whoever ends after less than an hour, each time, would never do it.
#[test]
fn a_daemon_goes_on_with_the_hours_of_those_before_it() {
    let repositories = [written(&mut Daemon::start(), 20), written(&mut Daemon::start(), 20)];
    let an_hour_ago = SystemTime::now() - Duration::from_secs(3600);
    let config = File::options().write(true).open(repositories[0].file("config")).unwrap();
    config.set_modified(an_hour_ago).unwrap();
    // It is quiet after a second, and half an hour old otherwise.
    let mut daemon = Daemon::start_with(&["--maintain-every-ms", "1800000"]);
    for repository in &repositories {
        daemon.ok(changing(repository, "a", "1"));
    }
    let is_packed = |it: &Repository| it.file("gitport-packed").exists();
    until("the old one is packed", PATIENCE, || is_packed(&repositories[0]));
    assert!(!is_packed(&repositories[1]), "it was made just now");
    let mark = repositories[0].file("gitport-maintain");
    let modified = || fs::metadata(&mark).unwrap().modified().unwrap();
    // Whoever takes care holds it to the end.
    let is_free = || {
        let mark = File::open(&mark).unwrap();
        rustix::fs::flock(&mark, FlockOperation::NonBlockingLockShared).is_ok()
    };
    until("it is done", PATIENCE, is_free);
    let was = modified();
    daemon.ok(changing(&repositories[0], "a", "2"));
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(modified(), was, "not more often than it should");
}

/// Each checkpoint leaves a pack, and small ones become one. `git multi-pack-index` lists packs: those
/// stay as they are, and others do not wait for that.
#[test]
fn there_are_never_many_packs() {
    let repository = written(&mut Daemon::start(), 1);
    let packs = || {
        let names = fs::read_dir(repository.file("objects/pack")).unwrap().flatten();
        names.filter(|it| it.path().extension().is_some_and(|it| it == "pack")).count()
    };
    for round in 0..120 {
        let mut daemon = Daemon::start();
        let content = format!("{round} {}", "x".repeat(round * 20));
        daemon.ok(changing(&repository, "a", &content));
        assert!(daemon.end().status.success());
        assert!(packs() <= 30, "{} after {round} rounds", packs());
        if round == 60 {
            repository.git(&["multi-pack-index", "write"]);
        }
    }
    assert!(repository.file("objects/pack/multi-pack-index").exists());
    repository.git(&["multi-pack-index", "verify"]);
    // One daemon, with many checkpoints.
    let mut daemon = Daemon::start();
    for round in 0..400 {
        daemon.ok(changing(&repository, "b", &round.to_string()));
    }
    assert!(packs() <= 30 + 64 * 2, "{} while steps have packs of their own", packs());
    assert!(daemon.end().status.success());
    assert!(packs() <= 30, "{} packs", packs());
    expect_sound(&repository);
}
