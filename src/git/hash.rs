//! The names of objects.

use git2::Oid;
use sha1::{Digest, Sha1};

use super::pack::Kind;

/// What tells a text from every other one.
pub fn digest(text: &[u8]) -> Oid {
    let mut hasher = sha1_checked::Sha1::new();
    sha1_checked::Digest::update(&mut hasher, text);
    Oid::from_bytes(hasher.try_finalize().hash()).expect("a hash has this length")
}

/// How long a whole id is.
pub const ID_DIGITS: usize = 40;
/// What Git writes where there is no object.
pub const NO_ID: &str = "0000000000000000000000000000000000000000";

/// The id that a line begins with.
pub fn id_of(line: &[u8]) -> Option<Oid> {
    Oid::from_str(str::from_utf8(line.get(..ID_DIGITS)?).ok()?).ok()
}

/// The ids of the parents that the content of a commit names.
pub fn parents_of(commit: &[u8]) -> impl Iterator<Item = Oid> {
    let head = commit.split(|it| *it == b'\n').take_while(|it| !it.is_empty());
    head.filter_map(|line| line.strip_prefix(b"parent ").and_then(id_of))
}

/// When somebody in this role made it, in seconds since 1970.
pub fn time_of(object: &[u8], role: &str) -> Option<i64> {
    let mut lines = object.split(|it| *it == b'\n').take_while(|it| !it.is_empty());
    let line = lines.find(|it| it.starts_with(role.as_bytes()))?;
    let after = memchr::memrchr(b'>', line)?;
    let time = str::from_utf8(&line[after + 1..]).ok()?;
    time.split_whitespace().next()?.parse().ok()
}

/// The id that a text is, if it is a whole one.
pub fn whole_id(text: &str) -> Option<Oid> {
    (text.len() == ID_DIGITS).then(|| Oid::from_str(text).ok())?
}

/// The id of an object with this content.
///
/// What clients write freely is hashed as Git does it, so that two contents made to have one id
/// are told apart. Trees are made here, of ids and names, and hashed in the machine's own way.
pub fn object_id(kind: Kind, content: &[u8]) -> Oid {
    if kind == Kind::Tree {
        return made_id(kind, content);
    }
    let mut hasher = sha1_checked::Sha1::new();
    sha1_checked::Digest::update(&mut hasher, head(kind, content));
    sha1_checked::Digest::update(&mut hasher, content);
    Oid::from_bytes(hasher.try_finalize().hash()).expect("a hash has this length")
}

/// The same, in the machine's own way, of what is made here: beside ids it is text without control
/// characters but for line ends, in which nobody can write what makes two contents have one id.
pub fn made_id(kind: Kind, content: &[u8]) -> Oid {
    let hash = Sha1::new().chain_update(head(kind, content)).chain_update(content).finalize();
    Oid::from_bytes(&hash).expect("a hash has this length")
}

fn head(kind: Kind, content: &[u8]) -> String {
    format!("{} {}\0", kind.name(), content.len())
}
