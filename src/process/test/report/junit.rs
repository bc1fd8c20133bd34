//! JUnit's XML, as pipelines read it: a suite for each definition, a case for each test.
//!
//! Runs by chance are one case more; files that cannot be read are a suite of errors.

use super::{Failure, Report, Tested};
use crate::process::{
    diagnostic::Diagnostic,
    test::random::{Found, Interleavings},
};

pub fn render(report: &Report) -> String {
    let (count, failed) = report.count();
    let by_chance = report.tested.iter().filter_map(|it| it.interleavings.as_ref());
    let found = by_chance.clone().filter(|it| it.found.is_some()).count();
    let errors = report.diagnostics.len();
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str(&format!(
        "<testsuites tests=\"{}\" failures=\"{}\" errors=\"{errors}\">\n",
        count + by_chance.count() + errors,
        failed + found,
    ));
    if errors > 0 {
        unreadable(&report.diagnostics, &mut xml);
    }
    report.tested.iter().for_each(|it| suite(it, &mut xml));
    xml.push_str("</testsuites>\n");
    xml
}

fn unreadable(diagnostics: &[Diagnostic], xml: &mut String) {
    let count = diagnostics.len();
    xml.push_str(&format!(
        "  <testsuite name=\"definitions\" tests=\"{count}\" failures=\"0\" errors=\"{count}\">\n"
    ));
    for it in diagnostics {
        let (file, line) = (escaped(&it.spot.file), it.spot.place.line);
        let class = escaped(it.process_name.as_deref().unwrap_or(&it.spot.file));
        let (rule, message) = (it.rule.name, escaped(&it.message));
        let case = format!("name=\"{rule}\" classname=\"{class}\" file=\"{file}\" line=\"{line}\"");
        let text = escaped(&it.to_string());
        let error = format!("<error type=\"{rule}\" message=\"{message}\">{text}</error>");
        xml.push_str(&format!("    <testcase {case}>\n      {error}\n    </testcase>\n"));
    }
    xml.push_str("  </testsuite>\n");
}

fn suite(it: &Tested, xml: &mut String) {
    let failed = it.tests.iter().filter(|it| it.failure.is_some()).count();
    let found = it.interleavings.as_ref().filter(|it| it.found.is_some());
    let (name, file) = (escaped(&it.process_name), escaped(&it.file));
    xml.push_str(&format!(
        "  <testsuite name=\"{name}\" file=\"{file}\" tests=\"{}\" failures=\"{}\" errors=\"0\">\n",
        it.tests.len() + usize::from(it.interleavings.is_some()),
        failed + usize::from(found.is_some()),
    ));
    properties(it, xml);
    for outcome in &it.tests {
        let failure = outcome.failure.as_ref().map(failure);
        let (test, line) = (escaped(&outcome.name), outcome.spot.place.line);
        let file = escaped(&outcome.spot.file);
        let case = format!("name=\"{test}\" classname=\"{name}\" file=\"{file}\" line=\"{line}\"");
        self::case(&case, failure, xml);
    }
    if let Some(it) = &it.interleavings {
        let case = format!("name=\"runs by chance\" classname=\"{name}\" file=\"{file}\"");
        self::case(&case, it.found.as_ref().map(|found| by_chance(it, found)), xml);
    }
    xml.push_str("  </testsuite>\n");
}

fn properties(it: &Tested, xml: &mut String) {
    let mut told = vec![
        ("steps", it.coverage.steps),
        ("steps run", it.coverage.steps_run),
        ("transitions", it.coverage.transitions),
        ("transitions run", it.coverage.transitions_run),
    ];
    if let Some(it) = &it.mutation {
        told.extend([("mistakes", it.mutants), ("mistakes noticed", it.noticed)]);
    }
    xml.push_str("    <properties>\n");
    for (name, value) in told {
        xml.push_str(&format!("      <property name=\"{name}\" value=\"{value}\"/>\n"));
    }
    xml.push_str("    </properties>\n");
}

/// A message, and all there is to say about it.
fn case(attributes: &str, failure: Option<(String, String)>, xml: &mut String) {
    match failure {
        None => xml.push_str(&format!("    <testcase {attributes}/>\n")),
        Some((message, text)) => xml.push_str(&format!(
            "    <testcase {attributes}>\n      <failure message=\"{}\">{}</failure>\n    \
             </testcase>\n",
            escaped(&message),
            escaped(&text),
        )),
    }
}

fn failure(it: &Failure) -> (String, String) {
    let (file, line) = (&it.spot.file, it.spot.place.line);
    let text = format!(
        "{file}:{line}: {}\nexpected:  {}\nthere was: {}\nso far:\n{}",
        it.deed,
        it.expected,
        it.found,
        it.trace.join("\n"),
    );
    (format!("line {line}: expected {}; there was {}", it.expected, it.found), text)
}

fn by_chance(runs: &Interleavings, found: &Found) -> (String, String) {
    let text = format!(
        "seed {}, run {}: {}\nscript: [{}]\nso far:\n{}",
        runs.seed,
        found.run,
        found.message,
        found.script.join(", "),
        found.trace.join("\n"),
    );
    (found.message.clone(), text)
}

/// Text as XML has it; what no document may hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => (),
            it if it.is_control() => (),
            it => escaped.push(it),
        }
    }
    escaped
}
