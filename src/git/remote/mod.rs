//! Remotes: where they are, how to get in, and the children that talk to them.
//!
//! All network work happens in a child, this same program, which is killed with all its
//! descendants when its time is up, and which ends when its parent does.

mod access;
mod ask;
mod child;
#[cfg(feature = "faults")]
mod fault;
mod fetch;
mod hosts;
mod housework;
mod leftovers;
mod look;
mod notes;
mod parent;
mod push;
mod pushed;
mod scratch;
mod send;
mod stock;
mod submodules;
mod tracking;
mod url;
mod wanted;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

#[cfg(feature = "faults")]
pub use self::fault::print as print_stray_lines;
use self::housework::Housework;
pub use self::{
    access::{Access, Auth},
    child::run as run_child,
    parent::Network,
    pushed::{Expect, Pushed, Reason, Status, Swap, Update},
    url::{Transport, Url},
};
pub(super) use self::{
    housework::{Chore, Done},
    leftovers::HALF_WRITTEN,
    parent::scratch,
};
use crate::{
    error::Carried,
    git::{RepositoryPath, Root},
    watch::Progress,
};

/// A remote and the way in.
#[derive(Clone, Serialize, Deserialize)]
pub struct Remote {
    pub url: Url,
    pub access: Access,
}

/// What a child is to do.
#[derive(Serialize, Deserialize)]
pub(crate) struct Order {
    /// After so long the child gives up by itself.
    pub limit_ms: u64,
    pub task: Task,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Task {
    Sync(Sync),
    Push(Push),
    Lsremote {
        remote: Remote,
        branch: Option<String>,
        /// The stock git program, unless it is not to be used.
        git: Option<String>,
    },
    Look(Look),
    Housework(Housework),
    #[cfg(feature = "faults")]
    Fault {
        kind: String,
        ms: u64,
    },
}

/// What comes besides the tip of a branch.
#[derive(Clone, Serialize, Deserialize)]
pub struct Bring {
    /// How many commits; 0 is all.
    pub depth: u32,
    pub submodules: bool,
    /// The namespaces of notes that come too.
    pub notes: Namespaces,
    /// Whether tags of the commits come too.
    pub tags: bool,
}

impl Bring {
    fn tags(&self) -> git2::AutotagOption {
        match self.tags {
            true => git2::AutotagOption::Auto,
            false => git2::AutotagOption::None,
        }
    }
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Sync {
    pub remote: Remote,
    pub branch: String,
    pub path: PathBuf,
    /// Where a clone is built until it is whole.
    pub staging: PathBuf,
    pub bring: Bring,
    pub root: Root,
    pub transports: Vec<Transport>,
    /// The stock git program, unless it is not to be used.
    pub git: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Push {
    pub remote: Remote,
    pub path: PathBuf,
    /// The remote of the repository that this is, if it is one.
    pub name: Option<String>,
    pub updates: Vec<Update>,
    /// Whether none moves where one cannot.
    pub atomic: bool,
    pub beside: Option<Beside>,
    pub root: Root,
    /// The stock git program, unless it is not to be used.
    pub git: Option<String>,
}

/// What a push brings that is in no repository here.
#[derive(Serialize, Deserialize)]
pub(crate) struct Beside {
    /// Empty, and gone with the order.
    pub folder: PathBuf,
    /// Commits without files, parents first.
    pub commits: Vec<ByteBuf>,
}

/// Refs of locks to look at, and the commits they name.
#[derive(Serialize, Deserialize)]
pub(crate) struct Look {
    pub remote: Remote,
    pub wanted: Wanted,
    /// Commits that need not be brought.
    pub known: Vec<String>,
    /// Empty, and gone with the order.
    pub folder: PathBuf,
    pub root: Root,
    /// The stock git program, unless it is not to be used.
    pub git: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
pub enum Wanted {
    /// The lock that is kept in this ref.
    One(String),
    /// So many of those whose names begin with `prefix`, in the order of their names.
    Some { prefix: String, after: Option<String>, count: usize },
}

/// The ref of a lock as a remote showed it.
#[derive(Serialize, Deserialize)]
pub struct Shown {
    pub reference: String,
    pub id: String,
    /// What the commit says; none where it is known.
    pub content: Option<ByteBuf>,
}

/// Namespaces of notes, by their names.
#[derive(Clone, Serialize, Deserialize)]
pub enum Namespaces {
    All,
    Some(Vec<String>),
}

impl Namespaces {
    pub fn is_any(&self) -> bool {
        !matches!(self, Namespaces::Some(names) if names.is_empty())
    }

    pub fn has(&self, name: &str) -> bool {
        match self {
            Namespaces::All => true,
            Namespaces::Some(names) => names.iter().any(|it| it == name),
        }
    }
}

impl Remote {
    /// Where it is, if that is on this machine and no server is asked.
    pub fn place_here(&self) -> Option<RepositoryPath> {
        RepositoryPath::try_from(self.url.as_str()).ok().filter(|_| self.url.is_local())
    }
}

impl Sync {
    /// How many commits are fetched; 0 is all, which is what Git gives from this machine.
    fn depth(&self) -> u32 {
        if self.remote.url.is_local() { 0 } else { self.bring.depth }
    }
}

/// What a child says.
#[derive(Serialize, Deserialize)]
enum Message {
    Progress(Progress),
    /// It wants to begin what must not be interrupted, and waits for a byte.
    Ready,
    Done(Result<Outcome, Carried>),
}

#[derive(Serialize, Deserialize)]
pub(crate) enum Outcome {
    Commit(String),
    Refs(Vec<(String, String)>),
    Pushed(Vec<Pushed>),
    Shown(Vec<Shown>),
    /// Nothing where git is not there.
    Done(Option<Done>),
}
