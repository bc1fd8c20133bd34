//! `maintain`: housekeeping of a repository, or of all workspaces.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Context, Lane, Operation, sync::network};
use crate::{
    error::{Error, Result},
    git::{Network, RepositoryPath, Upkeep, Upkept, WorkspaceId, now_ms},
};

/// How long housework may take where the request does not say.
pub const HOUSEWORK_MS_MAX: u64 = 24 * 60 * 60 * 1000;
/// How long deleted workspaces are kept where the request does not say.
pub const PURGE_AFTER_MS: u64 = 30 * DAY_MS;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// How many workspaces are taken care of between two looks at which there are.
const WORKSPACES_AT_ONCE: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintain {
    path: Option<RepositoryPath>,
    #[serde(default)]
    full: bool,
    #[serde(default = "two_weeks")]
    prune_after_ms: u64,
    purge_after_ms: Option<u64>,
}

fn two_weeks() -> u64 {
    14 * DAY_MS
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    One(Upkept),
    All { workspaces: u64, purged: u64, failed: Vec<Failed> },
}

#[derive(Serialize)]
pub struct Failed {
    workspace: WorkspaceId,
    #[serde(flatten)]
    error: Error,
}

impl Operation for Maintain {
    const NAME: &'static str = "maintain";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        match &self.path {
            Some(path) => Lane::Send(path.to_path_buf()),
            None => Lane::Network(None),
        }
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let upkeep =
            Upkeep { full: self.full, prune_after: Duration::from_millis(self.prune_after_ms) };
        let network = housework(context);
        match &self.path {
            Some(_) if self.purge_after_ms.is_some() => {
                let message = "`purge_after_ms` is for all workspaces, without one of them";
                Err(Error::bad_request(message).with("field", "purge_after_ms"))
            }
            Some(path) => context.store.maintain(path, &upkeep, &network).map(Reply::One),
            None => all(context, &upkeep, &network, self.purge_after_ms.unwrap_or(PURGE_AFTER_MS)),
        }
    }
}

/// What a child that works here may do: stock git, for as long as it takes.
pub fn housework<'a>(context: &'a Context) -> Network<'a> {
    Network { limit_ms: HOUSEWORK_MS_MAX, ..network(context) }
}

fn all(
    context: &Context,
    upkeep: &Upkeep,
    network: &Network,
    purge_after_ms: u64,
) -> Result<Reply> {
    let all = context.workspaces()?;
    let (mut workspaces, mut failed) = (0, Vec::new());
    let mut after: Option<WorkspaceId> = None;
    loop {
        let (ids, has_more) =
            all.list(after.as_ref().map(WorkspaceId::as_str), WORKSPACES_AT_ONCE)?;
        for id in &ids {
            context.watch.check()?;
            let path = RepositoryPath::resolved_to(&all.place(id));
            match context.store.maintain(&path, upkeep, network) {
                Ok(_) => workspaces += 1,
                // One that was deleted meanwhile needs no care.
                Err(_) if !path.exists() => (),
                Err(error) => failed.push(Failed { workspace: id.clone(), error }),
            }
        }
        after = ids.last().cloned();
        if !has_more {
            break;
        }
    }
    let before_ms = now_ms().saturating_sub(purge_after_ms);
    let purged = all.purge(before_ms, context.watch)? as u64;
    Ok(Reply::All { workspaces, purged, failed })
}
