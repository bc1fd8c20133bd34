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
    git::{Kind, ObjectId},
};

const DATA: &str = "data";
const CALLS: &str = "calls";
const PROCESS: &str = "process";
const NAME_BYTES_MAX: usize = 200;
const FILE_MODE: &str = "100644";
const FOLDER_MODE: &str = "40000";

/// Objects that are about to be written.
pub type Objects = Vec<(ObjectId, Kind, Vec<u8>)>;

/// What is in the commits of a run, as far as it goes.
#[derive(Debug, Clone, Default)]
pub struct Files {
    process: BTreeMap<String, ObjectId>,
    /// The data of each process that is under way, by its frame.
    data: BTreeMap<Id, Scope>,
    /// The tree of all of it.
    tree: Option<ObjectId>,
}

#[derive(Debug, Clone, Default)]
struct Scope {
    path: String,
    files: BTreeMap<String, ObjectId>,
}

impl Files {
    /// With the definitions that the run follows, each as it was published.
    pub fn of(definitions: &[(String, Vec<u8>)], objects: &mut Objects) -> Files {
        let add = |(name, content): &(String, Vec<u8>)| {
            (file_name(name), put(Kind::Blob, content.clone(), objects))
        };
        Files { process: definitions.iter().map(add).collect(), ..Files::default() }
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
            self.tree = None;
        }
        self.data.retain(|_, it| !it.files.is_empty());
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

    fn put(&self, cause: Option<ObjectId>, objects: &mut Objects) -> ObjectId {
        let mut root = Folder::default();
        let (mut calls, mut has_calls) = (Folder::default(), false);
        for (frame, scope) in &self.data {
            let folder = Folder::of_files(&scope.files).put(objects);
            if *frame == ROOT {
                root.folder(DATA, folder);
            } else {
                calls.folder(&file_name(&scope.path), folder);
                has_calls = true;
            }
        }
        if has_calls {
            root.folder(CALLS, calls.put(objects));
        }
        if let Some(cause) = cause {
            root.file(CAUSE_FILE, cause);
        }
        root.folder(PROCESS, Folder::of_files(&self.process).put(objects));
        root.put(objects)
    }
}

/// A tree that is being made.
#[derive(Default)]
struct Folder(BTreeMap<Vec<u8>, (&'static str, ObjectId)>);

impl Folder {
    fn of_files(files: &BTreeMap<String, ObjectId>) -> Folder {
        let mut folder = Folder::default();
        files.iter().for_each(|(name, id)| folder.file(name, *id));
        folder
    }

    fn file(&mut self, name: &str, id: ObjectId) {
        self.0.insert(name.as_bytes().to_vec(), (FILE_MODE, id));
    }

    /// Git sorts folders as if their names ended in a slash.
    fn folder(&mut self, name: &str, id: ObjectId) {
        self.0.insert([name.as_bytes(), b"/"].concat(), (FOLDER_MODE, id));
    }

    fn put(&self, objects: &mut Objects) -> ObjectId {
        let mut content = Vec::new();
        for (name, (mode, id)) in &self.0 {
            content.extend_from_slice(mode.as_bytes());
            content.push(b' ');
            content.extend_from_slice(name.strip_suffix(b"/").unwrap_or(name));
            content.push(0);
            content.extend_from_slice(id.as_bytes());
        }
        put(Kind::Tree, content, objects)
    }
}

pub fn put(kind: Kind, content: Vec<u8>, objects: &mut Objects) -> ObjectId {
    let id = crate::git::object_id(kind, &content);
    objects.push((id, kind, content));
    id
}

/// A name as a file can have it, and no other name can.
fn file_name(name: &str) -> String {
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
