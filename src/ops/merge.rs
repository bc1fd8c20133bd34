//! `merge`: bring the changes of a commit into a branch, without a worktree.

use serde::Deserialize;

use super::{
    Context, Lane, Operation, about,
    change::{Durability, Fence, Who, branch, message, signer},
    plain::Plain,
};
use crate::{
    error::{Code, Error, Result},
    git::{Expect, Favor, MergeDraft, Merged, RawName, RepositoryPath, Shown, SignWith, Strategy},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    path: RepositoryPath,
    into: Option<Plain>,
    from: Plain,
    message: Option<RawName>,
    strategy: Option<Plain>,
    author: Option<Who>,
    committer: Option<Who>,
    expect: Option<Plain>,
    favor: Option<Plain>,
    #[serde(default)]
    unrelated: bool,
    encoding: Option<Plain>,
    fence: Option<Fence>,
    sign: Option<SignWith>,
    #[serde(default)]
    durability: Durability,
}

impl Operation for Merge {
    const NAME: &'static str = "merge";

    type Reply = super::change::Reply<Merged>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        let signer = signer(self.sign.as_ref())?;
        let mut transaction = context.transaction();
        Fence::check(self.fence.as_ref(), &mut transaction)?;
        let (author, committer) = Who::both(self.author, self.committer, &transaction)?;
        let draft = MergeDraft {
            into: branch(self.into.as_deref(), &transaction).map_err(about_into)?,
            from: self.from.into(),
            strategy: strategy(self.strategy.as_deref())?,
            message: self.message.map(|it| message(it, None)).transpose()?,
            author,
            committer,
            expect: self.expect.as_deref().map(Expect::new).transpose()?,
            favor: self.favor.as_deref().map(favor).transpose()?,
            unrelated: self.unrelated,
            signer,
            shown: shown(self.encoding.as_deref())?,
        };
        let merged = transaction.merge(&draft).map_err(about("from"))?;
        Ok(self.durability.promise(&mut transaction, merged))
    }
}

fn strategy(name: Option<&str>) -> Result<Strategy> {
    match name {
        None | Some("auto") => Ok(Strategy::Auto),
        Some("ff_only") => Ok(Strategy::FastForwardOnly),
        Some("no_ff") => Ok(Strategy::NoFastForward),
        Some("squash") => Ok(Strategy::Squash),
        Some(_) => none_of("strategy", "`auto`, `ff_only`, `no_ff` or `squash`"),
    }
}

fn favor(name: &str) -> Result<Favor> {
    match name {
        "ours" => Ok(Favor::Ours),
        "theirs" => Ok(Favor::Theirs),
        "union" => Ok(Favor::Union),
        _ => none_of("favor", "`ours`, `theirs` or `union`"),
    }
}

fn shown(name: Option<&str>) -> Result<Shown> {
    match name {
        None | Some("base64") => Ok(Shown::Base64),
        Some("binary") => Ok(Shown::Binary),
        Some("utf8") => Ok(Shown::Text),
        Some(_) => none_of("encoding", "`base64`, `binary` or `utf8`"),
    }
}

fn none_of<T>(field: &'static str, names: &str) -> Result<T> {
    Err(Error::bad_request(format!("`{field}` is {names}")).with("field", field))
}

fn about_into(error: Error) -> Error {
    match error.code {
        Code::BadRequest => Error::bad_request(error.message).with("field", "into"),
        _ => error,
    }
}
