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
        called::add_called,
        gate::Named,
        load,
        selector::Selector,
        store::{Store, instead, published, repository, resolve},
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
    pub rev: Option<&'a str>,
}

impl Which<'_> {
    pub fn expect_fit(&self) -> Result<()> {
        let bad = |message: &str, field: &'static str| {
            Err(Error::bad_request(message).with("field", field))
        };
        match (&self.files, &self.process) {
            (None, None) => {
                bad("`process` says what to run, or `files` of the repository", "process")
            }
            (Some(_), _) if self.store.is_some() => {
                bad("`files` are of the repository, and no `store` has them", "store")
            }
            (Some(_), _) if self.version.is_some() => {
                bad("`version` is of a published process; `rev` says which files", "version")
            }
            (Some(_), _) if self.prerelease => {
                bad("`prerelease` is of a published process", "prerelease")
            }
            (None, _) if self.rev.is_some() => bad("`rev` is of `files`", "rev"),
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
        if self.files.is_some() {
            return self.of_files(context);
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

    pub fn of_files(&self, context: &Context) -> Result<Arc<Pinned>> {
        let names = self.files.unwrap_or_default();
        let rev = self.rev.unwrap_or("HEAD");
        let files = files::of_repository(self.path, Some(rev), names, context)?;
        Pinned::fetched(files, self.process, None)
    }
}

/// A file, and those of the processes that it calls.
fn with_called(file: Named, store: &dyn Store) -> Result<Vec<Named>> {
    let mut read = vec![load::read(&file.0, &file.1)];
    let lookup = |name: &str, version: Option<&str>| published(store, name, version);
    let mut files = add_called(&mut read, &lookup)?;
    files.insert(0, file);
    Ok(files)
}

fn as_process(error: Error) -> Error {
    Error::bad_request(error.message).with("field", "process")
}
