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

use serde::Deserialize;

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

/// What a picture is drawn in.
#[derive(Debug, Deserialize, Default, Clone, Copy)]
#[serde(try_from = "String")]
pub enum Format {
    #[default]
    Svg,
    Dot,
    Mermaid,
}

impl TryFrom<String> for Format {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Format, &'static str> {
        match &*word {
            "svg" => Ok(Format::Svg),
            "dot" => Ok(Format::Dot),
            "mermaid" => Ok(Format::Mermaid),
            _ => Err("it is `svg`, `dot` or `mermaid`"),
        }
    }
}

impl Subject<'_> {
    pub fn drawn(self, format: Format) -> String {
        match format {
            Format::Svg => self.svg(),
            Format::Dot => self.dot(),
            Format::Mermaid => self.mermaid(),
        }
    }

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
