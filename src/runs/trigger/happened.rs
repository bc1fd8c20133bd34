//! What happened to branches and tags between two looks, commit by commit.

use std::{
    cell::LazyCell,
    collections::{BTreeMap, HashSet},
    rc::Rc,
};

use serde_json::{Value, json};

use crate::{
    error::Result,
    git::{AllowedSigners, Became, Facts, ObjectId, Repository, Watched, short_name},
    watch::Watch,
};

/// Of each ref so many new commits are looked at, the newest of them.
pub const COMMITS_MAX: usize = 1000;
/// Where there are more tags, what they reach is not what was seen.
const TAGS_MAX: usize = 1000;
/// What an event tells of paths and messages, so that a run is not started with all of a project.
const PATHS_TOLD: usize = 200;
const MESSAGE_CHARS_TOLD: usize = 10_000;

/// A ref that was found elsewhere than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    pub reference: String,
    pub before: Option<ObjectId>,
    pub after: ObjectId,
}

/// A file that a commit changed.
pub type Changed = (Became, String);
/// What is found out only if somebody asks for it.
type Later<'a, T> = LazyCell<T, Box<dyn FnOnce() -> T + 'a>>;

/// A commit that came to a branch, or that a tag was put on.
pub struct Happened<'a> {
    pub reference: String,
    /// Where the ref was.
    pub before: Option<ObjectId>,
    pub facts: Facts,
    /// Whether no ref reached it before.
    pub is_new: bool,
    /// Whether the ref was not there before, and begins here.
    pub is_made: bool,
    /// Whether it was merged on this branch, and not on one that came with it.
    pub is_merged_here: bool,
    /// The branches that were at what it merged.
    pub merged: Vec<String>,
    pub changed: Later<'a, Vec<Changed>>,
    pub is_signed: Later<'a, bool>,
}

impl Happened<'_> {
    /// The branch, as people call it.
    pub fn branch(&self) -> Option<&str> {
        short_name(&self.reference).filter(|_| !self.is_tag())
    }

    pub fn tag(&self) -> Option<&str> {
        short_name(&self.reference).filter(|_| self.is_tag())
    }

    pub fn is_tag(&self) -> bool {
        self.reference.starts_with(crate::git::TAGS)
    }

    /// The first line of its message.
    pub fn subject(&self) -> &str {
        self.facts.message.lines().next().unwrap_or_default()
    }

    /// What a run that it starts is told.
    pub fn event(&self) -> Value {
        let Facts { id, parents, name, email, committer, time, message } = &self.facts;
        let mut event = json!({
            "ref": self.reference,
            "commit": id,
            "before": self.before.map(|it| it.to_string()),
            "parents": parents.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "author": {"name": name, "email": email},
            "committer": committer,
            "time": time,
            "message": message.chars().take(MESSAGE_CHARS_TOLD).collect::<String>(),
            "branch": self.branch(),
            "tag": self.tag(),
        });
        let mut paths =
            BTreeMap::from([("added", vec![]), ("modified", vec![]), ("deleted", vec![])]);
        for (became, path) in self.changed.iter().take(PATHS_TOLD) {
            let kind = match became {
                Became::Added => "added",
                Became::Modified => "modified",
                Became::Deleted => "deleted",
            };
            paths.entry(kind).or_default().push(path.as_str());
        }
        event["paths"] = json!(paths);
        event["more_paths"] = (PATHS_TOLD < self.changed.len()).into();
        event
    }
}

/// Refs that are elsewhere than they were seen, and those that are new, in the order of their
/// names. Tags that the program itself puts there start nothing.
pub fn moved(seen: &Watched, now: &Watched) -> Vec<Moved> {
    let moved = |(name, after): (&String, &ObjectId)| {
        let before = seen.get(name).copied();
        let is_news = before != Some(*after) && !crate::git::is_own_tag(name);
        is_news.then(|| Moved { reference: name.clone(), before, after: *after })
    };
    now.iter().filter_map(moved).collect()
}

/// What is known of a repository when it is looked at.
pub struct Look<'a> {
    pub repository: &'a Repository,
    /// What was seen before, and what there is now.
    pub seen: &'a Watched,
    pub now: &'a Watched,
    /// Who may sign.
    pub allowed: Rc<Option<AllowedSigners>>,
    pub watch: &'a Watch,
}

impl<'a> Look<'a> {
    /// What happened: ref by ref, commit by commit, those first that others come from.
    pub fn happened(&self, moved: &[Moved]) -> Result<Vec<Happened<'a>>> {
        let at = |it: &Moved| Some((it.clone(), self.repository.commit_of(it.after)?));
        let moved: Vec<(Moved, ObjectId)> = moved.iter().filter_map(at).collect();
        let tips: Vec<ObjectId> = moved.iter().map(|it| it.1).collect();
        let most = COMMITS_MAX.saturating_mul(tips.len());
        let known = self.known();
        let new = self.since(&tips, &mut known.iter().copied(), most)?;
        let new: HashSet<ObjectId> = new.into_iter().collect();
        let mut all = Vec::new();
        for (moved, tip) in &moved {
            match moved.reference.starts_with(crate::git::TAGS) {
                true => all.push(self.one(moved, *tip, &new, true, false)?),
                false => all.append(&mut self.of_branch(moved, *tip, &known, &new)?),
            }
        }
        Ok(all)
    }

    /// What was seen, and what that reaches with it.
    fn known(&self) -> Vec<ObjectId> {
        let is_tag = |name: &String| name.starts_with(crate::git::TAGS);
        let tags = self.seen.keys().filter(|it| is_tag(it)).count();
        // What so many tags are at is on branches as well, and to look each up takes long.
        let is_known = |name: &String| tags <= TAGS_MAX || !is_tag(name);
        self.seen.iter().filter(|it| is_known(it.0)).map(|it| *it.1).collect()
    }

    fn since(
        &self,
        tips: &[ObjectId],
        known: &mut dyn Iterator<Item = ObjectId>,
        most: usize,
    ) -> Result<Vec<ObjectId>> {
        self.repository.commits_since(tips, known, most, self.watch)
    }

    fn of_branch(
        &self,
        moved: &Moved,
        tip: ObjectId,
        known: &[ObjectId],
        new: &HashSet<ObjectId>,
    ) -> Result<Vec<Happened<'a>>> {
        let before = moved.before.and_then(|it| self.repository.commit_of(it));
        let mut commits = match before {
            Some(before) => self.since(&[tip], &mut [before].into_iter(), COMMITS_MAX + 1)?,
            None => self.since(&[tip], &mut known.iter().copied(), COMMITS_MAX + 1)?,
        };
        if COMMITS_MAX < commits.len() {
            let name = &moved.reference;
            log::warn!("{name} has more than {COMMITS_MAX} new commits: older ones start nothing");
            commits.remove(0);
        }
        if !commits.contains(&tip) {
            commits.push(tip);
        }
        let here: HashSet<ObjectId> = commits.iter().copied().collect();
        let mut all = Vec::new();
        // From the newest on: it says which of them were made on this branch.
        let mut next = Some(tip);
        for id in commits.iter().rev() {
            let is_on_line = next == Some(*id);
            let is_made = moved.before.is_none() && *id == tip;
            let it = self.one(moved, *id, new, is_made, is_on_line)?;
            if is_on_line {
                next = it.facts.parents.first().copied().filter(|it| here.contains(it));
            }
            all.push(it);
        }
        all.reverse();
        Ok(all)
    }

    fn one(
        &self,
        moved: &Moved,
        commit: ObjectId,
        new: &HashSet<ObjectId>,
        is_made: bool,
        is_on_line: bool,
    ) -> Result<Happened<'a>> {
        let facts = self.repository.facts(commit)?;
        let merged: Vec<ObjectId> = facts.parents.iter().skip(1).copied().collect();
        let (repository, allowed) = (self.repository, self.allowed.clone());
        let told = move |error: crate::error::Error| log::error!("{commit}: {error}");
        let changed = move || repository.changed_in(commit).map_err(told).unwrap_or_default();
        // An annotated tag is signed itself; a plain one is as good as its commit.
        let object =
            if moved.reference.starts_with(crate::git::TAGS) { moved.after } else { commit };
        let is_signed = move || {
            let is_signed = repository.is_signed(object, allowed.as_ref().as_ref());
            is_signed.map_err(told).unwrap_or_default()
        };
        Ok(Happened {
            reference: moved.reference.clone(),
            before: moved.before,
            is_new: new.contains(&commit),
            is_made,
            is_merged_here: is_on_line && !merged.is_empty(),
            merged: self.branches_at(&merged, &facts.message),
            facts,
            changed: LazyCell::new(Box::new(changed)),
            is_signed: LazyCell::new(Box::new(is_signed)),
        })
    }

    /// The branches that are or were at one of these commits, or that a message says were merged.
    fn branches_at(&self, commits: &[ObjectId], message: &str) -> Vec<String> {
        if commits.is_empty() {
            return Vec::new();
        }
        let both = self.seen.iter().chain(self.now);
        let at = both.filter(|it| commits.contains(it.1)).map(|it| it.0);
        let at = at.filter(|it| !it.starts_with(crate::git::TAGS));
        let mut names: Vec<String> =
            at.filter_map(|it| short_name(it)).chain(said(message)).map(str::to_owned).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// The branches that the message of a merge names, as Git and its servers write it.
pub fn said(message: &str) -> Vec<&str> {
    let Some(rest) = message.lines().next().and_then(|it| it.strip_prefix("Merge ")) else {
        return Vec::new();
    };
    if let Some((_, from)) = rest.split_once(" from ").filter(|it| it.0.starts_with("pull request"))
    {
        // Of somebody's copy, whose name comes first.
        let from = from.split_whitespace().next().unwrap_or_default();
        return from.split_once('/').map(|it| it.1).into_iter().collect();
    }
    let is_remote = rest.starts_with("remote-tracking");
    let quoted = rest.split('\'').skip(1).step_by(2);
    let is_before_into = |it: &&str| {
        let at = it.as_ptr() as usize - rest.as_ptr() as usize;
        !rest[..at].contains(" into ")
    };
    let names = quoted.filter(is_before_into);
    // A branch of a remote is called by that first.
    names.map(|it| it.split_once('/').filter(|_| is_remote).map_or(it, |it| it.1)).collect()
}
