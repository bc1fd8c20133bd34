//! Tags: names for objects, with or without a word about them.

use git2::Oid;
use serde::Serialize;

use super::{
    Expect, Message, Person, RefQuery, Repository, Signer, Text, Transaction,
    history::Person as Shown,
    pack::Kind,
    refs::{TAGS, Tag},
    repository::Sha,
    signature::object,
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// What shall become of a tag.
pub struct TagDraft {
    pub tag: Tag,
    pub what: TagChange,
    pub expect: Option<Expect>,
    /// Whether one that is there may be moved.
    pub force: bool,
    /// Who the reflog speaks of, if there is one.
    pub who: Person,
    pub signer: Option<Signer>,
}

pub enum TagChange {
    /// It shall name the object of a revision, with a message through an object of its own.
    Put {
        target: String,
        message: Option<Message>,
    },
    Delete,
}

#[derive(Serialize)]
pub struct TagMoved {
    pub tag: String,
    /// What it names now.
    pub target: Option<Sha>,
    /// The object with its message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Sha>,
    /// What the ref was.
    pub was: Option<Sha>,
}

#[derive(Serialize)]
pub struct TagEntry {
    pub name: Text,
    /// What it names in the end.
    pub target: Sha,
    pub annotated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Sha>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tagger: Option<Shown>,
}

#[derive(Serialize)]
pub struct TagPage {
    pub tags: Vec<TagEntry>,
    pub next: Option<Text>,
}

impl Transaction<'_> {
    pub fn tag(&mut self, draft: &TagDraft) -> Result<TagMoved> {
        let name = draft.tag.name();
        let reference = draft.tag.reference();
        let was = self.at(&reference)?;
        Expect::check(draft.expect, was, &format!("`{name}`"))?;
        let mut moved =
            TagMoved { tag: name.to_owned(), target: None, object: None, was: was.map(Sha::from) };
        match &draft.what {
            TagChange::Delete => {
                if was.is_none() {
                    return Err(Error::not_found(format!("no tag is called `{name}`")));
                }
                self.move_because(&reference, None, &draft.who, b"tag: deleted")?;
            }
            TagChange::Put { target, message } => {
                let may_move = draft.force || draft.expect.is_some();
                if was.is_some() && !may_move {
                    let message = format!("a tag is called `{name}` already");
                    return Err(Error::already_exists(message));
                }
                let target = self.object_named(target)?;
                let object = match message {
                    None => None,
                    Some(message) => Some(self.annotation(draft, target, message)?),
                };
                let why = format!("tag: tagging {target}");
                let to = object.unwrap_or(target);
                self.move_because(&reference, Some(to), &draft.who, why.as_bytes())?;
                moved.target = Some(Sha::from(target));
                moved.object = object.map(Sha::from);
            }
        }
        Ok(moved)
    }

    /// The object with the message, signed if there is somebody to sign it.
    fn annotation(&mut self, draft: &TagDraft, target: Oid, message: &Message) -> Result<Oid> {
        let kind = self.kind_of(target)?.name();
        let name = draft.tag.name();
        let mut content = format!("object {target}\ntype {kind}\ntag {name}\n").into_bytes();
        content.extend_from_slice(&draft.who.line("tagger"));
        if let Some(encoding) = &message.encoding {
            content.extend_from_slice(format!("encoding {encoding}\n").as_bytes());
        }
        content.push(b'\n');
        content.extend_from_slice(&message.text);
        let content = match &draft.signer {
            Some(signer) => {
                // A signature begins a line, as Git has it.
                if !content.ends_with(b"\n") {
                    content.push(b'\n');
                }
                object::sign(object::Kind::Tag, &content, signer)?
            }
            None => content,
        };
        Ok(self.add(Kind::Tag, content))
    }
}

impl Repository {
    pub fn tags(&self, query: RefQuery, watch: &Watch) -> Result<TagPage> {
        let query = query.below(TAGS);
        let (found, next) = self.references(&query, watch)?;
        let mut tags = Vec::with_capacity(found.len());
        for it in found {
            watch.check()?;
            let tag = it.peeled.and_then(|_| self.inner.find_tag(it.id).ok());
            tags.push(TagEntry {
                name: Text(it.name[TAGS.len()..].to_vec()),
                target: Sha::from(it.peeled.unwrap_or(it.id)),
                annotated: it.peeled.is_some(),
                object: it.peeled.map(|_| Sha::from(it.id)),
                message: tag.as_ref().and_then(git2::Tag::message_bytes).map(Text::from),
                tagger: tag.as_ref().and_then(git2::Tag::tagger).map(|it| Shown::from(&it)),
            });
        }
        let next = next.map(|it| Text(it.0[TAGS.len()..].to_vec()));
        Ok(TagPage { tags, next })
    }
}
