//! The journal of a repository: what was answered for and is not yet sure to be on disk elsewhere.
//!
//! A file of zeros that is written from its beginning, so that making a record durable costs one
//! flush and nothing about the file itself changes. Whoever uses it holds the repository's lock.
//!
//! ```text
//! 0      page    two copies of the head, of which the younger sound one counts
//! 8192   page    how far the records are carried out; need not survive a loss of power
//! 12288  …       records, one after the other: length, checksum, generation, content
//! ```
//!
//! Starting over is a head with the next generation: records of an older one are not read.

use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use byteorder::{ByteOrder, LittleEndian};
use rustix::fs::OFlags;

use crate::{
    error::{Error, Result},
    git::{folder::flush, lock::is_at},
};

/// The name of the file in the folder that all worktrees share.
pub const NAME: &str = "gitport-journal";
const SIGNATURE: &[u8; 8] = b"gitportJ";
/// Of the whole file. Another one is refused, so that an older program cannot misread it.
const VERSION: u32 = 1;

const PAGE: u64 = 4096;
const MARK_AT: u64 = 2 * PAGE;
const RECORDS_AT: u64 = 3 * PAGE;
/// Signature, version, generation, checksum.
const HEAD_BYTES: usize = 8 + 4 + 8 + 4;
/// Generation, end, and which start of the machine it was written in.
const MARK_BYTES: usize = 8 + 8 + BOOT_BYTES;
const BOOT_BYTES: usize = 36;
/// Length, checksum, generation.
const PREFIX_BYTES: usize = 4 + 4 + 8;
const CAPACITY_MIN: u64 = 256 * 1024;
pub const CAPACITY_MAX: u64 = 16 * 1024 * 1024;

pub struct Journal {
    file: File,
    path: PathBuf,
    generation: u64,
    /// Where the next record goes.
    end: u64,
    capacity: u64,
    /// Whether a flush failed: another one would say that what it left out is on disk.
    is_doubtful: bool,
}

impl Journal {
    /// Opens a repository's journal, if it has one.
    pub fn open(common_folder: &Path) -> Result<Option<Journal>> {
        let path = common_folder.join(NAME);
        let file = match options().open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::from_io(path.display(), &error)),
        };
        let capacity = file.metadata().map_err(|it| Error::from_io(path.display(), &it))?.len();
        let mut journal = Journal::of(file, path, capacity);
        journal.generation = journal.generation_there()?;
        // One whose making was interrupted was never written to.
        Ok((0 < journal.generation).then_some(journal))
    }

    /// Makes the journal of a repository that has none.
    pub fn create(common_folder: &Path) -> Result<Journal> {
        let path = common_folder.join(NAME);
        let file = options().create(true).open(&path);
        let file = file.map_err(|it| Error::from_io(path.display(), &it))?;
        let mut journal = Journal::of(file, path, 0);
        match journal.make(common_folder) {
            Ok(()) => Ok(journal),
            Err(error) => {
                let _ = fs::remove_file(&journal.path);
                Err(error)
            }
        }
    }

    fn of(file: File, path: PathBuf, capacity: u64) -> Journal {
        Journal { file, path, generation: 0, end: RECORDS_AT, capacity, is_doubtful: false }
    }

    /// With a head at last: where there is one, the file and its name are on disk.
    fn make(&mut self, common_folder: &Path) -> Result<()> {
        self.grow(CAPACITY_MIN)?;
        flush(common_folder).map_err(|error| self.failed(&error))?;
        self.start_over()
    }

    /// Whether this is still the file at its path: another daemon may have removed it, or moved
    /// the repository away.
    pub fn is_there(&self) -> bool {
        is_at(&self.file, &self.path)
    }

    /// Whether another daemon used it since this one did. Nobody need have the right to write.
    pub fn is_continued(&self) -> bool {
        let mut prefix = [0u8; PREFIX_BYTES];
        let read = self.file.read_at(&mut prefix, self.end);
        let has_next = read.is_ok()
            && 0 < LittleEndian::read_u32(&prefix)
            && LittleEndian::read_u64(&prefix[8..]) == self.generation;
        has_next
            || !self.is_there()
            || self.generation_there().is_ok_and(|it| it != self.generation)
    }

    /// Whether somebody else started over.
    pub fn look(&mut self) -> Result<bool> {
        let generation = self.generation_there()?;
        let is_over = generation != self.generation;
        if is_over {
            (self.generation, self.end) = (generation, RECORDS_AT);
        }
        Ok(is_over)
    }

    /// The generation that the head says; 0 before there is a head.
    fn generation_there(&self) -> Result<u64> {
        let mut front = [0u8; RECORDS_AT as usize + PREFIX_BYTES];
        let read = self.file.read_at(&mut front, 0).map_err(|error| self.failed(&error))?;
        let heads = front[..read.min(MARK_AT as usize)].chunks(PAGE as usize);
        let copies = heads.filter_map(generation_of).collect::<Result<Vec<u64>>>()?;
        let generation = copies.into_iter().max();
        if generation.is_none() && front.iter().any(|it| *it != 0) {
            let path = self.path.display();
            return Err(Error::corrupt(format!("{path} has no head, and something after it")));
        }
        Ok(generation.unwrap_or(0))
    }

    /// The next record, if there is a sound one.
    pub fn next(&mut self) -> Result<Option<Vec<u8>>> {
        let mut prefix = [0u8; PREFIX_BYTES];
        let read = self.file.read_at(&mut prefix, self.end).map_err(|it| self.failed(&it))?;
        let length = u64::from(LittleEndian::read_u32(&prefix));
        let is_ours = LittleEndian::read_u64(&prefix[8..]) == self.generation;
        let at = self.end + PREFIX_BYTES as u64;
        if read < PREFIX_BYTES || length == 0 || !is_ours {
            return Ok(None);
        }
        // Another daemon may have made the file longer.
        self.capacity = self.file.metadata().map_err(|it| self.failed(&it))?.len();
        if self.capacity < at + length {
            return Ok(None);
        }
        let mut content = vec![0; length as usize];
        self.file.read_exact_at(&mut content, at).map_err(|error| self.failed(&error))?;
        if LittleEndian::read_u32(&prefix[4..]) != sum(self.generation, &content) {
            return Ok(None);
        }
        self.end = after(self.end, content.len());
        Ok(Some(content))
    }

    /// Back to the first record.
    pub fn rewind(&mut self) {
        self.end = RECORDS_AT;
    }

    pub fn is_empty(&self) -> bool {
        self.end == RECORDS_AT
    }

    /// How many bytes of records there are.
    pub fn bytes(&self) -> u64 {
        self.end - RECORDS_AT
    }

    /// Whether the file need not be longer than is usual; one record that is makes it so.
    pub fn has_room_for(&self, content: usize) -> bool {
        after(self.end, content) <= CAPACITY_MAX
    }

    /// Writes a record at the end. It counts once [`Journal::sync`] says so.
    pub fn append(&mut self, content: &[u8]) -> Result<()> {
        let end = after(self.end, content.len());
        if self.capacity < end {
            self.grow(end)?;
        }
        let mut record = vec![0u8; PREFIX_BYTES];
        let length = u32::try_from(content.len());
        let length = length.map_err(|_| Error::too_large("too many refs move in one step"))?;
        LittleEndian::write_u32(&mut record, length);
        LittleEndian::write_u32(&mut record[4..], sum(self.generation, content));
        LittleEndian::write_u64(&mut record[8..], self.generation);
        record.extend_from_slice(content);
        self.file.write_all_at(&record, self.end).map_err(|error| self.failed(&error))?;
        self.end = end;
        Ok(())
    }

    pub fn sync(&mut self) -> Result<()> {
        let synced = self.file.sync_data();
        self.is_doubtful |= synced.is_err();
        synced.map_err(|error| self.failed(&error))
    }

    pub fn is_doubtful(&self) -> bool {
        self.is_doubtful
    }

    /// Zeros are written, not only reserved: a flush would have to note that they are in use.
    fn grow(&mut self, wanted: u64) -> Result<()> {
        let usual = (2 * self.capacity).clamp(CAPACITY_MIN, CAPACITY_MAX);
        let capacity = wanted.max(usual).next_multiple_of(PAGE);
        let zeros = vec![0; (capacity - self.capacity) as usize];
        let grown = self.file.write_all_at(&zeros, self.capacity);
        grown.map_err(|error| self.failed(&error))?;
        let synced = self.file.sync_all();
        self.is_doubtful |= synced.is_err();
        synced.map_err(|error| self.failed(&error))?;
        self.capacity = capacity;
        Ok(())
    }

    /// Where the records end that are carried out, and seen to be so by everybody: what was
    /// written before the machine started may be lost.
    pub fn carried_out(&self) -> Result<u64> {
        Ok(self.mark()?.unwrap_or(RECORDS_AT))
    }

    /// Whether it was written to since the machine started: none of its records was lost.
    pub fn is_marked(&self) -> bool {
        matches!(self.mark(), Ok(Some(_)))
    }

    /// What was marked in this generation, since the machine started.
    fn mark(&self) -> Result<Option<u64>> {
        let mut mark = [0u8; MARK_BYTES];
        self.file.read_at(&mut mark, MARK_AT).map_err(|error| self.failed(&error))?;
        let is_ours = LittleEndian::read_u64(&mark) == self.generation && &mark[16..] == boot();
        Ok(is_ours.then(|| LittleEndian::read_u64(&mark[8..])))
    }

    /// Where the next record goes.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// All records up to the end are carried out.
    pub fn mark_carried_out(&self) -> Result<()> {
        let mut mark = [0u8; MARK_BYTES];
        LittleEndian::write_u64(&mut mark, self.generation);
        LittleEndian::write_u64(&mut mark[8..], self.end);
        mark[16..].copy_from_slice(boot());
        self.file.write_all_at(&mark, MARK_AT).map_err(|error| self.failed(&error))
    }

    /// Takes a record back that nobody was answered for. The power may go before it is.
    pub fn take_back(&mut self, end: u64) {
        // Where this fails too, the record is carried out by the next writer.
        let _ = self.file.write_all_at(&[0; PREFIX_BYTES], end);
        self.end = end;
    }

    /// Forgets all records: what they say is safe elsewhere.
    pub fn start_over(&mut self) -> Result<()> {
        let generation = self.generation + 1;
        let mut head = [0u8; HEAD_BYTES];
        head[..8].copy_from_slice(SIGNATURE);
        LittleEndian::write_u32(&mut head[8..], VERSION);
        LittleEndian::write_u64(&mut head[12..], generation);
        let sum = crc32fast::hash(&head[..20]);
        LittleEndian::write_u32(&mut head[20..], sum);
        // The copies take turns: one of them is whole whenever the power goes.
        let at = PAGE * (generation % 2);
        let written = self.file.write_all_at(&head, at).and_then(|()| self.file.sync_data());
        written.map_err(|error| self.failed(&error))?;
        self.generation = generation;
        self.end = RECORDS_AT;
        self.is_doubtful = false;
        Ok(())
    }

    /// Leaves a plain Git repository behind. There must be no record.
    pub fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> Error {
        Error::from_io(self.path.display(), error)
    }
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// The generation of a head; nothing where it is torn.
fn generation_of(head: &[u8]) -> Option<Result<u64>> {
    let head = head.get(..HEAD_BYTES)?;
    if &head[..8] != SIGNATURE
        || LittleEndian::read_u32(&head[20..]) != crc32fast::hash(&head[..20])
    {
        return None;
    }
    match LittleEndian::read_u32(&head[8..]) {
        VERSION => Some(Ok(LittleEndian::read_u64(&head[12..]))),
        version => Some(Err(Error::unsupported(format!(
            "the repository's journal has format {version}, which a newer gitport wrote"
        ))
        .with("feature", "journal"))),
    }
}

/// What tells this start of the machine from every other one.
fn boot() -> &'static [u8; BOOT_BYTES] {
    static BOOT: OnceLock<[u8; BOOT_BYTES]> = OnceLock::new();
    BOOT.get_or_init(|| {
        let text = fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        // Where it cannot be told, no start is like another one.
        let unknown = || std::array::from_fn(|it| std::process::id().to_le_bytes()[it % 4]);
        text.get(..BOOT_BYTES).and_then(|it| it.try_into().ok()).unwrap_or_else(unknown)
    })
}

fn after(at: u64, content: usize) -> u64 {
    (at + (PREFIX_BYTES + content) as u64).next_multiple_of(8)
}

fn sum(generation: u64, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&generation.to_le_bytes());
    hasher.update(content);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
