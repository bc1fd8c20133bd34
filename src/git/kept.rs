//! Files that are kept for ever, each in a commit of its own below an annotated tag.
//!
//! The tag keeps the file alive and can be signed; a note beside it says the same for programs.

use git2::Oid;

use super::{
    FileName, Message, Namespace, Note, NotesDraft, Person, Repository, Signer, Tag, TagChange,
    TagDraft, Transaction, Written,
    commit::Content,
    pack::Kind,
    refs::TAGS,
    repository::Sha,
    transaction::Node,
    tree::{self, Range},
};
use crate::{
    error::{Code, Error, Result},
    watch::Watch,
};

/// A file that shall be kept.
pub struct Keeping {
    pub tag: Tag,
    pub file: FileName,
    pub content: Vec<u8>,
    /// Of the commit and of the tag.
    pub message: Vec<u8>,
    pub who: Person,
    /// Of the tag, which stands for all of it.
    pub signer: Option<Signer>,
    /// What is noted on the commit, and where.
    pub note: (Namespace, Vec<u8>),
}

/// Where a file is kept.
pub struct Kept {
    pub commit: Sha,
}

impl Transaction<'_> {
    /// Whether something has this tag's name.
    pub fn is_kept(&mut self, tag: &Tag) -> Result<bool> {
        Ok(self.at(&tag.reference())?.is_some())
    }

    /// Keeps a file: commit, tag and note in one step.
    pub fn keep(&mut self, keeping: Keeping) -> Result<()> {
        let Keeping { tag, file, content, message, who, signer, note: (namespace, note) } = keeping;
        let blob = self.add(Kind::Blob, content);
        let mut node = Node::default();
        node.set(file.as_bytes(), Some(super::edit::Entry { mode: tree::PLAIN, id: blob }));
        let tree = self.edit(None, &node)?.expect("it has a file");
        let said = || Message { text: message.clone(), encoding: None };
        let (author, committer) = (&who, &who);
        let content = Content { tree, parents: &[], author, committer, message: &said() };
        let commit = self.add_commit(&content, None)?;
        // Nobody sees one without the other.
        self.move_as_one();
        let (author, committer) = (who.clone(), who.clone());
        let written = Written { namespace, author, committer, message: Some(said()) };
        let note = Note { target: commit.to_string(), content: note, expect: None };
        self.note(NotesDraft { written, notes: vec![note], append: false })?;
        let what = TagChange::Put { target: commit.to_string(), message: Some(said()) };
        let draft = TagDraft { tag, what, expect: None, force: false, who, signer };
        self.tag(&draft).map(drop)
    }
}

impl Repository {
    /// Where a file is kept, and the message of its tag without a signature.
    pub fn kept(&self, tag: &Tag) -> Result<(Kept, Vec<u8>)> {
        let object = self.inner.find_reference(&tag.reference()).and_then(|it| it.resolve());
        let object = match object {
            Ok(reference) => reference.target().expect("a resolved ref has an id"),
            Err(error) if error.code() == git2::ErrorCode::NotFound => {
                return Err(Error::not_found(format!("no tag is called `{}`", tag.name())));
            }
            Err(error) => return Err(error.into()),
        };
        let damaged =
            |why: &str| Error::corrupt(format!("the tag `{}` keeps nothing: {why}", tag.name()));
        let (kind, content) = self.object(object).map_err(|it| as_damage(it, tag))?;
        if kind != Kind::Tag {
            return Err(damaged("it is not annotated"));
        }
        let lines: Vec<&[u8]> = content.split(|it| *it == b'\n').take(3).collect();
        let commit = lines.first().and_then(|it| it.strip_prefix(b"object "));
        let commit = commit.and_then(super::hash::id_of);
        let named = [b"tag ", tag.name().as_bytes()].concat();
        match (commit, lines.get(1..)) {
            (Some(commit), Some([b"type commit", name])) if *name == named => {
                let (kept, message) = (Kept { commit: Sha::from(commit) }, message_of(&content));
                Ok((kept, message.to_vec()))
            }
            (_, Some([kind, _])) if *kind != b"type commit" => Err(damaged("it is of no commit")),
            _ => Err(damaged("it is another tag's object")),
        }
    }

    /// The file of a tag.
    pub fn kept_file(
        &self,
        kept: &Kept,
        tag: &Tag,
        file: &FileName,
        bytes_max: u64,
    ) -> Result<Vec<u8>> {
        let whole = Range { offset: 0, length: None };
        let read = self.read(&kept.commit.0, file, whole, bytes_max);
        read.map(|it| it.to_vec()).map_err(|it| as_damage(it, tag))
    }

    /// The names of all tags that begin like this, without it.
    pub fn kept_below(&self, folder: &str, watch: &Watch) -> Result<Vec<String>> {
        let below = self.all_below(&format!("{TAGS}{folder}"), watch)?;
        Ok(below.into_iter().map(|(name, _)| name).collect())
    }

    /// The object of a tag, which is another one as soon as the tag is.
    pub fn kept_by(&self, tag: &Tag) -> Result<Option<Oid>> {
        match self.inner.refname_to_id(&tag.reference()) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// What a tag leads to is there, or the repository is damaged.
fn as_damage(error: Error, tag: &Tag) -> Error {
    match error.code {
        Code::NotFound | Code::BadRequest | Code::Invalid | Code::Denied | Code::TooLarge => {
            Error::corrupt(format!("the tag `{}` is damaged: {}", tag.name(), error.message))
        }
        _ => error,
    }
}

/// What is behind the head of a tag's object.
fn message_of(content: &[u8]) -> &[u8] {
    let start = content.windows(2).position(|it| it == b"\n\n").map_or(content.len(), |it| it + 2);
    &content[start..]
}
