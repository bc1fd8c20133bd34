//! Where published processes are kept: each version once, and for ever.

pub mod folder;
pub mod repository;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(not(feature = "s3"))]
#[path = "store/no_s3.rs"]
pub mod s3;

use std::{
    collections::BTreeSet,
    hash::{BuildHasher, RandomState},
};

use semver::Version;

use super::{
    artifact::{Artifact, Name},
    called::add_called,
    diagnostic::{brief, nearest},
    gate::Named,
    load,
    selector::Selector,
};
use crate::error::{Code, Error, Result};

/// What all stores promise: of those who publish a version at the same time one succeeds, and
/// every other is told whether its bytes are the ones published. What is published is on disk when
/// that is answered, and whole whenever it is there.
pub trait Store {
    fn publish(&self, artifact: &Artifact) -> Result<Published>;

    /// Fails where something that is not there may not be published, by who would publish it.
    fn expect_may_publish(&self, _: &Artifact) -> Result<()> {
        Ok(())
    }

    /// What was published; anything else is `corrupt`.
    fn get(&self, name: &Name, version: &Version) -> Result<Artifact>;

    /// What there is, of one process or of all, in no order.
    fn list(&self, name: Option<&Name>) -> Result<Vec<Listed>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    Now,
    /// The same bytes were published before.
    Before,
}

pub type Listed = (Name, Version);

/// What is wanted of a process.
pub fn find(store: &dyn Store, name: &Name, selector: &Selector) -> Result<Artifact> {
    store.get(name, &resolve(store, name, selector)?)
}

/// The version that is wanted of a process, whether it is there or not.
pub fn resolve(store: &dyn Store, name: &Name, selector: &Selector) -> Result<Version> {
    let best = match selector {
        Selector::Exactly(version) => return Ok(version.clone()),
        Selector::Best(best) => best,
    };
    let versions = store.list(Some(name))?.into_iter().map(|(_, version)| version);
    let none = || Error::not_found(format!("no version of `{name}` that will do is published"));
    best.of(versions).ok_or_else(none)
}

/// The file of a process that is called, as it was published in a store.
pub fn published(store: &dyn Store, name: &str, version: Option<&str>) -> Result<Option<Named>> {
    let (wanted, tries) = match version {
        Some(version) => (version, &[false][..]),
        // A pre-release is meant only where there is nothing else.
        None => ("latest", &[false, true][..]),
    };
    for has_prereleases in tries {
        let selector = Selector::new(wanted, *has_prereleases);
        // What can be no name or version is for lint to say.
        let (Ok(name), Ok(selector)) = (Name::new(name), selector) else { return Ok(None) };
        match find(store, &name, &selector) {
            Ok(artifact) => {
                return Ok(Some((artifact.name.file(&artifact.version), artifact.bytes)));
            }
            Err(error) if error.code == Code::NotFound => (),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// A file, and those of the processes that it calls.
pub fn with_called(file: Named, store: &dyn Store) -> Result<Vec<Named>> {
    let mut read = vec![load::read(&file.0, &file.1)];
    let lookup = |name: &str, version: Option<&str>| published(store, name, version);
    let mut files = add_called(&mut read, &lookup)?;
    files.insert(0, file);
    Ok(files)
}

/// As many versions are told to who asks for another one.
const TOLD_MAX: usize = 5;

/// The error of who asked for what is not there, with what is there instead.
pub fn instead(store: &dyn Store, name: &Name, wanted: &str, error: Error) -> Error {
    if error.code != Code::NotFound {
        return error;
    }
    let Ok(listed) = store.list(Some(name)) else { return error };
    let mut versions: Vec<Version> = listed.into_iter().map(|(_, version)| version).collect();
    versions.sort_unstable();
    let older = versions.len().saturating_sub(TOLD_MAX);
    let told: Vec<String> = versions[older..].iter().map(Version::to_string).collect();
    if told.is_empty() {
        let all = store.list(None).unwrap_or_default();
        let names: BTreeSet<&str> = all.iter().map(|it| it.0.as_str()).collect();
        let near = nearest(name.as_str(), names);
        let meant = near.map(|it| format!(": `{it}` is meant?")).unwrap_or_default();
        return Error::not_found(format!("no process `{name}` is published here{meant}"));
    }
    let there = match versions.len() {
        _ if versions.iter().all(|it| !it.pre.is_empty()) => "there are pre-releases alone:",
        1 => "there is",
        _ => "there are",
    };
    let (told, wanted) = (told.join(", "), brief(wanted));
    let more = if older == 0 { "" } else { " and older ones" };
    Error::not_found(format!("`{name}` has no version `{wanted}`; {there} {told}{more}"))
}

/// Tells what is written at the same time apart.
fn random() -> String {
    let once = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", once(), once())
}

/// What is said of a version that is not there.
fn missing(name: &Name, version: &Version) -> Error {
    Error::not_found(format!("{name} {version} is not published"))
}
