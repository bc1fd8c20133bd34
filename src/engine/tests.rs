//! The engine, by scripts: the conformance set and corner cases.

mod around_tests;
mod bound_tests;
mod note_tests;
mod undecided_tests;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    decide::{apply, decide},
    definition::{
        Definition,
        around::Duration,
        test::{Line, Test},
    },
    event::{Changes, Event, Firing, Kind, Refused, What},
    net::Processes,
    offers::Offer,
    or_join::Cache,
    state::{ItemStatus, Problem, State, Status},
};

const PATTERNS: &str = include_str!("../../protocol/patterns.yaml");
const CORNERS: &str = include_str!("corners.yaml");

fn definitions(text: &str) -> Vec<Definition> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_multiple_with_options(text, options).unwrap()
}

/// A process followed by all the others, which it may call.
fn compiled(all: &[Definition], main: usize) -> Processes {
    let mut ordered = vec![all[main].clone()];
    ordered.extend(all.iter().enumerate().filter(|it| it.0 != main).map(|it| it.1.clone()));
    Processes::compile(&ordered).unwrap_or_else(|wrong| panic!("{wrong:?}"))
}

struct Run<'p> {
    processes: &'p Processes,
    state: State,
    events: Vec<Event>,
    firings: Vec<Firing>,
    cache: Cache,
    now_ms: i64,
}

impl<'p> Run<'p> {
    fn begin(processes: &'p Processes, data: Map<String, Value>) -> Result<Run<'p>, Refused> {
        let mut run = Run {
            processes,
            state: State::default(),
            events: Vec::new(),
            firings: Vec::new(),
            cache: Cache::default(),
            now_ms: 0,
        };
        run.happen(What::Begin { data })?;
        Ok(run)
    }

    fn happen(&mut self, what: What) -> Result<(), Refused> {
        let event = Event { at_ms: self.now_ms, what };
        let changes = decide(self.processes, &self.state, &event, &mut self.cache)?;
        apply(&mut self.state, &changes);
        self.firings.extend(changes.firings);
        self.events.push(event);
        Ok(())
    }

    fn offers(&self) -> Vec<Offer> {
        self.state.offers(self.processes)
    }

    fn find(&self, path: &str, status: &[ItemStatus]) -> Option<u64> {
        let offers = self.offers();
        let with = |it: &ItemStatus| offers.iter().find(|o| o.path == path && o.status == *it);
        status.iter().find_map(with).map(|it| it.item)
    }

    fn start(&mut self, path: &str) -> Result<u64, String> {
        let found = self.find(path, &[ItemStatus::Offered, ItemStatus::Open]);
        let item = found.ok_or_else(|| format!("{path} is not on offer"))?;
        self.happen(What::Start { item }).map_err(|it| it.message)?;
        Ok(item)
    }

    fn complete(&mut self, what: &str, data: Map<String, Value>) -> Result<(), String> {
        let (path, outcome) = match what.split_once(':') {
            Some((path, outcome)) => (path, Some(outcome.to_owned())),
            None => (what, None),
        };
        let item = match self.find(path, &[ItemStatus::Started]) {
            Some(item) => item,
            None => {
                let found = self.find(path, &[ItemStatus::Open]);
                let item = found.ok_or_else(|| format!("{path} is not started"))?;
                self.happen(What::Start { item }).map_err(|it| it.message)?;
                item
            }
        };
        self.happen(What::Complete { item, outcome, data }).map_err(|it| it.message)
    }

    fn do_line(&mut self, line: &str, data: Map<String, Value>) -> Result<(), String> {
        let (first, rest) = line.split_at(1);
        match first {
            "+" => self.start(rest).map(|_| ()),
            "-" => self.complete(rest, data),
            "*" => {
                let item = self.find(rest, &[ItemStatus::Started]);
                let item = item.ok_or_else(|| format!("{rest} is not started"))?;
                self.happen(What::Heartbeat { item }).map_err(|it| it.message)
            }
            "!" => {
                let (name, key) = rest.split_once('=').unwrap_or((rest, ""));
                let key = (!key.is_empty()).then(|| json!(key));
                self.happen(What::Signal { name: name.to_owned(), key, data })
                    .map_err(|it| it.message)
            }
            ">" => {
                self.now_ms += Duration::parse(rest).unwrap().ms() as i64;
                self.happen(What::Tick).map_err(|it| it.message)
            }
            "^" => {
                let (path, kind) = rest.split_once(':').unwrap();
                let found = self.find(path, &[ItemStatus::Started]);
                let item = found.ok_or_else(|| format!("{path} is not started"))?;
                let problem = Problem { kind: kind.to_owned(), message: String::new() };
                self.happen(What::Fail { item, problem, chance: 0, last: false })
                    .map_err(|it| it.message)
            }
            "#" => match self.do_line(rest, data) {
                Ok(()) => Err(format!("`{rest}` was not refused")),
                Err(_) => Ok(()),
            },
            "?" | "~" => {
                let is_there = self.offers().iter().any(|it| it.path == rest);
                let found: Vec<String> = self.offers().into_iter().map(|it| it.path).collect();
                (is_there == (first == "?")).then_some(()).ok_or(format!("there are {found:?}"))
            }
            "@" => {
                let offers = self.offers().into_iter();
                let offered = offers.filter(|it| it.status == ItemStatus::Offered);
                let mut offered: Vec<String> = offered.map(|it| it.path).collect();
                offered.sort();
                let expected: Vec<&str> = rest.split(',').filter(|it| !it.is_empty()).collect();
                (offered == expected).then_some(()).ok_or(format!("on offer are {offered:?}"))
            }
            "=" => {
                if rest == "data" {
                    let ours = Value::Object(self.state.data());
                    let is_same = data.iter().all(|(name, value)| ours[name.as_str()] == *value);
                    return is_same.then_some(()).ok_or(format!("the data is {ours}"));
                }
                let status = serde_json::to_value(self.state.status(self.processes)).unwrap();
                (status == rest).then_some(()).ok_or(format!("it is {status}"))
            }
            _ => {
                let path = line.split(':').next().unwrap();
                if self.find(path, &[ItemStatus::Started]).is_none()
                    || self.find(path, &[ItemStatus::Offered]).is_some()
                {
                    self.start(path)?;
                }
                self.complete(line, data)
            }
        }
    }

    /// The same events give the same state, and so do the changes after a trip through JSON.
    fn check_replay(&self) {
        let (mut again, mut cache) = (State::default(), Cache::default());
        for event in &self.events {
            let text = serde_json::to_string(event).unwrap();
            let event: Event = serde_json::from_str(&text).unwrap();
            let changes = decide(self.processes, &again, &event, &mut cache).unwrap();
            let text = serde_json::to_string(&changes).unwrap();
            let read: Changes = serde_json::from_str(&text).unwrap();
            assert_eq!(changes, read);
            apply(&mut again, &read);
        }
        let (ours, theirs) = (serde_json::to_string(&self.state), serde_json::to_string(&again));
        let text = ours.unwrap();
        assert_eq!(text, theirs.unwrap());
        assert_eq!(serde_json::from_str::<State>(&text).unwrap(), self.state);
    }
}

fn script_of(test: &Test) -> (Map<String, Value>, &[Line]) {
    match test {
        Test::Script(lines) => (Map::new(), lines),
        Test::Case(case) => (case.data.clone(), &case.script),
        Test::Scenario(scenario) => (scenario.given.clone(), &[]),
    }
}

fn play<'p>(processes: &'p Processes, test: &Test) -> Result<Run<'p>, String> {
    let (data, script) = script_of(test);
    let mut run = Run::begin(processes, data).map_err(|it| it.message)?;
    for (index, line) in script.iter().enumerate() {
        let (text, data) = match line {
            Line::Do(text) => (text.clone(), Map::new()),
            Line::With(map) => {
                let (name, data) = map.iter().next().unwrap();
                (name.clone(), data.as_object().cloned().unwrap_or_default())
            }
        };
        let wrong = |it: String| format!("line {} `{text}`: {it}", index + 1);
        run.do_line(&text, data).map_err(wrong)?;
    }
    run.check_replay();
    Ok(run)
}

fn play_all(text: &str) -> usize {
    let all = definitions(text);
    let (mut passed, mut wrong) = (0, Vec::new());
    for (index, definition) in all.iter().enumerate() {
        let processes = compiled(&all, index);
        for (name, test) in &definition.tests {
            match play(&processes, test) {
                Ok(_) => passed += 1,
                Err(error) => wrong.push(format!("{}.{name}: {error}", definition.process_name)),
            }
        }
    }
    assert!(wrong.is_empty(), "{passed} passed\n{}", wrong.join("\n"));
    passed
}

#[test]
fn the_conformance_set_passes() {
    assert_eq!(play_all(PATTERNS), 89);
}

#[test]
fn corner_cases_pass() {
    assert!(play_all(CORNERS) >= 20);
}

/// Where the firings come from that a join took, by their paths.
fn parents(run: &Run<'_>, kind: Kind, path: &str) -> Vec<Vec<String>> {
    let by_id: BTreeMap<u64, &Firing> = run.firings.iter().map(|it| (it.id, it)).collect();
    let firings = run.firings.iter().filter(|it| it.kind == kind && it.path == path);
    let name = |it: &u64| by_id[it].path.clone();
    firings.map(|it| it.parents.iter().map(name).collect()).collect()
}

#[test]
fn a_firing_has_the_parents_whose_threads_it_took() {
    let all = definitions(PATTERNS);
    let check = |process: &str, test: &str, kind: Kind, path: &str, expected: &[&[&str]]| {
        let index = all.iter().position(|it| it.process_name == process).unwrap();
        let processes = compiled(&all, index);
        let run = play(&processes, &all[index].tests[test]).unwrap();
        assert_eq!(parents(&run, kind, path), expected, "{process} {path}");
    };
    use Kind::{Absorb, Cancel, Complete, Join, Start};
    check("wcp01_sequence", "run", Start, "b", &[&["a"]]);
    check("wcp03_synchronization", "b_first", Join, "d", &[&["b", "c"]]);
    check("wcp07_structured_synchronizing_merge", "one", Join, "d", &[&["b"]]);
    check("wcp07_structured_synchronizing_merge", "both", Join, "d", &[&["b", "c"]]);
    check("wcp08_multi_merge", "d_runs_twice", Start, "d", &[&["b"], &["c"]]);
    check("wcp09_structured_discriminator", "first_wins", Join, "e", &[&["c"]]);
    check("wcp09_structured_discriminator", "first_wins", Absorb, "e", &[&["e", "b"], &["e", "d"]]);
    check("wcp30_structured_partial_join", "two_of_three", Join, "e", &[&["b", "d"]]);
    check("wcp33_generalized_and_join", "surplus_is_kept", Join, "d", &[&["b", "c"], &["b", "c"]]);
    check("wcp41_thread_merge", "three_into_one", Join, "c", &[&["b", "b", "b"]]);
    check("wcp19_cancel_task", "while_running", Cancel, "c", &[&["b", "c"]]);
    check("wcp25_cancel_region", "partly_done", Cancel, "x", &[&["b", "x"]]);
    check("wcp29_cancelling_discriminator", "reset_at_once", Join, "e", &[&["b"], &["d"]]);
    check("wcp13_mi_design_time", "all_three", Join, "m", &[&["m#3", "m#1", "m#2"]]);
    check("wcp24_persistent_trigger", "early_is_kept", Complete, "t", &[&["", "a"]]);
    check("wcp16_deferred_choice", "claim_wins", Start, "c", &[&["a"]]);
    check("wcp43_explicit_termination", "rest_is_dropped", Kind::End, "", &[&["b", "c"]]);
}

/// Every firing is reached from the last one: one ref keeps a run.
#[test]
fn the_last_firing_of_a_run_reaches_every_other() {
    for text in [PATTERNS, CORNERS] {
        let all = definitions(text);
        for (index, definition) in all.iter().enumerate() {
            let processes = compiled(&all, index);
            for (name, test) in &definition.tests {
                let run = play(&processes, test).unwrap();
                let is_over = run.state.head.status != Status::Running;
                let Some(last) = run.firings.last().filter(|_| is_over) else { continue };
                let mut reached = std::collections::BTreeSet::from([last.id]);
                for firing in run.firings.iter().rev() {
                    if reached.contains(&firing.id) {
                        reached.extend(&firing.parents);
                    }
                }
                let left = run.firings.iter().filter(|it| !reached.contains(&it.id));
                let left: Vec<_> = left.map(|it| (it.kind, &it.path)).collect();
                assert!(left.is_empty(), "{}.{name}: {left:?}", definition.process_name);
            }
        }
    }
}

fn refused(text: &str) -> Refused {
    let processes = compiled(&definitions(text), 0);
    Run::begin(&processes, Map::new()).map(|_| ()).unwrap_err()
}

#[test]
fn what_has_no_end_is_refused_in_time() {
    let endless = [
        "[{step_id: a, step_type: route, transitions: [{next_step: a, tokens: 1000000000}]}]",
        "[{step_id: a, each: {count: 1000000000}}]",
        "[{step_id: a, step_type: route, next: b}, {step_id: b, step_type: route, next: a}]",
        "[{step_id: a, call: p}]",
        "[{step_id: a, step_type: route, split: all, next: [b, c]}, {step_id: b, call: p}, \
            {step_id: c, call: p}]",
        "[{step_id: a, step_type: route, repeat: {until: 'false'}}]",
        "[{step_id: a, step_type: route, transitions: [{next_step: a, tokens: 2}]}]",
    ];
    for steps in endless {
        let refused = refused(&format!("{{process_name: p, steps: {steps}}}"));
        assert_eq!(refused.why, super::event::Why::TooLarge, "{steps}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_path() {
    let check = |steps: &str, expected: &str| {
        let all = definitions(&format!("{{process_name: p, steps: {steps}}}"));
        let wrong = Processes::compile(&all).map(|_| ()).unwrap_err();
        let wrong: Vec<String> = wrong.iter().map(|it| it.path.clone()).collect();
        assert_eq!(wrong.join(" "), expected, "{steps}");
    };
    check("[{step_id: a, next: b}]", "steps[0].next");
    check("[{step_id: a}, {step_id: a}]", "steps[1].step_id");
    check("[{step_id: a/b}]", "steps[0].step_id");
    check(
        "[{step_id: a}, {step_id: b, steps: [{step_id: c, transitions: [{when: '1 +'}]}]}]",
        "steps[1].steps[0].transitions[0].when",
    );
    check("[{step_id: a, only_while: \"done('x') > 0\"}]", "steps[0].only_while");
    check("[{step_id: a, call: q}]", "steps[0].call");
    check("[{step_id: a, cancel: [a, x]}]", "steps[0].cancel[1]");
    check("[{step_id: a, join: {from: x}}]", "steps[0].join.from");
    check("[{step_id: a, mutex: l, steps: [{step_id: b, mutex: l}]}]", "steps[0].steps[0].mutex");
    check("[]", "steps");
}

#[test]
fn what_nobody_may_do_is_refused_and_changes_nothing() {
    let text = "{process_name: p, steps: [{step_id: a, transitions: [{on: x}]}, {step_id: b}]}";
    let processes = compiled(&definitions(text), 0);
    let mut run = Run::begin(&processes, Map::new()).unwrap();
    let item = run.offers()[0].item;
    let before = run.state.clone();
    let complete = |outcome: &str| What::Complete {
        item,
        outcome: Some(outcome.to_owned()),
        data: Map::new(),
    };
    use super::event::Why::{Conflict, Invalid, NotFound};
    assert_eq!(run.happen(complete("x")).unwrap_err().why, Conflict);
    assert_eq!(run.happen(What::Start { item: 99 }).unwrap_err().why, NotFound);
    assert_eq!(run.happen(What::Begin { data: Map::new() }).unwrap_err().why, Conflict);
    assert_eq!(run.state, before);
    run.happen(What::Start { item }).unwrap();
    assert_eq!(run.happen(What::Start { item }).unwrap_err().why, Conflict);
    assert_eq!(run.happen(complete("y")).unwrap_err().why, Invalid);
    run.happen(complete("x")).unwrap();
    assert_eq!(run.happen(What::Tick).unwrap_err().why, Conflict);
}

#[test]
fn a_run_that_is_cancelled_leaves_nothing() {
    let all = definitions(PATTERNS);
    let processes = compiled(&all, 0);
    let mut run = Run::begin(&processes, Map::new()).unwrap();
    run.happen(What::Cancel).unwrap();
    assert_eq!(run.state.status(&processes), Status::Cancelled);
    assert!(run.offers().is_empty() && run.state.due_ms().is_none());
}

#[test]
fn the_schema_has_every_key() {
    let schema = schemars::schema_for!(Definition);
    let text = serde_json::to_string(&schema).unwrap();
    for key in ["only_while", "await", "else", "rest", "catch_up", "jitter_percent", "final_status"]
    {
        assert!(text.contains(&format!("\"{key}\"")), "{key}");
    }
    assert_eq!(schema.as_value()["additionalProperties"], json!(false));
}
