//! The servers proved with stock git, so that a failure elsewhere is the program's.

use std::{path::Path, process::Command};

use super::{
    command,
    hostile::Scripted,
    http::{HttpServer, PASSWORD, TOKEN, USER},
    inetd::GitDaemon,
    origin::Origin,
    output,
    proxy::Proxy,
    relay::{Kind, Relay},
    ssh::{self, SshServer},
    ssh_keys::{Agent, Key, hash_names},
    tls::Authority,
};

fn ask(url: &str) -> Command {
    let mut git = command("git");
    git.args(["ls-remote", url, "refs/heads/main"]);
    git
}

fn heads(url: &str) -> String {
    output(&mut ask(url))
}

fn clone(url: &str, into: &Path) -> std::process::Output {
    command("git").args(["clone", "--quiet", url]).arg(into).output().unwrap()
}

fn credentials(user: &str, password: &str) -> String {
    let encode =
        |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<Vec<_>>().concat();
    format!("http://{}:{}@", encode(user), encode(password))
}

#[test]
fn the_web_server_serves_and_remembers() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let expected = format!("{}\trefs/heads/main", origin.tip("main"));
    assert_eq!(heads(&server.url("open/project.git")), expected, "{}", server.errors());
    let served = server.served();
    assert_eq!(served.len(), 2, "{served:?}");
    assert_eq!(served[1].method, "POST");
    assert_eq!(heads(&server.url("moved/project.git")), expected);
    let closed = server.url("closed/project.git");
    assert!(!ask(&closed).output().unwrap().status.success());
    for (user, password) in [("x-access-token", TOKEN), (USER, PASSWORD)] {
        let url = closed.replace("http://", &credentials(user, password));
        assert_eq!(heads(&url), expected, "{}", server.errors());
    }
    assert!(server.served().last().unwrap().authorization.starts_with("Basic "));
}

#[test]
fn the_secure_web_server_has_a_certificate_of_the_authority() {
    let origin = Origin::new();
    let authority = Authority::new();
    let server = HttpServer::start_tls(origin.folder(), &authority.sign("IP:127.0.0.1"));
    let url = server.url("open/project.git");
    assert!(!ask(&url).output().unwrap().status.success());
    output(ask(&url).env("GIT_SSL_CAINFO", authority.certificate_file()));
    let other = HttpServer::start_tls(origin.folder(), &authority.sign("DNS:elsewhere.example"));
    let mut git = ask(&other.url("open/project.git"));
    git.env("GIT_SSL_CAINFO", authority.certificate_file());
    assert!(!git.output().unwrap().status.success());
}

#[test]
fn a_truncated_pack_fails_a_clone() {
    let origin = Origin::large(200_000);
    let server = HttpServer::start(origin.folder());
    let folder = tempfile::tempdir().unwrap();
    let cloned = clone(&server.url("truncated/project.git"), &folder.path().join("clone"));
    assert!(!cloned.status.success());
}

#[test]
fn the_git_daemon_serves() {
    let origin = Origin::new();
    let server = GitDaemon::start(origin.folder());
    assert!(heads(&server.url("project.git")).starts_with(&origin.tip("main")));
    assert_eq!(server.accepted(), 1);
}

fn through_ssh(url: &str, options: &str, folder: &Path, server: &SshServer) -> Command {
    let known_hosts = folder.join("known_hosts");
    std::fs::write(&known_hosts, hash_names(&server.known_hosts())).unwrap();
    let known_hosts = known_hosts.display();
    let mut git = ask(url);
    let ssh = format!("ssh -F /dev/null -o UserKnownHostsFile={known_hosts} {options}");
    git.env("GIT_SSH_COMMAND", ssh);
    git
}

#[test]
fn the_ssh_server_takes_keys_agents_and_passwords() {
    let origin = Origin::new();
    let key = Key::new();
    let server = SshServer::start(&key);
    let folder = tempfile::tempdir().unwrap();
    let url = server.url(&origin.path());
    let with = |options: &str| through_ssh(&url, options, folder.path(), &server);
    let file = format!("-i {} -o IdentitiesOnly=yes", key.file().display());
    output(&mut with(&file));
    let agent = Agent::holding(&key);
    output(with("").env("SSH_AUTH_SOCK", agent.socket()));
    let ask = folder.path().join("ask");
    std::fs::write(&ask, format!("#!/bin/sh\necho {}\n", ssh::PASSWORD)).unwrap();
    output(command("chmod").arg("700").arg(&ask));
    let mut git = with("-o PubkeyAuthentication=no");
    output(git.env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force"));
    assert!(server.log().contains("Accepted password for git"));
    let other = Key::new();
    let file = format!("-i {} -o IdentitiesOnly=yes -o BatchMode=yes", other.file().display());
    assert!(!with(&file).output().unwrap().status.success());
    assert_eq!(server.accepted(), 4);
}

#[test]
fn the_proxy_leads_to_hosts_that_do_not_exist() {
    let origin = Origin::new();
    let authority = Authority::new();
    let plain = HttpServer::start(origin.folder());
    let secure = HttpServer::start_tls(origin.folder(), &authority.sign("DNS:git.invalid"));
    for (server, credentials) in [(&plain, ""), (&secure, ""), (&plain, "u:p"), (&secure, "u:p")] {
        let proxy = match credentials {
            "" => Proxy::to(server.address()),
            credentials => Proxy::guarded(server.address(), credentials),
        };
        let mut git = ask(&server.url_at("git.invalid", "open/project.git"));
        git.env("GIT_SSL_CAINFO", authority.certificate_file());
        let address = proxy.address();
        let user = if credentials.is_empty() { "" } else { "u:p@" };
        output(
            git.env("http_proxy", format!("http://{user}{address}"))
                .env("https_proxy", format!("http://{user}{address}")),
        );
        assert!(!proxy.heads().is_empty());
    }
}

#[test]
fn a_relay_cuts_where_it_is_told() {
    let origin = Origin::large(200_000);
    let server = GitDaemon::start(origin.folder());
    let relay = Relay::to(server.address());
    let url = format!("git://{}/project.git", relay.address());
    let folder = tempfile::tempdir().unwrap();
    for (kind, message) in [(Kind::Reset, "reset"), (Kind::End, "early EOF")] {
        relay.fail_after(100_000, kind);
        let cloned = clone(&url, &folder.path().join("clone"));
        let stderr = String::from_utf8_lossy(&cloned.stderr);
        assert!(!cloned.status.success() && stderr.contains(message), "{stderr}");
    }
    relay.heal();
    assert!(clone(&url, &folder.path().join("clone")).status.success());
    assert!(relay.received() > 200_000);
    assert_eq!(relay.accepted(), 3);
}

#[test]
fn a_redirect_is_followed_with_what_was_asked() {
    let origin = Origin::new();
    let server = HttpServer::start(origin.folder());
    let redirect = Scripted::redirecting(format!("http://{}", server.address()));
    heads(&redirect.url("open/project.git"));
    assert_eq!(redirect.heads().len(), 1);
}

#[test]
fn many_refs_are_shown() {
    let origin = Origin::new();
    origin.add_refs(1000);
    let mut git = command("git");
    let all = output(git.arg("ls-remote").arg(origin.path()));
    assert_eq!(all.lines().count(), 1003, "HEAD, two branches and the many");
}
