//! Runs in words.

use std::io::{self, Write};

use jiff::{Timestamp, civil, tz::TimeZone};
use serde_json::{Value as Json, json};

use super::view::{detail, ending, headline, word_of};
use crate::{
    config::run::Wanted,
    engine::definition::around::Duration,
    shell::{
        given,
        json::spaced,
        session::{Failure, Outcome},
        text::{moment, padded, shown, width},
    },
};

pub fn began(reply: &Json) -> Outcome<()> {
    let text = |key: &str| shown(reply[key].as_str().unwrap_or_default());
    let how = match reply["created"] == true {
        true => "begins",
        false => "was there before",
    };
    let version = reply["version"].as_str().map(|it| format!(" {}", shown(it)));
    say(&[format!(
        "{} {how}: {}{}, {}",
        text("run"),
        text("process"),
        version.unwrap_or_default(),
        text("status")
    )])
}

pub fn taken(reply: Json, what: &str) -> Outcome<()> {
    let text = |key: &str| shown(reply[key].as_str().unwrap_or_default());
    say(&[format!("{} {what}: {}", text("run"), text("status"))])
}

/// All there is to say of a run; what is to come is only of how it stands now.
pub fn show(run: Json, is_now: bool) -> Outcome<()> {
    let now_ms = match is_now {
        true => Timestamp::now().as_millisecond(),
        false => run["updated_ms"].as_i64().unwrap_or_default(),
    };
    let mut lines = vec![headline(&run, now_ms)];
    let text = |key: &str| shown(run[key].as_str().unwrap_or_default());
    let began = moment(run["began_ms"].as_i64().unwrap_or_default());
    lines.push(format!("began {began} by {}; {} commits", text("actor"), run["seq"]));
    lines.push(format!("newest commit {}", text("commit")));
    for (name, value) in run["attributes"].as_object().into_iter().flatten() {
        lines.push(shown(&format!("{name}={}", value.as_str().unwrap_or_default())));
    }
    lines.extend(ending(&run));
    for (name, value) in run["data"].as_object().into_iter().flatten() {
        lines.push(shown(&format!("  {name}: {}", spaced(value))));
    }
    let offers = run["offers"].as_array().map(Vec::as_slice).unwrap_or_default();
    let path = |it: &Json| shown(it["path"].as_str().unwrap_or_default());
    let columns = offers.iter().map(|it| width(&path(it))).max().unwrap_or(0);
    for it in offers {
        let task = shown(it["task"].as_str().unwrap_or_default());
        let detail = detail(it, None, now_ms);
        let path = padded(&path(it), columns);
        lines.push(format!("{:<9}  {path}  {task}  {detail}", word_of(it)).trim_end().to_owned());
    }
    say(&lines)
}

/// The arguments that say which runs are listed.
pub fn wanted(wanted: &Wanted) -> Outcome<Json> {
    let Wanted { process, version, status, step, actor, attributes, since, until, limit, after } =
        wanted;
    Ok(json!({
        "process": process,
        "version": version,
        "status": status,
        "step": step,
        "actor": actor,
        "attributes": given::texts(attributes, "--attribute")?,
        "since_ms": since.as_deref().map(|it| time(it, "--since")).transpose()?,
        "until_ms": until.as_deref().map(|it| time(it, "--until")).transpose()?,
        "limit": limit,
        "after": after,
    }))
}

/// A time ago, a point in time, or the beginning of a day here.
fn time(text: &str, flag: &str) -> Outcome<i64> {
    let ago = || {
        let ms = i64::try_from(Duration::parse(text)?.ms()).ok()?;
        Some(Timestamp::now().as_millisecond() - ms)
    };
    let point = || Some(text.parse::<Timestamp>().ok()?.as_millisecond());
    let here = || {
        let time = text.parse::<civil::DateTime>().ok()?;
        Some(time.to_zoned(TimeZone::system()).ok()?.timestamp().as_millisecond())
    };
    ago().or_else(point).or_else(here).ok_or_else(|| {
        let why = "is no time: write such as 2h (ago), 2026-05-17 or 2026-05-17T09:30:00Z";
        Failure::Mistaken(format!("{flag}: `{text}` {why}"))
    })
}

pub fn list(runs: &[Json]) -> Outcome<()> {
    let row = |it: &Json| {
        let text = |key: &str| shown(it[key].as_str().unwrap_or_default());
        let began = moment(it["began_ms"].as_i64().unwrap_or_default());
        let process = match it["version"].as_str() {
            Some(version) => format!("{} {}", text("process"), shown(version)),
            None => text("process"),
        };
        let attributes = it["attributes"].as_object().into_iter().flatten();
        let attributes = attributes
            .map(|(name, value)| shown(&format!("{name}={}", value.as_str().unwrap_or_default())));
        let attributes = Vec::from_iter(attributes).join(" ");
        [text("run"), text("status"), process, began, text("actor"), attributes]
    };
    say(&table(&runs.iter().map(row).collect::<Vec<_>>()))
}

pub fn history(events: &[Json]) -> Outcome<()> {
    let mut at = None;
    let row = |it: &Json| {
        let text = |key: &str| shown(it[key].as_str().unwrap_or_default());
        // What follows from something happened when that did.
        at = it["at_ms"].as_i64().or(at);
        let commit: String = text("commit").chars().take(10).collect();
        let time = at.map(moment).unwrap_or_default();
        [it["seq"].to_string(), commit, time, text("subject"), text("actor")]
    };
    say(&table(&events.iter().map(row).collect::<Vec<_>>()))
}

pub fn verified(reply: &Json) -> Outcome<()> {
    let run = shown(reply["run"].as_str().unwrap_or_default());
    let mut lines = match reply["ok"] == true {
        true => vec![format!(
            "{run} is what its {} commits say: {}",
            reply["commits"],
            shown(reply["status"].as_str().unwrap_or_default())
        )],
        false => vec![format!("{run} is not what its commits say")],
    };
    for it in reply["problems"].as_array().into_iter().flatten() {
        let text = |key: &str| shown(it[key].as_str().unwrap_or_default());
        lines.push(format!("{} {}", text("commit"), text("message")).trim_start().to_owned());
    }
    say(&lines)
}

/// Rows with their columns below each other.
pub fn table<const N: usize>(rows: &[[String; N]]) -> Vec<String> {
    let mut columns = [0; N];
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            *column = width(cell).max(*column);
        }
    }
    let line = |row: &[String; N]| {
        let cells: Vec<String> =
            row.iter().zip(columns).map(|(cell, column)| padded(cell, column)).collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

pub fn say(lines: &[String]) -> Outcome<()> {
    let mut output = io::stdout().lock();
    for line in lines {
        writeln!(output, "{line}")?;
    }
    Ok(output.flush()?)
}
