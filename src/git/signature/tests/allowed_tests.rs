//! Lists of allowed signers, read as ssh-keygen reads them.

use super::{AllowedSigners, KINDS, Keys, NOW, PAYLOAD, Signer, Status, allowed, by_file, judged};
use crate::error::Code;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

#[test]
fn a_key_signs_for_its_purposes_at_its_time_and_ssh_keygen_agrees() {
    let keys = Keys::new();
    let key = keys.generate("key", KINDS[0], "");
    let armored = Signer::new(&by_file(&key, None)).unwrap().sign("git", PAYLOAD).unwrap();
    let cases = [
        ("", Status::Good),
        (r#"namespaces="git""#, Status::Good),
        (r#"namespaces="file,git""#, Status::Good),
        (r#"NameSpaces="g?t""#, Status::Good),
        (r#"namespaces="*""#, Status::Good),
        (r#"namespaces="*i*t*""#, Status::Good),
        (r#"namespaces="file""#, Status::Untrusted),
        (r#"namespaces="GIT""#, Status::Untrusted),
        (r#"namespaces="*,!g*""#, Status::Untrusted),
        (r#"namespaces="!file""#, Status::Untrusted),
        (r#"valid-after="20251231""#, Status::Good),
        (r#"valid-after="20260101Z""#, Status::Good),
        (r#"valid-after="20260101000001Z""#, Status::Expired),
        (r#"valid-before="20260101Z""#, Status::Good),
        (r#"valid-before="202512312359Z""#, Status::Expired),
        (r#"valid-after="20250101Z",valid-before="20270101Z""#, Status::Good),
        (r#"namespaces="git",valid-before="20200101""#, Status::Expired),
        (r#"namespaces="file",valid-before="20200101""#, Status::Untrusted),
    ];
    for (options, status) in cases {
        let list = allowed(&key, options);
        assert_eq!(judged(&armored, &list).status, status, "{options}");
        let at = ["-O", "verify-time=20260101000000Z"];
        let is_good = keys.keygen_verifies(&armored, &list, &at);
        assert_eq!(is_good, status == Status::Good, "ssh-keygen: {options}");
    }
}

#[test]
fn a_time_without_a_zone_is_the_systems() {
    let keys = Keys::new();
    let key = keys.generate("key", KINDS[0], "");
    let armored = Signer::new(&by_file(&key, None)).unwrap().sign("git", PAYLOAD).unwrap();
    // Wherever this runs: more than a day on either side of the time asked for.
    for (option, status) in [
        (r#"valid-after="20251230""#, Status::Good),
        (r#"valid-after="20260103""#, Status::Expired),
        (r#"valid-before="202512300000""#, Status::Expired),
        (r#"valid-before="20260103000000""#, Status::Good),
    ] {
        assert_eq!(judged(&armored, &allowed(&key, option)).status, status, "{option}");
    }
}

#[test]
fn everyone_whom_the_key_belongs_to_is_named() {
    let keys = Keys::new();
    let key = keys.generate("key", KINDS[0], "");
    let armored = Signer::new(&by_file(&key, None)).unwrap().sign("git", PAYLOAD).unwrap();
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let list = format!(
        "# who may sign\r\n\n  ada@example.org,*@ada.example {public}\n\"grace hopper\" {public}\n\
         old@example.org valid-before=\"20200101\" {public}\nada@example.org {public}"
    );
    let verdict = judged(&armored, &list);
    assert_eq!(verdict.status, Status::Good);
    assert_eq!(verdict.principals, ["ada@example.org", "*@ada.example", "grace hopper"]);
}

#[test]
fn a_line_that_cannot_be_read_is_named() {
    let flaws = [
        "ada@example.org",
        "ada@example.org ssh-ed25519",
        "ada@example.org ssh-ed25519 AAAA",
        "ada@example.org rsa KEY",
        ", KEY",
        "\"ada KEY",
        "ada sign-all KEY",
        "ada namespaces=git KEY",
        "ada namespaces=\"\" KEY",
        "ada namespaces=\"git KEY",
        "ada namespaces=\"git\",namespaces=\"file\" KEY",
        "ada valid-after=\"2026\" KEY",
        "ada valid-after=\"20261301\" KEY",
        "ada valid-after=\"19690101Z\" KEY",
        "ada valid-after=\"2026010\u{e9}\" KEY",
        "ada valid-after=\"20260102\",valid-before=\"20260101\" KEY",
    ];
    for flaw in flaws {
        let text = format!("# list\nada {KEY}\n{}\n", flaw.replace("KEY", KEY));
        let error = AllowedSigners::parse(&text).map(|_| flaw).unwrap_err();
        assert_eq!(error.code, Code::Invalid, "{flaw}");
        assert!(error.message.contains("line 3"), "{flaw}: {error}");
        assert_eq!(error.details()[0], ("line", 3.into()));
    }
    let error = AllowedSigners::parse(&format!("*@x cert-authority,namespaces=\"git\" {KEY}"));
    assert_eq!(error.map(|_| NOW).unwrap_err().code, Code::Unsupported);
}
