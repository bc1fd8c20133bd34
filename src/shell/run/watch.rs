//! Looking on while a run goes on, on a terminal or in lines.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::{asking, paged, place_flag, screen::Screen, seen::Seen, view};
use crate::shell::{
    definition::Definitions,
    session::{Outcome, Session},
    text::shown,
};

/// How often a run is looked at.
const EVERY: Duration = Duration::from_millis(200);
/// Looking at a run that takes long to tell of is done so many times less often than it could be.
const RESTS: u32 = 4;
/// As many definitions of a run are read at most.
const FILES_MAX: usize = 1000;

/// How a run ended, or why it is not waited for any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Done,
    Failed,
    /// It is stuck, or waits for somebody, and nobody can be asked.
    Waits,
}

pub struct Watch<'a> {
    pub session: &'a mut Session,
    pub path: String,
    pub run: String,
    pub seen: Seen,
    pub definitions: Option<Definitions>,
    screen: Screen,
    took: Duration,
}

impl<'a> Watch<'a> {
    pub fn new(session: &'a mut Session, path: String, run: &str) -> Watch<'a> {
        let again = format!("gitport run watch {}{}", shown(run), place_flag(&path));
        session.set_farewell(format!("the run goes on without this; to look on: {again}"));
        Watch {
            session,
            path,
            run: run.to_owned(),
            seen: Seen::default(),
            definitions: None,
            screen: Screen::new(),
            took: Duration::ZERO,
        }
    }

    pub fn until_over(&mut self) -> Outcome<End> {
        loop {
            self.look()?;
            if let Some(end) = self.end() {
                return Ok(end);
            }
            self.pause()?;
        }
    }

    pub fn ask(&mut self, op: &str, arguments: Json) -> Outcome<Json> {
        let mut request = asking(op, &self.path, arguments);
        request["run"] = self.run.as_str().into();
        self.session.ask(&request)
    }

    /// Looks at the run, and shows it.
    pub fn look(&mut self) -> Outcome<()> {
        let start = Instant::now();
        let news = self.news()?;
        if self.definitions.is_none() && self.screen.is_live {
            self.definitions = self.read_definitions();
        }
        if self.seen.steps.is_none()
            && let Some(definitions) = &self.definitions
        {
            let process = self.seen.run["process"].as_str().unwrap_or_default();
            self.seen.steps = definitions.count(process, self.seen.run["version"].as_str());
        }
        self.took = start.elapsed();
        if self.screen.is_live {
            let size = self.screen.size();
            let now_ms = Timestamp::now().as_millisecond();
            self.screen.draw(view::lines(&self.seen, now_ms, size))?;
            return Ok(());
        }
        for line in news {
            self.screen.say(&line)?;
        }
        Ok(())
    }

    /// Takes note of how the run stands and what happened, each in a line.
    pub fn news(&mut self) -> Outcome<Vec<String>> {
        self.seen.run = self.ask("run.get", json!({}))?;
        if self.seen.run["seq"].as_u64().unwrap_or_default() <= self.seen.seq {
            return Ok(Vec::new());
        }
        let arguments = json!({"run": self.run, "after": self.seen.seq});
        let request = asking("run.history", &self.path, arguments);
        let page = self.session.ask(&request)?;
        let mut lines = Vec::new();
        for event in paged(self.session, &request, page, "events", true)? {
            let at_ms = self.seen.take(&event);
            lines.push(view::happening(&event, at_ms));
        }
        Ok(lines)
    }

    /// How the run ended, which is told then.
    pub fn end(&mut self) -> Option<End> {
        let end = match self.seen.status() {
            "done" => End::Done,
            "failed" | "cancelled" => End::Failed,
            "stuck" => End::Waits,
            _ => return None,
        };
        if !self.screen.is_live {
            let headline = view::headline(&self.seen.run, Timestamp::now().as_millisecond());
            let lines = [vec![headline], view::ending(&self.seen.run)].concat();
            // Nobody is left to tell that stdout is closed.
            let _ = lines.iter().try_for_each(|it| self.screen.say(it));
        }
        Some(end)
    }

    pub fn pause(&mut self) -> Outcome<()> {
        self.session.pause(EVERY.max(self.took * RESTS), None)?;
        Ok(())
    }

    /// Leaves what is shown where it is, for something else to be written below it.
    pub fn leave(&mut self) {
        self.screen.leave();
    }

    /// The definitions that the run follows, once Git sees them.
    fn read_definitions(&mut self) -> Option<Definitions> {
        let commit = self.seen.run["commit"].clone();
        let arguments = json!({"rev": commit, "subpath": "process", "pattern": "*"});
        let names = self.session.ask(&asking("files", &self.path, arguments)).ok()?;
        let names = names.as_array()?.iter().filter_map(Json::as_str).take(FILES_MAX);
        let mut files = Vec::new();
        for name in names {
            let file = format!("process/{name}");
            let arguments = json!({"rev": commit, "file": file});
            let content = self.session.ask(&asking("read", &self.path, arguments)).ok()?;
            files.push((file, STANDARD.decode(content.as_str().unwrap_or_default()).ok()?));
        }
        Some(Definitions::read(files.iter().map(|(name, bytes)| (&**name, &**bytes))))
    }
}
