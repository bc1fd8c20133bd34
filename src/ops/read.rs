//! `read`: the content of files, on disk or in a commit.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize, Serializer};

use super::{Context, Lane, Operation, plain::Plain};
use crate::{
    error::{Error, Result},
    git::{Bytes, FileName, Range, RawName, RepositoryPath, Text},
};

/// How many files one request may name.
const FILES_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    path: RepositoryPath,
    file: Option<RawName>,
    files: Option<Vec<RawName>>,
    rev: Option<Plain>,
    #[serde(default)]
    encoding: Encoding,
    #[serde(default)]
    offset: u64,
    length: Option<u64>,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(try_from = "String")]
pub enum Encoding {
    #[default]
    Base64,
    Binary,
    Utf8,
}

impl TryFrom<String> for Encoding {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Encoding, &'static str> {
        match &*name {
            "base64" => Ok(Encoding::Base64),
            "binary" => Ok(Encoding::Binary),
            "utf8" => Ok(Encoding::Utf8),
            _ => Err("it is `base64`, `binary` or `utf8`"),
        }
    }
}

impl Encoding {
    pub fn encode(self, bytes: Bytes) -> Result<Content> {
        match self {
            Encoding::Base64 => Ok(Content::Text(STANDARD.encode(&*bytes))),
            Encoding::Binary => Ok(Content::Bytes(bytes)),
            Encoding::Utf8 => match std::str::from_utf8(&bytes) {
                Ok(text) => Ok(Content::Text(text.to_owned())),
                Err(error) => {
                    let at = error.valid_up_to() as u64;
                    Err(Error::invalid(format!("byte {at} is no UTF-8")).with("offset", at))
                }
            },
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    One(Content),
    Many(Vec<Outcome>),
}

pub enum Content {
    Text(String),
    Bytes(Bytes),
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Content::Text(text) => serializer.serialize_str(text),
            Content::Bytes(bytes) => serializer.serialize_bytes(bytes),
        }
    }
}

/// What became of one of many files.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Read {
        file: Text,
        content: Content,
    },
    Failed {
        file: Text,
        #[serde(flatten)]
        error: Error,
    },
}

impl Operation for Read {
    const NAME: &'static str = "read";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Read(self.path.to_path_buf())
    }

    fn at_hand(&self, context: &Context) -> Option<Result<Reply>> {
        let (Some(file), None, Some(rev)) = (&self.file, &self.files, &self.rev) else {
            return None;
        };
        let name = FileName::try_from(file).ok()?;
        let objects = context.store.at_hand(&self.path)?;
        let (tree, content) = objects.known_file(rev, &name)?;
        // Last, because these look at the disk.
        let is_right = context.store.is_still(&objects, &self.path, context.asked)
            && objects.is_tree_of(rev, tree, context.asked);
        if !is_right {
            return None;
        }
        let range = self.range().within(content.len() as u64);
        if u64::from(context.settings.reply_bytes_max) < range.end - range.start {
            return None;
        }
        Some(self.encoding.encode(Bytes::new(content, range)).map(Reply::One))
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let names = match (&self.file, &self.files) {
            (Some(file), None) => std::slice::from_ref(file),
            (None, Some(files)) if files.len() <= FILES_MAX => files,
            (None, Some(_)) => {
                let message = format!("one request reads at most {FILES_MAX} files");
                return Err(Error::bad_request(message).with("field", "files"));
            }
            _ => {
                let message = "either `file` or `files` says what to read";
                return Err(Error::bad_request(message).with("field", "file"));
            }
        };
        let mut left = u64::from(context.settings.reply_bytes_max);
        let mut read = self.reader(context)?;
        if self.file.is_some() {
            return Ok(Reply::One(self.encoding.encode(read(&names[0], left)?)?));
        }
        let mut outcomes = Vec::with_capacity(names.len());
        for name in names {
            context.watch.check()?;
            let file = Text(name.0.clone());
            let content = read(name, left).and_then(|bytes| {
                left = left.saturating_sub(bytes.len() as u64);
                self.encoding.encode(bytes)
            });
            outcomes.push(match content {
                Ok(content) => Outcome::Read { file, content },
                Err(error) => Outcome::Failed { file, error },
            });
        }
        Ok(Reply::Many(outcomes))
    }
}

type Reader<'a> = Box<dyn FnMut(&RawName, u64) -> Result<Bytes> + 'a>;

impl Read {
    fn range(&self) -> Range {
        Range { offset: self.offset, length: self.length }
    }

    /// What reads one file, with at most so many bytes: from the disk, or from a revision.
    fn reader<'a>(&'a self, context: &'a Context) -> Result<Reader<'a>> {
        let range = self.range();
        if self.rev.is_none() {
            let folder = context.store.folder(&self.path)?;
            if !folder.is_bare_repository() {
                return Ok(Box::new(move |name, limit| {
                    folder.read(&FileName::try_from(name)?, range, limit).map(Bytes::from)
                }));
            }
        }
        let rev = self.rev.as_deref().unwrap_or("HEAD");
        let repository = context.open(&self.path)?;
        Ok(Box::new(move |name, limit| {
            repository.read(rev, &FileName::try_from(name)?, range, limit)
        }))
    }
}
