//! A listener that gives each connection to a thread, and takes all of them down when dropped.

use std::{
    io::{ErrorKind, Read},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};

pub struct Acceptor {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    ended: AtomicBool,
    accepted: AtomicUsize,
    // Weak, so that a thread that lets go of its stream closes it.
    streams: Mutex<Vec<Weak<TcpStream>>>,
}

/// What a connection's thread knows besides its stream.
#[derive(Clone)]
pub struct Context(Arc<Shared>);

impl Context {
    /// Takes down `stream` too when the server ends.
    pub fn adopt(&self, stream: TcpStream) -> Arc<TcpStream> {
        let stream = Arc::new(stream);
        self.0.streams.lock().unwrap().push(Arc::downgrade(&stream));
        if self.0.ended.load(Ordering::SeqCst) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        stream
    }
}

impl Acceptor {
    pub fn start(serve: impl Fn(Arc<TcpStream>, Context) + Send + Sync + 'static) -> Acceptor {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let context = Context(shared.clone());
        let accept = move || accept(&listener, &context, Arc::new(serve));
        let thread = Builder::new().name("acceptor".to_owned()).spawn(accept);
        Acceptor { address, shared, thread: Some(thread.unwrap()) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections came.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::SeqCst)
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, which then sees the flag.
        let _ = TcpStream::connect(self.address);
        for stream in self.shared.streams.lock().unwrap().iter().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

type Serve = dyn Fn(Arc<TcpStream>, Context) + Send + Sync;

fn accept(listener: &TcpListener, context: &Context, serve: Arc<Serve>) {
    let mut threads = Vec::new();
    for stream in listener.incoming().map_while(Result::ok) {
        if context.0.ended.load(Ordering::SeqCst) {
            break;
        }
        context.0.accepted.fetch_add(1, Ordering::SeqCst);
        let stream = context.adopt(stream);
        let (serve, context) = (serve.clone(), context.clone());
        let serve = move || serve(stream, context);
        threads.push(Builder::new().name("connection".to_owned()).spawn(serve).unwrap());
    }
    for thread in threads {
        let _ = thread.join();
    }
}

/// Reads and forgets what the client says until it hangs up or the server ends.
pub fn listen(mut stream: &TcpStream) {
    let mut bytes = [0; 4096];
    while stream.read(&mut bytes).is_ok_and(|length| length > 0) {}
}

/// Lets `time` pass; false when the client hung up or the server ended meanwhile.
pub fn pause(mut stream: &TcpStream, time: Duration) -> bool {
    let end = Instant::now() + time;
    let mut bytes = [0; 4096];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut bytes) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == ErrorKind::WouldBlock,
        }
    }
}
