//! `sync`: bring a path to the tip of a remote's branch.

use serde::Deserialize;

use super::{
    Context, Lane, Operation,
    lsremote::{access, ref_name},
    plain::Plain,
};
use crate::{
    error::Result,
    git::{Auth, Network, RawName, Remote, RepositoryPath},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sync {
    url: Plain,
    branch: RawName,
    path: RepositoryPath,
    #[serde(default = "one")]
    depth: u32,
    #[serde(default)]
    submodules: bool,
    auth: Option<Auth>,
    known_hosts: Option<Plain>,
    ca: Option<Plain>,
    ca_file: Option<Plain>,
    proxy: Option<Plain>,
}

fn one() -> u32 {
    1
}

impl Operation for Sync {
    const NAME: &'static str = "sync";

    type Reply = String;

    fn lane(&self) -> Lane {
        Lane::Network(Some(self.path.resolved()))
    }

    fn run(self, context: &Context) -> Result<String> {
        context.store.root().confine(&self.path)?;
        let Sync { url, branch, path, depth, submodules, .. } = self;
        let Sync { auth, known_hosts, ca, ca_file, proxy, .. } = self;
        let branch = ref_name(branch)?;
        let remote = Remote::new(&url, access(auth, known_hosts, ca, ca_file, proxy))?;
        context.store.root().confine_remote(&remote)?;
        network(context).sync(remote, &branch, &path, depth, submodules)
    }
}

/// What network work may do, as the operator said.
pub fn network<'a>(context: &'a Context) -> Network<'a> {
    Network {
        root: context.store.root(),
        transports: &context.settings.transports,
        git: &context.settings.git,
        limit_ms: context.settings.network_timeout_ms,
        watch: context.watch,
    }
}
