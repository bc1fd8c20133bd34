//! The id a client gives its request.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The longest id of the `str` kind.
pub const ID_BYTES_MAX: usize = 128;

/// Two ids are the same when they have the same value, however the client encoded them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RequestId {
    Unsigned(u64),
    /// Below zero only; the others are unsigned.
    Negative(i64),
    Text(Box<str>),
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestId::Unsigned(number) => number.fmt(f),
            RequestId::Negative(number) => number.fmt(f),
            RequestId::Text(text) => write!(f, "{text:?}"),
        }
    }
}

impl Serialize for RequestId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            RequestId::Unsigned(number) => serializer.serialize_u64(*number),
            RequestId::Negative(number) => serializer.serialize_i64(*number),
            RequestId::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for RequestId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RequestId, D::Error> {
        deserializer.deserialize_any(Visitor)
    }
}

struct Visitor;

impl de::Visitor<'_> for Visitor {
    type Value = RequestId;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an integer or a string of 1 to {ID_BYTES_MAX} bytes")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<RequestId, E> {
        Ok(RequestId::Unsigned(number))
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<RequestId, E> {
        match u64::try_from(number) {
            Ok(number) => Ok(RequestId::Unsigned(number)),
            Err(_) => Ok(RequestId::Negative(number)),
        }
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<RequestId, E> {
        if text.is_empty() || ID_BYTES_MAX < text.len() {
            return Err(E::invalid_length(text.len(), &self));
        }
        Ok(RequestId::Text(text.into()))
    }
}
