//! The lines of text on a node, and how large they make it.

use crate::process::graph::{
    model::{Kind, Node, Note},
    text::Font,
};

pub const HEADLINE: Font = Font { size: 13.0, is_bold: true };
pub const NOTE: Font = Font { size: 11.0, is_bold: false };
pub const GATE: Font = Font { size: 10.0, is_bold: true };

/// The icon before the first line.
pub const ICON: f64 = 14.0;
pub const ICON_GAP: f64 = 5.0;
/// How far the copies behind a node with many instances stick out.
pub const STACK: f64 = 6.0;
pub const GATE_HEIGHT: f64 = 18.0;
pub const STATUS_HEIGHT: f64 = 18.0;

const WIDTH_MAX: f64 = 190.0;
const WIDTH_MIN: f64 = 76.0;
const SIDE: f64 = 12.0;
const ABOVE: f64 = 9.0;
/// Between a block's border and what is inside.
const INSIDE: f64 = 14.0;
const DOT: f64 = 14.0;
const HEADLINE_LINES_MAX: usize = 4;
const NOTE_LINES_MAX: usize = 3;
const NOTES_MAX: usize = 12;

#[derive(Debug)]
pub struct Face {
    pub width: f64,
    pub height: f64,
    pub lines: Vec<Line>,
    pub join: Option<String>,
    pub split: Option<String>,
    /// Where a run is; none where the picture is of no run.
    pub status: Option<String>,
    /// From the upper left corner to where what is inside begins.
    pub inside: (f64, f64),
}

#[derive(Debug)]
pub struct Line {
    pub text: String,
    pub style: Style,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Headline,
    Id,
    Type,
    Description,
    Fact,
}

impl Style {
    pub fn font(self) -> Font {
        if self == Style::Headline { HEADLINE } else { NOTE }
    }
}

/// `also` is said on the node because no arrow says it.
pub fn face(node: &Node, also: &[String], inside: Option<(f64, f64)>, has_status: bool) -> Face {
    if node.kind.is_dot() {
        return Face::dot();
    }
    let lines = lines(node, also);
    let shortened = |it: &String| GATE.wrap(it, WIDTH_MAX, 1).concat();
    let (join, split) = (node.join.as_ref().map(shortened), node.split.as_ref().map(shortened));
    let status = has_status.then(|| GATE.wrap(&status(node), WIDTH_MAX - 2.0 * SIDE, 1).concat());
    let icon = if has_icon(node.kind) { 2.0 * (ICON + ICON_GAP) } else { 0.0 };
    let mut widths = vec![WIDTH_MIN - 2.0 * SIDE];
    widths.extend(lines.iter().map(|it| match it.style {
        Style::Headline => HEADLINE.width(&it.text) + icon,
        _ => NOTE.width(&it.text),
    }));
    let gates = [&join, &split, &status].into_iter().flatten();
    widths.extend(gates.map(|it| GATE.width(it) + 8.0));
    let mut width = widths.into_iter().fold(0.0, f64::max) + 2.0 * SIDE;
    let text: f64 = lines.iter().map(|it| it.style.font().line_height()).sum();
    let top = if join.is_some() { GATE_HEIGHT } else { 0.0 } + ABOVE + text;
    let mut height = top + ABOVE;
    let mut place = (0.0, 0.0);
    if let Some((inner_width, inner_height)) = inside {
        width = width.max(inner_width + 2.0 * INSIDE);
        place = ((width - inner_width) / 2.0, top + INSIDE / 2.0);
        height = place.1 + inner_height + INSIDE;
    }
    for is_there in [status.is_some(), split.is_some()] {
        height += if is_there { GATE_HEIGHT } else { 0.0 };
    }
    let (width, height) = (width.ceil(), height.ceil());
    let stack = if node.is_many { STACK } else { 0.0 };
    let (width, height) = (width + stack, height + stack);
    Face { width, height, lines, join, split, status, inside: place }
}

impl Face {
    fn dot() -> Face {
        let (join, split, status) = (None, None, None);
        let lines = Vec::new();
        Face { width: DOT, height: DOT, lines, join, split, status, inside: (0.0, 0.0) }
    }
}

pub fn has_icon(kind: Kind) -> bool {
    !matches!(kind, Kind::Plain | Kind::Route | Kind::Block | Kind::Missing)
}

fn lines(node: &Node, also: &[String]) -> Vec<Line> {
    let icon = if has_icon(node.kind) { 2.0 * (ICON + ICON_GAP) } else { 0.0 };
    let headline = HEADLINE.wrap(&node.headline, WIDTH_MAX - icon, HEADLINE_LINES_MAX);
    let mut lines: Vec<Line> = Vec::new();
    lines.extend(headline.into_iter().map(|text| Line { text, style: Style::Headline }));
    let also = also.iter().map(|it| (it, Style::Fact));
    let notes = node.notes.iter().map(|it| match it {
        Note::Id(text) => (text, Style::Id),
        Note::Type(text) => (text, Style::Type),
        Note::Description(text) => (text, Style::Description),
        Note::Fact(text) => (text, Style::Fact),
    });
    for (text, style) in notes.chain(also).take(NOTES_MAX) {
        let wrapped = NOTE.wrap(text, WIDTH_MAX, NOTE_LINES_MAX);
        lines.extend(wrapped.into_iter().map(|text| Line { text, style }));
    }
    lines
}

fn status(node: &Node) -> String {
    let said = node.marks.iter().map(|(state, count)| match count {
        1 => state.as_str().to_owned(),
        _ => format!("{} ×{count}", state.as_str()),
    });
    said.collect::<Vec<String>>().join(", ")
}
