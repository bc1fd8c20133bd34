//! Receipts of tasks: listed, shown, and whether they are right.

pub mod get;
pub mod list;
pub mod verify;

use std::time::Instant;

use super::{
    Context,
    run::{in_step, with_in},
};
use crate::{
    error::{Error, Result},
    git::{Opened, RepositoryPath, Transaction},
    runs::keeper::Keeper,
};

/// Works on the runs of a repository in a step of its own, before which all receipts are written.
pub fn with_all<T>(
    path: &RepositoryPath,
    context: &Context,
    work: impl FnOnce(&mut Keeper, &mut Transaction) -> Result<T>,
) -> Result<T> {
    alone(path, context, |keeper, transaction| {
        keeper.write_receipts(transaction)?;
        work(keeper, transaction)
    })
}

/// Works on the runs of a repository in a step of its own.
pub fn alone<T>(
    path: &RepositoryPath,
    context: &Context,
    work: impl FnOnce(&mut Keeper, &mut Transaction) -> Result<T>,
) -> Result<T> {
    in_step(path, context, |transaction| with_in(context, transaction, work))
}

/// The repository as it is after such a step.
pub fn opened<'s>(path: &RepositoryPath, context: &'s Context) -> Result<Opened<'s>> {
    context.store.open(path, Instant::now())
}

/// The whole id of a commit.
fn commit_id(id: &str, field: &'static str) -> Result<String> {
    let is_whole = id.len() == 40 && id.bytes().all(|it| it.is_ascii_hexdigit());
    match is_whole {
        true => Ok(id.to_ascii_lowercase()),
        false => Err(Error::bad_request(format!("`{field}` is the whole id of a commit"))
            .with("field", field)),
    }
}
