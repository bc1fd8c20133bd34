//! Signatures by this program and by ssh-keygen, and what each says of the other's.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Serialize;
use tempfile::TempDir;

use super::{AllowedSigners, Format, SignWith, Signer, Status, Verdict, verify};
use crate::error::Error;

mod agent_tests;
mod allowed_tests;
mod key_tests;
mod object_tests;
mod token_tests;

pub const PAYLOAD: &[u8] = b"a line\nand another one\0";
pub const PRINCIPAL: &str = "ada@example.org";
/// 2026-01-01.
pub const NOW: i64 = 1_767_225_600;

/// What ssh-keygen is told for each kind of key.
const KINDS: [&[&str]; 6] = [
    &["-t", "ed25519"],
    &["-t", "ecdsa", "-b", "256"],
    &["-t", "ecdsa", "-b", "384"],
    &["-t", "ecdsa", "-b", "521"],
    &["-t", "rsa", "-b", "1024"],
    &["-t", "rsa", "-b", "3072"],
];

/// A folder with keys, and the list of those that may sign.
pub struct Keys {
    pub folder: TempDir,
}

impl Keys {
    pub fn new() -> Keys {
        Keys { folder: TempDir::new().unwrap() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The private key; the public one is beside it.
    pub fn generate(&self, name: &str, kind: &[&str], passphrase: &str) -> PathBuf {
        let path = self.path(name);
        let mut command = self.program("ssh-keygen");
        command.args(["-q", "-N", passphrase, "-C", name, "-f"]).arg(&path).args(kind);
        run(&mut command, b"");
        path
    }

    /// A program that knows nothing of this machine's configuration.
    #[expect(clippy::disallowed_methods, reason = "stock programs say what is right")]
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).env("LANG", "C.UTF-8");
        command.env("HOME", self.folder.path()).current_dir(self.folder.path());
        command
    }

    /// A file with this text, and its path.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Whether ssh-keygen takes a signature of [`PAYLOAD`] by one of the allowed signers.
    pub fn keygen_verifies(&self, armored: &str, allowed: &str, more: &[&str]) -> bool {
        let signature = self.write("signature", armored);
        let allowed = self.write("allowed", allowed);
        let mut command = self.program("ssh-keygen");
        command.args(["-Y", "verify", "-n", "git", "-I", PRINCIPAL, "-f"]).arg(allowed);
        command.arg("-s").arg(signature).args(more);
        output(&mut command, PAYLOAD).0
    }
}

/// The line that lets a key sign.
pub fn allowed(key: &Path, options: &str) -> String {
    let public = fs::read_to_string(key.with_extension("pub")).unwrap();
    format!("{PRINCIPAL} {options} {public}")
}

pub fn by_file(file: &Path, passphrase: Option<&str>) -> SignWith {
    let passphrase = passphrase.map(str::to_owned);
    SignWith::KeyFile { file: file.to_owned(), passphrase }
}

pub fn judged(armored: &str, allowed: &str) -> Verdict {
    let allowed = AllowedSigners::parse(allowed).unwrap();
    verify(PAYLOAD, armored.as_bytes(), "git", NOW, Some(&allowed))
}

pub fn run(command: &mut Command, input: &[u8]) -> Vec<u8> {
    let (succeeds, printed) = output(command, input);
    assert!(succeeds, "{command:?}: {}", String::from_utf8_lossy(&printed));
    printed
}

/// Whether it succeeds, and what it prints, or else complains of.
pub fn output(command: &mut Command, input: &[u8]) -> (bool, Vec<u8>) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // One that fails early does not read it.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let succeeds = output.status.success();
    (succeeds, if succeeds { output.stdout } else { output.stderr })
}

/// What is wrong with an argument `sign`.
pub fn refused(value: impl Serialize) -> Error {
    use crate::port::envelope::Request;
    #[derive(Debug, serde::Deserialize)]
    struct Arguments {
        #[expect(dead_code, reason = "only whether it decodes is asked")]
        sign: SignWith,
    }
    #[derive(Serialize)]
    struct Body<T> {
        op: &'static str,
        sign: T,
    }
    let body = rmp_serde::to_vec_named(&Body { op: "commit", sign: value }).unwrap();
    let request = Request::read(&body).1.unwrap();
    request.arguments.decode::<Arguments>().unwrap_err()
}

#[test]
fn ssh_keygen_accepts_our_signatures_and_we_accept_its() {
    let keys = Keys::new();
    for (index, kind) in KINDS.iter().enumerate() {
        let key = keys.generate(&format!("plain{index}"), kind, "");
        let allowed = allowed(&key, "");
        let signer = Signer::new(&by_file(&key, None)).unwrap();
        let ours = signer.sign("git", PAYLOAD).unwrap();
        assert!(keys.keygen_verifies(&ours, &allowed, &[]), "{kind:?}");
        let mut command = keys.program("ssh-keygen");
        command.args(["-Y", "sign", "-n", "git", "-f"]).arg(&key);
        let theirs = String::from_utf8(run(&mut command, PAYLOAD)).unwrap();
        for armored in [&ours, &theirs] {
            let verdict = judged(armored, &allowed);
            assert_eq!(verdict.status, Status::Good, "{kind:?}");
            assert_eq!(verdict.principals, [PRINCIPAL]);
            assert_eq!(verdict.key, Some(signer.fingerprint()));
        }
        let mut command = keys.program("ssh-keygen");
        let listed = String::from_utf8(run(command.arg("-lf").arg(&key), b"")).unwrap();
        assert!(listed.contains(&signer.fingerprint()), "{listed}");
    }
}

#[test]
fn signatures_are_good_only_for_whom_the_list_names() {
    let keys = Keys::new();
    let [ada, eve] = ["ada", "eve"].map(|it| keys.generate(it, KINDS[0], ""));
    let armored = Signer::new(&by_file(&ada, None)).unwrap().sign("git", PAYLOAD).unwrap();
    assert_eq!(judged(&armored, &allowed(&eve, "")).status, Status::Untrusted);
    assert_eq!(judged(&armored, "").status, Status::Untrusted);
    assert_eq!(
        verify(PAYLOAD, armored.as_bytes(), "git", NOW, None).status,
        Status::Untrusted,
        "no list allows nobody"
    );
    let both = allowed(&eve, "") + &allowed(&ada, "");
    assert_eq!(judged(&armored, &both).status, Status::Good);
}

#[test]
fn what_is_not_as_it_was_signed_is_bad() {
    let keys = Keys::new();
    for kind in [KINDS[0], KINDS[1], KINDS[4]] {
        let key = keys.generate(kind[1], kind, "");
        let list = AllowedSigners::parse(&allowed(&key, "")).unwrap();
        let signer = Signer::new(&by_file(&key, None)).unwrap();
        let armored = signer.sign("git", PAYLOAD).unwrap();
        let status = |payload: &[u8], armored: &str, namespace: &str| {
            verify(payload, armored.as_bytes(), namespace, NOW, Some(&list)).status
        };
        assert_eq!(status(PAYLOAD, &armored, "git"), Status::Good);
        assert_eq!(status(&PAYLOAD[1..], &armored, "git"), Status::Bad);
        assert_eq!(status(b"", &armored, "git"), Status::Bad);
        assert_eq!(status(PAYLOAD, &armored, "file"), Status::Bad);
        assert_eq!(status(PAYLOAD, &armored, ""), Status::Bad);
        let other = signer.sign("file", PAYLOAD).unwrap();
        assert_eq!(status(PAYLOAD, &other, "git"), Status::Bad);
        assert_eq!(status(PAYLOAD, &format!("{armored}more\n"), "git"), Status::Bad);
        let end = armored.len();
        assert_eq!(status(PAYLOAD, &armored[..end / 2], "git"), Status::Bad);
        for at in (30..end - 30).filter(|it| armored.as_bytes()[*it].is_ascii_alphanumeric()) {
            let other = if &armored[at..=at] == "A" { "B" } else { "A" };
            let mut changed = armored.clone();
            changed.replace_range(at..=at, other);
            assert_ne!(status(PAYLOAD, &changed, "git"), Status::Good, "{at} of {armored}");
        }
    }
}

#[test]
fn lines_of_the_armor_may_have_any_length() {
    let keys = Keys::new();
    let key = keys.generate("key", KINDS[0], "");
    let armored = Signer::new(&by_file(&key, None)).unwrap().sign("git", PAYLOAD).unwrap();
    let lines: Vec<&str> = armored.lines().collect();
    let [begin, inside @ .., end] = &*lines else { panic!("{armored}") };
    for line in [&inside.concat(), &inside.join("\r\n"), &inside.join("\n\n  ")] {
        let armored = format!("\n{begin}\r\n{line}\n{end}");
        assert_eq!(judged(&armored, &allowed(&key, "")).status, Status::Good, "{armored}");
    }
}

#[test]
fn signatures_of_other_kinds_are_unsupported() {
    let keys = Keys::new();
    let cases = [
        ("-----BEGIN PGP SIGNATURE-----\n\niQ==\n-----END PGP SIGNATURE-----\n", Format::Pgp),
        ("-----BEGIN SIGNED MESSAGE-----\nMII=\n-----END SIGNED MESSAGE-----\n", Format::X509),
        ("untrusted comment: signature from minisign\n", Format::Unknown),
        ("", Format::Unknown),
    ];
    for (armored, format) in cases {
        let verdict = judged(armored, "");
        assert_eq!((verdict.status, verdict.format), (Status::Unsupported, format));
    }
    // By a certificate, which names who may sign in a way of its own.
    let (authority, key) = (keys.generate("ca", KINDS[0], ""), keys.generate("key", KINDS[0], ""));
    let mut command = keys.program("ssh-keygen");
    command.args(["-q", "-I", "id", "-n", PRINCIPAL, "-s"]).arg(authority);
    run(command.arg(key.with_extension("pub")), b"");
    let mut command = keys.program("ssh-keygen");
    command.args(["-Y", "sign", "-n", "git", "-f", "key-cert.pub"]);
    let armored = String::from_utf8(run(&mut command, PAYLOAD)).unwrap();
    let verdict = judged(&armored, &allowed(&key, ""));
    assert_eq!(verdict.status, Status::Unsupported);
    assert_eq!(verdict.algorithm.as_deref(), Some("ssh-ed25519-cert-v01@openssh.com"));
}

#[test]
fn a_verdict_says_who_signed_with_what() {
    let keys = Keys::new();
    let key = keys.generate("key", KINDS[1], "");
    let signer = Signer::new(&by_file(&key, None)).unwrap();
    let armored = signer.sign("git", PAYLOAD).unwrap();
    let verdict = serde_json::to_value(judged(&armored, &allowed(&key, ""))).unwrap();
    let expected = serde_json::json!({
        "status": "good",
        "type": "ssh",
        "algorithm": "ecdsa-sha2-nistp256",
        "key": signer.fingerprint(),
        "principals": [PRINCIPAL],
    });
    assert_eq!(verdict, expected);
}
