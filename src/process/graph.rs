//! Pictures of processes: the same definition and marking give the same bytes.

mod build;
mod dot;
mod face;
mod layout;
mod marking;
mod mermaid;
mod model;
mod order;
mod route;
mod shape;
mod style;
mod svg;
mod text;
mod words;

#[cfg(test)]
mod tests;

pub use self::marking::{Marking, State};

use self::model::Picture;
use crate::engine::definition::Definition;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    pub definition: &'a Definition,
    /// Processes that are called are drawn inside of the steps that call them.
    pub called: &'a [Definition],
    /// Where a run is.
    pub marking: Option<&'a Marking>,
}

impl Subject<'_> {
    pub fn svg(self) -> String {
        svg::svg(&self.picture(), self.marking.is_some())
    }

    pub fn dot(self) -> String {
        dot::dot(&self.picture())
    }

    pub fn mermaid(self) -> String {
        mermaid::mermaid(&self.picture())
    }

    fn picture(self) -> Picture {
        build::picture(self.definition, self.called, self.marking)
    }
}
