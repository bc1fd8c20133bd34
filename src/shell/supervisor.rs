//! A daemon of this same program, started and spoken to as any supervisor does it.

use std::{
    env,
    ffi::{OsStr, OsString},
    io::{self, ErrorKind, Write},
    os::unix::process::CommandExt,
    process::{Child, ChildStdin, ChildStdout, ExitStatus, Stdio},
};

use serde_json::Value as Json;

use super::json;
use crate::{
    config::Settings,
    port::{Broken, Frames},
};

pub struct Supervisor {
    pub requests: Requests,
    pub replies: Replies,
    pub process: Child,
}

/// The daemon's stdin.
pub struct Requests(ChildStdin);

/// The daemon's stdout: replies and events.
pub struct Replies(Frames<ChildStdout>);

impl Supervisor {
    /// Starts a daemon whose settings are these flags; what the environment says it does not see.
    pub fn start(flags: &[OsString]) -> io::Result<Supervisor> {
        Supervisor::start_with(flags, Vec::new())
    }

    /// The same with variables that it does see.
    pub fn start_with(
        flags: &[OsString],
        variables: Vec<(&str, OsString)>,
    ) -> io::Result<Supervisor> {
        let mut command = super::command(env::current_exe()?);
        command.arg("serve").args(flags).stdin(Stdio::piped()).stdout(Stdio::piped());
        // Control-C reaches it through `interrupt` only.
        command.process_group(0);
        for (name, _) in env::vars_os().filter(|(name, _)| is_setting(name)) {
            command.env_remove(name);
        }
        command.envs(variables);
        let mut process = command.spawn()?;
        let input = process.stdin.take().expect("stdin is a pipe");
        let output = process.stdout.take().expect("stdout is a pipe");
        // The daemon keeps to its own limit, so that none is needed here.
        let replies = Replies(Frames::new(output, u32::MAX as usize));
        Ok(Supervisor { requests: Requests(input), replies, process })
    }

    /// Sends a request and waits for its reply. Events before it go to `on_event`.
    pub fn ask(&mut self, request: &Json, mut on_event: impl FnMut(&Json)) -> io::Result<Json> {
        match self.requests.send(request) {
            // A daemon that ends in the middle of a request says why in its last frame.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => (),
            sent => sent?,
        }
        loop {
            match self.replies.next()? {
                Some(event) if event.get("event").is_some() => on_event(&event),
                Some(reply) => return Ok(reply),
                None => {
                    let status = self.process.wait()?;
                    return Err(io::Error::other(format!("the daemon gave no reply: {status}")));
                }
            }
        }
    }

    /// Ends the daemon as the end of its input does, and waits for it.
    pub fn finish(self) -> io::Result<ExitStatus> {
        let Supervisor { requests, mut replies, mut process } = self;
        drop(requests);
        while replies.next()?.is_some() {}
        process.wait()
    }
}

impl Requests {
    pub fn send(&mut self, request: &Json) -> io::Result<()> {
        self.0.write_all(&frame(request)?)
    }
}

impl Replies {
    /// The next reply or event; `None` when the daemon will send no more.
    pub fn next(&mut self) -> io::Result<Option<Json>> {
        match self.0.next() {
            Ok(Some(frame)) => json::from_msgpack(frame.body).map(Some),
            Ok(None) => Ok(None),
            Err(Broken::Input(error)) => Err(error),
            Err(Broken::Truncated | Broken::TooLong { .. }) => {
                Err(io::Error::other("the daemon ended in the middle of a reply"))
            }
        }
    }
}

/// A request as it goes over the pipe.
pub fn frame(request: &Json) -> io::Result<Vec<u8>> {
    let body = json::to_msgpack(request)?;
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    Ok([&length.to_be_bytes(), body.as_slice()].concat())
}

/// Settings as the flags that make a daemon have them.
///
/// Only the grace time is another: a person who interrupts does not want to wait.
pub fn flags(settings: &Settings) -> Vec<OsString> {
    let Settings {
        root,
        data,
        watch,
        workers,
        network,
        waiting,
        request_bytes_max,
        reply_bytes_max,
        grace_ms: _,
        network_timeout_ms,
        maintain_every_ms,
        receipt_key,
        transports,
        git,
        exec_allow,
        exec_parallel,
        git_steps,
        own_runs,
    } = settings;
    let transports: Vec<String> = transports.iter().map(ToString::to_string).collect();
    let texts = [
        ("--workers", workers.to_string()),
        ("--network", network.to_string()),
        ("--waiting", waiting.to_string()),
        ("--request-bytes-max", request_bytes_max.to_string()),
        ("--reply-bytes-max", reply_bytes_max.to_string()),
        ("--grace-ms", "0".to_owned()),
        ("--network-timeout-ms", network_timeout_ms.to_string()),
        ("--maintain-every-ms", maintain_every_ms.to_string()),
        ("--transports", transports.join(",")),
        ("--git", git.clone()),
        ("--exec-parallel", exec_parallel.to_string()),
    ];
    let texts = texts.iter().map(|(name, value)| flag(name, value));
    let files = [("--root", root), ("--data", data), ("--receipt-key", receipt_key)];
    let files = files.into_iter().filter_map(|(name, it)| Some(flag(name, it.as_ref()?)));
    let watched = watch.iter().map(|it| flag("--watch", it));
    let programs = exec_allow.iter().map(|it| flag("--exec-allow", it));
    let said = [("--git-steps", git_steps), ("--own-runs", own_runs)];
    let said = said.into_iter().filter(|it| *it.1).map(|it| OsString::from(it.0));
    texts.chain(files).chain(watched).chain(programs).chain(said).collect()
}

pub fn flag(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut flag = OsString::from(name);
    flag.push("=");
    flag.push(value);
    flag
}

fn is_setting(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("GITPORT_") && name != "GITPORT_LOG"
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::json;

    use super::*;
    use crate::config::Arguments;

    #[test]
    fn settings_reach_the_daemon_as_they_are() {
        let given = [
            "--workers=3",
            "--network=5",
            "--waiting=7",
            "--request-bytes-max=1000",
            "--reply-bytes-max=2000",
            "--grace-ms=0",
            "--network-timeout-ms=9",
            "--maintain-every-ms=8",
            "--transports=https,file",
            "--git=none",
            "--exec-parallel=4",
            "--root=-odd, = folder",
            "--data=/srv/data",
            "--receipt-key=/srv/key",
            "--exec-allow=make",
            "--exec-allow=/bin/true",
            "--git-steps",
        ];
        let line = ["gitport", "serve"].into_iter().chain(given);
        assert_eq!(flags(&Arguments::parse_from(line).settings), given);
    }

    #[test]
    fn a_frame_is_a_length_and_a_body() {
        assert_eq!(frame(&json!({"op": "ping"})).unwrap(), b"\0\0\0\x09\x81\xa2op\xa4ping");
    }
}
