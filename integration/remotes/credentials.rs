//! Credentials over http: given with one request, used for that request, tried a bounded number of times.

use std::fs;

use serde_json::{Value, json};

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        hostile::Scripted,
        http::{HttpServer, PASSWORD, TOKEN, USER},
        origin::Origin,
        tls::Authority,
    },
};

#[test]
fn a_token_and_a_password_open_what_is_closed() {
    let origin = Origin::new();
    let authority = Authority::new();
    let plain = HttpServer::start(origin.folder());
    let secure = HttpServer::start_tls(origin.folder(), &authority.sign("IP:127.0.0.1"));
    let password = json!({"user": USER, "password": PASSWORD});
    let token = json!({"token": TOKEN});
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (server, auth) in [(&secure, &token), (&secure, &password), (&plain, &password)] {
            let place = Place::new();
            let arguments = json!({"auth": auth, "ca": authority.certificate()});
            let url = server.url("closed/project.git");
            let id = daemon.ok(with(sync(&url, &place.path()), arguments.clone()));
            assert_eq!(id, origin.tip("main"), "{url} {auth}");
            place.is_sound("main", &origin.tip("main"));
            // The second time it is a fetch.
            daemon.ok(with(sync(&url, &place.path()), arguments.clone()));
            daemon.ok(with(lsremote(&url), arguments));
        }
    });
}

#[test]
fn credentials_are_kept_for_no_other_request() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let url = server.url("closed/project.git");
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let auth = json!({"auth": {"user": USER, "password": PASSWORD}});
        daemon.ok(with(sync(&url, &place.path()), auth));
        daemon.refused("unauthorized", sync(&url, &place.path()));
        daemon.refused("unauthorized", lsremote(&url));
        daemon.refused("unauthorized", sync(&url, &place.at("other")));
        assert_eq!(place.names(), ["clone"]);
        place.is_sound("main", &origin.tip("main"));
    });
}

#[test]
fn credentials_in_the_url_work_and_are_not_written_down() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let user = format!("http://x-access-token:{TOKEN}@");
    let plain = server.url("closed/project.git");
    let url = plain.replace("http://", &user);
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        for _ in 0..2 {
            assert_eq!(daemon.ok(sync(&url, &place.path())), origin.tip("main"));
        }
        assert_eq!(place.git(&["remote", "get-url", "origin"]), plain);
        assert_eq!(daemon.ok(with(lsremote(&url), json!({"branch": "main"}))), origin.tip("main"));
        // The same remote is meant, whoever asks.
        let auth = json!({"auth": {"user": USER, "password": PASSWORD}});
        daemon.ok(with(sync(&plain, &place.path()), auth));
    });
}

#[test]
fn wrong_credentials_and_none_are_unauthorized() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let url = server.url("closed/project.git");
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        let wrong = json!({"user": USER, "password": "wrong"});
        for auth in [Value::Null, wrong] {
            let place = Place::new();
            let auth = json!({"auth": auth});
            daemon.refused("unauthorized", with(sync(&url, &place.path()), auth.clone()));
            daemon.refused("unauthorized", with(lsremote(&url), auth));
            assert!(place.names().is_empty());
        }
        assert!(server.served().is_empty(), "nothing reached Git");
    });
}

#[test]
fn a_remote_that_refuses_for_ever_is_asked_a_few_times() {
    let refusing = Scripted::refusing();
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for auth in [Value::Null, json!({"user": USER, "password": PASSWORD})] {
            let place = Place::new();
            for request in [
                sync(refusing.url("project.git"), &place.path()),
                lsremote(refusing.url("project.git")),
            ] {
                let before = refusing.heads().len();
                daemon.refused("unauthorized", with(request, json!({"auth": auth})));
                let asked = refusing.heads().len() - before;
                assert!((1..=4).contains(&asked), "asked {asked} times");
            }
            assert!(place.names().is_empty());
        }
    });
}

#[test]
fn a_forbidden_repository_is_unauthorized_or_not_found_as_the_remote_says() {
    let forbidden = Scripted::failing("403 Forbidden");
    let absent = Scripted::failing("404 Not Found");
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        let auth = json!({"auth": {"user": USER, "password": PASSWORD}});
        for (remote, code) in [(&forbidden, "unauthorized"), (&absent, "not_found")] {
            let place = Place::new();
            let url = remote.url("project.git");
            daemon.refused(code, with(sync(&url, &place.path()), auth.clone()));
            daemon.refused(code, with(lsremote(&url), auth.clone()));
            assert!(place.names().is_empty());
        }
    });
}

#[test]
fn the_machines_own_credentials_are_not_used() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let home = tempfile::tempdir().unwrap();
        let asked = home.path().join("asked");
        let helper = format!(
            "!touch {}; echo username=x-access-token; echo password={TOKEN}",
            asked.display()
        );
        fs::write(
            home.path().join(".gitconfig"),
            format!("[credential]\n\thelper = \"{helper}\"\n"),
        )
        .unwrap();
        let netrc = format!("machine 127.0.0.1 login x-access-token password {TOKEN}\n");
        fs::write(home.path().join(".netrc"), netrc).unwrap();
        let place = Place::new();
        let mut daemon = Daemon::start_in(home, flags, &[]);
        let url = server.url("closed/project.git");
        daemon.refused("unauthorized", sync(&url, &place.path()));
        daemon.refused("unauthorized", lsremote(&url));
        assert!(!asked.exists(), "a program named in the configuration ran");
    });
}
