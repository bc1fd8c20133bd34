//! A sound frame with a bad body costs one error reply.

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    msgpack::encode,
    processes::{resident_bytes_max, until_still},
};

/// Sends each body and wants `bad_request`, with this id, and a daemon that lives.
fn check(id: Option<u64>, bodies: &[Vec<u8>]) {
    let mut daemon = Daemon::start();
    for body in bodies {
        daemon.send_payload(body);
        let reply = daemon.receive();
        let shown = body[..body.len().min(60)].escape_ascii();
        assert_eq!(reply["code"], "bad_request", "{shown} got {reply}");
        assert_eq!(reply.get("id").and_then(Value::as_u64), id, "{shown} got {reply}");
        assert!(reply["err"].is_string(), "{reply}");
    }
    assert_eq!(daemon.call(json!({"op": "ping", "id": 1})), json!({"id": 1, "ok": "pong"}));
}

/// A map of these pieces, each a key or a value already encoded.
fn map(pieces: &[&[u8]]) -> Vec<u8> {
    let count = u8::try_from(pieces.len() / 2).unwrap();
    [&[0x80 | count], &pieces.concat()[..]].concat()
}

const OP: &[u8] = b"\xa2op";
const ID: &[u8] = b"\xa2id";
const PING: &[u8] = b"\xa4ping";

#[test]
fn what_is_no_map_is_a_bad_request() {
    let others = [json!(null), json!(1), json!("ping"), json!([]), json!([["op", "ping"]])];
    check(None, &others.map(|value| encode(&value)));
}

#[test]
fn bytes_after_the_map_are_a_bad_request_with_its_id() {
    let ping = map(&[OP, PING, ID, b"\x07"]);
    check(Some(7), &[[&ping[..], b"\0"].concat(), [&ping[..], &ping[..]].concat()]);
}

#[test]
fn a_key_that_comes_twice_is_a_bad_request() {
    check(Some(7), &[map(&[ID, b"\x07", OP, PING, OP, PING])]);
    let file: &[u8] = b"\xa4file";
    let read: &[u8] = b"\xa4read";
    check(Some(7), &[map(&[ID, b"\x07", OP, read, file, PING, file, PING])]);
}

#[test]
fn a_key_that_is_no_text_is_a_bad_request() {
    for key in [&b"\x01"[..], b"\xc0", b"\xc4\x02xy", b"\x90", b"\xa2\xff\xfe"] {
        check(Some(7), &[map(&[ID, b"\x07", OP, PING, key, b"\x01"])]);
    }
}

#[test]
fn a_request_without_an_operation_is_a_bad_request() {
    check(Some(7), &[map(&[ID, b"\x07"])]);
    check(None, &[map(&[])]);
    for operation in [json!(null), json!(1), json!(["ping"]), json!({})] {
        check(Some(7), &[encode(&json!({"id": 7, "op": operation}))]);
    }
}

#[test]
fn a_body_that_ends_too_early_is_a_bad_request() {
    let whole = encode(&json!({"op": "read", "path": "/none", "files": ["a", "b"], "offset": 300}));
    let torn: Vec<Vec<u8>> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
    check(None, &torn);
}

#[test]
fn a_claim_of_four_thousand_million_elements_costs_nothing() {
    let mut daemon = Daemon::start();
    daemon.ok(json!({"op": "ping"}));
    let before = resident_bytes_max(daemon.id());
    for kind in [0xc6, 0xc9, 0xdb, 0xdd, 0xdf] {
        let claim = [kind, 0xff, 0xff, 0xff, 0xff];
        for body in [claim.to_vec(), map(&[b"\xa4file", &claim])] {
            daemon.send_payload(&body);
            assert_eq!(daemon.receive()["code"], "bad_request");
        }
    }
    until_still(daemon.id());
    let after = resident_bytes_max(daemon.id());
    assert!(after < before + (16 << 20), "{before} grew to {after}");
}

#[test]
fn a_body_nested_a_hundred_thousand_deep_is_a_bad_request() {
    let deep = |opening: &[u8]| [&opening.repeat(100_000)[..], b"\xc0"].concat();
    let arrays = deep(b"\x91");
    let maps = deep(b"\x81\xa1x");
    let keys = deep(b"\x81");
    let wide = [&b"\xdc\x00\x02".repeat(100_000)[..], &b"\xc0".repeat(100_001)[..]].concat();
    for bomb in [arrays, maps, keys, wide] {
        check(None, std::slice::from_ref(&bomb));
        check(Some(7), &[map(&[ID, b"\x07", OP, PING, b"\xa1x", &bomb])]);
        check(Some(7), &[map(&[ID, b"\x07", OP, b"\xa4read", b"\xa4file", &bomb])]);
        let requests: &[u8] = b"\xa8requests";
        check(Some(7), &[map(&[ID, b"\x07", OP, b"\xa5batch", requests, &bomb])]);
    }
}

#[test]
fn extension_types_are_a_bad_request() {
    for extension in [&b"\xd4\x01\x00"[..], b"\xc7\x00\x05", b"\xd6\xff\0\0\0\0"] {
        check(Some(7), &[map(&[ID, b"\x07", OP, PING, b"\xa1x", extension])]);
        check(Some(7), &[map(&[ID, b"\x07", OP, extension])]);
    }
}

#[test]
fn garbage_gets_one_error_for_each_frame() {
    let mut state: u64 = 7;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    let mut daemon = Daemon::start();
    for _ in 0..2000 {
        let mut body: Vec<u8> = (0..usize::from(byte()) % 60).map(|_| byte()).collect();
        // Half of them look like a map at first.
        if let Some(first) = body.first_mut().filter(|first| **first % 2 == 0) {
            *first = 0x80 | (*first >> 1 & 0x0f);
        }
        daemon.send_payload(&body);
        let reply = daemon.receive();
        assert_eq!(reply["code"], "bad_request", "{} got {reply}", body.escape_ascii());
    }
    assert_eq!(daemon.end().frames.len(), 0);
}

#[test]
fn a_request_with_each_of_its_bytes_changed_gets_one_reply() {
    let whole = encode(&json!({"op": "hello", "id": "an id", "protocol": 1, "client": "me"}));
    let mut daemon = Daemon::start();
    for at in 0..whole.len() {
        for change in [0x01, 0x10, 0x80, 0xff] {
            let mut body = whole.clone();
            body[at] ^= change;
            daemon.send_payload(&body);
            let reply = daemon.receive();
            let known = reply.get("ok").is_some() || reply["code"].is_string();
            assert!(known, "{} got {reply}", body.escape_ascii());
        }
    }
    assert_eq!(daemon.end().frames.len(), 0);
}
