//! One open repository: what it is, and what its revisions name.

use std::{cell::OnceCell, path::Path, sync::Arc, time::Instant};

use serde::Serialize;

use super::{
    Person, RepositoryPath, Text,
    failure::is_too_short,
    hash::whole_id,
    history::Commit,
    now,
    objects::Objects,
    pack::Kind,
    plain::{self, expect_plain_at},
    refs::{BRANCHES, Branch, REPLACEMENTS},
    set_up,
    tip::Stamp,
};
use crate::error::{Error, Result};

/// How often what reads `HEAD` is tried while it moves.
const HEAD_TRIES: usize = 100;

/// A repository on disk. A handle is for one thread at a time.
pub struct Repository {
    pub(super) inner: git2::Repository,
    pub(super) objects: Arc<Objects>,
    /// Name and email, read once: where the configuration changes, the handle is another one.
    owner: OnceCell<(Vec<u8>, Vec<u8>)>,
    /// When what is asked of it now was asked.
    pub(super) asked: Instant,
}

impl Repository {
    /// Opens the repository at exactly this path: its top folder, or a bare one.
    pub fn open(path: &RepositoryPath, root: Option<&Path>) -> Result<Repository> {
        expect_plain_at(path, root)?;
        Repository::open_again(path)
    }

    pub(super) fn open_at(path: &Path) -> Result<Repository> {
        expect_plain_at(path, None)?;
        Repository::open_again(path)
    }

    /// The same of one that was looked at when it was opened before.
    pub(super) fn open_again(path: &Path) -> Result<Repository> {
        set_up();
        let flags = git2::RepositoryOpenFlags::NO_SEARCH;
        let none: [&Path; 0] = [];
        let inner = git2::Repository::open_ext(path, flags, none).map_err(|error| {
            let failure = Error::from(error);
            match failure.code {
                crate::error::Code::NotFound => {
                    Error::not_found(format!("no repository is at {}", path.display()))
                }
                _ => failure.while_doing(format!("opening {}", path.display())),
            }
        })?;
        let repository = Repository::from(inner);
        repository.expect_no_replacements()?;
        Ok(repository)
    }

    /// libgit2 knows nothing of `git replace`, and what it would read is what was replaced.
    fn expect_no_replacements(&self) -> Result<()> {
        match self.inner.references_glob(&format!("{REPLACEMENTS}*"))?.next() {
            None => Ok(()),
            Some(_) => Err(Error::unsupported("objects are replaced by `git replace`")
                .with("feature", "replace refs")),
        }
    }

    /// The same repository, with what another handle of it read already.
    pub fn sharing(self, objects: Arc<Objects>) -> Repository {
        Repository { objects, ..self }
    }

    pub fn objects(&self) -> &Arc<Objects> {
        &self.objects
    }

    pub fn is_bare(&self) -> bool {
        self.inner.is_bare()
    }

    /// The folder with this worktree's own files: `HEAD` and `index`.
    pub fn git_folder(&self) -> &Path {
        self.inner.path()
    }

    /// The folder with what all worktrees share: objects and refs.
    pub fn common_folder(&self) -> &Path {
        self.inner.commondir()
    }

    /// The object a revision names, as `git rev-parse` would say.
    pub(super) fn resolve(&self, rev: &str) -> Result<git2::Object<'_>> {
        self.expect_plain_rev(rev)?;
        match whole_id(rev) {
            Some(_) => self.resolve_once(rev),
            None => self.with_steady_head(|| self.resolve_once(rev)),
        }
    }

    /// Carries out what reads `HEAD`, and again where it moved meanwhile: libgit2 looks how long
    /// the file is before it reads it, and takes a part of what came in between for the whole.
    pub(super) fn with_steady_head<T>(&self, work: impl Fn() -> Result<T>) -> Result<T> {
        let head = self.git_folder().join("HEAD");
        self.expect_plain_head()?;
        let mut before = Stamp::of(&head);
        for _ in 0..HEAD_TRIES {
            let result = work();
            let after = Stamp::of(&head);
            if before == after {
                return result;
            }
            before = after;
        }
        Err(Error::busy("HEAD moves all the time").with("retry_after_ms", 100))
    }

    fn resolve_once(&self, rev: &str) -> Result<git2::Object<'_>> {
        self.inner.revparse_single(rev).map_err(|error| {
            let is_unborn = rev == "HEAD" && self.is_unborn();
            match (is_unborn, error.code()) {
                (true, _) => Error::not_found("HEAD names a branch without a commit"),
                (_, git2::ErrorCode::InvalidSpec) if rev == "HEAD" => {
                    Error::corrupt(format!("HEAD: {}", error.message()))
                }
                (_, git2::ErrorCode::NotFound) => self.leads_nowhere(rev, error),
                _ if is_too_short(&error) => self.missing(format!("no revision is `{rev}`")),
                _ => Error::from(error).while_doing(format!("resolving `{rev}`")),
            }
        })
    }

    /// Nothing has that name, or the ref at its beginning leads to what is not there.
    fn leads_nowhere(&self, rev: &str, error: git2::Error) -> Error {
        let base = rev.split(['^', '~', ':', '@']).next().unwrap_or_default();
        let base = if base.is_empty() { "HEAD" } else { base };
        let target = self.inner.resolve_reference_from_short_name(base).ok();
        let target = target.and_then(|it| it.resolve().ok()?.target());
        match target {
            Some(id) if !self.inner.odb().is_ok_and(|it| it.exists(id)) => {
                self.unreadable(id, error).while_doing(format!("resolving `{rev}`"))
            }
            _ => self.missing(format!("no revision is `{rev}`")),
        }
    }

    pub(super) fn resolve_commit(&self, rev: &str) -> Result<git2::Commit<'_>> {
        let object = self.resolve(rev)?;
        let kind = object.kind().map_or("object", |it| it.str()).to_owned();
        object
            .peel_to_commit()
            .map_err(|_| Error::bad_request(format!("`{rev}` names a {kind}, not a commit")))
    }

    /// The root folder of a commit, or the tree a revision names directly.
    pub(super) fn resolve_tree(&self, rev: &str) -> Result<git2::Tree<'_>> {
        let object = self.resolve(rev)?;
        object.peel_to_tree().map_err(|error| match error.code() {
            git2::ErrorCode::InvalidSpec | git2::ErrorCode::Peel => {
                Error::bad_request(format!("`{rev}` names no commit and no tree"))
            }
            _ => Error::corrupt(error.message()),
        })
    }

    /// Any object, as it is.
    pub(super) fn object(&self, id: git2::Oid) -> Result<(Kind, Vec<u8>)> {
        if let Some(object) = self.objects.object(id) {
            return Ok(object);
        }
        let odb = self.inner.odb()?;
        let object = odb.read(id).map_err(|error| self.unreadable(id, error))?;
        let kind = match object.kind() {
            git2::ObjectType::Commit => Kind::Commit,
            git2::ObjectType::Tree => Kind::Tree,
            git2::ObjectType::Tag => Kind::Tag,
            _ => Kind::Blob,
        };
        Ok((kind, object.data().to_vec()))
    }

    /// What an annotated tag stands for in the end; nothing for another object.
    pub(super) fn peeled(&self, id: git2::Oid) -> Result<Option<git2::Oid>> {
        let (_, kind) = self.inner.odb()?.read_header(id)?;
        match kind {
            git2::ObjectType::Tag => {
                let tag = self.inner.find_object(id, Some(kind))?;
                Ok(Some(tag.peel(git2::ObjectType::Any)?.id()))
            }
            _ => Ok(None),
        }
    }

    /// Whether nothing is missing of what an object needs, beyond what these others need.
    pub(super) fn is_whole_since(&self, id: git2::Oid, known: &[git2::Oid]) -> bool {
        let look = || -> std::result::Result<(), git2::Error> {
            let odb = self.inner.odb()?;
            odb.refresh()?;
            let object = self.inner.find_object(id, None)?.peel(git2::ObjectType::Any)?;
            if object.kind() != Some(git2::ObjectType::Commit) {
                return Ok(());
            }
            let mut walk = self.inner.revwalk()?;
            walk.push(object.id())?;
            known.iter().filter(|it| odb.exists(**it)).try_for_each(|it| walk.hide(*it))?;
            self.inner.packbuilder()?.insert_walk(&mut walk)
        };
        let is_missing = |error: &git2::Error| {
            error.code() == git2::ErrorCode::NotFound || error.class() == git2::ErrorClass::Odb
        };
        self.is_partial() || !look().is_err_and(|error| is_missing(&error))
    }

    /// Who changes the repository where nobody says who: as its own configuration has it.
    pub fn owner(&self) -> Person {
        let (name, email) = self.owner.get_or_init(|| self.find_owner()).clone();
        Person { name, email, time: now(), offset: 0 }
    }

    fn find_owner(&self) -> (Vec<u8>, Vec<u8>) {
        let config = self.inner.config().ok();
        let text = |key| config.as_ref().and_then(|it| it.get_string(key).ok());
        let own = |key, other: &str| text(key).unwrap_or_else(|| other.to_owned()).into_bytes();
        let (name, email) = (own("user.name", "gitport"), own("user.email", "gitport@localhost"));
        let person = Person { name, email, time: now(), offset: 0 };
        match person.check("user.name") {
            Ok(()) => (person.name, person.email),
            Err(_) => (b"gitport".to_vec(), Vec::new()),
        }
    }

    /// The ref that `HEAD` stands for.
    pub(super) fn head_target(&self) -> Option<Vec<u8>> {
        head_target(&self.git_folder().join("HEAD"))
    }

    /// The branch that `HEAD` is on.
    pub fn current_branch(&self) -> Result<Branch> {
        self.with_steady_head(|| {
            let head = self.inner.find_reference("HEAD")?;
            match head.symbolic_target() {
                Ok(Some(target)) if target.starts_with(BRANCHES) => Branch::new(target),
                Ok(Some(target)) => {
                    let message = format!("HEAD is at `{target}`, which is no branch: name one");
                    Err(Error::bad_request(message).with("field", "branch"))
                }
                _ => Err(Error::bad_request("HEAD is on no branch: say which one is meant")
                    .with("field", "branch")),
            }
        })
    }

    pub fn commit(&self, rev: &str) -> Result<Commit> {
        Ok(Commit::from(&self.resolve_commit(rev)?))
    }

    /// Whether `HEAD` names a branch that has no commit yet.
    pub(super) fn is_unborn(&self) -> bool {
        let is_unborn = |it: &git2::Error| it.code() == git2::ErrorCode::UnbornBranch;
        self.expect_plain_head().is_ok() && self.inner.head().is_err_and(|it| is_unborn(&it))
    }

    /// What it means that an object is not here: in a partial clone it may only not have come yet.
    pub(super) fn missing(&self, message: String) -> Error {
        match self.is_partial() {
            true => {
                Error::unsupported(format!("{message}; this is a partial clone, which may lack it"))
                    .with("feature", "partial clone")
            }
            false => Error::not_found(message),
        }
    }

    /// What it means that an object cannot be read.
    pub(super) fn unreadable(&self, id: git2::Oid, error: git2::Error) -> Error {
        let name = id.to_string();
        let loose = self.common_folder().join("objects").join(&name[..2]).join(&name[2..]);
        match error.code() {
            git2::ErrorCode::NotFound if loose.exists() => {
                Error::corrupt(format!("the object {name} is damaged"))
            }
            git2::ErrorCode::NotFound if !self.is_partial() => {
                Error::corrupt(format!("the object {name} is missing"))
            }
            git2::ErrorCode::NotFound => self.missing(format!("the object {name} is missing")),
            _ => Error::from(error),
        }
    }

    pub(super) fn is_partial(&self) -> bool {
        let Ok(config) = self.inner.config() else { return false };
        config.get_string("extensions.partialclone").is_ok()
            || config.get_bool("remote.origin.promisor").unwrap_or(false)
    }

    /// The folder where files are checked out.
    pub(super) fn worktree(&self, for_what: &str) -> Result<&Path> {
        let config = self.inner.config()?;
        if config.get_bool("core.sparsecheckout").unwrap_or(false) {
            let message = format!("a sparse checkout is not understood well enough to {for_what}");
            return Err(Error::unsupported(message).with("feature", "sparse checkout"));
        }
        self.inner.workdir().ok_or_else(|| {
            Error::unsupported(format!("a bare repository has no worktree to {for_what}"))
                .with("feature", "bare repository")
        })
    }
}

impl From<git2::Repository> for Repository {
    fn from(inner: git2::Repository) -> Repository {
        let objects = Arc::new(Objects::new(inner.path(), inner.commondir()));
        Repository { inner, objects, owner: OnceCell::new(), asked: Instant::now() }
    }
}

/// The ref that a `HEAD` stands for.
pub(super) fn head_target(file: &Path) -> Option<Vec<u8>> {
    let content = plain::read(file).ok()?;
    Some(content.strip_prefix(b"ref:")?.trim_ascii().to_vec())
}

/// What a message or a name is on the wire.
pub(super) fn text(bytes: &[u8]) -> Text {
    Text(bytes.to_vec())
}

/// An object id on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Sha(pub String);

impl From<git2::Oid> for Sha {
    fn from(id: git2::Oid) -> Sha {
        Sha(id.to_string())
    }
}
