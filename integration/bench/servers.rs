//! `git daemon` and lighttpd with `git http-backend`, on loopback, serving one folder.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::git;

pub struct Server {
    child: Child,
    address: String,
}

impl Server {
    pub fn url(&self, repository: &str) -> String {
        format!("{}/{repository}/.git", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Serves over git://.
pub fn git_daemon(folder: &Path) -> Result<Server, String> {
    // `git daemon` would leave the real one behind when it is killed.
    let program = PathBuf::from(git::git_says(folder, &["--exec-path"])).join("git-daemon");
    if !program.exists() {
        return Err(format!("{} is missing", program.display()));
    }
    let port = free_port();
    let mut command = Command::new(program);
    command
        .args(["--reuseaddr", "--export-all", "--listen=127.0.0.1"])
        .arg(format!("--port={port}"))
        .arg(format!("--base-path={}", folder.display()))
        .arg(folder);
    start(command, port, format!("git://127.0.0.1:{port}"))
}

/// Serves over http, with lighttpd's settings in `scratch`.
pub fn lighttpd(folder: &Path, scratch: &Path) -> Result<Server, String> {
    let backend = PathBuf::from(git::git_says(folder, &["--exec-path"])).join("git-http-backend");
    let port = free_port();
    let settings = scratch.join("lighttpd.conf");
    let text = format!(
        r#"
server.modules = ("mod_alias", "mod_cgi", "mod_setenv")
server.bind = "127.0.0.1"
server.port = {port}
server.document-root = "{folder}"
server.upload-dirs = ("{scratch}")
server.stream-response-body = 1
alias.url = ("/git" => "{backend}")
$HTTP["url"] =~ "^/git" {{
    cgi.assign = ("" => "")
    setenv.set-environment = (
        "GIT_PROJECT_ROOT" => "{folder}",
        "GIT_HTTP_EXPORT_ALL" => "1",
        "GIT_CONFIG_NOSYSTEM" => "1",
        "GIT_CONFIG_GLOBAL" => "/dev/null"
    )
}}
"#,
        folder = folder.display(),
        scratch = scratch.display(),
        backend = backend.display(),
    );
    fs::write(&settings, text).expect("the scratch folder can be written to");
    let program = ["/usr/sbin/lighttpd", "/usr/local/sbin/lighttpd", "/usr/bin/lighttpd"]
        .into_iter()
        .find(|program| Path::new(program).exists())
        .ok_or("lighttpd is missing")?;
    let mut command = Command::new(program);
    command.arg("-D").arg("-f").arg(settings);
    start(command, port, format!("http://127.0.0.1:{port}/git"))
}

fn start(mut command: Command, port: u16, address: String) -> Result<Server, String> {
    let child = command
        .envs(git::ENVIRONMENT)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let mut server = Server { child, address };
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if started.elapsed() > START_MAX || matches!(server.child.try_wait(), Ok(Some(_))) {
            return Err(format!("{command:?} does not listen"));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(server)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("it is bound").port()
}

const START_MAX: Duration = Duration::from_secs(10);
