//! Who counts as being at work in a repository, by folders as in `/proc`.

use std::{fs, os::unix::fs::symlink, path::PathBuf};

use tempfile::TempDir;

use super::is_git_inside;

struct Scene {
    folder: TempDir,
    tops: [PathBuf; 1],
}

impl Scene {
    fn new() -> Scene {
        let folder = TempDir::new().unwrap();
        let tops = [folder.path().join("repository")];
        fs::create_dir(&tops[0]).unwrap();
        Scene { folder, tops }
    }

    fn process(&self, name: &str) -> PathBuf {
        let process = self.folder.path().join("process");
        let _ = fs::remove_dir_all(&process);
        fs::create_dir(&process).unwrap();
        fs::write(process.join("comm"), format!("{name}\n")).unwrap();
        process
    }
}

#[test]
fn a_git_counts_where_it_is() {
    let scene = Scene::new();
    for (name, place, counts) in [
        ("git", scene.tops[0].clone(), true),
        ("git-rebase", scene.tops[0].join("below"), true),
        ("git", scene.folder.path().to_owned(), false),
        ("vim", scene.tops[0].clone(), false),
        ("gitport", scene.tops[0].clone(), false),
    ] {
        let process = scene.process(name);
        symlink(&place, process.join("cwd")).unwrap();
        assert_eq!(is_git_inside(&process, &scene.tops), counts, "{name} in {}", place.display());
    }
}

#[test]
fn a_git_that_hides_where_it_is_counts_and_one_that_is_gone_does_not() {
    let scene = Scene::new();
    let process = scene.process("git");
    assert!(!is_git_inside(&process, &scene.tops));
    // No link: it cannot be read, whoever asks.
    fs::write(process.join("cwd"), "").unwrap();
    assert!(is_git_inside(&process, &scene.tops));
    fs::write(process.join("comm"), "vim\n").unwrap();
    assert!(!is_git_inside(&process, &scene.tops));
}
