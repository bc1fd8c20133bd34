//! The argument `store`: where published processes are, if not in the repository of the request.

use std::{fs, io::ErrorKind, path::PathBuf};

use serde::Deserialize;

use crate::{
    error::{Error, Result},
    git::RepositoryPath,
    ops::{Context, Lane, workspace::export::expect_outside},
    process::store::{
        Store,
        folder::InFolder,
        repository::{InRepository, Publisher},
        s3::{self, Bucket},
    },
};

/// What is kept of processes in the data directory.
const CACHE: &str = "processes";

#[derive(Deserialize)]
#[serde(try_from = "Fields")]
pub enum Place {
    Folder(RepositoryPath),
    S3(Box<Bucket>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {folder} or {s3}")]
struct Fields {
    folder: Option<RepositoryPath>,
    s3: Option<Box<Bucket>>,
}

impl TryFrom<Fields> for Place {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Place, &'static str> {
        match (fields.folder, fields.s3) {
            (Some(folder), None) => Ok(Place::Folder(folder)),
            (None, Some(bucket)) => Ok(Place::S3(bucket)),
            _ => Err("a store is one of: folder; s3"),
        }
    }
}

/// The store to read, which is said in one way.
pub fn to_read<'a>(
    place: Option<&'a Place>,
    path: Option<&'a RepositoryPath>,
    context: &'a Context,
) -> Result<Box<dyn Store + 'a>> {
    if place.is_some() && path.is_some() {
        let message = "`store` and a repository are both given; give one";
        return Err(Error::bad_request(message).with("field", "store"));
    }
    open(place, path, Publisher::Nobody, context)
}

/// Where a store is read.
pub fn lane(place: Option<&Place>, path: Option<&RepositoryPath>) -> Lane {
    match (place, path) {
        (Some(Place::S3(_)), None) => Lane::Network(None),
        (Some(Place::S3(_)), Some(path)) => Lane::Send(path.to_path_buf()),
        (_, Some(path)) => Lane::Search(path.to_path_buf()),
        (_, None) => Lane::Survey,
    }
}

pub fn open<'a>(
    place: Option<&'a Place>,
    path: Option<&'a RepositoryPath>,
    publisher: Publisher<'a>,
    context: &'a Context,
) -> Result<Box<dyn Store + 'a>> {
    let (store, watch, asked) = (context.store, context.watch, context.asked);
    match (place, path) {
        (None, Some(path)) => Ok(Box::new(InRepository { store, path, asked, watch, publisher })),
        (None, None) => {
            let message = "`path`, `workspace` or `store` says where processes are published";
            Err(Error::bad_request(message).with("field", "store"))
        }
        (Some(Place::Folder(folder)), _) => {
            expect_outside(folder, context)?;
            expect_no_repository(folder)?;
            if matches!(publisher, Publisher::Somebody(_)) {
                make(folder)?;
            }
            Ok(Box::new(InFolder::new(store.folder(folder)?)))
        }
        (Some(Place::S3(bucket)), _) => {
            let cache = store.workspaces().map(|it| it.folder(CACHE));
            s3::open(bucket, &context.settings.transports, cache, watch)
        }
    }
}

/// What lies in `.git` is Git's own: a file there may be a ref.
fn expect_no_repository(folder: &RepositoryPath) -> Result<()> {
    match folder.components().any(|it| it.as_os_str().eq_ignore_ascii_case(".git")) {
        true => {
            let message = "processes are not published in a folder of Git's own";
            Err(Error::denied(message).with("rule", ".git"))
        }
        false => Ok(()),
    }
}

/// The folder is made by the first who publishes there; the one that it is in has to be there.
fn make(folder: &RepositoryPath) -> Result<()> {
    let made = match fs::create_dir(&**folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
        made => made,
    };
    let parent = folder.parent().map_or_else(|| PathBuf::from("/"), PathBuf::from);
    let flushed = made.and_then(|()| fs::File::open(parent)?.sync_all());
    flushed.map_err(|error| Error::from_io(folder.display(), &error))
}
