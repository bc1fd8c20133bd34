//! What a group of requests is about to change in one repository: all of it becomes one step.
//!
//! A request sees what those before it in the group did. One that fails leaves nothing behind.

mod guarded;
mod later;
mod node;
mod present;
mod savepoint;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use foldhash::fast::RandomState;
use git2::Oid;

pub use self::{
    guarded::{Guard, Moved},
    node::Node,
    savepoint::Savepoint,
};
use self::{node::Change, present::target_of};
use super::{
    Person, Repository,
    edit::{self, Entry},
    follow::Follow,
    hash::{id_of, object_id},
    image::Image,
    ledger::{Held, Ledger, Move, Site, Step},
    locks::Locks,
    pack::Kind,
    reflog::Line,
    refs::{self, Branch},
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// So many refs have locks that are files of their own; what is more shares one.
const OWN_LOCKS_MAX: usize = 16;

pub struct Transaction<'a> {
    site: Site<'a>,
    ledger: &'a mut Ledger,
    locks: &'a Arc<Locks>,
    image: Image,
    /// The objects in the image, for those that come after.
    fresh: HashMap<Oid, (Kind, Arc<Vec<u8>>), RandomState>,
    /// Refs that were looked at: nobody else can move them until this is over.
    held: BTreeMap<String, Held>,
    /// What the refs that are held led to.
    led_to: HashSet<Oid, RandomState>,
    /// The last of them whose lock is a file of its own.
    sharable: Option<String>,
    moves: Vec<Move>,
    /// What the reflogs say of these moves.
    lines: Vec<Line>,
    moved: BTreeMap<String, Option<Oid>>,
    is_one: bool,
    is_durable: bool,
    /// Whether all that it moves are refs of runs, which Git may see a moment later.
    is_later: bool,
    guard: Option<Arc<dyn Guard>>,
    /// Worktrees whose branches move, by these.
    pub(super) follows: Vec<(Branch, Follow)>,
    /// Opened by whoever first asks what is on disk.
    disk: Option<Repository>,
    /// The refs of policies, as they were when somebody first asked.
    pub(super) policies: Option<BTreeMap<String, Option<Oid>>>,
}

impl<'a> Transaction<'a> {
    /// With somebody to ask whether what is moved may be.
    pub fn begin(
        ledger: &'a mut Ledger,
        site: Site<'a>,
        locks: &'a Arc<Locks>,
        guard: Option<Arc<dyn Guard>>,
    ) -> Transaction<'a> {
        Transaction {
            site,
            guard,
            ledger,
            locks,
            image: Image::default(),
            fresh: HashMap::default(),
            held: BTreeMap::new(),
            led_to: HashSet::default(),
            sharable: None,
            moves: Vec::new(),
            lines: Vec::new(),
            moved: BTreeMap::new(),
            is_one: false,
            is_durable: false,
            is_later: true,
            follows: Vec::new(),
            disk: None,
            policies: None,
        }
    }

    pub fn repository(&self) -> &'a Repository {
        self.site.repository
    }

    pub fn watch(&self) -> &'a Watch {
        self.site.watch
    }

    /// What is known of the locks of clients beside their refs.
    pub fn locks(&self) -> &'a Arc<Locks> {
        self.locks
    }

    /// Whoever asked for what was just done is answered only when it is on disk.
    pub fn be_durable(&mut self) {
        self.is_durable = true;
    }

    /// Nobody may see some of these refs moved and others not.
    pub fn move_as_one(&mut self) {
        self.is_one = true;
    }

    /// Where a ref is, as this transaction leaves it. From here on nobody else moves it.
    pub fn at(&mut self, name: &str) -> Result<Option<Oid>> {
        match self.moved.get(name) {
            Some(to) => Ok(*to),
            None => self.held_at(name),
        }
    }

    fn held_at(&mut self, name: &str) -> Result<Option<Oid>> {
        self.show()?;
        if !self.held.contains_key(name) {
            let other = self.sharable.as_ref().and_then(|it| self.held.get(it));
            let other = other.filter(|_| OWN_LOCKS_MAX <= self.held.len());
            let held = self.ledger.hold(name, other, &self.site)?;
            if held.is_sharable() {
                self.sharable = Some(name.to_owned());
            }
            self.led_to.extend(held.before);
            self.held.insert(name.to_owned(), held);
        }
        Ok(self.held[name].before)
    }

    /// Gives back the files that keep others from moving refs; the right to write stays.
    pub fn release_refs(&mut self) {
        self.held.clear();
    }

    /// Moves a ref; to nothing removes it.
    pub fn move_to(&mut self, name: &str, to: Option<Oid>) -> Result<()> {
        self.is_later = false;
        let from = self.at(name)?;
        if from.is_none() && to.is_some() {
            self.expect_place(name)?;
        }
        to.map_or(Ok(()), |it| self.expect_present(it))?;
        let peeled = to.map_or(Ok(None), |it| self.peeled(it))?;
        self.moves.push(Move::new(name, from, to, peeled));
        self.moved.insert(name.to_owned(), to);
        Ok(())
    }

    /// The same, with a line in the reflogs that Git keeps.
    pub fn move_because(
        &mut self,
        name: &str,
        to: Option<Oid>,
        who: &Person,
        why: &[u8],
    ) -> Result<()> {
        let from = self.at(name)?;
        self.move_to(name, to)?;
        self.lines.push(Line::new(name, from, to, who, why));
        Ok(())
    }

    /// Where this transaction leaves a ref that it moves.
    pub fn moved(&self, name: &str) -> Option<Option<Oid>> {
        self.moved.get(name).copied()
    }

    /// How large the objects are that are about to be written.
    pub fn bytes(&self) -> usize {
        self.image.bytes()
    }

    /// An object that nobody else can see yet.
    pub fn fresh(&self, id: Oid) -> Option<(Kind, Arc<Vec<u8>>)> {
        self.fresh.get(&id).cloned()
    }

    /// Fails where a ref is in the way: one cannot lie below another one, as in a folder.
    fn expect_place(&self, name: &str) -> Result<()> {
        let in_the_way = |other: &str| {
            Error::conflict(format!("the ref `{name}` cannot be beside `{other}`"))
                .with("expected", "no ref of a name that this one begins with, or the reverse")
                .with("actual", other)
        };
        for (at, _) in name.match_indices('/').filter(|(at, _)| refs::REFS.len() <= *at) {
            let above = &name[..at];
            let is_there = match self.moved.get(above) {
                Some(to) => to.is_some(),
                None => self.ledger.find_ref(above).is_some(),
            };
            if is_there {
                return Err(in_the_way(above));
            }
        }
        let folder = format!("{name}/");
        let mut below =
            self.moved.range(folder.clone()..).take_while(|it| it.0.starts_with(&folder));
        match below.find(|(_, to)| to.is_some()) {
            Some((below, _)) => Err(in_the_way(below)),
            None if self.ledger.has_ref_below(name, |it| self.moved.get(it) == Some(&None)) => {
                Err(in_the_way(&folder))
            }
            None => Ok(()),
        }
    }

    /// What an annotated tag stands for in the end; nothing for another object.
    pub fn peeled(&self, id: Oid) -> Result<Option<Oid>> {
        match self.fresh.get(&id) {
            None => self.repository().peeled(id),
            Some((Kind::Tag, content)) => {
                let target = target_of(content)?;
                Ok(Some(self.peeled(target)?.unwrap_or(target)))
            }
            Some(_) => Ok(None),
        }
    }

    /// Adds an object; it is written whether Git has it or not, since what nothing leads to may
    /// be cleared away at any time.
    pub fn add(&mut self, kind: Kind, content: Vec<u8>) -> Oid {
        let id = object_id(kind, &content);
        self.add_like(id, kind, content, None);
        id
    }

    /// The same of one whose id is known, and perhaps that of the one it was made out of.
    pub fn add_like(&mut self, id: Oid, kind: Kind, content: Vec<u8>, before: Option<Oid>) {
        let before = before.and_then(|it| Some((it, self.fresh.get(&it)?.1.as_slice())));
        self.image.add_like(id, kind, &content, before);
        self.fresh.insert(id, (kind, Arc::new(content)));
    }

    /// Adds a tree that was made out of another one.
    pub(super) fn add_tree(&mut self, content: Vec<u8>, before: Option<(Oid, &[u8])>) -> Oid {
        let id = object_id(Kind::Tree, &content);
        self.image.add_like(id, Kind::Tree, &content, before);
        let content = Arc::new(content);
        self.fresh.insert(id, (Kind::Tree, content.clone()));
        self.ledger.trees.insert(id, content.clone(), content.len());
        id
    }

    /// Whether an object is there, or will be.
    pub fn has(&self, id: Oid) -> Result<bool> {
        Ok(self.image.has(id) || self.repository().inner.odb()?.exists(id))
    }

    /// The content of an object of this kind.
    pub fn content(&mut self, id: Oid, kind: Kind) -> Result<Arc<Vec<u8>>> {
        if let Some((found, content)) = self.fresh.get(&id) {
            return expect_kind(id, *found, kind).map(|()| content.clone());
        }
        if let Some(content) = self.ledger.trees.get(&id).filter(|_| kind == Kind::Tree) {
            return Ok(content);
        }
        let (found, content) = self.repository().object(id)?;
        expect_kind(id, found, kind)?;
        let content = Arc::new(content);
        if kind == Kind::Tree {
            self.ledger.trees.insert(id, content.clone(), content.len());
        }
        Ok(content)
    }

    /// Spares finding out what is known.
    pub fn remember_tree(&mut self, commit: Oid, tree: Oid) {
        self.ledger.roots.insert(commit, tree, 1);
    }

    /// What a commit's files are.
    pub fn tree_of(&mut self, commit: Oid) -> Result<Oid> {
        if let Some(tree) = self.ledger.roots.get(&commit) {
            return Ok(tree);
        }
        let content = self.content(commit, Kind::Commit)?;
        let tree = content.strip_prefix(b"tree ").and_then(id_of);
        let tree =
            tree.ok_or_else(|| Error::corrupt(format!("the commit {commit} has no tree")))?;
        self.ledger.roots.insert(commit, tree, 1);
        Ok(tree)
    }

    /// What a path stands for in a tree.
    pub fn find(&mut self, tree: Oid, path: &[u8]) -> Result<Option<Entry>> {
        let mut here = edit::folder(tree);
        for part in path.split(|it| *it == b'/') {
            if !here.is_folder() {
                return Ok(None);
            }
            let content = self.content(here.id, Kind::Tree)?;
            match edit::find(&content, part) {
                Some(entry) => here = entry,
                None => return Ok(None),
            }
        }
        Ok(Some(here))
    }

    /// The tree with some paths changed; nothing where it would be empty.
    pub fn edit(&mut self, tree: Option<Oid>, changes: &Node) -> Result<Option<Oid>> {
        let content = match tree {
            Some(id) => self.content(id, Kind::Tree)?,
            None => Arc::default(),
        };
        let mut here: BTreeMap<&[u8], Option<Entry>> = BTreeMap::new();
        for (name, change) in &changes.0 {
            let entry = match change {
                Change::Entry(entry) => *entry,
                Change::Below { node, replaces_file } => {
                    let before = edit::find(&content, name);
                    if !replaces_file && before.is_some_and(|it| !it.is_folder()) {
                        let name = String::from_utf8_lossy(name);
                        let message = format!("{name:?} is a file, so nothing can be below it");
                        return Err(Error::bad_request(message).with("field", "changes"));
                    }
                    let before = before.filter(Entry::is_folder).map(|it| it.id);
                    self.edit(before, node)?.map(edit::folder)
                }
            };
            here.insert(name, entry);
        }
        let damaged =
            || Error::corrupt(format!("the tree {} is damaged", tree.unwrap_or(Oid::ZERO_SHA1)));
        let edited = edit::edited(&content, &here).ok_or_else(damaged)?;
        if edited.is_empty() {
            return Ok(None);
        }
        let before = tree.map(|it| (it, content.as_slice()));
        Ok(Some(self.add_tree(edited, before)))
    }

    /// The tree of a commit without files.
    pub fn empty_tree(&mut self) -> Oid {
        self.add(Kind::Tree, Vec::new())
    }

    /// Makes all of it one durable step.
    pub fn carry_out(mut self) -> Result<()> {
        let mut follows = Vec::new();
        for (branch, follow) in std::mem::take(&mut self.follows) {
            let commit = self.at(&branch.reference())?;
            let tree = commit.map(|it| self.tree_of(it)).transpose()?;
            follows.extend(tree.map(|it| (it, follow)));
        }
        self.hold_all()?;
        let Transaction { image, moves, lines, held, is_one, is_durable, is_later, .. } = self;
        let step = Step { image, moves, lines, held, is_one, is_durable, is_later, follows };
        self.ledger.carry_out(step, &mut self.site)
    }
}

/// Fails where an object is not what something in the repository says it is.
pub(super) fn expect_kind(id: Oid, found: Kind, wanted: Kind) -> Result<()> {
    match found == wanted {
        true => Ok(()),
        false => {
            let (found, wanted) = (found.name(), wanted.name());
            Err(Error::corrupt(format!("{id} is a {found}, not a {wanted}")))
        }
    }
}
