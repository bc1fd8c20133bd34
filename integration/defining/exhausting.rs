//! Definitions that try to exhaust whoever reads or plays them.

/// What is published must be played first, so its tests are played, too.
fn tested(steps: &str, script: &str) -> String {
    let head = "process_name: hostile\nprocess_version: \"1.0.0\"\n";
    format!("{head}steps:\n{steps}\ntests:\n  one: [{script}]\n")
}

pub fn definitions() -> Vec<(&'static str, String)> {
    let mut aliases = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for number in 1..40 {
        let many = vec![format!("*a{}", number - 1); 10].join(", ");
        aliases.push_str(&format!("a{number}: &a{number} [{many}]\n"));
    }
    let expression = format!("\"{}1{}\"", "(".repeat(300_000), ")".repeat(300_000));
    let lists = "[1,2,3,4,5,6,7,8,9,10]".to_owned();
    let nested =
        (0..9).fold("true".to_owned(), |inner, depth| format!("{lists}.all(x{depth}, {inner})"));
    let numbers = vec!["1"; 300].join(",");
    let guard = format!("[{numbers}].all(x, [{numbers}].all(y, x + y > 0))");
    let long = format!("[{}]", vec!["1"; 2000].join(","));
    vec![
        (
            "a cycle that waits for nobody",
            tested(
                "  - {step_id: a, step_type: route, next: b}\n\
                 \x20 - {step_id: b, step_type: route, next: a}",
                "'=done'",
            ),
        ),
        (
            "a cycle that doubles its threads",
            tested(
                "  - {step_id: a, step_type: route, split: all, next: [b, b2]}\n\
                 \x20 - {step_id: b, step_type: route, next: a}\n\
                 \x20 - {step_id: b2, step_type: route, next: a}",
                "'=done'",
            ),
        ),
        (
            "a loop whose thread keeps the tickets of all its rounds",
            tested(
                "  - {step_id: a, step_type: route, split: all, next: [a, b]}\n\
                 \x20 - {step_id: b, next: c}\n\
                 \x20 - {step_id: c, join: {n: 1, rest: cancel, from: a}}",
                "'?b'",
            ),
        ),
        (
            "threads that count each other",
            tested(
                "  - {step_id: a, transitions: [{next_step: b, tokens: 20000}]}\n\
                 \x20 - {step_id: b, only_while: \"waiting('b') > 0\"}",
                "a, '=done'",
            ),
        ),
        (
            "10^9 threads",
            tested(
                "  - {step_id: a, transitions: [{next_step: b, tokens: 1000000000}]}\n\
                 \x20 - {step_id: b}",
                "a, '=done'",
            ),
        ),
        (
            "a key that cannot be read, again and again",
            tested(
                "  - step_id: a\n\
                 \x20   await: {event: e, key: \"x / 0\"}\n\
                 \x20   transitions: [{on: failed, next_step: a}, {next_step: b}]\n\
                 \x20 - {step_id: b}",
                "'=done'",
            ),
        ),
        (
            "threads that are woken at once and wake each other",
            tested(
                "  - {step_id: a, transitions: [{next_step: b, tokens: 20000}]}\n\
                 \x20 - {step_id: b, await: {event: e}, emit: e}",
                "a, '!e', '=done'",
            ),
        ),
        (
            "a guard that costs much, at each of many events",
            tested(
                &format!("  - {{step_id: a, only_while: \"{guard}\", next: a}}"),
                &format!("{}'=done'", "a, ".repeat(500)),
            ),
        ),
        (
            "many threads with a guard, at each of many events",
            tested(
                "  - {step_id: a, split: all, transitions: [{next_step: b, tokens: 14000}, \
                 {next_step: c}]}\n\
                 \x20 - {step_id: b, only_while: \"true\"}\n\
                 \x20 - {step_id: c, next: c}",
                &format!("a, {}'=done'", "c, ".repeat(500)),
            ),
        ),
        (
            "events that carry much",
            tested(
                &format!(
                    "  - {{step_id: a, emit: {{event: e, data: {{l: \"{long}\"}}}}, next: a}}"
                ),
                &format!("{}'=done'", "a, ".repeat(3000)),
            ),
        ),
        ("10^9 instances", tested("  - {step_id: a, each: {count: 1000000000}}", "'?a'")),
        ("recursion without end", tested("  - {step_id: a, call: hostile}", "'=done'")),
        (
            "recursion that doubles",
            tested(
                "  - {step_id: s, step_type: route, split: all, next: [a, b]}\n\
                 \x20 - {step_id: a, call: hostile}\n\
                 \x20 - {step_id: b, call: hostile}",
                "'=done'",
            ),
        ),
        ("aliases that explode", aliases),
        (
            "an expression of 600,000 bytes",
            tested(&format!("  - {{step_id: a, only_while: {expression}}}"), "'?a'"),
        ),
        (
            "an expression that takes 10^9 steps",
            tested(&format!("  - {{step_id: a, only_while: \"{nested}\"}}"), "a, '=done'"),
        ),
        ("lists in lists", "[".repeat(1_000_000)),
        ("more than a file may have", format!("# {}", "x".repeat(2 << 20))),
    ]
}
