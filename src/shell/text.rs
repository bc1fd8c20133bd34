//! Text for a terminal: whatever others wrote in it, and times in words.

use jiff::{Timestamp, tz::TimeZone};
use unicode_width::UnicodeWidthChar;

/// Text of others as a part of a line: nothing in it moves the cursor, changes colours or turns the
/// line around.
pub fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for it in text.chars() {
        match is_command(it) {
            true => shown.extend(it.escape_default()),
            false => shown.push(it),
        }
    }
    shown
}

fn is_command(it: char) -> bool {
    let is_direction = matches!(it, '\u{200e}' | '\u{200f}' | '\u{61c}')
        || ('\u{202a}'..='\u{202e}').contains(&it)
        || ('\u{2066}'..='\u{2069}').contains(&it);
    it.is_control() || is_direction || matches!(it, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

/// As much of a line as is so many columns wide; what is left out is `…`.
pub fn fitted(line: &str, columns: usize) -> String {
    let (mut width, mut end) = (0, 0);
    for (at, it) in line.char_indices() {
        width += it.width().unwrap_or(0);
        if columns < width {
            return match columns {
                0 => String::new(),
                _ => format!("{}…", &line[..end]),
            };
        }
        // Room for the sign that something is left out.
        if width < columns {
            end = at + it.len_utf8();
        }
    }
    line.to_owned()
}

/// How wide a line is, in columns.
pub fn width(line: &str) -> usize {
    line.chars().filter_map(UnicodeWidthChar::width).sum()
}

/// Filled up with blanks to so many columns.
pub fn padded(text: &str, columns: usize) -> String {
    format!("{text}{:1$}", "", columns.saturating_sub(width(text)))
}

/// A length of time in its two greatest units.
pub fn lasting(ms: u64) -> String {
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let two = |more: u64, unit: &str, less: u64, below: &str| match less {
        0 => format!("{more} {unit}"),
        _ => format!("{more} {unit} {less} {below}"),
    };
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => two(minutes, "min", seconds % 60, "s"),
        (0, _, _) => two(hours, "h", minutes % 60, "min"),
        _ => two(days, "d", hours % 24, "h"),
    }
}

/// A point in time as the clock on the wall has it.
pub fn clock(ms: i64) -> String {
    at(ms, "%H:%M:%S")
}

/// The same with its day.
pub fn moment(ms: i64) -> String {
    at(ms, "%Y-%m-%d %H:%M:%S")
}

fn at(ms: i64, format: &str) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned(TimeZone::system()).strftime(format).to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_the_text_of_others_is_a_command_to_a_terminal() {
        assert_eq!(shown("a\x1b[2Jb\r\n\u{9b}1A"), "a\\u{1b}[2Jb\\r\\n\\u{9b}1A");
        assert_eq!(shown("x\u{202e}cod.exe\u{2028}"), "x\\u{202e}cod.exe\\u{2028}");
        assert_eq!(shown("grün 漢字 e\u{301} 🎉"), "grün 漢字 e\u{301} 🎉");
    }

    #[test]
    fn a_line_is_cut_by_columns_and_not_by_characters() {
        let check = |line: &str, columns: usize, expected: &str| {
            assert_eq!(fitted(line, columns), expected);
            assert!(width(expected) <= columns);
        };
        check("abcdef", 6, "abcdef");
        check("abcdef", 5, "abcd…");
        check("漢字漢字", 8, "漢字漢字");
        check("漢字漢字", 7, "漢字漢…");
        check("漢字漢字", 6, "漢字…");
        check("abc", 1, "…");
        check("abc", 0, "");
        assert_eq!(padded("漢", 4), "漢  ");
    }

    #[test]
    fn a_length_of_time_has_two_units_at_most() {
        let check = |ms: u64, expected: &str| assert_eq!(lasting(ms), expected);
        check(999, "0 s");
        check(59_999, "59 s");
        check(125_000, "2 min 5 s");
        check(3_600_000, "1 h");
        check(90_061_000, "1 d 1 h");
    }
}
