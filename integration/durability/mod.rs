//! What a change that was answered for outlives: kills, losses of power, full and failing disks, and
//! everybody else who writes the same repository.

mod disk;
mod faults;
mod following;
mod formats;
mod kills;
mod power;
mod races;
mod rest;
mod shim;
mod synced;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use crate::repository::{Repository, git_command};

/// How long whoever comes after bad luck may take.
const SOON: Duration = Duration::from_secs(2);

/// Something that is written, each time under another number.
#[derive(Clone, Copy)]
pub struct Writing {
    pub name: &'static str,
    /// The arguments but `path`.
    request: fn(u64) -> Value,
    /// What a repository shows that has it: refs, and files of branches with their content.
    traces: fn(u64) -> Traces,
}

/// Operations that change a repository, and what is to be seen of them. A new one is a line here.
pub const WRITINGS: &[Writing] = &[
    Writing { name: "commit", request: commit, traces: committed },
    Writing { name: "commit", request: commit_on_side, traces: committed_on_side },
    Writing { name: "commit", request: commit_relaxed, traces: committed },
    Writing { name: "commit", request: commit_on_new, traces: committed_on_new },
    Writing { name: "commit", request: commit_once, traces: committed },
    Writing { name: "ref.update", request: move_refs, traces: refs_moved },
    Writing { name: "branch", request: branch, traces: branched },
    Writing { name: "tag", request: tag, traces: tagged },
    Writing { name: "note", request: note, traces: noted },
    Writing { name: "merge", request: merge, traces: merged },
    Writing { name: "merge", request: merge_forward, traces: merged },
    Writing { name: "lock", request: lock, traces: locked },
];

#[derive(Default)]
pub struct Traces {
    pub refs: Vec<String>,
    /// Branch, file, content.
    pub files: Vec<(String, String, String)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Whole,
    Absent,
    Half,
}

impl Writing {
    pub fn request(&self, path: &Path, number: u64) -> Value {
        let mut request = (self.request)(number);
        request["op"] = json!(self.name);
        request["path"] = json!(path);
        request["id"] = json!(number);
        request
    }

    pub fn seen(&self, state: &State, number: u64) -> Seen {
        let Traces { refs, files } = (self.traces)(number);
        let has_ref = |it: &String| state.refs.contains_key(it);
        let has_file = |(branch, file, content): &(String, String, String)| {
            let id = state.files.get(&(branch.clone(), file.clone()));
            id == Some(&blob_id(content.as_bytes()))
        };
        let count = refs.iter().filter(|it| has_ref(it)).count()
            + files.iter().filter(|it| has_file(it)).count();
        match count {
            // Also where nothing is to be seen of it.
            _ if count == refs.len() + files.len() => Seen::Whole,
            0 => Seen::Absent,
            _ => Seen::Half,
        }
    }
}

/// How many of them are plain commits, which come first.
pub const COMMITS: u64 = 4;

/// The writing whose turn it is.
pub fn writing(number: u64) -> &'static Writing {
    &WRITINGS[number as usize % WRITINGS.len()]
}

fn commit(number: u64) -> Value {
    let [one, other] = files_of(number);
    json!({"branch": "main", "message": format!("{number}\n"), "encoding": "utf8", "changes": [
        {"file": one, "content": format!("one of {number}\n")},
        {"file": other, "content": format!("other of {number}\n")}]})
}

fn commit_on_side(number: u64) -> Value {
    with(commit(number), json!({"branch": "side"}))
}

fn commit_relaxed(number: u64) -> Value {
    with(commit(number), json!({"durability": "relaxed"}))
}

fn commit_on_new(number: u64) -> Value {
    with(commit(number), json!({"branch": format!("new/{number}")}))
}

fn commit_once(number: u64) -> Value {
    with(commit(number), json!({"key": format!("key-{number}")}))
}

fn move_refs(number: u64) -> Value {
    let update = |it: &String| json!({"ref": it, "to": "main"});
    json!({"updates": refs_moved(number).refs.iter().map(update).collect::<Vec<_>>()})
}

fn refs_moved(number: u64) -> Traces {
    named(["one", "other"].map(|it| format!("refs/many/{number}/{it}")))
}

fn branch(number: u64) -> Value {
    json!({"branch": format!("at/{number}"), "from": "side"})
}

fn branched(number: u64) -> Traces {
    named([format!("refs/heads/at/{number}")])
}

fn tag(number: u64) -> Value {
    json!({"tag": format!("t/{number}"), "target": "main", "message": format!("{number}\n")})
}

fn tagged(number: u64) -> Traces {
    named([format!("refs/tags/t/{number}")])
}

fn note(number: u64) -> Value {
    json!({"target": "main", "namespace": format!("n{number}"), "content": "noted\n",
        "encoding": "utf8"})
}

fn noted(number: u64) -> Traces {
    named([format!("refs/notes/n{number}")])
}

fn merge(_: u64) -> Value {
    json!({"into": "main", "from": "side", "message": "merged\n", "encoding": "utf8"})
}

/// After the other one, most of the time.
fn merge_forward(_: u64) -> Value {
    json!({"into": "side", "from": "main", "message": "merged\n", "encoding": "utf8"})
}

/// Whether there was anything to merge only those before it tell.
fn merged(_: u64) -> Traces {
    Traces::default()
}

fn lock(number: u64) -> Value {
    json!({"name": format!("lock-{number}"), "owner": "ada", "ttl_ms": 600_000})
}

fn locked(number: u64) -> Traces {
    named([format!("refs/gitvan/locks/lock-{number}")])
}

fn named<const COUNT: usize>(refs: [String; COUNT]) -> Traces {
    Traces { refs: refs.into(), files: Vec::new() }
}

fn committed(number: u64) -> Traces {
    committed_on("main", number)
}

fn committed_on_side(number: u64) -> Traces {
    committed_on("side", number)
}

fn committed_on_new(number: u64) -> Traces {
    let branch = format!("new/{number}");
    Traces { refs: vec![format!("refs/heads/{branch}")], ..committed_on(&branch, number) }
}

fn committed_on(branch: &str, number: u64) -> Traces {
    let [one, other] = files_of(number);
    let file = |file, which| (branch.to_owned(), file, format!("{which} of {number}\n"));
    Traces { refs: Vec::new(), files: vec![file(one, "one"), file(other, "other")] }
}

fn files_of(number: u64) -> [String; 2] {
    [format!("folder-{}/one-{number}", number % 7), format!("other/{}/{number}", number % 5)]
}

pub fn with(mut request: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}

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
        let traces = numbers.into_iter().flat_map(|it| (writing(it).traces)(it).files);
        let places: Vec<(String, String)> =
            traces.map(|(branch, file, _)| (branch, file)).collect();
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
    let good = replies.into_iter().filter(|it| it.get("ok").is_some());
    good.map(|it| it["id"].as_u64().unwrap()).collect()
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
