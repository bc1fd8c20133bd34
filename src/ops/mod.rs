//! Every operation the daemon answers, one file each; the wire name is the path.
//!
//! To add one, write `ops/<name>.rs` after the model of `ops/head.rs` and add its line to
//! [`OPERATIONS`]. The tests then ask for its row in `protocol/README.md` and its vectors in
//! `protocol/vectors/`.

mod address;
mod batch;
mod branch;
mod branches;
pub mod builtin;
mod cancel;
mod change;
mod checkout;
mod commit;
mod diff;
mod far;
#[cfg(feature = "faults")]
mod fault;
mod files;
mod head;
mod hello;
mod json;
mod lane;
mod lock;
mod locks;
mod log;
mod lsremote;
mod merge;
mod note;
mod notes;
mod maintain;
mod paging;
mod ping;
mod plain;
mod policy;
mod process;
mod push;
mod read;
mod receipt;
mod r#ref;
mod refs;
mod renew;
mod run;
mod shutdown;
mod stats;
mod status;
mod subscribe;
mod sync;
mod verify;
mod workspace;
mod tag;
mod tags;
mod task;
pub mod trigger;
mod unlock;

use std::{
    cell::{RefCell, RefMut},
    time::Instant,
};

use serde::{Serialize, de::DeserializeOwned};

pub use self::{
    address::{Subject, translated},
    batch::{Batch, ENTRIES_MAX},
    cancel::Cancel,
    lane::{Lane, Next, Pause},
    maintain::{HOUSEWORK_MS_MAX, PURGE_AFTER_MS},
    shutdown::{Reply as ShutdownReply, Shutdown},
    subscribe::{Event, Subscribe},
    task::{credit::Credit, subscribe::NAME as TASKS},
};
use crate::{
    config::Settings,
    error::{Code, Error, Result},
    git::{Opened, RepositoryPath, Store, Transaction, Workspaces},
    port::envelope::{Arguments, encoded, nearest},
    runs::Runs,
    stats::Stats,
    watch::Watch,
};

#[rustfmt::skip]
pub const OPERATIONS: &[Entry] = &[
    // Answered where they are read.
    Entry::of::<ping::Ping>(),
    Entry::of::<hello::Hello>(),
    Entry::of::<stats::Stats>(),
    // Read one repository.
    Entry::of::<read::Read>().on_a_repository(),
    Entry::of::<files::Files>().on_a_repository(),
    Entry::of::<head::Head>().on_a_repository(),
    Entry::of::<log::Log>().on_a_repository(),
    Entry::of::<diff::Diff>().on_a_repository(),
    Entry::of::<status::Status>().on_a_repository(),
    Entry::of::<workspace::export::Exporting>().on_a_repository(),
    Entry::of::<branches::Branches>().on_a_repository(),
    Entry::of::<tags::Tags>().on_a_repository(),
    Entry::of::<refs::Refs>().on_a_repository(),
    // Write one repository.
    Entry::of::<checkout::Checkout>().on_a_repository(),
    Entry::of::<commit::Commit>().on_a_repository(),
    Entry::of::<branch::Branching>().on_a_repository(),
    Entry::of::<tag::Tagging>().on_a_repository(),
    Entry::of::<merge::Merge>().on_a_repository(),
    Entry::of::<r#ref::update::RefUpdate>().on_a_repository(),
    // Look after one repository.
    Entry::of::<maintain::Maintain>().on_a_repository(),
    Entry::of::<verify::Verify>().on_a_repository(),
    // Are about workspaces as such.
    Entry::of::<workspace::create::Create>().on_a_workspace(),
    Entry::of::<workspace::delete::Delete>().on_a_workspace(),
    Entry::of::<workspace::import::Importing>().on_a_workspace(),
    Entry::of::<workspace::imported::Listing>().on_a_workspace(),
    Entry::of::<workspace::info::Info>().on_a_workspace(),
    Entry::of::<workspace::list::List>(),
    Entry::of::<workspace::restore::Restore>().on_a_workspace(),
    // Write one repository.
    Entry::of::<notes::Notes>().on_a_repository(),
    // Write one repository.
    Entry::of::<note::Note>().on_a_repository(),
    Entry::of::<note::remove::Remove>().on_a_repository(),
    Entry::of::<locks::Locks>().on_a_repository(),
    // Write one repository.
    Entry::of::<lock::Lock>().on_a_repository(),
    Entry::of::<renew::Renew>().on_a_repository(),
    Entry::of::<unlock::Unlock>().on_a_repository(),
    // Go over the network.
    Entry::of::<sync::Sync>(),
    Entry::of::<lsremote::Lsremote>(),
    Entry::of::<push::Push>().on_a_repository(),
    // Are about definitions of processes, in a repository or elsewhere.
    Entry::of::<process::lint::Lint>().on_a_repository(),
    Entry::of::<process::test::Test>().on_a_repository(),
    Entry::of::<process::graph::Graph>().on_a_repository(),
    Entry::of::<process::publish::Publish>().on_a_repository(),
    Entry::of::<process::get::Get>().on_a_repository(),
    Entry::of::<process::list::List>().on_a_repository(),
    // Are about runs of processes, and write one repository together.
    Entry::of::<run::start::Start>().on_a_repository(),
    Entry::of::<run::get::Get>().on_a_repository(),
    Entry::of::<run::list::List>().on_a_repository(),
    Entry::of::<run::history::History>().on_a_repository(),
    Entry::of::<run::graph::Graph>().on_a_repository(),
    Entry::of::<run::verify::Verify>().on_a_repository(),
    Entry::of::<run::signal::Signal>().on_a_repository(),
    Entry::of::<run::cancel::Cancel>().on_a_repository(),
    Entry::of::<run::suspend::Suspend>().on_a_repository(),
    Entry::of::<run::resume::Resume>().on_a_repository(),
    Entry::of::<run::retry::Retry>().on_a_repository(),
    Entry::of::<run::fork::Fork>().on_a_repository(),
    Entry::of::<run::migrate::Migrate>().on_a_repository(),
    Entry::of::<run::prune::Prune>().on_a_repository(),
    Entry::of::<task::claim::Claim>().on_a_repository(),
    Entry::of::<task::complete::Complete>().on_a_repository(),
    Entry::of::<task::fail::Fail>().on_a_repository(),
    Entry::of::<task::heartbeat::Heartbeat>().on_a_repository(),
    Entry::of::<task::release::Release>().on_a_repository(),
    Entry::of::<task::list::List>().on_a_repository(),
    Entry::of::<task::subscribe::Subscribe>().on_a_repository(),
    // Are about what starts runs.
    Entry::of::<trigger::list::List>().on_a_repository(),
    Entry::of::<trigger::test::Test>().on_a_repository(),
    Entry::of::<trigger::pause::Pause>().on_a_repository(),
    Entry::of::<trigger::resume::Resume>().on_a_repository(),
    Entry::of::<receipt::list::List>().on_a_repository(),
    Entry::of::<receipt::get::Get>().on_a_repository(),
    Entry::of::<receipt::verify::Verify>().on_a_repository(),
    // Are about who may do what, and change one repository together.
    Entry::of::<policy::set::Set>().on_a_repository(),
    Entry::of::<policy::get::Get>().on_a_repository(),
    Entry::of::<policy::remove::Remove>().on_a_repository(),
    Entry::of::<policy::check::Check>().on_a_repository(),
    Entry::of::<policy::denials::Denials>().on_a_repository(),
    // Are about other requests.
    Entry::control("batch", batch::decode),
    Entry::control("cancel", cancel::decode),
    Entry::control("shutdown", shutdown::decode),
    Entry::control("subscribe", subscribe::decode),
    Entry::control("task.credit", task::credit::decode),
    #[cfg(feature = "faults")]
    Entry::of::<fault::Fault>(),
];

/// One request kind. Its fields are the arguments on the wire.
trait Operation: DeserializeOwned + Send + 'static {
    /// The value of `op` on the wire.
    const NAME: &'static str;

    type Reply: Serialize;

    /// Where this runs, and what must not change while it does.
    fn lane(&self) -> Lane;

    /// The reply, if it is in memory and a look at a local disk shows that it is still right. It
    /// is then given where the request was read, like that of a quick one.
    fn at_hand(&self, _: &Context) -> Option<Result<Self::Reply>> {
        None
    }

    /// What must happen before this can be done; it is asked in its turn, and again when that may
    /// have happened. Nobody waits behind it meanwhile.
    fn must_wait(&mut self, _: &Context) -> Result<Option<Pause>> {
        Ok(None)
    }

    /// What comes next to a client that is sent one thing after the other, until it cancels; for
    /// all others nothing, and their reply is all that comes.
    fn push(&mut self, _: &Context) -> Option<Result<Next<Self::Reply>>> {
        None
    }

    fn run(self, context: &Context) -> Result<Self::Reply>;
}

/// What operations share, and the request they run for.
pub struct Context<'a, 't> {
    pub settings: &'a Settings,
    pub store: &'a Store,
    pub stats: &'a Stats,
    pub runs: &'a Runs,
    pub watch: &'a Watch,
    /// What the request changes, together with those that run in one step with it.
    pub transaction: Option<&'a RefCell<Transaction<'t>>>,
    /// When the request was read. What was true at any moment since is a right answer.
    pub asked: Instant,
}

/// Names the argument that a bad request is about, where nothing more precise does.
fn about(field: &'static str) -> impl Fn(Error) -> Error {
    move |error| match error.code {
        Code::BadRequest if error.details().is_empty() => error.with("field", field),
        _ => error,
    }
}

impl<'t> Context<'_, 't> {
    fn transaction(&self) -> RefMut<'_, Transaction<'t>> {
        self.transaction.expect("it is there for everything in this lane").borrow_mut()
    }

    fn open(&self, path: &RepositoryPath) -> Result<Opened<'_>> {
        self.store.open(path, self.asked)
    }

    fn workspaces(&self) -> Result<&Workspaces> {
        address::expected(self.store.workspaces())
    }
}

/// What time does to the runs of a repository.
pub fn tick(context: &Context) -> Result<()> {
    run::with_some(context, |keeper, transaction| {
        keeper.tick(transaction)?;
        transaction.be_durable();
        Ok(())
    })
}

/// What computes the encoded reply.
pub trait Work: Send {
    /// See [`Operation::at_hand`].
    fn at_hand(&self, context: &Context) -> Option<Result<Vec<u8>>>;

    /// See [`Operation::must_wait`].
    fn must_wait(&mut self, context: &Context) -> Result<Option<Pause>>;

    /// See [`Operation::push`].
    fn push(&mut self, context: &Context) -> Option<Result<Next<Vec<u8>>>>;

    fn run(self: Box<Self>, context: &Context) -> Result<Vec<u8>>;
}

impl<O: Operation> Work for O {
    fn at_hand(&self, context: &Context) -> Option<Result<Vec<u8>>> {
        let reply = Operation::at_hand(self, context)?;
        Some(reply.map(|reply| encoded(&reply)))
    }

    fn must_wait(&mut self, context: &Context) -> Result<Option<Pause>> {
        Operation::must_wait(self, context)
    }

    fn push(&mut self, context: &Context) -> Option<Result<Next<Vec<u8>>>> {
        let encode = |next| match next {
            Next::Sent(reply) => Next::Sent(encoded(&reply)),
            Next::Wait(pause) => Next::Wait(pause),
        };
        Operation::push(self, context).map(|it| it.map(encode))
    }

    fn run(self: Box<Self>, context: &Context) -> Result<Vec<u8>> {
        Ok(encoded(&Operation::run(*self, context)?))
    }
}

/// A decoded request.
pub enum Call {
    Work(Job),
    Control(Control),
}

/// What a worker can do without knowing of other requests.
pub struct Job {
    pub lane: Lane,
    pub work: Box<dyn Work>,
}

/// What only the dispatcher can do.
pub enum Control {
    Batch(Batch),
    Cancel(Cancel),
    Credit(Credit),
    Shutdown(Shutdown),
    Subscribe(Subscribe),
}

pub struct Entry {
    pub name: &'static str,
    pub subject: Subject,
    decode: fn(&Arguments) -> Result<Call>,
}

impl Entry {
    const fn of<O: Operation>() -> Entry {
        Entry { name: O::NAME, subject: Subject::Other, decode: decode_as::<O> }
    }

    const fn control(name: &'static str, decode: fn(&Arguments) -> Result<Call>) -> Entry {
        Entry { name, subject: Subject::Other, decode }
    }

    /// Its `path` is that of a repository, so it takes the `workspace` of an id as well.
    const fn on_a_repository(self) -> Entry {
        Entry { subject: Subject::Repository, ..self }
    }

    /// It has the fields `workspace` and `path`, of which clients give the first.
    const fn on_a_workspace(self) -> Entry {
        Entry { subject: Subject::Workspace, ..self }
    }

    pub fn decode(&self, arguments: &Arguments, workspaces: Option<&Workspaces>) -> Result<Call> {
        address::decode(self.subject, arguments, workspaces, self.decode)
    }
}

/// Finds an operation by its name on the wire.
pub fn find(name: &str) -> Result<&'static Entry> {
    if let Some(entry) = OPERATIONS.iter().find(|it| it.name == name) {
        return Ok(entry);
    }
    let error = Error::unknown_operation(format!("no operation is called `{name}`"));
    let ending = format!(".{name}");
    let names = || OPERATIONS.iter().map(|it| it.name);
    Err(match names().find(|it| it.ends_with(&ending)).or_else(|| nearest(name, names())) {
        Some(nearest) => error.with("nearest", nearest),
        None => error,
    })
}

fn decode_as<O: Operation>(arguments: &Arguments) -> Result<Call> {
    let operation: O = arguments.decode()?;
    Ok(Call::Work(Job { lane: operation.lane(), work: Box::new(operation) }))
}
