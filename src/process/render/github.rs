//! Commands that GitHub's runners understand: `::error file=…,line=…::message`.

use crate::process::diagnostic::Diagnostic;

pub fn render(diagnostics: &[Diagnostic]) -> String {
    diagnostics.iter().map(line).collect()
}

fn line(it: &Diagnostic) -> String {
    let place = it.spot.place;
    let message = match &it.help {
        Some(help) => format!("{}\n{help}", it.message),
        None => it.message.clone(),
    };
    format!(
        "::{} file={},line={},col={},endColumn={},title={}::{}\n",
        it.severity.as_str(),
        property(&it.spot.file),
        place.line,
        place.column,
        place.end_column,
        property(it.rule.name),
        data(&message),
    )
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
