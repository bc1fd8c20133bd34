//! For people: what is wrong, the line it is on, and what would be right.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

use crate::process::diagnostic::{Diagnostic, Severity, Spot};

pub fn render(diagnostics: &[Diagnostic], is_terminal: bool) -> String {
    let renderer = if is_terminal { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for it in diagnostics {
        let spots = std::iter::once(&it.spot).chain(it.related.iter().map(|it| &it.spot));
        let rendered = renderer.render(&[group(it)]);
        text.push_str(&spots.fold(rendered, |text, spot| of_the_line(&text, spot)));
        text.push_str("\n\n");
    }
    text.push_str(&summary(diagnostics));
    text
}

fn group(it: &Diagnostic) -> Group<'_> {
    let level = match it.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let title = level.primary_title(&*it.message).id(it.rule.name);
    let mut group = title.element(snippet(&it.spot, AnnotationKind::Primary, None));
    for it in &it.related {
        group = group.element(snippet(&it.spot, AnnotationKind::Context, Some(&it.message)));
    }
    match &it.help {
        Some(help) => group.element(Level::HELP.message(&**help)),
        None => group,
    }
}

/// Places are in the line, not in the piece of it that is shown.
fn of_the_line(text: &str, spot: &Spot) -> String {
    let Spot { file, place, excerpt } = spot;
    let here = |column: usize| format!("{file}:{}:{column}", place.line);
    match excerpt.skipped {
        0 => text.to_owned(),
        skipped => text.replacen(&here(place.column - skipped), &here(place.column), 1),
    }
}

fn snippet<'a>(
    spot: &'a Spot,
    kind: AnnotationKind,
    label: Option<&'a str>,
) -> Snippet<'a, Annotation<'a>> {
    let text = &*spot.excerpt.text;
    let byte = |column: usize| {
        let at = (column - 1).saturating_sub(spot.excerpt.skipped);
        text.char_indices().nth(at).map_or(text.len(), |it| it.0)
    };
    let span = byte(spot.place.column)..byte(spot.place.end_column);
    let snippet = Snippet::source(text).line_start(spot.place.line).path(&*spot.file);
    snippet.annotation(kind.span(span).label(label))
}

fn summary(diagnostics: &[Diagnostic]) -> String {
    let count = |severity| diagnostics.iter().filter(|it| it.severity == severity).count();
    let told = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        _ => format!("{count} {what}s"),
    };
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    format!("{}, {}\n", told(errors, "error"), told(warnings, "warning"))
}
