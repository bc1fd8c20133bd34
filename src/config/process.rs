//! The flags of `gitport process`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Subcommand)]
pub enum Process {
    /// Say what is wrong with definitions, where, and what to do about it.
    ///
    /// The exit status is 0 where nothing is an error, else 1.
    Lint {
        #[command(flatten)]
        paths: Paths,
        /// How it is said.
        #[arg(long, value_enum, default_value_t = LintFormat::Text)]
        format: LintFormat,
        /// Let warnings count as errors.
        #[arg(long)]
        deny_warnings: bool,
    },
    /// Play the tests of definitions, in a time that passes only when they say so.
    ///
    /// The exit status is 0 if all passed, else 1.
    Test {
        #[command(flatten)]
        paths: Paths,
        /// Only tests with this in PROCESS.TEST.
        #[arg(long, value_name = "TEXT")]
        only: Option<String>,
        /// Runs by chance of each definition, beside its tests.
        #[arg(long, value_name = "N", default_value_t = 0)]
        interleavings: u32,
        /// What chance comes from: the same seed gives the same runs.
        #[arg(long, value_name = "N", default_value_t = 0)]
        seed: u64,
        /// Make mistakes in definitions, and tell which ones no test notices.
        #[arg(long)]
        mutants: bool,
        #[arg(long, value_enum, default_value_t = TestFormat::Text)]
        format: TestFormat,
    },
    /// Draw a definition.
    Graph {
        #[command(flatten)]
        paths: Paths,
        /// Which of the definitions, if not the first.
        #[arg(long, value_name = "NAME")]
        process: Option<String>,
        /// How it is drawn, if the name of the file does not say it: svg.
        #[arg(long, value_enum)]
        format: Option<GraphFormat>,
        /// Where a run is, as JSON: {"pack": {"running": 1}}.
        #[arg(long, value_name = "JSON")]
        marking: Option<String>,
        /// Write the picture to this file.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Publish a definition as a version that never changes.
    Publish {
        /// The file of the definition.
        file: PathBuf,
        /// Processes that it calls, if they are not published, and tests in other files than
        /// `x.test.yaml` beside `x.yaml`.
        #[arg(value_name = "BESIDE")]
        beside: Vec<PathBuf>,
        #[command(flatten)]
        store: Store,
        /// Sign its tag with this ssh key.
        #[arg(long, value_name = "FILE")]
        sign_with: Option<PathBuf>,
    },
    /// Print a published definition, checked against its digest.
    Get {
        /// Such as `ship`, `ship@1.2.0`, `ship@^1.2` (as `ship@1.2` is, too) or `ship@latest`.
        #[arg(value_name = "NAME[@VERSION]")]
        process: String,
        #[command(flatten)]
        store: Store,
        /// Write it to this file.
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// List what is published, a version a line.
    List {
        /// Of this process only.
        name: Option<String>,
        #[command(flatten)]
        store: Store,
    },
    /// Do what a pipeline needs: lint, test, and publish what has a new version.
    ///
    /// Nothing is published unless everything is right. The table of what changed since the last
    /// published versions goes to stdout, in Markdown, and everything else to stderr.
    Ci {
        /// The folder of definitions.
        #[arg(value_name = "DIR", default_value = ".")]
        folder: PathBuf,
        #[command(flatten)]
        store: Store,
        /// Publish nothing, as for a pull request.
        #[arg(long)]
        dry_run: bool,
        /// Runs by chance of each definition, beside its tests.
        #[arg(long, value_name = "N", default_value_t = 100)]
        interleavings: u32,
        /// How what is wrong is said: to people, or also as commands of GitHub's workflows.
        #[arg(long, value_enum, default_value_t = PipelineFormat::Text)]
        format: PipelineFormat,
        /// Write what came of the tests to this file, as JUnit's XML.
        #[arg(long, value_name = "FILE")]
        junit: Option<PathBuf>,
        /// Write what lint says to this file, as SARIF.
        #[arg(long, value_name = "FILE")]
        sarif: Option<PathBuf>,
        /// Sign the tags with this ssh key.
        #[arg(long, value_name = "FILE")]
        sign_with: Option<PathBuf>,
    },
}

#[derive(Args)]
pub struct Paths {
    /// Files, and folders in which all YAML with a process in it is taken.
    #[arg(value_name = "PATH", default_value = ".")]
    pub paths: Vec<PathBuf>,
}

/// Where processes are published: a Git repository (the one around the current folder unless
/// another is named), a folder, or a bucket. Keys of a bucket come from AWS_ACCESS_KEY_ID and
/// AWS_SECRET_ACCESS_KEY.
#[derive(Args)]
pub struct Store {
    /// Published in this Git repository, as tags.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["folder_store", "bucket"])]
    pub repository: Option<PathBuf>,
    #[command(flatten)]
    pub elsewhere: Elsewhere,
}

/// A store that is no Git repository.
#[derive(Args)]
pub struct Elsewhere {
    /// Published in this folder.
    #[arg(id = "folder_store", long = "folder", value_name = "DIR", conflicts_with = "bucket")]
    pub folder: Option<PathBuf>,
    /// Published in this bucket of a server that speaks S3.
    #[arg(long, value_name = "NAME")]
    pub bucket: Option<String>,
    /// The server, if it is not Amazon's.
    #[arg(long, value_name = "URL", requires = "bucket")]
    pub endpoint: Option<String>,
    /// The region of the server.
    #[arg(long, value_name = "NAME", requires = "bucket")]
    pub region: Option<String>,
    /// What keys begin with.
    #[arg(long, value_name = "TEXT", requires = "bucket")]
    pub prefix: Option<String>,
    /// The certificates to trust, instead of the system's.
    #[arg(long, value_name = "FILE", requires = "bucket")]
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LintFormat {
    Text,
    Json,
    Sarif,
    Github,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PipelineFormat {
    Text,
    Github,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TestFormat {
    Text,
    Json,
    Junit,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    Svg,
    Dot,
    Mermaid,
}
