//! `run.start`: a published process, or one in a revision, begins to run.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{actor, run_id, with_in};
use crate::{
    error::{Error, Result},
    git::{RawName, RepositoryPath, RunId, Transaction},
    ops::{
        Context, Lane, Operation,
        json::Object,
        plain::Plain,
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
    runs::{
        keeper::{Begin, Keeper},
        pinned::Pinned,
        run::input_digest,
        view::Summary,
    },
};

const ATTRIBUTES_MAX: usize = 50;
const ATTRIBUTE_BYTES_MAX: usize = 500;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Start {
    path: RepositoryPath,
    run: Option<Plain>,
    process: Option<Plain>,
    version: Option<Plain>,
    #[serde(default)]
    prerelease: bool,
    store: Option<Place>,
    /// A definition in the repository, and those that it calls.
    files: Option<Vec<RawName>>,
    rev: Option<Plain>,
    #[serde(default)]
    input: Object,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    actor: Option<Plain>,
}

#[derive(Serialize)]
pub struct Reply {
    run: String,
    process: String,
    version: Option<String>,
    digest: String,
    status: &'static str,
    /// The newest commit of the run.
    commit: String,
    /// Whether it began now.
    created: bool,
}

impl Operation for Start {
    const NAME: &'static str = "run.start";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        match &self.store {
            // What is fetched from elsewhere keeps nobody waiting.
            Some(_) => place::lane(self.store.as_ref(), Some(&self.path)),
            None => Lane::Change(self.path.resolved()),
        }
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let run = self.run.as_ref().map(run_id).transpose()?;
        expect_attributes(&self.attributes)?;
        self.expect_fit()?;
        match context.transaction {
            Some(transaction) => {
                let transaction = &mut *transaction.borrow_mut();
                self.start(run, context, transaction)
            }
            None => {
                let started = context
                    .store
                    .change_alone(&self.path, context.watch, |it| self.start(run, context, it));
                // What began may not be in Git.
                started.inspect_err(|_| context.runs.doubt())
            }
        }
    }
}

impl Start {
    fn expect_fit(&self) -> Result<()> {
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

    fn start(
        &self,
        run: Option<RunId>,
        context: &Context,
        transaction: &mut Transaction,
    ) -> Result<Reply> {
        let actor = actor(self.actor.as_ref(), "actor", transaction)?;
        with_in(context, transaction, |keeper, transaction| {
            let there = run.as_ref().and_then(|it| keeper.summary(it));
            if let Some(there) = there {
                self.expect_same(&there, context)?;
                transaction.be_durable();
                return Ok(Reply::of(there, false));
            }
            let pinned = self.pinned(keeper, context)?;
            let run = run.unwrap_or_else(RunId::new_one);
            keeper.expect_free(&run)?;
            let (attributes, input) = (self.attributes.clone(), self.input.0.clone());
            let begin = Begin { run: run.clone(), pinned, attributes, input, actor };
            keeper.begin(begin, transaction)?;
            transaction.be_durable();
            let summary = keeper.summary(&run).ok_or_else(|| Error::internal("a run is gone"))?;
            Ok(Reply::of(summary, true))
        })
    }

    /// Fails where a run of this id is another one than what is asked for.
    fn expect_same(&self, there: &Summary, context: &Context) -> Result<()> {
        let other = |what: &str, expected: &str, actual: &str| {
            let message = format!("the run `{}` is there, with another {what}", there.run);
            Err(Error::conflict(message).with("expected", expected).with("actual", actual))
        };
        if let Some(process) = self.process.as_deref().filter(|it| **it != there.process) {
            return other("process", process, &there.process);
        }
        let digest = input_digest(&self.input.0);
        if digest != there.input {
            return other("input", &digest, &there.input);
        }
        if self.files.is_some() {
            let pinned = self.of_files(context)?;
            return match pinned.digest == there.digest {
                true => Ok(()),
                false => other("definition", &pinned.digest, &there.digest),
            };
        }
        let version = there.version.as_deref().unwrap_or_default();
        match self.selector()?.takes(version) {
            true => Ok(()),
            false => other("version", self.wanted(), version),
        }
    }

    fn wanted(&self) -> &str {
        self.version.as_deref().unwrap_or("latest")
    }

    fn selector(&self) -> Result<Selector> {
        Selector::new(self.wanted(), self.prerelease)
    }

    fn pinned(&self, keeper: &mut Keeper, context: &Context) -> Result<Arc<Pinned>> {
        if self.files.is_some() {
            return self.of_files(context);
        }
        let wanted = self.process.as_deref().unwrap_or_default();
        let (name, selector) = (Name::new(wanted).map_err(as_process)?, self.selector()?);
        let in_repository = self.store.is_none().then_some(&self.path);
        let store = place::to_read(self.store.as_ref(), in_repository, context)?;
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

    fn of_files(&self, context: &Context) -> Result<Arc<Pinned>> {
        let names = self.files.as_deref().unwrap_or_default();
        let rev = self.rev.as_deref().unwrap_or("HEAD");
        let files = files::of_repository(&self.path, Some(rev), names, context)?;
        Pinned::fetched(files, self.process.as_deref(), None)
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

fn expect_attributes(attributes: &BTreeMap<String, String>) -> Result<()> {
    let bad = |message: String| Err(Error::bad_request(message).with("field", "attributes"));
    if ATTRIBUTES_MAX < attributes.len() {
        return bad(format!("a run has at most {ATTRIBUTES_MAX} attributes"));
    }
    for (name, value) in attributes {
        let is_name = !name.is_empty()
            && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it));
        let is_value = !value.contains(char::is_control) && value.trim() == value;
        if !is_name || !is_value || ATTRIBUTE_BYTES_MAX < name.len() + value.len() {
            return bad(format!(
                "`{name}`: an attribute is called by letters, digits, `-`, `_` and `.`, and its \
                 value is one line; both have at most {ATTRIBUTE_BYTES_MAX} bytes"
            ));
        }
    }
    Ok(())
}

impl Reply {
    fn of(it: Summary, created: bool) -> Reply {
        let Summary { run, process, version, digest, status, commit, .. } = it;
        Reply { run, process, version, digest, status, commit, created }
    }
}
