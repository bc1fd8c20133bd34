#![allow(clippy::disallowed_methods, reason = "the suite's servers are its own to start")]

use std::{collections::BTreeMap, fs, path::PathBuf};

use rusqlite::Connection;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

#[path = "../../integration/snapshots.rs"]
mod generated;
mod lines_tests;
#[cfg(feature = "postgres")]
#[path = "../../integration/servers/postgres.rs"]
mod postgres_server;
#[cfg(feature = "postgres")]
mod postgres_tests;
mod sqlite_bad_tests;
mod sqlite_tests;

/// A folder with files of the test's own.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    /// An SQLite file made by statements.
    fn sqlite(&self, sql: &str) -> PathBuf {
        let path = self.path("it.db");
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        path
    }

    fn all(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let entries = fs::read_dir(self.0.path()).unwrap().map(|it| it.unwrap().path());
        entries.map(|it| (it.clone(), fs::read(it).unwrap())).collect()
    }
}

/// The tables of the layout that is read by default, with two states and three files.
const TWO_STATES: &str = "
    CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT);
    CREATE TABLE states (id INTEGER PRIMARY KEY, project_id INTEGER, parent_id INTEGER,
        position INTEGER, label TEXT, author TEXT, email TEXT, created_at);
    CREATE TABLE files (state_id INTEGER, path, content, mode INTEGER);
    INSERT INTO projects VALUES (7, 'app');
    INSERT INTO states VALUES (1, 7, NULL, 0, 'first', 'Ada', 'ada@example.org', 1700000000);
    INSERT INTO states VALUES (2, 7, 1, 1, 'second', NULL, NULL, '2023-11-14T23:14:20+01:00');
    INSERT INTO files VALUES (1, 'a', 'one', NULL), (2, 'a', 'two', 33261);
    INSERT INTO files VALUES (2, 'b/c', x'00ff', NULL);
";

/// What is read of [`TWO_STATES`].
const AS_READ: &str = "\
    1 1700000000+0 'first' Ada ada@example.org: a=one\n\
    2<1 1700000060+60 'second': a=two(755) b/c=\\x00\\xff\n";

fn open(from: Value) -> Result<Box<dyn Source>> {
    let database: Result<Database, serde_json::Error> = serde_json::from_value(from);
    database.map_err(|error| Error::bad_request(error).with("field", "from"))?.open()
}

fn read(from: Value) -> Result<Vec<(State, Vec<File>)>> {
    let mut source = open(from)?;
    let mut seen = Vec::new();
    for state in source.states()? {
        let mut files = Vec::new();
        source.files(&state, &mut |file| {
            files.push(file);
            Ok(())
        })?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        seen.push((state, files));
    }
    Ok(seen)
}

fn count_files(source: &mut dyn Source, state: &State) -> usize {
    let mut count = 0;
    let mut each = |_| {
        count += 1;
        Ok(())
    };
    source.files(state, &mut each).unwrap();
    count
}

/// All states and files in words, or the error with its details.
fn outline(from: Value) -> String {
    let states = match read(from) {
        Ok(states) => states,
        Err(error) => return serde_json::to_string(&error).unwrap(),
    };
    let mut text = String::new();
    for (state, files) in states {
        let parent = state.parent.map(|it| format!("<{it}")).unwrap_or_default();
        let label = state.label.escape_ascii();
        text += &format!("{}{parent} {}+{} '{label}'", state.id, state.time, state.offset);
        for name in [state.author, state.email].into_iter().flatten() {
            text += &format!(" {name}");
        }
        text += ":";
        for file in files {
            text += &format!(" {}={}", file.path.escape_ascii(), file.content.escape_ascii());
            text += &file.mode.map(|it| format!("({:o})", it & 0o777)).unwrap_or_default();
        }
        text += "\n";
    }
    text.replace("(644)", "")
}

/// That an error has a code, and says this in its message or its details.
#[track_caller]
fn check_refused(from: Value, code: &str, facts: &[&str]) {
    let error = match read(from) {
        Ok(_) => panic!("it was read"),
        Err(error) => error,
    };
    assert_eq!(error.code.as_str(), code, "{error}");
    let text = serde_json::to_string(&error).unwrap();
    for fact in facts {
        assert!(text.contains(fact), "`{fact}` is missing: {text}");
    }
}

#[test]
fn a_request_names_one_database_and_only_what_there_is_in_a_layout() {
    for (from, why) in [
        (json!({}), "one of `sqlite`"),
        (json!({"sqlite": "/a", "lines": "/b"}), "one of `sqlite`"),
        (json!({"mysql": "/a"}), "unknown field `mysql`"),
        (json!({"lines": "/a", "project": 1}), "no tables"),
        (json!({"sqlite": "/a", "tables": {"state": "x"}}), "no table is `state`"),
        (json!({"sqlite": "/a", "columns": {"files": {"body": "x"}}}), "is `body`"),
        (json!({"sqlite": "/a", "states_query": "x", "tables": {"states": "y"}}), "in the place"),
    ] {
        check_refused(from, "bad_request", &[why, r#""field":"from""#]);
    }
    check_refused(json!({"sqlite": "a.db"}), "bad_request", &["absolute", r#""field":"sqlite""#]);
    check_refused(json!({"lines": "a"}), "bad_request", &["absolute", r#""field":"lines""#]);
}

#[test]
fn the_same_states_are_read_from_sqlite_and_from_lines() {
    let folder = Folder::new();
    let shape = generated::Shape { states: 9, files: 4, bytes: 3000 };
    let (sqlite, lines) = (folder.path("it.db"), folder.path("it.jsonl"));
    generated::write_sqlite(&sqlite, shape);
    generated::write_lines(&lines, shape);

    let states = read(json!({"sqlite": sqlite})).unwrap();
    assert_eq!(states, read(json!({"lines": lines})).unwrap());

    assert_eq!(states.len(), 9);
    for (index, (state, files)) in states.iter().enumerate() {
        let mut expected: Vec<_> = shape.files_of(index).collect();
        expected.sort();
        let actual = files.iter().map(|it| (it.path.clone(), it.content.clone()));
        let expected = expected.into_iter().map(|(path, it)| (path.into(), it.into()));
        assert!(actual.eq(expected), "{state:?}");
        assert_eq!(state.time, generated::START + 60 * index as i64);
        let before = index.checked_sub(1).map(|it| &states[it]);
        assert_eq!(state.parent.as_ref(), before.map(|(it, _)| &it.id));
        let Some((_, before)) = before else { continue };
        let changed = files.iter().zip(before).filter(|(now, then)| now != then).count();
        assert_eq!(changed, 1, "{state:?}");
    }
}

#[test]
fn whoever_takes_the_files_may_end_it() {
    let folder = Folder::new();
    let shape = generated::Shape { states: 1, files: 3, bytes: 10 };
    let (sqlite, lines) = (folder.path("it.db"), folder.path("it.jsonl"));
    generated::write_sqlite(&sqlite, shape);
    generated::write_lines(&lines, shape);
    for from in [json!({"sqlite": sqlite}), json!({"lines": lines})] {
        let mut source = open(from).unwrap();
        let state = source.states().unwrap().remove(0);
        let mut count = 0;
        let outcome = source.files(&state, &mut |_| {
            count += 1;
            Err(Error::denied("not this one"))
        });
        assert_eq!((outcome.unwrap_err().message.as_str(), count), ("not this one", 1));
        // And begin anew.
        assert_eq!(count_files(&mut *source, &state), 3);
    }
}
