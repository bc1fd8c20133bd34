//! What `lsremote` tells is what `git ls-remote` tells.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{cloning::Everywhere, each_way, lsremote, with};
use crate::{
    daemon::Daemon,
    servers::{http::HttpServer, inetd::GitDaemon, origin::Origin, output},
};

/// Every ref that stock git sees, those that only tell what a tag points to left out.
fn refs(origin: &Origin) -> BTreeMap<String, Value> {
    let text = output(origin.git().args(["ls-remote", "."]));
    let lines = text.lines().filter(|line| !line.ends_with("^{}"));
    let pairs = lines.map(|line| line.split_once('\t').unwrap());
    pairs.map(|(id, name)| (name.to_owned(), Value::from(id))).collect()
}

fn listed(reply: &Value) -> BTreeMap<String, Value> {
    let pairs = reply.as_object().unwrap().clone().into_iter();
    pairs.filter(|(name, _)| !name.ends_with("^{}")).collect()
}

fn with_tags() -> Origin {
    let origin = Origin::new();
    output(origin.git().args(["tag", "light", "main~1"]));
    let mut git = origin.git();
    git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]);
    output(git.args(["tag", "-a", "-m", "a tag", "heavy", "main~2"]));
    output(origin.git().args(["update-ref", "refs/notes/commits", "main"]));
    output(origin.git().args(["branch", "feature/with-ünïcode", "main~3"]));
    origin
}

#[test]
fn every_ref_of_every_transport_is_listed() {
    let origin = with_tags();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            let reply = daemon.ok(with(lsremote(url), arguments.clone()));
            assert_eq!(listed(&reply), refs(&origin), "{url}");
        }
    });
}

#[test]
fn a_branch_and_a_full_name_have_their_id() {
    let origin = with_tags();
    let everywhere = Everywhere::serve(&origin);
    let id = |rev: &str| output(origin.git().args(["rev-parse", rev]));
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            let request = with(lsremote(url), arguments.clone());
            for name in ["main", "refs/tags/heavy"] {
                let reply = daemon.ok(with(request.clone(), json!({"branch": name})));
                assert_eq!(reply, id(name), "{name} of {url}");
            }
            daemon.refused("not_found", with(request, json!({"branch": "absent"})));
        }
    });
}

#[test]
fn a_name_is_a_branch_or_a_full_name_and_no_part_of_one() {
    let origin = with_tags();
    let server = HttpServer::start(origin.folder());
    let mut daemon = Daemon::start();
    let request = lsremote(server.url("open/project.git"));
    for name in
        ["side", "feature/with-ünïcode", "refs/heads/side", "refs/tags/light", "refs/notes/commits"]
    {
        let reply = daemon.ok(with(request.clone(), json!({"branch": name})));
        assert_eq!(reply, output(origin.git().args(["rev-parse", name])), "{name}");
    }
    for name in ["refs/heads/absent", "refs/tags/main", "mai", "ain", "eature", "feature"] {
        daemon.refused("not_found", with(request.clone(), json!({"branch": name})));
    }
}

#[test]
fn an_empty_remote_has_no_refs() {
    let origin = Origin::empty();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            let request = with(lsremote(url), arguments.clone());
            assert_eq!(daemon.ok(request.clone()), json!({}), "{url}");
            daemon.refused("not_found", with(request, json!({"branch": "main"})));
        }
    });
}

#[test]
fn a_hundred_thousand_refs_are_listed_and_a_sync_gets_by_with_them() {
    let origin = Origin::new();
    origin.add_refs(100_000);
    let http = HttpServer::start(origin.folder());
    let git = GitDaemon::start(origin.folder());
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for url in [http.url("open/project.git"), git.url("project.git")] {
            let reply = daemon.ok(lsremote(&url));
            assert_eq!(reply.as_object().unwrap().len(), 100_003, "{url}");
            assert_eq!(reply["refs/many/099999"], origin.tip("main"));
            let place = super::Place::new();
            assert_eq!(daemon.ok(super::sync(&url, &place.path())), origin.tip("main"));
            assert_eq!(daemon.ok(super::sync(&url, &place.path())), origin.tip("main"));
            assert_eq!(place.git(&["for-each-ref", "refs/many"]), "", "nobody asked for those");
        }
    });
}
