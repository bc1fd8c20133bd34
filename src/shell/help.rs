//! What an operation takes and gives, as the contract has it.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{
    CommandFactory,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::{complain, end};
use crate::config::Arguments;

const CONTRACT: &str = include_str!("../../protocol/README.md");

/// Tells about an operation, or about `gitport call` itself.
pub fn help(op: Option<&str>) -> ExitCode {
    let text = match op {
        None => {
            let mut command = Arguments::command();
            command.build();
            let call = command.find_subcommand_mut("call").expect("it is a command");
            call.render_long_help().to_string()
        }
        Some(op) => match about(op) {
            Some(text) => text,
            None => {
                return complain(format_args!("no operation is called `{op}`; `hello` lists them"));
            }
        },
    };
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => end(&error),
    }
}

/// Ends with what is wrong on the command line; an operation is no command.
pub fn misused(mut error: clap::Error) -> ! {
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(ContextValue::String(name)) = error.get(ContextKind::InvalidSubcommand)
        && about(name).is_some()
    {
        let tip = format!("it is an operation: gitport call {name}").into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error.exit()
}

/// Its row, and its section where it has one.
fn about(op: &str) -> Option<String> {
    let (_, operations) = CONTRACT.split_once("\n## Operations\n")?;
    let (operations, _) = operations.split_once("\n## ")?;
    let row = format!("| `{op}` |");
    let row = operations.lines().find_map(|line| line.strip_prefix(&row))?;
    let (arguments, reply) = row.trim_end_matches(" |").split_once(" | ")?;
    let arguments = if arguments.is_empty() { "none" } else { arguments.trim() };
    let mut text = format!("{op}\n\narguments: {arguments}\nreply: {reply}\n");
    if arguments.starts_with("R,") || arguments == "R" {
        text.push_str("R is `path`, or `workspace`\n");
    }
    if let Some((_, section)) = operations.split_once(&format!("\n### {op}\n")) {
        let section = section.split("\n### ").next().unwrap_or_default();
        text.push_str(&format!("\n{}\n", section.trim()));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_told_about() {
        let head = about("head").unwrap();
        assert!(head.contains("arguments: R\nreply: {sha, "), "{head}");
        assert!(head.contains("R is `path`, or `workspace`"), "{head}");
        assert!(head.contains("The commit of `HEAD`"), "{head}");
        assert!(about("ping").unwrap().contains("arguments: none\nreply: `pong`"));
        let create = about("workspace.create").unwrap();
        assert!(create.contains("arguments: workspace, branch=`main`"), "{create}");
        assert_eq!((about("bad_request"), about("none")), (None, None));
    }
}
