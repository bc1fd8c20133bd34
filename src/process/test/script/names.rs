//! Whether what a script names is there: a misspelt `~x` would hold for ever.

use super::{Deed, Named};
use crate::{
    engine::net::{Body, NetNo, Processes, StepNo},
    process::diagnostic::{brief, nearest},
};

const STATUSES: [&str; 6] = ["running", "waiting", "stuck", "done", "failed", "cancelled"];

/// The step that a path leads to, from the main process through blocks and calls.
pub fn step_at(processes: &Processes, path: &str) -> Option<(NetNo, StepNo)> {
    walk(processes, path).ok()
}

/// The step, or the first name that is none and those that would be.
fn walk<'p>(
    processes: &'p Processes,
    path: &str,
) -> Result<(NetNo, StepNo), (String, Vec<&'p str>)> {
    let mut net = Some(processes.main);
    let mut found = None;
    for part in path.split('/') {
        let name = part.split('#').next().unwrap_or_default();
        let steps = net.map(|it| processes.net(it));
        let step = steps.and_then(|it| it.by_name.get(name).copied());
        let (Some(no), Some(step)) = (net, step) else {
            let known = steps.iter().flat_map(|it| it.by_name.keys());
            return Err((name.to_owned(), known.map(|it| &**it).collect()));
        };
        net = match &processes.step(no, step).body {
            Body::Block(inside) => Some(*inside),
            Body::Call { net, .. } => Some(*net),
            Body::Work | Body::Route => None,
        };
        found = Some((no, step));
    }
    found.ok_or_else(|| (path.to_owned(), Vec::new()))
}

pub fn check(deed: Deed, processes: &Processes) -> Result<Deed, String> {
    match &deed {
        Deed::Start(it) | Deed::There(it) | Deed::NotThere(it) => check_step(it, processes)?,
        Deed::Complete { step, .. } | Deed::Fail { step, .. } | Deed::Heartbeat(step) => {
            check_step(step, processes)?;
        }
        Deed::Offers(steps) => steps.iter().try_for_each(|it| check_step(it, processes))?,
        Deed::Signal { name, .. } => check_event(name, processes)?,
        Deed::Status(status) => check_status(status, processes)?,
        Deed::Refused(inner) => drop(check((**inner).clone(), processes)?),
        Deed::After(_) | Deed::Data(_) => (),
    }
    Ok(deed)
}

fn check_step(step: &Named, processes: &Processes) -> Result<(), String> {
    match walk(processes, &step.path) {
        Ok(_) => Ok(()),
        Err((name, known)) => Err(unknown(&format!("no step is called `{name}`"), &name, known)),
    }
}

fn check_event(event: &str, processes: &Processes) -> Result<(), String> {
    let known = events(processes);
    match known.contains(&event) {
        true => Ok(()),
        false => Err(unknown(&format!("no step waits for the event `{event}`"), event, known)),
    }
}

fn check_status(status: &str, processes: &Processes) -> Result<(), String> {
    let steps = processes.nets.iter().flat_map(|it| &it.steps);
    let mut known: Vec<&str> = steps.filter_map(|it| it.final_status.as_deref()).collect();
    known.extend(STATUSES);
    match known.contains(&status) {
        true => Ok(()),
        false => Err(unknown(&format!("no run is ever `{status}`"), status, known)),
    }
}

fn unknown(message: &str, name: &str, known: Vec<&str>) -> String {
    match nearest(name, known) {
        Some(near) => format!("{}: `{near}` is meant?", brief(message)),
        None => brief(message),
    }
}

/// What steps and instances wait for.
pub fn events(processes: &Processes) -> Vec<&str> {
    let mut events = Vec::new();
    for step in processes.nets.iter().flat_map(|it| &it.steps) {
        events.extend(step.awaits.iter().filter_map(|it| it.event.as_deref()));
        if let Some(each) = &step.each {
            events.extend(each.add.as_deref().into_iter().chain(each.finish.as_deref()));
        }
    }
    events.sort_unstable();
    events.dedup();
    events
}
