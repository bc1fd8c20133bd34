//! An empty bare repository, on disk when it is there: no hook, no template of the machine.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

use crate::git::{
    folder::flush,
    refs::{BRANCHES, Branch, TAGS},
};

/// Made by us alone: nothing but `maintain` packs or prunes, and no name is taken that another
/// system could not check out.
const CONFIG: &str = "\
[core]
\trepositoryformatversion = 0
\tfilemode = true
\tbare = true
\tlogAllRefUpdates = false
\tprotectHFS = true
\tprotectNTFS = true
[gc]
\tauto = 0
\tpackRefs = false
[maintenance]
\tauto = false
[receive]
\tautogc = false
";

/// Fills an empty folder.
pub fn build(
    folder: &Path,
    branch: &Branch,
    description: Option<&str>,
    created_ms: u64,
) -> io::Result<()> {
    for below in ["objects/info", "objects/pack", BRANCHES, TAGS] {
        fs::create_dir_all(folder.join(below))?;
    }
    write(&folder.join("HEAD"), &format!("ref: {}\n", branch.reference()))?;
    write(&folder.join("config"), &format!("{CONFIG}[gitport]\n\tcreated = {created_ms}\n"))?;
    if let Some(text) = description {
        write(&folder.join("description"), text)?;
    }
    sync_all(folder)
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Folders from the innermost out, so that whatever is there has all that is in it.
fn sync_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_all(&entry.path())?;
        }
    }
    flush(folder)
}
