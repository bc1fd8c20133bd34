//! Diagnostics as people and programs want them.

mod github;
mod json;
mod sarif;
mod text;

use serde::Deserialize;

use super::diagnostic::Diagnostic;

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Format {
    /// For people, with the line underneath.
    Text,
    /// One array of objects.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// Commands of GitHub's workflows, which show them beside the line.
    Github,
}

impl TryFrom<String> for Format {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Format, &'static str> {
        match &*word {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            "sarif" => Ok(Format::Sarif),
            "github" => Ok(Format::Github),
            _ => Err("it is `text`, `json`, `sarif` or `github`"),
        }
    }
}

/// Colour is for terminals, and for text only.
pub fn render(diagnostics: &[Diagnostic], format: Format, is_terminal: bool) -> String {
    match format {
        Format::Text => text::render(diagnostics, is_terminal),
        Format::Json => json::render(diagnostics),
        Format::Sarif => sarif::render(diagnostics),
        Format::Github => github::render(diagnostics),
    }
}

#[cfg(test)]
mod tests;
