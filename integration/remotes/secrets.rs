//! A secret given with a request is in no reply, no log, no command line, no environment and no file.

use std::{
    fs,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    servers::{
        http::{HttpServer, PASSWORD, TOKEN, USER},
        origin::Origin,
        proxy::Proxy,
        relay::{Kind, Relay},
        ssh::{self, SshServer},
        ssh_keys::Key,
        tls::Authority,
    },
};

const PASSPHRASE: &str = "passphrase-0123456789";
const PROXY_PASSWORD: &str = "proxy-password-0123456789";

/// Remotes that take each kind of secret, and can be told to hang in the middle of a pack.
struct Guarded {
    remotes: Vec<(Relay, String, Value)>,
    secrets: Vec<String>,
    _servers: (HttpServer, SshServer, Proxy, Key),
}

impl Guarded {
    fn serve(origin: &Origin) -> Guarded {
        let key = Key::with("ed25519", PASSPHRASE);
        let authority = Authority::new();
        let names = "IP:127.0.0.1,DNS:git.invalid";
        let http = HttpServer::start_tls(origin.folder(), &authority.sign(names));
        let ssh = SshServer::start(&key);
        let proxy = Proxy::guarded(http.address(), &format!("user:{PROXY_PASSWORD}"));
        let mut remotes = Vec::new();
        let mut add = |target, make: &dyn Fn(&Relay) -> (String, Value)| {
            let relay = Relay::to(target);
            let (url, arguments) = make(&relay);
            remotes.push((relay, url, arguments));
        };
        let closed =
            |relay: &Relay| http.url_at(&relay.address().to_string(), "closed/project.git");
        let auth = json!({"user": USER, "password": PASSWORD});
        let password = json!({"auth": auth, "ca": authority.certificate()});
        add(http.address(), &|relay| (closed(relay), password.clone()));
        add(http.address(), &|relay| {
            let user = format!("https://x-access-token:{TOKEN}@");
            let ca = json!({"ca": authority.certificate()});
            (closed(relay).replace("https://", &user), ca)
        });
        add(proxy.address(), &|relay| {
            let proxy = format!("http://user:{PROXY_PASSWORD}@{}", relay.address());
            let url = http.url_at("git.invalid", "closed/project.git");
            (url, with(password.clone(), json!({"proxy": proxy})))
        });
        for auth in [
            json!({"key": key.text(), "passphrase": PASSPHRASE}),
            json!({"key_file": key.file(), "passphrase": PASSPHRASE}),
            json!({"user": "git", "password": ssh::PASSWORD}),
        ] {
            add(ssh.address(), &|relay| {
                let path = origin.path();
                let url = format!("ssh://git@{}{}", relay.address(), path.display());
                let known_hosts = ssh.known_hosts_at(relay.address());
                (url, json!({"auth": auth, "known_hosts": known_hosts}))
            });
        }
        // The key needs no armour to be one.
        let lines = key.text().lines().map(str::to_owned).collect::<Vec<_>>();
        let mut secrets = vec![lines[1].clone(), lines[2].clone()];
        for secret in [TOKEN, PASSWORD, PASSPHRASE, PROXY_PASSWORD, ssh::PASSWORD] {
            secrets.push(secret.to_owned());
        }
        for (user, password) in
            [(USER, PASSWORD), ("x-access-token", TOKEN), ("user", PROXY_PASSWORD)]
        {
            secrets.push(BASE64_STANDARD.encode(format!("{user}:{password}")));
        }
        secrets.push("p%40ss".to_owned());
        Guarded { remotes, secrets, _servers: (http, ssh, proxy, key) }
    }

    #[track_caller]
    fn are_not_in(&self, what: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for secret in &self.secrets {
            assert!(!text.contains(secret), "{secret} is in {what}: {text}");
        }
    }

    fn are_not_below(&self, folder: &Path) {
        for file in files(folder) {
            self.are_not_in(&file.display().to_string(), &fs::read(&file).unwrap_or_default());
        }
    }

    fn are_not_shown_by(&self, daemon: &Daemon) {
        for process in daemon.family() {
            for name in ["cmdline", "environ"] {
                let file = format!("/proc/{}/{name}", process.id);
                self.are_not_in(&file, &fs::read(&file).unwrap_or_default());
            }
        }
    }
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(entry.path()),
                _ => files.push(entry.path()),
            }
        }
    }
    files
}

#[test]
fn a_secret_is_seen_nowhere() {
    let origin = Origin::large(300_000);
    each_way(|flags| {
        let guarded = Guarded::serve(&origin);
        let home = tempfile::tempdir().unwrap();
        let temporary = tempfile::tempdir().unwrap();
        let variables = [("GITPORT_LOG", "debug"), ("TMPDIR", temporary.path().to_str().unwrap())];
        let mut daemon = Daemon::start_in(home, flags, &variables);
        let place = Place::new();
        for (relay, ..) in &guarded.remotes {
            relay.fail_after(100_000, Kind::Stall);
        }
        for (id, (_, url, arguments)) in guarded.remotes.iter().enumerate() {
            let request = sync(url, &place.at(&id.to_string()));
            daemon.send(with(with(request, arguments.clone()), json!({"id": id})));
        }
        let mut waiting = guarded.remotes.len();
        until("all hang in the middle", PATIENCE, || {
            guarded.are_not_shown_by(&daemon);
            guarded.remotes.iter().all(|(relay, ..)| relay.received() > 100_000)
        });
        guarded.are_not_below(&place.at(""));
        guarded.are_not_below(temporary.path());
        for id in 0..waiting {
            daemon.send(json!({"op": "cancel", "request": id, "id": format!("cancel {id}")}));
        }
        waiting *= 2;
        for reply in daemon.receive_many(waiting) {
            guarded.are_not_in("a reply", reply.to_string().as_bytes());
        }
        for (id, (relay, url, arguments)) in guarded.remotes.iter().enumerate() {
            relay.heal();
            let request = with(sync(url, &place.at(&id.to_string())), arguments.clone());
            daemon.ok(request.clone());
            daemon.ok(with(lsremote(url), arguments.clone()));
            for wrong in [json!({"branch": "absent"}), json!({"url": format!("{url}.absent")})] {
                let path = place.at("wrong");
                let reply = daemon.call(with(with(request.clone(), wrong), json!({"path": path})));
                guarded.are_not_in("a reply", reply.to_string().as_bytes());
            }
            // Now the remote answers nonsense.
            relay.fail_after(0, Kind::Reset);
            let path = json!({"path": place.at("wrong")});
            let reply = daemon.call(with(request, path));
            guarded.are_not_in("a reply", reply.to_string().as_bytes());
        }
        guarded.are_not_below(&place.at(""));
        let left = files(temporary.path());
        assert!(left.is_empty(), "{left:?}");
        guarded.are_not_in("stderr", daemon.stderr().as_bytes());
        assert!(!daemon.stderr().is_empty(), "the log says something");
    });
}

#[test]
fn a_request_that_is_refused_does_not_repeat_its_secrets() {
    let home = tempfile::tempdir().unwrap();
    let mut daemon = Daemon::start_in(home, &[], &[("GITPORT_LOG", "debug")]);
    let secret = "secret-0123456789";
    let url = format!("http://user:{secret}@127.0.0.1:1/x.git");
    let place = Place::new();
    let requests = [
        with(sync(&url, &place.path()), json!({"depht": 1})),
        with(sync(&url, &place.path()), json!({"depth": "many"})),
        with(sync(&url, &place.path()), json!({"branch": ""})),
        with(lsremote(&url), json!({"auth": {"token": secret, "user": secret}})),
        with(lsremote(&url), json!({"auth": {"tokn": secret}})),
        with(lsremote(&url), json!({"auth": secret})),
        with(lsremote(&url), json!({"auth": {"key": secret, "passphrase": [secret]}})),
        with(lsremote(&url), json!({"proxy": format!("x://user:{secret}@127.0.0.1:1")})),
        with(lsremote(&url), json!({"proxy": format!("http://user:{secret}@127.0.0.1:1")})),
        lsremote(format!("ext::{secret}")),
        lsremote(format!("nonsense://user:{secret}@host/x")),
        lsremote(format!("http://user:{secret}@[::/x")),
        lsremote(format!("ssh://git:{secret}@127.0.0.1:1/x")),
    ];
    for request in requests {
        let reply = daemon.call(request.clone());
        assert!(reply["err"].is_string(), "{reply}");
        assert!(!reply.to_string().contains(secret), "{request} got {reply}");
    }
    assert!(!daemon.stderr().contains(secret), "{}", daemon.stderr());
}
