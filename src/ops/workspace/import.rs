//! `workspace.import`: make a history of a database of snapshots, a folder, or a bundle.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::source::{Manner, Name, Source};
use crate::{
    error::{Code, Error, Result},
    git::{
        Branch, Bundle, Destination, Import, Imported, Mapping, RepositoryPath, Text, Transaction,
        WorkspaceId, check_name,
    },
    ops::{Context, Lane, Operation, about, change::Fence, plain::Plain},
    snapshots::{Database, Reader, State},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Importing {
    workspace: WorkspaceId,
    path: RepositoryPath,
    from: Source,
    branch: Option<Plain>,
    #[serde(default = "usual_name")]
    name: Plain,
    author: Option<Name>,
    committer: Option<Name>,
    message: Option<Plain>,
    mapping: Option<RepositoryPath>,
    fence: Option<Fence>,
}

pub fn usual_name() -> Plain {
    "import".into()
}

#[derive(Serialize)]
pub struct Reply {
    workspace: WorkspaceId,
    path: Text,
    /// Whether the workspace was not there before.
    created: bool,
    #[serde(flatten)]
    report: Report,
    bytes_before: u64,
    bytes_after: u64,
    took_ms: u64,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Report {
    States {
        #[serde(flatten)]
        imported: Imported,
        /// How much of the time the database was waited for.
        reading_ms: u64,
    },
    Refs {
        branches: usize,
        tags: usize,
        head: Option<String>,
    },
}

impl Operation for Importing {
    const NAME: &'static str = "workspace.import";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Send(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let begun = Instant::now();
        self.check(context)?;
        if let Some(fence) = &self.fence {
            // Before anything is made; each step looks again.
            let check = |it: &mut Transaction| Fence::check(Some(fence), it);
            context.store.change_alone(&self.path, context.watch, check)?;
        }
        let (created, report, bytes_before) = match &self.from {
            Source::Bundle(bundle) => self.import_bundle(bundle, context)?,
            Source::Database(database) => self.import_database(database, context)?,
        };
        let bytes_after = context.store.bytes(&self.path, context.watch)?;
        Ok(Reply {
            path: self.path.to_text(),
            workspace: self.workspace,
            created,
            report,
            bytes_before,
            bytes_after,
            took_ms: milliseconds(begun.elapsed()),
        })
    }
}

impl Importing {
    fn check(&self, context: &Context) -> Result<()> {
        check_name(&self.name)?;
        self.branch()?;
        if let Some(to) = &self.mapping {
            if let Source::Bundle(_) = self.from {
                let message = "a bundle has no states: `mapping` is for databases";
                return Err(Error::bad_request(message).with("field", "mapping"));
            }
            super::export::place(to, true, context).map_err(about("mapping"))?;
        }
        self.from.confine(context)
    }

    fn branch(&self) -> Result<Option<Branch>> {
        self.branch.as_deref().map(|it| Branch::new_one(it, "branch")).transpose()
    }

    fn import_bundle(
        &self,
        bundle: &RepositoryPath,
        context: &Context,
    ) -> Result<(bool, Report, u64)> {
        let bundle = Bundle::open(bundle)?;
        let bytes = bundle.bytes();
        let branch = self.branch()?.or_else(|| bundle.branch());
        let created = self.create(&branch.map_or_else(main, Ok)?, context)?;
        let fence = Fence::of(self.fence.as_ref());
        let taken = bundle.take(context.store, &self.path, fence, context.watch)?;
        let described = context.store.open(&self.path, Instant::now())?.describe(context.watch)?;
        let report =
            Report::Refs { branches: taken.branches, tags: taken.tags, head: described.head };
        Ok((created, report, bytes))
    }

    fn import_database(
        &self,
        database: &Database,
        context: &Context,
    ) -> Result<(bool, Report, u64)> {
        let (author, committer) = (self.author.as_ref(), self.committer.as_ref());
        let manner = Manner::new(author, committer, self.message.as_deref())?;
        let silence_max = Duration::from_millis(context.settings.network_timeout_ms);
        let opened = Reader::open(database, silence_max, context.watch);
        let (mut reader, states) = opened.map_err(|error| error.within("from"))?;
        let branch = self.branch()?.map_or_else(main, Ok)?;
        let created = self.create(&branch, context)?;
        let to = Destination {
            store: context.store,
            path: &self.path,
            name: &self.name,
            branch: &branch,
            fence: Fence::of(self.fence.as_ref()),
            watch: context.watch,
        };
        let family: Vec<_> = states.iter().map(|it| (it.id.clone(), it.parent.clone())).collect();
        let mut import = Import::begin(to, &family)?;
        let added = add_all(&mut import, &mut reader, &states, &manner);
        if let Err(error) = added {
            if !context.watch.is_stopped() {
                import.keep()?;
            }
            return Err(error);
        }
        let (imported, mapping) = import.finish()?;
        self.write(&mapping)?;
        let bytes = database.bytes().unwrap_or(imported.bytes);
        let reading_ms = milliseconds(reader.waited());
        Ok((created, Report::States { imported, reading_ms }, bytes))
    }

    /// Makes the workspace unless it is there.
    fn create(&self, branch: &Branch, context: &Context) -> Result<bool> {
        match context.workspaces()?.create(&self.workspace, branch, None) {
            Ok(_) => Ok(true),
            Err(error) if error.code == Code::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn write(&self, mapping: &Mapping) -> Result<()> {
        self.mapping.as_ref().map_or(Ok(()), |to| mapping.write(to)).map_err(about("mapping"))
    }
}

fn add_all(
    import: &mut Import,
    reader: &mut Reader,
    states: &[State],
    manner: &Manner,
) -> Result<()> {
    let is_left = |(index, state): (usize, &State)| match import.is_done(&state.id) {
        true => None,
        false => u32::try_from(index).ok(),
    };
    let left: Vec<u32> = states.iter().enumerate().filter_map(is_left).collect();
    reader.want(&left)?;
    for index in left {
        let snapshot = manner.snapshot(&states[index as usize])?;
        import.add(snapshot, |each| {
            reader.files(&mut |file| each(&file.path, file.content, file.mode))
        })?;
    }
    Ok(())
}

fn main() -> Result<Branch> {
    Branch::new("main")
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
