//! Commits and tags signed by git and by this program.

use std::process::Command;

use super::{KINDS, Keys, NOW, PRINCIPAL, Signer, Status, allowed, by_file, output, run};
use crate::{
    error::Code,
    git::signature::{
        AllowedSigners,
        object::{Kind, NAMESPACE, parts, sign, with_signature},
        verify,
    },
};

/// A repository whose git signs with a key of ssh.
struct Signed {
    keys: Keys,
    signer: Signer,
    allowed: AllowedSigners,
}

impl Signed {
    fn new() -> Signed {
        let keys = Keys::new();
        let key = keys.generate("key", KINDS[0], "");
        let list = allowed(&key, "");
        keys.write("allowed", &list);
        let signer = Signer::new(&by_file(&key, None)).unwrap();
        let signed = Signed { keys, signer, allowed: AllowedSigners::parse(&list).unwrap() };
        signed.git(&["init", "-q", "-b", "main"], b"");
        signed
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.keys.program("git");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "Ada")
                .env(format!("GIT_{who}_EMAIL"), PRINCIPAL);
        }
        command.args(["-c", "gpg.format=ssh", "-c", "user.signingKey=key"]);
        command.args(["-c", "gpg.ssh.allowedSignersFile=allowed", "-c", "gc.auto=0"]);
        command.args(arguments);
        command
    }

    fn git(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        run(&mut self.command(arguments), input)
    }

    fn raw(&self, kind: &str, name: &str) -> Vec<u8> {
        self.git(&["cat-file", kind, name], b"")
    }

    fn write(&self, kind: &str, raw: &[u8]) -> String {
        let id = self.git(&["hash-object", "-t", kind, "-w", "--stdin"], raw);
        String::from_utf8(id).unwrap().trim().to_owned()
    }

    /// What this program says of an object.
    fn status(&self, kind: Kind, raw: &[u8]) -> Status {
        let parts = parts(kind, raw);
        let signature = parts.signature.unwrap();
        verify(&parts.payload, &signature, NAMESPACE, NOW, Some(&self.allowed)).status
    }

    /// What git says of it.
    fn is_verified(&self, verb: &str, id: &str) -> bool {
        output(&mut self.command(&[verb, id]), b"").0
    }
}

const MESSAGES: [&[u8]; 4] = [
    b"one line\n",
    b"a subject\n\nA body.\n\n gpgsig indented\ngpgsig not a header\n",
    b"\n",
    b"no end of line",
];

/// Objects with everything that can be in their headers.
fn commits(signed: &Signed) -> Vec<Vec<u8>> {
    let tree = String::from_utf8(signed.git(&["mktree"], b"")).unwrap();
    let person = format!("Ada <{PRINCIPAL}> {NOW} +0100");
    let base = format!("tree {tree}author {person}\ncommitter {person}\n");
    let more = [
        "",
        "encoding ISO-8859-1\n",
        "mergetag object x\n type commit\n \n gpgsig in it\n",
        "gpgsig-sha256 -----BEGIN SSH SIGNATURE-----\n AAAA\n -----END SSH SIGNATURE-----\n",
        "gpgsig-sha256 one\n two\nhg-source x\n",
    ];
    let heads = more.iter().map(|it| format!("{base}{it}\n").into_bytes());
    heads.flat_map(|head| MESSAGES.map(|it| [&head, it].concat())).collect()
}

#[test]
fn git_accepts_the_commits_that_we_sign() {
    let signed = Signed::new();
    for raw in commits(&signed) {
        let text = String::from_utf8_lossy(&raw).into_owned();
        let ours = sign(Kind::Commit, &raw, &signed.signer).unwrap();
        let id = signed.write("commit", &ours);
        assert!(signed.is_verified("verify-commit", &id), "{text}");
        assert_eq!(signed.status(Kind::Commit, &ours), Status::Good, "{text}");
        let twice = sign(Kind::Commit, &ours, &signed.signer).unwrap_err();
        assert_eq!(twice.code, Code::AlreadyExists);
        let other = [&ours, &b"more"[..]].concat();
        assert_eq!(signed.status(Kind::Commit, &other), Status::Bad, "{text}");
        assert!(!signed.is_verified("verify-commit", &signed.write("commit", &other)));
    }
}

#[test]
fn the_commits_that_git_signs_are_good_and_those_that_we_would_write() {
    let signed = Signed::new();
    let commit = |more: &[&str], message: &[u8]| {
        let arguments = ["commit", "-q", "--allow-empty", "-S", "--cleanup=verbatim", "-F", "-"];
        signed.git(&[more, &arguments].concat(), message);
    };
    commit(&[], MESSAGES[0]);
    commit(&[], MESSAGES[1]);
    commit(&["-c", "i18n.commitEncoding=ISO-8859-1"], b"caf\xe9\n");
    signed.git(&["checkout", "-q", "-b", "side", "main~1"], b"");
    commit(&[], MESSAGES[3]);
    signed.git(&["tag", "-s", "-m", "to be merged", "signed"], b"");
    signed.git(&["checkout", "-q", "main"], b"");
    signed.git(&["merge", "-q", "-S", "--no-ff", "-m", "both", "signed"], b"");
    let listed = String::from_utf8(signed.git(&["rev-list", "--all"], b"")).unwrap();
    assert_eq!(listed.lines().count(), 5);
    for id in listed.lines() {
        let raw = signed.raw("commit", id);
        assert_eq!(signed.status(Kind::Commit, &raw), Status::Good);
        let taken = parts(Kind::Commit, &raw);
        let armored = String::from_utf8(taken.signature.unwrap()).unwrap();
        assert_eq!(with_signature(Kind::Commit, &taken.payload, &armored), raw);
        // Ed25519 signs the same in the same way.
        assert_eq!(sign(Kind::Commit, &taken.payload, &signed.signer).unwrap(), raw);
    }
    let merge = String::from_utf8(signed.raw("commit", "HEAD")).unwrap();
    assert!(merge.contains("\nmergetag "), "{merge}");
}

#[test]
fn tags_are_signed_at_their_end_by_git_and_by_us() {
    let signed = Signed::new();
    signed.git(&["commit", "-q", "--allow-empty", "-m", "first"], b"");
    signed.git(&["tag", "-a", "-m", "a subject\n\nA body.", "plain"], b"");
    let plain = signed.raw("tag", "plain");
    assert!(parts(Kind::Tag, &plain).signature.is_none());
    let ours = sign(Kind::Tag, &plain, &signed.signer).unwrap();
    assert!(signed.is_verified("verify-tag", &signed.write("tag", &ours)));
    assert_eq!(signed.status(Kind::Tag, &ours), Status::Good);
    // A signature in the message is signed like the rest of it.
    let again = sign(Kind::Tag, &ours, &signed.signer).unwrap();
    assert!(signed.is_verified("verify-tag", &signed.write("tag", &again)));
    assert_eq!(signed.status(Kind::Tag, &again), Status::Good);
    signed.git(&["tag", "-s", "-m", "a subject\n\nA body.", "theirs"], b"");
    let raw = signed.raw("tag", "theirs");
    assert_eq!(signed.status(Kind::Tag, &raw), Status::Good);
    assert_eq!(sign(Kind::Tag, &parts(Kind::Tag, &raw).payload, &signed.signer).unwrap(), raw);
    let cut = sign(Kind::Tag, plain.trim_ascii_end(), &signed.signer).unwrap_err();
    assert_eq!(cut.code, Code::Invalid);
}

#[test]
fn a_commit_without_a_signature_has_none() {
    let signed = Signed::new();
    for raw in commits(&signed) {
        assert!(parts(Kind::Commit, &raw).signature.is_none());
    }
    for odd in [&b""[..], b"\n", b"gpgsig ", b"gpgsig x", b" x", b"tree x"] {
        for kind in [Kind::Commit, Kind::Tag] {
            let taken = parts(kind, odd);
            assert!(taken.payload.len() <= odd.len());
        }
    }
}
