//! The repositories that are measured, made by stock git from generated content.
//!
//! They are the same on every machine, and kept between runs: a folder appears whole or not at
//! all, and its name changes with what is in it.

use std::{
    cell::OnceCell,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::Stdio,
};

use crate::{
    git::git,
    text::{Text, mix},
};

pub struct Fixtures {
    folder: PathBuf,
    small: OnceCell<Small>,
}

/// 5,000 files of about 5 KiB, some deltas of others, with a worktree.
pub struct Small {
    pub path: String,
    pub files: Vec<SmallFile>,
}

pub struct SmallFile {
    pub name: String,
    pub content: Vec<u8>,
}

impl Fixtures {
    pub fn new(folder: &Path) -> Fixtures {
        let folder = folder.join("repositories-1");
        fs::create_dir_all(&folder).expect("the target folder can be written to");
        Fixtures { folder, small: OnceCell::new() }
    }

    /// What the servers serve.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn small(&self) -> &Small {
        self.small.get_or_init(|| {
            let path = self.provide("small", |path| {
                let _: Vec<SmallFile> = import(path, &SMALL);
                git(path, &["reset", "--quiet", "--hard"]);
            });
            let files = SMALL.write(&mut io::sink()).expect("a sink takes everything");
            Small { path, files }
        })
    }

    /// At least 100 MiB of packed history, bare.
    pub fn large(&self) -> String {
        self.provide("large", |path| {
            let _: Vec<SmallFile> = import(path, &LARGE);
            git(path, &["config", "core.bare", "true"]);
            let pack = fs::read_dir(path.join(".git/objects/pack")).expect("it is packed");
            let bytes: u64 = pack.map(|file| file.unwrap().metadata().unwrap().len()).sum();
            assert!(bytes >= 100 << 20, "the large repository has only {bytes} bytes");
        })
    }

    /// One blob of 600 MB called `blob`, stored without delta; no worktree.
    pub fn huge(&self) -> String {
        self.provide("huge", |path| {
            git(path, &["init", "--quiet", "--initial-branch=main", "."]);
            let mut file = BufWriter::new(File::create(path.join("blob")).unwrap());
            for index in 0..HUGE_BYTES / 8 {
                file.write_all(&mix(index).to_le_bytes()).expect("there is room for the blob");
            }
            file.flush().expect("there is room for the blob");
            git(path, &["add", "blob"]);
            git(path, &["commit", "--quiet", "--message=one large file"]);
            fs::remove_file(path.join("blob")).unwrap();
        })
    }

    fn provide(&self, name: &str, make: impl FnOnce(&Path)) -> String {
        let path = self.folder.join(name);
        if !path.exists() {
            eprintln!("making the {name} repository");
            let aside = tempfile::tempdir_in(&self.folder).expect("the folder can be written to");
            make(aside.path());
            fs::rename(aside.keep(), &path).expect("the name is free");
        }
        path.into_os_string().into_string().expect("the target folder's name is text")
    }
}

/// The bytes of the huge blob from `offset` on.
pub fn huge_content(offset: u64, length: u64) -> Vec<u8> {
    let end = (offset + length).min(HUGE_BYTES);
    let words = (offset / 8..end.div_ceil(8)).flat_map(|index| mix(index).to_le_bytes());
    words.skip((offset % 8) as usize).take((end - offset) as usize).collect()
}

pub const HUGE_BYTES: u64 = 600_000_000;

struct Shape {
    seed: u64,
    words: usize,
    areas: usize,
    parts: usize,
    files: usize,
    bytes: usize,
    /// One file in so many is like the one before it but for a line.
    alike: usize,
    commits: usize,
    /// Per commit: how many files get another line, and how many get entirely new content.
    edited: usize,
    rewritten: usize,
}

const SMALL: Shape = Shape {
    seed: 1,
    words: 2_000,
    areas: 10,
    parts: 10,
    files: 50,
    bytes: 5 << 10,
    alike: 5,
    commits: 6,
    edited: 600,
    rewritten: 0,
};

const LARGE: Shape = Shape {
    seed: 2,
    words: 8_000,
    areas: 20,
    parts: 10,
    files: 20,
    bytes: 16 << 10,
    alike: 10,
    commits: 50,
    edited: 200,
    rewritten: 180,
};

/// Makes a packed repository of the shape at `path`.
fn import(path: &Path, shape: &Shape) -> Vec<SmallFile> {
    git(path, &["init", "--quiet", "--initial-branch=main", "."]);
    let mut child = crate::git::command(path, &["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("git can be started");
    let stdin = child.stdin.take().expect("stdin is a pipe");
    let files = shape.write(&mut BufWriter::new(stdin)).expect("git reads all of it");
    assert!(child.wait().is_ok_and(|status| status.success()), "fast-import failed");
    git(path, &["repack", "-adfq"]);
    files
}

impl Shape {
    /// Writes the history for `git fast-import`, and returns the files of the last commit.
    fn write(&self, output: &mut impl Write) -> io::Result<Vec<SmallFile>> {
        let mut text = Text::new(self.words, self.seed);
        let mut files: Vec<SmallFile> = Vec::new();
        for index in 0..self.areas * self.parts * self.files {
            let content = match files.last() {
                Some(last) if index % self.alike == 0 => {
                    let mut content = last.content.clone();
                    text.edit(&mut content);
                    content
                }
                _ => {
                    let bytes = self.bytes / 2 + text.below(self.bytes);
                    text.lines(bytes)
                }
            };
            files.push(SmallFile { name: self.name(index), content });
        }
        write_commit(output, 1, &mut files.iter())?;
        for number in 2..=self.commits {
            let mut changed = Vec::new();
            for change in 0..self.edited + self.rewritten {
                let index = text.below(files.len());
                let content = &mut files[index].content;
                match change < self.edited {
                    true => text.edit(content),
                    false => *content = text.lines(content.len()),
                }
                changed.push(index);
            }
            write_commit(output, number, &mut changed.iter().map(|index| &files[*index]))?;
        }
        output.flush()?;
        Ok(files)
    }

    fn name(&self, index: usize) -> String {
        let (folder, file) = (index / self.files, index % self.files);
        let (area, part) = (folder / self.parts, folder % self.parts);
        format!("area-{area:02}/part-{part:02}/file-{file:02}.yaml")
    }
}

fn write_commit(
    output: &mut impl Write,
    number: usize,
    files: &mut dyn Iterator<Item = &SmallFile>,
) -> io::Result<()> {
    let time = 1_700_000_000 + 3_600 * number;
    let message = format!("change number {number}\n");
    writeln!(output, "commit refs/heads/main")?;
    writeln!(output, "committer Ada Example <ada@example.org> {time} +0000")?;
    writeln!(output, "data {}\n{message}", message.len())?;
    for file in files {
        writeln!(output, "M 100644 inline {}", file.name)?;
        writeln!(output, "data {}", file.content.len())?;
        output.write_all(&file.content)?;
        writeln!(output)?;
    }
    Ok(())
}
