//! How the program treats remotes: what it takes from good ones, and what bad ones cannot do to it.

mod broken;
mod certificates;
mod cloning;
mod credentials;
mod existing;
mod hanging;
mod hooks;
mod keeping;
mod keeping_odd;
mod killed;
mod known_hosts;
mod listing;
mod locks;
mod order;
mod places;
mod progress;
mod proxies;
mod pushing;
mod pushing_together;
mod redirects;
mod secrets;
mod ssh;
mod submodules;
mod transports;

use std::{
    fmt::Display,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    processes::until,
    servers::{origin::git, output},
};

/// The flags of a daemon that brings packs by itself.
const BUILT_IN: &[&str] = &["--git", "none"];

/// The flags of one that has stock git to bring large ones.
const STOCK_GIT: &[&str] = &["--git", "git"];

/// How long after the reply a trace of a request may be seen.
const SOON: Duration = Duration::from_secs(1);

/// Does the test both ways; what a remote can do must not depend on who brings the packs.
fn each_way(test: impl Fn(&[&str])) {
    for flags in [BUILT_IN, STOCK_GIT] {
        let _way = Way(flags);
        test(flags);
    }
}

/// Tells which way it was that failed.
struct Way(&'static [&'static str]);

impl Drop for Way {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let _ = writeln!(std::io::stderr(), "failed with {}", self.0.join(" "));
        }
    }
}

/// A request to bring `main` of `url` to `path`.
fn sync(url: impl Display, path: &Path) -> Value {
    json!({"op": "sync", "url": url.to_string(), "branch": "main", "path": path})
}

fn lsremote(url: impl Display) -> Value {
    json!({"op": "lsremote", "url": url.to_string()})
}

/// The request with more arguments, or others.
fn with(mut request: Value, arguments: Value) -> Value {
    let Value::Object(arguments) = arguments else { panic!("arguments are a map") };
    request.as_object_mut().unwrap().extend(arguments);
    request
}

/// A folder of its own for what the program writes.
pub struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { folder: TempDir::new().unwrap() }
    }

    /// Where the clone goes.
    fn path(&self) -> PathBuf {
        self.at("clone")
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// All that lies in the folder, leftovers too.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    /// Waits until nothing but `names` lies in the folder.
    ///
    /// A reply does not wait until what was half done is cleared away.
    fn is_left_with(&self, names: &[&str]) {
        until("nothing is left over", SOON, || self.names() == names);
    }

    /// What stock git says about the clone.
    fn git(&self, arguments: &[&str]) -> String {
        output(git(&self.path()).args(arguments))
    }

    fn commits(&self) -> usize {
        self.git(&["rev-list", "--count", "HEAD"]).parse().unwrap()
    }

    /// Holds stock git's opinion against the clone: whole, clean, and on `branch` at `id`.
    #[track_caller]
    fn is_sound(&self, branch: &str, id: &str) {
        self.git(&["fsck", "--no-dangling", "--no-progress"]);
        assert_eq!(self.git(&["rev-parse", "HEAD"]), id);
        assert_eq!(self.git(&["symbolic-ref", "--short", "HEAD"]), branch);
        assert_eq!(self.git(&["status", "--porcelain", "--untracked-files=no"]), "");
    }

    fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Files in the Git folder that only somebody at work would have there.
    fn half_done(&self) -> Vec<PathBuf> {
        fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.file_name().unwrap().to_str().unwrap();
                if path.is_dir() {
                    collect(&path, found);
                } else if name.ends_with(".lock")
                    || name.starts_with("tmp_")
                    || name.starts_with("pack_git2_")
                {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        collect(&self.path().join(".git"), &mut found);
        found
    }

    fn has(&self, file: &str) -> bool {
        self.path().join(file).symlink_metadata().is_ok()
    }
}
