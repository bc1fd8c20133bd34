//! A compressed tar archive, as `git archive` would write it: nobody's, of the commit's time.

use std::io::{self, Cursor};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::{Archive, Sink, blob::Blob, failed};
use crate::error::Result;

pub struct Tarball<'a, 'm> {
    inner: Builder<GzEncoder<&'a mut Sink<'m>>>,
    time: u64,
}

impl<'a, 'm> Tarball<'a, 'm> {
    pub fn begin(sink: &'a mut Sink<'m>, commit: &git2::Commit) -> Result<Tarball<'a, 'm>> {
        // No name, no time, no system: whoever writes it, and when, makes no difference.
        let compressed = GzBuilder::new().operating_system(255);
        let inner = Builder::new(compressed.write(sink, Compression::default()));
        let time = u64::try_from(commit.time().seconds()).unwrap_or(0);
        let mut tarball = Tarball { inner, time };
        // `git get-tar-commit-id` looks for this.
        let comment = record("comment", commit.id().to_string().as_bytes());
        tarball.extension(EntryType::XGlobalHeader, "pax_global_header", &comment)?;
        Ok(tarball)
    }

    fn add(
        &mut self,
        kind: EntryType,
        name: &[u8],
        target: &[u8],
        (mode, size): (u32, u64),
        content: impl io::Read,
    ) -> Result<()> {
        let mut header = self.header(kind, mode, size);
        let mut records = Vec::new();
        let old = header.as_old_mut();
        for (key, field, value) in
            [("path", &mut old.name, name), ("linkpath", &mut old.linkname, target)]
        {
            let length = value.len().min(field.len());
            field[..length].copy_from_slice(&value[..length]);
            if length < value.len() {
                records.extend(record(key, value));
            }
        }
        if !records.is_empty() {
            self.extension(EntryType::XHeader, "pax_header", &records)?;
        }
        header.set_cksum();
        self.inner.append(&header, content).map_err(failed)
    }

    fn extension(&mut self, kind: EntryType, name: &str, records: &[u8]) -> Result<()> {
        let mut header = self.header(kind, 0o666, records.len() as u64);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        self.inner.append(&header, Cursor::new(records)).map_err(failed)
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        if let Some(header) = header.as_ustar_mut() {
            header.uname[..4].copy_from_slice(b"root");
            header.gname[..4].copy_from_slice(b"root");
        }
        header
    }
}

impl Archive for Tarball<'_, '_> {
    fn folder(&mut self, name: &[u8]) -> Result<()> {
        let name = [name, b"/"].concat();
        self.add(EntryType::Directory, &name, b"", (0o775, 0), io::empty())
    }

    fn file(&mut self, name: &[u8], is_executable: bool, content: Blob) -> Result<()> {
        let mode = if is_executable { 0o775 } else { 0o664 };
        self.add(EntryType::Regular, name, b"", (mode, content.size()), content)
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<()> {
        self.add(EntryType::Symlink, name, target, (0o777, 0), io::empty())
    }

    fn end(self) -> Result<()> {
        self.inner.into_inner().and_then(GzEncoder::finish).map_err(failed)?;
        Ok(())
    }
}

/// One record of an extended header, which begins with its own length.
fn record(key: &str, value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    [format!("{length} {key}=").as_bytes(), value, b"\n"].concat()
}
