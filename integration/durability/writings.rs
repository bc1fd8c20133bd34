//! What daemons are asked to write, and how it shows.

use std::path::Path;

use serde_json::{Value, json};

use super::{State, blob_id};

/// Something that is written, each time under another number.
#[derive(Clone, Copy)]
pub struct Writing {
    pub name: &'static str,
    /// The arguments but `path`.
    request: fn(u64) -> Value,
    /// What a repository shows that has it: refs, and files of branches with their content.
    traces: fn(u64) -> Traces,
}

/// Operations that change a repository, and what is to be seen of them. A new one is a line here.
pub const WRITINGS: &[Writing] = &[
    Writing { name: "commit", request: commit, traces: committed },
    Writing { name: "commit", request: commit_on_side, traces: committed_on_side },
    Writing { name: "commit", request: commit_relaxed, traces: committed },
    Writing { name: "commit", request: commit_on_new, traces: committed_on_new },
    Writing { name: "commit", request: commit_once, traces: committed },
    Writing { name: "ref.update", request: move_refs, traces: refs_moved },
    Writing { name: "branch", request: branch, traces: branched },
    Writing { name: "tag", request: tag, traces: tagged },
    Writing { name: "note", request: note, traces: noted },
    Writing { name: "merge", request: merge, traces: merged },
    Writing { name: "merge", request: merge_forward, traces: merged },
    Writing { name: "lock", request: lock, traces: locked },
    Writing { name: "batch", request: bring_by_merge, traces: brought_to_main },
    Writing { name: "batch", request: bring_forward, traces: brought_to_side },
    Writing { name: "batch", request: squash, traces: brought_to_main },
    Writing { name: "batch", request: undo_names, traces: undone_names },
    Writing { name: "batch", request: undo_files, traces: undone_files },
    Writing { name: "batch", request: undo_note, traces: undone_note },
    Writing { name: "batch", request: swap_folder_and_file, traces: swapped },
    Writing { name: "batch", request: let_go, traces: let_gone },
];

#[derive(Default)]
pub struct Traces {
    pub refs: Vec<String>,
    /// Branch, file, content.
    pub files: Vec<(String, String, String)>,
    /// What was there before it was removed again: there may be anything between.
    pub gone_refs: Vec<String>,
    /// Branch, file.
    pub gone_files: Vec<(String, String)>,
    /// Whether there are several steps, so that a part of it is no half.
    pub is_stepwise: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    Whole,
    Absent,
    Half,
}

impl Writing {
    pub fn request(&self, path: &Path, number: u64) -> Value {
        let mut request = (self.request)(number);
        request["op"] = json!(self.name);
        match request.get_mut("requests").and_then(Value::as_array_mut) {
            Some(requests) => requests.iter_mut().for_each(|it| it["path"] = json!(path)),
            None => request["path"] = json!(path),
        }
        request["id"] = json!(number);
        request
    }

    pub fn seen(&self, state: &State, number: u64) -> Seen {
        let Traces { refs, files, gone_refs, gone_files, is_stepwise } = (self.traces)(number);
        let has_ref = |it: &String| state.refs.contains_key(it);
        let id_at = |branch: &String, file: &String| {
            state.files.get(&(branch.clone(), file.clone())).map_or("", String::as_str)
        };
        let has_file = |(branch, file, content): &(String, String, String)| {
            id_at(branch, file) == blob_id(content.as_bytes())
        };
        let count = refs.iter().filter(|it| has_ref(it)).count()
            + files.iter().filter(|it| has_file(it)).count();
        let is_gone = !gone_refs.iter().any(has_ref)
            && gone_files.iter().all(|(branch, file)| id_at(branch, file).is_empty());
        match count {
            // Also where nothing is to be seen of it.
            _ if count == refs.len() + files.len() && is_gone => Seen::Whole,
            0 => Seen::Absent,
            _ if is_stepwise => Seen::Absent,
            _ => Seen::Half,
        }
    }

    /// The branches and files to look at.
    pub fn places(&self, number: u64) -> Vec<(String, String)> {
        let Traces { files, gone_files, .. } = (self.traces)(number);
        let there = files.into_iter().map(|(branch, file, _)| (branch, file));
        there.chain(gone_files).collect()
    }
}

/// How many of them are plain commits, which come first.
pub const COMMITS: u64 = 5;

/// The writing whose turn it is.
pub fn writing(number: u64) -> &'static Writing {
    &WRITINGS[number as usize % WRITINGS.len()]
}

fn commit(number: u64) -> Value {
    let [one, other] = files_of(number);
    json!({"branch": "main", "message": format!("{number}\n"), "encoding": "utf8", "changes": [
        {"file": one, "content": format!("one of {number}\n")},
        {"file": other, "content": format!("other of {number}\n")}]})
}

fn commit_on_side(number: u64) -> Value {
    with(commit(number), json!({"branch": "side"}))
}

fn commit_relaxed(number: u64) -> Value {
    with(commit(number), json!({"durability": "relaxed"}))
}

fn commit_on_new(number: u64) -> Value {
    with(commit(number), json!({"branch": format!("new/{number}")}))
}

fn commit_once(number: u64) -> Value {
    with(commit(number), json!({"key": format!("key-{number}")}))
}

fn move_refs(number: u64) -> Value {
    let update = |it: &String| json!({"ref": it, "to": "main"});
    json!({"updates": refs_moved(number).refs.iter().map(update).collect::<Vec<_>>()})
}

fn refs_moved(number: u64) -> Traces {
    named(["one", "other"].map(|it| format!("refs/many/{number}/{it}")))
}

fn branch(number: u64) -> Value {
    json!({"branch": format!("at/{number}"), "from": "side"})
}

fn branched(number: u64) -> Traces {
    named([format!("refs/heads/at/{number}")])
}

fn tag(number: u64) -> Value {
    json!({"tag": format!("t/{number}"), "target": "main", "message": format!("{number}\n")})
}

fn tagged(number: u64) -> Traces {
    named([format!("refs/tags/t/{number}")])
}

fn note(number: u64) -> Value {
    json!({"target": "main", "namespace": format!("n{number}"), "content": "noted\n",
        "encoding": "utf8"})
}

fn noted(number: u64) -> Traces {
    named([format!("refs/notes/n{number}")])
}

fn merge(_: u64) -> Value {
    json!({"into": "main", "from": "side", "message": "merged\n", "encoding": "utf8"})
}

/// After the other one, most of the time.
fn merge_forward(_: u64) -> Value {
    json!({"into": "side", "from": "main", "message": "merged\n", "encoding": "utf8"})
}

/// Whether there was anything to merge only those before it tell.
fn merged(_: u64) -> Traces {
    Traces::default()
}

fn lock(number: u64) -> Value {
    json!({"name": format!("lock-{number}"), "owner": "ada", "ttl_ms": 600_000})
}

fn locked(number: u64) -> Traces {
    named([format!("refs/gitvan/locks/lock-{number}")])
}

fn brought(number: u64) -> String {
    format!("brought/{number}")
}

/// A commit that only the merge after it brings to the other branch.
fn bring(number: u64, [from, into]: [&str; 2], more: Value) -> Value {
    let changes = json!([{"file": brought(number), "content": "brought\n"}]);
    let commit = json!({"op": "commit", "branch": from, "message": "m", "encoding": "utf8",
        "changes": changes});
    let merge = json!({"op": "merge", "into": into, "from": from, "message": "merged\n",
        "encoding": "utf8"});
    json!({"requests": [commit, with(merge, more)]})
}

fn brought_to(branch: &str, number: u64) -> Traces {
    let file = (branch.to_owned(), brought(number), "brought\n".to_owned());
    Traces { files: vec![file], is_stepwise: true, ..Traces::default() }
}

fn bring_by_merge(number: u64) -> Value {
    bring(number, ["side", "main"], json!({"strategy": "no_ff"}))
}

fn brought_to_main(number: u64) -> Traces {
    brought_to("main", number)
}

fn bring_forward(number: u64) -> Value {
    bring(number, ["main", "side"], json!({}))
}

fn brought_to_side(number: u64) -> Traces {
    brought_to("side", number)
}

fn squash(number: u64) -> Value {
    bring(number, ["side", "main"], json!({"strategy": "squash"}))
}

/// Refs that are made, and removed or renamed in each way there is.
fn undo_names(number: u64) -> Value {
    let [branch, tag, other] = ["b", "t", "o"].map(|it| format!("undone/{it}{number}"));
    let name = format!("refs/undone/{number}");
    json!({"requests": [
        {"op": "branch", "branch": branch, "from": "main"},
        {"op": "branch", "branch": other, "from": "main"},
        {"op": "tag", "tag": tag, "target": "main", "message": "m"},
        {"op": "ref.update", "updates": [{"ref": name, "to": "main"}]},
        {"op": "branch", "branch": branch, "delete": true},
        {"op": "branch", "branch": other, "rename": format!("renamed/{number}")},
        {"op": "tag", "tag": tag, "delete": true},
        {"op": "ref.update", "updates": [{"ref": name}]}]})
}

fn undone_names(number: u64) -> Traces {
    let gone = ["heads/undone/b", "heads/undone/o", "tags/undone/t", "undone/"];
    Traces {
        refs: vec![format!("refs/heads/renamed/{number}")],
        gone_refs: gone.map(|it| format!("refs/{it}{number}")).into(),
        is_stepwise: true,
        ..Traces::default()
    }
}

fn undo_files(number: u64) -> Value {
    let [gone, moved, name] = ["gone", "moved", "name"].map(|it| format!("{it}/{number}"));
    let commit = |changes: Value| {
        json!({"op": "commit", "branch": "main", "message": "m", "encoding": "utf8",
            "changes": changes})
    };
    json!({"requests": [
        commit(json!([{"file": gone, "content": "1\n"}, {"file": moved, "content": "moved\n"}])),
        commit(json!([{"file": gone, "delete": true}, {"file": moved, "rename": name}]))]})
}

fn undone_files(number: u64) -> Traces {
    let at = |it: &str| ("main".to_owned(), format!("{it}/{number}"));
    let (branch, name) = at("name");
    Traces {
        files: vec![(branch, name, "moved\n".to_owned())],
        gone_files: vec![at("gone"), at("moved")],
        is_stepwise: true,
        ..Traces::default()
    }
}

fn undo_note(number: u64) -> Value {
    let namespace = format!("undone{number}");
    json!({"requests": [
        {"op": "note", "target": "main~1", "namespace": namespace, "content": "noted\n",
            "encoding": "utf8"},
        {"op": "note.remove", "target": "main~1", "namespace": namespace, "missing_ok": true}]})
}

fn undone_note(number: u64) -> Traces {
    named([format!("refs/notes/undone{number}")])
}

/// What was a folder of refs becomes a ref.
fn swap_folder_and_file(number: u64) -> Value {
    let (folder, below) = (format!("swap{number}"), format!("swap{number}/below"));
    json!({"requests": [
        {"op": "branch", "branch": below, "from": "main"},
        {"op": "branch", "branch": below, "delete": true},
        {"op": "branch", "branch": folder, "from": "main"}]})
}

fn swapped(number: u64) -> Traces {
    Traces {
        refs: vec![format!("refs/heads/swap{number}")],
        gone_refs: vec![format!("refs/heads/swap{number}/below")],
        is_stepwise: true,
        ..Traces::default()
    }
}

fn let_go(number: u64) -> Value {
    let lock = with(lock(number), json!({"op": "lock"}));
    let held = |op: &str| json!({"op": op, "name": lock["name"], "token": 1});
    let renew = with(held("renew"), json!({"ttl_ms": 500_000}));
    json!({"requests": [lock, renew, held("unlock")]})
}

fn let_gone(number: u64) -> Traces {
    Traces { is_stepwise: true, ..locked(number) }
}

fn named<const COUNT: usize>(refs: [String; COUNT]) -> Traces {
    Traces { refs: refs.into(), ..Traces::default() }
}

fn committed(number: u64) -> Traces {
    committed_on("main", number)
}

fn committed_on_side(number: u64) -> Traces {
    committed_on("side", number)
}

fn committed_on_new(number: u64) -> Traces {
    let branch = format!("new/{number}");
    Traces { refs: vec![format!("refs/heads/{branch}")], ..committed_on(&branch, number) }
}

fn committed_on(branch: &str, number: u64) -> Traces {
    let [one, other] = files_of(number);
    let file = |file, which| (branch.to_owned(), file, format!("{which} of {number}\n"));
    Traces { files: vec![file(one, "one"), file(other, "other")], ..Traces::default() }
}

fn files_of(number: u64) -> [String; 2] {
    [format!("folder-{}/one-{number}", number % 7), format!("other/{}/{number}", number % 5)]
}

pub fn with(mut request: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        request[name] = value.clone();
    }
    request
}
