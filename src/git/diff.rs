//! What changed between two revisions, or between one and the worktree.

use serde::Serialize;

use super::{
    FileName, Repository, Text,
    history::Ends,
    repository::{Sha, text},
    tree::octal,
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// Which changes are wanted.
pub struct DiffQuery {
    /// Two revisions, or one against the worktree; `HEAD` against the worktree when absent.
    pub range: Option<String>,
    pub paths: Vec<FileName>,
    pub patch: bool,
    pub context: u32,
    pub limit: usize,
    pub after: Option<Vec<u8>>,
}

#[derive(Debug, Serialize)]
pub struct Changes {
    pub entries: Vec<Change>,
    pub insertions: u64,
    pub deletions: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch: Option<Text>,
    /// What to give as `after` for the changes that follow.
    pub next: Option<Text>,
}

#[derive(Debug, Serialize)]
pub struct Change {
    pub status: &'static str,
    pub file: Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old_file: Option<Text>,
    #[serde(serialize_with = "octal")]
    pub old_mode: u32,
    #[serde(serialize_with = "octal")]
    pub mode: u32,
    pub old_sha: Option<Sha>,
    pub sha: Option<Sha>,
    pub insertions: u64,
    pub deletions: u64,
    pub binary: bool,
}

impl Change {
    /// Whether something was staged and then taken back in the worktree.
    fn is_nothing(&self) -> bool {
        let is_same = self.old_mode == self.mode && self.insertions + self.deletions == 0;
        let is_same = is_same && (self.sha.is_none() || self.sha == self.old_sha);
        self.status == "modified" && is_same && !self.binary
    }
}

impl Change {
    /// A file that was deleted, and something of another type in its place.
    fn replaced_by(self, added: Change) -> Change {
        Change {
            status: "type_changed",
            old_mode: self.old_mode,
            old_sha: self.old_sha,
            insertions: self.insertions + added.insertions,
            deletions: self.deletions + added.deletions,
            binary: self.binary || added.binary,
            ..added
        }
    }
}

impl Repository {
    pub fn diff(&self, query: &DiffQuery, watch: &Watch) -> Result<Changes> {
        let mut diff = self.compare(query)?;
        diff.find_similar(Some(git2::DiffFindOptions::new().renames(true)))?;
        let mut order: Vec<(Vec<u8>, usize)> = diff
            .deltas()
            .enumerate()
            .map(|(index, delta)| (name_of(&delta).to_vec(), index))
            .collect();
        // What was deleted comes before what took its place.
        let is_added =
            |index| diff.get_delta(index).is_some_and(|it| it.status() == git2::Delta::Added);
        order.sort_by_cached_key(|(name, index)| (name.clone(), is_added(*index)));
        let start = match &query.after {
            Some(after) => order.partition_point(|(name, _)| name <= after),
            None => 0,
        };
        let mut changes =
            Changes { entries: Vec::new(), insertions: 0, deletions: 0, patch: None, next: None };
        let mut patch_text = Vec::new();
        for same_name in order[start..].chunk_by(|(one, _), (other, _)| one == other) {
            watch.check()?;
            if changes.entries.len() == query.limit {
                changes.next = changes.entries.last().map(|it| it.file.clone());
                break;
            }
            let mut whole: Option<Change> = None;
            for (_, index) in same_name {
                let mut patch = git2::Patch::from_diff(&diff, *index)?;
                let change = describe(&diff, *index, patch.as_mut())?;
                if let (true, Some(patch)) = (query.patch, &mut patch) {
                    patch_text.extend_from_slice(&patch.to_buf()?);
                }
                whole = Some(match whole {
                    Some(deleted) => deleted.replaced_by(change),
                    None => change,
                });
            }
            let Some(change) = whole.filter(|it| !it.is_nothing()) else { continue };
            changes.insertions += change.insertions;
            changes.deletions += change.deletions;
            changes.entries.push(change);
        }
        changes.patch = query.patch.then_some(Text(patch_text));
        Ok(changes)
    }

    fn compare(&self, query: &DiffQuery) -> Result<git2::Diff<'_>> {
        let mut options = git2::DiffOptions::new();
        options.context_lines(query.context).indent_heuristic(true).disable_pathspec_match(true);
        for path in &query.paths {
            options.pathspec(path.as_path());
        }
        let tree = |commit| Ok::<_, Error>(self.inner.find_commit(commit)?.tree()?);
        let between = |from: &git2::Tree, to: &git2::Tree, options: &mut git2::DiffOptions| {
            Ok(self.inner.diff_tree_to_tree(Some(from), Some(to), Some(options))?)
        };
        let range = query.range.as_deref();
        match range.map(|it| self.ends(it)).transpose()? {
            Some(Ends::Two { from, to }) => between(&tree(from)?, &tree(to)?, &mut options),
            Some(Ends::Parted { from, to }) => {
                let bases = self.bases(from, to)?;
                let base = bases.first().ok_or_else(|| {
                    Error::bad_request("the two revisions have no history in common")
                        .with("field", "range")
                })?;
                between(&tree(*base)?, &tree(to)?, &mut options)
            }
            Some(Ends::One(commit)) => self.against_worktree(Some(&tree(commit)?), &mut options),
            None if self.is_unborn() => self.against_worktree(None, &mut options),
            None => {
                let head = self.resolve_commit("HEAD")?.tree()?;
                self.against_worktree(Some(&head), &mut options)
            }
        }
    }

    fn against_worktree(
        &self,
        tree: Option<&git2::Tree>,
        options: &mut git2::DiffOptions,
    ) -> Result<git2::Diff<'_>> {
        self.worktree("compare with")?;
        if self.inner.index()?.has_conflicts() {
            // The index has no one version of such a file to go through.
            return Ok(self.inner.diff_tree_to_workdir(tree, Some(options))?);
        }
        Ok(self.inner.diff_tree_to_workdir_with_index(tree, Some(options))?)
    }
}

fn describe(diff: &git2::Diff, index: usize, patch: Option<&mut git2::Patch>) -> Result<Change> {
    let (insertions, deletions) = match &patch {
        Some(patch) => {
            let (_, insertions, deletions) = patch.line_stats()?;
            (insertions as u64, deletions as u64)
        }
        None => (0, 0),
    };
    // Whether content is binary is known only once the patch was made.
    let delta = diff.get_delta(index).ok_or_else(|| Error::internal("a change vanished"))?;
    let status = match delta.status() {
        git2::Delta::Added => "added",
        git2::Delta::Deleted => "deleted",
        git2::Delta::Renamed => "renamed",
        git2::Delta::Copied => "copied",
        git2::Delta::Typechange => "type_changed",
        _ => "modified",
    };
    let (old, new) = (delta.old_file(), delta.new_file());
    let name = name_of(&delta);
    let old_name = old.path_bytes().unwrap_or_default();
    let is_moved = matches!(status, "renamed" | "copied");
    let side = |file: &git2::DiffFile, is_there: bool| match is_there {
        true => (u32::from(file.mode()), (!file.id().is_zero()).then(|| Sha::from(file.id()))),
        false => (0, None),
    };
    let (old_mode, old_sha) = side(&old, status != "added");
    let (mode, sha) = side(&new, status != "deleted");
    Ok(Change {
        status,
        file: text(name),
        old_file: is_moved.then(|| text(old_name)),
        old_mode,
        mode,
        old_sha,
        sha,
        insertions,
        deletions,
        binary: delta.flags().contains(git2::DiffFlags::BINARY),
    })
}

/// The name a change goes by: the new one where there is one.
fn name_of<'a>(delta: &git2::DiffDelta<'a>) -> &'a [u8] {
    let new = delta.new_file().path_bytes();
    new.or_else(|| delta.old_file().path_bytes()).unwrap_or_default()
}
