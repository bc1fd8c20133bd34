//! What another repository was written to a bundle with: its branches and tags come in.
//!
//! The pack is checked and indexed aside, and is there for good before a ref leads to it. Format:
//! gitformat-bundle(5).

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use git2::Oid;

use crate::{
    error::{Error, Result},
    git::{
        Branch, LockName, Repository, RepositoryPath, Store,
        failure::damaged_pack,
        folder::flush,
        lock::Writer,
        refs::{BRANCHES, TAGS},
        removal::remove_tree,
    },
    watch::{Progress, Stage, Watch},
};

/// Where packs are indexed, in the folder of objects.
const ASIDE: &str = "tmp_gitport_import";
/// Keeps a pack from those who take away what no ref leads to.
const KEEP: &[u8] = b"gitport: importing a bundle\n";
const LINE_BYTES_MAX: u64 = 64 * 1024;
const PIECE_BYTES: usize = 256 * 1024;

pub struct Bundle {
    file: BufReader<File>,
    bytes: u64,
    needed: Vec<Oid>,
    refs: Vec<(String, Oid)>,
    head: Option<Oid>,
}

/// What became of it.
pub struct Taken {
    pub branches: usize,
    pub tags: usize,
}

impl Bundle {
    /// Reads what it says of itself.
    pub fn open(path: &RepositoryPath) -> Result<Bundle> {
        let failed = |error: std::io::Error| Error::from_io(path.display(), &error);
        // Whoever opens a pipe waits for its other end.
        if !fs::metadata(&**path).map_err(failed)?.is_file() {
            return Err(Error::invalid(format!("{} is no file", path.display())));
        }
        let file = File::open(&**path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        let file = BufReader::with_capacity(PIECE_BYTES, file);
        let mut bundle = Bundle { file, bytes, needed: Vec::new(), refs: Vec::new(), head: None };
        bundle.read_head()?;
        Ok(bundle)
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The branch that its `HEAD` seems to be on.
    pub fn branch(&self) -> Option<Branch> {
        let is_head =
            |(name, id): &&(String, Oid)| Some(*id) == self.head && name.starts_with(BRANCHES);
        let found = self.refs.iter().find(is_head)?;
        Branch::new(&found.0).ok()
    }

    /// Takes in all objects, and moves all branches and tags or none.
    pub fn take(
        mut self,
        store: &Store,
        path: &RepositoryPath,
        fence: Option<(&LockName, u64)>,
        watch: &Watch,
    ) -> Result<Taken> {
        let repository = store.open(path, Instant::now())?;
        let right = Writer::of_shared(repository.common_folder(), watch)?;
        let packs = Packs::enter(repository.common_folder())?;
        for id in &self.needed {
            if !repository.inner.odb()?.exists(*id) {
                let message = format!("the bundle goes on from {id}, which is not here");
                return Err(Error::conflict(message)
                    .with("expected", id.to_string())
                    .with("actual", None::<String>));
            }
        }
        let kept = self.index(&repository, &packs, watch)?;
        let refs = std::mem::take(&mut self.refs);
        let done = store.change_alone(path, watch, |it| {
            it.expect_fence(fence)?;
            move_refs(it, &refs)
        });
        let settled = done.and_then(|()| store.settle(path, watch));
        kept.iter().for_each(|it| drop(fs::remove_file(it)));
        drop(right);
        settled?;
        let count = |below| refs.iter().filter(|it| it.0.starts_with(below)).count();
        Ok(Taken { branches: count(BRANCHES), tags: count(TAGS) })
    }

    fn read_head(&mut self) -> Result<()> {
        match self.line()?.as_str() {
            "# v2 git bundle" | "# v3 git bundle" => (),
            _ => return Err(Error::invalid("the file is no bundle")),
        }
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(());
            }
            if let Some(capability) = line.strip_prefix('@') {
                if capability != "object-format=sha1" {
                    let feature = format!("bundles with `{capability}`");
                    return Err(Error::unsupported(&feature).with("feature", feature));
                }
                continue;
            }
            let bad = || Error::invalid(format!("the bundle has the line `{line}`"));
            if let Some(needed) = line.strip_prefix('-') {
                self.needed.push(id(needed.split(' ').next()).ok_or_else(bad)?);
                continue;
            }
            let (at, name) = line.split_once(' ').ok_or_else(bad)?;
            let at = id(Some(at)).ok_or_else(bad)?;
            if name == "HEAD" {
                self.head = Some(at);
            } else if name.starts_with(BRANCHES) || name.starts_with(TAGS) {
                if !git2::Reference::is_valid_name(name) || self.refs.iter().any(|it| it.0 == name)
                {
                    return Err(bad());
                }
                self.refs.push((name.to_owned(), at));
            }
        }
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let read = (&mut self.file).take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        read.map_err(|error| Error::from_io("the bundle", &error))?;
        let line = line.strip_suffix(b"\n").map(|it| String::from_utf8(it.to_vec()));
        match line {
            Some(Ok(line)) => Ok(line),
            _ => Err(Error::invalid("the file is no bundle, or is not whole")),
        }
    }

    /// Puts the pack where Git finds it; what keeps it there.
    fn index(
        &mut self,
        repository: &Repository,
        packs: &Packs,
        watch: &Watch,
    ) -> Result<Option<PathBuf>> {
        let odb = repository.inner.odb()?;
        let mut indexer = git2::Indexer::new(Some(&odb), &packs.aside, 0o444, true)?;
        let mut done = 0;
        let mut buffer = vec![0; PIECE_BYTES];
        loop {
            watch.check()?;
            let count = self.file.read(&mut buffer);
            let count = count.map_err(|error| Error::from_io("the bundle", &error))?;
            if count == 0 {
                break;
            }
            done += count as u64;
            indexer.write_all(&buffer[..count]).map_err(|error| damaged_pack(&error))?;
            let total = self.bytes;
            watch.tell(&Progress { stage: Stage::Importing, done, total, bytes: done });
        }
        let name = match indexer.commit() {
            Ok(name) => name,
            Err(error) => return Err(damaged_pack(&error)),
        };
        packs.put(&name)
    }
}

/// Where packs are, and where they come from.
struct Packs {
    folder: PathBuf,
    aside: PathBuf,
}

impl Packs {
    /// Removes what a dead import left. The right to write what is shared is held.
    fn enter(common_folder: &Path) -> Result<Packs> {
        let objects = common_folder.join("objects");
        let packs = Packs { folder: objects.join("pack"), aside: objects.join(ASIDE) };
        let _ = remove_tree(&packs.aside);
        for entry in fs::read_dir(&packs.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_keep = path.extension().is_some_and(|it| it == "keep");
            if is_keep && fs::read(&path).is_ok_and(|it| it == KEEP) {
                let _ = fs::remove_file(path);
            }
        }
        fs::create_dir(&packs.aside)
            .map_err(|error| Error::from_io(packs.aside.display(), &error))?;
        Ok(packs)
    }

    /// Flushes a pack, and gives it its name.
    fn put(&self, name: &str) -> Result<Option<PathBuf>> {
        let put = || {
            let keep = self.folder.join(format!("pack-{name}.keep"));
            let is_there = self.folder.join(format!("pack-{name}.idx")).exists();
            if is_there {
                return Ok(None);
            }
            fs::write(&keep, KEEP)?;
            for ending in ["pack", "idx"] {
                let file = format!("pack-{name}.{ending}");
                flush(&self.aside.join(&file))?;
                fs::rename(self.aside.join(&file), self.folder.join(&file))?;
            }
            flush(&self.folder)?;
            Ok(Some(keep))
        };
        put().map_err(|error| Error::from_io(self.folder.display(), &error))
    }
}

impl Drop for Packs {
    fn drop(&mut self) {
        let _ = remove_tree(&self.aside);
    }
}

fn move_refs(transaction: &mut crate::git::Transaction, refs: &[(String, Oid)]) -> Result<()> {
    for (name, to) in refs {
        let at = transaction.at(name)?;
        if at == Some(*to) {
            continue;
        }
        let repository = transaction.repository();
        let found = repository.inner.find_object(*to, None);
        let found = found.map_err(|_| Error::invalid(format!("the bundle has not all of {to}")))?;
        let is_branch = name.starts_with(BRANCHES);
        if is_branch && found.kind() != Some(git2::ObjectType::Commit) {
            return Err(Error::invalid(format!("`{name}` of the bundle is no commit")));
        }
        let is_forward = match at {
            None => true,
            Some(at) => is_branch && repository.inner.graph_descendant_of(*to, at)?,
        };
        if !is_forward {
            let message = format!("`{name}` is elsewhere, and would not move forward");
            return Err(Error::conflict(message)
                .with("expected", to.to_string())
                .with("actual", at.map(|it| it.to_string())));
        }
        if is_branch {
            let before = at.map(|it| transaction.tree_of(it)).transpose()?;
            let after = transaction.tree_of(*to)?;
            transaction.follow(&Branch::new(name)?, before, after)?;
        }
        transaction.move_to(name, Some(*to))?;
    }
    transaction.move_as_one();
    transaction.be_durable();
    Ok(())
}

fn id(text: Option<&str>) -> Option<Oid> {
    let text = text?;
    Oid::from_str(text).ok().filter(|it| it.to_string() == text)
}
