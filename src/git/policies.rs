//! The refs of policies, and of what they refused; and what those who judge a move of a ref need
//! to know of its commits.

use std::collections::{BTreeMap, HashSet};

use git2::Oid;

use super::{
    AllowedSigners, Expect, Message, Person, Repository, Signer, Transaction,
    commit::Content,
    edit::Entry,
    hash::{parents_of, time_of},
    object_id,
    pack::Kind,
    references::RefQuery,
    refs::{DENIALS, POLICIES, is_part},
    signature::{Status, object, verify},
    transaction::Node,
    tree,
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

const NAME_BYTES_MAX: usize = 100;
/// So many commits are looked at for their signatures when a ref moves.
const SIGNED_MAX: usize = 1000;

/// What a policy is called: a part of its ref.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyName(String);

impl PolicyName {
    pub fn new(name: &str) -> Result<PolicyName> {
        match is_part(name, NAME_BYTES_MAX) {
            true => Ok(PolicyName(name.to_owned())),
            false => Err(Error::bad_request(format!(
                "`{name}` cannot be the name of a policy: it has 1 to {NAME_BYTES_MAX} of A-Z, \
                 a-z, 0-9, `_`, `-` and single dots inside"
            ))
            .with("field", "name")),
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn reference(&self) -> String {
        format!("{POLICIES}{}", self.0)
    }
}

/// What becomes of a policy.
pub struct PolicyDraft<'a> {
    pub name: &'a PolicyName,
    /// The file of this name, and what it says.
    pub file: (&'a str, Vec<u8>),
    pub message: String,
    pub who: Person,
    pub signer: Option<Signer>,
}

impl Repository {
    /// Whether it has any policy.
    pub fn has_policies(&self, watch: &Watch) -> Result<bool> {
        let prefix = POLICIES.as_bytes().to_vec();
        let query = RefQuery { prefix, pattern: None, limit: 1, after: None };
        Ok(!self.references(&query, watch)?.0.is_empty())
    }
}

impl Transaction<'_> {
    /// Where all policies are at this moment, by their names; nothing where a ref leads nowhere.
    pub fn policies(&mut self) -> Result<BTreeMap<String, Option<Oid>>> {
        // One look is enough for all that is carried out together.
        if self.policies.is_none() {
            self.policies = Some(self.refs_now(POLICIES)?);
        }
        let mut there = self.policies.clone().unwrap_or_default();
        for (name, to) in self.moves_below(POLICIES) {
            match to {
                Some(to) => there.insert(name.to_owned(), Some(to)),
                None => there.remove(name),
            };
        }
        Ok(there)
    }

    /// Where a policy is. From here on nobody else moves it.
    pub fn policy(&mut self, name: &PolicyName, expect: Option<Expect>) -> Result<Option<Oid>> {
        let actual = self.at(&name.reference())?;
        Expect::check(expect, actual, &format!("the policy `{}`", name.0))?;
        Ok(actual)
    }

    /// Takes a policy on by a commit.
    pub fn put_policy(&mut self, draft: PolicyDraft) -> Result<Oid> {
        let PolicyDraft { name, file: (file, text), message, who, signer } = draft;
        let before = self.at(&name.reference())?;
        let id = self.add(Kind::Blob, text);
        let mut node = Node::default();
        node.set(file.as_bytes(), Some(Entry { mode: tree::PLAIN, id }));
        let tree = self.edit(None, &node)?.expect("it has a file");
        // What is there may be no commit, if others put it there.
        let before = before.filter(|it| self.kind_of(*it).is_ok_and(|it| it == Kind::Commit));
        let parents: Vec<Oid> = before.into_iter().collect();
        let message = Message { text: message.into_bytes(), encoding: None };
        let (author, committer) = (&who, &who);
        let content = Content { tree, parents: &parents, author, committer, message: &message };
        let commit = self.add_commit(&content, signer.as_ref())?;
        self.move_to(&name.reference(), Some(commit))?;
        Ok(commit)
    }

    pub fn remove_policy(&mut self, name: &PolicyName) -> Result<()> {
        self.move_to(&name.reference(), None)
    }

    /// The newest commits of a policy, the newest first: who made each, and when in seconds since
    /// 1970.
    pub fn policy_commits(&mut self, at: Oid, most: usize) -> Result<Vec<(Oid, String, i64)>> {
        let (mut commits, mut next) = (Vec::new(), Some(at));
        while let Some(id) = next.filter(|_| commits.len() < most) {
            let content = self.content(id, Kind::Commit)?;
            let (who, time) = author_of(&content)
                .ok_or_else(|| Error::corrupt(format!("nobody knows who made {id}")))?;
            commits.push((id, who, time));
            next = parents_of(&content).next();
        }
        Ok(commits)
    }

    /// The newest commit that says what was refused. From here on nobody else moves its ref.
    pub fn newest_denial(&mut self) -> Result<Option<Oid>> {
        self.at(DENIALS)
    }

    /// Adds a commit behind the newest one, which the caller knows.
    pub fn append_denial(&mut self, newest: Option<Oid>, at_ms: u64, message: String) -> Oid {
        let tree = object_id(Kind::Tree, b"");
        if newest.is_none() {
            self.add_plain(tree, Kind::Tree, Vec::new());
        }
        let time = (at_ms / 1000).cast_signed();
        let who = Person { name: b"gitport".to_vec(), email: Vec::new(), time, offset: 0 };
        let message = Message { text: message.into_bytes(), encoding: None };
        let parents: Vec<Oid> = newest.into_iter().collect();
        let (author, committer) = (&who, &who);
        let content = Content { tree, parents: &parents, author, committer, message: &message };
        let content = content.bytes();
        let commit = object_id(Kind::Commit, &content);
        self.add_plain(commit, Kind::Commit, content);
        self.move_later(DENIALS, newest, Some(commit));
        commit
    }

    /// Whether a commit or an annotated tag is signed by who may.
    pub fn is_signed(&mut self, id: Oid, allowed: &AllowedSigners) -> Result<bool> {
        let kind = self.kind_of(id)?;
        let (parts, role) = match kind {
            Kind::Commit => (object::Kind::Commit, "committer "),
            Kind::Tag => (object::Kind::Tag, "tagger "),
            _ => return Ok(false),
        };
        let object::Parts { payload, signature } = object::parts(parts, &self.content(id, kind)?);
        let (Some(signature), Some(time)) = (signature, time_of(&payload, role)) else {
            return Ok(false);
        };
        let verdict = verify(&payload, &signature, object::NAMESPACE, time, Some(allowed));
        Ok(verdict.status == Status::Good)
    }

    /// Whether all that a ref has where it is is there where it goes, too.
    pub fn is_forward(&mut self, from: Oid, to: Oid) -> Result<bool> {
        if from == to {
            return Ok(true);
        }
        if self.kind_of(from)? != Kind::Commit || self.kind_of(to)? != Kind::Commit {
            return Ok(false);
        }
        let (fresh, old) = self.split(to)?;
        if fresh.contains(&from) || old.contains(&from) {
            return Ok(true);
        }
        let repository = &self.repository().inner;
        for it in old {
            match repository.graph_descendant_of(it, from) {
                Ok(true) => return Ok(true),
                Ok(false) => (),
                // Nothing that was there before comes from what only this transaction has.
                Err(error) if error.code() == git2::ErrorCode::NotFound => (),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(false)
    }

    /// What a ref comes to have by a move that nobody signed who may: a commit, or the tag itself.
    /// Of a ref that is new only what it is at counts.
    pub fn unsigned_since(
        &mut self,
        from: Option<Oid>,
        to: Oid,
        allowed: &AllowedSigners,
    ) -> Result<Option<Oid>> {
        let from = from.filter(|it| self.kind_of(*it).is_ok_and(|it| it == Kind::Commit));
        let (Some(from), Kind::Commit) = (from, self.kind_of(to)?) else {
            return Ok((!self.is_signed(to, allowed)?).then_some(to));
        };
        let (mut new, old) = self.split(to)?;
        let (had, had_old) = self.split(from)?;
        new.retain(|it| !had.contains(it));
        let mut walk = self.repository().inner.revwalk()?;
        old.iter().try_for_each(|it| walk.push(*it))?;
        had_old.iter().try_for_each(|it| walk.hide(*it))?;
        for id in walk {
            new.insert(id?);
            if SIGNED_MAX < new.len() {
                let message =
                    format!("{SIGNED_MAX} commits are looked at: move it in smaller steps");
                return Err(Error::too_large(message).with("limit", SIGNED_MAX as u64));
            }
        }
        let mut new: Vec<Oid> = new.into_iter().collect();
        new.sort_unstable();
        for id in new {
            if !self.is_signed(id, allowed)? {
                return Ok(Some(id));
            }
        }
        Ok(None)
    }

    /// A commit and what led to it that only this transaction has, and what that goes on from.
    fn split(&mut self, commit: Oid) -> Result<(HashSet<Oid>, HashSet<Oid>)> {
        let (mut fresh, mut old, mut next) = (HashSet::new(), HashSet::new(), vec![commit]);
        while let Some(id) = next.pop() {
            if self.repository().inner.odb()?.exists(id) {
                old.insert(id);
            } else if fresh.insert(id) {
                next.extend(parents_of(&self.content(id, Kind::Commit)?));
            }
        }
        Ok((fresh, old))
    }
}

/// The name of who made a commit, and when.
fn author_of(commit: &[u8]) -> Option<(String, i64)> {
    let mut head = commit.split(|it| *it == b'\n').take_while(|it| !it.is_empty());
    let line = String::from_utf8_lossy(head.find_map(|it| it.strip_prefix(b"author "))?);
    let (name, rest) = line.split_once(" <")?;
    let time = rest.rsplit_once("> ")?.1.split(' ').next()?.parse().ok()?;
    Some((name.to_owned(), time))
}
