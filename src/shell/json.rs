//! JSON for people, msgpack for the daemon.
//!
//! Bytes that are no text, for which JSON has no word, become base64.

use std::io;

use base64::{Engine, engine::general_purpose::STANDARD};
use rmpv::Value;
use serde_json::{Map, Value as Json, ser::Formatter};

pub fn to_msgpack(value: &Json) -> io::Result<Vec<u8>> {
    rmp_serde::to_vec(value).map_err(io::Error::other)
}

pub fn from_msgpack(mut bytes: &[u8]) -> io::Result<Json> {
    Ok(from_value(rmpv::decode::read_value(&mut bytes)?))
}

fn from_value(value: Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Boolean(is) => is.into(),
        Value::Integer(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => Json::Null,
        },
        Value::F32(number) => number.into(),
        Value::F64(number) => number.into(),
        Value::String(text) => from_bytes(text.into_bytes()).into(),
        Value::Binary(bytes) => STANDARD.encode(bytes).into(),
        Value::Array(items) => items.into_iter().map(from_value).collect(),
        Value::Map(pairs) => {
            let named = pairs.into_iter().map(|(key, value)| (name(key), from_value(value)));
            Json::Object(named.collect::<Map<_, _>>())
        }
        Value::Ext(_, bytes) => STANDARD.encode(bytes).into(),
    }
}

fn from_bytes(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| STANDARD.encode(error.into_bytes()))
}

fn name(key: Value) -> String {
    match from_value(key) {
        Json::String(name) => name,
        other => other.to_string(),
    }
}

/// JSON on one line, with the blanks that make it easy to read.
pub fn spaced(value: &Json) -> String {
    let mut text = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, Spaced);
    serde::Serialize::serialize(value, &mut serializer).expect("writing to memory does not fail");
    String::from_utf8(text).expect("JSON is text")
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn json_survives_the_way_there_and_back() {
        let value = json!({
            "op": "read", "id": -3, "list": [null, true, 1.5, "grün"], "most": u64::MAX,
            "auth": {"token": "x"}, "least": i64::MIN,
        });
        assert_eq!(from_msgpack(&to_msgpack(&value).unwrap()).unwrap(), value);
    }

    #[test]
    fn bytes_become_base64_wherever_they_stand() {
        let pairs = vec![
            ("content".into(), Value::Binary(vec![0, 0xff])),
            (Value::Binary(b"refs/\xff".to_vec()), "name".into()),
        ];
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &Value::Map(pairs)).unwrap();
        let expected = json!({"content": "AP8=", "cmVmcy//": "name"});
        assert_eq!(from_msgpack(&bytes).unwrap(), expected);
    }

    #[test]
    fn bytes_cut_short_are_an_error() {
        assert!(from_msgpack(b"\x81\xa2ok").is_err());
    }

    #[test]
    fn spaced_json_is_one_line() {
        let value = json!({"a": [1, "x, y"], "b": {"c": []}});
        assert_eq!(spaced(&value), r#"{"a": [1, "x, y"], "b": {"c": []}}"#);
    }
}
