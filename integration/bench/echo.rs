//! The peer of `ping`: one loop that gives every frame back as it came.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::AsFd,
};

/// Runs until the end of stdin.
pub fn run() -> io::Result<()> {
    // The standard library's own handles buffer by lines.
    let mut stdin = File::from(io::stdin().as_fd().try_clone_to_owned()?);
    let mut stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut input = vec![0; 1 << 20];
    let mut end = 0;
    loop {
        let count = stdin.read(&mut input[end..])?;
        if count == 0 {
            return Ok(());
        }
        end += count;
        let mut start = 0;
        while let Some((header, rest)) = input[start..end].split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*header) as usize;
            if rest.len() < length {
                break;
            }
            start += header.len() + length;
        }
        stdout.write_all(&input[..start])?;
        input.copy_within(start..end, 0);
        end -= start;
    }
}
