//! Where operations run, and what they wait for.

use std::path::PathBuf;

use crate::git::Wait;

pub enum Lane {
    /// Answered where it was read: takes microseconds and waits for nothing.
    Quick,
    /// Side by side with everything.
    Read(PathBuf),
    /// The same, but it may take long: shorter ones do not wait behind it.
    Search(PathBuf),
    /// The same, of no repository in particular.
    Survey,
    /// One after the other for each repository, in the order they came.
    Write(PathBuf),
    /// The same, but those that wait together are one durable step.
    Change(PathBuf),
    /// In a child that can be killed; in the order of writes where it writes a repository.
    Network(Option<PathBuf>),
    /// In such a child, side by side with what uses the repository.
    Send(PathBuf),
}

impl Lane {
    /// The repository that this is about.
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Lane::Read(path) | Lane::Search(path) | Lane::Send(path) => Some(path),
            Lane::Write(path) | Lane::Change(path) => Some(path),
            Lane::Network(path) => path.as_ref(),
            Lane::Quick | Lane::Survey => None,
        }
    }

    /// The repository that nobody else may write meanwhile.
    pub fn written(&self) -> Option<&PathBuf> {
        match self {
            Lane::Write(path) | Lane::Change(path) | Lane::Network(Some(path)) => Some(path),
            Lane::Quick | Lane::Survey | Lane::Network(None) => None,
            Lane::Read(_) | Lane::Search(_) | Lane::Send(_) => None,
        }
    }
}

/// What a request waits for.
pub enum Pause {
    Lock(Wait),
    /// Something to do in the repository with this common folder, until a time since this boot.
    Task {
        folder: PathBuf,
        gives_up_ms: u64,
    },
}

/// What a client is sent that waits for one thing after the other.
pub enum Next<T> {
    Sent(T),
    Wait(Pause),
}
