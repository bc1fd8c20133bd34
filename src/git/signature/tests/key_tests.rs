//! Where keys come from, and what is wrong with them.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{KINDS, Keys, PAYLOAD, Signer, Status, allowed, by_file, judged, refused, run};
use crate::{error::Code, git::signature::SignWith};

const PASSPHRASE: &str = "correct horse";

fn code(with: &SignWith) -> Code {
    let error = Signer::new(with).unwrap_err();
    assert!(!format!("{error} {error:?} {with:?}").contains(PASSPHRASE), "{error}");
    error.code
}

#[test]
fn a_passphrase_opens_a_key_from_a_file_or_a_text() {
    let keys = Keys::new();
    for (index, kind) in KINDS.iter().enumerate() {
        let key = keys.generate(&format!("key{index}"), kind, PASSPHRASE);
        let text = fs::read_to_string(&key).unwrap();
        let by_text = |passphrase: Option<&str>| SignWith::Key {
            key: text.clone(),
            passphrase: passphrase.map(str::to_owned),
        };
        for with in [by_file(&key, Some(PASSPHRASE)), by_text(Some(PASSPHRASE))] {
            let armored = Signer::new(&with).unwrap().sign("git", PAYLOAD).unwrap();
            assert!(keys.keygen_verifies(&armored, &allowed(&key, ""), &[]), "{kind:?}");
        }
        assert_eq!(code(&by_file(&key, None)), Code::Unauthorized);
        assert_eq!(code(&by_file(&key, Some("battery staple"))), Code::Unauthorized);
        assert_eq!(code(&by_text(Some(""))), Code::Unauthorized);
    }
}

#[test]
fn every_cipher_of_ssh_keygen_is_opened() {
    let keys = Keys::new();
    for cipher in ["aes256-cbc", "aes128-ctr", "aes256-gcm@openssh.com"] {
        let kind = ["-t", "ed25519", "-Z", cipher];
        let key = keys.generate(cipher.split('@').next().unwrap(), &kind, PASSPHRASE);
        assert!(Signer::new(&by_file(&key, Some(PASSPHRASE))).is_ok(), "{cipher}");
        assert_eq!(code(&by_file(&key, Some("wrong"))), Code::Unauthorized, "{cipher}");
    }
}

#[test]
fn an_ecdsa_key_may_begin_with_zeros() {
    let keys = Keys::new();
    // Half of these do.
    for index in 0..12 {
        let key = keys.generate(&format!("key{index}"), KINDS[3], "");
        let armored = Signer::new(&by_file(&key, None)).unwrap().sign("git", PAYLOAD).unwrap();
        assert_eq!(judged(&armored, &allowed(&key, "")).status, Status::Good);
    }
}

#[test]
fn a_signature_may_begin_with_zeros() {
    let keys = Keys::new();
    let key = keys.generate("key", KINDS[1], "");
    let signer = Signer::new(&by_file(&key, None)).unwrap();
    // One in 128 does; whatever does not fit its own key is refused.
    for index in 0..600_u32 {
        signer.sign("git", &index.to_be_bytes()).unwrap();
    }
}

#[test]
fn a_key_that_cannot_be_used_says_why() {
    let keys = Keys::new();
    let key = keys.generate("key", KINDS[0], "");
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(code(&by_file(&keys.path("absent"), None)), Code::NotFound);
    assert_eq!(code(&by_file(keys.folder.path(), None)), Code::NotFound);
    assert_eq!(code(&by_file(&key.with_extension("pub"), None)), Code::Unauthorized);
    run(keys.program("mkfifo").arg("pipe"), b"");
    assert_eq!(code(&by_file(&keys.path("pipe"), None)), Code::NotFound);
    let other_format = keys.generate("pem", &["-t", "rsa", "-b", "2048", "-m", "PEM"], "");
    assert_eq!(code(&by_file(&other_format, None)), Code::Unauthorized);
    let text = fs::read_to_string(&key).unwrap();
    for damaged in [&text[..text.len() / 2], "", &text.replacen('A', "", 4)] {
        let with = SignWith::Key { key: damaged.to_owned(), passphrase: None };
        assert_eq!(code(&with), Code::Unauthorized);
    }
    fs::set_permissions(&key, fs::Permissions::from_mode(0o000)).unwrap();
    if !is_root {
        assert_eq!(code(&by_file(&key, None)), Code::Denied);
    }
}

#[test]
fn halves_of_two_keys_sign_nothing() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let keys = Keys::new();
    let halves = [0, 1].map(|it| {
        let key = keys.generate(&format!("key{it}"), KINDS[1], "");
        let text = fs::read_to_string(key).unwrap();
        let inside: Vec<&str> = text.lines().filter(|it| !it.starts_with('-')).collect();
        STANDARD.decode(inside.concat()).unwrap()
    });
    let middle = halves[0].windows(8).rposition(|it| it == b"nistp256").unwrap() + 8 + 4 + 65;
    let mixed = [&halves[0][..middle], &halves[1][middle..]].concat();
    let (begin, end) = ("-----BEGIN OPENSSH PRIVATE KEY-----", "-----END OPENSSH PRIVATE KEY-----");
    let key = format!("{begin}\n{}\n{end}\n", STANDARD.encode(mixed));
    let signed = Signer::new(&SignWith::Key { key, passphrase: None })
        .and_then(|it| it.sign("git", PAYLOAD));
    assert_eq!(signed.unwrap_err().code, Code::Unauthorized);
}

#[test]
fn a_damaged_key_is_refused_or_signs_as_before() {
    let keys = Keys::new();
    for (index, kind) in KINDS[..2].iter().enumerate() {
        let file = keys.generate(&format!("key{index}"), kind, "");
        let (text, allowed) = (fs::read_to_string(&file).unwrap(), allowed(&file, ""));
        let inside = text.find('\n').unwrap()..text.rfind("\n-").unwrap();
        for at in inside.filter(|it| text.as_bytes()[*it].is_ascii_alphanumeric()) {
            let mut key = text.clone();
            key.replace_range(at..=at, if &text[at..=at] == "A" { "B" } else { "A" });
            let damaged = Signer::new(&SignWith::Key { key, passphrase: None });
            if let Ok(armored) = damaged.and_then(|it| it.sign("git", PAYLOAD)) {
                let status = judged(&armored, &allowed).status;
                assert!(matches!(status, Status::Good | Status::Untrusted), "{at}: {status:?}");
            }
        }
    }
}

#[test]
fn the_argument_names_exactly_one_key() {
    use serde_json::json;
    let wrong = [
        (json!({}), "sign"),
        (json!({"agent": false}), "sign"),
        (json!({"passphrase": "x"}), "sign"),
        (json!({"key": "x", "key_file": "/x"}), "sign"),
        (json!({"key": "x", "agent": true}), "sign"),
        (json!({"agent": true, "passphrase": "x"}), "sign"),
        (json!({"key": "x", "socket": "/x"}), "sign"),
        (json!({"key_file": "x"}), "sign.key_file"),
        (json!({"key_file": "/x\0"}), "sign.key_file"),
        (json!({"agent": true, "socket": "x"}), "sign.socket"),
        (json!({"agent": true, "public_key": "ssh-ed25519 x"}), "sign.public_key"),
        (json!({"key": "x", "passphrases": "x"}), "sign.passphrases"),
        (json!(["/x"]), "sign"),
    ];
    for (value, field) in wrong {
        let error = refused(&value);
        assert_eq!(error.code, Code::BadRequest, "{value}");
        assert_eq!(error.details()[0], ("field", field.into()), "{value}: {error}");
    }
    for value in [json!(PASSPHRASE), json!({"key": [PASSPHRASE]}), json!({"agent": PASSPHRASE})] {
        let error = refused(&value);
        assert!(!format!("{error:?}").contains(PASSPHRASE), "{error}");
    }
}
