//! What a call means, by what there is.

use super::{Call, Definition, called};
use crate::engine::definition::work::CallRule;

fn versions(all: &[&str]) -> Vec<Definition> {
    let version = |it: &str| (it != "none").then(|| it.to_owned());
    let definition = |it: &&str| Definition {
        process_name: "q".to_owned(),
        process_version: version(it),
        ..Definition::default()
    };
    all.iter().map(definition).collect()
}

/// What is called of these, by somebody else.
fn meant(wanted: Option<&str>, all: &[&str]) -> String {
    let there = versions(all);
    let known: Vec<&Definition> = there.iter().collect();
    let process_name = "q".to_owned();
    let call = match wanted {
        None => Call::Name(process_name),
        Some(it) => Call::Rule(CallRule { process_name, process_version: Some(it.to_owned()) }),
    };
    let found = called(&call, &Definition::default(), &known);
    found.map_or("nothing".to_owned(), |it| all[it].to_owned())
}

#[test]
fn a_call_means_the_highest_version_in_its_range() {
    let check = |wanted: &str, expected: &str| {
        let all = ["1.0.0", "1.10.0", "1.2.0", "2.0.0-rc.1", "none", "3"];
        assert_eq!(meant(Some(wanted), &all), expected, "{wanted}");
    };
    check("^1", "1.10.0");
    check("1", "1.10.0");
    check("~1.2", "1.2.0");
    check(">=1.0, <1.10", "1.2.0");
    check("1.2.0", "1.2.0");
    check("1.2.1", "nothing");
    check("^2", "nothing");
    check("2.0.0-rc.1", "2.0.0-rc.1");
    check(">=2.0.0-rc.1, <3", "2.0.0-rc.1");
    check("latest", "3");
    check("3", "3");
    check("3.0.0", "3");
    check("newest", "nothing");
}

#[test]
fn a_call_without_a_version_means_the_newest_release() {
    assert_eq!(meant(None, &["none", "1.0.0", "2.0.0-rc.1"]), "1.0.0");
    assert_eq!(meant(None, &["none", "2.0.0-rc.1"]), "2.0.0-rc.1");
    assert_eq!(meant(None, &["none"]), "none");
    assert_eq!(meant(None, &[]), "nothing");
}

#[test]
fn a_process_that_calls_itself_means_its_own_version() {
    let there = versions(&["2.0.0", "1.0.0"]);
    let known: Vec<&Definition> = there.iter().collect();
    let call = Call::Name("q".to_owned());
    assert_eq!(called(&call, known[1], &known), Some(1));
    let process_version = Some("*".to_owned());
    let call = Call::Rule(CallRule { process_name: "q".to_owned(), process_version });
    assert_eq!(called(&call, known[1], &known), Some(0));
}
