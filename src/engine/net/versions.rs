//! Which of several processes of one name a call means.

use semver::{Version, VersionReq};

use crate::engine::definition::{Definition, work::Call};

/// The number of the process that is called: of its version, the highest in a range, or the newest.
///
/// Without a version a process that calls itself means itself. A pre-release is meant only by who
/// names one, or where there is nothing else.
pub fn called(call: &Call, caller: &Definition, known: &[&Definition]) -> Option<usize> {
    let name = call.process_name();
    let is_named = |it: &usize| known[*it].process_name == name;
    // Of two that are the same the first is meant, and `max` gives the last.
    let named = || (0..known.len()).rev().filter(is_named);
    let Some(wanted) = call.process_version() else {
        let myself = named().find(|it| std::ptr::eq(known[*it], caller));
        let age = |it: &usize| {
            let version = version_of(known[*it].process_version.as_deref()?);
            version.map(|it| (it.pre.is_empty(), it))
        };
        return myself.or_else(|| named().max_by_key(age));
    };
    let is_written = |it: &usize| known[*it].process_version.as_deref() == Some(wanted);
    let versions =
        || named().filter_map(|it| Some((version_of(known[it].process_version.as_deref()?)?, it)));
    named().rfind(is_written).or_else(|| match Wanted::of(wanted).ok()? {
        Wanted::Exactly(wanted) => versions().rfind(|it| it.0 == wanted).map(|it| it.1),
        Wanted::Best(range) => {
            let fitting = versions().filter(|it| range.matches(&it.0));
            fitting.max_by(|a, b| a.0.cmp(&b.0)).map(|it| it.1)
        }
    })
}

/// A version, a range such as `^1.2`, or `latest`.
pub enum Wanted {
    Exactly(Version),
    Best(VersionReq),
}

impl Wanted {
    pub fn of(text: &str) -> Result<Wanted, semver::Error> {
        match (text, Version::parse(text)) {
            ("latest", _) => Ok(Wanted::Best(VersionReq::STAR)),
            (_, Ok(version)) => Ok(Wanted::Exactly(version)),
            (_, Err(_)) => VersionReq::parse(text).map(Wanted::Best),
        }
    }
}

/// The version of a process, also where the last of its numbers are not said.
fn version_of(text: &str) -> Option<Version> {
    let missing = 2_usize.saturating_sub(text.matches('.').count());
    Version::parse(text)
        .or_else(|_| Version::parse(&(text.to_owned() + &".0".repeat(missing))))
        .ok()
}

#[cfg(test)]
mod tests;
