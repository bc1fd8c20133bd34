//! The form in words: `when` something happens, or `after` a time, `then` something holds.

use super::{Deed, Named, line::named};
use crate::engine::definition::test::{Act, Then, When};

/// What an act comes to, each thing with its place.
pub fn acts(acts: &[Act]) -> Vec<(String, Result<Deed, String>)> {
    let mut deeds = Vec::new();
    for (index, act) in acts.iter().enumerate() {
        let path = format!(".scenario[{index}]");
        match (&act.when, &act.after, &act.then) {
            (None, None, None) => {
                let message = "say `when`, `after` or `then` here".to_owned();
                deeds.push((path, Err(message)));
                continue;
            }
            (Some(_), Some(_), _) => {
                let message = "say `after` and `when` one after the other, in acts of their own";
                deeds.push((path, Err(message.to_owned())));
                continue;
            }
            (Some(when), None, _) => deeds.push((format!("{path}.when"), deed(when))),
            (None, Some(time), _) => {
                deeds.push((format!("{path}.after"), Ok(Deed::After(time.clone()))));
            }
            (None, None, Some(_)) => (),
        }
        act.then.iter().for_each(|it| then(it, &format!("{path}.then"), &mut deeds));
    }
    deeds
}

fn deed(when: &When) -> Result<Deed, String> {
    let wrong = |message: &str| Err(message.to_owned());
    let When { step, start, heartbeat, event, outcome, error, key, data, refused } = when;
    if let Some(step) = heartbeat {
        return self::heartbeat(step, when);
    }
    let deed = match (step, start, event) {
        (Some(step), None, None) => {
            let step = named(step)?;
            match (error, key) {
                (_, Some(_)) => return wrong("take `key` away: only an event has one"),
                (Some(_), _) if outcome.is_some() || !data.is_empty() => {
                    return wrong("an attempt that fails has neither outcome nor data");
                }
                (Some(kind), None) => Deed::Fail { step, kind: kind.clone() },
                (None, None) => Deed::Complete {
                    step,
                    starts: true,
                    outcome: outcome.clone(),
                    data: data.clone(),
                },
            }
        }
        (None, Some(start), None) => {
            let has_more = outcome.is_some() || error.is_some() || key.is_some();
            if has_more || !data.is_empty() {
                return wrong("nothing comes with a start");
            }
            Deed::Start(named(start)?)
        }
        (None, None, Some(event)) => {
            if outcome.is_some() || error.is_some() {
                return wrong("an event has a key and data, and no outcome");
            }
            Deed::Signal { name: event.clone(), key: key.clone(), data: data.clone() }
        }
        _ => return wrong("say one of `step`, `start`, `heartbeat` and `event`"),
    };
    Ok(if *refused { Deed::Refused(Box::new(deed)) } else { deed })
}

fn heartbeat(step: &str, when: &When) -> Result<Deed, String> {
    let heartbeat = Some(step.to_owned());
    let alone = When { heartbeat, refused: when.refused, ..When::default() };
    if *when != alone {
        return Err("nothing comes with a heartbeat".to_owned());
    }
    let deed = Deed::Heartbeat(named(step)?);
    Ok(if when.refused { Deed::Refused(Box::new(deed)) } else { deed })
}

fn then(then: &Then, path: &str, deeds: &mut Vec<(String, Result<Deed, String>)>) {
    let all = |steps: &[String]| -> Result<Vec<Named>, String> {
        steps.iter().map(|it| named(it)).collect()
    };
    if let Some(steps) = &then.offers {
        deeds.push((format!("{path}.offers"), all(steps).map(Deed::Offers)));
    }
    for (index, step) in then.running.iter().enumerate() {
        deeds.push((format!("{path}.running[{index}]"), named(step).map(Deed::There)));
    }
    for (index, step) in then.not.iter().enumerate() {
        deeds.push((format!("{path}.not[{index}]"), named(step).map(Deed::NotThere)));
    }
    if let Some(status) = &then.status {
        deeds.push((format!("{path}.status"), Ok(Deed::Status(status.clone()))));
    }
    if !then.data.is_empty() {
        deeds.push((format!("{path}.data"), Ok(Deed::Data(then.data.clone()))));
    }
}
