//! Joins: whether they can ever have what they wait for.

use super::{Report, Scope, flow::Flow};
use crate::{
    engine::definition::flow::{Join, JoinWord, Quorum, Rest},
    process::diagnostic::Rule,
};

pub const RULES: &[Rule] = &[DEAD_JOIN, FROM_NOT_DOMINATING, JOIN_WORD, OR_JOINS_ON_CYCLE];

const DEAD_JOIN: Rule =
    Rule::error("dead-join", "The branches that a join waits for can be under way at once.");
const FROM_NOT_DOMINATING: Rule = Rule::error(
    "from-not-dominating",
    "Every way to a join with `from` leads through the split that it names.",
);
const JOIN_WORD: Rule = Rule::error(
    "join-word",
    "The words of `join` stand where the join is said: `n` is a number or an expression.",
);
const OR_JOINS_ON_CYCLE: Rule = Rule::warning(
    "or-joins-on-cycle",
    "Steps with `join: any` do not wait for each other in a circle.",
);

/// More branches before a join than this are not tried in every combination.
const BRANCHES_MAX: usize = 12;

pub fn check(scope: &Scope, report: &mut Report) {
    dead(scope, report);
    domination(scope, report);
    circles(scope, report);
    words(scope, report);
}

fn words(scope: &Scope, report: &mut Report) {
    for (no, step) in scope.steps.iter().enumerate() {
        let Some(Join::Rule(rule)) = &step.join else { continue };
        let Some(Quorum::Expression(n)) = &rule.n else { continue };
        if ["all", "any", "one"].contains(&&*n.0) {
            let message = format!(
                "`{0}` is asked of the data here: write `join: {0}`, or a number as `n`",
                n.0
            );
            report.say(&JOIN_WORD, &scope.at(no, "join.n"), message);
        }
    }
}

fn dead(scope: &Scope, report: &mut Report) {
    let is_join = |it: &crate::engine::definition::Step| count_of(it.join.as_ref()).is_some();
    if !scope.steps.iter().any(is_join) {
        return;
    }
    let Some(flow) = Flow::of(scope) else { return };
    let reached = scope.reachable(scope.initial, None);
    for (no, step) in scope.steps.iter().enumerate().filter(|it| reached[it.0]) {
        let before = flow.before(no);
        let path = scope.at(no, "join");
        match count_of(step.join.as_ref()) {
            Some(Count::All) if no != scope.initial => all(scope, &flow, no, &before, report),
            Some(Count::Number(n)) if n > before.len() => {
                let message = format!(
                    "`{}` waits for {n} branches and {} lead to it: wait for fewer, or add \
                        branches",
                    scope.id(no),
                    before.len()
                );
                report.say(&DEAD_JOIN, &path, message);
            }
            Some(Count::Number(n)) if no != scope.initial => {
                let most = most_at_once(&flow, &before);
                if most < n && before.iter().all(|it| flow.is_marked(*it)) {
                    let message = format!(
                        "`{}` waits for {n} branches, but at most {most} of those before it are \
                            taken at once: use `split: all` before them, or wait for fewer",
                        scope.id(no)
                    );
                    report.say(&DEAD_JOIN, &path, message);
                }
            }
            _ => (),
        }
    }
}

fn all(scope: &Scope, flow: &Flow, no: usize, before: &[usize], report: &mut Report) {
    let path = scope.at(no, "join");
    let from = |place: usize| flow.places[place].from.map(|it| scope.id(it)).unwrap_or_default();
    let at = |place: usize| scope.at(flow.places[place].from.unwrap_or_default(), "step_id");
    if !before.iter().any(|it| flow.is_marked(*it)) {
        return;
    }
    if let Some(missing) = before.iter().find(|it| !flow.is_marked(**it)) {
        let message = format!(
            "`{}` waits for the branch from `{}`, which never comes: let a way lead there, or \
                take its transition away",
            scope.id(no),
            from(*missing)
        );
        let said = report.say(&DEAD_JOIN, &path, message);
        said.see(&at(*missing), "nothing leads here");
        return;
    }
    for (index, one) in before.iter().enumerate() {
        let apart = before[index + 1..].iter().find(|it| !flow.are_at_once(*one, **it));
        let Some(other) = apart else { continue };
        let message = format!(
            "`{}` waits for `{}` and `{}`, but only one of them is taken: write `join: one`, or \
                `split: all` where they part",
            scope.id(no),
            from(*one),
            from(*other)
        );
        let said = report.say(&DEAD_JOIN, &path, message);
        let said = said.see(&at(*one), "either this");
        said.see(&at(*other), "or this");
        return;
    }
}

/// How many of these places can have threads at once; with many of them, no fewer than that.
fn most_at_once(flow: &Flow, places: &[usize]) -> usize {
    if places.len() > BRANCHES_MAX {
        return places.len();
    }
    let with = |(at, one): (usize, &usize)| {
        let rest = places[at + 1..].iter().copied().filter(|it| flow.are_at_once(*one, *it));
        1 + most_at_once(flow, &rest.collect::<Vec<_>>())
    };
    places.iter().enumerate().map(with).max().unwrap_or(0)
}

enum Count {
    All,
    Number(usize),
}

/// How many branches a join waits for, where that is a number without tickets.
fn count_of(join: Option<&Join>) -> Option<Count> {
    match join? {
        Join::Word(JoinWord::All) => Some(Count::All),
        Join::Count(n) => Some(Count::Number(*n as usize)),
        Join::Rule(rule) => match (&rule.n, &rule.from) {
            (Some(Quorum::Count(n)), None) => Some(Count::Number(*n as usize)),
            _ => None,
        },
        Join::Word(_) => None,
    }
}

/// How many joins of a scope collect what a split handed out.
pub fn collecting(scope: &Scope) -> usize {
    let collects = |it: &&crate::engine::definition::Step| match &it.join {
        Some(Join::Rule(rule)) => rule.from.is_some() || rule.rest == Some(Rest::Cancel),
        _ => false,
    };
    scope.steps.iter().filter(collects).count()
}

fn domination(scope: &Scope, report: &mut Report) {
    for (no, step) in scope.steps.iter().enumerate() {
        let Some(Join::Rule(rule)) = &step.join else { continue };
        let Some(from) = rule.from.as_deref() else { continue };
        let Some(split) = scope.by_name.get(from).copied() else { continue };
        let (path, id) = (scope.at(no, "join.from"), scope.id(no));
        if split == no {
            let message =
                format!("`{id}` cannot collect what it splits itself: name the split before it");
            report.say(&FROM_NOT_DOMINATING, &path, message);
        } else if scope.reachable(scope.initial, Some(split))[no] {
            let way = scope.way(scope.initial, no, Some(split));
            let message = format!(
                "a way leads to `{id}` that does not go through `{from}`: name a split that \
                    every way goes through"
            );
            let said = report.say(&FROM_NOT_DOMINATING, &path, message);
            said.help(format!("the way: {}", scope.names(&way)));
        }
    }
}

fn circles(scope: &Scope, report: &mut Report) {
    let is_any = |it: &usize| scope.steps[*it].join == Some(Join::Word(JoinWord::Any));
    let joins: Vec<usize> = (0..scope.steps.len()).filter(is_any).collect();
    if joins.len() < 2 || joins.len() > BRANCHES_MAX * 10 {
        return;
    }
    let after: Vec<Vec<bool>> = joins.iter().map(|it| scope.reachable(*it, None)).collect();
    let mut told = vec![false; joins.len()];
    for one in 0..joins.len() {
        let meets = |other: usize| after[one][joins[other]] && after[other][joins[one]];
        let circle: Vec<usize> = (one..joins.len()).filter(|it| meets(*it)).collect();
        if circle.len() < 2 || told[one] {
            continue;
        }
        circle.iter().for_each(|it| told[*it] = true);
        let circle: Vec<usize> = circle.iter().map(|it| joins[*it]).collect();
        let message = format!(
            "{} wait for each other in a circle, and start together when nothing else can \
                happen: let one of them be `join: one` or collect with `from`",
            scope.names(&circle)
        );
        let mut said = report.say(&OR_JOINS_ON_CYCLE, &scope.at(circle[0], "join"), message);
        for other in &circle[1..] {
            said = said.see(&scope.at(*other, "join"), "on the same circle");
        }
    }
}
