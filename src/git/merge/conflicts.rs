//! What could not be merged, file by file, with what each side has.

use base64::{Engine, engine::general_purpose::STANDARD};
use git2::{Index, IndexConflict, IndexEntry, Oid};

use super::{MergeDraft, SUBMODULE, memory::Memory};
use crate::{
    error::{Detail, Error, Result},
    git::{edit, pack::Kind, transaction::expect_kind},
};

/// The content of larger files is not shown.
const CONTENT_BYTES_MAX: usize = 64 * 1024;
/// Nor is more than this of all files together.
const ALL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Of so many files at most is told.
const FILES_MAX: usize = 1000;

/// How content is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    Base64,
    Binary,
    Text,
}

/// The error that tells of all of them.
pub fn conflict(
    draft: &MergeDraft,
    memory: &Memory,
    index: &Index,
    [ours, theirs]: [Oid; 2],
) -> Result<Error> {
    let mut files = Vec::new();
    let mut count: u64 = 0;
    let mut teller = Teller { memory, shown: draft.shown, left: ALL_BYTES_MAX, ours, theirs };
    for found in index.conflicts()? {
        let found = found?;
        count += 1;
        if files.len() < FILES_MAX {
            files.push(teller.file(&found)?);
        }
    }
    let what = if count == 1 { "file conflicts" } else { "files conflict" };
    let message = format!("{count} {what}, nothing was written");
    Ok(Error::conflict(message).with("files", files).with("count", count))
}

struct Teller<'a> {
    memory: &'a Memory<'a>,
    shown: Shown,
    left: usize,
    ours: Oid,
    theirs: Oid,
}

impl Teller<'_> {
    fn file(&mut self, found: &IndexConflict) -> Result<Detail> {
        let sides = [&found.ancestor, &found.our, &found.their];
        let name = [&found.our, &found.their, &found.ancestor].into_iter().flatten().next();
        let name = name.map(|it| it.path.clone()).unwrap_or_default();
        let kind = self.kind(found, &name)?;
        let [base, ours, theirs] = sides.map(|it| self.side(it.as_ref(), &name));
        Ok(Detail::map([
            ("file", text(&name)),
            ("kind", kind.into()),
            ("base", base?),
            ("ours", ours?),
            ("theirs", theirs?),
        ]))
    }

    fn kind(&self, found: &IndexConflict, name: &[u8]) -> Result<&'static str> {
        let is_submodule =
            |it: &Option<IndexEntry>| it.as_ref().is_some_and(|it| it.mode == SUBMODULE);
        Ok(match (&found.ancestor, &found.our, &found.their) {
            (_, ours @ Some(_), theirs @ Some(_)) if is_submodule(ours) || is_submodule(theirs) => {
                "submodule"
            }
            (None, Some(_), Some(_)) => "add/add",
            (Some(base), Some(ours), Some(theirs)) => {
                let is_one = [base.id, ours.id].contains(&theirs.id) || base.id == ours.id;
                if is_one { "mode" } else { "content" }
            }
            (Some(_), None, None) => "rename/rename",
            (base, Some(_), None) if self.is_folder(self.theirs, name)? => {
                if base.is_some() {
                    "modify/folder"
                } else {
                    "file/folder"
                }
            }
            (base, None, Some(_)) if self.is_folder(self.ours, name)? => {
                if base.is_some() {
                    "modify/folder"
                } else {
                    "file/folder"
                }
            }
            (Some(_), _, _) => "delete/modify",
            (None, _, _) => "rename/rename",
        })
    }

    /// Whether the other side has a folder where this one has a file.
    fn is_folder(&self, tree: Oid, name: &[u8]) -> Result<bool> {
        let mut here = edit::folder(tree);
        for part in name.split(|it| *it == b'/') {
            if !here.is_folder() {
                return Ok(false);
            }
            let (kind, content) = self.memory.object(here.id)?;
            expect_kind(here.id, kind, Kind::Tree)?;
            match edit::find(&content, part) {
                Some(entry) => here = entry,
                None => return Ok(false),
            }
        }
        Ok(here.is_folder())
    }

    fn side(&mut self, entry: Option<&IndexEntry>, name: &[u8]) -> Result<Detail> {
        let Some(entry) = entry else { return Ok(Detail::Nothing) };
        let mut side = vec![
            ("sha", entry.id.to_string().into()),
            ("mode", format!("{:06o}", entry.mode).into()),
        ];
        if entry.path != name {
            side.push(("file", text(&entry.path)));
        }
        if let Some(content) = self.content(entry)? {
            side.push(("content", content));
        }
        Ok(Detail::Map(side.into_iter().map(|(name, it)| (name.to_owned(), it)).collect()))
    }

    fn content(&mut self, entry: &IndexEntry) -> Result<Option<Detail>> {
        if entry.mode == SUBMODULE {
            return Ok(None);
        }
        let bytes = self.memory.bytes(entry.id)?;
        if CONTENT_BYTES_MAX < bytes || self.left < bytes {
            return Ok(None);
        }
        self.left -= bytes;
        let (_, content) = self.memory.object(entry.id)?;
        Ok(match self.shown {
            Shown::Base64 => Some(STANDARD.encode(content).into()),
            Shown::Binary => Some(Detail::Bytes(content.into())),
            Shown::Text => String::from_utf8(content).ok().map(Detail::Text),
        })
    }
}

/// A name on the wire.
fn text(name: &[u8]) -> Detail {
    match str::from_utf8(name) {
        Ok(name) => name.into(),
        Err(_) => Detail::Bytes(name.to_vec().into()),
    }
}
