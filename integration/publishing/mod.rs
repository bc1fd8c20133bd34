//! A published process is one thing for ever, wherever it is kept.

mod folder;
mod kills;
mod races;
mod repository;
mod s3;

use serde_json::{Value, json};

use crate::daemon::Daemon;

/// A definition of this version; the word makes its bytes other ones.
fn definition(version: &str, word: &str) -> String {
    format!(
        "# {word}\nprocess_name: ship\nprocess_version: \"{version}\"\n\
         steps:\n  - step_id: pack\n    next: send\n  - step_id: send\n"
    )
}

/// A request about processes at a place, which is `path` or `store`.
fn request(op: &str, place: &Value, more: Value) -> Value {
    let mut request = json!({"op": op});
    for part in [place, &more] {
        for (key, value) in part.as_object().unwrap() {
            request[key] = value.clone();
        }
    }
    request
}

fn publishing(place: &Value, content: &str) -> Value {
    request("process.publish", place, json!({"content": content, "encoding": "utf8"}))
}

fn getting(place: &Value, version: &str) -> Value {
    let more = json!({"name": "ship", "version": version, "encoding": "utf8"});
    request("process.get", place, more)
}

/// The versions that are listed.
fn versions(daemon: &mut Daemon, place: &Value) -> Vec<String> {
    let listed = daemon.ok(request("process.list", place, json!({"name": "ship"})));
    let listed = listed["processes"].as_array().unwrap().iter();
    listed.map(|it| it["version"].as_str().unwrap().to_owned()).collect()
}

/// Who calls what is neither published nor beside is not published, and told so.
fn expect_called_to_be_there(daemon: &mut Daemon, place: &Value) {
    for (call, what) in [
        ("pay", "no process here is `pay`"),
        ("{process_name: ship, process_version: ^7}", "no process is `ship` in version ^7"),
    ] {
        let caller = format!(
            "process_name: order\nprocess_version: 1.0.0\nsteps: [{{step_id: a, call: {call}}}]\n"
        );
        let refused = daemon.refused("invalid", publishing(place, &caller));
        let told = refused["err"].as_str().unwrap();
        let why = "it is neither published in this store nor in a file beside";
        assert!(told.ends_with(&format!("{what}: {why}")), "{told}");
    }
}

/// What every store does.
fn expect_a_store(daemon: &mut Daemon, place: &Value) {
    let first = definition("1.0.0", "first");
    let made = daemon.ok(publishing(place, &first));
    assert_eq!((&made["created"], &made["name"]), (&json!(true), &json!("ship")));
    let again = daemon.ok(publishing(place, &first));
    assert_eq!((&again["created"], &again["sha256"]), (&json!(false), &made["sha256"]));
    // Whatever is beside it now.
    let mut failing = publishing(place, &first);
    let tests = "process_name: ship\ntests: {wrong: ['=done']}\n";
    failing["drafts"] = json!([{"file": "ship.test.yaml", "content": tests}]);
    assert_eq!(daemon.ok(failing.clone())["created"], false);
    failing["content"] = json!(definition("3.0.0", "first"));
    daemon.refused("invalid", failing.clone());
    failing["drafts"] = json!([]);
    failing["dry_run"] = json!(true);
    assert_eq!(daemon.ok(failing)["created"], true);
    let other = definition("1.0.0", "other");
    let refused = daemon.refused("already_exists", publishing(place, &other));
    assert_eq!(refused["actual"], made["sha256"]);
    assert_ne!(refused["expected"], made["sha256"]);
    for version in ["1.2.0", "1.10.0", "2.0.0-rc.1"] {
        daemon.ok(publishing(place, &definition(version, "first")));
    }
    assert_eq!(versions(daemon, place), ["1.0.0", "1.2.0", "1.10.0", "2.0.0-rc.1"]);
    for (wanted, version) in [("1.0.0", "1.0.0"), ("^1.1", "1.10.0"), ("latest", "1.10.0")] {
        let got = daemon.ok(getting(place, wanted));
        assert_eq!(got["version"], version, "{wanted}");
        assert_eq!(got["content"], definition(version, "first"));
    }
    assert_eq!(daemon.ok(getting(place, "1.0.0"))["digest"], made["digest"]);
    for version in ["1.0.1", "^3"] {
        let refused = daemon.refused("not_found", getting(place, version));
        let there = "there are 1.0.0, 1.2.0, 1.10.0, 2.0.0-rc.1";
        assert_eq!(refused["err"], format!("`ship` has no version `{version}`; {there}"));
    }
    for (name, meant) in [("shipp", ": `ship` is meant?"), ("other", "")] {
        let refused =
            daemon.refused("not_found", request("process.get", place, json!({"name": name})));
        let message = format!("no process `{name}` is published here{meant}");
        assert_eq!(refused["err"], message);
    }
    expect_called_to_be_there(daemon, place);
    let page = daemon.ok(request("process.list", place, json!({"limit": 2})));
    let after = json!({"after": page["next"], "limit": 2});
    let rest = daemon.ok(request("process.list", place, after));
    assert_eq!(
        (page["processes"][1]["version"].as_str(), &rest["next"]),
        (Some("1.2.0"), &json!(null))
    );
    assert_eq!(rest["processes"][0]["version"], "1.10.0");
}
