//! When the client dies, the daemon and all its children die with it, whatever they were doing.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::AT_ONCE;
use crate::{
    daemon::{Daemon, PROGRAM, new_mark, request_frame},
    processes::{PATIENCE, Process, family, until, until_still},
};

/// Bash owns both pipes, sends the requests, reads so many bytes and waits for its death.
const CLIENT: &str = r#"
coproc "$0" serve --grace-ms 600000 2>stderr
cat requests >&"${COPROC[1]}"
head -c "$1" <&"${COPROC[0]}" >replies
echo "$COPROC_PID"
read -r
"#;

/// A client that can be killed without a word to its daemon.
struct Client {
    process: Child,
    mark: String,
    daemon: u32,
    _home: TempDir,
}

impl Client {
    fn start(requests: &[Value], read: usize) -> Client {
        let home = TempDir::new().unwrap();
        let bytes: Vec<u8> = requests.iter().flat_map(request_frame).collect();
        fs::write(home.path().join("requests"), bytes).unwrap();
        let mark = new_mark();
        let (name, value) = mark.split_once('=').unwrap();
        let mut command = Command::new("bash");
        command.args(["-c", CLIENT, PROGRAM, &read.to_string()]);
        command.env("HOME", home.path()).env(name, value).current_dir(home.path());
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        Client { daemon: line.trim().parse().unwrap(), process, mark, _home: home }
    }

    fn family(&self) -> Vec<Process> {
        family(self.daemon, &self.mark)
    }

    /// Kills the client and wants every other process of its family gone.
    fn die(mut self) {
        let family = self.family();
        assert!(family.iter().any(|process| process.id == self.daemon), "the daemon lived before");
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        until("no process is left", AT_ONCE, || {
            family.iter().chain(&self.family()).all(|process| !process.is_alive())
        });
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A listener that accepts and never answers, once somebody came.
fn hung(listener: &TcpListener) -> TcpStream {
    listener.set_nonblocking(true).unwrap();
    let mut stream = None;
    until("the remote is asked", PATIENCE, || {
        stream = listener.accept().ok();
        stream.is_some()
    });
    stream.unwrap().0
}

const PONG: usize = 13;

#[test]
fn a_client_that_dies_while_all_is_idle_leaves_no_process() {
    Client::start(&[json!({"op": "ping"})], PONG).die();
}

#[test]
fn a_client_that_dies_during_a_hung_fetch_leaves_no_process() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let folder = TempDir::new().unwrap();
    for (scheme, op) in [("http", "lsremote"), ("git", "sync")] {
        let url = format!("{scheme}://127.0.0.1:{port}/repository");
        let mut request = json!({"op": op, "url": url, "branch": "main", "id": 1});
        if op == "sync" {
            request["path"] = folder.path().join("clone").to_str().into();
        }
        let client = Client::start(&[json!({"op": "ping"}), request], PONG);
        let _stream = hung(&listener);
        assert!(client.family().len() > 2, "bash, the daemon and its child");
        client.die();
        assert!(!folder.path().join("clone").exists());
    }
}

#[test]
fn a_client_that_dies_while_workers_are_busy_leaves_no_process() {
    let stall = |kind: &str, id: u32| json!({"op": "fault", "kind": kind, "ms": 600_000, "id": id});
    let requests =
        [stall("stall", 1), stall("stall", 2), stall("child_stall", 3), json!({"op": "ping"})];
    Client::start(&requests, PONG).die();
}

#[test]
fn a_client_that_dies_with_a_full_pipe_leaves_no_process() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("large"), vec![7; 4 << 20]).unwrap();
    let mut requests = vec![json!({"op": "ping"})];
    for id in 0..50 {
        requests.push(json!({"op": "read", "path": folder.path(), "file": "large", "id": id}));
    }
    requests.push(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": "child"}));
    let client = Client::start(&requests, PONG);
    until_still(client.daemon);
    client.die();
}

#[test]
fn a_client_that_can_no_longer_read_is_gone() {
    let mut daemon = Daemon::start_with(&["--grace-ms", "600000"]);
    daemon.send(json!({"op": "fault", "kind": "child_stall", "ms": 600_000, "id": 1}));
    daemon.ok(json!({"op": "ping"}));
    until("a child works", PATIENCE, || !daemon.children().is_empty());
    let family = daemon.family();
    daemon.close_output();
    daemon.exit_within(AT_ONCE);
    until("no process is left", AT_ONCE, || family.iter().all(|process| !process.is_alive()));
}

#[test]
fn a_client_that_closed_its_input_but_reads_nothing_does_not_hold_the_daemon() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("large"), vec![7; 4 << 20]).unwrap();
    let mut daemon = Daemon::start_with(&["--grace-ms", "300"]);
    for id in 0..10 {
        let request = json!({"op": "read", "path": folder.path(), "file": "large", "id": id});
        let frame = request_frame(&request);
        assert_eq!(daemon.offer_bytes(&frame), frame.len());
    }
    daemon.close_input();
    daemon.exit();
}

#[test]
fn a_signal_ends_a_daemon_whose_client_reads_nothing() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("large"), vec![7; 4 << 20]).unwrap();
    let mut daemon = Daemon::start_with(&["--grace-ms", "300"]);
    let request = json!({"op": "read", "path": folder.path(), "file": "large", "id": 1});
    let frame = request_frame(&request);
    assert_eq!(daemon.offer_bytes(&frame), frame.len());
    until_still(daemon.id());
    daemon.signal(Signal::TERM);
    daemon.exit();
}
