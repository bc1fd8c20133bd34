//! `workspace.imported`: which commit each state of an import became, in pages.

use serde::{Deserialize, Serialize};

use super::import::usual_name;
use crate::{
    error::{Error, Result},
    git::{RepositoryPath, WorkspaceId},
    ops::{Context, Lane, Operation, paging, plain::Plain},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    workspace: WorkspaceId,
    path: RepositoryPath,
    #[serde(default = "usual_name")]
    name: Plain,
    #[serde(default = "paging::thousand")]
    limit: usize,
    after: Option<Plain>,
}

#[derive(Serialize)]
pub struct Reply {
    workspace: WorkspaceId,
    states: Vec<Entry>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Entry {
    state: String,
    commit: String,
}

impl Operation for Listing {
    const NAME: &'static str = "workspace.imported";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let limit = paging::limit(self.limit)?;
        let mapping = context.store.imported(&self.path, &self.name, context.asked)?;
        let skip = match self.after.as_deref() {
            None => 0,
            Some(state) => mapping.place(state).map(|it| it + 1).ok_or_else(|| {
                let message = format!("no state `{state}` was imported");
                Error::bad_request(message).with("field", "after")
            })?,
        };
        let entry = |(state, commit): (&str, String)| Entry { state: state.to_owned(), commit };
        let states: Vec<Entry> = mapping.page(skip, limit).map(entry).collect();
        let has_more = skip + states.len() < mapping.len();
        let next = states.last().filter(|_| has_more).map(|it| it.state.clone());
        Ok(Reply { workspace: self.workspace, states, next })
    }
}
