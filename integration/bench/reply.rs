//! Reading replies: just enough msgpack to find the parts of a map without copying them.

use rmp::{
    Marker,
    decode::{self, RmpRead},
};

pub const HEADER_BYTES: usize = 4;

/// The body of the first frame, once all of it is there.
pub fn body(input: &[u8]) -> Option<&[u8]> {
    let (header, rest) = input.split_first_chunk::<HEADER_BYTES>()?;
    rest.get(..u32::from_be_bytes(*header) as usize)
}

/// The parts of a reply, not copied.
pub struct Reply<'a> {
    pub id: Id<'a>,
    pub ok: Option<&'a [u8]>,
    pub err: &'a str,
    pub code: &'a str,
}

pub enum Id<'a> {
    Absent,
    Number(u64),
    Text(&'a [u8]),
}

impl Id<'_> {
    pub fn number(&self) -> Option<u64> {
        match self {
            Id::Number(number) => Some(*number),
            Id::Absent | Id::Text(_) => None,
        }
    }
}

impl<'a> Reply<'a> {
    pub fn parse(mut body: &'a [u8]) -> Reply<'a> {
        let mut reply = Reply { id: Id::Absent, ok: None, err: "", code: "" };
        let count = decode::read_map_len(&mut body).expect("a reply is a map");
        for _ in 0..count {
            let key = text(&mut body);
            let value = body;
            skip(&mut body);
            let value = &value[..value.len() - body.len()];
            match key {
                b"id" => reply.id = id(value),
                b"ok" => reply.ok = Some(value),
                b"err" => reply.err = message(value),
                b"code" => reply.code = message(value),
                _ => (),
            }
        }
        assert!(body.is_empty(), "nothing follows the map");
        reply
    }

    /// The value of a reply that must be bytes.
    pub fn bytes(&self) -> &'a [u8] {
        let Some(mut value) = self.ok else { panic!("{} ({})", self.err, self.code) };
        let length = decode::read_bin_len(&mut value).expect("content is binary") as usize;
        assert_eq!(value.len(), length);
        value
    }
}

fn id(mut value: &[u8]) -> Id<'_> {
    match value[0] {
        0xa0..=0xbf | 0xd9..=0xdb => Id::Text(text(&mut value)),
        _ => Id::Number(decode::read_int(&mut value).expect("an id is a number or a text")),
    }
}

fn message(mut value: &[u8]) -> &str {
    std::str::from_utf8(text(&mut value)).expect("messages are text")
}

fn text<'a>(input: &mut &'a [u8]) -> &'a [u8] {
    let length = decode::read_str_len(input).expect("this is a text") as usize;
    let (text, rest) = input.split_at(length);
    *input = rest;
    text
}

fn skip(input: &mut &[u8]) {
    let mut values = 1u64;
    while values > 0 {
        values -= 1;
        let marker = decode::read_marker(input).expect("a value is here");
        let length = match marker {
            Marker::FixStr(length) => u64::from(length),
            Marker::Str8 | Marker::Bin8 => take(input, 1),
            Marker::Str16 | Marker::Bin16 => take(input, 2),
            Marker::Str32 | Marker::Bin32 => take(input, 4),
            Marker::U8 | Marker::I8 => 1,
            Marker::U16 | Marker::I16 => 2,
            Marker::U32 | Marker::I32 | Marker::F32 => 4,
            Marker::U64 | Marker::I64 | Marker::F64 => 8,
            _ => 0,
        };
        *input = &input[length as usize..];
        values += match marker {
            Marker::FixArray(count) => u64::from(count),
            Marker::Array16 => take(input, 2),
            Marker::Array32 => take(input, 4),
            Marker::FixMap(count) => 2 * u64::from(count),
            Marker::Map16 => 2 * take(input, 2),
            Marker::Map32 => 2 * take(input, 4),
            _ => 0,
        };
    }
}

fn take(input: &mut &[u8], width: usize) -> u64 {
    let mut bytes = [0; 8];
    input.read_exact_buf(&mut bytes[8 - width..]).expect("the length is all there");
    u64::from_be_bytes(bytes)
}
