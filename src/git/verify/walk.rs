//! The same without the git program: every object is read, and all that refs lead to is there.

use std::{collections::HashSet, fs};

use git2::Oid;
use sha1::{Digest, Sha1};

use super::{Kind, Problem};
use crate::{
    error::Result,
    git::{Repository, edit, folder::files_below, hash::object_id, maintain::reached, pack, tree},
    watch::{Progress, Stage, Watch},
};

/// Signature, version, number of objects; and the hash at the end.
const PACK_BYTES_MIN: usize = 12 + HASH_BYTES;
const HASH_BYTES: usize = 20;
/// How often the progress is told.
const STEP: usize = 1024;

impl Repository {
    pub(super) fn look_at_all(&self, watch: &Watch) -> Result<Vec<Problem>> {
        // Nothing that was open before: it may be gone.
        let fresh = Repository::open_at(self.common_folder())?;
        let mut problems = fresh.damaged_packs(watch)?;
        fresh.check_objects(&mut problems, watch)?;
        fresh.check_reached(&mut problems, watch)?;
        Ok(problems)
    }

    fn damaged_packs(&self, watch: &Watch) -> Result<Vec<Problem>> {
        let mut problems = Vec::new();
        let folder = self.common_folder().join("objects/pack");
        for index in files_below(&folder, &|it| it.ends_with(".idx")) {
            watch.check()?;
            for file in [index.with_extension("pack"), index] {
                let Ok(content) = fs::read(&file) else { continue };
                let split = content.len().saturating_sub(HASH_BYTES);
                let is_sound = PACK_BYTES_MIN <= content.len()
                    && Sha1::digest(&content[..split])[..] == content[split..];
                if !is_sound && file.exists() {
                    let name = file.file_name().unwrap_or_default().to_string_lossy();
                    let message = format!("{name} is not what was written");
                    problems.push(Problem::new(Kind::Pack, message));
                }
            }
        }
        Ok(problems)
    }

    /// Every object that is there, whether anything leads to it or not.
    fn check_objects(&self, problems: &mut Vec<Problem>, watch: &Watch) -> Result<()> {
        let odb = self.inner.odb()?;
        let mut ids = Vec::new();
        odb.foreach(|id| {
            ids.push(*id);
            true
        })?;
        for (index, id) in ids.iter().enumerate() {
            if index % STEP == 0 {
                watch.check()?;
                let (done, total) = (index as u64, ids.len() as u64);
                watch.tell(&Progress { stage: Stage::Checking, done, total, bytes: 0 });
            }
            match self.object(*id) {
                Ok((kind, content)) if object_id(kind, &content) != *id => {
                    problems.push(Problem::of_object(Kind::Object, *id, "its hash is another one"));
                }
                Ok((kind, content)) => {
                    if let Some(why) = flaw(kind, &content) {
                        problems.push(Problem::of_object(Kind::Object, *id, why));
                    }
                }
                Err(error) => {
                    problems.push(Problem::of_object(Kind::Object, *id, error.message));
                }
            }
        }
        Ok(())
    }

    fn check_reached(&self, problems: &mut Vec<Problem>, watch: &Watch) -> Result<()> {
        let mut next = Vec::new();
        for reference in self.inner.references()? {
            let reference = match reference {
                Ok(reference) => reference,
                Err(error) => {
                    problems.push(Problem::new(Kind::Ref, error.message()));
                    continue;
                }
            };
            let Some(id) = reference.target() else { continue };
            if self.object(id).is_err() {
                let name = String::from_utf8_lossy(reference.name_bytes()).into_owned();
                // What is damaged was told of already.
                let is_there = self.inner.odb()?.exists(id);
                let kind = if is_there { Kind::Ref } else { Kind::Missing };
                let problem = Problem::of_object(kind, id, "a ref leads to it");
                problems.push(Problem { reference: Some(name), ..problem });
            }
            next.push(id);
        }
        next.extend(self.inner.refname_to_id("HEAD").ok());
        let shallow = fs::read_to_string(self.common_folder().join("shallow")).unwrap_or_default();
        let ends: HashSet<Oid> = shallow.lines().filter_map(|it| Oid::from_str(it).ok()).collect();
        let mut seen = HashSet::new();
        while let Some(id) = next.pop() {
            if !seen.insert(id) {
                continue;
            }
            if seen.len() % STEP == 0 {
                watch.check()?;
            }
            match self.object(id) {
                Ok((kind, content)) => {
                    let from = next.len();
                    reached(kind, &content, &mut next);
                    if ends.contains(&id) {
                        // Only its files: its parents are beyond the depth.
                        next.truncate((from + 1).min(next.len()));
                    }
                }
                Err(_) => {
                    problems.push(Problem::of_object(Kind::Missing, id, "it is needed"));
                }
            }
        }
        Ok(())
    }
}

/// What Git's rules say against this content.
fn flaw(kind: pack::Kind, content: &[u8]) -> Option<String> {
    let begins = |heads: &[&str]| {
        let mut lines = content.split(|it| *it == b'\n');
        let lacks =
            heads.iter().find(|head| !lines.by_ref().any(|it| it.starts_with(head.as_bytes())));
        lacks.map(|it| format!("it has no line `{}`", it.trim_end()))
    };
    match kind {
        pack::Kind::Blob => None,
        pack::Kind::Commit => begins(&["tree ", "author ", "committer "]),
        pack::Kind::Tag => begins(&["object ", "type ", "tag "]),
        pack::Kind::Tree => flaw_of_tree(content),
    }
}

fn flaw_of_tree(content: &[u8]) -> Option<String> {
    let mut before: Option<Vec<u8>> = None;
    let mut bytes = 0;
    for (name, entry) in edit::entries(content) {
        let shown = String::from_utf8_lossy(name);
        let is_forbidden = matches!(name, b"" | b"." | b"..") || name.contains(&b'/');
        if is_forbidden || name.eq_ignore_ascii_case(b".git") {
            return Some(format!("no file may be called {shown:?}"));
        }
        // Folders are in the place of their names with a slash.
        let mut key = name.to_vec();
        if tree::Kind::of(entry.mode) == tree::Kind::Folder {
            key.push(b'/');
        }
        if before.is_some_and(|it| key <= it) {
            return Some(format!("{shown:?} is not in its place"));
        }
        bytes += format!("{:o} ", entry.mode).len() + name.len() + 1 + HASH_BYTES;
        before = Some(key);
    }
    (bytes != content.len()).then(|| "it is no tree".to_owned())
}
