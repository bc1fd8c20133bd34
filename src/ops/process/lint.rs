//! `process.lint`: what is wrong with definitions, where, and what to do about it.

use serde::{Deserialize, Serialize};

use super::files::{self, Draft, Wanted};
use crate::{
    error::Result,
    git::{RawName, RepositoryPath},
    ops::{Context, Lane, Operation, change::Encoding, plain::Plain},
    process::{
        diagnostic::{Diagnostic, Severity},
        gate::Named,
        lint, load,
        render::{Format, render},
        test::beside::is_beside,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lint {
    path: Option<RepositoryPath>,
    rev: Option<Plain>,
    files: Option<Vec<RawName>>,
    drafts: Option<Vec<Draft>>,
    #[serde(default)]
    encoding: Encoding,
    format: Option<Format>,
    #[serde(default)]
    color: bool,
}

#[derive(Serialize)]
pub struct Reply {
    errors: usize,
    warnings: usize,
    diagnostics: Vec<Diagnostic>,
    /// All of them in the format that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    rendered: Option<String>,
}

impl Operation for Lint {
    const NAME: &'static str = "process.lint";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        files::lane(self.path.as_ref())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let Lint { path, rev, files, drafts, encoding, format, color } = self;
        let files = Wanted { path, rev, files, drafts, encoding }.read(context)?;
        let read = |(name, bytes): &Named| {
            context.watch.check()?;
            Ok(load::read(name, bytes))
        };
        let files = files.iter().filter(|it| !is_beside(&it.0));
        let files = files.map(read).collect::<Result<Vec<_>>>()?;
        let diagnostics = lint::check(&files, context.watch)?;
        let errors = diagnostics.iter().filter(|it| it.severity == Severity::Error).count();
        Ok(Reply {
            errors,
            warnings: diagnostics.len() - errors,
            rendered: format.map(|it| render(&diagnostics, it, color)),
            diagnostics,
        })
    }
}
