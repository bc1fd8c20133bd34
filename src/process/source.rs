//! A file's text, and where in it something is.

use std::ops::Range;

use serde::Serialize;

/// How much of a line is shown with a diagnostic.
const EXCERPT_CHARS_MAX: usize = 160;

/// Bytes of a file, from the first to behind the last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    pub start: u32,
    pub end: u32,
}

impl Span {
    pub fn new(start: usize, end: usize) -> Span {
        let small = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        Span { start: small(start), end: small(end.max(start)) }
    }

    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Lines and columns count from 1, columns in characters; the end is behind the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Place {
    pub line: usize,
    pub column: usize,
    pub end_column: usize,
}

/// A piece of a line, and where it begins in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Excerpt {
    pub text: String,
    /// How many characters of the line are left out before it.
    pub skipped: usize,
}

#[derive(Debug)]
pub struct Source {
    pub name: String,
    pub text: String,
    /// Where each line begins.
    lines: Vec<usize>,
}

impl Source {
    pub fn new(name: &str, text: String) -> Source {
        let mut lines = vec![0];
        let bytes = text.as_bytes();
        for (at, byte) in bytes.iter().enumerate() {
            let is_break = match byte {
                b'\n' => true,
                // One break together with the line feed after it.
                b'\r' => bytes.get(at + 1) != Some(&b'\n'),
                _ => false,
            };
            if is_break {
                lines.push(at + 1);
            }
        }
        Source { name: name.to_owned(), text, lines }
    }

    /// Where a span begins, and where it ends on the same line.
    pub fn place(&self, span: Span) -> Place {
        let (line, text) = self.line_at(span.start as usize);
        let start = self.lines[line];
        let upto = |it: u32| {
            let end = (it as usize).clamp(start, start + text.len()) - start;
            text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= end).count() + 1
        };
        let column = upto(span.start);
        Place { line: line + 1, column, end_column: upto(span.end).max(column + 1) }
    }

    /// The line that a span begins on, as much of it as a person wants to see.
    pub fn excerpt(&self, span: Span) -> Excerpt {
        let (_, text) = self.line_at(span.start as usize);
        let column = self.place(span).column;
        let skipped = match text.chars().count() > EXCERPT_CHARS_MAX {
            true => column.saturating_sub(EXCERPT_CHARS_MAX / 2),
            false => 0,
        };
        let shown = text.chars().skip(skipped).take(EXCERPT_CHARS_MAX);
        let printable = |it: char| if it.is_control() { ' ' } else { it };
        Excerpt { text: shown.map(printable).collect(), skipped }
    }

    fn line_at(&self, offset: usize) -> (usize, &str) {
        let line = self.lines.partition_point(|it| *it <= offset).saturating_sub(1);
        let end = self.lines.get(line + 1).copied().unwrap_or(self.text.len());
        (line, self.text[self.lines[line]..end].trim_end_matches(['\n', '\r']))
    }
}
