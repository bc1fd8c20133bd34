//! Arguments that the operations share which change a repository.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{about, plain::Plain};
use crate::{
    error::{Error, Result},
    git::{
        Branch, LockName, Meaning, Message, Person, RawName, SignWith, Signer, Transaction, now,
    },
};

/// When a request is answered.
#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum Durability {
    /// When it is on disk.
    #[default]
    Durable,
    /// When everybody sees it; the power may go before it is on disk.
    Relaxed,
}

impl TryFrom<String> for Durability {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Durability, &'static str> {
        match &*word {
            "durable" => Ok(Durability::Durable),
            "relaxed" => Ok(Durability::Relaxed),
            _ => Err("it is `durable` or `relaxed`"),
        }
    }
}

/// A reply that says what it promises, where that is less than is usual.
#[derive(Serialize)]
pub struct Reply<T> {
    #[serde(flatten)]
    reply: T,
    #[serde(skip_serializing_if = "Option::is_none")]
    durability: Option<&'static str>,
}

impl Durability {
    /// Fails where less is asked for than a remote gives anyway.
    pub fn expect_usual(self) -> Result<()> {
        match self {
            Durability::Durable => Ok(()),
            Durability::Relaxed => {
                let message = "a remote says by itself when it has something";
                Err(Error::bad_request(message).with("field", "durability"))
            }
        }
    }

    /// The reply to what was just done.
    pub fn promise<T>(self, transaction: &mut Transaction, reply: T) -> Reply<T> {
        match self {
            Durability::Durable => {
                transaction.be_durable();
                Reply { reply, durability: None }
            }
            Durability::Relaxed => Reply { reply, durability: Some("relaxed") },
        }
    }
}

impl<T> Reply<T> {
    /// One that promises what is usual.
    pub fn of(reply: T) -> Reply<T> {
        Reply { reply, durability: None }
    }
}

/// A lock that must be held, by the one who has this token, for something to be done.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {lock, token}")]
pub struct Fence {
    pub lock: LockName,
    pub token: u64,
}

impl Fence {
    /// Comes before anything else that a request does.
    pub fn check(fence: Option<&Fence>, transaction: &mut Transaction) -> Result<()> {
        transaction.expect_fence(Fence::of(fence))
    }

    pub fn of(fence: Option<&Fence>) -> Option<(&LockName, u64)> {
        fence.map(|it| (&it.lock, it.token))
    }
}

/// How `str` content is to be understood; `bin` is taken as it is.
#[derive(Deserialize, Default, Clone, Copy)]
#[serde(try_from = "String")]
pub enum Encoding {
    #[default]
    Base64,
    Utf8,
}

impl TryFrom<String> for Encoding {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Encoding, &'static str> {
        match &*word {
            "base64" => Ok(Encoding::Base64),
            "utf8" => Ok(Encoding::Utf8),
            _ => Err("it is `base64` or `utf8`"),
        }
    }
}

pub enum Content {
    Text(String),
    Bytes(Vec<u8>),
}

impl Content {
    pub fn bytes(self, encoding: Encoding) -> Result<Vec<u8>> {
        match (self, encoding) {
            (Content::Bytes(bytes), _) => Ok(bytes),
            (Content::Text(text), Encoding::Utf8) => Ok(text.into_bytes()),
            (Content::Text(text), Encoding::Base64) => STANDARD.decode(text).map_err(|error| {
                let message =
                    format!("`content` is no base64 ({error}); text needs `encoding=utf8`");
                Error::bad_request(message).with("field", "content")
            }),
        }
    }
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Content, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Content;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a str or bin")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Content, E> {
                Ok(Content::Bytes(bytes.to_vec()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An author, committer or tagger.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {name, email, time?, offset?}")]
pub struct Who {
    name: RawName,
    email: RawName,
    time: Option<i64>,
    #[serde(default)]
    offset: i32,
}

impl Who {
    pub fn checked(self, field: &'static str) -> Result<Person> {
        let (name, email) = (self.name.0, self.email.0);
        let time = self.time.unwrap_or_else(now);
        let person = Person { name, email, time, offset: self.offset };
        person.check(field)?;
        Ok(person)
    }

    /// What is said of somebody, and not what is filled in.
    pub fn mean(&self, field: &str, meaning: &mut Meaning) {
        meaning.put(&format!("{field}.name"), &self.name.0);
        meaning.put(&format!("{field}.email"), &self.email.0);
        if let Some(time) = self.time {
            meaning.put(&format!("{field}.time"), format!("{time} {}", self.offset));
        }
    }

    /// Author and committer; the author is the committer unless the request says otherwise.
    pub fn both(
        author: Option<Who>,
        committer: Option<Who>,
        transaction: &Transaction,
    ) -> Result<(Person, Person)> {
        let committer = Who::or_default(committer, "committer", transaction)?;
        let author = match author {
            Some(author) => author.checked("author")?,
            None => committer.clone(),
        };
        Ok((author, committer))
    }

    /// Whoever the repository says it is where the request does not.
    pub fn or_default(
        who: Option<Who>,
        field: &'static str,
        transaction: &Transaction,
    ) -> Result<Person> {
        match who {
            Some(who) => who.checked(field),
            None => Ok(transaction.repository().owner()),
        }
    }
}

/// What is in a list, looked at one by one; an error names the place.
pub fn checked<T, U>(list: Vec<T>, field: &str, check: impl Fn(T) -> Result<U>) -> Result<Vec<U>> {
    let items = list.into_iter().enumerate();
    let checked = items.map(|(index, item)| {
        check(item).map_err(|error| error.within(&format!("{field}[{index}]")))
    });
    checked.collect()
}

/// A branch by its name; the one that is checked out where none is given.
pub fn branch(name: Option<&str>, transaction: &Transaction) -> Result<Branch> {
    match name {
        Some(name) => Branch::new_one(name, "branch"),
        None => transaction.repository().current_branch(),
    }
}

/// Who signs what is made, if anybody does.
pub fn signer(with: Option<&SignWith>) -> Result<Option<Signer>> {
    with.map(Signer::in_a_step).transpose().map_err(about("sign"))
}

pub fn message(text: RawName, encoding: Option<Plain>) -> Result<Message> {
    let text = text.0;
    let bad = |why: &str, field: &'static str| {
        Err(Error::bad_request(format!("`{field}` {why}")).with("field", field))
    };
    if text.contains(&0) {
        return bad("cannot have a NUL byte", "message");
    }
    let encoding = encoding.map(String::from);
    let is_name = |it: &String| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic());
    if encoding.as_ref().is_some_and(|it| !is_name(it)) {
        return bad("is the name of an encoding, such as `ISO-8859-1`", "message_encoding");
    }
    if encoding.is_none() && str::from_utf8(&text).is_err() {
        return bad("is no UTF-8; `message_encoding` says what it is", "message");
    }
    Ok(Message { text, encoding })
}
