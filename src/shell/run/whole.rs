//! `gitport run FILE`: a run from its beginning to its end, in one command.

use std::{
    ffi::OsString,
    io::{self, Write},
};

use serde_json::json;

use super::{
    ask::{Asked, Person},
    asking,
    begin::begin,
    place_flag,
    typed::Typed,
    typed_path,
    watch::{End, Watch},
};
use crate::{
    config::{Settings, run::Whole},
    shell::{
        complain,
        definition::Definitions,
        place::{absolute, around},
        process::files::{File, drafts},
        session::{Outcome, Session},
        text::shown,
    },
};

/// The workspace of a temporary repository.
const WORKSPACE: &str = "runs";
/// The operator's own flag for programs that may be run, and the variable that says the same.
const ALLOWED: (&str, &str) = ("--exec-allow=", "GITPORT_EXEC_ALLOW");

/// The operator's flag for steps in the repository.
const GIT_STEPS: &str = "--git-steps";

pub fn whole(settings: &Settings, whole: &Whole) -> Outcome<End> {
    let files: Vec<File> = whole.files.iter().map(|it| File::read(it)).collect::<Outcome<_>>()?;
    let definitions = Definitions::read(files.iter().map(|it| (&*it.name, &*it.bytes)));
    let arguments = begin(&whole.begin)?;
    let repository = match (&whole.place.repository, whole.temporary) {
        (Some(named), _) => Some(absolute(named)?),
        (None, true) => None,
        (None, false) => around()?,
    };
    let data = match &repository {
        Some(_) => settings.data.clone(),
        None => Some(tempfile::Builder::new().prefix("gitport-run-").tempdir()?.keep()),
    };
    // What waits in other runs is not what somebody asks for who plays a file.
    let mut flags = Session::flags(&Settings { data, own_runs: true, ..settings.clone() });
    let allowed = allowed(&mut flags, &definitions);
    let by_daemon = by_daemon(&flags, allowed.is_some());
    let variables = allowed.into_iter().map(|it| (ALLOWED.1, it)).collect();
    let mut session = Session::start_with(&flags, variables)?;
    if !is_sound(&mut session, &files)? {
        session.finish()?;
        return Ok(End::Failed);
    }
    let path = match repository {
        Some(path) => path,
        None => temporary(&mut session)?,
    };
    let mut request = asking("run.start", &path, arguments);
    (request["drafts"], request["process"]) = (drafts(&files), whole.process.as_deref().into());
    let outcome = session.ask(&request).and_then(|began| {
        let run = began["run"].as_str().unwrap_or_default();
        let mut watch = Watch::new(&mut session, path, run);
        (watch.definitions, watch.seen.by_daemon) = (Some(definitions), by_daemon);
        let place = place_flag(&watch.path);
        watch.session.set_farewell(format!(
            "the run stays as it is; to go on: the same with --id {0}; to look on: gitport run \
             watch {0}{place}",
            shown(run)
        ));
        to_its_end(&mut watch, Person::new(whole.worker.clone()))
    });
    session.finish()?;
    outcome
}

/// Whether the definitions have no errors; else they are told as `gitport process lint` does.
fn is_sound(session: &mut Session, files: &[File]) -> Outcome<bool> {
    let lint = json!({"op": "process.lint", "drafts": drafts(files), "format": "text"});
    let told = session.ask(&lint)?;
    let is_sound = told["errors"] == 0;
    if !is_sound {
        io::stderr().lock().write_all(told["rendered"].as_str().unwrap_or_default().as_bytes())?;
    }
    Ok(is_sound)
}

/// Takes the operator's list out of the flags, and gives it with the programs of the definitions:
/// who starts a file by hand allows what it names.
fn allowed(flags: &mut Vec<OsString>, definitions: &Definitions) -> Option<OsString> {
    let value = |it: &OsString| Some(it.to_str()?.strip_prefix(ALLOWED.0)?.to_owned());
    let mut allowed: Vec<String> = flags.iter().filter_map(value).collect();
    flags.retain(|it| value(it).is_none());
    allowed.extend(definitions.programs());
    allowed.retain(|it| !it.is_empty());
    (!allowed.is_empty()).then(|| allowed.join(",").into())
}

/// The types of steps that the daemon does with these flags; others are for whoever claims them.
fn by_daemon(flags: &[OsString], has_programs: bool) -> Vec<&'static str> {
    let has_git = flags.iter().any(|it| it == GIT_STEPS);
    [("exec", has_programs), ("git", has_git)]
        .into_iter()
        .filter(|it| it.1)
        .map(|it| it.0)
        .collect()
}

/// A repository that is told of, and stays: what happened is in it.
fn temporary(session: &mut Session) -> Outcome<String> {
    let made = session.ask(&json!({"op": "workspace.create", "workspace": WORKSPACE}))?;
    let path = made["path"].as_str().unwrap_or_default().to_owned();
    complain(format_args!("for this time only: the run is in {}", typed_path(&path)));
    Ok(path)
}

fn to_its_end(watch: &mut Watch, mut person: Person) -> Outcome<End> {
    let mut can_ask = Typed::can_ask();
    loop {
        watch.look()?;
        if let Some(end) = watch.end() {
            return Ok(end);
        }
        if can_ask && watch.seen.has_work() {
            match person.ask(watch)? {
                Asked::Over => continue,
                Asked::Left => can_ask = false,
                Asked::Nothing => (),
            }
        }
        if !can_ask && !watch.seen.moves_by_itself() {
            waits(watch);
            return Ok(End::Waits);
        }
        watch.pause()?;
    }
}

/// Tells what the run waits for, and how it comes to that.
fn waits(watch: &Watch) {
    let place = place_flag(&watch.path);
    let run = shown(&watch.run);
    for it in watch.seen.offers() {
        let path = shown(it["path"].as_str().unwrap_or_default());
        let task = shown(it["task"].as_str().unwrap_or_default());
        let is_offered = matches!(it["status"].as_str(), Some("offered" | "open"));
        match it["step_type"].as_str() {
            Some("git") if is_offered => complain(format!(
                "{path} is a `git` step: the same with --git-steps --id {run} does it, or a worker"
            )),
            Some("exec") if is_offered => complain(format!(
                "{path} is an `exec` step that names no program: a worker has to do it"
            )),
            _ if is_offered => {
                complain(format!("{path} waits for somebody: gitport task complete {task}{place}"))
            }
            _ => complain(format!("{path} waits for an event: gitport run signal {run} …{place}")),
        };
    }
}
