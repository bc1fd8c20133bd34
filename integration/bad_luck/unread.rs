//! A client that stops reading costs bounded memory, and gets all its replies when it reads again.

use std::fs;

use serde_json::json;
use tempfile::TempDir;

use crate::{
    daemon::{Daemon, request_frame},
    processes::{resident_bytes_max, until_still},
};

#[test]
fn large_replies_nobody_reads_do_not_pile_up() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("large"), vec![7; 4 << 20]).unwrap();
    let mut daemon = Daemon::start();
    let count = 100;
    for id in 0..count {
        let request = json!({"op": "read", "path": folder.path(), "file": "large", "id": id,
                             "encoding": "binary"});
        let frame = request_frame(&request);
        assert_eq!(daemon.offer_bytes(&frame), frame.len(), "the pipe takes a few requests");
    }
    until_still(daemon.id());
    let most = resident_bytes_max(daemon.id());
    assert!(most < 128 << 20, "{most} bytes for {count} replies of 4 MiB");
    let mut seen = vec![false; count];
    for _ in 0..count {
        let reply = daemon.receive();
        let id = reply["id"].as_u64().unwrap() as usize;
        assert!(!std::mem::replace(&mut seen[id], true), "{id} twice");
        let answered = reply["ok"]["bin"].as_str().is_some_and(|text| text.len() == 4 << 20);
        assert!(answered || reply["code"] == "busy", "{}", reply["code"]);
    }
    daemon.ok(json!({"op": "ping"}));
    assert!(daemon.end().status.success());
}

#[test]
fn small_replies_nobody_reads_do_not_pile_up() {
    let mut daemon = Daemon::start();
    let stream: Vec<u8> =
        (0..100_000).flat_map(|id| request_frame(&json!({"op": "ping", "id": id}))).collect();
    let mut sent = 0;
    loop {
        let count = daemon.offer_bytes(&stream[sent..]);
        sent += count;
        if sent == stream.len() {
            break;
        }
        if count == 0 {
            until_still(daemon.id());
            let more = daemon.offer_bytes(&stream[sent..]);
            sent += more;
            if more == 0 {
                break;
            }
        }
    }
    until_still(daemon.id());
    let most = resident_bytes_max(daemon.id());
    assert!(most < 48 << 20, "{most} bytes for replies of 20 bytes");
    daemon.send_bytes(&stream[sent..]);
    for id in 0..100_000 {
        let reply = daemon.receive();
        assert!(reply["ok"] == "pong" || reply["code"] == "busy", "{id}: {reply}");
    }
    assert!(daemon.end().status.success());
}

#[test]
fn replies_in_order_that_nobody_reads_do_not_pile_up() {
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("large"), vec![7; 4 << 20]).unwrap();
    let mut daemon = Daemon::start();
    let request =
        json!({"op": "read", "path": folder.path(), "file": "large", "encoding": "binary"});
    let frame = request_frame(&request);
    let count = 80;
    for _ in 0..count {
        assert_eq!(daemon.offer_bytes(&frame), frame.len());
    }
    until_still(daemon.id());
    let most = resident_bytes_max(daemon.id());
    assert!(most < 128 << 20, "{most} bytes for {count} replies of 4 MiB");
    for _ in 0..count {
        assert_eq!(daemon.receive()["ok"]["bin"].as_str().unwrap().len(), 4 << 20);
    }
}
