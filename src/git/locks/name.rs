//! The names of locks, and of the refs they are kept in: one can be told from the other.

use serde::Deserialize;

use crate::git::{percent, refs::LOCKS};

/// What a lock is called: any text of 1 to 200 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct LockName(String);

const BYTES_MAX: usize = 200;
/// With `.lock` behind it a part of a ref has to be the name of a file.
const PART_MAX: usize = 240;
/// Ends every part but the last, which never has it: so no lock's ref is another one's folder.
const MORE: char = '+';

impl LockName {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Letters, digits, `-` and `_` stand for themselves, every other byte is `%` and two digits.
    pub fn reference(&self) -> String {
        let (mut reference, mut part) = (LOCKS.to_owned(), 0);
        for byte in self.0.bytes() {
            if PART_MAX < part + 3 {
                reference.push(MORE);
                reference.push('/');
                part = 0;
            }
            let before = reference.len();
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => {
                    reference.push(char::from(byte));
                }
                _ => reference.push_str(&format!("%{byte:02X}")),
            }
            part += reference.len() - before;
        }
        reference
    }

    /// The lock that is kept in this ref, if any is.
    pub fn of_reference(reference: &str) -> Option<LockName> {
        let escaped = reference.strip_prefix(LOCKS)?.replace("+/", "");
        let name = LockName::try_from(percent::decode(&escaped)?).ok()?;
        // Another spelling would be another ref.
        (name.reference() == reference).then_some(name)
    }
}

impl TryFrom<String> for LockName {
    type Error = &'static str;

    fn try_from(name: String) -> Result<LockName, &'static str> {
        match name.len() {
            1..=BYTES_MAX if name.contains('\0') => Err("a text cannot have a NUL byte"),
            1..=BYTES_MAX => Ok(LockName(name)),
            _ => Err("the name of a lock has 1 to 200 bytes"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expect_round_trip(name: &str) {
        let name = LockName::try_from(name.to_owned()).unwrap();
        let reference = name.reference();
        assert!(git2::Reference::is_valid_name(&reference), "{reference}");
        for part in reference.split('/') {
            assert!(part.len() + ".lock".len() <= 255, "{part}");
            assert!(!part.ends_with(".lock") && !part.starts_with('.'), "{part}");
        }
        assert_eq!(LockName::of_reference(&reference), Some(name));
    }

    #[test]
    fn every_character_in_every_place_makes_a_ref_and_comes_back() {
        // Every byte that a text can have is in one of these.
        let bytes = (1..0x80).chain((0x80..0x800).step_by(7)).chain([0xffff, 0x10_ffff]);
        let wide = (0x800..0x11_0000).step_by(0x1000);
        for c in bytes.chain(wide).filter_map(char::from_u32) {
            for name in [format!("{c}"), format!("{c}a"), format!("a{c}"), format!("a{c}{c}b")] {
                expect_round_trip(&name);
            }
        }
    }

    #[test]
    fn names_that_git_would_refuse_or_mistake_are_names() {
        for name in [".", "..", "a.lock", ".lock", "@", "@{", "a//b", "/", "-", "+", "a+/b", "%41"]
        {
            expect_round_trip(name);
        }
        for length in [1, 79, 80, 81, 199, 200] {
            expect_round_trip(&"/".repeat(length));
            expect_round_trip(&"a".repeat(length));
        }
        expect_round_trip(&"ü".repeat(100));
    }

    #[test]
    fn no_ref_of_a_lock_is_the_folder_of_another() {
        let names: Vec<String> = (1..=200).map(|it| "/".repeat(it)).collect();
        let references: Vec<String> =
            names.into_iter().map(|it| LockName(it).reference()).collect();
        for one in &references {
            let folder = format!("{one}/");
            assert!(!references.iter().any(|it| it.starts_with(&folder)), "{one}");
        }
    }

    #[test]
    fn a_ref_that_no_lock_is_kept_in_is_none() {
        for rest in ["", "a/b", "%4", "%zz", "%41", "%61", "%FF", "a.b"] {
            assert_eq!(LockName::of_reference(&format!("{LOCKS}{rest}")), None, "{rest}");
        }
    }

    #[test]
    fn a_name_has_1_to_200_bytes_and_no_nul() {
        for name in [String::new(), "a".repeat(201), "a\0b".to_owned()] {
            assert!(LockName::try_from(name).is_err());
        }
    }
}
