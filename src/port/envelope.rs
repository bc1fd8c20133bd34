//! What every request and reply has, whatever its operation.
//!
//! [`Request::read`] separates the envelope from the arguments and leaves out arguments that are
//! nil; [`reply`] puts an envelope around an encoded value.

use std::io;

use rmp::encode;
use serde::{Serialize, de::DeserializeOwned};

use super::{frame, msgpack};
use crate::{
    error::{Error, Result},
    id::RequestId,
};

/// More keys than any operation has, and few enough to be compared with each other.
const KEYS_MAX: u64 = 64;
/// So many are compared without asking for memory.
const KEYS_USUAL: usize = 8;
/// How much of a name or a value that is wrong is told.
const SHOWN_BYTES_MAX: usize = 100;
const TIMEOUT_MS_MAX: u64 = 86_400_000;

/// A request whose arguments are not looked at yet.
pub struct Request<'a> {
    pub op: &'a str,
    pub timeout_ms: Option<u64>,
    pub arguments: Arguments,
}

/// The arguments of a request, still encoded, as one map without nils.
#[derive(Default, Clone)]
pub struct Arguments {
    count: u32,
    pairs: Vec<u8>,
}

impl<'a> Request<'a> {
    /// Reads a frame's body. The id comes also where the rest is wrong, for the reply to carry it.
    pub fn read(body: &'a [u8]) -> (Option<RequestId>, Result<Request<'a>>) {
        let mut id = None;
        let request = Request::read_keys(body, &mut id);
        (id, request)
    }

    fn read_keys(body: &'a [u8], id: &mut Option<RequestId>) -> Result<Request<'a>> {
        let flaw = |flaw| Error::bad_request(format!("the request is no sound msgpack: {flaw}"));
        let (count, mut at) = msgpack::map(body).map_err(flaw)?;
        if KEYS_MAX < count {
            return Err(Error::bad_request(format!("the request has more than {KEYS_MAX} keys")));
        }
        let (mut seen, mut seen_more) = ([None; KEYS_USUAL], Vec::new());
        let (mut op, mut timeout_ms, mut arguments) = (None, None, Arguments::default());
        // The id is read even where an earlier key is wrong; the first mistake is reported.
        let mut mistake = None;
        for index in 0..count as usize {
            let key_at = at;
            let key = msgpack::value(body, key_at).map_err(flaw)?;
            let value = msgpack::value(body, key.end).map_err(flaw)?;
            at = value.end;
            let Some(name) = msgpack::text(&body[key]) else {
                mistake.get_or_insert(Error::bad_request("a key of the request is no string"));
                continue;
            };
            if seen.contains(&Some(name)) || seen_more.contains(&name) {
                let twice = Error::bad_request(format!("the request has `{name}` twice"));
                mistake.get_or_insert(twice.with("field", name));
                continue;
            }
            match seen.get_mut(index) {
                Some(place) => *place = Some(name),
                None => seen_more.push(name),
            }
            let bytes = &body[value];
            match name {
                _ if bytes == [0xc0] => (),
                "op" => op = Some(bytes),
                "id" => match rmp_serde::from_slice(bytes) {
                    Ok(read) => *id = Some(read),
                    Err(error) => {
                        mistake.get_or_insert(told("id", &error.to_string()));
                    }
                },
                "timeout_ms" => match read_timeout(bytes) {
                    Ok(read) => timeout_ms = Some(read),
                    Err(error) => {
                        mistake.get_or_insert(error);
                    }
                },
                _ => arguments.push(&body[key_at..at]),
            }
        }
        if at != body.len() {
            return Err(flaw("bytes follow the map"));
        }
        if let Some(mistake) = mistake {
            return Err(mistake);
        }
        let Some(op) = op else {
            return Err(Error::bad_request("the request has no `op`").with("field", "op"));
        };
        let op = msgpack::text(op).or_else(|| rmp_serde::from_slice(op).ok());
        let op = op.ok_or_else(|| Error::bad_request("`op` is no text").with("field", "op"))?;
        Ok(Request { op, timeout_ms, arguments })
    }
}

fn read_timeout(bytes: &[u8]) -> Result<u64> {
    match rmp_serde::from_slice(bytes) {
        Ok(read @ 1..=TIMEOUT_MS_MAX) => Ok(read),
        _ => {
            let message = format!("`timeout_ms` is a whole number from 1 to {TIMEOUT_MS_MAX}");
            Err(Error::bad_request(message).with("field", "timeout_ms"))
        }
    }
}

impl Arguments {
    fn push(&mut self, pair: &[u8]) {
        self.count += 1;
        self.pairs.extend_from_slice(pair);
    }

    pub fn has(&self, name: &str) -> bool {
        self.iter().any(|(it, _)| it == name)
    }

    /// One argument by itself.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let pair = self.iter().find(|(it, _)| *it == name);
        let Some((_, pair)) = pair else { return Ok(None) };
        let value = &pair[msgpack::value(pair, 0).map_or(0, |it| it.end)..];
        let read = rmp_serde::from_slice(value);
        read.map(Some).map_err(|error| told(name, &error.to_string()))
    }

    pub fn without(&self, name: &str) -> Arguments {
        let mut rest = Arguments::default();
        self.iter().filter(|(it, _)| *it != name).for_each(|(_, pair)| rest.push(pair));
        rest
    }

    pub fn add(&mut self, name: &str, value: &impl Serialize) {
        let pair = [encoded(name), encoded(value)].concat();
        self.push(&pair);
    }

    /// Names, and the pairs they are in.
    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let mut at = 0;
        std::iter::from_fn(move || {
            // They were found sound when they were read.
            let key = msgpack::value(&self.pairs, at).ok()?;
            let value = msgpack::value(&self.pairs, key.end).ok()?;
            let pair = &self.pairs[at..value.end];
            at = value.end;
            Some((msgpack::text(&self.pairs[key])?, pair))
        })
    }

    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Decodes the arguments; the error names the field that is wrong.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        let mut map = Vec::with_capacity(self.pairs.len() + 5);
        encode::write_map_len(&mut map, self.count).expect("writing to memory does not fail");
        map.extend_from_slice(&self.pairs);
        rmp_serde::from_slice(&map).map_err(|_| explain::<T>(&map))
    }
}

/// Decodes once more, slowly, to tell where it fails.
fn explain<T: DeserializeOwned>(map: &[u8]) -> Error {
    let Some((path, message)) = failure::<T>(map) else {
        return Error::internal("the arguments decode only when looked at closely");
    };
    let mut named = message.split('`').skip(1).step_by(2);
    let name = cut(named.next().unwrap_or_default());
    let known: Vec<&str> = named.collect();
    // Arguments in arguments are named with their path.
    let field = match &*path {
        "" => name.clone(),
        path if path == name || path.ends_with(&format!(".{name}")) => path.to_owned(),
        path => format!("{path}.{name}"),
    };
    if message.starts_with("unknown field") {
        let mut why = format!("no argument is called `{field}`");
        let nearest = nearest(&name, known.iter().copied());
        if nearest.is_none() && !known.is_empty() {
            why.push_str(&format!("; there are `{}`", known.join("`, `")));
        }
        let error = Error::bad_request(why).with("field", field);
        return nearest.into_iter().fold(error, |error, it| error.with("nearest", it));
    }
    if message.starts_with("missing field") {
        return Error::bad_request(format!("`{field}` is missing")).with("field", field);
    }
    told(&path, &message)
}

/// Where decoding fails, and why.
fn failure<T: DeserializeOwned>(map: &[u8]) -> Option<(String, String)> {
    let (path, message, read) = failure_at::<T>(map)?;
    if !message.starts_with("wrong msgpack marker") {
        return Some((path, message));
    }
    // What should have been there is said of a number, also where nobody wants one, and its
    // marker was the last that was read.
    let at = read.saturating_sub(1);
    let end = msgpack::value(map, at).map_or(map.len(), |it| it.end);
    let other = [&map[..at], &encoded(&0.5), &map[end..]].concat();
    let (path, message, _) = failure_at::<T>(&other).unwrap_or((path, message, read));
    Some((path, message))
}

/// The same in the decoder's words, and how many bytes it read.
fn failure_at<T: DeserializeOwned>(map: &[u8]) -> Option<(String, String, usize)> {
    let mut deserializer = rmp_serde::Deserializer::new(io::Cursor::new(map));
    let error = serde_path_to_error::deserialize::<_, T>(&mut deserializer).err()?;
    let path = error.path().to_string();
    let path = if path == "." { String::new() } else { cut(&path) };
    let read = deserializer.position() as usize;
    Some((path, error.into_inner().to_string(), read))
}

/// Why an argument is none, in other words than the decoder's. What was given is not shown: it
/// may be a secret, and as long as the request.
fn told(field: &str, message: &str) -> Error {
    let is_other = ["invalid type", "invalid value", "invalid length"];
    let expected = message.rsplit_once(", expected ").map(|(_, expected)| expected);
    let message = match expected {
        Some(expected) if is_other.iter().any(|it| message.starts_with(it)) => {
            format!("`{field}` is {}", kind(expected))
        }
        _ if message.starts_with("wrong msgpack marker") => {
            format!("`{field}` has the wrong type")
        }
        _ => {
            let value = message.split('`').nth(1).unwrap_or_default();
            format!("`{field}`: {}", message.replace(value, &cut(value)))
        }
    };
    Error::bad_request(message).with("field", field)
}

/// What the decoder calls a kind of value.
fn kind(expected: &str) -> &str {
    match expected {
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "usize" => "a whole number that is not negative",
        "i32" | "i64" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a string" | "a str or bin" | "path string" | "byte array" => "a text",
        expected => expected,
    }
}

/// A name or value, as much of it as is shown.
fn cut(value: &str) -> String {
    let is_end = |it: &usize| value.is_char_boundary(*it);
    match (0..=SHOWN_BYTES_MAX).rev().find(is_end) {
        Some(end) if end < value.len() => format!("{}…", &value[..end]),
        _ => value.to_owned(),
    }
}

/// The name out of `known` that was probably meant by `name`.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let distances = known.into_iter().map(|it| (strsim::damerau_levenshtein(name, it), it));
    let (distance, nearest) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.len().min(nearest.len()) / 3).then_some(nearest)
}

/// Appends the frame `{"id"?: …, "ok": value}` to `output`.
pub fn reply(output: &mut Vec<u8>, id: Option<&RequestId>, value: &[u8]) {
    let start = begin(output, id, 1);
    encode::write_str(output, "ok").expect("writing to memory does not fail");
    output.extend_from_slice(value);
    frame::seal(&mut output[start..]);
}

/// Appends the frame `{"id"?: …, "err": message, "code": code, …details}` to `output`.
pub fn refusal(output: &mut Vec<u8>, id: Option<&RequestId>, error: &Error) {
    let start = begin(output, id, 2 + error.details().len() as u32);
    // The error's own map, without its head, which has one byte for so few entries.
    output.extend_from_slice(&encoded(error)[1..]);
    frame::seal(&mut output[start..]);
}

/// Appends a frame without an envelope of its own: an event.
pub fn event(output: &mut Vec<u8>, event: &impl Serialize) {
    let start = output.len();
    output.extend_from_slice(&[0; frame::LENGTH_BYTES]);
    output.extend_from_slice(&encoded(event));
    frame::seal(&mut output[start..]);
}

/// The same with what is in an encoded map behind it; both have few entries.
pub fn event_with(output: &mut Vec<u8>, event: &impl Serialize, map: &[u8]) {
    let start = output.len();
    output.extend_from_slice(&[0; frame::LENGTH_BYTES]);
    let head = encoded(event);
    output.push(head[0] + (map[0] & 0x0f));
    output.extend_from_slice(&head[1..]);
    output.extend_from_slice(&map[1..]);
    frame::seal(&mut output[start..]);
}

fn begin(output: &mut Vec<u8>, id: Option<&RequestId>, entries: u32) -> usize {
    let start = output.len();
    output.extend_from_slice(&[0; frame::LENGTH_BYTES]);
    let count = entries + u32::from(id.is_some());
    encode::write_map_len(output, count).expect("writing to memory does not fail");
    if let Some(id) = id {
        encode::write_str(output, "id").expect("writing to memory does not fail");
        id.serialize(&mut rmp_serde::Serializer::new(output))
            .expect("writing to memory does not fail");
    }
    start
}

/// A value as msgpack, structs as maps.
pub fn encoded(value: &(impl Serialize + ?Sized)) -> Vec<u8> {
    rmp_serde::to_vec_named(value).expect("what the program itself made can be encoded")
}

#[cfg(test)]
mod tests;
