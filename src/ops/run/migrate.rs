//! `run.migrate`: a run goes on by another definition of its process.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Taken, actor, reason, run_id, which::Which, with_some_in};
use crate::{
    error::Result,
    git::{RawName, RepositoryPath, RunId, Transaction},
    ops::{
        Context, Lane, Operation,
        plain::Plain,
        process::place::{self, Place},
    },
    runs::policy::{Act, Action},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Migrate {
    path: RepositoryPath,
    run: Plain,
    version: Option<Plain>,
    #[serde(default)]
    prerelease: bool,
    store: Option<Place>,
    /// The definition in the repository, and those that it calls.
    files: Option<Vec<RawName>>,
    rev: Option<Plain>,
    /// Steps that have another name there: the new ones by the old ones.
    #[serde(default)]
    steps: BTreeMap<String, String>,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
}

impl Operation for Migrate {
    const NAME: &'static str = "run.migrate";

    type Reply = Taken;

    fn lane(&self) -> Lane {
        match &self.store {
            // What is fetched from elsewhere keeps nobody waiting.
            Some(_) => place::lane(self.store.as_ref(), Some(&self.path)),
            None => Lane::Change(self.path.resolved()),
        }
    }

    fn run(self, context: &Context) -> Result<Taken> {
        let run = run_id(&self.run)?;
        let reason = reason(self.reason.as_ref())?;
        super::in_step(&self.path, context, |it| self.migrate((&run, reason), context, it))
    }
}

impl Migrate {
    fn migrate(
        &self,
        (run, reason): (&RunId, Option<&str>),
        context: &Context,
        transaction: &mut Transaction,
    ) -> Result<Taken> {
        let actor = actor(self.actor.as_ref(), "actor", transaction)?;
        with_some_in(context, transaction, |keeper, transaction| {
            keeper.look_for(run, transaction)?;
            keeper.expect_allowed(Act::of(Action::Migrate, &actor).on(run).because(reason))?;
            let process = keeper.run(run)?.birth.process.clone();
            let Migrate { path, version, prerelease, store, files, rev, .. } = self;
            let which = Which {
                path,
                process: Some(&process),
                version: version.as_deref(),
                prerelease: *prerelease,
                store: store.as_ref(),
                files: files.as_deref(),
                drafted: None,
                rev: rev.as_deref(),
            };
            which.expect_fit()?;
            let pinned = which.pinned(keeper, context)?;
            let happened = keeper.migrate(run, &actor, pinned, self.steps.clone(), transaction)?;
            transaction.be_durable();
            Taken::of(run, &happened, keeper)
        })
    }
}
