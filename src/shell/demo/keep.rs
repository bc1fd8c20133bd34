//! The second act: a workspace that two daemons write at once.

use std::{io, time::Instant};

use serde_json::{Value as Json, json};

use super::{Player, git, stage::Stage, start, unexpected};

const WORKSPACE: &str = "shop/plan";

impl Player {
    /// From its creation to its export, with what stock git says of it in the end.
    pub fn keep_a_workspace(&mut self, stage: &Stage) -> io::Result<()> {
        self.screen.step(
            "workspace.create",
            "makes a repository of the daemon's own, which goes by a name instead of a path",
        )?;
        let made = self.ok(&json!({"op": "workspace.create", "workspace": WORKSPACE}))?;

        self.screen
            .step("commit", "is answered when the commit is on disk; it needs no worktree")?;
        let first = self.ok(&commit("main", "plan.md", "# Plan\n\n1. open\n"))?;
        self.ok(&json!({"op": "branch", "workspace": WORKSPACE, "branch": "idea"}))?;

        self.commit_with_two_daemons(stage)?;

        self.screen.step("merge", "brings a branch into another one, also without a worktree")?;
        let merge = json!({
            "op": "merge", "workspace": WORKSPACE, "into": "main", "from": "idea",
            "message": "take the idea\n",
        });
        let merged = self.ok(&merge)?;
        if merged["merged"] != "merge" || merged["commit"] == first["commit"] {
            return Err(unexpected(&merged));
        }

        self.screen.step("note", "says something about a commit without changing it")?;
        self.ok(&json!({
            "op": "note", "workspace": WORKSPACE, "target": "main", "encoding": "utf8",
            "content": "seen by Ada\n",
        }))?;

        self.lock_it()?;
        self.export_it(stage)?;
        self.show_it(&made)
    }

    /// Two daemons that know nothing of each other, as two clients would start them.
    fn commit_with_two_daemons(&mut self, stage: &Stage) -> io::Result<()> {
        self.screen.step("commit", "by two clients at once, each with a daemon of its own")?;
        let mut other = start(stage.folder())?;
        let here = commit("main", "plan.md", "# Plan\n\n1. open\n2. sell\n");
        let there = commit("idea", "idea.md", "free coffee\n");
        let start = Instant::now();
        self.screen.request(&there)?;
        other.requests.send(&there).map_err(io::Error::other)?;
        self.ok(&here)?;
        let reply = other.replies.next()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        self.screen.reply(&reply, start.elapsed())?;
        if reply.get("ok").is_none() {
            return Err(unexpected(&reply));
        }
        other.ask(&json!({"op": "shutdown"}), |_| ())?;
        other.finish().map(drop)
    }

    fn lock_it(&mut self) -> io::Result<()> {
        self.screen.step("lock", "bars others, with a token that a late writer is refused by")?;
        let lock = self.ok(&json!({
            "op": "lock", "workspace": WORKSPACE, "name": "release", "owner": "ada",
            "ttl_ms": 60_000,
        }))?;
        let token = &lock["token"];
        let mut fenced = commit("main", "release.md", "1.0\n");
        fenced["fence"] = json!({"lock": "release", "token": token});
        self.ok(&fenced)?;
        let unlock =
            json!({"op": "unlock", "workspace": WORKSPACE, "name": "release", "token": token});
        self.ok(&unlock)?;
        let late = self.ask(&fenced)?;
        if late["code"] == "conflict" { Ok(()) } else { Err(unexpected(&late)) }
    }

    fn export_it(&mut self, stage: &Stage) -> io::Result<()> {
        self.screen.step("workspace.export", "streams a revision into a file")?;
        let to = stage.folder().path().join("plan.tar.gz").display().to_string();
        let export = json!({
            "op": "workspace.export", "workspace": WORKSPACE, "rev": "main", "format": "tar.gz",
            "to": to,
        });
        self.ok(&export).map(drop)
    }

    /// What stock git, where there is one, says of the repository that was made.
    fn show_it(&mut self, made: &Json) -> io::Result<()> {
        let path = made["path"].as_str().unwrap_or_default();
        let arguments = ["log", "--graph", "--format=%s%n%N", "--show-notes", "main"];
        let Some(log) = git(path, &arguments) else { return Ok(()) };
        self.screen.remark(&format!("git log --graph, with notes, in {path}:"))?;
        for line in log.lines() {
            self.screen.remark(line)?;
        }
        Ok(())
    }
}

fn commit(branch: &str, file: &str, content: &str) -> Json {
    json!({
        "op": "commit", "workspace": WORKSPACE, "branch": branch, "encoding": "utf8",
        "message": format!("write {file}\n"), "changes": [{"file": file, "content": content}],
    })
}
