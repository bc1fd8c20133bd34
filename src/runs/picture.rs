//! The picture of a run: its process, with where it is.

use super::{keeper::Keeper, run::Run};
use crate::{
    engine::state::{Frame, ItemStatus, Status},
    error::{Error, Result},
    git::{RunId, Transaction},
    process::{
        graph::{Format, Marking, State, Subject},
        load,
    },
};

impl Keeper {
    /// The picture of a run as it is, or was with the commit of a number.
    pub fn picture(
        &mut self,
        run: &RunId,
        until: Option<u64>,
        format: Format,
        transaction: &mut Transaction,
    ) -> Result<String> {
        draw(&*self.run_at(run, until, transaction)?, format)
    }
}

fn draw(run: &Run, format: Format) -> Result<String> {
    let pinned = &run.pinned;
    let read = pinned.files.iter().map(|(name, bytes)| load::definitions(name, bytes));
    let all = read.collect::<Result<Vec<_>>>()?.concat();
    let definition = all
        .iter()
        .find(|it| it.process_name == pinned.name && it.process_version == pinned.version);
    let definition = definition.ok_or_else(|| Error::corrupt("the process of a run is gone"))?;
    let marking = marking(run);
    let subject = Subject { definition, called: &all, marking: Some(&marking) };
    Ok(subject.drawn(format))
}

/// Where a run is, and what of it is done.
fn marking(run: &Run) -> Marking {
    let (state, processes) = (&run.state, &run.pinned.processes);
    let mut marking = Marking::default();
    for offer in state.offers(processes) {
        let how = match offer.status {
            ItemStatus::Started | ItemStatus::Inside => State::Running,
            ItemStatus::Offered | ItemStatus::Open => State::Offered,
            ItemStatus::Backoff | ItemStatus::Awaiting => State::Waiting,
        };
        marking.add(&offer.path, how, 1);
    }
    // Blocks and calls, which nobody is offered, while something in them goes on.
    for (id, item) in state.items.iter().filter(|it| it.1.status == ItemStatus::Inside) {
        let path = state.path_of(processes, *id).filter(|_| item.instance.is_none());
        path.into_iter().for_each(|it| marking.add(&it, State::Running, 1));
    }
    let path = |frame: &Frame, step: &str| match frame.path.is_empty() {
        true => step.to_owned(),
        false => format!("{}/{step}", frame.path),
    };
    let is_stuck = state.status(processes) == Status::Stuck;
    for ((frame, place, _), _) in state.tokens.iter().filter(|_| is_stuck) {
        let Some(frame) = state.frames.get(frame) else { continue };
        let net = processes.net(frame.net);
        for target in &net.place(*place).targets {
            marking.add(&path(frame, &net.step(*target).id), State::Stuck, 1);
        }
    }
    for ((frame, step), count) in state.done.iter() {
        let Some(frame) = state.frames.get(frame) else { continue };
        let count = u32::try_from(*count).unwrap_or(u32::MAX);
        marking.add(&path(frame, &processes.step(frame.net, *step).id), State::Done, count);
    }
    marking
}
