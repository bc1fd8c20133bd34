//! What definitions call, however far away.

use std::collections::BTreeSet;

use super::{
    gate::Named,
    load::{self, File, Loaded},
};
use crate::{
    engine::{
        definition::{Definition, Step, work::Call},
        net::versions,
    },
    error::Result,
};

/// The file of a process that is called by this name and perhaps version, if it was published.
pub type Lookup<'a> = dyn Fn(&str, Option<&str>) -> Result<Option<Named>> + 'a;

/// A definition followed by all that it calls, those near it before others of the same name.
pub fn with_called<'a>(
    near: &[&'a Definition],
    all: &[&'a Definition],
    main: &'a Definition,
) -> Vec<&'a Definition> {
    let (mut found, mut next) = (vec![main], 0);
    while let Some(caller) = found.get(next).copied() {
        let mut calls = Vec::new();
        calls_of(&caller.steps, &mut calls);
        for call in calls {
            let is_near = versions::called(call, caller, near).map(|it| near[it]);
            let is_there = || versions::called(call, caller, all).map(|it| all[it]);
            let it = is_near.or_else(is_there);
            found.extend(it.filter(|it| !found.iter().any(|found| std::ptr::eq(*found, *it))));
        }
        next += 1;
    }
    found
}

/// Every call in these steps.
fn calls_of<'a>(steps: &'a [Step], calls: &mut Vec<&'a Call>) {
    for step in steps {
        calls.extend(&step.call);
        calls_of(step.steps.as_deref().unwrap_or_default(), calls);
    }
}

/// Adds what is called and not there, as it was published; tells what that was.
pub fn add_called(files: &mut Vec<File>, lookup: &Lookup<'_>) -> Result<Vec<Named>> {
    let (mut at, mut asked, mut added) = (0, BTreeSet::new(), Vec::new());
    while at < files.len() {
        let mut fetched = Vec::new();
        let known: Vec<&Definition> =
            files.iter().flat_map(|it| &it.loaded).map(|it| &it.definition).collect();
        for (caller, call) in files[at].loaded.iter().flat_map(calls) {
            if versions::called(call, caller, &known).is_some() {
                continue;
            }
            let (name, version) = (call.process_name(), call.process_version());
            // What is not to be had is asked for once.
            if asked.insert((name.to_owned(), version.map(str::to_owned))) {
                fetched.extend(lookup(name, version)?);
            }
        }
        files.extend(fetched.iter().map(|(name, bytes)| load::read(name, bytes)));
        added.append(&mut fetched);
        at += 1;
    }
    Ok(added)
}

fn calls(loaded: &Loaded) -> impl Iterator<Item = (&Definition, &Call)> {
    let (caller, mut calls) = (&loaded.definition, Vec::new());
    calls_of(&caller.steps, &mut calls);
    calls.into_iter().map(move |it| (caller, it))
}
