//! `task.subscribe`: tasks are sent to a worker as they come, as many as it has credits for.

use serde::{Deserialize, Serialize};

use super::{TASKS_MAX, credit::expect_credits, lease_ms, types};
use crate::{
    error::{Error, Result},
    git::RepositoryPath,
    ops::{
        Context, Lane, Next, Operation, Pause,
        plain::Plain,
        run::{name, with_some},
    },
    runs::{
        listing::Task,
        tasks::{QUEUE, Wanted},
        work::{Ask, LEASE_MS},
    },
};

pub const NAME: &str = "task.subscribe";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscribe {
    path: RepositoryPath,
    worker: Plain,
    queue: Option<Plain>,
    types: Option<Vec<Plain>>,
    #[serde(default)]
    roles: Vec<Plain>,
    #[serde(default = "one")]
    credits: u64,
    lease_ms: Option<u64>,
    /// Whether the first credits were given.
    #[serde(skip)]
    has_begun: bool,
}

fn one() -> u64 {
    1
}

#[derive(Serialize)]
pub struct Sent {
    tasks: Vec<Task>,
}

impl Operation for Subscribe {
    const NAME: &'static str = NAME;

    type Reply = Sent;

    fn lane(&self) -> Lane {
        Lane::Change(self.path.resolved())
    }

    fn push(&mut self, context: &Context) -> Option<Result<Next<Sent>>> {
        Some(self.next(context))
    }

    fn run(self, _: &Context) -> Result<Sent> {
        Err(Error::internal("tasks are sent, and no reply to who waits for them"))
    }
}

impl Subscribe {
    fn next(&mut self, context: &Context) -> Result<Next<Sent>> {
        let watch = context.watch;
        if !self.has_begun {
            expect_credits(self.credits)?;
            watch.add_credits(self.credits);
            self.has_begun = true;
        }
        let credits = usize::try_from(watch.credits()).unwrap_or(usize::MAX);
        let ask = self.ask(credits.min(TASKS_MAX))?;
        with_some(context, |keeper, transaction| {
            let tasks = match ask.most {
                0 => Vec::new(),
                _ => keeper.claim(&ask, transaction)?,
            };
            if tasks.is_empty() {
                let folder = transaction.repository().common_folder().to_owned();
                return Ok(Next::Wait(Pause::Task { folder, gives_up_ms: u64::MAX }));
            }
            watch.spend_credits(tasks.len() as u64);
            transaction.be_durable();
            Ok(Next::Sent(Sent { tasks }))
        })
    }

    fn ask(&self, most: usize) -> Result<Ask> {
        let queue = self.queue.as_ref().map_or_else(|| QUEUE.to_owned(), |it| it.to_string());
        Ok(Ask {
            worker: name(&self.worker, "worker")?,
            roles: self.roles.iter().map(|it| it.to_string()).collect(),
            wanted: Wanted { queue, types: types(self.types.clone()) },
            most,
            lease_ms: lease_ms(self.lease_ms.unwrap_or(LEASE_MS))?,
        })
    }
}
