//! What a program writes, as much of it as is kept. All of it is read, so that it never waits.

use std::{
    io::{ErrorKind, Read},
    sync::{Arc, Mutex},
    thread,
};

use crossbeam_channel::{Receiver, bounded};

const PIECE_BYTES: usize = 64 << 10;

/// Which part of it counts most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Beginning,
    End,
}

/// A stream that is being read.
pub struct Stream {
    kept: Arc<Mutex<Kept>>,
    /// Ends with the stream.
    end: Receiver<()>,
}

#[derive(Debug)]
pub struct Kept {
    part: Part,
    bytes_max: usize,
    bytes: Vec<u8>,
    pub truncated: bool,
}

impl Stream {
    pub fn read(name: &str, source: impl Read + Send + 'static, part: Part, most: usize) -> Stream {
        let kept = Arc::new(Mutex::new(Kept::new(part, most)));
        let (ends, end) = bounded(0);
        let shared = kept.clone();
        let mut source = source;
        let body = move || {
            let mut piece = vec![0; PIECE_BYTES];
            loop {
                match source.read(&mut piece) {
                    Ok(0) => break,
                    Ok(count) => {
                        shared.lock().expect("nobody panics with the lock").take(&piece[..count]);
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => (),
                    Err(_) => break,
                }
            }
            drop(ends);
        };
        let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
        thread.expect("a child needs some threads");
        Stream { kept, end }
    }

    /// What was kept until its end, or until now.
    pub fn finish(self, patience: std::time::Duration) -> (Vec<u8>, bool) {
        let _ = self.end.recv_timeout(patience);
        let mut kept = self.kept.lock().expect("nobody panics with the lock");
        (kept.end(), kept.truncated)
    }
}

impl Kept {
    fn new(part: Part, bytes_max: usize) -> Kept {
        Kept { part, bytes_max, bytes: Vec::new(), truncated: false }
    }

    fn take(&mut self, piece: &[u8]) {
        let room = self.bytes_max.saturating_sub(self.bytes.len());
        match self.part {
            Part::Beginning => {
                self.truncated |= room < piece.len();
                self.bytes.extend_from_slice(&piece[..room.min(piece.len())]);
            }
            Part::End => {
                self.truncated |= room < piece.len();
                self.bytes.extend_from_slice(piece);
                // Now and then, so that not every piece moves all that is kept.
                if 2 * self.bytes_max + PIECE_BYTES < self.bytes.len() {
                    self.cut();
                }
            }
        }
    }

    fn end(&mut self) -> Vec<u8> {
        self.cut();
        std::mem::take(&mut self.bytes)
    }

    fn cut(&mut self) {
        let excess = self.bytes.len().saturating_sub(self.bytes_max);
        self.bytes.drain(..excess);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_or_the_end_is_kept_of_what_is_too_long() {
        let kept = |part: Part, most: usize, pieces: &[&[u8]]| {
            let mut kept = Kept::new(part, most);
            pieces.iter().for_each(|it| kept.take(it));
            (String::from_utf8(kept.end()).unwrap(), kept.truncated)
        };
        for part in [Part::Beginning, Part::End] {
            assert_eq!(kept(part, 6, &[b"abc", b"def"]), ("abcdef".to_owned(), false));
            assert_eq!(kept(part, 0, &[]), (String::new(), false));
            assert_eq!(kept(part, 0, &[b"a"]), (String::new(), true));
        }
        let pieces: &[&[u8]] = &[b"abc", b"def", b"ghi"];
        assert_eq!(kept(Part::Beginning, 4, pieces), ("abcd".to_owned(), true));
        assert_eq!(kept(Part::End, 4, pieces), ("fghi".to_owned(), true));
        let long = vec![b'x'; 5 * PIECE_BYTES];
        assert_eq!(kept(Part::End, 2, &[&long, b"ab"]), ("ab".to_owned(), true));
    }
}
