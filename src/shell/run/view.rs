//! What a run looks like in a terminal: text out of what is known of it, without anything else.

use serde_json::Value as Json;

use super::seen::Seen;
use crate::shell::text::{clock, fitted, lasting, padded, shown, width};

/// How wide the picture of how far it got is.
const BAR: usize = 20;
/// A path that is longer leaves room for what is said of it.
const PATH_MAX: usize = 40;

/// How much there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Face {
    Plain = 0,
    Bold = 1,
    Dim = 2,
}

/// The lines of a run, none wider and not more than there is room for.
pub fn lines(seen: &Seen, now_ms: i64, size: Size) -> Vec<(Face, String)> {
    let mut lines = vec![(Face::Bold, headline(&seen.run, now_ms))];
    lines.extend(far(seen).map(|it| (Face::Plain, it)));
    let end: Vec<(Face, String)> =
        ending(&seen.run).into_iter().map(|it| (Face::Bold, it)).collect();
    let paths = seen.done.iter().map(|it| &*it.path);
    let paths = paths.chain(seen.offers().iter().filter_map(|it| it["path"].as_str()));
    let columns = paths.map(|it| width(&shown(it))).max().unwrap_or(0).min(PATH_MAX);
    let path = |it: &str| padded(&fitted(&shown(it), columns), columns);
    let offers: Vec<(Face, String)> = seen
        .offers()
        .iter()
        .map(|it| {
            let name = it["path"].as_str().unwrap_or_default();
            let (word, detail) = (word_of(it), detail(it, seen.began.get(name), now_ms));
            let face = if it["status"] == "started" { Face::Bold } else { Face::Plain };
            (face, format!("{word:<9}  {}  {detail}", path(name)))
        })
        .collect();
    let done = seen.done.iter().map(|it| {
        let times = if it.times > 1 { format!(", {} times", it.times) } else { String::new() };
        let outcome = shown(&it.outcome);
        (Face::Dim, format!("{:<9}  {}  {outcome}{times}", "done", path(&it.path)))
    });
    let room = size.rows.saturating_sub(1 + lines.len() + end.len());
    let for_offers = offers.len().min(room);
    lines.extend(latest(done.collect(), room - for_offers, "more are done"));
    lines.extend(earliest(offers, for_offers, "more"));
    lines.extend(end);
    lines.truncate(size.rows.saturating_sub(1));
    // A terminal goes to the next line by itself where the last column is written.
    let fit = |(face, line): (Face, String)| {
        (face, fitted(line.trim_end(), size.columns.saturating_sub(1)))
    };
    lines.into_iter().map(fit).collect()
}

/// The last ones, and how many more there are, in so many lines.
fn latest(mut all: Vec<(Face, String)>, room: usize, more: &str) -> Vec<(Face, String)> {
    if room < all.len() {
        let left_out = all.len() - room.saturating_sub(1);
        all.drain(..left_out);
        all.insert(0, (Face::Dim, format!("… {left_out} {more}")));
        all.truncate(room);
    }
    all
}

/// The same of the first ones.
fn earliest(mut all: Vec<(Face, String)>, room: usize, more: &str) -> Vec<(Face, String)> {
    if room < all.len() {
        let left_out = all.len() - room.saturating_sub(1);
        all.truncate(room.saturating_sub(1));
        all.push((Face::Plain, format!("… {left_out} {more}")));
        all.truncate(room);
    }
    all
}

/// Which run it is, and how it stands.
pub fn headline(run: &Json, now_ms: i64) -> String {
    let text = |key: &str| shown(run[key].as_str().unwrap_or_default());
    let version = run["version"].as_str().map(|it| format!(" {}", shown(it))).unwrap_or_default();
    let status = text("status");
    let is_over = matches!(&*status, "done" | "failed" | "cancelled");
    let until = if is_over { run["updated_ms"].as_i64().unwrap_or(now_ms) } else { now_ms };
    let began = run["began_ms"].as_i64().unwrap_or(until);
    let time = lasting(u64::try_from(until - began).unwrap_or(0));
    let how = if is_over { "after" } else { "for" };
    format!("{}  {}{version}  {status} {how} {time}", text("run"), text("process"))
}

/// How far it got: no run comes to all steps, so that is no forecast.
fn far(seen: &Seen) -> Option<String> {
    let steps = seen.steps.filter(|it| *it > 0)?;
    let done = seen.steps_done().min(steps);
    let full = done * BAR / steps;
    let bar = format!("{}{}", "#".repeat(full), "-".repeat(BAR - full));
    Some(format!("[{bar}] {done} of {steps} steps"))
}

/// What came of a run that ended, or why it does not go on.
pub fn ending(run: &Json) -> Vec<String> {
    let mut lines = Vec::new();
    let problem = &run["problem"];
    if let Some(message) = problem["message"].as_str() {
        let kind = problem["type"].as_str().unwrap_or_default();
        lines.push(shown(&format!("{kind}: {message}")));
    }
    if run["status"] == "stuck" {
        lines.push("threads are left that nothing can move".to_owned());
    }
    if let Some(status) = run["final_status"].as_str() {
        lines.push(format!("it ended as {}", shown(status)));
    }
    lines
}

/// How something stands that is offered, under way or waited for.
pub fn word_of(offer: &Json) -> &'static str {
    match offer["status"].as_str() {
        Some("started") => "under way",
        Some("offered" | "open") => "offered",
        _ => "waits",
    }
}

/// What else there is to say about it.
pub fn detail(offer: &Json, began_ms: Option<&i64>, now_ms: i64) -> String {
    let mut parts = Vec::new();
    if let Some(worker) = offer["worker"].as_str() {
        parts.push(shown(worker));
    }
    if let Some(began) = began_ms.filter(|_| offer["status"] == "started") {
        parts.push(format!("for {}", lasting(u64::try_from(now_ms - began).unwrap_or(0))));
    }
    if offer["status"] == "offered" || offer["status"] == "open" {
        parts.extend(offer["assignee"].as_str().map(|it| format!("to {}", shown(it))));
        let roles = offer["roles"].as_array().into_iter().flatten().filter_map(Json::as_str);
        let roles: Vec<String> = roles.map(shown).collect();
        parts.extend((!roles.is_empty()).then(|| format!("to {}", roles.join(" or "))));
    }
    for (key, word) in [("attempt", "attempt"), ("round", "round")] {
        let number = offer[key].as_u64().filter(|it| *it > 1);
        parts.extend(number.map(|it| format!("{word} {it}")));
    }
    if let Some(due) = offer["due_ms"].as_i64() {
        let left = lasting(u64::try_from(due - now_ms).unwrap_or(0));
        let is_backoff = offer["status"] == "backoff";
        parts.push(format!(
            "{left} {}",
            if is_backoff { "until it is tried again" } else { "left" }
        ));
    } else if offer["status"] == "awaiting" {
        parts.push("for an event".to_owned());
    }
    if offer["overdue"] == true {
        parts.push("overdue".to_owned());
    }
    parts.join(", ")
}

/// A line for something that happened.
pub fn happening(event: &Json, at_ms: i64) -> String {
    let text = |key: &str| shown(event[key].as_str().unwrap_or_default());
    format!("{} {} ({})", clock(at_ms), text("subject"), text("actor"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn seen() -> Seen {
        let mut seen = Seen {
            run: json!({
                "run": "r1", "process": "order", "version": "1.0.0", "status": "running",
                "began_ms": 0, "updated_ms": 9000,
                "offers": [
                    {"path": "pay", "status": "started", "worker": "ben", "attempt": 2},
                    {"path": "review#1", "status": "offered", "roles": ["lead"], "due_ms": 90_000},
                    {"path": "expired", "status": "awaiting", "due_ms": 70_000, "overdue": true},
                    {"path": "mail", "status": "awaiting"},
                    {"path": "\u{1b}[2J", "status": "backoff", "due_ms": 13_000},
                ],
            }),
            steps: Some(8),
            ..Seen::default()
        };
        let events =
            [("start", "a", None), ("complete", "a", Some("ok\n")), ("start", "pay", None)];
        for (number, (event, step, outcome)) in events.into_iter().enumerate() {
            seen.take(&json!({
                "seq": number, "event": event, "step": step, "outcome": outcome, "at_ms": 5000,
            }));
        }
        seen
    }

    fn check(seen: &Seen, columns: usize, rows: usize, expected: Expect) {
        let lines = lines(seen, 10_000, Size { columns, rows });
        assert!(lines.len() < rows && lines.iter().all(|it| width(&it.1) < columns));
        let text: String = lines.iter().map(|it| format!("{}\n", it.1)).collect();
        expected.assert_eq(&text);
    }

    #[test]
    fn a_run_is_what_was_done_what_is_and_what_is_waited_for() {
        check(
            &seen(),
            80,
            24,
            expect![[r#"
                r1  order 1.0.0  running for 10 s
                [##------------------] 1 of 8 steps
                done       a          ok\n
                under way  pay        ben, for 5 s, attempt 2
                offered    review#1   to lead, 1 min 20 s left
                waits      expired    1 min left, overdue
                waits      mail       for an event
                waits      \u{1b}[2J  3 s until it is tried again
            "#]],
        );
    }

    #[test]
    fn a_narrow_or_low_terminal_has_less_of_it_and_nothing_too_wide() {
        check(
            &seen(),
            24,
            6,
            expect![[r#"
                r1  order 1.0.0  runni…
                [##------------------]…
                under way  pay        …
                offered    review#1   …
                … 3 more
            "#]],
        );
        check(
            &seen(),
            30,
            8,
            expect![[r#"
                r1  order 1.0.0  running for…
                [##------------------] 1 of …
                under way  pay        ben, f…
                offered    review#1   to lea…
                waits      expired    1 min …
                waits      mail       for an…
                waits      \u{1b}[2J  3 s un…
            "#]],
        );
    }

    #[test]
    fn a_run_that_ended_says_how() {
        let mut seen = seen();
        seen.run["offers"] = json!([]);
        seen.run["status"] = "failed".into();
        seen.run["problem"] = json!({"type": "network", "message": "no\x07 route"});
        seen.run["final_status"] = "lost".into();
        check(
            &seen,
            80,
            24,
            expect![[r#"
                r1  order 1.0.0  failed after 9 s
                [##------------------] 1 of 8 steps
                done       a  ok\n
                network: no\u{7} route
                it ended as lost
            "#]],
        );
    }
}
