//! Whether a trigger takes what happened: pure functions of both.

use serde::Serialize;

use super::{happened::Happened, schedule::Schedule};
use crate::{
    engine::definition::{
        flow::Names,
        trigger::{PathTrigger, Trigger},
    },
    git::Became,
    process::trigger::{Glob, Pattern, Room, message_part, name_part},
};

/// Something that may start runs.
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub enum Event<'a> {
    Commit(Happened<'a>),
    /// The schedules of this number in their trigger have come.
    Time(Vec<usize>),
}

/// A condition that does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unmet {
    /// Where it is in the trigger, such as `any[1].push`.
    pub condition: String,
    pub why: String,
}

/// What a trigger asks for, ready to be asked.
#[derive(Debug)]
pub struct Conditions {
    node: Node,
    pub schedules: Vec<Schedule>,
    /// Whether it asks for tags, and for any refs.
    asks_for_tags: bool,
    asks_for_refs: bool,
    /// What in it can be looked for by nobody: then it starts nothing.
    wrong: Option<Unmet>,
}

/// All of it has to hold.
#[derive(Debug)]
struct Node(Vec<(String, Condition)>);

#[derive(Debug)]
enum Condition {
    Push(Globs),
    Branch(Globs),
    Tag(Globs),
    Semver(bool),
    Into(Globs),
    From(Globs),
    Merge,
    Path(Option<Became>, Globs),
    Message(String, Pattern),
    Name(Globs),
    Email(Globs),
    Kind(Globs),
    Scope(Globs),
    Signed(bool),
    /// A schedule, by its number.
    Time(usize),
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Node),
    /// What is no time holds never.
    NoTime,
    /// What can be looked for by nobody.
    Wrong(String),
}

#[derive(Debug)]
struct Globs {
    all: Vec<Glob>,
    text: String,
}

impl Globs {
    fn of(names: &Names, room: &mut Room) -> Result<Globs, String> {
        let names = names.as_slice();
        let all = names.iter().map(|it| Glob::new(it, room)).collect::<Result<_, _>>()?;
        let text: Vec<String> = names.iter().map(|it| format!("`{it}`")).collect();
        Ok(Globs { all, text: text.join(", ") })
    }

    fn has(&self, name: &str) -> bool {
        self.all.iter().any(|it| it.matches(name))
    }
}

impl Conditions {
    pub fn of(trigger: &Trigger, room: &mut Room) -> Conditions {
        let mut compiler = Compiler { around: trigger, schedules: Vec::new(), room };
        let node = compiler.node(trigger);
        Conditions {
            wrong: node.wrong(""),
            node,
            schedules: compiler.schedules,
            asks_for_tags: asks(trigger, &|it| it.tag.is_some() || it.semver.is_some()),
            asks_for_refs: asks(trigger, &|it| {
                let is_branch = it.push.is_some() || it.branch.is_some() || it.merge.is_some();
                is_branch || it.tag.is_some() || it.semver.is_some()
            }),
        }
    }

    /// Why nothing can start it, if nothing can.
    pub fn wrong(&self) -> Option<&Unmet> {
        self.wrong.as_ref()
    }

    /// Whether commits can start something, besides times.
    pub fn takes_commits(&self) -> bool {
        !self.node.is_time_alone()
    }

    /// The first condition that does not hold; nothing where all of them do.
    pub fn unmet(&self, event: &Event) -> Option<Unmet> {
        let unmet = |condition: &str, why: &str| {
            Some(Unmet { condition: condition.to_owned(), why: why.to_owned() })
        };
        if let Some(wrong) = &self.wrong {
            return Some(wrong.clone());
        }
        if let Event::Commit(it) = event {
            if it.is_tag() && !self.asks_for_tags {
                return unmet("tag", "a tag starts only what asks for tags");
            }
            if !it.is_new && !self.asks_for_refs {
                return unmet("push", "the commit was there before, and nothing asks for branches");
            }
        }
        self.node.unmet(event, "")
    }
}

/// Whether a trigger, or one that it is made of, asks for something.
fn asks(trigger: &Trigger, wanted: &dyn Fn(&Trigger) -> bool) -> bool {
    let inner = trigger.any.iter().chain(&trigger.all);
    wanted(trigger) || inner.into_iter().any(|it| asks(it, wanted))
}

struct Compiler<'a> {
    around: &'a Trigger,
    schedules: Vec<Schedule>,
    room: &'a mut Room,
}

impl Compiler<'_> {
    fn node(&mut self, it: &Trigger) -> Node {
        let mut node = Node(Vec::new());
        if it.cron.is_some() || it.at.is_some() {
            let name = if it.cron.is_some() { "cron" } else { "at" };
            match Schedule::of(it, self.around) {
                Some(schedule) => {
                    self.schedules.push(schedule);
                    node.add(name, Ok(Condition::Time(self.schedules.len() - 1)));
                }
                None => node.add(name, Ok(Condition::NoTime)),
            }
        }
        self.globs(&mut node, "push", it.push.as_ref(), Condition::Push);
        self.globs(&mut node, "branch", it.branch.as_ref(), Condition::Branch);
        self.globs(&mut node, "tag", it.tag.as_ref(), Condition::Tag);
        node.flag("semver", it.semver, Condition::Semver);
        if let Some(merge) = &it.merge {
            node.add("merge", Ok(Condition::Merge));
            self.globs(&mut node, "merge.into", merge.into.as_ref(), Condition::Into);
            self.globs(&mut node, "merge.from", merge.from.as_ref(), Condition::From);
        }
        if let Some(PathTrigger { changed, added, modified, deleted }) = &it.path {
            let kinds = [
                ("path.changed", changed, None),
                ("path.added", added, Some(Became::Added)),
                ("path.modified", modified, Some(Became::Modified)),
                ("path.deleted", deleted, Some(Became::Deleted)),
            ];
            for (name, names, became) in kinds {
                self.globs(&mut node, name, names.as_ref(), |it| Condition::Path(became, it));
            }
        }
        if let Some(message) = &it.message {
            let pattern = Pattern::new(message, self.room);
            node.add("message", pattern.map(|it| Condition::Message(message.clone(), it)));
        }
        if let Some(author) = &it.author {
            self.globs(&mut node, "author.name", author.name.as_ref(), Condition::Name);
            self.globs(&mut node, "author.email", author.email.as_ref(), Condition::Email);
        }
        if let Some(commit) = &it.commit {
            self.globs(&mut node, "commit.type", commit.kind.as_ref(), Condition::Kind);
            self.globs(&mut node, "commit.scope", commit.scope.as_ref(), Condition::Scope);
        }
        node.flag("signed", it.signed, Condition::Signed);
        if !it.all.is_empty() {
            node.add("all", Ok(Condition::All(it.all.iter().map(|it| self.node(it)).collect())));
        }
        if !it.any.is_empty() {
            node.add("any", Ok(Condition::Any(it.any.iter().map(|it| self.node(it)).collect())));
        }
        if let Some(not) = &it.not {
            node.add("not", Ok(Condition::Not(self.node(not))));
        }
        node
    }

    fn globs(
        &mut self,
        node: &mut Node,
        name: &str,
        names: Option<&Names>,
        of: impl FnOnce(Globs) -> Condition,
    ) {
        if let Some(names) = names {
            node.add(name, Globs::of(names, self.room).map(of));
        }
    }
}

impl Node {
    fn add(&mut self, name: &str, condition: Result<Condition, String>) {
        self.0.push((name.to_owned(), condition.unwrap_or_else(Condition::Wrong)));
    }

    fn flag(&mut self, name: &str, flag: Option<bool>, of: impl FnOnce(bool) -> Condition) {
        if let Some(flag) = flag {
            self.add(name, Ok(of(flag)));
        }
    }

    fn unmet(&self, event: &Event, path: &str) -> Option<Unmet> {
        self.0.iter().find_map(|(name, condition)| condition.unmet(event, &below(path, name)))
    }

    /// The first thing in it that can be looked for by nobody.
    fn wrong(&self, path: &str) -> Option<Unmet> {
        self.0.iter().find_map(|(name, condition)| {
            let path = below(path, name);
            let mut nodes = match condition {
                Condition::All(nodes) | Condition::Any(nodes) => nodes.iter().enumerate(),
                Condition::Not(node) => return node.wrong(&path),
                Condition::Wrong(why) => return Some(Unmet { condition: path, why: why.clone() }),
                _ => return None,
            };
            nodes.find_map(|(at, it)| it.wrong(&format!("{path}[{at}]")))
        })
    }

    /// Whether it holds at times and never for a commit.
    fn is_time_alone(&self) -> bool {
        self.0.iter().any(|(_, it)| match it {
            Condition::Time(_) => true,
            Condition::All(nodes) => nodes.iter().any(Node::is_time_alone),
            Condition::Any(nodes) => nodes.iter().all(Node::is_time_alone),
            _ => false,
        })
    }
}

fn below(path: &str, name: &str) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    format!("{path}{dot}{name}")
}

impl Condition {
    fn unmet(&self, event: &Event, path: &str) -> Option<Unmet> {
        let unmet = |why: String| Some(Unmet { condition: path.to_owned(), why });
        match self {
            Condition::All(nodes) => {
                let mut nodes = nodes.iter().enumerate();
                return nodes.find_map(|(at, it)| it.unmet(event, &format!("{path}[{at}]")));
            }
            Condition::Any(nodes) => {
                let mut first = None;
                for (at, node) in nodes.iter().enumerate() {
                    match node.unmet(event, &format!("{path}[{at}]")) {
                        None => return None,
                        Some(it) => first = first.or(Some(it)),
                    }
                }
                let first = first.map(|it| format!(", first {}: {}", it.condition, it.why));
                return unmet(format!("none of these holds{}", first.unwrap_or_default()));
            }
            Condition::Not(node) => {
                let holds = node.unmet(event, path).is_none();
                return if holds { unmet("this holds".to_owned()) } else { None };
            }
            Condition::NoTime => return unmet("no such time or time zone".to_owned()),
            Condition::Wrong(why) => return unmet(why.clone()),
            _ => (),
        }
        match event {
            Event::Time(come) => match self {
                Condition::Time(number) if come.contains(number) => None,
                Condition::Time(_) => unmet("it is not its time".to_owned()),
                _ => unmet("a schedule has come, and nothing happened here".to_owned()),
            },
            Event::Commit(it) => self.unmet_by(it).and_then(unmet),
        }
    }

    /// Why a commit does not do.
    fn unmet_by(&self, it: &Happened) -> Option<String> {
        let none_of = |what: &str, name: Option<&str>, globs: &Globs| match name {
            Some(name) if globs.has(name) => None,
            Some(name) => Some(format!("the {what} `{name}` is none of {}", globs.text)),
            None => Some(format!("there is no {what}")),
        };
        let is_it = |is: bool, wanted: bool, what: &str| {
            let not = if is { "" } else { "not " };
            (is != wanted).then(|| format!("it is {not}{what}"))
        };
        match self {
            Condition::Push(globs) => none_of("branch", it.branch(), globs),
            Condition::Branch(globs) => match it.is_made {
                true => none_of("branch", it.branch(), globs),
                false => Some("no branch begins here".to_owned()),
            },
            Condition::Tag(globs) => none_of("tag", it.tag(), globs),
            Condition::Semver(wanted) => match it.tag() {
                Some(tag) => is_it(is_version(tag), *wanted, "a tag such as v1.2.3"),
                None => Some("there is no tag".to_owned()),
            },
            Condition::Merge => match it.is_merged_here {
                true => None,
                false => Some("nothing was merged here".to_owned()),
            },
            Condition::Into(globs) => none_of("branch", it.branch(), globs),
            Condition::From(globs) => match it.merged.iter().any(|it| globs.has(it)) {
                true => None,
                false => Some(format!("what was merged is none of {}", globs.text)),
            },
            Condition::Path(became, globs) => {
                let mut changed = it.changed.iter();
                let is_one = changed
                    .any(|(how, path)| became.is_none_or(|it| it == *how) && globs.has(path));
                (!is_one).then(|| format!("no such file is among {}", globs.text))
            }
            Condition::Message(text, pattern) => {
                let has = pattern.is_in(message_part(&it.facts.message));
                (!has).then(|| format!("the message does not have `{text}`"))
            }
            Condition::Name(globs) => none_of("author", Some(name_part(&it.facts.name)), globs),
            Condition::Email(globs) => none_of("author", Some(name_part(&it.facts.email)), globs),
            Condition::Kind(globs) => {
                none_of("type of commit", conventional(name_part(it.subject())).0, globs)
            }
            Condition::Scope(globs) => {
                let scopes = conventional(name_part(it.subject())).1;
                match scopes.iter().any(|it| globs.has(it)) {
                    true => None,
                    false => none_of("scope of the commit", scopes.first().copied(), globs),
                }
            }
            Condition::Signed(wanted) => {
                is_it(*it.is_signed, *wanted, "signed by somebody who may sign")
            }
            Condition::Time(_) => Some("it is about a time".to_owned()),
            // They were looked into before.
            Condition::All(_)
            | Condition::Any(_)
            | Condition::Not(_)
            | Condition::NoTime
            | Condition::Wrong(_) => None,
        }
    }
}

/// Whether a tag is a semantic version, perhaps behind a folder: `v1.2.3`, `1.2.3`, `api/v1.2.3`.
pub fn is_version(tag: &str) -> bool {
    let last = tag.rsplit('/').next().unwrap_or(tag);
    semver::Version::parse(last.strip_prefix('v').unwrap_or(last)).is_ok()
}

/// The words before the colon of a conventional commit: its type, and its scopes.
pub fn conventional(subject: &str) -> (Option<&str>, Vec<&str>) {
    let Some((head, _)) = subject.split_once(':') else { return (None, Vec::new()) };
    let head = head.strip_suffix('!').unwrap_or(head);
    let (kind, scopes) = match head.split_once('(') {
        Some((kind, rest)) => match rest.strip_suffix(')') {
            Some(scopes) => (kind, scopes.split(',').map(str::trim).collect()),
            None => return (None, Vec::new()),
        },
        None => (head, Vec::new()),
    };
    let is_word =
        !kind.is_empty() && kind.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    if is_word { (Some(kind), scopes) } else { (None, Vec::new()) }
}
