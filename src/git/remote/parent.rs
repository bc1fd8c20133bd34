//! The daemon's side of a child: start it, listen, clean up after it.

use std::{
    fs,
    io::{BufReader, Write},
    os::unix::{fs::MetadataExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Once,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use rustix::process::Pid;
use serde_bytes::ByteBuf;

use super::{
    Beside, Bring, Chore, Done, Expect, Housework, Look, Message, Order, Outcome, Push, Pushed,
    Reason, Remote, Shown, Swap, Sync, Task, Transport, Update, Wanted, hosts, leftovers::clear_up,
    url::not_allowed,
};
use crate::{
    error::{Code, Error, Result},
    git::{
        RepositoryPath, Root,
        plain::expect_plain,
        refs::Branch,
        removal::{remove_any, remove_tree},
    },
    watch::{self, Stage, Watch},
};

/// How long what belongs to nobody who can be seen is left alone.
const UNSEEN: Duration = Duration::from_secs(24 * 60 * 60);
/// Begins the name of every folder that goes with the order it is for.
const STAGING: &str = ".gitport-";

/// What network work may do, and who waits for it.
pub struct Network<'a> {
    pub root: &'a Root,
    pub transports: &'a [Transport],
    /// The stock git program, or `none`.
    pub git: &'a str,
    pub limit_ms: u64,
    pub watch: &'a Watch,
}

impl Network<'_> {
    /// Brings a path to the tip of a branch; the commit that is checked out then.
    pub fn sync(
        &self,
        remote: Remote,
        branch: &str,
        path: &RepositoryPath,
        bring: Bring,
    ) -> Result<String> {
        self.admit(&remote)?;
        let tracked = Branch::new(branch)?;
        let staging = Staging::new(path)?;
        let git = self.stock();
        let task = Task::Sync(Sync {
            remote,
            branch: branch.to_owned(),
            path: path.to_path_buf(),
            staging: staging.0.clone(),
            bring,
            root: self.root.clone(),
            transports: self.transports.to_vec(),
            git,
        });
        let outcome = self.order(task);
        if outcome.is_err() {
            clear_up(path, &tracked);
        }
        match outcome? {
            Outcome::Commit(sha) => Ok(sha),
            _ => Err(something_else()),
        }
    }

    /// The refs of a remote, in its order: all, or those a branch may be meant by.
    pub fn lsremote(
        &self,
        remote: Remote,
        branch: Option<String>,
    ) -> Result<Vec<(String, String)>> {
        self.admit(&remote)?;
        match self.order(Task::Lsremote { remote, branch, git: self.stock() })? {
            Outcome::Refs(refs) => Ok(refs),
            _ => Err(something_else()),
        }
    }

    /// Moves refs of a remote to objects of the repository at `path`; what became of each, in the
    /// order of `updates`. `name` is the remote's in that repository, if it has one.
    pub fn push(
        &self,
        remote: Remote,
        name: Option<String>,
        path: &RepositoryPath,
        updates: Vec<Update>,
        atomic: bool,
    ) -> Result<Vec<Pushed>> {
        self.push_beside(remote, name, path, updates, atomic, Vec::new())
    }

    /// The same with commits that are not in the repository, parents first. They have no files.
    pub fn push_beside(
        &self,
        remote: Remote,
        name: Option<String>,
        path: &RepositoryPath,
        updates: Vec<Update>,
        atomic: bool,
        commits: Vec<Vec<u8>>,
    ) -> Result<Vec<Pushed>> {
        self.admit(&remote)?;
        let scratch = (!commits.is_empty()).then(scratch).transpose()?;
        let beside = scratch.as_ref().map(|it| Beside {
            folder: it.path().to_owned(),
            commits: commits.into_iter().map(ByteBuf::from).collect(),
        });
        let task = Task::Push(Push {
            remote,
            path: path.to_path_buf(),
            name,
            updates,
            atomic,
            beside,
            root: self.root.clone(),
            git: self.stock(),
        });
        match self.order(task)? {
            Outcome::Pushed(pushed) => Ok(pushed),
            _ => Err(something_else()),
        }
    }

    /// Moves one ref of a remote from `expected`, where none is no ref, to `new`, one of
    /// `commits`. Only whoever finds it as expected moves it.
    pub fn swap(
        &self,
        remote: Remote,
        path: &RepositoryPath,
        name: &str,
        expected: Option<String>,
        new: String,
        commits: Vec<Vec<u8>>,
    ) -> Result<Swap> {
        let expect = Expect::Exactly(expected);
        let update = Update { name: name.to_owned(), new: Some(new), force: true, expect };
        let updates = vec![update.clone()];
        let pushed = self.push_beside(remote, None, path, updates, true, commits)?.pop();
        let pushed = pushed.ok_or_else(something_else)?;
        match pushed.reason {
            None => Ok(Swap::Moved),
            Some(Reason::Expected) => Ok(Swap::Elsewhere),
            Some(_) => Err(pushed.error(&update)),
        }
    }

    /// Locks of a remote; what commits say that are `known` is left out.
    pub fn look(&self, remote: Remote, wanted: Wanted, known: Vec<String>) -> Result<Vec<Shown>> {
        self.admit(&remote)?;
        let scratch = scratch()?;
        let (folder, root) = (scratch.path().to_owned(), self.root.clone());
        let look = Look { remote, wanted, known, folder, root, git: self.stock() };
        match self.order(Task::Look(look))? {
            Outcome::Shown(shown) => Ok(shown),
            _ => Err(something_else()),
        }
    }

    /// What becomes of a chore that stock git does here; nothing where it is not there, or is not
    /// to be used.
    pub(in crate::git) fn housework(
        &self,
        git_folder: &Path,
        chore: Chore,
    ) -> Result<Option<Done>> {
        let Some(git) = self.stock() else { return Ok(None) };
        expect_plain(git_folder, None)?;
        let task = Task::Housework(Housework { git_folder: git_folder.to_owned(), git, chore });
        match self.order(task)? {
            Outcome::Done(done) => Ok(done),
            _ => Err(something_else()),
        }
    }

    fn stock(&self) -> Option<String> {
        Some(self.git.to_owned()).filter(|it| it != "none")
    }

    #[cfg(feature = "faults")]
    pub fn fault(&self, kind: String, ms: u64) -> Result<()> {
        self.order(Task::Fault { kind, ms }).map(drop)
    }

    fn admit(&self, remote: &Remote) -> Result<()> {
        match self.transports.contains(&remote.url.transport) {
            true => Ok(()),
            false => Err(not_allowed(remote.url.transport.name())),
        }
    }

    fn order(&self, task: Task) -> Result<Outcome> {
        let home = Home::of(&task)?;
        let order = rmp_serde::to_vec_named(&Order { limit_ms: self.limit_ms, task })
            .map_err(|error| Error::internal(error.to_string()))?;
        let mut child = start(home.as_ref())?;
        let leader = Pid::from_child(&child);
        self.watch.attach(leader);
        let outcome = self.converse(&mut child, &order);
        self.watch.detach();
        // Whatever it started must not outlive it.
        watch::kill(leader);
        let status = child.wait();
        let outcome = match outcome {
            Some(outcome) => outcome,
            None if self.watch.is_stopped() => Err(Error::cancelled("the child was killed")),
            None => {
                let status = status.map_or_else(|error| error.to_string(), |it| it.to_string());
                Err(Error::internal(format!("the child for this request crashed: {status}")))
            }
        };
        if let Err(error) = &outcome {
            log::debug!("network: {error}");
        }
        outcome
    }

    /// Sends the order and listens until the child is done; `None` when it ends without a word.
    fn converse(&self, child: &mut Child, order: &[u8]) -> Option<Result<Outcome>> {
        let mut input = child.stdin.take()?;
        let mut output = BufReader::new(child.stdout.take()?);
        input.write_all(order).ok()?;
        loop {
            match rmp_serde::from_read(&mut output).ok()? {
                Message::Progress(progress) => {
                    if progress.stage == Stage::Sending {
                        self.watch.doubt();
                    }
                    self.watch.tell(&progress);
                }
                Message::Ready => {
                    // From here on it is finished, whoever waits for it.
                    if !self.watch.detach() {
                        return None;
                    }
                    input.write_all(&[1]).ok()?;
                }
                Message::Done(outcome) => {
                    return Some(outcome.map_err(|failure| match Error::from(failure) {
                        error if error.code == Code::Timeout => self.watch.in_doubt(error),
                        error => error,
                    }));
                }
            }
        }
    }
}

/// A folder for a while, in no repository. What dead daemons left is removed before the first.
pub(in crate::git) fn scratch() -> Result<tempfile::TempDir> {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| sweep(&std::env::temp_dir()));
    let prefix = format!("{STAGING}{}-{}-", namespace(), std::process::id());
    let made = tempfile::Builder::new().prefix(&prefix).tempdir();
    made.map_err(|error| Error::from_io("making a folder for a while", &error))
}

fn something_else() -> Error {
    Error::internal("the child answered something else")
}

fn start(home: Option<&Home>) -> Result<Child> {
    // This very program, also when the file it came from was replaced by a newer one.
    #[expect(clippy::disallowed_methods, reason = "this is where children of the daemon start")]
    let mut command = Command::new("/proc/self/exe");
    command.arg("network").current_dir("/").stdin(Stdio::piped()).stdout(Stdio::piped());
    if let Some(home) = home {
        command.env("HOME", home.0.path());
    }
    // A group of its own, so that all it starts can be killed with it.
    let child = command.process_group(0).spawn();
    child.map_err(|error| Error::from_io("starting a child", &error))
}

/// A home folder that has nothing but the host keys to trust: where libgit2 looks for them.
struct Home(tempfile::TempDir);

impl Home {
    fn of(task: &Task) -> Result<Option<Home>> {
        let remote = match task {
            Task::Sync(sync) => &sync.remote,
            Task::Push(push) => &push.remote,
            Task::Look(look) => &look.remote,
            Task::Lsremote { remote, .. } => remote,
            Task::Housework(_) => return Ok(None),
            #[cfg(feature = "faults")]
            Task::Fault { .. } => return Ok(None),
        };
        if remote.url.transport != Transport::Ssh {
            return Ok(None);
        }
        let known_hosts = match &remote.access.known_hosts {
            Some(text) => text.clone(),
            None => usual_known_hosts(),
        };
        let known_hosts = hosts::lines_for(&remote.url.authority, &known_hosts);
        let failed = |error: std::io::Error| Error::from_io("keeping host keys", &error);
        let folder = tempfile::Builder::new().prefix("gitport-home-").tempdir().map_err(failed)?;
        fs::create_dir(folder.path().join(".ssh")).map_err(failed)?;
        fs::write(folder.path().join(".ssh/known_hosts"), known_hosts).map_err(failed)?;
        Ok(Some(Home(folder)))
    }
}

fn usual_known_hosts() -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let own = home.map(|it| it.join(".ssh/known_hosts"));
    let system = PathBuf::from("/etc/ssh/ssh_known_hosts");
    let mut all = String::new();
    for file in own.into_iter().chain([system]) {
        let content = fs::read(file).unwrap_or_default();
        all.extend([&*String::from_utf8_lossy(&content), "\n"]);
    }
    all
}

/// Where a clone is built: beside its path, so that it can be renamed there. Gone afterwards,
/// whatever became of the clone.
struct Staging(PathBuf);

impl Staging {
    fn new(path: &Path) -> Result<Staging> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let Some(parent) = path.parent() else {
            return Err(Error::bad_request("a repository cannot be at /").with("field", "path"));
        };
        sweep(parent);
        let number = LAST.fetch_add(1, Relaxed);
        let process = std::process::id();
        let name = format!("{STAGING}{}-{process}-{number}", namespace());
        Ok(Staging(parent.join(name)))
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let _ = remove_tree(&self.0);
    }
}

/// Where the numbers of processes are this process's: other containers have others.
fn namespace() -> u64 {
    fs::metadata("/proc/self/ns/pid").map_or(0, |it| it.ino())
}

/// Removes what dead daemons left in a folder. Daemons that cannot be seen from here
/// count as dead after a day.
fn sweep(folder: &Path) {
    let namespace = namespace().to_string();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let parts = name.to_str().and_then(|it| it.strip_prefix(STAGING)?.rsplit_once('-'));
        let Some((place, owner)) = parts.and_then(|(parts, _)| parts.split_once('-')) else {
            continue;
        };
        let age =
            entry.metadata().and_then(|it| it.modified()).ok().and_then(|it| it.elapsed().ok());
        let is_dead = match place == namespace {
            true => !Path::new("/proc").join(owner).exists(),
            false => place.parse::<u64>().is_ok() && age.is_some_and(|it| UNSEEN <= it),
        };
        if is_dead && owner.parse::<u32>().is_ok() {
            log::info!("removing {}, which a dead daemon left", entry.path().display());
            let _ = remove_any(&entry.path());
        }
    }
}
