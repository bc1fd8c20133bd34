//! `notes`: which objects have a note, and what it says.

use serde::{Deserialize, Serialize};

use super::{
    Context, Lane, Operation, about,
    note::commits,
    paging,
    plain::Plain,
    read::{Content, Encoding},
};
use crate::{
    error::{Code, Error, Result},
    git::{Bytes, Namespace, NotesQuery, Place, Repository, RepositoryPath, Sha},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    path: RepositoryPath,
    #[serde(default = "commits")]
    namespace: Plain,
    target: Option<Plain>,
    #[serde(default = "hundred")]
    limit: usize,
    after: Option<Plain>,
    #[serde(default)]
    contents: bool,
    #[serde(default)]
    encoding: Encoding,
}

fn hundred() -> usize {
    100
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    One(Item),
    Page { notes: Vec<Item>, next: Option<Sha> },
}

#[derive(Serialize)]
pub struct Item {
    #[serde(flatten)]
    place: Place,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
}

impl Operation for Notes {
    const NAME: &'static str = "notes";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        match self.target {
            Some(_) => Lane::Read(self.path.to_path_buf()),
            None => Lane::Search(self.path.to_path_buf()),
        }
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let namespace = Namespace::new(&self.namespace)?;
        let repository = context.open(&self.path)?;
        let mut left = u64::from(context.settings.reply_bytes_max);
        let encoding = self.encoding;
        let mut with_content = |place: Place, is_one_of_many| {
            match content(&repository, &place, encoding, &mut left) {
                Ok(content) => Ok(Item { place, content: Some(content) }),
                // One that is no text hides none of the others.
                Err(error) if is_one_of_many && error.code == Code::Invalid => {
                    Ok(Item { place, content: None })
                }
                Err(error) => Err(error),
            }
        };
        if let Some(target) = &self.target {
            let place = repository.note(&namespace, target).map_err(about("target"))?;
            return with_content(place, false).map(Reply::One);
        }
        let limit = paging::limit(self.limit)?;
        let query = NotesQuery { namespace, limit, after: self.after.map(String::from) };
        let page = repository.notes(&query, context.watch)?;
        let mut notes = Vec::with_capacity(page.notes.len());
        for place in page.notes {
            context.watch.check()?;
            notes.push(match self.contents {
                true => with_content(place, true)?,
                false => Item { place, content: None },
            });
        }
        Ok(Reply::Page { notes, next: page.next })
    }
}

fn content(
    repository: &Repository,
    place: &Place,
    encoding: Encoding,
    left: &mut u64,
) -> Result<Content> {
    let content = repository.note_content(place)?;
    let bytes = content.len() as u64;
    let limit = *left;
    *left = limit.checked_sub(bytes).ok_or_else(|| {
        let message = "the notes are more than fits into a reply; ask for fewer";
        Error::too_large(message).with("bytes", bytes).with("limit", limit)
    })?;
    encoding.encode(Bytes::from(content.to_vec()))
}
