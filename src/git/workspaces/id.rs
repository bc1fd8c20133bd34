//! What a workspace is called by its users, and what its folder is called.
//!
//! Two ids never share a folder, whatever the file system makes of case or of Unicode, and the name
//! of a folder tells the id it is of.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, de};

use crate::git::percent;

/// The longest id, in bytes.
const BYTES_MAX: usize = 200;
/// File systems take names of 255 bytes; the time of a deletion and an ending come behind it.
const FOLDER_BYTES_MAX: usize = 225;
/// What some systems take for a device, whatever its ending.
const DEVICES: [&str; 22] = [
    "aux", "con", "nul", "prn", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Any text without control characters whose folder has a name that is not too long.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct WorkspaceId(String);

impl WorkspaceId {
    pub fn new(text: &str) -> Result<WorkspaceId, &'static str> {
        if text.is_empty() || BYTES_MAX < text.len() {
            return Err("an id has 1 to 200 bytes");
        }
        if text.chars().any(char::is_control) {
            return Err("an id cannot have control characters");
        }
        if FOLDER_BYTES_MAX < escaped(text).len() {
            return Err(
                "an id may be 225 bytes long where each but a-z, 0-9, _ and - counts as three",
            );
        }
        Ok(WorkspaceId(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of its folder, without an ending: `a-z`, `0-9`, `_`, `-` and `%`.
    pub(super) fn folder(&self) -> String {
        escaped(&self.0)
    }

    /// The id whose folder has this name.
    pub(super) fn of_folder(name: &str) -> Option<WorkspaceId> {
        let id = WorkspaceId::new(&percent::decode(name)?).ok()?;
        // Other spellings of the same id are no folders of ours.
        (id.folder() == name).then_some(id)
    }
}

fn escaped(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for (index, byte) in id.bytes().enumerate() {
        let is_safe = matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        let is_device = index == 0 && DEVICES.contains(&id);
        match is_safe && !is_device {
            true => name.push(char::from(byte)),
            false => name.push_str(&format!("%{byte:02x}")),
        }
    }
    name
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for WorkspaceId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WorkspaceId, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = WorkspaceId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a whole number")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<WorkspaceId, E> {
                WorkspaceId::new(text).map_err(E::custom)
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<WorkspaceId, E> {
                let text = std::str::from_utf8(bytes).map_err(|_| E::custom("an id is UTF-8"))?;
                self.visit_str(text)
            }

            // Who counts projects sends numbers.
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<WorkspaceId, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<WorkspaceId, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

#[cfg(test)]
mod tests;
