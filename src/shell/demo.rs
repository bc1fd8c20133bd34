//! `gitport demo`: plays a supervisor, and shows every request, reply and time.
//!
//! Fails when a reply is not what the words beside it say.

mod keep;
mod order;
mod screen;
mod stage;

use std::{
    io,
    process::{ExitCode, Stdio},
    time::Instant,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use self::{
    screen::Screen,
    stage::{Folder, Stage},
};
use super::{
    command, end,
    interrupt::Interrupt,
    supervisor::{self, Supervisor},
};

pub fn demo(keep: bool) -> ExitCode {
    match perform(keep) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(&error),
    }
}

fn perform(keep: bool) -> io::Result<()> {
    let mut folder = Folder::create()?;
    let daemon = start(&folder)?;
    let interrupt = Interrupt::watch(&daemon.process)?;
    let outcome = Stage::build(&folder).and_then(|stage| play(&stage, daemon, keep));
    folder.is_kept = keep && outcome.is_ok();
    drop(folder);
    interrupt.obey();
    outcome
}

/// One that keeps workspaces inside of the folder, and goes nowhere else.
fn start(folder: &Folder) -> io::Result<Supervisor> {
    let data = folder.path().join("data");
    Supervisor::start(&[
        supervisor::flag("--root", folder.path()),
        supervisor::flag("--data", &data),
    ])
}

fn play(stage: &Stage, daemon: Supervisor, is_kept: bool) -> io::Result<()> {
    let screen = Screen::new();
    screen.open(stage)?;
    let mut player = Player { daemon, screen, has_shown_bytes: false };
    player.look_around(stage)?;
    player.fail(stage)?;
    player.ask_two_at_once(stage)?;
    player.keep_a_workspace(stage)?;
    let ran = player.run_an_order()?;
    let mut screen = player.shut_down()?;
    Player::show_the_run(&mut screen, &ran, is_kept)?;
    screen.close()
}

struct Player {
    daemon: Supervisor,
    screen: Screen,
    has_shown_bytes: bool,
}

impl Player {
    fn look_around(&mut self, stage: &Stage) -> io::Result<()> {
        let (url, path) = (stage.url(), stage.clone_path());
        self.screen
            .step("sync", "brings a folder to the tip of a branch; the first time it clones")?;
        let sync = json!({"op": "sync", "url": url, "branch": "main", "path": path, "depth": 0});
        let tip = self.ok(&sync)?;

        self.screen.step("files", "lists a folder; the YAML files in it unless told otherwise")?;
        self.ok(&json!({"op": "files", "path": path, "subpath": "deploy"}))?;

        self.screen
            .step("read", "answers with a file's content, as base64 unless told otherwise")?;
        let file = "deploy/web.yaml";
        let content = self.ok(&json!({"op": "read", "path": path, "file": file}))?;
        let content = STANDARD.decode(content.as_str().unwrap_or_default());
        let content = content.map_err(io::Error::other)?;
        self.screen.remark(&format!("decoded: {:?}", String::from_utf8_lossy(&content)))?;

        self.screen.step("read", "also takes a revision; this is the file one commit earlier")?;
        let earlier =
            json!({"op": "read", "path": path, "file": file, "rev": "HEAD~1", "encoding": "utf8"});
        let earlier = self.ok(&earlier)?;
        if earlier.as_str().map(str::as_bytes) == Some(content.as_slice()) {
            return Err(unexpected(&earlier));
        }

        self.screen.step("head", "tells which commit is checked out")?;
        let head = self.ok(&json!({"op": "head", "path": path}))?;
        if head["sha"] == tip { Ok(()) } else { Err(unexpected(&head)) }
    }

    fn fail(&mut self, stage: &Stage) -> io::Result<()> {
        let path = stage.clone_path();
        self.screen
            .step("sync", "of a branch that is not there fails; programs go by the `code`")?;
        let sync = json!({"op": "sync", "url": stage.url(), "branch": "mian", "path": path});
        let reply = self.ask(&sync)?;
        if reply["code"] == "not_found" { Ok(()) } else { Err(unexpected(&reply)) }
    }

    /// Which of the two is answered first is not for this program to say: it shows what came.
    fn ask_two_at_once(&mut self, stage: &Stage) -> io::Result<()> {
        self.screen
            .step("An id", "lets requests run side by side: each is answered when it is done")?;
        let slow = json!({"op": "lsremote", "id": 1, "url": stage.url(), "branch": "main"});
        let quick = json!({"op": "ping", "id": 2});
        let start = Instant::now();
        for request in [&slow, &quick] {
            self.screen.request(request)?;
            self.daemon.requests.send(request).map_err(io::Error::other)?;
        }
        for _ in 0..2 {
            let reply = self.daemon.replies.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            self.screen.reply(&reply, start.elapsed())?;
            if reply.get("ok").is_none() {
                return Err(unexpected(&reply));
            }
        }
        Ok(())
    }

    fn shut_down(mut self) -> io::Result<Screen> {
        self.screen.step("shutdown", "finishes what is running, answers, and ends the daemon")?;
        self.ok(&json!({"op": "shutdown"}))?;
        let status = self.daemon.finish()?;
        self.screen.remark(&format!("the daemon ended: {status}"))?;
        Ok(self.screen)
    }

    fn ok(&mut self, request: &Json) -> io::Result<Json> {
        self.ok_shown(request, request)
    }

    /// The same of a request that is too long to be shown as it is.
    fn ok_shown(&mut self, request: &Json, shown: &Json) -> io::Result<Json> {
        let reply = self.ask_shown(request, shown)?;
        reply.get("ok").cloned().ok_or_else(|| unexpected(&reply))
    }

    /// The same of one that nobody needs to see.
    fn quiet(&mut self, request: &Json) -> io::Result<Json> {
        let reply = self.daemon.ask(request, |_| ())?;
        reply.get("ok").cloned().ok_or_else(|| unexpected(&reply))
    }

    fn ask(&mut self, request: &Json) -> io::Result<Json> {
        self.ask_shown(request, request)
    }

    fn ask_shown(&mut self, request: &Json, shown: &Json) -> io::Result<Json> {
        self.screen.request(shown)?;
        if !self.has_shown_bytes {
            self.has_shown_bytes = true;
            self.screen.bytes(&supervisor::frame(request)?)?;
        }
        let start = Instant::now();
        let reply = self.daemon.ask(request, |_| ())?;
        self.screen.reply(&reply, start.elapsed())?;
        Ok(reply)
    }
}

/// What stock git says, if there is one, and no configuration of this machine.
fn git(path: &str, arguments: &[&str]) -> Option<String> {
    let mut git = command("git");
    git.args(["-C", path]).args(arguments).stderr(Stdio::null());
    git.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    let output = git.output().ok().filter(|it| it.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn unexpected(reply: &Json) -> io::Error {
    io::Error::other(format!("this is not the reply that was expected: {reply}"))
}
