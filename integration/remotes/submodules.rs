//! Submodules: only when asked for, over the same transports, with credentials for the first host alone.

use std::fs;

use serde_json::{Value, json};

use super::{Place, each_way, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        hostile::Scripted,
        http::{HttpServer, PASSWORD, USER},
        origin::{Origin, commit, commit_submodule, tip},
    },
};

fn asked() -> Value {
    json!({"submodules": true})
}

fn auth() -> Value {
    json!({"submodules": true, "auth": {"user": USER, "password": PASSWORD}})
}

#[test]
fn submodules_are_checked_out_when_asked_for() {
    each_way(|flags| {
        let origin = Origin::new();
        let (inner, innermost) = (origin.create("inner.git"), origin.create("innermost.git"));
        let deepest = commit(&innermost, "main", &[("deepest.txt", "deepest\n")]);
        commit(&inner, "main", &[("inner.txt", "inner\n")]);
        let id = commit_submodule(&inner, "main", "innermost", "../innermost.git", &deepest);
        commit_submodule(&origin.path(), "main", "inner", "../inner.git", &id);
        let server = HttpServer::start(origin.folder());
        let request = |place: &Place| sync(server.url("open/project.git"), &place.path());
        let mut daemon = Daemon::start_with(flags);

        let without = Place::new();
        daemon.ok(request(&without));
        assert!(!without.has("inner/inner.txt"));

        for place in [without, Place::new()] {
            daemon.ok(with(request(&place), asked()));
            assert_eq!(place.read("inner/inner.txt"), "inner\n");
            assert_eq!(place.read("inner/innermost/deepest.txt"), "deepest\n");
            place.is_sound("main", &origin.tip("main"));

            let id = commit(&inner, "main", &[("inner.txt", "newer\n")]);
            let id = commit_submodule(&origin.path(), "main", "inner", "../inner.git", &id);
            assert_eq!(daemon.ok(with(request(&place), asked())), id);
            assert_eq!(place.read("inner/inner.txt"), "newer\n");
            place.is_sound("main", &id);
            let id = commit(&inner, "main", &[("inner.txt", "inner\n")]);
            commit_submodule(&origin.path(), "main", "inner", "../inner.git", &id);
        }
    });
}

#[test]
fn a_submodule_on_the_same_host_gets_the_credentials() {
    let origin = Origin::new();
    let id = commit(&origin.create("inner.git"), "main", &[("inner.txt", "inner\n")]);
    commit_submodule(&origin.path(), "main", "inner", "../inner.git", &id);
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        daemon.ok(with(sync(server.url("closed/project.git"), &place.path()), auth()));
        assert_eq!(place.read("inner/inner.txt"), "inner\n");
    });
}

#[test]
fn a_submodule_on_another_host_gets_no_credentials() {
    let thief = Scripted::refusing();
    let origin = Origin::new();
    let id = origin.tip("side");
    commit_submodule(&origin.path(), "main", "module", &thief.url("x.git"), &id);
    let server = HttpServer::start(origin.folder());
    let secret = format!("http://{USER}:url-password-0123456789@");
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in [
            (server.url("closed/project.git"), auth()),
            (server.url("open/project.git").replace("http://", &secret), asked()),
        ] {
            let place = Place::new();
            daemon.refused("unauthorized", with(sync(url, &place.path()), arguments));
            assert!(place.names().is_empty(), "{:?}", place.names());
        }
    });
    assert!(!thief.heads().is_empty());
    for head in thief.heads() {
        assert_eq!(head.value("authorization"), None, "{}", head.text());
    }
}

#[test]
fn a_submodule_over_a_transport_that_is_not_allowed_is_denied() {
    let marks = Place::new();
    let touch = format!("ext::touch {}", marks.at("ran").display());
    let elsewhere = Origin::new();
    for url in [touch.as_str(), elsewhere.path().to_str().unwrap(), "file:///", "-u./evil"] {
        let origin = Origin::new();
        commit_submodule(&origin.path(), "main", "module", url, &elsewhere.tip("main"));
        let server = HttpServer::start(origin.folder());
        each_way(|flags| {
            let mut daemon = Daemon::start_with(&[flags, &["--transports", "http"]].concat());
            let place = Place::new();
            let request = sync(server.url("open/project.git"), &place.path());
            let reply = daemon.call(with(request, asked()));
            let code = reply["code"].as_str().unwrap_or_default();
            assert!(["denied", "invalid"].contains(&code), "{url}: {reply}");
            assert!(place.names().is_empty(), "{:?}", place.names());
            assert!(marks.names().is_empty());
        });
    }
}

#[test]
fn a_submodule_cannot_be_written_outside_its_repository() {
    let origin = Origin::new();
    let inner = origin.create("inner.git");
    let id = commit(&inner, "main", &[("post-checkout", "#!/bin/sh\ntouch ran\n")]);
    let url = "../inner.git";
    let server = HttpServer::start(origin.folder());
    for name in ["../../../evil", "../../hooks", "/evil", "..", "a/../../../evil"] {
        let module = format!("[submodule \"{name}\"]\n\tpath = inner\n\turl = {url}\n");
        commit_submodule(&origin.path(), "main", "inner", url, &id);
        commit(&origin.path(), "main", &[(".gitmodules", &module)]);
        each_way(|flags| {
            let place = Place::new();
            let mut daemon = Daemon::start_with(flags);
            let request = sync(server.url("open/project.git"), &place.path());
            let reply = daemon.call(with(request, asked()));
            if reply.get("ok").is_some() {
                // Left alone is as good as refused.
                assert_eq!(place.names(), ["clone"], "{name}");
                assert!(!place.has(".git/hooks/HEAD") && !place.has(".git/hooks/post-checkout"));
            } else {
                let code = reply["code"].as_str().unwrap();
                assert!(["denied", "invalid"].contains(&code), "{name}: {reply}");
                assert!(place.names().is_empty(), "{:?}", place.names());
            }
        });
    }
}

#[test]
fn submodules_deeper_than_eight_are_not_checked_out() {
    let origin = Origin::new();
    let last = origin.create("level10.git");
    let mut id = commit(&last, "main", &[("level.txt", "10\n")]);
    for level in (0..10).rev() {
        let repository = origin.create(&format!("level{level}.git"));
        commit(&repository, "main", &[("level.txt", &format!("{level}\n"))]);
        let url = format!("../level{}.git", level + 1);
        id = commit_submodule(&repository, "main", "next", &url, &id);
    }
    assert_eq!(id, tip(&origin.folder().join("level0.git"), "main"));
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let request = sync(server.url("open/level0.git"), &place.path());
        let reply = daemon.call(with(request, asked()));
        if reply.get("ok").is_none() {
            assert!(place.names().is_empty(), "{reply}");
            return;
        }
        assert_eq!(place.read(&format!("{}level.txt", "next/".repeat(8))), "8\n");
        assert!(!place.has(&format!("{}level.txt", "next/".repeat(9))));
    });
}

#[test]
fn a_submodule_that_cannot_be_had_leaves_nothing_or_the_clone_as_it_was() {
    each_way(|flags| {
        let origin = Origin::new();
        let server = HttpServer::start(origin.folder());
        let (clone, existing) = (Place::new(), Place::new());
        let mut daemon = Daemon::start_with(flags);
        let url = server.url("open/project.git");
        daemon.ok(sync(&url, &existing.path()));
        let id = origin.tip("side");
        commit_submodule(&origin.path(), "main", "module", "../absent.git", &id);
        daemon.refused("not_found", with(sync(&url, &clone.path()), asked()));
        assert!(clone.names().is_empty());
        daemon.refused("not_found", with(sync(&url, &existing.path()), asked()));
        existing.git(&["fsck", "--no-dangling"]);
        assert!(fs::read_dir(existing.path().join(".git")).unwrap().count() > 0);
    });
}
