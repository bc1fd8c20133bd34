//! Snapshots in lines of JSON, one state a line.
//!
//! A file is gone through twice: once for where each state is and what it is called, then line by
//! line, in the order of the states, for their files.

use std::{
    borrow::Cow,
    collections::HashMap,
    fmt,
    fs::File as Disk,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{
    File, Source, State,
    cells::{Cell, Files, States, read_time},
    layout::Id,
    order::Unordered,
    stamp::Stamp,
};
use crate::error::{Error, Result};

/// The longest line.
const LINE_BYTES_MAX: u64 = 256 << 20;

pub fn open(path: &Path) -> Result<Box<dyn Source>> {
    let stamp = Stamp::new(path, "lines")?;
    let file = Disk::open(path).map_err(|error| Error::from_io(path.display(), &error))?;
    Ok(Box::new(Lines {
        input: BufReader::new(file),
        line: Vec::new(),
        places: HashMap::new(),
        stamp,
    }))
}

struct Lines {
    input: BufReader<Disk>,
    line: Vec<u8>,
    places: HashMap<String, Place>,
    stamp: Stamp,
}

struct Place {
    /// From 1.
    line: u64,
    start: u64,
    length: usize,
}

impl Source for Lines {
    fn states(&mut self) -> Result<Vec<State>> {
        self.input.rewind().map_err(unreadable)?;
        let mut states = States::default();
        let mut start = 0;
        for line in 1.. {
            let length = self.next(line)?;
            if length == 0 {
                break;
            }
            if !self.line.trim_ascii().is_empty() {
                let about = |error: Error| error.with("line", line);
                let state = head(self.line.trim_ascii_end(), line).map_err(about)?;
                let place = Place { line, start, length };
                if let Some(other) = self.places.insert(state.id.clone(), place)
                    && other.start < start
                {
                    let why = format!("line {} has a state with this id too", other.line);
                    return Err(about(super::invalid(&state.id, why)));
                }
                states.add(state).map_err(about)?;
            }
            start += length as u64;
        }
        self.stamp.check()?;
        states.in_order()
    }

    fn files(&mut self, state: &State, each: &mut dyn FnMut(File) -> Result<()>) -> Result<()> {
        let Some(Place { line, start, length }) = self.places.get(&state.id) else {
            return Err(Error::not_found(format!("there is no state `{}`", state.id)));
        };
        self.input.seek(SeekFrom::Start(*start)).map_err(unreadable)?;
        self.line.resize(*length, 0);
        self.stamp.check()?;
        self.input.read_exact(&mut self.line).map_err(unreadable)?;
        let mut files = Files::new(state, each);
        let mut refused = None;
        let body = Body { files: &mut files, refused: &mut refused };
        let outcome = body.deserialize(&mut serde_json::Deserializer::from_slice(&self.line));
        match (refused, outcome) {
            (Some(error), _) => Err(error.with("line", *line)),
            (None, Err(error)) => {
                Err(broken(*line, &error).with("state", &*state.id).with("line", *line))
            }
            (None, Ok(())) => Ok(()),
        }
    }
}

impl Lines {
    /// Reads the next line; its length with what ends it, 0 after the last.
    fn next(&mut self, line: u64) -> Result<usize> {
        self.line.clear();
        let mut input = (&mut self.input).take(LINE_BYTES_MAX + 1);
        let length = input.read_until(b'\n', &mut self.line).map_err(unreadable)?;
        if length as u64 > LINE_BYTES_MAX {
            let message = format!("line {line} has more than {LINE_BYTES_MAX} bytes");
            let error = Error::too_large(message).with("line", line);
            return Err(error.with("limit", LINE_BYTES_MAX));
        }
        Ok(length)
    }
}

/// What a line says of its state.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    state: Id,
    parent: Option<Id>,
    label: Option<String>,
    author: Option<String>,
    email: Option<String>,
    time: Option<Number>,
    #[serde(rename = "files")]
    _files: IgnoredAny,
}

/// A number, or text with one.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Whole(i64),
    Fraction(f64),
    Text(String),
}

impl Number {
    fn into_text(self) -> String {
        match self {
            Number::Whole(number) => number.to_string(),
            Number::Fraction(number) => number.to_string(),
            Number::Text(text) => text,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    path: String,
    content: Option<String>,
    base64: Option<String>,
    mode: Option<Number>,
}

fn head(text: &[u8], line: u64) -> Result<Unordered> {
    let head: Head = serde_json::from_slice(text).map_err(|error| broken(line, &error))?;
    let id = String::from(head.state);
    if id.is_empty() {
        return Err(Error::invalid(format!("line {line}: the state has no id")));
    }
    let time = head.time.map(Number::into_text);
    Ok(Unordered {
        parent: head.parent.map(String::from),
        position: i64::try_from(line).ok(),
        label: head.label.unwrap_or_default().into_bytes(),
        author: head.author,
        email: head.email,
        time: time.map(|it| read_time(&id, &it)).transpose()?,
        id,
    })
}

fn broken(line: u64, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    // Where it is is said once, and in the file's own lines.
    let why = text.rsplit_once(" at line ").map_or(&*text, |(why, _)| why);
    Error::invalid(format!("line {line}, column {}: {why}", error.column()))
}

fn unreadable(error: std::io::Error) -> Error {
    Error::from_io("the lines cannot be read", &error)
}

/// Takes the files out of a line, each as soon as it is read.
struct Body<'a, 'b> {
    files: &'a mut Files<'b>,
    /// Why it ended, in an error of ours, where it was not the line.
    refused: &'a mut Option<Error>,
}

impl<'de> DeserializeSeed<'de> for Body<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Body<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a state")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            match &*key {
                "files" => {
                    map.next_value_seed(List(Body { files: self.files, refused: self.refused }))?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}

struct List<'a, 'b>(Body<'a, 'b>);

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of files")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(entry) = list.next_element::<Entry>()? {
            let content = match (entry.content, entry.base64) {
                (Some(_), Some(_)) => {
                    return Err(A::Error::custom("a file has both `content` and `base64`"));
                }
                (Some(text), None) => Cell::Bytes(text.into_bytes()),
                (None, Some(text)) => match STANDARD.decode(text) {
                    Ok(bytes) => Cell::Bytes(bytes),
                    Err(error) => {
                        let why = format!("the content of `{}`: {error}", entry.path);
                        return Err(A::Error::custom(why));
                    }
                },
                (None, None) => Cell::Null,
            };
            let mode = entry.mode.map_or(Cell::Null, |it| Cell::Number(it.into_text()));
            let path = Cell::Bytes(entry.path.into_bytes());
            if let Err(error) = self.0.files.add(path, content, mode) {
                *self.0.refused = Some(error);
                return Err(A::Error::custom("refused"));
            }
        }
        Ok(())
    }
}
