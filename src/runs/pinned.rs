//! The process that a run follows: fetched once, and with the run from then on.

use std::sync::Arc;

use super::files::file_name;
use crate::{
    engine::{canonical::canonical, definition::Definition, net::Processes},
    error::{Error, Result},
    process::{
        artifact::{NAME_BYTES_MAX, VERSION_BYTES_MAX, digest_of},
        called::with_called,
        diagnostic::brief,
        gate::Named,
        load::{self, File},
        test::subject::compiled,
    },
};

/// A process, compiled, with all that it calls and the files that all of it was read from.
#[derive(Debug)]
pub struct Pinned {
    pub name: String,
    pub version: Option<String>,
    /// Of what the definition says: `sha256:` and 64 digits.
    pub digest: String,
    pub processes: Processes,
    /// By their names, in the order of these.
    pub files: Vec<Named>,
}

impl Pinned {
    /// The same of files that come from outside, whatever they are called there.
    pub fn fetched(
        files: Vec<Named>,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Result<Arc<Pinned>> {
        // Of those that are given the first is meant, whatever it is called.
        let first = files.first().filter(|_| name.is_none());
        let first =
            first.and_then(|(name, bytes)| load::read(name, bytes).loaded.into_iter().next());
        let first = first.map(|it| it.definition.process_name);
        let files = files.into_iter().map(|(name, bytes)| (file_name(&name), bytes));
        let pinned = Pinned::of(files.collect(), name.or(first.as_deref()), version)?;
        pinned.expect_short_names()?;
        Ok(pinned)
    }

    /// Fails where a process or its version is called by more than may be published. Runs that
    /// there are of such ones stay.
    fn expect_short_names(&self) -> Result<()> {
        let names = self.processes.nets.iter().map(|it| it.process_name.as_str());
        let names = names.map(|it| ("name", it, NAME_BYTES_MAX));
        let version = self.version.as_deref().map(|it| ("version", it, VERSION_BYTES_MAX));
        match names.chain(version).find(|(_, it, most)| *most < it.len()) {
            None => Ok(()),
            Some((what, it, most)) => Err(Error::invalid(format!(
                "the {what} of a process has at most {most} bytes: give a shorter one than `{}`",
                brief(it)
            ))),
        }
    }

    /// The process of this name and version, or the first there is, out of the files of a run.
    pub fn of(
        mut files: Vec<Named>,
        name: Option<&str>,
        version: Option<&str>,
    ) -> Result<Arc<Pinned>> {
        // The same files make the same run, however they were given.
        files.sort_unstable();
        files.dedup();
        let read: Vec<File> = files.iter().map(|(name, bytes)| load::read(name, bytes)).collect();
        let wrong: Vec<_> = read.iter().flat_map(|it| it.diagnostics.iter().cloned()).collect();
        if !wrong.is_empty() {
            return Err(load::refused(&wrong));
        }
        let mut all = read.iter().flat_map(|file| file.loaded.iter().map(move |it| (file, it)));
        let found = all.find(|(_, it)| {
            let it = &it.definition;
            name.is_none_or(|name| it.process_name == name)
                && version.is_none_or(|version| it.process_version.as_deref() == Some(version))
        });
        let Some((file, main)) = found else {
            let named = name.map(|it| format!(" is called `{it}`")).unwrap_or_default();
            return Err(Error::not_found(format!("no process in these files{named}")));
        };
        let near: Vec<&Definition> = file.loaded.iter().map(|it| &it.definition).collect();
        let all: Vec<&Definition> =
            read.iter().flat_map(|it| &it.loaded).map(|it| &it.definition).collect();
        let definitions = with_called(&near, &all, &main.definition);
        let processes = compiled(&read, &definitions).map_err(|wrong| load::refused(&wrong))?;
        Ok(Arc::new(Pinned {
            name: main.definition.process_name.clone(),
            version: main.definition.process_version.clone(),
            digest: digest_of(&canonical(&main.tree.value())),
            processes,
            files,
        }))
    }
}
