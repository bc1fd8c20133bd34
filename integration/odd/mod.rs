//! Repositories that not everybody can read are read rightly or refused with a type, never wrongly.

mod broken;
mod formats;
mod pipes;
mod shapes;

use serde_json::{Value, json};

use crate::{daemon::Daemon, repository::Repository};

/// The codes that say "not like this", as against "something is wrong".
const REFUSALS: [&str; 3] = ["unsupported", "denied", "not_found"];

/// What the six questions about a repository answer, by their names.
fn questions(path: &str, file: &str) -> Vec<Value> {
    vec![
        json!({"op": "head", "path": path}),
        json!({"op": "log", "path": path}),
        json!({"op": "files", "path": path, "rev": "HEAD", "pattern": "*", "recursive": true}),
        json!({"op": "read", "path": path, "rev": "HEAD", "file": file, "encoding": "utf8"}),
        json!({"op": "diff", "path": path, "range": "HEAD~1..HEAD"}),
        json!({"op": "diff", "path": path}),
        json!({"op": "status", "path": path}),
    ]
}

/// The part of an answer that stock git can confirm, told by stock git.
fn right_answer(repository: &Repository, request: &Value) -> Value {
    let lines = |arguments: &[&str]| -> Value {
        let lines = repository.git_list(arguments).into_iter();
        lines.map(|line| String::from_utf8(line).unwrap()).collect::<Vec<String>>().into()
    };
    match request["op"].as_str().unwrap() {
        "head" => repository.head().into(),
        "log" => lines(&["log", "-z", "--format=%H"]),
        "files" => regular_files(&lines(&["ls-tree", "-r", "-z", "HEAD"])),
        "read" => {
            let object = format!("HEAD:{}", request["file"].as_str().unwrap());
            String::from_utf8(repository.git_bytes(&["cat-file", "blob", &object])).unwrap().into()
        }
        "diff" => {
            let range = request["range"].as_str().unwrap_or("HEAD");
            lines(&["diff", "-z", "--name-only", range])
        }
        "status" => {
            let status = lines(&["status", "-z", "--porcelain", "--untracked-files=all"]);
            let status = status.as_array().unwrap().iter();
            status.map(|line| line.as_str().unwrap()[3..].to_owned()).collect()
        }
        other => panic!("nobody asks {other}"),
    }
}

/// The names of what is neither hidden nor a link, out of lines of `git ls-tree`.
fn regular_files(lines: &Value) -> Value {
    let lines = lines.as_array().unwrap().iter().map(|line| line.as_str().unwrap());
    let files = lines.filter_map(|line| line.strip_prefix("100")?.split_once('\t'));
    let is_hidden = |name: &str| name.split('/').any(|part| part.starts_with('.'));
    files.map(|(_, name)| name).filter(|name| !is_hidden(name)).collect()
}

/// The same part of what the daemon answered.
fn given_answer(request: &Value, ok: &Value) -> Value {
    let every = |list: &str, key: &str| -> Value {
        let list = ok[list].as_array().unwrap();
        list.iter().map(|entry| entry[key].clone()).collect::<Vec<Value>>().into()
    };
    match request["op"].as_str().unwrap() {
        "head" => ok["sha"].clone(),
        "log" => every("commits", "sha"),
        "diff" | "status" => every("entries", "file"),
        _ => ok.clone(),
    }
}

/// Every question is answered as stock git would.
fn all_right(daemon: &mut Daemon, repository: &Repository, file: &str) {
    for request in questions(repository.path(), file) {
        let ok = daemon.ok(request.clone());
        assert_eq!(given_answer(&request, &ok), right_answer(repository, &request), "{request}");
    }
}

/// Every question is answered as stock git would, or refused with a type.
fn right_or_refused(daemon: &mut Daemon, repository: &Repository, file: &str) {
    for request in questions(repository.path(), file) {
        let reply = daemon.call(request.clone());
        match reply.get("ok") {
            Some(ok) => {
                let right = right_answer(repository, &request);
                assert_eq!(given_answer(&request, ok), right, "{request}");
            }
            None => {
                let code = reply["code"].as_str().unwrap();
                assert!(REFUSALS.contains(&code), "{request} got {reply}");
            }
        }
    }
}
