//! The tree of `HEAD`, known without asking libgit2 for as long as the files that say it stay as
//! they were.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use git2::Oid;

use super::{Repository, refs::PACKED};
use crate::error::Result;

/// A file that was written so lately may be written again without its times showing it.
const SETTLED: Duration = Duration::from_millis(100);

#[derive(Default)]
pub struct Tip {
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
struct Stamp {
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Tip {
    pub fn tree(&self, repository: &Repository) -> Result<Oid> {
        let mut known = self.known.lock().expect("nobody panics with the lock");
        let looked = Instant::now();
        if let Some(known) = &mut *known {
            if repository.asked <= known.looked {
                return Ok(known.tree);
            }
            if known.stamps == stamps(repository, &known.reference) {
                known.looked = looked;
                return Ok(known.tree);
            }
        }
        *known = None;
        let head = repository.inner.find_reference("HEAD")?;
        let reference = match head.symbolic_target() {
            Ok(Some(target)) => target.to_owned(),
            _ => "HEAD".to_owned(),
        };
        // Taken before HEAD is resolved: what changes in between shows the next time.
        let stamps = stamps(repository, &reference);
        let tree = repository.resolve_tree("HEAD")?.id();
        let is_direct = repository
            .inner
            .find_reference(&reference)
            .is_ok_and(|it| it.kind() == Some(git2::ReferenceType::Direct));
        if is_direct && stamps.iter().flatten().all(Stamp::is_settled) {
            *known = Some(Known { reference, stamps, looked, tree });
        }
        Ok(tree)
    }
}

fn stamps(repository: &Repository, reference: &str) -> Stamps {
    let (own, common) = (repository.git_folder(), repository.common_folder());
    let folder = if reference == "HEAD" { own } else { common };
    [
        Stamp::of(&own.join("HEAD")),
        Stamp::of(&folder.join(reference)),
        Stamp::of(&common.join(PACKED)),
    ]
}

impl Stamp {
    fn of(file: &Path) -> Option<Stamp> {
        let it = fs::symlink_metadata(file).ok()?;
        Some(Stamp {
            inode: it.ino(),
            size: it.size(),
            modified: (it.mtime(), it.mtime_nsec()),
            changed: (it.ctime(), it.ctime_nsec()),
        })
    }

    fn is_settled(&self) -> bool {
        let since = |(seconds, nanos): (i64, i64)| {
            let seconds = u64::try_from(seconds).ok()?;
            let at = SystemTime::UNIX_EPOCH + Duration::new(seconds, u32::try_from(nanos).ok()?);
            SystemTime::now().duration_since(at).ok()
        };
        [self.modified, self.changed].into_iter().all(|it| since(it).is_some_and(|it| SETTLED < it))
    }
}
