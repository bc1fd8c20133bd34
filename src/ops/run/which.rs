//! The arguments that say which process a run follows: a published one, or one of a revision.

use std::sync::Arc;

use crate::{
    error::{Error, Result},
    git::{RawName, RepositoryPath},
    ops::{
        Context,
        process::{
            files,
            place::{self, Place},
        },
    },
    process::{
        artifact::Name,
        gate::Named,
        selector::Selector,
        store::{instead, repository, resolve, with_called},
    },
    runs::{keeper::Keeper, pinned::Pinned},
};

pub struct Which<'a> {
    pub path: &'a RepositoryPath,
    pub process: Option<&'a str>,
    pub version: Option<&'a str>,
    pub prerelease: bool,
    pub store: Option<&'a Place>,
    /// A definition in the repository, and those that it calls.
    pub files: Option<&'a [RawName]>,
    /// The same in the request.
    pub drafted: Option<&'a [Named]>,
    pub rev: Option<&'a str>,
}

impl Which<'_> {
    pub fn expect_fit(&self) -> Result<()> {
        let bad = |message: &str, field: &'static str| {
            Err(Error::bad_request(message).with("field", field))
        };
        let is_published = self.files.is_none() && self.drafted.is_none();
        match &self.process {
            _ if self.files.is_some() && self.drafted.is_some() => {
                bad("either `files` of the repository or `drafts` are what to run", "drafts")
            }
            None if is_published => {
                bad("`process` says what to run, or `files` of the repository", "process")
            }
            _ if !is_published && self.store.is_some() => {
                bad("`files` are of the repository, and no `store` has them", "store")
            }
            _ if !is_published && self.version.is_some() => {
                bad("`version` is of a published process; `rev` says which files", "version")
            }
            _ if !is_published && self.prerelease => {
                bad("`prerelease` is of a published process", "prerelease")
            }
            _ if self.files.is_none() && self.rev.is_some() => bad("`rev` is of `files`", "rev"),
            _ => Ok(()),
        }
    }

    pub fn wanted(&self) -> &str {
        self.version.unwrap_or("latest")
    }

    pub fn selector(&self) -> Result<Selector> {
        Selector::new(self.wanted(), self.prerelease)
    }

    pub fn pinned(&self, keeper: &mut Keeper, context: &Context) -> Result<Arc<Pinned>> {
        if let Some(pinned) = self.of_files(context)? {
            return Ok(pinned);
        }
        let wanted = self.process.unwrap_or_default();
        let (name, selector) = (Name::new(wanted).map_err(as_process)?, self.selector()?);
        let in_repository = self.store.is_none().then_some(self.path);
        let store = place::to_read(self.store, in_repository, context)?;
        let none = |error| instead(&*store, &name, self.wanted(), error);
        let version = resolve(&*store, &name, &selector).map_err(none)?;
        let tag = match in_repository {
            Some(path) => repository::identity(&*context.open(path)?, &name, &version)?,
            None => None,
        };
        if let Some(known) = tag.and_then(|it| keeper.known(it)) {
            return Ok(known);
        }
        let artifact = store.get(&name, &version).map_err(none)?;
        let file = (artifact.name.file(&artifact.version), artifact.bytes);
        let files = with_called(file, &*store)?;
        let is_alone = files.len() == 1;
        let pinned = Pinned::fetched(files, Some(wanted), Some(&version.to_string()))?;
        // What others call may be another version by the next time.
        if let Some(tag) = tag.filter(|_| is_alone) {
            keeper.know(tag, pinned.clone());
        }
        Ok(pinned)
    }

    /// What `files` or `drafts` say, where there are such.
    pub fn of_files(&self, context: &Context) -> Result<Option<Arc<Pinned>>> {
        let files = match (self.drafted, self.files) {
            (Some(drafted), _) => drafted.to_vec(),
            (None, Some(names)) => {
                let rev = self.rev.unwrap_or("HEAD");
                files::of_repository(self.path, Some(rev), names, context)?
            }
            (None, None) => return Ok(None),
        };
        Pinned::fetched(files, self.process, None).map(Some)
    }
}

fn as_process(error: Error) -> Error {
    Error::bad_request(error.message).with("field", "process")
}
