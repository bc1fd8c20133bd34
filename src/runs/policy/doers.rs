//! Who completed which steps of a run: what rules that want two people need to know.

use super::pattern::bare;

/// Sorted by actors and steps, each pair once, so that it stays small in long runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Doers(Vec<Done>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    actor: Box<str>,
    /// Its path, without numbers of instances.
    pub step: Box<str>,
    /// The path with them, where it has any, and whether there were others.
    instance: Option<Box<str>>,
    is_several: bool,
}

impl Doers {
    /// Takes in that somebody completed the step at a path.
    pub fn complete(&mut self, actor: &str, path: &str) {
        let (actor, step) = (bare(actor), plain(path));
        match self.0.binary_search_by(|it| (&*it.actor, &*it.step).cmp(&(actor, &*step))) {
            Ok(at) => {
                let done = &mut self.0[at];
                done.is_several |= done.instance.as_deref().is_some_and(|it| it != path);
            }
            Err(at) => {
                let instance = (step != path).then(|| path.into());
                let done =
                    Done { actor: actor.into(), step: step.into(), instance, is_several: false };
                self.0.insert(at, done);
            }
        }
    }

    /// What somebody completed.
    pub fn of(&self, actor: &str) -> &[Done] {
        let actor = bare(actor);
        let from = self.0.partition_point(|it| &*it.actor < actor);
        let to = self.0.partition_point(|it| &*it.actor <= actor);
        &self.0[from..to]
    }
}

impl Done {
    /// Whether another instance of the step was completed than the one at this path.
    pub fn has_other_than(&self, path: &str) -> bool {
        self.is_several || self.instance.as_deref().is_some_and(|it| it != path)
    }
}

/// A path without the numbers of instances.
pub fn plain(path: &str) -> String {
    let part = |it: &str| match it.rsplit_once('#') {
        Some((step, number)) if number.bytes().all(|it| it.is_ascii_digit()) => step.to_owned(),
        _ => it.to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pair_of_an_actor_and_a_step_is_there_once() {
        let mut doers = Doers::default();
        for (actor, path) in
            [("bob", "a"), ("ann", "m#2"), ("ann", "a"), ("ann", "m#2"), ("ann", "a")]
        {
            doers.complete(actor, path);
        }
        let steps = |actor: &str| -> Vec<String> {
            doers.of(actor).iter().map(|it| it.step.to_string()).collect()
        };
        assert_eq!(steps("ann"), ["a", "m"]);
        assert_eq!(steps("bob"), ["a"]);
        assert_eq!(steps("ann."), ["a", "m"], "whom Git would call ann");
        assert!(steps("an").is_empty() && steps("c").is_empty());
    }

    #[test]
    fn other_instances_of_a_step_are_known() {
        let mut doers = Doers::default();
        doers.complete("ann", "blk#1/m#2");
        let of = |doers: &Doers, path: &str| doers.of("ann")[0].has_other_than(path);
        assert!(!of(&doers, "blk#1/m#2") && of(&doers, "blk#1/m#3"));
        doers.complete("ann", "blk#1/m#3");
        assert!(of(&doers, "blk#1/m#2"));
        doers.complete("bob", "a");
        assert!(!doers.of("bob")[0].has_other_than("a"));
    }

    #[test]
    fn a_plain_path_has_no_numbers_of_instances() {
        assert_eq!(plain("a/m#2/b#10"), "a/m/b");
        assert_eq!(plain("a#b"), "a#b");
    }
}
