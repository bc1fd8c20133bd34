//! Stock git, shielded from the configuration of whoever runs this.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    fixture::SmallFile,
    wire::{Talk, Wire},
};

/// Runs git in a folder and expects it to succeed.
pub fn git(folder: &Path, arguments: &[&str]) {
    let status = command(folder, arguments).status().expect("git can be started");
    assert!(status.success(), "git {arguments:?} failed");
}

/// What git prints, without the line's end.
pub fn git_says(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder, arguments).stdout(Stdio::piped()).output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?} failed");
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Puts a stream for `git fast-import` into a repository, durably.
pub fn fast_import(folder: &Path, stream: &[u8]) {
    let arguments = ["-c", "core.fsync=all", "fast-import", "--quiet", "--done"];
    feed(folder, &arguments, &[stream, b"done\n"].concat());
}

/// Runs git with something to read, and expects it to succeed.
pub fn feed(folder: &Path, arguments: &[&str], input: &[u8]) {
    let mut process =
        command(folder, arguments).stdin(Stdio::piped()).spawn().expect("git can be started");
    process.stdin.take().expect("it is piped").write_all(input).expect("git reads");
    assert!(process.wait().expect("git ends").success(), "git {arguments:?} failed");
}

pub fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command
        .args(["-c", "user.name=Ada Example", "-c", "user.email=ada@example.org"])
        // Housekeeping would be counted against git, and it would change what is measured next.
        .args(["-c", "maintenance.auto=false", "-c", "gc.auto=0"])
        .args(arguments)
        .current_dir(folder)
        .envs(ENVIRONMENT)
        .env_remove("GIT_DIR")
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// What keeps a machine's own settings out, for git and for the daemon alike.
pub const ENVIRONMENT: [(&str, &str); 4] = [
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("no_proxy", "127.0.0.1"),
];

/// Starts `git cat-file --batch` and waits until it has opened the repository.
pub fn cat_file(repository: &str) -> Wire {
    let mut wire = Wire::spawn(&mut command(Path::new(repository), &["cat-file", "--batch"]));
    wire.send(b"nothing\n");
    let answer = b"nothing missing\n";
    wire.receive(|input| {
        let found = input.get(..answer.len())?;
        assert_eq!(found, answer);
        Some(((), answer.len()))
    });
    wire
}

/// Asks `git cat-file --batch` for files at `HEAD`; answers come in order.
pub struct CatFile<'a> {
    files: &'a [SmallFile],
    order: &'a [usize],
    answered: usize,
}

impl CatFile<'_> {
    pub fn new<'a>(files: &'a [SmallFile], order: &'a [usize]) -> CatFile<'a> {
        CatFile { files, order, answered: 0 }
    }
}

impl Talk for CatFile<'_> {
    fn request(&mut self, index: usize, output: &mut Vec<u8>) {
        let file = &self.files[self.order[index % self.order.len()]];
        output.extend_from_slice(b"HEAD:");
        output.extend_from_slice(file.name.as_bytes());
        output.push(b'\n');
    }

    /// `<id> blob <size>`, the content, and a line's end after each.
    fn reply(&mut self, input: &[u8]) -> Option<usize> {
        let line = input.iter().position(|byte| *byte == b'\n')?;
        let header = std::str::from_utf8(&input[..line]).expect("the header is text");
        let size = header.split_once(" blob ").expect("it is a blob").1;
        let size: usize = size.parse().expect("the size is a number");
        let end = line + 1 + size + 1;
        let content = input.get(line + 1..end)?;
        let file = &self.files[self.order[self.answered % self.order.len()]];
        assert!(content[..size] == file.content, "{} has the right content", file.name);
        self.answered += 1;
        Some(end)
    }
}
