//! `lock`: hold a lock for some time, alone or with others that share it.

use serde::Deserialize;

use super::{
    Context, Lane, Operation, Pause,
    change::{Durability, Reply},
    far::Far,
    lsremote::access,
    plain::Plain,
};
use crate::{
    error::{Error, Result},
    git::{Auth, Lease, LockName, Patience, Queued, RepositoryPath, Taken, Wish, boottime_ms},
};

const OWNER_BYTES_MAX: usize = 200;
const REASON_BYTES_MAX: usize = 1000;
/// A day.
const TIME_MS_MAX: u64 = 86_400_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    path: RepositoryPath,
    name: LockName,
    owner: Plain,
    #[serde(default)]
    shared: bool,
    reason: Option<Plain>,
    #[serde(default = "ttl_ms_default")]
    ttl_ms: u64,
    #[serde(default)]
    wait_ms: u64,
    #[serde(default)]
    durability: Durability,
    url: Option<Plain>,
    remote: Option<Plain>,
    auth: Option<Auth>,
    known_hosts: Option<Plain>,
    ca: Option<Plain>,
    ca_file: Option<Plain>,
    proxy: Option<Plain>,
    /// When waiting is over, once it has begun, and the place in the queue.
    #[serde(skip)]
    gives_up_ms: Option<u64>,
    #[serde(skip)]
    place: Option<Queued>,
    /// The same on a remote, and what was got there.
    #[serde(skip)]
    patience: Option<Patience>,
    #[serde(skip)]
    lease: Option<Lease>,
}

fn ttl_ms_default() -> u64 {
    30_000
}

impl Operation for Lock {
    const NAME: &'static str = "lock";

    type Reply = Reply<Lease>;

    fn lane(&self) -> Lane {
        Far::lane(&self.path, self.url.as_ref().or(self.remote.as_ref()))
    }

    fn must_wait(&mut self, context: &Context) -> Result<Option<Pause>> {
        let wish = self.wish()?;
        if let Some(far) = self.far()? {
            self.durability.expect_usual()?;
            let patience = self.patience.get_or_insert_with(|| Patience::new(self.wait_ms));
            return Ok(
                match far.locks(context, &self.path)?.take(&self.name, &wish, patience)? {
                    Taken::Later(wait) => Some(Pause::Lock(wait)),
                    Taken::Now(lease) => {
                        self.lease = Some(lease);
                        None
                    }
                },
            );
        }
        if self.wait_ms == 0 {
            return Ok(None);
        }
        let gives_up_ms = *self.gives_up_ms.get_or_insert_with(|| boottime_ms() + self.wait_ms);
        let mut transaction = context.transaction();
        let wait = transaction.lock_waits(&self.name, &wish, &mut self.place, gives_up_ms)?;
        Ok(wait.map(Pause::Lock))
    }

    fn run(self, context: &Context) -> Result<Self::Reply> {
        if let Some(lease) = self.lease {
            return Ok(Reply::of(lease));
        }
        let wish = self.wish()?;
        let mut transaction = context.transaction();
        let lease = transaction.take_lock(&self.name, &wish, self.place.as_ref())?;
        Ok(self.durability.promise(&mut transaction, lease))
    }
}

impl Lock {
    /// The remote that keeps it, if one does.
    fn far(&self) -> Result<Option<Far>> {
        let Self { url, remote, auth, known_hosts, ca, ca_file, proxy, .. } = self;
        let access =
            access(auth.clone(), known_hosts.clone(), ca.clone(), ca_file.clone(), proxy.clone());
        Far::of(url.as_ref(), remote.as_ref(), access)
    }

    fn wish(&self) -> Result<Wish> {
        let reason = self.reason.as_deref();
        expect_length("owner", &self.owner, 1, OWNER_BYTES_MAX)?;
        expect_length("reason", reason.unwrap_or_default(), 0, REASON_BYTES_MAX)?;
        if TIME_MS_MAX < self.wait_ms {
            let message = format!("`wait_ms` is from 0 to {TIME_MS_MAX}");
            return Err(Error::bad_request(message).with("field", "wait_ms"));
        }
        Ok(Wish {
            owner: self.owner.to_string(),
            reason: reason.map(str::to_owned),
            is_shared: self.shared,
            ttl_ms: ttl_ms(self.ttl_ms)?,
            nonce: None,
        })
    }
}

fn expect_length(field: &'static str, text: &str, min: usize, max: usize) -> Result<()> {
    if (min..=max).contains(&text.len()) {
        return Ok(());
    }
    Err(Error::bad_request(format!("`{field}` has {min} to {max} bytes")).with("field", field))
}

/// How long a lock is held unless it is renewed.
pub fn ttl_ms(ttl_ms: u64) -> Result<u64> {
    match ttl_ms {
        1..=TIME_MS_MAX => Ok(ttl_ms),
        _ => Err(Error::bad_request(format!("`ttl_ms` is from 1 to {TIME_MS_MAX}"))
            .with("field", "ttl_ms")),
    }
}
