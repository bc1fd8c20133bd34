//! `commit`: change files of a branch, without a worktree.

mod meaning;

use serde::Deserialize;

use super::{
    Context, Lane, Operation,
    change::{Content, Durability, Encoding, Fence, Who, branch, checked, message, signer},
    plain::Plain,
};
use crate::{
    error::{Error, Result},
    git::{
        Change, Committed, Draft, Expect, FileName, Files, Key, Mode, RawName, RepositoryPath,
        SignWith, What,
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    path: RepositoryPath,
    branch: Option<Plain>,
    message: RawName,
    message_encoding: Option<Plain>,
    changes: Option<Vec<Changed>>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    encoding: Encoding,
    author: Option<Who>,
    committer: Option<Who>,
    expect: Option<Plain>,
    fence: Option<Fence>,
    #[serde(default)]
    empty: bool,
    key: Option<Plain>,
    sign: Option<SignWith>,
    #[serde(default)]
    durability: Durability,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {file, …}")]
struct Changed {
    file: RawName,
    content: Option<Content>,
    #[serde(default)]
    delete: bool,
    rename: Option<RawName>,
    mode: Option<Plain>,
}

impl Operation for Commit {
    const NAME: &'static str = "commit";

    type Reply = super::change::Reply<Committed>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(mut self, context: &Context) -> Result<Self::Reply> {
        let encoding = self.encoding;
        let files = match (self.changes.take(), self.all) {
            (Some(changes), false) => {
                Files::Named(checked(changes, "changes", |it| it.checked(encoding))?)
            }
            (None, true) => Files::Worktree,
            _ => return Err(bad("either `changes` or `all` says what to commit")),
        };
        let key = self.key.as_deref().map(|key| Key::new(key, &self.meaning(&files)));
        let key = key.transpose()?;
        let signer = signer(self.sign.as_ref())?;
        let mut transaction = context.transaction();
        if let Some(key) = &key
            && let Some(before) = transaction.answer_to(key)?
        {
            return Ok(self.durability.promise(&mut transaction, before));
        }
        Fence::check(self.fence.as_ref(), &mut transaction)?;
        let (author, committer) = Who::both(self.author, self.committer, &transaction)?;
        let draft = Draft {
            branch: branch(self.branch.as_deref(), &transaction)?,
            files,
            message: message(self.message, self.message_encoding)?,
            author,
            committer,
            expect: self.expect.as_deref().map(Expect::new).transpose()?,
            may_be_empty: self.empty,
            signer,
        };
        let committed = transaction.commit(&draft)?;
        if let Some(key) = &key {
            transaction.keep_answer(key, &committed)?;
        }
        Ok(self.durability.promise(&mut transaction, committed))
    }
}

impl Changed {
    fn checked(self, encoding: Encoding) -> Result<Change> {
        let file = FileName::of_file(&self.file)?;
        let mode = self.mode.map(|it| Mode::try_from(&*it)).transpose();
        let mode =
            mode.map_err(|why| Error::bad_request(format!("`mode`: {why}")).with("field", "mode"))?;
        let what = match (self.content, self.delete, self.rename) {
            (Some(content), false, None) => What::Write { content: content.bytes(encoding)?, mode },
            (None, true, None) if mode.is_none() => What::Delete,
            (None, false, Some(to)) => What::Rename { to: FileName::of_file(&to)?, mode },
            (None, false, None) => match mode {
                Some(mode) => What::Mode(mode),
                None => return Err(bad("a change has `content`, `delete`, `rename` or `mode`")),
            },
            _ => return Err(bad("a change has one of `content`, `delete` and `rename`")),
        };
        Ok(Change { file, what })
    }
}

fn bad(message: impl std::fmt::Display) -> Error {
    Error::bad_request(message).with("field", "changes")
}
