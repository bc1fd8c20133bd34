//! Where published processes are kept: each version once, and for ever.

pub mod folder;
pub mod repository;
#[cfg(feature = "s3")]
pub mod s3;
#[cfg(not(feature = "s3"))]
#[path = "store/no_s3.rs"]
pub mod s3;

use std::hash::{BuildHasher, RandomState};

use semver::Version;

use super::{
    artifact::{Artifact, Name},
    selector::Selector,
};
use crate::error::{Error, Result};

/// What all stores promise: of those who publish a version at the same time one succeeds, and
/// every other is told whether its bytes are the ones published. What is published is on disk when
/// that is answered, and whole whenever it is there.
pub trait Store {
    fn publish(&self, artifact: &Artifact) -> Result<Published>;

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

/// The version that is wanted of a process.
pub fn find(store: &dyn Store, name: &Name, selector: &Selector) -> Result<Artifact> {
    let best = match selector {
        Selector::Exactly(version) => return store.get(name, version),
        Selector::Best(best) => best,
    };
    let versions = store.list(Some(name))?.into_iter().map(|(_, version)| version);
    match best.of(versions) {
        Some(version) => store.get(name, &version),
        None => Err(Error::not_found(format!("no version of `{name}` that will do is published"))),
    }
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
