//! What tells that something else is at a path than was opened there.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::git::{glimpse::times, refs::REPLACEMENTS};

/// Where stock git says which packs have what, if it was told to.
const PACK_LIST: &str = "objects/pack/multi-pack-index";

/// Changes when something else is at a path than was opened there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    places: [u64; 4],
    link: [u64; 3],
    config: [u64; 3],
    replacements: [u64; 2],
    packs: [u64; 3],
}

/// Whether a folder is in one of the file systems that keep their files on this machine.
pub fn is_local(folder: &Path) -> bool {
    const BCACHEFS: u64 = 0xca45_1a4e;
    const BTRFS: u64 = 0x9123_683e;
    const EXT: u64 = 0xef53;
    const F2FS: u64 = 0xf2f5_2010;
    const OVERLAY: u64 = 0x794c_7630;
    const TMPFS: u64 = 0x0102_1994;
    const XFS: u64 = 0x5846_5342;
    const ZFS: u64 = 0x2fc1_2fc1;
    const LOCAL: [u64; 8] = [BCACHEFS, BTRFS, EXT, F2FS, OVERLAY, TMPFS, XFS, ZFS];
    rustix::fs::statfs(folder).is_ok_and(|it| LOCAL.contains(&(it.f_type as u64)))
}

impl Identity {
    /// Of what is at a path, with the folders that were found there.
    pub fn of(path: &Path, [git_folder, common_folder]: &[PathBuf; 2]) -> Option<Identity> {
        // A link may lead elsewhere by now; the folder it led to is still as it was.
        let top = fs::metadata(path).ok()?;
        let folder = fs::metadata(git_folder).ok()?;
        // A file `.git` names a folder, and may name another one by now.
        let link = fs::symlink_metadata(path.join(".git")).ok().filter(|it| !it.is_dir());
        let config = fs::metadata(common_folder.join("config")).ok();
        // libgit2 believes the list of packs that it read, also where they are gone by now.
        let packs = fs::metadata(common_folder.join(PACK_LIST)).ok();
        let (link, config, packs) =
            (times(link.as_ref()), times(config.as_ref()), times(packs.as_ref()));
        // Replacements that came since would make what is open give wrong answers.
        let replacements = fs::metadata(common_folder.join(REPLACEMENTS)).ok();
        let replacements =
            replacements.map_or([0; 2], |it| [it.mtime() as u64, it.mtime_nsec() as u64]);
        let places = [top.dev(), top.ino(), folder.dev(), folder.ino()];
        Some(Identity { places, link, config, replacements, packs })
    }
}
