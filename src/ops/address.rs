//! How a request says which repository it is about: by `path`, or as the `workspace` of an id.
//!
//! An id is made a path before the arguments are decoded, and the path an id again in errors, so
//! that no operation knows of it.

use std::path::Path;

use super::{Call, Context, Job, Next, Pause, Work};
use crate::{
    error::{Code, Error, Result},
    git::{Text, WorkspaceId, Workspaces},
    port::envelope::Arguments,
};

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// Nothing that has an id; `path` is as any argument.
    Other,
    /// A repository that exists, by `path` or by `workspace`.
    Repository,
    /// A workspace as such, whether it exists or not. It decodes `path` too, which no client gives.
    Workspace,
}

/// Work on a workspace, whose errors speak of it and not of its folder.
struct InWorkspace {
    work: Box<dyn Work>,
    named: Named,
}

struct Named {
    workspace: WorkspaceId,
    folder: String,
}

/// Decodes a request, its `workspace` made a path.
pub fn decode(
    subject: Subject,
    arguments: &Arguments,
    workspaces: Option<&Workspaces>,
    decode: fn(&Arguments) -> Result<Call>,
) -> Result<Call> {
    let has_path = arguments.has("path");
    match subject {
        Subject::Workspace if has_path => {
            let error = Error::bad_request("no argument is called `path`");
            return Err(error.with("field", "path").with("nearest", "workspace"));
        }
        Subject::Other => return decode(arguments),
        _ => (),
    }
    let decode = |it: &Arguments| decode(it).map_err(|error| worded(error, subject));
    let Some(workspace) = arguments.get::<WorkspaceId>("workspace")? else {
        return decode(arguments);
    };
    if has_path {
        let error = Error::bad_request("`path` and `workspace` are both given; give one");
        return Err(error.with("field", "workspace"));
    }
    let place = expected(workspaces)?.place(&workspace);
    let mut addressed = match subject {
        Subject::Repository => arguments.without("workspace"),
        _ => arguments.clone(),
    };
    addressed.add("path", &Text::of_path(&place));
    let call = decode(&addressed)?;
    let Call::Work(Job { lane, work }) = call else { return Ok(call) };
    let folder = place.to_string_lossy().into_owned();
    let work = Box::new(InWorkspace { work, named: Named { workspace, folder } });
    Ok(Call::Work(Job { lane, work }))
}

/// Names the arguments that there are for a client.
fn worded(error: Error, subject: Subject) -> Error {
    let is_list = error.message.starts_with("no argument is called");
    match subject {
        Subject::Repository if is_list || error.message == "`path` is missing" => {
            error.replacing("`path`", "`path` or `workspace`")
        }
        Subject::Workspace if is_list => error.replacing("`path`, ", ""),
        _ => error,
    }
}

pub fn expected(workspaces: Option<&Workspaces>) -> Result<&Workspaces> {
    workspaces.ok_or_else(|| {
        Error::unsupported("the daemon was started without `--data`, so it has no workspaces")
            .with("feature", "workspaces")
    })
}

/// What is wrong at a path, in the words for a workspace if it is one.
pub fn translated(error: Error, path: &Path, workspaces: Option<&Workspaces>) -> Error {
    match workspaces.and_then(|it| it.id_at(path)) {
        Some(workspace) => {
            let folder = path.to_string_lossy().into_owned();
            Named { workspace, folder }.translate(error)
        }
        None => error,
    }
}

impl Work for InWorkspace {
    fn at_hand(&self, context: &Context) -> Option<Result<Vec<u8>>> {
        Some(self.work.at_hand(context)?.map_err(|error| self.named.translate(error)))
    }

    fn must_wait(&mut self, context: &Context) -> Result<Option<Pause>> {
        self.work.must_wait(context).map_err(|error| self.named.translate(error))
    }

    fn push(&mut self, context: &Context) -> Option<Result<Next<Vec<u8>>>> {
        Some(self.work.push(context)?.map_err(|error| self.named.translate(error)))
    }

    fn run(self: Box<Self>, context: &Context) -> Result<Vec<u8>> {
        let InWorkspace { work, named } = *self;
        work.run(context).map_err(|error| named.translate(error))
    }
}

impl Named {
    fn translate(&self, error: Error) -> Error {
        let Named { workspace, folder } = self;
        let is_about_it = match error.code {
            Code::NotFound | Code::Unavailable => error.message.contains(folder),
            // What was read while somebody deleted it.
            Code::Corrupt | Code::Internal => true,
            _ => false,
        };
        match is_about_it && !Path::new(folder).exists() {
            true => Error::not_found(format!("no workspace is called `{workspace}`")),
            false => error.replacing(folder, &format!("the workspace `{workspace}`")),
        }
    }
}
