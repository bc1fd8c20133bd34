//! A relay in front of a real server, which counts, and cuts, stalls or slows what comes back.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread::Builder,
    time::Duration,
};

use super::acceptor::{Acceptor, Context, listen, pause};

pub struct Relay {
    acceptor: Acceptor,
    state: Arc<State>,
}

struct State {
    target: SocketAddr,
    received: AtomicU64,
    fault: Mutex<Option<Fault>>,
}

#[derive(Clone, Copy)]
struct Fault {
    after: u64,
    kind: Kind,
}

/// What happens when the server has said as many bytes as it may.
#[derive(Clone, Copy, PartialEq)]
pub enum Kind {
    /// The connection is reset.
    Reset,
    /// The connection is closed in good order.
    End,
    /// Nothing comes any more.
    Stall,
    /// A byte a second comes.
    Drip,
    /// The rest comes in a hundred small steps a second.
    Slow,
}

impl Relay {
    pub fn to(target: SocketAddr) -> Relay {
        let state =
            Arc::new(State { target, received: AtomicU64::new(0), fault: Mutex::new(None) });
        let shared = state.clone();
        let acceptor = Acceptor::start(move |client, context| relay(&shared, &client, &context));
        Relay { acceptor, state }
    }

    /// From now on: `after` bytes from the server over all connections, then `kind`.
    pub fn fail_after(&self, after: u64, kind: Kind) {
        self.state.received.store(0, Ordering::SeqCst);
        *self.state.fault.lock().unwrap() = Some(Fault { after, kind });
    }

    pub fn heal(&self) {
        *self.state.fault.lock().unwrap() = None;
    }

    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// How many connections came.
    pub fn accepted(&self) -> usize {
        self.acceptor.accepted()
    }

    /// How many bytes the server said.
    pub fn received(&self) -> u64 {
        self.state.received.load(Ordering::SeqCst)
    }
}

fn relay(state: &State, client: &Arc<TcpStream>, context: &Context) {
    let Ok(server) = TcpStream::connect(state.target) else { return };
    let server = context.adopt(server);
    let (from, to) = (client.clone(), server.clone());
    let forward = move || {
        let _ = std::io::copy(&mut &*from, &mut &*to);
        let _ = to.shutdown(Shutdown::Both);
    };
    let forward = Builder::new().name("relay".to_owned()).spawn(forward).unwrap();
    let end = bring_back(state, client, &server);
    if end == Some(Kind::Reset) {
        // Closing with nothing to linger for is what sends a reset.
        rustix::net::sockopt::set_socket_linger(client, Some(Duration::ZERO)).unwrap();
        let _ = client.shutdown(Shutdown::Read);
    } else {
        let _ = client.shutdown(Shutdown::Both);
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = forward.join();
}

/// Copies from server to client, and tells by which fault it ended, if by one.
fn bring_back(state: &State, mut client: &TcpStream, mut server: &TcpStream) -> Option<Kind> {
    let mut bytes = [0; 4096];
    loop {
        let length = server.read(&mut bytes).ok().filter(|length| *length > 0)?;
        let before = state.received.fetch_add(length as u64, Ordering::SeqCst);
        let fault = *state.fault.lock().unwrap();
        let Some(fault) = fault.filter(|fault| before + length as u64 > fault.after) else {
            client.write_all(&bytes[..length]).ok()?;
            continue;
        };
        let whole = fault.after.saturating_sub(before) as usize;
        client.write_all(&bytes[..whole]).ok()?;
        match fault.kind {
            Kind::Reset | Kind::End => return Some(fault.kind),
            Kind::Stall => listen(client),
            Kind::Drip => drip(client, &bytes[whole..length], Duration::from_secs(1))?,
            Kind::Slow => {
                for piece in bytes[whole..length].chunks(512) {
                    client.write_all(piece).ok()?;
                    std::thread::park_timeout(Duration::from_millis(10));
                }
                continue;
            }
        }
        return Some(fault.kind);
    }
}

fn drip(mut client: &TcpStream, bytes: &[u8], interval: Duration) -> Option<()> {
    for byte in bytes.iter().cycle() {
        client.write_all(&[*byte]).ok()?;
        if !pause(client, interval) {
            return None;
        }
    }
    None
}
