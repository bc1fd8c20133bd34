//! Which files of a command line have processes in them.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use rustix::fs::OFlags;
use serde_json::{Value as Json, json};

use super::{Failure, Outcome};

/// The daemon says of more than this that it is too long.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// How files end that have tests and no definitions.
pub const TESTS: [&str; 2] = ["test.yaml", "test.yml"];
/// In other files of a folder none of these is a word.
const WORDS: [&str; 2] = ["process_name", "step_id"];

pub struct File {
    pub name: String,
    pub bytes: Vec<u8>,
}

impl File {
    pub fn read(path: &Path) -> Outcome<File> {
        let bytes = read(path).map_err(|error| mistaken(path, &error))?;
        let path = path.strip_prefix(".").unwrap_or(path);
        // Nobody takes a part of a name for a line of its own.
        let name = path.to_string_lossy().replace(char::is_control, "\u{fffd}");
        Ok(File { name, bytes })
    }

    pub fn content(&self) -> String {
        STANDARD.encode(&self.bytes)
    }

    /// Whether it is one of those beside definitions, as its name says.
    pub fn has_tests_only(&self) -> bool {
        let stem =
            |ending: &&str| self.name.strip_suffix(*ending).is_some_and(|it| it.ends_with('.'));
        TESTS.iter().any(stem)
    }

    fn has_process(&self) -> bool {
        let text = String::from_utf8_lossy(&self.bytes);
        WORDS.iter().any(|it| text.contains(it))
    }
}

/// The files, and those of folders that have processes in them; at least one.
pub fn collect(paths: &[PathBuf]) -> Outcome<Vec<File>> {
    let mut files = Vec::new();
    for path in paths {
        match path.is_dir() {
            true => add_folder(path, &mut files)?,
            false => files.push(File::read(path)?),
        }
    }
    match files.is_empty() {
        true => Err(Failure::Mistaken("no file there has a process in it".to_owned())),
        false => Ok(files),
    }
}

/// The files as a request has them.
pub fn drafts<'a>(files: impl IntoIterator<Item = &'a File>) -> Json {
    let draft = |it: &File| json!({"file": it.name, "content": it.content()});
    files.into_iter().map(draft).collect()
}

fn add_folder(folder: &Path, files: &mut Vec<File>) -> Outcome<()> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| mistaken(folder, &error))? {
        let entry = entry?;
        // A link to a folder may lead around in circles.
        let is_folder = entry.file_type()?.is_dir();
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push((entry.path(), is_folder));
        }
    }
    paths.sort();
    for (path, is_folder) in paths {
        let is_yaml = path.extension().is_some_and(|it| it == "yaml" || it == "yml");
        if is_folder {
            add_folder(&path, files)?;
        } else if is_yaml && path.is_file() {
            files.extend(Some(File::read(&path)?).filter(File::has_process));
        }
    }
    Ok(())
}

/// As much of a file as tells that it is too long; nobody waits for a pipe or a device.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::File::options().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("this is no file"));
    }
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn mistaken(path: &Path, error: &io::Error) -> Failure {
    Failure::Mistaken(format!("{}: {error}", path.display()))
}
