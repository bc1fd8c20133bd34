//! Pictures of small definitions as text, and what holds for the picture of any definition.

mod any_tests;
mod place_tests;

use expect_test::{Expect, expect};

use crate::{
    engine::definition::Definition,
    process::graph::{Marking, State, Subject},
};

pub fn read(yaml: &str) -> Vec<Definition> {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_multiple_with_options(yaml, options).unwrap()
}

/// The language's conformance set.
pub fn patterns() -> Vec<Definition> {
    let all = read(include_str!("../../../protocol/patterns.yaml"));
    assert_eq!(all.len(), 57);
    all
}

pub fn processes() -> Vec<Definition> {
    read(include_str!("tests/processes.yaml"))
}

pub fn svg(definition: &Definition, marking: Option<&Marking>) -> String {
    Subject { definition, called: &[], marking }.svg()
}

pub fn dot(definition: &Definition, marking: Option<&Marking>) -> String {
    Subject { definition, called: &[], marking }.dot()
}

pub fn mermaid(definition: &Definition, marking: Option<&Marking>) -> String {
    Subject { definition, called: &[], marking }.mermaid()
}

fn check_dot(yaml: &str, expected: Expect) {
    let dot = dot(&read(yaml)[0], None);
    // What is the same for all is not shown.
    let lines: Vec<&str> = dot.lines().skip(4).map(|it| it.trim_end()).collect();
    expected.assert_eq(&format!("{}\n", lines.join("\n")));
}

fn check_mermaid(yaml: &str, expected: Expect) {
    expected.assert_eq(&mermaid(&read(yaml)[0], None));
}

const CHOICE: &str = "
process_name: choice
steps:
  - {step_id: a, step_type: human_in_the_loop, title: Look, transitions: [{on: ok, next_step: b}, {on: no}]}
  - {step_id: b, step_type: exec, description: done by a machine}
";

const PARALLEL: &str = "
process_name: parallel
steps:
  - {step_id: a, split: all, transitions: [{next_step: b, tokens: 2}, {next_step: c}]}
  - {step_id: b, await: {event: e, keep: false}, next: d}
  - {step_id: c, each: {count: 3, join: 2, rest: cancel}, cancel: [b], next: d}
  - {step_id: d, join: all, end: failed}
";

const NESTED: &str = "
process_name: nested
steps:
  - {step_id: blk, repeat: {until: ok}, steps: [{step_id: p, next: q}, {step_id: q, mutex: m}], next: r}
  - {step_id: r, transitions: [{on: again, next_step: blk}, {on: ok, next_step: gone}]}
";

#[test]
fn a_choice_in_dot() {
    check_dot(
        CHOICE,
        expect![[r##"
          n0 [shape=circle, width=0.15, fillcolor=black, label=""]
          n1 [label="Look\n(a)", style="rounded,filled", fillcolor="#ddf4ff"]
          n2 [label="b\ndone by a machine", shape=cds, fillcolor="#eaeef2"]
          n3 [shape=doublecircle, width=0.12, label=""]
          n0 -> n1
          n1 -> n2 [label="ok"]
          n1 -> n3 [label="no"]
        }
    "##]],
    );
}

#[test]
fn parallel_paths_in_dot() {
    check_dot(
        PARALLEL,
        expect![[r##"
              n0 [shape=circle, width=0.15, fillcolor=black, label=""]
              n1 [label="a\n▼ all at once"]
              n2 [label="b\non e, lost when early", shape=oval, fillcolor="#dff7f2"]
              n3 [label="c\n3 instances\ngoes on after 2, cancels the rest"]
              n4 [label="▼ all must arrive\nd\nends as failed", style="rounded,filled", peripheries=2, fillcolor="#ffebe9"]
              n0 -> n1
              n1 -> n2 [label="×2"]
              n1 -> n3
              n2 -> n4
              n3 -> n4
              n3 -> n2 [label="cancels", style=dashed, color="#cf222e", arrowhead=tee, constraint=false]
            }
        "##]],
    );
}

#[test]
fn a_block_in_dot() {
    check_dot(
        NESTED,
        expect![[r##"
          n0 [shape=circle, width=0.15, fillcolor=black, label=""]
          subgraph cluster_n1 {
            label="blk\nrepeated until ok"; style="rounded"; penwidth=1
            n2 [shape=circle, width=0.15, fillcolor=black, label=""]
            n3 [label="p"]
            n4 [label="q\nholds m"]
            n2 -> n3
            n3 -> n4
            n1 [shape=point, style=invis, label=""]
            n4 -> n1 [style=invis]
          }
          n5 [label="r"]
          n6 [label="gone is not there", style="dashed", color="#cf222e"]
          n0 -> n2 [lhead=cluster_n1]
          n1 -> n5 [ltail=cluster_n1]
          n5 -> n2 [label="again", lhead=cluster_n1, color="#8250df"]
          n5 -> n6 [label="ok"]
        }
    "##]],
    );
}

#[test]
fn a_choice_in_mermaid() {
    check_mermaid(
        CHOICE,
        expect![[r#"
        flowchart TB
          n0((" "))
          n1("Look<br>(a)"):::person
          n2[/"b<br>done by a machine"/]:::exec
          n3(((" ")))
          n0 --> n1
          n1 -->|"ok"| n2
          n1 -->|"no"| n3
          classDef person fill:#ddf4ff,stroke:#0969da,color:#1f2328
          classDef exec fill:#eaeef2,stroke:#24292f,color:#1f2328
    "#]],
    );
}

#[test]
fn parallel_paths_in_mermaid() {
    check_mermaid(
        PARALLEL,
        expect![[r#"
        flowchart TB
          n0((" "))
          n1["a<br>▼ all at once"]
          n2(["b<br>on e, lost when early"]):::event
          n3["c<br>3 instances<br>goes on after 2, cancels the rest"]
          n4(("▼ all must arrive<br>d<br>ends as failed")):::bad
          n0 --> n1
          n1 -->|"×2"| n2
          n1 --> n3
          n2 --> n4
          n3 --> n4
          n3 -.-x|"cancels"| n2
          classDef event fill:#dff7f2,stroke:#0f766e,color:#1f2328
          classDef bad fill:#ffebe9,stroke:#cf222e,color:#1f2328
          linkStyle 5 stroke:#cf222e
    "#]],
    );
}

#[test]
fn a_block_in_mermaid() {
    check_mermaid(
        NESTED,
        expect![[r#"
        flowchart TB
          n0((" "))
          subgraph n1 ["blk<br>repeated until ok"]
            n2((" "))
            n3["p"]
            n4["q<br>holds m"]
            n2 --> n3
            n3 --> n4
          end
          n5["r"]
          n6["gone is not there"]:::missing
          n0 --> n1
          n1 --> n5
          n5 -->|"again"| n1
          n5 -->|"ok"| n6
          classDef missing fill:#ffebe9,stroke:#cf222e,color:#1f2328,stroke-dasharray:4 3
    "#]],
    );
}

#[test]
fn where_a_run_is_is_said_in_words() {
    let mut marking = Marking::default();
    marking.add("m#1/p", State::Done, 1);
    marking.add("m#2/p", State::Running, 1);
    marking.add("m#3/p", State::Running, 1);
    let yaml = "{process_name: x, steps: [{step_id: m, each: {count: 3}, steps: [{step_id: p}]}]}";
    let definition = &read(yaml)[0];
    for picture in [
        svg(definition, Some(&marking)).replace("running ×2, done", "● running ×2 ● done"),
        dot(definition, Some(&marking)).replace("\\n", " "),
        mermaid(definition, Some(&marking)).replace("<br>", " "),
    ] {
        assert!(picture.contains("● running ×2 ● done"), "{picture}");
    }
}

#[test]
fn a_process_that_is_called_is_drawn_inside_and_one_that_calls_itself_is_not() {
    let all = read(
        "{process_name: x, steps: [{step_id: a, call: y}]}\n---\n\
         {process_name: y, steps: [{step_id: b, call: x}, {step_id: c, call: z}]}",
    );
    let subject = Subject { definition: &all[0], called: &all, marking: None };
    let svg = subject.svg();
    let document = roxmltree::Document::parse(&svg).unwrap();
    let steps = document.descendants().filter_map(|it| it.attribute("data-step"));
    assert_eq!(steps.collect::<Vec<_>>(), ["a", "a/b", "a/c"]);
}

#[test]
fn names_say_nothing_to_dot_or_mermaid() {
    let name = "a\"]; x --> y\\\\n`#`<b>&amp;|end|\n%%{init}%%\u{202e}";
    let mut definition = read("{process_name: x, steps: [{step_id: a}]}").remove(0);
    definition.steps[0].step_id = name.to_owned();
    let dot = dot(&definition, None);
    let line = r#"  n1 [label="a\"]; x --> y\\\\n`#`<b>&amp;amp;|end|\n%%{init}%%"]"#;
    assert!(dot.contains(line), "{dot}");
    let mermaid = mermaid(&definition, None);
    let line = "  n1[\"a#34;]#59; x #45;#45;#62; y#92;#92;n#96;#35;#96;#60;b#62;#38;amp#59;#124;end\
                #124; #37;#37;#123;init#125;#37;#37;\"]\n";
    assert!(mermaid.contains(line), "{mermaid}");
}

#[test]
fn what_is_cancelled_in_a_block_is_shown_beside_it() {
    let yaml = "
process_name: x
steps:
  - {step_id: blk, steps: [{step_id: p, cancel: [out, p2, gone]}, {step_id: p2}], next: out}
  - {step_id: out, cancel: [p, blk]}
";
    check_mermaid(
        yaml,
        expect![[r#"
        flowchart TB
          n0((" "))
          subgraph n1 ["blk"]
            n2((" "))
            n3["p"]
            n4["p2"]
            n2 --> n3
            n3 -.-x|"cancels"| n4
          end
          n5["out"]
          n6["gone is not there"]:::missing
          n0 --> n1
          n1 --> n5
          n1 -.-x|"cancels"| n5
          n5 -.-x|"cancels p<br>cancels"| n1
          n1 -.-x|"cancels"| n6
          classDef missing fill:#ffebe9,stroke:#cf222e,color:#1f2328,stroke-dasharray:4 3
          linkStyle 1,4,5,6 stroke:#cf222e
    "#]],
    );
}
