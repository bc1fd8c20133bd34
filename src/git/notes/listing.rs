//! Which notes there are.

use std::{collections::BTreeMap, sync::Arc};

use git2::Oid;
use serde::Serialize;

use super::{
    Place,
    fan::{self, Shelf},
};
use crate::{
    error::{Error, Result},
    git::{Namespace, Repository, hash::whole_id, pack::Kind, repository::Sha},
    watch::Watch,
};

/// Which part of the notes is wanted.
pub struct NotesQuery {
    pub namespace: Namespace,
    pub limit: usize,
    /// What the note before it is about.
    pub after: Option<String>,
}

#[derive(Serialize)]
pub struct NotesPage {
    pub notes: Vec<Place>,
    pub next: Option<Sha>,
}

impl Repository {
    /// Notes in the order of what they are about. Only the folders that hold them are read.
    pub fn notes(&self, query: &NotesQuery, watch: &Watch) -> Result<NotesPage> {
        if query.after.as_deref().is_some_and(|it| whole_id(it).is_none()) {
            let message = "`after` is the whole id of what a note is about";
            return Err(Error::bad_request(message).with("field", "after"));
        }
        let after = query.after.as_deref().unwrap_or_default().to_ascii_lowercase();
        let mut page = Page { repository: self, watch, after, limit: query.limit, found: vec![] };
        if let Some(tree) = self.notes_tree(&query.namespace)? {
            page.read(Some(tree), "", BTreeMap::new())?;
        }
        let has_more = query.limit < page.found.len();
        page.found.truncate(query.limit);
        let place = |(target, note): &(String, Oid)| Place {
            target: Sha(target.clone()),
            note: Sha::from(*note),
        };
        let next = page.found.last().filter(|_| has_more).map(|it| Sha(it.0.clone()));
        Ok(NotesPage { notes: page.found.iter().map(place).collect(), next })
    }

    /// The note on one object.
    pub fn note(&self, namespace: &Namespace, target: &str) -> Result<Place> {
        let target = match whole_id(target) {
            Some(id) => id,
            None => self.resolve(target)?.id(),
        };
        let read = |it| self.content_of(it, Kind::Tree);
        let found = match self.notes_tree(namespace)? {
            Some(tree) => fan::find(read, tree, &target.to_string())?,
            None => Vec::new(),
        };
        let missing = || Error::not_found(format!("{target} has no note"));
        let note = found.first().ok_or_else(missing)?;
        Ok(Place { target: Sha::from(target), note: Sha::from(*note) })
    }

    /// What a note says.
    pub fn note_content(&self, place: &Place) -> Result<Arc<Vec<u8>>> {
        let note = Oid::from_str(&place.note.0)?;
        self.content_of(note, Kind::Blob)
    }

    fn notes_tree(&self, namespace: &Namespace) -> Result<Option<Oid>> {
        self.expect_plain_ref(&namespace.reference())?;
        let reference = match self.inner.find_reference(&namespace.reference()) {
            Err(error) if error.code() == git2::ErrorCode::NotFound => return Ok(None),
            found => found?,
        };
        Ok(Some(reference.peel_to_tree().map_err(|it| Error::corrupt(it.message()))?.id()))
    }

    fn content_of(&self, id: Oid, kind: Kind) -> Result<Arc<Vec<u8>>> {
        match self.object(id)? {
            (found, content) if found == kind => Ok(Arc::new(content)),
            _ => Err(Error::corrupt(format!("{id} is no {}", kind.name()))),
        }
    }
}

struct Page<'a> {
    repository: &'a Repository,
    watch: &'a Watch,
    after: String,
    limit: usize,
    found: Vec<(String, Oid)>,
}

impl Page<'_> {
    /// Reads the notes of a folder and those that lie above it but belong among them, until
    /// there is one more than fits.
    fn read(
        &mut self,
        tree: Option<Oid>,
        above: &str,
        mut notes: BTreeMap<String, Oid>,
    ) -> Result<()> {
        self.watch.check()?;
        let mut folders = BTreeMap::new();
        if let Some(tree) = tree {
            let content = self.repository.content_of(tree, Kind::Tree)?;
            let shelf = Shelf::read(&content, above);
            folders = shelf.folders;
            for (target, note) in shelf.notes {
                notes.entry(target).or_insert(note);
            }
        }
        for (name, folder) in folders {
            let prefix = format!("{above}{name}");
            // What comes before the folder, and what belongs into it.
            let mut inside = notes.split_off(&prefix);
            let behind = inside.split_off(&format!("{prefix}g"));
            self.take(std::mem::replace(&mut notes, behind));
            if self.limit < self.found.len() {
                return Ok(());
            }
            if self.after.get(..prefix.len()).is_none_or(|it| it <= prefix.as_str()) {
                self.read(Some(folder), &prefix, inside)?;
            }
        }
        self.take(notes);
        Ok(())
    }

    fn take(&mut self, notes: BTreeMap<String, Oid>) {
        let room = (self.limit + 1).saturating_sub(self.found.len());
        let rest = notes.into_iter().filter(|(target, _)| self.after < *target);
        self.found.extend(rest.take(room));
    }
}
