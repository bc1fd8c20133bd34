//! What may be at `path` before a sync, and what is refused and left as it is.

use std::fs;

use serde_json::json;

use super::{Place, each_way, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        http::{HttpServer, TOKEN},
        inetd::GitDaemon,
        origin::Origin,
        output,
    },
};

#[test]
fn an_empty_folder_takes_a_clone() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = Place::new();
        fs::create_dir(place.path()).unwrap();
        Daemon::start_with(flags).ok(sync(server.url("open/project.git"), &place.path()));
        place.is_sound("main", &origin.tip("main"));
        assert_eq!(place.names(), ["clone"]);
    });
}

#[test]
fn folders_on_the_way_to_the_path_are_made() {
    let origin = Origin::new();
    let place = Place::new();
    let path = place.at("some/where/deep");
    Daemon::start().ok(sync(origin.path().display(), &path));
    assert!(path.join("readme.txt").exists());
}

#[test]
fn a_folder_with_something_in_it_is_a_conflict_and_stays() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = Place::new();
        fs::create_dir(place.path()).unwrap();
        place.write("precious.txt", "precious\n");
        let request = sync(server.url("open/project.git"), &place.path());
        let reply = Daemon::start_with(flags).refused("conflict", request);
        assert!(reply["expected"].is_string() && reply["actual"].is_string(), "{reply}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        assert_eq!(place.read("precious.txt"), "precious\n");
        assert_eq!(place.names(), ["clone"]);
        assert!(server.served().is_empty(), "the remote need not be asked");
    });
}

#[test]
fn a_file_at_the_path_is_a_conflict_and_stays() {
    let origin = Origin::new();
    let place = Place::new();
    fs::write(place.path(), "precious\n").unwrap();
    Daemon::start().refused("conflict", sync(origin.path().display(), &place.path()));
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "precious\n");
    assert_eq!(place.names(), ["clone"]);
}

#[test]
fn a_clone_of_another_url_is_a_conflict_that_names_both_without_credentials() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let other = GitDaemon::start(origin.folder()).url("project.git");
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        daemon.ok(sync(server.url("open/project.git"), &place.path()));
        let credentials = format!("http://x-access-token:{TOKEN}@");
        let secret = server.url("closed/project.git").replace("http://", &credentials);
        for url in [other.clone(), secret.clone()] {
            let reply = daemon.refused("conflict", sync(&url, &place.path()));
            assert!(!reply.to_string().contains(TOKEN), "{reply}");
            assert_eq!(reply["actual"], server.url("open/project.git"), "{reply}");
            let host = url.rsplit('@').next().unwrap().trim_start_matches("git://");
            assert!(reply["expected"].as_str().unwrap().contains(host), "{reply}");
        }
        place.git(&["remote", "set-url", "origin", &secret]);
        let reply = daemon.refused("conflict", sync(&other, &place.path()));
        assert!(!reply.to_string().contains(TOKEN), "{reply}");
        place.is_sound("main", &origin.tip("main"));
    });
}

#[test]
fn a_repository_without_origin_is_a_conflict() {
    let origin = Origin::new();
    let place = Place::new();
    let mut init = crate::servers::command("git");
    output(init.args(["init", "-q"]).arg(place.path()));
    Daemon::start().refused("conflict", sync(origin.path().display(), &place.path()));
    assert!(!place.has("readme.txt"));
}

#[test]
fn an_empty_remote_and_a_missing_branch_are_not_found_and_leave_nothing() {
    let empty = Origin::empty();
    let origin = Origin::new();
    let (first, second) = (HttpServer::start(empty.folder()), HttpServer::start(origin.folder()));
    let (third, fourth) = (GitDaemon::start(empty.folder()), GitDaemon::start(origin.folder()));
    let urls = [
        first.url("open/project.git"),
        second.url("open/project.git"),
        third.url("project.git"),
        fourth.url("project.git"),
        empty.path().display().to_string(),
        origin.path().display().to_string(),
    ];
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for url in &urls {
            let place = Place::new();
            let request = with(sync(url, &place.path()), json!({"branch": "absent"}));
            daemon.refused("not_found", request);
            assert!(place.names().is_empty(), "{url}: {:?}", place.names());
        }
    });
}

#[test]
fn a_repository_that_is_not_there_is_not_found_and_leaves_nothing() {
    let origin = Origin::new();
    let http = HttpServer::start(origin.folder());
    let git = GitDaemon::start(origin.folder());
    let absent = origin.folder().join("absent.git").display().to_string();
    let urls = [http.url("open/absent.git"), git.url("absent.git"), absent];
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for url in &urls {
            let place = Place::new();
            daemon.refused("not_found", sync(url, &place.path()));
            daemon.refused("not_found", super::lsremote(url));
            assert!(place.names().is_empty(), "{url}: {:?}", place.names());
        }
    });
}
