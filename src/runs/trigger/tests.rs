//! Which triggers take what, and what their runs are called.

use std::cell::LazyCell;

use serde_json::json;

use super::{
    happened::{Happened, moved, said},
    matches::{Conditions, Event, conventional, is_version},
    published::{Rule, rules},
    start::input,
};
use crate::{
    engine::definition::{Definition, trigger::Trigger},
    git::{Became, Facts, Watched, object_id},
    process::trigger::Room,
};

/// A commit on the branch `main`.
fn commit() -> Happened<'static> {
    let id = object_id(crate::git::Kind::Blob, b"");
    let facts = Facts {
        id: id.to_string(),
        parents: vec![id],
        name: "Ada Lovelace".to_owned(),
        email: "ada@example.org".to_owned(),
        committer: "Grace".to_owned(),
        time: 1,
        message: "fix(api,web)!: nothing is lost\n\nrelease-as: 2\n".to_owned(),
    };
    let changed = vec![
        (Became::Added, "docs/new.md".to_owned()),
        (Became::Modified, "src/deep/one.rs".to_owned()),
        (Became::Deleted, "old.txt".to_owned()),
    ];
    Happened {
        reference: "refs/heads/main".to_owned(),
        before: Some(id),
        facts,
        is_new: true,
        is_made: false,
        is_merged_here: false,
        merged: Vec::new(),
        changed: LazyCell::new(Box::new(move || changed)),
        is_signed: LazyCell::new(Box::new(|| false)),
    }
}

fn tag(name: &str) -> Happened<'static> {
    let reference = format!("refs/tags/{name}");
    Happened { reference, is_new: false, is_made: true, before: None, ..commit() }
}

fn merge(from: &str) -> Happened<'static> {
    Happened { is_merged_here: true, merged: vec![from.to_owned()], ..commit() }
}

fn of(trigger: serde_json::Value) -> Conditions {
    let trigger = serde_json::from_value::<Trigger>(trigger).unwrap();
    Conditions::of(&trigger, &mut Room::default())
}

/// Whether a trigger takes it, or the condition that does not hold.
fn check(trigger: serde_json::Value, it: Happened, expected: &str) {
    let conditions = of(trigger.clone());
    let unmet = conditions.unmet(&Event::Commit(it));
    let told = unmet.as_ref().map_or("", |it| &it.condition);
    assert_eq!(told, expected, "{trigger}: {unmet:?}");
}

#[test]
fn each_condition_is_asked_about_what_it_names() {
    check(json!({"push": "main"}), commit(), "");
    check(json!({"push": ["dev", "ma*"]}), commit(), "");
    check(json!({"push": "dev"}), commit(), "push");
    check(json!({"branch": "main"}), commit(), "branch");
    check(json!({"branch": "main"}), Happened { is_made: true, ..commit() }, "");
    check(json!({"tag": "v*"}), tag("v1"), "");
    check(json!({"tag": "v*"}), tag("x/v1"), "tag");
    check(json!({"tag": "**"}), tag("x/v1"), "");
    check(json!({"tag": "v*"}), commit(), "tag");
    check(json!({"semver": true}), tag("v1.2.3-rc.1"), "");
    check(json!({"semver": true}), tag("v1.2"), "semver");
    check(json!({"semver": false}), tag("v1.2"), "");
    check(json!({"path": {"changed": "src/**"}}), commit(), "");
    check(json!({"path": {"changed": "src/*"}}), commit(), "path.changed");
    check(json!({"path": {"added": "docs/*", "deleted": "*.txt"}}), commit(), "");
    check(json!({"path": {"added": "src/**"}}), commit(), "path.added");
    check(json!({"path": {"modified": "**/*.rs"}}), commit(), "");
    check(json!({"path": {"deleted": "docs/*"}}), commit(), "path.deleted");
    check(json!({"message": "lost"}), commit(), "");
    check(json!({"message": "los"}), commit(), "message");
    check(json!({"message": "^release-as: [0-9]"}), commit(), "message");
    check(json!({"message": "(?m)^release-as: [0-9]"}), commit(), "");
    check(json!({"author": {"email": "*@example.org"}}), commit(), "");
    check(json!({"author": {"name": "Bob", "email": "*"}}), commit(), "author.name");
    check(json!({"commit": {"type": ["feat", "fix"], "scope": "web"}}), commit(), "");
    check(json!({"commit": {"type": "feat"}}), commit(), "commit.type");
    check(json!({"commit": {"scope": "ui"}}), commit(), "commit.scope");
    check(json!({"signed": true}), commit(), "signed");
    check(json!({"signed": false}), commit(), "");
    check(json!({"merge": {"into": "main", "from": "dev"}}), merge("dev"), "");
    check(json!({"merge": {"from": "feature/*"}}), merge("dev"), "merge.from");
    check(json!({"merge": {"into": "dev"}}), merge("dev"), "merge.into");
    check(json!({"merge": {}}), commit(), "merge");
}

#[test]
fn all_has_to_hold_where_nothing_is_said() {
    check(json!({"push": "main", "message": "lost"}), commit(), "");
    check(json!({"push": "main", "message": "found"}), commit(), "message");
    check(json!({"all": [{"push": "main"}, {"message": "found"}]}), commit(), "all[1].message");
    check(json!({"any": [{"push": "dev"}, {"message": "lost"}]}), commit(), "");
    check(json!({"any": [{"push": "dev"}, {"message": "found"}]}), commit(), "any");
    check(json!({"push": "main", "not": {"message": "lost"}}), commit(), "not");
    check(json!({"push": "main", "not": {"message": "found"}}), commit(), "");
    check(json!({"any": [{"all": [{"push": "main"}], "not": {"push": "m*"}}]}), commit(), "any");
}

#[test]
fn a_pattern_that_is_none_starts_nothing_not_even_by_its_absence() {
    let costly = "(?s)[ab]*a[ab]{5000}c[^q]";
    check(json!({"not": {"message": costly}}), commit(), "not.message");
    check(json!({"any": [{"push": "main"}, {"message": costly}]}), commit(), "any[1].message");
    check(
        json!({"all": [{"push": "main"}, {"path": {"changed": "{"}}]}),
        commit(),
        "all[1].path.changed",
    );
    let wrong = of(json!({"cron": "0 9 * * *", "any": [{"message": "("}]}));
    let time = wrong.unmet(&Event::Time(vec![0]));
    assert_eq!(time.as_ref(), wrong.wrong());
    assert_eq!(time.unwrap().condition, "any[0].message");
}

#[test]
fn so_much_of_a_message_and_of_a_name_is_looked_at() {
    let long = |before: usize| {
        let facts = Facts { message: format!("{} lost", "é".repeat(before)), ..commit().facts };
        Happened { facts, ..commit() }
    };
    check(json!({"message": "lost$"}), long(32_000), "");
    check(json!({"message": "lost"}), long(32_768), "message");
    let facts = Facts { name: format!("{}x", "a".repeat(1000)), ..commit().facts };
    check(json!({"author": {"name": "*a"}}), Happened { facts, ..commit() }, "");
}

#[test]
fn what_was_there_before_is_taken_only_by_what_asks_for_refs() {
    let old = || Happened { is_new: false, ..commit() };
    check(json!({"message": "lost"}), old(), "push");
    check(json!({"message": "lost", "push": "main"}), old(), "");
    check(json!({"message": "lost"}), tag("v1"), "tag");
    check(json!({"push": "**"}), tag("v1"), "tag");
    check(json!({"any": [{"tag": "v1"}, {"push": "main"}]}), tag("v1"), "");
}

#[test]
fn a_time_is_taken_by_the_schedule_whose_time_it_is() {
    let trigger = json!({"any": [{"cron": "0 9 * * *"}, {"at": "2030-01-01T00:00:00Z"}],
                         "not": {"push": "main"}});
    let conditions = of(trigger);
    assert_eq!(conditions.schedules.len(), 2);
    assert!(!conditions.takes_commits());
    assert_eq!(conditions.unmet(&Event::Time(vec![1])), None);
    assert!(conditions.unmet(&Event::Commit(commit())).is_some());
    let both = json!({"any": [{"cron": "0 9 * * *"}, {"push": "main"}]});
    let both = of(both);
    assert!(both.takes_commits());
    let never = json!({"cron": "0 9 * * *", "push": "main"});
    let never = of(never);
    assert_eq!(never.unmet(&Event::Time(vec![0])).unwrap().condition, "push");
}

fn rules_of(process: &str, triggers: serde_json::Value) -> Vec<Rule> {
    let definition = json!({"process_name": process, "steps": [{"step_id": "a"}],
                            "triggers": triggers});
    rules(&serde_json::from_value::<Definition>(definition).unwrap())
}

#[test]
fn runs_are_called_by_process_trigger_and_cause() {
    let named = json!([{"name": "once, the whole history", "push": "a"}, {"push": "b"},
                       {"name": "  ", "push": "c"}, {"name": "once the whole-history", "push": "d"}]);
    let runs: Vec<String> = rules_of("p.q", named).iter().map(|it| it.run("0123")).collect();
    assert_eq!(runs, ["p.q.once-the-whole-history.0123", "p.q.2.0123", "p.q.3.0123", "p.q.4.0123"]);
    let long = "x".repeat(99);
    let runs: Vec<String> = rules_of(&long, json!([{"push": "a"}, {"push": "b"}]))
        .iter()
        .map(|it| it.run("20300131T090000Z"))
        .collect();
    assert!(runs.iter().all(|it| it.len() <= 100), "{runs:?}");
    assert_ne!(runs[0], runs[1]);
}

#[test]
fn what_a_run_is_started_with_is_said_over_the_event() {
    let event = commit().event();
    let with = json!({"who": "event.author.name", "n": 3, "list": ["event"],
                      "files": "event.paths.added"});
    let made = input(&serde_json::from_value(with).unwrap(), &event).unwrap();
    let expected = json!({"who": "Ada Lovelace", "n": 3, "list": ["event"],
                          "files": ["docs/new.md"]});
    assert_eq!(json!(made), expected);
    let wrong = input(&serde_json::from_value(json!({"x": "event.nothing"})).unwrap(), &event);
    assert!(wrong.unwrap_err().message.contains("with.x"));
}

#[test]
fn branches_are_read_out_of_the_messages_of_merges() {
    assert_eq!(said("Merge branch 'feature/x' into main"), ["feature/x"]);
    assert_eq!(said("Merge branches 'a' and 'b'"), ["a", "b"]);
    assert_eq!(said("Merge branch 'a' into 'b'"), ["a"]);
    assert_eq!(said("Merge remote-tracking branch 'origin/feature/x'"), ["feature/x"]);
    assert_eq!(said("Merge pull request #7 from ada/feature/x"), ["feature/x"]);
    assert_eq!(said("Merge the rest").len(), 0);
    assert_eq!(said("merge 'x'").len(), 0);
}

#[test]
fn versions_and_words_before_a_colon_are_read_strictly() {
    for (tag, expected) in
        [("v1.2.3", true), ("1.2.3", true), ("api/v1.0.0-rc.1+5", true), ("v1", false), ("", false)]
    {
        assert_eq!(is_version(tag), expected, "{tag}");
    }
    assert_eq!(conventional("feat: x"), (Some("feat"), vec![]));
    assert_eq!(conventional("feat(a, b)!: x"), (Some("feat"), vec!["a", "b"]));
    assert_eq!(conventional("see http://x"), (None, vec![]));
    assert_eq!(conventional("feat x"), (None, vec![]));
}

#[test]
fn refs_that_moved_are_told_but_not_those_that_the_program_makes() {
    let id = |text: &[u8]| object_id(crate::git::Kind::Blob, text);
    let seen: Watched =
        [("refs/heads/a", id(b"1")), ("refs/heads/b", id(b"1")), ("refs/heads/gone", id(b"1"))]
            .map(|(name, id)| (name.to_owned(), id))
            .into();
    let mut now = seen.clone();
    now.remove("refs/heads/gone");
    for name in ["refs/heads/b", "refs/heads/new", "refs/tags/process/p/v1.0.0", "refs/tags/t"] {
        now.insert(name.to_owned(), id(b"2"));
    }
    let names: Vec<(String, bool)> =
        moved(&seen, &now).into_iter().map(|it| (it.reference, it.before.is_some())).collect();
    let expected = [("refs/heads/b", true), ("refs/heads/new", false), ("refs/tags/t", false)];
    assert_eq!(names, expected.map(|(name, was)| (name.to_owned(), was)));
}
