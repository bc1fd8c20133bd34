//! What a step does: instances, events, loops, calls.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    around::Duration,
    flow::{Names, Rest},
};

/// An expression in the Common Expression Language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Expression(pub String);

/// Values by name: text is an expression, all else stands for itself.
pub type Values = BTreeMap<String, Value>;

/// Many instances of a step; one of `count` and `in`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Each {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<Count>,
    /// An expression that gives a list: an instance for each `item`.
    #[serde(default, rename = "in", skip_serializing_if = "Option::is_none")]
    pub items: Option<Expression>,
    /// When the thread goes on; `all` if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<EachJoin>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
    /// The event that adds an instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub add: Option<String>,
    /// The event that withdraws the rest and goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Count {
    Number(u64),
    Expression(Expression),
}

/// When the thread goes on; an expression sees `completed`, `created` and `active`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum EachJoin {
    Word(EachWord),
    Count(#[schemars(range(min = 1))] u32),
    Expression(Expression),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EachWord {
    /// After all instances, also those that were added.
    All,
    /// At once; the instances go on by themselves.
    None,
    /// Every instance goes on as a thread of its own.
    One,
}

impl EachWord {
    pub fn named(word: &str) -> Option<EachWord> {
        match word {
            "all" => Some(EachWord::All),
            "none" => Some(EachWord::None),
            "one" => Some(EachWord::One),
            _ => None,
        }
    }
}

/// Where the results of instances are put, in their order.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Collect {
    Into(String),
    Rule(CollectRule),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CollectRule {
    /// A name in the data.
    pub into: String,
    /// What is taken of an instance, over the data with its own laid over; without it, its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Expression>,
}

/// What completes a step that nobody claims.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Await {
    Event(String),
    Rule(Box<AwaitRule>),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AwaitRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<String>,
    /// Whether an event that comes before the step waits is kept for it.
    #[serde(default = "kept", skip_serializing_if = "Clone::clone")]
    pub keep: bool,
    /// How long such an event is kept: this step takes no older one. For ever if it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_for: Option<Duration>,
    /// Only an event with this key; read when the step begins to wait.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Expression>,
    /// Alone: a timer. Beside an event: how long it is waited for, then the outcome is `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
}

fn kept() -> bool {
    true
}

/// Events that are sent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Emit {
    Event(String),
    Many(Vec<Emit>),
    Rule(Box<EmitRule>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmitRule {
    pub event: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Expression>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Values>,
}

/// A structured loop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Asked before each round.
    While(Expression),
    /// Asked after each round.
    Until(Expression),
}

/// The process that is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Call {
    Name(String),
    Rule(CallRule),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallRule {
    pub process_name: String,
    /// A version, a range such as `^1.2`, whose highest is called, or `latest`. If nothing is said
    /// it is the newest, and of a process that calls itself its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process_version: Option<String>,
}

impl Call {
    pub fn process_name(&self) -> &str {
        match self {
            Call::Name(name) => name,
            Call::Rule(rule) => &rule.process_name,
        }
    }

    pub fn process_version(&self) -> Option<&str> {
        match self {
            Call::Name(_) => None,
            Call::Rule(rule) => rule.process_version.as_deref(),
        }
    }
}

impl Emit {
    /// Whatever was written, as a list of rules.
    pub fn rules(&self) -> Vec<EmitRule> {
        match self {
            Emit::Event(event) => vec![EmitRule { event: event.clone(), key: None, data: None }],
            Emit::Many(many) => many.iter().flat_map(Emit::rules).collect(),
            Emit::Rule(rule) => vec![(**rule).clone()],
        }
    }
}

impl Await {
    pub fn rule(&self) -> AwaitRule {
        match self {
            Await::Event(event) => {
                AwaitRule { event: Some(event.clone()), keep: true, ..AwaitRule::default() }
            }
            Await::Rule(rule) => (**rule).clone(),
        }
    }
}

impl Collect {
    pub fn rule(&self) -> CollectRule {
        match self {
            Collect::Into(into) => CollectRule { into: into.clone(), value: None },
            Collect::Rule(rule) => rule.clone(),
        }
    }
}

/// What the names in `roles` or `mutex` come to.
pub fn names(names: Option<&Names>) -> Vec<String> {
    names.map(|it| it.as_slice().to_vec()).unwrap_or_default()
}
