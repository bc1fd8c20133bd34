//! What a definition says to whoever looks at its runs.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::{
    engine::{
        definition::{Definition, Step},
        event::OK,
        net::RESERVED,
    },
    process::load,
};

/// The definitions of some files, as far as they can be read.
#[derive(Default)]
pub struct Definitions(Vec<Definition>);

impl Definitions {
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Definitions {
        let read =
            files.into_iter().filter_map(|(name, bytes)| load::definitions(name, bytes).ok());
        Definitions(read.flatten().collect())
    }

    /// The programs that `exec` steps name, of those that can be allowed: by name, or where they
    /// are.
    pub fn programs(&self) -> BTreeSet<String> {
        let mut programs = BTreeSet::new();
        for it in &self.0 {
            add_programs(&it.steps, &mut programs);
        }
        programs
    }

    /// How many steps there are in a process that somebody or something does.
    pub fn count(&self, process: &str, version: Option<&str>) -> Option<usize> {
        let main = self.main(process, version)?;
        Some(self.counted(&main.steps, &mut vec![main.process_name.as_str()]))
    }

    fn counted<'a>(&'a self, steps: &'a [Step], inside: &mut Vec<&'a str>) -> usize {
        let mut count = 0;
        for step in steps {
            let called = step.call.as_ref().map(|it| it.process_name());
            let called = called.and_then(|name| self.0.iter().find(|it| it.process_name == name));
            count += match (&step.steps, called) {
                (Some(steps), _) => self.counted(steps, inside),
                // One that calls itself goes on as long as it likes.
                (None, Some(it)) if !inside.contains(&&*it.process_name) => {
                    inside.push(&it.process_name);
                    let counted = self.counted(&it.steps, inside);
                    inside.pop();
                    counted
                }
                // One of nobody leaves no more than that a thread went through it.
                _ => usize::from(step.step_type.as_deref() != Some("route")),
            };
        }
        count
    }

    /// The step that is called so in a run, such as `review`, `blk/p` or `order/pay#2`.
    pub fn step(&self, process: &str, version: Option<&str>, path: &str) -> Option<&Step> {
        let mut steps = &*self.main(process, version)?.steps;
        let mut found = None;
        for part in path.split('/') {
            let name = part.split('#').next().unwrap_or_default();
            let step = steps.iter().find(|it| it.step_id == name)?;
            let called = step.call.as_ref().map(|it| it.process_name());
            let called = called.and_then(|name| self.0.iter().find(|it| it.process_name == name));
            steps = match (&step.steps, called) {
                (Some(steps), _) => steps,
                (None, Some(called)) => &called.steps,
                (None, None) => &[],
            };
            found = Some(step);
        }
        found
    }

    fn main(&self, process: &str, version: Option<&str>) -> Option<&Definition> {
        let mut named = self.0.iter().filter(|it| it.process_name == process);
        named.find(|it| it.process_version.as_deref() == version)
    }
}

fn add_programs(steps: &[Step], programs: &mut BTreeSet<String>) {
    for step in steps {
        let configuration = step.configuration.as_ref();
        let program = configuration.and_then(|it| it.get("program")).and_then(Json::as_str);
        let program = program.filter(|it| is_exec(step) && can_be_allowed(it));
        programs.extend(program.map(str::to_owned));
        add_programs(step.steps.as_deref().unwrap_or_default(), programs);
    }
}

/// A list has commas between its programs, and none that is found from some folder.
fn can_be_allowed(program: &str) -> bool {
    let is_name = !program.contains('/') && !matches!(program, "" | "." | "..");
    (is_name || program.starts_with('/')) && !program.contains(',')
}

fn is_exec(step: &Step) -> bool {
    step.step_type.as_deref() == Some("exec")
}

/// The outcomes that somebody who did a step can choose from.
pub fn outcomes(step: &Step) -> Vec<String> {
    let transitions = step.transitions.as_deref().unwrap_or_default();
    let mut outcomes: Vec<String> = Vec::new();
    for it in transitions {
        let on = it.on.as_deref().unwrap_or(OK);
        if !RESERVED.contains(&on) && !outcomes.iter().any(|it| it == on) {
            outcomes.push(on.to_owned());
        }
    }
    let goes_on = step.next.is_some() || outcomes.is_empty();
    if goes_on && !outcomes.iter().any(|it| it == OK) {
        outcomes.push(OK.to_owned());
    }
    outcomes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
process_name: p
process_version: \"1.0\"
steps:
  - {step_id: a, step_type: exec, configuration: {program: make}, next: blk}
  - step_id: blk
    steps:
      - {step_id: in, step_type: exec, configuration: {program: /bin/sh}, next: in2}
      - {step_id: in2, configuration: {program: none}, next: in3}
      - {step_id: in3, step_type: exec, configuration: {program: ./here}}
    next: way
  - {step_id: way, step_type: route, next: sub}
  - {step_id: sub, call: q, next: end}
  - step_id: end
    transitions:
      - {on: approved, next_step: a}
      - {on: approved, when: n > 1, next_step: blk}
      - {on: timeout, next_step: a}
      - {next_step: sub}
---
process_name: q
steps:
  - {step_id: deep, next: again}
  - {step_id: again, call: q}
";

    fn two() -> Definitions {
        let broken: (&str, &[u8]) = ("broken.yaml", b"a: [");
        Definitions::read([("two.yaml", TWO.as_bytes()), broken])
    }

    #[test]
    fn the_programs_are_those_of_exec_steps_wherever_they_are() {
        assert_eq!(Vec::from_iter(two().programs()), ["/bin/sh", "make"]);
    }

    #[test]
    fn steps_are_found_and_counted_in_blocks_and_calls() {
        let two = two();
        let find = |path: &str| Some(two.step("p", Some("1.0"), path)?.step_id.as_str());
        assert_eq!(["a", "blk/in#2", "sub/deep"].map(find), ["a", "in", "deep"].map(Some));
        assert_eq!(["b", "a/x", "blk/none"].map(find), [None; 3]);
        assert_eq!(two.count("p", Some("1.0")), Some(7));
        assert_eq!(two.count("p", None), None);
    }

    #[test]
    fn outcomes_to_choose_from_are_those_that_transitions_name() {
        let two = two();
        let of = |path: &str| outcomes(two.step("p", Some("1.0"), path).unwrap());
        assert_eq!(of("end"), ["approved", "ok"]);
        assert_eq!(of("a"), ["ok"]);
        assert_eq!(of("blk/in2"), ["ok"]);
    }
}
