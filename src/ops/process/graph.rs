//! `process.graph`: the picture of a definition.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::files::{self, Draft, Wanted};
use crate::{
    error::{Error, Result},
    git::{RawName, RepositoryPath},
    ops::{Context, Lane, Operation, change::Encoding, plain::Plain},
    process::{
        graph::{Format, Marking, State, Subject},
        load,
        test::beside::is_beside,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Graph {
    path: Option<RepositoryPath>,
    rev: Option<Plain>,
    files: Option<Vec<RawName>>,
    drafts: Option<Vec<Draft>>,
    #[serde(default)]
    encoding: Encoding,
    /// Which of the definitions, or else the first; the others are drawn where it calls them.
    process_name: Option<Plain>,
    #[serde(default)]
    format: Format,
    /// The paths of steps, and how many threads are there in which state.
    #[serde(default)]
    marking: BTreeMap<String, BTreeMap<State, u32>>,
}

#[derive(Serialize)]
pub struct Reply {
    process_name: String,
    picture: String,
}

impl Operation for Graph {
    const NAME: &'static str = "process.graph";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        files::lane(self.path.as_ref())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let Graph { path, rev, files, drafts, encoding, process_name, format, marking } = self;
        let mut files = Wanted { path, rev, files, drafts, encoding }.read(context)?;
        files.retain(|it| !is_beside(&it.0));
        let read = files.iter().map(|(name, content)| load::definitions(name, content));
        let all = read.collect::<Result<Vec<_>>>()?.concat();
        let definition = match process_name.as_deref() {
            Some(name) => all.iter().find(|it| it.process_name == name).ok_or_else(|| {
                Error::not_found(format!("no process in these files is called `{name}`"))
            })?,
            None => all.first().ok_or_else(|| Error::not_found("there is no process to draw"))?,
        };
        let mut known = Marking::default();
        for (path, states) in &marking {
            states.iter().for_each(|(state, count)| known.add(path, *state, *count));
        }
        let marking = (!marking.is_empty()).then_some(&known);
        let subject = Subject { definition, called: &all, marking };
        let picture = subject.drawn(format);
        Ok(Reply { process_name: definition.process_name.clone(), picture })
    }
}
