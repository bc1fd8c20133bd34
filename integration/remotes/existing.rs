//! A sync of a clone that is there: what it changes, what it leaves alone, what it costs.

use std::fs;

use serde_json::json;

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        http::HttpServer, inetd::GitDaemon, origin::Origin, output, relay::Relay, ssh::SshServer,
        ssh_keys::Key,
    },
};

#[test]
fn a_rewritten_branch_is_followed() {
    each_way(|flags| {
        let origin = Origin::new();
        let server = HttpServer::start(origin.folder());
        for depth in [0, 1] {
            let place = Place::new();
            let mut daemon = Daemon::start_with(flags);
            let request =
                with(sync(server.url("open/project.git"), &place.path()), json!({"depth": depth}));
            daemon.ok(request.clone());
            let id = origin.rewrite("main", &[("other.txt", &format!("other {depth}\n"))]);
            assert_eq!(daemon.ok(request), id);
            place.is_sound("main", &id);
            assert!(!place.has("readme.txt"), "files of the old history are gone");
        }
    });
}

#[test]
fn a_switch_creates_the_branch_and_moves_no_other() {
    each_way(|flags| {
        let origin = Origin::new();
        let server = HttpServer::start(origin.folder());
        for depth in [0, 1] {
            let place = Place::new();
            let mut daemon = Daemon::start_with(flags);
            let request =
                with(sync(server.url("open/project.git"), &place.path()), json!({"depth": depth}));
            let before = daemon.ok(request.clone());
            place.git(&["branch", "mine"]);
            origin.commit("main", &[("readme.txt", "newer\n")]);
            let side = daemon.ok(with(request.clone(), json!({"branch": "side"})));
            assert_eq!(side, origin.tip("side"));
            place.is_sound("side", &origin.tip("side"));
            for branch in ["main", "mine"] {
                assert_eq!(place.git(&["rev-parse", branch]), before, "{branch} did not move");
            }
            assert_eq!(daemon.ok(request), origin.tip("main"));
            place.is_sound("main", &origin.tip("main"));
            assert_eq!(place.git(&["rev-parse", "side"]), side);
        }
    });
}

#[test]
fn a_sync_after_a_checkout_is_back_on_the_branch() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let place = Place::new();
    let mut daemon = Daemon::start();
    let request = with(sync(server.url("open/project.git"), &place.path()), json!({"depth": 0}));
    daemon.ok(request.clone());
    daemon.ok(json!({"op": "checkout", "path": place.path(), "sha": "HEAD~2"}));
    assert_eq!(place.read("readme.txt"), "3\n");
    daemon.ok(request);
    place.is_sound("main", &origin.tip("main"));
}

#[test]
fn a_second_sync_costs_one_look_at_the_refs() {
    let origin = Origin::large(300_000);
    let server = HttpServer::start(origin.folder());
    let relay = Relay::to(server.address());
    let url = server.url_at(&relay.address().to_string(), "open/project.git");
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        daemon.ok(sync(&url, &place.path()));
        let start = server.served().len();
        daemon.ok(with(lsremote(&url), json!({"branch": "main"})));
        let look = server.served().len() - start;
        let (start, bytes) = (server.served().len(), relay.received());
        daemon.ok(sync(&url, &place.path()));
        let served = &server.served()[start..];
        assert_eq!(served.len(), look, "{served:?}");
        assert!(look <= 2 && served[0].target.contains("/info/refs?"), "{served:?}");
        assert!(relay.received() - bytes < 10_000, "no pack came");
    });
}

#[test]
fn a_second_sync_over_git_and_ssh_costs_one_look_at_the_refs_too() {
    let origin = Origin::large(300_000);
    let key = Key::new();
    let (git, ssh) = (GitDaemon::start(origin.folder()), SshServer::start(&key));
    let relays = [Relay::to(git.address()), Relay::to(ssh.address())];
    let urls = [
        format!("git://{}/project.git", relays[0].address()),
        format!("ssh://git@{}{}", relays[1].address(), origin.path().display()),
    ];
    let known_hosts = ssh.known_hosts_at(relays[1].address());
    let entering = json!({"auth": {"key": key.text()}, "known_hosts": known_hosts});
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (relay, (url, arguments)) in
            relays.iter().zip(urls.iter().zip([json!({}), entering.clone()]))
        {
            let place = Place::new();
            let request = with(sync(url, &place.path()), arguments.clone());
            daemon.ok(request.clone());
            let cost = |daemon: &mut Daemon, request| {
                let (connections, bytes) = (relay.accepted(), relay.received());
                daemon.ok(request);
                (relay.accepted() - connections, relay.received() - bytes)
            };
            let look = with(with(lsremote(url), arguments), json!({"branch": "main"}));
            let (connections, bytes) = cost(&mut daemon, look);
            assert_eq!(connections, 1, "{url}");
            let (connections, bytes_again) = cost(&mut daemon, request);
            assert_eq!(connections, 1, "{url}");
            // What ssh says is never twice of one length.
            assert!(bytes_again < bytes + 500, "{url}: {bytes} bytes, then {bytes_again}");
            assert!(bytes_again < 10_000, "{url}: no pack came");
        }
    });
}

#[test]
fn a_look_at_the_refs_is_one_request() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let url = server.url("open/project.git");
    Daemon::start_with(super::BUILT_IN).ok(lsremote(url));
    let served = server.served();
    assert_eq!(served.len(), 1, "{served:?}");
}

#[test]
fn changes_to_tracked_files_are_discarded_and_untracked_files_stay() {
    each_way(|flags| {
        let origin = Origin::new();
        let server = HttpServer::start(origin.folder());
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let request = sync(server.url("open/project.git"), &place.path());
        for moved in [false, true] {
            daemon.ok(request.clone());
            place.write("readme.txt", "changed here\n");
            place.write("mine.txt", "mine\n");
            fs::remove_file(place.path().join("deploy.yaml")).unwrap();
            place.git(&["add", "readme.txt"]);
            if moved {
                origin.commit("main", &[("other.txt", "other\n")]);
            }
            daemon.ok(request.clone());
            place.is_sound("main", &origin.tip("main"));
            assert_eq!(place.read("readme.txt"), "5\n");
            assert_eq!(place.read("deploy.yaml"), "replicas: 1\n");
            assert_eq!(place.read("mine.txt"), "mine\n");
        }
    });
}

#[test]
fn commits_made_in_the_clone_give_way() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let place = Place::new();
    let mut daemon = Daemon::start();
    let request = sync(server.url("open/project.git"), &place.path());
    daemon.ok(request.clone());
    place.write("readme.txt", "committed here\n");
    let person = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"];
    place.git(&[&person[..], &["commit", "-qam", "here"]].concat());
    assert_eq!(daemon.ok(request), origin.tip("main"));
    place.is_sound("main", &origin.tip("main"));
}

#[test]
fn a_bare_repository_is_fetched_into_and_keeps_no_worktree() {
    each_way(|flags| {
        let origin = Origin::new();
        let http = HttpServer::start(origin.folder());
        let git = GitDaemon::start(origin.folder());
        for url in [http.url("open/project.git"), git.url("project.git")] {
            let place = Place::new();
            let mut clone = crate::servers::command("git");
            output(clone.args(["clone", "-q", "--bare", &url]).arg(place.path()));
            let id = origin.commit("main", &[("readme.txt", "newer\n")]);
            let mut daemon = Daemon::start_with(flags);
            assert_eq!(daemon.ok(sync(&url, &place.path())), id);
            assert_eq!(place.git(&["rev-parse", "refs/heads/main"]), id);
            assert_eq!(place.git(&["rev-parse", "--is-bare-repository"]), "true");
            assert!(!place.has("readme.txt"));
            place.git(&["fsck", "--no-dangling"]);
            let head = daemon.ok(json!({"op": "head", "path": place.path()}));
            assert_eq!(head["sha"], id);
        }
    });
}

#[test]
fn a_branch_that_another_worktree_is_on_is_not_moved_under_it() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let place = Place::new();
    let mut daemon = Daemon::start();
    let request = sync(server.url("open/project.git"), &place.path());
    let before = daemon.ok(with(request.clone(), json!({"depth": 0})));
    let side = with(request, json!({"branch": "side"}));
    let at = daemon.ok(side.clone());
    place.git(&["checkout", "-q", "main"]);
    let linked = place.path().with_extension("linked");
    place.git(&["worktree", "add", "-q", linked.to_str().unwrap(), "side"]);
    origin.commit("side", &[("readme.txt", "newer\n")]);
    daemon.refused("conflict", side);
    assert_eq!(place.git(&["rev-parse", "side"]), at);
    place.is_sound("main", before.as_str().unwrap());
}

#[test]
fn a_deleted_branch_is_not_found_and_leaves_the_clone() {
    each_way(|flags| {
        let origin = Origin::new();
        let server = HttpServer::start(origin.folder());
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let request =
            with(sync(server.url("open/project.git"), &place.path()), json!({"branch": "side"}));
        let id = daemon.ok(request.clone());
        output(origin.git().args(["branch", "-D", "side"]));
        daemon.refused("not_found", request);
        place.is_sound("side", id.as_str().unwrap());
    });
}
