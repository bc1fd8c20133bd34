//! Commits: files of a branch changed by names, in one go.

use std::{
    io::Write,
    time::{SystemTime, UNIX_EPOCH},
};

use git2::Oid;
use serde::Serialize;

use super::{
    FileName, Signer, Transaction, edit::Entry, fit, pack::Kind, reflog, refs::Branch,
    repository::Sha, signature::object, transaction::Node, tree,
};
use crate::error::{Error, Result};

/// What most commits say before their message.
const HEAD_BYTES: usize = 300;
/// What a reflog says of a first commit.
const INITIAL: &str = "commit (initial)";

/// What a commit shall be.
pub struct Draft {
    pub branch: Branch,
    pub files: Files,
    pub message: Message,
    pub author: Person,
    pub committer: Person,
    pub expect: Option<Expect>,
    /// Whether it may change no file.
    pub may_be_empty: bool,
    pub signer: Option<Signer>,
}

/// Where its files come from.
pub enum Files {
    Named(Vec<Change>),
    /// All that is different in the worktree, as `git add --all` would take it.
    Worktree,
}

/// One file of it.
pub struct Change {
    pub file: FileName,
    pub what: What,
}

pub enum What {
    /// The mode stays as it is unless given.
    Write {
        content: Vec<u8>,
        mode: Option<Mode>,
    },
    Mode(Mode),
    Delete,
    Rename {
        to: FileName,
        mode: Option<Mode>,
    },
}

/// What kind of file it is, as Git writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Plain,
    Executable,
    Link,
}

impl Mode {
    pub fn bits(self) -> u32 {
        match self {
            Mode::Plain => tree::PLAIN,
            Mode::Executable => tree::EXECUTABLE,
            Mode::Link => tree::LINK,
        }
    }
}

impl TryFrom<&str> for Mode {
    type Error = &'static str;

    fn try_from(name: &str) -> Result<Mode, &'static str> {
        match name {
            "100644" => Ok(Mode::Plain),
            "100755" => Ok(Mode::Executable),
            "120000" => Ok(Mode::Link),
            _ => Err("it is `100644`, `100755` (executable) or `120000` (symbolic link)"),
        }
    }
}

/// Where a ref must be for something to be done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    Absent,
    At(Oid),
}

impl Expect {
    /// An id; only zeros say that there must be none.
    pub fn new(id: &str) -> Result<Expect> {
        match Oid::from_str(id) {
            Ok(id) if id.is_zero() => Ok(Expect::Absent),
            Ok(found) if found.to_string().eq_ignore_ascii_case(id) => Ok(Expect::At(found)),
            _ => Err(Error::bad_request("`expect` is a whole id, or 40 zeros for none")
                .with("field", "expect")),
        }
    }

    pub fn check(expect: Option<Expect>, actual: Option<Oid>, what: &str) -> Result<()> {
        let expected = match expect {
            None => return Ok(()),
            Some(Expect::Absent) => None,
            Some(Expect::At(id)) => Some(id),
        };
        if expected == actual {
            return Ok(());
        }
        let name = |it: Option<Oid>| it.map_or("nothing".to_owned(), |it| it.to_string());
        Err(Error::conflict(format!("{what} is at {}", name(actual)))
            .with("expected", expected.unwrap_or(Oid::ZERO_SHA1).to_string())
            .with("actual", actual.unwrap_or(Oid::ZERO_SHA1).to_string()))
    }
}

pub struct Message {
    pub text: Vec<u8>,
    /// What it is encoded in, if not in UTF-8.
    pub encoding: Option<String>,
}

/// Somebody at some time.
#[derive(Clone)]
pub struct Person {
    pub name: Vec<u8>,
    pub email: Vec<u8>,
    /// Seconds since 1970.
    pub time: i64,
    /// Minutes east of UTC.
    pub offset: i32,
}

impl Person {
    /// The name and the mail as text.
    pub fn texts(&self) -> (String, String) {
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        (text(&self.name), text(&self.email))
    }

    /// Fails where Git could not read it back.
    pub fn check(&self, field: &'static str) -> Result<()> {
        let is_readable = |it: &[u8]| !it.iter().any(|it| b"<>\n\0".contains(it));
        if !is_readable(&self.name) || !is_readable(&self.email) || self.name.is_empty() {
            let message = format!("`{field}` needs a name, and no `<`, `>`, line end or NUL in it");
            return Err(Error::bad_request(message).with("field", field));
        }
        if !(0..=i64::from(u32::MAX) * 64).contains(&self.time) || 1440 <= self.offset.abs() {
            let message = format!("`{field}` has a time that Git does not take");
            return Err(Error::bad_request(message).with("field", field));
        }
        Ok(())
    }

    pub fn line(&self, role: &str) -> Vec<u8> {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let (hours, minutes) = (self.offset.abs() / 60, self.offset.abs() % 60);
        let time = format!("> {} {sign}{hours:02}{minutes:02}\n", self.time);
        [role.as_bytes(), b" ", &self.name, b" <", &self.email, time.as_bytes()].concat()
    }
}

/// Now, in seconds since 1970.
pub fn now() -> i64 {
    (now_ms() / 1000).cast_signed()
}

/// The same in milliseconds.
pub fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
pub struct Committed {
    pub commit: Sha,
    pub tree: Sha,
}

/// All that a commit object says.
pub struct Content<'a> {
    pub tree: Oid,
    pub parents: &'a [Oid],
    pub author: &'a Person,
    pub committer: &'a Person,
    pub message: &'a Message,
}

impl Content<'_> {
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.message.text.len());
        let fits = "memory does not fail";
        writeln!(bytes, "tree {}", self.tree).expect(fits);
        self.parents.iter().for_each(|it| writeln!(bytes, "parent {it}").expect(fits));
        bytes.extend_from_slice(&self.author.line("author"));
        bytes.extend_from_slice(&self.committer.line("committer"));
        if let Some(encoding) = &self.message.encoding {
            writeln!(bytes, "encoding {encoding}").expect(fits);
        }
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.message.text);
        bytes
    }
}

impl Transaction<'_> {
    /// Makes a commit and moves its branch there.
    pub fn commit(&mut self, draft: &Draft) -> Result<Committed> {
        let reference = draft.branch.reference();
        let parent = self.at(&reference)?;
        let what = format!("`{}`", draft.branch.name());
        Expect::check(draft.expect, parent, &what)?;
        let before = parent.map(|it| self.tree_of(it)).transpose()?;
        let node = match &draft.files {
            Files::Named(changes) => self.named(before, changes)?,
            Files::Worktree => self.worktree_changes(&draft.branch)?,
        };
        let edited = self.edit(before, &node)?;
        let tree = edited.unwrap_or_else(|| self.empty_tree());
        let is_empty = Some(tree) == before || edited.is_none() && before.is_none();
        if is_empty && !draft.may_be_empty {
            let message = format!("{what} has these files already: there is nothing to commit");
            return Err(Error::conflict(message)
                .with("expected", "a change")
                .with("actual", tree.to_string()));
        }
        let parents = parent.into_iter().collect::<Vec<Oid>>();
        let Draft { author, committer, message, .. } = draft;
        let content = Content { tree, parents: &parents, author, committer, message };
        let commit = self.add_commit(&content, draft.signer.as_ref())?;
        if let Files::Named(_) = draft.files {
            self.follow(&draft.branch, before, tree)?;
        }
        let why = reflog::subject(if parent.is_some() { "commit" } else { INITIAL }, message);
        self.move_because(&reference, Some(commit), committer, &why)?;
        Ok(Committed { commit: Sha::from(commit), tree: Sha::from(tree) })
    }

    /// Adds a commit, signed if there is somebody to sign it: its id is that of what was signed.
    pub fn add_commit(&mut self, content: &Content, signer: Option<&Signer>) -> Result<Oid> {
        content.parents.iter().try_for_each(|it| self.expect_present(*it))?;
        let bytes = content.bytes();
        let bytes = match signer {
            Some(signer) => object::sign(object::Kind::Commit, &bytes, signer)?,
            None => bytes,
        };
        let commit = self.add(Kind::Commit, bytes);
        self.remember_tree(commit, content.tree);
        Ok(commit)
    }

    /// What becomes of these files.
    fn named(&mut self, tree: Option<Oid>, changes: &[Change]) -> Result<Node> {
        let mut node = Node::default();
        for Change { file, what } in changes {
            let name = file.as_bytes();
            fit::expect_depth(name)?;
            let twice = || {
                let file = String::from_utf8_lossy(name);
                let message = format!("{file:?} is changed twice, or is a file and a folder");
                Error::bad_request(message).with("field", "changes")
            };
            let found = tree.map_or(Ok(None), |it| self.find(it, name))?;
            let found = expect_no_folder(name, found)?;
            let there = || found.ok_or_else(|| missing(name));
            let entry = match what {
                What::Write { content, mode } => {
                    let kept = found.filter(|it| tree::Kind::of(it.mode) != tree::Kind::Submodule);
                    let kept = kept.map_or(Mode::Plain.bits(), |it| it.mode);
                    let mode = mode.map_or(kept, Mode::bits);
                    expect_fit(name, mode, Some(content))?;
                    Some(Entry { mode, id: self.add(Kind::Blob, content.clone()) })
                }
                What::Mode(mode) => Some(self.with_mode(name, there()?, Some(*mode))?),
                What::Delete => there().map(|_| None)?,
                What::Rename { to, mode } => {
                    let entry = there()?;
                    if tree.map_or(Ok(None), |it| self.find(it, to.as_bytes()))?.is_some() {
                        let to = String::from_utf8_lossy(to.as_bytes());
                        return Err(Error::already_exists(format!("{to:?} is there already")));
                    }
                    let entry = self.with_mode(to.as_bytes(), entry, *mode)?;
                    if !node.set(to.as_bytes(), Some(entry)) {
                        return Err(twice());
                    }
                    None
                }
            };
            if !node.set(name, entry) {
                return Err(twice());
            }
        }
        Ok(node)
    }

    /// A file that is there, with this name and perhaps another mode.
    fn with_mode(&mut self, name: &[u8], entry: Entry, mode: Option<Mode>) -> Result<Entry> {
        let mode = mode.map_or(entry.mode, Mode::bits);
        let becomes_link = mode == tree::LINK && entry.mode != mode;
        let target = becomes_link.then(|| self.content(entry.id, Kind::Blob)).transpose()?;
        expect_fit(name, mode, target.as_ref().map(|it| it.as_slice()))?;
        Ok(Entry { mode, ..entry })
    }
}

/// Fails for what Git refuses later on, or no file system has.
fn expect_fit(name: &[u8], mode: u32, content: Option<&[u8]>) -> Result<()> {
    fit::expect_depth(name)?;
    fit::expect_no_link_to_modules(name, mode)?;
    let target = content.filter(|_| mode == tree::LINK);
    match fit::flaw_of_name(name).or_else(|| fit::flaw_of_target(target?)) {
        None => Ok(()),
        Some(flaw) => {
            let name = String::from_utf8_lossy(name);
            Err(Error::bad_request(format!("{name:?} {flaw}")).with("field", "changes"))
        }
    }
}

fn missing(name: &[u8]) -> Error {
    Error::not_found(format!("no file is called {:?}", String::from_utf8_lossy(name)))
}

fn expect_no_folder(name: &[u8], found: Option<Entry>) -> Result<Option<Entry>> {
    match found {
        Some(entry) if entry.is_folder() => {
            let name = String::from_utf8_lossy(name);
            Err(Error::bad_request(format!("{name:?} is a folder")).with("field", "changes"))
        }
        found => Ok(found),
    }
}
