//! The tree of `HEAD`, known without asking libgit2 for as long as the files that say it stay as
//! they were.

use std::{
    fs::{self, File, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use git2::Oid;

use super::{Repository, refs::PACKED};
use crate::error::Result;

/// A file that was written so lately may be written again without its times showing it.
const SETTLED: Duration = Duration::from_millis(100);

pub struct Tip {
    folders: [PathBuf; 2],
    known: Mutex<Option<Known>>,
}

struct Known {
    /// The ref that `HEAD` stands for; `HEAD` itself when it is detached.
    reference: String,
    stamps: Stamps,
    /// When the files were last seen to be so.
    looked: Instant,
    tree: Oid,
}

/// Of `HEAD`, of its ref's own file, and of the packed refs.
type Stamps = [Option<Stamp>; 3];

/// Changes when a file is written or replaced.
#[derive(PartialEq)]
pub struct Stamp {
    is_link: bool,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Tip {
    pub fn new(git_folder: &Path, common_folder: &Path) -> Tip {
        let folders = [git_folder, common_folder].map(Path::to_owned);
        Tip { folders, known: Mutex::default() }
    }

    /// The worktree's own folder, and the one that all worktrees share.
    pub fn folders(&self) -> &[PathBuf; 2] {
        &self.folders
    }

    /// The tree as it was when somebody looked.
    pub fn last_known(&self) -> Option<Oid> {
        self.known.try_lock().ok()?.as_ref().map(|it| it.tree)
    }

    /// The tree, if it is known and nobody is finding it out right now.
    pub fn known(&self, asked: Instant) -> Option<Oid> {
        let mut known = self.known.try_lock().ok()?;
        self.look_again(known.as_mut()?, asked)
    }

    fn look_again(&self, known: &mut Known, asked: Instant) -> Option<Oid> {
        if known.looked < asked {
            let looked = Instant::now();
            if known.stamps != self.stamps(&known.reference) {
                return None;
            }
            known.looked = looked;
        }
        Some(known.tree)
    }

    pub fn tree(&self, repository: &Repository) -> Result<Oid> {
        let mut known = self.known.lock().expect("nobody panics with the lock");
        if let Some(tree) = known.as_mut().and_then(|it| self.look_again(it, repository.asked)) {
            return Ok(tree);
        }
        *known = None;
        let looked = Instant::now();
        let (found, is_settled) = repository.with_steady_head(|| self.find(repository, looked))?;
        let tree = found.tree;
        *known = is_settled.then_some(found);
        Ok(tree)
    }

    /// What there is to know, and whether it can be told when it changes.
    fn find(&self, repository: &Repository, looked: Instant) -> Result<(Known, bool)> {
        let head = repository.inner.find_reference("HEAD")?;
        let reference = match head.symbolic_target() {
            Ok(Some(target)) => target.to_owned(),
            _ => "HEAD".to_owned(),
        };
        // Taken before HEAD is resolved: what changes in between shows the next time.
        let stamps = self.stamps(&reference);
        let tree = repository.resolve_tree("HEAD")?.id();
        let is_direct = repository
            .inner
            .find_reference(&reference)
            .is_ok_and(|it| it.kind() == Some(git2::ReferenceType::Direct));
        let is_settled = is_direct && stamps.iter().flatten().all(Stamp::tells);
        Ok((Known { reference, stamps, looked, tree }, is_settled))
    }

    fn stamps(&self, reference: &str) -> Stamps {
        let [own, common] = &self.folders;
        let folder = if reference == "HEAD" { own } else { common };
        [
            Stamp::of(&own.join("HEAD")),
            Stamp::of(&folder.join(reference)),
            Stamp::of(&common.join(PACKED)),
        ]
    }
}

impl Stamp {
    pub fn of(file: &Path) -> Option<Stamp> {
        fs::symlink_metadata(file).ok().map(|it| Stamp::said_by(&it))
    }

    pub fn of_open(file: &File) -> io::Result<Stamp> {
        file.metadata().map(|it| Stamp::said_by(&it))
    }

    fn said_by(it: &Metadata) -> Stamp {
        Stamp {
            is_link: it.is_symlink(),
            inode: it.ino(),
            size: it.size(),
            modified: (it.mtime(), it.mtime_nsec()),
            changed: (it.ctime(), it.ctime_nsec()),
        }
    }

    /// Whether a change of the file will show: it is no link to another one, and not so young
    /// that it may change again within the same instant.
    fn tells(&self) -> bool {
        !self.is_link && self.is_settled()
    }

    /// Whether it is so old that a change within the same instant would have shown.
    pub fn is_settled(&self) -> bool {
        let since = |(seconds, nanos): (i64, i64)| {
            let seconds = u64::try_from(seconds).ok()?;
            let at = SystemTime::UNIX_EPOCH + Duration::new(seconds, u32::try_from(nanos).ok()?);
            SystemTime::now().duration_since(at).ok()
        };
        [self.modified, self.changed].into_iter().all(|it| since(it).is_some_and(|it| SETTLED < it))
    }
}
