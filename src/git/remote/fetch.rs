//! Fetching and cloning, in the child.
//!
//! The remote is asked for its refs first; what does not need a transfer ends there.

use std::{
    fs, io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use git2::{AutotagOption, Direction, FetchOptions};

use super::{
    Remote, Sync, Transport,
    access::Refusal,
    ask::{connect, list_by_stock, name_of, trust_the_system},
    child::Parent,
    leftovers, notes, stock, submodules,
};
use crate::{
    error::{Code, Error, Result},
    git::{
        Repository, Root,
        checkout::Head,
        failure::redact,
        folder::flush,
        lock::{CONFIG_LOCK, Writer},
        refs::Branch,
        set_up,
    },
    watch::{Progress, Stage, Watch},
};

/// libgit2's number for all of history.
const DEPTH_ALL: i32 = i32::MAX;
/// A server that accepts nothing for so long is not there.
const CONNECT_MS: i32 = 30_000;
/// A server that says nothing for so long will not; it may count objects for minutes.
const SILENCE_MS: i32 = 600_000;
/// Progress is told at most so often.
pub(super) const PAUSE: Duration = Duration::from_millis(50);

pub(super) fn sync(order: &Sync, parent: &Parent, watch: &Watch) -> Result<String> {
    prepare(&order.remote)?;
    confine_source(&order.root, &order.remote)?;
    watch.tell(&Progress { stage: Stage::Connecting, done: 0, total: 0, bytes: 0 });
    let branch = Branch::new(&order.branch)?;
    match what_is_at(&order.path)? {
        There::Nothing => clone(order, &branch, parent, watch),
        There::Repository(repository) => {
            order.root.confine_repository(&repository)?;
            update(order, &repository, &branch, parent, watch)
        }
        There::Something => Err(Error::conflict(format!(
            "{} is a folder with content and no repository",
            order.path.display()
        ))
        .with("expected", order.remote.url.as_str())
        .with("actual", "a folder with content")),
    }
}

/// A remote on this machine is confined by the root with all that it names.
pub(super) fn confine_source(root: &Root, remote: &Remote) -> Result<()> {
    root.confine_remote(remote)?;
    if root.folder().is_none() || !remote.url.is_local() {
        return Ok(());
    }
    root.confine_repository(&Repository::open_at(Path::new(remote.url.as_str()))?)
}

/// Sets libgit2 up for one remote, before anything is asked of it.
pub(super) fn prepare(remote: &Remote) -> Result<()> {
    set_up();
    if remote.url.is_local() {
        expect_repository(Path::new(remote.url.as_str()))?;
    }
    #[allow(unsafe_code, reason = "libgit2's process-wide options have no safe interface")]
    // SAFETY: this child uses libgit2 on one thread, and not before.
    unsafe {
        git2::opts::set_server_connect_timeout_in_milliseconds(CONNECT_MS)?;
        // libgit2 reads from a socket of git:// only with both set.
        git2::opts::set_server_timeout_in_milliseconds(SILENCE_MS)?;
        match remote.certificates()? {
            Some(file) => git2::opts::set_ssl_cert_file(file)?,
            None if remote.url.transport == Transport::Https => trust_the_system()?,
            None => (),
        }
    }
    Ok(())
}

fn expect_repository(path: &Path) -> Result<()> {
    if path.is_file() {
        let message = format!("{} is a file; a bundle cannot be a remote", path.display());
        return Err(Error::unsupported(message).with("feature", "bundle"));
    }
    match path.join(".git").exists() || path.join("HEAD").exists() {
        true => Ok(()),
        false => Err(Error::not_found(format!("no repository is at {}", path.display()))),
    }
}

enum There {
    Nothing,
    Repository(Box<Repository>),
    Something,
}

fn what_is_at(path: &Path) -> Result<There> {
    match fs::read_dir(path) {
        Ok(mut entries) => {
            if entries.next().is_none() {
                return Ok(There::Nothing);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(There::Nothing),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(There::Something),
        Err(error) => return Err(Error::from_io(path.display(), &error)),
    }
    match Repository::open_at(path) {
        Ok(repository) => Ok(There::Repository(Box::new(repository))),
        Err(error) if error.code == Code::NotFound => Ok(There::Something),
        Err(error) => Err(error),
    }
}

/// Builds a clone aside and renames it into place.
fn clone(order: &Sync, branch: &Branch, parent: &Parent, watch: &Watch) -> Result<String> {
    if let Some(folder) = order.path.parent() {
        fs::create_dir_all(folder).map_err(|error| Error::from_io(folder.display(), &error))?;
    }
    let mut options = git2::RepositoryInitOptions::new();
    options.external_template(false).no_reinit(true).initial_head(branch.name());
    let inner = git2::Repository::init_opts(&order.staging, &options)?;
    let repository = Repository::from(inner);
    let url = order.remote.url.as_str();
    repository.inner.remote_with_fetch("origin", url, &branch.refspec())?;
    let depth = Some(order.depth()).filter(|it| 0 < *it);
    let tip = transfer(order, &repository, branch, watch, |_| Ok(Some(depth)))?;
    notes::fetch(order, &repository, watch)?;
    stock_or_own_checkout(order, &repository, branch, tip, watch)?;
    repository.track(branch)?;
    if order.bring.submodules {
        submodules::update(order, &repository, 0)?;
    }
    drop(repository);
    put_in_place(order, parent)?;
    Ok(tip.to_string())
}

fn stock_or_own_checkout(
    order: &Sync,
    repository: &Repository,
    branch: &Branch,
    tip: git2::Oid,
    watch: &Watch,
) -> Result<()> {
    if let Some(git) = &order.git
        && stock::checkout(git, repository, branch, tip)?
    {
        return Ok(());
    }
    repository.reset(tip, &Head::On(branch), watch)
}

fn put_in_place(order: &Sync, parent: &Parent) -> Result<()> {
    let failed = |error: io::Error| Error::from_io(order.path.display(), &error);
    flush_all(&order.staging)?;
    parent.ask()?;
    // Renaming replaces an empty folder and nothing else.
    fs::rename(&order.staging, &order.path).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::NotADirectory => {
            Error::conflict(format!("something appeared at {} meanwhile", order.path.display()))
        }
        _ => failed(error),
    })?;
    if let Some(folder) = order.path.parent() {
        flush(folder).map_err(failed)?;
    }
    Ok(())
}

/// Has the system write what a clone wrote: the rename must not come before it.
fn flush_all(folder: &Path) -> Result<()> {
    let opened = fs::File::open(folder).map_err(|error| Error::from_io("flushing", &error))?;
    rustix::fs::syncfs(opened).map_err(|error| Error::from_io("flushing", &error.into()))
}

fn update(
    order: &Sync,
    repository: &Repository,
    branch: &Branch,
    parent: &Parent,
    watch: &Watch,
) -> Result<String> {
    expect_origin(order, repository)?;
    let is_tracked = repository.is_tracked(branch)?;
    let mut writer = None;
    // The remote takes its time to answer; meanwhile it shows whether anything is to be done here.
    let (path, there) = (order.path.clone(), branch.clone());
    let look = move || Repository::open_at(&path)?.settled_at(&Head::On(&there));
    let looking = thread::Builder::new().name("look".to_owned()).spawn(look);
    let tip = transfer(order, repository, branch, watch, |tip| {
        if missing_depth(order, repository, branch, tip).is_none() {
            return Ok(None);
        }
        let writes_config = !is_tracked || order.bring.submodules;
        let more: &[&str] = if writes_config { &[CONFIG_LOCK] } else { &[] };
        writer = Some(leftovers::take_for_fetch(repository, branch, more, watch)?);
        // Whoever was waited for may have brought it.
        Ok(missing_depth(order, repository, branch, tip))
    })?;
    writer.into_iter().for_each(Writer::finish);
    notes::fetch(order, repository, watch)?;
    let settled = looking.ok().and_then(|it| it.join().ok()?.ok()?);
    if settled == Some(tip) && is_tracked && !order.bring.submodules {
        return Ok(tip.to_string());
    }
    parent.ask()?;
    repository.reset(tip, &Head::On(branch), watch)?;
    if !is_tracked {
        let writer = leftovers::take(repository, &[CONFIG_LOCK], watch)?;
        repository.track(branch)?;
        writer.finish();
    }
    if order.bring.submodules {
        let mut writers = vec![leftovers::take(repository, &[CONFIG_LOCK], watch)?];
        writers.extend(leftovers::take_submodules(repository, watch)?);
        submodules::update(order, repository, 0)?;
        writers.into_iter().for_each(Writer::finish);
    }
    Ok(tip.to_string())
}

/// What the repository lacks of a branch that is at `tip`: nothing, or what [`transfer`] takes.
fn missing_depth(
    order: &Sync,
    repository: &Repository,
    branch: &Branch,
    tip: git2::Oid,
) -> Option<Option<u32>> {
    let depth = order.depth();
    // A commit that is here may have come without all it needs; one that was fetched has not.
    let has_tip = repository.tip(branch).is_ok_and(|it| it == tip);
    if !repository.inner.is_shallow() {
        // A whole clone stays whole: a depth would cut it.
        return (!has_tip).then_some(None);
    }
    if depth == 0 {
        return Some(Some(0));
    }
    let there = repository.depth(branch);
    (!has_tip || there < depth).then_some(Some(depth.max(there)))
}

fn expect_origin(order: &Sync, repository: &Repository) -> Result<()> {
    let origin = repository.inner.find_remote("origin").ok();
    let actual = origin.and_then(|it| it.url().ok().map(redact)).unwrap_or_default();
    let expected = order.remote.url.as_str();
    if actual == redact(expected) {
        return Ok(());
    }
    let shown = if actual.is_empty() { "no origin" } else { &actual };
    Err(Error::conflict(format!("{} is a clone of {shown}", order.path.display()))
        .with("expected", redact(expected))
        .with("actual", shown))
}

/// Asks the remote where the branch is, and fetches if `wanted` says so: no depth, a depth, or 0
/// for the history that is missing.
fn transfer(
    order: &Sync,
    repository: &Repository,
    branch: &Branch,
    watch: &Watch,
    wanted: impl FnOnce(git2::Oid) -> Result<Option<Option<u32>>>,
) -> Result<git2::Oid> {
    let (remote, refusal) = (&order.remote, Refusal::default());
    let explain = |error| refusal.explain(&remote.url, error);
    let reference = branch.reference();
    let missing = || {
        let message = format!("{} has no branch `{}`", remote.url.as_str(), branch.name());
        Error::not_found(message)
    };
    let by_stock = |git: &str, depth: Option<u32>| {
        let (refspecs, how) = ([branch.refspec()], (depth, order.bring.tags));
        stock::fetch(git, remote, repository, &refspecs, how, watch)
    };
    if remote.needs_stock() {
        let refs = list_by_stock(remote, order.git.as_deref())?;
        let (_, tip) = refs.iter().find(|(name, _)| *name == reference).ok_or_else(missing)?;
        let Some(depth) = wanted(git2::Oid::from_str(tip)?)? else {
            return repository.tip(branch);
        };
        let git = order.git.as_deref().unwrap_or_default();
        let is_for = stock::is_for(order, repository)?;
        return match is_for && by_stock(git, depth)? {
            true => repository.tip(branch),
            false => Err(Error::unsupported("this repository's configuration needs libgit2")
                .with("feature", "proxy for http")),
        };
    }
    let mut origin = repository.inner.remote_anonymous(&remote.connect_url())?;
    let mut once_more = repository.inner.remote_anonymous(&remote.connect_url())?;
    let mut again = repository.inner.remote_anonymous(&remote.connect_url())?;
    let mut connection = match connect(remote, Direction::Fetch, &mut origin, &refusal) {
        Err(error) if remote.was_led_to_https(&error)? => {
            connect(remote, Direction::Fetch, &mut again, &refusal)?
        }
        connected => connected?,
    };
    let heads = connection.list().map_err(explain)?;
    let head = heads.iter().find(|it| name_of(it).as_deref() == Some(&*reference));
    let tip = head.map(|it| it.oid()).ok_or_else(missing)?;
    let Some(depth) = wanted(tip)? else { return Ok(tip) };
    refusal.accepted();
    if let Some(git) = &order.git
        && stock::is_for(order, repository)?
    {
        // Some servers take one connection at a time.
        drop(connection);
        if by_stock(git, depth)? {
            return repository.tip(branch);
        }
        connection = connect(remote, Direction::Fetch, &mut once_more, &refusal)?;
        refusal.accepted();
    }
    let mut options = fetch_options(remote, &refusal, watch, order.bring.tags());
    if let Some(depth) = depth {
        let limit = i32::try_from(depth).ok().filter(|it| 0 < *it);
        options.depth(limit.unwrap_or(DEPTH_ALL));
    }
    let fetched = connection.remote().fetch(&[branch.refspec()], Some(&mut options), None);
    fetched.map_err(explain)?;
    repository.tip(branch)
}

pub(super) fn fetch_options<'a>(
    remote: &'a Remote,
    refusal: &'a Refusal,
    watch: &'a Watch,
    tags: AutotagOption,
) -> FetchOptions<'a> {
    let mut callbacks = remote.callbacks(refusal);
    let mut told = Instant::now();
    callbacks.transfer_progress(move |progress| {
        let (done, total) = (progress.indexed_objects() as u64, progress.total_objects() as u64);
        if PAUSE <= told.elapsed() || done == total {
            told = Instant::now();
            let bytes = progress.received_bytes() as u64;
            watch.tell(&Progress { stage: Stage::Receiving, done, total, bytes });
        }
        true
    });
    let mut options = FetchOptions::new();
    options.remote_callbacks(callbacks).proxy_options(remote.proxy()).download_tags(tags);
    options
}
