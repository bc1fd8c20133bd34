//! A clone from each kind of remote, as deep as it was asked to be.

use serde_json::{Value, json};

use super::{Place, each_way, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        http::HttpServer, inetd::GitDaemon, origin::Origin, ssh::SshServer, ssh_keys::Key,
        tls::Authority,
    },
};

/// A url of each transport for one origin, with the arguments it needs.
pub struct Everywhere {
    pub remotes: Vec<(String, Value)>,
    _servers: (HttpServer, HttpServer, GitDaemon, SshServer, Key),
}

impl Everywhere {
    pub fn serve(origin: &Origin) -> Everywhere {
        let authority = Authority::new();
        let key = Key::new();
        let http = HttpServer::start(origin.folder());
        let https = HttpServer::start_tls(origin.folder(), &authority.sign("IP:127.0.0.1"));
        let git = GitDaemon::start(origin.folder());
        let ssh = SshServer::start(&key);
        let path = origin.path().display().to_string();
        let remotes = vec![
            (format!("file://{path}"), json!({})),
            (path, json!({})),
            (http.url("open/project.git"), json!({})),
            (https.url("open/project.git"), json!({"ca": authority.certificate()})),
            (git.url("project.git"), json!({})),
            (
                ssh.url(&origin.path()),
                json!({"auth": {"key": key.text()}, "known_hosts": ssh.known_hosts()}),
            ),
        ];
        Everywhere { remotes, _servers: (http, https, git, ssh, key) }
    }
}

#[test]
fn every_transport_brings_the_branch() {
    let origin = Origin::new();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            let place = Place::new();
            let id = daemon.ok(with(sync(url, &place.path()), arguments.clone()));
            assert_eq!(id, origin.tip("main"), "{url}");
            place.is_sound("main", &origin.tip("main"));
            assert_eq!(place.read("readme.txt"), "5\n", "{url}");
            assert_eq!(place.names(), ["clone"], "{url}");
        }
    });
}

#[test]
fn a_sync_of_every_transport_brings_what_is_new() {
    let origin = Origin::new();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        let places: Vec<_> = everywhere.remotes.iter().map(|_| Place::new()).collect();
        for round in 0..2 {
            for (place, (url, arguments)) in places.iter().zip(&everywhere.remotes) {
                let id = daemon.ok(with(sync(url, &place.path()), arguments.clone()));
                assert_eq!(id, origin.tip("main"), "{url}, round {round}");
                place.is_sound("main", &origin.tip("main"));
            }
            origin.commit("main", &[("readme.txt", &format!("{flags:?} {round}\n"))]);
        }
    });
}

#[test]
fn a_clone_is_as_deep_as_it_was_asked_to_be() {
    let origin = Origin::new();
    let everywhere = Everywhere::serve(&origin);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &everywhere.remotes {
            // From a local path Git can only give everything.
            let local = !url.contains("127.0.0.1");
            for (depth, commits) in [(json!(null), 1), (json!(1), 1), (json!(3), 3), (json!(0), 5)]
            {
                let place = Place::new();
                let request = with(sync(url, &place.path()), arguments.clone());
                daemon.ok(with(request, json!({"depth": depth})));
                let expected = if local { 5 } else { commits };
                assert_eq!(place.commits(), expected, "{url} at depth {depth}");
            }
        }
    });
}

#[test]
fn a_depth_beyond_the_first_commit_is_all_of_them() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = Place::new();
        let request = sync(server.url("open/project.git"), &place.path());
        Daemon::start_with(flags).ok(with(request, json!({"depth": 1000})));
        assert_eq!(place.commits(), 5);
        place.is_sound("main", &origin.tip("main"));
    });
}

#[test]
fn depth_zero_gives_a_shallow_clone_its_missing_history() {
    let origin = Origin::new();
    let http = HttpServer::start(origin.folder());
    let git = GitDaemon::start(origin.folder());
    each_way(|flags| {
        for url in [http.url("open/project.git"), git.url("project.git")] {
            let place = Place::new();
            let mut daemon = Daemon::start_with(flags);
            let request = sync(url, &place.path());
            daemon.ok(request.clone());
            assert_eq!(place.commits(), 1);
            daemon.ok(with(request.clone(), json!({"depth": 3})));
            assert!(place.commits() >= 1);
            daemon.ok(with(request, json!({"depth": 0})));
            assert_eq!(place.commits(), 5);
            assert!(!place.has(".git/shallow"));
            place.is_sound("main", &origin.tip("main"));
        }
    });
}

#[test]
fn an_existing_clone_never_loses_history() {
    each_way(|flags| {
        let origin = Origin::new();
        let http = HttpServer::start(origin.folder());
        let git = GitDaemon::start(origin.folder());
        for url in [http.url("open/project.git"), git.url("project.git")] {
            let place = Place::new();
            let mut daemon = Daemon::start_with(flags);
            let request = sync(url, &place.path());
            daemon.ok(with(request.clone(), json!({"depth": 0})));
            let before = place.commits();
            daemon.ok(request.clone());
            assert_eq!(place.commits(), before);
            origin.commit("main", &[("readme.txt", "newer\n")]);
            daemon.ok(request);
            assert_eq!(place.commits(), before + 1);
            assert!(!place.has(".git/shallow"));
            place.is_sound("main", &origin.tip("main"));
        }
    });
}

#[test]
fn a_shallow_clone_grows_with_its_branch() {
    each_way(|flags| {
        let origin = Origin::new();
        let server = HttpServer::start(origin.folder());
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let request = sync(server.url("open/project.git"), &place.path());
        daemon.ok(request.clone());
        for number in 0..3 {
            let id = origin.commit("main", &[("readme.txt", &format!("newer {number}\n"))]);
            assert_eq!(daemon.ok(request.clone()), id);
            place.is_sound("main", &id);
        }
    });
}

#[test]
fn a_name_with_blanks_and_more_is_taken_as_it_is() {
    let origin = Origin::new();
    let odd = "with blank, ünïcode & $HOME 'quoted'.git";
    std::fs::rename(origin.path(), origin.folder().join(odd)).unwrap();
    let id = crate::servers::origin::tip(&origin.folder().join(odd), "main");
    let key = Key::new();
    let http = HttpServer::start(origin.folder());
    let git = GitDaemon::start(origin.folder());
    let ssh = SshServer::start(&key);
    let entering = json!({"auth": {"key": key.text()}, "known_hosts": ssh.known_hosts()});
    let path = origin.folder().join(odd);
    let escaped = odd.replace(' ', "%20").replace('ü', "%C3%BC").replace('ï', "%C3%AF");
    let remotes = [
        (path.display().to_string(), json!({})),
        (format!("file://{}", path.display()), json!({})),
        (http.url(&format!("open/{escaped}")), json!({})),
        (ssh.url(&origin.folder().join(&escaped)), entering.clone()),
        (ssh.url(&path), entering),
        (git.url(&escaped), json!({})),
    ];
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (url, arguments) in &remotes {
            let place = Place::new();
            for _ in 0..2 {
                let reply = daemon.ok(with(sync(url, &place.path()), arguments.clone()));
                assert_eq!(reply, id, "{url}");
            }
        }
    });
}

#[test]
fn a_tag_and_a_full_name_are_no_branches() {
    let origin = Origin::new();
    crate::servers::output(origin.git().args(["tag", "v1", "main"]));
    let server = HttpServer::start(origin.folder());
    let place = Place::new();
    let mut daemon = Daemon::start();
    let request = sync(server.url("open/project.git"), &place.path());
    daemon.refused("not_found", with(request, json!({"branch": "v1"})));
    assert!(place.names().is_empty());
}
