//! What was measured, against what, and whether that is enough.

use std::fmt;

pub struct Row {
    what: String,
    ours: String,
    peer: String,
    ratio: String,
    wanted: String,
    met: &'static str,
}

#[derive(Clone, Copy)]
pub enum Quantity {
    PerSecond(f64),
    Seconds(f64),
    Bytes(f64),
}

use Quantity::{Bytes, PerSecond, Seconds};

impl Row {
    /// How many times faster than the peer.
    pub fn faster(what: impl Into<String>, ours: Quantity, peer: Quantity, at_least: f64) -> Row {
        let ratio = match (ours, peer) {
            (PerSecond(ours), PerSecond(peer)) => ours / peer,
            (Seconds(ours), Seconds(peer)) => peer / ours,
            _ => panic!("speeds are told per second or in seconds"),
        };
        Row {
            what: what.into(),
            ours: ours.to_string(),
            peer: peer.to_string(),
            ratio: format!("{ratio:.2} x"),
            wanted: format!(">= {at_least} x"),
            met: verdict(ratio >= at_least),
        }
    }

    /// How many times as much as the peer.
    pub fn within(what: impl Into<String>, ours: Quantity, peer: Quantity, at_most: f64) -> Row {
        let ratio = ours.number() / peer.number();
        let digits = if ratio < 0.1 { 4 } else { 2 };
        Row {
            what: what.into(),
            ours: ours.to_string(),
            peer: peer.to_string(),
            ratio: format!("{ratio:.digits$} x"),
            wanted: format!("<= {at_most} x"),
            met: verdict(ratio <= at_most),
        }
    }

    /// Not against a peer, but below a bound.
    pub fn below(what: impl Into<String>, ours: Quantity, at_most: Quantity) -> Row {
        let met = verdict(ours.number() <= at_most.number());
        let wanted = format!("<= {at_most}");
        Row { met, wanted, ours: ours.to_string(), ..Row::empty(what) }
    }

    /// Not against a peer, but above a bound.
    pub fn above(what: impl Into<String>, ours: Quantity, at_least: Quantity) -> Row {
        let met = verdict(ours.number() >= at_least.number());
        let wanted = format!(">= {at_least}");
        Row { met, wanted, ours: ours.to_string(), ..Row::empty(what) }
    }

    /// Could not be measured, and why.
    pub fn missing(what: impl Into<String>, reason: &str) -> Row {
        // It is a cell of a table.
        let line = reason.lines().next().unwrap_or_default();
        let reason: String = line.chars().take(REASON_CHARS_MAX).collect();
        Row { ours: format!("({reason})"), met: "not measured", ..Row::empty(what) }
    }

    /// Puts something that is good to know into the column of the peer.
    pub fn beside(self, peer: impl Into<String>) -> Row {
        Row { peer: peer.into(), ..self }
    }

    pub fn what(&self) -> &str {
        &self.what
    }

    fn empty(what: impl Into<String>) -> Row {
        Row {
            what: what.into(),
            ours: String::new(),
            peer: String::new(),
            ratio: String::new(),
            wanted: String::new(),
            met: "",
        }
    }

    fn cells(&self) -> [&str; COLUMNS] {
        [&self.what, &self.ours, &self.peer, &self.ratio, &self.wanted, self.met]
    }
}

pub struct Table(pub Vec<Row>);

impl fmt::Display for Table {
    fn fmt(&self, output: &mut fmt::Formatter) -> fmt::Result {
        let head = ["what", "ours", "peer", "ratio", "wanted", "met?"];
        let rows: Vec<_> = self.0.iter().map(Row::cells).collect();
        let widths: Vec<usize> = (0..COLUMNS)
            .map(|column| {
                let cells = rows.iter().chain([&head]).map(|cells| cells[column].chars().count());
                cells.max().unwrap_or(0)
            })
            .collect();
        let lines: [String; COLUMNS] = std::array::from_fn(|column| "-".repeat(widths[column]));
        let lines: [&str; COLUMNS] = std::array::from_fn(|column| lines[column].as_str());
        for cells in [&head, &lines].into_iter().chain(&rows) {
            for (column, cell) in cells.iter().enumerate() {
                let (bar, width) = (if column == 0 { "| " } else { " | " }, widths[column]);
                match column {
                    1..=3 => write!(output, "{bar}{cell:>width$}")?,
                    _ => write!(output, "{bar}{cell:<width$}")?,
                }
            }
            writeln!(output, " |")?;
        }
        Ok(())
    }
}

impl Quantity {
    fn number(self) -> f64 {
        match self {
            PerSecond(number) | Seconds(number) | Bytes(number) => number,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, output: &mut fmt::Formatter) -> fmt::Result {
        match *self {
            PerSecond(rate) if rate >= 1e6 => write!(output, "{:.2} M/s", rate / 1e6),
            PerSecond(rate) if rate >= 1e3 => write!(output, "{:.1} k/s", rate / 1e3),
            PerSecond(rate) => write!(output, "{rate:.0} /s"),
            Seconds(time) if time >= 1.0 => write!(output, "{time:.2} s"),
            Seconds(time) if time >= 1e-3 => write!(output, "{:.1} ms", time * 1e3),
            Seconds(time) => write!(output, "{:.1} µs", time * 1e6),
            Bytes(bytes) if (1.0..1e4).contains(&bytes) => write!(output, "{bytes:.0} B"),
            Bytes(bytes) => write!(output, "{:.1} MiB", bytes / f64::from(1 << 20)),
        }
    }
}

const COLUMNS: usize = 6;
const REASON_CHARS_MAX: usize = 200;

fn verdict(met: bool) -> &'static str {
    match met {
        true => "yes",
        false => "NO",
    }
}
