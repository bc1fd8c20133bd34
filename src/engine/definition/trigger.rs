//! What starts a run by itself: a schedule, or what happens in a repository.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{around::Duration, flow::Names, work::Values};

/// All that is said has to hold; `any`, `all` and `not` put others together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Minute, hour, day of the month, month, day of the week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// One point in time, as RFC 3339 has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Of `cron`; UTC if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catch_up: Option<CatchUp>,
    /// How late a time may be made up for; without it however late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Duration>,
    /// Branches that were pushed to or moved, as globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub push: Option<Names>,
    /// Branches that were made, as globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<Names>,
    /// Tags that were made, as globs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<Names>,
    /// Whether the tag is a semantic version, such as v1.2.3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub semver: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<MergeTrigger>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<PathTrigger>,
    /// A word or a regular expression in the commit's message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<AuthorTrigger>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<CommitTrigger>,
    /// Whether the commit or tag is signed by somebody who may sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub any: Vec<Trigger>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub all: Vec<Trigger>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not: Option<Box<Trigger>>,
    /// What the run is started with: text is an expression over what happened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Values>,
}

/// What happens when the run before has not ended; without it, what a schedule starts is skipped,
/// and all else allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// There is no other run.
    Skip,
    /// It begins when the one before has ended.
    Queue,
    /// The one before is cancelled.
    Replace,
    Allow,
    /// The old name of `replace`.
    CancelRunning,
}

/// What becomes of times at which nobody was there; the latest is made up for if it is not said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    None,
    Latest,
    All,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeTrigger {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<Names>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Names>,
}

/// Files by globs, and what became of them.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PathTrigger {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Names>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub added: Option<Names>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Names>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Names>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthorTrigger {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Names>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Names>,
}

/// The words before the colon of a conventional commit.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitTrigger {
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Names>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Names>,
}
