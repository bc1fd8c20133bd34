//! Whatever a definition says, its pictures are well-formed, whole, always the same, and soon there.

use std::collections::BTreeSet;

use proptest::{prelude::*, sample::Index, test_runner::RngSeed};

use crate::{
    engine::definition::{
        Definition, Step,
        flow::{Cancel, Join, JoinWord, Names, Split, Transition},
        work::{Each, Expression},
    },
    process::graph::{
        Marking,
        marking::State,
        tests::{patterns, place_tests, processes},
    },
};

fn check(definition: &Definition) {
    let mut paths = BTreeSet::new();
    collect(&definition.steps, "", &mut paths);
    let mut marking = Marking::default();
    let first = paths.first().cloned().unwrap_or_default();
    marking.add(&first, State::Stuck, 2);
    assert_eq!(super::svg(definition, None), super::svg(definition, None));
    for marking in [None, Some(&marking)] {
        let svg = super::svg(definition, marking);
        check_svg(&svg, &paths);
        for text in [super::dot(definition, marking), super::mermaid(definition, marking)] {
            for line in text.lines() {
                let quotes = line.replace("\\\\", "").replace("\\\"", "").matches('"').count();
                assert_eq!(quotes % 2, 0, "{line}");
                assert!(!line.chars().any(|it| it.is_control()), "{line}");
            }
        }
    }
}

fn check_svg(svg: &str, paths: &BTreeSet<String>) {
    let document = roxmltree::Document::parse(svg).unwrap();
    for it in document.descendants().filter(|it| it.is_element()) {
        let name = it.tag_name().name();
        assert!(["svg", "title", "style", "rect", "g", "path", "text"].contains(&name), "{name}");
        for attribute in it.attributes() {
            let name = attribute.name();
            assert!(!name.starts_with("on") && name != "href" && name != "style", "{name}");
        }
    }
    let drawn = document.descendants().filter(|it| !it.attribute("class").is_some_and(is_missing));
    let drawn: Vec<&str> = drawn.filter_map(|it| it.attribute("data-step")).collect();
    let once: BTreeSet<String> = drawn.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!((once.len(), &once), (drawn.len(), paths));
}

fn is_missing(class: &str) -> bool {
    class.split(' ').any(|it| it == "missing")
}

/// The paths of steps as XML can hold them.
fn collect(steps: &[Step], around: &str, paths: &mut BTreeSet<String>) {
    for step in steps {
        let id =
            step.step_id.replace(|it: char| it.is_control() && !"\n\r\t".contains(it), "\u{fffd}");
        let path = if around.is_empty() { id } else { format!("{around}/{id}") };
        collect(step.steps.as_deref().unwrap_or_default(), &path, paths);
        paths.insert(path);
    }
}

#[test]
fn pictures_of_the_conformance_set_and_of_real_processes_are_whole() {
    patterns().iter().chain(&processes()).for_each(check);
}

/// A step before its name and targets are known.
#[derive(Debug, Clone)]
struct Draft {
    name: String,
    text: String,
    targets: Vec<Index>,
    cancels: Vec<Index>,
    kind: u8,
    inside: Vec<Draft>,
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,12}",
        any::<String>(),
        Just("</text><script>alert(1)</script>".to_owned()),
        Just("]]>&\"'\u{202e}\u{0}\u{b}\r\n\t--><!--".to_owned()),
        Just("\u{5d0}\u{5d1}\u{200f} \u{1f469}\u{200d}\u{1f680}".to_owned()),
        Just("w".repeat(200)),
    ]
}

fn draft() -> impl Strategy<Value = Draft> {
    let targets = || prop::collection::vec(any::<Index>(), 0..4);
    let leaf =
        (name(), name(), targets(), prop::collection::vec(any::<Index>(), 0..2), any::<u8>())
            .prop_map(|(name, text, targets, cancels, kind)| Draft {
                name,
                text,
                targets,
                cancels,
                kind,
                inside: Vec::new(),
            });
    leaf.prop_recursive(3, 24, 6, |inner| {
        (inner.clone(), prop::collection::vec(inner, 1..6))
            .prop_map(|(outer, inside)| Draft { inside, ..outer })
    })
}

fn steps(drafts: &[Draft]) -> Vec<Step> {
    let ids: Vec<String> =
        drafts.iter().enumerate().map(|(index, it)| format!("{index}{}", it.name)).collect();
    let target = |it: &Index| it.get(&ids).clone();
    let step = |(draft, id): (&Draft, &String)| Step {
        step_id: id.clone(),
        title: (draft.kind % 3 == 0).then(|| draft.text.clone()),
        description: (draft.kind % 5 == 0).then(|| draft.text.clone()),
        step_type: ["route", "exec", "git", "timer", "final_commit", "human", "x"]
            .get(usize::from(draft.kind) % 9)
            .map(|it| (*it).to_owned()),
        join: (draft.kind % 4 == 0).then_some(Join::Word(JoinWord::All)),
        split: (draft.kind % 4 == 1).then_some(Split::Race),
        each: (draft.kind % 7 == 0)
            .then(|| Each { items: Some(Expression(draft.text.clone())), ..Each::default() }),
        mutex: (draft.kind % 8 == 0).then(|| Names::One(draft.text.clone())),
        cancel: (!draft.cancels.is_empty())
            .then(|| Cancel::Steps(draft.cancels.iter().map(target).collect())),
        transitions: Some(
            draft
                .targets
                .iter()
                .map(|it| Transition {
                    on: (draft.kind % 2 == 0).then(|| draft.text.clone()),
                    next_step: Some(target(it)),
                    ..Transition::default()
                })
                .collect(),
        ),
        steps: (!draft.inside.is_empty()).then(|| steps(&draft.inside)),
        ..Step::default()
    };
    drafts.iter().zip(&ids).map(step).collect()
}

#[test]
fn pictures_of_any_definition_are_whole_and_nothing_lies_on_anything() {
    let config = ProptestConfig {
        cases: 40,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0),
        max_shrink_iters: 300,
        ..ProptestConfig::default()
    };
    let drafts = (name(), prop::collection::vec(draft(), 0..8));
    proptest!(config, |((name, drafts) in drafts)| {
        let steps = steps(&drafts);
        let definition = Definition { process_name: name, steps, ..Definition::default() };
        check(&definition);
        place_tests::check(&definition);
    });
}

/// `to` gives where each step leads.
fn check_many(name: &str, count: usize, to: impl Fn(usize) -> Vec<usize>) {
    let step = |index: usize| Step {
        step_id: format!("step_{index}"),
        next: Some(Names::Many(to(index).iter().map(|it| format!("step_{it}")).collect())),
        ..Step::default()
    };
    let steps = (0..count).map(step).collect();
    let definition = Definition { process_name: name.to_owned(), steps, ..Definition::default() };
    let svg = super::svg(&definition, None);
    assert_eq!(svg.matches("data-step").count(), count);
}

#[test]
fn a_thousand_steps_are_drawn_whatever_leads_where() {
    check_many("chain", 1000, |it| vec![(it + 1).min(999)]);
    check_many("tree", 1000, |it| vec![(3 * it + 1).min(999), (3 * it + 2).min(999)]);
    check_many("fan", 1000, |it| if it == 0 { (1..999).collect() } else { vec![999] });
    check_many("back", 1000, |it| vec![(it + 1).min(999), it / 2]);
    check_many("wild", 1000, |it| vec![it * 7919 % 1000, it * 104_729 % 1000, (it + 1) % 1000]);
    check_many("lone", 1000, |_| Vec::new());
}

#[test]
fn five_thousand_steps_stand_in_rows() {
    check_many("crowd", 5000, |it| vec![(it + 1) % 5000, it * 7919 % 5000]);
}

#[test]
fn a_hundred_blocks_are_drawn_in_each_other() {
    let mut steps = vec![Step { step_id: "x".to_owned(), ..Step::default() }];
    for _ in 0..100 {
        let inside = Some(std::mem::take(&mut steps));
        steps = vec![Step { step_id: "x".to_owned(), steps: inside, ..Step::default() }];
    }
    check(&Definition { process_name: "deep".to_owned(), steps, ..Definition::default() });
}
