//! Which ssh hosts are trusted: those the caller names, or those the machine knows, and no other.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    servers::{
        origin::Origin,
        ssh::SshServer,
        ssh_keys::{Key, hash_names},
    },
};

struct Host {
    origin: Origin,
    key: Key,
    server: SshServer,
}

impl Host {
    fn new() -> Host {
        let (origin, key) = (Origin::new(), Key::new());
        let server = SshServer::start(&key);
        Host { origin, key, server }
    }

    fn arguments(&self, known_hosts: Value) -> Value {
        json!({"auth": {"key": self.key.text()}, "known_hosts": known_hosts})
    }

    fn is_trusted(&self, daemon: &mut Daemon, known_hosts: Value) {
        let place = Place::new();
        let url = self.server.url(&self.origin.path());
        let arguments = self.arguments(known_hosts);
        daemon.ok(with(lsremote(&url), arguments.clone()));
        let id = daemon.ok(with(sync(&url, &place.path()), arguments));
        assert_eq!(id, self.origin.tip("main"));
    }

    fn is_denied(&self, daemon: &mut Daemon, known_hosts: Value) {
        let place = Place::new();
        let url = self.server.url(&self.origin.path());
        let arguments = self.arguments(known_hosts);
        let log = self.server.log().len();
        for request in [lsremote(&url), sync(&url, &place.path())] {
            let reply = daemon.refused("denied", with(request, arguments.clone()));
            assert!(reply["rule"].is_string(), "{reply}");
        }
        assert!(place.names().is_empty());
        let log = &self.server.log()[log..];
        assert!(!log.contains("Accepted"), "it entered before it looked: {log}");
    }
}

fn home_knowing(known_hosts: &str) -> TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join(".ssh")).unwrap();
    fs::write(home.path().join(".ssh/known_hosts"), known_hosts).unwrap();
    home
}

#[test]
fn a_host_the_caller_names_is_trusted_plainly_and_hashed() {
    let host = Host::new();
    let line = host.server.known_hosts();
    let comment = format!("# a comment\n\nother.example {}\n{line}", Key::new().public());
    let names = line.replacen("[127", "other.example,[127", 1);
    let pattern = line.replacen("127.0.0.1", "127.0.0.*", 1);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for known_hosts in [&line, &hash_names(&line), &comment, &names, &pattern] {
            host.is_trusted(&mut daemon, json!(known_hosts));
        }
    });
}

#[test]
fn a_host_with_another_key_is_denied() {
    let host = Host::new();
    let address = host.server.address();
    let name = format!("[{}]:{}", address.ip(), address.port());
    let wrong = format!("{name} {}\n", Key::new().public());
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for known_hosts in [&wrong, &hash_names(&wrong)] {
            host.is_denied(&mut daemon, json!(known_hosts));
        }
    });
}

#[test]
fn a_host_nobody_named_is_denied() {
    let host = Host::new();
    let address = host.server.address();
    let other_port = format!("[{}]:{}", address.ip(), address.port() - 1);
    let elsewhere = host.server.known_hosts().replacen("127.0.0.1", "127.0.0.2", 1);
    let port = host.server.known_hosts();
    let name = format!("[{}]:{}", address.ip(), address.port());
    let port = port.replacen(&name, &other_port, 1);
    let revoked = format!("@revoked {}", host.server.known_hosts());
    let negated = host.server.known_hosts().replacen("[127", "![127.0.0.1]:*,[127", 1);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for known_hosts in ["", &elsewhere, &port, &revoked, &negated] {
            host.is_denied(&mut daemon, json!(known_hosts));
        }
        host.is_denied(&mut daemon, Value::Null);
    });
}

#[test]
fn the_hosts_the_user_knows_are_trusted() {
    let host = Host::new();
    let line = host.server.known_hosts();
    each_way(|flags| {
        for known_hosts in [&line, &hash_names(&line)] {
            let mut daemon = Daemon::start_in(home_knowing(known_hosts), flags, &[]);
            host.is_trusted(&mut daemon, Value::Null);
        }
    });
}

/// Why this user can have no mounts of its own here, if so.
fn no_mounts() -> Option<String> {
    let output = std::process::Command::new("unshare").args(["-m", "true"]).output().unwrap();
    (!output.status.success()).then(|| String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn the_hosts_the_machine_knows_are_trusted() {
    if let Some(why) = no_mounts() {
        crate::skipped("the host keys of the machine", &format!("nothing can be mounted: {why}"));
        return;
    }
    let host = Host::new();
    let machine = tempfile::tempdir().unwrap();
    let file = machine.path().join("ssh_known_hosts");
    each_way(|flags| {
        let (folder, flags) = (machine.path().display(), flags.join(" "));
        // Only what this daemon sees of the machine is another folder.
        let script = format!("mount --bind {folder} /etc/ssh && exec \"$0\" serve {flags}");
        let mut daemon = Daemon::started_by(&["unshare", "-m", "sh", "-c", &script]);
        let other = format!("elsewhere.example {}\n", Key::new().public());
        fs::write(&file, &other).unwrap();
        host.is_denied(&mut daemon, Value::Null);
        fs::write(&file, format!("{other}{}", host.server.known_hosts())).unwrap();
        host.is_trusted(&mut daemon, Value::Null);
        host.is_denied(&mut daemon, json!(other));
    });
}

#[test]
fn hosts_the_caller_names_take_the_place_of_those_the_user_knows() {
    let host = Host::new();
    each_way(|flags| {
        let home = home_knowing(&host.server.known_hosts());
        let mut daemon = Daemon::start_in(home, flags, &[]);
        let elsewhere = format!("elsewhere.example {}\n", Key::new().public());
        host.is_denied(&mut daemon, json!(elsewhere));
        host.is_denied(&mut daemon, json!(""));
    });
}

#[test]
fn a_host_is_not_added_to_those_the_user_knows() {
    let host = Host::new();
    each_way(|flags| {
        let home = home_knowing("");
        let file = home.path().join(".ssh/known_hosts");
        let mut daemon = Daemon::start_in(home, flags, &[]);
        host.is_denied(&mut daemon, Value::Null);
        host.is_trusted(&mut daemon, json!(host.server.known_hosts()));
        assert_eq!(fs::read_to_string(&file).unwrap(), "");
    });
}

#[test]
fn ssh_configuration_of_the_user_plays_no_part() {
    let host = Host::new();
    each_way(|flags| {
        let home = home_knowing("");
        let ran = home.path().join("ran");
        let text =
            format!("Host *\n\tStrictHostKeyChecking no\n\tProxyCommand touch {}\n", ran.display());
        fs::write(home.path().join(".ssh/config"), text).unwrap();
        let mut daemon = Daemon::start_in(home, flags, &[]);
        host.is_denied(&mut daemon, Value::Null);
        assert!(!ran.exists());
    });
}
