//! From what is in a table to states and files.

use std::collections::HashSet;

use super::{
    CONTENT_BYTES_MAX, File, State, invalid,
    order::{Unordered, parents_first},
    time::{self, Time},
};
use crate::error::{Error, Result};

/// All that is held of the states of a project at once, besides their files.
const STATES_BYTES_MAX: usize = 256 << 20;

#[derive(Debug, PartialEq)]
pub enum Cell {
    Null,
    Bytes(Vec<u8>),
    /// In decimal.
    Number(String),
}

impl Cell {
    fn bytes(self) -> Option<Vec<u8>> {
        match self {
            Cell::Null => None,
            Cell::Bytes(bytes) => Some(bytes),
            Cell::Number(text) => Some(text.into_bytes()),
        }
    }

    /// The text of a cell, which is `what` of a state.
    fn text(self, state: &str, what: &str) -> Result<Option<String>> {
        let text = self.bytes().map(String::from_utf8).transpose();
        text.map_err(|_| invalid(state, format!("its {what} is no UTF-8")))
    }
}

/// The states of a project, while they are read.
#[derive(Default)]
pub struct States {
    list: Vec<Unordered>,
    bytes: usize,
}

impl States {
    /// Takes a row as [`super::layout::STATES`] lists its columns.
    pub fn add_row(&mut self, row: [Cell; 7]) -> Result<()> {
        let [id, parent, position, label, author, email, time] = row;
        let id = id.text("", "id")?.filter(|it| !it.is_empty());
        let id = id.ok_or_else(|| Error::invalid("a state has no id"))?;
        let position = position.text(&id, "position")?;
        let time = time.text(&id, "time")?;
        self.add(Unordered {
            parent: parent.text(&id, "parent")?,
            position: position.map(|it| read_position(&id, &it)).transpose()?,
            label: label.bytes().unwrap_or_default(),
            author: author.text(&id, "author")?,
            email: email.text(&id, "email")?,
            time: time.map(|it| read_time(&id, &it)).transpose()?,
            id,
        })
    }

    pub fn add(&mut self, state: Unordered) -> Result<()> {
        let length = |it: &Option<String>| it.as_ref().map_or(0, String::len);
        self.bytes += size_of::<Unordered>() + state.id.len() + state.label.len();
        self.bytes += length(&state.parent) + length(&state.author) + length(&state.email);
        self.list.push(state);
        match self.bytes <= STATES_BYTES_MAX {
            true => Ok(()),
            false => Err(Error::too_large("there are more states than an import holds")
                .with("limit", STATES_BYTES_MAX as u64)),
        }
    }

    pub fn in_order(self) -> Result<Vec<State>> {
        parents_first(self.list)
    }
}

pub fn read_time(state: &str, text: &str) -> Result<Time> {
    time::parse(text).ok_or_else(|| invalid(state, format!("`{text}` is no time")))
}

fn read_position(state: &str, text: &str) -> Result<i64> {
    text.parse().map_err(|_| invalid(state, format!("its position `{text}` is no whole number")))
}

/// The files of one state, on their way to whoever asked for them.
pub struct Files<'a> {
    state: &'a str,
    seen: HashSet<Vec<u8>>,
    each: &'a mut dyn FnMut(File) -> Result<()>,
}

impl<'a> Files<'a> {
    pub fn new(state: &'a State, each: &'a mut dyn FnMut(File) -> Result<()>) -> Files<'a> {
        Files { state: &state.id, seen: HashSet::new(), each }
    }

    /// Takes a row as [`super::layout::Plan::files`] selects it.
    pub fn add_row(&mut self, row: [Cell; 4]) -> Result<()> {
        let [path, content, bytes, mode] = row;
        let bytes = bytes.text(self.state, "size")?.and_then(|it| it.parse::<u64>().ok());
        if bytes.is_some_and(|it| it > CONTENT_BYTES_MAX as u64) {
            return Err(self.too_large(path, bytes.unwrap_or_default()));
        }
        self.add(path, content, mode)
    }

    pub fn add(&mut self, path: Cell, content: Cell, mode: Cell) -> Result<()> {
        let Cell::Bytes(path) = path else {
            return Err(invalid(self.state, "a file has no path"));
        };
        let mode = match mode {
            Cell::Null => None,
            mode => match read_mode(mode) {
                Some(mode) => Some(mode),
                None => return Err(self.invalid(&path, "has a mode that no file has")),
            },
        };
        let content = match content {
            Cell::Bytes(content) => content,
            Cell::Null => return Err(self.invalid(&path, "has no content")),
            Cell::Number(_) => return Err(self.invalid(&path, "has a number as its content")),
        };
        if !self.seen.insert(path.clone()) {
            return Err(self.invalid(&path, "is there twice"));
        }
        (self.each)(File { path, content, mode })
    }

    fn invalid(&self, path: &[u8], why: &str) -> Error {
        let path = String::from_utf8_lossy(path);
        invalid(self.state, format!("`{path}` {why}")).with("path", &*path)
    }

    fn too_large(&self, path: Cell, bytes: u64) -> Error {
        let path = path.bytes().unwrap_or_default();
        let path = String::from_utf8_lossy(&path);
        let message = format!("state `{}`: `{path}` has {bytes} bytes", self.state);
        let error = Error::too_large(message).with("state", self.state).with("path", &*path);
        error.with("bytes", bytes).with("limit", CONTENT_BYTES_MAX as u64)
    }
}

/// Git's number of a mode, written in octal or in decimal digits.
fn read_mode(cell: Cell) -> Option<u32> {
    let text = String::from_utf8(cell.bytes()?).ok()?;
    // No number is on both sides: what is octal for one mode is decimal for no other.
    match text.trim_start_matches("0o").trim_start_matches('0') {
        "100644" | "644" | "33188" | "420" => Some(0o100_644),
        "100755" | "755" | "33261" | "493" => Some(0o100_755),
        "120000" | "40960" => Some(0o120_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_known_in_octal_and_in_decimal() {
        for (text, mode) in [("100644", 0o100_644), ("0755", 0o100_755), ("40960", 0o120_000)] {
            assert_eq!(read_mode(Cell::Number(text.to_owned())), Some(mode));
            assert_eq!(read_mode(Cell::Bytes(text.into())), Some(mode));
        }
        for text in ["", "160000", "40000", "-1", "rwx"] {
            assert_eq!(read_mode(Cell::Bytes(text.into())), None);
        }
    }

    #[test]
    fn states_are_held_within_a_bound() {
        let mut states = States::default();
        let mut row = |id: &str| {
            let label = Cell::Bytes(vec![b'x'; STATES_BYTES_MAX / 2]);
            let id = Cell::Bytes(id.into());
            let [a, b, c, d, e] = [const { Cell::Null }; 5];
            states.add_row([id, a, b, label, c, d, e])
        };
        assert_eq!(row("a"), Ok(()));
        assert_eq!(row("b").unwrap_err().code.as_str(), "too_large");
    }
}
