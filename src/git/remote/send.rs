//! How what a push brings goes to the remote: by libgit2 on the connection that is there, or by
//! stock git.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{self, Stdio},
    thread,
    time::Instant,
};

use git2::{ObjectType, Oid, PushOptions, RemoteConnection};

use super::{Push, Remote, Transport, access::Refusal, fetch::PAUSE, stock};
use crate::{
    error::{Error, Result},
    git::{Repository, failure::redact},
    watch::{Progress, Stage, Watch},
};

/// From so many commits on stock git is quicker, with a connection of its own.
const COMMITS_LARGE: usize = 200;
/// How much of what a remote says is kept.
const WORDS_BYTES_MAX: usize = 4096;
/// What runs at a remote when something comes in.
const HOOKS: &[&str] = &[
    "post-receive",
    "post-update",
    "pre-receive",
    "proc-receive",
    "push-to-checkout",
    "reference-transaction",
    "update",
];

/// What serves a path of this machine: nothing that it names is run, nothing goes on afterwards.
const RECEIVE: &str = "git -c core.hooksPath=/dev/null -c receive.autogc=false receive-pack";
/// What the configuration of a repository may have besides where things are pushed to.
const SERVING: &[&str] =
    &["daemon.", "http.receivepack", "receive.", "remote.", "transfer.", "uploadpack.allow"];

/// The same for a repository that something is pushed from.
const SENDING: &[&str] = &["core.autocrlf", "core.eol", "pack.", "receive.", "remote."];

/// Whoever hears this knows that the remote may have taken it from now on.
const BEGINNING: Progress = Progress { stage: Stage::Sending, done: 0, total: 0, bytes: 0 };

/// One ref that moves, if it is still at `old`.
pub(super) struct Command {
    pub name: String,
    pub old: Option<Oid>,
    pub new: Option<Oid>,
}

/// What a remote did not do.
#[derive(Default)]
pub(super) struct Refusals {
    /// By the name of the ref, why.
    pub refused: BTreeMap<String, String>,
    /// What its hooks and rules printed.
    pub said: String,
}

impl Refusals {
    /// The remote's words about one ref, fit to be shown.
    pub fn words(&self, about: &str) -> String {
        let ends = |it: char| it == '\n' || it == '\r';
        let lines = self.said.split(ends).map(str::trim);
        // Its progress is no word of its own.
        let told = lines.filter(|it| !it.is_empty() && !it.contains("% ("));
        let all = [about].into_iter().chain(told).collect::<Vec<_>>().join("; ");
        redact(&all).replace(char::is_control, " ")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    OnConnection,
    /// By stock git if it is there.
    RatherByStock,
    ByStock,
}

/// Which way there is for these commands, and which is better where there are two.
pub(super) fn choose(order: &Push, repository: &Repository, commands: &[Command]) -> Result<Way> {
    let is_one = order.atomic && 1 < commands.len();
    let must = is_one
        || order.remote.url.is_local()
        || order.remote.needs_stock()
        || commands.iter().filter_map(|it| it.new).any(|it| !is_sent_whole(repository, it));
    match (must, may_be_stock(order, repository)?) {
        (true, true) => Ok(Way::ByStock),
        (true, false) => Err(needs_git(order, repository)?),
        (false, true) if is_large(repository, commands)? => Ok(Way::RatherByStock),
        (false, _) => Ok(Way::OnConnection),
    }
}

/// Whether stock git is there for this at all.
pub(super) fn may_be_stock(order: &Push, repository: &Repository) -> Result<bool> {
    Ok(order.git.is_some()
        && order.remote.url.transport != Transport::Ssh
        && stock::is_plain(repository, SENDING)?
        && !is_name_of_remote(repository, order.remote.url.as_str())?)
}

/// Whether the configuration says something of a remote that is called like this url, which git
/// would take for that remote.
fn is_name_of_remote(repository: &Repository, url: &str) -> Result<bool> {
    let config = repository.inner.config()?.open_level(git2::ConfigLevel::Local)?;
    let prefix = format!("remote.{url}.").to_lowercase();
    let mut is_there = false;
    config.entries(None)?.for_each(|entry| {
        let name = entry.name_bytes().to_ascii_lowercase();
        is_there |= String::from_utf8_lossy(&name).to_lowercase().starts_with(&prefix);
    })?;
    Ok(is_there)
}

/// Whether a web server took nothing, because it wants to know beforehand how much will come.
/// libgit2 never says so, stock git does where it is not much.
pub(super) fn wants_length(error: &Error) -> bool {
    error.message.contains("status code: 411")
}

/// Sends by stock git what a web server did not take from libgit2.
pub(super) fn with_length(
    order: &Push,
    repository: &Repository,
    commands: &[Command],
    watch: &Watch,
    error: Error,
) -> Result<Refusals> {
    let refusals = match may_be_stock(order, repository)? {
        true => by_stock(order, repository, commands, watch)?,
        false => None,
    };
    let feature = "length of a request";
    refusals.ok_or_else(|| Error::unsupported(error.message).with("feature", feature))
}

/// What a push that only stock git can do gets where stock git cannot be used.
pub(super) fn needs_git(order: &Push, repository: &Repository) -> Result<Error> {
    let (message, feature) = match order.remote.url.transport {
        Transport::File => ("a push to a path of this machine", "push to a path"),
        _ if order.remote.needs_stock() => ("http:// through a proxy", "proxy for http"),
        _ if order.beside.is_some() => ("a `fence`, whose lock moves as one with refs", "atomic"),
        _ if order.atomic && 1 < order.updates.len() => {
            ("moving several refs as one; `atomic: false` moves each by itself", "atomic")
        }
        _ => ("a ref to a tree", "tree"),
    };
    let why = match (order.remote.url.transport, stock::odd_setting(repository, SENDING)?) {
        (Transport::Ssh, _) => "it is not there over ssh".to_owned(),
        (_, Some(name)) => {
            format!("`{name}` in the repository's configuration keeps the git program from it")
        }
        _ => "it needs the git program".to_owned(),
    };
    Ok(Error::unsupported(format!("{message}: {why}")).with("feature", feature))
}

/// A repository on this machine is served by stock git as this user: what it names to be run
/// neither runs nor is passed over.
pub(super) fn expect_no_programs(order: &Push) -> Result<()> {
    if !order.remote.url.is_local() {
        return Ok(());
    }
    let there = Repository::open_at(Path::new(order.remote.url.as_str()))?;
    let refuse = |what: &str| {
        let message = format!("{} {what}, and gitport runs none", order.remote.url.as_str());
        Err(Error::unsupported(message).with("feature", "hooks of a path"))
    };
    let hooks = there.common_folder().join("hooks");
    let runs = |hook: &&&str| {
        hooks.join(hook).metadata().is_ok_and(|it| it.permissions().mode() & 0o111 != 0)
    };
    if let Some(hook) = HOOKS.iter().find(runs) {
        return refuse(&format!("has the hook {hook}"));
    }
    match stock::odd_setting(&there, SERVING)? {
        None => Ok(()),
        Some(name) => refuse(&format!("has `{name}` in its configuration, which may run programs")),
    }
}

/// libgit2 sends commits with all they need; of a tree it sends nothing but itself.
fn is_sent_whole(repository: &Repository, id: Oid) -> bool {
    let object = repository.inner.find_object(id, None).and_then(|it| match it.kind() {
        Some(ObjectType::Tag) => it.peel(ObjectType::Any),
        _ => Ok(it),
    });
    let kind = object.ok().and_then(|it| it.kind());
    matches!(kind, Some(ObjectType::Commit | ObjectType::Blob) | None)
}

fn is_large(repository: &Repository, commands: &[Command]) -> Result<bool> {
    let mut walk = repository.inner.revwalk()?;
    for command in commands {
        if let Some(new) = command.new
            && repository.inner.find_commit(new).is_ok()
        {
            walk.push(new)?;
        }
        if let Some(old) = command.old
            && repository.inner.find_commit(old).is_ok()
        {
            walk.hide(old)?;
        }
    }
    Ok(COMMITS_LARGE <= walk.take(COMMITS_LARGE).count())
}

/// Sends on the connection that showed what the commands compare with.
pub(super) fn by_libgit2(
    remote: &Remote,
    refusal: &Refusal,
    connection: &mut RemoteConnection,
    commands: &[Command],
    watch: &Watch,
) -> Result<Refusals> {
    let (refused, said) = (RefCell::new(BTreeMap::new()), RefCell::new(Vec::new()));
    let (is_stale, is_sent) = (Cell::new(false), Cell::new(false));
    let mut callbacks = remote.callbacks(refusal);
    callbacks.push_negotiation(|updates| {
        let is_as_seen = |command: &Command| {
            let update = updates.iter().find(|it| it.dst_refname().ok() == Some(&*command.name));
            update.is_some_and(|it| it.src() == command.old.unwrap_or(Oid::ZERO_SHA1))
        };
        if !commands.iter().all(is_as_seen) {
            is_stale.set(true);
            return Err(git2::Error::from_str("the remote's refs moved"));
        }
        is_sent.set(true);
        watch.tell(&BEGINNING);
        Ok(())
    });
    callbacks.push_update_reference(|name, words| {
        if let Some(words) = words {
            refused.borrow_mut().insert(name.to_owned(), words.to_owned());
        }
        Ok(())
    });
    callbacks.sideband_progress(|bytes| {
        let mut said = said.borrow_mut();
        let room = WORDS_BYTES_MAX.saturating_sub(said.len()).min(bytes.len());
        said.extend_from_slice(&bytes[..room]);
        true
    });
    let mut told = Instant::now();
    callbacks.push_transfer_progress(move |done, total, bytes| {
        if PAUSE <= told.elapsed() || done == total {
            told = Instant::now();
            let (done, total, bytes) = (done as u64, total as u64, bytes as u64);
            watch.tell(&Progress { stage: Stage::Sending, done, total, bytes });
        }
    });
    let mut options = PushOptions::new();
    options.remote_callbacks(callbacks).proxy_options(remote.proxy()).packbuilder_parallelism(0);
    let specs: Vec<String> = commands.iter().map(refspec).collect();
    let sent = connection.remote().push(&specs, Some(&mut options));
    drop(options);
    let said = String::from_utf8_lossy(&said.into_inner()).into_owned();
    let mut refusals = Refusals { refused: refused.into_inner(), said };
    if is_stale.get() {
        let all = commands.iter().map(|it| (it.name.clone(), "stale info".to_owned()));
        refusals.refused = all.collect();
    }
    match sent {
        Err(error) if refusals.refused.is_empty() => {
            Err(unsure(refusal.explain(&remote.url, error), is_sent.get()))
        }
        _ => Ok(refusals),
    }
}

/// Says of a failure that what was sent may have arrived.
pub(super) fn unsure(error: Error, is_sent: bool) -> Error {
    match is_sent {
        true => error.while_doing("the remote may or may not have taken it"),
        false => error,
    }
}

/// Moves refs as one if so ordered; none where git is not there, or cannot do it and libgit2 may.
pub(super) fn by_stock(
    order: &Push,
    repository: &Repository,
    commands: &[Command],
    watch: &Watch,
) -> Result<Option<Refusals>> {
    let Some(git) = order.git.as_deref() else { return Ok(None) };
    let configuration = stock::configuration(&order.remote)?;
    let mut command = stock::command(git, repository, &configuration);
    command.args(["push", "--porcelain", "--progress", "--no-verify", "--no-signed"]);
    command.args(["--no-follow-tags", "--recurse-submodules=no"]);
    if order.atomic {
        command.arg("--atomic");
    }
    if order.remote.url.is_local() {
        command.arg(format!("--receive-pack={RECEIVE}"));
    }
    let text = |id: Option<Oid>| id.map(|it| it.to_string()).unwrap_or_default();
    for it in commands {
        command.arg(format!("--force-with-lease={}:{}", it.name, text(it.old)));
    }
    command.arg("--").arg(order.remote.url.as_str());
    command.args(commands.iter().map(|it| format!("{}:{}", text(it.new), it.name)));
    watch.tell(&BEGINNING);
    let Some((is_done, results, said)) = run_for_words(command, watch)? else { return Ok(None) };
    let refused: BTreeMap<_, _> = results.lines().filter_map(refusal).collect();
    if is_done || !refused.is_empty() {
        return Ok(Some(Refusals { refused, said: said.remote }));
    }
    if said.words.contains("does not support --atomic") {
        return Err(Error::unsupported("the remote cannot move several refs as one")
            .with("feature", "atomic"));
    }
    // A redirect that it must not follow with credentials; libgit2 follows it on one host.
    match said.words.contains("returned error: 30") {
        true => Ok(None),
        false => Err(unsure(stock::explain(&said.words), true)),
    }
}

/// `!<tab>from:to<tab>[remote rejected] (why)`
fn refusal(line: &str) -> Option<(String, String)> {
    let (places, summary) = line.strip_prefix("!\t")?.split_once('\t')?;
    let (_, name) = places.rsplit_once(':')?;
    let why = summary.split_once('(').map_or(summary, |(_, why)| why.trim_end_matches(')'));
    Some((name.to_owned(), why.to_owned()))
}

/// Whether all went well, what git wrote and what it said; none where it is not there.
fn run_for_words(
    mut command: process::Command,
    watch: &Watch,
) -> Result<Option<(bool, String, stock::Said)>> {
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::from_io("starting git", &error)),
    };
    let output = child.stdout.take();
    let read = move || {
        let mut text = Vec::new();
        output.map(|mut it| it.read_to_end(&mut text));
        String::from_utf8_lossy(&text).into_owned()
    };
    let reading = thread::Builder::new().name("results".to_owned()).spawn(read);
    let reading = reading.map_err(|error| Error::from_io("starting a thread", &error))?;
    let said = child.stderr.take().map(|it| stock::listen(it, watch)).unwrap_or_default();
    let status = child.wait().map_err(|error| Error::from_io("waiting for git", &error))?;
    let written = reading.join().map_err(|_| Error::internal("reading what git wrote"))?;
    Ok(Some((status.success(), written, said)))
}

/// Always with force: whether it is allowed was judged before, by what is compared.
fn refspec(command: &Command) -> String {
    match command.new {
        Some(new) => format!("+{new}:{}", command.name),
        None => format!(":{}", command.name),
    }
}
