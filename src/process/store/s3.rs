//! Processes published on a server that speaks S3.
//!
//! A version is what its manifest names, which is created once, on condition that there is none;
//! the bytes lie beside it under their own digest, so that writing them again changes nothing. A
//! server that overwrites in spite of the condition is found out before anything is published on
//! it.

use std::{
    collections::BTreeSet,
    path::PathBuf,
    pin::pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::TryStreamExt;
use object_store::{
    ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    aws::AmazonS3,
    path::{Path, PathPart},
};
use semver::Version;
use tokio::runtime::Runtime;

pub use self::bucket::Bucket;
use super::{Listed, Published, Store, missing, random};
use crate::{
    error::{Code, Error, Result},
    git::Transport,
    process::{
        artifact::{Artifact, BYTES_MAX, Name, Record, version_of},
        cache::Cache,
    },
    watch::Watch,
};

mod bucket;

const MANIFEST: &str = "manifest.json";
/// Where servers are tried out; no process has such a name.
const PROBE: &str = ".gitport-probe";
/// How often somebody looks whether the work is still wanted.
const LOOK: Duration = Duration::from_millis(50);
/// More keys than these are not listed.
const KEYS_MAX: usize = 1_000_000;
/// So often a manifest is written that is refused and not there.
const TRIES_MAX: usize = 5;

/// The buckets that keep what they have, as this process found.
static PROBED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// The bucket as a store; files fetched from it are kept in a folder, if there is one.
pub fn open<'a>(
    bucket: &'a Bucket,
    transports: &[Transport],
    cache: Option<PathBuf>,
    watch: &'a Watch,
) -> Result<Box<dyn Store + 'a>> {
    bucket.expect_allowed(transports)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::from_io("a runtime", &error))?;
    let (client, prefix, cache) = (bucket.client()?, bucket.prefix()?, Cache::new(cache));
    Ok(Box::new(InBucket { client, runtime, bucket, prefix, cache, watch }))
}

struct InBucket<'a> {
    client: AmazonS3,
    runtime: Runtime,
    bucket: &'a Bucket,
    prefix: Path,
    cache: Cache,
    watch: &'a Watch,
}

impl InBucket<'_> {
    /// Waits for the server, as long as somebody waits for this.
    fn wait<T>(&self, work: impl Future<Output = object_store::Result<T>>) -> Result<T> {
        self.runtime.block_on(async {
            let mut work = pin!(work);
            loop {
                match tokio::time::timeout(LOOK, &mut work).await {
                    Ok(done) => return done.map_err(|error| self.bucket.failed(&error)),
                    Err(_) => self.watch.check()?,
                }
            }
        })
    }

    fn put(&self, key: &Path, bytes: Vec<u8>, mode: PutMode) -> Result<()> {
        let payload = PutPayload::from(bytes);
        self.wait(self.client.put_opts(key, payload, mode.into())).map(drop)
    }

    /// The bytes of an object, if it is there.
    fn bytes(&self, key: &Path) -> Result<Option<Vec<u8>>> {
        let read = self.wait(async {
            // How long it says that it is may be wrong.
            let mut pieces = self.client.get(key).await?.into_stream();
            let mut bytes = Vec::new();
            while let Some(piece) = pieces.try_next().await? {
                if bytes.len() + piece.len() > BYTES_MAX {
                    return Ok(None);
                }
                bytes.extend_from_slice(&piece);
            }
            Ok(Some(bytes))
        });
        match read {
            Ok(Some(bytes)) => Ok(Some(bytes)),
            Ok(None) => Err(Error::corrupt(format!("the object {key} is no file of a process"))),
            Err(error) if error.code == Code::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn folder(&self, name: &Name, version: &Version) -> Path {
        self.prefix.clone().join(name.as_str()).join(version.to_string())
    }

    fn record(&self, name: &Name, version: &Version) -> Result<Option<Record>> {
        let manifest = self.bytes(&self.folder(name, version).join(MANIFEST))?;
        manifest.map(|it| Record::read(&it, name, version)).transpose()
    }

    /// Fails on a server that lets one object take the place of another which was to be created
    /// once. What was found once is remembered.
    fn probe(&self) -> Result<()> {
        let identity = self.bucket.identity();
        if probed().contains(&identity) {
            return Ok(());
        }
        let key = self.prefix.clone().join(PROBE).join(random());
        // One that is there is this very one, written by a try that was thought to have failed.
        match self.put(&key, b"first\n".to_vec(), PutMode::Create) {
            Err(error) if error.code != Code::AlreadyExists => return Err(error),
            _ => (),
        }
        let second = self.put(&key, b"second\n".to_vec(), PutMode::Create);
        // Who may not remove it leaves it.
        let _ = self.wait(self.client.delete(&key));
        match second {
            Err(error) if error.code == Code::AlreadyExists => {
                probed().insert(identity);
                Ok(())
            }
            Err(error) => Err(error),
            Ok(()) => {
                let message = format!(
                    "{} overwrites: it took a second object under a name that was to be created \
                     once (If-None-Match: *), so no version could be relied on",
                    self.bucket.shown()
                );
                Err(Error::unsupported(message).with("feature", "conditional put"))
            }
        }
    }

    /// Creates the manifest, or finds the one that is there.
    fn create(&self, artifact: &Artifact, record: &Record) -> Result<Record> {
        let Artifact { name, version, .. } = artifact;
        let key = self.folder(name, version).join(MANIFEST);
        for _ in 0..TRIES_MAX {
            self.watch.doubt();
            let created = self.put(&key, record.line(), PutMode::Create);
            // Whatever was answered, also of a try that was thought to have failed, what is there
            // decides.
            let found = self.record(name, version);
            match (created, found) {
                (_, Ok(Some(found))) => {
                    self.watch.settle();
                    return Ok(found);
                }
                (Err(error), _) if error.code != Code::AlreadyExists => return Err(error),
                (_, Err(error)) => return Err(error),
                // Refused because of somebody who then did not create it.
                (_, Ok(None)) => self.watch.pause(LOOK),
            }
            self.watch.check()?;
        }
        Err(Error::unavailable(format!("{} takes no manifest", self.bucket.shown())))
    }
}

impl Store for InBucket<'_> {
    fn publish(&self, artifact: &Artifact) -> Result<Published> {
        let Artifact { name, version, bytes, digests } = artifact;
        self.probe()?;
        if let Some(record) = self.record(name, version)? {
            return record.expect_same(artifact).map(|()| Published::Before);
        }
        let content = self.folder(name, version).join(file(&digests.sha256));
        self.put(&content, bytes.clone(), PutMode::Overwrite)?;
        let mut record = artifact.record();
        // By it the request knows its own again.
        record.nonce = Some(random());
        let found = self.create(artifact, &record)?;
        found.expect_same(artifact)?;
        Ok(if found == record { Published::Now } else { Published::Before })
    }

    fn get(&self, name: &Name, version: &Version) -> Result<Artifact> {
        let record = self.record(name, version)?.ok_or_else(|| missing(name, version))?;
        if let Some(bytes) = self.cache.get(&record.digests.sha256) {
            return Artifact::checked(bytes, &record);
        }
        let content = self.folder(name, version).join(file(&record.digests.sha256));
        let bytes = self.bytes(&content)?.ok_or_else(|| {
            Error::corrupt(format!("{name} {version} is damaged: its content is gone"))
        })?;
        let artifact = Artifact::checked(bytes, &record)?;
        self.cache.put(&record.digests.sha256, &artifact.bytes);
        Ok(artifact)
    }

    fn list(&self, name: Option<&Name>) -> Result<Vec<Listed>> {
        let below = match name {
            Some(name) => self.prefix.clone().join(name.as_str()),
            None => self.prefix.clone(),
        };
        let mut keys = self.client.list(Some(&below));
        let all = self.wait(async {
            let (mut count, mut all) = (0, Vec::new());
            while let Some(key) = keys.try_next().await? {
                count += 1;
                if count > KEYS_MAX {
                    return Ok(None);
                }
                all.extend(listed(&key.location, &self.prefix));
            }
            Ok(Some(all))
        });
        all?.ok_or_else(|| {
            let message = format!("{} lists more than {KEYS_MAX} keys", self.bucket.shown());
            Error::too_large(message).with("limit", KEYS_MAX as u64)
        })
    }
}

/// The version whose manifest this is.
fn listed(key: &Path, prefix: &Path) -> Option<Listed> {
    let parts: Vec<PathPart> = key.prefix_match(prefix)?.collect();
    match parts.as_slice() {
        [name, version, last] if last.as_ref() == MANIFEST => {
            Some((Name::new(name.as_ref()).ok()?, version_of(version.as_ref()).ok()?))
        }
        _ => None,
    }
}

/// What the content with this digest is called.
fn file(sha256: &str) -> String {
    format!("{sha256}.yaml")
}

fn probed() -> std::sync::MutexGuard<'static, BTreeSet<String>> {
    PROBED.lock().unwrap_or_else(PoisonError::into_inner)
}
