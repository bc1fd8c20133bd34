//! What is YAML and what it means; what is not, with its place.

use super::{Kind, decode, parse};
use crate::process::load;

fn check(text: &str, expected: &str) {
    let (documents, _) = parse(text);
    let told: Vec<String> = documents.iter().map(shown).collect();
    assert_eq!(told.join(" | "), expected, "{text:?}");
}

fn shown(node: &super::Node) -> String {
    match &node.kind {
        Kind::Null => "null".to_owned(),
        Kind::Bool(it) => it.to_string(),
        Kind::Number(it) => it.to_string(),
        Kind::Text(it) => format!("{it:?}"),
        Kind::List(items) => {
            format!("[{}]", items.iter().map(shown).collect::<Vec<_>>().join(", "))
        }
        Kind::Map(entries) => {
            let shown = entries.iter().map(|it| format!("{}: {}", it.key, shown(&it.value)));
            format!("{{{}}}", shown.collect::<Vec<_>>().join(", "))
        }
    }
}

fn refused(bytes: &[u8], expected: &str) {
    let file = load::read("f.yaml", bytes);
    let told: Vec<String> = file.diagnostics.iter().map(ToString::to_string).collect();
    let is_told = told.iter().any(|it| it.starts_with(expected));
    assert!(is_told, "{:?}: {told:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(60)]));
}

#[test]
fn scalars_mean_what_yaml_1_2_says() {
    check("{on: yes, off: no, y: n}", r#"{on: "yes", off: "no", y: "n"}"#);
    check("[true, False, null, ~, '', \"1\"]", r#"[true, false, null, null, "", "1"]"#);
    check("[010, 0o17, 0x1F, -3, +4, 1_000]", r#"[10, 15, 31, -3, 4, "1_000"]"#);
    check("[1.5, .5, 1., 1e3, 1.2.3, 1:30]", r#"[1.5, 0.5, 1.0, 1000.0, "1.2.3", "1:30"]"#);
    check("[!!str 1, ! 2, !!float 1]", r#"["1", "2", 1]"#);
    check("a: 1\r\nb: |\r\n  x\r\n---\r\nc\r\n", "{a: 1, b: \"x\\n\"} | \"c\"");
    check("a: &x [1, 2]\nb: *x\n---\n---\n2", "{a: [1, 2], b: [1, 2]} | 2");
}

#[test]
fn what_is_no_yaml_is_said_with_its_place() {
    refused(b"a: 1\na: 2", "f.yaml:2:1: error[duplicate-key]");
    refused(b"a: 1\n\tb: 2", "f.yaml:2:1: error[yaml]");
    refused(b"ok: \xc3\xbc\nx: \xff", "f.yaml:2:4: error[yaml]: byte 0xff");
    refused(b"\xff\xfea\0", "f.yaml:1:1: error[yaml]: this is UTF-16");
    refused(b"a: [1, 2", "f.yaml:");
    refused(b"a: !thing 1", "f.yaml:1:");
    refused(b"a: &x [*x]", "f.yaml:1:8: error[yaml]");
    refused(b"a: .inf", "f.yaml:1:4: error[yaml]");
    refused(b"a: 99999999999999999999", "f.yaml:1:4: error[yaml]");
    refused(b"? [a]\n: 1", "f.yaml:1:");
    refused(b"", "f.yaml:1:1: error[no-process]");
    refused(b"\xef\xbb\xbfproces_name: x\nsteps: []", "f.yaml:1:1: error[unknown-key]");
}

/// What is said of a test with these lines, with the help.
fn helped(lines: &str, expected: &str) {
    let text = format!("process_name: p\nsteps: [{{step_id: a}}]\ntests:\n  t: {lines}\n");
    let file = load::read("f.yaml", text.as_bytes());
    let helps = file.diagnostics.iter().filter_map(|it| it.help.as_deref());
    assert_eq!(helps.collect::<Vec<_>>(), [expected], "{lines}: {:?}", file.diagnostics);
}

#[test]
fn who_forgets_the_quotes_is_told_of_them() {
    for line in ["@a", ">2h", "%a", "`a", "|a", "*a", "!paid", "!paid=p1", "*a#1"] {
        let sign = &line[..1];
        let help = format!("put text that begins with `{sign}`, as lines of tests do, in quotes");
        for lines in [format!("[a, {line}]"), format!("[{line}, a]"), format!("\n  - {line}")] {
            helped(&lines, &help);
        }
    }
    let help = "put text that begins with `!`, as lines of tests do, in quotes";
    helped("[{!paid: {by: ann}}]", help);
    helped("\n  - !paid: {by: ann}", help);
    let help = "`#` begins a comment: put lines of tests that begin with it in quotes";
    for lines in ["[a, #a]", "[a, #-a:x, =done]\n  u: [a]", "[#a, a]", "[a,#a]"] {
        helped(lines, help);
    }
    let help = "`#` begins a comment and `&` an anchor: put lines of tests that begin with them \
                in quotes";
    for lines in ["\n  - a\n  - #a", "\n  - &a", "[a, &b]", "[a, null]", "{script: [~]}"] {
        helped(lines, help);
    }
    assert_eq!(load::read("f.yaml", b"{process_name: p, steps: [ # one\n]}").diagnostics, []);
}

#[test]
fn places_are_in_characters_whatever_ends_the_lines() {
    for end in ["\n", "\r\n"] {
        let text =
            format!("process_name: x{end}steps: [{{step_id: \u{fc}\u{fc}, splt: all}}]{end}");
        refused(
            text.as_bytes(),
            "f.yaml:2:23: error[unknown-key]: `splt` is no key here: \
            `split`",
        );
    }
}

#[test]
fn what_would_exhaust_is_refused_at_once() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..40 {
        let items = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    let text = format!("a: &a {}\nb: [{}]", "x".repeat(100_000), vec!["*a"; 10_000].join(", "));
    let wrong = format!("process_name: x\nsteps:\n{}", "- {step_id: 1}\n".repeat(50_000));
    for (bytes, rule) in [
        (bomb, "too-large"),
        (text, "too-large"),
        ("[".repeat(1_000_000), "too-large"),
        ("- ".repeat(1_000_000), "too-large"),
        ("{a: ".repeat(500_000), "too-large"),
        ("x".repeat(3 << 20), "too-large"),
        (wrong, "wrong-value"),
    ] {
        let file = load::read("f.yaml", bytes.as_bytes());
        let rules: Vec<_> = file.diagnostics.iter().map(|it| it.rule.name).collect();
        assert!(rules.contains(&rule), "{:?} {rules:?}", &bytes[..40]);
        assert!(rules.len() <= 50);
    }
    assert!(decode("f", b"x").1.is_none());
}
