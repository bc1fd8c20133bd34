//! From a state and an event to changes, and from changes to the next state.

use serde_json::Value;

use super::{
    definition::{Data, flow::End},
    event::{Changes, Event, Kind, OK, Refused, What, Why},
    expression::COST_MAX,
    net::{Processes, RESERVED, Step},
    or_join::Cache,
    signal::key_text,
    state::{Frame, Id, Item, ItemStatus, Mail, Problem, State, Status},
    work::{DUE_MAX, Done, FIRINGS_MAX, Work},
};

/// The frame of the run itself.
pub const ROOT: Id = 0;

/// What an event changes; a refused one changes nothing.
pub fn decide(
    processes: &Processes,
    state: &State,
    event: &Event,
    cache: &mut Cache,
) -> Result<Changes, Refused> {
    let mut work = Work::over(processes, state, cache);
    work.rows.head.now_ms = work.rows.head.now_ms.max(event.at_ms);
    let done = work.happen(&event.what).and_then(|()| work.settle());
    let done = done.and_then(|()| work.check_cost());
    let firings = std::mem::take(&mut work.firings);
    let calls = std::mem::take(&mut work.calls);
    let rows = work.spend();
    done.map(|()| Changes { firings, calls, rows: rows.into_rows() })
}

/// Makes the state what it is afterwards.
pub fn apply(state: &mut State, changes: &Changes) {
    state.apply(&changes.rows);
}

impl Work<'_> {
    fn happen(&mut self, what: &What) -> Done {
        match (what, self.rows.head.status) {
            (What::Begin { data }, Status::New) => self.begin_run(data),
            (What::Begin { .. }, _) => Err(Refused::conflict("the run has begun")),
            (_, Status::Running) => self.happen_under_way(what),
            (_, _) => Err(Refused::conflict("the run is not under way")),
        }
    }

    fn happen_under_way(&mut self, what: &What) -> Done {
        match what {
            What::Begin { .. } => Ok(()),
            What::Start { item } => self.begin_item(*item),
            What::Complete { item, outcome, data } => {
                let it = self.started(*item)?;
                let outcome = outcome.as_deref().unwrap_or(OK);
                let step = self.step_of(&it);
                let is_known = |it: &Step| it.names(outcome) || RESERVED.contains(&outcome);
                if !step.is_some_and(is_known) {
                    let arcs = step.map(|it| &*it.arcs).unwrap_or_default();
                    let known: Vec<&str> = arcs.iter().filter_map(|it| it.on.as_deref()).collect();
                    let message = match &*known {
                        [] => format!("no transition names the outcome `{outcome}`"),
                        _ => format!(
                            "no transition names the outcome `{outcome}`, but `{}`",
                            known.join("`, `")
                        ),
                    };
                    return Err(Refused::invalid(message));
                }
                self.is_answerable = true;
                self.complete(*item, outcome, data.clone(), vec![it.by])
            }
            What::Fail { item, problem, chance, last } => {
                self.started(*item)?;
                self.attempt_failed(*item, problem.clone(), (!last).then_some(*chance))
            }
            What::Release { item } => {
                let it = self.started(*item)?;
                let by = self.fire(Kind::Again, self.path_of(&it), vec![it.by])?;
                self.change_item(*item, |it| {
                    it.by = by;
                    it.wait_for_somebody();
                });
                Ok(())
            }
            What::Heartbeat { item } => {
                let it = self.started(*item)?;
                let by = self.fire(Kind::Again, self.path_of(&it), vec![it.by])?;
                self.change_item(*item, |it| it.by = by);
                self.listen_to_worker(*item);
                Ok(())
            }
            What::Signal { name, key, data } => self.signal(name, key.as_ref(), data),
            What::Tick if self.rows.head.suspended => Ok(()),
            What::Tick => {
                // What is too much for one event is still due after it.
                for _ in 0..DUE_MAX {
                    let Some((due, id, timer)) = self.next_due() else { break };
                    self.due(due, id, timer)?;
                    self.settle()?;
                    if self.firings.len() >= FIRINGS_MAX / 2 || self.cost_left.get() < COST_MAX {
                        break;
                    }
                }
                Ok(())
            }
            What::Cancel => {
                let by = self.fire(Kind::Cancel, String::new(), Vec::new())?;
                let message = "the run was cancelled".to_owned();
                let problem = Problem { kind: "cancelled".to_owned(), message };
                self.end(ROOT, End::Cancelled, Some(problem), by)
            }
            What::Suspend => self.suspend(true),
            What::Resume => self.suspend(false),
            What::Retry { .. } => self.go_on_from_here(Kind::Retry),
            What::Fork { .. } => self.go_on_from_here(Kind::Fork),
            What::Migrate { .. } => self.outside(Kind::Migrate).map(drop),
        }
    }

    fn begin_item(&mut self, id: Id) -> Done {
        let item = self.named(id)?;
        if self.rows.head.suspended {
            return Err(Refused::conflict("the run is suspended"));
        }
        if item.status == ItemStatus::Open {
            return self.claim(id);
        }
        match self.may_start(&item) {
            Ok(true) if item.status == ItemStatus::Offered => self.start(id),
            Ok(_) => Err(Refused::conflict("it is not on offer")),
            Err(problem) => Err(Refused::invalid(problem.message)),
        }
    }

    fn signal(&mut self, name: &str, key: Option<&Value>, data: &Data) -> Done {
        let by = self.outside(Kind::Signal)?;
        self.last().into_iter().for_each(|it| {
            (it.outcome, it.data) = (Some(name.to_owned()), data.clone());
        });
        let at_ms = self.rows.head.now_ms;
        self.deliver(name, Mail { by, at_ms, key: key_text(key), data: data.clone() })
    }

    fn begin_run(&mut self, data: &Data) -> Done {
        let main = self.processes.main;
        self.fits_input(main, data).map_err(|it| Refused::invalid(it.message))?;
        let path = String::new();
        let frame = Frame { net: main, item: None, parent: None, process: ROOT, depth: 0, path };
        self.rows.frames.put(ROOT, frame);
        self.rows.head.status = Status::Running;
        let by = self.fire(Kind::Begin, String::new(), Vec::new())?;
        self.last().into_iter().for_each(|it| (it.data, it.made) = (data.clone(), 1));
        self.enter_frame(ROOT, Some(data.clone()), by)
    }

    fn named(&self, id: Id) -> Done<Item> {
        let missing = || Refused::new(Why::NotFound, "no such step is under way");
        self.item(id).cloned().ok_or_else(missing)
    }

    fn started(&self, id: Id) -> Done<Item> {
        let item = self.named(id)?;
        match item.status {
            ItemStatus::Started => Ok(item),
            _ => Err(Refused::conflict("it is not started")),
        }
    }

    /// Somebody takes up what had begun by itself.
    fn claim(&mut self, id: Id) -> Done {
        let item = self.named(id)?;
        let by = self.fire(Kind::Start, self.path_of(&item), vec![item.by])?;
        self.change_item(id, |it| (it.status, it.by) = (ItemStatus::Started, by));
        self.listen_to_worker(id);
        Ok(())
    }
}
