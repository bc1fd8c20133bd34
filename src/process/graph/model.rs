//! What a picture shows, whatever it is drawn with: nodes, and arrows between those of one scope.
//!
//! An arrow never crosses the border of a block: what a step does to one elsewhere is shown
//! between the two blocks that are side by side.

use crate::{
    engine::definition::flow::{End, Split},
    process::graph::marking::State,
};

#[derive(Debug)]
pub struct Picture {
    pub title: String,
    pub scope: Scope,
}

/// A process, a block, or a process that is called.
#[derive(Debug, Default)]
pub struct Scope {
    pub nodes: Vec<Node>,
    pub arrows: Vec<Arrow>,
}

#[derive(Debug, Default)]
pub struct Node {
    /// Unlike any other in the picture.
    pub key: usize,
    pub kind: Kind,
    /// What the definition calls the step in its scope; nothing for what is no step.
    pub id: String,
    /// The ids from the outermost block to this step.
    pub path: String,
    pub headline: String,
    /// What is said under it, from the most important on.
    pub notes: Vec<Note>,
    pub join: Option<String>,
    pub split: Option<String>,
    pub takes: Split,
    pub end: Option<End>,
    /// The step is started for each of several things.
    pub is_many: bool,
    /// Where a run is; the most pressing first.
    pub marks: Vec<(State, u32)>,
    pub inside: Option<Scope>,
}

impl Node {
    /// All that is said on a node, from above to below.
    pub fn said(&self) -> Vec<String> {
        let mut words: Vec<String> = self.join.iter().map(|it| format!("▼ {it}")).collect();
        words.push(self.headline.clone());
        words.extend(self.notes.iter().map(|it| match it {
            Note::Id(text) | Note::Type(text) => format!("({text})"),
            Note::Description(text) | Note::Fact(text) => text.clone(),
        }));
        words.extend(self.marks.iter().map(|(state, count)| match count {
            1 => format!("● {}", state.as_str()),
            _ => format!("● {} ×{count}", state.as_str()),
        }));
        words.extend(self.split.iter().map(|it| format!("▼ {it}")));
        words
    }
}

#[derive(Debug)]
pub enum Note {
    /// The id of a step that is shown by its title.
    Id(String),
    Type(String),
    Description(String),
    Fact(String),
}

/// What is told apart by shape and colour.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Where a scope begins.
    Start,
    /// Where a thread ends without a step.
    Finish,
    /// A step that is named and not there.
    Missing,
    #[default]
    Plain,
    Person,
    Worker,
    Exec,
    Git,
    Timer,
    Event,
    Route,
    Final,
    Block,
    Call,
}

impl Kind {
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Start => "start",
            Kind::Finish => "finish",
            Kind::Missing => "missing",
            Kind::Plain => "plain",
            Kind::Person => "person",
            Kind::Worker => "worker",
            Kind::Exec => "exec",
            Kind::Git => "git",
            Kind::Timer => "timer",
            Kind::Event => "event",
            Kind::Route => "route",
            Kind::Final => "final",
            Kind::Block => "block",
            Kind::Call => "call",
        }
    }

    pub fn is_dot(self) -> bool {
        matches!(self, Kind::Start | Kind::Finish)
    }
}

/// From one node of a scope to another, by their places in its list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrow {
    pub from: usize,
    pub to: usize,
    pub kind: ArrowKind,
    /// A line for each way to take it.
    pub label: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArrowKind {
    Flow,
    Cancel,
}
