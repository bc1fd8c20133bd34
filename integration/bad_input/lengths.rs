//! A length nobody can follow ends the daemon in order: one error frame, what was taken finished,
//! a status other than 0.

use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, End, request_frame},
    msgpack,
    processes::{PATIENCE, resident_bytes_max, until, until_still},
};

/// A request of exactly so many bytes that is answered with an error of its own.
fn request_of(bytes: usize) -> Vec<u8> {
    let request = |padding: usize| {
        msgpack::encode(&json!({"op": "nothing", "id": 1, "padding": "x".repeat(padding)}))
    };
    // The header of a text grows with it; from 65,536 bytes on it has five bytes.
    let least = request(0).len() - 1;
    let header = [(31, 1), (255, 2), (65_535, 3), (usize::MAX, 5)];
    let padding = header.iter().find_map(|(most, header)| {
        let padding = bytes - least - header;
        (padding <= *most).then_some(padding)
    });
    let payload = request(padding.unwrap());
    assert_eq!(payload.len(), bytes);
    payload
}

/// The one frame without an id that tells of a stream that cannot be followed.
fn last_words(end: &End) -> &Value {
    assert!(!end.status.success(), "the status was {}", end.status);
    let without_id: Vec<&Value> =
        end.frames.iter().filter(|frame| frame.get("id").is_none()).collect();
    assert_eq!(without_id.len(), 1, "{:?}", end.frames);
    assert!(without_id[0]["err"].is_string());
    without_id[0]
}

#[test]
fn an_empty_body_is_a_bad_request_and_the_daemon_lives() {
    let mut daemon = Daemon::start();
    for _ in 0..3 {
        daemon.send_payload(b"");
        let reply = daemon.receive();
        assert_eq!(reply["code"], "bad_request");
        assert_eq!(reply.get("id"), None);
    }
    daemon.ok(json!({"op": "ping"}));
}

#[test]
fn a_body_of_one_byte_is_a_bad_request_and_the_daemon_lives() {
    let mut daemon = Daemon::start();
    for byte in 0..=u8::MAX {
        daemon.send_payload(&[byte]);
        let reply = daemon.receive();
        assert_eq!(reply["code"], "bad_request", "{byte:#x}");
    }
    daemon.ok(json!({"op": "ping"}));
}

#[test]
fn a_request_as_long_as_the_limit_is_read() {
    let mut daemon = Daemon::start_with(&["--request-bytes-max", "4096"]);
    daemon.send_payload(&request_of(4096));
    let reply = daemon.receive();
    assert_eq!((&reply["id"], &reply["code"]), (&json!(1), &json!("unknown_operation")));
    daemon.ok(json!({"op": "ping"}));

    let mut daemon = Daemon::start();
    daemon.send_payload(&request_of(16 << 20));
    let reply = daemon.receive();
    assert_eq!((&reply["id"], &reply["code"]), (&json!(1), &json!("unknown_operation")));
    daemon.ok(json!({"op": "ping"}));
}

#[test]
fn a_length_beyond_the_limit_ends_the_daemon_after_what_it_has_taken() {
    for (flags, limit) in [(&["--request-bytes-max", "4096"][..], 4096), (&[], 16 << 20)] {
        for length in [limit + 1, 0x7fff_ffff, 0xffff_ffff_u32] {
            let mut daemon = Daemon::start_with(flags);
            daemon.send(json!({"op": "fault", "kind": "stall", "ms": 200, "id": 1}));
            daemon.send_bytes(&length.to_be_bytes());
            let end = daemon.rest();
            let words = last_words(&end);
            assert_eq!(words["code"], "too_large");
            assert_eq!(words["bytes"], length);
            assert_eq!(words["limit"], limit);
            assert_eq!(end.frames.len(), 2, "{:?}", end.frames);
            assert!(end.frames.contains(&json!({"id": 1, "ok": true})), "{:?}", end.frames);
        }
    }
}

#[test]
fn what_a_length_claims_is_not_allocated_before_it_is_there() {
    let mut daemon = Daemon::start_with(&["--request-bytes-max", "1073741824"]);
    daemon.ok(json!({"op": "ping"}));
    let before = resident_bytes_max(daemon.id());
    daemon.send_bytes(&0x3fff_fffe_u32.to_be_bytes());
    daemon.send_bytes(&[0x81; 100_000]);
    until_still(daemon.id());
    let after = resident_bytes_max(daemon.id());
    assert!(after < before + (16 << 20), "{before} grew to {after}");
    let end = daemon.end();
    assert_eq!(last_words(&end)["code"], "bad_request");
}

#[test]
fn an_end_within_a_header_is_told() {
    for length in 1..4 {
        let mut daemon = Daemon::start();
        daemon.send(json!({"op": "fault", "kind": "stall", "ms": 100, "id": 1}));
        daemon.send_bytes(&vec![0; length]);
        let end = daemon.end();
        assert_eq!(last_words(&end)["code"], "bad_request");
        assert!(end.frames.contains(&json!({"id": 1, "ok": true})), "{:?}", end.frames);
    }
}

#[test]
fn an_end_within_a_body_is_told() {
    let whole = request_frame(&json!({"op": "ping", "id": 2}));
    for length in 4..whole.len() {
        let mut daemon = Daemon::start();
        daemon.send(json!({"op": "fault", "kind": "stall", "ms": 20, "id": 1}));
        daemon.send_bytes(&whole[..length]);
        let end = daemon.end();
        assert_eq!(last_words(&end)["code"], "bad_request");
        assert_eq!(end.frames.len(), 2, "{:?}", end.frames);
    }
}

#[test]
fn a_stream_that_is_no_stream_of_frames_ends_the_daemon() {
    let mut daemon = Daemon::start();
    daemon.send_bytes(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let end = daemon.end();
    assert_eq!(last_words(&end)["code"], "too_large");
}

#[test]
fn after_a_length_that_cannot_be_followed_the_client_need_not_close() {
    let mut daemon = Daemon::start();
    daemon.send_bytes(&u32::MAX.to_be_bytes());
    assert_eq!(daemon.receive()["code"], "too_large");
    assert!(!daemon.exit().success());
}

#[test]
fn a_frame_may_come_byte_by_byte() {
    let mut daemon = Daemon::start();
    for byte in request_frame(&json!({"op": "ping", "id": 1})) {
        let mut sent = 0;
        until("the pipe takes a byte", PATIENCE, || {
            sent = daemon.offer_bytes(&[byte]);
            sent == 1
        });
    }
    assert_eq!(daemon.receive(), json!({"id": 1, "ok": "pong"}));
}

#[test]
fn a_reply_beyond_its_limit_is_too_large_and_the_daemon_lives() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("large"), vec![0; 9000]).unwrap();
    let mut daemon = Daemon::start_with(&["--reply-bytes-max", "10000"]);
    let request = |encoding: &str, id: u32| {
        json!({"op": "read", "path": folder.path(), "file": "large", "encoding": encoding,
               "id": id})
    };
    let reply = daemon.refused("too_large", request("base64", 1));
    assert_eq!((&reply["id"], &reply["limit"]), (&json!(1), &json!(10_000)));
    assert!(reply["bytes"].as_u64().unwrap() > 10_000, "{reply}");
    daemon.ok(request("binary", 2));
}
