//! What triggers are called, and the patterns in them.

use globset::{Glob, GlobBuilder};
use regex::{Regex, RegexBuilder};

/// How large a regular expression may be once it is compiled.
const PATTERN_BYTES_MAX: usize = 1 << 20;
const LABEL_BYTES_MAX: usize = 60;

/// A name as a word that can be a part of a run's id: what cannot is `-`.
pub fn label(name: &str) -> String {
    let mut label = String::new();
    for it in name.trim().chars() {
        match it {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => label.push(it),
            _ if label.ends_with('-') || label.is_empty() => (),
            _ => label.push('-'),
        }
    }
    label.truncate(LABEL_BYTES_MAX);
    label.trim_end_matches('-').to_owned()
}

/// Branches, tags, files, people by a pattern: `*` does not match `/`, `**` does.
pub fn glob(text: &str) -> Result<Glob, String> {
    let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
    glob.map_err(|error| error.kind().to_string())
}

/// A word where it is one, else a regular expression.
pub fn pattern(text: &str) -> Result<Regex, String> {
    let is_word = !text.is_empty() && text.chars().all(|it| it.is_alphanumeric() || it == '_');
    let text = if is_word { format!(r"\b{text}\b") } else { text.to_owned() };
    let regex = RegexBuilder::new(&text).size_limit(PATTERN_BYTES_MAX).build();
    regex.map_err(|error| {
        let said = error.to_string();
        said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
    })
}
