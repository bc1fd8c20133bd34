//! `process.publish`: a definition becomes a version that never changes.

use std::cell::Cell;

use serde::{Deserialize, Serialize};

use super::{
    files::{self, Draft},
    place::{self, Place},
};
use crate::{
    error::{Code, Error, Result},
    git::{RawName, RepositoryPath, SignWith, Transaction},
    ops::{
        Context, Lane, Operation,
        change::{Content, Encoding, Fence, Who, signer},
        plain::Plain,
        trigger,
    },
    process::{
        artifact::{Artifact, Record},
        gate::{Candidate, Named},
        load,
        store::{Published, Store, published, repository::Publisher},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    path: Option<RepositoryPath>,
    content: Option<Content>,
    #[serde(default)]
    encoding: Encoding,
    file: Option<RawName>,
    rev: Option<Plain>,
    /// What is looked at beside it, from the same place.
    files: Option<Vec<RawName>>,
    drafts: Option<Vec<Draft>>,
    name: Option<Plain>,
    version: Option<Plain>,
    store: Option<Place>,
    tagger: Option<Who>,
    sign: Option<SignWith>,
    fence: Option<Fence>,
    /// Everything but the publishing.
    #[serde(default)]
    dry_run: bool,
}

#[derive(Serialize)]
pub struct Reply {
    name: String,
    version: String,
    digest: String,
    sha256: String,
    /// Whether it was not there before, or with `dry_run` is not there.
    created: bool,
}

impl Operation for Publish {
    const NAME: &'static str = "process.publish";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        match (&self.store, &self.path) {
            (None, Some(path)) => Lane::Write(path.resolved()),
            (store, path) => place::lane(store.as_ref(), path.as_ref()),
        }
    }

    fn run(mut self, context: &Context) -> Result<Reply> {
        self.expect_fit()?;
        let (file, beside) = (self.file(context)?, self.beside(context)?);
        let (tagger, signer) =
            (Cell::new(self.tagger.take()), Cell::new(signer(self.sign.as_ref())?));
        let publisher = |transaction: &mut Transaction| {
            Fence::check(self.fence.as_ref(), transaction)?;
            let who = Who::or_default(tagger.take(), "tagger", transaction)?;
            Ok((who, signer.take()))
        };
        let publisher = Publisher::Somebody(&publisher);
        let store = place::open(self.store.as_ref(), self.path.as_ref(), publisher, context)?;
        let artifact = Artifact::of(file.1.clone());
        let there = match &artifact {
            Ok(artifact) => there(&*store, artifact)?,
            Err(_) => None,
        };
        let is_same = |it: &Record| artifact.as_ref().is_ok_and(|new| it.expect_same(new).is_ok());
        // What was good enough once is so for ever.
        if !there.as_ref().is_some_and(is_same) {
            let lookup = |name: &str, version: Option<&str>| published(&*store, name, version);
            let candidate = Candidate { file: &file, beside: &beside, lookup: &lookup };
            candidate.pass(context.watch)?;
        }
        let artifact = artifact?;
        self.expect_meant(&artifact)?;
        let published = match (self.dry_run, there) {
            (true, Some(there)) => there.expect_same(&artifact).map(|()| Published::Before)?,
            (true, None) => store.expect_may_publish(&artifact).map(|()| Published::Now)?,
            (false, _) => store.publish(&artifact)?,
        };
        if let (Published::Now, None, Some(path), false) =
            (published, &self.store, &self.path, self.dry_run)
            && has_triggers(&artifact)
        {
            trigger::begin_to_watch(path, context);
        }
        Ok(Reply {
            name: artifact.name.into(),
            version: artifact.version.to_string(),
            digest: artifact.digests.digest,
            sha256: artifact.digests.sha256,
            created: published == Published::Now,
        })
    }
}

impl Publish {
    fn expect_fit(&self) -> Result<()> {
        let bad = |message: &str, field: &'static str| {
            Err(Error::bad_request(message).with("field", field))
        };
        let of_a_repository = [
            ("tagger", self.tagger.is_some()),
            ("sign", self.sign.is_some()),
            ("fence", self.fence.is_some()),
        ];
        match (&self.content, &self.file, &self.path) {
            (Some(_), ..) if self.rev.is_some() => {
                return bad("`rev` is of a `file` in the repository", "rev");
            }
            (Some(_), ..) if self.files.is_some() => {
                return bad("beside `content` are `drafts`", "files");
            }
            (Some(_), _, Some(_)) if self.store.is_some() => {
                return bad("`content` for a `store` needs no repository", "store");
            }
            (None, Some(_), Some(_)) if self.drafts.is_some() => {
                return bad("beside a `file` in the repository are `files`", "drafts");
            }
            (Some(_), ..) | (None, Some(_), Some(_)) => (),
            (None, Some(_), None) => {
                return bad("`file` is one of a repository: give `path` or `workspace`", "file");
            }
            (None, None, _) => {
                return bad("either `content` or `file` says what to publish", "content");
            }
        }
        match of_a_repository.iter().find(|(_, is_given)| *is_given && self.store.is_some()) {
            Some((field, _)) => bad("only a repository as the store has tags and locks", field),
            None => Ok(()),
        }
    }

    /// What is published.
    fn file(&mut self, context: &Context) -> Result<Named> {
        let called = self.file.as_ref().map(|it| files::shown(&it.0));
        if let Some(content) = self.content.take() {
            let called = called.unwrap_or_else(|| "content".to_owned());
            return Ok((called, content.bytes(self.encoding)?));
        }
        let (Some(path), Some(file)) = (&self.path, &self.file) else {
            return Err(Error::internal("a file of no repository"));
        };
        let rev = self.rev.as_deref().unwrap_or("HEAD");
        let read = files::of_repository(path, Some(rev), std::slice::from_ref(file), context)?;
        read.into_iter().next().ok_or_else(|| Error::internal("a file was asked for"))
    }

    /// Processes that it calls, and its tests.
    fn beside(&mut self, context: &Context) -> Result<Vec<Named>> {
        match (self.files.take(), self.drafts.take(), &self.path) {
            (Some(names), _, Some(path)) => {
                let rev = self.rev.as_deref().unwrap_or("HEAD");
                files::of_repository(path, Some(rev), &names, context)
            }
            (_, Some(drafts), _) => files::of_request(drafts, self.encoding),
            _ => Ok(Vec::new()),
        }
    }

    /// Fails where the file is another one than the request says.
    fn expect_meant(&self, artifact: &Artifact) -> Result<()> {
        let version = artifact.version.to_string();
        let said =
            [(&self.name, artifact.name.as_str(), "name"), (&self.version, &version, "version")];
        for (wanted, actual, what) in said {
            if let Some(wanted) = wanted.as_deref().filter(|it| *it != actual) {
                return Err(Error::conflict(format!("the {what} in the file is `{actual}`"))
                    .with("expected", wanted)
                    .with("actual", actual));
            }
        }
        Ok(())
    }
}

fn has_triggers(artifact: &Artifact) -> bool {
    let file = load::read(artifact.name.as_str(), &artifact.bytes);
    file.loaded.iter().any(|it| !it.definition.triggers.is_empty())
}

/// What is published in this version, if anything is.
fn there(store: &dyn Store, artifact: &Artifact) -> Result<Option<Record>> {
    match store.get(&artifact.name, &artifact.version) {
        Ok(there) => Ok(Some(there.record())),
        Err(error) if error.code == Code::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
