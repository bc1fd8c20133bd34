//! A line of JSON with its own signature in it.
//!
//! What is signed is the line without its member `signature`, its line end included, so that a
//! person needs nothing but `sed` and `ssh-keygen` to ask whether it is right. The member is the
//! armored signature without the armor.

use super::{AllowedSigners, Signer, Verdict, armor::SIGNATURE, verify};
use crate::error::{Error, Result};

/// What the member begins with. Inside of a text every quote has a backslash before it, so this is
/// nowhere else.
const MEMBER: &str = ",\"signature\":\"";

/// A line, taken apart.
pub struct Signed {
    /// What was signed, or would be.
    pub payload: Vec<u8>,
    /// Armored.
    pub signature: Option<String>,
}

/// Takes a line apart, with or without a line end.
pub fn parts(line: &str) -> Signed {
    let line = line.trim_end_matches('\n');
    let member = line.split_once(MEMBER).and_then(|(before, rest)| {
        let (signature, after) = rest.split_once('"')?;
        Some((format!("{before}{after}\n"), armored(signature)))
    });
    match member {
        Some((payload, signature)) => {
            Signed { payload: payload.into_bytes(), signature: Some(signature) }
        }
        None => Signed { payload: format!("{line}\n").into_bytes(), signature: None },
    }
}

/// What the member of a line that is to be signed shall be.
pub fn member(line: &str, namespace: &str, signer: &Signer) -> Result<String> {
    let armored = signer.sign(namespace, format!("{line}\n").as_bytes())?;
    let inside = armored.trim().strip_prefix(SIGNATURE.begin);
    let inside = inside.and_then(|it| it.strip_suffix(SIGNATURE.end));
    let inside = inside.ok_or_else(|| Error::internal("a signature has no armor"))?;
    Ok(inside.split_ascii_whitespace().collect())
}

/// What the signature of a line is worth that was made at a time, in seconds since 1970; nothing
/// where it has none.
pub fn verdict(
    line: &str,
    namespace: &str,
    at_time: i64,
    allowed: Option<&AllowedSigners>,
) -> Option<Verdict> {
    let Signed { payload, signature } = parts(line);
    Some(verify(&payload, signature?.as_bytes(), namespace, at_time, allowed))
}

fn armored(signature: &str) -> String {
    format!("{}\n{signature}\n{}\n", SIGNATURE.begin, SIGNATURE.end)
}
