//! What differs between `HEAD`, the index and the worktree.

use serde::Serialize;

use super::{FileName, Repository, Text, refs::BRANCHES, repository::Sha};
use crate::error::{Error, Result};

/// Which differences are wanted.
pub struct StatusQuery {
    pub paths: Vec<FileName>,
    pub untracked: bool,
    pub ignored: bool,
    pub limit: usize,
    pub after: Option<Vec<u8>>,
}

#[derive(Debug, Serialize)]
pub struct Status {
    /// The branch `HEAD` is on; none when it is detached.
    pub branch: Option<Text>,
    /// The commit `HEAD` is at; none when it is unborn.
    pub head: Option<Sha>,
    pub entries: Vec<Entry>,
    pub next: Option<Text>,
}

#[derive(Debug, Serialize)]
pub struct Entry {
    pub file: Text,
    pub index: Option<&'static str>,
    pub worktree: Option<&'static str>,
}

impl Repository {
    pub fn status(&self, query: &StatusQuery) -> Result<Status> {
        self.worktree("look at")?;
        self.with_steady_head(|| self.status_once(query))
    }

    fn status_once(&self, query: &StatusQuery) -> Result<Status> {
        let mut options = git2::StatusOptions::new();
        options
            .include_untracked(query.untracked)
            .recurse_untracked_dirs(true)
            .include_ignored(query.ignored)
            .recurse_ignored_dirs(query.ignored)
            .exclude_submodules(false)
            .renames_head_to_index(true)
            .disable_pathspec_match(true);
        for path in &query.paths {
            options.pathspec(path.as_path());
        }
        let statuses = self.inner.statuses(Some(&mut options)).map_err(|error| {
            match error.code() {
                // No name in the request is looked up here.
                git2::ErrorCode::InvalidSpec => Error::corrupt(error.message()),
                _ => Error::from(error),
            }
        })?;
        let mut entries: Vec<Entry> = statuses.iter().filter_map(|it| entry(&it)).collect();
        entries.sort_by(|a, b| a.file.cmp(&b.file));
        if let Some(after) = &query.after {
            entries.drain(..entries.partition_point(|it| it.file.0 <= *after));
        }
        let is_cut = query.limit < entries.len();
        entries.truncate(query.limit);
        let next = entries.last().filter(|_| is_cut).map(|it| it.file.clone());
        let (branch, head) = self.head()?;
        Ok(Status { branch, head, entries, next })
    }

    fn head(&self) -> Result<(Option<Text>, Option<Sha>)> {
        self.expect_plain_head()?;
        let head = self.inner.find_reference("HEAD")?;
        let branch = head
            .symbolic_target_bytes()
            .map(|it| Text::from(it.strip_prefix(BRANCHES.as_bytes()).unwrap_or(it)));
        let sha = match self.inner.head() {
            Ok(head) => head.target().map(Sha::from),
            Err(error) if error.code() == git2::ErrorCode::UnbornBranch => None,
            Err(error) => return Err(Error::corrupt(format!("HEAD: {}", error.message()))),
        };
        Ok((branch, sha))
    }
}

fn entry(found: &git2::StatusEntry) -> Option<Entry> {
    use git2::Status as Flag;
    let flags = found.status();
    let first = |pairs: &[(Flag, &'static str)]| {
        pairs.iter().find(|(flag, _)| flags.contains(*flag)).map(|(_, word)| *word)
    };
    let index = first(&[
        (Flag::INDEX_NEW, "added"),
        (Flag::INDEX_RENAMED, "renamed"),
        (Flag::INDEX_DELETED, "deleted"),
        (Flag::INDEX_TYPECHANGE, "type_changed"),
        (Flag::INDEX_MODIFIED, "modified"),
    ]);
    let worktree = first(&[
        (Flag::CONFLICTED, "conflicted"),
        (Flag::WT_NEW, "untracked"),
        (Flag::IGNORED, "ignored"),
        (Flag::WT_RENAMED, "renamed"),
        (Flag::WT_DELETED, "deleted"),
        (Flag::WT_TYPECHANGE, "type_changed"),
        (Flag::WT_MODIFIED, "modified"),
    ]);
    // After a rename the entry goes by its new name.
    let delta = found.head_to_index().or_else(|| found.index_to_workdir());
    let new = delta.and_then(|it| it.new_file().path_bytes());
    let file = new.unwrap_or(found.path_bytes());
    (index.is_some() || worktree.is_some()).then(|| Entry {
        file: Text::from(file),
        index,
        worktree,
    })
}
