//! The end of a step: which transitions its thread takes, what is sent and what is withdrawn.

use super::{
    data::Scope,
    definition::flow::{End, Split},
    event::{Kind, Refused},
    net::{Arc, Cancelled, PlaceKind, RESERVED, Step},
    signal::Letter,
    state::{Id, Item, Problem, Ticket},
    work::{Done, TOKENS_MAX, Work},
};

/// How a step ends, all expressions of that read.
struct Ending<'w> {
    outcome: String,
    problem: Option<Problem>,
    arcs: Result<Vec<&'w Arc>, Problem>,
    letters: Vec<Letter>,
}

impl<'w> Work<'w> {
    /// What comes after a step: `id` is the item that ends with it.
    pub fn go_on(&mut self, item: &Item, id: Option<Id>, outcome: &str, by: Id) -> Done {
        let Some(step) = self.step_of(item) else { return Ok(()) };
        let Ending { outcome, problem, arcs, letters } = self.ending(step, item, outcome, by)?;
        // From here on nobody is there who could say something else.
        self.is_answerable = false;
        let done = self.rows.done.get(&(item.frame, item.step)).copied().unwrap_or(0);
        self.rows.done.put((item.frame, item.step), done + 1);
        if let Some(status) = &step.final_status {
            self.rows.head.final_status = Some(status.clone());
        }
        if let Some(name) = step.milestone.as_ref().filter(|_| !RESERVED.contains(&&*outcome))
            && let Some(firing) = self.firings.iter_mut().rev().find(|it| it.id == by)
        {
            firing.milestone = Some(name.clone());
        }
        self.send(letters)?;
        let by = self.cancel(item, &step.cancel, id, by)?;
        if self.frame(item.frame).is_none() {
            return Ok(());
        }
        let ending = match (&arcs, step.end) {
            (Err(_), _) => Some((End::Failed, problem)),
            (Ok(_), _) if !step.names(&outcome) => Some(unnamed(step, &outcome, problem)),
            (Ok(_), end) => end.map(|end| (end, None)),
        };
        if let Some((end, problem)) = ending {
            id.map(|it| self.drop_item(it));
            return self.end(item.frame, end, problem, by);
        }
        let arcs = arcs.unwrap_or_default();
        self.spread(step, item, &arcs, by)?;
        if let Some(id) = id {
            self.drop_item(id);
        }
        Ok(())
    }

    /// Reads what a step says of its end: an expression that is wrong makes another end of it.
    fn ending(&mut self, step: &'w Step, item: &Item, outcome: &str, by: Id) -> Done<Ending<'w>> {
        let problem = item.problem.as_deref().cloned();
        let arcs = self.choose(step, item, outcome, problem.as_ref());
        let letters = match &arcs {
            Ok(_) => self.letters(&step.emit, item, by),
            Err(_) => Ok(Vec::new()),
        };
        let wrong = match (&arcs, &letters) {
            (Err(wrong), _) if self.is_answerable && wrong.kind != "expression" => {
                return Err(Refused::invalid(wrong.message.clone()));
            }
            (Err(wrong), _) | (_, Err(wrong)) => wrong.clone(),
            (Ok(_), Ok(_)) => {
                let (outcome, letters) = (outcome.to_owned(), letters.unwrap_or_default());
                return Ok(Ending { outcome, problem, arcs, letters });
            }
        };
        self.note(wrong.clone());
        let letters = Vec::new();
        if arcs.is_ok() && RESERVED.contains(&outcome) {
            // It had failed already, and says why.
            return Ok(Ending { outcome: outcome.to_owned(), problem, arcs, letters });
        }
        let (outcome, problem) = ("failed".to_owned(), Some(wrong));
        let arcs = self.choose(step, item, &outcome, problem.as_ref());
        Ok(Ending { outcome, problem, arcs, letters })
    }

    /// The transitions that are taken.
    fn choose(
        &self,
        step: &'w Step,
        item: &Item,
        outcome: &str,
        problem: Option<&Problem>,
    ) -> Result<Vec<&'w Arc>, Problem> {
        let named: Vec<&Arc> = step.arcs.iter().filter(|it| it.takes(outcome)).collect();
        let mut scope = Scope::of(self, item).with("outcome", outcome);
        let is_failure = RESERVED.contains(&outcome);
        // Of who only says that it failed, no more is known.
        let untold = || Problem { kind: outcome.to_owned(), message: String::new() };
        if let Some(problem) = problem.cloned().or(is_failure.then(untold)) {
            let error = serde_json::to_value(problem).unwrap_or_default();
            scope = scope.with("error", error);
        }
        let mut taken = Vec::new();
        for arc in named.iter().filter(|it| !it.otherwise) {
            // `all` asks for nothing: the branches are taken whatever the data is.
            let when = arc.when.as_ref().filter(|_| step.split != Split::All);
            if when.map_or(Ok(true), |it| scope.holds(it))? {
                taken.push(*arc);
                if step.split == Split::One {
                    break;
                }
            }
        }
        if taken.is_empty() {
            taken.extend(named.iter().find(|it| it.otherwise));
        }
        if taken.is_empty() && !named.is_empty() && step.split == Split::One {
            let message = format!("no condition after `{}` holds", step.id);
            return Err(Problem { kind: "transition".to_owned(), message });
        }
        Ok(taken)
    }

    /// A thread for each arc, with new tickets if the step hands them out.
    fn spread(&mut self, step: &Step, item: &Item, arcs: &[&Arc], by: Id) -> Done {
        let Some((_, net)) = self.net_of(item.frame) else { return Ok(()) };
        let mut tickets = item.tickets.clone();
        for join in &step.hands_out {
            let ticket = self.id();
            let row = Ticket { frame: item.frame, join: *join, fired: None };
            self.rows.tickets.put(ticket, row);
            self.idle_tickets.insert(ticket);
            tickets.push(ticket);
        }
        let (mut made, mut races) = (0, Vec::new());
        for arc in arcs {
            let Some((_, place)) = arc.target else { continue };
            if net.place(place).kind == PlaceKind::Race {
                if races.contains(&place) {
                    continue;
                }
                races.push(place);
            }
            if arc.tokens as usize > TOKENS_MAX {
                return Err(Refused::too_large(format!("a run has at most {TOKENS_MAX} threads")));
            }
            for _ in 0..arc.tokens {
                self.put_token(item.frame, place, by, &tickets)?;
            }
            made += u64::from(arc.tokens);
        }
        let firing = self.firings.iter_mut().rev().find(|it| it.id == by);
        firing.into_iter().for_each(|it| {
            it.made += made;
            let is_taken = |arc: &Arc| arcs.iter().any(|it| std::ptr::eq(*it, arc));
            let numbers = 0..step.arcs.len();
            it.took.extend(numbers.filter(|at| is_taken(&step.arcs[*at])).map(|it| it as u32));
        });
        if made == 0 {
            self.rows.heads.put((item.frame, by), ());
        }
        Ok(())
    }

    /// Withdraws what a step cancels; the firing that goes on.
    fn cancel(&mut self, item: &Item, cancel: &[Cancelled], id: Option<Id>, by: Id) -> Done<Id> {
        if cancel.is_empty() {
            return Ok(by);
        }
        let (mut parents, mut around) = (Vec::new(), item.frame);
        let path = self.path_of(item);
        for cancelled in cancel {
            let target = self.withdraw(item.frame, cancelled, cancel, id, &mut parents);
            if self.frame(item.frame).is_none() {
                around = target;
                break;
            }
        }
        if parents.is_empty() {
            return Ok(by);
        }
        parents.push(by);
        let by = self.fire(Kind::Cancel, path, parents)?;
        if around != item.frame {
            // The step was in what it cancelled: its thread ends with that.
            self.rows.heads.put((around, by), ());
        }
        Ok(by)
    }
}

/// How a process or block ends when one of its steps ended in a way that nothing is said about.
fn unnamed(step: &Step, outcome: &str, problem: Option<Problem>) -> (End, Option<Problem>) {
    let end = if outcome == "cancelled" { End::Cancelled } else { End::Failed };
    let message = format!("`{}` ended so, and no transition says more", step.id);
    let kind = outcome.to_owned();
    (end, problem.or(Some(Problem { kind, message })))
}
