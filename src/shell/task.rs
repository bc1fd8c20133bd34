//! `gitport task`: what runs wait for, done by hand.

use std::{env, fs, process::ExitCode};

use serde_json::{Value as Json, json};

use super::{
    given,
    json::spaced,
    place::repository,
    run::{asking, paged, reply, say, table},
    session::{Failure, Outcome, Session},
    text::shown,
};
use crate::{
    config::{
        Settings,
        run::{Place, Task, Telling, Worker},
    },
    engine::definition::around::Duration,
};

const REMEDY: &str = "say with --repository where the runs are";
/// Somebody who goes home has lost it by the next day.
const LEASE_MS: u64 = 3_600_000;

/// Everything that takes a task to its end.
struct Ending<'a> {
    op: &'a str,
    task: &'a str,
    token: Option<&'a str>,
    worker: Option<&'a Worker>,
    arguments: Json,
    what: &'a str,
}

pub fn task(settings: &Settings, command: Task) -> ExitCode {
    let outcome = given::expect_folder(settings).and_then(|()| {
        let mut session = Session::start(settings)?;
        let outcome = carry_out(&mut session, command);
        session.finish()?;
        outcome
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.told(),
    }
}

fn carry_out(session: &mut Session, command: Task) -> Outcome<()> {
    match command {
        Task::List { run, queue, types, worker, place, telling } => {
            let types = (!types.is_empty()).then_some(types);
            let wanted = json!({"run": run, "queue": queue, "types": types, "worker": worker});
            let request = asking("task.list", &path(&place)?, wanted);
            reply(session, &request, &telling, |session, page| {
                list(&paged(session, &request, page, "tasks", true)?)
            })
        }
        Task::Claim { task, queue, types, wait, worker, place, telling } => {
            let wait_ms = wait.as_deref().map(time).transpose()?;
            let types = (!types.is_empty()).then_some(types);
            let mut wanted = claim(&worker);
            for (name, value) in [
                ("task", task.into()),
                ("queue", queue.into()),
                ("types", types.into()),
                ("wait_ms", wait_ms.into()),
            ] {
                wanted[name] = value;
            }
            let request = asking("task.claim", &path(&place)?, wanted);
            reply(session, &request, &telling, |_, claimed| told(&claimed))
        }
        Task::Complete { task, token, outcome, given, worker, place, telling } => {
            let data = given::object(given.iter().map(String::as_str), "--set")?;
            let ending = Ending {
                op: "task.complete",
                task: &task,
                token: token.as_deref(),
                worker: Some(&worker),
                arguments: json!({"outcome": outcome, "data": data}),
                what: "is done",
            };
            ending.carry_out(session, &place, &telling)
        }
        Task::Fail { task, message, kind, no_retry, token, worker, place, telling } => {
            let ending = Ending {
                op: "task.fail",
                task: &task,
                token: token.as_deref(),
                worker: Some(&worker),
                arguments: json!({"message": message, "type": kind, "retry": !no_retry}),
                what: "has failed",
            };
            ending.carry_out(session, &place, &telling)
        }
        Task::Release { task, token, place, telling } => {
            let ending = Ending {
                op: "task.release",
                task: &task,
                token: Some(&token),
                worker: None,
                arguments: json!({}),
                what: "is offered again",
            };
            ending.carry_out(session, &place, &telling)
        }
    }
}

impl Ending<'_> {
    /// Takes it up before, if nobody has; gives it back where it is refused then.
    fn carry_out(&self, session: &mut Session, place: &Place, telling: &Telling) -> Outcome<()> {
        let path = path(place)?;
        let taken = match (self.token, self.worker) {
            (None, Some(worker)) => Some(self.take_up(session, &path, worker, telling)?),
            _ => None,
        };
        let token = taken.as_deref().or(self.token);
        let held = json!({"task": self.task, "token": token});
        let mut request = asking(self.op, &path, self.arguments.clone());
        (request["task"], request["token"]) = (held["task"].clone(), held["token"].clone());
        let ended = reply(session, &request, telling, |_, ended| {
            let text = |key: &str| shown(ended[key].as_str().unwrap_or_default());
            say(&[format!("{} {}; {}: {}", text("task"), self.what, text("run"), text("status"))])
        });
        if let (Err(Failure::Refused(_)), Some(_)) = (&ended, taken) {
            // That it is gone meanwhile is no harm.
            let _ = session.ask(&asking("task.release", &path, held));
        }
        ended
    }

    fn take_up(
        &self,
        session: &mut Session,
        path: &str,
        worker: &Worker,
        telling: &Telling,
    ) -> Outcome<String> {
        let mut wanted = claim(worker);
        wanted["task"] = self.task.into();
        let request = asking("task.claim", path, wanted);
        // Only a refusal is told: what is asked for is the end.
        let claimed = match session.ask(&request) {
            Err(Failure::Refused(it)) if telling.json => {
                super::call::print(&it)?;
                return Err(Failure::Refused(it));
            }
            claimed => claimed?,
        };
        match claimed["tasks"][0]["token"].as_str() {
            Some(token) => Ok(token.to_owned()),
            None => Err(Failure::Mistaken(format!("{} went on by itself", shown(self.task)))),
        }
    }
}

fn path(place: &Place) -> Outcome<String> {
    repository(place.repository.as_deref(), REMEDY)
}

/// The arguments that say who takes a task up.
fn claim(worker: &Worker) -> Json {
    let name = worker.worker.clone().unwrap_or_else(me);
    json!({"worker": name, "roles": worker.roles, "lease_ms": LEASE_MS})
}

/// Whoever sits at this shell, by a name that can be one of Git's.
pub fn me() -> String {
    let variable = |name: &str| env::var(name).ok().filter(|it| !it.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let user = user.unwrap_or_else(|| rustix::process::getuid().as_raw().to_string());
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "localhost",
        host => host,
    };
    let is_fit = |it: &char| !it.is_control() && !"<>".contains(*it);
    format!("{}@{host}", user.trim()).chars().filter(is_fit).take(100).collect()
}

fn time(text: &str) -> Outcome<u64> {
    let parsed = Duration::parse(text).map(|it| it.ms());
    parsed.ok_or_else(|| Failure::Mistaken(format!("--wait: `{text}` is no time such as 30s")))
}

fn list(tasks: &[Json]) -> Outcome<()> {
    let row = |it: &Json| {
        let text = |key: &str| shown(it[key].as_str().unwrap_or_default());
        let whose = match it["worker"].as_str() {
            Some(worker) => format!("held by {}", shown(worker)),
            None => "offered".to_owned(),
        };
        [text("task"), text("step"), text("process"), text("type"), text("queue"), whose, meant(it)]
    };
    say(&table(&tasks.iter().map(row).collect::<Vec<_>>()))
}

/// Who it is meant for, and what it is.
fn meant(task: &Json) -> String {
    let roles = task["roles"].as_array().into_iter().flatten().filter_map(Json::as_str);
    let roles = Vec::from_iter(roles).join(" or ");
    let roles = Some(roles).filter(|it| !it.is_empty());
    let assignee = task["assignee"].as_str().map(str::to_owned);
    let to = assignee.or(roles).map(|it| format!("to {it}"));
    let title = task["title"].as_str().map(str::to_owned);
    shown(&to.into_iter().chain(title).collect::<Vec<_>>().join(": "))
}

fn told(claimed: &Json) -> Outcome<()> {
    let Some(task) = claimed["tasks"].get(0) else {
        return say(&["there is nothing to do".to_owned()]);
    };
    let text = |key: &str| shown(task[key].as_str().unwrap_or_default());
    let mut lines = vec![format!("{}  {}  {}", text("task"), text("step"), text("title"))];
    let description = task["description"].as_str().unwrap_or_default();
    lines.extend(description.lines().map(|it| format!("  {}", shown(it))));
    for (name, value) in task["data"].as_object().into_iter().flatten() {
        lines.push(shown(&format!("  {name}: {}", spaced(value))));
    }
    lines.push(format!("token {}", text("token")));
    let lines: Vec<String> = lines.iter().map(|it| it.trim_end().to_owned()).collect();
    say(&lines)
}
