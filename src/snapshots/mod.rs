//! Databases of full snapshots, as an import reads them.
//!
//! A project has states, and a state has all of its files. States come with parents before their
//! children; files come one at a time, so that memory is bounded by the largest of them. What is
//! wrong with a database is said with the state, path or line it is about; only whether a path
//! may be written is for somebody else to judge. Nothing is written, not even beside a file that
//! is read, and what is read is one moment of the database: it is a conflict where a file changes
//! meanwhile.

mod cells;
mod layout;
mod lines;
mod order;
#[cfg(feature = "postgres")]
mod postgres;
mod secret;
mod sqlite;
mod stamp;
mod time;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

use self::{
    layout::{Id, Layout},
    secret::Secret,
};
use crate::error::{Error, Result};

/// One database. On the wire a map with `sqlite`, `postgres` or `lines`, and beside the first
/// two what its tables are called.
#[derive(Debug, Deserialize)]
#[serde(try_from = "Wire")]
pub enum Database {
    Sqlite(PathBuf, Layout),
    Postgres(Secret, Layout),
    Lines(PathBuf),
}

impl Database {
    /// The file to read, for whoever decides which files may be.
    pub fn file(&self) -> Option<&PathBuf> {
        match self {
            Database::Sqlite(path, _) | Database::Lines(path) => Some(path),
            Database::Postgres(..) => None,
        }
    }

    pub fn open(&self) -> Result<Box<dyn Source>> {
        match self {
            Database::Sqlite(path, layout) => sqlite::open(path, layout),
            Database::Lines(path) => lines::open(path),
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

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub id: String,
    /// A state that came before. Where no state of a project names one, the previous state.
    pub parent: Option<String>,
    pub label: Vec<u8>,
    pub author: Option<String>,
    pub email: Option<String>,
    /// Seconds since 1970. A state that has no time has its parent's.
    pub time: i64,
    /// Minutes east of Greenwich.
    pub offset: i32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// As it is in the database: it may be absolute, lead upwards, or be no text.
    pub path: Vec<u8>,
    pub content: Vec<u8>,
    /// `0o100644`, `0o100755` or `0o120000`, if the database tells.
    pub mode: Option<u32>,
}

/// The longest file that is taken.
const CONTENT_BYTES_MAX: usize = 256 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    sqlite: Option<PathBuf>,
    postgres: Option<Secret>,
    lines: Option<PathBuf>,
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
        match (wire.sqlite, wire.postgres, wire.lines) {
            (Some(path), None, None) => Ok(Database::Sqlite(path, layout.checked()?)),
            (None, Some(url), None) => Ok(Database::Postgres(url, layout.checked()?)),
            (None, None, Some(path)) if layout == Layout::default() => Ok(Database::Lines(path)),
            (None, None, Some(_)) => Err("`lines` has one project and no tables".to_owned()),
            _ => Err("it has one of `sqlite`, `postgres` and `lines`".to_owned()),
        }
    }
}

/// Says that a state breaks a rule.
fn invalid(state: &str, why: impl std::fmt::Display) -> Error {
    Error::invalid(format!("state `{state}`: {why}")).with("state", state)
}
