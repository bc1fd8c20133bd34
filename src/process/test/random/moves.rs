//! What somebody could do next, and what scripts bring when they do it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Chance, Field};
use crate::{
    engine::{
        definition::{Data, around::Duration},
        net::{RESERVED, Step},
        offers::Offer,
        state::{ItemStatus, Status},
    },
    process::test::{
        play::Play,
        script::{Deed, Named, Script, events, step_at},
    },
};

/// The data that scripts bring, by what brings it: chance takes no other.
#[derive(Debug, Default)]
pub struct Pool {
    given: Vec<Data>,
    brought: BTreeMap<String, Vec<Data>>,
}

impl Pool {
    pub fn of(scripts: &[Script]) -> Pool {
        let mut pool = Pool::default();
        for script in scripts {
            pool.given.push(script.given.clone());
            script.lines.iter().for_each(|it| pool.add(&it.deed));
        }
        pool
    }

    fn add(&mut self, deed: &Deed) {
        let (name, data) = match deed {
            Deed::Complete { step, data, .. } => (without_instances(&step.path), data),
            Deed::Signal { name, data, .. } => (format!("!{name}"), data),
            _ => return,
        };
        let known = self.brought.entry(name).or_default();
        if !known.contains(data) {
            known.push(data.clone());
        }
    }

    /// What a run is started with.
    pub fn given(&self, chance: &mut Chance) -> Data {
        self.given.get(chance.below(self.given.len())).cloned().unwrap_or_default()
    }

    fn pick(&self, name: &str, chance: &mut Chance) -> Data {
        let known = self.brought.get(name).map(Vec::as_slice).unwrap_or_default();
        known.get(chance.below(known.len())).cloned().unwrap_or_default()
    }
}

fn without_instances(path: &str) -> String {
    let names = path.split('/').filter_map(|it| it.split('#').next());
    names.collect::<Vec<_>>().join("/")
}

pub struct Moves {
    deeds: Vec<Deed>,
    /// Nothing is on offer, under way or waited for.
    pub is_stuck: bool,
}

impl Moves {
    /// One of them, with data that some script brings.
    pub fn pick(&self, chance: &mut Chance, field: &Field<'_>) -> Option<Deed> {
        let mut deed = self.deeds.get(chance.below(self.deeds.len()))?.clone();
        match &mut deed {
            Deed::Complete { step, outcome, data, .. } => {
                let fitting = field.fitting(step, outcome.as_deref());
                *data = fitting.get(chance.below(fitting.len())).cloned().unwrap_or_default();
            }
            Deed::Signal { name, data, .. } => {
                *data = field.pool.pick(&format!("!{name}"), chance);
            }
            _ => (),
        }
        Some(deed)
    }
}

impl Field<'_> {
    pub fn moves(&self, play: &Play<'_>) -> Moves {
        let mut deeds = Vec::new();
        if play.state.head.status != Status::Running {
            return Moves { deeds, is_stuck: false };
        }
        let offers = play.offers();
        for (index, offer) in offers.iter().enumerate() {
            let is_same = |it: &&Offer| it.path == offer.path && it.status == offer.status;
            let nth = offers[..index].iter().filter(is_same).count();
            let step = Named { path: offer.path.clone(), nth };
            match offer.status {
                ItemStatus::Offered => deeds.push(Deed::Start(step)),
                ItemStatus::Open => {
                    let is_offered =
                        |it: &&Offer| it.path == offer.path && it.status == ItemStatus::Offered;
                    let before = offers.iter().filter(is_offered).count();
                    deeds.push(Deed::Start(Named { nth: nth + before, ..step }));
                }
                ItemStatus::Started => self.endings(&step, &mut deeds),
                ItemStatus::Backoff | ItemStatus::Awaiting | ItemStatus::Inside => (),
            }
        }
        self.events(play, &mut deeds);
        let now = play.state.head.now_ms;
        let wait = play.state.due_ms().map(|it| (it - now).max(0));
        let time = wait.and_then(|ms| Duration::parse(&format!("{ms}ms")));
        deeds.extend(time.map(Deed::After));
        Moves { deeds, is_stuck: offers.is_empty() }
    }

    /// Every outcome that a transition names, and every error that is tried again.
    fn endings(&self, step: &Named, deeds: &mut Vec<Deed>) {
        let Some((net, no)) = step_at(self.processes, &step.path) else { return };
        let of = self.processes.step(net, no);
        for outcome in outcomes(of) {
            if of.output.is_some() && self.fitting(step, outcome.as_deref()).is_empty() {
                continue;
            }
            let data = Data::new();
            let step = step.clone();
            deeds.push(Deed::Complete { step, starts: false, outcome, data });
        }
        deeds.extend(of.heartbeat_ms.map(|_| Deed::Heartbeat(step.clone())));
        for rule in &of.retry {
            let kinds = rule.errors.as_ref().map(|it| it.as_slice().to_vec());
            for kind in kinds.unwrap_or_else(|| vec!["error".to_owned()]) {
                deeds.push(Deed::Fail { step: step.clone(), kind });
            }
        }
    }

    /// What scripts bring with a step, as far as it may be brought with this outcome.
    fn fitting(&self, step: &Named, outcome: Option<&str>) -> Vec<Data> {
        let name = without_instances(&step.path);
        let known = self.pool.brought.get(&name).cloned().unwrap_or_default();
        let of = step_at(self.processes, &step.path).map(|it| self.processes.step(it.0, it.1));
        let is_failure = outcome.is_some_and(|it| RESERVED.contains(&it));
        match of.and_then(|it| it.output.as_ref()).filter(|_| !is_failure) {
            None => known,
            Some(schema) => {
                let brought = known.into_iter().chain([Data::new()]);
                let fits = |it: &Data| schema.check(&Value::Object(it.clone())).is_ok();
                brought.filter(fits).collect()
            }
        }
    }

    /// Every event, and those with a key that somebody waits for.
    fn events(&self, play: &Play<'_>, deeds: &mut Vec<Deed>) {
        let signal = |name: &str, key: Option<Value>| {
            let (name, data) = (name.to_owned(), Data::new());
            Deed::Signal { name, key, data }
        };
        deeds.extend(events(self.processes).into_iter().map(|it| signal(it, None)));
        for ((event, key, _), ()) in play.state.waits.iter() {
            let key = key.strip_prefix('=').map(|it| Value::String(it.to_owned()));
            match key.map(|it| signal(event, Some(it))) {
                Some(deed) if !deeds.contains(&deed) => deeds.push(deed),
                _ => (),
            }
        }
    }
}

fn outcomes(step: &Step) -> Vec<Option<String>> {
    let mut outcomes: Vec<Option<String>> = Vec::new();
    for arc in &step.arcs {
        if !outcomes.contains(&arc.on) {
            outcomes.push(arc.on.clone());
        }
    }
    if outcomes.is_empty() {
        outcomes.push(None);
    }
    outcomes
}
