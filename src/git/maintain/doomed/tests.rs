//! What goes, in which order, and what keeps it.

use std::{fs, path::Path, process::Command};

use git2::Oid;
use tempfile::TempDir;

use super::Doomed;
use crate::git::Repository;

/// A repository with a packed branch, and an old loose commit with a parent that nothing leads to.
struct Scene {
    folder: TempDir,
    repository: Repository,
    child: String,
    parent: String,
}

#[expect(clippy::disallowed_methods, reason = "stock git packs")]
fn git(folder: &Path, arguments: &[&str]) -> String {
    let who = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    let mut command = Command::new("git");
    let output = command.arg("-C").arg(folder).args(who).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

impl Scene {
    fn new() -> Scene {
        let folder = TempDir::new().unwrap();
        git(folder.path(), &["init", "-q", "--bare", "-b", "main"]);
        let tree = git(folder.path(), &["mktree"]);
        let main = git(folder.path(), &["commit-tree", "-m", "main", &tree]);
        git(folder.path(), &["update-ref", "refs/heads/main", &main]);
        git(folder.path(), &["repack", "-adq"]);
        let file = folder.path().join("file");
        fs::write(&file, "old\n").unwrap();
        let blob = git(folder.path(), &["hash-object", "-w", file.to_str().unwrap()]);
        let index = ["update-index", "--add", "--cacheinfo", &format!("100644,{blob},file")];
        git(folder.path(), &index);
        let tree = git(folder.path(), &["write-tree"]);
        let parent = git(folder.path(), &["commit-tree", "-m", "parent", &tree]);
        let child = git(folder.path(), &["commit-tree", "-m", "child", "-p", &parent, &tree]);
        let repository = Repository::open_at(folder.path()).unwrap();
        Scene { folder, repository, child, parent }
    }

    /// As if git had packed what refs lead to.
    fn doomed(&self) -> Doomed {
        let mut doomed = Doomed::list(self.folder.path());
        let fresh = doomed.packs_but(&[]);
        doomed.replaced_by(self.folder.path(), &fresh).unwrap();
        doomed
    }

    fn begin_old_branch(&self) {
        git(self.folder.path(), &["update-ref", "refs/heads/old", &self.child]);
    }

    fn loose(&self, id: &str) -> std::path::PathBuf {
        self.folder.path().join("objects").join(&id[..2]).join(&id[2..])
    }
}

#[test]
fn commits_go_before_what_they_need() {
    let scene = Scene::new();
    let mut doomed = scene.doomed();
    doomed.spare_what_is_reached(&scene.repository).unwrap();
    doomed.rank(&scene.repository).unwrap();
    assert_eq!(doomed.remove_packs_and_leading(), 2);
    let left = [&scene.child, &scene.parent].map(|it| scene.loose(it).exists());
    assert_eq!(left, [false, false]);
    assert!(doomed.has_loose());
    assert_eq!([doomed.remove_loose(1), doomed.remove_loose(9)], [1, 1]);
}

#[test]
fn what_a_branch_leads_to_since_is_spared() {
    let scene = Scene::new();
    let mut doomed = scene.doomed();
    scene.begin_old_branch();
    doomed.spare_what_is_reached(&scene.repository).unwrap();
    assert!(!doomed.has_loose());
}

#[test]
fn nothing_is_told_to_go_where_something_cannot_be_read() {
    let scene = Scene::new();
    let file = scene.loose(&scene.parent);
    fs::rename(&file, scene.folder.path().join("aside")).unwrap();
    let mut doomed = scene.doomed();
    scene.begin_old_branch();
    doomed.spare_what_is_reached(&scene.repository).unwrap_err();
    // But a shallow clone has no more.
    fs::write(scene.folder.path().join("shallow"), format!("{}\n", scene.child)).unwrap();
    let mut doomed = scene.doomed();
    doomed.spare_what_is_reached(&scene.repository).unwrap();
    assert!(!doomed.seen.contains(&Oid::from_str(&scene.parent).unwrap()));
}

#[test]
fn a_ref_that_cannot_be_read_is_not_gone() {
    let scene = Scene::new();
    fs::write(scene.folder.path().join("refs/heads/torn"), "").unwrap();
    scene.doomed().spare_what_is_reached(&scene.repository).unwrap_err();
}
