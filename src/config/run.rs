//! The flags of `gitport run` and `gitport task`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::process::{Elsewhere, GraphFormat};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Run {
    #[command(subcommand)]
    pub command: Option<Running>,
    #[command(flatten)]
    pub whole: Whole,
}

/// A run from its beginning to its end.
#[derive(Args)]
pub struct Whole {
    /// The file of the definition, as it is on disk, and those of processes that it calls.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Which process of the files, if not the first of the first one.
    #[arg(long, value_name = "NAME")]
    pub process: Option<String>,
    #[command(flatten)]
    pub begin: Begin,
    #[command(flatten)]
    pub place: Place,
    /// Keep the run in a new repository in the folder for temporary files, as it is where no
    /// repository is around.
    #[arg(long, conflicts_with = "repository")]
    pub temporary: bool,
    /// Who the tasks are done as; otherwise their assignee, or USER@HOST.
    #[arg(long, value_name = "NAME")]
    pub worker: Option<String>,
}

/// What a run begins with.
#[derive(Args)]
pub struct Begin {
    /// Its input: a JSON object, `@FILE` with one, or `key=value` (JSON where it is JSON, text
    /// where it is not; `a.b=1` leads into a map). Several are laid over each other.
    #[arg(long, value_name = "INPUT")]
    pub input: Vec<String>,
    /// The id of the run; one that is there already is only told of if it is the same.
    #[arg(long, value_name = "RUN")]
    pub id: Option<String>,
    /// What it is found by in lists.
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    pub attributes: Vec<String>,
    /// Who begins it, if not the one that Git's configuration of the repository names.
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
}

/// Where runs are.
#[derive(Args)]
pub struct Place {
    /// The Git repository of the runs, if not the one around the current folder.
    #[arg(long, value_name = "DIR")]
    pub repository: Option<PathBuf>,
}

/// How it is told.
#[derive(Args)]
pub struct Telling {
    /// Print the reply of the operation as JSON, and nothing else.
    #[arg(long)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Running {
    /// Begin a run of a published process, or of one in a file of the repository.
    ///
    /// For example:
    ///
    ///   gitport run start release --version ^1 --input customer=acme --follow
    ///   gitport run start --file processes/release.yaml --id release-17
    #[command(verbatim_doc_comment)]
    Start(Box<Start>),
    /// Tell how a run stands: its data, and what is offered, under way or waited for.
    Show {
        run: String,
        /// As it was with the commit of this number.
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// List runs, one a line.
    List {
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// Tell what happened to a run, in its order.
    History {
        run: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// Draw the process of a run, with where the run is.
    Graph {
        run: String,
        /// How it is drawn, if the name of the file does not say it: svg.
        #[arg(long, value_enum)]
        format: Option<GraphFormat>,
        /// As it was with the commit of this number.
        #[arg(long, value_name = "SEQ")]
        at: Option<u64>,
        /// Write the picture to this file.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        place: Place,
    },
    /// Look on until a run ends: in place on a terminal, else a line for each thing that happens.
    ///
    /// The exit status is 0 if it is done, 1 if it failed or was cancelled, 3 if it is stuck.
    /// Control-C leaves the run as it is.
    Watch {
        run: String,
        #[command(flatten)]
        place: Place,
    },
    /// Tell a run that something happened.
    ///
    /// For example:
    ///
    ///   gitport run signal r1 parcel_delivered --key o-17 --set at=noon
    #[command(verbatim_doc_comment)]
    Signal {
        run: String,
        /// The name of the event.
        name: String,
        /// What the event is about: JSON where it is JSON, text where it is not.
        #[arg(long, value_name = "KEY")]
        key: Option<String>,
        /// What it brings: a JSON object, `@FILE` with one, or `key=value`.
        #[arg(long = "set", value_name = "DATA")]
        given: Vec<String>,
        /// Who tells it.
        #[arg(long, value_name = "NAME")]
        actor: Option<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// Withdraw all that is left of a run.
    Cancel {
        run: String,
        /// Who does it.
        #[arg(long, value_name = "NAME")]
        actor: Option<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// Prove that nobody touched a run: work its events into its process once more.
    ///
    /// The exit status is 1 where a commit is not what it should be.
    Verify {
        run: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
}

#[derive(Args)]
pub struct Start {
    /// The published process; with files, which of those in them.
    #[arg(value_name = "PROCESS", required_unless_present = "files")]
    pub process: Option<String>,
    /// A version, or a range such as `^1.2`; the newest unless it is said.
    #[arg(long, value_name = "VERSION", conflicts_with = "files")]
    pub version: Option<String>,
    /// Take versions such as 2.0.0-rc.1, too.
    #[arg(long, conflicts_with = "files")]
    pub prerelease: bool,
    /// A file of the repository with the definition, as it was committed, and those of processes
    /// that it calls.
    #[arg(id = "files", long = "file", value_name = "FILE")]
    #[arg(conflicts_with_all = ["folder_store", "bucket"])]
    pub files: Vec<PathBuf>,
    /// The revision of the files, if not HEAD.
    #[arg(long, value_name = "REV", requires = "files")]
    pub rev: Option<String>,
    #[command(flatten)]
    pub begin: Begin,
    /// Look on until it ends.
    #[arg(long, conflicts_with = "json")]
    pub follow: bool,
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub telling: Telling,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
}

/// Which runs are listed.
#[derive(Args)]
pub struct Wanted {
    /// Of this process.
    #[arg(long, value_name = "NAME")]
    pub process: Option<String>,
    /// Of this version.
    #[arg(long, value_name = "VERSION")]
    pub version: Option<String>,
    /// That stand so: running, waiting, stuck, done, failed or cancelled.
    #[arg(long, value_name = "STATUS")]
    pub status: Option<String>,
    /// That are or wait at this step.
    #[arg(long, value_name = "STEP")]
    pub step: Option<String>,
    /// That this one began.
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// That have this attribute.
    #[arg(long = "attribute", value_name = "NAME=VALUE")]
    pub attributes: Vec<String>,
    /// That began at this time or later: 2h (ago), 2026-05-17 or 2026-05-17T09:30:00Z.
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// That began before this time.
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// So many at most; all of them unless it is said.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Those behind this one.
    #[arg(long, value_name = "RUN")]
    pub after: Option<String>,
}

#[derive(Subcommand)]
pub enum Task {
    /// List what there is to do, and who does what.
    List {
        /// Of this run.
        #[arg(long, value_name = "RUN")]
        run: Option<String>,
        /// Of this queue.
        #[arg(long, value_name = "QUEUE")]
        queue: Option<String>,
        /// Of these types of steps; the empty text is that of steps without one.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// That this worker has.
        #[arg(long, value_name = "NAME")]
        worker: Option<String>,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// Take up a task, and print it with the token that it is completed with.
    ///
    /// It is one that is named, or the next of a queue. Nobody keeps it for you when this ended:
    /// until somebody else takes it up, whoever has the token can complete it.
    Claim {
        /// The task, such as r1/4.
        #[arg(conflicts_with_all = ["queue", "types", "wait"])]
        task: Option<String>,
        /// Of this queue: default.
        #[arg(long, value_name = "QUEUE")]
        queue: Option<String>,
        /// Of these types of steps.
        #[arg(long = "type", value_name = "TYPE")]
        types: Vec<String>,
        /// Wait so long for one, such as 30s.
        #[arg(long, value_name = "TIME")]
        wait: Option<String>,
        #[command(flatten)]
        worker: Worker,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// A task is done; it is taken up first if no token is given.
    ///
    /// For example:
    ///
    ///   gitport task complete r1/4 --outcome approved --set comment=fine
    #[command(verbatim_doc_comment)]
    Complete {
        /// The task, such as r1/4.
        task: String,
        /// The token of whoever took it up.
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
        /// One that a transition of the step names: ok.
        #[arg(long, value_name = "OUTCOME")]
        outcome: Option<String>,
        /// What came of it: a JSON object, `@FILE` with one, or `key=value`.
        #[arg(long = "set", value_name = "DATA")]
        given: Vec<String>,
        #[command(flatten)]
        worker: Worker,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// A task could not be done; it is taken up first if no token is given.
    ///
    /// For example:
    ///
    ///   gitport task fail r1/4 --message 'no route to host' --type network
    #[command(verbatim_doc_comment)]
    Fail {
        /// The task, such as r1/4.
        task: String,
        /// What went wrong.
        #[arg(long, value_name = "TEXT")]
        message: String,
        /// What kind of mistake it is, which the step's `retry` may name: failure.
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<String>,
        /// Another attempt would not help.
        #[arg(long)]
        no_retry: bool,
        /// The token of whoever took it up.
        #[arg(long, value_name = "TOKEN")]
        token: Option<String>,
        #[command(flatten)]
        worker: Worker,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
    /// Give back a task that was taken up, for somebody else.
    Release {
        /// The task, such as r1/4.
        task: String,
        /// The token of whoever took it up.
        #[arg(long, value_name = "TOKEN")]
        token: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        telling: Telling,
    },
}

/// Who does a task.
#[derive(Args)]
pub struct Worker {
    /// Who does it: USER@HOST unless it is said.
    #[arg(long, value_name = "NAME")]
    pub worker: Option<String>,
    /// A role that the worker has, where the step is for those who have one.
    #[arg(long = "role", value_name = "ROLE")]
    pub roles: Vec<String>,
}
