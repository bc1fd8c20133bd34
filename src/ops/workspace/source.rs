//! Where an import comes from, and what its states are as commits.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, path::Path};

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    git::{Message, Person, RepositoryPath, Snapshot, trailer},
    ops::{Context, plain::Plain},
    snapshots::{Database, State, Wire},
};

/// The argument `from`.
#[derive(Deserialize)]
#[serde(try_from = "Wire")]
pub enum Source {
    Bundle(RepositoryPath),
    Database(Database),
}

impl TryFrom<Wire> for Source {
    type Error = String;

    fn try_from(mut wire: Wire) -> Result<Source, String> {
        match wire.bundle.take() {
            None => Database::try_from(wire).map(Source::Database),
            Some(_) if wire != Wire::default() => Err("`bundle` stands alone".to_owned()),
            Some(path) => {
                let path = RepositoryPath::try_from(Path::new(OsStr::from_bytes(&path)));
                path.map(Source::Bundle).map_err(|error| format!("`bundle`: {}", error.message))
            }
        }
    }
}

impl Source {
    /// With a root only what is inside of it is read.
    pub fn confine(&self, context: &Context) -> Result<()> {
        let root = context.store.root();
        match self {
            Source::Bundle(path) => root.confine(path),
            Source::Database(database) => {
                let (field, places) = database.places().map_err(|error| error.within("from"))?;
                for place in places {
                    let path = RepositoryPath::try_from(&*place);
                    root.confine(&path.map_err(|it| it.with("field", field).within("from"))?)?;
                }
                Ok(())
            }
        }
    }
}

/// Somebody without a time: that is the state's.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {name, email}")]
pub struct Name {
    name: Plain,
    email: Plain,
}

impl Name {
    fn person(&self, field: &'static str) -> Result<Person> {
        let (name, email) = (self.name.as_bytes().to_vec(), self.email.as_bytes().to_vec());
        let person = Person { name, email, time: 0, offset: 0 };
        person.check(field).map(|()| person)
    }
}

/// What a state does not say.
pub struct Manner {
    author: Person,
    committer: Option<Person>,
    message: String,
}

impl Manner {
    pub fn new(
        author: Option<&Name>,
        committer: Option<&Name>,
        message: Option<&str>,
    ) -> Result<Manner> {
        let author = author.map(|it| it.person("author")).transpose()?;
        Ok(Manner {
            author: author.unwrap_or_else(|| person("gitport", "gitport@localhost")),
            committer: committer.map(|it| it.person("committer")).transpose()?,
            message: message.unwrap_or("{label}").to_owned(),
        })
    }

    pub fn snapshot(&self, state: &State) -> Result<Snapshot> {
        let named = state.author.as_ref();
        let named = named.map(|it| person(it, state.email.as_deref().unwrap_or_default()));
        // There may be nothing in it that Git takes for a name.
        let author = named.filter(|it| !it.name.is_empty()).unwrap_or_else(|| self.author.clone());
        let author = Person { time: state.time, offset: state.offset, ..author };
        let committer = self.committer.clone().unwrap_or_else(|| author.clone());
        let committer = Person { time: state.time, offset: state.offset, ..committer };
        author.check("time").map_err(|_| {
            let message = format!("state `{}`: its time is none that Git takes", state.id);
            Error::invalid(message).with("state", &*state.id)
        })?;
        Ok(Snapshot {
            id: state.id.clone(),
            parent: state.parent.clone(),
            author,
            committer,
            message: self.message(state),
        })
    }

    fn message(&self, state: &State) -> Message {
        let label = state.label.trim_ascii();
        let label =
            if label.is_empty() { format!("State {}", state.id).into() } else { label.to_vec() };
        // Git reads no further than a NUL byte.
        let label: Vec<u8> = label.into_iter().filter(|it| *it != 0).collect();
        let mut text = Vec::new();
        let mut rest = self.message.as_str();
        while let Some(at) = rest.find('{') {
            text.extend_from_slice(&rest.as_bytes()[..at]);
            rest = &rest[at..];
            let id = state.id.replace('\0', "");
            let places = [("{label}", &label[..]), ("{state}", id.as_bytes())];
            let (place, with) =
                places.into_iter().find(|it| rest.starts_with(it.0)).unwrap_or(("{", b"{"));
            text.extend_from_slice(with);
            rest = &rest[place.len()..];
        }
        text.extend_from_slice(rest.as_bytes());
        let mut text = text.trim_ascii().to_vec();
        if !text.is_empty() {
            text.extend_from_slice(b"\n\n");
        }
        text.extend_from_slice(trailer(&state.id).as_bytes());
        // In this encoding all bytes are text.
        let encoding = str::from_utf8(&text).is_err().then(|| "ISO-8859-1".to_owned());
        Message { text, encoding }
    }
}

/// Somebody, without what Git could not read back.
fn person(name: &str, email: &str) -> Person {
    let plain = |it: &str| {
        let kept = it.chars().filter(|it| !matches!(it, '<' | '>' | '\n' | '\0'));
        kept.collect::<String>().trim().to_owned().into_bytes()
    };
    Person { name: plain(name), email: plain(email), time: 0, offset: 0 }
}
