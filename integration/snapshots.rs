//! Databases of full snapshots, as large as one likes: each state has all files, and one of them
//! is another than in the state before.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use rusqlite::Connection;
use serde_json::json;

/// When the first state was saved. The others follow a minute apart.
pub const START: i64 = 1_700_000_000;

#[derive(Clone, Copy)]
pub struct Shape {
    pub states: usize,
    pub files: usize,
    /// Of each file, about.
    pub bytes: usize,
}

impl Shape {
    /// Path and content of the files of a state, which are counted from 0.
    pub fn files_of(self, state: usize) -> impl Iterator<Item = (String, String)> {
        (0..self.files).map(move |file| {
            let path = format!("src/part{:02}/file{file:04}.txt", file % 10);
            // The last state that changed this file, if any did.
            let changed = (file..=state).rev().find(|it| it % self.files == file);
            (path, self.content(file, changed.filter(|it| *it > 0)))
        })
    }

    fn content(self, file: usize, changed: Option<usize>) -> String {
        let mut text = format!("file {file}, changed by {changed:?}\n");
        let mut seed = file as u64 + 1;
        while text.len() < self.bytes {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            text += &format!("{:016x} is a line of file {file}\n", seed);
        }
        text
    }
}

/// Makes an SQLite file in the layout that is read by default.
pub fn write_sqlite(path: &Path, shape: Shape) {
    let mut connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "CREATE TABLE projects (id INTEGER PRIMARY KEY, name TEXT);
             CREATE TABLE states (id INTEGER PRIMARY KEY, project_id INTEGER, parent_id INTEGER,
                 position INTEGER, label TEXT, author TEXT, email TEXT, created_at INTEGER);
             CREATE TABLE files (state_id INTEGER, path TEXT, content BLOB, mode INTEGER,
                 PRIMARY KEY (state_id, path));
             INSERT INTO projects VALUES (1, 'app');",
        )
        .unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let mut states = transaction
            .prepare("INSERT INTO states VALUES (?, 1, ?, ?, ?, 'Ada', 'ada@example.org', ?)")
            .unwrap();
        let mut files = transaction.prepare("INSERT INTO files VALUES (?, ?, ?, 33188)").unwrap();
        for state in 0..shape.states {
            let parent = state.checked_sub(1);
            let time = START + 60 * i64::try_from(state).unwrap();
            states.execute((state, parent, state, format!("state {state}"), time)).unwrap();
            for (path, content) in shape.files_of(state) {
                files.execute((state, path, content.as_bytes())).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
}

/// Writes the same states as lines of JSON.
pub fn write_lines(path: &Path, shape: Shape) {
    let mut lines = BufWriter::new(File::create(path).unwrap());
    for state in 0..shape.states {
        let file = |(path, content)| json!({"path": path, "content": content, "mode": 100_644});
        let line = json!({
            "state": state,
            "parent": state.checked_sub(1),
            "label": format!("state {state}"),
            "author": "Ada",
            "email": "ada@example.org",
            "time": START + 60 * i64::try_from(state).unwrap(),
            "files": shape.files_of(state).map(file).collect::<Vec<_>>(),
        });
        writeln!(lines, "{line}").unwrap();
    }
    lines.flush().unwrap();
}
