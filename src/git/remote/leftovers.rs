//! What would be in the way of a fetch into a clone that is there: locks, and what a fetch that
//! did not finish left half done.

use std::path::Path;

use super::submodules;
use crate::{
    error::Result,
    git::{
        Repository,
        folder::files_below,
        lock::{CONFIG_LOCK, HEAD_LOCK, INDEX_LOCK, PACKED_LOCK, Writer},
        refs::{Branch, NOTES_TRACKING, TAGS, TRACKING},
    },
    watch::Watch,
};

/// The locks that a fetch of any branch takes.
const FETCH: &[&str] = &["shallow.lock", PACKED_LOCK];
/// The locks of one worktree that a submodule's checkout takes.
const CHECKOUT: &[&str] = &[INDEX_LOCK, HEAD_LOCK];
/// How the names of objects and packs begin that are not whole yet.
pub const HALF_WRITTEN: &[&str] = &["tmp_", "pack_git2_", ".tmp-", "incoming-"];

/// The right to fetch a branch, with nothing in the way.
pub(super) fn take_for_fetch(
    repository: &Repository,
    branch: &Branch,
    more: &[&str],
    watch: &Watch,
) -> Result<Writer> {
    let tracking = format!("{}.lock", branch.tracking());
    take(repository, &[FETCH, more, &[&tracking]].concat(), watch)
}

/// The right to fetch notes, with nothing in the way.
pub(super) fn take_for_notes(repository: &Repository, watch: &Watch) -> Result<Writer> {
    take(repository, FETCH, watch)
}

/// The right to write what is shared, with none of these locks in the way.
pub(super) fn take(repository: &Repository, locks: &[&str], watch: &Watch) -> Result<Writer> {
    let mut writer = Writer::of_shared(repository.common_folder(), watch)?;
    clear(&writer, repository, locks, watch)?;
    writer.begin();
    Ok(writer)
}

/// The right to update the submodules that are there, and theirs.
pub(super) fn take_submodules(repository: &Repository, watch: &Watch) -> Result<Vec<Writer>> {
    fn collect(from: &Repository, level: u32, all: &mut Vec<Writer>, watch: &Watch) -> Result<()> {
        if level == submodules::DEPTH_MAX {
            return Ok(());
        }
        for submodule in from.inner.submodules()? {
            // One that is not there yet is cloned, and has no locks.
            let Ok(inner) = submodule.open() else { continue };
            let inner = Repository::from(inner);
            all.push(take(&inner, &[FETCH, CHECKOUT, &[CONFIG_LOCK]].concat(), watch)?);
            collect(&inner, level + 1, all, watch)?;
        }
        Ok(())
    }
    let mut all = Vec::new();
    collect(repository, 0, &mut all, watch)?;
    Ok(all)
}

/// Clears up after a fetch that did not finish and does nothing any more: half-written packs may be
/// what fills the disk.
pub(super) fn clear_up(path: &Path, branch: &Branch) {
    let Ok(repository) = Repository::open_at(path) else { return };
    let Some(writer) = Writer::after_unfinished(repository.common_folder()) else { return };
    let watch = Watch::default();
    let tracking = format!("{}.lock", branch.tracking());
    let locks = [FETCH, &[CONFIG_LOCK, &tracking]].concat();
    if clear(&writer, &repository, &locks, &watch).is_ok_and(|it| it) {
        writer.finish();
    }
}

/// Fails where a lock of the living is in the way; false where what is half done is in use.
fn clear(writer: &Writer, repository: &Repository, locks: &[&str], watch: &Watch) -> Result<bool> {
    let common = repository.common_folder();
    writer.clear(common, locks, watch)?;
    writer.clear(repository.git_folder(), &["FETCH_HEAD.lock"], watch)?;
    // Which tags and branches come along is not known before.
    let mut files = Vec::new();
    for folder in [TAGS, TRACKING, NOTES_TRACKING] {
        files.extend(files_below(&common.join(folder), &|name| name.ends_with(".lock")));
    }
    if writer.follows_unfinished() {
        let is_half = |name: &str| HALF_WRITTEN.iter().any(|it| name.starts_with(it));
        files.extend(files_below(&common.join("objects"), &is_half));
    }
    Ok(writer.sweep(common, files, watch))
}
