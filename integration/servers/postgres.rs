//! A PostgreSQL of one's own, in a folder of its own, with a user, a password and TLS.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

pub const USER: &str = "importer";
pub const PASSWORD: &str = "s3cret-passw0rd";

pub struct Postgres {
    server: Child,
    folder: TempDir,
    port: u16,
    /// A pipe that nobody reads would end the server's log, and then the server.
    _log: BufReader<ChildStderr>,
}

impl Postgres {
    /// One whose data need not outlive it.
    pub fn start() -> Postgres {
        Postgres::start_with(&["fsync=off"])
    }

    pub fn start_with(settings: &[&str]) -> Postgres {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("password"), PASSWORD).unwrap();
        give(folder.path());
        let data = folder.path().join("data");
        let mut create = program("initdb");
        create.args(["--no-sync", "--no-locale", "-E", "UTF8", "-A", "scram-sha-256", "-U", USER]);
        create.arg("--pwfile").arg(folder.path().join("password")).arg("-D").arg(&data);
        run(&mut create);
        let mut certify = Command::new("openssl");
        certify.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        certify.args(["-nodes", "-days", "2", "-subj", "/CN=suite database"]);
        certify.args(["-addext", "subjectAltName=IP:127.0.0.1"]);
        certify.arg("-keyout").arg(data.join("server.key"));
        certify.arg("-out").arg(data.join("server.crt"));
        run(&mut certify);
        give(&data.join("server.key"));

        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut serve = program("postgres");
        serve.arg("-D").arg(&data).arg("-k").arg(folder.path()).arg("-p").arg(port.to_string());
        let own = ["listen_addresses=127.0.0.1", "ssl=on", "log_min_messages=log"];
        for setting in own.iter().chain(settings) {
            serve.args(["-c", setting]);
        }
        let mut server = serve.stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap());
        let mut said = String::new();
        while !said.contains("ready to accept connections") {
            assert_ne!(log.read_line(&mut said).unwrap(), 0, "it ended: {said}");
        }
        Postgres { server, folder, port, _log: log }
    }

    /// By way of a socket in the file system, which has no TLS.
    pub fn url(&self) -> String {
        let folder = self.folder.path().display();
        format!("postgres://{USER}:{PASSWORD}@/postgres?host={folder}&port={}", self.port)
    }

    /// By way of the network.
    pub fn network_url(&self) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/postgres", self.port)
    }

    /// What a client has to trust.
    #[allow(dead_code, reason = "unit tests use this file too, and only they ask for it")]
    pub fn certificate_file(&self) -> PathBuf {
        self.folder.path().join("data/server.crt")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // At once, with its memory and sockets cleaned up.
        let _ = kill_process(Pid::from_child(&self.server), Signal::QUIT);
        let _ = self.server.wait();
    }
}

/// A program of PostgreSQL, which refuses to be run by root.
pub fn program(name: &str) -> Command {
    let mut command = Command::new("setpriv");
    // Whatever becomes of the test, nothing is left of its server.
    command.args(["--pdeathsig", "QUIT"]);
    if rustix::process::getuid().is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]);
    }
    // Debian keeps each version's programs in a folder of its own.
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let programs = versions.map(|it| it.path().join("bin").join(name)).filter(|it| it.exists());
    command.arg(programs.max().unwrap_or_else(|| PathBuf::from(name)));
    command.env("LC_ALL", "C").current_dir("/").stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Makes it the server's.
fn give(path: &Path) {
    if rustix::process::getuid().is_root() {
        run(Command::new("chown").arg("postgres:postgres").arg(path));
    }
}
