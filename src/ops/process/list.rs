//! `process.list`: the versions that are published, in pages.

use semver::Version;
use serde::{Deserialize, Serialize};

use super::place::{self, Place};
use crate::{
    error::{Error, Result},
    git::RepositoryPath,
    ops::{Context, Lane, Operation, paging, plain::Plain},
    process::artifact::{Name, version_of},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    path: Option<RepositoryPath>,
    name: Option<Plain>,
    store: Option<Place>,
    #[serde(default = "paging::thousand")]
    limit: usize,
    after: Option<Plain>,
}

#[derive(Serialize)]
pub struct Reply {
    processes: Vec<Entry>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    name: String,
    version: String,
}

impl Operation for List {
    const NAME: &'static str = "process.list";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        place::lane(self.store.as_ref(), self.path.as_ref())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let limit = paging::limit(self.limit)?;
        let name = self.name.as_deref().map(Name::new).transpose()?;
        let after = self.after.as_deref().map(parsed).transpose()?;
        let store = place::to_read(self.store.as_ref(), self.path.as_ref(), context)?;
        let mut listed = store.list(name.as_ref())?;
        listed.retain(|it| after.as_ref().is_none_or(|after| after < it));
        listed.sort_unstable();
        let has_more = limit < listed.len();
        listed.truncate(limit);
        let last = listed.last().filter(|_| has_more);
        let next = last.map(|(name, version)| format!("{name}@{version}"));
        let entry = |(name, version): (Name, Version)| Entry {
            name: name.into(),
            version: version.to_string(),
        };
        Ok(Reply { processes: listed.into_iter().map(entry).collect(), next })
    }
}

/// A name and a version, as they come in `next`.
fn parsed(after: &str) -> Result<(Name, Version)> {
    let parts = after.split_once('@');
    let parts =
        parts.and_then(|(name, version)| Some((Name::new(name).ok()?, version_of(version).ok()?)));
    parts.ok_or_else(|| Error::bad_request("`after` is no `next`").with("field", "after"))
}
