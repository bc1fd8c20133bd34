//! What starts runs: whether it can ever happen.

use std::collections::BTreeMap;

use super::Report;
use crate::{
    engine::definition::{Definition, flow::Names, trigger::Trigger},
    process::{
        cron::Cron,
        diagnostic::{Rule, brief},
        trigger::{Glob, Pattern, Room, label},
    },
};

pub const RULES: &[Rule] = &[CRON, TIMEZONE, TRIGGER, TRIGGER_NAME, GLOB, MESSAGE];

const CRON: Rule = Rule::error("cron", "A schedule has five fields with numbers that there are.");
const TIMEZONE: Rule =
    Rule::error("timezone", "A time zone is one of the IANA database, such as Europe/Berlin.");
const TRIGGER: Rule = Rule::error("trigger", "A trigger says when it starts a run.");
const TRIGGER_NAME: Rule = Rule::error(
    "trigger-name",
    "Triggers of a process are told apart by the words in their names.",
);
const MESSAGE: Rule =
    Rule::error("message", "What is looked for in messages is a word or a regular expression.");
const GLOB: Rule = Rule::error("glob", "Patterns of names are globs that can be read.");

pub fn check(definition: &Definition, report: &mut Report) {
    let (mut labels, mut room) = (BTreeMap::new(), Room::default());
    for (at, it) in definition.triggers.iter().enumerate() {
        look(it, &format!("triggers[{at}]"), &mut room, report);
        let label = it.name.as_deref().map_or_else(|| (at + 1).to_string(), label);
        let name = if it.name.is_some() { ".name" } else { "" };
        let path = format!("triggers[{at}]{name}");
        if label.is_empty() {
            let message = "give a name with letters or digits: it is a part of the ids of runs";
            report.say(&TRIGGER_NAME, &path, message);
        } else if let Some(before) = labels.insert(label.clone(), at + 1) {
            let message = format!("give another name: trigger {before} is called `{label}` too");
            report.say(&TRIGGER_NAME, &path, message);
        }
    }
}

fn look(it: &Trigger, path: &str, room: &mut Room, report: &mut Report) {
    if let Some(cron) = &it.cron
        && let Err(wrong) = Cron::parse(cron)
    {
        report.say(&CRON, &format!("{path}.cron"), wrong.message).within(wrong.bytes);
    }
    times(it, path, report);
    if !says_when(it) {
        let message = "say when this starts a run: `cron`, `at`, or what happens in a repository";
        report.say(&TRIGGER, path, message);
    }
    for (key, names) in globs(it) {
        for (at, glob) in names.as_slice().iter().enumerate() {
            if let Err(error) = Glob::new(glob, room) {
                let message = format!("correct the pattern `{}`: {error}", brief(glob));
                report.say(&GLOB, &format!("{path}.{key}[{at}]"), message);
            }
        }
    }
    if let Some(Err(error)) = it.message.as_deref().map(|it| Pattern::new(it, room)) {
        let message = format!("correct the pattern of the message: {error}");
        report.say(&MESSAGE, &format!("{path}.message"), message);
    }
    for (key, inner) in [("any", &it.any), ("all", &it.all)] {
        for (at, it) in inner.iter().enumerate() {
            look(it, &format!("{path}.{key}[{at}]"), room, report);
        }
    }
    if let Some(it) = &it.not {
        look(it, &format!("{path}.not"), room, report);
    }
}

fn times(it: &Trigger, path: &str, report: &mut Report) {
    if let Some(zone) = &it.timezone {
        let path = format!("{path}.timezone");
        if it.cron.is_none() {
            let message = "take the time zone away: only `cron` has one";
            report.say(&TIMEZONE, &path, message).lenient();
        } else if jiff::tz::TimeZone::get(zone).is_err() {
            let message =
                format!("no time zone is `{}`: write one such as Europe/Berlin", brief(zone));
            report.say(&TIMEZONE, &path, message);
        }
    }
    if let Some(time) = &it.at
        && time.parse::<jiff::Timestamp>().is_err()
    {
        let message =
            format!("write a time such as 2030-01-31T09:00:00Z instead of `{}`", brief(time));
        report.say(&TRIGGER, &format!("{path}.at"), message);
    }
}

fn says_when(it: &Trigger) -> bool {
    let is_time = it.cron.is_some() || it.at.is_some();
    let is_commit = it.message.is_some() || it.author.is_some() || it.commit.is_some();
    let is_ref = it.push.is_some() || it.branch.is_some() || it.tag.is_some() || it.merge.is_some();
    let is_more = it.path.is_some() || it.signed.is_some() || it.semver.is_some();
    let is_made_up = !it.any.is_empty() || !it.all.is_empty() || it.not.is_some();
    is_time || is_commit || is_ref || is_more || is_made_up
}

fn globs(it: &Trigger) -> Vec<(&'static str, &Names)> {
    let mut globs = vec![("push", &it.push), ("branch", &it.branch), ("tag", &it.tag)];
    if let Some(merge) = &it.merge {
        globs.extend([("merge.into", &merge.into), ("merge.from", &merge.from)]);
    }
    if let Some(path) = &it.path {
        globs.extend([("path.changed", &path.changed), ("path.added", &path.added)]);
        globs.extend([("path.modified", &path.modified), ("path.deleted", &path.deleted)]);
    }
    if let Some(author) = &it.author {
        globs.extend([("author.name", &author.name), ("author.email", &author.email)]);
    }
    if let Some(commit) = &it.commit {
        globs.extend([("commit.type", &commit.kind), ("commit.scope", &commit.scope)]);
    }
    globs.into_iter().filter_map(|(key, it)| Some((key, it.as_ref()?))).collect()
}
