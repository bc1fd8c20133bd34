//! Remotes that behave badly: silent, slow, talking nonsense, refusing for ever, sending elsewhere.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    acceptor::{Acceptor, listen, pause},
    http_head::Head,
};

/// Accepts and never says a word.
pub fn silent() -> Acceptor {
    Acceptor::start(|stream, _| listen(&stream))
}

/// Says the start of something sensible and goes on with a byte a second.
pub fn dripping(start: &'static str) -> Acceptor {
    Acceptor::start(move |stream, _| {
        let bytes = start.bytes().chain(std::iter::repeat(b'a'));
        for byte in bytes {
            if (&*stream).write_all(&[byte]).is_err() || !pause(&stream, Duration::from_secs(1)) {
                return;
            }
        }
    })
}

/// Says `bytes` whatever it is asked, and hangs up.
pub fn saying(bytes: Vec<u8>) -> Acceptor {
    Acceptor::start(move |stream, _| {
        let _ = (&*stream).write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        // Closing with something unread would be a reset, and the words could be lost.
        listen(&stream);
    })
}

/// A port that is taken and at which nobody listens.
pub struct Closed(std::os::fd::OwnedFd);

impl Closed {
    pub fn new() -> Closed {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
        let flags = SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
        bind(&socket, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        Closed(socket)
    }

    pub fn address(&self) -> SocketAddr {
        rustix::net::getsockname(&self.0).unwrap().try_into().unwrap()
    }
}

/// A port whose connections are never made, because the queue for them is full.
pub struct BlackHole {
    listener: TcpListener,
    _queued: Vec<std::os::fd::OwnedFd>,
}

impl BlackHole {
    pub fn new() -> BlackHole {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, listen, socket_with};
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // Listening once more is how the length of the queue is changed.
        listen(&listener, 0).unwrap();
        let address = listener.local_addr().unwrap();
        let queued = (0..4).map(|_| {
            let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).unwrap();
            // The first ones fill the queue, the rest see that it is full.
            let _ = connect(&socket, &address);
            socket
        });
        let _queued = queued.collect();
        BlackHole { listener, _queued }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }
}

/// A web server that gives everybody the answer it was made with, and remembers who asked.
pub struct Scripted {
    acceptor: Acceptor,
    heads: Arc<Mutex<Vec<Head>>>,
}

impl Scripted {
    pub fn new(answer: impl Fn(&Head) -> String + Send + Sync + 'static) -> Scripted {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        let acceptor = Acceptor::start(move |stream: Arc<TcpStream>, _| {
            while let Some(head) = Head::read(&stream) {
                head.skip_body(&stream);
                let answer = answer(&head);
                seen.lock().unwrap().push(head);
                if (&*stream).write_all(answer.as_bytes()).is_err() {
                    return;
                }
            }
        });
        Scripted { acceptor, heads }
    }

    /// Wants other credentials, whatever comes.
    pub fn refusing() -> Scripted {
        let realm = "WWW-Authenticate: Basic realm=\"git\"\r\n";
        Scripted::new(move |_| response("401 Unauthorized", realm, ""))
    }

    /// Sends everybody to the same path below `base`.
    pub fn redirecting(base: String) -> Scripted {
        Scripted::new(move |head| {
            let location = format!("Location: {base}{}\r\n", head.target);
            response("302 Found", &location, "")
        })
    }

    pub fn failing(status: &'static str) -> Scripted {
        Scripted::new(move |_| response(status, "", "sorry\n"))
    }

    /// Says what a web site says.
    pub fn web_site() -> Scripted {
        let html = "Content-Type: text/html\r\n";
        Scripted::new(move |_| response("200 OK", html, "<html>Welcome!</html>\n"))
    }

    /// Claims to speak Git, and does not.
    pub fn babbling() -> Scripted {
        let kind = "Content-Type: application/x-git-upload-pack-advertisement\r\n";
        Scripted::new(move |_| response("200 OK", kind, "zzzzthis is no packet line\n"))
    }

    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address())
    }

    /// The requests so far.
    pub fn heads(&self) -> Vec<Head> {
        self.heads.lock().unwrap().clone()
    }
}

pub fn response(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len())
}
