//! Runs of the conformance set, as commits, and made again from them.

use std::{
    collections::BTreeMap,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use serde_json::json;

use super::{
    message::{self, Cause},
    pinned::Pinned,
    replay::{Found, replay},
    run::{Made, Run},
};
use crate::{
    engine::{
        definition::Definition,
        event::{Event, What},
        net::Processes,
        offers::Offer,
        state::{ItemStatus, Status},
    },
    git::{Kind, Mark, ObjectId},
};

const PATTERNS: &str = include_str!("../../protocol/patterns.yaml");

fn definitions(text: &str) -> Vec<Definition> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_multiple_with_options(text, options).unwrap()
}

/// A process, and the others, which it may call.
fn pinned(all: &[Definition], main: usize) -> Arc<Pinned> {
    let mut ordered = vec![all[main].clone()];
    ordered.extend(all.iter().enumerate().filter(|it| it.0 != main).map(|it| it.1.clone()));
    let processes = Processes::compile(&ordered).unwrap_or_else(|it| panic!("{it:?}"));
    let name = all[main].process_name.clone();
    let files = vec![(format!("{name}.yaml"), b"process_name: and so on".to_vec())];
    Arc::new(Pinned { name, version: None, digest: String::new(), processes, files })
}

struct Played {
    run: Run,
    made: Vec<Made>,
    /// Where the refs of parallel paths and the like are.
    marks: BTreeMap<Mark, Option<ObjectId>>,
    at_ms: i64,
}

impl Played {
    fn new(pinned: Arc<Pinned>) -> Played {
        let run = Run::new("r1", pinned, BTreeMap::from([("colour".into(), "red".into())]));
        let mut played = Played { run, made: Vec::new(), marks: BTreeMap::new(), at_ms: 0 };
        played.happen(What::Begin { data: Default::default() });
        played
    }

    fn happen(&mut self, what: What) {
        self.at_ms += 1500;
        let cause = Cause {
            actor: "ann".to_owned(),
            given: None,
            overrode: None,
            event: Event { at_ms: self.at_ms, what },
        };
        let made = self.run.happen(&cause, None).unwrap();
        self.marks.extend(made.marks.iter().map(|it| (it.0.clone(), it.2)));
        self.made.push(made);
    }

    /// Does whatever can be done, in turns, until nothing can or it was enough.
    fn go(&mut self, times: usize) {
        for round in 0..times {
            let pinned = Arc::clone(&self.run.pinned);
            let processes = &pinned.processes;
            if self.run.state.head.status != Status::Running {
                return;
            }
            let offers = self.run.state.offers(processes);
            let can_start = |it: &&Offer| {
                matches!(it.status, ItemStatus::Offered | ItemStatus::Open | ItemStatus::Started)
            };
            let there: Vec<&Offer> = offers.iter().filter(can_start).collect();
            let Some(it) = there.get(round % there.len().max(1)) else {
                self.at_ms = self.at_ms.max(self.run.state.due_ms().unwrap_or_default());
                self.happen(What::Tick);
                self.happen(What::Signal {
                    name: "paid".to_owned(),
                    key: None,
                    data: Default::default(),
                });
                continue;
            };
            let item = it.item;
            if it.status != ItemStatus::Started {
                self.happen(What::Start { item });
                self.happen(What::Heartbeat { item });
            }
            if round % 3 == 2 {
                self.happen(What::Release { item });
                self.happen(What::Start { item });
            }
            let outcome = processes.nets.iter().flat_map(|it| &it.steps).find_map(|step| {
                let is_it = self.run.state.items.get(&item).is_some_and(|at| {
                    let net = self.run.state.frames.get(&at.frame).map(|it| it.net);
                    net.is_some_and(|net| std::ptr::eq(processes.step(net, at.step), step))
                });
                is_it.then(|| step.arcs.first().and_then(|it| it.on.clone()))
            });
            let data = json!({"n": round, "long": "x".repeat(round % 5 * 300)});
            let data = data.as_object().unwrap().clone();
            self.happen(What::Complete { item, outcome: outcome.flatten(), data });
        }
    }

    fn found(&self) -> Vec<Found> {
        let objects = || self.made.iter().flat_map(|it| &it.objects);
        let content = |id| objects().find(|it| it.0 == id).map(|it| it.2.clone()).unwrap();
        let mut found = Vec::new();
        for (id, _, bytes) in objects().filter(|it| it.1 == Kind::Commit) {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let (head, message) = text.split_once("\n\n").unwrap();
            let tree = head.lines().next().unwrap().strip_prefix("tree ").unwrap();
            let tree = content(tree.parse().unwrap());
            let name = b"100644 event.json\0";
            let at = tree.windows(name.len()).position(|it| it == name);
            let cause = at.map(|at| {
                let id = &tree[at + name.len()..at + name.len() + 20];
                content(ObjectId::from_bytes(id).unwrap())
            });
            let said = message::read(message.as_bytes()).unwrap();
            found.push(Found { id: *id, said, cause, pinned: None });
        }
        found
    }
}

fn is_complete(found: &Found) -> bool {
    found.said.event == "complete"
}

const PATTERN: &str = "
process_name: p
steps:
  - {step_id: a, split: all, next: [b, c]}
  - {step_id: b, next: d}
  - {step_id: c, next: d}
  - {step_id: d, join: all, next: e}
  - {step_id: e}
";

#[test]
fn runs_of_the_conformance_set_are_made_again_from_their_commits_in_any_order() {
    let all = definitions(PATTERNS);
    let mut ended = 0;
    for main in 0..all.len() {
        let mut played = Played::new(pinned(&all, main));
        played.go(40);
        let mut found = played.found();
        found.reverse();
        let name = &all[main].process_name;
        let mut finished = Vec::new();
        let again = replay("r1", pinned(&all, main), found, Some(&mut finished))
            .unwrap_or_else(|it| panic!("{name}: {it:?}"));
        let receipts = played.made.iter().flat_map(|it| &it.finished).map(|it| &it.receipt);
        assert!(finished.iter().map(|it| &it.receipt).eq(receipts), "{name}");
        let ends = played.found().iter().filter(|it| is_complete(it)).count();
        assert_eq!(finished.iter().filter(|it| !it.receipt.again).count(), ends, "{name}");
        assert!(finished.iter().all(|it| it.is_whole), "{name}");
        assert_eq!(again.state, played.run.state, "{name}");
        assert_eq!(again.newest(), played.run.newest(), "{name}");
        if played.run.state.head.status != Status::Running {
            ended += 1;
            let is_path = |it: &&Mark| matches!(it, Mark::Path(_));
            let paths = played.marks.iter().filter(|it| is_path(&it.0));
            let open = paths.filter(|it| it.1.is_some()).count();
            assert_eq!(open, 0, "{name} has ended, and all of it comes before its newest commit");
        }
    }
    assert!(ended > 30, "{ended}");
}

#[test]
fn a_commit_that_is_changed_dropped_or_out_of_place_is_named() {
    let all = definitions(PATTERN);
    let mut played = Played::new(pinned(&all, 0));
    played.go(9);
    let count = played.found().len();
    let refused = |found: Vec<Found>| match replay("r1", pinned(&all, 0), found, None) {
        Ok(_) => panic!("it was taken"),
        Err(error) => error.message,
    };
    for at in 0..count {
        let mut dropped = played.found();
        dropped.remove(at);
        // The last of an event that is not the last: what comes behind it tells.
        if at + 1 < count {
            assert!(refused(dropped).contains("is not one of the run"), "{at}");
        }
        let mut changed = played.found();
        changed[at].said.run = "r2".to_owned();
        let id = changed[at].id.to_string();
        assert!(refused(changed).contains(&id), "{at}");
    }
    let mut swapped = played.found();
    let other = swapped[3].said.clone();
    swapped[3].said = std::mem::replace(&mut swapped[5].said, other);
    assert!(refused(swapped).contains("is not one of the run"));
}

#[expect(clippy::disallowed_methods, reason = "stock git tells what it thinks of the commits")]
fn git(folder: &Path, arguments: &[&str], input: &[u8]) -> String {
    let mut git = Command::new("git");
    git.arg("--git-dir").arg(folder).args(arguments).env_clear();
    git.env("PATH", std::env::var_os("PATH").unwrap()).env("GIT_CONFIG_GLOBAL", "/dev/null");
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success(), "git {arguments:?}");
    String::from_utf8(done.stdout).unwrap().trim_end().to_owned()
}

#[test]
fn stock_git_takes_the_commits_of_a_run_and_reaches_all_from_the_last() {
    let mut played = Played::new(pinned(&definitions(PATTERN), 0));
    played.go(20);
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "-q", "--bare"], b"");
    for (id, kind, content) in played.made.iter().flat_map(|it| &it.objects) {
        let hash = ["hash-object", "-w", "--stdin", "-t", kind.name()];
        assert_eq!(git(folder.path(), &hash, content), id.to_string());
    }
    let tip = played.run.newest().unwrap().to_string();
    git(folder.path(), &["update-ref", "refs/workflow/executions/r1", &tip], b"");
    let told = git(folder.path(), &["fsck", "--strict", "--no-dangling"], b"");
    assert_eq!(told, "");
    let count = git(folder.path(), &["rev-list", "--count", &tip], b"");
    assert_eq!(count, played.run.seq.to_string());
    let subjects = git(folder.path(), &["log", "--format=%s (%an)", &tip], b"");
    assert!(subjects.contains("d joins 2 (ann)"), "{subjects}");
    let trailer =
        git(folder.path(), &["log", "-1", "--format=%(trailers:key=Run,valueonly)", &tip], b"");
    assert_eq!(trailer, "r1");
}
