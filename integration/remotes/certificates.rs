//! Which https hosts are trusted: those whose certificate the caller's authority signed.

use std::fs;

use serde_json::{Value, json};

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    servers::{http::HttpServer, origin::Origin, tls::Authority},
};

fn is_denied(flags: &[&str], url: &str, arguments: &Value) {
    let place = Place::new();
    let mut daemon = Daemon::start_with(flags);
    for request in [lsremote(url), sync(url, &place.path())] {
        let reply = daemon.refused("denied", with(request, arguments.clone()));
        assert!(reply["rule"].is_string(), "{reply}");
        assert!(reply["err"].as_str().unwrap().contains("certificate"), "{reply}");
    }
    assert!(place.names().is_empty());
}

#[test]
fn an_authority_given_as_text_or_as_a_file_is_trusted() {
    let origin = Origin::new();
    let authority = Authority::new();
    let server = HttpServer::start_tls(origin.folder(), &authority.sign("IP:127.0.0.1"));
    let url = server.url("open/project.git");
    let both = format!("{}{}", Authority::new().certificate(), authority.certificate());
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for arguments in [
            json!({"ca": authority.certificate()}),
            json!({"ca_file": authority.certificate_file()}),
            json!({"ca": both}),
        ] {
            let place = Place::new();
            for _ in 0..2 {
                let id = daemon.ok(with(sync(&url, &place.path()), arguments.clone()));
                assert_eq!(id, origin.tip("main"));
            }
            daemon.ok(with(lsremote(&url), arguments));
        }
        // It was for those requests alone.
        daemon.refused("denied", lsremote(&url));
    });
}

#[test]
fn a_host_whose_certificate_nobody_trusts_is_denied() {
    let origin = Origin::new();
    let authority = Authority::new();
    let server = HttpServer::start_tls(origin.folder(), &authority.sign("IP:127.0.0.1"));
    let other = Authority::new();
    each_way(|flags| {
        let url = server.url("open/project.git");
        is_denied(flags, &url, &json!({}));
        is_denied(flags, &url, &json!({"ca": other.certificate()}));
        is_denied(flags, &url, &json!({"ca_file": other.certificate_file()}));
    });
    assert!(server.served().is_empty());
}

#[test]
fn a_certificate_for_another_host_is_denied() {
    let origin = Origin::new();
    let authority = Authority::new();
    let names = HttpServer::start_tls(origin.folder(), &authority.sign("DNS:elsewhere.example"));
    let numbers = HttpServer::start_tls(origin.folder(), &authority.sign("IP:127.0.0.2"));
    let by_name = format!("https://localhost:{}/open/project.git", names.address().port());
    each_way(|flags| {
        for url in [&by_name, &numbers.url("open/project.git")] {
            is_denied(flags, url, &json!({"ca": authority.certificate()}));
        }
    });
}

#[test]
fn an_authority_that_is_none_is_a_bad_request() {
    let place = Place::new();
    let nonsense = place.at("nonsense.pem");
    fs::write(&nonsense, "nonsense\n").unwrap();
    let url = "https://127.0.0.1:1/project.git";
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        let reply = daemon.refused("bad_request", with(lsremote(url), json!({"ca": "nonsense"})));
        assert_eq!(reply["field"], "ca", "{reply}");
        let file = json!({"ca_file": nonsense});
        let reply = daemon.refused("bad_request", with(lsremote(url), file));
        assert_eq!(reply["field"], "ca_file", "{reply}");
        let absent = json!({"ca_file": place.at("absent.pem")});
        let reply = daemon.call(with(lsremote(url), absent));
        assert!(["bad_request", "not_found"].contains(&reply["code"].as_str().unwrap()), "{reply}");
    });
}

#[test]
fn a_web_server_without_tls_is_unavailable_over_https() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let url = server.url("open/project.git").replace("http://", "https://");
        Daemon::start_with(flags).refused("unavailable", lsremote(url));
    });
}
