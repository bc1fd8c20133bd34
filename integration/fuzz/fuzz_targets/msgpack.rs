//! The walker never reads outside, and agrees with two decoders about what is sound and where it
//! ends; it refuses more than they do only where the contract says so.
#![no_main]

use gitport_fuzz::port::msgpack::{self, DEPTH_MAX};
use libfuzzer_sys::fuzz_target;
use rmpv::Value;
use serde::de::IgnoredAny;

fuzz_target!(|bytes: &[u8]| {
    for at in [0, 1, bytes.len() / 2, bytes.len(), usize::MAX] {
        check(bytes, at);
    }
    check_map(bytes);
    if let Some((first, rest)) = bytes.split_first() {
        // In as many lists as are hardly ever met by chance.
        let lists = usize::from(*first) % (DEPTH_MAX + 2);
        check(&[&vec![0x91; lists], rest].concat(), 0);
    }
});

fn check(bytes: &[u8], at: usize) {
    let mut rest = bytes.get(at..).unwrap_or_default();
    let before = rest.len();
    let decoded = rmpv::decode::read_value(&mut rest);
    match (msgpack::value(bytes, at), decoded) {
        (Ok(range), Ok(value)) => {
            assert_eq!(range, at..at + before - rest.len(), "{value}");
            assert!(!is_extended(&value), "{value}");
            // The map of the request itself is a level that the walker does not see.
            assert!(depth(&value) < DEPTH_MAX, "{value}");
            let whole = &bytes[range];
            rmp_serde::from_slice::<IgnoredAny>(whole).expect("both others take it");
            assert_eq!(msgpack::text(whole), value.as_str());
        }
        (Ok(range), Err(error)) => panic!("{range:?} is taken: {error}"),
        (Err(RESERVED), _) => assert!(bytes.contains(&0xc1)),
        (Err(flaw), Ok(value)) => {
            assert!(is_extended(&value) || DEPTH_MAX <= depth(&value), "{flaw}: {value}");
        }
        (Err(_), Err(_)) => (),
    }
}

/// What the decoders take for nil.
const RESERVED: &str = "it has a type that msgpack reserves";

fn check_map(bytes: &[u8]) {
    let mut rest = bytes;
    let decoded = rmp::decode::read_map_len(&mut rest);
    match (msgpack::map(bytes), decoded) {
        (Ok((count, at)), Ok(expected)) => {
            assert_eq!((count, at), (u64::from(expected), bytes.len() - rest.len()));
        }
        (Err(_), Err(_)) => (),
        (walked, decoded) => panic!("{walked:?}, {decoded:?}"),
    }
}

fn is_extended(value: &Value) -> bool {
    match value {
        Value::Ext(..) => true,
        Value::Array(values) => values.iter().any(is_extended),
        Value::Map(pairs) => pairs.iter().any(|(key, it)| is_extended(key) || is_extended(it)),
        _ => false,
    }
}

/// How many arrays and maps are in each other.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or(0),
        Value::Map(pairs) => {
            1 + pairs.iter().flat_map(|(key, it)| [depth(key), depth(it)]).max().unwrap_or(0)
        }
        _ => 0,
    }
}
