//! Processes published in a Git repository: each an annotated tag on a commit that has its file.
//!
//! `git show process/<name>/v<version>:<name>/<name>_v<version>.yaml` shows it, and whoever fetches
//! the tag has all of it. The note on the commit is for those who list definitions without reading
//! tags.

use std::time::Instant;

use semver::Version;

use super::{Listed, Published, Store, missing};
use crate::{
    error::{Code, Error, Result},
    git::{
        self, FileName, Keeping, Kept, Namespace, ObjectId, Person, RawName, Repository,
        RepositoryPath, Signer, Tag, Transaction,
    },
    process::artifact::{Artifact, BYTES_MAX, Name, Record, version_of},
    watch::Watch,
};

/// What begins the line of a tag's message that records what it keeps.
const RECORD: &str = "Record: ";

pub struct InRepository<'a> {
    pub store: &'a git::Store,
    pub path: &'a RepositoryPath,
    pub asked: Instant,
    pub watch: &'a Watch,
    pub publisher: Publisher<'a>,
}

type Identity<'a> = dyn Fn(&mut Transaction) -> Result<(Person, Option<Signer>)> + 'a;

/// Who publishes.
pub enum Publisher<'a> {
    Nobody,
    /// Who this gives once, if it may be published at all.
    Somebody(&'a Identity<'a>),
}

impl Store for InRepository<'_> {
    fn publish(&self, artifact: &Artifact) -> Result<Published> {
        let Publisher::Somebody(publisher) = self.publisher else {
            return Err(Error::internal("nobody publishes"));
        };
        let published = self.store.change_alone(self.path, self.watch, |transaction| {
            let published = put(artifact, publisher, transaction)?;
            transaction.be_durable();
            Ok(published)
        })?;
        // What has been answered for stays, whatever becomes of housekeeping.
        if let Err(error) = self.store.clear_up(self.path, self.watch) {
            log::warn!("{}: {error}", self.path.display());
        }
        Ok(published)
    }

    fn expect_may_publish(&self, artifact: &Artifact) -> Result<()> {
        let Publisher::Somebody(publisher) = self.publisher else {
            return Err(Error::internal("nobody publishes"));
        };
        // Whoever guards the repository sees it as if it were, and nobody else does.
        self.store.change_alone(self.path, self.watch, |transaction| {
            let before = transaction.savepoint();
            put(artifact, publisher, transaction)?;
            transaction.expect_allowed(&before)?;
            transaction.go_back(&before);
            Ok(())
        })
    }

    fn get(&self, name: &Name, version: &Version) -> Result<Artifact> {
        let repository = self.store.open(self.path, self.asked)?;
        let (kept, record) = recorded(&repository, name, version)?;
        let file = file(name, version)?;
        let bytes = repository.kept_file(&kept, &tag(name, version)?, &file, BYTES_MAX as u64)?;
        Artifact::checked(bytes, &record)
    }

    fn list(&self, name: Option<&Name>) -> Result<Vec<Listed>> {
        let repository = self.store.open(self.path, self.asked)?;
        let folder = name.map_or_else(String::new, |it| format!("{it}/"));
        let tags = repository.kept_below(&format!("{}{folder}", Tag::PROCESSES), self.watch)?;
        let listed = |tag: String| {
            let (name, version) = match name {
                Some(name) => (name.clone(), tag),
                None => {
                    let (name, version) = tag.split_once('/')?;
                    (Name::new(name).ok()?, version.to_owned())
                }
            };
            Some((name, version_of(version.strip_prefix('v')?).ok()?))
        };
        // A tag that somebody put beside them is none of them.
        Ok(tags.into_iter().filter_map(listed).collect())
    }
}

/// Puts an artifact there, unless it is.
fn put(
    artifact: &Artifact,
    publisher: &Identity,
    transaction: &mut Transaction,
) -> Result<Published> {
    let (name, version) = (&artifact.name, &artifact.version);
    let (who, signer) = publisher(transaction)?;
    let tag = tag(name, version)?;
    if transaction.is_kept(&tag)? {
        let (_, record) = recorded(transaction.repository(), name, version)?;
        record.expect_same(artifact)?;
        return Ok(Published::Before);
    }
    transaction.keep(Keeping {
        tag,
        file: file(name, version)?,
        content: artifact.bytes.clone(),
        message: message(artifact),
        who,
        signer,
        note: (Namespace::definitions(), artifact.record().line()),
    })?;
    Ok(Published::Now)
}

/// What is another one as soon as something else is published in this version.
pub fn identity(
    repository: &Repository,
    name: &Name,
    version: &Version,
) -> Result<Option<ObjectId>> {
    repository.kept_by(&tag(name, version)?)
}

fn tag(name: &Name, version: &Version) -> Result<Tag> {
    Tag::of_process(name.as_str(), &version.to_string())
}

fn file(name: &Name, version: &Version) -> Result<FileName> {
    FileName::try_from(&RawName(format!("{name}/{}", name.file(version)).into_bytes()))
}

/// What commit, tag and note say.
fn message(artifact: &Artifact) -> Vec<u8> {
    let record = String::from_utf8(artifact.record().line()).expect("it is text");
    format!("process {}\n\n{RECORD}{record}", artifact.title()).into_bytes()
}

/// Where a version is kept, and what its tag records of it.
fn recorded(repository: &Repository, name: &Name, version: &Version) -> Result<(Kept, Record)> {
    let tag = tag(name, version)?;
    let (kept, message) = repository.kept(&tag).map_err(|error| match error.code {
        Code::NotFound => missing(name, version),
        _ => error,
    })?;
    let mut lines = message.split(|it| *it == b'\n');
    let record = lines.find_map(|it| it.strip_prefix(RECORD.as_bytes())).ok_or_else(|| {
        Error::corrupt(format!("the tag `{}` has no record of what it keeps", tag.name()))
    })?;
    Ok((kept, Record::read(record, name, version)?))
}
