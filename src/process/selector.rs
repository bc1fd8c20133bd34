//! Which of the published versions of a process is wanted.

use semver::{Prerelease, Version, VersionReq};

use super::artifact::version_of;
use crate::{
    engine::net::versions::Wanted,
    error::{Error, Result},
};

#[derive(Debug)]
pub enum Selector {
    Exactly(Version),
    Best(Best),
}

/// The highest version in a range.
#[derive(Debug)]
pub struct Best {
    range: VersionReq,
    has_prereleases: bool,
}

impl Selector {
    /// A version, a range as `^1.2`, or `latest`.
    pub fn new(text: &str, has_prereleases: bool) -> Result<Selector> {
        match Wanted::of(text) {
            Ok(Wanted::Exactly(_)) => version_of(text).map(Selector::Exactly),
            Ok(Wanted::Best(range)) => Ok(Selector::Best(Best { range, has_prereleases })),
            Err(error) => {
                let message = format!("`{text}` is no version, no range and not `latest`: {error}");
                Err(Error::bad_request(message).with("field", "version"))
            }
        }
    }
}

impl Selector {
    /// Whether a version is one that will do.
    pub fn takes(&self, version: &str) -> bool {
        let Ok(version) = version_of(version) else { return false };
        match self {
            Selector::Exactly(wanted) => *wanted == version,
            Selector::Best(best) => best.has(&version),
        }
    }
}

impl Best {
    pub fn of(&self, versions: impl Iterator<Item = Version>) -> Option<Version> {
        versions.filter(|it| self.has(it)).max()
    }

    fn has(&self, version: &Version) -> bool {
        let release = Version { pre: Prerelease::EMPTY, ..version.clone() };
        // A range that names a pre-release asks for those of the same three numbers.
        self.range.matches(version) || self.has_prereleases && self.range.matches(&release)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, has_prereleases: bool, wanted: &str) {
        let versions =
            ["1.0.0", "1.2.0", "1.2.9", "1.10.0", "1.11.0-rc.1", "2.0.0-rc.2", "2.0.0-rc.10"];
        let versions = versions.into_iter().map(|it| Version::parse(it).unwrap());
        let Selector::Best(best) = Selector::new(text, has_prereleases).unwrap() else {
            panic!("{text} is one version");
        };
        let picked = best.of(versions);
        assert_eq!(picked.map_or("none".to_owned(), |it| it.to_string()), wanted, "{text}");
    }

    #[test]
    fn the_highest_that_will_do_is_picked_and_no_prerelease_unless_asked_for() {
        check("latest", false, "1.10.0");
        check("latest", true, "2.0.0-rc.10");
        check("^1.2", false, "1.10.0");
        check("^1.2", true, "1.11.0-rc.1");
        check("~1.2", false, "1.2.9");
        check("1", false, "1.10.0");
        check(">=1.2, <1.10", false, "1.2.9");
        check("*", false, "1.10.0");
        check(">=2.0.0-rc.1", false, "2.0.0-rc.10");
        check("=1.2.0", false, "1.2.0");
        check("^3", true, "none");
    }

    #[test]
    fn what_is_none_of_these_is_a_bad_request() {
        for text in ["", "newest", "1.2.3.4", "v1", "^x.y-", "1.0.0+a b", "1.0.0+a"] {
            let error = Selector::new(text, false).unwrap_err();
            assert_eq!(error.code, crate::error::Code::BadRequest, "{text}");
        }
    }
}
