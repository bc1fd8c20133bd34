//! What a step of an import writes: blobs, commits, the mapping, and refs, all or nothing.

use std::collections::{HashMap, HashSet};

use git2::Oid;

use super::{
    Line, Snapshot,
    files::Change,
    mapping::{self, Made, Mapping, PENDING, STATES, SUMS},
};
use crate::{
    error::{Error, Result},
    git::{
        Branch, Message, Person, Transaction, commit::Content, edit::Entry, hash::object_id,
        pack::Kind, refs, transaction::Node, tree,
    },
};

/// What is known of another import under the same name is read again by the next one.
const RETRY_AFTER_MS: u64 = 1000;
/// A ref may be a file of this name with `.lock` behind it.
const NAME_BYTES_MAX: usize = 200;

#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    pub files: u64,
    pub bytes: u64,
}

/// A new content, and what it was made out of.
pub struct Blob {
    pub id: Oid,
    pub content: Vec<u8>,
    pub before: Option<Oid>,
}

pub struct Prepared {
    pub snapshot: Snapshot,
    pub changes: Vec<Change>,
    pub sums: Sums,
}

#[derive(Default)]
pub struct Step {
    blobs: Vec<Blob>,
    pub states: Vec<Prepared>,
    /// About so much memory.
    pub bytes: usize,
}

impl Step {
    pub fn push(&mut self, blob: Blob) {
        self.bytes += blob.content.len() + size_of::<Blob>();
        self.blobs.push(blob);
    }

    /// Leaves out contents that no prepared state has.
    pub fn forget_unfinished(&mut self) {
        let needed: HashSet<Oid> = self.needed().collect();
        self.blobs.retain(|it| needed.contains(&it.id));
    }

    fn needed(&self) -> impl Iterator<Item = Oid> {
        let entries = self.states.iter().flat_map(|it| &it.changes).filter_map(|it| it.1);
        entries.map(|it| it.id)
    }

    pub fn apply(
        &mut self,
        transaction: &mut Transaction,
        mapping: &Mapping,
        line: &Line,
        name: &str,
        branch: &Branch,
    ) -> Result<Made> {
        let reference = refs::import(name)?;
        if transaction.at(&reference)? != mapping.at {
            let message = format!("somebody else imports as `{name}`");
            return Err(Error::locked(message).with("retry_after_ms", RETRY_AFTER_MS));
        }
        let pending = self.unfinished();
        for Blob { id, content, before } in self.blobs.drain(..) {
            transaction.add_like(id, Kind::Blob, content, before);
        }
        let mut made = Made { at: mapping.at, states: Vec::new(), sums: mapping.sums() };
        let (here, tips) = (HashMap::new(), Vec::new());
        let mut commits = Commits { mapping, here, tips, time: 0 };
        let mut last = None;
        for Prepared { snapshot, changes, sums } in self.states.drain(..) {
            let commit = commits.add(transaction, &snapshot, changes)?;
            made.sums.files += sums.files;
            made.sums.bytes += sums.bytes;
            let Snapshot { id, parent, committer, .. } = snapshot;
            if line.main.contains(&id) {
                last = Some(commit);
            }
            // One of this step was never without the child that comes now.
            let parent = parent.filter(|it| mapping.find(it).is_some());
            move_leaf(transaction, line, name, (&id, commit), parent.as_deref())?;
            commits.here.insert(id.clone(), commit);
            made.states.push((id, commit));
            commits.time = committer.time;
        }
        if !made.states.is_empty() || !pending.is_empty() {
            made.at = Some(commits.write_down(transaction, &made, &pending)?);
            transaction.move_to(&reference, made.at)?;
        }
        match last {
            Some(to) => move_branch(transaction, mapping, line, branch, to)?,
            // Where all was done before, others may have gone on from there.
            None => {
                if let Some(to) = mapping.last(&line.main)
                    && transaction.at(&branch.reference())?.is_none()
                {
                    move_branch(transaction, mapping, line, branch, to)?;
                }
            }
        }
        transaction.be_durable();
        Ok(made)
    }

    /// The contents of a state that is not whole yet.
    fn unfinished(&self) -> Vec<Oid> {
        let needed: HashSet<Oid> = self.needed().collect();
        self.blobs.iter().map(|it| it.id).filter(|it| !needed.contains(it)).collect()
    }
}

/// The commits of a step, while they are made.
struct Commits<'a> {
    mapping: &'a Mapping,
    here: HashMap<String, Oid>,
    /// Those that no other of the step goes on from.
    tips: Vec<Oid>,
    time: i64,
}

impl Commits<'_> {
    fn add(
        &mut self,
        transaction: &mut Transaction,
        snapshot: &Snapshot,
        changes: Vec<Change>,
    ) -> Result<Oid> {
        let find = |id: &String| self.here.get(id).copied().or_else(|| self.mapping.find(id));
        let parent = snapshot.parent.as_ref().and_then(find);
        let before = parent.map(|it| transaction.tree_of(it)).transpose()?;
        let tree = match (changes.is_empty(), before) {
            (true, Some(before)) => Some(before),
            _ => {
                let mut node = Node::default();
                for (path, entry) in changes {
                    // Only what goes is said already: with a folder that became a file.
                    node.set(&path, entry);
                }
                transaction.edit(before, &node)?
            }
        };
        let tree = tree.unwrap_or_else(|| transaction.empty_tree());
        let commit = transaction.add_commit(
            &Content {
                tree,
                parents: parent.as_slice(),
                author: &snapshot.author,
                committer: &snapshot.committer,
                message: &snapshot.message,
            },
            None,
        )?;
        self.tips.retain(|it| Some(*it) != parent);
        self.tips.push(commit);
        Ok(commit)
    }

    /// The commit that says what was done so far.
    fn write_down(
        &self,
        transaction: &mut Transaction,
        made: &Made,
        pending: &[Oid],
    ) -> Result<Oid> {
        let plain = |id| Some(Entry { mode: tree::PLAIN, id });
        let mut node = Node::default();
        let sums = transaction.add(Kind::Blob, mapping::head(made.sums));
        node.set(SUMS.as_bytes(), plain(sums));
        let before = self.mapping.at.map(|it| transaction.tree_of(it)).transpose()?;
        if !made.states.is_empty() {
            let (name, lines) = mapping::chunk(self.mapping.len(), &made.states);
            let lines = transaction.add(Kind::Blob, lines);
            node.set(format!("{STATES}/{name}").as_bytes(), plain(lines));
        }
        // What waited is in a commit by now, unless its state goes on.
        let is_waiting = match before {
            Some(tree) => transaction.find(tree, PENDING.as_bytes())?.is_some(),
            None => false,
        };
        if is_waiting && !made.states.is_empty() {
            node.set(PENDING.as_bytes(), None);
        }
        let mut tree = transaction.edit(before, &node)?;
        if !pending.is_empty() {
            let mut node = Node::default();
            for id in pending {
                node.set(format!("{PENDING}/{id}").as_bytes(), plain(*id));
            }
            tree = transaction.edit(tree, &node)?;
        }
        let person = Person {
            name: b"gitport".to_vec(),
            email: b"gitport@localhost".to_vec(),
            time: self.time,
            offset: 0,
        };
        let text = format!("import: {} states\n", self.mapping.len() + made.states.len());
        let tree = tree.unwrap_or_else(|| transaction.empty_tree());
        let parents: Vec<Oid> = self.mapping.at.iter().chain(&self.tips).copied().collect();
        transaction.add_commit(
            &Content {
                tree,
                parents: &parents,
                author: &person,
                committer: &person,
                message: &Message { text: text.into_bytes(), encoding: None },
            },
            None,
        )
    }
}

/// States beside the branch that nothing goes on from have a ref, as long as nothing does.
fn move_leaf(
    transaction: &mut Transaction,
    line: &Line,
    name: &str,
    (state, commit): (&str, Oid),
    parent: Option<&str>,
) -> Result<()> {
    if let Some(parent) = parent {
        let reference = leaf(name, parent);
        if transaction.repository().inner.find_reference(&reference).is_ok() {
            transaction.move_to(&reference, None)?;
        }
    }
    match line.leaves.contains(state) && !line.main.contains(state) {
        true => transaction.move_to(&leaf(name, state), Some(commit)),
        false => Ok(()),
    }
}

/// Nobody else's commits are taken out of a branch.
fn move_branch(
    transaction: &mut Transaction,
    mapping: &Mapping,
    line: &Line,
    branch: &Branch,
    to: Oid,
) -> Result<()> {
    let reference = branch.reference();
    let at = transaction.at(&reference)?;
    expect_branch(mapping, line, branch, at)?;
    let before = at.map(|it| transaction.tree_of(it)).transpose()?;
    let after = transaction.tree_of(to)?;
    transaction.follow(branch, before, after)?;
    transaction.move_to(&reference, Some(to))
}

/// Fails where a branch is at a commit that the import did not put it at.
pub fn expect_branch(
    mapping: &Mapping,
    line: &Line,
    branch: &Branch,
    at: Option<Oid>,
) -> Result<()> {
    match at {
        Some(at) if !mapping.has(at, &line.main) => {
            let expected = mapping.last(&line.main).unwrap_or(Oid::ZERO_SHA1);
            let message = format!("the branch `{}` is at a commit of others", branch.name());
            Err(Error::conflict(message)
                .with("expected", expected.to_string())
                .with("actual", at.to_string()))
        }
        _ => Ok(()),
    }
}

fn leaf(name: &str, state: &str) -> String {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-_".contains(&it);
    let part: String = state
        .bytes()
        .map(|it| if is_plain(it) { char::from(it).to_string() } else { format!("%{it:02x}") })
        .collect();
    let part = match part.len() <= NAME_BYTES_MAX {
        true => part,
        // No other id is shown like this: it is longer than they are.
        false => format!("%{}", object_id(Kind::Blob, state.as_bytes())),
    };
    refs::imported(name, &part)
}
