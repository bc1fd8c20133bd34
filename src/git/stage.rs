//! What is different in a worktree, taken into a commit, as `git add --all` takes it.

use std::collections::BTreeMap;

use git2::{IndexEntry, Status, StatusOptions};
use rustix::io::Errno;

use super::{
    Transaction, checkout::path, edit::Entry, fit, pack::Kind, refs::Branch, transaction::Node,
    tree, worktree::Worktree,
};
use crate::error::{Error, Result};

/// So many bytes of files at most are taken in one commit.
const BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// So many bytes of objects at most are in a step that takes some: a pack has its bounds.
const STEP_BYTES_MAX: usize = 3 * 512 * 1024 * 1024;
/// Attributes that make Git keep another content than the file has.
const CONVERTING: &[&str] = &["text", "eol", "crlf", "ident", "working-tree-encoding"];

impl Transaction<'_> {
    /// What is to become of the files of a branch whose worktree has others. The index will say so.
    pub fn worktree_changes(&mut self, branch: &Branch) -> Result<Node> {
        let repository = self.repository();
        let Some(mut follow) = self.take_follow(&branch.reference())? else {
            let message = format!(
                "`{}` is not checked out here, so there is no worktree of it",
                branch.name()
            );
            return Err(Error::bad_request(message).with("field", "all"));
        };
        repository.expect_nowhere_else(branch)?;
        // Old files that nobody got to any more would be taken for changes.
        follow.go_on(repository, self.watch())?;
        let mut options = StatusOptions::new();
        options.include_untracked(true).recurse_untracked_dirs(true).exclude_submodules(false);
        let statuses = repository.inner.statuses(Some(&mut options))?;
        let mut worktree = Worktree::open(follow.top())?;
        let (mut node, mut adopted, mut bytes) = (Node::default(), BTreeMap::new(), 0);
        for found in statuses.iter() {
            let name = found.path_bytes();
            if found.status().contains(Status::CONFLICTED) {
                let name = String::from_utf8_lossy(name);
                return Err(Error::conflict(format!(
                    "{name:?} has conflicts that are not resolved"
                ))
                .with("expected", "a merge that is finished")
                .with("actual", "conflicts"));
            }
            fit::expect_depth(name)?;
            let taken = self.take_file(&mut worktree, name, &mut bytes)?;
            let entry = taken.as_ref().map(|it| Entry { mode: it.mode, id: it.id });
            node.set(name, entry);
            adopted.insert(name.to_vec(), taken);
        }
        follow.adopt(adopted);
        self.put_follow(branch, follow);
        Ok(node)
    }

    /// A file as it is now; nothing where there is none.
    fn take_file(
        &mut self,
        worktree: &mut Worktree,
        name: &[u8],
        bytes: &mut u64,
    ) -> Result<Option<IndexEntry>> {
        let shown = || String::from_utf8_lossy(name).into_owned();
        let (content, mut entry) = match worktree.read(name) {
            Ok(read) => read,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
            Err(Errno::ISDIR | Errno::INVAL) => {
                return Err(Error::unsupported(format!("{:?} is no file", shown()))
                    .with("feature", "submodule"));
            }
            Err(error) => return Err(Error::from_io(shown(), &error.into())),
        };
        if STEP_BYTES_MAX < self.bytes() + content.len() {
            return Err(Error::busy(
                "others who write the repository at once have large files too",
            )
            .with("retry_after_ms", 1000));
        }
        *bytes += content.len() as u64;
        if BYTES_MAX < *bytes {
            return Err(Error::too_large("the files are too large for one commit")
                .with("bytes", *bytes)
                .with("limit", BYTES_MAX));
        }
        fit::expect_no_link_to_modules(name, entry.mode)?;
        let repository = self.repository();
        let config = repository.inner.config()?;
        if entry.mode == tree::EXECUTABLE && !config.get_bool("core.filemode").unwrap_or(true) {
            entry.mode = tree::PLAIN;
        }
        entry.id = match self.converts(&config, name, &entry)? {
            false => self.add(Kind::Blob, content),
            true => {
                let top = repository.worktree("read")?;
                let converted = repository.inner.blob_path(&top.join(path(name)))?;
                let content = self.content(converted, Kind::Blob)?;
                self.add(Kind::Blob, content.to_vec())
            }
        };
        Ok(Some(entry))
    }

    /// Whether Git would keep another content than the file has.
    fn converts(&self, config: &git2::Config, name: &[u8], entry: &IndexEntry) -> Result<bool> {
        if entry.mode == tree::LINK {
            return Ok(false);
        }
        let inner = &self.repository().inner;
        let flags = git2::AttrCheckFlags::FILE_THEN_INDEX;
        if inner.get_attr_bytes(path(name), "filter", flags)?.is_some() {
            let name = String::from_utf8_lossy(name);
            return Err(Error::unsupported(format!("{name:?} needs a filter program"))
                .with("feature", "filters"));
        }
        let autocrlf = config.get_string("core.autocrlf").unwrap_or_default();
        let is_converting = matches!(&*autocrlf, "true" | "input");
        let has =
            |it: &&&str| inner.get_attr_bytes(path(name), it, flags).is_ok_and(|it| it.is_some());
        Ok(is_converting || CONVERTING.iter().find(has).is_some())
    }
}
