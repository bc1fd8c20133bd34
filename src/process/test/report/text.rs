//! For people: what failed and how it came to that, then what was never tested.

use super::{Failure, Report, Tested};
use crate::process::{
    render::{self, Format},
    test::{mutants::Mutation, random::Interleavings},
};

pub fn render(report: &Report) -> String {
    let mut lines = Vec::new();
    if !report.diagnostics.is_empty() {
        lines.push(render::render(&report.diagnostics, Format::Text, false));
    }
    report.tested.iter().for_each(|it| tested(it, &mut lines));
    lines.push(summary(report));
    lines.push(String::new());
    lines.join("\n")
}

fn tested(it: &Tested, lines: &mut Vec<String>) {
    let coverage = &it.coverage;
    let failed = it.tests.iter().filter(|it| it.failure.is_some()).count();
    let told = match (it.tests.len(), failed) {
        (0, _) => "no tests".to_owned(),
        (count, 0) => format!("{count} passed"),
        (count, failed) => format!("{failed} of {count} failed"),
    };
    let share = |run: usize, of: usize| format!("{run}/{of}");
    lines.push(format!(
        "{}: {told}, steps {}, transitions {}",
        it.process_name,
        share(coverage.steps_run, coverage.steps),
        share(coverage.transitions_run, coverage.transitions),
    ));
    for outcome in &it.tests {
        if let Some(it) = &outcome.failure {
            failure(&outcome.name, it, lines);
        }
    }
    for never in &coverage.never {
        lines.push(format!("  never ran: {} ({}:{})", never.what, it.file, never.line));
    }
    it.interleavings.iter().for_each(|it| interleavings(it, lines));
    it.mutation.iter().for_each(|mutation| mutants(&it.file, mutation, lines));
}

fn failure(name: &str, it: &Failure, lines: &mut Vec<String>) {
    let (file, place) = (&it.spot.file, it.spot.place);
    lines.push(format!("  {name} fails at {file}:{}:{}", place.line, place.column));
    lines.push(format!("    line:      {}", it.deed));
    lines.push(format!("    expected:  {}", it.expected));
    lines.push(format!("    there was: {}", it.found));
    lines.extend(trace(&it.trace));
}

fn trace(trace: &[String]) -> impl Iterator<Item = String> {
    let head = (!trace.is_empty()).then(|| "    so far:".to_owned());
    head.into_iter().chain(trace.iter().map(|it| format!("      {it}")))
}

fn interleavings(it: &Interleavings, lines: &mut Vec<String>) {
    match &it.found {
        None => {
            lines.push(format!("  {} runs by chance are fine (seed {})", it.runs, it.seed));
        }
        Some(found) => {
            lines.push(format!(
                "  run {} by chance (seed {}): {}",
                found.run, it.seed, found.message
            ));
            if !found.given.is_empty() {
                lines.push(format!("    data:   {}", serde_json::Value::from(found.given.clone())));
            }
            lines.push(format!("    script: [{}]", found.script.join(", ")));
            lines.extend(trace(&found.trace));
        }
    }
}

fn mutants(file: &str, it: &Mutation, lines: &mut Vec<String>) {
    lines.push(format!("  {} of {} mistakes are noticed", it.noticed, it.mutants));
    for survivor in &it.survivors {
        let (path, change) = (&survivor.path, &survivor.change);
        lines.push(format!("  not noticed: {path}: {change} ({file}:{})", survivor.line));
    }
}

fn summary(report: &Report) -> String {
    let (count, failed) = report.count();
    let tests = if count == 1 { "test" } else { "tests" };
    let mut told = match failed {
        0 => format!("{count} {tests} passed"),
        failed => format!("{failed} of {count} {tests} failed"),
    };
    let by_chance = report.tested.iter().filter_map(|it| it.interleavings.as_ref());
    let found = by_chance.filter(|it| it.found.is_some()).count();
    if found > 0 {
        let definitions = if found == 1 { "definition" } else { "definitions" };
        told.push_str(&format!("; runs by chance went wrong in {found} {definitions}"));
    }
    told
}
