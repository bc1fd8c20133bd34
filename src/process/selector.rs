//! Which version of a process is wanted.

use semver::{Prerelease, Version, VersionReq};

use super::artifact::version_of;
use crate::error::{Error, Result};

#[derive(Debug)]
pub enum Selector {
    Exactly(Version),
    Best { range: VersionReq, has_prereleases: bool },
}

impl Selector {
    /// A version, a range as `^1.2`, or `latest`.
    pub fn new(text: &str, has_prereleases: bool) -> Result<Selector> {
        if text == "latest" {
            return Ok(Selector::Best { range: VersionReq::STAR, has_prereleases });
        }
        if let Ok(version) = version_of(text) {
            return Ok(Selector::Exactly(version));
        }
        let range = VersionReq::parse(text).map_err(|error| {
            let message = format!("`{text}` is no version, no range and not `latest`: {error}");
            Error::bad_request(message).with("field", "version")
        })?;
        Ok(Selector::Best { range, has_prereleases })
    }

    /// The highest of the versions that will do.
    pub fn pick(&self, versions: impl Iterator<Item = Version>) -> Option<Version> {
        match self {
            Selector::Exactly(wanted) => versions.into_iter().find(|it| it == wanted),
            Selector::Best { range, has_prereleases } => {
                versions.filter(|it| will_do(it, range, *has_prereleases)).max()
            }
        }
    }
}

fn will_do(version: &Version, range: &VersionReq, has_prereleases: bool) -> bool {
    let release = Version { pre: Prerelease::EMPTY, ..version.clone() };
    // A range that names a pre-release asks for those of the same three numbers.
    range.matches(version) || has_prereleases && range.matches(&release)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, has_prereleases: bool, wanted: &str) {
        let versions =
            ["1.0.0", "1.2.0", "1.2.9", "1.10.0", "1.11.0-rc.1", "2.0.0-rc.2", "2.0.0-rc.10"];
        let versions = versions.into_iter().map(|it| Version::parse(it).unwrap());
        let picked = Selector::new(text, has_prereleases).unwrap().pick(versions);
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
        check("1.2.0", false, "1.2.0");
        check("2.0.0-rc.2", false, "2.0.0-rc.2");
        check("1.2.1", false, "none");
    }

    #[test]
    fn what_is_none_of_these_is_a_bad_request() {
        for text in ["", "newest", "1.2.3.4", "v1", "^x.y-", "1.0.0+a b"] {
            let error = Selector::new(text, false).unwrap_err();
            assert_eq!(error.code, crate::error::Code::BadRequest, "{text}");
        }
    }
}
