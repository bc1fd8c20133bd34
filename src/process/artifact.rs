//! A published process: the bytes of its file, and what they are known by.
//!
//! Two digests tell artifacts apart: that of the bytes, by which a file is checked and by which a
//! version is one thing for ever; and that of what the bytes say, which comments, blanks and the
//! order of keys do not change, and which a run pins.

use std::fmt;

use semver::{BuildMetadata, Version};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::yaml::{self, FILE_BYTES_MAX, Kind};
use crate::{
    engine::canonical::canonical,
    error::{Error, Result},
    git::is_part,
};

/// The longest file.
pub const BYTES_MAX: usize = FILE_BYTES_MAX;
pub const NAME_BYTES_MAX: usize = 100;
pub const VERSION_BYTES_MAX: usize = 100;
/// What is written before the digits of a digest.
const ALGORITHM: &str = "sha256:";
/// The version of a record's format.
const RECORD: u32 = 1;

/// What a process is called: itself the name of a folder, a part of a ref and of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// A file that is published, or is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    pub name: Name,
    pub version: Version,
    pub bytes: Vec<u8>,
    pub digests: Digests,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digests {
    /// Of what the definition says: `sha256:` and 64 digits.
    pub digest: String,
    /// Of the bytes: 64 digits, as `sha256sum` prints them.
    pub sha256: String,
}

/// What a store keeps beside the bytes, as one line of JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    v: u32,
    process: Name,
    #[serde(serialize_with = "write_version", deserialize_with = "read_version")]
    version: Version,
    #[serde(flatten)]
    pub digests: Digests,
    bytes: u64,
    /// Tells who wrote it, where it cannot be told otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
}

impl Name {
    pub fn new(name: &str) -> Result<Name> {
        match is_part(name, NAME_BYTES_MAX) {
            true => Ok(Name(name.to_owned())),
            false => Err(Error::bad_request(format!(
                "`{name}` cannot be the name of a published process: it has 1 to \
                 {NAME_BYTES_MAX} of A-Z, a-z, 0-9, `_`, `-` and single dots inside"
            ))
            .with("field", "name")),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the file of a version is called, in a folder of its process.
    pub fn file(&self, version: &Version) -> String {
        format!("{self}_v{version}.yaml")
    }

    /// The version whose file, or what ends like this beside it, has this name.
    pub fn version_of(&self, file: &str, ending: &str) -> Option<Version> {
        let version = file.strip_prefix(self.as_str())?.strip_prefix("_v")?;
        version_of(version.strip_suffix(ending)?).ok()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = String;

    fn try_from(name: String) -> Result<Name, String> {
        Name::new(&name).map_err(|error| error.message)
    }
}

impl From<Name> for String {
    fn from(Name(name): Name) -> String {
        name
    }
}

/// A version that can be published: of semver, and written in the one way there is.
pub fn version_of(text: &str) -> Result<Version> {
    let bad = |why: &str| {
        let message = format!("`{text}` cannot be the version of a published process: {why}");
        Error::bad_request(message).with("field", "version")
    };
    if VERSION_BYTES_MAX < text.len() {
        return Err(bad("it is too long"));
    }
    let version = Version::parse(text)
        .map_err(|_| bad("it is three numbers, as in 1.0.0, and perhaps `-` and a word"))?;
    match version.build == BuildMetadata::EMPTY {
        // A ref cannot end so.
        true if text.ends_with(".lock") => Err(bad("it ends in `.lock`")),
        true => Ok(version),
        false => Err(bad("what is behind `+` makes no other version")),
    }
}

/// The one document of a file, as JSON.
fn document(bytes: &[u8]) -> Result<Value> {
    let unreadable = |why: &str| Error::invalid(format!("no definition can be read: {why}"));
    let (_, documents, faults) = yaml::read("", bytes);
    match (&*documents, faults.first()) {
        (_, Some(fault)) => Err(unreadable(&fault.message)),
        ([document], None) if matches!(document.kind, Kind::Map(_)) => Ok(document.value()),
        ([_], None) => Err(unreadable("it is a map of `process_name`, `steps` …")),
        (documents, None) => {
            Err(unreadable(&format!("the file has {} documents instead of one", documents.len())))
        }
    }
}

impl Artifact {
    /// What a file says that it is. Whether it may be published is asked elsewhere.
    pub fn of(bytes: Vec<u8>) -> Result<Artifact> {
        if BYTES_MAX < bytes.len() {
            return Err(Error::too_large("the file of a process is too long")
                .with("bytes", bytes.len() as u64)
                .with("limit", BYTES_MAX as u64));
        }
        let document = document(&bytes)?;
        let text = |key: &str| match &document[key] {
            Value::String(text) => Ok(text),
            Value::Null => Err(Error::invalid(format!("the definition has no `{key}`"))),
            _ => Err(Error::invalid(format!("`{key}` is no text: put it in quotes"))),
        };
        let invalid = |error: Error| Error::invalid(error.message);
        let name = Name::new(text("process_name")?).map_err(invalid)?;
        let version = version_of(text("process_version")?).map_err(invalid)?;
        let digests = Digests { digest: digest_of(&canonical(&document)), sha256: sha256(&bytes) };
        Ok(Artifact { name, version, bytes, digests })
    }

    /// What a store had for a version, if it is what was published.
    pub fn checked(bytes: Vec<u8>, record: &Record) -> Result<Artifact> {
        let Record { process, version, digests, .. } = record;
        let damaged = |what: &str, expected: &str, actual: &str| {
            Error::corrupt(format!("{process} {version} is damaged: {what}"))
                .with("expected", expected)
                .with("actual", actual)
        };
        let found = sha256(&bytes);
        if found != digests.sha256 {
            return Err(damaged("its bytes are not those published", &digests.sha256, &found));
        }
        let artifact = Artifact::of(bytes).map_err(|error| {
            Error::corrupt(format!("{process} {version} is no process: {}", error.message))
        })?;
        if (&artifact.name, &artifact.version) != (process, version) {
            let (name, other) = (&artifact.name, &artifact.version);
            let (wanted, found) = (format!("{process} {version}"), format!("{name} {other}"));
            return Err(damaged("its file is another one's", &wanted, &found));
        }
        match artifact.digests.digest == digests.digest {
            true => Ok(artifact),
            false => {
                Err(damaged("its digest is another one", &digests.digest, &artifact.digests.digest))
            }
        }
    }

    pub fn record(&self) -> Record {
        Record {
            v: RECORD,
            process: self.name.clone(),
            version: self.version.clone(),
            digests: self.digests.clone(),
            bytes: self.bytes.len() as u64,
            nonce: None,
        }
    }

    /// What it is called where it must be said in one word.
    pub fn title(&self) -> String {
        format!("{} {}", self.name, self.version)
    }
}

impl Record {
    /// Reads what a store keeps beside the bytes of a version.
    pub fn read(line: &[u8], name: &Name, version: &Version) -> Result<Record> {
        let damaged =
            |why: &str| Error::corrupt(format!("what is recorded of {name} {version} {why}"));
        let record: Value =
            serde_json::from_slice(line).map_err(|_| damaged("is no line of JSON"))?;
        match record["v"].as_u64() {
            Some(v) if v == u64::from(RECORD) => (),
            Some(v) => {
                let message = format!("{name} {version} is recorded in format {v}");
                return Err(Error::unsupported(message).with("feature", "record"));
            }
            None => return Err(damaged("has no format")),
        }
        let record: Record =
            serde_json::from_value(record).map_err(|_| damaged("lacks something"))?;
        let Digests { digest, sha256 } = &record.digests;
        if !is_sha256(sha256) || !digest.strip_prefix(ALGORITHM).is_some_and(is_sha256) {
            return Err(damaged("has no digests"));
        }
        match (&record.process, &record.version) == (name, version) {
            true => Ok(record),
            false => Err(damaged("is another one's")),
        }
    }

    pub fn line(&self) -> Vec<u8> {
        let line = serde_json::to_string(self).expect("it is text and numbers");
        (line + "\n").into_bytes()
    }

    /// What who publishes these bytes is told where the version is there: the same bytes are what
    /// is wanted.
    pub fn expect_same(&self, artifact: &Artifact) -> Result<()> {
        if self.digests.sha256 == artifact.digests.sha256 {
            return Ok(());
        }
        let message = format!(
            "{} is published already, with other bytes: give it a new version",
            artifact.title()
        );
        let message = match self.digests.digest == artifact.digests.digest {
            true => format!("{message} that say the same"),
            false => message,
        };
        Err(Error::already_exists(message)
            .with("expected", artifact.digests.sha256.clone())
            .with("actual", self.digests.sha256.clone()))
    }
}

fn write_version<S: Serializer>(version: &Version, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(version)
}

fn read_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
    let text = String::deserialize(deserializer)?;
    version_of(&text).map_err(|error| de::Error::custom(error.message))
}

/// Files are called after it, so it has to be one.
fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
}

/// The digest of what a definition says, which is this in the one way to write it.
pub fn digest_of(canonical: &str) -> String {
    format!("{ALGORITHM}{}", sha256(canonical.as_bytes()))
}

pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|it| format!("{it:02x}")).collect()
}

#[cfg(test)]
mod tests;
