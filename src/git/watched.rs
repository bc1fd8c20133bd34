//! Branches and tags as somebody who watches them needs them, the commits that come to them, and
//! what was seen of all of that.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
};

use git2::{Delta, Oid};

use super::{
    AllowedSigners, Message, Repository, RepositoryPath, Root, Transaction,
    commit::Content,
    edit::Entry,
    hash::object_id,
    pack::Kind,
    refs::{BRANCHES, TAGS, TRIGGERS, Tag},
    signature::object,
    transaction::Node,
    tree,
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// Branches and tags by their whole names.
pub type Watched = BTreeMap<String, Oid>;

/// The file that says what is known of triggers.
const STATE: &str = "triggers.json";
/// The folder with what was seen of branches and tags.
const SEEN: &str = "seen";
/// The folders of tags that the program itself puts there.
const OWN_TAGS: [&str; 2] = [Tag::PROCESSES, "milestone/"];
/// More would not be a list of people.
const ALLOWED_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// Of one commit so many changed files are looked at.
const PATHS_MAX: usize = 100_000;

/// What a commit says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    pub id: String,
    pub parents: Vec<Oid>,
    pub name: String,
    pub email: String,
    pub committer: String,
    /// When it was committed, in seconds since 1970.
    pub time: i64,
    pub message: String,
}

/// What became of a file in a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    Added,
    Modified,
    Deleted,
}

/// What was seen of a repository, and what is known of its triggers.
pub struct Remembered {
    /// As it was written.
    pub state: Vec<u8>,
    pub seen: Watched,
}

/// What people call a branch or a tag.
pub fn short_name(reference: &str) -> Option<&str> {
    reference.strip_prefix(BRANCHES).or_else(|| reference.strip_prefix(TAGS))
}

/// Whether a ref is a tag that the program itself puts there: of a process, or of a milestone.
pub fn is_own_tag(reference: &str) -> bool {
    let tag = reference.strip_prefix(TAGS);
    tag.is_some_and(|it| OWN_TAGS.iter().any(|own| it.starts_with(own)))
}

impl Repository {
    /// Its branches and tags.
    pub fn watched(&self, watch: &Watch) -> Result<Watched> {
        let mut all = Watched::new();
        for folder in [BRANCHES, TAGS] {
            let below = self.all_below(folder, watch)?.into_iter();
            all.extend(below.map(|(name, id)| (format!("{folder}{name}"), id)));
        }
        Ok(all)
    }

    /// Where what is known of its triggers is.
    pub fn triggers(&self) -> Result<Option<Oid>> {
        self.expect_plain_ref(TRIGGERS)?;
        match self.inner.refname_to_id(TRIGGERS) {
            Ok(id) => Ok(Some(id)),
            Err(error) if error.code() == git2::ErrorCode::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A whole id, read.
    pub fn id_of(&self, id: &str) -> Result<Oid> {
        Ok(Oid::from_str(id)?)
    }

    /// The commit that an object is or stands for.
    pub fn commit_of(&self, id: Oid) -> Option<Oid> {
        let object = self.inner.find_object(id, None).ok()?;
        object.peel_to_commit().ok().map(|it| it.id())
    }

    /// The commits that these reach and none of those do, parents before their children; where
    /// there are more, the newest of them.
    pub fn commits_since(
        &self,
        tips: &[Oid],
        known: &mut dyn Iterator<Item = Oid>,
        most: usize,
        watch: &Watch,
    ) -> Result<Vec<Oid>> {
        let mut walk = self.inner.revwalk()?;
        walk.set_sorting(git2::Sort::TOPOLOGICAL | git2::Sort::TIME)?;
        tips.iter().try_for_each(|it| walk.push(*it))?;
        for id in known {
            // What was cleared away since, or is of no commit, hides nothing.
            if self.commit_of(id).is_some() {
                walk.hide(id)?;
            }
        }
        let mut found = Vec::new();
        for id in walk.take(most) {
            watch.check()?;
            found.push(id.map_err(|error| self.lost(error))?);
        }
        found.reverse();
        Ok(found)
    }

    pub fn facts(&self, commit: Oid) -> Result<Facts> {
        let commit = self.inner.find_commit(commit).map_err(|error| self.lost(error))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let author = commit.author();
        Ok(Facts {
            id: commit.id().to_string(),
            parents: commit.parent_ids().collect(),
            name: text(author.name_bytes()),
            email: text(author.email_bytes()),
            committer: text(commit.committer().name_bytes()),
            time: commit.time().seconds(),
            message: text(commit.message_raw_bytes()),
        })
    }

    /// The files that a commit changed, compared with its first parent.
    pub fn changed_in(&self, commit: Oid) -> Result<Vec<(Became, String)>> {
        let commit = self.inner.find_commit(commit).map_err(|error| self.lost(error))?;
        let before = commit.parents().next().map(|it| it.tree()).transpose()?;
        let after = commit.tree()?;
        let diff = self.inner.diff_tree_to_tree(before.as_ref(), Some(&after), None)?;
        let changed = diff.deltas().take(PATHS_MAX).map(|it| {
            let (became, file) = match it.status() {
                Delta::Added => (Became::Added, it.new_file()),
                Delta::Deleted => (Became::Deleted, it.old_file()),
                _ => (Became::Modified, it.new_file()),
            };
            let path = file.path_bytes().unwrap_or_default();
            (became, String::from_utf8_lossy(path).into_owned())
        });
        Ok(changed.collect())
    }

    /// Whether somebody who may sign has signed a commit, or the annotated tag that stands for it.
    pub fn is_signed(&self, id: Oid, allowed: Option<&AllowedSigners>) -> Result<bool> {
        let kind = match self.object(id)?.0 {
            Kind::Commit => object::Kind::Commit,
            Kind::Tag => object::Kind::Tag,
            Kind::Blob | Kind::Tree => return Ok(false),
        };
        Ok(self.signed(kind, id, allowed)?.is_good())
    }

    /// Who may sign, as the repository's own configuration says it to stock git.
    pub fn allowed_signers(&self, root: &Root) -> Result<Option<AllowedSigners>> {
        const KEY: &str = "gpg.ssh.allowedSignersFile";
        let Ok(file) = self.inner.config()?.get_string(KEY) else { return Ok(None) };
        let wrong = |why: String| Error::bad_request(format!("{KEY}: {why}"));
        let path = RepositoryPath::try_from(file.as_str()).map_err(|it| wrong(it.message))?;
        root.confine(&path)?;
        let is_list =
            fs::metadata(&*path).is_ok_and(|it| it.is_file() && it.len() <= ALLOWED_BYTES_MAX);
        if !is_list {
            return Err(wrong(format!("{file} is no list of people who may sign")));
        }
        let text = fs::read_to_string(&*path).map_err(|error| Error::from_io(&file, &error))?;
        AllowedSigners::parse(&text).map(Some)
    }
}

impl Transaction<'_> {
    /// Branches and tags, as this transaction leaves them.
    pub fn watched(&mut self) -> Result<Watched> {
        let mut all = Watched::new();
        for folder in [BRANCHES, TAGS] {
            let below = self.refs_below(folder)?.into_iter();
            all.extend(below.map(|(name, id)| (format!("{folder}{name}"), id)));
        }
        Ok(all)
    }

    /// Where what is known of triggers is. From here on nobody else moves it.
    pub fn triggers(&mut self) -> Result<Option<Oid>> {
        self.at(TRIGGERS)
    }

    /// What is known of triggers there.
    pub fn remembered(&mut self, at: Oid) -> Result<Remembered> {
        let damaged = || Error::corrupt(format!("{TRIGGERS} is damaged"));
        let tree = self.tree_of(at)?;
        let state = self.file(tree, STATE)?.ok_or_else(damaged)?;
        let mut seen = Watched::new();
        for (_, lines) in self.folder(tree, SEEN)? {
            for line in str::from_utf8(&lines).map_err(|_| damaged())?.lines() {
                let (id, name) = line.split_once(' ').ok_or_else(damaged)?;
                let id = Oid::from_str(id).map_err(|_| damaged())?;
                seen.insert(name.to_owned(), id);
            }
        }
        Ok(Remembered { state, seen })
    }

    /// Remembers all of it from now on; these are the names of refs that were seen elsewhere than
    /// before. Nothing leads to what was remembered before, so that it can be cleared away.
    pub fn remember(
        &mut self,
        before: Option<Oid>,
        remembered: &Remembered,
        moved: &BTreeSet<String>,
    ) -> Result<Oid> {
        let mut node = Node::default();
        let blob = self.add(Kind::Blob, remembered.state.clone());
        node.set(STATE.as_bytes(), Some(Entry { mode: tree::PLAIN, id: blob }));
        let parts: HashSet<String> = moved.iter().map(|it| part_of(it)).collect();
        let mut lines: BTreeMap<&String, String> =
            parts.iter().map(|it| (it, String::new())).collect();
        for (name, id) in remembered.seen.iter().filter(|_| !parts.is_empty()) {
            if let Some(lines) = lines.get_mut(&part_of(name)) {
                lines.push_str(&format!("{id} {name}\n"));
            }
        }
        for (part, lines) in lines {
            let file = (!lines.is_empty()).then(|| self.add(Kind::Blob, lines.into_bytes()));
            let entry = file.map(|id| Entry { mode: tree::PLAIN, id });
            node.set(format!("{SEEN}/{part}").as_bytes(), entry);
        }
        let tree = before.map(|it| self.tree_of(it)).transpose()?;
        let tree = self.edit(tree, &node)?.expect("it has a file");
        let who = self.repository().owner();
        let text = b"what was seen, and what is known of triggers\n".to_vec();
        let message = Message { text, encoding: None };
        let (author, committer) = (&who, &who);
        let content = Content { tree, parents: &[], author, committer, message: &message };
        let commit = self.add_commit(&content, None)?;
        self.move_to(TRIGGERS, Some(commit))?;
        Ok(commit)
    }
}

/// The file that has a ref: of many refs few are written again when one moves.
fn part_of(name: &str) -> String {
    object_id(Kind::Blob, name.as_bytes()).to_string()[..2].to_owned()
}
