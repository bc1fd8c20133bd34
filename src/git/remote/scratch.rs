//! A repository for the time of one order: what is in it is in no other one here.

use std::{collections::BTreeSet, fs, path::Path};

use git2::{ObjectType, RepositoryInitOptions};

use super::Beside;
use crate::{
    error::{Error, Result},
    git::{Repository, hash::parents_of},
};

pub(super) fn empty(folder: &Path) -> Result<Repository> {
    let mut options = RepositoryInitOptions::new();
    options.bare(true).external_template(false);
    Ok(Repository::from(git2::Repository::init_opts(folder, &options)?))
}

/// One with commits of its own, and with all that is in `other`.
pub(super) fn of(beside: &Beside, other: Option<&Repository>) -> Result<Repository> {
    let repository = empty(&beside.folder)?;
    let odb = repository.inner.odb()?;
    odb.write(ObjectType::Tree, b"")?;
    let (mut there, mut shallow) = (BTreeSet::new(), String::new());
    for commit in &beside.commits {
        let id = odb.write(ObjectType::Commit, commit)?;
        // The remote has what came before; here it would only be looked for in vain.
        if parents_of(commit).any(|it| !there.contains(&it)) {
            shallow.push_str(&format!("{id}\n"));
        }
        there.insert(id);
    }
    let write = |name: &str, content: &[u8]| {
        let file = beside.folder.join(name);
        fs::write(&file, content).map_err(|error| Error::from_io(file.display(), &error))
    };
    if let Some(other) = other {
        let objects = other.common_folder().join("objects");
        fs::create_dir_all(beside.folder.join("objects/info"))
            .map_err(|error| Error::from_io("making a folder", &error))?;
        write(
            "objects/info/alternates",
            &[objects.as_os_str().as_encoded_bytes(), b"\n"].concat(),
        )?;
        let ends = fs::read_to_string(other.common_folder().join("shallow"));
        shallow.push_str(&ends.unwrap_or_default());
    }
    if !shallow.is_empty() {
        write("shallow", shallow.as_bytes())?;
    }
    Repository::open_at(&beside.folder)
}
