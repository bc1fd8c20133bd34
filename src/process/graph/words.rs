//! What is said on a node and on an arrow, so that a picture needs no legend.

use crate::{
    engine::definition::{
        Step,
        around::Duration,
        flow::{Cancel, End, Join, JoinRule, JoinWord, Quorum, Rest, Split, Transition},
        work::{Count, Each, EachJoin, EachWord, Repeat, names},
    },
    process::graph::model::{Kind, Note},
};

pub fn kind(step: &Step) -> Kind {
    if step.steps.is_some() {
        return Kind::Block;
    }
    if step.call.is_some() {
        return Kind::Call;
    }
    if let Some(waits) = &step.awaits {
        return if waits.rule().event.is_some() { Kind::Event } else { Kind::Timer };
    }
    match step.step_type.as_deref() {
        Some("final_commit") => Kind::Final,
        _ if step.end.is_some() => Kind::Final,
        None => Kind::Plain,
        Some("human_in_the_loop" | "human" | "person") => Kind::Person,
        Some("exec") => Kind::Exec,
        Some("git") => Kind::Git,
        Some("timer") => Kind::Timer,
        Some("route") => Kind::Route,
        Some(_) => Kind::Worker,
    }
}

pub fn headline(step: &Step) -> String {
    step.title.as_ref().filter(|it| !it.trim().is_empty()).unwrap_or(&step.step_id).clone()
}

pub fn notes(step: &Step) -> Vec<Note> {
    let mut notes = Vec::new();
    if headline(step) != step.step_id {
        notes.push(Note::Id(step.step_id.clone()));
    }
    if let (Kind::Worker, Some(name)) = (kind(step), &step.step_type) {
        notes.push(Note::Type(name.clone()));
    }
    if let Some(text) = step.description.as_ref().filter(|it| !it.trim().is_empty()) {
        notes.push(Note::Description(text.clone()));
    }
    let facts = [what_it_is(step), when_it_runs(step), what_it_leaves(step)].concat();
    notes.extend(facts.into_iter().map(Note::Fact));
    notes
}

fn what_it_is(step: &Step) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(call) = &step.call {
        facts.push(format!("calls {}", call.process_name()));
    }
    match &step.repeat {
        Some(Repeat::While(it)) => facts.push(format!("repeated while {}", it.0)),
        Some(Repeat::Until(it)) => facts.push(format!("repeated until {}", it.0)),
        None => (),
    }
    if let Some(it) = &step.each {
        facts.extend(each(it));
    }
    if let Some(waits) = step.awaits.as_ref().map(|it| it.rule()) {
        match (&waits.event, &waits.after) {
            (Some(event), _) => {
                let key = waits.key.as_ref().map(|it| format!(" for {}", it.0));
                let early = match &waits.keep_for {
                    _ if !waits.keep => ", lost when early".to_owned(),
                    Some(time) => format!(", kept for {}", written(time)),
                    None => String::new(),
                };
                facts.push(format!("on {event}{}{early}", key.unwrap_or_default()));
            }
            (None, Some(after)) => facts.push(format!("after {}", written(after))),
            (None, None) => (),
        }
        if let (Some(_), Some(after)) = (&waits.event, &waits.after) {
            facts.push(format!("for at most {}", written(after)));
        }
    }
    if step.awaits.is_none() && kind(step) == Kind::Timer {
        facts.extend(configured(step, "after").map(|it| format!("after {it}")));
    }
    facts
}

/// A time as the plain style has it.
fn configured(step: &Step, key: &str) -> Option<String> {
    step.configuration.as_ref()?.get(key)?.as_str().map(str::to_owned)
}

fn each(each: &Each) -> Vec<String> {
    let mut facts = vec![match (&each.count, &each.items) {
        (Some(Count::Number(count)), _) => format!("{count} instances"),
        (Some(Count::Expression(count)), _) => format!("as many instances as {}", count.0),
        (None, Some(items)) => format!("for each of {}", items.0),
        (None, None) => "instances".to_owned(),
    }];
    let goes_on = match &each.join {
        None | Some(EachJoin::Word(EachWord::All)) => None,
        Some(EachJoin::Word(EachWord::None)) => Some("goes on at once".to_owned()),
        Some(EachJoin::Word(EachWord::One)) => Some("each goes on by itself".to_owned()),
        Some(EachJoin::Count(count)) => Some(format!("goes on after {count}")),
        Some(EachJoin::Expression(it)) => Some(format!("goes on when {}", it.0)),
    };
    let rest = if each.rest == Some(Rest::Cancel) { ", cancels the rest" } else { "" };
    facts.extend(goes_on.map(|it| format!("{it}{rest}")));
    facts.extend(each.add.as_ref().map(|it| format!("one more on {it}")));
    facts.extend(each.finish.as_ref().map(|it| format!("enough on {it}")));
    facts
}

fn when_it_runs(step: &Step) -> Vec<String> {
    let mut facts = Vec::new();
    facts.extend(step.only_while.as_ref().map(|it| format!("only while {}", it.0)));
    facts.extend(list("holds", &names(step.mutex.as_ref())));
    let people = [step.assignee.clone().into_iter().collect(), names(step.roles.as_ref())].concat();
    facts.extend(list("by", &people));
    facts.extend(step.queue.as_ref().map(|it| format!("queue {it}")));
    let configured = |key: &str| configured(step, key);
    let timeout = step.timeout.as_ref().map(written).or_else(|| configured("timeout"));
    facts.extend(timeout.map(|it| format!("timeout {it}")));
    if let Some(retry) = &step.retry {
        let attempts = retry.rules().iter().map(|it| it.attempts).max();
        facts.extend(attempts.map(|it| format!("up to {it} attempts")));
    }
    if let Some(deadline) = step.deadline.as_ref().map(|it| it.rule()) {
        let then = if deadline.escalate.is_some() { ", then escalates" } else { "" };
        facts.push(format!("due in {}{then}", written(&deadline.after)));
    }
    facts
}

fn what_it_leaves(step: &Step) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(emit) = &step.emit {
        let events: Vec<String> = emit.rules().into_iter().map(|it| it.event).collect();
        facts.extend(list("emits", &events));
    }
    if let Some(Cancel::Everything(_)) = &step.cancel {
        facts.push("cancels everything".to_owned());
    }
    let ends = match (&step.final_status, step.end) {
        (Some(status), _) => Some(status.as_str()),
        (None, Some(End::Cancelled)) => Some("cancelled"),
        (None, Some(End::Failed)) => Some("failed"),
        (None, Some(End::Done)) => Some("done"),
        (None, None) => None,
    };
    facts.extend(ends.map(|it| format!("ends as {it}")));
    facts
}

/// What arriving threads wait for; nothing where each goes through.
pub fn join(join: Option<&Join>) -> Option<String> {
    match join? {
        Join::Word(JoinWord::One) => None,
        Join::Word(JoinWord::All) => Some("all must arrive".to_owned()),
        Join::Word(JoinWord::Any) => Some("all that can arrive".to_owned()),
        Join::Count(1) => Some("first to arrive".to_owned()),
        Join::Count(count) => Some(format!("first {count} to arrive")),
        Join::Rule(rule) => join_rule(rule),
    }
}

fn join_rule(rule: &JoinRule) -> Option<String> {
    let mut words = match (&rule.n, &rule.from, rule.tokens) {
        (Some(Quorum::Count(1)), ..) => "first to arrive".to_owned(),
        (Some(Quorum::Count(count)), ..) => format!("first {count} to arrive"),
        (Some(Quorum::Expression(it)), ..) => format!("first ({}) to arrive", it.0),
        (None, Some(_), _) => "all that are under way".to_owned(),
        (None, None, Some(tokens)) => return Some(format!("{tokens} threads become one")),
        (None, None, None) => return None,
    };
    if let Some(from) = &rule.from {
        words.push_str(&format!(", from {from}"));
    }
    if let Some(tokens) = rule.tokens {
        words.push_str(&format!(", {tokens} threads each"));
    }
    if rule.rest == Some(Rest::Cancel) {
        words.push_str(", cancels the rest");
    }
    Some(words)
}

/// Which ways are taken; nothing where it is one.
pub fn split(step: &Step, ways: usize) -> Option<String> {
    let words = match step.split? {
        Split::One => return None,
        Split::All => "all at once",
        Split::Any => "each that holds",
        Split::Race => "race: first to start",
    };
    (ways > 1).then(|| words.to_owned())
}

/// A way on from a step, however it was written.
#[derive(Debug)]
pub struct Way<'a> {
    pub next_step: Option<&'a str>,
    transition: Option<&'a Transition>,
}

impl Way<'_> {
    /// What was written as `transitions` and as `next`.
    pub fn all(step: &Step) -> Vec<Way<'_>> {
        let written = step.transitions.iter().flatten();
        let written =
            written.map(|it| Way { next_step: it.next_step.as_deref(), transition: Some(it) });
        let next = step.next.iter().flat_map(|it| it.as_slice());
        written.chain(next.map(|it| Way { next_step: Some(it), transition: None })).collect()
    }
}

/// What is said on the arrow of the way at `index` of `all`.
pub fn way(all: &[Way], index: usize, split: Option<Split>) -> Option<String> {
    let it = all[index].transition?;
    let mut words = Vec::new();
    words.extend(it.on.clone());
    words.extend(it.when.as_ref().map(|when| format!("[{}]", when.0)));
    let is_rest = it.on.is_none() && it.when.is_none() && index > 0;
    if it.otherwise || is_rest && matches!(split, None | Some(Split::One)) {
        words.push("otherwise".to_owned());
    }
    words.extend(it.tokens.filter(|it| *it > 1).map(|it| format!("×{it}")));
    words.extend(it.description.as_ref().filter(|it| !it.is_empty()).map(|it| format!("“{it}”")));
    (!words.is_empty()).then(|| words.join(" "))
}

fn list(verb: &str, names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| format!("{verb} {}", names.join(", ")))
}

/// A length of time as its author wrote it.
fn written(duration: &Duration) -> String {
    match serde_json::to_value(duration) {
        Ok(serde_json::Value::String(text)) => text,
        _ => format!("{} ms", duration.ms()),
    }
}
