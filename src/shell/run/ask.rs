//! Somebody at a terminal does the tasks of a run.

use serde_json::{Value as Json, json};

use super::{
    asking,
    seen::Seen,
    typed::{Line, Typed, say},
    watch::Watch,
};
use crate::shell::{
    complain,
    definition::outcomes,
    given,
    json::spaced,
    session::{Failure, Outcome, Session, refused},
    task::me,
    text::shown,
};

/// More of the data of a task helps nobody to decide.
const LINES_MAX: usize = 20;

/// Whoever is asked.
pub struct Person {
    /// Who that is, if not whoever a task is meant for.
    worker: Option<String>,
    typed: Typed,
}

/// What became of a question.
pub enum Asked {
    /// There was none.
    Nothing,
    /// Answered, or none any more: there may be others.
    Over,
    /// Whoever was asked says nothing more.
    Left,
}

impl Person {
    pub fn new(worker: Option<String>) -> Person {
        Person { worker, typed: Typed::default() }
    }

    /// Asks for one of the tasks that a person can do, if there is one.
    pub fn ask(&mut self, watch: &mut Watch) -> Outcome<Asked> {
        let tasks = tasks(watch.session, &watch.path, &watch.run, &watch.seen)?;
        let Some(first) = tasks.first() else { return Ok(Asked::Nothing) };
        watch.leave();
        let task = match &*tasks {
            [_] => first,
            several => match self.choose(watch, several)? {
                Ok(task) => task,
                Err(asked) => return Ok(asked),
            },
        };
        self.show(task)?;
        let known = known(watch, task);
        let outcome = match self.outcome(watch, task, &known)? {
            Ok(outcome) => outcome,
            Err(asked) => return Ok(asked),
        };
        let data = match self.data(watch, task)? {
            Ok(data) => data,
            Err(asked) => return Ok(asked),
        };
        match self.complete(watch, task, &outcome, &data) {
            Err(Failure::Refused(reply)) => refused(&reply),
            completed => completed?,
        }
        Ok(Asked::Over)
    }

    fn choose<'t>(
        &mut self,
        watch: &mut Watch,
        tasks: &'t [Json],
    ) -> Outcome<Result<&'t Json, Asked>> {
        say("\nThere is to do:\n")?;
        for (number, task) in (1..).zip(tasks) {
            say(&format!("  {number}  {}\n", name(task)))?;
        }
        loop {
            let line = self.line(watch, "which> ", tasks)?;
            let said = match line {
                Ok(said) => said,
                Err(asked) => return Ok(Err(asked)),
            };
            let number = said.parse::<usize>().ok().and_then(|it| it.checked_sub(1));
            let named = || tasks.iter().find(|it| it["step"] == *said);
            match number.and_then(|it| tasks.get(it)).or_else(named) {
                Some(task) => return Ok(Ok(task)),
                None => complain(format_args!("a number from 1 to {}", tasks.len())),
            };
        }
    }

    fn show(&self, task: &Json) -> Outcome<()> {
        say(&format!("\n{}\n", name(task)))?;
        let indented = |text: &str| -> String {
            let lines = text.lines().map(|it| format!("  {}\n", shown(it)));
            lines.take(LINES_MAX).collect()
        };
        say(&indented(task["description"].as_str().unwrap_or_default()))?;
        if !task["item"].is_null() {
            say(&indented(&format!("item: {}", spaced(&task["item"]))))?;
        }
        let data = task["data"].as_object().into_iter().flatten();
        let data: String = data.map(|(name, it)| format!("{name}: {}\n", spaced(it))).collect();
        say(&indented(&data))?;
        Ok(())
    }

    fn outcome(
        &mut self,
        watch: &mut Watch,
        task: &Json,
        known: &[String],
    ) -> Outcome<Result<Option<String>, Asked>> {
        // With a single one there is nothing to choose.
        let [first, _, ..] = known else { return Ok(Ok(known.first().cloned())) };
        let words: Vec<String> = known.iter().map(|it| shown(it)).collect();
        let question = format!("outcome ({})> ", words.join(", "));
        loop {
            let said = match self.line(watch, &question, std::slice::from_ref(task))? {
                Ok(said) => said,
                Err(asked) => return Ok(Err(asked)),
            };
            if known.contains(&said) {
                return Ok(Ok(Some(said)));
            }
            complain(format_args!("one of these, such as `{}`", shown(first)));
        }
    }

    fn data(&mut self, watch: &mut Watch, task: &Json) -> Outcome<Result<Json, Asked>> {
        let question = "data (key=value …, a JSON object, or nothing)> ";
        loop {
            let said = match self.line(watch, question, std::slice::from_ref(task))? {
                Ok(said) => said,
                Err(asked) => return Ok(Err(asked)),
            };
            let object = match said.starts_with('{') {
                true => given::object([&*said], "data"),
                false => given::object(said.split_whitespace(), "data"),
            };
            match object {
                Ok(data) => return Ok(Ok(data)),
                Err(Failure::Mistaken(why)) => complain(shown(&why)),
                Err(failure) => return Err(failure),
            };
        }
    }

    /// A line that is said while one of the tasks can be done.
    fn line(
        &mut self,
        watch: &mut Watch,
        question: &str,
        of: &[Json],
    ) -> Outcome<Result<String, Asked>> {
        let (path, run, seen) = (&watch.path, &watch.run, &watch.seen);
        let is_open = |session: &mut Session| {
            let tasks = tasks(session, path, run, seen)?;
            Ok(of.iter().any(|it| tasks.iter().any(|there| there["task"] == it["task"])))
        };
        Ok(match self.typed.ask(watch.session, question, is_open)? {
            Line::Said(said) => Ok(said),
            Line::End => Err(Asked::Left),
            Line::Gone => {
                say("that is not to be done any more\n")?;
                Err(Asked::Over)
            }
        })
    }

    /// It is taken up only now: that may be what withdraws others.
    fn complete(
        &self,
        watch: &mut Watch,
        task: &Json,
        outcome: &Option<String>,
        data: &Json,
    ) -> Outcome<()> {
        let assignee = || task["assignee"].as_str().map(str::to_owned);
        let worker = self.worker.clone().or_else(assignee).unwrap_or_else(me);
        let claim = json!({"task": task["task"], "worker": worker, "roles": task["roles"]});
        let claimed = watch.session.ask(&asking("task.claim", &watch.path, claim))?;
        let Some(claimed) = claimed["tasks"].get(0) else { return Ok(()) };
        let held = json!({"task": task["task"], "token": claimed["token"]});
        let mut request = asking("task.complete", &watch.path, held.clone());
        (request["outcome"], request["data"]) = (outcome.as_deref().into(), data.clone());
        let completed = watch.session.ask(&request);
        if let Err(Failure::Refused(_)) = &completed {
            // Somebody may do it better. That it is gone meanwhile is no harm.
            let _ = watch.session.ask(&asking("task.release", &watch.path, held));
        }
        completed.map(drop)
    }
}

/// What a person can do in a run now.
fn tasks(session: &mut Session, path: &str, run: &str, seen: &Seen) -> Outcome<Vec<Json>> {
    let mut listed = session.ask(&asking("task.list", path, json!({"run": run})))?;
    let Json::Array(mut tasks) = listed["tasks"].take() else { return Ok(Vec::new()) };
    tasks.retain(|it| it["worker"].is_null() && !seen.is_by_daemon(&it["type"]));
    Ok(tasks)
}

/// The outcomes that the definition names for a task.
fn known(watch: &Watch, task: &Json) -> Vec<String> {
    let text = |key: &str| task[key].as_str();
    let (process, step) = (text("process").unwrap_or_default(), text("step").unwrap_or_default());
    let definitions = watch.definitions.as_ref();
    let step = definitions.and_then(|it| it.step(process, text("version"), step));
    step.map(outcomes).unwrap_or_default()
}

/// A task in a line.
fn name(task: &Json) -> String {
    let text = |key: &str| shown(task[key].as_str().unwrap_or_default());
    let title = task["title"].as_str().map(|it| format!(": {}", shown(it))).unwrap_or_default();
    format!("{} ({}){title}", text("step"), text("task"))
}
