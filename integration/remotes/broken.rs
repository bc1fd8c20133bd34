//! Remotes that break off or talk nonsense are unavailable, and cost nothing that was there.

use serde_json::{Value, json};

use super::{Place, each_way, lsremote, sync, with};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    servers::{
        acceptor::Acceptor,
        hostile::{self, Closed, Scripted},
        http::HttpServer,
        inetd::GitDaemon,
        origin::{Origin, noise},
        relay::{Kind, Relay},
        ssh::SshServer,
        ssh_keys::Key,
    },
};

/// One origin behind relays of http, git and ssh.
struct Relayed {
    remotes: Vec<(Relay, String, Value)>,
    _servers: (HttpServer, GitDaemon, SshServer),
}

impl Relayed {
    fn serve(origin: &Origin) -> Relayed {
        let key = Key::new();
        let http = HttpServer::start(origin.folder());
        let git = GitDaemon::start(origin.folder());
        let ssh = SshServer::start(&key);
        let relays = [http.address(), git.address(), ssh.address()].map(Relay::to);
        let addresses = relays.each_ref().map(Relay::address);
        let known_hosts = ssh.known_hosts_at(addresses[2]);
        let path = origin.path();
        let remotes = [
            (http.url_at(&addresses[0].to_string(), "open/project.git"), json!({})),
            (format!("git://{}/project.git", addresses[1]), json!({})),
            (
                format!("ssh://git@{}{}", addresses[2], path.display()),
                json!({"auth": {"key": key.text()}, "known_hosts": known_hosts}),
            ),
        ];
        let remotes = relays.into_iter().zip(remotes);
        let remotes = remotes.map(|(relay, (url, arguments))| (relay, url, arguments)).collect();
        Relayed { remotes, _servers: (http, git, ssh) }
    }
}

fn leaves_no_process(daemon: &Daemon) {
    until("the processes are gone", PATIENCE, || daemon.children().is_empty());
}

#[test]
fn a_clone_that_breaks_off_is_unavailable_and_leaves_nothing() {
    let origin = Origin::large(300_000);
    let relayed = Relayed::serve(&origin);
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for (relay, url, arguments) in &relayed.remotes {
            for (after, kind) in [
                (0, Kind::Reset),
                (0, Kind::End),
                (100, Kind::Reset),
                (100, Kind::End),
                (150_000, Kind::Reset),
                (150_000, Kind::End),
            ] {
                relay.fail_after(after, kind);
                let place = Place::new();
                let request = with(sync(url, &place.path()), arguments.clone());
                daemon.refused("unavailable", request.clone());
                assert!(place.names().is_empty(), "{url}: {:?}", place.names());
                relay.heal();
                assert_eq!(daemon.ok(request), origin.tip("main"), "{url}");
                assert_eq!(place.names(), ["clone"]);
            }
        }
        leaves_no_process(&daemon);
    });
}

#[test]
fn a_fetch_that_breaks_off_leaves_the_clone_as_it_was() {
    each_way(|flags| {
        let origin = Origin::new();
        let relayed = Relayed::serve(&origin);
        let mut daemon = Daemon::start_with(flags);
        for (number, (relay, url, arguments)) in relayed.remotes.iter().enumerate() {
            let place = Place::new();
            let request = with(sync(url, &place.path()), arguments.clone());
            let before = daemon.ok(request.clone());
            let bytes = noise(300_000, 40 + number as u64);
            let after = origin.commit_bytes("main", "noise.bin", &bytes);
            for kind in [Kind::Reset, Kind::End] {
                relay.fail_after(150_000, kind);
                daemon.refused("unavailable", request.clone());
                place.is_sound("main", before.as_str().unwrap());
                assert_eq!(daemon.ok(json!({"op": "head", "path": place.path()}))["sha"], before);
            }
            relay.heal();
            assert_eq!(daemon.ok(request), after);
            place.is_sound("main", &after);
        }
    });
}

#[test]
fn a_truncated_pack_is_unavailable_and_leaves_nothing() {
    let origin = Origin::large(300_000);
    let server = HttpServer::start(origin.folder());
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        daemon.refused("unavailable", sync(server.url("truncated/project.git"), &place.path()));
        assert!(place.names().is_empty(), "{:?}", place.names());
    });
}

#[test]
fn nonsense_is_unavailable() {
    let web_site = Scripted::web_site();
    let babbling = Scripted::babbling();
    let failing = Scripted::failing("500 Internal Server Error");
    let busy = Scripted::failing("503 Service Unavailable");
    let random = hostile::saying(noise(100_000, 3));
    let text = hostile::saying(b"Hello, this is no Git server.\r\n".repeat(1000));
    let nothing = hostile::saying(Vec::new());
    // A length of four hexadecimal digits that is not one, and one that is longer than what comes.
    let lengths = [hostile::saying(b"00zz".to_vec()), hostile::saying(b"fff0short".to_vec())];
    let mut urls = vec![
        web_site.url("project.git"),
        babbling.url("project.git"),
        failing.url("project.git"),
        busy.url("project.git"),
    ];
    let raw: Vec<&Acceptor> = [&random, &text, &nothing].into_iter().chain(&lengths).collect();
    for transport in ["http", "https", "git", "ssh"] {
        urls.extend(raw.iter().map(|it| format!("{transport}://{}/project.git", it.address())));
    }
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for url in &urls {
            let place = Place::new();
            for request in [lsremote(url), sync(url, &place.path())] {
                daemon.refused("unavailable", with(request, json!({"timeout_ms": 30_000})));
            }
            assert!(place.names().is_empty(), "{url}: {:?}", place.names());
        }
        leaves_no_process(&daemon);
    });
}

#[test]
fn nobody_at_the_address_is_unavailable() {
    let closed = Closed::new();
    each_way(|flags| {
        let mut daemon = Daemon::start_with(flags);
        for transport in ["http", "https", "git", "ssh"] {
            for host in [closed.address().to_string(), "git.invalid".to_owned()] {
                let place = Place::new();
                let url = format!("{transport}://{host}/project.git");
                for request in [lsremote(&url), sync(&url, &place.path())] {
                    let reply = daemon.refused("unavailable", request);
                    assert_ne!(reply["err"], "", "{reply}");
                }
                assert!(place.names().is_empty());
            }
        }
    });
}

#[test]
fn what_a_remote_says_about_itself_cannot_lead_out_of_the_clone() {
    let origin = Origin::new();
    // Names that would be files beside the repository or inside `.git` if somebody believed them.
    let id = origin.tip("main");
    let mut lines = Vec::new();
    for name in ["refs/heads/../../../evil", "refs/heads/main", "../evil", "refs/heads/a\u{7}b"] {
        let line = format!("{id} {name}");
        let line = if lines.is_empty() { format!("{line}\0side-band-64k\n") } else { line + "\n" };
        lines.push(format!("{:04x}{line}", line.len() + 4));
    }
    let body = format!("001e# service=git-upload-pack\n0000{}0000", lines.concat());
    let kind = "Content-Type: application/x-git-upload-pack-advertisement\r\n";
    let server = Scripted::new(move |_| hostile::response("200 OK", kind, &body));
    each_way(|flags| {
        let place = Place::new();
        let mut daemon = Daemon::start_with(flags);
        let reply = daemon.call(sync(server.url("project.git"), &place.path()));
        assert_eq!(reply["code"], "unavailable", "{reply}");
        assert!(place.names().is_empty(), "{:?}", place.names());
    });
}
