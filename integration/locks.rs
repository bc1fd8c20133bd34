//! A lock is respected while somebody may hold it, and no longer.

use std::{
    fs::{self, File},
    ops::RangeInclusive,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    repository::{Repository, text},
};

const HOURS: Duration = Duration::from_secs(3 * 3600);

struct Scene {
    origin: Repository,
    clone: PathBuf,
    daemon: Daemon,
}

impl Scene {
    /// A synced clone with a newer commit waiting at its origin.
    fn new() -> Scene {
        let origin = Repository::of(&[("a", "1")]);
        let clone = origin.beside("clone");
        let mut daemon = Daemon::start();
        let scene_request = sync(&origin, &clone);
        daemon.ok(scene_request);
        origin.write("a", "2");
        origin.commit("second");
        Scene { origin, clone, daemon }
    }

    /// Both operations that write, and what they answer when nothing is in their way.
    fn writes(&self) -> [(Value, Value); 2] {
        let first = self.origin.git(&["rev-parse", "HEAD~1"]);
        let checkout = json!({"op": "checkout", "path": self.clone, "sha": first});
        [(sync(&self.origin, &self.clone), self.origin.head().into()), (checkout, first.into())]
    }

    fn lock(&self) -> PathBuf {
        self.clone.join(".git/index.lock")
    }

    /// A lock file last changed at that time, and the open file of whoever made it.
    fn plant(&self, changed: SystemTime) -> File {
        let file = File::create(self.lock()).unwrap();
        file.set_modified(changed).unwrap();
        file
    }

    fn content(&self) -> String {
        fs::read_to_string(self.clone.join("a")).unwrap()
    }
}

fn sync(origin: &Repository, clone: &Path) -> Value {
    json!({"op": "sync", "url": origin.path(), "branch": "main", "path": clone})
}

fn wants_locked(scene: &mut Scene, age_ms_least: u64, age_ms_most: u64) {
    let lock = scene.lock();
    for (request, _) in scene.writes() {
        is_locked(scene, request, &lock, age_ms_least..=age_ms_most);
    }
}

fn is_locked(scene: &mut Scene, request: Value, lock: &Path, age_ms: RangeInclusive<u64>) {
    let reply = scene.daemon.refused("locked", request);
    assert_eq!(reply["path"], text(lock), "{reply}");
    assert!(age_ms.contains(&reply["age_ms"].as_u64().unwrap()), "{reply}");
    assert!(reply["retry_after_ms"].as_u64().unwrap() > 0, "{reply}");
    assert!(lock.exists(), "the lock of another stays");
    assert_eq!(scene.content(), "1", "nothing was written past the lock");
}

#[test]
fn a_young_lock_of_another_is_respected() {
    let mut scene = Scene::new();
    drop(scene.plant(SystemTime::now()));
    wants_locked(&mut scene, 0, 600_000);
}

#[test]
fn an_old_lock_that_nobody_holds_is_removed() {
    let mut scene = Scene::new();
    for (request, answer) in scene.writes() {
        drop(scene.plant(SystemTime::now() - HOURS));
        assert_eq!(scene.daemon.ok(request), answer);
        assert!(!scene.lock().exists());
    }
    assert_eq!(scene.content(), "1", "the checkout went back");
}

#[test]
fn an_old_lock_that_a_living_process_holds_open_is_respected() {
    let mut scene = Scene::new();
    let held = scene.plant(SystemTime::now() - HOURS);
    let hours = HOURS.as_millis() as u64;
    wants_locked(&mut scene, hours, hours + 600_000);
    drop(held);
    for (request, answer) in scene.writes() {
        assert_eq!(scene.daemon.ok(request), answer);
    }
}

#[test]
fn what_a_dead_writer_left_is_known_until_it_was_mended() {
    let mut scene = Scene::new();
    let mark = scene.clone.join(".git/gitport-writer");
    for (request, answer) in scene.writes() {
        fs::write(&mark, "process 1\n").unwrap();
        let minute_ago = SystemTime::now() - Duration::from_secs(60);
        File::options().write(true).open(&mark).unwrap().set_modified(minute_ago).unwrap();
        let held = scene.plant(SystemTime::now());
        for _ in 0..2 {
            scene.daemon.refused("locked", request.clone());
        }
        drop(held);
        assert_eq!(scene.daemon.ok(request), answer);
        assert!(!scene.lock().exists());
        assert_eq!(fs::read(&mark).unwrap(), b"");
    }
}

#[test]
fn a_lock_from_the_future_is_respected() {
    let mut scene = Scene::new();
    drop(scene.plant(SystemTime::now() + HOURS));
    wants_locked(&mut scene, 0, 0);
}

#[test]
fn a_lock_that_is_released_in_time_delays_nobody_for_long() {
    let mut scene = Scene::new();
    drop(scene.plant(SystemTime::now()));
    for (request, answer) in scene.writes() {
        let first = scene.daemon.call(request.clone());
        assert_eq!(first["code"], "locked");
        fs::remove_file(scene.lock()).unwrap();
        assert_eq!(scene.daemon.ok(request), answer);
        drop(scene.plant(SystemTime::now()));
    }
}

#[test]
fn other_locks_are_treated_the_same() {
    for name in ["HEAD.lock", "refs/heads/main.lock"] {
        let mut scene = Scene::new();
        let lock = scene.clone.join(".git").join(name);
        let request = sync(&scene.origin, &scene.clone);
        fs::write(&lock, "").unwrap();
        is_locked(&mut scene, request.clone(), &lock, 0..=600_000);
        let file = File::options().write(true).open(&lock).unwrap();
        file.set_modified(SystemTime::now() - HOURS).unwrap();
        drop(file);
        assert_eq!(scene.daemon.ok(request), scene.origin.head(), "{name}");
        assert_eq!(scene.content(), "2");
    }
}

#[test]
fn reading_minds_no_lock() {
    let mut scene = Scene::new();
    drop(scene.plant(SystemTime::now()));
    let path = &scene.clone;
    for name in ["HEAD.lock", "refs/heads/main.lock", "packed-refs.lock"] {
        fs::write(path.join(".git").join(name), "").unwrap();
    }
    for request in [
        json!({"op": "head", "path": path}),
        json!({"op": "files", "path": path, "rev": "HEAD"}),
        json!({"op": "read", "path": path, "file": "a", "rev": "HEAD"}),
        json!({"op": "log", "path": path}),
        json!({"op": "diff", "path": path}),
        json!({"op": "status", "path": path}),
    ] {
        scene.daemon.ok(request);
    }
    assert!(scene.lock().exists());
}
