//! Lists of refs, page by page in the order of their bytes.
//!
//! A page costs what is on it, not what the repository has: packed refs are kept between requests
//! for as long as their file stays as it was.

use std::{
    fs,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::Path,
};

use git2::Oid;
use globset::{GlobBuilder, GlobMatcher};
use serde::Serialize;

use super::{
    Repository, Text,
    ledger::{Loose, Packed, read_loose},
    refs::REFS,
    repository::Sha,
};
use crate::{
    error::{Error, Result},
    watch::Watch,
};

/// So many refs are looked at in one go.
const PAGE: usize = 10_000;
/// So many refs stand for one another at most, as in Git.
const DEPTH_MAX: usize = 5;

/// Which refs are wanted.
pub struct RefQuery {
    /// What their names begin with.
    pub prefix: Vec<u8>,
    /// What is matched against the rest of the name.
    pub pattern: Option<Pattern>,
    pub limit: usize,
    /// The name that the page comes after; there need not be one.
    pub after: Option<Vec<u8>>,
}

impl RefQuery {
    /// The same for names without the folder that they are all in.
    pub fn below(mut self, folder: &str) -> RefQuery {
        let whole = |it: Vec<u8>| [folder.as_bytes(), &it].concat();
        self.after = self.after.map(whole);
        RefQuery { prefix: folder.as_bytes().to_vec(), ..self }
    }
}

pub struct Pattern(GlobMatcher);

impl Pattern {
    /// `*` does not match `/`, `**` does.
    pub fn new(pattern: &str) -> Result<Pattern> {
        let glob = GlobBuilder::new(pattern).literal_separator(true).backslash_escape(true).build();
        let glob = glob.map_err(|error| {
            Error::bad_request(format!("`pattern`: {error}")).with("field", "pattern")
        })?;
        Ok(Pattern(glob.compile_matcher()))
    }

    fn is_match(&self, name: &[u8]) -> bool {
        self.0.is_match(std::ffi::OsStr::from_bytes(name))
    }
}

/// A ref as it was found.
pub(super) struct Found {
    pub name: Vec<u8>,
    pub id: Oid,
    /// What an annotated tag stands for in the end.
    pub peeled: Option<Oid>,
    /// The ref that it stands for.
    pub symbolic: Option<Vec<u8>>,
}

#[derive(Serialize)]
pub struct Ref {
    pub name: Text,
    pub sha: Sha,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peeled: Option<Sha>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbolic: Option<Text>,
}

#[derive(Serialize)]
pub struct RefPage {
    pub refs: Vec<Ref>,
    pub next: Option<Text>,
}

impl Repository {
    pub fn refs(&self, query: &RefQuery, watch: &Watch) -> Result<RefPage> {
        let (found, next) = self.references(query, watch)?;
        let shown = |it: Found| Ref {
            name: Text(it.name),
            sha: Sha::from(it.id),
            peeled: it.peeled.map(Sha::from),
            symbolic: it.symbolic.map(Text),
        };
        Ok(RefPage { refs: found.into_iter().map(shown).collect(), next })
    }

    /// All refs in a folder, by their names in it; what is not UTF-8 is left out.
    pub(super) fn all_below(&self, folder: &str, watch: &Watch) -> Result<Vec<(String, Oid)>> {
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let query = RefQuery {
                prefix: folder.as_bytes().to_vec(),
                pattern: None,
                limit: PAGE,
                after: after.take(),
            };
            let (found, next) = self.references(&query, watch)?;
            let short = |it: &Found| {
                Some((str::from_utf8(&it.name[folder.len()..]).ok()?.to_owned(), it.id))
            };
            all.extend(found.iter().filter_map(short));
            match next {
                Some(Text(next)) => after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// A page of refs, and what the next one comes after. What is damaged or stands for nothing is
    /// left out, as Git does.
    pub(super) fn references(
        &self,
        query: &RefQuery,
        watch: &Watch,
    ) -> Result<(Vec<Found>, Option<Text>)> {
        // In this order: a ref that is packed meanwhile is found twice rather than never.
        let loose = self.loose_names(&query.prefix);
        let mut packed = self.objects.packed();
        packed.refresh(self.common_folder())?;
        let is_wanted = |name: &[u8]| {
            query.after.as_ref().is_none_or(|it| it.as_slice() < name)
                && query.pattern.as_ref().is_none_or(|it| it.is_match(&name[query.prefix.len()..]))
        };
        let from = query.after.as_deref().unwrap_or_default().max(&query.prefix);
        let mut packed_refs =
            packed.from(from).take_while(|it| it.name.starts_with(&query.prefix)).peekable();
        let mut loose = loose.iter().filter(|it| from <= it.as_slice()).peekable();
        let mut found: Vec<Found> = Vec::new();
        // Those of them whose file went while it was looked for, or whose target's did.
        let mut gone: Vec<usize> = Vec::new();
        let next = loop {
            watch.check()?;
            let in_packed = packed_refs.peek().map(|it| it.name);
            let in_loose = loose.peek().map(|it| it.as_slice());
            let name = match (in_packed, in_loose) {
                (Some(packed), Some(loose)) => packed.min(loose),
                (Some(name), None) | (None, Some(name)) => name,
                (None, None) => break None,
            };
            let in_packed = packed_refs.next_if(|it| it.name == name);
            let is_loose = loose.next_if(|it| it.as_slice() == name).is_some();
            if !is_wanted(name) {
                continue;
            }
            let (id, peeled, symbolic) = match in_packed {
                Some(line) if !is_loose => (Some(line.id), line.peeled, None),
                _ => match self.loose(name)? {
                    Loose::Torn => continue,
                    Loose::Absent => (None, None, None),
                    Loose::At(id) => (Some(id), None, None),
                    Loose::Symbolic(target) => (self.follow(&target, &packed)?, None, Some(target)),
                },
            };
            if found.len() == query.limit {
                break found.last().map(|it| Text(it.name.clone()));
            }
            let name = name.to_vec();
            found.push(match id {
                Some(id) => {
                    let peeled = peeled.unwrap_or_else(|| self.peeled_of(id));
                    Found { name, id, peeled, symbolic }
                }
                None => {
                    gone.push(found.len());
                    Found { name, id: Oid::ZERO_SHA1, peeled: None, symbolic }
                }
            });
        };
        drop(packed_refs);
        self.find_again(&mut found, &gone, &mut packed)?;
        Ok((found, next))
    }

    /// A file that went was packed before, or the ref is no more.
    fn find_again(
        &self,
        found: &mut Vec<Found>,
        gone: &[usize],
        packed: &mut Packed,
    ) -> Result<()> {
        if gone.is_empty() {
            return Ok(());
        }
        packed.refresh(self.common_folder())?;
        for index in gone {
            let it = &mut found[*index];
            let target = it.symbolic.as_ref().unwrap_or(&it.name);
            let Some(id) = self.follow(target, packed)? else { continue };
            (it.id, it.peeled) = (id, self.peeled_of(id));
        }
        found.retain(|it| !it.id.is_zero());
        Ok(())
    }

    /// One that leads to nothing is listed all the same.
    fn peeled_of(&self, id: Oid) -> Option<Oid> {
        self.peeled(id).unwrap_or_default()
    }

    fn loose(&self, name: &[u8]) -> Result<Loose> {
        read_loose(&self.common_folder().join(Path::new(std::ffi::OsStr::from_bytes(name))))
    }

    /// What a ref that others stand for is in the end.
    fn follow(&self, name: &[u8], packed: &Packed) -> Result<Option<Oid>> {
        let mut name = name.to_vec();
        for _ in 0..DEPTH_MAX {
            if !name.starts_with(REFS.as_bytes()) || name.windows(2).any(|it| it == b"..") {
                return Ok(None);
            }
            match self.loose(&name)? {
                Loose::At(id) => return Ok(Some(id)),
                Loose::Symbolic(next) => name = next,
                Loose::Absent => return Ok(packed.find(&name)),
                Loose::Torn => return Ok(None),
            }
        }
        Ok(None)
    }

    /// The names of refs with files of their own that begin so, in their order.
    fn loose_names(&self, prefix: &[u8]) -> Vec<Vec<u8>> {
        let folder = prefix.iter().rposition(|it| *it == b'/').map_or(REFS.len(), |it| it + 1);
        let folder = prefix.get(..folder).unwrap_or(REFS.as_bytes());
        let mut names = Vec::new();
        collect(self.common_folder(), folder, prefix, &mut names);
        names.sort_unstable();
        names
    }
}

fn collect(common_folder: &Path, folder: &[u8], prefix: &[u8], names: &mut Vec<Vec<u8>>) {
    let path = common_folder.join(Path::new(std::ffi::OsStr::from_bytes(folder)));
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        let mut name = [folder, &entry.file_name().into_vec()].concat();
        let overlaps = name.starts_with(prefix) || prefix.starts_with(&name);
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && overlaps => {
                name.push(b'/');
                collect(common_folder, &name, prefix, names);
            }
            Ok(kind) if kind.is_file() && name.starts_with(prefix) && !name.ends_with(b".lock") => {
                names.push(name);
            }
            _ => (),
        }
    }
}
