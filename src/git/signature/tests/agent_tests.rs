//! A real ssh-agent, and what it can do to who asks it.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{KINDS, Keys, PAYLOAD, SignWith, Signer, allowed, output};
use crate::{
    error::{Code, Error},
    git::signature::agent::{ANSWER_WITHIN, Agent},
};

/// An agent on a socket of its own, which ends with its test.
struct Started {
    child: Child,
    socket: PathBuf,
}

impl Started {
    fn new(keys: &Keys) -> Started {
        let socket = keys.path("agent");
        let mut command = keys.program("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // It says where it listens when it does.
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.starts_with("SSH_AUTH_SOCK="), "{line}");
        Started { child, socket }
    }

    fn add(&self, keys: &Keys, key: &Path, more: &[&str]) {
        let mut command = keys.program("ssh-add");
        command.env("SSH_AUTH_SOCK", &self.socket).arg("-q").args(more);
        assert!(output(command.arg(key), b"").0);
        // The agent alone has it now.
        fs::remove_file(key).unwrap();
    }

    fn signer(&self, public_key: Option<&Path>) -> Result<Signer, Error> {
        Signer::new(&with(&self.socket, public_key))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

fn with(socket: &Path, key: Option<&Path>) -> SignWith {
    let public = key.map(|it| fs::read_to_string(it.with_extension("pub")).unwrap());
    let argument = serde_json::json!({"agent": true, "socket": socket, "public_key": public});
    serde_json::from_value(argument).unwrap()
}

#[test]
fn an_agent_signs_with_the_key_that_is_named_or_its_first() {
    let keys = Keys::new();
    let agent = Started::new(&keys);
    let mut added = Vec::new();
    for (index, kind) in KINDS.iter().enumerate() {
        let key = keys.generate(&format!("key{index}"), kind, "");
        agent.add(&keys, &key, &[]);
        added.push(key);
    }
    for (kind, key) in KINDS.iter().zip(&added) {
        let armored = agent.signer(Some(key)).unwrap().sign("git", PAYLOAD).unwrap();
        assert!(keys.keygen_verifies(&armored, &allowed(key, ""), &[]), "{kind:?}");
    }
    let armored = agent.signer(None).unwrap().sign("git", PAYLOAD).unwrap();
    assert!(keys.keygen_verifies(&armored, &allowed(&added[0], ""), &[]));
}

#[test]
fn an_agent_without_the_key_has_not_found_it() {
    let keys = Keys::new();
    let agent = Started::new(&keys);
    assert_eq!(agent.signer(None).unwrap_err().code, Code::NotFound);
    let [here, elsewhere] = ["here", "elsewhere"].map(|it| keys.generate(it, KINDS[0], ""));
    agent.add(&keys, &here, &[]);
    assert_eq!(agent.signer(Some(&elsewhere)).unwrap_err().code, Code::NotFound);
}

#[test]
fn an_agent_may_refuse() {
    let keys = Keys::new();
    let agent = Started::new(&keys);
    let key = keys.generate("key", KINDS[0], "");
    // Somebody would have to be asked, and nobody can be.
    agent.add(&keys, &key, &["-c"]);
    let refusal = agent.signer(Some(&key)).unwrap().sign("git", PAYLOAD).unwrap_err();
    assert_eq!(refusal.code, Code::Unauthorized, "{refusal}");
}

#[test]
fn an_agent_that_is_gone_is_unavailable() {
    let keys = Keys::new();
    let key = keys.generate("key", KINDS[0], "");
    assert_eq!(
        Signer::new(&with(&keys.path("nowhere"), None)).unwrap_err().code,
        Code::Unavailable
    );
    let agent = Started::new(&keys);
    agent.add(&keys, &key, &[]);
    let (signer, socket) = (agent.signer(None).unwrap(), agent.socket.clone());
    drop(agent);
    assert_eq!(signer.sign("git", PAYLOAD).unwrap_err().code, Code::Unavailable);
    assert_eq!(Signer::new(&with(&socket, None)).unwrap_err().code, Code::Unavailable);
}

#[test]
fn an_agent_that_hangs_is_given_up() {
    let keys = Keys::new();
    let agent = Started::new(&keys);
    let key = keys.generate("key", KINDS[0], "");
    agent.add(&keys, &key, &[]);
    let patient = Agent::new(Some(agent.socket.clone()), ANSWER_WITHIN).unwrap();
    assert_eq!(patient.keys().unwrap().len(), 1);
    let pid = Pid::from_raw(agent.child.id() as i32).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    let hasty = Agent::new(Some(agent.socket.clone()), Duration::from_millis(100)).unwrap();
    assert_eq!(hasty.keys().unwrap_err().code, Code::Unavailable);
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(patient.keys().unwrap().len(), 1);
}

#[test]
fn what_speaks_otherwise_is_no_agent() {
    let keys = Keys::new();
    let socket = keys.path("echo");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for answer in
        [&b""[..], b"\0\0\0\0", b"\xff\xff\xff\xff\x0c", b"\0\0\0\x05\x0c\xff\xff\xff\xff"]
    {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                use std::io::{Read, Write};
                let (mut stream, _) = listener.accept().unwrap();
                stream.read_exact(&mut [0; 5]).unwrap();
                stream.write_all(answer).unwrap();
            });
            let error = Signer::new(&with(&socket, None)).unwrap_err();
            assert_eq!(error.code, Code::Unavailable, "{answer:?}: {error}");
        });
    }
}
