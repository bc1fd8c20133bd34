//! Servers that speak S3: one that keeps what it has, and one that does not, which is refused.

use std::{
    fs,
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{definition, expect_a_store, getting, publishing, races::race};
use crate::{
    daemon::Daemon,
    servers::{
        s3::{BUCKET, Fate, Front, KEY, S3},
        tls::Authority,
    },
    skipped,
};

const SECRET: &str = "a-secret-access-key-of-the-suite";

/// The bucket of a server, below a prefix of its own.
fn place(endpoint: &str, prefix: &str) -> Value {
    json!({"store": {"s3": {"bucket": BUCKET, "endpoint": endpoint, "prefix": prefix,
        "access_key_id": "suite", "secret_access_key": SECRET}}})
}

/// The server, where the program can speak to it and it is installed.
fn started(server: impl Fn() -> Option<S3>, what: &str) -> Option<S3> {
    if !cfg!(feature = "s3") {
        skipped(what, "the program was built without the feature s3");
        return None;
    }
    let started = server();
    if started.is_none() {
        skipped(what, "its program is not installed");
    }
    started
}

#[test]
fn without_the_feature_it_is_unsupported() {
    if !cfg!(feature = "s3") {
        let request = publishing(&place("http://127.0.0.1:1", "a"), &definition("1.0.0", "a"));
        let refused = Daemon::start().refused("unsupported", request);
        assert_eq!(refused["feature"], "s3");
    }
}

#[test]
fn what_is_published_is_found_by_version_and_range() {
    let Some(server) = started(S3::honest, "a store on S3") else { return };
    let mut daemon = Daemon::start();
    for prefix in ["processes", "team/a b"] {
        expect_a_store(&mut daemon, &place(&server.endpoint(), prefix));
    }
}

#[test]
fn a_bucket_has_one_winner_of_each_version_and_tells_every_other() {
    let Some(server) = started(S3::honest, "sixteen writers on S3") else { return };
    race(&place(&server.endpoint(), "race"));
}

#[test]
fn a_server_that_overwrites_is_refused() {
    let Some(server) = started(S3::careless, "a server that overwrites") else { return };
    let mut place = place(&server.endpoint(), "a");
    for key in ["access_key_id", "secret_access_key"] {
        place["store"]["s3"][key] = json!(KEY);
    }
    let mut daemon = Daemon::start();
    for _ in 0..2 {
        let publish = publishing(&place, &definition("1.0.0", "a"));
        let refused = daemon.refused("unsupported", publish);
        assert_eq!(refused["feature"], "conditional put");
        assert!(refused["err"].as_str().unwrap().contains("overwrites"), "{refused}");
    }
    daemon.refused("not_found", getting(&place, "1.0.0"));
}

#[test]
fn a_server_that_fails_for_a_while_is_asked_again() {
    let Some(server) = started(S3::honest, "an S3 server that fails") else { return };
    let asked = AtomicUsize::new(0);
    let front = Front::of(&server, move |_| match asked.fetch_add(1, Ordering::SeqCst) % 3 {
        0 => Fate::Refused,
        _ => Fate::Served,
    });
    let place = place(&front.endpoint(), "p");
    let mut daemon = Daemon::start();
    let made = daemon.ok(publishing(&place, &definition("1.0.0", "a")));
    assert_eq!(made["created"], true);
    assert_eq!(daemon.ok(getting(&place, "^1"))["content"], definition("1.0.0", "a"));
}

#[test]
fn who_is_not_told_that_it_published_finds_out_and_is_the_winner_all_the_same() {
    let Some(server) = started(S3::honest, "an S3 reply that gets lost") else { return };
    let lost = AtomicUsize::new(0);
    let front = Front::of(&server, move |request| {
        let is_manifest = request.starts_with("PUT") && request.contains("manifest.json");
        match is_manifest && lost.fetch_add(1, Ordering::SeqCst) == 0 {
            true => Fate::Lost,
            false => Fate::Served,
        }
    });
    let mut daemon = Daemon::start();
    let through = place(&front.endpoint(), "p");
    let made = daemon.ok(publishing(&through, &definition("1.0.0", "a")));
    assert_eq!(made["created"], true);
    let other = publishing(&place(&server.endpoint(), "p"), &definition("1.0.0", "b"));
    let refused = daemon.refused("already_exists", other);
    assert_eq!(refused["actual"], made["sha256"]);
}

#[test]
fn a_damaged_object_is_corrupt() {
    let Some(server) = started(S3::honest, "damage on S3") else { return };
    let place = place(&server.endpoint(), "p");
    let mut daemon = Daemon::start();
    let made = daemon.ok(publishing(&place, &definition("1.0.0", "a")));
    let content = format!("p/ship/1.0.0/{}.yaml", made["sha256"].as_str().unwrap());
    for bytes in [&b""[..], definition("1.0.0", "b").as_bytes(), &[b'#'; 5 << 20]] {
        server.put(&content, bytes);
        daemon.refused("corrupt", getting(&place, "1.0.0"));
    }
    server.delete(&content);
    daemon.refused("corrupt", getting(&place, "1.0.0"));
    server.put(&content, definition("1.0.0", "a").as_bytes());
    daemon.ok(getting(&place, "1.0.0"));
    let manifest = format!(
        "{{\"v\":1,\"process\":\"ship\",\"version\":\"1.0.0\",\"digest\":\"{}\",\
         \"sha256\":\"/dev/zero\",\"bytes\":1}}",
        made["digest"].as_str().unwrap()
    );
    server.put("p/ship/1.0.0/manifest.json", manifest.as_bytes());
    daemon.refused("corrupt", getting(&place, "1.0.0"));
    server.put("p/ship/1.0.0/manifest.json", b"{}");
    daemon.refused("corrupt", getting(&place, "1.0.0"));
    daemon.refused("corrupt", publishing(&place, &definition("1.0.0", "a")));
}

#[test]
fn what_was_fetched_is_kept_in_the_data_directory_and_checked() {
    let Some(server) = started(S3::honest, "a cache of what is on S3") else { return };
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let mut daemon = Daemon::start_with(&["--data", data.to_str().unwrap()]);
    let place = place(&server.endpoint(), "p");
    let made = daemon.ok(publishing(&place, &definition("1.0.0", "a")));
    let sha256 = made["sha256"].as_str().unwrap();
    daemon.ok(getting(&place, "1.0.0"));
    server.delete(&format!("p/ship/1.0.0/{sha256}.yaml"));
    assert_eq!(daemon.ok(getting(&place, "1.0.0"))["content"], definition("1.0.0", "a"));
    fs::write(data.join(format!("processes/{sha256}.yaml")), "damaged").unwrap();
    daemon.refused("corrupt", getting(&place, "1.0.0"));
}

#[test]
fn credentials_come_with_the_request_or_the_environment_and_are_shown_nowhere() {
    let Some(server) = started(S3::honest, "credentials of S3") else { return };
    let mut place = place(&server.endpoint(), "p");
    for key in ["access_key_id", "secret_access_key"] {
        place["store"]["s3"].as_object_mut().unwrap().remove(key);
    }
    let publish = publishing(&place, &definition("1.0.0", "a"));
    Daemon::start().refused("unauthorized", publish.clone());
    let variables = [
        ("AWS_ACCESS_KEY_ID", "suite"),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("GITPORT_LOG", "trace"),
    ];
    let mut daemon = Daemon::start_in(TempDir::new().unwrap(), &[], &variables);
    daemon.ok(publish);
    place["store"]["s3"]["bucket"] = json!("none");
    let reply = daemon.refused("not_found", publishing(&place, &definition("1.0.0", "a")));
    assert!(!reply.to_string().contains(SECRET) && !daemon.stderr().contains(SECRET));
}

#[test]
fn a_server_that_is_not_there_or_not_allowed_is_told_as_such() {
    if !cfg!(feature = "s3") {
        return;
    }
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = place(&format!("http://127.0.0.1:{port}"), "p");
    let mut request = getting(&place, "1.0.0");
    let refused = Daemon::start_with(&["--transports", "https"]).refused("denied", request.clone());
    assert_eq!(refused["rule"], "transport");
    request["timeout_ms"] = json!(500);
    let reply = Daemon::start().call(request);
    assert!(reply["code"] == "timeout" || reply["code"] == "unavailable", "{reply}");
    let mut daemon = Daemon::start();
    for (field, value) in [
        ("endpoint", "ftp://a"),
        ("endpoint", "a"),
        ("endpoint", "http://user:pass@127.0.0.1"),
        ("endpoint", "http://[::1"),
        ("bucket", "../x"),
        ("bucket", ""),
        ("region", "a\nb"),
        ("access_key_id", "a\nb"),
        ("session_token", "a\r\nb: c"),
    ] {
        let mut request = getting(&place, "1.0.0");
        request["store"]["s3"][field] = json!(value);
        let refused = daemon.refused("bad_request", request);
        assert_eq!(refused["field"], format!("store.s3.{field}"));
    }
}

#[test]
fn a_server_is_spoken_to_over_tls_only_if_it_is_trusted() {
    let authority = Authority::new();
    let certificate = authority.sign("IP:127.0.0.1");
    let server = || S3::encrypted(&certificate);
    let Some(server) = started(server, "S3 over TLS") else { return };
    let mut place = place(&server.endpoint(), "p");
    let mut daemon = Daemon::start();
    let mut request = getting(&place, "1.0.0");
    request["timeout_ms"] = json!(20_000);
    let reply = daemon.call(request);
    assert!(reply["code"] == "unavailable" || reply["code"] == "timeout", "{reply}");
    place["store"]["s3"]["ca"] = json!(authority.certificate());
    let published = daemon.ok(publishing(&place, &definition("1.0.0", "a")));
    assert_eq!(daemon.ok(getting(&place, "1.0.0"))["sha256"], published["sha256"]);
}

#[test]
fn a_server_that_is_called_otherwise_than_its_certificate_says_is_not_trusted() {
    let authority = Authority::new();
    let certificate = authority.sign("IP:127.0.0.2");
    let server = || S3::encrypted(&certificate);
    let Some(server) = started(server, "S3 over TLS") else { return };
    let mut place = place(&server.endpoint(), "p");
    place["store"]["s3"]["ca"] = json!(authority.certificate());
    let mut request = getting(&place, "1.0.0");
    request["timeout_ms"] = json!(20_000);
    let reply = Daemon::start().call(request);
    assert!(reply["code"] == "unavailable" || reply["code"] == "timeout", "{reply}");
}
