//! A revision as one file: an archive of its files, or a bundle of its history.
//!
//! One revision gives the same bytes each time. For an archive one object at a time is in memory,
//! and of a large one a piece; a bundle is packed by libgit2, which holds the objects it compares.
//! A file appears whole, on disk, or not at all.

mod archive;
mod blob;
mod bundle;
mod output;
mod tarball;
mod unpacked;
mod walk;
mod zipped;

use std::{cell::Cell, io};

use serde::{Deserialize, Serialize};

use self::{archive::Archive, output::Sink, walk::Walk};
pub use self::{output::Output, unpacked::Scratch};
use super::{FileName, Repository, refs::Branch};
use crate::{
    error::{Error, Result},
    watch::{Progress, Stage, Watch},
};

/// What a bundle calls a revision of a repository whose `HEAD` is on no branch.
const BRANCH: &str = "main";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Format {
    Bundle,
    TarGz,
    Zip,
}

impl TryFrom<String> for Format {
    type Error = &'static str;

    fn try_from(name: String) -> Result<Format, &'static str> {
        match &*name {
            "bundle" => Ok(Format::Bundle),
            "tar.gz" => Ok(Format::TarGz),
            "zip" => Ok(Format::Zip),
            _ => Err("it is `bundle`, `tar.gz` or `zip`"),
        }
    }
}

impl From<Format> for &'static str {
    fn from(format: Format) -> &'static str {
        match format {
            Format::Bundle => "bundle",
            Format::TarGz => "tar.gz",
            Format::Zip => "zip",
        }
    }
}

pub struct Export {
    pub format: Format,
    /// A folder that everything is put in.
    pub prefix: Option<FileName>,
    /// Files and folders, unless all of them are meant.
    pub paths: Option<Vec<FileName>>,
}

pub struct Exported {
    pub sha: String,
    pub bytes: u64,
    /// What was written to memory.
    pub content: Vec<u8>,
}

impl Repository {
    pub fn export(
        &self,
        rev: &str,
        export: &Export,
        output: Output,
        watch: &Watch,
    ) -> Result<Exported> {
        let commit = self.resolve_commit(rev)?;
        let meter = Meter::new(watch);
        let mut sink = output.open(&meter)?;
        match export.format {
            Format::Bundle => {
                let branch = self.branch_for(rev, commit.id())?;
                let refs = [branch, "HEAD".to_owned()].map(|it| (it, commit.id()));
                bundle::write(self, &refs, &mut sink, &meter)?;
            }
            Format::TarGz => {
                let archive = tarball::Tarball::begin(&mut sink, &commit)?;
                self.archive(&commit, export, archive, &meter)?;
            }
            Format::Zip => {
                let archive = zipped::Zipped::begin(&mut sink, &commit)?;
                self.archive(&commit, export, archive, &meter)?;
            }
        }
        let (bytes, content) = sink.finish()?;
        Ok(Exported { sha: commit.id().to_string(), bytes, content })
    }

    /// Writes refs with all that they reach, as a bundle; tells its size.
    pub fn bundle(
        &self,
        refs: &[(String, git2::Oid)],
        output: Output,
        watch: &Watch,
    ) -> Result<u64> {
        let meter = Meter::new(watch);
        let mut sink = output.open(&meter)?;
        bundle::write(self, refs, &mut sink, &meter)?;
        Ok(sink.finish()?.0)
    }

    fn archive(
        &self,
        commit: &git2::Commit,
        export: &Export,
        mut archive: impl Archive,
        meter: &Meter,
    ) -> Result<()> {
        let walk = Walk::new(self, commit.tree()?, export)?;
        walk.fill(&mut archive, meter)?;
        archive.end()
    }

    /// The branch that somebody who clones a bundle of this revision gets.
    fn branch_for(&self, rev: &str, commit: git2::Oid) -> Result<String> {
        if let Ok(branch) = Branch::new(rev)
            && let Ok(found) = self.inner.find_reference(&branch.reference())
            && found.target() == Some(commit)
        {
            return Ok(branch.reference());
        }
        let of_head = self.branch_of_head()?.0.and_then(|name| String::from_utf8(name).ok());
        Ok(Branch::new(of_head.as_deref().unwrap_or(BRANCH))?.reference())
    }
}

/// How far an export is, and whether anybody still wants it.
struct Meter<'a> {
    watch: &'a Watch,
    done: Cell<u64>,
    total: Cell<u64>,
    bytes: Cell<u64>,
}

impl<'a> Meter<'a> {
    fn new(watch: &'a Watch) -> Meter<'a> {
        let zero = || Cell::new(0);
        Meter { watch, done: zero(), total: zero(), bytes: zero() }
    }

    fn tell(&self) {
        self.watch.tell(&Progress {
            stage: Stage::Writing,
            done: self.done.get(),
            total: self.total.get(),
            bytes: self.bytes.get(),
        });
    }
}

/// What went wrong on the way through libraries that know only errors of the system.
fn failed(error: io::Error) -> Error {
    let ours = error.get_ref().and_then(|it| it.downcast_ref::<Error>());
    ours.cloned().unwrap_or_else(|| Error::from_io("writing the export", &error))
}
