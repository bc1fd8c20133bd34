//! Only transports the operator allows are used, and none that runs a program.

use serde_json::{Value, json};

use super::{BUILT_IN, Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    servers::{http::HttpServer, inetd::GitDaemon, origin::Origin, tls::Authority},
};

#[track_caller]
fn is_denied(daemon: &mut Daemon, url: &str) {
    let place = Place::new();
    for request in [lsremote(url), sync(url, &place.path())] {
        let reply = daemon.refused("denied", request);
        assert!(reply["rule"].is_string(), "{reply}");
    }
    assert!(place.names().is_empty(), "{url}");
}

#[test]
fn a_transport_nobody_knows_is_denied_and_runs_nothing() {
    each_way(|flags| {
        let place = Place::new();
        let marker = place.at("ran");
        let touch = format!("touch {}", marker.display());
        let urls = [
            format!("ext::{touch}"),
            format!("ext::sh -c {touch}"),
            format!("EXT::{touch}"),
            "fd::3".to_owned(),
            "ftp://127.0.0.1/project.git".to_owned(),
            "ftps://127.0.0.1/project.git".to_owned(),
            "rsync://127.0.0.1/project.git".to_owned(),
            "gopher://127.0.0.1:1/_x".to_owned(),
            "nonsense://127.0.0.1/project.git".to_owned(),
            "http::http://127.0.0.1:1/project.git".to_owned(),
        ];
        let mut daemon = Daemon::start_with(flags);
        for url in &urls {
            is_denied(&mut daemon, url);
        }
        assert!(!marker.exists());
    });
}

#[test]
fn what_is_neither_a_url_nor_an_absolute_path_is_a_bad_request() {
    let mut daemon = Daemon::start();
    for url in ["out/bare.git", "main", "", "./x"] {
        let refused = daemon.refused("bad_request", json!({"op": "lsremote", "url": url}));
        assert_eq!(refused["field"], "url", "{refused}");
    }
}

#[test]
fn transports_the_operator_left_out_are_denied() {
    let origin = Origin::new();
    let http = HttpServer::start(origin.folder());
    let git = GitDaemon::start(origin.folder());
    let path = origin.path().display().to_string();
    let urls = [
        ("http", http.url("open/project.git")),
        ("git", git.url("project.git")),
        ("file", format!("file://{path}")),
        ("file", path),
        ("ssh", "ssh://git@127.0.0.1:1/project.git".to_owned()),
        ("ssh", "git@127.0.0.1:project.git".to_owned()),
        ("https", "https://127.0.0.1:1/project.git".to_owned()),
    ];
    for flags in [BUILT_IN, super::STOCK_GIT] {
        for allowed in ["https,git", "http", "file", "ssh"] {
            let flags = [flags, &["--transports", allowed]].concat();
            let mut daemon = Daemon::start_with(&flags);
            for (transport, url) in &urls {
                if !allowed.split(',').any(|it| it == *transport) {
                    is_denied(&mut daemon, url);
                } else if !url.contains(":1/") && *transport != "ssh" {
                    assert!(daemon.ok(lsremote(url)).is_object());
                }
            }
        }
    }
}

#[test]
fn a_redirect_does_not_lead_to_a_transport_that_was_left_out() {
    let origin = Origin::new();
    let authority = Authority::new();
    let plain = HttpServer::start(origin.folder());
    let identity = authority.sign("IP:127.0.0.1");
    let base = format!("http://{}", plain.address());
    let secure = HttpServer::start_leading_away(origin.folder(), &identity, &base);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(&[flags, &["--transports", "https"]].concat());
        let url = secure.url("away/project.git");
        let ca = json!({"ca": authority.certificate()});
        let place = Place::new();
        for request in [lsremote(&url), sync(&url, &place.path())] {
            let reply = daemon.call(with(request, ca.clone()));
            let code = reply["code"].as_str().unwrap_or_default();
            assert!(["denied", "unavailable"].contains(&code), "{reply}");
        }
        assert!(place.names().is_empty());
    });
    assert!(plain.served().is_empty());
}

#[test]
fn ssh_in_its_short_form_is_ssh() {
    let mut daemon = Daemon::start();
    // Nobody knows the host's key, if there is a host at all.
    let known_hosts = json!({"known_hosts": ""});
    let place = Place::new();
    let url = "git@127.0.0.1:some/project.git";
    for request in [lsremote(url), sync(url, &place.path())] {
        let reply = daemon.call(with(request, known_hosts.clone()));
        let code = reply["code"].as_str().unwrap();
        assert!(["unavailable", "denied"].contains(&code), "{reply}");
        assert!(!reply["err"].as_str().unwrap().contains("transport"), "{reply}");
    }
}

#[test]
fn an_address_that_is_an_option_or_has_a_line_end_is_refused() {
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        let place = Place::new();
        let marker = place.at("ran");
        let urls = [
            format!("--upload-pack=touch {}", marker.display()),
            format!("ssh://-oProxyCommand=touch%20{}/x", marker.display()),
            "-oProxyCommand=x:path".to_owned(),
            "http://127.0.0.1:1/a\nb".to_owned(),
            "git://127.0.0.1:1/a\0b".to_owned(),
            String::new(),
            "relative/path".to_owned(),
        ];
        for url in &urls {
            for request in [lsremote(url), sync(url, &place.path())] {
                let reply = daemon.call(request);
                let code = reply["code"].as_str().unwrap_or_default();
                assert!(["bad_request", "denied"].contains(&code), "{url:?}: {reply}");
            }
        }
        let branches = ["--upload-pack=x", "a..b", "refs/heads/../x", "a b", "", "-x", "a:b", "a*"];
        for branch in branches {
            let request =
                with(sync("http://127.0.0.1:1/x", &place.path()), json!({"branch": branch}));
            let reply = daemon.call(request);
            assert_eq!(reply["code"], Value::from("bad_request"), "{branch:?}: {reply}");
        }
        assert!(place.names().is_empty());
    });
}
