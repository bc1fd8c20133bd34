//! A folder, which anybody may read and somebody may have damaged.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{definition, expect_a_store, getting, publishing, versions};
use crate::daemon::Daemon;

fn store() -> (TempDir, Value) {
    let folder = TempDir::new().unwrap();
    let place = json!({"store": {"folder": folder.path().join("published")}});
    (folder, place)
}

#[test]
fn nothing_is_published_among_the_files_of_git() {
    let repository = crate::repository::Repository::init(&[]);
    let place = json!({"store": {"folder": repository.file(".git/refs")}});
    let request = publishing(&place, &definition("1.0.0", "a"));
    assert_eq!(Daemon::start().refused("denied", request)["rule"], ".git");
}

#[test]
fn what_is_published_is_found_by_version_and_range() {
    expect_a_store(&mut Daemon::start(), &store().1);
}

#[test]
fn who_asks_for_a_version_that_is_not_there_is_told_of_the_last_ones() {
    let ((_folder, place), mut daemon) = (store(), Daemon::start());
    let mut told = |version: &str, there: &str| {
        daemon.ok(publishing(&place, &definition(version, "first")));
        let refused = daemon.refused("not_found", getting(&place, "<1"));
        assert_eq!(refused["err"], format!("`ship` has no version `<1`; there {there}"));
    };
    told("1.0.0-rc.1", "are pre-releases alone: 1.0.0-rc.1");
    told("1.0.0", "are 1.0.0-rc.1, 1.0.0");
    told("1.1.0", "are 1.0.0-rc.1, 1.0.0, 1.1.0");
    told("1.2.0", "are 1.0.0-rc.1, 1.0.0, 1.1.0, 1.2.0");
    told("1.10.0", "are 1.0.0-rc.1, 1.0.0, 1.1.0, 1.2.0, 1.10.0");
    told("2.0.0", "are 1.0.0, 1.1.0, 1.2.0, 1.10.0, 2.0.0 and older ones");
}

#[test]
fn a_version_is_a_file_that_anybody_reads_and_nobody_writes() {
    let (folder, place) = store();
    let made = Daemon::start().ok(publishing(&place, &definition("1.0.0", "a")));
    let file = folder.path().join("published/ship/ship_v1.0.0.yaml");
    assert_eq!(fs::read_to_string(&file).unwrap(), definition("1.0.0", "a"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o444);
    let record = fs::read(file.with_extension("json")).unwrap();
    let record: Value = serde_json::from_slice(&record).unwrap();
    assert_eq!((&record["v"], &record["sha256"]), (&json!(1), &made["sha256"]));
    assert_eq!((&record["process"], &record["digest"]), (&json!("ship"), &made["digest"]));
}

#[test]
fn a_damaged_file_is_corrupt_and_stays_so() {
    let (folder, place) = store();
    let mut daemon = Daemon::start();
    for version in ["1.0.0", "1.1.0"] {
        daemon.ok(publishing(&place, &definition(version, "a")));
    }
    let file = folder.path().join("published/ship/ship_v1.0.0.yaml");
    let record = file.with_extension("json");
    let (sound, line) = (fs::read(&file).unwrap(), fs::read(&record).unwrap());
    let replace = |path: &std::path::Path, bytes: &[u8]| {
        fs::remove_file(path).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let other = fs::read(folder.path().join("published/ship/ship_v1.1.0.yaml")).unwrap();
    for bytes in [&b""[..], &sound[1..], &other, b"\xff", &vec![b'#'; 5 << 20]] {
        replace(&file, bytes);
        daemon.refused("corrupt", getting(&place, "1.0.0"));
    }
    replace(&file, &sound);
    for bytes in [&b""[..], &line[..20], b"{}", b"{\"v\":1}", b"[]"] {
        replace(&record, bytes);
        daemon.refused("corrupt", getting(&place, "1.0.0"));
        daemon.refused("corrupt", publishing(&place, &definition("1.0.0", "a")));
    }
    replace(&record, b"{\"v\":2}");
    daemon.refused("unsupported", getting(&place, "1.0.0"));
    replace(&record, &line);
    daemon.ok(getting(&place, "1.0.0"));
    fs::remove_file(&file).unwrap();
    daemon.refused("corrupt", publishing(&place, &definition("1.0.0", "a")));
}

#[test]
fn a_file_whose_publisher_died_before_its_record_is_published() {
    let (folder, place) = store();
    let mut daemon = Daemon::start();
    daemon.ok(publishing(&place, &definition("1.0.0", "a")));
    let record = folder.path().join("published/ship/ship_v1.0.0.json");
    let line = fs::read(&record).unwrap();
    for (word, code) in [("a", "ok"), ("b", "already_exists")] {
        fs::remove_file(&record).unwrap();
        assert_eq!(daemon.ok(getting(&place, "1.0.0"))["content"], definition("1.0.0", "a"));
        let reply = daemon.call(publishing(&place, &definition("1.0.0", word)));
        assert!(reply["code"] == code || reply.get(code).is_some(), "{reply}");
        assert_eq!(fs::read(&record).unwrap(), line);
    }
}

#[test]
fn nothing_is_reached_through_a_link_or_outside_of_the_root() {
    let (folder, place) = store();
    let published = folder.path().join("published");
    let elsewhere = TempDir::new().unwrap();
    fs::create_dir(&published).unwrap();
    symlink(elsewhere.path(), published.join("ship")).unwrap();
    let root = folder.path().to_str().unwrap();
    let mut daemon = Daemon::start_with(&["--root", root]);
    daemon.refused("denied", publishing(&place, &definition("1.0.0", "a")));
    daemon.refused("denied", getting(&place, "1.0.0"));
    let outside = json!({"store": {"folder": elsewhere.path()}});
    daemon.refused("denied", publishing(&outside, &definition("1.0.0", "a")));
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    fs::remove_file(published.join("ship")).unwrap();
    daemon.ok(publishing(&place, &definition("1.0.0", "a")));
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, definition("2.0.0", "a")).unwrap();
    symlink(&secret, published.join("ship/ship_v2.0.0.yaml")).unwrap();
    daemon.refused("denied", getting(&place, "2.0.0"));
}

#[test]
fn what_lies_beside_the_versions_is_none_of_them() {
    let (folder, place) = store();
    let mut daemon = Daemon::start();
    daemon.ok(publishing(&place, &definition("1.0.0", "a")));
    let ship = folder.path().join("published/ship");
    for name in ["README.md", "ship_v1.yaml", "ship_vx.y.z.yaml", "other_v1.0.0.yaml", ".gitport-1"]
    {
        fs::write(ship.join(name), "x").unwrap();
    }
    fs::write(folder.path().join("published/README.md"), "x").unwrap();
    assert_eq!(versions(&mut daemon, &place), ["1.0.0"]);
    let all = daemon.ok(json!({"op": "process.list", "store": place["store"]}));
    assert_eq!(all["processes"], json!([{"name": "ship", "version": "1.0.0"}]));
}
