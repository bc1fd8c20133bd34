//! `sync`: bring a path to the tip of a remote's branch.

use serde::Deserialize;

use super::{
    Context, Lane, Operation, about,
    lsremote::{access, ref_name},
    plain::Plain,
    run::with_some_in,
    workspace::export::expect_outside,
};
use crate::{
    error::Result,
    git::{Auth, Branch, Bring, Namespace, Namespaces, Network, RawName, Remote, RepositoryPath},
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
    notes: Option<Notes>,
    auth: Option<Auth>,
    known_hosts: Option<Plain>,
    ca: Option<Plain>,
    ca_file: Option<Plain>,
    proxy: Option<Plain>,
}

/// The notes that come too: all of them, or those of some namespaces.
#[derive(Deserialize)]
#[serde(untagged)]
enum Notes {
    All(bool),
    Some(Vec<Plain>),
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
        // What is there may be fetched into; nothing is made among workspaces.
        if !self.path.join("HEAD").is_file() {
            expect_outside(&self.path, context)?;
        }
        let Sync { url, branch, path, depth, submodules, notes, .. } = self;
        let Sync { auth, known_hosts, ca, ca_file, proxy, .. } = self;
        let branch = ref_name(branch)?;
        let remote = Remote::new(&url, access(auth, known_hosts, ca, ca_file, proxy))?;
        context.store.root().confine_remote(&remote)?;
        let notes = namespaces(notes)?;
        let tags = may_bring_tags(&path, &branch, &notes, context)?;
        let network = network(context);
        let bring = Bring { depth, submodules, notes: notes.clone(), tags };
        let commit = network.sync(remote, &branch, &path, bring)?;
        if notes.is_any() {
            context.store.change_alone(&path, context.watch, |transaction| {
                transaction.be_durable();
                transaction.merge_fetched(&notes)
            })?;
        }
        Ok(commit)
    }
}

/// Fails where policies do not let a remote say where a branch is that is here; whether they let it
/// bring tags.
fn may_bring_tags(
    path: &RepositoryPath,
    branch: &str,
    notes: &Namespaces,
    context: &Context,
) -> Result<bool> {
    match context.open(path) {
        Ok(repository) if repository.has_policies(context.watch)? => (),
        // What is wrong with it is found out where it counts.
        _ => return Ok(true),
    }
    let reference = Branch::new(branch)?.reference();
    context.store.change_alone(path, context.watch, |transaction| {
        let (name, mail) = transaction.repository().owner().texts();
        with_some_in(context, transaction, |keeper, _| {
            keeper.expect_may_sync((&name, Some(&mail)), &reference)?;
            keeper.may_sync_tags((&name, Some(&mail)), notes)
        })
    })
}

fn namespaces(notes: Option<Notes>) -> Result<Namespaces> {
    match notes {
        None | Some(Notes::All(false)) => Ok(Namespaces::Some(Vec::new())),
        Some(Notes::All(true)) => Ok(Namespaces::All),
        Some(Notes::Some(names)) => {
            let names = names.iter().map(|it| Ok(Namespace::new(it)?.name().to_owned()));
            names.collect::<Result<_>>().map(Namespaces::Some).map_err(about("notes"))
        }
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
