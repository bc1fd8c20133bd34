//! A zip archive with the permissions of Unix, of the commit's time in UTC.

use std::io;

use time::{OffsetDateTime, PrimitiveDateTime};
use zip::{CompressionMethod, DateTime, ZipWriter, result::ZipError, write::SimpleFileOptions};

use super::{Archive, Sink, blob::Blob, failed};
use crate::error::{Error, Result};

/// From here on sizes need more room than entries have in the first format.
const LARGE_BYTES: u64 = 0xffff_0000;

/// With the slash at the end of a folder.
const PATH_BYTES_MAX: usize = 4095;

pub struct Zipped<'a, 'm> {
    inner: ZipWriter<&'a mut Sink<'m>>,
    time: DateTime,
}

impl<'a, 'm> Zipped<'a, 'm> {
    pub fn begin(sink: &'a mut Sink<'m>, commit: &git2::Commit) -> Result<Zipped<'a, 'm>> {
        let mut inner = ZipWriter::new(sink);
        // As `git archive` does.
        inner.set_comment(commit.id().to_string()).map_err(broken)?;
        // The format has years from 1980 to 2107.
        let time = OffsetDateTime::from_unix_timestamp(commit.time().seconds()).ok();
        let time = time.map(|it| PrimitiveDateTime::new(it.date(), it.time()));
        let time = time.and_then(|it| DateTime::try_from(it).ok()).unwrap_or_default();
        Ok(Zipped { inner, time })
    }

    fn options(&self, mode: u32) -> SimpleFileOptions {
        SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(self.time)
            .unix_permissions(mode)
    }
}

impl Archive for Zipped<'_, '_> {
    fn folder(&mut self, name: &[u8]) -> Result<()> {
        let options = self.options(0o755).compression_method(CompressionMethod::Stored);
        self.inner.add_directory(name_of(name)?, options).map_err(broken)
    }

    fn file(&mut self, name: &[u8], is_executable: bool, mut content: Blob) -> Result<()> {
        let options = self.options(if is_executable { 0o755 } else { 0o644 });
        let options = options.large_file(LARGE_BYTES <= content.size());
        self.inner.start_file(name_of(name)?, options).map_err(broken)?;
        io::copy(&mut content, &mut self.inner).map_err(failed)?;
        Ok(())
    }

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<()> {
        let options = self.options(0o777);
        self.inner.add_symlink(name_of(name)?, text(target)?, options).map_err(broken)
    }

    fn end(self) -> Result<()> {
        self.inner.finish().map_err(broken)?;
        Ok(())
    }
}

/// Names in zip archives are UTF-8, or else of a code page that nobody tells. Of longer ones than a
/// path may be, stock unzip reads the beginning.
fn name_of(name: &[u8]) -> Result<&str> {
    match name.len() < PATH_BYTES_MAX {
        true => text(name),
        false => {
            let message = "a name is too long for `zip`; `tar.gz` takes it";
            Err(Error::too_large(message)
                .with("bytes", name.len() as u64)
                .with("limit", PATH_BYTES_MAX as u64))
        }
    }
}

fn text(name: &[u8]) -> Result<&str> {
    std::str::from_utf8(name).map_err(|_| {
        let name = String::from_utf8_lossy(name);
        Error::unsupported(format!("{name} is no UTF-8, which `tar.gz` takes and `zip` does not"))
            .with("feature", "file name")
    })
}

fn broken(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) => failed(error),
        error => Error::invalid(format!("the archive: {error}")),
    }
}
