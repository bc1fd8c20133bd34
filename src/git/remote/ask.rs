//! What a remote shows: its refs, over a connection that a fetch can go on with.

use git2::{Direction, RemoteConnection};

use super::{Remote, Transport, access::Refusal, stock};
use crate::{
    error::{Code, Error, Result},
    git::{certificates, refs},
};

pub(super) fn lsremote(
    remote: &Remote,
    branch: Option<&str>,
    git: Option<&str>,
) -> Result<Vec<(String, String)>> {
    let wanted = branch.map(refs::candidates);
    let is_wanted = |name: &String| wanted.as_ref().is_none_or(|it| it.contains(name));
    if remote.needs_stock() {
        let refs = list_by_stock(remote, git)?;
        return Ok(refs.into_iter().filter(|(name, _)| is_wanted(name)).collect());
    }
    let refusal = Refusal::default();
    let mut detached = git2::Remote::create_detached(remote.connect_url())?;
    let mut again = git2::Remote::create_detached(remote.connect_url())?;
    let connection = match connect(remote, Direction::Fetch, &mut detached, &refusal) {
        Err(error) if remote.was_led_to_https(&error)? => {
            connect(remote, Direction::Fetch, &mut again, &refusal)?
        }
        connected => connected?,
    };
    let heads = connection.list().map_err(|error| refusal.explain(&remote.url, error))?;
    let mut found = Vec::new();
    for head in heads {
        match name_of(head) {
            Some(name) if is_wanted(&name) => found.push((name, head.oid().to_string())),
            None if wanted.is_none() => {
                let message = "the remote has a ref whose name is no UTF-8; ask for one branch";
                return Err(Error::unsupported(message).with("feature", "ref name"));
            }
            _ => (),
        }
    }
    Ok(found)
}

/// The refs as stock git lists them, for what libgit2 cannot reach.
pub(super) fn list_by_stock(remote: &Remote, git: Option<&str>) -> Result<Vec<(String, String)>> {
    let listed = git.map(|git| stock::list(git, remote)).transpose()?.flatten();
    listed.ok_or_else(|| {
        let message =
            "http:// through a proxy needs the git program; `proxy: \"none\"` goes direct";
        Error::unsupported(message).with("feature", "proxy for http")
    })
}

/// The name of a remote's ref; none where git2 cannot give it, because it is no UTF-8.
pub(super) fn name_of(head: &git2::RemoteHead) -> Option<String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| head.name().to_owned())).ok()
}

pub(super) fn connect<'repo, 'connection>(
    remote: &'connection Remote,
    direction: Direction,
    origin: &'connection mut git2::Remote<'repo>,
    refusal: &'connection Refusal,
) -> Result<RemoteConnection<'repo, 'connection, 'connection>> {
    let callbacks = Some(remote.callbacks(refusal));
    let connected = origin.connect_auth(direction, callbacks, Some(remote.proxy()));
    connected.map_err(|error| refusal.explain(&remote.url, error))
}

/// Names the system's certificates, which a process does not read by itself.
///
/// # Safety
/// As for libgit2's process-wide options: no other thread uses libgit2.
#[allow(unsafe_code, reason = "libgit2's process-wide options have no safe interface")]
pub(super) unsafe fn trust_the_system() -> Result<()> {
    let [file, folder] = certificates();
    // SAFETY: the caller's promise.
    unsafe {
        if let Some(file) = file {
            git2::opts::set_ssl_cert_file(file)?;
        }
        if let Some(folder) = folder {
            git2::opts::set_ssl_cert_dir(folder)?;
        }
    }
    Ok(())
}

impl Remote {
    /// Whether an http:// remote redirected to https, for which certificates are needed after all.
    /// They are there afterwards.
    pub(super) fn was_led_to_https(&self, error: &Error) -> Result<bool> {
        let is_led = self.url.transport == Transport::Http && error.code == Code::Denied;
        if is_led && self.certificates()?.is_none() {
            #[allow(unsafe_code, reason = "libgit2's process-wide options have no safe interface")]
            // SAFETY: a child uses libgit2 on one thread, and this is it.
            unsafe {
                trust_the_system()?;
            }
            return Ok(true);
        }
        Ok(false)
    }

    /// Whether libgit2 would go another way than asked: it uses a proxy for https only, and
    /// would connect to http:// directly without a word.
    pub(super) fn needs_stock(&self) -> bool {
        let from_environment = || {
            let names = ["http_proxy", "all_proxy", "ALL_PROXY"];
            names.iter().any(|it| std::env::var_os(it).is_some_and(|it| !it.is_empty()))
        };
        let is_proxied = match self.access.proxy.as_deref() {
            Some(proxy) => proxy != "none",
            None => from_environment(),
        };
        self.url.transport == Transport::Http && is_proxied
    }
}
