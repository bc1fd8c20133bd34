//! `lsremote`: where the branches of a remote are.

use std::{collections::BTreeMap, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{Context, Lane, Operation, plain::Plain, sync::network};
use crate::{
    error::{Error, Result},
    git::{Access, Auth, RawName, Remote},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lsremote {
    url: Plain,
    branch: Option<RawName>,
    auth: Option<Auth>,
    known_hosts: Option<Plain>,
    ca: Option<Plain>,
    ca_file: Option<Plain>,
    proxy: Option<Plain>,
}

#[derive(Serialize)]
#[serde(untagged)]
pub enum Reply {
    Commit(String),
    Refs(BTreeMap<String, String>),
}

impl Operation for Lsremote {
    const NAME: &'static str = "lsremote";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Network(None)
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let Lsremote { url, branch, auth, known_hosts, ca, ca_file, proxy } = self;
        let remote = Remote::new(&url, access(auth, known_hosts, ca, ca_file, proxy))?;
        context.store.root().confine_remote(&remote)?;
        let branch = branch.map(ref_name).transpose()?;
        let shown = remote.url.as_str().to_owned();
        let mut refs = network(context).lsremote(remote, branch.clone())?;
        match branch {
            None => Ok(Reply::Refs(refs.into_iter().collect())),
            Some(branch) => match refs.pop() {
                Some((_, sha)) => Ok(Reply::Commit(sha)),
                None => Err(Error::not_found(format!("{shown} has no branch `{branch}`"))),
            },
        }
    }
}

pub fn access(
    auth: Option<Auth>,
    known_hosts: Option<Plain>,
    ca: Option<Plain>,
    ca_file: Option<Plain>,
    proxy: Option<Plain>,
) -> Access {
    Access {
        auth,
        known_hosts: known_hosts.map(String::from),
        ca: ca.map(String::from),
        ca_file: ca_file.map(PathBuf::from),
        proxy: proxy.map(String::from),
    }
}

/// A ref's name as text; libgit2 gives a remote's refs no other way.
pub fn ref_name(RawName(bytes): RawName) -> Result<String> {
    if bytes.contains(&0) {
        let message = "`branch`: a name cannot have a NUL byte";
        return Err(Error::bad_request(message).with("field", "branch"));
    }
    String::from_utf8(bytes).map_err(|_| {
        Error::unsupported("a branch whose name is no UTF-8").with("feature", "ref name")
    })
}
