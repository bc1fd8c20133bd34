//! The refs that have no file of their own. Format: `git pack-refs`.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use git2::Oid;

use crate::{
    error::{Error, Result},
    git::{
        hash::{ID_DIGITS, id_of},
        plain,
        refs::PACKED,
        tip::Stamp,
    },
};

const TRAITS: &str = "# pack-refs with: peeled fully-peeled sorted";

/// The file as it was when it was read.
#[derive(Default)]
pub struct Packed {
    /// The file that was read, and what it was like. While it is open no other one has its number,
    /// so that one that takes its place, as Git writes it, is always told from it.
    file: Option<(File, Stamp)>,
    /// Whether it was so old when it was read that writing into it would have shown.
    is_sure: bool,
    listing: Listing,
}

/// The content of the file.
#[derive(Default)]
pub struct Listing {
    content: Vec<u8>,
    /// Where the line of each ref begins, in the order of their names.
    lines: Vec<u32>,
}

/// What a ref shall be: nothing, or an object and what an annotated tag stands for in the end.
pub type Wanted = Option<(Oid, Option<Oid>)>;

/// One ref of the file.
pub struct Line<'a> {
    pub name: &'a [u8],
    pub id: Oid,
    /// What an annotated tag stands for in the end, where the file says whether it is one.
    pub peeled: Option<Option<Oid>>,
}

impl Packed {
    /// Reads the file again if it is another one by now, or was too young when it was read.
    pub fn refresh(&mut self, common_folder: &Path) -> Result<()> {
        let path = common_folder.join(PACKED);
        let is_same = |known: &(File, Stamp), now: Stamp| {
            now == known.1 && (self.is_sure || !now.is_settled())
        };
        if let (Some(known), Some(now)) = (&self.file, Stamp::of(&path))
            && is_same(known, now)
        {
            return Ok(());
        }
        let mut content = Vec::new();
        let read = plain::open(&path).and_then(|mut file| {
            let stamp = Stamp::of_open(&file)?;
            let is_sure = stamp.is_settled();
            file.read_to_end(&mut content)?;
            Ok((file, stamp, is_sure))
        });
        let (file, is_sure) = match read {
            Ok((file, stamp, is_sure)) => (Some((file, stamp)), is_sure),
            Err(error) if error.kind() == io::ErrorKind::NotFound => (None, false),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(Error::corrupt(format!("`{PACKED}` is no file")));
            }
            Err(error) => return Err(Error::from_io(path.display(), &error)),
        };
        if content != self.listing.content {
            self.listing = Listing::read(content)?;
        }
        (self.file, self.is_sure) = (file, is_sure);
        Ok(())
    }

    /// Takes in what this process has just put there.
    pub fn adopt(&mut self, file: File, listing: Listing) {
        self.listing = listing;
        self.file = Stamp::of_open(&file).ok().map(|stamp| (file, stamp));
        self.is_sure = false;
    }

    pub fn find(&self, name: &[u8]) -> Option<Oid> {
        let index = self.listing.position(name).ok()?;
        id_of(self.listing.line(index))
    }

    /// The refs below this name, as in a folder.
    pub fn below(&self, name: &str) -> impl Iterator<Item = String> {
        let folder = format!("{name}/");
        let it = &self.listing;
        let first = it.position(folder.as_bytes()).unwrap_or_else(|it| it);
        let names = (first..it.lines.len()).map(|index| name_of(it.line(index)));
        names
            .map(|it| String::from_utf8_lossy(it).into_owned())
            .take_while(move |it| it.starts_with(&folder))
    }

    /// The refs from this name on.
    pub fn from(&self, name: &[u8]) -> impl Iterator<Item = Line<'_>> {
        let it = &self.listing;
        let first = it.position(name).unwrap_or_else(|it| it);
        let header = &it.content[..end_of_line(&it.content)];
        let knows_all = header.starts_with(b"#") && has_word(header, b"fully-peeled");
        (first..it.lines.len()).filter_map(move |index| {
            let whole = it.whole(index);
            let below = whole[end_of_line(whole)..].strip_prefix(b"^").and_then(id_of);
            let peeled = (knows_all || below.is_some()).then_some(below);
            Some(Line { name: name_of(whole), id: id_of(whole)?, peeled })
        })
    }

    /// The content of the file with these refs changed; they come in the order of their names.
    pub fn with<'a>(
        &self,
        changes: impl IntoIterator<Item = (&'a str, Wanted)>,
    ) -> Result<Listing> {
        let Listing { content, lines } = &self.listing;
        let mut new = Listing {
            content: Vec::with_capacity(content.len() + 4096),
            lines: Vec::with_capacity(lines.len() + 64),
        };
        match content.starts_with(b"#") {
            // Whoever wrote it may have promised less.
            true => {
                let header = &content[..end_of_line(content)];
                new.content.extend_from_slice(header.trim_ascii_end());
                if !has_word(header, b"sorted") {
                    new.content.extend_from_slice(b" sorted");
                }
            }
            false if lines.is_empty() => new.content.extend_from_slice(TRAITS.as_bytes()),
            false => new.content.extend_from_slice(b"# pack-refs with: sorted"),
        }
        new.content.extend_from_slice(b" \n");
        let mut index = 0;
        for (name, wanted) in changes {
            let position = self.listing.position(name.as_bytes());
            let until = position.unwrap_or_else(|it| it);
            (index..until).try_for_each(|it| new.push(self.listing.whole(it)))?;
            index = until + usize::from(position.is_ok());
            if let Some((id, peeled)) = wanted {
                new.push(format!("{id} {name}\n").as_bytes())?;
                if let Some(peeled) = peeled {
                    new.content.extend_from_slice(format!("^{peeled}\n").as_bytes());
                }
            }
        }
        (index..lines.len()).try_for_each(|it| new.push(self.listing.whole(it)))?;
        Ok(new)
    }
}

impl Listing {
    fn read(content: Vec<u8>) -> Result<Listing> {
        let lines = lines(&content)?;
        Ok(Listing { content, lines })
    }

    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Adds a line, and all that is about the same ref.
    fn push(&mut self, line: &[u8]) -> Result<()> {
        self.lines.push(place(self.content.len())?);
        self.content.extend_from_slice(line);
        Ok(())
    }

    fn position(&self, name: &[u8]) -> Result<usize, usize> {
        self.lines.binary_search_by(|it| name_of(&self.content[*it as usize..]).cmp(name))
    }

    /// A line, and all after it.
    fn line(&self, index: usize) -> &[u8] {
        &self.content[self.lines[index] as usize..]
    }

    /// The line of a ref with that of what it stands for in the end.
    fn whole(&self, index: usize) -> &[u8] {
        let line = self.line(index);
        let first = end_of_line(line);
        match line.get(first) {
            Some(b'^') => &line[..first + end_of_line(&line[first..])],
            _ => &line[..first],
        }
    }
}

fn lines(content: &[u8]) -> Result<Vec<u32>> {
    let mut lines = Vec::new();
    let mut at = 0;
    while at < content.len() {
        let line = &content[at..];
        let is_ref = !matches!(line[0], b'#' | b'^' | b'\n');
        if is_ref {
            if id_of(line).is_none() || line.get(ID_DIGITS) != Some(&b' ') {
                return Err(Error::corrupt(format!("line {} of packed-refs", lines.len() + 1)));
            }
            lines.push(place(at)?);
        }
        at += end_of_line(line);
    }
    let name = |at: &u32| name_of(&content[*at as usize..]);
    if !lines.is_sorted_by(|a, b| name(a) <= name(b)) {
        lines.sort_by(|a, b| name(a).cmp(name(b)));
    }
    Ok(lines)
}

fn place(at: usize) -> Result<u32> {
    u32::try_from(at).map_err(|_| Error::too_large("packed-refs is too long"))
}

fn has_word(line: &[u8], word: &[u8]) -> bool {
    line.split(u8::is_ascii_whitespace).any(|it| it == word)
}

fn end_of_line(line: &[u8]) -> usize {
    memchr::memchr(b'\n', line).map_or(line.len(), |it| it + 1)
}

fn name_of(line: &[u8]) -> &[u8] {
    let name = line.get(ID_DIGITS + 1..).unwrap_or_default();
    name[..end_of_line(name)].trim_ascii_end()
}

#[cfg(test)]
mod tests;
