//! Definitions are linted, tested and drawn.

use std::{
    fs,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use clap::ValueEnum;
use serde_json::{Value as Json, json};

use super::{
    Failure, Outcome, Session,
    files::{collect, drafts},
};
use crate::{
    config::process::{GraphFormat, LintFormat, TestFormat},
    shell::call::print,
};

/// What is asked of tests.
pub struct Tests {
    pub only: Option<String>,
    pub interleavings: u32,
    pub seed: u64,
    pub mutants: bool,
}

/// What is asked of a picture.
pub struct Picture {
    pub process: Option<String>,
    pub format: Option<GraphFormat>,
    pub marking: Option<String>,
}

pub fn lint(
    session: &mut Session,
    paths: &[PathBuf],
    format: LintFormat,
    deny_warnings: bool,
) -> Outcome<bool> {
    let files = collect(paths)?;
    let color = format == LintFormat::Text && io::stdout().is_terminal();
    let reply = session.ask(&json!({
        "op": "process.lint",
        "drafts": drafts(&files),
        "format": word(format),
        "color": color,
    }))?;
    say(&reply["rendered"])?;
    let count = |key: &str| reply[key].as_u64().unwrap_or_default();
    let (errors, warnings) = (count("errors"), count("warnings"));
    Ok(errors == 0 && !(deny_warnings && warnings > 0))
}

pub fn test(
    session: &mut Session,
    paths: &[PathBuf],
    tests: &Tests,
    format: TestFormat,
) -> Outcome<bool> {
    let files = collect(paths)?;
    let mut request = tests.request(&drafts(&files));
    if format != TestFormat::Json {
        request["format"] = word(format).into();
    }
    let reply = session.ask(&request)?;
    match format {
        TestFormat::Json => print(&reply)?,
        TestFormat::Text | TestFormat::Junit => say(&reply["rendered"])?,
    }
    match &tests.only {
        Some(only) if reply["tests"] == 0 && reply["passed"] == true => {
            Err(Failure::Mistaken(format!("no test has `{only}` in PROCESS.TEST")))
        }
        _ => Ok(reply["passed"] == true),
    }
}

impl Tests {
    pub fn request(&self, drafts: &Json) -> Json {
        json!({
            "op": "process.test",
            "drafts": drafts,
            "only": self.only,
            "interleavings": self.interleavings,
            "seed": self.seed,
            "mutants": self.mutants,
        })
    }
}

pub fn graph(
    session: &mut Session,
    paths: &[PathBuf],
    picture: &Picture,
    output: Option<&Path>,
) -> Outcome<bool> {
    let Picture { process, format, marking } = picture;
    let format = format.unwrap_or_else(|| format_of(output));
    let mut request = json!({
        "op": "process.graph",
        "drafts": drafts(&collect(paths)?),
        "process_name": process,
        "format": word(format),
    });
    if let Some(marking) = marking {
        request["marking"] = serde_json::from_str(marking)
            .map_err(|error| Failure::Mistaken(format!("--marking is no JSON: {error}")))?;
    }
    let reply = session.ask(&request)?;
    write(output, reply["picture"].as_str().unwrap_or_default().as_bytes())?;
    Ok(true)
}

/// What the name of a file says about the picture in it.
pub fn format_of(output: Option<&Path>) -> GraphFormat {
    match output.and_then(Path::extension).and_then(|it| it.to_str()) {
        Some("dot" | "gv") => GraphFormat::Dot,
        Some("mmd" | "mermaid") => GraphFormat::Mermaid,
        _ => GraphFormat::Svg,
    }
}

/// Writes to a file, or else to stdout.
pub fn write(output: Option<&Path>, bytes: &[u8]) -> Outcome<()> {
    match output {
        Some(path) => fs::write(path, bytes)
            .map_err(|error| Failure::Mistaken(format!("{}: {error}", path.display()))),
        None => {
            let mut output = io::stdout().lock();
            output.write_all(bytes)?;
            Ok(output.flush()?)
        }
    }
}

/// The word of a choice on the command line, which is that of the protocol, too.
pub fn word(choice: impl ValueEnum) -> String {
    choice.to_possible_value().map(|it| it.get_name().to_owned()).unwrap_or_default()
}

fn say(text: &Json) -> Outcome<()> {
    write(None, text.as_str().unwrap_or_default().as_bytes())
}
