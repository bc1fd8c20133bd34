//! Remotes of every kind, good and bad, each on a free port of the loopback and ended when dropped.

pub mod acceptor;
pub mod hostile;
pub mod http;
pub mod http_head;
pub mod inetd;
pub mod origin;
pub mod postgres;
pub mod proxy;
pub mod relay;
pub mod s3;
pub mod ssh;
pub mod ssh_keys;
pub mod tls;

mod proof;

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// A server's process and everything it started, killed as a group.
pub struct Group(Child);

impl Group {
    pub fn start(command: &mut Command) -> Group {
        Group(command.process_group(0).spawn().unwrap())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let group = rustix::process::Pid::from_child(&self.0);
        // Gone already is as good.
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        let _ = self.0.wait();
    }
}

/// A program with an environment that says the same on every machine.
pub fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command
        .env_clear()
        .env("PATH", path())
        .env("LC_ALL", "C")
        .env("HOME", "/nonexistent")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .stdin(Stdio::null());
    command
}

/// Runs `command`, which has to succeed, and gives what it wrote.
pub fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {stderr}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Servers live in `/usr/sbin`, which is not on everybody's path.
pub fn path() -> String {
    format!("{}:/usr/local/sbin:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// Where stock git keeps `git-http-backend`.
pub fn git_programs() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| PathBuf::from(output(command("git").arg("--exec-path"))))
}
