//! A worktree that follows its branch: files and index become what its new commit says,
//! if they were what its old one said.
//!
//! Nothing of a person's is written over. What is found to be in the way is named before anything
//! is done, while nobody else can change the index.

mod between;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use git2::{IndexEntry, Oid};

use self::between::Between;
pub use self::between::doubt;
use super::{
    FileName, Range, RawName, Repository, Transaction,
    checkout::{Change, Head, IndexLock, path},
    edit::{self, Entry},
    fit,
    folder::Folder,
    hash::object_id,
    lock::{HEAD_LOCK, INDEX_LOCK, Writer},
    pack::Kind,
    refs::Branch,
    tree,
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// How many files an error names.
const NAMED_MAX: usize = 100;

/// The right to change a worktree, from before its branch moves until after.
pub struct Follow {
    writer: Writer,
    lock: Option<IndexLock>,
    top: PathBuf,
    /// Files that were committed from the worktree itself, and what the index is to say of them.
    adopted: Option<BTreeMap<Vec<u8>, Option<IndexEntry>>>,
    change: Option<Change>,
}

impl Follow {
    /// Takes the worktree whose `HEAD` is on a branch; nothing where there is none.
    pub fn take(repository: &Repository, reference: &str, watch: &Watch) -> Result<Option<Follow>> {
        if repository.is_bare() {
            return Ok(None);
        }
        repository.expect_plain_head()?;
        let head = repository.inner.find_reference("HEAD")?;
        if !matches!(head.symbolic_target(), Ok(Some(target)) if target == reference) {
            return Ok(None);
        }
        let top = repository.worktree("write")?.to_owned();
        let git_folder = repository.git_folder();
        let writer = Writer::acquire(git_folder, watch)?;
        writer.note_commit(repository.inner.refname_to_id("HEAD").ok())?;
        writer.clear(git_folder, &[INDEX_LOCK, HEAD_LOCK], watch)?;
        let lock = Some(IndexLock::take(git_folder, &writer, watch)?);
        Ok(Some(Follow { writer, lock, top, adopted: None, change: None }))
    }

    /// Fails where a file or the index is not as `HEAD` says.
    pub fn expect_clean(&self, repository: &Repository, branch: &Branch) -> Result<()> {
        let head = repository.inner.refname_to_id("HEAD").ok();
        let is_finished = !self.writer.follows_unfinished();
        if is_finished && head.is_some() && repository.whole_at(&Head::On(branch))? == head {
            return Ok(());
        }
        let mut options = git2::StatusOptions::new();
        options.include_untracked(false).exclude_submodules(false);
        let statuses = repository.inner.statuses(Some(&mut options))?;
        let noted = self.writer.noted_commit();
        let between = (!is_finished).then(|| Between::from(repository, noted)).transpose()?;
        let is_ours = |it: &git2::StatusEntry| between.as_ref().is_some_and(|all| all.has(it));
        let dirty = statuses.iter().filter(|it| !is_ours(it));
        let dirty: Vec<Vec<u8>> = dirty.map(|it| it.path_bytes().to_vec()).collect();
        refuse(&dirty, "the worktree or the index has changes that are not committed")
    }

    /// Goes on where somebody who was killed stopped. What a person did since stays.
    pub fn go_on(&mut self, repository: &Repository, watch: &Watch) -> Result<()> {
        if !self.writer.follows_unfinished() {
            return Ok(());
        }
        let between = Between::from(repository, self.writer.noted_commit())?;
        if let Ok(tree) = repository.resolve_tree("HEAD") {
            let lock = self.lock.take().expect("nothing is prepared yet");
            let others = between.others()?;
            Change::prepare(repository, &tree, &others, &self.writer, lock, watch)?
                .apply(repository)?;
        }
        self.writer.mended();
        self.writer.note_commit(repository.inner.refname_to_id("HEAD").ok())?;
        // Also where it was not given back: it is to be younger than the note.
        self.lock = None;
        self.lock = Some(IndexLock::take(repository.git_folder(), &self.writer, watch)?);
        Ok(())
    }

    /// Fails where files that Git knows nothing of are where these would be written.
    pub fn expect_room(&self, added: &[(Vec<u8>, Entry)]) -> Result<()> {
        let folder = Folder::open(&self.top)?;
        let is_other = |(name, entry): &&(Vec<u8>, Entry)| {
            let place = self.top.join(path(name));
            let Ok(metadata) = fs::symlink_metadata(&place) else { return false };
            let is_file = metadata.is_file() && tree::Kind::of(entry.mode) == tree::Kind::File;
            let is_same = is_file
                && FileName::try_from(&RawName(name.clone()))
                    .and_then(|it| folder.read(&it, Range { offset: 0, length: None }, u64::MAX))
                    .is_ok_and(|it| object_id(Kind::Blob, &it) == entry.id);
            !is_same
        };
        let others: Vec<Vec<u8>> =
            added.iter().filter(is_other).map(|(name, _)| name.clone()).collect();
        refuse(&others, "files that are not tracked are where the commit has others")
    }

    /// The index will say this of files that are in the commit as they are in the worktree.
    pub fn adopt(&mut self, entries: BTreeMap<Vec<u8>, Option<IndexEntry>>) {
        self.adopted = Some(entries);
    }

    /// Does all that may be refused or find no room. The tree is where Git finds it.
    pub fn prepare(&mut self, repository: &Repository, tree: Oid, watch: &Watch) -> Result<()> {
        let lock = self.lock.take().expect("it is prepared once");
        let change = match &self.adopted {
            None => {
                let tree = repository.inner.find_tree(tree)?;
                Change::prepare(repository, &tree, &BTreeSet::new(), &self.writer, lock, watch)?
            }
            Some(adopted) => Change::of_index(repository, adopted, lock)?,
        };
        self.change = Some(change);
        self.writer.begin();
        Ok(())
    }

    /// Nothing happened after all.
    pub fn give_up(mut self) {
        if !self.writer.follows_unfinished() {
            self.writer.mended();
        }
    }

    /// Done to its end; what is interrupted is done again by whoever writes there next.
    pub fn apply(mut self, repository: &Repository) -> Result<()> {
        let change = self.change.take().expect("it was prepared");
        change.apply(repository)?;
        self.writer.finish();
        Ok(())
    }

    pub fn top(&self) -> &Path {
        &self.top
    }
}

impl Transaction<'_> {
    /// The worktree of a branch will be what its new commit says, if it was what its old one said.
    pub fn follow(&mut self, branch: &Branch, before: Option<Oid>, after: Oid) -> Result<()> {
        let reference = branch.reference();
        if !self.follows.iter().any(|(it, _)| it == branch) {
            self.repository().expect_nowhere_else(branch)?;
            let Some(follow) = self.take_follow(&reference)? else { return Ok(()) };
            if let Err(error) = follow.expect_clean(self.repository(), branch) {
                follow.give_up();
                return Err(error);
            }
            self.follows.push((branch.clone(), follow));
        }
        let mut added = Vec::new();
        self.added(before, after, &mut Vec::new(), &mut added)?;
        let follow = self.follows.iter().find(|(it, _)| it == branch);
        follow.map_or(Ok(()), |(_, it)| it.expect_room(&added))
    }

    pub fn take_follow(&self, reference: &str) -> Result<Option<Follow>> {
        Follow::take(self.repository(), reference, self.watch())
    }

    pub fn put_follow(&mut self, branch: &Branch, follow: Follow) {
        self.follows.push((branch.clone(), follow));
    }

    /// The files of one tree that another one has not.
    fn added(
        &mut self,
        before: Option<Oid>,
        after: Oid,
        above: &mut Vec<u8>,
        added: &mut Vec<(Vec<u8>, Entry)>,
    ) -> Result<()> {
        if before == Some(after) {
            return Ok(());
        }
        fit::expect_depth(above)?;
        let old = before.map(|it| self.content(it, Kind::Tree)).transpose()?;
        let new = self.content(after, Kind::Tree)?;
        for (name, entry) in edit::entries(&new) {
            let was = old.as_ref().and_then(|it| edit::find(it, name));
            let length = above.len();
            above.extend_from_slice(name);
            if entry.is_folder() {
                let was = was.filter(Entry::is_folder).map(|it| it.id);
                above.push(b'/');
                self.added(was, entry.id, above, added)?;
            } else if was.is_none() {
                added.push((above.clone(), entry));
            }
            above.truncate(length);
        }
        Ok(())
    }
}

fn refuse(files: &[Vec<u8>], why: &str) -> Result<()> {
    if files.is_empty() {
        return Ok(());
    }
    let names = files.iter().take(NAMED_MAX).map(|it| String::from_utf8_lossy(it).into_owned());
    let names: Vec<String> = names.collect();
    let actual = match files.len() {
        1 => "1 other file".to_owned(),
        count => format!("{count} other files"),
    };
    Err(Error::conflict(format!("{why}: {}", names.join(", ")))
        .with("expected", "a worktree as its commit says")
        .with("actual", actual)
        .with("files", names))
}
