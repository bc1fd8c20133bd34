//! How threads come to a step and where they go from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::work::Expression;

/// One name or several.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Names {
    One(String),
    Many(Vec<String>),
}

impl Names {
    pub fn as_slice(&self) -> &[String] {
        match self {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        }
    }
}

/// When arriving threads start the step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Join {
    Word(JoinWord),
    /// After so many branches; the others are absorbed.
    Count(#[schemars(range(min = 1))] u32),
    Rule(Box<JoinRule>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JoinWord {
    /// Each thread starts it.
    One,
    /// A thread of every branch.
    All,
    /// A thread of every branch that can still bring one.
    Any,
}

impl JoinWord {
    pub fn named(word: &str) -> Option<JoinWord> {
        match word {
            "one" => Some(JoinWord::One),
            "all" => Some(JoinWord::All),
            "any" => Some(JoinWord::Any),
            _ => None,
        }
    }
}

/// A join in full.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JoinRule {
    /// How many branches; with `from` alone, all that are under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<Quorum>,
    /// What becomes of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
    /// The split whose threads are joined, each activation by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// How many threads of a branch are made one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub tokens: Option<u32>,
}

/// A number, or an expression that gives one.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Quorum {
    Count(#[schemars(range(min = 1))] u32),
    Expression(Expression),
}

/// What becomes of those that a join did not wait for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// They run to their end, which has no effect.
    #[default]
    Wait,
    /// They are withdrawn.
    Cancel,
}

/// Which transitions are taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// The first whose condition holds.
    #[default]
    One,
    /// Every one, whatever the data is.
    All,
    /// Every one whose condition holds.
    Any,
    /// All are offered; the first that is started withdraws the others.
    Race,
}

/// Where to go after an outcome.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transition {
    /// The outcome; without it, any that is not `failed`, `timeout` or `cancelled`.
    #[serde(default, alias = "on_signal", skip_serializing_if = "Option::is_none")]
    pub on: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<Expression>,
    /// Without it the thread ends here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// How many threads are started there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub tokens: Option<u32>,
    /// Taken when no other is.
    #[serde(default, rename = "else", skip_serializing_if = "std::ops::Not::not")]
    pub otherwise: bool,
    /// For whoever reads or draws the process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What is withdrawn: `"*"`, or these steps and blocks; `blk/p` is the step `p` of the block `blk`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Cancel {
    Everything(#[schemars(regex(pattern = r"^\*$"))] String),
    Steps(Vec<String>),
}

/// How a process or block ends before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Done,
    Cancelled,
    Failed,
}
