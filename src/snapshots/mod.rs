//! Databases of full snapshots, as an import reads them.
//!
//! A project has states, and a state has all of its files. States come with parents before their
//! children; files come one at a time, so that memory is bounded by the largest of them. What is
//! wrong with a database is said with the state, path or line it is about; only whether a path
//! may be written is for somebody else to judge. A child does the reading, which is killed when
//! nobody waits any more. Nothing is written, not even beside a file that is read, and what is
//! read is one moment of the database: it is a conflict where a file changes meanwhile.

mod cells;
mod child;
mod folder;
mod layout;
mod lines;
mod order;
#[cfg(feature = "postgres")]
mod postgres;
mod reader;
mod secret;
mod sqlite;
mod stamp;
mod time;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

pub use self::{child::run as run_child, reader::Reader};
use self::{
    layout::{Id, Layout},
    secret::Secret,
};
use crate::error::{Error, Result};

/// One database. On the wire a map with `sqlite`, `postgres`, `lines` or `folder`, and beside the
/// first two what its tables are called.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub enum Database {
    Sqlite(PathBuf, Layout),
    Postgres(Secret, Layout),
    Lines(PathBuf),
    /// One state, which is what is there now.
    Folder(PathBuf),
}

impl Database {
    /// The files and folders to read, for whoever decides which may be, and what names them.
    pub fn places(&self) -> Result<(&'static str, Vec<PathBuf>)> {
        match self {
            Database::Sqlite(path, _) => Ok(("sqlite", vec![path.clone()])),
            Database::Lines(path) => Ok(("lines", vec![path.clone()])),
            Database::Folder(path) => Ok(("folder", vec![path.clone()])),
            #[cfg(feature = "postgres")]
            Database::Postgres(url, _) => Ok(("postgres", postgres::places(url)?)),
            #[cfg(not(feature = "postgres"))]
            Database::Postgres(..) => Ok(("postgres", Vec::new())),
        }
    }

    /// The bytes of the file, where the database is one.
    pub fn bytes(&self) -> Option<u64> {
        match self {
            Database::Sqlite(path, _) | Database::Lines(path) => {
                std::fs::metadata(path).ok().map(|it| it.len())
            }
            Database::Postgres(..) | Database::Folder(_) => None,
        }
    }

    pub fn open(&self) -> Result<Box<dyn Source>> {
        match self {
            Database::Sqlite(path, layout) => sqlite::open(path, layout),
            Database::Lines(path) => lines::open(path),
            Database::Folder(path) => folder::open(path),
            #[cfg(feature = "postgres")]
            Database::Postgres(url, layout) => postgres::open(url, layout),
            #[cfg(not(feature = "postgres"))]
            Database::Postgres(..) => {
                let message = "this program was built without the feature `postgres`";
                Err(Error::unsupported(message).with("feature", "postgres"))
            }
        }
    }
}

/// One project of a database that is open.
pub trait Source: Send {
    /// All states, parents before their children.
    fn states(&mut self) -> Result<Vec<State>>;

    /// Gives each file of a state once, in no order. What `each` says against one ends it.
    fn files(&mut self, state: &State, each: &mut dyn FnMut(File) -> Result<()>) -> Result<()>;
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    pub id: String,
    /// A state that came before. Where no state of a project names one, the previous state.
    pub parent: Option<String>,
    #[serde(with = "serde_bytes")]
    pub label: Vec<u8>,
    pub author: Option<String>,
    pub email: Option<String>,
    /// Seconds since 1970. A state that has no time has its parent's.
    pub time: i64,
    /// Minutes east of Greenwich.
    pub offset: i32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// As it is in the database: it may be absolute, lead upwards, or be no text.
    #[serde(with = "serde_bytes")]
    pub path: Vec<u8>,
    #[serde(with = "serde_bytes")]
    pub content: Vec<u8>,
    /// `0o100644`, `0o100755` or `0o120000`, if the database tells.
    pub mode: Option<u32>,
}

/// The longest file that is taken.
const CONTENT_BYTES_MAX: usize = 256 << 20;

/// What a request says of the place that an import comes from.
#[derive(Default, PartialEq, Deserialize, Serialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a map with one of `sqlite`, `postgres`, `lines`, `folder`, `bundle`"
)]
pub struct Wire {
    /// No database, so that none is made of it.
    pub bundle: Option<ByteBuf>,
    sqlite: Option<PathBuf>,
    postgres: Option<Secret>,
    lines: Option<PathBuf>,
    folder: Option<PathBuf>,
    project: Option<Id>,
    #[serde(default)]
    tables: BTreeMap<String, String>,
    #[serde(default)]
    columns: BTreeMap<String, BTreeMap<String, String>>,
    states_query: Option<String>,
    files_query: Option<String>,
}

impl TryFrom<Wire> for Database {
    type Error = String;

    fn try_from(wire: Wire) -> Result<Database, String> {
        let layout = Layout {
            project: wire.project.map(String::from),
            tables: wire.tables,
            columns: wire.columns,
            states_query: wire.states_query,
            files_query: wire.files_query,
        };
        match (wire.sqlite, wire.postgres, wire.lines, wire.folder) {
            (Some(path), None, None, None) => Ok(Database::Sqlite(path, layout.checked()?)),
            (None, Some(url), None, None) => Ok(Database::Postgres(url, layout.checked()?)),
            (None, None, Some(path), None) if layout == Layout::default() => {
                Ok(Database::Lines(path))
            }
            (None, None, None, Some(path)) if layout == Layout::default() => {
                Ok(Database::Folder(path))
            }
            (None, None, Some(_), None) => Err("`lines` has one project and no tables".to_owned()),
            (None, None, None, Some(_)) => Err("`folder` has one state and no tables".to_owned()),
            _ => Err("it has one of `sqlite`, `postgres`, `lines`, `folder`, `bundle`".to_owned()),
        }
    }
}

impl From<Database> for Wire {
    fn from(database: Database) -> Wire {
        let (place, layout) = match database {
            Database::Sqlite(path, layout) => {
                (Wire { sqlite: Some(path), ..Wire::default() }, layout)
            }
            Database::Postgres(url, layout) => {
                (Wire { postgres: Some(url), ..Wire::default() }, layout)
            }
            Database::Lines(path) => {
                (Wire { lines: Some(path), ..Wire::default() }, Layout::default())
            }
            Database::Folder(path) => {
                (Wire { folder: Some(path), ..Wire::default() }, Layout::default())
            }
        };
        Wire {
            project: layout.project.map(Id::Text),
            tables: layout.tables,
            columns: layout.columns,
            states_query: layout.states_query,
            files_query: layout.files_query,
            ..place
        }
    }
}

/// Says that a state breaks a rule.
fn invalid(state: &str, why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("state `{state}`: {why}")).with("state", state)
}
