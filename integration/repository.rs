//! Repositories made by stock git in folders of their own, the same on every machine.

use std::{
    ffi::OsStr,
    fmt::Write as _,
    fs,
    io::Write as _,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
};

use tempfile::TempDir;

use crate::processes::{PATIENCE, until};

/// Is there for as long as something is not where stock git looks for it.
const JOURNAL: &str = "gitport-journal";

/// Fails where stock git finds anything wrong. A pack that housekeeping takes away while it looks is
/// no damage: at rest none goes.
#[track_caller]
pub fn expect_sound(folder: &Path) {
    let fsck = || git_command(folder).args(["fsck", "--strict", "--no-dangling"]).output().unwrap();
    let mut found = fsck();
    if !found.status.success() {
        let told = git_command(folder).args(["rev-parse", "--absolute-git-dir"]).output().unwrap();
        let journal = Path::new(String::from_utf8(told.stdout).unwrap().trim_end()).join(JOURNAL);
        until("the repository is at rest", PATIENCE, || !journal.exists());
        found = fsck();
    }
    let said = String::from_utf8_lossy(&found.stderr);
    assert!(found.status.success() && found.stdout.is_empty(), "{said}");
}

pub struct Repository {
    path: PathBuf,
    now: AtomicU64,
    folder: TempDir,
}

/// Stock git that knows nothing of this machine's configuration.
pub fn git_command(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
    command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
    command.env("HOME", folder).env("LANG", "C.UTF-8");
    command.env("GIT_AUTHOR_NAME", "Ada Lovelace").env("GIT_AUTHOR_EMAIL", "ada@example.org");
    command.env("GIT_COMMITTER_NAME", "Grace Höpper");
    command.env("GIT_COMMITTER_EMAIL", "grace@example.org");
    command.args(["-c", "init.defaultBranch=main", "-c", "protocol.file.allow=always"]);
    command.args([
        "-c",
        "gc.auto=0",
        "-c",
        "maintenance.auto=false",
        "-c",
        "advice.detachedHead=0",
    ]);
    command.current_dir(folder);
    command
}

/// The path as text; every path of these suites is UTF-8.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

impl Repository {
    /// An ordinary repository without a commit.
    pub fn new() -> Repository {
        Repository::init(&[])
    }

    pub fn init(flags: &[&str]) -> Repository {
        let repository = Repository::at(TempDir::new().unwrap());
        repository.git(&[&["init", "-q"], flags].concat());
        repository
    }

    /// An ordinary repository with one commit of these files.
    pub fn of(files: &[(&str, &str)]) -> Repository {
        let repository = Repository::new();
        for (file, content) in files {
            repository.write(file, content);
        }
        repository.commit("first");
        repository
    }

    /// What `git clone` with these flags makes of this repository, asked over its own protocol.
    pub fn cloned(&self, flags: &[&str]) -> Repository {
        let clone = Repository::at(TempDir::new().unwrap());
        let url = format!("file://{}", self.path());
        clone.git(&[&["clone", "-q"], flags, &[&url, "."]].concat());
        clone
    }

    pub fn bare(&self) -> Repository {
        self.cloned(&["--bare"])
    }

    fn at(folder: TempDir) -> Repository {
        let path = folder.path().canonicalize().unwrap().join("repository");
        fs::create_dir(&path).unwrap();
        Repository { path, now: AtomicU64::new(1_700_000_000), folder }
    }

    pub fn path(&self) -> &str {
        text(&self.path)
    }

    pub fn file(&self, file: impl AsRef<Path>) -> PathBuf {
        self.path.join(file)
    }

    /// A path beside the repository that goes when the repository goes.
    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().canonicalize().unwrap().join(name)
    }

    #[track_caller]
    pub fn expect_sound(&self) {
        expect_sound(&self.path);
    }

    /// What git prints, without the line end.
    pub fn git(&self, arguments: &[&str]) -> String {
        String::from_utf8(self.git_bytes(arguments)).unwrap().trim_end().to_owned()
    }

    pub fn git_bytes(&self, arguments: &[&str]) -> Vec<u8> {
        self.git_with_input(arguments, b"")
    }

    pub fn git_with_input(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let date = format!("{} +0200", self.now.load(Ordering::Relaxed));
        let mut command = git_command(&self.path);
        command.env("GIT_AUTHOR_DATE", &date).env("GIT_COMMITTER_DATE", &date).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut stdin = process.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let output = process.wait_with_output().unwrap();
        // Git may end without having read what it was offered.
        let _ = writer.join().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {errors}");
        output.stdout
    }

    /// The names between NUL bytes that git prints.
    pub fn git_list(&self, arguments: &[&str]) -> Vec<Vec<u8>> {
        let bytes = self.git_bytes(arguments);
        let names = bytes.split(|byte| *byte == 0).filter(|name| !name.is_empty());
        names.map(<[u8]>::to_vec).collect()
    }

    pub fn write(&self, file: impl AsRef<OsStr>, content: impl AsRef<[u8]>) {
        let path = self.path.join(Path::new(&file));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub fn link(&self, file: &str, target: &str) {
        symlink(target, self.file(file)).unwrap();
    }

    pub fn set_mode(&self, file: &str, mode: u32) {
        fs::set_permissions(self.file(file), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn remove(&self, file: &str) {
        fs::remove_file(self.file(file)).unwrap();
    }

    /// Commits all there is, a minute after the commit before; answers with the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.commit_staged(message)
    }

    pub fn commit_staged(&self, message: &str) -> String {
        self.now.fetch_add(60, Ordering::Relaxed);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.head()
    }

    pub fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    pub fn read(&self, file: &str) -> String {
        fs::read_to_string(self.file(file)).unwrap()
    }
}

/// A history that has a bit of everything that trees can hold, in three commits.
pub fn varied() -> Repository {
    let repository = Repository::new();
    repository.write("README.md", "# Varied\n\nA line.\n");
    repository.write("config.yaml", "a: 1\n");
    repository.write("other.yml", "b: 2\n");
    repository.write("empty", "");
    repository.write(".hidden.yaml", "hidden\n");
    repository.write(".folder/inside.yaml", "hidden\n");
    repository.write("source/main.rs", "fn main() {}\n");
    repository.write("source/deep/er/leaf.rs", "// leaf\n");
    repository.write("source/deep/values.yaml", "deep: true\n");
    repository.write("with blank/and ünïcode.txt", "grün\n");
    repository.write("binary.bin", (0..=255).cycle().take(3000).collect::<Vec<u8>>());
    repository.write("script.sh", "#!/bin/sh\nexit 0\n");
    repository.set_mode("script.sh", 0o755);
    repository.link("link", "README.md");
    repository.commit("first");
    let lines = (1..=200).fold(String::new(), |mut text, number| {
        writeln!(text, "line {number}").unwrap();
        text
    });
    repository.write("long.txt", &lines);
    repository.write("README.md", "# Varied\n\nAnother line.\n");
    repository.commit("second: more lines\n\nWith a body.\n");
    repository.write("long.txt", lines.replace("line 100\n", "line one hundred\n"));
    repository.git(&["mv", "source/main.rs", "source/start.rs"]);
    repository.remove("other.yml");
    repository.commit("third");
    repository
}
