//! The last act: a process that two workers carry out, of which every step is a commit.

use std::{
    io,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value as Json, json};

use super::{Player, git, screen::Screen, unexpected};
use crate::shell::supervisor::{Replies, Requests};

const WORKSPACE: &str = "shop/orders";
const RUN: &str = "order-17";
const DEFINITION: &str = include_str!("order.yaml");
const WORKERS: [&str; 2] = ["ann", "ben"];
/// How long work takes here, so that it is seen to go on side by side.
const WORK: Duration = Duration::from_millis(60);
/// How long a worker waits for a task before it looks whether there will be any.
const WAIT_MS: u64 = 300;

/// The run, for whoever looks at it when the daemon is gone.
pub struct Ran {
    path: String,
    /// What happened, for those without stock git.
    subjects: Vec<String>,
}

impl Player {
    pub fn run_an_order(&mut self) -> io::Result<Ran> {
        self.screen.step(
            "process.publish",
            "lints and tests a definition, and keeps it as a version that never changes",
        )?;
        let made = self.quiet(&json!({"op": "workspace.create", "workspace": WORKSPACE}))?;
        for line in DEFINITION.lines().take_while(|it| *it != "tests:") {
            self.screen.remark(line)?;
        }
        let publish = |content: &str| {
            json!({
                "op": "process.publish", "workspace": WORKSPACE, "encoding": "utf8",
                "content": content,
            })
        };
        let shown = format!("… {} lines, with tests …", DEFINITION.lines().count());
        self.ok_shown(&publish(DEFINITION), &publish(&shown))?;

        self.screen.step("run.start", "begins a run; all that happens to it will be a commit")?;
        let start =
            json!({"op": "run.start", "workspace": WORKSPACE, "process": "order", "run": RUN});
        self.ok(&start)?;

        self.screen.step(
            "task.claim, task.complete and task.fail",
            "are what workers do; here two of them at once",
        )?;
        self.work()?;

        self.screen.step("run.verify", "works the run out once more, and compares every commit")?;
        let verify = json!({"op": "run.verify", "workspace": WORKSPACE, "run": RUN});
        let verified = self.ok(&verify)?;
        if verified["ok"] != true || verified["status"] != "done" {
            return Err(unexpected(&verified));
        }
        let history = json!({"op": "run.history", "workspace": WORKSPACE, "run": RUN});
        let history = self.quiet(&history)?;
        let subject = |it: &Json| {
            let text = |key: &str| it[key].as_str().unwrap_or_default();
            format!("{:>3}  {} ({})", it["seq"], text("subject"), text("actor"))
        };
        Ok(Ran {
            path: made["path"].as_str().unwrap_or_default().to_owned(),
            subjects: history["events"].as_array().into_iter().flatten().map(subject).collect(),
        })
    }

    /// Two workers on threads of their own, and what the daemon answers to each.
    fn work(&mut self) -> io::Result<()> {
        let (screen, start) = (Mutex::new(&mut self.screen), Instant::now());
        let requests = Mutex::new(&mut self.daemon.requests);
        let is_over = AtomicBool::new(false);
        let replies = &mut self.daemon.replies;
        thread::scope(|scope| {
            let mut doors = Vec::new();
            let mut threads = Vec::new();
            for name in WORKERS {
                let (door, answers) = channel();
                let mut worker = Worker {
                    name,
                    requests: &requests,
                    answers,
                    asked: 0,
                    screen: &screen,
                    start,
                    is_over: &is_over,
                };
                let thread = thread::Builder::new().name(name.to_owned());
                threads.push(thread.spawn_scoped(scope, move || worker.work())?);
                doors.push((name, door));
            }
            let handed = hand_out(replies, doors);
            for thread in threads {
                thread.join().map_err(|_| io::Error::other("a worker has a bug"))??;
            }
            handed
        })
    }

    /// What stock git, where there is one, says of the run when nothing else is there any more.
    pub fn show_the_run(screen: &mut Screen, ran: &Ran, is_kept: bool) -> io::Result<()> {
        let Ran { path, subjects } = ran;
        screen.step("git log --graph", "draws a run: branches are what went on side by side")?;
        // Git looks for it below `refs` by itself.
        let run = format!("workflow/executions/{RUN}");
        let graph = git(path, &["log", "--graph", "--format=%s (%an)", &run]);
        let lines = match &graph {
            Some(graph) => graph.lines().map(str::to_owned).collect(),
            None => subjects.clone(),
        };
        for line in lines {
            screen.remark(&line)?;
        }
        screen.step("What to look at", "in the repository of the run, with stock git")?;
        if !is_kept {
            screen.remark("it goes with the end of this; `gitport demo --keep` leaves it there")?;
        }
        screen.remark(&format!("cd {path}"))?;
        for (arguments, what) in [
            (format!("log --graph --format='%s (%an)' {run}"), "the picture above"),
            (format!("log {run}"), "who did what, when, and with which outcome"),
            (format!("show {run}:process/order_v1.0.0.yaml"), "the definition it followed"),
            ("fsck --strict".to_owned(), "that nothing is damaged"),
        ] {
            screen.remark(&format!("git {arguments}    # {what}"))?;
        }
        Ok(())
    }
}

/// Brings each reply to whoever asked, until all have said goodbye.
fn hand_out(replies: &mut Replies, mut doors: Vec<(&str, Sender<Json>)>) -> io::Result<()> {
    while !doors.is_empty() {
        let reply = replies.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let id = reply["id"].as_str().unwrap_or_default();
        let (name, what) = id.split_once('-').unwrap_or((id, ""));
        if what == GOODBYE {
            doors.retain(|it| it.0 != name);
        } else if let Some((_, door)) = doors.iter().find(|it| it.0 == name) {
            // One that ended with an error has nobody to hear of it.
            let _ = door.send(reply);
        }
    }
    Ok(())
}

const GOODBYE: &str = "goodbye";

/// Somebody who does whatever there is to do.
struct Worker<'a> {
    name: &'static str,
    requests: &'a Mutex<&'a mut Requests>,
    answers: Receiver<Json>,
    asked: u64,
    screen: &'a Mutex<&'a mut Screen>,
    start: Instant,
    is_over: &'a AtomicBool,
}

impl Worker<'_> {
    fn work(&mut self) -> io::Result<()> {
        let worked = self.work_until_over();
        if worked.is_err() {
            self.is_over.store(true, Ordering::Release);
        }
        // The last thing that is asked tells that nothing more will be.
        self.send(json!({"op": "ping"}), GOODBYE).and(worked)
    }

    fn work_until_over(&mut self) -> io::Result<()> {
        while !self.is_over.load(Ordering::Acquire) {
            let claim = json!({
                "op": "task.claim", "workspace": WORKSPACE, "worker": self.name,
                "wait_ms": WAIT_MS,
            });
            let claimed = self.ask(claim)?;
            let tasks = claimed["ok"]["tasks"].as_array().ok_or_else(|| unexpected(&claimed))?;
            for task in tasks {
                self.carry_out(task)?;
            }
        }
        Ok(())
    }

    fn carry_out(&mut self, task: &Json) -> io::Result<()> {
        let step = task["step"].as_str().unwrap_or_default();
        self.tell(&format!("takes up {step}"))?;
        // Nothing comes unasked: this is how long the work takes.
        let _ = self.answers.recv_timeout(WORK);
        let mut end = json!({
            "op": "task.complete", "workspace": WORKSPACE, "task": task["task"],
            "token": task["token"],
        });
        let what = match step {
            "pay" if task["attempt"] == 1 => {
                end["op"] = "task.fail".into();
                (end["type"], end["message"]) = ("network".into(), "no route to the bank".into());
                format!("fails at {step}: no route to the bank; it is tried again in 200 ms")
            }
            "approve" => {
                end["outcome"] = "approved".into();
                format!("says {step}: approved, and so withdraws the hour")
            }
            _ => format!("has done {step}"),
        };
        let ended = self.ask(end)?;
        if ended["ok"]["status"] == "done" {
            self.is_over.store(true, Ordering::Release);
        }
        match (ended.get("ok"), ended["code"].as_str()) {
            (Some(_), _) => self.tell(&what),
            // Two of three looks are enough.
            (None, Some("conflict")) => {
                self.tell(&format!("is too late with {step}: it was withdrawn (conflict)"))
            }
            _ => Err(unexpected(&ended)),
        }
    }

    fn ask(&mut self, request: Json) -> io::Result<Json> {
        self.asked += 1;
        self.send(request, &self.asked.to_string())?;
        self.answers.recv().map_err(|_| io::ErrorKind::UnexpectedEof.into())
    }

    fn send(&self, mut request: Json, what: &str) -> io::Result<()> {
        request["id"] = format!("{}-{what}", self.name).into();
        self.requests.lock().map_err(|_| io::Error::other("a worker has a bug"))?.send(&request)
    }

    fn tell(&self, what: &str) -> io::Result<()> {
        let screen = self.screen.lock().map_err(|_| io::Error::other("a worker has a bug"))?;
        screen.doing(self.name, self.start.elapsed(), what)
    }
}
