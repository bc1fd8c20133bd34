//! A picture as SVG: well-formed whatever the names are, without script, links or fonts.

use std::fmt::Write;

use crate::{
    engine::definition::flow::{End, Split},
    process::graph::{
        face::{Face, GATE, GATE_HEIGHT, ICON, ICON_GAP, STACK, STATUS_HEIGHT, Style},
        layout::{self, LABEL, Layout, Placed},
        model::{ArrowKind, Kind, Node, Picture, Scope},
        order::Way,
        route::Route,
        shape,
        style::SHEET,
        text::{self, Font},
    },
};

const MARGIN: f64 = 16.0;
const TITLE: Font = Font { size: 15.0, is_bold: true };
const TITLE_HEIGHT: f64 = 28.0;
const TIP: f64 = 7.0;
/// Writing to a string cannot fail.
const WRITES: &str = "strings take everything";

pub fn svg(picture: &Picture, has_status: bool) -> String {
    let layout = layout::layout(&picture.scope, has_status);
    let title = TITLE.wrap(&picture.title, layout.width.max(420.0), 1).concat();
    let title_width = TITLE.width(&title).ceil();
    let width = layout.width.max(title_width) + 2.0 * MARGIN;
    let height = layout.height + TITLE_HEIGHT + 2.0 * MARGIN;
    let mut drawing = Drawing { out: String::new() };
    drawing.put(format_args!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"gitport\" role=\"img\" \
         width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <title>{}</title>\n<style>{}</style>\n\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n",
        escaped(&picture.title),
        escaped(SHEET),
    ));
    drawing.text("title", TITLE, &title, MARGIN, MARGIN + TITLE.size);
    let left = ((width - layout.width) / 2.0).round();
    drawing.scope(&picture.scope, &layout, (left, MARGIN + TITLE_HEIGHT));
    drawing.put(format_args!("</svg>\n"));
    drawing.out
}

struct Drawing {
    out: String,
}

impl Drawing {
    fn put(&mut self, arguments: std::fmt::Arguments) {
        self.out.write_fmt(arguments).expect(WRITES);
    }

    fn scope(&mut self, scope: &Scope, layout: &Layout, (left, top): (f64, f64)) {
        for route in &layout.routes {
            self.arrow(scope, route, (left, top));
        }
        for (node, placed) in scope.nodes.iter().zip(&layout.nodes) {
            self.node(node, placed, (left + placed.x, top + placed.y));
        }
        for route in &layout.routes {
            self.label(scope, route, (left, top));
        }
    }

    fn node(&mut self, node: &Node, placed: &Placed, (x, y): (f64, f64)) {
        let face = &placed.face;
        let classes = classes(node);
        if node.kind.is_dot() {
            let outline = shape::outline(node.kind, x, y, face.width, face.height);
            self.put(format_args!(
                "<g class=\"{classes}\"><path class=\"box\" d=\"{outline}\"/></g>\n"
            ));
            return;
        }
        let (path, said) = (escaped(&node.path), escaped(&node.said().join("\n")));
        self.put(format_args!("<g class=\"{classes}\" data-step=\"{path}\"><title>{said}</title>"));
        let stack = if node.is_many { STACK } else { 0.0 };
        let (width, height) = (face.width - stack, face.height - stack);
        let copies: &[f64] = if node.is_many { &[STACK, STACK / 2.0, 0.0] } else { &[0.0] };
        for behind in copies {
            let outline = shape::outline(node.kind, x + behind, y + behind, width, height);
            self.put(format_args!("<path class=\"box\" d=\"{outline}\"/>"));
        }
        let extra = shape::extra(node.kind, node.end.is_some(), x, y, width, height);
        if !extra.is_empty() {
            self.put(format_args!("<path class=\"line\" d=\"{extra}\"/>"));
        }
        self.gates(node, face, (x, y), (width, height));
        self.lines(node, face, (x, y), width);
        self.status(face, (x, y), (width, height));
        if let (Some(scope), Some(layout)) = (&node.inside, &placed.inside) {
            self.out.push('\n');
            self.scope(scope, layout, (x + face.inside.0, y + face.inside.1));
        }
        self.put(format_args!("</g>\n"));
    }

    /// What is waited for above, and which ways are taken below, each at a thick bar.
    fn gates(&mut self, node: &Node, face: &Face, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let (from, to, middle) = (x + width * 0.2, x + width * 0.8, x + width / 2.0);
        if let Some(join) = &face.join {
            let bar = y + 2.0;
            self.put(format_args!("<path class=\"bar\" d=\"M{from} {bar}H{to}\"/>"));
            self.text("gate", GATE, join, middle, y + 15.0);
        }
        if let Some(split) = &face.split {
            let bar = y + height - 2.0;
            let race = if node.takes == Split::Race { " race" } else { "" };
            self.put(format_args!("<path class=\"bar{race}\" d=\"M{from} {bar}H{to}\"/>"));
            self.text("gate", GATE, split, middle, y + height - 8.0);
        }
    }

    fn lines(&mut self, node: &Node, face: &Face, (x, y): (f64, f64), width: f64) {
        let mut top = y + if face.join.is_some() { GATE_HEIGHT } else { 0.0 } + 9.0;
        // A place for what a run does here is kept free, for pictures of one run to be alike.
        if face.status.as_ref().is_some_and(|it| it.is_empty()) && node.inside.is_none() {
            top += STATUS_HEIGHT / 2.0;
        }
        let middle = x + width / 2.0;
        for (index, line) in face.lines.iter().enumerate() {
            let font = line.style.font();
            let base = top + font.size;
            let mut center = middle;
            if let (0, Some(icon)) = (index, shape::icon(node.kind)) {
                let left = middle - (font.width(&line.text) + ICON + ICON_GAP) / 2.0;
                center += (ICON + ICON_GAP) / 2.0;
                let (left, up) = (left.round(), (base - ICON + 1.5).round());
                let place = format!("translate({left} {up})");
                self.put(format_args!("<path class=\"icon\" transform=\"{place}\" d=\"{icon}\"/>"));
            }
            let class = match line.style {
                Style::Headline => "headline",
                Style::Id => "note id",
                Style::Type => "note type",
                Style::Description => "note description",
                Style::Fact => "note",
            };
            self.text(class, font, &line.text, center, base);
            top += font.line_height();
        }
    }

    fn status(&mut self, face: &Face, (x, y): (f64, f64), (width, height): (f64, f64)) {
        let Some(status) = face.status.as_ref().filter(|it| !it.is_empty()) else { return };
        let split = if face.split.is_some() { GATE_HEIGHT } else { 0.0 };
        let top = y + height - split - STATUS_HEIGHT - 3.0;
        let band = (GATE.width(status) + 14.0).ceil();
        let left = x + (width - band) / 2.0;
        let outline = shape::rounded(left, top, band, 15.0, 7.5);
        self.put(format_args!("<path class=\"band\" d=\"{outline}\"/>"));
        self.text("status", GATE, status, x + width / 2.0, top + 11.0);
    }

    fn arrow(&mut self, scope: &Scope, route: &Route, (left, top): (f64, f64)) {
        let kind = scope.arrows[route.arrow].kind;
        let points: Vec<(f64, f64)> =
            route.points.iter().map(|it| (it.0 + left, it.1 + top)).collect();
        let class = match (kind, route.way) {
            (ArrowKind::Cancel, _) => "line cancel",
            (ArrowKind::Flow, Way::Up | Way::Loop) => "line up",
            (ArrowKind::Flow, _) => "line",
        };
        let line = if route.way == Way::Loop { corners(&points) } else { curve(&points) };
        self.put(format_args!("<path class=\"{class}\" d=\"{line}\"/>"));
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return };
        let (tip, back) = match route.way {
            Way::Up => (first, (0.0, TIP)),
            Way::Loop => (last, (TIP, 0.0)),
            Way::Down | Way::Said => (last, (0.0, -TIP)),
        };
        self.tip(kind, route.way, *tip, back);
    }

    /// `back` leads from the tip to the foot of its triangle.
    fn tip(&mut self, kind: ArrowKind, way: Way, (x, y): (f64, f64), back: (f64, f64)) {
        if kind == ArrowKind::Cancel {
            let (x, y) = (x + back.0, y + back.1);
            let (left, right, up, down) = (x - 4.0, x + 4.0, y - 4.0, y + 4.0);
            let cross = format!("M{left} {up}L{right} {down}M{right} {up}L{left} {down}");
            return self.put(format_args!("<path class=\"cross\" d=\"{cross}\"/>\n"));
        }
        let class = if way == Way::Down { "tip" } else { "uptip" };
        let (foot, side) = ((x + back.0, y + back.1), (back.1 / 2.0, back.0 / 2.0));
        self.put(format_args!(
            "<path class=\"{class}\" d=\"M{x} {y}L{} {}L{} {}Z\"/>\n",
            foot.0 - side.0,
            foot.1 - side.1,
            foot.0 + side.0,
            foot.1 + side.1,
        ));
    }

    fn label(&mut self, scope: &Scope, route: &Route, (left, top): (f64, f64)) {
        let label = &route.label;
        if label.lines.is_empty() {
            return;
        }
        let (x, y) = (left + label.x, top + label.y);
        let (width, height) = (label.width, label.height);
        let corner = (x - width / 2.0, y - height / 2.0);
        let said = escaped(&scope.arrows[route.arrow].label.join("\n"));
        self.put(format_args!(
            "<g><title>{said}</title>\
             <rect class=\"paper\" x=\"{}\" y=\"{}\" width=\"{width}\" height=\"{height}\"/>",
            corner.0, corner.1,
        ));
        for (index, line) in label.lines.iter().enumerate() {
            let base = corner.1 + LABEL.line_height() * (index + 1) as f64 - 2.5;
            self.text("note", LABEL, line, x, base);
        }
        self.put(format_args!("</g>\n"));
    }

    fn text(&mut self, class: &str, font: Font, text: &str, x: f64, y: f64) {
        let length = font.width(text).round();
        // What takes no room, such as a lone accent, has no length to be set to.
        let fit = match length > 0.0 {
            true => format!(" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\""),
            false => String::new(),
        };
        let text = escaped(&text::plain(text));
        self.put(format_args!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{fit}>{text}</text>"));
    }
}

fn classes(node: &Node) -> String {
    let is_bad = matches!(node.end, Some(End::Cancelled | End::Failed));
    let mut classes = node.kind.as_str().to_owned();
    let more = [
        (node.kind == Kind::Final && is_bad, " bad"),
        (!node.marks.is_empty(), " marked"),
        (node.inside.is_some(), " opened"),
    ];
    classes.extend(more.iter().filter(|it| it.0).map(|it| it.1));
    classes.extend(node.marks.first().map(|it| format!(" {}", it.0.as_str())));
    classes
}

/// Upright at every point, so that one piece goes over into the next.
fn curve(points: &[(f64, f64)]) -> String {
    let mut line = String::new();
    for (index, (x, y)) in points.iter().enumerate() {
        match index.checked_sub(1).map(|it| points[it]) {
            None => write!(line, "M{x} {y}"),
            Some((before, _)) if before == *x => write!(line, "V{y}"),
            Some((before, above)) => {
                let middle = (above + y) / 2.0;
                write!(line, "C{before} {middle} {x} {middle} {x} {y}")
            }
        }
        .expect(WRITES);
    }
    line
}

/// Three straight lines with round corners.
fn corners(points: &[(f64, f64)]) -> String {
    match points {
        [(right, upper), (far, _), _, (end, lower)] => format!(
            "M{right} {upper}H{}Q{far} {upper} {far} {}V{}Q{far} {lower} {} {lower}H{end}",
            far - 8.0,
            upper + 8.0,
            lower - 8.0,
            far - 8.0,
        ),
        _ => curve(points),
    }
}

/// Text in an element or a quoted attribute; what XML cannot hold is a replacement character.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push_str("&#10;"),
            '\r' => escaped.push_str("&#13;"),
            '\t' => escaped.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            _ if c.is_control() => escaped.push('\u{fffd}'),
            _ => escaped.push(c),
        }
    }
    escaped
}
