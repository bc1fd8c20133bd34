//! `tag`: make, move or remove a tag.

use serde::Deserialize;

use super::{
    Context, Lane, Operation, about,
    change::{Durability, Fence, Who, message, signer},
    plain::Plain,
};
use crate::{
    error::{Error, Result},
    git::{Expect, RawName, RepositoryPath, SignWith, Tag, TagChange, TagDraft, TagMoved},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tagging {
    path: RepositoryPath,
    tag: Plain,
    target: Option<Plain>,
    message: Option<RawName>,
    tagger: Option<Who>,
    expect: Option<Plain>,
    #[serde(default)]
    force: bool,
    #[serde(default)]
    delete: bool,
    fence: Option<Fence>,
    sign: Option<SignWith>,
    #[serde(default)]
    durability: Durability,
}

impl Operation for Tagging {
    const NAME: &'static str = "tag";

    type Reply = super::change::Reply<TagMoved>;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        if self.tagger.is_some() && self.message.is_none() {
            let message = "only a tag with a `message` has a `tagger`";
            return Err(Error::bad_request(message).with("field", "tagger"));
        }
        if self.sign.is_some() && self.message.is_none() {
            let message = "only a tag with a `message` can be signed";
            return Err(Error::bad_request(message).with("field", "sign"));
        }
        let what = match (self.delete, self.target, self.message) {
            (true, None, None) => TagChange::Delete,
            (true, _, _) => {
                let message = "what is deleted has neither `target` nor `message`";
                return Err(Error::bad_request(message).with("field", "delete"));
            }
            (false, target, text) => TagChange::Put {
                target: target.map_or_else(|| "HEAD".to_owned(), String::from),
                message: text.map(|it| message(it, None)).transpose()?,
            },
        };
        let signer = signer(self.sign.as_ref())?;
        let mut transaction = context.transaction();
        Fence::check(self.fence.as_ref(), &mut transaction)?;
        let draft = TagDraft {
            tag: Tag::of_client(&self.tag)?,
            what,
            expect: self.expect.as_deref().map(Expect::new).transpose()?,
            force: self.force,
            signer,
            who: Who::or_default(self.tagger, "tagger", &transaction)?,
        };
        let moved = transaction.tag(&draft).map_err(about("target"))?;
        Ok(self.durability.promise(&mut transaction, moved))
    }
}
