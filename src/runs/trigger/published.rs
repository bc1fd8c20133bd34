//! Processes that are published in a repository and have triggers.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use semver::Version;

use super::matches::Conditions;
use crate::{
    engine::definition::{
        Definition,
        trigger::{Overlap, Trigger},
        work::Values,
    },
    git::{Kind, ObjectId, TAGS, Tag, Watched, object_id},
    process::{
        artifact::{Name, version_of},
        load,
        store::{Store, repository::InRepository},
        trigger::{Room, label},
    },
};

/// The longest id that a run can have.
const RUN_BYTES_MAX: usize = 100;
/// So much of an id is left to what tells one of many by its name, where that is too long.
const SHORT_DIGITS: usize = 12;

/// A trigger of a process.
#[derive(Debug)]
pub struct Rule {
    pub process: String,
    pub version: Option<String>,
    /// What it is called: a word that is a part of the ids of its runs.
    pub label: String,
    pub description: Option<String>,
    pub conditions: Conditions,
    pub overlap: Option<Overlap>,
    pub with: Values,
}

/// The rules of a definition, each with a label of its own: its name, or else its number.
pub fn rules(definition: &Definition) -> Vec<Rule> {
    let (mut taken, mut room) = (BTreeSet::new(), Room::default());
    let rule = |(at, trigger): (usize, &Trigger)| {
        let number = (at + 1).to_string();
        let label = trigger.name.as_deref().map(label).filter(|it| !it.is_empty());
        let label = label.filter(|it| !taken.contains(it)).unwrap_or(number);
        taken.insert(label.clone());
        Rule {
            process: definition.process_name.clone(),
            version: definition.process_version.clone(),
            label,
            description: trigger.description.clone(),
            conditions: Conditions::of(trigger, &mut room),
            overlap: trigger.overlap,
            with: trigger.with.clone().unwrap_or_default(),
        }
    };
    definition.triggers.iter().enumerate().map(rule).collect()
}

impl Rule {
    /// The id of the run that it starts for something. A label has no dot in it, so no two rules
    /// have one id.
    pub fn run(&self, cause: &str) -> String {
        let Rule { process, label, .. } = self;
        let whole = format!("{process}.{label}.{cause}");
        if whole.len() <= RUN_BYTES_MAX {
            return whole;
        }
        let digest = object_id(Kind::Blob, format!("{process}.{label}").as_bytes()).to_string();
        let left = RUN_BYTES_MAX - cause.len() - SHORT_DIGITS - 2;
        let start = process[..left.min(process.len())].trim_end_matches('.');
        format!("{start}.{}.{cause}", &digest[..SHORT_DIGITS])
    }

    /// What is started by time alone.
    pub fn kind(&self) -> &'static str {
        match (self.conditions.takes_commits(), self.conditions.schedules.is_empty()) {
            (true, true) => "commit",
            (true, false) => "both",
            (false, _) => "time",
        }
    }
}

/// A published process with triggers.
#[derive(Debug)]
pub struct Published {
    pub name: Name,
    pub version: Version,
    /// The tag that keeps it.
    pub tag: ObjectId,
    pub rules: Vec<Rule>,
}

/// The latest versions of all processes here, as far as they have triggers.
#[derive(Default)]
pub struct Processes {
    /// By their tags; nothing of one without.
    read: HashMap<ObjectId, Option<Arc<Published>>>,
    pub all: Vec<Arc<Published>>,
}

impl Processes {
    /// Brings it up to these refs.
    pub fn follow(&mut self, refs: &Watched, source: &InRepository) {
        let mut read = HashMap::new();
        self.all.clear();
        for (name, (version, tag)) in latest(refs) {
            let found = match self.read.remove(&tag) {
                Some(found) => found,
                None => published(name, version, tag, source),
            };
            self.all.extend(found.clone());
            read.insert(tag, found);
        }
        self.read = read;
    }

    /// All triggers, in the order of their processes.
    pub fn rules(&self) -> impl Iterator<Item = (&Arc<Published>, &Rule)> {
        self.all.iter().flat_map(|it| it.rules.iter().map(move |rule| (it, rule)))
    }
}

/// The tags of the latest versions. A pre-release starts nothing.
fn latest(refs: &Watched) -> BTreeMap<Name, (Version, ObjectId)> {
    let folder = format!("{TAGS}{}", Tag::PROCESSES);
    let mut latest: BTreeMap<Name, (Version, ObjectId)> = BTreeMap::new();
    let below = refs.range(folder.clone()..);
    for (tag, id) in below.map_while(|it| Some((it.0.strip_prefix(&folder)?, it.1))) {
        let Some((name, version)) = tag.split_once('/') else { continue };
        let version = version.strip_prefix('v').and_then(|it| version_of(it).ok());
        let (Ok(name), Some(version)) = (Name::new(name), version) else { continue };
        let is_later = latest.get(&name).is_none_or(|it| it.0 < version);
        if is_later && version.pre.is_empty() {
            latest.insert(name, (version, *id));
        }
    }
    latest
}

/// What cannot be read starts nothing.
fn published(
    name: Name,
    version: Version,
    tag: ObjectId,
    source: &InRepository,
) -> Option<Arc<Published>> {
    let artifact = match source.get(&name, &version) {
        Ok(artifact) => artifact,
        Err(error) => {
            log::error!("{name} {version} starts nothing: {error}");
            return None;
        }
    };
    let file = load::read(&name.file(&version), &artifact.bytes);
    let mut loaded = file.loaded.iter().map(|it| &it.definition);
    let rules = rules(loaded.find(|it| it.process_name == name.as_str())?);
    (!rules.is_empty()).then(|| Arc::new(Published { name, version, tag, rules }))
}
