//! The folder that nothing is opened outside of, if the operator named one.

use std::{
    ffi::OsStr,
    fs,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    Remote, Repository, RepositoryPath,
    plain::{expect_plain, expect_plain_at, read},
};
use crate::error::{Error, Result};

/// Git follows as many alternates of alternates.
const ALTERNATES_MAX: usize = 5;

#[derive(Clone, Serialize, Deserialize)]
pub struct Root(Option<PathBuf>);

impl Root {
    /// The folder must exist.
    pub fn new(root: Option<&Path>) -> Result<Root> {
        let resolve = |root: &Path| match fs::canonicalize(root) {
            Ok(root) if root.is_dir() => Ok(root),
            Ok(root) => Err(Error::bad_request(format!("{} is no folder", root.display()))),
            Err(error) => Err(Error::from_io(format!("the root {}", root.display()), &error)),
        };
        Ok(Root(root.map(resolve).transpose()?))
    }

    pub fn folder(&self) -> Option<&Path> {
        self.0.as_deref()
    }

    /// Fails where `path`, or the folder it is to be made in, is outside.
    pub fn confine(&self, path: &RepositoryPath) -> Result<()> {
        match &self.0 {
            Some(root) if !path.resolved().starts_with(root) => Err(outside(path)),
            // A link that leads nowhere yet may lead out by the time it is used.
            Some(_) if path.is_symlink() && !path.exists() => Err(outside(path)),
            _ => Ok(()),
        }
    }

    /// A remote on this machine is as confined as any other path, and looked at like one.
    pub fn confine_remote(&self, remote: &Remote) -> Result<()> {
        if !remote.url.is_local() {
            return Ok(());
        }
        if self.0.is_some() {
            self.confine(&RepositoryPath::try_from(remote.url.as_str())?)?;
        }
        expect_plain_at(Path::new(remote.url.as_str()), self.folder())
    }

    /// Fails where a repository keeps anything outside, or writes its files there.
    pub fn confine_repository(&self, repository: &Repository) -> Result<()> {
        if self.0.is_none() {
            return Ok(());
        }
        self.confine_existing(repository.git_folder())?;
        self.confine_existing(repository.common_folder())?;
        if let Some(worktree) = repository.inner.workdir() {
            self.confine_existing(worktree)?;
        }
        expect_plain(repository.common_folder(), self.folder())?;
        expect_plain(repository.git_folder(), self.folder())?;
        self.confine_objects(&repository.common_folder().join("objects"), ALTERNATES_MAX)
    }

    fn confine_objects(&self, objects: &Path, levels: usize) -> Result<()> {
        self.confine_existing(objects)?;
        let alternates = read(&objects.join("info/alternates")).unwrap_or_default();
        for line in alternates.split(|it| *it == b'\n').filter(|it| !it.is_empty()) {
            let alternate = objects.join(OsStr::from_bytes(line));
            if levels == 0 {
                return Err(outside(&alternate));
            }
            if alternate.exists() {
                self.confine_objects(&alternate, levels - 1)?;
            }
        }
        Ok(())
    }

    fn confine_existing(&self, path: &Path) -> Result<()> {
        let Some(root) = &self.0 else { return Ok(()) };
        let path =
            fs::canonicalize(path).map_err(|error| Error::from_io(path.display(), &error))?;
        if path.starts_with(root) { Ok(()) } else { Err(outside(&path)) }
    }
}

pub fn outside(path: &Path) -> Error {
    let message = format!("{} is outside the root", path.display());
    Error::denied(message).with("rule", "root")
}
