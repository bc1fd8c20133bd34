//! What stock git does with a repository here: it checks it, and packs it anew. Nobody waits for
//! a lock meanwhile, and everything else on the machine comes first.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek},
    path::PathBuf,
    process::{Command, Stdio},
};

use serde::{Deserialize, Serialize};

use super::stock::{bare_command, explain, memory_file};
use crate::{
    error::{Code, Error, Result},
    watch::{Progress, Stage, Watch},
};

/// How much of what git says is kept.
const WORDS_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The least pressing there is; from it follows how pressing its reading and writing is.
const NICE: i32 = 19;
/// What it has, whatever the repository's own configuration says: no program but git, and what it
/// writes is on disk before it has its name.
const CONFIGURATION: &str = "\
[core]
 hooksPath = /dev/null
 fsmonitor = false
 alternateRefsCommand =
 fsync = all
 packedGitWindowSize = 1m
 packedGitLimit = 64m
[pack]
 threads = 1
 windowMemory = 64m
 deltaCacheSize = 32m
 packSizeLimit = 0
 compression = 9
";

/// What git says of objects that are missing or are not what they should be …
const DAMAGE: [&str; 11] = [
    "Could not read",
    "bad object",
    "bad tree object",
    "corrupt",
    "inflate",
    "invalid object",
    "invalid sha1 pointer",
    "is empty",
    "mismatch",
    "non-monotonic index",
    "unable to read",
];
/// … unless the system has its part in it.
const OF_THE_SYSTEM: [&str; 4] =
    ["Input/output error", "Permission denied", "Too many open files", "memory"];

#[derive(Serialize, Deserialize)]
pub(crate) struct Housework {
    pub git_folder: PathBuf,
    pub git: String,
    pub chore: Chore,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Chore {
    /// Look at every object, and whether all that should be there is.
    Check,
    /// One pack of all that refs, reflogs and indexes lead to and is not in these packs; says its
    /// name.
    PackReachable { kept: Vec<String> },
    /// One pack of what nothing leads to and is younger than this; says its name. Of these packs
    /// the `fresh` stay and the `doomed` go.
    PackRest { fresh: Vec<String>, doomed: Vec<String>, younger_than_s: u64 },
    /// What makes walking through the history fast.
    CommitGraph,
}

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub is_good: bool,
    pub output: String,
    pub words: String,
}

impl Done {
    /// What there is was not fit to be worked on, or something else was in the way.
    pub fn error(&self) -> Error {
        let has = |words: &[&str]| words.iter().any(|it| self.words.contains(it));
        let error = explain(&self.words);
        match error.code {
            Code::Unavailable | Code::NotFound if has(&DAMAGE) && !has(&OF_THE_SYSTEM) => {
                Error::corrupt(error.message)
            }
            _ => error,
        }
    }
}

/// Carries it out; nothing where git is not there.
pub(super) fn carry_out(order: &Housework, watch: &Watch) -> Result<Option<Done>> {
    // Where it cannot be had it is only less polite.
    let _ = rustix::process::nice(NICE);
    let configuration = memory_file(CONFIGURATION)?;
    let mut command = bare_command(&order.git, &configuration);
    command.arg("--git-dir").arg(&order.git_folder).current_dir(&order.git_folder);
    command.env("GIT_NO_LAZY_FETCH", "1").env("GIT_NO_REPLACE_OBJECTS", "1");
    let packs = order.git_folder.join("objects/pack/pack");
    let mut input = String::new();
    match &order.chore {
        Chore::Check => {
            let flags = ["--strict", "--full", "--no-dangling", "--progress"];
            command.arg("fsck").args(flags);
        }
        Chore::PackReachable { kept } => {
            command.arg("pack-objects").args(PACKING);
            command.args(kept.iter().map(|it| format!("--keep-pack=pack-{it}.pack")));
            let flags = ["--all", "--reflog", "--indexed-objects", "--no-reuse-delta"];
            let how = ["--window=250", "--depth=50", "--keep-true-parents", "--non-empty"];
            command.args(flags).args(how).arg(&packs);
        }
        Chore::PackRest { fresh, doomed, younger_than_s } => {
            let expiration = match younger_than_s {
                0 => "now".to_owned(),
                seconds => format!("{seconds}.seconds.ago"),
            };
            command.arg("pack-objects").args(PACKING).arg("--non-empty").arg("--cruft");
            command.arg(format!("--cruft-expiration={expiration}")).arg(&packs);
            input.extend(fresh.iter().map(|it| format!("pack-{it}.pack\n")));
            input.extend(doomed.iter().map(|it| format!("-pack-{it}.pack\n")));
        }
        Chore::CommitGraph => {
            command.args(["commit-graph", "write", "--reachable", "--no-progress"]);
        }
    }
    run(command, &input, watch)
}

/// Packs that are marked to be kept are not left out: a writer's marked ones go where its step
/// fails.
const PACKING: [&str; 3] = ["--local", "--delta-base-offset", "--progress"];

/// Reads what git says until it ends: progress is passed on, the rest is kept.
fn listen(output: impl Read, watch: &Watch) -> String {
    let mut words = String::new();
    let mut line = Vec::new();
    for byte in BufReader::new(output).bytes().map_while(std::result::Result::ok) {
        if byte != b'\r' && byte != b'\n' {
            line.push(byte);
            continue;
        }
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        match progress(&text) {
            Some(progress) => watch.tell(&progress),
            None if is_progress(&text) || WORDS_BYTES_MAX < words.len() => (),
            None => words.extend([&text, "\n"]),
        }
    }
    words.push_str(&String::from_utf8_lossy(&line));
    words
}

/// `Checking objects:  12% (3/25)`
fn progress(line: &str) -> Option<Progress> {
    let (what, rest) = line.split_once(": ")?;
    let stage = match what {
        "Checking objects" | "Checking connectivity" => Stage::Checking,
        "Compressing objects" => Stage::Packing,
        "Writing objects" => Stage::Writing,
        _ => return None,
    };
    let (done, total) = rest.split_once('(')?.1.split_once(')')?.0.split_once('/')?;
    Some(Progress { stage, done: done.parse().ok()?, total: total.parse().ok()?, bytes: 0 })
}

fn is_progress(line: &str) -> bool {
    const STEPS: [&str; 10] = [
        "Checking ",
        "Collecting ",
        "Compressing ",
        "Counting ",
        "Enumerating ",
        "Expanding ",
        "Total ",
        "Traversing ",
        "Verifying ",
        "Writing ",
    ];
    STEPS.iter().any(|it| line.starts_with(it))
}

fn run(mut command: Command, input: &str, watch: &Watch) -> Result<Option<Done>> {
    let failed = |error: io::Error| Error::from_io("git", &error);
    let mut said = memory_file(input)?;
    said.rewind().map_err(failed)?;
    let mut output = memory_file("")?;
    command.stdin(Stdio::from(said));
    command.stdout(Stdio::from(output.try_clone().map_err(failed)?));
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::from_io("starting git", &error)),
    };
    let words = child.stderr.take().map(|it| listen(it, watch)).unwrap_or_default();
    let status = child.wait().map_err(failed)?;
    output.rewind().map_err(failed)?;
    Ok(Some(Done { is_good: status.success(), output: text(output)?, words }))
}

fn text(output: File) -> Result<String> {
    let mut bytes = Vec::new();
    let read = output.take(WORDS_BYTES_MAX as u64).read_to_end(&mut bytes);
    read.map_err(|error| Error::from_io("what git says", &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
