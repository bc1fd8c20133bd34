//! The files in the commits of a run: its definitions, its data, and a cause that is long.
//!
//! ```text
//! data/<name>            a top-level name of the run's data, as JSON
//! calls/<path>/<name>    the same of a process that is called and under way
//! process/<file>         the definitions, as they were when the run began
//! event.json             what happened, where that is too long for a message
//! ```

use std::collections::BTreeMap;

use super::message::CAUSE_FILE;
use crate::{
    engine::{
        canonical::canonical,
        decide::ROOT,
        state::{Id, Rows, State, table::Row},
    },
    git::{Kind, ObjectId, tree_of},
};

const DATA: &str = "data";
const CALLS: &str = "calls";
pub const PROCESS: &str = "process";
const NAME_BYTES_MAX: usize = 200;

/// What is in a folder, by name.
type Entries = BTreeMap<String, ObjectId>;
/// Objects that are about to be written.
pub type Objects = Vec<(ObjectId, Kind, Vec<u8>)>;

/// What is in the commits of a run, as far as it goes.
#[derive(Debug, Clone, Default)]
pub struct Files {
    /// The tree of the definitions.
    process: Option<ObjectId>,
    /// The data of each process that is under way, by its frame.
    data: BTreeMap<Id, Scope>,
    /// The tree of all of it.
    tree: Option<ObjectId>,
}

#[derive(Debug, Clone, Default)]
struct Scope {
    path: String,
    files: Entries,
    /// The tree of them, while it is the same.
    tree: Option<ObjectId>,
    /// The digest of the data, while that is the same.
    digest: Option<String>,
}

impl Files {
    /// Takes in the definitions that the run follows, each as it was published.
    pub fn define(&mut self, definitions: &[(String, Vec<u8>)], objects: &mut Objects) {
        let add = |(name, content): &(String, Vec<u8>)| {
            // Those bytes others chose.
            let id = crate::git::object_id(Kind::Blob, content);
            objects.push((id, Kind::Blob, content.clone()));
            (name.clone(), id)
        };
        let files: Entries = definitions.iter().map(add).collect();
        self.process = Some(put(Kind::Tree, tree_of(&files, &Entries::new()), objects));
        self.tree = None;
    }

    /// Takes in what changed in the data.
    pub fn follow(&mut self, rows: &Rows, state: &State, objects: &mut Objects) {
        for ((frame, name), row) in rows.data.iter() {
            let path = || state.frames.get(frame).map(|it| it.path.clone()).unwrap_or_default();
            let scope = self.data.entry(*frame);
            let scope = scope.or_insert_with(|| Scope { path: path(), ..Scope::default() });
            match row {
                Row::Is(value) => {
                    let text = canonical(value) + "\n";
                    let blob = put(Kind::Blob, text.into_bytes(), objects);
                    scope.files.insert(file_name(name), blob);
                }
                Row::Gone => drop(scope.files.remove(&file_name(name))),
            }
            (scope.tree, scope.digest, self.tree) = (None, None, None);
        }
        self.data.retain(|_, it| !it.files.is_empty());
    }

    /// The digest of the data of a frame, which is made where it is not known.
    pub fn digest(&mut self, frame: Id, make: impl FnOnce() -> String) -> String {
        match self.data.get_mut(&frame) {
            Some(scope) => scope.digest.get_or_insert_with(make).clone(),
            None => make(),
        }
    }

    /// The tree of a commit, and of one that also says why it is there.
    pub fn trees(&mut self, cause: Option<&str>, objects: &mut Objects) -> (ObjectId, ObjectId) {
        let tree = match self.tree {
            Some(tree) => tree,
            None => self.put(None, objects),
        };
        self.tree = Some(tree);
        let with_cause = cause.map(|cause| {
            let blob = put(Kind::Blob, format!("{cause}\n").into_bytes(), objects);
            self.put(Some(blob), objects)
        });
        (tree, with_cause.unwrap_or(tree))
    }

    fn put(&mut self, cause: Option<ObjectId>, objects: &mut Objects) -> ObjectId {
        let none = Entries::new();
        let mut tree =
            |files: &Entries, folders: &Entries| put(Kind::Tree, tree_of(files, folders), objects);
        let (mut folders, mut calls) = (Entries::new(), Entries::new());
        for (frame, scope) in &mut self.data {
            let folder = *scope.tree.get_or_insert_with(|| tree(&scope.files, &none));
            match *frame {
                ROOT => folders.insert(DATA.to_owned(), folder),
                _ => calls.insert(file_name(&scope.path), folder),
            };
        }
        if !calls.is_empty() {
            folders.insert(CALLS.to_owned(), tree(&none, &calls));
        }
        folders.extend(self.process.map(|it| (PROCESS.to_owned(), it)));
        let cause = cause.map(|it| (CAUSE_FILE.to_owned(), it));
        tree(&cause.into_iter().collect(), &folders)
    }
}

/// Adds what is made here: trees, commits, and JSON.
pub fn put(kind: Kind, content: Vec<u8>, objects: &mut Objects) -> ObjectId {
    let id = crate::git::made_id(kind, &content);
    objects.push((id, kind, content));
    id
}

/// A name as a file can have it, and no other name can.
pub fn file_name(name: &str) -> String {
    let mut file = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'#' => file.push(byte.into()),
            b'.' if !file.is_empty() => file.push('.'),
            _ => file.push_str(&format!("%{byte:02X}")),
        }
    }
    match file.len() {
        0 => "%".to_owned(),
        1..=NAME_BYTES_MAX => file,
        // No file system has a longer name.
        _ => {
            let digest = crate::git::object_id(Kind::Blob, name.as_bytes());
            format!("{}%{digest}", &file[..NAME_BYTES_MAX - 41])
        }
    }
}
