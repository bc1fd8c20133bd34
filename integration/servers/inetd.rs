//! Programs that serve one connection on their stdin and stdout: `git daemon` here, sshd in `ssh`.

use std::{
    net::SocketAddr,
    os::fd::OwnedFd,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex},
};

use super::{Group, acceptor::Acceptor, command};

/// A program started anew for every connection.
///
/// The port is taken before anybody can ask for it: no port is guessed free, no start awaited.
pub struct Inetd {
    acceptor: Acceptor,
    groups: Arc<Mutex<Vec<Group>>>,
}

impl Inetd {
    pub fn start(program: impl Fn() -> Command + Send + Sync + 'static) -> Inetd {
        let groups = Arc::new(Mutex::new(Vec::new()));
        let started = groups.clone();
        let acceptor = Acceptor::start(move |stream, _| {
            // The program must hold the only copies, or its end would not end the connection.
            let Some(stream) = Arc::into_inner(stream) else { return };
            let output = stream.try_clone().unwrap();
            let group = Group::start(
                program()
                    .stdin(Stdio::from(OwnedFd::from(stream)))
                    .stdout(Stdio::from(OwnedFd::from(output)))
                    .stderr(Stdio::null()),
            );
            started.lock().unwrap().push(group);
        });
        Inetd { acceptor, groups }
    }

    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// How many connections came.
    pub fn accepted(&self) -> usize {
        self.acceptor.accepted()
    }
}

impl Drop for Inetd {
    fn drop(&mut self) {
        self.groups.lock().unwrap().clear();
    }
}

/// `git daemon` with every repository in `folder`.
pub struct GitDaemon(Inetd);

impl GitDaemon {
    pub fn start(folder: &Path) -> GitDaemon {
        let mut base = std::ffi::OsString::from("--base-path=");
        base.push(folder);
        GitDaemon(Inetd::start(move || {
            let mut daemon = command("git");
            daemon.args(["daemon", "--inetd", "--export-all", "--timeout=60"]).arg(&base);
            daemon
        }))
    }

    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    pub fn url(&self, name: &str) -> String {
        format!("git://{}/{name}", self.address())
    }

    pub fn accepted(&self) -> usize {
        self.0.accepted()
    }
}
