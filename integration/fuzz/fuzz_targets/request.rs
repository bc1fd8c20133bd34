//! No body makes the envelope panic; the id comes also where the rest is wrong, and what is
//! answered is a sound frame with that id.
#![no_main]

use gitport_fuzz::{
    error::Code,
    id::{ID_BYTES_MAX, RequestId},
    port::{
        envelope::{self, Request},
        frame::LENGTH_BYTES,
        msgpack,
    },
};
use libfuzzer_sys::fuzz_target;
use rmpv::Value;
use serde::{Deserialize, de::IgnoredAny};

const KEYS_MAX: u64 = 64;

/// Arguments of the kinds that operations have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only decoded")]
struct Arguments {
    path: String,
    #[serde(default)]
    paths: Vec<String>,
    limit: Option<u32>,
    auth: Option<Auth>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(dead_code, reason = "only decoded")]
struct Auth {
    username: String,
    password: Option<String>,
}

fuzz_target!(|body: &[u8]| {
    let (id, request) = Request::read(body);
    assert_eq!(id, expected_id(body));
    let mut frame = Vec::new();
    match request {
        Ok(request) => {
            assert_eq!(msgpack::value(body, 0), Ok(0..body.len()));
            assert!(request.timeout_ms.is_none_or(|it| 0 < it));
            if let Err(error) = request.arguments.decode::<Arguments>() {
                assert_eq!(error.code, Code::BadRequest, "{error}");
                envelope::refusal(&mut frame, id.as_ref(), &error);
                check_reply(&frame, id.as_ref(), "err");
            }
            // Whatever they are, they are whole.
            let _ = request.arguments.decode::<IgnoredAny>();
            frame.clear();
            envelope::reply(&mut frame, id.as_ref(), &envelope::encoded(request.op));
            check_reply(&frame, id.as_ref(), "ok");
        }
        Err(error) => {
            assert_eq!(error.code, Code::BadRequest, "{error}");
            envelope::refusal(&mut frame, id.as_ref(), &error);
            check_reply(&frame, id.as_ref(), "err");
        }
    }
});

/// The first `id` of all pairs before the first that is unsound.
fn expected_id(body: &[u8]) -> Option<RequestId> {
    let (count, mut at) = msgpack::map(body).ok().filter(|(count, _)| *count <= KEYS_MAX)?;
    for _ in 0..count {
        let key = msgpack::value(body, at).ok()?;
        let value = msgpack::value(body, key.end).ok()?;
        at = value.end;
        if decoded(&body[key]) == Value::from("id") {
            return meant(&decoded(&body[value]));
        }
    }
    None
}

fn decoded(mut bytes: &[u8]) -> Value {
    rmpv::decode::read_value(&mut bytes).expect("the walker took it")
}

fn meant(value: &Value) -> Option<RequestId> {
    match value {
        Value::Integer(number) => match number.as_u64() {
            Some(number) => Some(RequestId::Unsigned(number)),
            None => number.as_i64().map(RequestId::Negative),
        },
        Value::String(text) => {
            let text = text.as_str().filter(|it| (1..=ID_BYTES_MAX).contains(&it.len()))?;
            Some(RequestId::Text(text.into()))
        }
        _ => None,
    }
}

fn check_reply(frame: &[u8], id: Option<&RequestId>, key: &str) {
    let (length, body) = frame.split_at(LENGTH_BYTES);
    assert_eq!(length, (body.len() as u32).to_be_bytes());
    assert_eq!(msgpack::value(body, 0), Ok(0..body.len()));
    let Value::Map(pairs) = decoded(body) else { panic!("a reply is a map") };
    let field = |name: &str| {
        pairs.iter().find(|(key, _)| key.as_str() == Some(name)).map(|(_, value)| value)
    };
    assert_eq!(field("id").and_then(meant).as_ref(), id);
    assert!(field(key).is_some());
}
