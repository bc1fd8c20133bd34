//! `files`: the names in a folder, on disk or in a commit.

use serde::{Deserialize, Serialize};

use super::{Context, Lane, Operation, about, plain::Plain};
use crate::{
    error::Result,
    git::{Entry, FileName, Listing, RawName, RepositoryPath, Text},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    path: RepositoryPath,
    subpath: Option<RawName>,
    rev: Option<Plain>,
    #[serde(default = "yaml_files")]
    pattern: Plain,
    #[serde(default)]
    recursive: bool,
    #[serde(default)]
    details: bool,
}

fn yaml_files() -> Plain {
    "*.{yaml,yml}".into()
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    Names(Vec<Text>),
    Entries(Vec<Entry>),
}

impl Operation for Files {
    const NAME: &'static str = "files";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        match self.recursive || self.details {
            true => Lane::Search(self.path.to_path_buf()),
            false => Lane::Read(self.path.to_path_buf()),
        }
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let listing = Listing::new(&self.pattern, self.recursive, self.details)?;
        let below = self.below()?;
        let on_disk = match &self.rev {
            Some(_) => None,
            None => Some(context.store.folder(&self.path)?).filter(|it| !it.is_bare_repository()),
        };
        let entries = match on_disk {
            Some(folder) => folder.list(below.as_ref(), &listing, context.watch)?,
            None => {
                let rev = self.rev.as_deref().unwrap_or("HEAD");
                let repository = context.open(&self.path)?;
                let listed = repository.list(rev, below.as_ref(), &listing, context.watch);
                listed.map_err(about("rev"))?
            }
        };
        Ok(match self.details {
            true => Reply::Entries(entries),
            false => Reply::Names(entries.into_iter().map(|it| it.name).collect()),
        })
    }
}

impl Files {
    /// The folder to list; the oldest clients say the top folder in several ways.
    fn below(&self) -> Result<Option<FileName>> {
        match &self.subpath {
            None => Ok(None),
            Some(RawName(name)) if name.is_empty() || name == b"." => Ok(None),
            Some(name) => FileName::try_from(name).map(Some),
        }
    }
}
