//! Who enters over ssh, and with what: keys from files and from memory, passwords, the agent.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        origin::Origin,
        ssh::{PASSWORD, SshServer},
        ssh_keys::{Agent, Key},
    },
};

const PASSPHRASE: &str = "passphrase-0123456789";

/// Clones, fetches and lists with these credentials.
fn enters(
    flags: &[&str],
    variables: &[(&str, &str)],
    server: &SshServer,
    origin: &Origin,
    auth: &Value,
) {
    let place = Place::new();
    let mut daemon = Daemon::start_in(tempfile::tempdir().unwrap(), flags, variables);
    let arguments = json!({"auth": auth, "known_hosts": server.known_hosts()});
    let url = server.url(&origin.path());
    for _ in 0..2 {
        let id = daemon.ok(with(sync(&url, &place.path()), arguments.clone()));
        assert_eq!(id, origin.tip("main"));
    }
    place.is_sound("main", &origin.tip("main"));
    daemon.ok(with(lsremote(&url), arguments));
}

/// Is refused the same three ways, and asks a bounded number of times.
fn stays_out(
    flags: &[&str],
    variables: &[(&str, &str)],
    server: &SshServer,
    path: PathBuf,
    auth: &Value,
) {
    let place = Place::new();
    let mut daemon = Daemon::start_in(tempfile::tempdir().unwrap(), flags, variables);
    let arguments = json!({"auth": auth, "known_hosts": server.known_hosts()});
    let before = server.accepted();
    let url = server.url(&path);
    daemon.refused("unauthorized", with(sync(&url, &place.path()), arguments.clone()));
    daemon.refused("unauthorized", with(lsremote(&url), arguments));
    assert!(place.names().is_empty());
    assert!(server.accepted() - before <= 4, "connections: {}", server.accepted() - before);
    assert!(!server.log().contains("Too many authentication failures"), "{}", server.log());
}

#[test]
fn a_key_enters_as_a_file_and_as_text() {
    let origin = Origin::new();
    let key = Key::new();
    let server = SshServer::start(&key);
    each_way(|flags| {
        for auth in [json!({"key_file": key.file()}), json!({"key": key.text()})] {
            enters(flags, &[], &server, &origin, &auth);
        }
    });
}

#[test]
fn keys_of_every_kind_enter() {
    let origin = Origin::new();
    let mut daemon = Daemon::start();
    for kind in ["ecdsa", "rsa"] {
        let key = Key::with(kind, "");
        let server = SshServer::start(&key);
        for auth in [json!({"key_file": key.file()}), json!({"key": key.text()})] {
            let arguments = json!({"auth": auth, "known_hosts": server.known_hosts()});
            daemon.ok(with(lsremote(server.url(&origin.path())), arguments));
        }
    }
}

#[test]
fn a_locked_key_enters_with_its_passphrase() {
    let origin = Origin::new();
    let key = Key::with("ed25519", PASSPHRASE);
    let server = SshServer::start(&key);
    each_way(|flags| {
        for auth in [
            json!({"key_file": key.file(), "passphrase": PASSPHRASE}),
            json!({"key": key.text(), "passphrase": PASSPHRASE}),
        ] {
            enters(flags, &[], &server, &origin, &auth);
        }
    });
}

#[test]
fn a_locked_key_without_its_passphrase_is_unauthorized() {
    let origin = Origin::new();
    let key = Key::with("ed25519", PASSPHRASE);
    let server = SshServer::start(&key);
    each_way(|flags| {
        for auth in [
            json!({"key_file": key.file()}),
            json!({"key": key.text()}),
            json!({"key_file": key.file(), "passphrase": "wrong"}),
            json!({"key": key.text(), "passphrase": "wrong"}),
        ] {
            stays_out(flags, &[], &server, origin.path(), &auth);
        }
    });
}

#[test]
fn a_key_nobody_authorized_is_unauthorized() {
    let origin = Origin::new();
    let server = SshServer::start(&Key::new());
    let other = Key::new();
    each_way(|flags| {
        for auth in [json!({"key_file": other.file()}), json!({"key": other.text()}), Value::Null] {
            stays_out(flags, &[], &server, origin.path(), &auth);
        }
    });
}

#[test]
fn a_password_enters_and_a_wrong_one_does_not() {
    let origin = Origin::new();
    let server = SshServer::start(&Key::new());
    each_way(|flags| {
        let right = json!({"user": "git", "password": PASSWORD});
        enters(flags, &[], &server, &origin, &right);
        let wrong = json!({"user": "git", "password": "wrong"});
        stays_out(flags, &[], &server, origin.path(), &wrong);
    });
}

#[test]
fn the_agent_enters_with_the_key_it_holds() {
    let origin = Origin::new();
    let key = Key::new();
    let server = SshServer::start(&key);
    let agent = Agent::holding(&key);
    let socket = agent.socket();
    let variables = [("SSH_AUTH_SOCK", socket.to_str().unwrap())];
    each_way(|flags| {
        let auth = json!({"agent": true});
        enters(flags, &variables, &server, &origin, &auth);
    });
}

#[test]
fn an_agent_that_is_not_there_or_has_no_key_is_unauthorized() {
    let origin = Origin::new();
    let server = SshServer::start(&Key::new());
    let agent = Agent::holding(&Key::new());
    let socket = agent.socket();
    each_way(|flags| {
        let auth = json!({"agent": true});
        let variables = [("SSH_AUTH_SOCK", socket.to_str().unwrap())];
        stays_out(flags, &variables, &server, origin.path(), &auth);
        stays_out(flags, &[], &server, origin.path(), &auth);
    });
}

#[test]
fn the_agent_is_not_asked_unless_told() {
    let origin = Origin::new();
    let key = Key::new();
    let server = SshServer::start(&key);
    let agent = Agent::holding(&key);
    let socket = agent.socket();
    let variables = [("SSH_AUTH_SOCK", socket.to_str().unwrap())];
    each_way(|flags| {
        let other = json!({"key": Key::new().text()});
        for auth in [Value::Null, other] {
            stays_out(flags, &variables, &server, origin.path(), &auth);
        }
    });
}

#[test]
fn the_user_is_the_one_given_or_in_the_url_or_git() {
    let origin = Origin::new();
    let key = Key::new();
    let server = SshServer::start(&key);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (in_url, given, user) in [
            ("", None, "git"),
            ("url@", None, "url"),
            ("git@", Some("given"), "given"),
            ("", Some("git"), "git"),
        ] {
            let auth = json!({"key": key.text(), "user": given});
            let arguments = json!({"auth": auth, "known_hosts": server.known_hosts()});
            let before = server.log().len();
            let url = server.url_for(in_url, &origin.path());
            let reply = daemon.call(with(lsremote(url), arguments));
            let log = &server.log()[before..];
            if user == "git" {
                assert!(reply["ok"].is_object(), "{reply}");
                assert!(log.contains("Accepted publickey for git "), "{log}");
            } else {
                assert_eq!(reply["code"], "unauthorized", "{reply}");
                assert!(log.contains(&format!("Invalid user {user} ")), "{log}");
            }
        }
    });
}

#[test]
fn a_repository_that_is_not_there_is_not_found_over_ssh() {
    let origin = Origin::new();
    let key = Key::new();
    let server = SshServer::start(&key);
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let url = server.url(&origin.folder().join("absent.git"));
        let arguments = json!({"auth": {"key": key.text()}, "known_hosts": server.known_hosts()});
        daemon.refused("not_found", with(sync(&url, &place.path()), arguments.clone()));
        daemon.refused("not_found", with(lsremote(&url), arguments));
        assert!(place.names().is_empty());
    });
}

#[test]
fn a_path_over_ssh_is_a_name_and_no_command() {
    let origin = Origin::new();
    let key = Key::new();
    let server = SshServer::start(&key);
    each_way(|flags| {
        let marker = Place::new();
        let path = PathBuf::from(format!("/x'; touch '{}", marker.at("ran").display()));
        let arguments = json!({"auth": {"key": key.text()}, "known_hosts": server.known_hosts()});
        let mut daemon = Daemon::start_with(flags);
        daemon.refused("not_found", with(lsremote(server.url(&path)), arguments));
        assert!(marker.names().is_empty(), "the name of a repository was run");
    });
    drop(origin);
}
