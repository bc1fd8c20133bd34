//! Keys, and an agent that holds them.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;

use super::{Group, command, output};
use crate::processes::{PATIENCE, until};

/// A pair of keys in files, made by `ssh-keygen`.
pub struct Key {
    folder: TempDir,
}

impl Key {
    pub fn new() -> Key {
        Key::with("ed25519", "")
    }

    /// A key of `kind`, locked with `passphrase` unless that is empty.
    pub fn with(kind: &str, passphrase: &str) -> Key {
        let folder = tempfile::tempdir().unwrap();
        let key = Key { folder };
        output(
            command("ssh-keygen")
                .args(["-q", "-t", kind, "-C", "suite", "-N", passphrase, "-f"])
                .arg(key.file()),
        );
        key
    }

    pub fn file(&self) -> PathBuf {
        self.folder.path().join("key")
    }

    /// The private key as text.
    pub fn text(&self) -> String {
        fs::read_to_string(self.file()).unwrap()
    }

    /// The public key as `authorized_keys` and `known_hosts` want it.
    pub fn public(&self) -> String {
        let line = fs::read_to_string(self.folder.path().join("key.pub")).unwrap();
        let words: Vec<_> = line.split_whitespace().take(2).collect();
        words.join(" ")
    }
}

/// A running `ssh-agent`.
pub struct Agent {
    folder: TempDir,
    _group: Group,
}

impl Agent {
    /// An agent that holds `key`, which must have no passphrase.
    pub fn holding(key: &Key) -> Agent {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let mut agent = command("setpriv");
        agent.args(["--pdeathsig", "KILL", "ssh-agent", "-D", "-a"]).arg(&socket);
        let group = Group::start(agent.stdout(Stdio::null()).stderr(Stdio::null()));
        let agent = Agent { folder, _group: group };
        until("the agent listens", PATIENCE, || socket.exists());
        let mut add = command("ssh-add");
        output(add.arg("-q").arg(key.file()).env("SSH_AUTH_SOCK", agent.socket()));
        agent
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }
}

/// The names in a `known_hosts` text made unreadable, as `ssh-keygen -H` does it.
pub fn hash_names(known_hosts: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file: &Path = &folder.path().join("known_hosts");
    fs::write(file, known_hosts).unwrap();
    output(command("ssh-keygen").arg("-H").arg("-f").arg(file));
    fs::read_to_string(file).unwrap()
}
