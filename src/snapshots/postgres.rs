//! Snapshots in PostgreSQL.
//!
//! All is read in one transaction that sees one moment, over TLS where the server has it. The
//! server's certificate is looked at for `sslmode=require`, `verify-ca` and `verify-full`, which
//! here are one; otherwise TLS keeps out only those who merely listen.

use std::{error::Error as _, io::ErrorKind, path::PathBuf, time::Duration};

use bytes::BytesMut;
use openssl::{
    error::ErrorStack,
    ssl::{SslConnector, SslMethod, SslVerifyMode},
};
use postgres::{
    Client, Config, Row, Statement,
    config::{Host, SslMode},
    error::SqlState,
    fallible_iterator::FallibleIterator,
    types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked},
};
use postgres_openssl::MakeTlsConnector;

use super::{
    File, Source, State,
    cells::{Cell, Files, States},
    layout::{Column, Dialect, Layout, Plan, check_files_query, project_for},
    secret::Secret,
};
use crate::error::{Error, Result};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server's machine may leave what it is sent unacknowledged.
const SILENCE_MAX: Duration = Duration::from_secs(60);

pub fn open(url: &Secret, layout: &Layout) -> Result<Box<dyn Source>> {
    let address = Address::new(url.expose())?;
    let tls = address.tls().map_err(|error| {
        let message = format!("the certificates of `sslrootcert` cannot be used: {error}");
        Error::bad_request(message).with("field", "postgres")
    })?;
    let client = address.config.connect(tls).map_err(failure)?;
    let mut tables = Tables { client };
    let start = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; \
                 SET LOCAL datestyle TO 'ISO'; SET LOCAL timezone TO 'UTC'";
    tables.client.batch_execute(start).map_err(failure)?;
    let plan = layout.plan(&mut tables)?;
    let files = tables.client.prepare(&plan.files).map_err(failure)?;
    check_files_query(files.params().len())?;
    Ok(Box::new(Postgres { client: tables.client, plan, files }))
}

/// The files that a connection string names: sockets, and whom to trust.
pub fn places(url: &Secret) -> Result<Vec<PathBuf>> {
    let Address { config, authority, .. } = Address::new(url.expose())?;
    let sockets = config.get_hosts().iter().filter_map(|it| match it {
        Host::Unix(path) => Some(path.clone()),
        Host::Tcp(_) => None,
    });
    Ok(sockets.chain(authority.map(PathBuf::from)).collect())
}

struct Postgres {
    client: Client,
    plan: Plan,
    files: Statement,
}

struct Tables {
    client: Client,
}

impl Source for Postgres {
    fn states(&mut self) -> Result<Vec<State>> {
        let statement = self.client.prepare(&self.plan.states).map_err(failure)?;
        let project = project_for(statement.params().len(), self.plan.project.as_deref())?;
        let project: Vec<Key<'_>> = project.into_iter().map(Key).collect();
        let mut rows = self.client.query_raw(&statement, &project).map_err(failure)?;
        let mut states = States::default();
        while let Some(row) = rows.next().map_err(failure)? {
            states.add_row(cells(&row)?)?;
        }
        states.in_order()
    }

    fn files(&mut self, state: &State, each: &mut dyn FnMut(File) -> Result<()>) -> Result<()> {
        let about = |error| failure(error).with("state", &*state.id);
        let mut rows = self.client.query_raw(&self.files, [Key(&state.id)]).map_err(about)?;
        let mut files = Files::new(state, each);
        while let Some(row) = rows.next().map_err(about)? {
            files.add_row(cells(&row)?)?;
        }
        Ok(())
    }
}

impl Dialect for Tables {
    fn has_table(&mut self, name: &str) -> Result<bool> {
        let sql = "SELECT to_regclass(quote_ident($1)) IS NOT NULL";
        let row = self.client.query_one(sql, &[&name]).map_err(failure)?;
        row.try_get(0).map_err(failure)
    }

    fn columns(&mut self, relation: &str) -> Result<Vec<Column>> {
        let sql = format!("SELECT * FROM {relation}");
        let statement = self.client.prepare(&sql).map_err(failure)?;
        let column = |it: &postgres::Column| Column {
            name: it.name().to_owned(),
            is_raw: *it.type_() == Type::BYTEA,
        };
        Ok(statement.columns().iter().map(column).collect())
    }

    fn text(&self, quoted: &str) -> String {
        format!("{quoted}::text")
    }

    fn projects(&mut self, sql: &str) -> Result<Vec<(String, Option<String>)>> {
        let rows = self.client.query(sql, &[]).map_err(failure)?;
        let project = |row: &Row| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.iter().map(project).collect::<Result<_, _>>().map_err(failure)
    }
}

/// Where a database is, and how far its server is trusted.
struct Address {
    config: Config,
    is_verified: bool,
    authority: Option<String>,
}

impl Address {
    /// Never repeats what it is given: that has a password in it.
    fn new(url: &str) -> Result<Address> {
        let bad =
            |why: &str| Error::bad_request(format!("`postgres`: {why}")).with("field", "postgres");
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(bad("it does not begin with `postgres://`"));
        }
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut is_verified, mut authority) = (false, None);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|it| !it.is_empty()) {
            match pair.split_once('=') {
                Some(("sslmode", "require" | "verify-ca" | "verify-full")) => {
                    is_verified = true;
                    rest.push("sslmode=require");
                }
                Some(("sslrootcert", path)) => authority = Some(decoded(path)),
                _ => rest.push(pair),
            }
        }
        let url = format!("{place}?{}", rest.join("&"));
        let mut config: Config =
            url.parse().map_err(|_| bad("it is no connection string that is understood"))?;
        if is_verified && config.get_ssl_mode() != SslMode::Require {
            return Err(bad("it has several `sslmode`"));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.tcp_user_timeout(SILENCE_MAX).keepalives_idle(SILENCE_MAX / 2);
        config.application_name("gitport");
        Ok(Address { config, is_verified, authority })
    }

    fn tls(&self) -> Result<MakeTlsConnector, ErrorStack> {
        let mut builder = SslConnector::builder(SslMethod::tls())?;
        if let Some(authority) = &self.authority {
            builder.set_ca_file(authority)?;
        }
        if !self.is_verified {
            builder.set_verify(SslVerifyMode::NONE);
        }
        Ok(MakeTlsConnector::new(builder.build()))
    }
}

/// The value of a pair in a query.
fn decoded(text: &str) -> String {
    // Here a plus is no space.
    let pair = format!("it={}", text.replace('+', "%2B"));
    url::form_urlencoded::parse(pair.as_bytes()).map(|(_, it)| it.into_owned()).collect()
}

/// The text of an id, for a column of whatever type: the server reads it.
#[derive(Debug)]
struct Key<'a>(&'a str);

impl ToSql for Key<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Failure> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

type Failure = Box<dyn std::error::Error + Sync + Send>;

/// A value as the server sends it: text is its own bytes, and so are bytes.
struct Raw(Vec<u8>);

impl FromSql<'_> for Raw {
    fn from_sql(_: &Type, bytes: &[u8]) -> Result<Raw, Failure> {
        Ok(Raw(bytes.to_vec()))
    }

    fn accepts(it: &Type) -> bool {
        [Type::BYTEA, Type::TEXT].contains(it)
    }
}

fn cells<const N: usize>(row: &Row) -> Result<[Cell; N]> {
    let mut cells = [const { Cell::Null }; N];
    for (index, cell) in cells.iter_mut().enumerate() {
        let raw: Option<Raw> = row.try_get(index).map_err(failure)?;
        *cell = raw.map_or(Cell::Null, |it| Cell::Bytes(it.0));
    }
    Ok(cells)
}

fn failure(error: postgres::Error) -> Error {
    let Some(said) = error.as_db_error() else {
        let cause = error.source().map(|it| format!(": {it}")).unwrap_or_default();
        let message = format!("PostgreSQL: {error}{cause}");
        let io = error.source().and_then(|it| it.downcast_ref::<std::io::Error>());
        return match io.map(std::io::Error::kind) {
            Some(ErrorKind::TimedOut) => Error::timeout(message),
            _ => Error::unavailable(message),
        };
    };
    let message = format!("PostgreSQL: {}", said.message());
    match *said.code() {
        SqlState::INVALID_PASSWORD | SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
            Error::unauthorized(message)
        }
        SqlState::INVALID_CATALOG_NAME => Error::not_found(message),
        SqlState::INSUFFICIENT_PRIVILEGE => Error::denied(message).with("rule", "permissions"),
        SqlState::READ_ONLY_SQL_TRANSACTION => Error::bad_request(message).with("field", "from"),
        SqlState::QUERY_CANCELED => Error::timeout(message),
        SqlState::LOCK_NOT_AVAILABLE => Error::locked(message),
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => Error::corrupt(message),
        _ => match said.code().code().get(..2) {
            // A query that is none, or about what is not there.
            Some("42") => Error::bad_request(message).with("field", "from"),
            // Connections, resources, and a server that is going down.
            Some("08" | "53" | "57" | "58") => Error::unavailable(message),
            _ => Error::invalid(message),
        },
    }
}
