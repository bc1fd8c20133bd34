//! Where the threads of a run are, followed by hand: from its definition and from what its commits
//! say that happened, but not from their parents. So it is known which commits each of them has to
//! come of.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// The number of a commit in its run.
pub type Seq = u64;

/// What a commit says.
pub struct Happened {
    pub seq: Seq,
    pub event: String,
    pub step: String,
    pub outcome: String,
    /// What was done from outside, in the first commit of that.
    pub cause: Value,
}

#[derive(Debug, Clone, PartialEq)]
enum Place {
    /// Whoever is here may start the step.
    Ready(String),
    /// Before a join, by the step that leads there.
    Arc { from: String, to: String },
    /// Whichever of these starts first takes it.
    Race(Vec<String>),
}

/// The join that collects what a split has made, and the commit that it was made with.
type Ticket = (String, Seq);

/// A thread that rests.
#[derive(Debug)]
struct Token {
    frame: String,
    place: Place,
    by: Seq,
    tickets: BTreeSet<Ticket>,
}

/// A step under way.
#[derive(Debug, Clone)]
struct Item {
    /// Of what somebody does, who says it.
    number: Option<u64>,
    path: String,
    by: Seq,
    tickets: BTreeSet<Ticket>,
}

/// Instances of a step.
#[derive(Debug, Default)]
struct Group {
    created: u64,
    completed: u64,
    went_on: bool,
}

/// A join that has fired, and waits for the rest.
#[derive(Debug)]
struct Round {
    by: Seq,
    arrived: BTreeSet<String>,
}

/// Something was withdrawn: the next commit says it.
struct Withdrawn {
    path: String,
    parents: BTreeSet<Seq>,
    /// What goes on from there; nothing: it ends there.
    next: Option<(Item, String)>,
}

#[derive(Default)]
pub struct Threads<'d> {
    steps: &'d [Value],
    /// The oldest first.
    tokens: Vec<Token>,
    items: Vec<Item>,
    groups: BTreeMap<String, Group>,
    rounds: BTreeMap<String, Round>,
    fired: BTreeMap<Ticket, Seq>,
    /// Commits from which no thread went on, by the block or the instances they were in.
    heads: BTreeMap<String, BTreeSet<Seq>>,
    mail: Vec<(String, Seq)>,
    signal: Option<Seq>,
    withdrawn: Option<Withdrawn>,
    /// Of the process, and of each call.
    data: BTreeMap<String, Map<String, Value>>,
    /// What a process begins with.
    given: Map<String, Value>,
}

impl<'d> Threads<'d> {
    pub fn of(definition: &'d Value) -> Threads<'d> {
        let given = definition["data"].as_object().cloned().unwrap_or_default();
        let steps = definition["steps"].as_array().unwrap();
        Threads { steps, given, ..Threads::default() }
    }

    /// Has that happen; gives the commits that it comes of.
    pub fn follow(&mut self, it: &Happened) -> BTreeSet<Seq> {
        if let Some(withdrawn) = self.withdrawn.take() {
            assert_eq!((&*it.event, &it.step), ("cancel", &withdrawn.path), "{}", it.seq);
            match withdrawn.next {
                Some((item, outcome)) => self.end_or_spread(&item, &outcome, it.seq),
                None => self.head(frame_of(&it.step), it.seq),
            }
            return withdrawn.parents;
        }
        match &*it.event {
            "begin" => {
                let mut data = self.given.clone();
                data.extend(it.cause["data"].as_object().cloned().unwrap_or_default());
                self.data.insert(String::new(), data);
                self.enter("", it.seq);
                BTreeSet::new()
            }
            "signal" => {
                let before = self.signal.replace(it.seq);
                let heads = self.heads.entry(String::new()).or_default();
                heads.retain(|it| Some(*it) != before);
                heads.insert(it.seq);
                self.hear(it);
                before.into_iter().collect()
            }
            "start" => self.start(it),
            "complete" => self.complete(it),
            "again" => {
                let item = self.items.iter_mut().rfind(|item| item.path == it.step).unwrap();
                let before = std::mem::replace(&mut item.by, it.seq);
                if !self.step(&it.step)["steps"].is_null() {
                    self.enter(&it.step, it.seq);
                }
                BTreeSet::from([before])
            }
            "join" if !self.step(&it.step)["each"].is_null() => self.join_instances(it),
            "join" => self.join(it),
            "absorb" => self.absorb(it),
            "end" => self.take_heads(""),
            other => panic!("{} is {other}", it.seq),
        }
    }

    /// What kind of commit it is; joins by how they are said.
    pub fn kind(&self, it: &Happened) -> &'static str {
        if it.event != "join" {
            return if it.event == "start" { "start" } else { "another" };
        }
        let step = self.step(&it.step);
        match &step["join"] {
            _ if !step["each"].is_null() => "instances",
            Value::String(word) if word == "all" => "all",
            Value::String(word) if word == "any" => "any",
            join if split_of(self.steps_of(frame_of(&it.step)), step).is_some() => {
                if join["n"].is_null() { "from" } else { "n of from" }
            }
            Value::Number(_) => "number",
            Value::Object(join) if join.contains_key("tokens") => "tokens",
            other => panic!("{other}"),
        }
    }

    fn hear(&mut self, it: &Happened) {
        let name = it.cause["name"].as_str().unwrap();
        // Only instances of a step take more than one.
        let is_added = |item: &&Item| self.step(&item.path)["each"]["add"] == *name;
        let group = self.items.iter().find(|it| is_whole(&it.path) && is_added(it)).cloned();
        match group.filter(|it| !self.groups[&it.path].went_on) {
            Some(group) => self.add_instance(&group.path, it.seq),
            None => self.mail.push((name.to_owned(), it.seq)),
        }
    }

    fn start(&mut self, it: &Happened) -> BTreeSet<Seq> {
        let number = it.cause["item"].as_u64();
        let is_it = |item: &&mut Item| match item.number {
            Some(_) => item.number == number,
            None => !is_whole(&item.path) && item.path == it.step,
        };
        // It had begun by itself, or begins another round.
        if let Some(item) = self.items.iter_mut().find(is_it) {
            item.number = number;
            return BTreeSet::from([std::mem::replace(&mut item.by, it.seq)]);
        }
        let token = self.take(&it.step);
        let (path, by) = (it.step.clone(), it.seq);
        let item = Item { number, path, by, tickets: token.tickets };
        let step = self.step(&it.step);
        if !step["each"].is_null() {
            self.items.push(item.clone());
            self.groups.insert(item.path.clone(), Group::default());
            let each = &step["each"];
            let listed = each["in"].as_str().map(|it| self.value(&item.path, it));
            let listed = listed.map(|it| it.as_array().unwrap().len() as u64);
            let count = listed.unwrap_or_else(|| each["count"].as_u64().unwrap());
            (0..count).for_each(|_| self.add_instance(&item.path, by));
        } else if step["repeat"]["while"].as_str().is_some_and(|text| !self.holds(&item, text)) {
            self.leave(item, "ok", by);
        } else {
            self.items.push(item);
            if let Some(given) = step["with"].as_object().filter(|_| !step["call"].is_null()) {
                let value = |text: &Value| self.value(&it.step, text.as_str().unwrap());
                let given = given.iter().map(|(name, text)| (name.clone(), value(text)));
                let mut data = self.given.clone();
                data.extend(given.collect::<Vec<_>>());
                self.data.insert(it.step.clone(), data);
            }
            if number.is_none() {
                self.enter(&it.step, by);
            }
        }
        BTreeSet::from([token.by])
    }

    fn add_instance(&mut self, of: &str, by: Seq) {
        let group = self.groups.get_mut(of).unwrap();
        group.created += 1;
        let (number, path) = (None, format!("{of}#{}", group.created));
        self.items.push(Item { number, path: path.clone(), by, tickets: BTreeSet::new() });
        if !self.step(&path)["steps"].is_null() {
            self.enter(&path, by);
        }
    }

    fn complete(&mut self, it: &Happened) -> BTreeSet<Seq> {
        let step = self.step(&it.step);
        let (item, parents) = if let Some(number) = it.cause["item"].as_u64() {
            let at = self.items.iter().position(|it| it.number == Some(number)).unwrap();
            let item = self.items.remove(at);
            assert_eq!(item.path, it.step);
            let brought = it.cause["data"].as_object().cloned().unwrap_or_default();
            self.data_mut(&it.step).extend(brought);
            let by = item.by;
            (item, BTreeSet::from([by]))
        } else if !step["await"].is_null() {
            let token = self.take(&it.step);
            let mail = self.take_mail(&step["await"]);
            let (number, path, by) = (None, it.step.clone(), it.seq);
            let item = Item { number, path, by, tickets: token.tickets };
            (item, BTreeSet::from([token.by, mail]))
        } else {
            let at = self.items.iter().position(|item| item.path == it.step).unwrap();
            let item = self.items.remove(at);
            self.data.remove(&it.step);
            let mut parents = self.take_heads(&it.step);
            if parents.is_empty() {
                parents.insert(item.by);
            }
            (item, parents)
        };
        let repeat = &step["repeat"];
        let is_over = match (repeat["while"].as_str(), repeat["until"].as_str()) {
            (Some(text), _) => !self.holds(&item, text),
            (_, Some(text)) => self.holds(&item, text),
            (None, None) => true,
        };
        match is_over {
            true => self.leave(item, &it.outcome, it.seq),
            false => self.items.push(Item { by: it.seq, ..item }),
        }
        parents
    }

    fn leave(&mut self, item: Item, outcome: &str, by: Seq) {
        if is_whole(&item.path) {
            return self.go_on(&item, outcome, by);
        }
        let whole = item.path.rsplit_once('#').unwrap().0.to_owned();
        let group = self.groups.get_mut(&whole).unwrap();
        group.completed += 1;
        let (went_on, is_last) = (group.went_on, group.completed == group.created);
        let at = self.items.iter().position(|it| it.path == whole).unwrap();
        let whole_item = self.items[at].clone();
        let goes_on_each = self.step(&whole)["each"]["join"] == "one";
        if is_last && (went_on || goes_on_each) {
            self.items.remove(at);
        }
        if goes_on_each {
            self.go_on(&whole_item, outcome, by);
        } else if went_on {
            self.head(frame_of(&whole), by);
        } else {
            self.head(&whole, by);
        }
    }

    /// A step is over: it sends, withdraws, ends or goes on.
    fn go_on(&mut self, item: &Item, outcome: &str, by: Seq) {
        let step = self.step(&item.path);
        step["emit"].as_str().iter().for_each(|it| self.mail.push(((*it).to_owned(), by)));
        let cancel: Vec<&str> =
            step["cancel"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut parents = BTreeSet::new();
        for name in &cancel {
            let path = beside(&item.path, name);
            let is_its = |it: &Token| {
                it.frame == frame_of(&item.path)
                    && match &it.place {
                        Place::Ready(to) | Place::Arc { to, .. } => to == name,
                        Place::Race(all) => all.iter().all(|it| cancel.contains(&&**it)),
                    }
            };
            parents.extend(self.tokens.extract_if(.., |it| is_its(it)).map(|it| it.by));
            let begun: Vec<Item> = self.items.extract_if(.., |it| it.path == path).collect();
            for it in begun {
                parents.insert(it.by);
                parents.extend(self.take_inside(&it.path));
            }
        }
        if parents.is_empty() {
            return self.end_or_spread(item, outcome, by);
        }
        parents.insert(by);
        let next = Some((item.clone(), outcome.to_owned()));
        self.withdrawn = Some(Withdrawn { path: item.path.clone(), parents, next });
    }

    fn end_or_spread(&mut self, item: &Item, outcome: &str, by: Seq) {
        let (frame, step) = (frame_of(&item.path), self.step(&item.path));
        if !step["end"].is_null() {
            let mut all = self.take_inside(frame);
            all.insert(by);
            self.heads.insert(frame.to_owned(), all);
            return;
        }
        let (name, steps) = (step["step_id"].as_str().unwrap(), self.steps_of(frame));
        let mut tickets = item.tickets.clone();
        let collecting = steps.iter().filter(|it| split_of(steps, it) == Some(name));
        tickets.extend(collecting.map(|it| (it["step_id"].as_str().unwrap().to_owned(), by)));
        let split = step["split"].as_str().unwrap_or("one");
        let named = arcs(step).into_iter().filter(|it| it.on.is_none_or(|it| it == outcome));
        let is_taken = |it: &Arc| split == "all" || it.when.is_none_or(|it| self.holds(item, it));
        let taken = named.filter(is_taken);
        let taken: Vec<Arc> =
            if split == "one" { taken.take(1).collect() } else { taken.collect() };
        let targets: Vec<(&str, u64)> =
            taken.iter().filter_map(|it| Some((it.target?, it.tokens))).collect();
        if targets.is_empty() {
            return self.head(frame, by);
        }
        if split == "race" {
            let all = targets.iter().map(|it| it.0.to_owned()).collect();
            return self.put(frame, Place::Race(all), by, &tickets);
        }
        for (target, tokens) in targets {
            let to = target.to_owned();
            let place = match is_join(steps.iter().find(|it| it["step_id"] == *target).unwrap()) {
                true => Place::Arc { from: name.to_owned(), to },
                false => Place::Ready(to),
            };
            (0..tokens).for_each(|_| self.put(frame, place.clone(), by, &tickets));
        }
    }

    fn join_instances(&mut self, it: &Happened) -> BTreeSet<Seq> {
        let at = self.items.iter().position(|item| item.path == it.step).unwrap();
        let (item, each) = (self.items[at].clone(), &self.step(&it.step)["each"]);
        let group = &self.groups[&it.step];
        let is_begun = group.created == 0 || each["join"] == "none";
        let is_last = group.created == group.completed;
        let mut parents = self.take_heads(&it.step);
        let mail = self.mail.iter().position(|it| each["finish"] == *it.0);
        if let Some(mail) = mail {
            parents.extend([self.mail.remove(mail).1, item.by]);
            parents.extend(self.take_inside(&it.step));
        } else if is_begun {
            parents.insert(item.by);
        }
        if mail.is_none() && !is_last && each["rest"] != "cancel" {
            self.groups.get_mut(&it.step).unwrap().went_on = true;
            self.go_on(&item, "ok", it.seq);
            return parents;
        }
        self.items.remove(at);
        let mut left = self.take_inside(&it.step);
        if left.is_empty() {
            self.go_on(&item, "ok", it.seq);
        } else {
            left.insert(it.seq);
            let (path, next) = (it.step.clone(), Some((item, "ok".to_owned())));
            self.withdrawn = Some(Withdrawn { path, parents: left, next });
        }
        parents
    }

    /// Which threads a join takes, as it says.
    fn join(&mut self, it: &Happened) -> BTreeSet<Seq> {
        let (frame, name) = (frame_of(&it.step).to_owned(), name_of(&it.step).to_owned());
        let (steps, join) = (self.steps_of(&frame), &self.step(&it.step)["join"]);
        let before = sources(steps, &name);
        let first = |from: &str| self.waiting(&frame, &name).find(|it| it.1 == from);
        let firsts = before.iter().filter_map(|it| first(it)).map(|it| it.0);
        let mut firsts: Vec<usize> = firsts.collect();
        let count = join.as_u64().or_else(|| join["n"].as_u64());
        let mut spent = None;
        let taken: Vec<usize> = if split_of(steps, self.step(&it.step)).is_some() {
            let (ticket, all) = self.collected(&frame, &name, count);
            spent = Some(ticket);
            all
        } else if let Some(count) = count {
            firsts.sort_unstable();
            firsts.truncate(count as usize);
            assert_eq!(firsts.len() as u64, count, "{}", it.step);
            firsts
        } else if let Some(count) = join["tokens"].as_u64() {
            let of = |from: &str| -> Vec<usize> {
                let those = self.waiting(&frame, &name).filter(|it| it.1 == from);
                those.map(|it| it.0).take(count as usize).collect()
            };
            before.iter().map(|it| of(it)).find(|it| it.len() as u64 == count).unwrap()
        } else {
            let is_enough =
                if join == "all" { firsts.len() == before.len() } else { !firsts.is_empty() };
            assert!(is_enough && (join == "all" || join == "any"), "{}", it.step);
            firsts
        };
        let taken: Vec<Token> = self.remove(taken);
        let (parents, by) = (taken.iter().map(|it| it.by).collect(), it.seq);
        let mut tickets: BTreeSet<Ticket> =
            taken.iter().flat_map(|it| it.tickets.clone()).collect();
        if let Some(ticket) = spent {
            tickets.remove(&ticket);
            self.fired.insert(ticket.clone(), by);
            if join["rest"] == "cancel" {
                self.withdraw_of(&ticket, it);
            }
        } else if count.is_some() {
            let arrived = taken.iter().map(|it| it.place.from().to_owned()).collect();
            self.rounds.insert(it.step.clone(), Round { by, arrived });
        }
        self.put(&frame, Place::Ready(name), by, &tickets);
        parents
    }

    /// The threads of one split that have come to a join: so many, or all there are.
    fn collected(&self, frame: &str, name: &str, count: Option<u64>) -> (Ticket, Vec<usize>) {
        let mut there: BTreeMap<Ticket, Vec<usize>> = BTreeMap::new();
        for (at, _) in self.waiting(frame, name) {
            there.entry(self.tokens[at].newest(name)).or_default().push(at);
        }
        let carried = |ticket: &Ticket| {
            let tokens = self.tokens.iter().map(|it| &it.tickets);
            let all = tokens.chain(self.items.iter().map(|it| &it.tickets));
            all.filter(|it| it.contains(ticket)).count()
        };
        let is_it = |ticket: &Ticket, all: &[usize]| {
            let wanted = count.map_or_else(|| carried(ticket), |it| it as usize);
            !self.fired.contains_key(ticket) && wanted <= all.len()
        };
        let (ticket, mut all) = there.into_iter().find(|it| is_it(&it.0, &it.1)).unwrap();
        all.truncate(count.map_or(usize::MAX, |it| it as usize));
        (ticket, all)
    }

    /// Whatever else a split has made is withdrawn.
    fn withdraw_of(&mut self, ticket: &Ticket, it: &Happened) {
        let tokens = self.tokens.extract_if(.., |it| it.tickets.contains(ticket));
        let mut parents: BTreeSet<Seq> = tokens.map(|it| it.by).collect();
        let items = self.items.extract_if(.., |it| it.tickets.contains(ticket));
        let items: Vec<Item> = items.collect();
        for it in items {
            parents.insert(it.by);
            parents.extend(self.take_inside(&it.path));
        }
        if !parents.is_empty() {
            parents.insert(it.seq);
            self.withdrawn = Some(Withdrawn { path: it.step.clone(), parents, next: None });
        }
    }

    /// One that is late ends where its join was.
    fn absorb(&mut self, it: &Happened) -> BTreeSet<Seq> {
        let (frame, name) = (frame_of(&it.step).to_owned(), name_of(&it.step).to_owned());
        let is_from = split_of(self.steps_of(&frame), self.step(&it.step)).is_some();
        let arrived = self.rounds.get(&it.step).map(|it| it.arrived.clone()).unwrap_or_default();
        let is_late = |at: usize, from: &str| match is_from {
            true => self.fired.contains_key(&self.tokens[at].newest(&name)),
            false => !arrived.contains(from),
        };
        let late = self.waiting(&frame, &name).find(|it| is_late(it.0, it.1)).unwrap().0;
        let token = self.tokens.remove(late);
        let into = match is_from {
            true => self.fired.insert(token.newest(&name), it.seq).unwrap(),
            false => {
                let round = self.rounds.get_mut(&it.step).unwrap();
                round.arrived.insert(token.place.from().to_owned());
                std::mem::replace(&mut round.by, it.seq)
            }
        };
        self.heads.entry(frame.clone()).or_default().remove(&into);
        self.head(&frame, it.seq);
        BTreeSet::from([token.by, into])
    }

    /// The threads before a join, and the steps they come from.
    fn waiting(&self, frame: &str, name: &str) -> impl Iterator<Item = (usize, &str)> {
        self.tokens.iter().enumerate().filter_map(move |(at, it)| match &it.place {
            Place::Arc { from, to } if it.frame == frame && to == name => Some((at, &**from)),
            _ => None,
        })
    }

    fn remove(&mut self, mut at: Vec<usize>) -> Vec<Token> {
        at.sort_unstable();
        at.iter().rev().map(|it| self.tokens.remove(*it)).collect()
    }

    /// The oldest thread that may start a step.
    fn take(&mut self, path: &str) -> Token {
        let (frame, name) = (frame_of(path), name_of(path));
        let may_start = |it: &Token| match &it.place {
            Place::Ready(to) => to == name,
            Place::Race(all) => all.iter().any(|it| it == name),
            Place::Arc { .. } => false,
        };
        let at = self.tokens.iter().position(|it| it.frame == frame && may_start(it));
        self.tokens.remove(at.unwrap_or_else(|| panic!("nothing starts {path}")))
    }

    fn take_mail(&mut self, awaits: &Value) -> Seq {
        let is_it = |it: &(String, Seq)| awaits["event"] == *it.0 || *awaits == *it.0;
        // Where none is kept, nobody waited for the earlier ones.
        let found = match awaits["keep"] == false {
            true => self.mail.iter().rposition(is_it),
            false => self.mail.iter().position(is_it),
        };
        self.mail.remove(found.unwrap()).1
    }

    /// Withdraws all that is in an item or a block.
    fn take_inside(&mut self, outer: &str) -> BTreeSet<Seq> {
        let is_inside = |it: &str| {
            let rest = it.strip_prefix(outer);
            outer.is_empty() || rest.is_some_and(|it| it.starts_with(['/', '#']))
        };
        let is_in = |it: &str| it == outer || is_inside(it);
        let tokens = self.tokens.extract_if(.., |it| is_in(&it.frame)).map(|it| it.by);
        let mut all: BTreeSet<Seq> = tokens.collect();
        all.extend(self.items.extract_if(.., |it| is_inside(&it.path)).map(|it| it.by));
        let heads = self.heads.iter().filter(|it| is_in(it.0)).flat_map(|it| it.1);
        let rounds = self.rounds.iter().filter(|it| is_inside(it.0)).map(|it| &it.1.by);
        all.extend(heads.chain(rounds));
        self.heads.retain(|it, _| !is_in(it));
        self.rounds.retain(|it, _| !is_inside(it));
        all
    }

    fn take_heads(&mut self, of: &str) -> BTreeSet<Seq> {
        self.heads.remove(of).unwrap_or_default()
    }

    fn head(&mut self, of: &str, by: Seq) {
        self.heads.entry(of.to_owned()).or_default().insert(by);
    }

    /// The first thread of a process or a block.
    fn enter(&mut self, frame: &str, by: Seq) {
        let first = self.steps_of(frame)[0]["step_id"].as_str().unwrap().to_owned();
        self.put(frame, Place::Ready(first), by, &BTreeSet::new());
    }

    fn put(&mut self, frame: &str, place: Place, by: Seq, tickets: &BTreeSet<Ticket>) {
        let (frame, tickets) = (frame.to_owned(), tickets.clone());
        self.tokens.push(Token { frame, place, by, tickets });
    }

    /// The steps of a process or a block; who calls calls itself.
    fn steps_of(&self, frame: &str) -> &'d [Value] {
        if frame.is_empty() {
            return self.steps;
        }
        self.step(frame)["steps"].as_array().map_or(self.steps, |it| &**it)
    }

    fn step(&self, path: &str) -> &'d Value {
        let mut steps = self.steps_of(frame_of(path)).iter();
        let name = name_of(path).split('#').next().unwrap();
        steps.find(|it| it["step_id"] == *name).unwrap_or_else(|| panic!("no step {path}"))
    }

    fn data_mut(&mut self, path: &str) -> &mut Map<String, Value> {
        let frame = self.process_of(path);
        self.data.get_mut(&frame).unwrap()
    }

    /// Where the data is that a step sees.
    fn process_of(&self, path: &str) -> String {
        let mut frame = frame_of(path);
        while !self.data.contains_key(frame) {
            frame = frame_of(frame);
        }
        frame.to_owned()
    }

    fn holds(&self, item: &Item, text: &str) -> bool {
        self.value(&item.path, text) == true
    }

    /// A name, or two of them or numbers compared or subtracted.
    fn value(&self, path: &str, text: &str) -> Value {
        let data = &self.data[&self.process_of(path)];
        let one = |it: &str| it.parse::<i64>().map_or_else(|_| data[it].clone(), Value::from);
        match &*text.split(' ').collect::<Vec<_>>() {
            [it] => one(it),
            [left, sign, right] => {
                let [left, right] = [left, right].map(|it| one(it).as_i64().unwrap());
                match *sign {
                    ">" => json!(left > right),
                    "<" => json!(left < right),
                    "-" => json!(left - right),
                    _ => panic!("{text}"),
                }
            }
            _ => panic!("{text}"),
        }
    }
}

impl Place {
    fn from(&self) -> &str {
        match self {
            Place::Arc { from, .. } => from,
            other => panic!("{other:?} is before no join"),
        }
    }
}

impl Token {
    /// What it was split for last, of what this join collects.
    fn newest(&self, join: &str) -> Ticket {
        self.tickets.iter().rfind(|it| it.0 == join).expect("it comes of the split").clone()
    }
}

/// A way out of a step.
struct Arc<'d> {
    on: Option<&'d str>,
    when: Option<&'d str>,
    target: Option<&'d str>,
    tokens: u64,
}

fn arcs(step: &Value) -> Vec<Arc<'_>> {
    let transitions = step["transitions"].as_array().into_iter().flatten();
    let said = transitions.map(|it| Arc {
        on: it["on"].as_str(),
        when: it["when"].as_str(),
        target: it["next_step"].as_str(),
        tokens: it["tokens"].as_u64().unwrap_or(1),
    });
    let next: Vec<&str> = match &step["next"] {
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        one => one.as_str().into_iter().collect(),
    };
    let plain = |it| Arc { on: None, when: None, target: Some(it), tokens: 1 };
    said.chain(next.into_iter().map(plain)).collect()
}

/// The steps that lead to this one.
fn sources<'d>(steps: &'d [Value], target: &str) -> Vec<&'d str> {
    let leads = |it: &&Value| arcs(it).iter().any(|it| it.target == Some(target));
    steps.iter().filter(leads).map(|it| it["step_id"].as_str().unwrap()).collect()
}

fn is_join(step: &Value) -> bool {
    !step["join"].is_null() && step["join"] != "one"
}

/// The split that a join collects; the one that all of it comes from, where none is said.
fn split_of<'d>(steps: &'d [Value], join: &'d Value) -> Option<&'d str> {
    let join = &join["join"];
    let first = || steps.iter().find(|it| !it["split"].is_null())?["step_id"].as_str();
    join["from"].as_str().or_else(|| first().filter(|_| join["rest"] == "cancel"))
}

fn frame_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |it| it.0)
}

fn name_of(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |it| it.1)
}

fn beside(path: &str, name: &str) -> String {
    match frame_of(path) {
        "" => name.to_owned(),
        frame => format!("{frame}/{name}"),
    }
}

/// Whether it is no instance.
fn is_whole(path: &str) -> bool {
    !name_of(path).contains('#')
}
