//! Locks in the way of a fetch: respected while somebody may hold them, and no longer.

use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use super::{Place, each_way, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        Group,
        inetd::GitDaemon,
        origin::{Origin, commit, commit_submodule, git},
    },
};

const HOURS: Duration = Duration::from_secs(3 * 3600);

/// What a fetch of `main`, or a switch to `side`, takes besides the locks of the worktree.
const NAMES: &[(&str, &str)] = &[
    ("shallow.lock", "main"),
    ("packed-refs.lock", "main"),
    ("FETCH_HEAD.lock", "main"),
    ("refs/remotes/origin/main.lock", "main"),
    ("refs/heads/main.lock", "main"),
    ("HEAD.lock", "main"),
    ("index.lock", "main"),
    ("config.lock", "side"),
];

struct Scene {
    place: Place,
    daemon: Daemon,
    origin: Origin,
    request: Value,
    _server: GitDaemon,
}

impl Scene {
    /// A shallow clone with a newer commit waiting at its remote.
    fn new(flags: &[&str]) -> Scene {
        let origin = Origin::new();
        let server = GitDaemon::start(origin.folder());
        let place = Place::new();
        let request = sync(server.url("project.git"), &place.path());
        let mut daemon = Daemon::start_with(flags);
        daemon.ok(request.clone());
        origin.commit("main", &[("readme.txt", "newer\n")]);
        Scene { place, daemon, origin, request, _server: server }
    }

    fn git_folder(&self) -> PathBuf {
        self.place.path().join(".git")
    }

    /// A lock file last changed at that time, and the open file of whoever made it.
    fn plant(&self, name: &str, changed: SystemTime) -> (PathBuf, File) {
        let path = self.git_folder().join(name);
        let file = File::create(&path).unwrap();
        file.set_modified(changed).unwrap();
        (path, file)
    }

    #[track_caller]
    fn wants_locked(&mut self, request: &Value, lock: &Path, ages_ms: [u64; 2]) {
        let reply = self.daemon.refused("locked", request.clone());
        assert_eq!(reply["path"], lock.to_str().unwrap(), "{reply}");
        let age = reply["age_ms"].as_u64().unwrap();
        assert!((ages_ms[0]..=ages_ms[1]).contains(&age), "{reply}");
        assert!(reply["retry_after_ms"].as_u64().unwrap() > 0, "{reply}");
        assert!(lock.exists(), "the lock of another stays");
    }
}

#[test]
fn other_locks_are_treated_the_same() {
    each_way(|flags| {
        for (name, branch) in NAMES {
            let mut scene = Scene::new(flags);
            let request = with(scene.request.clone(), json!({"branch": branch}));
            let (lock, _) = scene.plant(name, SystemTime::now());
            scene.wants_locked(&request, &lock, [0, 600_000]);
            drop(scene.plant(name, SystemTime::now() - HOURS));
            let tip = scene.origin.tip(branch);
            assert_eq!(scene.daemon.ok(request), tip, "{name}");
            scene.place.is_sound(branch, &tip);
            assert!(!lock.exists(), "{name}");
        }
    });
}

#[test]
fn a_lock_that_somebody_holds_open_is_respected_however_old_and_however_often() {
    each_way(|flags| {
        let mut scene = Scene::new(flags);
        let request = scene.request.clone();
        let hours = HOURS.as_millis() as u64;
        for _ in 0..2 {
            let (lock, _) = scene.plant("shallow.lock", SystemTime::now());
            scene.wants_locked(&request, &lock, [0, 600_000]);
            let (_, _held) = scene.plant("shallow.lock", SystemTime::now() - HOURS);
            scene.wants_locked(&request, &lock, [hours, hours + 600_000]);
        }
        assert_eq!(scene.daemon.ok(request), scene.origin.tip("main"));
    });
}

#[test]
fn an_old_lock_of_a_tag_that_comes_along_is_removed() {
    each_way(|flags| {
        let mut scene = Scene::new(flags);
        assert!(scene.origin.git().args(["tag", "v1", "main"]).status().unwrap().success());
        let (lock, _) = scene.plant("refs/tags/v1.lock", SystemTime::now() - HOURS);
        assert_eq!(scene.daemon.ok(scene.request.clone()), scene.origin.tip("main"));
        assert!(!lock.exists());
    });
}

#[test]
fn locks_in_a_submodule_are_treated_the_same() {
    each_way(|flags| {
        let mut scene = Scene::new(flags);
        let id = commit(&scene.origin.create("inner.git"), "main", &[("inner.txt", "inner\n")]);
        commit_submodule(&scene.origin.path(), "main", "inner", "../inner.git", &id);
        let request = with(scene.request.clone(), json!({"submodules": true}));
        scene.daemon.ok(request.clone());
        for name in ["index.lock", "HEAD.lock", "shallow.lock"] {
            let name = format!("modules/inner/{name}");
            let (lock, _) = scene.plant(&name, SystemTime::now());
            scene.wants_locked(&request, &lock, [0, 600_000]);
            drop(scene.plant(&name, SystemTime::now() - HOURS));
            assert_eq!(scene.daemon.ok(request.clone()), scene.origin.tip("main"));
            assert!(!lock.exists());
        }
    });
}

#[test]
fn a_sync_that_needs_no_fetch_minds_no_lock_of_one() {
    each_way(|flags| {
        let mut scene = Scene::new(flags);
        let tip = scene.daemon.ok(scene.request.clone());
        for name in ["shallow.lock", "refs/remotes/origin/main.lock", "config.lock"] {
            let _planted = scene.plant(name, SystemTime::now());
        }
        assert_eq!(scene.daemon.ok(scene.request.clone()), tip);
    });
}

#[test]
fn an_old_lock_is_respected_while_a_git_is_at_work_in_the_clone() {
    each_way(|flags| {
        let mut scene = Scene::new(flags);
        let mut busy = git(&scene.place.path());
        busy.args(["cat-file", "--batch"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let busy = Group::start(&mut busy);
        let (lock, _) = scene.plant("shallow.lock", SystemTime::now() - HOURS);
        let hours = HOURS.as_millis() as u64;
        let request = scene.request.clone();
        scene.wants_locked(&request, &lock, [hours, hours + 600_000]);
        drop(busy);
        assert_eq!(scene.daemon.ok(request), scene.origin.tip("main"));
    });
}

#[test]
fn a_link_where_the_right_to_write_is_kept_is_denied_and_its_target_stays() {
    each_way(|flags| {
        for name in ["gitport-writer", "gitport-fetch"] {
            let mut scene = Scene::new(flags);
            let target = scene.place.at("target");
            fs::write(&target, "mine").unwrap();
            let link = scene.git_folder().join(name);
            let _ = fs::remove_file(&link);
            symlink(&target, &link).unwrap();
            let reply = scene.daemon.refused("denied", scene.request.clone());
            assert_eq!(reply["rule"], "symbolic link", "{reply}");

            assert_eq!(fs::read_to_string(&target).unwrap(), "mine");
            fs::remove_file(&link).unwrap();
            assert_eq!(scene.daemon.ok(scene.request.clone()), scene.origin.tip("main"));
        }
    });
}
