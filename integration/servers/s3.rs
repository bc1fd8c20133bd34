//! Servers that speak S3: one that keeps what it has, and one that lets it be overwritten.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use tempfile::TempDir;

use super::{
    Group,
    acceptor::{Acceptor, Context},
    command,
};
use crate::processes::until;

pub const BUCKET: &str = "bucket";
/// What the second of these servers wants; the first takes anything.
pub const KEY: &str = "S3RVER";
/// Moto looks at who signs, and at nothing else.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=suite/20200101/us-east-1/s3/aws4_request, \
    SignedHeaders=host, Signature=0";
const SLOW: Duration = Duration::from_secs(60);

pub struct S3 {
    _server: Group,
    _folder: TempDir,
    port: u16,
    scheme: &'static str,
}

impl S3 {
    /// Moto, which honours conditions; nothing where it is not installed.
    pub fn honest() -> Option<S3> {
        let server = S3::of("http", &installed("bin/moto_server")?, |command, port, _| {
            command.args(["-H", "127.0.0.1", "-p", port]);
        });
        server.request("PUT", "", b"");
        Some(server)
    }

    /// The same with a key and a certificate, both in one file.
    pub fn encrypted(certificate: &Path) -> Option<S3> {
        let certificate = certificate.to_owned();
        let server = S3::of("https", &installed("bin/moto_server")?, move |command, port, _| {
            command.args(["-H", "127.0.0.1", "-p", port, "-c"]);
            command.arg(&certificate).arg("-k").arg(&certificate);
        });
        let script = "import ssl, sys, urllib.request as http\n\
            http.urlopen(http.Request(sys.argv[1], method='PUT', headers={'Authorization': \
            sys.argv[2]}), context=ssl._create_unverified_context())";
        let bucket = format!("{}/{BUCKET}", server.endpoint());
        let mut python = command(&installed("bin/python3")?);
        assert!(python.args(["-c", script, &bucket, SIGNED]).status().unwrap().success());
        Some(server)
    }

    /// S3rver, which takes everything.
    pub fn careless() -> Option<S3> {
        Some(S3::of("http", &installed("node_modules/.bin/s3rver")?, |command, port, folder| {
            command.args(["-a", "127.0.0.1", "-p", port, "-s", "--configure-bucket", BUCKET, "-d"]);
            command.arg(folder);
        }))
    }

    fn of(
        scheme: &'static str,
        program: &Path,
        arguments: impl Fn(&mut Command, &str, &Path),
    ) -> S3 {
        let folder = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut start = command(program);
        arguments(&mut start, &port.to_string(), folder.path());
        start.current_dir(folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Group::start(&mut start);
        until("the server takes connections", SLOW, || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        S3 { _server: server, _folder: folder, port, scheme }
    }

    pub fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", self.scheme, self.port)
    }

    /// Puts other bytes under a key of the bucket, as nobody should.
    pub fn put(&self, key: &str, bytes: &[u8]) {
        self.request("PUT", &format!("/{key}"), bytes);
    }

    pub fn delete(&self, key: &str) {
        self.request("DELETE", &format!("/{key}"), b"");
    }

    fn request(&self, method: &str, path: &str, bytes: &[u8]) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = bytes.len();
        let head = format!(
            "{method} /{BUCKET}{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
             Authorization: {SIGNED}\r\nContent-Length: {length}\r\n\r\n"
        );
        stream.write_all(&[head.as_bytes(), bytes].concat()).unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let reply = String::from_utf8_lossy(&reply).into_owned();
        assert!(reply.starts_with("HTTP/1.1 2"), "{method} {path}: {reply}");
    }
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq)]
pub enum Fate {
    Served,
    /// The server does not get it.
    Refused,
    /// The server does it, and what it says gets lost.
    Lost,
}

/// What stands before a server, and says 503 in its place.
pub struct Front(Acceptor);

impl Front {
    /// `fate` gets the first line of each request.
    pub fn of(server: &S3, fate: impl Fn(&str) -> Fate + Send + Sync + 'static) -> Front {
        let port = server.port;
        Front(Acceptor::start(move |client, _: Context| {
            // Who goes away before the reply has not come for it.
            let _ = pass_on(&client, port, &fate);
        }))
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.0.address())
    }
}

/// One request of a connection, and its reply.
fn pass_on(mut client: &TcpStream, port: u16, fate: &dyn Fn(&str) -> Fate) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = client.read(&mut buffer)?;
        request.extend_from_slice(&buffer[..count]);
        let Some(head) = request.windows(4).position(|it| it == b"\r\n\r\n") else {
            if count == 0 {
                return Ok(());
            }
            continue;
        };
        let text = String::from_utf8_lossy(&request[..head]).to_lowercase();
        let length = text.lines().find_map(|it| it.strip_prefix("content-length:"));
        let length = length.map_or(0, |it| it.trim().parse().unwrap());
        if count == 0 || request.len() >= head + 4 + length {
            break;
        }
    }
    let first = String::from_utf8_lossy(request.split(|it| *it == b'\r').next().unwrap());
    let fate = fate(&first);
    let mut reply = Vec::new();
    if fate != Fate::Refused {
        let mut server = TcpStream::connect(("127.0.0.1", port))?;
        server.write_all(&request)?;
        server.read_to_end(&mut reply)?;
    }
    if fate != Fate::Served {
        reply =
            b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec();
    }
    client.write_all(&reply)
}

/// A program that `integration/test` put into its own folder.
fn installed(program: &str) -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/s3");
    fs::canonicalize(folder).ok().map(|it| it.join(program)).filter(|it| it.exists())
}
