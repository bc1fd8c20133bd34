//! Large transfers by the stock git program, where it is there.
//!
//! It unpacks with several threads and negotiates better than libgit2. It gets no configuration
//! but ours, from a file that exists only in memory, so that secrets are neither in its arguments
//! nor in its environment nor on the disk.

use std::{
    fmt::Write as _,
    fs::File,
    io::{self, BufReader, Read, Write as _},
    os::fd::AsRawFd,
    process::{Command, Stdio},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::fs::MemfdFlags;

use super::{Auth, Remote, Sync, Transport};
use crate::{
    error::{Error, Result},
    git::{
        Repository,
        failure::{is_disk_full, redact},
        lock::locked_in_words,
        refs::Branch,
        restore_certificates,
    },
    watch::{Progress, Stage, Watch},
};

/// How much of what git says is kept for the error.
const WORDS_BYTES_MAX: usize = 4096;

/// Whether stock git may do a transfer at all.
pub(super) fn is_for(order: &Sync, repository: &Repository) -> Result<bool> {
    Ok(order.remote.url.transport != Transport::Ssh && is_plain(repository, &[])?)
}

/// Fetches refs; false where git is not there, or cannot do it and libgit2 may.
pub(super) fn fetch(
    git: &str,
    remote: &Remote,
    repository: &Repository,
    refspecs: &[String],
    (depth, tags): (Option<u32>, bool),
    watch: &Watch,
) -> Result<bool> {
    let configuration = configuration(remote)?;
    let mut command = command(git, repository, &configuration);
    command.args(["fetch", "--progress", "--no-auto-maintenance", "--no-write-fetch-head"]);
    command.args(["--no-recurse-submodules", "--update-head-ok"]);
    if !tags {
        command.arg("--no-tags");
    }
    match depth {
        None => (),
        Some(0) => drop(command.arg("--unshallow")),
        Some(depth) => drop(command.arg(format!("--depth={depth}"))),
    }
    command.arg("--").arg(remote.url.as_str()).args(refspecs);
    match run(command, watch) {
        // A redirect that it must not follow with credentials; libgit2 follows it on one host.
        Err(error) if error.message.contains("returned error: 30") => Ok(false),
        outcome => outcome,
    }
}

/// Whether the repository's own configuration has nothing by which git runs a program, goes
/// elsewhere or trusts somebody else. Only a repository that others made has such things.
pub(super) fn is_plain(repository: &Repository, more: &[&str]) -> Result<bool> {
    Ok(odd_setting(repository, more)?.is_none())
}

/// The first setting that is not known to be harmless.
pub(super) fn odd_setting(repository: &Repository, more: &[&str]) -> Result<Option<String>> {
    const PLAIN: &[&str] = &[
        "branch.",
        "core.bare",
        "core.filemode",
        "core.ignorecase",
        "core.logallrefupdates",
        "core.precomposeunicode",
        "core.protecthfs",
        "core.protectntfs",
        "core.repositoryformatversion",
        "core.symlinks",
        "gc.",
        "gitport.",
        "maintenance.auto",
        "remote.origin.fetch",
        "remote.origin.url",
        "submodule.",
        "user.",
    ];
    let config = repository.inner.config()?.open_level(git2::ConfigLevel::Local)?;
    let mut entries = config.entries(None)?;
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let is_known = |name: &str| PLAIN.iter().chain(more).any(|it| name.starts_with(it));
        if !entry.name().is_ok_and(is_known) {
            return Ok(Some(String::from_utf8_lossy(entry.name_bytes()).into_owned()));
        }
    }
    Ok(None)
}

/// Fills a fresh clone's worktree; false where git is not there.
pub(super) fn checkout(
    git: &str,
    repository: &Repository,
    branch: &Branch,
    tip: git2::Oid,
) -> Result<bool> {
    let configuration = memory_file("")?;
    let mut command = command(git, repository, &configuration);
    command.args(["-c", "advice.detachedHead=false", "checkout", "--quiet", "--force"]);
    command.args(["--no-track", "-B", branch.name(), &tip.to_string(), "--"]);
    run(command, &Watch::default())
}

/// The refs of a remote; none where git is not there.
pub(super) fn list(git: &str, remote: &Remote) -> Result<Option<Vec<(String, String)>>> {
    let configuration = configuration(remote)?;
    let mut command = bare_command(git, &configuration);
    command.args(["ls-remote", "--quiet", "--", remote.url.as_str()]).stdout(Stdio::piped());
    let output = match command.output() {
        Ok(output) => output,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::from_io("starting git", &error)),
    };
    if !output.status.success() {
        return Err(explain(&String::from_utf8_lossy(&output.stderr)));
    }
    let listed = String::from_utf8_lossy(&output.stdout);
    let refs = listed.lines().filter_map(|it| it.split_once('\t'));
    Ok(Some(refs.map(|(id, name)| (name.to_owned(), id.to_owned())).collect()))
}

pub(super) fn command(git: &str, repository: &Repository, configuration: &File) -> Command {
    let mut command = bare_command(git, configuration);
    command.arg("--git-dir").arg(repository.git_folder());
    if let Some(worktree) = repository.inner.workdir() {
        command.arg("--work-tree").arg(worktree).current_dir(worktree);
    }
    command
}

pub(super) fn bare_command(git: &str, configuration: &File) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this is where stock git starts")]
    let mut command = Command::new(git);
    // Children of git read it too, through the descriptor they inherit.
    let include = format!("include.path=/proc/self/fd/{}", configuration.as_raw_fd());
    command.args(["-c", &include]);
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"] {
        command.env_remove(name);
    }
    restore_certificates(&mut command);
    command
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

/// Everything that decides what git may do and whom it may talk to.
pub(super) fn configuration(remote: &Remote) -> Result<File> {
    let transport = remote.url.transport.name();
    let mut text = format!(
        "[core]\n hooksPath = /dev/null\n fsmonitor = false\n\
         packedGitWindowSize = 1m\n packedGitLimit = 16m\n\
         [gc]\n auto = 0\n[fetch]\n unpackLimit = 1\n[credential]\n helper =\n\
         [protocol]\n allow = never\n[protocol \"{transport}\"]\n allow = always\n\
         [http]\n followRedirects = {}\n",
        if remote.access.auth.is_some() { "false" } else { "initial" },
    );
    let failed = |_| Error::internal("writing to memory failed");
    if let Some(proxy) = &remote.access.proxy {
        let proxy = if proxy == "none" { "" } else { proxy };
        writeln!(text, " proxy = {}", quoted(proxy)?).map_err(failed)?;
    }
    if let Some(file) = remote.certificates()? {
        writeln!(text, " sslCAInfo = {}", quoted(&file.to_string_lossy())?).map_err(failed)?;
    }
    if let Some(Auth::Password { user, password }) = &remote.access.auth {
        // For this very url only, so that it is shown to nobody else.
        let secret = STANDARD.encode(format!("{user}:{password}"));
        let url = quoted(remote.url.as_str())?;
        writeln!(text, "[http {url}]\n extraHeader = \"Authorization: Basic {secret}\"")
            .map_err(failed)?;
    }
    memory_file(&text)
}

fn quoted(value: &str) -> Result<String> {
    if value.contains(['\n', '\0']) {
        return Err(Error::bad_request("a line break is in an address"));
    }
    Ok(format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// A file without a name, which children inherit.
pub(super) fn memory_file(text: &str) -> Result<File> {
    let failed = |error: io::Error| Error::from_io("a file in memory", &error);
    let descriptor = rustix::fs::memfd_create("gitport", MemfdFlags::empty());
    let mut file = File::from(descriptor.map_err(|error| failed(error.into()))?);
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(file)
}

fn run(mut command: Command, watch: &Watch) -> Result<bool> {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::from_io("starting git", &error)),
    };
    let said = child.stderr.take().map(|it| listen(it, watch)).unwrap_or_default();
    let status = child.wait().map_err(|error| Error::from_io("waiting for git", &error))?;
    match status.success() {
        true => Ok(true),
        false => Err(explain(&said.words)),
    }
}

/// What git said on stderr.
#[derive(Default)]
pub(super) struct Said {
    pub words: String,
    /// What it only passed on.
    pub remote: String,
}

/// Reads what git says until it ends: progress is passed on, the rest is kept.
pub(super) fn listen(output: impl Read, watch: &Watch) -> Said {
    let mut said = Said::default();
    let mut line = Vec::new();
    for byte in BufReader::new(output).bytes().map_while(Result::ok) {
        if byte != b'\r' && byte != b'\n' {
            line.push(byte);
            continue;
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        line.clear();
        match progress(&text) {
            Some(progress) => watch.tell(&progress),
            None => match text.strip_prefix("remote: ") {
                Some(text) => keep(&mut said.remote, text),
                None => keep(&mut said.words, &text),
            },
        }
    }
    said.words.push_str(&String::from_utf8_lossy(&line));
    said
}

fn keep(words: &mut String, text: &str) {
    if words.len() <= WORDS_BYTES_MAX {
        words.extend([text.trim(), "\n"]);
    }
}

/// `Receiving objects:  12% (3/25), 1.50 MiB | 2.00 MiB/s`
fn progress(line: &str) -> Option<Progress> {
    let (what, rest) = line.split_once(": ")?;
    let stage = match what {
        "Receiving objects" | "Unpacking objects" => Stage::Receiving,
        "Resolving deltas" => Stage::Resolving,
        "Writing objects" => Stage::Sending,
        _ => return None,
    };
    let (counts, rest) = rest.split_once('(')?.1.split_once(')')?;
    let (done, total) = counts.split_once('/')?;
    let mut amount = rest.trim_start_matches([',', ' ']).split(' ');
    let number: f64 = amount.next().and_then(|it| it.parse().ok()).unwrap_or(0.0);
    let unit = match amount.next() {
        Some("KiB") => 1024.0,
        Some("MiB") => 1024.0 * 1024.0,
        Some("GiB") => 1024.0 * 1024.0 * 1024.0,
        _ => 1.0,
    };
    Some(Progress {
        stage,
        done: done.parse().ok()?,
        total: total.parse().ok()?,
        bytes: (number * unit) as u64,
    })
}

pub(super) fn explain(words: &str) -> Error {
    let told = |it: &&str| it.starts_with("fatal: ") || it.starts_with("error: ");
    let lines: Vec<&str> = words.lines().filter(told).collect();
    let lines = if lines.is_empty() { words.lines().collect() } else { lines };
    let message = redact(&lines.join("; "));
    if is_disk_full(&message) {
        return Error::disk_full(message);
    }
    if message.contains("Authentication failed")
        || message.contains("returned error: 403")
        || message.contains("returned error: 407")
        || message.contains("could not read Username")
    {
        return Error::unauthorized(message);
    }
    if message.contains("returned error: 404") || message.contains("not found") {
        return Error::not_found(message);
    }
    if let Some(locked) = locked_in_words(&message) {
        return locked;
    }
    if message.contains("dubious ownership") {
        return Error::denied(message).with("rule", "owner");
    }
    Error::unavailable(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Code;

    #[test]
    fn a_number_that_only_looks_like_a_status_is_none() {
        let code = |words: &str| explain(words).code;
        assert_eq!(code("error: 40722 bytes of body are still expected"), Code::Unavailable);
        assert_eq!(code("fatal: error: 40422 objects"), Code::Unavailable);
        let words = "fatal: unable to access 'http://h/': The requested URL returned error: 403";
        assert_eq!(code(words), Code::Unauthorized);
    }

    #[test]
    fn progress_is_read_from_what_git_prints() {
        let line = "Receiving objects:  12% (3/25), 1.50 MiB | 2.00 MiB/s";
        let expected = Progress { stage: Stage::Receiving, done: 3, total: 25, bytes: 1_572_864 };
        assert_eq!(progress(line), Some(expected));
        assert_eq!(progress("remote: Counting objects: 5, done."), None);
        assert_eq!(progress("fatal: early EOF"), None);
    }
}
