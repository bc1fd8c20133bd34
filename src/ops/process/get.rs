//! `process.get`: a published version, checked against its digests.

use serde::{Deserialize, Serialize};

use super::place::{self, Place};
use crate::{
    error::Result,
    git::RepositoryPath,
    ops::{
        Context, Lane, Operation,
        plain::Plain,
        read::{Content, Encoding},
    },
    process::{
        artifact::Name,
        selector::Selector,
        store::{find, instead},
    },
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Get {
    path: Option<RepositoryPath>,
    name: Plain,
    #[serde(default = "latest")]
    version: Plain,
    #[serde(default)]
    prerelease: bool,
    store: Option<Place>,
    #[serde(default)]
    encoding: Encoding,
}

fn latest() -> Plain {
    "latest".into()
}

#[derive(Serialize)]
pub struct Reply {
    name: String,
    version: String,
    digest: String,
    sha256: String,
    file: String,
    content: Content,
}

impl Operation for Get {
    const NAME: &'static str = "process.get";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        place::lane(self.store.as_ref(), self.path.as_ref())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let name = Name::new(&self.name)?;
        let selector = Selector::new(&self.version, self.prerelease)?;
        let store = place::to_read(self.store.as_ref(), self.path.as_ref(), context)?;
        let found = find(&*store, &name, &selector);
        let artifact = found.map_err(|it| instead(&*store, &name, &self.version, it))?;
        Ok(Reply {
            file: format!("{name}/{}", name.file(&artifact.version)),
            name: artifact.name.into(),
            version: artifact.version.to_string(),
            digest: artifact.digests.digest,
            sha256: artifact.digests.sha256,
            content: self.encoding.encode(artifact.bytes.into())?,
        })
    }
}
