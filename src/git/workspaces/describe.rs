//! What there is to say about a repository without reading its history.

use std::{fs, path::Path};

use git2::Oid;

use crate::{
    error::{Error, Result},
    git::{Repository, Text, plain::expect_plain, refs},
    watch::Watch,
};

/// What one file may say about a repository.
const DESCRIPTION_BYTES_MAX: u64 = 64 * 1024;

pub struct Description {
    /// The branch of `HEAD`, unless it is detached.
    pub branch: Option<Text>,
    pub head: Option<String>,
    pub branches: usize,
    pub tags: usize,
    /// What the objects take on disk.
    pub bytes: u64,
    pub packs: usize,
    pub description: Option<Text>,
    /// When it was created as a workspace, in ms since 1970.
    pub created_ms: Option<u64>,
}

impl Repository {
    pub fn describe(&self, watch: &Watch) -> Result<Description> {
        expect_plain(self.common_folder(), None)?;
        let (branch, head) = self.branch_of_head()?;
        let objects = self.common_folder().join("objects");
        let mut sizes = Sizes::default();
        sizes.add(&objects, watch)?;
        let created = self.inner.config()?.get_i64("gitport.created").ok();
        let file = self.common_folder().join("description");
        let is_short = fs::metadata(&file).is_ok_and(|it| it.len() <= DESCRIPTION_BYTES_MAX);
        Ok(Description {
            branch: branch.map(Text),
            head: head.map(|it| it.to_string()),
            branches: self.count(refs::BRANCHES, watch)?,
            tags: self.count(refs::TAGS, watch)?,
            bytes: sizes.bytes,
            packs: sizes.packs,
            description: is_short.then(|| fs::read(&file).ok()).flatten().map(Text),
            created_ms: created.and_then(|it| u64::try_from(it).ok()),
        })
    }

    /// The branch that `HEAD` names and the commit it is at, as far as there are any.
    pub(in crate::git) fn branch_of_head(&self) -> Result<(Option<Vec<u8>>, Option<Oid>)> {
        self.with_steady_head(|| {
            let head = self.inner.find_reference("HEAD")?;
            let name = head.symbolic_target_bytes();
            let branch = name.and_then(|it| it.strip_prefix(refs::BRANCHES.as_bytes()));
            let commit = match head.resolve() {
                Ok(resolved) => resolved.target(),
                Err(error) if error.code() == git2::ErrorCode::NotFound => None,
                Err(error) => return Err(Error::from(error)),
            };
            Ok((branch.map(<[u8]>::to_vec), commit))
        })
    }

    fn count(&self, below: &str, watch: &Watch) -> Result<usize> {
        let mut count = 0;
        for reference in self.inner.references_glob(&format!("{below}*"))? {
            reference?;
            watch.check()?;
            count += 1;
        }
        Ok(count)
    }
}

#[derive(Default)]
struct Sizes {
    bytes: u64,
    packs: usize,
}

impl Sizes {
    /// Files that go meanwhile are not counted.
    fn add(&mut self, folder: &Path, watch: &Watch) -> Result<()> {
        watch.check()?;
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(found) = entry.metadata() else { continue };
            if found.is_dir() {
                self.add(&entry.path(), watch)?;
                continue;
            }
            self.bytes += found.len();
            self.packs += usize::from(entry.path().extension().is_some_and(|it| it == "pack"));
        }
        Ok(())
    }
}
