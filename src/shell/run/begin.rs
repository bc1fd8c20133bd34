//! `gitport run start`.

use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::{Done, REMEDY, asking, reply, tell, watch::Watch};
use crate::{
    config::run::{Begin, Start},
    shell::{
        given,
        place::{inside, repository},
        process::stores::elsewhere,
        session::{Failure, Outcome, Session},
    },
};

pub fn start(session: &mut Session, start: &Start) -> Outcome<Done> {
    let path = repository(start.place.repository.as_deref(), REMEDY)?;
    let request = request(start, &path)?;
    let mut began = None;
    reply(session, &request, &start.telling, |_, reply| {
        tell::began(&reply)?;
        began = reply["run"].as_str().map(str::to_owned);
        Ok(())
    })?;
    match began.filter(|_| start.follow) {
        Some(run) => Watch::new(session, path, &run).until_over().map(Done::Watched),
        None => Ok(Done::Well),
    }
}

fn request(start: &Start, path: &str) -> Outcome<Json> {
    let mut request = asking("run.start", path, begin(&start.begin)?);
    let process = start.process.as_deref();
    let (name, version) = match process.and_then(|it| it.split_once('@')) {
        Some(_) if start.version.is_some() => {
            let why = "the version is given twice: behind `@` and with --version";
            return Err(Failure::Mistaken(why.to_owned()));
        }
        Some((name, version)) => (Some(name), Some(version)),
        None => (process, start.version.as_deref()),
    };
    request["process"] = name.into();
    if start.files.is_empty() {
        request["version"] = version.into();
        request["prerelease"] = start.prerelease.into();
        request["store"] = elsewhere(&start.elsewhere)?.unwrap_or_default();
    } else {
        let name = |it: &PathBuf| inside(it, path);
        request["files"] = start.files.iter().map(name).collect::<Outcome<Json>>()?;
        request["rev"] = start.rev.as_deref().into();
    }
    Ok(request)
}

/// The arguments that say what a run begins with.
pub fn begin(begin: &Begin) -> Outcome<Json> {
    let Begin { input, id, attributes, actor } = begin;
    Ok(json!({
        "run": id,
        "input": given::object(input.iter().map(String::as_str), "--input")?,
        "attributes": given::texts(attributes, "--attribute")?,
        "actor": actor,
    }))
}
