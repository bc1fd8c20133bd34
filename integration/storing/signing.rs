//! Commits are signed by ssh keys of every kind, and stock git accepts them.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{changing, written};
use crate::{
    daemon::Daemon,
    processes::{PATIENCE, until},
    repository::{Repository, text},
};

/// A key without a passphrase, and the list that says it may sign.
fn key(folder: &Path, kind: &[&str]) -> (String, String) {
    let file = folder.join("key");
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-N", "", "-C", "", "-t"]).args(kind);
    assert!(command.arg("-f").arg(&file).status().unwrap().success());
    let public = fs::read_to_string(folder.join("key.pub")).unwrap();
    (text(&file).to_owned(), format!("ada@example.org {public}"))
}

fn signed(daemon: &mut Daemon, repository: &Repository, sign: Value) -> String {
    let mut request = changing(repository, "signed", "1\n");
    request["sign"] = sign;
    request["empty"] = json!(true);
    daemon.ok(request)["commit"].as_str().unwrap().to_owned()
}

fn expect_accepted(daemon: &mut Daemon, repository: &Repository, id: &str, allowed: &str) {
    let list = repository.beside("allowed");
    fs::write(&list, allowed).unwrap();
    let file = format!("gpg.ssh.allowedSignersFile={}", text(&list));
    repository.git(&["-c", "gpg.format=ssh", "-c", &file, "verify-commit", id]);
    let verify = json!({"op": "verify", "path": repository.path(), "range": "main", "limit": 1,
                        "allowed_signers": allowed});
    let verified = daemon.ok(verify);
    let signature = &verified["signatures"][0];
    assert_eq!(verified["ok"], true);
    assert_eq!(signature["object"], id);
    assert_eq!(signature["status"], "good");
    assert_eq!(signature["principals"], json!(["ada@example.org"]));
}

#[test]
fn git_accepts_commits_that_keys_of_every_kind_sign() {
    let mut daemon = Daemon::start();
    let repository = written(&mut daemon, 1);
    for kind in [&["ed25519"][..], &["ecdsa"], &["rsa", "-b", "2048"]] {
        let folder = TempDir::new().unwrap();
        let (file, allowed) = key(folder.path(), kind);
        let id = signed(&mut daemon, &repository, json!({"key_file": file}));
        expect_accepted(&mut daemon, &repository, &id, &allowed);
        let id =
            signed(&mut daemon, &repository, json!({"key": fs::read_to_string(&file).unwrap()}));
        expect_accepted(&mut daemon, &repository, &id, &allowed);
    }
}

struct Agent(Child);

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn an_agent_signs() {
    let mut daemon = Daemon::start();
    let repository = written(&mut daemon, 1);
    let folder = TempDir::new().unwrap();
    let (file, allowed) = key(folder.path(), &["ed25519"]);
    let socket = folder.path().join("agent");
    let mut command = Command::new("ssh-agent");
    command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
    let _agent = Agent(command.spawn().unwrap());
    until("the agent listens", PATIENCE, || socket.exists());
    let added = Command::new("ssh-add").arg("-q").arg(&file).env("SSH_AUTH_SOCK", &socket).status();
    assert!(added.unwrap().success());
    let id = signed(&mut daemon, &repository, json!({"agent": true, "socket": text(&socket)}));
    expect_accepted(&mut daemon, &repository, &id, &allowed);
}

#[test]
fn a_tag_is_signed_below_a_message_without_a_line_end() {
    let mut daemon = Daemon::start();
    let repository = written(&mut daemon, 1);
    let folder = TempDir::new().unwrap();
    let (file, allowed) = key(folder.path(), &["ed25519"]);
    let request = json!({"op": "tag", "path": repository.path(), "tag": "v1", "message": "One",
                         "sign": {"key_file": file}});
    daemon.ok(request);
    let raw = repository.git(&["cat-file", "tag", "v1"]);
    assert!(raw.contains("\nOne\n-----BEGIN SSH SIGNATURE-----\n"), "{raw}");
    let list = repository.beside("allowed");
    fs::write(&list, allowed).unwrap();
    let allowed = format!("gpg.ssh.allowedSignersFile={}", text(&list));
    repository.git(&["-c", "gpg.format=ssh", "-c", &allowed, "verify-tag", "v1"]);
}

#[test]
fn nothing_is_committed_where_nobody_can_sign() {
    let mut daemon = Daemon::start();
    let repository = written(&mut daemon, 1);
    let head = repository.git(&["rev-parse", "main"]);
    let folder = TempDir::new().unwrap();
    // It takes connections and never answers.
    let socket = folder.path().join("agent");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut request = changing(&repository, "signed", "1\n");
    request["sign"] = json!({"agent": true, "socket": text(&socket)});
    daemon.refused("unavailable", request.clone());
    request["sign"] = json!({"key_file": text(&folder.path().join("none"))});
    daemon.refused("not_found", request.clone());
    request["sign"] = json!({"key": "no key"});
    daemon.refused("unauthorized", request);
    assert_eq!(repository.git(&["rev-parse", "main"]), head);
}
