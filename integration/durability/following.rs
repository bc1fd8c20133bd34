//! A worktree that did not get to follow its branch: what was committed is not taken for old files
//! of a person, and what a person did since is not lost.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use rustix::{io::Errno, process::Signal};
use serde_json::{Value, json};

use super::shim::{RENAME, Shim};
use crate::{daemon::Daemon, repository::Repository};

/// More files than any request moves.
const RENAMES_MAX: i32 = 40;
const OLD: [(&str, &str); 6] = [
    ("edited", "old\n"),
    ("folder/edited", "old\n"),
    ("gone", "old\n"),
    ("mine", "old\n"),
    ("staged", "old\n"),
    ("untouched", "old\n"),
];

fn edit(repository: &Repository) -> Value {
    json!({"op": "commit", "path": repository.path(), "message": "2", "encoding": "utf8",
        "changes": [
            {"file": "edited", "content": "new\n"}, {"file": "folder/edited", "content": "new\n"},
            {"file": "mine", "content": "new\n"}, {"file": "staged", "content": "new\n"},
            {"file": "gone", "delete": true}, {"file": "added/file", "content": "new\n"}]})
}

fn all(repository: &Repository) -> Value {
    json!({"op": "commit", "path": repository.path(), "message": "3", "all": true})
}

/// What a person does who knows of nothing.
fn work_on(repository: &Repository) {
    repository.write("mine", "by hand\n");
    repository.write("by-hand", "by hand\n");
    repository.write("staged", "by hand\n");
    repository.git(&["add", "staged"]);
}

#[track_caller]
fn has_both(repository: &Repository, about: &str) {
    let log = repository.git(&["log", "--format=%s", "-2"]);
    assert_eq!(log, "3\n2", "{about}");
    let changed = repository.git(&["diff", "--name-only", "HEAD~1", "HEAD"]);
    assert_eq!(changed, "by-hand\nmine\nstaged", "{about}");
    assert_eq!(repository.git(&["status", "--porcelain"]), "", "{about}");
    for file in ["edited", "folder/edited", "added/file"] {
        assert_eq!(repository.read(file), "new\n", "{about}: {file}");
    }
    for file in ["mine", "by-hand", "staged"] {
        assert_eq!(repository.read(file), "by hand\n", "{about}: {file}");
    }
    assert!(!repository.file("gone").exists(), "{about}");
}

#[test]
fn all_goes_on_where_a_worktree_stopped_to_follow() {
    for before in 0.. {
        assert_ne!(before, RENAMES_MAX, "no request moves so many files");
        let (shim, repository) = (Shim::new(), Repository::of(&OLD));
        let mut daemon = shim.daemon(repository.path().as_ref());
        shim.arm(RENAME, Errno::IO.raw_os_error(), before, true);
        let reply = daemon.call(edit(&repository));
        if shim.disarm() == 0 {
            break;
        }
        let about = format!("rename {before}, {reply}");
        if reply.get("ok").is_none() {
            // Either nothing happened, or the next writer carries it out.
            continue;
        }
        daemon.signal(Signal::KILL);
        daemon.rest();
        work_on(&repository);
        Daemon::start().ok(all(&repository));
        has_both(&repository, &about);
    }
}

#[test]
fn all_goes_on_after_a_loss_of_power() {
    let repository = Repository::of(&OLD);
    let mut daemon = Daemon::start();
    let index = fs::read(repository.file(".git/index")).unwrap();
    daemon.ok(edit(&repository));
    daemon.signal(Signal::KILL);
    daemon.rest();
    // Nothing of these was flushed.
    fs::write(repository.file(".git/index"), index).unwrap();
    fs::write(repository.file(".git/gitport-writer"), "").unwrap();
    fs::remove_dir_all(repository.file("added")).unwrap();
    OLD.iter().for_each(|(name, content)| repository.write(name, content));
    let journal = File::options().write(true).open(repository.file(".git/gitport-journal"));
    journal.unwrap().write_all_at(&[0; 52], 8192).unwrap();
    work_on(&repository);
    Daemon::start().ok(all(&repository));
    has_both(&repository, "after a loss of power");
}

#[test]
fn a_file_put_where_a_folder_was_to_be_stays() {
    let (shim, repository) = (Shim::new(), Repository::of(&OLD));
    let mut daemon = shim.daemon(repository.path().as_ref());
    for before in 0..RENAMES_MAX {
        shim.arm(RENAME, Errno::IO.raw_os_error(), before, true);
        let reply = daemon.call(edit(&repository));
        shim.disarm();
        if reply.get("ok").is_some() {
            break;
        }
    }
    if repository.file("added").exists() {
        fs::remove_dir_all(repository.file("added")).unwrap();
    }
    repository.write("added", "by hand\n");
    daemon.ok(all(&repository));
    assert_eq!(repository.read("added"), "by hand\n");
    assert_eq!(repository.git(&["show", "HEAD:added"]), "by hand");
    let changed = repository.git(&["diff", "--name-only", "HEAD~1", "HEAD"]);
    assert_eq!(changed, "added\nadded/file");
    assert_eq!(repository.git(&["status", "--porcelain"]), "");
}
