//! Housekeeping of a repository that others read and write meanwhile.
//!
//! Writers wait for milliseconds at a time, readers never: what is new is there before what it
//! replaces goes, and what somebody has open stays readable. Whoever is killed over it leaves
//! nothing that the next one does not clear.

mod doomed;
mod sweep;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::Serialize;

use self::doomed::Doomed;
pub(super) use self::doomed::reached;
use super::{
    Network, Repository, RepositoryPath, Store,
    ledger::{PackFolder, loose_refs},
    lock::{Writer, maintained_ago},
    plain::create_anew,
    remote::{Chore, Done},
};
use crate::error::{Error, Result};

/// Names the packs in which differences were looked for.
const PACKED_WELL: &str = "gitport-packed";
/// All is packed anew when what came since is more than this part of it.
const NEW_PART: u64 = 4;
/// Small packs are merged from this many of about the same size on.
const MERGED_MIN: usize = 2;
/// So many refs are packed while writers wait, and so many loose objects removed.
const PORTION: usize = 500;
/// How often packing begins again because somebody else moved packs meanwhile.
const TRIES: usize = 3;

/// What is asked for.
pub struct Upkeep {
    /// Pack all of it anew, however little is new.
    pub full: bool,
    /// What nothing leads to is kept for so long.
    pub prune_after: Duration,
}

/// What was done.
#[derive(Debug, Default, Serialize)]
pub struct Upkept {
    packs_before: u64,
    packs_after: u64,
    bytes_before: u64,
    bytes_after: u64,
    refs_packed: u64,
    loose_removed: u64,
    locks_removed: u64,
    temporary_removed: u64,
    repacked: bool,
    commit_graph: bool,
    /// What the git program would be needed for.
    not_done: Vec<&'static str>,
    took_ms: u64,
}

impl Store {
    /// Takes care of one repository; `locked` while somebody else does.
    pub fn maintain(
        &self,
        path: &RepositoryPath,
        upkeep: &Upkeep,
        network: &Network,
    ) -> Result<Upkept> {
        let began = Instant::now();
        let repository = self.open(path, began)?;
        let work = Work { store: self, repository: &repository, upkeep, network };
        let mut upkept = Upkept::default();
        (upkept.packs_before, upkept.bytes_before) = work.size();
        let mut right = Writer::of_maintenance(work.common_folder())?;
        right.begin();
        let doomed = work.tidy(&mut right, &mut upkept)?;
        upkept.refs_packed = work.pack_refs()?;
        match work.pack(doomed, &mut upkept)? {
            true => upkept.commit_graph = work.write_commit_graph()?,
            false => upkept.not_done = vec!["repack", "prune", "commit_graph"],
        }
        right.finish();
        (upkept.packs_after, upkept.bytes_after) = work.size();
        upkept.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(upkept)
    }
}

/// How long ago somebody last took care of what is at this path, or it was made.
pub fn cared_for_ago(path: &Path) -> Option<Duration> {
    let inside = path.join(".git");
    let folder = if inside.is_dir() { &inside } else { path };
    maintained_ago(folder).or_else(|| {
        let made = fs::metadata(folder.join("config")).and_then(|it| it.modified());
        made.ok()?.elapsed().ok()
    })
}

struct Work<'a> {
    store: &'a Store,
    repository: &'a Repository,
    upkeep: &'a Upkeep,
    network: &'a Network<'a>,
}

impl Work<'_> {
    fn common_folder(&self) -> &Path {
        self.repository.common_folder()
    }

    /// Empties the journal and removes what the dead left; tells what may go once it is packed.
    /// From here on nobody removes packs that are there.
    fn tidy(&self, right: &mut Writer, upkept: &mut Upkept) -> Result<Doomed> {
        self.store.keep_house(self.repository, self.network.watch, |ledger, site| {
            let locks = sweep::locks(self.common_folder());
            upkept.locks_removed = site.right.sweep_at_once(self.common_folder(), &locks) as u64;
            upkept.temporary_removed = sweep::temporary(right, self.common_folder()) as u64;
            right.stamp()?;
            right.begin();
            ledger.checkpoint(site)?;
            ledger.clear_kept();
            Ok(Doomed::list(self.common_folder()))
        })
    }

    fn pack_refs(&self) -> Result<u64> {
        let mut count = 0;
        for names in loose_refs(self.common_folder()).chunks(PORTION) {
            self.network.watch.check()?;
            count +=
                self.store.keep_house(self.repository, self.network.watch, |ledger, site| {
                    ledger.pack_refs(names, site)
                })?;
        }
        Ok(count as u64)
    }

    /// Packs all anew where that is worth it, or else merges small packs; false where the git
    /// program would be needed.
    fn pack(&self, doomed: Doomed, upkept: &mut Upkept) -> Result<bool> {
        let known = fs::read_to_string(self.state()).unwrap_or_default();
        let [new, old] = doomed.bytes(|pack| known.lines().any(|it| it == pack));
        // What could be fetched again has packs of its own kind, and others may need what only
        // they know.
        let is_apart = self.repository.is_partial();
        if is_apart || !(self.upkeep.full || old < new.saturating_mul(NEW_PART)) {
            self.merge_small()?;
            return Ok(true);
        }
        let Some(fresh) = self.repack(&doomed)? else {
            self.merge_small()?;
            return Ok(false);
        };
        let written =
            create_anew(&self.state()).and_then(|mut it| it.write_all(fresh.join("\n").as_bytes()));
        written.map_err(|error| Error::from_io(self.state().display(), &error))?;
        upkept.loose_removed = self.remove(doomed, &fresh)?;
        upkept.repacked = true;
        Ok(true)
    }

    fn state(&self) -> PathBuf {
        self.common_folder().join(PACKED_WELL)
    }

    /// Nobody else removes these packs, and all that is in them stays: no writer has to wait.
    fn merge_small(&self) -> Result<()> {
        PackFolder::of(self.common_folder()).roll_up(MERGED_MIN, None)
    }

    /// Makes packs of all there is; nothing where the git program is not there.
    fn repack(&self, doomed: &Doomed) -> Result<Option<Vec<String>>> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.repack_once(doomed) {
                // A stock git may have moved packs.
                Err(error) if tries < TRIES && !self.network.watch.is_stopped() => {
                    log::info!("packing begins again: {error}");
                }
                outcome => return outcome,
            }
        }
    }

    fn repack_once(&self, doomed: &Doomed) -> Result<Option<Vec<String>>> {
        let kept = PackFolder::of(self.common_folder()).kept_by_others();
        let done = self.chore(Chore::PackReachable { kept: kept.clone() })?;
        let Some(done) = done else { return Ok(None) };
        let mut fresh = names(&done);
        let rest = Chore::PackRest {
            fresh: [fresh.clone(), kept].concat(),
            doomed: doomed.packs_but(&fresh),
            younger_than_s: self.upkeep.prune_after.as_secs(),
        };
        let Some(done) = self.chore(rest)? else { return Ok(None) };
        fresh.extend(names(&done));
        Ok(Some(fresh))
    }

    /// Removes what was packed anew, and what nothing leads to for long enough, unless something
    /// leads there by now. How many loose objects went.
    fn remove(&self, mut doomed: Doomed, fresh: &[String]) -> Result<u64> {
        doomed.replaced_by(self.common_folder(), fresh)?;
        // All but the last few of these are looked at while nobody waits.
        doomed.spare_what_is_reached(self.repository)?;
        doomed.rank(self.repository)?;
        let watch = self.network.watch;
        let mut removed = self.store.keep_house(self.repository, watch, |_, _| {
            doomed.spare_what_is_reached(self.repository)?;
            Ok(doomed.remove_packs_and_leading())
        })?;
        while doomed.has_loose() {
            watch.check()?;
            removed += self.store.keep_house(self.repository, watch, |_, _| {
                doomed.spare_what_is_reached(self.repository)?;
                Ok(doomed.remove_loose(PORTION))
            })?;
        }
        Ok(removed)
    }

    fn write_commit_graph(&self) -> Result<bool> {
        let is_shallow = self.common_folder().join("shallow").exists();
        let has_commit = self.repository.inner.references()?.next().is_some();
        if is_shallow || !has_commit {
            return Ok(false);
        }
        Ok(self.chore(Chore::CommitGraph)?.is_some())
    }

    fn chore(&self, chore: Chore) -> Result<Option<Done>> {
        match self.network.housework(self.common_folder(), chore)? {
            Some(done) if !done.is_good => Err(done.error()),
            done => Ok(done),
        }
    }

    /// How many packs there are, and what all objects take.
    fn size(&self) -> (u64, u64) {
        let mut size = (0, 0);
        for file in super::folder::files_below(&self.common_folder().join("objects"), &|_| true) {
            size.0 += u64::from(file.extension().is_some_and(|it| it == "pack"));
            size.1 += fs::metadata(&file).map_or(0, |it| it.len());
        }
        size
    }
}

/// The packs whose names git printed.
fn names(done: &Done) -> Vec<String> {
    done.output.lines().map(|it| it.trim().to_owned()).filter(|it| !it.is_empty()).collect()
}
