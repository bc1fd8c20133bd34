//! Snapshots in an SQLite file.
//!
//! Reading leaves no trace: SQLite itself would put two files beside a database that was written
//! with a write-ahead log, so that one is read as it lies when nobody has it open.

use std::{
    collections::HashMap,
    ffi::OsString,
    fmt::Write,
    fs::{self, File as Disk},
    io::{ErrorKind, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, Row, Statement,
    config::DbConfig,
    hooks::{AuthAction, AuthContext, Authorization},
    types::{Value, ValueRef},
};

use super::{
    File, Source, State,
    cells::{Cell, Files, States},
    layout::{Column, Dialect, Layout, Plan, check_files_query, project_for},
    stamp::Stamp,
};
use crate::error::{Error, Result};

/// How long somebody may write before it is said that he holds a lock.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// What an SQLite file begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";

pub fn open(path: &Path, layout: &Layout) -> Result<Box<dyn Source>> {
    let stamp = Stamp::new(path, "sqlite")?;
    let is_still = is_still(path)?;
    let connection = connect(path, is_still).map_err(failure)?;
    let mut database = Tables { connection, keys: HashMap::new() };
    let plan = layout.plan(&mut database)?;
    Ok(Box::new(Sqlite { database, plan, still: is_still.then_some(stamp) }))
}

struct Sqlite {
    database: Tables,
    plan: Plan,
    /// What no lock keeps from changing.
    still: Option<Stamp>,
}

struct Tables {
    connection: Connection,
    /// Ids as they are in the database: the text of a number is not equal to it everywhere.
    keys: HashMap<String, Value>,
}

impl Source for Sqlite {
    fn states(&mut self) -> Result<Vec<State>> {
        let Tables { connection, keys } = &mut self.database;
        let mut statement = connection.prepare(&self.plan.states).map_err(failure)?;
        let project = project_for(statement.parameter_count(), self.plan.project.as_deref())?;
        let project = project.map(|it| key(keys, it));
        let mut rows = statement.query(rusqlite::params_from_iter(project)).map_err(failure)?;
        let mut states = States::default();
        while let Some(row) = rows.next().map_err(failure)? {
            let [id, parent, position, label, author, email, time] = cells(row)?;
            let id = name(id, row, 0, keys)?;
            let parent = name(parent, row, 1, keys)?;
            states.add_row([id, parent, position, label, author, email, time])?;
        }
        self.still.as_ref().map_or(Ok(()), Stamp::check)?;
        states.in_order()
    }

    fn files(&mut self, state: &State, each: &mut dyn FnMut(File) -> Result<()>) -> Result<()> {
        let Tables { connection, keys } = &self.database;
        let mut statement = connection.prepare_cached(&self.plan.files).map_err(failure)?;
        check_files_query(statement.parameter_count())?;
        let mut rows = statement.query([key(keys, &state.id)]).map_err(failure)?;
        let mut files = Files::new(state, each);
        let about = |error| failure(error).with("state", &*state.id);
        while let Some(row) = rows.next().map_err(about)? {
            files.add_row(cells(row)?)?;
        }
        self.still.as_ref().map_or(Ok(()), Stamp::check)
    }
}

impl Dialect for Tables {
    fn has_table(&mut self, name: &str) -> Result<bool> {
        let sql = "SELECT 1 FROM sqlite_schema \
                   WHERE type IN ('table', 'view') AND name = $1 COLLATE NOCASE";
        let mut statement = self.connection.prepare(sql).map_err(failure)?;
        statement.exists([name]).map_err(failure)
    }

    fn columns(&mut self, relation: &str) -> Result<Vec<Column>> {
        let sql = format!("SELECT * FROM {relation}");
        let statement: Statement<'_> = self.connection.prepare(&sql).map_err(failure)?;
        let column = |it: &str| Column { name: it.to_owned(), is_raw: true };
        Ok(statement.column_names().into_iter().map(column).collect())
    }

    fn text(&self, quoted: &str) -> String {
        quoted.to_owned()
    }

    fn projects(&mut self, sql: &str) -> Result<Vec<(String, Option<String>)>> {
        let mut statement = self.connection.prepare(sql).map_err(failure)?;
        let mut rows = statement.query([]).map_err(failure)?;
        let mut projects = Vec::new();
        let text = |cell| match cell {
            Cell::Null => None,
            Cell::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Cell::Number(text) => Some(text),
        };
        while let Some(row) = rows.next().map_err(failure)? {
            let [id, project] = cells(row)?;
            let id = name(id, row, 0, &mut self.keys)?;
            let id = text(id).ok_or_else(|| Error::invalid("a project has no id"))?;
            projects.push((id, text(project)));
        }
        Ok(projects)
    }
}

fn connect(path: &Path, is_still: bool) -> rusqlite::Result<Connection> {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => write!(uri, "%{byte:02x}").expect("a string takes what there is"),
        }
    }
    uri += if is_still { "?immutable=1" } else { "?mode=ro" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(uri, flags)?;
    connection.busy_timeout(LOCK_WAIT)?;
    // The file is a stranger's, and so may be what is in its schema.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
    connection.execute_batch("PRAGMA cell_size_check = ON; BEGIN")?;
    connection.authorizer(Some(only_reading));
    Ok(connection)
}

/// A query of the request may look at this file, and at no other: `ATTACH` would.
fn only_reading(it: AuthContext<'_>) -> Authorization {
    match it.action {
        AuthAction::Select
        | AuthAction::Read { .. }
        | AuthAction::Function { .. }
        | AuthAction::Recursive => Authorization::Allow,
        _ => Authorization::Deny,
    }
}

/// Whether nobody has a database open that has a write-ahead log. All others can be locked.
fn is_still(path: &Path) -> Result<bool> {
    let mut header = [0; 20];
    let io = |error| Error::from_io(path.display(), &error);
    let is_whole = match Disk::open(path).map_err(io)?.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
        outcome => outcome.map_err(io).map(|()| true)?,
    };
    if !is_whole || !header.starts_with(MAGIC) {
        return Err(Error::invalid(format!("{} is no SQLite database", path.display())));
    }
    let has_log = header[18..] == [2, 2];
    let log = fs::metadata(beside(path, "-wal")).map(|it| it.len()).ok();
    let is_shared = beside(path, "-shm").exists();
    match (has_log, log, is_shared) {
        (false, ..) | (true, Some(_), true) => Ok(false),
        (true, Some(1..), false) => Err(unfinished()),
        (true, ..) => Ok(true),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn unfinished() -> Error {
    let message = "the database has changes in its journal that nobody finished: \
                   open it once with `sqlite3`, for writing, and they are";
    Error::invalid(message)
}

fn key(keys: &HashMap<String, Value>, name: &str) -> Value {
    keys.get(name).cloned().unwrap_or_else(|| Value::Text(name.to_owned()))
}

/// The text of an id, for which its value is kept.
fn name(
    cell: Cell,
    row: &Row<'_>,
    index: usize,
    keys: &mut HashMap<String, Value>,
) -> Result<Cell> {
    let value = row.get_ref(index).map_err(failure)?;
    let text = match (value, &cell) {
        (ValueRef::Blob(bytes), _) => hex(bytes),
        (_, Cell::Number(text)) => text.clone(),
        // Of text the value is the text.
        _ => return Ok(cell),
    };
    // What refers to an id may have another type than the id.
    if index == 0 {
        keys.insert(text.clone(), Value::from(value));
    }
    Ok(Cell::Bytes(text.into_bytes()))
}

/// Bytes as a UUID where they have its length.
fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (index, byte) in bytes.iter().enumerate() {
        if bytes.len() == 16 && [4, 6, 8, 10].contains(&index) {
            text.push('-');
        }
        write!(text, "{byte:02x}").expect("a string takes what there is");
    }
    text
}

fn cells<const N: usize>(row: &Row<'_>) -> Result<[Cell; N]> {
    let mut cells = [const { Cell::Null }; N];
    for (index, cell) in cells.iter_mut().enumerate() {
        *cell = match row.get_ref(index).map_err(failure)? {
            ValueRef::Null => Cell::Null,
            ValueRef::Integer(number) => Cell::Number(number.to_string()),
            ValueRef::Real(number) => Cell::Number(number.to_string()),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Cell::Bytes(bytes.to_vec()),
        };
    }
    Ok(cells)
}

fn failure(error: rusqlite::Error) -> Error {
    use rusqlite::Error as Sql;
    let message = match &error {
        // With the whole statement in it, it is no message for people.
        Sql::SqlInputError { msg, .. } => msg.clone(),
        error => error.to_string(),
    };
    let code = error.sqlite_error_code();
    match (&error, code) {
        (_, Some(ErrorCode::AuthorizationForStatementDenied)) => {
            Error::bad_request("a query only reads, and only this database").with("field", "from")
        }
        (Sql::SqlInputError { .. } | Sql::MultipleStatement, _) => {
            Error::bad_request(message).with("field", "from")
        }
        (_, Some(ErrorCode::NotADatabase)) => Error::invalid(message),
        (_, Some(ErrorCode::DatabaseCorrupt)) => Error::corrupt(message),
        (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => Error::locked(message),
        (_, Some(ErrorCode::PermissionDenied)) => {
            Error::denied(message).with("rule", "permissions")
        }
        (_, Some(ErrorCode::TooBig)) => Error::too_large(message),
        (_, Some(ErrorCode::ReadOnly)) => unfinished(),
        (_, Some(ErrorCode::SystemIoFailure | ErrorCode::CannotOpen)) => {
            Error::unavailable(message)
        }
        _ => Error::invalid(message),
    }
}
