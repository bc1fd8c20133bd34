//! `push`: move refs of a remote, each only from where it is expected.

use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Context, Lane, Operation, change::Fence, lsremote::access, plain::Plain, run::with_some_in,
    sync::network,
};
use crate::{
    error::{Code, Error, Result},
    git::{
        Auth, NO_ID, Person, Pushed, Reason, Remote, RemoteLocks, Repository, RepositoryPath,
        expect_not_ours,
        remote::{Expect, Update},
    },
    runs::policy::Motion,
};

/// More would be a mirror's work.
const REFS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Push {
    path: RepositoryPath,
    url: Option<Plain>,
    remote: Option<Plain>,
    refs: Vec<Ref>,
    #[serde(default = "yes")]
    atomic: bool,
    fence: Option<Fence>,
    auth: Option<Auth>,
    known_hosts: Option<Plain>,
    ca: Option<Plain>,
    ca_file: Option<Plain>,
    proxy: Option<Plain>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {from?, to?, force?, expect?}")]
struct Ref {
    from: Option<Plain>,
    to: Option<Plain>,
    #[serde(default)]
    force: bool,
    #[serde(default, deserialize_with = "given")]
    expect: Option<Option<Plain>>,
}

fn yes() -> bool {
    true
}

/// Tells nil, which says that nothing must be there, from an `expect` that is left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Plain>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[derive(Serialize)]
pub struct Reply {
    refs: Vec<Pushed>,
}

impl Operation for Push {
    const NAME: &'static str = "push";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Send(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let Push { path, url, remote: name, refs, atomic, fence, .. } = self;
        let Push { auth, known_hosts, ca, ca_file, proxy, .. } = self;
        let (url, name, updates, author) = {
            let repository = context.open(&path)?;
            let (url, name) = place(&repository, url, name)?;
            (url, name, updates(&repository, &refs)?, repository.owner())
        };
        let remote = Remote::new(&url, access(auth, known_hosts, ca, ca_file, proxy))?;
        context.store.root().confine_remote(&remote)?;
        if let Some(there) = remote.place_here() {
            expect_may_move(&there, &path, &updates, &author, context)?;
        }
        let network = network(context);
        let pushed = match fence {
            None => network.push(remote, name, &path, updates.clone(), atomic)?,
            Some(_) if !atomic => {
                let message = "what is behind a `fence` moves as one";
                return Err(Error::bad_request(message).with("field", "atomic"));
            }
            Some(Fence { lock, token }) => {
                let locks = context.store.locks();
                let locks = RemoteLocks { network, remote, path: &path, locks, author };
                locks.push_fenced(&lock, token, name.as_deref(), &updates)?
            }
        };
        match pushed.iter().any(|it| it.reason.is_some()) {
            true if atomic => Err(refusal(&pushed, &updates)),
            _ => Ok(Reply { refs: pushed }),
        }
    }
}

/// Fails where what is pushed to is on this machine, and does not let these refs be moved: by its
/// policies, or since it is this repository and nobody else moves them.
fn expect_may_move(
    there: &RepositoryPath,
    here: &RepositoryPath,
    updates: &[Update],
    author: &Person,
    context: &Context,
) -> Result<()> {
    let (is_itself, has_policies) = {
        // What is wrong with it is found out where it counts.
        let Ok(repository) = context.open(there) else { return Ok(()) };
        let common_folder = context.open(here)?.common_folder().to_owned();
        let is_itself = repository.common_folder() == common_folder;
        (is_itself, repository.has_policies(context.watch)?)
    };
    if is_itself || has_policies {
        updates.iter().try_for_each(|it| expect_not_ours(&it.name))?;
    }
    if !has_policies {
        return Ok(());
    }
    let (name, mail) = author.texts();
    context.store.change_alone(there, context.watch, |transaction| {
        with_some_in(context, transaction, |keeper, _| {
            updates.iter().try_for_each(|it| {
                let motion = match (&it.new, it.force) {
                    (None, _) => Motion::Delete,
                    (Some(_), true) => Motion::Force,
                    (Some(_), false) => Motion::Forward,
                };
                keeper.expect_may_receive((&name, Some(&mail)), &it.name, motion)
            })
        })
    })
}

/// Where it goes, and the name of that remote if it has one.
pub fn place(
    repository: &Repository,
    url: Option<Plain>,
    name: Option<Plain>,
) -> Result<(String, Option<String>)> {
    match (url, name) {
        (Some(_), Some(_)) => {
            let message = "either `url` or `remote` says where it goes";
            Err(Error::bad_request(message).with("field", "url"))
        }
        (Some(url), None) => Ok((url.into(), None)),
        (None, name) => {
            let name = name.map_or_else(|| "origin".to_owned(), String::from);
            Ok((repository.push_url(&name)?, Some(name)))
        }
    }
}

fn updates(repository: &Repository, refs: &[Ref]) -> Result<Vec<Update>> {
    if refs.is_empty() || REFS_MAX < refs.len() {
        let message = format!("`refs` is a list of 1 to {REFS_MAX}");
        return Err(Error::bad_request(message).with("field", "refs"));
    }
    let mut names = BTreeSet::new();
    let mut updates = Vec::with_capacity(refs.len());
    for (index, it) in refs.iter().enumerate() {
        let place = format!("refs[{index}]");
        let named = |error: Error| match error.code {
            Code::BadRequest => error.while_doing(&place).with("field", place.clone()),
            _ => error.while_doing(&place),
        };
        let (name, new) = repository.wanted(it.from.as_deref(), it.to.as_deref()).map_err(named)?;
        if !names.insert(name.clone()) {
            return Err(named(Error::bad_request(format!("{name} is there twice"))));
        }
        let expect = match &it.expect {
            None => Expect::Anything,
            Some(id) => Expect::Exactly(expected(id.as_deref()).map_err(named)?),
        };
        updates.push(Update { name, new, force: it.force, expect });
    }
    Ok(updates)
}

fn expected(id: Option<&str>) -> Result<Option<String>> {
    let Some(id) = id else { return Ok(None) };
    if id.len() != NO_ID.len() || !id.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err(Error::bad_request(
            "`expect` is a whole id, or nil for a ref that must not be",
        ));
    }
    Ok(Some(id.to_ascii_lowercase()).filter(|it| it != NO_ID))
}

/// Why none of them moved.
fn refusal(pushed: &[Pushed], updates: &[Update]) -> Error {
    let is_cause = |it: &Pushed| it.reason.is_some_and(|it| it != Reason::Atomic);
    let mut causes = pushed.iter().zip(updates).filter(|(it, _)| is_cause(it)).peekable();
    let error = match causes.peek() {
        Some((first, update)) => first.error(update),
        None => Error::internal("refs were refused and none of them for a reason of its own"),
    };
    error.with("refs", causes.map(|(it, _)| it.name.clone()).collect::<Vec<_>>())
}
