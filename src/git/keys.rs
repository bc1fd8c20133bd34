//! Requests with a key are carried out once, however often they come.
//!
//! What they were answered with is kept as notes: each about the SHA-1 of its key, made in the
//! same step as what it speaks of.

use std::collections::BTreeMap;

use git2::Oid;
use serde::{Deserialize, Serialize};

use super::{
    Committed, Namespace, Transaction, hash::digest, notes::Written, pack::Kind, repository::Sha,
};
use crate::error::{Error, Result};

const KEY_BYTES_MAX: usize = 200;
/// The version of a record's format.
const VERSION: u32 = 1;

/// What a request means, apart from how it is written.
#[derive(Default)]
pub struct Meaning(Vec<u8>);

/// A request's key, and what it asks for.
pub struct Key {
    text: String,
    request: String,
}

/// A line of a note.
#[derive(Serialize, Deserialize)]
struct Record {
    v: u32,
    key: String,
    commit: String,
    tree: String,
    request: String,
    time: i64,
}

impl Meaning {
    /// Says what an argument is; one that is not given is left out, so that new ones can come.
    pub fn put(&mut self, argument: &str, value: impl AsRef<[u8]>) {
        let value = value.as_ref();
        self.0.extend_from_slice(format!("{argument} {}\n", value.len()).as_bytes());
        self.0.extend_from_slice(value);
    }
}

impl Key {
    pub fn new(text: &str, meaning: &Meaning) -> Result<Key> {
        if text.is_empty() || KEY_BYTES_MAX < text.len() {
            let message = format!("`key` has 1 to {KEY_BYTES_MAX} bytes");
            return Err(Error::bad_request(message).with("field", "key"));
        }
        Ok(Key { text: text.to_owned(), request: digest(&meaning.0).to_string() })
    }

    /// What its note is about.
    fn target(&self) -> Oid {
        digest(self.text.as_bytes())
    }
}

impl Transaction<'_> {
    /// What a request with this key was answered with.
    pub fn answer_to(&mut self, key: &Key) -> Result<Option<Committed>> {
        let Some(tip) = self.at(&Namespace::keys().reference())? else { return Ok(None) };
        let tree = self.tree_of(tip)?;
        let mut other = None;
        for note in self.noted(Some(tree), key.target())? {
            let content = self.content(note, Kind::Blob)?;
            for line in content.split(|it| *it == b'\n').filter(|it| !it.is_empty()) {
                let Ok(record) = serde_json::from_slice::<Record>(line) else {
                    let message = format!("the note on the key `{}` is damaged", key.text);
                    return Err(Error::corrupt(message));
                };
                if record.v != VERSION {
                    let message = format!("the note on a key has the version {}", record.v);
                    return Err(Error::unsupported(message).with("feature", "keys"));
                }
                if record.key == key.text && record.request == key.request {
                    let (commit, tree) = (Sha(record.commit), Sha(record.tree));
                    return Ok(Some(Committed { commit, tree }));
                }
                other = Some(record);
            }
        }
        // Of two repositories that became one, each may have used the key.
        match other {
            None => Ok(None),
            Some(record) => {
                let message = format!("the key `{}` was given to another request", record.key);
                Err(Error::conflict(message)
                    .with("expected", record.request)
                    .with("actual", key.request.clone()))
            }
        }
    }

    /// Keeps what a request with this key is answered with.
    pub fn keep_answer(&mut self, key: &Key, committed: &Committed) -> Result<()> {
        let owner = self.repository().owner();
        let record = Record {
            v: VERSION,
            key: key.text.clone(),
            commit: committed.commit.0.clone(),
            tree: committed.tree.0.clone(),
            request: key.request.clone(),
            time: owner.time,
        };
        let line = serde_json::to_string(&record).expect("it is text and numbers") + "\n";
        let note = self.add(Kind::Blob, line.into_bytes());
        let changes = BTreeMap::from([(key.target().to_string(), Some(note))]);
        let (namespace, author) = (Namespace::keys(), owner.clone());
        let written = Written { namespace, author, committer: owner, message: None };
        self.change_notes(&written, &changes, "Answer kept by gitport\n").map(drop)
    }
}
