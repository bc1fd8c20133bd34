//! What the dead may have left behind, by its name.

use std::path::{Path, PathBuf};

use crate::git::{folder::files_below, lock::Writer, remote::HALF_WRITTEN};

/// All of Git's locks, on refs and other files.
pub fn locks(common_folder: &Path) -> Vec<PathBuf> {
    let mut locks = files_below(common_folder, &|name| name.ends_with(".lock"));
    locks.retain(|it| !it.starts_with(common_folder.join("modules")));
    locks
}

/// Removes objects and packs that are not whole, unless somebody who lives writes them; how many.
pub fn temporary(right: &Writer, common_folder: &Path) -> usize {
    // What a fetch writes is for the next fetch to clear.
    let Some(_shared) = Writer::of_shared_at_once(common_folder) else { return 0 };
    let is_half =
        |name: &str| HALF_WRITTEN.iter().any(|it| name.starts_with(it)) || name.ends_with(".lock");
    let files = files_below(&common_folder.join("objects"), &is_half);
    right.sweep_at_once(common_folder, &files)
}
