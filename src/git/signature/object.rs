//! Where signatures are in commits and tags: taken out and put in as Git does it.

use super::Signer;
use crate::error::{Error, Result};

/// The namespace of signatures of commits and tags.
pub const NAMESPACE: &str = "git";

const HEADER: &[u8] = b"gpgsig ";
/// Headers that are no part of what any signature is about; there is one for each kind of hash.
const HEADERS: &[u8] = b"gpgsig";

/// What lines of a tag begin with where a signature begins.
const BEGINNINGS: [&[u8]; 4] = [
    b"-----BEGIN SSH SIGNATURE-----",
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
];

#[derive(Clone, Copy)]
pub enum Kind {
    Commit,
    Tag,
}

/// A commit or a tag, taken apart.
pub struct Parts {
    /// What was signed, or would be.
    pub payload: Vec<u8>,
    /// Of any kind, armored.
    pub signature: Option<Vec<u8>>,
}

/// Takes a raw object apart: its headers, an empty line, its message.
pub fn parts(kind: Kind, raw: &[u8]) -> Parts {
    match kind {
        Kind::Commit => without_headers(raw),
        Kind::Tag => {
            let (signed, signature) = raw.split_at(signature_start(raw));
            let Parts { payload, .. } = without_headers(signed);
            Parts { payload, signature: (!signature.is_empty()).then(|| signature.to_vec()) }
        }
    }
}

/// Signs a raw object, and gives the object with its signature.
pub fn sign(kind: Kind, raw: &[u8], signer: &Signer) -> Result<Vec<u8>> {
    let payload = match (kind, parts(kind, raw)) {
        (Kind::Commit, Parts { signature: Some(_), .. }) => {
            return Err(Error::already_exists("the commit has a signature"));
        }
        (Kind::Tag, _) if !raw.ends_with(b"\n") => {
            return Err(Error::invalid("a tag's signature is a line of its own after others"));
        }
        // A signature that ends the message is a part of what is signed now.
        (Kind::Tag, _) => without_headers(raw).payload,
        (Kind::Commit, Parts { payload, .. }) => payload,
    };
    let armored = signer.sign(NAMESPACE, &payload)?;
    Ok(with_signature(kind, raw, &armored))
}

/// Puts a signature where Git does: after all headers of a commit, at the end of a tag.
pub fn with_signature(kind: Kind, raw: &[u8], armored: &str) -> Vec<u8> {
    match kind {
        Kind::Tag => [raw, armored.as_bytes()].concat(),
        Kind::Commit => {
            let end = raw.windows(2).position(|it| it == b"\n\n").map_or(raw.len(), |it| it + 1);
            let mut signed = raw[..end].to_vec();
            signed.extend_from_slice(HEADER.trim_ascii_end());
            for line in armored.lines() {
                signed.push(b' ');
                signed.extend_from_slice(line.as_bytes());
                signed.push(b'\n');
            }
            signed.extend_from_slice(&raw[end..]);
            signed
        }
    }
}

/// Where the last line that a signature begins with is, or the end.
fn signature_start(raw: &[u8]) -> usize {
    let (mut at, mut start) = (0, raw.len());
    for line in raw.split_inclusive(|it| *it == b'\n') {
        if BEGINNINGS.iter().any(|it| line.starts_with(it)) {
            start = at;
        }
        at += line.len();
    }
    start
}

/// Whose header a line belongs to.
#[derive(Clone, Copy)]
enum Within {
    Signature,
    OtherSignature,
    Rest,
}

fn without_headers(raw: &[u8]) -> Parts {
    let mut payload = Vec::with_capacity(raw.len());
    let mut signature = Vec::new();
    let (mut within, mut rest) = (Within::Rest, raw);
    while let Some(line) = rest.split_inclusive(|it| *it == b'\n').next() {
        if line == b"\n" {
            payload.extend_from_slice(rest);
            break;
        }
        rest = &rest[line.len()..];
        let (now, text) = match within {
            Within::Signature | Within::OtherSignature if line[0] == b' ' => (within, &line[1..]),
            _ => match line.strip_prefix(HEADER) {
                Some(text) => (Within::Signature, text),
                None if line.starts_with(HEADERS) => (Within::OtherSignature, line),
                None => (Within::Rest, line),
            },
        };
        within = now;
        match within {
            Within::Signature => signature.extend_from_slice(text),
            Within::OtherSignature => (),
            Within::Rest => payload.extend_from_slice(text),
        }
    }
    Parts { payload, signature: (!signature.is_empty()).then_some(signature) }
}
