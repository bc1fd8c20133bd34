//! `merge`: bring the changes of a commit into a branch, without a worktree.

use serde::Deserialize;

use super::{
    Context, Lane, Operation, about,
    change::{Durability, Who, branch, message},
    plain::Plain,
};
use crate::{
    error::{Code, Error, Result},
    git::{Expect, Favor, MergeDraft, Merged, RawName, RepositoryPath, Shown, Strategy},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    path: RepositoryPath,
    into: Option<Plain>,
    from: Plain,
    message: Option<RawName>,
    #[serde(default)]
    strategy: How,
    author: Option<Who>,
    committer: Option<Who>,
    expect: Option<Plain>,
    favor: Option<Side>,
    #[serde(default)]
    unrelated: bool,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    durability: Durability,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum How {
    #[default]
    Auto,
    FfOnly,
    NoFf,
    Squash,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Side {
    Ours,
    Theirs,
    Union,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Base64,
    Binary,
    Utf8,
}

impl Operation for Merge {
    const NAME: &'static str = "merge";

    type Reply = super::change::Reply<Merged>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        let mut transaction = context.transaction();
        let committer = Who::or_default(self.committer, "committer", &transaction)?;
        let author = match self.author {
            Some(author) => author.checked("author")?,
            None => committer.clone(),
        };
        let draft = MergeDraft {
            into: branch(self.into.as_deref(), &transaction).map_err(about_into)?,
            from: self.from.into(),
            strategy: match self.strategy {
                How::Auto => Strategy::Auto,
                How::FfOnly => Strategy::FastForwardOnly,
                How::NoFf => Strategy::NoFastForward,
                How::Squash => Strategy::Squash,
            },
            message: self.message.map(|it| message(it, None)).transpose()?,
            author,
            committer,
            expect: self.expect.as_deref().map(Expect::new).transpose()?,
            favor: self.favor.map(|it| match it {
                Side::Ours => Favor::Ours,
                Side::Theirs => Favor::Theirs,
                Side::Union => Favor::Union,
            }),
            unrelated: self.unrelated,
            shown: match self.encoding {
                Encoding::Base64 => Shown::Base64,
                Encoding::Binary => Shown::Binary,
                Encoding::Utf8 => Shown::Text,
            },
        };
        let merged = transaction.merge(&draft).map_err(about("from"))?;
        Ok(self.durability.promise(&mut transaction, merged))
    }
}

fn about_into(error: Error) -> Error {
    match error.code {
        Code::BadRequest => Error::bad_request(error.message).with("field", "into"),
        _ => error,
    }
}
