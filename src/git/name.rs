//! Names that come from outside: paths of repositories, names of files in them, and text.

use std::{
    ffi::OsStr,
    ops::Deref,
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::error::{Error, Result};

/// Where a repository or a folder is: absolute, without `.` and `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryPath(PathBuf);

impl RepositoryPath {
    fn new(bytes: &[u8]) -> Result<RepositoryPath, &'static str> {
        let path = Path::new(OsStr::from_bytes(bytes));
        if !path.is_absolute() {
            return Err("a path must be absolute");
        }
        if bytes.contains(&0) {
            return Err("a path cannot have a NUL byte");
        }
        if path.components().any(|it| it == Component::ParentDir) {
            return Err("a path cannot have `..` in it");
        }
        // Collecting leaves out double and trailing slashes and single dots.
        Ok(RepositoryPath(path.components().collect()))
    }
}

impl RepositoryPath {
    /// The one name of what is at this path, or will be: links on the way are followed.
    pub fn resolved(&self) -> PathBuf {
        let (mut there, mut rest) = (self.0.as_path(), Vec::new());
        loop {
            if let Ok(resolved) = std::fs::canonicalize(there) {
                return rest.iter().rev().fold(resolved, |path, part| path.join(part));
            }
            let (Some(parent), Some(name)) = (there.parent(), there.file_name()) else {
                return self.0.clone();
            };
            rest.push(name);
            there = parent;
        }
    }

    /// Whether this is, or would be, a part of a repository rather than of its files.
    pub fn is_in_a_git_folder(&self) -> bool {
        let has = |folder: &Path, name: &str| folder.join(name).exists();
        let is_bare = |it: &Path| has(it, "HEAD") && has(it, "objects") && has(it, "refs");
        // Where a link is replaced, what it leads to does not matter.
        let folder = self.0.parent().map(|it| RepositoryPath(it.to_owned()).resolved());
        let names = folder.iter().flatten().chain(self.0.file_name());
        names.into_iter().any(|it| is_git_folder(it.as_bytes()))
            || folder.iter().flat_map(|it| it.ancestors()).any(is_bare)
    }

    pub fn to_text(&self) -> Text {
        Text::of_path(self)
    }
}

impl TryFrom<&Path> for RepositoryPath {
    type Error = Error;

    fn try_from(path: &Path) -> Result<RepositoryPath> {
        RepositoryPath::new(path.as_os_str().as_bytes()).map_err(Error::bad_request)
    }
}

impl RepositoryPath {
    /// A path that [`RepositoryPath::resolved`] gave.
    pub fn resolved_to(path: &Path) -> RepositoryPath {
        RepositoryPath(path.to_owned())
    }
}

impl TryFrom<&str> for RepositoryPath {
    type Error = Error;

    fn try_from(path: &str) -> Result<RepositoryPath> {
        RepositoryPath::new(path.as_bytes()).map_err(Error::bad_request)
    }
}

impl Deref for RepositoryPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl<'de> Deserialize<'de> for RepositoryPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RepositoryPath, D::Error> {
        let RawName(bytes) = RawName::deserialize(deserializer)?;
        RepositoryPath::new(&bytes).map_err(de::Error::custom)
    }
}

/// Bytes that shall be a name, as `str` or `bin`, not looked at yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawName(pub Vec<u8>);

impl<'de> Deserialize<'de> for RawName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawName, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = RawName;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a str or bin")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<RawName, E> {
                Ok(RawName(text.as_bytes().to_vec()))
            }

            fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<RawName, E> {
                Ok(RawName(bytes.to_vec()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// The name of a file or folder in a repository, which cannot lead out of it or into `.git`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileName(Vec<u8>);

impl FileName {
    /// The name of a file that is to be written: one with a slash at its end is a folder's.
    pub fn of_file(name: &RawName) -> Result<FileName> {
        match name.0.ends_with(b"/") && name.0.len() > 1 {
            true => Err(refusal(&name.0, "a folder's")),
            false => FileName::try_from(name),
        }
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn as_path(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0))
    }
}

impl TryFrom<&RawName> for FileName {
    type Error = Error;

    fn try_from(RawName(bytes): &RawName) -> Result<FileName> {
        let refuse = |rule| Err(refusal(bytes, rule));
        if bytes.is_empty() {
            return refuse("empty");
        }
        if bytes.contains(&0) {
            return refuse("cut by a NUL byte");
        }
        if bytes[0] == b'/' {
            return refuse("absolute");
        }
        // One trailing slash names a folder as well as none.
        let bytes = bytes.strip_suffix(b"/").unwrap_or(bytes);
        for part in bytes.split(|it| *it == b'/') {
            match part {
                b"" => return refuse("not one name between slashes"),
                b"." | b".." => return refuse("leading out of its folder"),
                _ if is_git_folder(part) => return refuse("inside Git's own folder"),
                _ => (),
            }
        }
        Ok(FileName(bytes.to_vec()))
    }
}

fn refusal(name: &[u8], rule: &'static str) -> Error {
    let name = String::from_utf8_lossy(name);
    Error::denied(format!("the file name {name:?} is {rule}")).with("rule", rule)
}

/// Whether some file system takes this name for `.git`: HFS+ ignores case and some characters,
/// NTFS ignores case, trailing dots and spaces, streams, and has short names.
fn is_git_folder(part: &[u8]) -> bool {
    let text = String::from_utf8_lossy(part);
    let visible: String = text.chars().filter(|it| !is_ignored_by_hfs(*it)).collect();
    let visible = visible.to_lowercase();
    let stem = visible.split([':', '\\']).next().unwrap_or_default();
    let stem = stem.trim_end_matches(['.', ' ']);
    stem == ".git" || stem == "git~1"
}

pub(super) fn is_ignored_by_hfs(c: char) -> bool {
    let ignored = ['\u{200c}'..='\u{200f}', '\u{202a}'..='\u{202e}', '\u{206a}'..='\u{206f}'];
    ignored.iter().any(|it| it.contains(&c)) || c == '\u{feff}'
}

/// What a name is in its folder.
pub(super) fn last_part(name: &[u8]) -> &[u8] {
    name.rsplit(|it| *it == b'/').next().unwrap_or_default()
}

/// Text out of a repository: `str` on the wire where it is UTF-8, `bin` where it is not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Text(pub Vec<u8>);

impl Text {
    pub fn of_path(path: &Path) -> Text {
        Text(path.as_os_str().as_bytes().to_vec())
    }
}

impl From<&[u8]> for Text {
    fn from(bytes: &[u8]) -> Text {
        Text(bytes.to_vec())
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match std::str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => serializer.serialize_bytes(&self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_or_into_the_git_folder_are_denied() {
        for name in [
            "",
            "/",
            "/etc/passwd",
            "..",
            "a/..",
            "../a",
            "a/../b",
            ".",
            "./a",
            "a//b",
            "a\0b",
            ".git",
            ".GIT/config",
            "a/.git",
            ".g\u{200c}it",
            "git~1",
            "GIT~1/x",
            ".git ",
            ".git.",
            ".git::$INDEX_ALLOCATION",
            ".git\\config",
        ] {
            let name = RawName(name.as_bytes().to_vec());
            assert!(FileName::try_from(&name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn other_names_are_names() {
        for name in
            ["a", "a/b.yaml", "a/", ".gitignore", ".github/x", "...", "a..b", "\u{e9}", "git~2"]
        {
            let name = RawName(name.as_bytes().to_vec());
            assert!(FileName::try_from(&name).is_ok(), "{name:?}");
        }
    }
}
