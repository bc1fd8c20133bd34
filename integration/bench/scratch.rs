//! Repositories that one benchmark makes, changes and throws away.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{Bench, git};

/// An empty folder with a name of its own.
pub fn folder(bench: &Bench) -> PathBuf {
    tempfile::tempdir_in(&bench.scratch).expect("there is room").keep()
}

/// A bare repository without a commit.
pub fn empty_repository(bench: &Bench) -> PathBuf {
    let folder = folder(bench);
    git::git(&folder, &["init", "--quiet", "--bare", "--initial-branch=main", "."]);
    folder
}

pub fn copy(bench: &Bench, repository: &Path) -> PathBuf {
    let folder = folder(bench);
    let mut command = Command::new("cp");
    let status = command.arg("-r").arg(repository.join(".")).arg(&folder).status();
    assert!(status.expect("cp can be started").success(), "it is copied");
    folder
}

/// The bytes of all files in a folder and below.
pub fn bytes(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).expect("it can be listed");
    let size = |entry: fs::DirEntry| match entry.metadata().expect("it is there") {
        metadata if metadata.is_dir() => bytes(&entry.path()),
        metadata => metadata.len(),
    };
    entries.map(|entry| size(entry.expect("it can be listed"))).sum()
}

pub fn text(path: &Path) -> String {
    path.to_str().expect("the path is text").to_owned()
}
