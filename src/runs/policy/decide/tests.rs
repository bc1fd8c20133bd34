//! Decisions, as policies in text and lines of who does what.

use super::*;
use crate::runs::policy::{Deed, Motion};

fn rules(policies: &[(&str, &str)]) -> Rules {
    let read = |(name, text): &(&str, &str)| {
        let policy = Policy::read(format!("policy: 1\n{text}").as_bytes());
        ((*name).to_owned(), policy.unwrap_or_else(|it| panic!("{it:?}")))
    };
    Rules(policies.iter().map(read).collect())
}

/// Such as "ann completes approve of order": allowed, or the rule that is against it.
fn decided(rules: &Rules, line: &str) -> String {
    decided_after(rules, line, &Doers::default(), None)
}

fn decided_after(rules: &Rules, line: &str, doers: &Doers, reason: Option<&str>) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let part = |at: usize| words.get(at).copied().filter(|it| *it != "-");
    let action = serde_json::from_value(words[1].into()).unwrap();
    let said = BTreeSet::from(["said".to_owned()]);
    let asked = Asked {
        who: Somebody { name: words[0], mail: None, said: &said },
        action,
        process: part(2),
        run: None,
        step: part(3),
        policy: part(4),
        doers: Some(doers),
        holds: &[],
        reason,
    };
    let decision = rules.decide(&asked);
    match (decision.is_allowed, &*decision.overridden) {
        (true, []) => "allowed".to_owned(),
        (true, overridden) => format!("overrides {}", overridden.join(" ")),
        (false, _) => decision.rule.unwrap(),
    }
}

#[track_caller]
fn check(rules: &Rules, lines: &[(&str, &str)]) {
    for (line, wanted) in lines {
        assert_eq!(decided(rules, line), *wanted, "{line}");
    }
}

#[test]
fn what_no_rule_is_about_is_allowed_and_one_of_those_that_are_has_to_allow_it() {
    let rules = rules(&[
        (
            "people",
            "roles: {approver: [ann, 'lead-*'], nobody: []}
rules:
  - {name: approvals, on: [claim, complete], process: order, step: approve, allow: ['role:approver']}
  - {name: also, on: [complete], process: order, allow: [zoe]}
  - {name: stop, on: [cancel], allow: ['role:nobody']}
",
        ),
        ("bots", "rules: [{name: no-bots, on: [complete, start], deny: ['bot-*', 'lead-9']}]"),
    ]);
    check(
        &rules,
        &[
            ("ann complete order approve", "allowed"),
            ("ann complete order approve#3", "allowed"),
            ("lead-1 complete order approve", "allowed"),
            ("lead-9 complete order approve", "bots/no-bots"),
            ("zoe complete order approve", "allowed"),
            ("zoe claim order approve", "people/approvals"),
            ("bob claim order approve", "people/approvals"),
            ("bob claim order other", "allowed"),
            ("bob claim order blk/approve", "allowed"),
            ("bob complete order other", "people/also"),
            ("bob complete bill approve", "allowed"),
            ("bob start order", "allowed"),
            ("bot-1 start order", "bots/no-bots"),
            ("ann cancel order", "people/stop"),
            ("said claim order approve", "people/approvals"),
            ("bob signal order", "allowed"),
        ],
    );
}

#[test]
fn a_role_that_somebody_says_it_has_counts_only_where_no_policy_says_roles() {
    let own = "rules: [{name: a, on: [claim], allow: ['role:said']}]";
    check(&rules(&[("p", own)]), &[("ann claim x y", "allowed")]);
    let others = [("p", own), ("q", "roles: {said: [bob]}")];
    check(&rules(&others), &[("ann claim x y", "p/a"), ("bob claim x y", "allowed")]);
    check(&rules(&[("p", own), ("q", "roles: {}")]), &[("bob claim x y", "p/a")]);
}

#[test]
fn a_rule_about_policies_is_about_those_that_it_names() {
    let text = "rules:
  - {name: root, on: [policy], policy: 'root*', allow: [ann]}
  - {name: rest, on: [policy], allow: [ann, bob]}
";
    check(
        &rules(&[("p", text)]),
        &[
            ("ann policy - - root-1", "allowed"),
            ("bob policy - - root-1", "allowed"),
            ("bob policy - - other", "allowed"),
            ("zoe policy - - other", "p/rest"),
            ("zoe policy - - root", "p/root"),
        ],
    );
}

const EYES: &str = "four_eyes:
  - {name: two, process: order, steps: [enter, approve, 'check-*']}
  - {name: each, steps: [review], instances: true}
";

#[test]
fn nobody_completes_two_steps_that_want_two_people() {
    let rules = rules(&[("p", EYES)]);
    let mut doers = Doers::default();
    for (actor, path) in [("ann", "enter"), ("bob", "blk#1/approve"), ("zoe", "review#1")] {
        doers.complete(actor, path);
    }
    for (line, wanted) in [
        ("ann complete order approve", "p/two"),
        ("ann claim order check-1", "p/two"),
        ("ann complete order enter", "allowed"),
        ("ann fail order approve", "allowed"),
        ("ann complete bill approve", "allowed"),
        ("ann complete order blk/approve", "allowed"),
        ("bob complete order enter", "allowed"),
        ("zoe complete order approve", "allowed"),
        ("zoe complete order review#1", "allowed"),
        ("zoe complete order review#2", "p/each"),
        ("ann complete order review#2", "allowed"),
    ] {
        assert_eq!(decided_after(&rules, line, &doers, None), wanted, "{line}");
    }
}

#[test]
fn who_may_override_needs_a_reason_and_every_rule_that_is_against_it() {
    let text = format!(
        "{EYES}rules:
  - {{name: no, on: [complete, fail], deny: [ann]}}
override:
  - {{name: boss, on: [complete], process: order, rules: ['p/two'], allow: ['role:said']}}
  - {{name: all, on: [complete], step: approve, allow: [bob, ann]}}
"
    );
    let rules = rules(&[("p", &text)]);
    let mut doers = Doers::default();
    ["ann", "bob", "zoe"].iter().for_each(|it| doers.complete(it, "enter"));
    for (line, without, with) in [
        ("zoe complete order approve", "p/two", "overrides p/two"),
        ("zoe complete order check-1", "p/two", "overrides p/two"),
        ("zoe claim order approve", "p/two", "p/two"),
        ("ann complete order approve", "p/no", "overrides p/no p/two"),
        ("ann complete order check-1", "p/no", "p/no"),
        ("ann fail order approve", "p/no", "p/no"),
        ("zoe complete order enter", "allowed", "allowed"),
    ] {
        assert_eq!(decided_after(&rules, line, &doers, None), without, "{line}");
        assert_eq!(decided_after(&rules, line, &doers, Some("late")), with, "{line}");
    }
}

#[test]
fn programs_and_deeds_are_those_of_a_list_where_there_is_one_about_the_step() {
    let text = "exec:
  - {name: build, process: ci, step: 'build*', programs: [/usr/bin/make, 'tools/*']}
git:
  - {name: tags, process: ci, actions: [tag, note], refs: ['refs/tags/**']}
";
    let rules = rules(&[("p", text)]);
    let exec = |step, program| rules.may_exec("ci", step, program).is_allowed;
    assert!(exec("build#2", "/usr/bin/make") && exec("build-all", "tools/x"));
    assert!(!exec("build", "tools/a/b") && !exec("build", "make"));
    assert!(exec("other", "make"), "no list is about it");
    assert!(rules.may_exec("other", "build", "make").is_allowed);
    let git = |deed, reference| rules.may_git("ci", "s", deed, reference);
    assert!(git(Deed::Tag, "refs/tags/a/b").is_allowed);
    assert!(!git(Deed::Commit, "refs/tags/a").is_allowed);
    let denied = git(Deed::Tag, "refs/heads/main");
    assert_eq!((denied.is_allowed, denied.rule.as_deref()), (false, Some("p/tags")));
}

#[test]
fn protected_refs_move_forward_by_those_who_may() {
    let text = "protected:
  - {name: main, refs: [refs/heads/main], allow: [ann, '*@example.org']}
  - {name: tags, refs: ['refs/tags/v*'], delete: true}
";
    let rules = rules(&[("p", text)]);
    let said = BTreeSet::new();
    let may = |name, mail, reference, motion| {
        let who = Somebody { name, mail: Some(mail), said: &said };
        let decision = rules.may_move(&who, reference, motion);
        if decision.is_allowed { "allowed".to_owned() } else { decision.rule.unwrap() }
    };
    assert_eq!(may("ann", "", "refs/heads/main", Motion::Forward), "allowed");
    assert_eq!(may("bob", "bob@example.org", "refs/heads/main", Motion::Forward), "allowed");
    assert_eq!(may("bob", "bob@example.com", "refs/heads/main", Motion::Forward), "p/main");
    assert_eq!(may("ann", "", "refs/heads/main", Motion::Force), "p/main");
    assert_eq!(may("ann", "", "refs/heads/main", Motion::Delete), "p/main");
    assert_eq!(may("bob", "", "refs/tags/v1", Motion::Delete), "allowed");
    assert_eq!(may("bob", "", "refs/tags/v1", Motion::Force), "p/tags");
    assert_eq!(may("bob", "", "refs/heads/other", Motion::Force), "allowed");
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_with_what_is_wrong() {
    for (text, wanted) in [
        ("policy: 2", "version"),
        ("policy: 1\nrule: []", "rule"),
        ("rules: []", "policy"),
        ("policy: 1\n---\npolicy: 1", "one document"),
        ("- policy", "map"),
        ("policy: 1\nrules: [[a, [start]]]", "map"),
        ("policy: 1\nrules: [{name: a, on: [begin], allow: []}]", "begin"),
        ("policy: 1\nrules: [{name: a, on: [], allow: []}]", "`on`"),
        ("policy: 1\nrules: [{name: a, on: [start]}]", "`allow`"),
        ("policy: 1\nrules: [{name: a, on: [start], allow: [], deny: []}]", "two rules"),
        ("policy: 1\nrules: [{name: a/b, on: [start], allow: []}]", "a name"),
        ("policy: 1\nrules: [{name: a, on: [start], step: s, allow: []}]", "`step`"),
        ("policy: 1\nrules: [{name: a, on: [start], policy: s, allow: []}]", "`policy`"),
        ("policy: 1\nrules: [{name: a, on: [policy], process: s, allow: []}]", "`process`"),
        ("policy: 1\nrules: [{name: a, on: [start], allow: ['a[']}]", "role:"),
        ("policy: 1\nroles: {a: ['role:b']}", "an actor"),
        ("policy: 1\nprotected: [{name: a, refs: [r], signed: true}]", "signers"),
        ("policy: 1\nsigned: [{name: a, of: policy, process: p}]\nsigners: ''", "`process`"),
        ("policy: 1\noverride: [{name: a, on: [policy], allow: [a]}]", "overridden"),
        (
            "policy: 1\nfour_eyes: [{name: a, steps: [b]}]\nexec: [{name: a, programs: []}]",
            "two rules",
        ),
    ] {
        let error = Policy::read(text.as_bytes()).unwrap_err();
        assert!(error.message.contains(wanted), "{text}: {error}");
    }
    let long = format!("policy: 1\ndescription: {}", "a".repeat(300_000));
    assert_eq!(Policy::read(long.as_bytes()).unwrap_err().code, crate::error::Code::TooLarge);
}
