//! The conformance set through the port: the scripts of all patterns, and the shape of the history
//! that each of them leaves.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Scene, execution};

const PATTERNS: &str = include_str!("../../protocol/patterns.yaml");

#[test]
fn scripts_of_the_conformance_set_play_through_the_port_and_joins_have_the_right_parents() {
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
    let mut joins = 0;
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
        joins += expect_joins(&scene, name, definition, run["seq"].as_u64().unwrap());
    }
    assert!(40 < joins, "{joins}");
    scene.is_sound();
}

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

/// The joins in the history of a run have as their parents the steps that lead to them: all, so
/// many as it says, or some.
fn expect_joins(scene: &Scene, run: &str, definition: &Value, seq: u64) -> usize {
    let format = "--format=%H|%P|%(trailers:key=Event,valueonly,separator=)|%(trailers:key=Step,valueonly,separator=)";
    let mut told = scene.git(&["log", format, &execution(run)]);
    let paths = scene.git(&[
        "for-each-ref",
        "--format=%(refname)",
        &format!("refs/workflow/threads/{run}/"),
    ]);
    for path in paths.lines() {
        told += "\n";
        told += &scene.git(&["log", format, path]);
    }
    let commits: BTreeMap<&str, Vec<&str>> =
        told.lines().map(|it| it.split('|').collect::<Vec<_>>()).map(|it| (it[0], it)).collect();
    assert_eq!(commits.len() as u64, seq, "{run}: its refs reach all of it");
    let mut joins = 0;
    for commit in commits.values() {
        let parents: Vec<&str> = commit[1].split_whitespace().collect();
        assert!(parents.iter().all(|it| commits.contains_key(it)), "{run}: a foreign parent");
        let (event, step) = (commit[2], commit[3]);
        let steps = definition["steps"].as_array().unwrap();
        let Some(target) = steps.iter().find(|it| it["step_id"] == *step) else { continue };
        if event != "join" || !target["each"].is_null() || !target["steps"].is_null() {
            continue;
        }
        joins += 1;
        let from: BTreeSet<&str> = parents.iter().map(|it| commits[it][3]).collect();
        let before = sources(steps, step);
        let is_near = |it: &&str| {
            before.contains(*it) || it.split('/').next().is_some_and(|it| before.contains(it))
        };
        let near = from.iter().filter(|it| is_near(it)).count();
        match &target["join"] {
            Value::String(word) if word == "all" => {
                assert_eq!(near, before.len(), "{run}: {step} joins {from:?} of {before:?}");
            }
            Value::String(word) if word == "any" => {
                assert!((1..=before.len()).contains(&near), "{run}: {step} joins {from:?}");
            }
            Value::Number(count) => {
                assert_eq!(parents.len() as u64, count.as_u64().unwrap(), "{run}: {step}");
            }
            _ => assert!(!parents.is_empty(), "{run}: {step}"),
        }
    }
    joins
}

/// The steps with a transition to this one.
fn sources<'a>(steps: &'a [Value], target: &str) -> BTreeSet<&'a str> {
    let leads = |step: &Value| {
        let next = [&step["next"], &step["next_step"]];
        let arcs = step["transitions"].as_array().into_iter().flatten();
        let named = next.into_iter().chain(arcs.map(|it| match it["next"].is_null() {
            true => &it["next_step"],
            false => &it["next"],
        }));
        named.into_iter().any(|it| match it {
            Value::String(name) => name == target,
            Value::Array(names) => names.iter().any(|it| it == target),
            _ => false,
        })
    };
    steps.iter().filter(|it| leads(it)).map(|it| it["step_id"].as_str().unwrap()).collect()
}
