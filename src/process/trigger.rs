//! What triggers are called, and the patterns in them.
//!
//! Whoever publishes a pattern and whoever writes what it is looked for in may be strangers to
//! those who wait meanwhile. So each pattern is a table, made once and of a bounded size, by which
//! every byte takes one step, whatever is written.

use globset::GlobBuilder;
use regex_automata::{
    Input,
    dfa::{
        Automaton, StartKind,
        dense::{self, DFA},
    },
    nfa::thompson,
};
use regex_syntax::{
    ParserBuilder,
    hir::{Hir, HirKind, Look, Repetition},
    try_is_word_character,
};

/// How large what a table is made of may be, and the table.
const PARTS_BYTES_MAX: usize = 128 << 10;
const TABLE_BYTES_MAX: usize = 1 << 20;
/// How large the tables of a definition may be together.
const TABLES_BYTES_MAX: usize = 8 << 20;
/// What a pattern of messages counts at least, since messages are long.
const MESSAGE_TABLE_BYTES_MIN: usize = 64 << 10;
/// So much of a message, and of a name, is looked at.
const MESSAGE_BYTES_MAX: usize = 64 << 10;
const NAME_BYTES_MAX: usize = 1000;
const LABEL_BYTES_MAX: usize = 60;

/// A name as a word that can be a part of a run's id: what cannot is `-`.
pub fn label(name: &str) -> String {
    let mut label = String::new();
    for it in name.trim().chars() {
        match it {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => label.push(it),
            _ if label.ends_with('-') || label.is_empty() => (),
            _ => label.push('-'),
        }
    }
    label.truncate(LABEL_BYTES_MAX);
    label.trim_end_matches('-').to_owned()
}

/// So much of a message as is looked at.
pub fn message_part(message: &str) -> &str {
    beginning(message, MESSAGE_BYTES_MAX)
}

/// So much of a name or a mail as is looked at.
pub fn name_part(name: &str) -> &str {
    beginning(name, NAME_BYTES_MAX)
}

fn beginning(text: &str, most: usize) -> &str {
    let end = (0..=most.min(text.len())).rev().find(|it| text.is_char_boundary(*it));
    &text[..end.unwrap_or_default()]
}

/// What is left to the patterns of one definition.
#[derive(Debug)]
pub struct Room(usize);

impl Default for Room {
    fn default() -> Room {
        Room(TABLES_BYTES_MAX)
    }
}

impl Room {
    fn take(&mut self, bytes: usize) -> Result<(), String> {
        self.0 = self.0.checked_sub(bytes).ok_or_else(|| {
            let most = TABLES_BYTES_MAX >> 20;
            format!("the patterns of the definition are more than tables of {most} MiB together")
        })?;
        Ok(())
    }
}

/// Branches, tags, files, people by a pattern: `*` does not match `/`, `**` does.
#[derive(Debug)]
pub struct Glob(Table);

impl Glob {
    pub fn new(text: &str, room: &mut Room) -> Result<Glob, String> {
        let glob = GlobBuilder::new(text).literal_separator(true).backslash_escape(true).build();
        let glob = glob.map_err(|error| error.kind().to_string())?;
        // A name may have any bytes in it.
        let mut syntax = ParserBuilder::new();
        let hir = syntax.utf8(false).dot_matches_new_line(true).build().parse(glob.regex());
        Table::new(hir.map_err(|error| last_line(&error))?, 0, room).map(Glob)
    }

    pub fn matches(&self, name: &str) -> bool {
        self.0.is_in(name)
    }
}

/// What a message is to have: a word where it is one, else a regular expression.
#[derive(Debug)]
pub enum Pattern {
    Word(String),
    Expression(Box<Table>),
}

impl Pattern {
    pub fn new(text: &str, room: &mut Room) -> Result<Pattern, String> {
        if !text.is_empty() && text.chars().all(|it| it.is_alphanumeric() || it == '_') {
            room.take(MESSAGE_TABLE_BYTES_MIN)?;
            return Ok(Pattern::Word(text.to_owned()));
        }
        let hir = ParserBuilder::new().build().parse(text).map_err(|error| last_line(&error))?;
        let table = Table::new(hir, MESSAGE_TABLE_BYTES_MIN, room)?;
        Ok(Pattern::Expression(Box::new(table)))
    }

    pub fn is_in(&self, message: &str) -> bool {
        match self {
            Pattern::Word(word) => has_word(message, word),
            Pattern::Expression(table) => table.is_in(message),
        }
    }
}

/// Whether a word is there as one, and not as a part of another.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |it: Option<char>| it.is_some_and(|it| try_is_word_character(it).unwrap_or(true));
    text.match_indices(word).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + word.len()..]);
        !is_part(before.chars().next_back()) && !is_part(after.chars().next())
    })
}

/// A regular expression by which each byte takes one step.
#[derive(Debug)]
pub struct Table(DFA<Vec<u32>>);

impl Table {
    /// It counts what it is, and no less than that.
    fn new(hir: Hir, least: usize, room: &mut Room) -> Result<Table, String> {
        let table = Table::make(hir);
        // What is found to be too large has been made so far, too.
        room.take(table.as_ref().map_or(TABLE_BYTES_MAX, |it| it.0.memory_usage()).max(least))?;
        table
    }

    fn make(hir: Hir) -> Result<Table, String> {
        let parts = thompson::Config::new()
            .which_captures(thompson::WhichCaptures::None)
            .utf8(false)
            .nfa_size_limit(Some(PARTS_BYTES_MAX));
        let table = dense::Config::new()
            .start_kind(StartKind::Unanchored)
            .dfa_size_limit(Some(TABLE_BYTES_MAX))
            .determinize_size_limit(Some(TABLE_BYTES_MAX));
        let parts = thompson::Compiler::new().configure(parts).build_from_hir(&of_ascii(hir));
        let made = parts.ok().and_then(|parts| {
            dense::Builder::new().configure(table).build_from_nfa(&parts).ok().map(Table)
        });
        made.ok_or_else(|| {
            let most = TABLE_BYTES_MAX >> 20;
            format!(
                "it is more than a table of {most} MiB: repeat less of it, or write a class such \
                 as `[a-z]` instead of `\\w`"
            )
        })
    }

    fn is_in(&self, text: &str) -> bool {
        let found = self.0.try_search_fwd(&Input::new(text).earliest(true));
        // No byte ends it early.
        found.is_ok_and(|it| it.is_some())
    }
}

/// The same with words of ASCII wherever it asks for the border of one, since there is no table for
/// others.
fn of_ascii(hir: Hir) -> Hir {
    let all = |of: Vec<Hir>| of.into_iter().map(of_ascii).collect();
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(it) => Hir::literal(it.0),
        HirKind::Class(it) => Hir::class(it),
        HirKind::Look(it) => Hir::look(match it {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            it => it,
        }),
        HirKind::Repetition(it) => {
            let sub = Box::new(of_ascii(*it.sub));
            Hir::repetition(Repetition { sub, ..it })
        }
        HirKind::Capture(it) => of_ascii(*it.sub),
        HirKind::Concat(it) => Hir::concat(all(it)),
        HirKind::Alternation(it) => Hir::alternation(all(it)),
    }
}

/// What is wrong, without the text that it is about.
fn last_line(error: &regex_syntax::Error) -> String {
    let said = error.to_string();
    said.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(pattern: &str, message: &str) -> bool {
        Pattern::new(pattern, &mut Room::default()).unwrap().is_in(message)
    }

    #[test]
    fn a_word_is_found_as_a_whole_in_any_language() {
        assert!(has("fix", "a fix") && has("fix", "prefix, fix") && has("für", "für dich"));
        assert!(!has("fix", "fixes") && !has("fix", "préfix") && !has("fix", "a_fix"));
        assert!(!has("e", "e\u{301}"), "what is put on a letter is a part of it");
    }

    #[test]
    fn an_expression_is_found_as_it_was_by_others() {
        for (pattern, yes, no) in [
            ("^[A-Z]+-[0-9]+", "ABC-17: x", "see ABC-17"),
            (r"\bfix(es|ed)?\b", "it fixed é", "prefixes"),
            (r"(?i)(closes|fixes) (#\d+|https://\S+)", "Fixes #٣", "fixes it"),
            (r"(?m)^Signed-off-by: .+ <.+@.+>$", "a\nSigned-off-by: A <a@b>\nb", "Signed-off-by:"),
            (r"^(feat|fix)(\(\w+\))?!?: ", "feat(größe)!: x", "feat(a b): x"),
            (r"a.c$", "abc", "a\nc"),
            ("^$", "", "a"),
        ] {
            assert!(has(pattern, yes) && !has(pattern, no), "{pattern}");
        }
    }

    #[test]
    fn a_pattern_that_is_no_small_table_is_refused() {
        let of = |pattern: &str| Pattern::new(pattern, &mut Room::default()).unwrap_err();
        for pattern in ["(?s)[ab]*a[ab]{5000}c[^q]", "[ab]*a[ab]{20}c", "(a?){2000}c", r"\w{200}"] {
            assert!(of(pattern).contains("1 MiB"), "{pattern}: {}", of(pattern));
        }
        assert_eq!(of("("), "unclosed group");
        let glob = format!("*a{}", "?".repeat(20));
        assert!(Glob::new(&glob, &mut Room::default()).unwrap_err().contains("1 MiB"));
    }

    #[test]
    fn the_patterns_of_a_definition_share_their_room() {
        let mut room = Room::default();
        let made = (0..1000).take_while(|_| Pattern::new("fix", &mut room).is_ok()).count();
        assert_eq!(made, TABLES_BYTES_MAX / MESSAGE_TABLE_BYTES_MIN);
        let mut room = Room::default();
        let costly = (0..1000).take_while(|_| {
            Pattern::new("[ab]*a[ab]{20}c", &mut room).unwrap_err().contains("1 MiB")
        });
        assert_eq!(costly.count(), TABLES_BYTES_MAX / TABLE_BYTES_MAX);
        assert!(Pattern::new("fix", &mut room).unwrap_err().contains("8 MiB"));
        let mut room = Room::default();
        assert!((0..1000).all(|it| Glob::new(&format!("release/{it}/**"), &mut room).is_ok()));
    }
}
