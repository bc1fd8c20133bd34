//! Folders on the command line, as requests have them.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::session::{Failure, Outcome};

/// The repository that is meant: the one around the current folder if none is named.
pub fn repository(named: Option<&Path>, remedy: &str) -> Outcome<String> {
    match named {
        Some(path) => absolute(path),
        None => around()?.ok_or_else(|| {
            Failure::Mistaken(format!("no Git repository is around this folder: {remedy}"))
        }),
    }
}

/// The Git repository around the current folder.
pub fn around() -> Outcome<Option<String>> {
    let here = env::current_dir()?;
    let is_repository = |it: &&Path| {
        it.join(".git").exists() || it.join("HEAD").is_file() && it.join("objects").is_dir()
    };
    here.ancestors().find(is_repository).map(absolute).transpose()
}

/// A path as requests have it; what it leads to need not be there yet.
pub fn absolute(path: &Path) -> Outcome<String> {
    let told = resolved(path)?.into_os_string().into_string();
    told.map_err(|it| Failure::Mistaken(format!("{}: it is no UTF-8", it.to_string_lossy())))
}

/// The name of a file in a repository, from its top.
pub fn inside(path: &Path, repository: &str) -> Outcome<String> {
    let file = absolute(path)?;
    match Path::new(&file).strip_prefix(repository) {
        Ok(name) => Ok(name.to_string_lossy().into_owned()),
        Err(_) => {
            let path = path.display();
            Err(Failure::Mistaken(format!("{path}: it is not in the repository {repository}")))
        }
    }
}

fn resolved(path: &Path) -> Outcome<PathBuf> {
    let path = env::current_dir()?.join(path);
    let wrong = |it: &Path, error| Failure::Mistaken(format!("{}: {error}", it.display()));
    match (fs::canonicalize(&path), path.parent(), path.file_name()) {
        (Ok(there), _, _) => Ok(there),
        (Err(_), Some(folder), Some(name)) => {
            Ok(fs::canonicalize(folder).map_err(|error| wrong(folder, error))?.join(name))
        }
        (Err(error), _, _) => Err(wrong(&path, error)),
    }
}
