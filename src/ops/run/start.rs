//! `run.start`: a published process, or one in a revision, begins to run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{actor, reason, run_id, which::Which, with_some_in};
use crate::{
    error::{Error, Result},
    git::{RawName, RepositoryPath, RunId, Transaction},
    ops::{
        Context, Lane, Operation,
        change::Encoding,
        json::Object,
        plain::Plain,
        process::{
            files::{self, Draft},
            place::{self, Place},
        },
    },
    process::gate::Named,
    runs::{
        keeper::Begin,
        policy::{Act, Action},
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
    /// The same in the request.
    drafts: Option<Vec<Draft>>,
    #[serde(default)]
    encoding: Encoding,
    /// The drafts, once they are read.
    #[serde(skip)]
    drafted: Option<Vec<Named>>,
    #[serde(default)]
    input: Object,
    #[serde(default)]
    attributes: BTreeMap<String, String>,
    actor: Option<Plain>,
    /// Why it is done where policies forbid it.
    #[serde(rename = "override")]
    reason: Option<Plain>,
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

    fn run(mut self, context: &Context) -> Result<Reply> {
        let run = self.run.as_ref().map(run_id).transpose()?;
        expect_attributes(&self.attributes)?;
        reason(self.reason.as_ref())?;
        let drafts = self.drafts.take().map(|it| files::of_request(it, self.encoding));
        self.drafted = drafts.transpose()?;
        self.which().expect_fit()?;
        super::in_step(&self.path, context, |it| self.start(run, context, it))
    }
}

impl Start {
    fn start(
        &self,
        run: Option<RunId>,
        context: &Context,
        transaction: &mut Transaction,
    ) -> Result<Reply> {
        let actor = actor(self.actor.as_ref(), "actor", transaction)?;
        with_some_in(context, transaction, |keeper, transaction| {
            run.iter().try_for_each(|it| keeper.look_for(it, transaction))?;
            let there = run.as_ref().and_then(|it| keeper.summary(it));
            if let (Some(there), Some(run)) = (there, &run) {
                self.expect_same(&there, context)?;
                keeper.be_begun_here(run);
                transaction.be_durable();
                return Ok(Reply::of(there, false));
            }
            let pinned = self.which().pinned(keeper, context)?;
            // None in a repository without commits; a tree or file has none either.
            let revision = match self.rev.as_deref() {
                Some(rev) => transaction.commit_named(rev).ok(),
                None => transaction.head_commit(),
            };
            let run = run.unwrap_or_else(RunId::new_one);
            keeper.expect_free(&run)?;
            let start = Act::of(Action::Start, &actor).of_process(&pinned.name);
            keeper.expect_allowed(start.because(self.reason.as_deref()))?;
            let (attributes, input) = (self.attributes.clone(), self.input.0.clone());
            let revision = revision.map(|it| it.to_string());
            let begin = Begin { run: run.clone(), pinned, attributes, revision, input, actor };
            keeper.be_begun_here(&run);
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
        // What it has migrated to since then nobody has asked for.
        let began = (there.version.clone(), there.digest.clone());
        let (version, began) = there.first.clone().unwrap_or(began);
        if let Some(pinned) = self.which().of_files(context)? {
            return match pinned.digest == began {
                true => Ok(()),
                false => other("definition", &pinned.digest, &began),
            };
        }
        let version = version.as_deref().unwrap_or_default();
        match self.which().selector()?.takes(version) {
            true => Ok(()),
            false => other("version", self.which().wanted(), version),
        }
    }

    fn which(&self) -> Which<'_> {
        let Start { path, process, version, prerelease, store, files, drafted, rev, .. } = self;
        Which {
            path,
            process: process.as_deref(),
            version: version.as_deref(),
            prerelease: *prerelease,
            store: store.as_ref(),
            files: files.as_deref(),
            drafted: drafted.as_deref(),
            rev: rev.as_deref(),
        }
    }
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
