//! The argument `sign`: which key makes a signature, and what opens it. Never shown.

use std::{fmt, path::PathBuf};

use serde::{Deserialize, de};
use ssh_key::PublicKey;

/// Where the key is. Its own formatting never shows it.
pub enum SignWith {
    KeyFile {
        file: PathBuf,
        passphrase: Option<String>,
    },
    Key {
        key: String,
        passphrase: Option<String>,
    },
    /// The agent at `SSH_AUTH_SOCK` and the first of its keys that can sign, unless others are
    /// named.
    Agent {
        public_key: Option<Box<PublicKey>>,
        socket: Option<PathBuf>,
    },
}

/// The same as the contract writes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, deserialize_with = "absolute")]
    key_file: Option<PathBuf>,
    key: Option<String>,
    passphrase: Option<String>,
    agent: Option<bool>,
    #[serde(default, deserialize_with = "public_key")]
    public_key: Option<Box<PublicKey>>,
    #[serde(default, deserialize_with = "absolute")]
    socket: Option<PathBuf>,
}

impl TryFrom<Fields> for SignWith {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<SignWith, &'static str> {
        let Fields { key_file, key, passphrase, agent, public_key, socket } = fields;
        let is_agent = agent.unwrap_or(false);
        match (key_file, key, is_agent) {
            (None, None, true) if passphrase.is_none() => {
                Ok(SignWith::Agent { public_key, socket })
            }
            (None, None, true) => Err("an agent takes no passphrase"),
            (Some(_), None, false) | (None, Some(_), false)
                if public_key.is_some() || socket.is_some() =>
            {
                Err("`public_key` and `socket` are for an agent")
            }
            (Some(file), None, false) => Ok(SignWith::KeyFile { file, passphrase }),
            (None, Some(key), false) => Ok(SignWith::Key { key, passphrase }),
            _ => Err("it takes one of: key_file; key; agent"),
        }
    }
}

/// The daemon's own folder is nobody's business.
fn absolute<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let path = Option::<String>::deserialize(deserializer)?.map(PathBuf::from);
    match &path {
        Some(path) if !path.is_absolute() => Err(de::Error::custom("it must be absolute")),
        Some(path) if path.as_os_str().as_encoded_bytes().contains(&0) => {
            Err(de::Error::custom("it has a NUL byte"))
        }
        _ => Ok(path),
    }
}

fn public_key<'de, D: de::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<PublicKey>>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    match PublicKey::from_openssh(text.trim()) {
        Ok(key) => Ok(Some(Box::new(key))),
        Err(_) => Err(de::Error::custom("it is no line with a public key of ssh")),
    }
}

impl<'de> Deserialize<'de> for SignWith {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<SignWith, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = SignWith;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map with one of `key_file`, `key`, `agent`")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<SignWith, A::Error> {
                let fields = Fields::deserialize(de::value::MapAccessDeserializer::new(map))?;
                SignWith::try_from(fields).map_err(de::Error::custom)
            }
        }
        // Only a map: an array would be taken for the fields in their order.
        deserializer.deserialize_any(Visitor)
    }
}

impl fmt::Debug for SignWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignWith")
    }
}
