//! The one error of the program.
//!
//! [`Code`] is for programs: clients branch on it, so it is part of the protocol. The message is
//! for people and may change at any time. Details are facts a program may want beside the code.

// Said in full, since the fuzzers have this file at another place of their tree.
#[path = "error/carried.rs"]
mod carried;

use std::{borrow::Cow, collections::BTreeMap, fmt, io};

use serde::ser::{Serialize, SerializeMap, Serializer};

pub use self::carried::Carried;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub code: Code,
    pub message: String,
    details: Vec<(&'static str, Detail)>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Detail {
    /// Nil: that there is none is the fact.
    Nothing,
    Number(u64),
    Text(String),
    Bytes(serde_bytes::ByteBuf),
    List(Vec<Detail>),
    Map(BTreeMap<String, Detail>),
}

impl Detail {
    pub fn map<const N: usize>(facts: [(&str, Detail); N]) -> Detail {
        Detail::Map(facts.into_iter().map(|(name, it)| (name.to_owned(), it)).collect())
    }
}

/// Declares [`Code`] and one constructor for each, so that no list of codes can forget one.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $wire:ident,)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            pub const ALL: &[Code] = &[$(Code::$name,)*];

            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => stringify!($wire),)* }
            }
        }

        #[allow(dead_code, reason = "the list is the contract; a code may wait for its first use")]
        impl Error {
            $($(#[$doc])* pub fn $wire(message: impl fmt::Display) -> Error {
                Error::new(Code::$name, message)
            })*
        }
    };
}

codes! {
    /// The request does not decode, or breaks a rule of its operation.
    BadRequest = bad_request,
    /// No operation has that name.
    UnknownOperation = unknown_operation,
    /// What the request names is not there.
    NotFound = not_found,
    /// What should be created is there already.
    AlreadyExists = already_exists,
    /// Something else is there than the request expects.
    Conflict = conflict,
    /// Somebody holds a lock on it.
    Locked = locked,
    /// Not allowed.
    Denied = denied,
    /// The remote wants other credentials.
    Unauthorized = unauthorized,
    /// The remote cannot be reached or broke off, or the daemon is shutting down.
    Unavailable = unavailable,
    /// Not done in time.
    Timeout = timeout,
    /// Ended before it was done, because somebody said so.
    Cancelled = cancelled,
    /// A frame, a reply or a file beyond a limit.
    TooLarge = too_large,
    /// Too much is waiting.
    Busy = busy,
    /// The content is not what it should be.
    Invalid = invalid,
    /// Git has it, this program does not.
    Unsupported = unsupported,
    /// The repository is damaged.
    Corrupt = corrupt,
    /// No space, or no quota, is left.
    DiskFull = disk_full,
    /// A bug in this program.
    Internal = internal,
}

impl Error {
    pub fn new(code: Code, message: impl fmt::Display) -> Error {
        Error { code, message: message.to_string(), details: Vec::new() }
    }

    /// Adds a fact under its name in the contract.
    pub fn with(mut self, name: &'static str, value: impl Into<Detail>) -> Error {
        let value = value.into();
        match self.details.iter_mut().find(|it| it.0 == name) {
            Some(detail) => detail.1 = value,
            None => self.details.push((name, value)),
        }
        self
    }

    /// Says what was being done when this happened.
    pub fn while_doing(mut self, what: impl fmt::Display) -> Error {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Says of an argument that is in another one where it is.
    pub fn within(mut self, place: &str) -> Error {
        for (name, detail) in &mut self.details {
            match detail {
                Detail::Text(field) if *name == "field" && field != place => {
                    *field = format!("{place}.{field}");
                }
                _ => (),
            }
        }
        self
    }

    /// Says the same with other words for `what`, in the message and in details.
    pub fn replacing(mut self, what: &str, words: &str) -> Error {
        self.message = self.message.replace(what, words);
        for (_, detail) in &mut self.details {
            if let Detail::Text(text) = detail {
                *text = text.replace(what, words);
            }
        }
        self
    }

    pub fn details(&self) -> &[(&'static str, Detail)] {
        &self.details
    }

    /// Classifies what the system said while it was asked for `what`.
    pub fn from_io(what: impl fmt::Display, error: &io::Error) -> Error {
        let message = format!("{what}: {error}");
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::not_found(message),
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Error::denied(message).with("rule", "permissions")
            }
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::disk_full(message),
            io::ErrorKind::AlreadyExists => Error::already_exists(message),
            io::ErrorKind::InvalidFilename => Error::bad_request(message),
            _ => Error::unavailable(message),
        }
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Detail {
        Detail::Text(text.to_owned())
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Detail {
        Detail::Text(text)
    }
}

impl From<Vec<Detail>> for Detail {
    fn from(list: Vec<Detail>) -> Detail {
        Detail::List(list)
    }
}

impl From<u64> for Detail {
    fn from(number: u64) -> Detail {
        Detail::Number(number)
    }
}

impl From<Vec<String>> for Detail {
    fn from(list: Vec<String>) -> Detail {
        Detail::List(list.into_iter().map(Detail::Text).collect())
    }
}

impl From<Option<String>> for Detail {
    fn from(text: Option<String>) -> Detail {
        text.map_or(Detail::Nothing, Detail::Text)
    }
}

/// The beginning and the end of a message: what it repeats may be as long as a request.
fn readable(message: &str) -> Cow<'_, str> {
    const HALF_BYTES_MAX: usize = 2048;
    if message.len() <= 2 * HALF_BYTES_MAX {
        return Cow::Borrowed(message);
    }
    let is_end = |at: &usize| message.is_char_boundary(*at);
    let front = (0..=HALF_BYTES_MAX).rev().find(is_end).unwrap_or_default();
    let back = (message.len() - HALF_BYTES_MAX..).find(is_end).unwrap_or(message.len());
    Cow::Owned(format!("{}…{}", &message[..front], &message[back..]))
}

/// Details beside `err` and `code` in one map, as the contract has it.
impl Serialize for Error {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2 + self.details.len()))?;
        map.serialize_entry("err", &readable(&self.message))?;
        map.serialize_entry("code", self.code.as_str())?;
        for (name, value) in &self.details {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.as_str(), self.message)
    }
}

impl std::error::Error for Error {}
