//! The content of a file as a stream: held whole only where it is small, or Git keeps it as a
//! difference.

use std::io::{self, Cursor, Read};

use git2::{Odb, OdbReader, Oid};

use crate::{
    error::{Error, Result},
    git::{
        Repository,
        objects::Once,
        pack::{Pieces, SMALL_BYTES_MAX},
    },
};

pub struct Blob<'a> {
    size: u64,
    left: u64,
    source: Source<'a>,
}

enum Source<'a> {
    Whole(Cursor<Vec<u8>>),
    Packed(Pieces),
    Loose(OdbReader<'a>),
}

impl<'a> Blob<'a> {
    pub fn open(repository: &Repository, odb: &'a Odb, id: Oid) -> Result<Blob<'a>> {
        let (size, source) = match repository.objects.once(id) {
            Some(Once::Small(content)) => {
                (content.len() as u64, Source::Whole(Cursor::new(content)))
            }
            Some(Once::Large(size, pieces)) => (size, Source::Packed(pieces)),
            None => Blob::open_by_libgit2(repository, odb, id)?,
        };
        Ok(Blob { size, left: size, source })
    }

    fn open_by_libgit2(
        repository: &Repository,
        odb: &'a Odb,
        id: Oid,
    ) -> Result<(u64, Source<'a>)> {
        let missing = |error| repository.unreadable(id, error);
        let (size, _) = odb.read_header(id).map_err(missing)?;
        if SMALL_BYTES_MAX < size as u64
            && let Ok((reader, size, _)) = odb.reader(id)
        {
            return Ok((size as u64, Source::Loose(reader)));
        }
        let object = odb.read(id).map_err(missing)?;
        let content = object.data().to_vec();
        Ok((content.len() as u64, Source::Whole(Cursor::new(content))))
    }

    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Read for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let wanted = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let buffer = &mut buffer[..wanted];
        let count = match &mut self.source {
            Source::Whole(content) => content.read(buffer)?,
            Source::Packed(pieces) => {
                let piece = pieces.next(wanted);
                buffer[..piece.len()].copy_from_slice(&piece);
                piece.len()
            }
            Source::Loose(reader) => reader.read(buffer)?,
        };
        if count == 0 && 0 < wanted {
            return Err(io::Error::other(Error::corrupt("an object ends before its size")));
        }
        self.left -= count as u64;
        Ok(count)
    }
}
