use super::*;

/// Hands out its bytes in pieces of the given size.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.0.len().min(self.1).min(buffer.len());
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

fn read(input: &[u8], piece: usize) -> String {
    let mut frames = Frames::new(Pieces(input, piece), 300_000);
    let mut seen = String::new();
    loop {
        match frames.next() {
            Ok(Some(Frame { body, .. })) if body.len() < 10 => {
                seen += &format!("{:?} ", String::from_utf8_lossy(body));
            }
            Ok(Some(Frame { body, .. })) => seen += &format!("{} bytes ", body.len()),
            Ok(None) => return seen + "end",
            Err(Broken::Input(error)) => return seen + &error.to_string(),
            Err(broken) => return seen + &format!("{broken:?}"),
        }
    }
}

#[track_caller]
fn check(input: &[u8], expected: &str) {
    for piece in [1, 3, 7, usize::MAX] {
        assert_eq!(read(input, piece), expected, "in pieces of {piece}");
    }
}

#[test]
fn frames() {
    check(b"", "end");
    check(b"\0\0\0\0", "\"\" end");
    check(b"\0\0\0\x02ok", "\"ok\" end");
    check(b"\0\0\0\x02ok\0\0\0\x01!", "\"ok\" \"!\" end");
    check(b"\0\0\0\x02ok\0\0", "\"ok\" Truncated");
    check(b"\0\0\0\x05ok", "Truncated");
    check(b"\xff\xff\xff\xff", "TooLong { bytes: 4294967295 }");
    check(&300_001u32.to_be_bytes(), "TooLong { bytes: 300001 }");
}

#[test]
fn a_long_frame_arrives_whole_between_short_ones() {
    let mut input = b"\0\0\0\x01a".to_vec();
    input.extend(300_000u32.to_be_bytes());
    input.extend(vec![7; 300_000]);
    input.extend(b"\0\0\0\x01b");
    check(&input, "\"a\" 300000 bytes \"b\" end");
}

#[test]
fn a_claimed_length_is_not_allocated() {
    let mut frames = Frames::new(&b"\x0f\xff\xff\xff"[..], usize::MAX);
    assert!(matches!(frames.next(), Err(Broken::Truncated)));
    assert!(frames.buffer.len() <= 2 * READ_BYTES);
}
