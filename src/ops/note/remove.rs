//! `note.remove`: take notes away from objects.

use serde::Deserialize;

use super::{NOTES_MAX, commits, written};
use crate::{
    error::{Error, Result},
    git::{Expect, Namespace, NoteRemoval, RawName, Removed, RepositoryPath},
    ops::{
        Context, Lane, Operation, about,
        change::{Durability, Fence, Reply, Who},
        plain::Plain,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remove {
    path: RepositoryPath,
    target: Option<Plain>,
    expect: Option<Plain>,
    targets: Option<Vec<Plain>>,
    #[serde(default = "commits")]
    namespace: Plain,
    #[serde(default)]
    missing_ok: bool,
    author: Option<Who>,
    committer: Option<Who>,
    message: Option<RawName>,
    fence: Option<Fence>,
    #[serde(default)]
    durability: Durability,
}

impl Operation for Remove {
    const NAME: &'static str = "note.remove";

    type Reply = Reply<Removed>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        let expect = self.expect.as_deref().map(Expect::new).transpose()?;
        let targets = match (self.target, self.targets) {
            (Some(target), None) => vec![(target.into(), expect)],
            (None, Some(targets)) if expect.is_none() => {
                targets.into_iter().map(|it| (it.into(), None)).collect()
            }
            _ => return Err(bad("either `target` or `targets` say what loses its note")),
        };
        if targets.is_empty() || NOTES_MAX < targets.len() {
            return Err(bad(&format!("one request removes 1 to {NOTES_MAX} notes")));
        }
        let namespace = Namespace::new(&self.namespace)?;
        let mut transaction = context.transaction();
        Fence::check(self.fence.as_ref(), &mut transaction)?;
        let who = (self.author, self.committer);
        let written = written(namespace, who, self.message, &transaction)?;
        let removal = NoteRemoval { written, targets, missing_ok: self.missing_ok };
        let removed = transaction.remove_notes(removal).map_err(about("target"))?;
        Ok(self.durability.promise(&mut transaction, removed))
    }
}

fn bad(message: &str) -> Error {
    Error::bad_request(message).with("field", "targets")
}
