//! What a change that was answered for outlives: kills, losses of power, full and failing disks, and
//! everybody else who writes the same repository.

pub mod disk;
mod faults;
mod following;
mod formats;
mod kills;
mod power;
mod races;
mod rest;
mod running;
pub mod shim;
mod synced;
mod writings;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::Value;
use sha1::{Digest, Sha1};

pub use self::writings::{COMMITS, Seen, WRITINGS, with, writing};
use crate::repository::{Repository, git_command};

/// How long whoever comes after bad luck may take.
const SOON: Duration = Duration::from_secs(2);

/// What stock git sees of what these numbers leave in a repository.
pub struct State {
    pub refs: BTreeMap<String, String>,
    /// By branch and file.
    files: BTreeMap<(String, String), String>,
}

impl State {
    pub fn of(repository: &Path, numbers: impl IntoIterator<Item = u64>) -> State {
        let listed = git(repository, &["for-each-ref", "--format=%(objectname) %(refname)"]);
        let refs = listed
            .lines()
            .map(|it| it.split_once(' ').unwrap())
            .map(|(id, name)| (name.to_owned(), id.to_owned()))
            .collect();
        let places: Vec<(String, String)> =
            numbers.into_iter().flat_map(|it| writing(it).places(it)).collect();
        let asked: String =
            places.iter().map(|(branch, file)| format!("refs/heads/{branch}:{file}\n")).collect();
        let told = git_with_input(repository, &["cat-file", "--batch-check"], &asked);
        let ids = told.lines().map(|it| it.strip_suffix(" missing").map_or(it, |_| ""));
        let ids = ids.map(|it| it.split(' ').next().unwrap().to_owned());
        State { refs, files: places.into_iter().zip(ids).collect() }
    }
}

fn blob_id(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hash.finalize().iter().map(|it| format!("{it:02x}")).collect()
}

/// What stock git prints; it must succeed.
#[track_caller]
pub fn git(repository: &Path, arguments: &[&str]) -> String {
    let output = git_command(repository).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
}

fn git_with_input(repository: &Path, arguments: &[&str], input: &str) -> String {
    let mut command = git_command(repository);
    let mut process =
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = process.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = thread::spawn(move || stdin.write_all(input.as_bytes()).unwrap());
    let output = process.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// Fails where stock git finds anything wrong.
#[track_caller]
pub fn is_sound(repository: &Path) {
    let output = git_command(repository).args(["fsck", "--strict", "--no-dangling"]).output();
    let output = output.unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let is_silent = said.lines().all(|it| it.starts_with("notice:"));
    assert!(output.status.success() && is_silent, "fsck of {}: {said}", repository.display());
}

/// What nobody leaves in a Git folder when all went well or badly.
pub fn debris(git_folder: &Path) -> Vec<PathBuf> {
    let is_debris = |it: &PathBuf| {
        let name = it.file_name().unwrap().to_str().unwrap();
        let is_ours_in_use = name == "gitport-store" || name == "gitport-writer";
        name.ends_with(".lock")
            || name.ends_with(".new")
            || name.starts_with("tmp_")
            || name.starts_with("gitport_tmp_")
            || (is_ours_in_use && fs::metadata(it).is_ok_and(|it| 0 < it.len()))
            || name.starts_with("gitport-aside")
    };
    all_below(git_folder).into_iter().filter(is_debris).collect()
}

pub fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            found.extend(all_below(&path));
        }
        found.push(path);
    }
    found
}

/// A repository with the branches that the writings want, made by stock git.
pub struct Store {
    pub repository: Repository,
    pub is_bare: bool,
}

impl Store {
    pub fn new(is_bare: bool) -> Store {
        let repository = Repository::of(&[("first", "1\n"), ("folder-1/a", "2\n")]);
        repository.git(&["branch", "side"]);
        let repository = if is_bare { repository.bare() } else { repository };
        Store { repository, is_bare }
    }

    pub fn path(&self) -> &Path {
        Path::new(self.repository.path())
    }

    pub fn git_folder(&self) -> PathBuf {
        if self.is_bare { self.path().to_owned() } else { self.path().join(".git") }
    }

    /// Everything answered for is there, nothing is there by half, and stock git is content.
    #[track_caller]
    pub fn has_all(&self, asked: std::ops::Range<u64>, answered: &BTreeSet<u64>) {
        is_sound(self.path());
        let state = State::of(self.path(), asked.clone());
        for number in asked {
            let seen = writing(number).seen(&state, number);
            let name = writing(number).name;
            assert_ne!(seen, Seen::Half, "{name} {number}");
            if answered.contains(&number) {
                assert_eq!(seen, Seen::Whole, "{name} {number} was answered for");
            }
        }
    }

    #[track_caller]
    pub fn is_clean(&self) {
        if !self.is_bare {
            assert_eq!(git(self.path(), &["status", "--porcelain"]), "");
        }
    }
}

/// The numbers of the requests among these replies that succeeded.
pub fn answered<'a>(replies: impl IntoIterator<Item = &'a Value>) -> BTreeSet<u64> {
    let good = replies.into_iter().filter(|it| is_good(it));
    good.map(|it| it["id"].as_u64().unwrap()).collect()
}

/// Whether all went well, of a batch each request.
pub fn is_good(reply: &Value) -> bool {
    let each = reply.get("ok").map(|it| it.as_array().into_iter().flatten());
    each.is_some_and(|mut it| it.all(|it| it.get("err").is_none()))
}

/// Chances that can be had again.
pub struct Chance(u64);

impl Chance {
    /// As the environment says, or new ones; says which, for the case that something fails.
    #[expect(clippy::print_stdout, reason = "shown where the test fails")]
    pub fn new() -> Chance {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let seed = std::env::var("GITPORT_SEED").ok().and_then(|it| it.parse().ok());
        let seed = seed.unwrap_or(now.as_nanos() as u64);
        println!("to have this again: GITPORT_SEED={seed}");
        Chance::of(seed)
    }

    pub fn of(seed: u64) -> Chance {
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }

    pub fn is_heads(&mut self) -> bool {
        self.below(2) == 0
    }
}
