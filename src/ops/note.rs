//! `note`: write notes on objects, as `git notes` keeps them.

pub mod remove;

use serde::Deserialize;

use super::{
    Context, Lane, Operation, about,
    change::{Content, Durability, Encoding, Fence, Who, checked, message},
    plain::Plain,
};
use crate::{
    error::{Error, Result},
    git::{
        Expect, Namespace, Note as Draft, Noted, NotesDraft, RawName, RepositoryPath, Transaction,
        Written,
    },
};

/// How many notes one request may write or remove.
const NOTES_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    path: RepositoryPath,
    target: Option<Plain>,
    content: Option<Content>,
    expect: Option<Plain>,
    notes: Option<Vec<Item>>,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default = "commits")]
    namespace: Plain,
    #[serde(default)]
    append: bool,
    author: Option<Who>,
    committer: Option<Who>,
    message: Option<RawName>,
    fence: Option<Fence>,
    #[serde(default)]
    durability: Durability,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {target, content, expect?}")]
struct Item {
    target: Plain,
    content: Content,
    expect: Option<Plain>,
}

/// The namespace that `git notes` and `git log` use.
pub fn commits() -> Plain {
    "commits".into()
}

impl Operation for Note {
    const NAME: &'static str = "note";

    type Reply = super::change::Reply<Noted>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        let is_list = self.notes.is_some();
        let items = match (self.target, self.content, self.notes) {
            (Some(target), Some(content), None) => {
                vec![Item { target, content, expect: self.expect }]
            }
            (None, None, Some(notes)) if self.expect.is_none() => notes,
            _ => return Err(bad("either `target` and `content`, or `notes` say what to note")),
        };
        if items.is_empty() || NOTES_MAX < items.len() {
            return Err(bad(format!("one request writes 1 to {NOTES_MAX} notes")));
        }
        let encoding = self.encoding;
        let notes = match is_list {
            true => checked(items, "notes", |it| it.checked(encoding))?,
            false => items.into_iter().map(|it| it.checked(encoding)).collect::<Result<_>>()?,
        };
        let namespace = Namespace::new(&self.namespace)?;
        let mut transaction = context.transaction();
        Fence::check(self.fence.as_ref(), &mut transaction)?;
        let who = (self.author, self.committer);
        let written = written(namespace, who, self.message, &transaction)?;
        let draft = NotesDraft { written, notes, append: self.append };
        let noted = transaction.note(draft).map_err(about("target"))?;
        Ok(self.durability.promise(&mut transaction, noted))
    }
}

impl Item {
    fn checked(self, encoding: Encoding) -> Result<Draft> {
        Ok(Draft {
            target: self.target.into(),
            content: self.content.bytes(encoding)?,
            expect: self.expect.as_deref().map(Expect::new).transpose()?,
        })
    }
}

/// What every change of notes says: where, who and why.
fn written(
    namespace: Namespace,
    (author, committer): (Option<Who>, Option<Who>),
    text: Option<RawName>,
    transaction: &Transaction,
) -> Result<Written> {
    namespace.expect_free()?;
    let (author, committer) = Who::both(author, committer, transaction)?;
    let message = text.map(|it| message(it, None)).transpose()?;
    Ok(Written { namespace, author, committer, message })
}

fn bad(message: impl std::fmt::Display) -> Error {
    Error::bad_request(message).with("field", "notes")
}
