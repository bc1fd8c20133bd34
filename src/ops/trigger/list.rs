//! `trigger.list`: what starts runs in a repository, and when it last did.

use serde::{Deserialize, Serialize};

use super::with;
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{Context, Lane, Operation},
    runs::trigger::view::Shown,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    path: RepositoryPath,
}

#[derive(Serialize)]
pub struct Reply {
    triggers: Vec<Shown>,
}

impl Operation for List {
    const NAME: &'static str = "trigger.list";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let mut transaction = context.transaction();
        with(context, &mut transaction, |watcher, _, source, transaction| {
            watcher.read(source, transaction)?;
            transaction.be_durable();
            Ok(Reply { triggers: watcher.shown() })
        })
    }
}
