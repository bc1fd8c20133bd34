//! What the tables of a database are called, and what is asked of them.
//!
//! By default they are `projects(id, name)`, `states(id, project_id, parent_id, position, label,
//! author, email, created_at)` and `files(state_id, path, content, mode)`. A request gives other
//! names, or queries in their place; what need not be there may be missing.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub struct Table {
    pub name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
}

pub const PROJECTS: Table = Table { name: "projects", required: &["id"], optional: &["name"] };

pub const STATES: Table = Table {
    name: "states",
    required: &["id"],
    optional: &["parent_id", "position", "label", "author", "email", "created_at"],
};

pub const FILES: Table =
    Table { name: "files", required: &["state_id", "path", "content"], optional: &["mode"] };

/// The column of states that says whose they are.
const OWNER: &str = "project_id";

/// The names that a request gives.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    pub project: Option<String>,
    pub tables: BTreeMap<String, String>,
    pub columns: BTreeMap<String, BTreeMap<String, String>>,
    /// Has the columns of `states`, and no parameter or the project as its only one.
    pub states_query: Option<String>,
    /// Has the columns of `files`, and the state's id as its only parameter.
    pub files_query: Option<String>,
}

/// What to ask a database.
#[derive(Debug, PartialEq)]
pub struct Plan {
    /// Selects the columns of [`STATES`], in its order.
    pub states: String,
    /// What the parameter of `states` is, if it has one.
    pub project: Option<String>,
    /// Selects path, content, the bytes of the content, and mode. A content that is too long is
    /// not selected. Its parameter is the id of a state.
    pub files: String,
}

/// How databases differ.
pub trait Dialect {
    fn has_table(&mut self, name: &str) -> Result<bool>;

    /// The columns of a table or a query in brackets.
    fn columns(&mut self, relation: &str) -> Result<Vec<Column>>;

    /// An expression with the text of a column.
    fn text(&self, quoted: &str) -> String;

    /// Ids and names, which is what `sql` selects.
    fn projects(&mut self, sql: &str) -> Result<Vec<(String, Option<String>)>>;
}

pub struct Column {
    pub name: String,
    /// Whether what it holds can be had as it is.
    pub is_raw: bool,
}

impl Layout {
    /// Refuses names for what is in no layout.
    pub fn checked(self) -> Result<Layout, String> {
        for name in self.tables.keys().chain(self.columns.keys()) {
            table(name).ok_or_else(|| format!("no table is `{name}`"))?;
        }
        for (name, columns) in &self.columns {
            let is_known = |it: &str| {
                let table = table(name).expect("looked up before");
                let is_owner = table.name == STATES.name && it == OWNER;
                is_owner || table.required.contains(&it) || table.optional.contains(&it)
            };
            if let Some(column) = columns.keys().find(|it| !is_known(it)) {
                return Err(format!("no column of `{name}` is `{column}`"));
            }
        }
        let queries = [
            (&self.states_query, STATES, "states_query"),
            (&self.files_query, FILES, "files_query"),
        ];
        for (query, table, name) in queries {
            if query.is_some() && self.tables.contains_key(table.name) {
                return Err(format!("`{name}` is in the place of the table `{}`", table.name));
            }
        }
        Ok(self)
    }

    /// Finds out what a database has, and what to ask it.
    pub fn plan(&self, database: &mut dyn Dialect) -> Result<Plan> {
        let files = self.files(database)?;
        if let Some(query) = &self.states_query {
            let states = self.select_states(database, &in_brackets(query))?.0;
            return Ok(Plan { states, project: self.project.clone(), files });
        }
        let relation = self.existing(database, &STATES)?;
        let (mut states, columns) = self.select_states(database, &relation)?;
        let owner = self.find(&STATES, OWNER, &columns)?.map(|it| quoted(&it.name));
        let project = self.find_project(database, &relation, owner.as_deref())?;
        if let Some(owner) = owner {
            states += &format!(" WHERE {owner} = $1");
        }
        Ok(Plan { states, project, files })
    }

    fn select_states(
        &self,
        database: &mut dyn Dialect,
        relation: &str,
    ) -> Result<(String, Vec<Column>)> {
        let columns = database.columns(relation)?;
        let roles = STATES.required.iter().chain(STATES.optional);
        let cells: Result<Vec<String>> =
            roles.map(|it| self.text(database, &STATES, it, &columns)).collect();
        Ok((format!("SELECT {} FROM {relation}", cells?.join(", ")), columns))
    }

    fn files(&self, database: &mut dyn Dialect) -> Result<String> {
        let relation = match &self.files_query {
            Some(query) => in_brackets(query),
            None => self.existing(database, &FILES)?,
        };
        let columns = database.columns(&relation)?;
        let cell = |role| match self.find(&FILES, role, &columns)? {
            Some(column) if column.is_raw => Ok(quoted(&column.name)),
            _ => self.text(database, &FILES, role, &columns),
        };
        let (path, content) = (cell("path")?, cell("content")?);
        let mode = self.text(database, &FILES, "mode", &columns)?;
        let bytes = format!("octet_length({content})");
        let limit = super::CONTENT_BYTES_MAX;
        let short = format!("CASE WHEN {bytes} <= {limit} THEN {content} END");
        let bytes = database.text(&bytes);
        let mut sql = format!("SELECT {path}, {short}, {bytes}, {mode} FROM {relation}");
        if self.files_query.is_none() {
            let state = self.find(&FILES, "state_id", &columns)?.map(|it| quoted(&it.name));
            sql += &format!(" WHERE {} = $1", state.unwrap_or_default());
        }
        Ok(sql)
    }

    /// The id of the one project that is asked for, or is there.
    fn find_project(
        &self,
        database: &mut dyn Dialect,
        states: &str,
        owner: Option<&str>,
    ) -> Result<Option<String>> {
        let is_asked_for = self.tables.contains_key(PROJECTS.name);
        let name = self.name(&PROJECTS);
        let sql = if is_asked_for || database.has_table(name)? {
            let relation = self.existing(database, &PROJECTS)?;
            let columns = database.columns(&relation)?;
            let id = self.text(database, &PROJECTS, "id", &columns)?;
            let name = self.text(database, &PROJECTS, "name", &columns)?;
            format!("SELECT {id}, {name} FROM {relation}")
        } else if let Some(owner) = owner {
            let id = database.text(owner);
            format!("SELECT DISTINCT {id}, NULL FROM {states} WHERE {owner} IS NOT NULL")
        } else {
            return match &self.project {
                Some(project) => Err(not_there(project)),
                None => Ok(None),
            };
        };
        let projects = database.projects(&sql)?;
        if owner.is_none() && projects.len() > 1 {
            let why = "there are several projects, and nothing says whose a state is";
            return Err(missing(self.name(&STATES), OWNER).while_doing(why));
        }
        let project = choose(self.project.as_deref(), projects)?;
        Ok(owner.map(|_| project))
    }

    /// A table in quotes, which has to be there.
    fn existing(&self, database: &mut dyn Dialect, table: &Table) -> Result<String> {
        let name = self.name(table);
        match database.has_table(name)? {
            true => Ok(quoted(name)),
            false => {
                let message = format!("the database has no table `{name}`");
                Err(Error::invalid(message).with("table", name))
            }
        }
    }

    fn name<'a>(&'a self, table: &Table) -> &'a str {
        self.tables.get(table.name).map_or(table.name, String::as_str)
    }

    /// An expression with the text of the column with a role.
    fn text(
        &self,
        database: &dyn Dialect,
        table: &Table,
        role: &str,
        columns: &[Column],
    ) -> Result<String> {
        let column = self.find(table, role, columns)?;
        let text = column.map(|it| database.text(&quoted(&it.name)));
        Ok(text.unwrap_or_else(|| "NULL".to_owned()))
    }

    /// The column with a role. None where it need not be there and no request says that it is.
    fn find<'a>(
        &self,
        table: &Table,
        role: &str,
        columns: &'a [Column],
    ) -> Result<Option<&'a Column>> {
        let given = self.columns.get(table.name).and_then(|it| it.get(role));
        let name = given.map_or(role, String::as_str);
        let exact = columns.iter().find(|it| it.name == name);
        let alike = || columns.iter().find(|it| it.name.eq_ignore_ascii_case(name));
        let is_from_query = table.name == FILES.name && self.files_query.is_some();
        let is_needed = table.required.contains(&role) && !(is_from_query && role == "state_id");
        match exact.or_else(alike) {
            None if is_needed || given.is_some() => Err(missing(self.name(table), name)),
            column => Ok(column),
        }
    }
}

/// The parameters of a query for states, which has so many.
pub fn project_for(parameters: usize, project: Option<&str>) -> Result<Option<&str>> {
    let why = match (parameters, project) {
        (0, None) | (1, Some(_)) => return Ok(project),
        (0, Some(_)) => "has no parameter for the project",
        (1, None) => "has a parameter, but no project is named",
        _ => "has several parameters",
    };
    Err(Error::bad_request(format!("`states_query` {why}")).with("field", "states_query"))
}

/// That a query for files has its one parameter.
pub fn check_files_query(parameters: usize) -> Result<()> {
    match parameters {
        1 => Ok(()),
        _ => Err(Error::bad_request("`files_query` has one parameter, the id of a state")
            .with("field", "files_query")),
    }
}

/// An id on the wire.
#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(untagged, expecting = "it is a text or a whole number")]
pub enum Id {
    Number(i64),
    Text(String),
}

impl From<Id> for String {
    fn from(id: Id) -> String {
        match id {
            Id::Number(number) => number.to_string(),
            Id::Text(text) => text,
        }
    }
}

/// A project by its id, or by a name that no other has.
fn choose(wanted: Option<&str>, projects: Vec<(String, Option<String>)>) -> Result<String> {
    let Some(wanted) = wanted else {
        let mut ids = projects.into_iter().map(|(id, _)| id);
        return match (ids.next(), ids.next()) {
            (Some(id), None) => Ok(id),
            (None, _) => Err(Error::not_found("the database has no project")),
            (Some(one), Some(two)) => {
                let there = match ids.next() {
                    None => format!("`{one}` and `{two}`"),
                    Some(_) => format!("`{one}`, `{two}` and so on"),
                };
                let message = format!("name the project: there are {there}");
                Err(Error::bad_request(message).with("field", "project"))
            }
        };
    };
    if projects.iter().any(|(id, _)| id == wanted) {
        return Ok(wanted.to_owned());
    }
    let mut named = projects.iter().filter(|(_, name)| name.as_deref() == Some(wanted));
    match (named.next(), named.next()) {
        (Some((id, _)), None) => Ok(id.clone()),
        (None, _) => Err(not_there(wanted)),
        (Some(_), Some(_)) => {
            let message = format!("several projects are called `{wanted}`: name one by its id");
            Err(Error::bad_request(message).with("field", "project"))
        }
    }
}

fn table(name: &str) -> Option<&'static Table> {
    [&PROJECTS, &STATES, &FILES].into_iter().find(|it| it.name == name)
}

fn not_there(project: &str) -> Error {
    Error::not_found(format!("the database has no project `{project}`")).with("project", project)
}

fn missing(table: &str, column: &str) -> Error {
    let message = format!("`{table}` has no column `{column}`");
    Error::invalid(message).with("table", table).with("column", column)
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A query as a table. It may end in a semicolon or in a comment.
fn in_brackets(query: &str) -> String {
    let query = query.trim_end_matches(|it: char| it.is_whitespace() || it == ';');
    format!("({query}\n) AS query")
}
