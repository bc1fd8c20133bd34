//! A remote over git:// that begins every clone properly and then drips its pack for ever.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

pub struct SlowRemote {
    port: u16,
    dripping: Arc<AtomicUsize>,
}

impl SlowRemote {
    /// Listens until the program ends.
    pub fn start() -> SlowRemote {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let dripping = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&dripping);
        spawn("slow remote", move || {
            for connection in listener.incoming() {
                let count = Arc::clone(&count);
                spawn("slow clone", move || {
                    // It ends when the client hangs up, and that is no failure.
                    let _ = connection.and_then(|stream| serve(stream, &count));
                });
            }
        });
        SlowRemote { port, dripping }
    }

    pub fn url(&self) -> String {
        format!("git://127.0.0.1:{}/slow", self.port)
    }

    /// Waits until this many clones are receiving their pack.
    pub fn wait_for(&self, clones: usize) {
        let started = Instant::now();
        while self.dripping.load(SeqCst) != clones {
            assert!(started.elapsed() < WAIT_MAX, "{clones} clones are not on their way");
            thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn dripping(&self) -> usize {
        self.dripping.load(SeqCst)
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().name(name.to_owned());
    thread.spawn(body).expect("a thread can be started");
}

fn serve(mut stream: TcpStream, dripping: &AtomicUsize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    packet(&mut stream)?;
    let capabilities = "side-band-64k ofs-delta shallow agent=slow/1 symref=HEAD:refs/heads/main";
    send(&mut stream, format!("{COMMIT} HEAD\0{capabilities}\n").as_bytes())?;
    send(&mut stream, format!("{COMMIT} refs/heads/main\n").as_bytes())?;
    stream.write_all(b"0000")?;
    // Whatever is wanted, however it is negotiated: the client says `done` at the end.
    loop {
        let line = packet(&mut stream)?;
        if line.starts_with(b"deepen ") {
            packet(&mut stream)?;
            send(&mut stream, format!("shallow {COMMIT}\n").as_bytes())?;
            stream.write_all(b"0000")?;
        }
        if line.starts_with(b"done") {
            break;
        }
    }
    send(&mut stream, b"NAK\n")?;
    dripping.fetch_add(1, SeqCst);
    let result = drip(&mut stream);
    dripping.fetch_sub(1, SeqCst);
    result
}

/// A pack with one blob of a gigabyte, in stored pieces, a few bytes at a time.
fn drip(stream: &mut TcpStream) -> io::Result<()> {
    let mut start = b"PACK\0\0\0\x02\0\0\0\x01".to_vec();
    // A blob of 2^30 bytes: the lowest four bits of its size are beside the type.
    start.extend_from_slice(&[0xb0, 0x80, 0x80, 0x80, 0x20]);
    start.extend_from_slice(b"\x78\x01");
    let piece = vec![b'.'; usize::from(u16::MAX)];
    let mut pack = start;
    loop {
        pack.extend_from_slice(b"\0\xff\xff\0\0");
        pack.extend_from_slice(&piece);
        for bytes in pack.chunks(DRIP_BYTES) {
            let mut band = vec![1];
            band.extend_from_slice(bytes);
            send(stream, &band)?;
            thread::sleep(DRIP_TIME);
        }
        pack.clear();
    }
}

fn send(stream: &mut TcpStream, content: &[u8]) -> io::Result<()> {
    let mut line = format!("{:04x}", content.len() + 4).into_bytes();
    line.extend_from_slice(content);
    stream.write_all(&line)
}

/// The next packet; a flush is an empty one.
fn packet(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut header = [0; 4];
    stream.read_exact(&mut header)?;
    let length =
        std::str::from_utf8(&header).ok().and_then(|it| usize::from_str_radix(it, 16).ok());
    let length = length.ok_or(io::ErrorKind::InvalidData)?;
    let mut content = vec![0; length.saturating_sub(4)];
    stream.read_exact(&mut content)?;
    Ok(content)
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const DRIP_BYTES: usize = 16;
const DRIP_TIME: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_secs(20);
