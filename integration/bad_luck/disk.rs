//! A full disk is told as such, and nothing half written is left on it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::json;
use tempfile::TempDir;

use crate::{
    daemon::Daemon,
    repository::{Repository, git_command, text},
};

/// A file system of few bytes that goes when the value goes.
pub struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// Nothing where this user may not mount.
    pub fn mount(size: &str) -> Option<SmallDisk> {
        let folder = TempDir::new().unwrap();
        let options = format!("size={size}");
        let mount = ["-t", "tmpfs", "-o", &options, "tmpfs", text(folder.path())];
        let output = Command::new("mount").args(mount).output().unwrap();
        if !output.status.success() {
            let why = String::from_utf8_lossy(&output.stderr);
            crate::skipped("a full disk", &format!("no file system can be mounted: {why}"));
            return None;
        }
        Some(SmallDisk { folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn list(&self) -> Vec<PathBuf> {
        fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").args(["-l", text(self.path())]).output();
    }
}

/// Bytes that no compression makes fewer.
fn noise(length: usize) -> Vec<u8> {
    let mut state: u64 = 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

#[test]
fn a_clone_that_does_not_fit_leaves_nothing() {
    let origin = Repository::new();
    origin.write("noise", noise(6 << 20));
    origin.commit("noise");
    let Some(disk) = SmallDisk::mount("3m") else { return };
    let mut daemon = Daemon::start();
    for transport in ["", "file://"] {
        let url = format!("{transport}{}", origin.path());
        let path = disk.path().join("clone");
        let request = json!({"op": "sync", "url": url, "branch": "main", "path": path});
        daemon.refused("disk_full", request);
        assert_eq!(disk.list(), [] as [PathBuf; 0]);
    }
    daemon.ok(json!({"op": "ping"}));
}

#[test]
fn a_worktree_that_does_not_fit_leaves_nothing() {
    // What is small in the pack and large in the worktree.
    let origin = Repository::of(&[("zeroes", &"0".repeat(8 << 20))]);
    let Some(disk) = SmallDisk::mount("3m") else { return };
    let path = disk.path().join("clone");
    let request = json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path});
    Daemon::start().refused("disk_full", request);
    assert_eq!(disk.list(), [] as [PathBuf; 0]);
}

#[test]
fn a_worktree_that_no_longer_fits_leaves_the_clone_as_it_was() {
    let origin = Repository::of(&[("a", "1\n"), ("z", "1\n")]);
    let before = origin.head();
    let Some(disk) = SmallDisk::mount("12m") else { return };
    let path = disk.path().join("clone");
    let sync = json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path});
    let mut daemon = Daemon::start();
    daemon.ok(sync.clone());
    // What is small in the pack and large in the worktree.
    origin.write("a", "2\n");
    origin.write("zeroes", "0".repeat(4 << 20));
    let after = origin.commit("second");
    let git = |arguments: &[&str]| {
        let output = git_command(&path).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let checkout = json!({"op": "checkout", "path": path, "sha": after});
    for request in [sync, checkout] {
        let filler = disk.path().join("filler");
        fs::write(&filler, noise(9 << 20)).unwrap();
        daemon.refused("disk_full", request.clone());
        assert_eq!(git(&["rev-parse", "HEAD"]), before);
        assert_eq!(git(&["rev-parse", "main"]), before);
        assert_eq!(git(&["status", "--porcelain"]), "");
        fs::remove_file(filler).unwrap();
        assert_eq!(daemon.ok(request), after, "there is room now");
        assert_eq!(git(&["status", "--porcelain"]), "");
        git(&["checkout", "-q", "main"]);
        git(&["reset", "-q", "--hard", &before]);
    }
}

#[test]
fn a_fetch_that_does_not_fit_leaves_the_clone_as_it_was() {
    let origin = Repository::of(&[("a", "1")]);
    let before = origin.head();
    let Some(disk) = SmallDisk::mount("3m") else { return };
    let path = disk.path().join("clone");
    let request = json!({"op": "sync", "url": origin.path(), "branch": "main", "path": path});
    let mut daemon = Daemon::start();
    daemon.ok(request.clone());
    origin.write("noise", noise(6 << 20));
    origin.commit("noise");
    daemon.refused("disk_full", request.clone());
    let git = |arguments: &[&str]| git_command(&path).args(arguments).output().unwrap();
    assert!(git(&["fsck", "--strict"]).status.success());
    assert_eq!(String::from_utf8(git(&["rev-parse", "HEAD"]).stdout).unwrap().trim(), before);
    assert_eq!(git(&["status", "--porcelain"]).stdout, b"");

    origin.git(&["reset", "-q", "--hard", &before]);
    origin.write("a", "2");
    let after = origin.commit("second");
    assert_eq!(daemon.ok(request), after, "there is room for this one");
    assert_eq!(fs::read_to_string(path.join("a")).unwrap(), "2");
}
