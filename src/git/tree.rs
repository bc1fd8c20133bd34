//! Folders and files as they are in a commit.

use std::{io::Read, ops::Deref, sync::Arc, time::Instant};

use globset::{GlobBuilder, GlobMatcher};
use serde::{Serialize, Serializer};

use super::{
    FileName, Repository, Text, fit, hash::whole_id, objects::Objects, pack::SMALL_BYTES_MAX,
    repository::Sha, trees::Place,
};
use crate::{
    error::{Code, Error, Result},
    watch::Watch,
};

const HEAD: &str = "HEAD";

/// The modes of files.
pub const PLAIN: u32 = 0o100_644;
pub const EXECUTABLE: u32 = 0o100_755;
pub const LINK: u32 = 0o120_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    File,
    Folder,
    Link,
    Submodule,
}

/// One name in a folder.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub name: Text,
    #[serde(rename = "type")]
    pub kind: Kind,
    pub size: u64,
    #[serde(serialize_with = "octal")]
    pub mode: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha: Option<Sha>,
}

pub fn octal<S: Serializer>(mode: &u32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{mode:06o}"))
}

/// Which names of a folder are wanted.
pub struct Listing {
    matcher: GlobMatcher,
    matches_whole_names: bool,
    pub recursive: bool,
    pub details: bool,
}

impl Listing {
    pub fn new(pattern: &str, recursive: bool, details: bool) -> Result<Listing> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
        let glob = glob.map_err(|error| {
            Error::bad_request(format!("`pattern`: {error}")).with("field", "pattern")
        })?;
        Ok(Listing {
            matcher: glob.compile_matcher(),
            matches_whole_names: pattern.contains('/'),
            recursive,
            details,
        })
    }

    pub fn wants(&self, kind: Kind, name: &[u8]) -> bool {
        let last = name.rsplit(|it| *it == b'/').next().unwrap_or(name);
        let candidate = if self.matches_whole_names { name } else { last };
        let candidate: &std::ffi::OsStr = std::os::unix::ffi::OsStrExt::from_bytes(candidate);
        (self.details || kind == Kind::File) && self.matcher.is_match(candidate)
    }
}

/// The bytes of a file, or some of them; shared with what is kept in memory.
pub struct Bytes {
    whole: Arc<Vec<u8>>,
    range: std::ops::Range<usize>,
}

impl Bytes {
    pub fn new(whole: Arc<Vec<u8>>, range: std::ops::Range<u64>) -> Bytes {
        Bytes { whole, range: range.start as usize..range.end as usize }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(whole: Vec<u8>) -> Bytes {
        Bytes { range: 0..whole.len(), whole: Arc::new(whole) }
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.whole[self.range.clone()]
    }
}

/// A part of a file; all of it unless something else is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    pub offset: u64,
    pub length: Option<u64>,
}

impl Range {
    /// What of it exists in a file of this size.
    pub fn within(self, size: u64) -> std::ops::Range<u64> {
        let start = self.offset.min(size);
        let end = start.saturating_add(self.length.unwrap_or(u64::MAX)).min(size);
        start..end
    }
}

impl Objects {
    /// The content of a file in a revision, if it is in memory, and the tree it is in. It is right
    /// if [`Objects::is_tree_of`] says so.
    pub fn known_file(&self, rev: &str, name: &FileName) -> Option<(git2::Oid, Arc<Vec<u8>>)> {
        let tree = match rev {
            HEAD => self.tip.last_known()?,
            _ => self.known_tree(whole_id(rev)?)?,
        };
        let place = self.known_place(tree, name.as_bytes())?;
        match Kind::of(place.mode) {
            Kind::File => Some((tree, self.known_blob(place.id)?)),
            _ => None,
        }
    }

    /// Whether a revision has this tree, for a request that came at `asked`.
    pub fn is_tree_of(&self, rev: &str, tree: git2::Oid, asked: Instant) -> bool {
        rev != HEAD || self.tip.known(asked) == Some(tree)
    }
}

impl Repository {
    /// The files of a folder in a revision, sorted by the bytes of their names.
    pub fn list(
        &self,
        rev: &str,
        below: Option<&FileName>,
        listing: &Listing,
        watch: &Watch,
    ) -> Result<Vec<Entry>> {
        let mut tree = self.resolve_tree(rev)?;
        if let Some(name) = below {
            let entry = tree.get_path(name.as_path());
            let entry = entry.map_err(|error| self.no_file(rev, name, &error))?;
            let object = entry.to_object(&self.inner)?;
            let shown = name.as_path().display();
            tree = object
                .into_tree()
                .map_err(|_| Error::not_found(format!("{shown} is no folder in `{rev}`")))?;
        }
        let mut entries = Vec::new();
        self.collect(&tree, &mut Vec::new(), listing, watch, &mut entries)?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn collect(
        &self,
        tree: &git2::Tree,
        prefix: &mut Vec<u8>,
        listing: &Listing,
        watch: &Watch,
        entries: &mut Vec<Entry>,
    ) -> Result<()> {
        watch.check()?;
        fit::expect_depth_of_folder(prefix)?;
        for found in tree {
            if found.name_bytes().starts_with(b".") {
                continue;
            }
            let length = prefix.len();
            if 0 < length {
                prefix.push(b'/');
            }
            prefix.extend_from_slice(found.name_bytes());
            let kind = Kind::of(found.filemode() as u32);
            if listing.wants(kind, prefix) {
                entries.push(self.entry(&found, kind, prefix, listing.details)?);
            }
            if listing.recursive && kind == Kind::Folder {
                let below = self.inner.find_tree(found.id())?;
                self.collect(&below, prefix, listing, watch, entries)?;
            }
            prefix.truncate(length);
        }
        Ok(())
    }

    fn entry(
        &self,
        found: &git2::TreeEntry,
        kind: Kind,
        name: &[u8],
        details: bool,
    ) -> Result<Entry> {
        let mode = found.filemode() as u32;
        let mut entry = Entry { name: Text::from(name), kind, size: 0, mode, sha: None };
        if details {
            entry.sha = Some(found.id().into());
            if matches!(kind, Kind::File | Kind::Link) {
                entry.size = self.inner.odb()?.read_header(found.id())?.0 as u64;
            }
        }
        Ok(entry)
    }

    /// The bytes of a file in a revision, or a range of them.
    pub fn read(&self, rev: &str, name: &FileName, range: Range, limit: u64) -> Result<Bytes> {
        let tree = self.tree_id(rev)?;
        let found = match self.objects.place(tree, name.as_bytes()).flatten() {
            Some(place) => place,
            None => {
                let found = self.inner.find_tree(tree)?.get_path(name.as_path());
                let found = found.map_err(|error| self.no_file(rev, name, &error))?;
                Place { id: found.id(), mode: found.filemode() as u32 }
            }
        };
        let shown = name.as_path().display();
        match Kind::of(found.mode) {
            Kind::File => (),
            Kind::Folder => return Err(Error::bad_request(format!("{shown} is a folder"))),
            Kind::Link => {
                let message = format!("{shown} is a symbolic link");
                return Err(Error::denied(message).with("rule", "symbolic link"));
            }
            Kind::Submodule => {
                let message = format!("{shown} is a submodule");
                return Err(Error::unsupported(message).with("feature", "submodule"));
            }
        }
        self.content(found.id, range, limit)
            .map_err(|error| error.while_doing(format!("the content of {shown}")))
    }

    /// The tree of a revision. A full commit id and `HEAD`, the usual ones, are known fast.
    fn tree_id(&self, rev: &str) -> Result<git2::Oid> {
        if rev == HEAD {
            return self.objects.tip.tree(self);
        }
        let resolve = || match self.resolve_tree(rev) {
            Ok(tree) => Ok(tree.id()),
            // Any other bad request is about the file.
            Err(error) if error.code == Code::BadRequest => Err(error.with("field", "rev")),
            Err(error) => Err(error),
        };
        match whole_id(rev) {
            Some(id) => self.objects.tree_of(id, resolve),
            None => resolve(),
        }
    }

    fn content(&self, id: git2::Oid, range: Range, limit: u64) -> Result<Bytes> {
        let within = |size: u64| {
            let range = range.within(size);
            let bytes = range.end - range.start;
            match bytes <= limit {
                true => Ok(range),
                false => Err(Error::too_large("too long for one reply; read it in ranges")
                    .with("bytes", bytes)
                    .with("limit", limit)),
            }
        };
        if let Some(content) = self.objects.blob(id) {
            let range = within(content.len() as u64)?;
            return Ok(Bytes::new(content, range));
        }
        if let Some(size) = self.objects.large(id) {
            let range = within(size)?;
            let damaged = || Error::corrupt("its object cannot be inflated");
            return self.objects.range(id, range).map(Bytes::from).ok_or_else(damaged);
        }
        self.content_by_libgit2(id, within)
    }

    /// Loose objects, alternates, and whatever else is rare.
    fn content_by_libgit2(
        &self,
        id: git2::Oid,
        within: impl Fn(u64) -> Result<std::ops::Range<u64>>,
    ) -> Result<Bytes> {
        let odb = self.inner.odb()?;
        let missing = |error: git2::Error| self.unreadable(id, error);
        let (size, _) = odb.read_header(id).map_err(missing)?;
        // A loose object can be read from its start without being held whole.
        if SMALL_BYTES_MAX < size as u64
            && let Ok((mut reader, _, _)) = odb.reader(id)
        {
            let range = within(size as u64)?;
            let failed = |error| Error::from_io("its object", &error);
            let mut skipped = Read::by_ref(&mut reader).take(range.start);
            std::io::copy(&mut skipped, &mut std::io::sink()).map_err(failed)?;
            let mut content = Vec::new();
            let length = range.end - range.start;
            reader.take(length).read_to_end(&mut content).map_err(failed)?;
            return Ok(content.into());
        }
        let object = odb.read(id).map_err(missing)?;
        let range = within(object.data().len() as u64)?;
        Ok(Bytes::new(Arc::new(object.data().to_vec()), range))
    }

    fn no_file(&self, rev: &str, name: &FileName, error: &git2::Error) -> Error {
        let shown = name.as_path().display();
        match error.class() {
            git2::ErrorClass::Tree => Error::not_found(format!("{shown} is not in `{rev}`")),
            _ if self.is_partial() => self.missing(format!("a folder of {shown} is missing")),
            _ => Error::corrupt(format!("{shown} in `{rev}`: {}", error.message())),
        }
    }
}

impl Kind {
    /// What a mode in a tree or an index says.
    pub fn of(mode: u32) -> Kind {
        match mode & 0o170_000 {
            0o040_000 => Kind::Folder,
            0o120_000 => Kind::Link,
            0o160_000 => Kind::Submodule,
            _ => Kind::File,
        }
    }
}
