//! A push moves the refs it names, each from where it is expected and by its rules, and nothing else.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::{Value, json};

use super::{BUILT_IN, Place, STOCK_GIT, cloning::Everywhere, each_way, with};
use crate::{
    daemon::Daemon,
    servers::{
        command,
        http::{HttpServer, PASSWORD, USER},
        origin::{self, Origin, git},
        output,
        proxy::Proxy,
        tls::Authority,
    },
};

/// A clone of an origin, made by stock git.
pub fn clone(origin: &Origin) -> Place {
    let place = Place::new();
    let mut git = command("git");
    output(git.args(["clone", "--quiet"]).arg(origin.path()).arg(place.path()));
    place
}

/// A request to push `refs` from the clone to `url`.
pub fn push(url: &str, place: &Place, refs: Value) -> Value {
    json!({"op": "push", "url": url, "path": place.path(), "refs": refs})
}

/// A new commit on `branch` of the clone.
pub fn commit(place: &Place, branch: &str, text: &str) -> String {
    origin::commit(&place.path(), branch, &[("readme.txt", text)])
}

/// Where the project has a ref, if it has it.
pub fn at(origin: &Origin, name: &str) -> Value {
    let found = origin.git().args(["rev-parse", "--quiet", "--verify", name]).output().unwrap();
    match found.status.success() {
        true => json!(String::from_utf8(found.stdout).unwrap().trim()),
        false => Value::Null,
    }
}

pub fn is_local(url: &str) -> bool {
    !url.contains("127.0.0.1")
}

#[test]
fn every_transport_creates_moves_and_deletes() {
    let origin = Origin::new().accepting();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let place = clone(&origin);
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            let ask = |refs: Value| with(push(url, &place, refs), arguments.clone());
            let first = place.git(&["rev-parse", "HEAD"]);
            if is_local(url) && flags == BUILT_IN {
                let reply =
                    daemon.refused("unsupported", ask(json!([{"from": "main", "to": "x"}])));
                assert_eq!(reply["feature"], "push to a path");
                continue;
            }
            let one = |from: &Value, to: &Value, status: &str| json!({"refs": [{"ref": "refs/heads/new", "from": from, "to": to, "status": status}]});
            let (nil, first) = (Value::Null, json!(first));
            let created = daemon.ok(ask(json!([{"from": "HEAD", "to": "new"}])));
            assert_eq!(created, one(&nil, &first, "created"), "{url}");
            let second = json!(commit(&place, "main", url));
            let updated = daemon.ok(ask(json!([{"from": "main", "to": "refs/heads/new"}])));
            assert_eq!(updated, one(&first, &second, "updated"), "{url}");
            let same = daemon.ok(ask(json!([{"from": "main", "to": "new"}])));
            assert_eq!(same, one(&second, &second, "up_to_date"), "{url}");
            assert_eq!(at(&origin, "refs/heads/new"), second);
            let deleted = daemon.ok(ask(json!([{"from": null, "to": "new"}])));
            assert_eq!(deleted, one(&second, &nil, "deleted"), "{url}");
            assert_eq!(at(&origin, "refs/heads/new"), nil);
            daemon.refused("not_found", ask(json!([{"to": "new"}])));
        }
    });
    output(origin.git().args(["fsck", "--strict", "--no-progress"]));
}

#[test]
fn a_push_goes_through_the_proxy_that_is_given() {
    let origin = Origin::new();
    let authority = Authority::new();
    let plain = HttpServer::start(origin.folder());
    let secure = HttpServer::start_tls(origin.folder(), &authority.sign("DNS:git.invalid"));
    each_way(|flags| {
        for server in [&plain, &secure] {
            let proxy = Proxy::to(server.address());
            let place = clone(&origin);
            let url = server.url_at("git.invalid", "closed/project.git");
            let new = json!(commit(&place, "main", &format!("{url} {flags:?}")));
            let arguments = json!({
                "proxy": format!("http://{}", proxy.address()),
                "auth": {"user": USER, "password": PASSWORD},
                "ca": authority.certificate(),
            });
            let request = with(push(&url, &place, json!([{"from": "main"}])), arguments);
            let mut daemon = Daemon::start_with(flags);
            if url.starts_with("http:") && flags == BUILT_IN {
                let reply = daemon.refused("unsupported", request);
                assert_eq!(reply["feature"], "proxy for http");
            } else {
                assert_eq!(daemon.ok(request)["refs"][0]["to"], new);
                assert_eq!(at(&origin, "main"), new);
            }
        }
    });
}

#[test]
fn a_server_that_wants_lengths_gets_them_from_stock_git() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let url = server.url("measured/project.git");
    each_way(|flags| {
        let place = clone(&origin);
        let new = json!(commit(&place, "main", &format!("{flags:?}")));
        let request = push(&url, &place, json!([{"from": "main"}]));
        let mut daemon = Daemon::start_with(flags);
        match flags == STOCK_GIT {
            true => assert_eq!(daemon.ok(request)["refs"][0]["to"], new),
            false => {
                let reply = daemon.refused("unsupported", request);
                assert_eq!(reply["feature"], "length of a request");
            }
        }
        assert_eq!(at(&origin, "main") == new, flags == STOCK_GIT);
    });
}

#[test]
fn only_what_is_as_expected_moves() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    each_way(|flags| {
        let place = clone(&origin);
        let mut daemon = Daemon::start_with(flags);
        let (before, parent) = (json!(origin.tip("main")), place.git(&["rev-parse", "main~1"]));
        let new = json!(commit(&place, "main", &format!("{flags:?}")));
        let mut expecting = |expect: Value, force: bool| {
            let it = json!({"from": "main", "expect": expect, "force": force});
            daemon.call(push(&url, &place, json!([it])))
        };
        for force in [false, true] {
            for wrong in [json!(parent), Value::Null, json!("0".repeat(40)), new.clone()] {
                let reply = expecting(wrong.clone(), force);
                let wrong = if wrong == "0".repeat(40) { Value::Null } else { wrong };
                assert_eq!(reply["code"], "conflict", "{reply}");
                assert_eq!((&reply["expected"], &reply["actual"]), (&wrong, &before), "{reply}");
                assert_eq!(reply["reason"], "expected");
                assert_eq!(reply["refs"], json!(["refs/heads/main"]));
                assert_eq!(at(&origin, "main"), before, "{wrong} moved it");
            }
        }
        assert_eq!(expecting(before, false)["ok"]["refs"][0]["status"], "updated");
        assert_eq!(at(&origin, "main"), new);
        let absent = json!([{"from": "main", "to": "refs/locks/one", "expect": null}]);
        assert_eq!(daemon.ok(push(&url, &place, absent.clone()))["refs"][0]["status"], "created");
        assert_eq!(daemon.refused("conflict", push(&url, &place, absent))["actual"], new);
        daemon.ok(push(&url, &place, json!([{"to": "refs/locks/one", "expect": new}])));
    });
}

#[test]
fn what_does_not_follow_is_pushed_with_force_alone() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    each_way(|flags| {
        let (place, other) = (clone(&origin), clone(&origin));
        let mut daemon = Daemon::start_with(flags);
        let unknown = commit(&other, "main", &format!("unknown {flags:?}"));
        daemon.ok(push(&url, &other, json!([{"from": "main"}])));
        let ours = commit(&place, "main", &format!("ours {flags:?}"));
        let reply = daemon.refused("conflict", push(&url, &place, json!([{"from": "main"}])));
        assert_eq!(reply["reason"], "non_fast_forward");
        let back = json!([{"from": "main~1", "to": "main"}]);
        daemon.refused("conflict", push(&url, &other, back));
        assert_eq!(at(&origin, "main"), json!(unknown));
        let force = json!([{"from": "main", "force": true, "expect": unknown}]);
        let reply = daemon.ok(push(&url, &place, force));
        assert_eq!(reply["refs"][0]["status"], "forced");
        assert_eq!(at(&origin, "main"), json!(ours));
    });
}

#[test]
fn several_refs_move_all_or_none_unless_told_otherwise() {
    let origin = Origin::new().accepting();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let place = clone(&origin);
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            let new = commit(&place, "main", &format!("{url} {flags:?}"));
            let before = [at(&origin, "main"), at(&origin, "side"), Value::Null];
            let mut refs = json!([
                {"from": "main"}, {"from": "main", "to": "side"}, {"from": "main", "to": "more"},
            ]);
            let mut ask = |refs: &Value, atomic: bool| {
                let request = with(push(url, &place, refs.clone()), arguments.clone());
                daemon.call(with(request, json!({"atomic": atomic})))
            };
            let now = || [at(&origin, "main"), at(&origin, "side"), at(&origin, "more")];
            let refused = ask(&refs, true);
            assert_eq!(refused["code"], "conflict", "{url}: {refused}");
            assert_eq!(refused["reason"], "non_fast_forward");
            assert_eq!(refused["refs"], json!(["refs/heads/side"]));
            assert_eq!(now(), before, "{url}");
            refs[1]["force"] = json!(true);
            if flags == BUILT_IN || url.starts_with("ssh") {
                let refused = ask(&refs, true);
                assert_eq!(refused["code"], "unsupported", "{url}: {refused}");
                assert_eq!(now(), before, "{url}");
            } else {
                let statuses = ask(&refs, true)["ok"]["refs"].clone();
                let statuses = [0, 1, 2].map(|it| statuses[it]["status"].clone());
                assert_eq!(statuses, ["updated", "forced", "created"], "{url}");
                assert_eq!(now(), [json!(new), json!(new), json!(new)]);
            }
            output(origin.git().args(["update-ref", "refs/heads/side", "main~1"]));
            output(origin.git().args(["update-ref", "-d", "refs/heads/more"]));
            if is_local(url) && flags == BUILT_IN {
                origin.rewrite("side", &[("side.txt", url)]);
                continue;
            }
            let wrong = json!([
                {"from": "main"},
                {"from": "main", "to": "side", "expect": null},
                {"from": "main", "to": "more"},
            ]);
            let each = ask(&wrong, false)["ok"]["refs"].clone();
            assert_eq!(each[1]["status"], "rejected", "{url}: {each}");
            assert_eq!(each[1]["reason"], "expected");
            assert_eq!(each[2]["status"], "created");
            assert_eq!(now()[0], json!(new), "{url}");
            output(origin.git().args(["update-ref", "-d", "refs/heads/more"]));
            output(origin.git().args(["update-ref", "refs/heads/side", "main~2"]));
            origin.rewrite("side", &[("side.txt", url)]);
        }
    });
}

#[test]
fn a_hook_of_the_remote_refuses_with_its_words() {
    let origin = Origin::new().accepting();
    let words = "echo 'no: see https://ada:secret@example.org/rules' >&2";
    origin.hook("update", &format!("case $1 in refs/heads/main) {words}; exit 1;; esac"));
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    each_way(|flags| {
        let place = clone(&origin);
        let mut daemon = Daemon::start_with(flags);
        let before = at(&origin, "main");
        commit(&place, "main", "refused");
        let reply = daemon.refused("denied", push(&url, &place, json!([{"from": "main"}])));
        assert_eq!((&reply["rule"], &reply["reason"]), (&json!("remote"), &json!("remote")));
        let text = reply["err"].as_str().unwrap();
        assert!(
            text.contains("hook declined") && text.contains("no: see https://example.org/rules")
        );
        assert!(!reply.to_string().contains("secret"), "{reply}");
        let two = json!([{"from": "main"}, {"from": "main", "to": "free"}]);
        let both = daemon.call(with(push(&url, &place, two.clone()), json!({"atomic": true})));
        match flags == STOCK_GIT {
            true => assert_eq!(both["refs"], json!(["refs/heads/main"]), "{both}"),
            false => assert_eq!(both["feature"], "atomic", "{both}"),
        }
        assert_eq!(at(&origin, "free"), Value::Null);
        let each = daemon.ok(with(push(&url, &place, two), json!({"atomic": false})));
        assert_eq!(each["refs"][0]["reason"], "remote", "{each}");
        assert!(each["refs"][0]["words"].as_str().unwrap().contains("no: see"), "{each}");
        assert_eq!(each["refs"][1]["status"], "created");
        assert_eq!(at(&origin, "main"), before);
        output(origin.git().args(["update-ref", "-d", "refs/heads/free"]));
    });
}

#[test]
fn the_rules_of_a_remote_hold() {
    let origin = Origin::new().accepting();
    let everywhere = Everywhere::serve(&origin);
    for (key, value) in [("receive.denyDeletes", "true"), ("receive.denyNonFastForwards", "true")] {
        output(origin.git().args(["config", key, value]));
    }
    each_way(|flags| {
        let place = clone(&origin);
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            if is_local(url) && flags == BUILT_IN {
                continue;
            }
            for refs in
                [json!([{"to": "side"}]), json!([{"from": "main~1", "to": "side", "force": true}])]
            {
                let before = at(&origin, "side");
                let request = with(push(url, &place, refs), arguments.clone());
                let reply = daemon.refused("denied", request);
                assert_eq!(reply["rule"], "remote", "{url}: {reply}");
                assert_eq!(at(&origin, "side"), before, "{url}");
            }
        }
    });
}

#[test]
fn only_the_right_credentials_push_and_none_are_shown() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let url = server.url("closed/project.git");
    each_way(|flags| {
        let place = clone(&origin);
        let mut daemon = Daemon::start_with(flags);
        let new = json!(commit(&place, "main", &format!("{flags:?}")));
        let refs = || json!([{"from": "main"}]);
        daemon.refused("unauthorized", push(&url, &place, refs()));
        let wrong = "wrong-password-0123456789";
        let inside = url.replace("http://", &format!("http://{USER}:{wrong}@"));
        for request in [
            push(&inside, &place, refs()),
            with(push(&url, &place, refs()), json!({"auth": {"user": USER, "password": wrong}})),
        ] {
            let reply = daemon.refused("unauthorized", request);
            assert!(!reply.to_string().contains(wrong), "{reply}");
        }
        place.git(&["remote", "set-url", "origin", &inside]);
        let request = json!({"op": "push", "path": place.path(), "refs": refs()});
        let reply = daemon.refused("unauthorized", request.clone());
        assert!(!reply.to_string().contains(wrong), "{reply}");
        let auth = json!({"auth": {"user": USER, "password": PASSWORD}});
        daemon.ok(with(request, auth));
        assert_eq!(at(&origin, "main"), new);
        assert!(!daemon.stderr().contains(wrong));
        // Nobody may push without a name where the server was not told otherwise.
        commit(&place, "main", "open");
        let open = server.url("open/project.git");
        daemon.refused("unauthorized", push(&open, &place, refs()));
    });
}

#[test]
fn what_the_clone_knows_of_its_remote_follows() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    each_way(|flags| {
        let place = clone(&origin);
        place.git(&["remote", "set-url", "origin", &url]);
        let mut daemon = Daemon::start_with(flags);
        let known = place.git(&["rev-parse", "origin/main"]);
        let new = commit(&place, "main", &format!("{flags:?}"));
        daemon.ok(push(&url, &place, json!([{"from": "main"}])));
        assert_eq!(place.git(&["rev-parse", "origin/main"]), known);
        let ask = |refs| json!({"op": "push", "path": place.path(), "refs": refs});
        daemon.ok(ask(json!([{"from": "main"}])));
        assert_eq!(place.git(&["rev-parse", "origin/main"]), new);
        daemon.ok(with(ask(json!([{"from": "main", "to": "new"}])), json!({"remote": "origin"})));
        assert_eq!(place.git(&["rev-parse", "origin/new"]), new);
        place.git(&["pack-refs", "--all"]);
        daemon.ok(ask(json!([{"to": "new"}])));
        let branches = place.git(&["for-each-ref", "--format=%(refname)", "refs/remotes"]);
        assert!(!branches.contains("origin/new"), "{branches}");
        assert_eq!(
            place.git(&["status", "--porcelain", "--branch"]).lines().next().unwrap(),
            "## main...origin/main"
        );
        assert!(place.half_done().is_empty(), "{:?}", place.half_done());
    });
}

fn leave_marks(folder: &Path, hooks: &[&str], mark: &Path) {
    fs::create_dir_all(folder).unwrap();
    for hook in hooks {
        let file = folder.join(hook);
        fs::write(&file, format!("#!/bin/sh\ntouch '{}'\n", mark.display())).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn no_program_of_this_machine_runs() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = clone(&origin);
        let mark = place.at("mark");
        let hooks = ["pre-push", "reference-transaction", "post-update", "update", "pre-receive"];
        leave_marks(&place.path().join(".git/hooks"), &hooks, &mark);
        let mut daemon = Daemon::start_with(flags);
        commit(&place, "main", &format!("{flags:?}"));
        fs::remove_file(&mark).ok();
        let url = server.url("open/project.git");
        daemon.ok(push(&url, &place, json!([{"from": "main"}])));
        place.git(&["config", "push.gpgSign", "true"]);
        place.git(&["config", "gpg.program", &format!("touch {}", mark.display())]);
        commit(&place, "main", &format!("more {flags:?}"));
        fs::remove_file(&mark).ok();
        daemon.ok(push(&url, &place, json!([{"from": "main"}])));
        // Nor what a path of this machine names, which is not passed over either.
        let there = origin.create(&format!("hooked{}.git", flags.len() + flags[1].len()));
        leave_marks(&there.join("hooks"), &["update"], &mark);
        let url = there.display().to_string();
        let place = clone(&origin);
        let reply = daemon.refused("unsupported", push(&url, &place, json!([{"from": "main"}])));
        if flags == STOCK_GIT {
            assert_eq!(reply["feature"], "hooks of a path");
            fs::remove_file(there.join("hooks/update")).unwrap();
            output(git(&there).args(["config", "core.alternateRefsCommand", "touch /nowhere"]));
            daemon.refused("unsupported", push(&url, &place, json!([{"from": "main"}])));
            output(git(&there).args(["config", "--unset", "core.alternateRefsCommand"]));
            daemon.ok(push(&url, &place, json!([{"from": "main"}])));
        }
        assert!(!mark.exists(), "a program ran");
    });
}

#[test]
fn configuration_sends_a_push_nowhere_else() {
    let (origin, other) = (Origin::new().accepting(), Origin::new().accepting());
    let (server, elsewhere) =
        (HttpServer::start(origin.folder()), HttpServer::start(other.folder()));
    each_way(|flags| {
        for key in ["insteadOf", "pushInsteadOf"] {
            let place = clone(&origin);
            commit(&place, "main", &format!("{flags:?} {key}"));
            let before = at(&other, "main");
            let key = format!("url.http://{}/.{key}", elsewhere.address());
            place.git(&["config", &key, &format!("http://{}/", server.address())]);
            let url = server.url("open/project.git");
            let mut daemon = Daemon::start_with(flags);
            let two = json!([{"from": "main"}, {"from": "main", "to": "more"}]);
            for refs in [json!([{"from": "main"}]), two] {
                let reply = daemon.refused("unsupported", push(&url, &place, refs));
                assert_eq!(reply["feature"], "insteadOf", "{reply}");
            }
            assert_eq!(at(&other, "main"), before);
        }
    });
}

#[test]
fn a_remote_that_is_called_like_the_url_has_no_say() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = clone(&origin);
        let mark = place.at("mark");
        let new = json!(commit(&place, "main", &format!("{flags:?}")));
        let mut daemon = Daemon::start_with(flags);
        let path = origin.path().display().to_string();
        let program = format!("touch {}; git receive-pack", mark.display());
        place.git(&["config", &format!("remote.{path}.receivepack"), &program]);
        daemon.refused("unsupported", push(&path, &place, json!([{"from": "main"}])));
        let url = server.url("open/project.git");
        place.git(&["config", &format!("remote.{url}.pushurl"), "/nowhere"]);
        daemon.ok(push(&url, &place, json!([{"from": "main"}])));
        assert_eq!(at(&origin, "main"), new);
        assert!(!mark.exists(), "a program ran");
    });
}

#[test]
fn tags_and_other_objects_go_too() {
    let origin = Origin::new().accepting();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    each_way(|flags| {
        let place = clone(&origin);
        let mut daemon = Daemon::start_with(flags);
        let person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
        place.git(&[&person[..], &["tag", "-a", "-m", "one", "v1", "main"]].concat());
        place.git(&[&person[..], &["notes", "add", "-m", "note", "main"]].concat());
        let tag = json!(place.git(&["rev-parse", "refs/tags/v1"]));
        daemon.ok(push(&url, &place, json!([{"from": "v1"}])));
        assert_eq!(at(&origin, "refs/tags/v1"), tag);
        place.git(&["tag", "-f", "v1", "main~1"]);
        let reply =
            daemon.refused("conflict", push(&url, &place, json!([{"from": "refs/tags/v1"}])));
        assert_eq!(reply["reason"], "already_exists");
        let force = json!([{"from": "v1", "force": true}]);
        assert_eq!(daemon.ok(push(&url, &place, force))["refs"][0]["status"], "forced");
        daemon.ok(push(&url, &place, json!([{"from": "refs/notes/commits"}])));
        output(origin.git().args(["notes", "show", "main"]));
        let blob = json!(place.git(&["rev-parse", "main:readme.txt"]));
        daemon.ok(push(&url, &place, json!([{"from": "main:readme.txt", "to": "refs/kept/one"}])));
        assert_eq!(at(&origin, "refs/kept/one"), blob);
        fs::write(place.path().join("only-in-a-tree"), format!("{flags:?}")).unwrap();
        place.git(&["add", "only-in-a-tree"]);
        let tree = place.git(&["write-tree"]);
        let request = push(&url, &place, json!([{"from": tree, "to": "refs/kept/tree"}]));
        match flags == STOCK_GIT {
            true => drop(daemon.ok(request)),
            false => assert_eq!(daemon.refused("unsupported", request)["feature"], "tree"),
        }
        output(origin.git().args(["fsck", "--strict", "--no-progress"]));
        for name in ["refs/tags/v1", "refs/notes/commits", "refs/kept/one", "refs/kept/tree"] {
            output(origin.git().args(["update-ref", "-d", name]));
        }
    });
}

#[test]
fn a_long_history_and_a_shallow_one_arrive_whole() {
    let origin = Origin::new().accepting();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            if is_local(url) && flags == BUILT_IN {
                continue;
            }
            let place = Place::new();
            let sync = super::sync(url, &place.path());
            daemon.ok(with(sync, arguments.clone()));
            let new = origin::commit_many(&place.path(), "main", 230, url);
            let request = json!({"op": "push", "path": place.path(), "refs": [{"from": "main"}]});
            daemon.ok(with(request, arguments.clone()));
            assert_eq!(origin.tip("main"), new, "{url}");
            output(origin.git().args(["fsck", "--strict", "--no-progress"]));
        }
    });
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let origin = Origin::new().accepting();
    let url = origin.path().display().to_string();
    let place = clone(&origin);
    let mut daemon = Daemon::start();
    let many: Vec<Value> =
        (0..1001).map(|it| json!({"from": "main", "to": format!("b{it}")})).collect();
    for (refs, field) in [
        (json!([]), "refs"),
        (json!(many), "refs"),
        (json!([{"from": "main"}, {}]), "refs[1]"),
        (json!([{"from": "main"}, {"to": "refs/heads/main"}]), "refs[1]"),
        (json!([{"from": "main", "to": "a..b"}]), "refs[0]"),
        (json!([{"from": "main", "to": "refs/heads/"}]), "refs[0]"),
        (json!([{"from": "main", "to": "HEAD"}]), "refs[0]"),
        (json!([{"from": "main", "expect": "main"}]), "refs[0]"),
        (json!([{"from": "main:readme.txt", "to": "main"}]), "refs[0]"),
        (json!([{"form": "main"}]), "refs[0].form"),
        (json!([{"from": "main", "force": 1}]), "refs[0].force"),
    ] {
        let reply = daemon.refused("bad_request", push(&url, &place, refs.clone()));
        assert_eq!(reply["field"], field, "{refs}: {reply}");
    }
    for refs in [json!([{"from": "absent"}]), json!([{"from": "main~99", "to": "main"}])] {
        daemon.refused("not_found", push(&url, &place, refs));
    }
    let both = with(push(&url, &place, json!([{"from": "main"}])), json!({"remote": "origin"}));
    assert_eq!(daemon.refused("bad_request", both)["field"], "url");
    let request = json!({"op": "push", "path": place.path(), "refs": [{"from": "main"}]});
    daemon.refused("not_found", with(request.clone(), json!({"remote": "absent"})));
    place.git(&["remote", "set-url", "origin", "ext::sh -c date"]);
    assert_eq!(daemon.refused("denied", request)["rule"], "transport");
    let mut confined = Daemon::start_with(&["--root", place.at("").to_str().unwrap()]);
    confined.refused("denied", push(&url, &place, json!([{"from": "main"}])));
    let mut fewer = Daemon::start_with(&["--transports", "https,ssh"]);
    fewer.refused("denied", push(&url, &place, json!([{"from": "main"}])));
    assert_eq!(at(&origin, "b1"), Value::Null);
}
