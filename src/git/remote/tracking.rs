//! What a clone knows of a branch of its remote.

use std::{
    collections::{HashSet, VecDeque},
    fs,
};

use crate::{
    error::Result,
    git::{Repository, refs::Branch},
};

impl Repository {
    /// Makes a plain `git pull` work for whoever comes here by hand.
    pub(super) fn track(&self, branch: &Branch) -> Result<()> {
        if !self.is_tracked(branch)? {
            let mut config = self.inner.config()?.open_level(git2::ConfigLevel::Local)?;
            let key = format!("branch.{}", branch.name());
            config.set_str(&format!("{key}.remote"), "origin")?;
            config.set_str(&format!("{key}.merge"), &branch.reference())?;
        }
        Ok(())
    }

    pub(super) fn is_tracked(&self, branch: &Branch) -> Result<bool> {
        let config = self.inner.config()?.open_level(git2::ConfigLevel::Local)?;
        Ok(config.get_string(&format!("branch.{}.remote", branch.name())).is_ok())
    }

    /// Where the remote had the branch after a fetch.
    pub(super) fn tip(&self, branch: &Branch) -> Result<git2::Oid> {
        Ok(self.inner.find_reference(&branch.tracking())?.peel_to_commit()?.id())
    }

    /// How many commits of a shallow branch are here, along the shortest way.
    pub(super) fn depth(&self, branch: &Branch) -> u32 {
        let Ok(tip) = self.tip(branch) else { return 0 };
        let shallow = fs::read_to_string(self.common_folder().join("shallow")).unwrap_or_default();
        let ends: HashSet<&str> = shallow.lines().collect();
        let (mut queue, mut seen) = (VecDeque::from([(tip, 1)]), HashSet::new());
        while let Some((id, depth)) = queue.pop_front() {
            if ends.contains(&*id.to_string()) {
                return depth;
            }
            let Ok(commit) = self.inner.find_commit(id) else { continue };
            queue.extend(
                commit.parent_ids().filter(|it| seen.insert(*it)).map(|it| (it, depth + 1)),
            );
        }
        // No end was found: all of its history is here.
        u32::MAX
    }
}
