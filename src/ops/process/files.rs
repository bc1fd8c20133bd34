//! Where the definitions of a request come from: files of a repository, or the request itself.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    git::{FileName, Range, RawName, RepositoryPath},
    ops::{
        Context, Lane, about,
        change::{Content, Encoding},
        plain::Plain,
    },
    process::gate::Named,
};

/// How many files one request may have.
const FILES_MAX: usize = 10_000;
/// All of them together.
const BYTES_MAX: u64 = 64 << 20;

/// A file that is in no repository, such as one in an editor.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    file: Plain,
    content: Content,
}

/// The arguments that say which files.
pub struct Wanted {
    pub path: Option<RepositoryPath>,
    pub rev: Option<Plain>,
    pub files: Option<Vec<RawName>>,
    pub drafts: Option<Vec<Draft>>,
    pub encoding: Encoding,
}

impl Wanted {
    pub fn read(self, context: &Context) -> Result<Vec<Named>> {
        let Wanted { path, rev, files, drafts, encoding } = self;
        match (path, files, drafts) {
            (None, None, Some(_)) if rev.is_some() => bad("`rev` is of a repository", "rev"),
            (None, None, Some(drafts)) => of_request(drafts, encoding),
            (Some(path), Some(files), None) => {
                of_repository(&path, rev.as_deref(), &files, context)
            }
            (Some(_), None, None) => bad("`files` says which ones of the repository", "files"),
            (None, Some(_), _) => {
                bad("`files` are of a repository: give `path` or `workspace`", "path")
            }
            _ => bad("either `drafts`, or `files` of a repository, say what to read", "drafts"),
        }
    }
}

/// What a file is called where something is said of it: in one line, and nothing to a terminal.
pub fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).replace(char::is_control, "\u{fffd}")
}

/// Where files are read.
pub fn lane(path: Option<&RepositoryPath>) -> Lane {
    match path {
        Some(path) => Lane::Search(path.to_path_buf()),
        None => Lane::Survey,
    }
}

pub fn of_request(drafts: Vec<Draft>, encoding: Encoding) -> Result<Vec<Named>> {
    expect_few(drafts.len(), "drafts")?;
    let mut names = BTreeSet::new();
    if let Some(twice) = drafts.iter().find(|it| !names.insert(it.file.as_bytes())) {
        return bad(
            &format!("the file `{}` is there twice", shown(twice.file.as_bytes())),
            "drafts",
        );
    }
    let named = |(index, it): (usize, Draft)| {
        let content = it.content.bytes(encoding);
        Ok((
            shown(it.file.as_bytes()),
            content.map_err(|it| it.within(&format!("drafts[{index}]")))?,
        ))
    };
    drafts.into_iter().enumerate().map(named).collect()
}

/// Files of a revision, or as they are on disk.
pub fn of_repository(
    path: &RepositoryPath,
    rev: Option<&str>,
    files: &[RawName],
    context: &Context,
) -> Result<Vec<Named>> {
    expect_few(files.len(), "files")?;
    let whole = Range { offset: 0, length: None };
    let on_disk = match rev {
        Some(_) => None,
        None => Some(context.store.folder(path)?).filter(|it| !it.is_bare_repository()),
    };
    let repository = match on_disk {
        Some(_) => None,
        None => Some(context.open(path)?),
    };
    let mut left = BYTES_MAX;
    let read = |name: &RawName| {
        context.watch.check()?;
        let file = FileName::try_from(name)?;
        let content = match (&on_disk, &repository) {
            (Some(folder), _) => folder.read(&file, whole, left)?,
            (None, Some(repository)) => {
                let read = repository.read(rev.unwrap_or("HEAD"), &file, whole, left);
                read.map_err(about("rev"))?.to_vec()
            }
            (None, None) => return Err(Error::internal("files of nothing")),
        };
        left -= content.len() as u64;
        Ok((shown(&name.0), content))
    };
    files.iter().map(read).collect()
}

fn expect_few(count: usize, field: &'static str) -> Result<()> {
    match count {
        0..=FILES_MAX => Ok(()),
        _ => bad(&format!("one request has at most {FILES_MAX} files"), field),
    }
}

fn bad<T>(message: &str, field: &'static str) -> Result<T> {
    Err(Error::bad_request(message).with("field", field))
}
