//! The program as a person has it: at a shell, on a terminal, and with hands that type.

use std::{
    fs::{self, File},
    io::Write,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
};

use tempfile::TempDir;

use crate::{
    daemon::{alone, program},
    processes::{PATIENCE, until},
};

pub struct Outcome {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
}

/// A process that does not outlive the test that waits for it.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs it to its end, which must come; `input` is all there is on stdin.
pub fn run(arguments: &[&str], input: &str) -> Outcome {
    let home = TempDir::new().unwrap();
    let mut command = program(home.path());
    command.args(arguments);
    finish(command, &home, input)
}

pub fn finish(mut command: Command, home: &TempDir, input: &str) -> Outcome {
    let file = |name: &str| home.path().join(name);
    fs::write(file("stdin"), input).unwrap();
    command.stdin(File::open(file("stdin")).unwrap());
    command.stdout(File::create(file("stdout")).unwrap());
    command.stderr(File::create(file("stderr")).unwrap());
    let mut process = Ended(command.spawn().unwrap());
    let mut status = None;
    until("the program ends", PATIENCE, || {
        status = process.0.try_wait().unwrap();
        status.is_some()
    });
    let text = |name: &str| String::from_utf8(fs::read(file(name)).unwrap()).unwrap();
    Outcome { status: status.unwrap(), stdout: text("stdout"), stderr: text("stderr") }
}

/// Runs it on a terminal of its own, as a person would.
pub fn on_a_terminal(command_line: &str) -> Outcome {
    let home = TempDir::new().unwrap();
    let command = terminal(command_line, home.path());
    finish(command, &home, "")
}

fn terminal(command_line: &str, home: &Path) -> Command {
    let mut command = alone("script", home);
    command.args(["-qec", command_line, "/dev/null"]).env("TERM", "xterm");
    command
}

/// Somebody at a terminal, who types when it is time for that.
pub struct Typist {
    process: Ended,
    hands: Option<ChildStdin>,
    home: TempDir,
}

impl Typist {
    /// At work in a folder.
    pub fn start(command_line: &str, folder: &Path) -> Typist {
        let home = TempDir::new().unwrap();
        let mut command = terminal(command_line, home.path());
        command.current_dir(folder).stdin(Stdio::piped());
        command.stdout(File::create(home.path().join("stdout")).unwrap());
        let mut process = Ended(command.spawn().unwrap());
        let hands = process.0.stdin.take();
        Typist { process, hands, home }
    }

    /// All that came to the terminal so far.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.output()).unwrap()).into_owned()
    }

    fn output(&self) -> PathBuf {
        self.home.path().join("stdout")
    }

    /// Waits until this is seen so many times.
    #[track_caller]
    pub fn sees(&self, text: &str, times: usize) {
        let condition = || times <= self.seen().matches(text).count();
        until(&format!("{text:?} is seen"), PATIENCE, condition);
    }

    pub fn types(&mut self, text: &str) {
        let hands = self.hands.as_mut().unwrap();
        hands.write_all(text.as_bytes()).unwrap();
        hands.flush().unwrap();
    }

    /// Types nothing more, and waits for the end.
    pub fn end(mut self) -> Outcome {
        let mut status = None;
        until("the program ends", PATIENCE, || {
            status = self.process.0.try_wait().unwrap();
            status.is_some()
        });
        drop(self.hands.take());
        Outcome { status: status.unwrap(), stdout: self.seen(), stderr: String::new() }
    }
}

/// What a terminal of so many columns shows in the end of what was written to it; anything that
/// the program has no need of is a mistake.
pub fn shown(written: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut rest = written.chars();
    while let Some(it) = rest.next() {
        match it {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if lines.len() <= row {
                    lines.push(Vec::new());
                }
            }
            '\u{1b}' => {
                assert_eq!(rest.next(), Some('['));
                let number: String = rest.clone().take_while(char::is_ascii_digit).collect();
                let command = rest.by_ref().nth(number.len()).unwrap();
                match command {
                    'A' => row -= number.parse::<usize>().unwrap(),
                    'K' => lines[row].truncate(column),
                    'J' => {
                        lines[row].truncate(column);
                        lines.truncate(row + 1);
                    }
                    'm' => (),
                    other => panic!("{other:?} in {written:?}"),
                }
            }
            it => {
                assert!(!it.is_control(), "{it:?} in {written:?}");
                assert!(column < columns, "a line is too long: {:?}", lines[row]);
                let line: &mut Vec<char> = &mut lines[row];
                line.resize(line.len().max(column + 1), ' ');
                line[column] = it;
                column += 1;
            }
        }
    }
    lines.into_iter().map(|it| it.into_iter().collect()).collect()
}
