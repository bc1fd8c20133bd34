//! Git over http and https as people run it: lighttpd in front of stock `git http-backend`.
//!
//! What a path begins with decides how it is served: `open` to everybody, `closed` to those with
//! credentials, `moved` by a redirect to `open`, `away` by one to another server, `truncated` with
//! packs that end too early, `measured` to who says how long a request will be.

use std::{
    fmt::Write as _,
    fs,
    net::{SocketAddr, TcpListener},
    os::{fd::OwnedFd, unix::fs::PermissionsExt},
    path::{Path, PathBuf},
    process::Stdio,
};

use tempfile::TempDir;

use super::{Group, command, git_programs, path};

pub const TOKEN: &str = "token-0123456789abcdef";
pub const USER: &str = "ada";
pub const PASSWORD: &str = "p@ss/word:with%signs";

/// How much of a pack `truncated` lets through.
const TRUNCATED_BYTES: usize = 50_000;

pub struct HttpServer {
    address: SocketAddr,
    scheme: &'static str,
    folder: TempDir,
    _group: Group,
}

/// A request that reached Git behind the web server.
#[derive(Debug)]
pub struct Served {
    pub method: String,
    pub target: String,
    pub authorization: String,
}

impl HttpServer {
    /// Serves the repositories in `folder`.
    pub fn start(folder: &Path) -> HttpServer {
        HttpServer::with(folder, None, "")
    }

    /// The same over TLS, with the key and certificate in the file `identity`.
    pub fn start_tls(folder: &Path, identity: &Path) -> HttpServer {
        HttpServer::with(folder, Some(identity), "")
    }

    /// The same with `away` leading to the server at `base`.
    pub fn start_leading_away(folder: &Path, identity: &Path, base: &str) -> HttpServer {
        HttpServer::with(folder, Some(identity), base)
    }

    fn with(repositories: &Path, identity: Option<&Path>, base: &str) -> HttpServer {
        let folder = tempfile::tempdir().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        write_backends(folder.path());
        let users = format!("x-access-token:{TOKEN}\n{USER}:{PASSWORD}\n");
        fs::write(folder.path().join("users"), users).unwrap();
        // The server reads it some time after its start, when the authority may be gone.
        let identity = identity.map(|file| {
            let own = folder.path().join("identity");
            fs::copy(file, &own).unwrap();
            own
        });
        let identity = identity.as_deref();
        let configuration = folder.path().join("lighttpd.conf");
        fs::write(&configuration, configure(folder.path(), repositories, identity, base)).unwrap();
        // The server takes the listener as its stdin: no port is guessed, no start awaited.
        let group = Group::start(
            command("setpriv")
                .args(["--pdeathsig", "KILL", "lighttpd", "-D", "-f"])
                .arg(&configuration)
                .stdin(Stdio::from(OwnedFd::from(listener)))
                .stdout(Stdio::null())
                .stderr(Stdio::null()),
        );
        let scheme = if identity.is_some() { "https" } else { "http" };
        HttpServer { address, scheme, folder, _group: group }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The url of `path`, such as `open/project.git`.
    pub fn url(&self, path: &str) -> String {
        self.url_at(&self.address.to_string(), path)
    }

    /// The same seen through another host, or through a relay.
    pub fn url_at(&self, host: &str, path: &str) -> String {
        format!("{}://{host}/{path}", self.scheme)
    }

    /// The requests that reached Git so far.
    pub fn served(&self) -> Vec<Served> {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let served = log.lines().map(|line| {
            let mut words = line.splitn(3, ' ').map(str::to_owned);
            let mut word = || words.next().unwrap_or_default();
            Served { method: word(), target: word(), authorization: word() }
        });
        served.collect()
    }

    /// What the web server complained about, for messages of failed tests.
    pub fn errors(&self) -> String {
        fs::read_to_string(self.folder.path().join("errors")).unwrap_or_default()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("served")
    }
}

/// The programs that the web server runs: they write the log before they answer, so that a client
/// that has its answer finds its line there.
fn write_backends(folder: &Path) {
    let log = folder.join("served");
    let backend = git_programs().join("git-http-backend");
    let cut = format!(" | head -c {TRUNCATED_BYTES}");
    for (name, cut) in [("backend", ""), ("truncated", cut.as_str())] {
        let script = format!(
            "#!/bin/sh\n\
             echo \"$REQUEST_METHOD $REQUEST_URI $HTTP_AUTHORIZATION\" >> '{}'\n\
             '{}'{cut}\n",
            log.display(),
            backend.display(),
        );
        let file = folder.join(name);
        fs::write(&file, script).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

fn configure(folder: &Path, repositories: &Path, identity: Option<&Path>, base: &str) -> String {
    let (folder, repositories) = (folder.display(), repositories.display());
    let mut text = format!(
        r#"
server.bind = "/dev/stdin"
server.document-root = "{folder}"
server.errorlog = "{folder}/errors"
server.stream-response-body = 2
server.modules = ("mod_auth", "mod_authn_file", "mod_alias", "mod_redirect", "mod_setenv",
    "mod_cgi", "mod_openssl")
alias.url = ("/open" => "{folder}/backend", "/closed" => "{folder}/backend",
    "/measured" => "{folder}/backend", "/truncated" => "{folder}/truncated")
url.redirect = ("^/moved/(.*)" => "/open/$1", "^/away/(.*)" => "{base}/open/$1")
auth.backend = "plain"
auth.backend.plain.userfile = "{folder}/users"
auth.require = ("/closed/" => ("method" => "basic", "realm" => "git", "require" => "valid-user"))
$HTTP["url"] =~ "^/measured/" {{ server.stream-request-body = 2 }}
$HTTP["url"] =~ "^/(open|closed|measured|truncated)/" {{
    cgi.assign = ("" => "")
    setenv.set-environment = ("GIT_PROJECT_ROOT" => "{repositories}",
        "GIT_HTTP_EXPORT_ALL" => "1", "PATH" => "{path}")
}}
"#,
        path = path(),
    );
    if let Some(identity) = identity {
        let identity = identity.display();
        writeln!(text, "ssl.engine = \"enable\"\nssl.pemfile = \"{identity}\"").unwrap();
    }
    text
}
