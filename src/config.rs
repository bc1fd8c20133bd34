//! Flags and environment, parsed once and passed down.

pub mod process;
pub mod run;

use std::path::PathBuf;

use clap::{
    Args, Parser, Subcommand,
    builder::{OsStringValueParser, TypedValueParser},
};
use clap_complete::Shell;

use crate::git::Transport;

/// A Git daemon that any supervisor can spawn and trust.
///
/// With requests on stdin it serves them: length-prefixed msgpack in, length-prefixed msgpack
/// out, as an Erlang port with {packet, 4}. That is what a supervisor starts.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub settings: Settings,
}

#[derive(Subcommand)]
pub enum Command {
    /// Serve requests on stdin until it ends (the default when stdin is no terminal).
    Serve,
    /// Carry out one request and print its reply as JSON.
    ///
    /// Values are taken as JSON where they are JSON (`depth=0`, `files=["a","b"]`, `rev=null`),
    /// as text where they are not (`path=/srv/app`); quotes make text of what looks like a number
    /// (`sha='"1234567"'`). A dot leads into a map (`auth.user=ada`), and `key@file` takes the
    /// text of a file, so that no secret shows in a list of processes (`auth.token@/run/token`).
    /// It is text also where it looks like JSON; for JSON write `key="$(cat file)"`, or give the
    /// whole request to `gitport shell`.
    ///
    /// The exit status is 0 for `ok`, 1 for `err`, and 2 where there was no reply. Bytes that are
    /// no text are printed as base64. `gitport call OP --help` tells what an operation takes.
    #[command(disable_help_flag = true)]
    Call {
        /// Tell about this, or about the operation.
        #[arg(long, short)]
        help: bool,
        /// The operation, such as `head` or `sync`; `hello` lists them.
        #[arg(required_unless_present = "help")]
        op: Option<String>,
        /// Its arguments, such as `path=/srv/app`.
        #[arg(value_name = "KEY=VALUE")]
        arguments: Vec<String>,
    },
    /// Carry out requests written as JSON, one a line, and print the replies, one a line.
    ///
    /// For example: {"op": "head", "path": "/srv/app"}
    ///
    /// Requests with an `id` run side by side and are answered as they finish; events come
    /// between the replies to who subscribed. After the last line the replies still missing are
    /// waited for. Bytes that are no text are printed as base64. The exit status is 0 also where
    /// replies are errors, and 2 where the daemon ended early.
    Shell,
    /// Processes as code: lint, test, draw and publish definitions.
    #[command(subcommand)]
    Process(Box<process::Process>),
    /// Runs: play a definition from a file, or begin, watch and look after runs of processes.
    ///
    /// `gitport run FILE` is all in one command: it begins a run of the definition in the file, in
    /// the repository around the current folder or, where none is, in a temporary one; carries out
    /// its `exec` steps, asks you for what people do, if this is a terminal, and ends when the run
    /// does. Programs that the `exec` steps of the files name are thereby allowed: whoever starts a
    /// file of their own by hand allows what it names. So look at files of others before.
    ///
    ///   gitport run release.yaml --input customer=acme
    ///   gitport run start release --version ^1 --follow
    ///   gitport run list --status running
    ///   gitport run show r1
    ///
    /// The exit status of `gitport run FILE`, of `watch` and of `start --follow` is 0 if the run is
    /// done, 1 if it failed or was cancelled, and 3 if it is stuck or waits for somebody, where
    /// nobody can be asked. Of the others it is 0, or 1 where the daemon refuses. Of all it is 2
    /// for a wrong command line, or where there was no reply.
    #[command(verbatim_doc_comment)]
    Run(Box<run::Run>),
    /// Tasks: take up, complete and fail by hand what runs wait for.
    ///
    ///   gitport task list
    ///   gitport task complete r1/4 --outcome approved
    ///
    /// The exit status is 0, 1 where the daemon refuses, and 2 for a wrong command line or where
    /// there was no reply.
    #[command(subcommand, verbatim_doc_comment)]
    Task(Box<run::Task>),
    /// Play a supervisor: make a repository, drive a daemon, and show every frame in words.
    ///
    /// It ends with a process that two workers carry out, of which every step is a commit.
    Demo {
        /// Leave what it made, to be looked at.
        #[arg(long)]
        keep: bool,
    },
    /// Print a script that completes commands and flags in a shell.
    Completions { shell: Shell },
    /// Do the network work of one request. The daemon starts this.
    #[command(hide = true)]
    Network,
    /// Run the program of a step. The daemon starts this.
    #[command(hide = true)]
    Program,
    /// Read the database of an import. The daemon starts this.
    #[command(hide = true)]
    Snapshots,
}

#[derive(Args, Clone)]
#[command(next_help_heading = "Daemon")]
pub struct Settings {
    /// Refuse every path outside this folder.
    #[arg(long, env = "GITPORT_ROOT", value_name = "DIR", global = true)]
    pub root: Option<PathBuf>,

    /// Keep workspaces in this folder, which is made when it is needed; inside of the root if there
    /// is one.
    #[arg(long, env = "GITPORT_DATA", value_name = "DIR", global = true)]
    #[arg(value_parser = OsStringValueParser::new().map(PathBuf::from))]
    pub data: Option<PathBuf>,

    /// Watch this repository for what starts runs, from the start on, as all workspaces are; may be
    /// given several times.
    #[arg(long, env = "GITPORT_WATCH", value_name = "DIR", value_delimiter = ':', global = true)]
    pub watch: Vec<PathBuf>,

    /// Threads for short local work; as many again for long one.
    #[arg(long, env = "GITPORT_WORKERS", value_name = "N", default_value_t = 2, global = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,

    /// Children that do network work at the same time.
    #[arg(long, env = "GITPORT_NETWORK", value_name = "N", default_value_t = 16, global = true)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=256))]
    pub network: u16,

    /// Requests that may wait for a worker before others are `busy`; a quarter for the network.
    #[arg(long, env = "GITPORT_WAITING", value_name = "N", default_value_t = 1024, global = true)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub waiting: u32,

    /// The longest request, in bytes.
    #[arg(long, env = "GITPORT_REQUEST_BYTES_MAX", value_name = "N", global = true)]
    #[arg(default_value_t = 16 << 20, value_parser = clap::value_parser!(u32).range(64..=1 << 30))]
    pub request_bytes_max: u32,

    /// The longest reply, in bytes.
    #[arg(long, env = "GITPORT_REPLY_BYTES_MAX", value_name = "N", global = true)]
    #[arg(default_value_t = 256 << 20, value_parser = clap::value_parser!(u32).range(1024..))]
    pub reply_bytes_max: u32,

    /// How long running requests may go on after stdin ends or SIGTERM comes.
    #[arg(long, env = "GITPORT_GRACE_MS", value_name = "MS", default_value_t = 10_000)]
    #[arg(global = true)]
    pub grace_ms: u64,

    /// How long network work may take when the request does not say.
    #[arg(long, env = "GITPORT_NETWORK_TIMEOUT_MS", value_name = "MS", default_value_t = 600_000)]
    #[arg(global = true, value_parser = clap::value_parser!(u64).range(1..=86_400_000))]
    pub network_timeout_ms: u64,

    /// How often repositories that this daemon wrote are taken care of; 0 is never.
    #[arg(long, env = "GITPORT_MAINTAIN_EVERY_MS", value_name = "MS", default_value_t = 3_600_000)]
    #[arg(global = true)]
    pub maintain_every_ms: u64,

    /// Sign receipts with this private key of ssh, which has no passphrase.
    #[arg(long, env = "GITPORT_RECEIPT_KEY", value_name = "FILE", global = true)]
    pub receipt_key: Option<PathBuf>,

    /// Which transports remotes may use.
    #[arg(long, env = "GITPORT_TRANSPORTS", value_name = "LIST", value_delimiter = ',')]
    #[arg(global = true, default_values_t = Transport::ALL)]
    pub transports: Vec<Transport>,

    /// Programs that steps of runs may be, by name (looked for in PATH) or absolute path. With
    /// these the daemon does all steps of the type `exec` itself; without, workers may.
    ///
    /// Each may be run with any arguments and most variables: a shell or an interpreter in the list
    /// allows everything.
    #[arg(long, env = "GITPORT_EXEC_ALLOW", value_name = "LIST", value_delimiter = ',')]
    #[arg(global = true, value_parser = program)]
    pub exec_allow: Vec<String>,

    /// Programs of such steps that run at the same time.
    #[arg(long, env = "GITPORT_EXEC_PARALLEL", value_name = "N", default_value_t = 2)]
    #[arg(global = true, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub exec_parallel: u16,

    /// Do all steps of the type `git` in the daemon: they commit, tag, merge, note and branch in
    /// the repository of their run. Without this, workers may.
    #[arg(long, env = "GITPORT_GIT_STEPS", global = true)]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    pub git_steps: bool,

    /// Do such steps only of runs that clients of this daemon begin, and leave those of others to
    /// whoever does them.
    #[arg(long, env = "GITPORT_OWN_RUNS", global = true)]
    #[arg(value_parser = clap::builder::FalseyValueParser::new())]
    pub own_runs: bool,

    /// The git program for large transfers, or `none` to use the built-in transport only.
    #[arg(long, env = "GITPORT_GIT", value_name = "PROGRAM", default_value = "git", global = true)]
    pub git: String,
}

fn program(text: &str) -> Result<String, &'static str> {
    // None is no mistake: a variable may be set to nothing.
    let is_name = !text.contains('/') && !matches!(text, "." | "..");
    match is_name || text.starts_with('/') {
        true => Ok(text.to_owned()),
        false => Err("it is the name of a program, or its absolute path"),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Arguments;

    /// The help of a subcommand, of which the last word is its name.
    fn help(words: &[&str]) -> String {
        let mut command = Arguments::command();
        command.build();
        let mut at = &mut command;
        for word in words {
            at = at.find_subcommand_mut(word).unwrap();
        }
        at.render_long_help().to_string()
    }

    #[test]
    fn flags_of_the_daemon_come_behind_those_of_a_subcommand() {
        let check = |words: &[&str], flags: &[&str]| {
            let help = help(words);
            let (own, daemon) = help.split_once("\nDaemon:\n").unwrap();
            for flag in flags {
                assert!(own.contains(flag), "{flag} is not in\n{own}");
            }
            for flag in ["--root", "--workers", "--transports", "--git"] {
                assert!(daemon.contains(flag) && !own.contains(flag), "{flag} in\n{help}");
            }
            assert!(!daemon.contains("--help"), "{daemon}");
        };
        check(&[], &["--help", "--version"]);
        check(&["process"], &["--help", "lint"]);
        check(&["process", "lint"], &["[PATH]", "--format", "--deny-warnings", "--help"]);
        check(&["process", "publish"], &["--folder", "--sign-with", "--help"]);
        check(&["run"], &["<FILE>", "--input", "--temporary", "start", "--help"]);
        check(&["run", "start"], &["[PROCESS]", "--version", "--folder", "--follow"]);
        check(&["task", "complete"], &["<TASK>", "--outcome", "--set"]);
        check(&["call"], &["--help"]);
    }
}
