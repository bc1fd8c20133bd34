//! A web proxy that knows one server by every name, wants a password if told, and remembers who asked.

use std::{
    io::Write,
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{Arc, Mutex},
    thread::Builder,
};

use base64::{Engine, prelude::BASE64_STANDARD};

use super::{
    acceptor::{Acceptor, Context},
    hostile::response,
    http_head::Head,
};

pub struct Proxy {
    acceptor: Acceptor,
    heads: Arc<Mutex<Vec<Head>>>,
}

impl Proxy {
    /// Leads everybody to `target`, whatever host they ask for.
    ///
    /// A host that does not exist is then reached through the proxy or not at all.
    pub fn to(target: SocketAddr) -> Proxy {
        Proxy::start(target, None)
    }

    /// The same for those who know `user:password`.
    pub fn guarded(target: SocketAddr, credentials: &str) -> Proxy {
        Proxy::start(target, Some(format!("Basic {}", BASE64_STANDARD.encode(credentials))))
    }

    fn start(target: SocketAddr, credentials: Option<String>) -> Proxy {
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        let acceptor = Acceptor::start(move |client, context| {
            while let Some(head) = Head::read(&client) {
                seen.lock().unwrap().push(head.clone());
                if credentials.is_none()
                    || head.value("proxy-authorization") == credentials.as_deref()
                {
                    return lead(&client, &context, target, &head);
                }
                head.skip_body(&client);
                let realm = "Proxy-Authenticate: Basic realm=\"proxy\"\r\n";
                let refusal = response("407 Proxy Authentication Required", realm, "");
                if (&*client).write_all(refusal.as_bytes()).is_err() {
                    return;
                }
            }
        });
        Proxy { acceptor, heads }
    }

    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// The requests so far.
    pub fn heads(&self) -> Vec<Head> {
        self.heads.lock().unwrap().clone()
    }
}

/// Ties `client` to the target for the rest of its connection.
fn lead(client: &Arc<TcpStream>, context: &Context, target: SocketAddr, head: &Head) {
    let Ok(server) = TcpStream::connect(target) else { return };
    let server = context.adopt(server);
    // The web server takes requests in the long form that clients send to a proxy.
    let sent = match head.method.as_str() {
        "CONNECT" => (&**client).write_all(b"HTTP/1.1 200 Connection established\r\n\r\n"),
        _ => (&*server).write_all(head.text().as_bytes()),
    };
    if sent.is_err() {
        return;
    }
    let (from, to) = (client.clone(), server.clone());
    let forward = move || {
        let _ = std::io::copy(&mut &*from, &mut &*to);
        let _ = to.shutdown(Shutdown::Both);
    };
    let forward = Builder::new().name("proxy".to_owned()).spawn(forward).unwrap();
    let _ = std::io::copy(&mut &*server, &mut &**client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = forward.join();
}
