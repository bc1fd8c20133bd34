//! One frame: a length of four bytes, big end first, then that many bytes.
//!
//! What a length claims is never allocated before the bytes are there.

use std::{
    io::{self, Read},
    time::Instant,
};

use byteorder::{BigEndian, ByteOrder};

pub const LENGTH_BYTES: usize = 4;
const READ_BYTES: usize = 64 * 1024;
/// A buffer that grew beyond this for one frame is given back after it.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// The frames of a stream, read in large pieces.
pub struct Frames<R> {
    input: R,
    buffer: Vec<u8>,
    /// What of the buffer is not handed out yet.
    start: usize,
    end: usize,
    frame_bytes_max: usize,
    came: Instant,
}

pub struct Frame<'a> {
    pub body: &'a [u8],
    /// When the last of it was read.
    pub came: Instant,
}

/// Why there is no next frame. The stream cannot be used any further.
#[derive(Debug)]
pub enum Broken {
    TooLong { bytes: usize },
    Truncated,
    Input(io::Error),
}

impl<R: Read> Frames<R> {
    pub fn new(input: R, frame_bytes_max: usize) -> Frames<R> {
        let (buffer, came) = (vec![0; READ_BYTES], Instant::now());
        Frames { input, buffer, start: 0, end: 0, frame_bytes_max, came }
    }

    /// Whether the next frame can be had without waiting.
    pub fn is_ready(&self) -> bool {
        matches!(self.length(), Ok(Some(length)) if LENGTH_BYTES + length <= self.waiting())
    }

    /// The next frame; `None` when the stream ends between frames.
    pub fn next(&mut self) -> Result<Option<Frame<'_>>, Broken> {
        let length = loop {
            match self.length()? {
                Some(length) if LENGTH_BYTES + length <= self.waiting() => break length,
                Some(length) => self.make_room(LENGTH_BYTES + length),
                None => self.make_room(LENGTH_BYTES),
            }
            if self.fill()? == 0 {
                return if self.waiting() == 0 { Ok(None) } else { Err(Broken::Truncated) };
            }
        };
        let start = self.start + LENGTH_BYTES;
        self.start = start + length;
        Ok(Some(Frame { body: &self.buffer[start..self.start], came: self.came }))
    }

    fn waiting(&self) -> usize {
        self.end - self.start
    }

    fn length(&self) -> Result<Option<usize>, Broken> {
        if self.waiting() < LENGTH_BYTES {
            return Ok(None);
        }
        let bytes = BigEndian::read_u32(&self.buffer[self.start..]) as usize;
        match bytes <= self.frame_bytes_max {
            true => Ok(Some(bytes)),
            false => Err(Broken::TooLong { bytes }),
        }
    }

    /// Leaves room behind `end` for at least one byte of a frame that needs `total` bytes.
    fn make_room(&mut self, total: usize) {
        if self.start == self.end && KEPT_BYTES_MAX < self.buffer.len() {
            self.buffer = vec![0; READ_BYTES];
            (self.start, self.end) = (0, 0);
        }
        if self.start + total <= self.buffer.len() && self.end < self.buffer.len() {
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end == self.buffer.len() {
            // Twice what has come, never what is only claimed.
            self.buffer.resize(2 * self.buffer.len(), 0);
        }
    }

    fn fill(&mut self) -> Result<usize, Broken> {
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(count) => {
                    self.came = Instant::now();
                    self.end += count;
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(error) => return Err(Broken::Input(error)),
            }
        }
    }
}

/// Puts a frame's length before its body: `frame` starts with [`LENGTH_BYTES`] of any content.
pub fn seal(frame: &mut [u8]) {
    let length = u32::try_from(frame.len() - LENGTH_BYTES).expect("replies are limited");
    BigEndian::write_u32(frame, length);
}

#[cfg(test)]
mod tests;
