//! The conformance set through the port: the scripts of all patterns, and the commits that each
//! commit comes of in the history that each of them leaves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    Scene, execution,
    threads::{Happened, Threads},
};

const PATTERNS: &str = include_str!("../../protocol/patterns.yaml");

#[test]
fn scripts_of_the_conformance_set_play_through_the_port_and_commits_have_the_right_parents() {
    let options = serde_saphyr::options! { strict_booleans: true };
    let definitions: Vec<Value> =
        serde_saphyr::from_multiple_with_options(PATTERNS, options).unwrap();
    let mut scene = Scene::of(PATTERNS);
    let mut played = 0;
    for definition in &definitions {
        let Some(tests) = definition["tests"].as_object() else { continue };
        for (name, test) in tests {
            let process = definition["process_name"].as_str().unwrap();
            let run = format!("{process}-{name}");
            let (input, script) = match test.get("script") {
                Some(script) => (test["data"].clone(), script),
                None => (json!({}), test),
            };
            let input = if input.is_null() { json!({}) } else { input };
            scene.start(&run, json!({"process": process, "input": input}));
            for line in script.as_array().unwrap() {
                Player { scene: &mut scene, run: &run, definition }.play(line);
            }
            played += 1;
        }
    }
    assert_eq!(played, 89);
    // All of it is in Git, and makes the same runs again.
    let listed = scene.ok("run.list", json!({}));
    let before = listed["runs"].as_array().unwrap().clone();
    scene.restart();
    let mut kinds = BTreeMap::new();
    for run in &before {
        let name = run["run"].as_str().unwrap();
        let again = scene.get(name);
        assert_eq!(
            (&again["status"], &again["commit"]),
            (&run["status"], &run["commit"]),
            "{name}"
        );
        let process = again["process"].as_str().unwrap().to_owned();
        let definition = definitions.iter().find(|it| it["process_name"] == *process).unwrap();
        expect_parents(&scene, name, definition, run["seq"].as_u64().unwrap(), &mut kinds);
    }
    assert!(kinds.into_iter().eq(KINDS));
    scene.is_sound();
}

/// So many commits of each kind there are.
const KINDS: [(&str, usize); 9] = [
    ("all", 10),
    ("another", 623),
    ("any", 10),
    ("from", 6),
    ("instances", 12),
    ("n of from", 6),
    ("number", 8),
    ("start", 419),
    ("tokens", 1),
];

/// How something stands that can be started, and that is there for somebody.
const FREE: [&str; 2] = ["offered", "open"];
const THERE: [&str; 5] = ["offered", "open", "started", "backoff", "awaiting"];

struct Player<'a> {
    scene: &'a mut Scene,
    run: &'a str,
    definition: &'a Value,
}

impl Player<'_> {
    fn play(&mut self, line: &Value) {
        let (text, data) = match line {
            Value::String(text) => (text.as_str(), json!({})),
            Value::Object(map) => {
                let (text, data) = map.iter().next().unwrap();
                (text.as_str(), data.clone())
            }
            _ => panic!("{line}"),
        };
        let told = format!("{} {text}: {}", self.run, self.scene.get(self.run));
        let rest = text.get(1..).unwrap_or_default();
        match text.as_bytes()[0] {
            b'+' => drop(self.start(rest)),
            b'-' => self.complete(rest, false, data),
            b'!' => {
                let (name, key) = rest.split_once('=').unwrap_or((rest, ""));
                let mut signal = json!({"run": self.run, "name": name, "data": data});
                if !key.is_empty() {
                    signal["key"] = json!(key);
                }
                self.scene.ok("run.signal", signal);
            }
            b'#' => panic!("no script of the set is refused something: {text}"),
            b'?' => assert!(self.find(rest, &THERE).is_some(), "{told}"),
            b'~' => assert!(self.find(rest, &THERE).is_none(), "{told}"),
            b'@' => {
                let mut wanted: Vec<&str> = rest.split(',').filter(|it| !it.is_empty()).collect();
                wanted.sort_unstable();
                let run = self.scene.get(self.run);
                let offers = run["offers"].as_array().unwrap().iter();
                let offered = offers.filter(|it| it["status"] == "offered");
                let mut there: Vec<&str> = offered.map(|it| it["path"].as_str().unwrap()).collect();
                there.sort_unstable();
                assert_eq!(there, wanted, "{told}");
            }
            b'=' if rest == "data" => {
                let run = self.scene.get(self.run);
                for (name, value) in data.as_object().unwrap() {
                    assert_eq!(run["data"][name], *value, "{told}");
                }
            }
            b'=' => assert_eq!(self.scene.status(self.run), rest, "{told}"),
            // The program does what ends a run by itself.
            _ if self.is_final(text) => (),
            _ => self.complete(text, true, data),
        }
    }

    fn is_final(&self, step: &str) -> bool {
        let mut steps = self.definition["steps"].as_array().unwrap().iter();
        steps.any(|it| it["step_id"] == *step && it["step_type"] == "final_commit")
    }

    /// What is in one of these states at a path, the oldest first: `b&2` is the second.
    fn find(&mut self, path: &str, states: &[&str]) -> Option<Value> {
        let (path, nth) = path.split_once('&').unwrap_or((path, "1"));
        let run = self.scene.get(self.run);
        let offers = run["offers"].as_array().unwrap().iter();
        let is_meant = |it: &&Value| states.contains(&it["status"].as_str().unwrap());
        let there = offers.filter(is_meant).filter(|it| it["path"] == *path);
        let mut there: Vec<Value> = there.cloned().collect();
        let at = nth.parse::<usize>().unwrap() - 1;
        (at < there.len()).then(|| there.swap_remove(at))
    }

    /// Takes something up; nothing: it needed nobody after all.
    fn start(&mut self, path: &str) -> Option<Value> {
        let offer = self.find(path, &FREE).unwrap_or_else(|| panic!("{path} is not free"));
        self.scene.claim(json!({"task": offer["task"]})).pop()
    }

    fn complete(&mut self, text: &str, starts: bool, data: Value) {
        let (path, outcome) = text.split_once(':').map_or((text, None), |it| (it.0, Some(it.1)));
        let is_offered = starts && self.find(path, &["offered"]).is_some();
        // An instance has begun by itself: who completes it takes it up first.
        let begun = if is_offered { None } else { self.find(path, &["started"]) };
        let task = match begun {
            None => match self.start(path) {
                Some(task) => task,
                None => return,
            },
            Some(offer) => {
                // Whoever began it knows the token; the history does too.
                let token = self.token(offer["path"].as_str().unwrap(), &offer);
                json!({"task": offer["task"], "token": token})
            }
        };
        let mut more = json!({"data": data});
        if let Some(outcome) = outcome {
            more["outcome"] = json!(outcome);
        }
        self.scene.complete(&task, more);
    }

    /// The commit of the start of an item: the newest starts of a path belong to its items that
    /// are started, in their order.
    fn token(&mut self, path: &str, offer: &Value) -> Value {
        let history = self.scene.ok("run.history", json!({"run": self.run, "limit": 10_000}));
        let events = history["events"].as_array().unwrap().iter();
        let item = &offer["item"];
        let begun = events.filter(|it| it["event"] == "start" && it["step"] == *path);
        let mut begun = begun.filter(|it| it["cause"]["item"] == *item);
        begun.next_back().unwrap()["commit"].clone()
    }
}

/// Each commit of a run comes of those that made what it took, as its definition has it, and of no
/// other one; counts the kinds of commits.
fn expect_parents(
    scene: &Scene,
    run: &str,
    definition: &Value,
    seq: u64,
    kinds: &mut BTreeMap<&'static str, usize>,
) {
    let trailers = ["Seq", "Event", "Step", "Outcome", "Cause"];
    let trailers = trailers.map(|it| format!("%x1f%(trailers:key={it},valueonly,separator=)"));
    let format = format!("--format=%H%x1f%P{}", trailers.concat());
    let paths = format!("--glob=refs/workflow/threads/{run}/*");
    let told = scene.git(&["log", &format, &execution(run), &paths]);
    let mut commits: BTreeMap<u64, (&str, Vec<&str>, Happened)> = BTreeMap::new();
    for line in told.lines() {
        let parts: Vec<&str> = line.split('\x1f').collect();
        let [id, parents, seq, event, step, outcome, cause] = parts[..] else { panic!("{line}") };
        let seq = seq.parse().unwrap();
        let [event, step, outcome] = [event, step, outcome].map(str::to_owned);
        let cause = serde_json::from_str(cause).unwrap_or_default();
        let happened = Happened { seq, event, step, outcome, cause };
        commits.insert(seq, (id, parents.split_whitespace().collect(), happened));
    }
    assert!(commits.keys().copied().eq(1..=seq), "{run}: its refs reach all of it, and no more");
    let mut threads = Threads::of(definition);
    for (id, parents, happened) in commits.values() {
        *kinds.entry(threads.kind(happened)).or_default() += 1;
        let expected = threads.follow(happened);
        let expected: BTreeSet<&str> = expected.iter().map(|it| commits[it].0).collect();
        let there: BTreeSet<&str> = parents.iter().copied().collect();
        let Happened { seq, event, step, .. } = happened;
        assert_eq!(there.len(), parents.len(), "{run}: {id} has a parent twice");
        assert_eq!(there, expected, "{run}: {seq}, {event} {step}, in\n{told}");
    }
}
