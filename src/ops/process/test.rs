//! `process.test`: the scripts of definitions, played in a time that passes only when they say so.

use serde::{Deserialize, Serialize};

use super::files::{self, Draft, Wanted};
use crate::{
    error::{Error, Result},
    git::{RawName, RepositoryPath},
    ops::{Context, Lane, Operation, change::Encoding, plain::Plain},
    process::{
        gate::Named,
        load, render,
        test::{
            self, Options,
            beside::{Beside, is_beside},
            report::Report,
        },
    },
};

/// As many runs by chance of each definition.
const INTERLEAVINGS_MAX: u32 = 100_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Test {
    path: Option<RepositoryPath>,
    rev: Option<Plain>,
    files: Option<Vec<RawName>>,
    drafts: Option<Vec<Draft>>,
    #[serde(default)]
    encoding: Encoding,
    /// Only tests with this in `process.test`.
    only: Option<Plain>,
    #[serde(default)]
    interleavings: u32,
    #[serde(default)]
    seed: u64,
    #[serde(default)]
    mutants: bool,
    format: Option<Format>,
}

/// How a report is written, beside the reply itself.
#[derive(Deserialize, Clone, Copy)]
#[serde(try_from = "String")]
enum Format {
    Text,
    Junit,
    Github,
}

impl TryFrom<String> for Format {
    type Error = &'static str;

    fn try_from(word: String) -> Result<Format, &'static str> {
        match &*word {
            "text" => Ok(Format::Text),
            "junit" => Ok(Format::Junit),
            "github" => Ok(Format::Github),
            _ => Err("it is `text`, `junit` or `github`"),
        }
    }
}

#[derive(Serialize)]
pub struct Reply {
    passed: bool,
    tests: usize,
    failed: usize,
    #[serde(flatten)]
    report: Report,
    #[serde(skip_serializing_if = "Option::is_none")]
    rendered: Option<String>,
}

impl Operation for Test {
    const NAME: &'static str = "process.test";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        files::lane(self.path.as_ref())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let Test { path, rev, files, drafts, encoding, format, .. } = self;
        let Test { only, interleavings, seed, mutants, .. } = self;
        if INTERLEAVINGS_MAX < interleavings {
            let message = format!("`interleavings` is at most {INTERLEAVINGS_MAX}");
            return Err(Error::bad_request(message).with("field", "interleavings"));
        }
        let files = Wanted { path, rev, files, drafts, encoding }.read(context)?;
        let (beside, files): (Vec<Named>, Vec<Named>) =
            files.into_iter().partition(|it| is_beside(&it.0));
        let files: Vec<_> = files.iter().map(|(name, bytes)| load::read(name, bytes)).collect();
        let beside: Vec<_> = beside.iter().map(|(name, bytes)| Beside::read(name, bytes)).collect();
        let only = only.map(String::from);
        let options = Options { only, interleavings, seed, mutants, files: None };
        let report = test::run(&files, &beside, &options, context.watch)?;
        let (tests, failed) = report.count();
        let rendered = format.map(|it| match it {
            Format::Text => report.text(),
            Format::Junit => report.junit(),
            Format::Github => {
                let all = [report.diagnostics.clone(), report.failures()].concat();
                render::render(&all, render::Format::Github, false)
            }
        });
        Ok(Reply { passed: report.passed(), tests, failed, report, rendered })
    }
}
