//! Lines that are drawn again where they stand, or written once where that cannot be.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

use rustix::termios::tcgetwinsize;

use super::view::{Face, Size};

pub struct Screen {
    /// Whether what is drawn can be drawn again.
    pub is_live: bool,
    /// What stands above the cursor.
    drawn: Vec<(Face, String)>,
    size: Size,
}

/// What a terminal has that does not say how large it is.
const USUAL: Size = Size { columns: 80, rows: 24 };
/// On less there is nothing to be seen.
const LEAST: Size = Size { columns: 10, rows: 4 };

impl Screen {
    /// That of stdout: what is no terminal, cannot move its cursor or shall have no colours gets
    /// plain lines.
    pub fn new() -> Screen {
        let variable = |name: &str| env::var_os(name).filter(|it| !it.is_empty());
        let can_move = variable("TERM").is_some_and(|it| it != "dumb");
        let is_live = io::stdout().is_terminal() && can_move && variable("NO_COLOR").is_none();
        Screen { is_live, drawn: Vec::new(), size: USUAL }
    }

    /// How large it is now.
    pub fn size(&mut self) -> Size {
        let told = tcgetwinsize(io::stdout()).ok().filter(|it| it.ws_col > 0 && it.ws_row > 0);
        let size = told.map_or(USUAL, |it| Size {
            columns: usize::from(it.ws_col).max(LEAST.columns),
            rows: usize::from(it.ws_row).max(LEAST.rows),
        });
        if size != self.size {
            // Nobody knows where the terminal has put what was drawn before.
            (self.size, self.drawn) = (size, Vec::new());
        }
        size
    }

    /// Draws the lines in the place of those before.
    pub fn draw(&mut self, lines: Vec<(Face, String)>) -> io::Result<()> {
        if lines == self.drawn {
            return Ok(());
        }
        let mut text = match self.drawn.len() {
            0 => String::new(),
            drawn => format!("\r\x1b[{drawn}A"),
        };
        for (face, line) in &lines {
            match face {
                Face::Plain => text.push_str(line),
                face => text.push_str(&format!("\x1b[{}m{line}\x1b[0m", *face as u8)),
            }
            text.push_str("\x1b[K\n");
        }
        text.push_str("\x1b[J");
        self.drawn = lines;
        self.write(&text)
    }

    /// Leaves what is drawn where it is: whatever comes is below it.
    pub fn leave(&mut self) {
        self.drawn.clear();
    }

    pub fn say(&self, line: &str) -> io::Result<()> {
        self.write(&format!("{line}\n"))
    }

    fn write(&self, text: &str) -> io::Result<()> {
        let mut output = io::stdout().lock();
        output.write_all(text.as_bytes())?;
        output.flush()
    }
}
