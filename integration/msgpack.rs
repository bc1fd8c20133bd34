//! Msgpack as JSON and back, written anew so that a mistake in the program's codec is no match for
//! the same mistake here.
//!
//! `bin` has no counterpart in JSON: it becomes `{"bin": text}`, one character for each byte.

use serde_json::{Map, Number, Value};

pub fn bin(bytes: &[u8]) -> Value {
    // The short way for megabytes of text.
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if text.is_ascii() => text.to_owned(),
        _ => bytes.iter().map(|byte| char::from(*byte)).collect(),
    };
    Value::Object(Map::from_iter([("bin".to_owned(), Value::String(text))]))
}

/// The bytes of a `str` or a `bin`.
pub fn bytes(value: &Value) -> Vec<u8> {
    match (value, bin_text(value)) {
        (Value::String(text), _) => text.as_bytes().to_vec(),
        (_, Some(text)) => narrow(text),
        _ => panic!("neither str nor bin: {value}"),
    }
}

pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// Arrays and maps in each other, the outermost counted.
const DEPTH_MAX: usize = 64;

pub fn decode(bytes: &[u8]) -> Result<Value, String> {
    let mut rest = Reader { bytes, depth: 0 };
    let value = rest.value()?;
    match rest.bytes.len() {
        0 => Ok(value),
        count => Err(format!("{count} bytes after the end")),
    }
}

fn bin_text(value: &Value) -> Option<&str> {
    let map = value.as_object().filter(|map| map.len() == 1)?;
    map.get("bin")?.as_str()
}

fn narrow(text: &str) -> Vec<u8> {
    if text.is_ascii() {
        return text.as_bytes().to_vec();
    }
    text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect()
}

fn write(value: &Value, out: &mut Vec<u8>) {
    use rmp::encode;
    match value {
        Value::Null => encode::write_nil(out).unwrap(),
        Value::Bool(bool) => encode::write_bool(out, *bool).unwrap(),
        Value::Number(number) => write_number(number, out),
        Value::String(text) => encode::write_str(out, text).unwrap(),
        Value::Array(items) => {
            encode::write_array_len(out, u32::try_from(items.len()).unwrap()).unwrap();
            items.iter().for_each(|item| write(item, out));
        }
        Value::Object(map) => match bin_text(value) {
            Some(text) => encode::write_bin(out, &narrow(text)).unwrap(),
            None => {
                encode::write_map_len(out, u32::try_from(map.len()).unwrap()).unwrap();
                for (key, value) in map {
                    encode::write_str(out, key).unwrap();
                    write(value, out);
                }
            }
        },
    }
}

fn write_number(number: &Number, out: &mut Vec<u8>) {
    use rmp::encode;
    if let Some(count) = number.as_u64() {
        encode::write_uint(out, count).unwrap();
    } else if let Some(count) = number.as_i64() {
        encode::write_sint(out, count).unwrap();
    } else {
        encode::write_f64(out, number.as_f64().unwrap()).unwrap();
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    depth: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Value, String> {
        Ok(match self.unsigned(1)? as u8 {
            byte @ 0x00..=0x7f => byte.into(),
            byte @ 0x80..=0x8f => self.deeper(|it| it.map(usize::from(byte & 0x0f)))?,
            byte @ 0x90..=0x9f => self.deeper(|it| it.array(usize::from(byte & 0x0f)))?,
            byte @ 0xa0..=0xbf => self.text(usize::from(byte & 0x1f))?,
            0xc0 => Value::Null,
            0xc2 => false.into(),
            0xc3 => true.into(),
            byte @ 0xc4..=0xc6 => {
                let length = self.unsigned(1 << (byte - 0xc4))? as usize;
                bin(self.take(length)?)
            }
            0xca => f32::from_bits(self.unsigned(4)? as u32).into(),
            0xcb => f64::from_bits(self.unsigned(8)?).into(),
            byte @ 0xcc..=0xcf => self.unsigned(1 << (byte - 0xcc))?.into(),
            byte @ 0xd0..=0xd3 => self.signed(1 << (byte - 0xd0))?.into(),
            byte @ 0xd9..=0xdb => {
                let length = self.unsigned(1 << (byte - 0xd9))? as usize;
                self.text(length)?
            }
            byte @ 0xdc..=0xdd => {
                let length = self.unsigned(2 << (byte - 0xdc))? as usize;
                self.deeper(|it| it.array(length))?
            }
            byte @ 0xde..=0xdf => {
                let length = self.unsigned(2 << (byte - 0xde))? as usize;
                self.deeper(|it| it.map(length))?
            }
            byte @ 0xe0..=0xff => (byte as i8).into(),
            byte => return Err(format!("a daemon has no use for the type {byte:#x}")),
        })
    }

    fn deeper(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Value, String>,
    ) -> Result<Value, String> {
        if self.depth == DEPTH_MAX {
            return Err(format!("deeper than {DEPTH_MAX}"));
        }
        self.depth += 1;
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn map(&mut self, length: usize) -> Result<Value, String> {
        let mut map = Map::new();
        for _ in 0..length {
            // A map from names to ids may have names that are no UTF-8.
            let key = match self.value()? {
                Value::String(text) => text,
                other => bin_text(&other).ok_or("a key that is no text")?.to_owned(),
            };
            let value = self.value()?;
            if map.insert(key.clone(), value).is_some() {
                return Err(format!("the key {key} twice"));
            }
        }
        Ok(Value::Object(map))
    }

    fn array(&mut self, length: usize) -> Result<Value, String> {
        (0..length).map(|_| self.value()).collect()
    }

    fn text(&mut self, length: usize) -> Result<Value, String> {
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|error| format!("str: {error}"))?;
        Ok(text.into())
    }

    fn signed(&mut self, width: usize) -> Result<i64, String> {
        let shift = 64 - 8 * width as u32;
        Ok((self.unsigned(width)? << shift).cast_signed() >> shift)
    }

    fn unsigned(&mut self, width: usize) -> Result<u64, String> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or("the bytes end too early")?;
        self.bytes = rest;
        Ok(taken)
    }
}

#[test]
fn every_kind_of_value_survives_the_way_there_and_back() {
    let longest = "x".repeat(70_000);
    let many: Vec<u64> = (0..70_000).collect();
    let value = serde_json::json!({
        "numbers": [0, 127, 128, 255, 256, 65_535, 65_536, u32::MAX, u64::MAX],
        "negative": [-1, -32, -33, -128, -129, -32_768, -32_769, i32::MIN, i64::MIN],
        "others": [null, true, false, 1.5, "", "grün", longest, many],
        "bytes": [bin(b""), bin(b"\x00\xff"), bin(longest.as_bytes())],
    });
    assert_eq!(decode(&encode(&value)), Ok(value));
}
