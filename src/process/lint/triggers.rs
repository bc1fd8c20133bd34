//! What starts runs: whether it can ever happen.

use super::Report;
use crate::{
    engine::definition::{Definition, flow::Names, trigger::Trigger},
    process::{
        cron::Cron,
        diagnostic::{Rule, brief},
    },
};

pub const RULES: &[Rule] = &[CRON, TIMEZONE, TRIGGER, GLOB];

const CRON: Rule = Rule::error("cron", "A schedule has five fields with numbers that there are.");
const TIMEZONE: Rule =
    Rule::error("timezone", "A time zone is one of the IANA database, such as Europe/Berlin.");
const TRIGGER: Rule = Rule::error("trigger", "A trigger says when it starts a run.");
const GLOB: Rule = Rule::error("glob", "Patterns of names are globs that can be read.");

pub fn check(definition: &Definition, report: &mut Report) {
    for (at, it) in definition.triggers.iter().enumerate() {
        trigger(it, &format!("triggers[{at}]"), report);
    }
}

fn trigger(it: &Trigger, path: &str, report: &mut Report) {
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
            if let Err(error) = globset::Glob::new(glob) {
                let message = format!("correct the pattern `{}`: {}", brief(glob), error.kind());
                report.say(&GLOB, &format!("{path}.{key}[{at}]"), message);
            }
        }
    }
    for (key, inner) in [("any", &it.any), ("all", &it.all)] {
        for (at, it) in inner.iter().enumerate() {
            trigger(it, &format!("{path}.{key}[{at}]"), report);
        }
    }
    if let Some(it) = &it.not {
        trigger(it, &format!("{path}.not"), report);
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
    globs.into_iter().filter_map(|(key, it)| Some((key, it.as_ref()?))).collect()
}
