//! The names of every ref the program reads or writes.

use crate::error::{Error, Result};

pub const BRANCHES: &str = "refs/heads/";
/// The file with the refs that have none of their own.
pub const PACKED: &str = "packed-refs";
/// The folder of the reflogs.
pub const LOGS: &str = "logs";
/// What policies refused.
pub const DENIALS: &str = "refs/gitvan/denials";
/// Where policies are: who may do what.
pub const POLICIES: &str = "refs/gitvan/policy/";
/// Where locks are kept.
pub const LOCKS: &str = "refs/gitvan/locks/";
pub const NOTES: &str = "refs/notes/";
/// Where the remote had its notes when they were fetched: no folder that `git notes` or
/// `git branch` look into.
pub const NOTES_TRACKING: &str = "refs/remote-notes/origin/";
/// The folder of all refs but `HEAD`.
pub const REFS: &str = "refs/";
pub const REMOTES: &str = "refs/remotes/";
/// Where runs are: the newest commit of each …
pub const EXECUTIONS: &str = "refs/workflow/executions/";
/// … and below its id its parallel paths, while there are several.
pub const THREADS: &str = "refs/workflow/threads/";
/// … the processes that it calls, by the numbers of the items that call them …
pub const CHILDREN: &str = "refs/workflow/children/";
/// … and what it has reached.
pub const MILESTONES: &str = "refs/tags/milestone/";
/// The folder of refs that the program keeps for itself.
pub const OWN: &str = "refs/gitvan";
/// Refs that each worktree has for itself, which Git looks for nowhere else.
pub const OF_ONE_WORKTREE: &[&str] = &["refs/bisect/", "refs/rewritten/", "refs/worktree/"];
pub const REPLACEMENTS: &str = "refs/replace/";
pub const TAGS: &str = "refs/tags/";
pub const TRACKING: &str = "refs/remotes/origin/";
/// What was seen of branches and tags, and what is known of the triggers of processes.
pub const TRIGGERS: &str = "refs/gitvan/triggers";

/// What imports have done, each by its name.
const IMPORTS: &str = "refs/gitvan/imports/";
/// Answers to requests that had a key.
const KEYS: &str = "refs/notes/gitvan/keys";
/// Refs that only the program itself moves, with the rule and the words to say so.
const OURS: &[(&str, &str, &str)] = &[
    ("refs/workflow/executions", "runs", "where runs are: `run.start` makes them"),
    ("refs/workflow/threads", "runs", "where the paths of runs are: what happens moves it"),
    (
        "refs/workflow/children",
        "runs",
        "where processes are that runs call: what happens to a run moves it",
    ),
    ("refs/tags/milestone", "runs", "what runs have reached: reaching it makes it"),
    ("refs/gitvan/locks", "locks", "where locks are: `lock` and `unlock` move them"),
    (TRIGGERS, "triggers", "where triggers are: looking at a repository moves it"),
    ("refs/gitvan/imports", "imports", "where imports are: `workspace.import` moves them"),
    ("refs/gitvan/policy", "policies", "where policies are: `policy.set` moves them"),
    (DENIALS, "denials", "where refusals are: what policies refuse moves it"),
    (KEYS, "keys", "where answers to requests with a key are: such requests move it"),
    (PRUNED, "pruned", "where runs are told that were pruned: `run.prune` moves it"),
];
/// What no step of a run writes: runs, rules, definitions and proofs are made of it.
const KEPT_FROM_RUNS: [&str; 5] = [
    "refs/workflow",
    "refs/gitvan",
    "refs/notes/gitvan",
    "refs/tags/process",
    "refs/tags/milestone",
];
/// Where published processes are described, each on the commit that has its file.
const DEFINITIONS: &str = "refs/notes/gitvan/definitions";
/// What became of the tasks of runs, each on the commit that says so.
const RECEIPTS: &str = "refs/notes/gitvan/results";
/// Which runs were pruned, each by the name of a run.
const PRUNED: &str = "refs/notes/gitvan/pruned";
/// Below it and the name of an import: states without children beside the branch.
const IMPORTED: &str = "refs/imported/";

/// Whether a name can be a part of a ref, a folder and a file anywhere, as it is: of A-Z, a-z, 0-9,
/// `_`, `-` and single dots inside.
pub fn is_part(name: &str, bytes_max: usize) -> bool {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-_.".contains(&it);
    (1..=bytes_max).contains(&name.len())
        && name.bytes().all(is_plain)
        && !name.starts_with(['-', '.'])
        && !name.ends_with('.')
        && !name.ends_with(".lock")
        && !name.contains("..")
}

/// Where an import keeps what it has done. Its name is one that is no folder and needs no care.
pub fn import(name: &str) -> Result<String> {
    let reference = format!("{IMPORTS}{name}");
    let is_plain = name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it));
    match is_plain && name.len() <= 100 && git2::Reference::is_valid_name(&reference) {
        true => Ok(reference),
        false => {
            let message = format!("`{name}` cannot be the name of an import");
            Err(Error::bad_request(message).with("field", "name"))
        }
    }
}

/// The ref of a state; `part` is made of letters, digits, `-`, `_` and `%`.
pub fn imported(name: &str, part: &str) -> String {
    format!("{IMPORTED}{name}/{part}")
}

/// A branch, by the name people use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch(String);

impl Branch {
    pub fn new(name: &str) -> Result<Branch> {
        let name = name.strip_prefix(BRANCHES).unwrap_or(name);
        let is_valid = git2::Reference::is_valid_name(&format!("{BRANCHES}{name}"));
        if !is_valid || name.starts_with('-') {
            let message = format!("`{name}` cannot be the name of a branch");
            return Err(Error::bad_request(message).with("field", "branch"));
        }
        Ok(Branch(name.to_owned()))
    }

    /// One that is to be made: Git knows some names that it gives to none itself.
    pub fn new_one(name: &str, field: &'static str) -> Result<Branch> {
        let branch = Branch::new(name)
            .and_then(|it| expect_short_parts(&it.reference()).map(|()| it))
            .map_err(|error| Error::bad_request(error.message).with("field", field))?;
        match &*branch.0 {
            "HEAD" => Err(Error::bad_request("no branch is called `HEAD`").with("field", field)),
            _ => Ok(branch),
        }
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// The ref here and at the remote.
    pub fn reference(&self) -> String {
        format!("{BRANCHES}{}", self.0)
    }

    /// The ref that remembers where the remote had it.
    pub fn tracking(&self) -> String {
        format!("{TRACKING}{}", self.0)
    }

    /// What a fetch of just this branch writes, also where it was rewritten.
    pub fn refspec(&self) -> String {
        format!("+{}:{}", self.reference(), self.tracking())
    }
}

/// The whole name of a ref; what has none is a branch.
pub fn in_full(name: &str) -> String {
    match name.starts_with("refs/") {
        true => name.to_owned(),
        false => format!("{BRANCHES}{name}"),
    }
}

/// Fails where Git would not take a whole name.
pub fn expect_reference(name: &str) -> Result<()> {
    let is_head = name.strip_prefix(BRANCHES) == Some("HEAD");
    match git2::Reference::is_valid_name(name) && !is_head {
        true => Ok(()),
        false => Err(Error::bad_request(format!("`{name}` cannot be the name of a ref"))),
    }
}

/// A tag, by the name people use.
pub struct Tag(String);

impl Tag {
    /// The folder of those that keep published processes.
    pub const PROCESSES: &str = "process/";

    pub fn new(name: &str) -> Result<Tag> {
        let name = name.strip_prefix(TAGS).unwrap_or(name);
        let is_valid = git2::Reference::is_valid_name(&format!("{TAGS}{name}"));
        if !is_valid || name.starts_with('-') || name == "HEAD" {
            let message = format!("`{name}` cannot be the name of a tag");
            return Err(Error::bad_request(message).with("field", "tag"));
        }
        let tag = Tag(name.to_owned());
        expect_short_parts(&tag.reference()).map_err(|error| error.with("field", "tag"))?;
        Ok(tag)
    }

    /// One that a client may make, move and remove.
    pub fn of_client(name: &str) -> Result<Tag> {
        let tag = Tag::new(name)?;
        expect_not_ours(&tag.reference()).map(|()| tag)
    }

    /// The one that keeps a published process.
    pub fn of_process(name: &str, version: &str) -> Result<Tag> {
        Tag::new(&format!("{}{name}/v{version}", Tag::PROCESSES))
    }

    /// The process that a ref publishes a version of.
    pub fn process_of(reference: &str) -> Option<&str> {
        let tag = reference.strip_prefix(TAGS)?.strip_prefix(Tag::PROCESSES)?;
        Some(tag.split_once('/')?.0)
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    pub fn reference(&self) -> String {
        format!("{TAGS}{}", self.0)
    }
}

/// Any ref below `refs/` that clients may move.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RefName(String);

impl RefName {
    pub fn new(name: &[u8]) -> Result<RefName> {
        let refused = |why: &str| {
            let name = String::from_utf8_lossy(name);
            Error::bad_request(format!("the ref {name:?} {why}")).with("field", "ref")
        };
        let unsupported = |what: &str, feature: &'static str| {
            Err(Error::unsupported(what).with("feature", feature))
        };
        let Ok(name) = str::from_utf8(name) else {
            return unsupported("a ref whose name is no UTF-8 can only be listed", "ref names");
        };
        if name == "HEAD" {
            return unsupported("`HEAD` stands for another ref: name that one", "symbolic refs");
        }
        if !name.starts_with(REFS) || !git2::Reference::is_valid_name(name) {
            return Err(refused("is no name that Git takes below `refs/`"));
        }
        expect_short_parts(name).map_err(|error| error.with("field", "ref"))?;
        expect_not_ours(name)?;
        if name.starts_with(REPLACEMENTS) {
            return unsupported("objects replaced by `git replace` are not known", "replace refs");
        }
        if OF_ONE_WORKTREE.iter().any(|it| name.starts_with(it)) {
            return unsupported("each worktree has its own refs of this name", "worktree refs");
        }
        Ok(RefName(name.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Fails for a name that Git gives to none itself.
    pub fn expect_new(&self) -> Result<()> {
        expect_reference(&self.0).map_err(|error| error.with("field", "ref"))
    }

    pub fn is_branch(&self) -> bool {
        self.0.starts_with(BRANCHES)
    }
}

fn is_below(name: &str, folder: &str) -> bool {
    name.strip_prefix(folder).is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

/// Whether only the program itself moves it.
pub fn is_ours(name: &str) -> bool {
    OURS.iter().any(|it| is_below(name, it.0))
}

/// Fails where only the program itself writes: a ref of its own, or one that would be in its way.
pub fn expect_not_ours(name: &str) -> Result<()> {
    let ours = OURS.iter().find(|(it, _, _)| is_below(name, it) || is_below(it, name));
    ours.map_or(Ok(()), |(_, rule, what)| {
        Err(Error::denied(format!("`{name}` is {what}")).with("rule", *rule))
    })
}

/// Fails where a step of a run may not write, by the whole name of a ref.
pub fn expect_open_to_runs(name: &str) -> Result<()> {
    match KEPT_FROM_RUNS.iter().any(|it| is_below(name, it)) {
        true => Err(Error::denied(format!("no step of a run may write `{name}`"))
            .with("rule", "refs that runs keep off")),
        false => Ok(()),
    }
}

/// Fails where no file system would take the name of the ref's lock.
fn expect_short_parts(name: &str) -> Result<()> {
    const PART_BYTES_MAX: usize = 255 - ".lock".len();
    const NAME_BYTES_MAX: usize = 1024;
    let is_short = name.len() <= NAME_BYTES_MAX;
    match is_short && name.split('/').all(|it| it.len() <= PART_BYTES_MAX) {
        true => Ok(()),
        false => Err(Error::bad_request(format!(
            "a ref has at most {NAME_BYTES_MAX} bytes, and {PART_BYTES_MAX} between slashes"
        ))),
    }
}

/// The names a revision of one word may stand for, in Git's order.
pub fn meanings(word: &str) -> [String; 4] {
    let below = |folder: &str| format!("{folder}{word}");
    [word.to_owned(), below(TAGS), below(BRANCHES), below(REMOTES)]
}

/// A namespace of notes, by the name people use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace(String);

impl Namespace {
    /// As `git notes --ref` takes it.
    pub fn new(name: &str) -> Result<Namespace> {
        let short = name.strip_prefix(NOTES).or_else(|| name.strip_prefix("notes/"));
        let short = short.unwrap_or(name);
        let is_valid = git2::Reference::is_valid_name(&format!("{NOTES}{short}"));
        if !is_valid || short.starts_with(REFS) || short.starts_with('-') {
            let message = format!("`{name}` cannot be a namespace of notes");
            return Err(Error::bad_request(message).with("field", "namespace"));
        }
        Ok(Namespace(short.to_owned()))
    }

    /// What is said of published processes.
    pub fn definitions() -> Namespace {
        Namespace(DEFINITIONS[NOTES.len()..].to_owned())
    }

    /// The answers that requests with a key got.
    pub fn keys() -> Namespace {
        Namespace(KEYS[NOTES.len()..].to_owned())
    }

    /// What became of the tasks of runs.
    pub fn receipts() -> Namespace {
        Namespace(RECEIPTS[NOTES.len()..].to_owned())
    }

    /// Which runs were pruned.
    pub fn pruned() -> Namespace {
        Namespace(PRUNED[NOTES.len()..].to_owned())
    }

    /// Whether each of its notes is one line that the program wrote, and stays that.
    pub fn has_receipts(&self) -> bool {
        self.reference() == RECEIPTS
    }

    /// Fails where only the program itself writes.
    pub fn expect_free(&self) -> Result<()> {
        expect_not_ours(&self.reference())
    }

    /// The one with this ref.
    pub fn of(reference: &str) -> Option<Namespace> {
        let name = reference.strip_prefix(NOTES)?;
        Namespace::new(&format!("{NOTES}{name}")).ok()
    }

    /// The one that this ref remembers.
    pub fn tracked_by(reference: &str) -> Option<Namespace> {
        Namespace::of(&format!("{NOTES}{}", reference.strip_prefix(NOTES_TRACKING)?))
    }

    pub fn name(&self) -> &str {
        &self.0
    }

    /// Whether its notes are lines that the program wrote.
    pub fn has_records(&self) -> bool {
        self.0.starts_with("gitvan/")
    }

    pub fn reference(&self) -> String {
        format!("{NOTES}{}", self.0)
    }

    /// The ref that remembers where the remote had it.
    pub fn tracking(&self) -> String {
        format!("{NOTES_TRACKING}{}", self.0)
    }

    /// What a fetch of just these notes writes.
    pub fn refspec(&self) -> String {
        format!("+{}:{}", self.reference(), self.tracking())
    }
}

/// The names a remote's ref may have that a person calls `name`.
pub fn candidates(name: &str) -> Vec<String> {
    match name {
        "HEAD" => vec![name.to_owned()],
        _ if name.starts_with("refs/") => vec![name.to_owned()],
        _ => vec![format!("{BRANCHES}{name}")],
    }
}
