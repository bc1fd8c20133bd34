//! The child that runs a program for the daemon: in a group of its own, for as long as the daemon
//! lives and wants it to, and with nobody left behind.

use std::{
    fs::File,
    io::{BufReader, Read, Write},
    os::{
        fd::OwnedFd,
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::{Receiver, after, bounded, never, select};
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use serde_bytes::ByteBuf;

use super::{
    Ended, GRACE_MS, Order, Said, Why,
    output::{Part, Stream},
    tree::{Leader, adopt},
};

/// How long the end of what a program wrote is waited for, once all who write are gone.
const REST: Duration = Duration::from_secs(1);

/// What the daemon says after its order: a byte, or nothing more for ever.
enum Heard {
    Stop,
    Gone,
}

/// Carries out the order on stdin, as the daemon's child.
pub fn run(input: OwnedFd, output: OwnedFd) -> ExitCode {
    let mut input = BufReader::new(File::from(input));
    let mut output = File::from(output);
    let Ok(order) = rmp_serde::from_read::<_, Order>(&mut input) else { return ExitCode::FAILURE };
    let heard = listen(input);
    adopt();
    match start(&order) {
        Ok(mut child) => {
            say(&mut output, &Said::Started(Pid::from_child(&child).as_raw_nonzero().get()));
            let ended = see_to(&mut child, order, &heard);
            say(&mut output, &Said::Ended(ended));
        }
        Err(error) => {
            let message = format!("`{}` does not start: {error}", order.name);
            say(&mut output, &Said::Refused(message));
        }
    }
    ExitCode::SUCCESS
}

fn start(order: &Order) -> std::io::Result<Child> {
    #[expect(clippy::disallowed_methods, reason = "this is where programs of steps start")]
    let mut command = Command::new(&order.program);
    command.arg0(&order.name).args(&order.arguments);
    command.env_clear().envs(&order.env).current_dir(&order.folder);
    let input = if order.input.is_some() { Stdio::piped() } else { Stdio::null() };
    command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).spawn()
}

/// Lets the program go on until it ends, its time is over, or somebody says so.
fn see_to(child: &mut Child, order: Order, heard: &Receiver<Heard>) -> Ended {
    let most = order.output_bytes_max;
    let stdout = child.stdout.take().map(|it| Stream::read("stdout", it, Part::Beginning, most));
    let stderr = child.stderr.take().map(|it| Stream::read("stderr", it, Part::End, most));
    if let (Some(mut input), Some(bytes)) = (child.stdin.take(), order.input) {
        // Who does not read it all need not.
        spawn("stdin", move || drop(input.write_all(&bytes)));
    }
    let leader = Leader(Pid::from_child(child));
    let end = end_of(leader.0);
    let why = select! {
        recv(end) -> _ => Why::Itself,
        recv(after(Duration::from_millis(order.timeout_ms))) -> _ => Why::Timeout,
        recv(heard) -> it => match it {
            Ok(Heard::Stop) => Why::Stopped,
            _ => {
                leader.kill();
                Why::Stopped
            }
        },
    };
    if why != Why::Itself {
        let until = Instant::now() + Duration::from_millis(GRACE_MS);
        leader.ask_to_end();
        let is_over = wait(&end, heard, until);
        if is_over {
            leader.wait_until_alone(until);
        }
    }
    leader.kill();
    let status = child.wait().ok();
    let (stdout, stdout_is_cut) = stdout.map(|it| it.finish(REST)).unwrap_or_default();
    let (stderr, stderr_is_cut) = stderr.map(|it| it.finish(REST)).unwrap_or_default();
    Ended {
        why,
        code: status.and_then(|it| it.code()),
        signal: status.and_then(|it| it.signal()),
        stdout: ByteBuf::from(stdout),
        stderr: ByteBuf::from(stderr),
        truncated: stdout_is_cut || stderr_is_cut,
    }
}

/// Whether the program has ended before somebody who waits has no more patience, or is gone.
fn wait(end: &Receiver<()>, heard: &Receiver<Heard>, until: Instant) -> bool {
    let mut heard = heard.clone();
    let limit = after(until.saturating_duration_since(Instant::now()));
    loop {
        select! {
            recv(end) -> _ => return true,
            recv(limit) -> _ => return false,
            recv(heard) -> it => match it {
                // It was said before.
                Ok(Heard::Stop) => (),
                Ok(Heard::Gone) => return false,
                Err(_) => heard = never(),
            },
        }
    }
}

/// Tells when a process has ended; it stays to be waited for, and keeps its number.
fn end_of(id: Pid) -> Receiver<()> {
    let (ends, end) = bounded::<()>(0);
    spawn("end", move || {
        while let Err(rustix::io::Errno::INTR) =
            waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)
        {}
        drop(ends);
    });
    end
}

fn listen(mut input: BufReader<File>) -> Receiver<Heard> {
    let (says, heard) = bounded(4);
    spawn("daemon", move || {
        let mut byte = [0];
        while matches!(input.read(&mut byte), Ok(1)) {
            let _ = says.send(Heard::Stop);
        }
        let _ = says.send(Heard::Gone);
    });
    heard
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.expect("a child needs some threads");
}

fn say(output: &mut File, said: &Said) {
    let bytes = rmp_serde::to_vec_named(said).expect("messages can be encoded");
    // A daemon that does not hear is gone, which another thread notices.
    let _ = output.write_all(&bytes);
}
