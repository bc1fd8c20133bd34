//! What libgit2 says when it fails, in the words of the contract.

use git2::{ErrorClass, ErrorCode};

use super::lock::{locked_in_words, locked_somewhere};
use crate::error::{Code, Error};

impl From<git2::Error> for Error {
    fn from(error: git2::Error) -> Error {
        let message = redact(error.message());
        if let Some(locked) = locked_in_words(&message) {
            return locked;
        }
        let failure = Error::new(code(&error), message);
        match (failure.code, error.class()) {
            (Code::Denied, ErrorClass::Config | ErrorClass::Repository) => {
                failure.with("rule", "owner")
            }
            (Code::Denied, ErrorClass::Os) => failure.with("rule", "permissions"),
            (Code::Denied, _) => failure.with("rule", "certificate"),
            (Code::Locked, _) => locked_somewhere(&failure.message),
            (Code::Conflict, ErrorClass::Os) => failure
                .with("expected", "files that nobody changes meanwhile")
                .with("actual", "a file that somebody changed"),
            (Code::Unsupported, _) => {
                let feature = feature(error.message());
                failure.with("feature", feature)
            }
            _ => failure,
        }
    }
}

/// What is wrong with a pack that somebody gave us.
pub fn damaged_pack(error: &impl std::fmt::Display) -> Error {
    let message = redact(&error.to_string());
    match is_disk_full(&message) {
        true => Error::disk_full(message),
        false => Error::invalid(format!("the pack cannot be taken: {message}")),
    }
}

fn code(error: &git2::Error) -> Code {
    let message = error.message();
    if is_disk_full(message) {
        return Code::DiskFull;
    }
    if feature(message) != "format"
        || message.contains("unsupported extension")
        || message.contains("repository version")
    {
        return Code::Unsupported;
    }
    // Nobody makes one but out of a commit or a tag: its headers are not what they should be.
    if message.starts_with("failed to parse signature") {
        return Code::Corrupt;
    }
    match error.code() {
        ErrorCode::NotFound | ErrorCode::UnbornBranch => Code::NotFound,
        _ if is_too_short(error) => Code::NotFound,
        ErrorCode::Exists => Code::AlreadyExists,
        ErrorCode::Ambiguous | ErrorCode::InvalidSpec => Code::BadRequest,
        ErrorCode::Locked => Code::Locked,
        ErrorCode::Owner | ErrorCode::Certificate => Code::Denied,
        ErrorCode::Auth => Code::Unauthorized,
        ErrorCode::Conflict | ErrorCode::Modified | ErrorCode::MergeConflict => Code::Conflict,
        ErrorCode::Timeout | ErrorCode::Eof => Code::Unavailable,
        _ => match error.class() {
            ErrorClass::Net | ErrorClass::Http | ErrorClass::Ssh | ErrorClass::Ssl => {
                Code::Unavailable
            }
            // What memory it asks for is what an object claims to need.
            ErrorClass::NoMemory
            | ErrorClass::Odb
            | ErrorClass::Zlib
            | ErrorClass::Object
            | ErrorClass::Tree
            | ErrorClass::Reference
            | ErrorClass::Index
            | ErrorClass::Config => Code::Corrupt,
            ErrorClass::Os => of_system(message),
            _ => Code::Internal,
        },
    }
}

/// Whether it is about the beginning of an id with fewer digits than could name anything.
pub fn is_too_short(error: &git2::Error) -> bool {
    error.code() == ErrorCode::Ambiguous && error.message().contains("too short")
}

/// What the system refused; libgit2 keeps its number only in words.
fn of_system(message: &str) -> Code {
    let has = |words: &[&str]| words.iter().any(|it| message.contains(it));
    if has(&["ermission denied", "Read-only file system"]) {
        Code::Denied
    } else if has(&["File name too long"]) {
        Code::BadRequest
    } else if has(&["reading file for hashing"]) {
        // It became shorter while it was read.
        Code::Conflict
    } else {
        Code::Unavailable
    }
}

/// Whether the disk was full; libgit2 and stock git keep the system's number only in words.
pub fn is_disk_full(message: &str) -> bool {
    ["No space left on device", "Disk quota exceeded", "Out of diskspace"]
        .iter()
        .any(|it| message.contains(it))
}

/// The feature of Git that libgit2 lacks, out of the message it refuses with.
fn feature(message: &str) -> &'static str {
    const FEATURES: &[(&str, &str)] = &[
        ("extensions.refstorage", "reftable"),
        ("extensions.objectformat", "sha256"),
        ("object format", "sha256"),
        ("oid type", "sha256"),
        ("extension 'link'", "split index"),
        ("extension: 'link'", "split index"),
        ("'sdir'", "sparse index"),
        ("directory nesting too deep", "deep folders"),
    ];
    let known = FEATURES.iter().find(|(text, _)| message.contains(text));
    known.map_or("format", |(_, feature)| feature)
}

/// Takes user names and passwords out of every url in a text.
pub fn redact(text: &str) -> String {
    let mut redacted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        redacted.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace() || c == '\'' || c == '"');
        let authority = &after[..end.unwrap_or(after.len())];
        rest = match authority.rfind('@') {
            Some(at) => &after[at + 1..],
            None => after,
        };
    }
    redacted + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_refuses_is_no_bug() {
        for (message, expected) in [
            ("failed to write 'x': Input/output error", Code::Unavailable),
            ("could not open 'x': Too many open files", Code::Unavailable),
            ("could not create symlink 'x': File name too long", Code::BadRequest),
            ("could not open 'x': Permission denied", Code::Denied),
            ("failed to write 'x': No space left on device", Code::DiskFull),
            ("error reading file for hashing", Code::Conflict),
        ] {
            let error = git2::Error::new(ErrorCode::GenericError, ErrorClass::Os, message);
            assert_eq!(Error::from(error).code, expected, "{message}");
        }
    }

    #[test]
    fn credentials_are_taken_out_of_urls() {
        assert_eq!(redact("to 'https://u:p@h/x' and ssh://git@h"), "to 'https://h/x' and ssh://h");
        assert_eq!(redact("https://a@b:c@host:8/p"), "https://host:8/p");
        assert_eq!(redact("mail me@example.com http://h/a@b"), "mail me@example.com http://h/a@b");
    }
}
