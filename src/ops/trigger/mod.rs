//! What starts runs by itself: told, tried, paused.

pub mod list;
pub mod pause;
pub mod resume;
pub mod test;

use std::{path::Path, time::Instant};

use serde::{Deserialize, Serialize};

use super::{Context, plain::Plain, run};
use crate::{
    error::{Error, Result},
    git::{RepositoryPath, Transaction},
    process::store::repository::{InRepository, Publisher},
    runs::{
        keeper::Keeper,
        trigger::watch::{Glance, Watcher},
    },
};

/// Works on what is known of the triggers of a repository, and on its runs.
fn with<T>(
    context: &Context,
    transaction: &mut Transaction,
    work: impl FnOnce(&mut Watcher, &mut Keeper, &InRepository, &mut Transaction) -> Result<T>,
) -> Result<T> {
    let folder = transaction.repository().common_folder().to_owned();
    let path = RepositoryPath::resolved_to(&folder);
    let source = source(context, &path);
    let watcher = context.runs.watchers.of(&folder);
    let mut watcher = watcher.lock().map_err(|_| Error::internal("a bug ended another request"))?;
    let done = run::with_some_in(context, transaction, |keeper, transaction| {
        work(&mut watcher, keeper, &source, transaction)
    });
    done.inspect_err(|_| watcher.doubt())
}

fn source<'a>(context: &'a Context, path: &'a RepositoryPath) -> InRepository<'a> {
    let (store, watch) = (context.store, context.watch);
    InRepository { store, path, asked: Instant::now(), watch, publisher: Publisher::Nobody }
}

/// Whether triggers of a repository have anything to do.
pub fn glance(context: &Context, folder: &Path) -> Result<Glance> {
    let path = RepositoryPath::resolved_to(folder);
    context.runs.watchers.glance(folder, &source(context, &path))
}

/// Has them do it.
pub fn look(context: &Context) -> Result<()> {
    look_in(context, &mut context.transaction())
}

fn look_in(context: &Context, transaction: &mut Transaction) -> Result<()> {
    let savepoint = transaction.savepoint();
    let looked = with(context, transaction, |watcher, keeper, source, transaction| {
        watcher.look(keeper, source, transaction)
    });
    looked.inspect_err(|_| transaction.go_back(&savepoint))
}

/// Has triggers that were just published start what happens from now on.
pub fn begin_to_watch(path: &RepositoryPath, context: &Context) {
    let looked = context.store.change_alone(path, context.watch, |it| look_in(context, it));
    if let Err(error) = looked {
        // What began may not be in Git; and it is looked at again soon.
        context.runs.doubt();
        log::warn!("{}: {error}", path.display());
    }
}

/// A trigger of a repository.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    path: RepositoryPath,
    process: Plain,
    trigger: Plain,
}

/// Whether it may start something.
#[derive(Serialize)]
pub struct Paused {
    process: String,
    trigger: String,
    paused: bool,
}

impl Which {
    /// Pauses or resumes it, after all that happened before.
    fn set(&self, paused: bool, context: &Context) -> Result<Paused> {
        let mut transaction = context.transaction();
        with(context, &mut transaction, |watcher, keeper, source, transaction| {
            watcher.look(keeper, source, transaction)?;
            watcher.pause(&self.process, &self.trigger, paused, transaction)?;
            transaction.be_durable();
            let (process, trigger) = (self.process.to_string(), self.trigger.to_string());
            Ok(Paused { process, trigger, paused })
        })
    }
}
