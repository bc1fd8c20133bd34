//! `trigger.test`: which triggers a commit would fire, and of the others the first condition that
//! does not hold.

use serde::{Deserialize, Serialize};

use super::with;
use crate::{
    error::{Error, Result},
    git::{BRANCHES, NO_ID, RawName, Repository, RepositoryPath, TAGS, Watched, in_full},
    ops::{Context, Lane, Operation, plain::Plain, process::files},
    process::load,
    runs::trigger::{
        happened::{Look, Moved},
        published::{Rule, rules},
        view::{TestedCommit, tested},
        watch::allowed,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    path: RepositoryPath,
    rev: Option<Plain>,
    /// The branch or tag that it comes to.
    #[serde(rename = "ref")]
    reference: Option<Plain>,
    /// Where that was.
    before: Option<Plain>,
    process: Option<Plain>,
    /// Definitions at the revision, instead of those that are published.
    files: Option<Vec<RawName>>,
}

#[derive(Serialize)]
pub struct Reply {
    commits: Vec<TestedCommit>,
}

impl Operation for Test {
    const NAME: &'static str = "trigger.test";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let drafts = self.drafts(context)?;
        let repository = context.open(&self.path)?;
        let mut transaction = context.transaction();
        with(context, &mut transaction, |watcher, _, source, transaction| {
            let now = watcher.read(source, transaction)?;
            transaction.be_durable();
            let moved = self.moved(&repository, &now)?;
            let mut seen = now.clone();
            match moved.before {
                Some(before) => drop(seen.insert(moved.reference.clone(), before)),
                None => drop(seen.remove(&moved.reference)),
            }
            let mut after = now;
            after.insert(moved.reference.clone(), moved.after);
            let process = self.process.as_deref();
            let published = || watcher.rules(process);
            let rules: Vec<&Rule> = match &drafts {
                Some(drafts) => drafts.iter().collect(),
                None => published(),
            };
            if let Some(process) = process.filter(|_| rules.is_empty()) {
                return Err(Error::not_found(format!("no process `{process}` has triggers here")));
            }
            let look = Look {
                repository: &repository,
                seen: &seen,
                now: &after,
                allowed: allowed(source, &repository),
                watch: context.watch,
            };
            Ok(Reply { commits: tested(&rules, &look, &[moved])? })
        })
    }
}

impl Test {
    fn rev(&self) -> &str {
        self.rev.as_deref().unwrap_or("HEAD")
    }

    /// The triggers of files, where these are asked for.
    fn drafts(&self, context: &Context) -> Result<Option<Vec<Rule>>> {
        let Some(names) = &self.files else { return Ok(None) };
        let files = files::of_repository(&self.path, Some(self.rev()), names, context)?;
        let mut all = Vec::new();
        for (name, bytes) in files {
            let file = load::read(&name, &bytes);
            if !file.diagnostics.is_empty() {
                return Err(load::refused(&file.diagnostics));
            }
            all.extend(file.loaded.iter().flat_map(|it| rules(&it.definition)));
        }
        let process = self.process.as_deref();
        all.retain(|it| process.is_none_or(|process| it.process == process));
        Ok(Some(all))
    }

    /// What is to be looked at: a ref that comes to a commit.
    fn moved(&self, repository: &Repository, refs: &Watched) -> Result<Moved> {
        let commit = repository.commit(self.rev())?;
        let bad = |message: String, field: &'static str| {
            Err(Error::bad_request(message).with("field", field))
        };
        let reference = match &self.reference {
            Some(name) => in_full(name),
            None => match named(self.rev(), repository, refs) {
                Some(name) => name,
                None => {
                    let rev = self.rev();
                    let message =
                        format!("`{rev}` is no branch and no tag: `ref` says which it is");
                    return bad(message, "ref");
                }
            },
        };
        let is_tag = reference.starts_with(TAGS);
        if !is_tag && !reference.starts_with(BRANCHES) {
            return bad(format!("`{reference}` is no branch and no tag"), "ref");
        }
        let tip = repository.id_of(&commit.sha)?;
        let before = match self.before.as_deref() {
            Some(NO_ID) => None,
            Some(rev) => Some(repository.id_of(&repository.commit(rev)?.sha)?),
            None if is_tag => None,
            None => commit.parents.first().map(|it| repository.id_of(it)).transpose()?,
        };
        // An annotated tag is asked about as it is.
        let there = refs.get(&reference).copied();
        let is_it = |id: &crate::git::ObjectId| is_tag && repository.commit_of(*id) == Some(tip);
        let after = there.filter(is_it).unwrap_or(tip);
        Ok(Moved { reference, before, after })
    }
}

/// The branch or tag that a revision names.
fn named(rev: &str, repository: &Repository, refs: &Watched) -> Option<String> {
    let head = || repository.current_branch().ok().map(|it| it.reference());
    let is_there = |it: &String| refs.contains_key(it);
    let meant = match rev {
        "HEAD" => return head(),
        _ => [rev.to_owned(), format!("{TAGS}{rev}"), format!("{BRANCHES}{rev}")],
    };
    meant.into_iter().find(is_there)
}
