//! `gitport run`: runs of processes, for a person.

mod ask;
mod begin;
mod screen;
mod seen;
mod tell;
mod typed;
mod view;
mod watch;
mod whole;

use std::{path::Path, process::ExitCode};

use serde_json::{Value as Json, json};

pub use self::tell::{say, table};
use self::watch::{End, Watch};
use super::{
    REFUSED,
    call::print,
    given,
    place::repository,
    process::check::{format_of, word, write},
    session::{Failure, Outcome, Session},
};
use crate::config::{
    Settings,
    process::GraphFormat,
    run::{Place, Run, Running, Telling},
};

/// Nobody is there who could bring the run to its end.
const WAITS: u8 = 3;
const REMEDY: &str = "say with --repository where the runs are";

/// How a command ended that was carried out.
enum Done {
    Well,
    /// What was asked about is not as it should be.
    Badly,
    Watched(End),
}

pub fn run(settings: &Settings, run: Run) -> ExitCode {
    let outcome = given::expect_folder(settings).and_then(|()| match run.command {
        None => whole::whole(settings, &run.whole).map(Done::Watched),
        Some(command) => {
            let mut session = Session::start(settings)?;
            let outcome = carry_out(&mut session, command);
            session.finish()?;
            outcome
        }
    });
    match outcome {
        Ok(Done::Well | Done::Watched(End::Done)) => ExitCode::SUCCESS,
        Ok(Done::Badly | Done::Watched(End::Failed)) => ExitCode::from(REFUSED),
        Ok(Done::Watched(End::Waits)) => ExitCode::from(WAITS),
        Err(failure) => failure.told(),
    }
}

fn carry_out(session: &mut Session, command: Running) -> Outcome<Done> {
    match command {
        Running::Start(start) => begin::start(session, &start),
        Running::Show { run, at, place, telling } => {
            let request = about("run.get", &place, json!({"run": run, "seq": at}))?;
            told(session, &request, &telling, |_, run| tell::show(run, at.is_none()))
        }
        Running::List { wanted, place, telling } => {
            let request = about("run.list", &place, tell::wanted(&wanted)?)?;
            told(session, &request, &telling, |session, page| {
                let is_all = wanted.limit.is_none();
                tell::list(&paged(session, &request, page, "runs", is_all)?)
            })
        }
        Running::History { run, place, telling } => {
            let request = about("run.history", &place, json!({"run": run}))?;
            told(session, &request, &telling, |session, page| {
                tell::history(&paged(session, &request, page, "events", true)?)
            })
        }
        Running::Graph { run, format, at, output, place } => {
            let format: GraphFormat = format.unwrap_or_else(|| format_of(output.as_deref()));
            let wanted = json!({"run": run, "seq": at, "format": word(format)});
            let reply = session.ask(&about("run.graph", &place, wanted)?)?;
            let picture = reply["picture"].as_str().unwrap_or_default();
            write(output.as_deref(), picture.as_bytes())?;
            Ok(Done::Well)
        }
        Running::Watch { run, place } => {
            let path = repository(place.repository.as_deref(), REMEDY)?;
            Watch::new(session, path, &run).until_over().map(Done::Watched)
        }
        Running::Signal { run, name, key, given, actor, place, telling } => {
            let data = given::object(given.iter().map(String::as_str), "--set")?;
            let key = key.as_deref().map(given::value);
            let wanted =
                json!({"run": run, "name": name, "key": key, "data": data, "actor": actor});
            let request = about("run.signal", &place, wanted)?;
            told(session, &request, &telling, |_, taken| tell::taken(taken, "has heard of it"))
        }
        Running::Cancel { run, actor, place, telling } => {
            let request = about("run.cancel", &place, json!({"run": run, "actor": actor}))?;
            told(session, &request, &telling, |_, taken| tell::taken(taken, "is withdrawn"))
        }
        Running::Verify { run, place, telling } => {
            let reply = session.ask(&about("run.verify", &place, json!({"run": run}))?)?;
            match telling.json {
                true => print(&reply)?,
                false => tell::verified(&reply)?,
            }
            Ok(if reply["ok"] == true { Done::Well } else { Done::Badly })
        }
    }
}

/// A request about runs of a repository.
fn about(op: &str, place: &Place, arguments: Json) -> Outcome<Json> {
    let path = repository(place.repository.as_deref(), REMEDY)?;
    Ok(asking(op, &path, arguments))
}

pub fn asking(op: &str, path: &str, arguments: Json) -> Json {
    let mut request = json!({"op": op, "path": path});
    for (name, value) in arguments.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}

/// Asks, and tells the reply as it is or in words.
fn told(
    session: &mut Session,
    request: &Json,
    telling: &Telling,
    tell: impl FnOnce(&mut Session, Json) -> Outcome<()>,
) -> Outcome<Done> {
    reply(session, request, telling, tell)?;
    Ok(Done::Well)
}

/// The same for other commands; a refusal is told as it is, too.
pub fn reply(
    session: &mut Session,
    request: &Json,
    telling: &Telling,
    tell: impl FnOnce(&mut Session, Json) -> Outcome<()>,
) -> Outcome<()> {
    let reply = match session.ask(request) {
        Err(Failure::Refused(reply)) if telling.json => {
            print(&reply)?;
            return Err(Failure::Refused(reply));
        }
        reply => reply?,
    };
    match telling.json {
        true => Ok(print(&reply)?),
        false => tell(session, reply),
    }
}

/// What is in a list of a page, and in those behind it.
pub fn paged(
    session: &mut Session,
    request: &Json,
    mut page: Json,
    list: &str,
    is_all: bool,
) -> Outcome<Vec<Json>> {
    let mut all = Vec::new();
    loop {
        if let Json::Array(items) = page[list].take() {
            all.extend(items);
        }
        if page["next"].is_null() || !is_all {
            return Ok(all);
        }
        let mut request = request.clone();
        request["after"] = page["next"].take();
        page = session.ask(&request)?;
    }
}

/// A path of a repository as it is typed at a shell.
fn typed_path(path: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "/._-+:@%".contains(it);
    match path.chars().all(is_plain) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', r"'\''")),
    }
}

/// The flag by which the repository is found from the current folder, if it needs one.
fn place_flag(path: &str) -> String {
    match super::place::around() {
        Ok(Some(around)) if Path::new(&around) == Path::new(path) => String::new(),
        _ => format!(" --repository {}", typed_path(path)),
    }
}
