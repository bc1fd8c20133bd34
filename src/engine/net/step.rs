//! One step, apart from the places around it.

use super::{
    Awaited, Body, Each, EachJoin, Instances, Join, NetNo, Number, Repeat, Step, StepNo,
    WEIGHT_MAX, compile::Compiler, versions,
};
use crate::engine::definition::{
    self,
    around::Duration,
    flow::{self, JoinWord, Rest},
    work::{self, EachWord},
};

/// A tag is called by it.
const MILESTONE_CHARS_MAX: usize = 100;

impl Compiler<'_> {
    pub fn step(&mut self, net: NetNo, no: StepNo, source: &definition::Step) -> Step {
        let at = |key: &str| format!("steps[{no}].{key}");
        let deadline = source.deadline.as_ref().map(|it| it.rule());
        let escalation = deadline.as_ref().and_then(|it| it.escalate.clone());
        let emit = escalation.as_ref().and_then(|it| it.emit.as_ref());
        let escalation_emit = self.emitted(net, &at("deadline.escalate.emit"), emit);
        let retry = source.retry.as_ref().map(|it| it.rules().to_vec()).unwrap_or_default();
        if retry.iter().any(|it| it.attempts == 0) {
            self.wrong::<()>(net, &at("retry"), "at least one attempt");
        }
        let cancel = source.cancel.as_ref();
        let cancel = cancel.map(|it| self.cancelled(net, &at("cancel"), it)).unwrap_or_default();
        Step {
            id: source.step_id.clone(),
            step_type: source.step_type.clone(),
            title: source.title.clone(),
            description: source.description.clone(),
            configuration: source.configuration.clone().unwrap_or_default(),
            body: self.body(net, no, source),
            join: self.join(net, &at("join"), source.join.as_ref()),
            inputs: Vec::new(),
            ready: 0,
            races: Vec::new(),
            split: source.split.unwrap_or_default(),
            arcs: Vec::new(),
            hands_out: Vec::new(),
            cancel,
            end: source.end,
            final_status: source.final_status.clone(),
            milestone: self.milestone(net, no, source),
            each: self.each(net, no, source),
            awaits: self.awaits(net, no, source),
            emit: self.emitted(net, &at("emit"), source.emit.as_ref()),
            only_while: self.maybe(net, &at("only_while"), source.only_while.as_ref()),
            mutex: self.mutex(net, no, source),
            repeat: self.repeat(net, &at("repeat"), source.repeat.as_ref()),
            timeout_ms: timeout_of(source),
            deadline_ms: deadline.as_ref().map(|it| it.after.ms()),
            escalation,
            escalation_emit,
            retry,
            heartbeat_ms: source.heartbeat.as_ref().map(Duration::ms),
            input: self.schema(net, &at("input"), source.input.as_ref()),
            output: self.schema(net, &at("output"), source.output.as_ref()),
            priority: source.priority.unwrap_or(0),
            queue: source.queue.clone(),
            assignee: source.assignee.clone(),
            roles: work::names(source.roles.as_ref()),
        }
    }

    fn milestone(&mut self, net: NetNo, no: StepNo, source: &definition::Step) -> Option<String> {
        let name = source.milestone.as_ref()?;
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "_-".contains(it);
        if (1..=MILESTONE_CHARS_MAX).contains(&name.len())
            && name.chars().all(is_plain)
            && !name.starts_with('-')
        {
            return Some(name.clone());
        }
        let message = format!(
            "a milestone is called by up to {MILESTONE_CHARS_MAX} letters, digits, `_` and `-`"
        );
        self.wrong(net, &format!("steps[{no}].milestone"), message)
    }

    fn body(&mut self, net: NetNo, no: StepNo, source: &definition::Step) -> Body {
        let at = |key: &str| format!("steps[{no}].{key}");
        if source.call.is_none() && (source.with.is_some() || source.returns.is_some()) {
            self.wrong::<()>(net, &at("with"), "only a call has `with` and `returns`");
        }
        match (&source.steps, &source.call) {
            (Some(_), Some(_)) => {
                self.wrong::<()>(net, &at("call"), "a step is a block or a call");
                Body::Work
            }
            (Some(_), None) => {
                let nets = self.nets.iter();
                let inner = nets.zip(0..).find(|it| it.0.parent == Some((net, no)));
                inner.map_or(Body::Work, |(_, inner)| Body::Block(inner))
            }
            (None, Some(call)) => {
                let Some(called) = self.called(net, call) else {
                    let version = call.process_version().map(|it| format!(" in version {it}"));
                    let name = call.process_name();
                    let message = format!("no process is `{name}`{}", version.unwrap_or_default());
                    self.wrong::<()>(net, &at("call"), message);
                    return Body::Work;
                };
                let with = self.values(net, &at("with"), source.with.as_ref());
                let returns = self.values(called, &at("returns"), source.returns.as_ref());
                Body::Call { net: called, with, returns }
            }
            (None, None) if source.step_type.as_deref() == Some("route") => Body::Route,
            (None, None) => Body::Work,
        }
    }

    fn called(&self, net: NetNo, call: &work::Call) -> Option<NetNo> {
        let known: Vec<&definition::Definition> = self.definitions.iter().collect();
        let caller = known[self.nets[net as usize].definition];
        versions::called(call, caller, &known).map(|it| self.roots[it])
    }

    fn join(&mut self, net: NetNo, path: &str, join: Option<&flow::Join>) -> Join {
        let tokens = match join {
            Some(flow::Join::Rule(rule)) => rule.tokens.unwrap_or(1),
            _ => 1,
        };
        let weight = &mut self.nets[net as usize].weight_max;
        *weight = (*weight).max(tokens.min(WEIGHT_MAX));
        match join {
            None | Some(flow::Join::Word(JoinWord::One)) => Join::One,
            Some(flow::Join::Word(JoinWord::All)) => Join::All(1),
            Some(flow::Join::Word(JoinWord::Any)) => Join::Any,
            Some(flow::Join::Count(n)) => {
                if *n == 0 {
                    self.wrong::<()>(net, path, "a join takes at least one");
                }
                Join::Count { n: Number::Count(u64::from(*n)), tokens: 1 }
            }
            Some(flow::Join::Rule(rule)) => self.join_rule(net, path, rule, tokens),
        }
    }

    fn join_rule(&mut self, net: NetNo, path: &str, rule: &flow::JoinRule, tokens: u32) -> Join {
        let n = rule.n.as_ref().and_then(|it| self.quorum(net, &format!("{path}.n"), it));
        let rest = rule.rest.unwrap_or_default();
        if tokens == 0 {
            self.wrong::<()>(net, &format!("{path}.tokens"), "at least one thread");
        }
        if rule.from.is_some() || rest == Rest::Cancel {
            if rule.from.is_none() && n.is_none() {
                self.wrong::<()>(net, path, "say with `n` after how many the rest is withdrawn");
            }
            if tokens != 1 {
                let message = "threads are counted by `from` or by `tokens`, not by both";
                self.wrong::<()>(net, &format!("{path}.tokens"), message);
            }
            return Join::From { n, rest };
        }
        match n {
            Some(n) => Join::Count { n, tokens },
            None if tokens > 1 => Join::Threads(tokens),
            None => Join::One,
        }
    }

    fn each(&mut self, net: NetNo, no: StepNo, source: &definition::Step) -> Option<Each> {
        let at = |key: &str| format!("steps[{no}].{key}");
        let Some(each) = &source.each else {
            if source.collect.is_some() {
                self.wrong::<()>(net, &at("collect"), "only `each` has results to collect");
            }
            return None;
        };
        let count = match (&each.count, &each.items) {
            (Some(count), None) => Instances::Count(self.count(net, &at("each.count"), count)?),
            (None, Some(items)) => Instances::Items(self.condition(net, &at("each.in"), items)?),
            _ => return self.wrong(net, &at("each"), "one of `count` and `in`"),
        };
        let join = match &each.join {
            None => EachJoin::Word(EachWord::All),
            Some(work::EachJoin::Word(word)) => EachJoin::Word(*word),
            Some(work::EachJoin::Count(n)) => EachJoin::Count(u64::from(*n)),
            Some(work::EachJoin::Expression(it)) => {
                EachJoin::Condition(self.condition(net, &at("each.join"), it)?)
            }
        };
        let collect = match source.collect.as_ref().map(|it| it.rule()) {
            Some(rule) => {
                Some((rule.into, self.maybe(net, &at("collect.value"), rule.value.as_ref())))
            }
            None => None,
        };
        let (add, finish) = (each.add.clone(), each.finish.clone());
        Some(Each { count, join, rest: each.rest.unwrap_or_default(), add, finish, collect })
    }

    fn awaits(&mut self, net: NetNo, no: StepNo, source: &definition::Step) -> Option<Awaited> {
        let at = |key: &str| format!("steps[{no}].{key}");
        let rule = match (&source.awaits, source.step_type.as_deref()) {
            (Some(awaits), _) => awaits.rule(),
            (None, Some("timer")) => {
                // The plain style has the time among what the step is configured with.
                let after = source.configuration.as_ref().and_then(|it| it.get("after")?.as_str());
                let after = after.and_then(Duration::parse);
                if after.is_none() {
                    return self.wrong(net, &at("configuration.after"), "how long a timer takes");
                }
                work::AwaitRule { after, ..work::AwaitRule::default() }
            }
            (None, _) => return None,
        };
        if rule.event.is_none() && rule.after.is_none() {
            return self.wrong(net, &at("await"), "an event or a time");
        }
        if source.steps.is_some() || source.call.is_some() {
            return self.wrong(net, &at("await"), "a block does not wait; a step in it does");
        }
        if rule.keep_for.is_some() && (!rule.keep || rule.event.is_none()) {
            return self.wrong(net, &at("await.keep_for"), "only an event that is kept has this");
        }
        let key = self.maybe(net, &at("await.key"), rule.key.as_ref());
        let after_ms = rule.after.as_ref().map(Duration::ms);
        let keep_ms = rule.keep.then(|| rule.keep_for.as_ref().map_or(u64::MAX, Duration::ms));
        Some(Awaited { event: rule.event, keep_ms, key, after_ms })
    }

    fn repeat(&mut self, net: NetNo, path: &str, repeat: Option<&work::Repeat>) -> Option<Repeat> {
        match repeat? {
            work::Repeat::While(it) => {
                self.condition(net, &format!("{path}.while"), it).map(Repeat::While)
            }
            work::Repeat::Until(it) => {
                self.condition(net, &format!("{path}.until"), it).map(Repeat::Until)
            }
        }
    }

    /// The locks of a step, which no block around it may hold.
    fn mutex(&mut self, net: NetNo, no: StepNo, source: &definition::Step) -> Vec<String> {
        let names = work::names(source.mutex.as_ref());
        let mut at = self.nets[net as usize].parent;
        while let Some((outer, step)) = at {
            // A block is compiled after the net that it stands in.
            let held = &self.nets[outer as usize].steps[step as usize].mutex;
            if let Some(name) = names.iter().find(|it| held.contains(it)) {
                let message = format!("the block around it holds `{name}`");
                self.wrong::<()>(net, &format!("steps[{no}].mutex"), message);
                break;
            }
            at = self.nets[outer as usize].parent;
        }
        names
    }
}

/// `timeout`, also where the plain style has it.
fn timeout_of(source: &definition::Step) -> Option<u64> {
    let plain =
        || source.configuration.as_ref()?.get("timeout")?.as_str().and_then(Duration::parse);
    source.timeout.clone().or_else(plain).map(|it| it.ms())
}
