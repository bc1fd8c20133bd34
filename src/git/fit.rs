//! What a commit may have in it: what `git fsck --strict` passes, and some file system has.

use super::{
    name::{is_ignored_by_hfs, last_part},
    tree::LINK,
};
use crate::error::{Error, Result};

/// So many bytes between slashes are what Git warns of; most file systems have much less.
const PART_BYTES_MAX: usize = 4096;
/// The longest target that Linux takes.
const TARGET_BYTES_MAX: usize = 4095;

/// So many folders may be in each other: each takes its part of a thread's stack. A path of Linux
/// has 2048 at most.
const DEPTH_MAX: usize = 512;

/// Fails where a file is too far down.
pub fn expect_depth(name: &[u8]) -> Result<()> {
    expect_folders(memchr::memchr_iter(b'/', name).count())
}

/// Fails where the files of a folder are; the first one has no name.
pub fn expect_depth_of_folder(name: &[u8]) -> Result<()> {
    expect_folders(memchr::memchr_iter(b'/', name).count() + usize::from(!name.is_empty()))
}

/// Fails for more folders in each other than are taken.
pub fn expect_folders(count: usize) -> Result<()> {
    match count <= DEPTH_MAX {
        true => Ok(()),
        false => {
            let message = format!("there are more than {DEPTH_MAX} folders in each other");
            Err(Error::unsupported(message).with("feature", "deep folders"))
        }
    }
}

/// Why this cannot be a file's name.
pub fn flaw_of_name(name: &[u8]) -> Option<String> {
    let is_long = name.split(|it| *it == b'/').any(|it| PART_BYTES_MAX < it.len());
    is_long.then(|| format!("has more than {PART_BYTES_MAX} bytes between slashes"))
}

/// Why this cannot be where a symbolic link leads.
pub fn flaw_of_target(target: &[u8]) -> Option<String> {
    match target {
        b"" => Some("is a link that leads nowhere".to_owned()),
        _ if target.contains(&0) => Some("is a link with a NUL byte in its target".to_owned()),
        _ if TARGET_BYTES_MAX < target.len() => {
            Some(format!("is a link whose target has more than {TARGET_BYTES_MAX} bytes"))
        }
        _ => None,
    }
}

/// Fails for a link where Git expects to read which submodules there are: it might lead anywhere.
pub fn expect_no_link_to_modules(name: &[u8], mode: u32) -> Result<()> {
    match mode == LINK && is_modules(last_part(name)) {
        false => Ok(()),
        true => {
            let name = String::from_utf8_lossy(name);
            Err(Error::denied(format!("{name:?} cannot be a symbolic link"))
                .with("rule", "symbolic link"))
        }
    }
}

/// Whether some file system takes this name for `.gitmodules`: HFS+ ignores case and some
/// characters, NTFS ignores case, trailing dots and spaces, streams, and has short names.
fn is_modules(part: &[u8]) -> bool {
    let text = String::from_utf8_lossy(part);
    let visible: String = text.chars().filter(|it| !is_ignored_by_hfs(*it)).collect();
    let visible = visible.to_lowercase();
    let stem = visible.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    if stem == ".gitmodules" {
        return true;
    }
    let Some((before, number)) = stem.split_once('~') else { return false };
    let is_number = !number.starts_with('0') && number.bytes().all(|it| it.is_ascii_digit());
    match before {
        "gitmod" => matches!(number, "1" | "2" | "3" | "4"),
        // Where these are taken there are four characters of a hash, and as many digits as fit.
        _ => stem.len() == 8 && is_number && "gi7eba".starts_with(before),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_of_gitmodules_is_a_link() {
        for name in [
            ".gitmodules",
            "a/.gitmodules",
            ".GITMODULES",
            ".gitmodules ",
            ".gitmodules. .",
            ".gitmodules:x",
            ".gitmod\u{200c}ules",
            "gitmod~1",
            "GITMOD~4 ",
            "gi7eba~1",
            "GI7EB~10",
            "~1234567",
        ] {
            assert!(expect_no_link_to_modules(name.as_bytes(), LINK).is_err(), "{name:?}");
            assert!(expect_no_link_to_modules(name.as_bytes(), 0o100_644).is_ok(), "{name:?}");
        }
        for name in [
            "gitmodules",
            ".gitmodules/x",
            ".gitmodule",
            "gitmod~5",
            "gitmod~10",
            "gi7eb~1",
            "gi7eba~0",
            "gi7eb~1x",
            ".gitattributes",
            ".gitignore",
            ".mailmap",
        ] {
            assert!(expect_no_link_to_modules(name.as_bytes(), LINK).is_ok(), "{name:?}");
        }
    }
}
