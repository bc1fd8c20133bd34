//! What others do to a repository is seen at once, and harms no answer on its way.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Dates, random_history};
use crate::{
    daemon::Daemon,
    processes::meanwhile,
    repository::{Repository, text},
};

/// Two commits whose ids, like all ids, are of the same length.
fn two_commits() -> (Repository, [String; 2]) {
    let repository = Repository::of(&[("a", "1\n")]);
    let first = repository.head();
    repository.write("a", "2\n");
    let second = repository.commit("second");
    (repository, [first, second])
}

/// The commit and the content that each way of asking gives.
fn seen(daemon: &mut Daemon, repository: &Repository) -> [Value; 4] {
    let path = repository.path();
    let head = daemon.ok(json!({"op": "head", "path": path}))["sha"].clone();
    let log = daemon.ok(json!({"op": "log", "path": path, "limit": 1}));
    let status = daemon.ok(json!({"op": "status", "path": path}))["head"].clone();
    let read = json!({"op": "read", "path": path, "rev": "HEAD", "file": "a", "encoding": "utf8"});
    [head, log["commits"][0]["sha"].clone(), status, daemon.ok(read)]
}

fn expected(commit: &str, content: &str) -> [Value; 4] {
    [json!(commit), json!(commit), json!(commit), json!(content)]
}

#[test]
fn every_way_in_which_git_moves_head_is_seen_at_once() {
    let (repository, [first, second]) = two_commits();
    let (first_seen, second_seen) = (expected(&first, "1\n"), expected(&second, "2\n"));
    let ways: [(&[&str], _); 12] = [
        (&["update-ref", "refs/heads/main", &first], &first_seen),
        (&["pack-refs", "--all"], &first_seen),
        (&["update-ref", "refs/heads/main", &second], &second_seen),
        (&["pack-refs", "--all"], &second_seen),
        (&["update-ref", "--no-deref", "HEAD", &first], &first_seen),
        (&["symbolic-ref", "HEAD", "refs/heads/main"], &second_seen),
        (&["update-ref", "refs/heads/other", &first], &second_seen),
        (&["symbolic-ref", "HEAD", "refs/heads/other"], &first_seen),
        (&["update-ref", "-d", "refs/heads/main"], &first_seen),
        (&["update-ref", "refs/heads/other", &second], &second_seen),
        (&["repack", "-adq"], &second_seen),
        (&["reset", "-q", "--soft", &first], &first_seen),
    ];
    let mut daemon = Daemon::start();
    for _ in 0..3 {
        for (arguments, wanted) in &ways {
            repository.git(arguments);
            assert_eq!(seen(&mut daemon, &repository), **wanted, "after {arguments:?}");
        }
        repository.git(&["update-ref", "refs/heads/main", &second]);
        repository.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
    }
}

#[test]
fn a_head_that_changes_its_length_is_never_read_in_part() {
    let (repository, [first, second]) = two_commits();
    repository.git(&["branch", "main-and-more", &first]);
    let (head, next) = (repository.file(".git/HEAD"), repository.file(".git/HEAD.next"));
    let turn = AtomicU32::new(0);
    let switch = || {
        let branch = ["main", "main-and-more"][turn.fetch_add(1, Ordering::Relaxed) as usize % 2];
        fs::write(&next, format!("ref: refs/heads/{branch}\n")).unwrap();
        fs::rename(&next, &head).unwrap();
    };
    let path = repository.path();
    let mut daemon = Daemon::start();
    meanwhile(switch, || {
        for _ in 0..300 {
            let status = daemon.ok(json!({"op": "status", "path": path}));
            let is_one = status["branch"] == "main" && status["head"] == second;
            let is_other = status["branch"] == "main-and-more" && status["head"] == first;
            assert!(is_one || is_other, "{status}");
            for sha in [
                daemon.ok(json!({"op": "head", "path": path}))["sha"].clone(),
                daemon.ok(json!({"op": "log", "path": path}))["commits"][0]["sha"].clone(),
            ] {
                assert!(sha == first || sha == second, "{sha}");
            }
        }
    });
}

#[test]
fn a_link_that_leads_to_another_repository_by_now_is_followed() {
    let (one, other) = (Repository::of(&[("a", "1\n")]), Repository::of(&[("a", "other\n")]));
    let (link, next) = (one.beside("current"), one.beside("next"));
    let mut daemon = Daemon::start();
    for (repository, content) in [(&one, "1\n"), (&other, "other\n"), (&one, "1\n")] {
        symlink(repository.path(), &next).unwrap();
        fs::rename(&next, &link).unwrap();
        for _ in 0..3 {
            let read = json!({"op": "read", "path": link, "rev": "HEAD", "file": "a"});
            assert_eq!(daemon.ok(read), STANDARD.encode(content));
            assert_eq!(daemon.ok(json!({"op": "head", "path": link}))["sha"], repository.head());
        }
    }
}

#[test]
fn a_ref_that_moves_twice_within_an_instant_is_seen() {
    let (repository, ids) = two_commits();
    let (file, lock) =
        (repository.file(".git/refs/heads/main"), repository.file(".git/refs/heads/main.lock"));
    // As git does it: a new file that takes the place of the old one.
    let moved = |id: &str| {
        fs::write(&lock, format!("{id}\n")).unwrap();
        fs::rename(&lock, &file).unwrap();
    };
    let mut daemon = Daemon::start();
    for round in 0..400 {
        let (now, before) = (&ids[round % 2], &ids[(round + 1) % 2]);
        moved(now);
        if round % 3 == 0 {
            moved(before);
            moved(now);
        }
        let head = daemon.ok(json!({"op": "head", "path": repository.path()}));
        assert_eq!(head["sha"], **now, "round {round}");
    }
}

#[test]
fn a_repository_that_is_made_anew_at_its_path_is_the_new_one() {
    let mut daemon = Daemon::start();
    let old = Repository::of(&[("a", "old\n")]);
    for round in 0..5 {
        let content = format!("new {round}\n");
        let new = Repository::of(&[("a", &content)]);
        let read = json!({"op": "read", "path": old.path(), "rev": "HEAD", "file": "a",
                          "encoding": "utf8"});
        daemon.ok(read.clone());
        fs::remove_dir_all(old.path()).unwrap();
        daemon.refused("not_found", read.clone());
        fs::rename(new.path(), old.path()).unwrap();
        assert_eq!(daemon.ok(read), content);
        let head = daemon.ok(json!({"op": "head", "path": old.path()}));
        assert_eq!(head["sha"], old.head());
    }
}

#[test]
fn what_git_repacks_meanwhile_is_found_all_the_time() {
    let repository = random_history(81, 60, Dates::Rising);
    let head = repository.head();
    let listed = repository.git(&["ls-tree", "-r", "--name-only", "HEAD"]);
    let files: Vec<&str> = listed.lines().collect();
    let contents: Vec<Value> =
        files.iter().map(|file| json!({"file": file, "content": repository.read(file)})).collect();
    let log = repository.git(&["log", "--format=%H", "-20"]);
    let rounds = AtomicU32::new(0);
    let repack = || {
        let round = rounds.fetch_add(1, Ordering::Relaxed);
        // Packs of other names each time, and now and then no packs at all.
        match round % 3 {
            0 => drop(repository.git(&["repack", "-adfq", "--depth=5", "--window=4"])),
            1 => drop(repository.git(&["repack", "-adfq", "--depth=0"])),
            _ => unpack(&repository),
        }
    };
    let mut daemon = Daemon::start();
    meanwhile(repack, || {
        while rounds.load(Ordering::Relaxed) < 12 {
            let path = repository.path();
            let read = json!({"op": "read", "path": path, "rev": "HEAD", "files": files,
                              "encoding": "utf8"});
            assert_eq!(daemon.ok(read), json!(contents));
            assert_eq!(daemon.ok(json!({"op": "head", "path": path}))["sha"], head);
            let commits = daemon.ok(json!({"op": "log", "path": path, "limit": 20}));
            let commits = commits["commits"].as_array().unwrap().iter();
            let ids: Vec<&str> = commits.map(|one| one["sha"].as_str().unwrap()).collect();
            assert_eq!(ids, log.lines().collect::<Vec<_>>());
        }
    });
}

#[test]
fn packs_that_a_list_named_and_that_are_gone_are_no_harm() {
    let repository = Repository::of(&[("a", "1\n")]);
    repository.git(&["repack", "-dq"]);
    for file in fs::read_dir(repository.file(".git/objects/pack")).unwrap() {
        // libgit2 looks into the newer one first.
        let file = file.unwrap().path();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        let file = fs::File::options().write(true).open(file).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    }
    repository.git(&["checkout", "-q", "-b", "side"]);
    repository.write("b", "b\n");
    repository.commit("b");
    repository.git(&["repack", "-dq"]);
    repository.git(&["checkout", "-q", "main"]);
    let (mut daemon, path) = (Daemon::start(), repository.path());
    let log = |range: &str| json!({"op": "log", "path": path, "range": range});
    // Looks for it in one pack, finds it in the other one, and reads the list.
    daemon.ok(log("main"));
    repository.git(&["multi-pack-index", "write"]);
    daemon.refused("not_found", log(&"1".repeat(40)));
    repository.git(&["repack", "-adq", "--write-midx"]);
    assert_eq!(daemon.ok(log("side"))["commits"].as_array().unwrap().len(), 2);
    let merge = json!({"op": "merge", "path": path, "into": "main", "from": "side"});
    assert_eq!(daemon.ok(merge)["merged"], "fast_forward");
}

/// Every object a file of its own again, the packs gone.
fn unpack(repository: &Repository) {
    let folder = repository.file(".git/objects/pack");
    let aside = repository.beside("aside");
    let _ = fs::create_dir(&aside);
    let entries: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap()).collect();
    for entry in
        entries.iter().filter(|entry| entry.path().extension().is_some_and(|it| it == "pack"))
    {
        let pack = fs::read(entry.path()).unwrap();
        // Git writes no object that it finds in a pack, so another repository must do it.
        let objects = repository.beside("objects");
        let _ = fs::remove_dir_all(&objects);
        repository.git(&["init", "-q", "--bare", text(&objects)]);
        let git_dir = format!("--git-dir={}", objects.display());
        repository.git_with_input(&[&git_dir, "unpack-objects", "-q"], &pack);
        move_into(&objects.join("objects"), repository);
    }
    for entry in entries {
        let _ = fs::remove_file(entry.path());
    }
}

fn move_into(objects: &Path, repository: &Repository) {
    for folder in fs::read_dir(objects).unwrap().map(|entry| entry.unwrap()) {
        let name = folder.file_name().into_string().unwrap();
        if name.len() != 2 {
            continue;
        }
        let target = repository.file(format!(".git/objects/{name}"));
        let _ = fs::create_dir(&target);
        for object in fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()) {
            fs::rename(object.path(), target.join(object.file_name())).unwrap();
        }
    }
}

#[test]
fn a_head_or_a_branch_that_is_a_link_is_followed_to_what_it_says_now() {
    for name in [".git/HEAD", ".git/refs/heads/main"] {
        let (repository, [first, second]) = two_commits();
        repository.git(&["branch", "other", &first]);
        let file = repository.file(name);
        let target = repository.file(format!("{name}.real"));
        fs::rename(&file, &target).unwrap();
        symlink(target.file_name().unwrap(), &file).unwrap();
        let mut daemon = Daemon::start();
        std::thread::sleep(std::time::Duration::from_millis(200));
        for _ in 0..3 {
            assert_eq!(seen(&mut daemon, &repository), expected(&second, "2\n"));
        }
        let is_head = name == ".git/HEAD";
        let moved = if is_head { "ref: refs/heads/other".to_owned() } else { first.clone() };
        fs::write(&target, format!("{moved}\n")).unwrap();
        assert_eq!(seen(&mut daemon, &repository), expected(&first, "1\n"), "{name}");
    }
}

#[test]
fn a_git_file_that_names_another_repository_by_now_is_followed() {
    let (one, other) = (Repository::of(&[("a", "1\n")]), Repository::of(&[("a", "2\n")]));
    let place = Repository::of(&[("a", "3\n")]);
    fs::rename(place.file(".git"), place.beside("away")).unwrap();
    let mut daemon = Daemon::start();
    for repository in [&one, &other, &one] {
        fs::write(place.file(".git.next"), format!("gitdir: {}/.git\n", repository.path()))
            .unwrap();
        fs::rename(place.file(".git.next"), place.file(".git")).unwrap();
        for _ in 0..3 {
            let head = daemon.ok(json!({"op": "head", "path": place.path()}));
            assert_eq!(head["sha"], repository.head());
        }
    }
}
