//! A library between the daemon and its files: it writes down what is done to them, and fails what it
//! is told to.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use tempfile::TempDir;

use crate::{daemon::Daemon, repository::text};

/// Kinds of calls, as in the library.
pub const WRITE: i32 = 1;
pub const SYNC: i32 = 2;
pub const OPEN: i32 = 4;
pub const RENAME: i32 = 8;
pub const UNLINK: i32 = 16;
pub const TRUNCATE: i32 = 32;
pub const MAKE: i32 = 64;

static LIBRARY: LazyLock<(TempDir, PathBuf)> = LazyLock::new(|| library("durability/shim.c"));

/// A library to be loaded by `LD_PRELOAD`, and the folder that it goes with.
pub fn library(source: &str) -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("shim.so");
    let source = format!("{}/integration/{source}", env!("CARGO_MANIFEST_DIR"));
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"])
        .args([text(&library), &source, "-ldl", "-lpthread"])
        .output()
        .unwrap();
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    (folder, library)
}

pub struct Shim {
    folder: TempDir,
    control: File,
}

impl Shim {
    pub fn new() -> Shim {
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("log"), "").unwrap();
        fs::write(folder.path().join("control"), [0; 64]).unwrap();
        let control = folder.path().join("control");
        let control = File::options().read(true).write(true).open(control).unwrap();
        Shim { folder, control }
    }

    /// A daemon whose doings below a folder are written down, and fail when armed.
    pub fn daemon(&self, below: &Path) -> Daemon {
        let [log, control] = ["log", "control"].map(|it| self.folder.path().join(it));
        Daemon::start_in(
            TempDir::new().unwrap(),
            &[],
            &[
                ("LD_PRELOAD", text(&LIBRARY.1)),
                ("SHIM_BELOW", text(below)),
                ("SHIM_LOG", text(&log)),
                ("SHIM_CONTROL", text(&control)),
            ],
        )
    }

    /// After so many of these calls that go well one fails, or all do.
    pub fn arm(&self, kinds: i32, error: i32, before: i32, lasts: bool) {
        let words = [0, error, before, i32::from(lasts), 0];
        self.set(0, &words);
        self.set(0, &[kinds]);
    }

    /// From here on all goes well; tells how many calls have failed.
    pub fn disarm(&self) -> i32 {
        self.set(0, &[0]);
        let mut failed = [0; 4];
        self.control.read_exact_at(&mut failed, 16).unwrap();
        i32::from_ne_bytes(failed)
    }

    fn set(&self, word: u64, values: &[i32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|it| it.to_ne_bytes()).collect();
        self.control.write_all_at(&bytes, 4 * word).unwrap();
    }

    /// Notes among what the daemon does that a request was answered.
    pub fn note_answer(&self, number: u64) {
        use std::io::Write;
        let mut log = File::options().append(true).open(self.log()).unwrap();
        log.write_all(format!("A {number} 0 0 0 0\n").as_bytes()).unwrap();
    }

    pub fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}
