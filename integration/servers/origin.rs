//! Bare repositories that servers show, written by stock git with dates and names that never change.

use std::{
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::{command, output};

/// A folder of bare repositories; `project.git` is the one most tests need.
pub struct Origin {
    folder: TempDir,
}

impl Origin {
    /// `main` with five commits of `readme.txt` and `deploy.yaml`, `side` with one more.
    pub fn new() -> Origin {
        let origin = Origin::empty();
        for number in 1..=5 {
            let readme = format!("{number}\n");
            origin.commit("main", &[("readme.txt", &readme), ("deploy.yaml", "replicas: 1\n")]);
        }
        origin.branch("side", "main");
        origin.commit("side", &[("side.txt", "side\n")]);
        origin
    }

    /// The same with `bytes` more that do not compress, so that a pack can be cut in the middle.
    pub fn large(bytes: usize) -> Origin {
        let origin = Origin::new();
        origin.commit_bytes("main", "noise.bin", &noise(bytes, 1));
        origin
    }

    pub fn empty() -> Origin {
        let folder = tempfile::tempdir().unwrap();
        let origin = Origin { folder };
        origin.create("project.git");
        origin
    }

    /// Adds another empty repository to the folder.
    pub fn create(&self, name: &str) -> PathBuf {
        let path = self.folder().join(name);
        output(command("git").args(["init", "--quiet", "--bare", "-b", "main"]).arg(&path));
        // A closed connection must not leave a housekeeping process behind.
        output(command("git").arg("-C").arg(&path).args(["config", "gc.auto", "0"]));
        path
    }

    /// Lets everybody push who may come in, which servers of the open kind want to be told.
    pub fn accepting(self) -> Origin {
        for key in ["http.receivepack", "daemon.receivepack"] {
            output(self.git().args(["config", key, "true"]));
        }
        self
    }

    /// Has the project run `script` as its `hook`.
    pub fn hook(&self, hook: &str, script: &str) {
        let file = self.path().join("hooks").join(hook);
        fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self) -> PathBuf {
        self.folder().join("project.git")
    }

    pub fn git(&self) -> Command {
        git(&self.path())
    }

    pub fn tip(&self, branch: &str) -> String {
        tip(&self.path(), branch)
    }

    pub fn commit(&self, branch: &str, files: &[(&str, &str)]) -> String {
        commit(&self.path(), branch, files)
    }

    pub fn commit_bytes(&self, branch: &str, file: &str, content: &[u8]) -> String {
        self.commit_all(branch, &[(file, content)])
    }

    pub fn commit_all(&self, branch: &str, files: &[(&str, &[u8])]) -> String {
        let files: Vec<_> = files.iter().map(|(name, bytes)| (*name, "100644", *bytes)).collect();
        write(&self.path(), branch, Some(branch), &files)
    }

    /// Replaces the whole history of `branch` by one commit that shares nothing with it.
    pub fn rewrite(&self, branch: &str, files: &[(&str, &str)]) -> String {
        let files: Vec<_> =
            files.iter().map(|(name, text)| (*name, "100644", text.as_bytes())).collect();
        output(self.git().args(["update-ref", "-d"]).arg(format!("refs/heads/{branch}")));
        write(&self.path(), branch, None, &files)
    }

    pub fn branch(&self, name: &str, from: &str) {
        output(self.git().args(["branch", "--no-track", name, from]));
    }

    /// Makes `name` a branch at the tip of `main` in `count` copies, packed.
    pub fn add_refs(&self, count: usize) {
        let tip = self.tip("main");
        let mut packed = fs::read_to_string(self.path().join("packed-refs")).unwrap_or_default();
        packed.push_str("# pack-refs with: peeled fully-peeled sorted\n");
        for number in 0..count {
            writeln!(packed, "{tip} refs/many/{number:06}").unwrap();
        }
        fs::write(self.path().join("packed-refs"), packed).unwrap();
    }
}

/// Stock git in the repository at `path`.
pub fn git(path: &Path) -> Command {
    let mut git = command("git");
    git.arg("-C").arg(path);
    git
}

pub fn tip(path: &Path, branch: &str) -> String {
    output(git(path).args(["rev-parse", "--verify"]).arg(format!("refs/heads/{branch}")))
}

/// Commits `files` on top of `branch`, whether it exists or not.
pub fn commit(path: &Path, branch: &str, files: &[(&str, &str)]) -> String {
    let files: Vec<_> =
        files.iter().map(|(name, text)| (*name, "100644", text.as_bytes())).collect();
    write(path, branch, Some(branch), &files)
}

/// Commits `count` times on top of `branch`, which exists.
pub fn commit_many(path: &Path, branch: &str, count: usize, text: &str) -> String {
    let mut stream = Vec::new();
    for number in 0..count {
        stream.extend(format!("commit refs/heads/{branch}\n").bytes());
        stream.extend(b"committer Ada <ada@example.org> 1700000000 +0000\ndata 5\nmany\n\n");
        if number == 0 {
            stream.extend(format!("from refs/heads/{branch}^0\n").bytes());
        }
        let text = format!("{text} {number}\n");
        stream.extend(format!("M 100644 inline many.txt\ndata {}\n{text}\n", text.len()).bytes());
    }
    import(path, &stream);
    tip(path, branch)
}

/// Commits the submodule `name` from `url` at `commit` on top of `branch`.
pub fn commit_submodule(path: &Path, branch: &str, name: &str, url: &str, id: &str) -> String {
    let modules = format!("[submodule \"{name}\"]\n\tpath = {name}\n\turl = {url}\n");
    let files = [(".gitmodules", "100644", modules.as_bytes()), (name, "160000", id.as_bytes())];
    write(path, branch, Some(branch), &files)
}

fn write(path: &Path, branch: &str, onto: Option<&str>, files: &[(&str, &str, &[u8])]) -> String {
    let exists = onto.is_some_and(|onto| {
        let name = format!("refs/heads/{onto}");
        git(path)
            .args(["show-ref", "--quiet", "--verify", &name])
            .status()
            .is_ok_and(|it| it.success())
    });
    let mut stream = Vec::new();
    stream.extend(format!("commit refs/heads/{branch}\n").bytes());
    stream.extend(b"committer Ada <ada@example.org> 1700000000 +0000\n");
    stream.extend(b"data 7\nchange\n\n");
    if exists {
        stream.extend(format!("from refs/heads/{branch}^0\n").bytes());
    }
    for (name, mode, content) in files {
        if *mode == "160000" {
            stream
                .extend(format!("M {mode} {} {name}\n", String::from_utf8_lossy(content)).bytes());
        } else {
            stream.extend(format!("M {mode} inline {name}\ndata {}\n", content.len()).bytes());
            stream.extend(*content);
            stream.push(b'\n');
        }
    }
    import(path, &stream);
    tip(path, branch)
}

fn import(path: &Path, stream: &[u8]) {
    let mut import = git(path)
        .args(["fast-import", "--quiet", "--force"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(stream).expect("git reads it all");
    assert!(import.wait().unwrap().success());
}

/// Bytes that look like chance and are the same every time.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}
