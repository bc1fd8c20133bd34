//! Diagnostics as people and programs want them.

mod github;
mod json;
mod sarif;
mod text;

use schemars::JsonSchema;
use serde::Deserialize;

use super::diagnostic::Diagnostic;

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
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
