//! A redirect is followed to the same host, and to another only while no credentials are involved.

use serde_json::{Value, json};

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        hostile::Scripted,
        http::{HttpServer, PASSWORD, USER},
        origin::Origin,
    },
};

fn auth() -> Value {
    json!({"auth": {"user": USER, "password": PASSWORD}})
}

#[test]
fn a_redirect_on_the_same_host_is_followed() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let url = server.url("moved/project.git");
    each_way(|flags| {
        for arguments in [json!({}), auth()] {
            let place = Place::new();
            let mut daemon = Daemon::start_with(flags);
            let request = with(sync(&url, &place.path()), arguments.clone());
            assert_eq!(daemon.ok(request.clone()), origin.tip("main"));
            assert_eq!(place.git(&["remote", "get-url", "origin"]), url);
            assert_eq!(daemon.ok(request), origin.tip("main"));
            daemon.ok(with(lsremote(&url), arguments));
        }
    });
}

#[test]
fn a_redirect_to_another_host_is_followed_without_credentials() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let redirect = Scripted::redirecting(format!("http://{}", server.address()));
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let url = redirect.url("open/project.git");
        assert_eq!(daemon.ok(sync(&url, &place.path())), origin.tip("main"));
        place.is_sound("main", &origin.tip("main"));
        daemon.ok(lsremote(&url));
    });
}

#[test]
fn no_credentials_reach_a_host_that_was_not_named() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let thief = Scripted::refusing();
    let port = server.address().port();
    // Another port, and another name of the same machine.
    let bases = [
        format!("http://{}", server.address()),
        format!("http://{}", thief.address()),
        format!("http://localhost:{port}"),
    ];
    for base in bases {
        let redirect = Scripted::redirecting(base.clone());
        let secret = format!(
            "http://{USER}:url-password-0123456789@{}/open/project.git",
            redirect.address()
        );
        each_way(|flags| {
            let mut daemon = Daemon::start_with(flags);
            for (url, arguments) in
                [(redirect.url("open/project.git"), auth()), (secret.clone(), json!({}))]
            {
                let place = Place::new();
                for request in [sync(&url, &place.path()), lsremote(&url)] {
                    // Nobody asked for credentials on the way: it may as well be followed.
                    let reply = daemon.call(with(request, arguments.clone()));
                    let code = reply["code"].as_str().unwrap_or("ok");
                    assert!(["denied", "unauthorized", "ok"].contains(&code), "{reply}");
                }
            }
        });
    }
    for head in thief.heads() {
        assert_eq!(head.value("authorization"), None, "{}", head.text());
    }
    for served in server.served() {
        assert_eq!(served.authorization, "", "{served:?}");
    }
}

#[test]
fn a_host_that_asks_for_credentials_after_a_redirect_gets_none() {
    let thief = Scripted::refusing();
    // The first host asks too, so that the credentials are out before the redirect comes.
    let base = format!("http://{}", thief.address());
    let redirect = Scripted::new(move |head| {
        let (status, header) = match head.value("authorization") {
            None => ("401 Unauthorized", "WWW-Authenticate: Basic realm=\"git\"\r\n".to_owned()),
            Some(_) => ("302 Found", format!("Location: {base}{}\r\n", head.target)),
        };
        crate::servers::hostile::response(status, &header, "")
    });
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let url = redirect.url("project.git");
        for request in [sync(&url, &place.path()), lsremote(&url)] {
            let reply = daemon.call(with(request, auth()));
            let code = reply["code"].as_str().unwrap_or_default();
            assert!(["denied", "unauthorized"].contains(&code), "{reply}");
        }
        assert!(place.names().is_empty());
    });
    for head in thief.heads() {
        assert_eq!(head.value("authorization"), None, "{}", head.text());
    }
}

#[test]
fn a_redirect_in_a_circle_ends() {
    let circle = Scripted::new(|head| {
        let host = head.value("host").unwrap_or_default();
        let location = format!("Location: http://{host}{}\r\n", head.target);
        crate::servers::hostile::response("302 Found", &location, "")
    });
    each_way(|flags| {
        let place = Place::new();
        let before = circle.heads().len();
        let url = circle.url("project.git");
        Daemon::start_with(flags).refused("unavailable", sync(url, &place.path()));
        assert!(circle.heads().len() - before < 50);
        assert!(place.names().is_empty());
    });
}

#[test]
fn a_redirect_to_another_transport_is_refused() {
    let origin = Origin::new();
    for base in [format!("file://{}", origin.path().display()), "ftp://127.0.0.1:1".to_owned()] {
        let redirect = Scripted::redirecting(base);
        each_way(|flags| {
            let place = Place::new();
            let mut daemon = Daemon::start_with(flags);
            let reply = daemon.call(sync(redirect.url("project.git"), &place.path()));
            let code = reply["code"].as_str().unwrap_or_default();
            assert!(["denied", "unavailable"].contains(&code), "{reply}");
            assert!(place.names().is_empty());
        });
    }
}
