//! How wide text is, and where its lines end, without a font at hand.
//!
//! Widths are those of Helvetica, which Arial and Liberation Sans share; a picture says how long
//! each line is, so that any other font is set to fit.

use unicode_width::UnicodeWidthChar;

/// Of U+0020 to U+007E, in thousandths of the size.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

const BOLD_PERCENT: f64 = 107.0;

#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Font {
    pub size: f64,
    pub is_bold: bool,
}

impl Font {
    pub fn line_height(self) -> f64 {
        (self.size * 1.3).round()
    }

    pub fn width(self, text: &str) -> f64 {
        let thousandths: f64 = text.chars().map(width_of).sum();
        let percent = if self.is_bold { BOLD_PERCENT } else { 100.0 };
        thousandths / 1000.0 * self.size * percent / 100.0
    }

    /// At most `lines_max` lines, none wider than `width_max`; what does not fit is `…`.
    pub fn wrap(self, text: &str, width_max: f64, lines_max: usize) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        let mut line = String::new();
        for piece in pieces(&plain(text)) {
            for piece in self.cut(piece, width_max) {
                if self.width(&format!("{line}{}", piece.trim_end())) > width_max {
                    lines.push(std::mem::take(&mut line).trim().to_owned());
                }
                if lines.len() > lines_max {
                    return self.shortened(lines, width_max, lines_max);
                }
                line.push_str(piece);
            }
        }
        lines.push(line.trim().to_owned());
        lines.retain(|it| !it.is_empty());
        self.shortened(lines, width_max, lines_max)
    }

    fn shortened(self, mut lines: Vec<String>, width_max: f64, lines_max: usize) -> Vec<String> {
        if lines.len() > lines_max {
            lines.truncate(lines_max);
            if let Some(last) = lines.last_mut() {
                while self.width(&format!("{last}…")) > width_max && last.pop().is_some() {}
                last.push('…');
            }
        }
        lines
    }

    /// A word that is wider than a line is cut wherever the line ends.
    fn cut(self, word: &str, width_max: f64) -> Vec<&str> {
        if self.width(word) <= width_max {
            return vec![word];
        }
        let (mut parts, mut start, mut width) = (Vec::new(), 0, 0.0);
        for (index, c) in word.char_indices() {
            let wider = self.width(c.encode_utf8(&mut [0; 4]));
            if width + wider > width_max && index > start {
                parts.push(&word[start..index]);
                (start, width) = (index, 0.0);
            }
            width += wider;
        }
        parts.push(&word[start..]);
        parts
    }
}

fn width_of(c: char) -> f64 {
    match u32::from(c).checked_sub(0x20).and_then(|it| WIDTHS.get(it as usize)) {
        Some(width) => f64::from(*width),
        None => match c.width() {
            None | Some(0) => 0.0,
            Some(1) => 650.0,
            Some(_) => 1050.0,
        },
    }
}

/// Words with what follows them; a long name may also end a line at one of its joints.
fn pieces(text: &str) -> Vec<&str> {
    text.split_inclusive([' ', '_', '-', '/', '.', ',']).collect()
}

/// One line without what cannot be seen: marks of direction would turn what follows them around.
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if c.is_whitespace() || c.is_control() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' => (),
            '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' => (),
            '\u{fffe}' | '\u{ffff}' => plain.push('\u{fffd}'),
            _ => plain.push(c),
        }
    }
    plain
}
