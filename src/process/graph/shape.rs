//! The outlines and icons that tell kinds of steps apart without colour.

use crate::process::graph::model::Kind;

/// The path of an outline, a little inside of its box so that its stroke stays in there.
pub fn outline(kind: Kind, x: f64, y: f64, width: f64, height: f64) -> String {
    let (x, y, width, height) = (x + 1.0, y + 1.0, width - 2.0, height - 2.0);
    let (right, bottom) = (x + width, y + height);
    match kind {
        Kind::Route => {
            let (cut, middle) = (11.0_f64.min(height / 2.0), y + height / 2.0);
            format!(
                "M{} {y}H{}L{right} {middle}L{} {bottom}H{}L{x} {middle}Z",
                x + cut,
                right - cut,
                right - cut,
                x + cut,
            )
        }
        Kind::Git => {
            let cut = 8.0;
            format!(
                "M{} {y}H{}L{right} {}V{}L{} {bottom}H{}L{x} {}V{}Z",
                x + cut,
                right - cut,
                y + cut,
                bottom - cut,
                right - cut,
                x + cut,
                bottom - cut,
                y + cut,
            )
        }
        _ => rounded(x, y, width, height, radius(kind, height)),
    }
}

fn radius(kind: Kind, height: f64) -> f64 {
    match kind {
        Kind::Start | Kind::Finish => height / 2.0,
        Kind::Timer | Kind::Event => 17.0_f64.min(height / 2.0),
        Kind::Final => 17.0_f64.min(height / 2.0),
        Kind::Person => 10.0,
        Kind::Block => 8.0,
        Kind::Plain | Kind::Missing => 4.0,
        _ => 0.0,
    }
}

/// A box whose corners have the radius `r`.
pub fn rounded(x: f64, y: f64, width: f64, height: f64, r: f64) -> String {
    let (right, bottom) = (x + width, y + height);
    if r <= 0.0 {
        return format!("M{x} {y}H{right}V{bottom}H{x}Z");
    }
    format!(
        "M{} {y}H{}A{r} {r} 0 0 1 {right} {}V{}A{r} {r} 0 0 1 {} {bottom}\
         H{}A{r} {r} 0 0 1 {x} {}V{}A{r} {r} 0 0 1 {} {y}Z",
        x + r,
        right - r,
        y + r,
        bottom - r,
        right - r,
        x + r,
        bottom - r,
        y + r,
        x + r,
    )
}

/// Lines in addition to the outline; what ends its process or block has a second outline.
pub fn extra(kind: Kind, ends: bool, x: f64, y: f64, width: f64, height: f64) -> String {
    let mut lines = match kind {
        Kind::Call => {
            let (left, right) = (x + 6.0, x + width - 6.0);
            let (top, bottom) = (y + 1.0, y + height - 1.0);
            format!("M{left} {top}V{bottom}M{right} {top}V{bottom}")
        }
        Kind::Exec => format!("M{} {}V{}", x + 3.0, y + 1.0, y + height - 1.0),
        _ => String::new(),
    };
    if ends || kind == Kind::Final {
        lines += &outline(kind, x + 3.0, y + 3.0, width - 6.0, height - 6.0);
    }
    lines
}

/// Strokes in a box of 14 by 14.
pub fn icon(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::Person => "M7 1.2a2.8 2.8 0 1 1 0 5.6a2.8 2.8 0 1 1 0-5.6M1.5 13c0-6 11-6 11 0Z",
        Kind::Worker => {
            "M7 4.6a2.4 2.4 0 1 1 0 4.8a2.4 2.4 0 1 1 0-4.8M7 1v2M7 11v2M1 7h2M11 7h2\
             M2.8 2.8l1.4 1.4M9.8 9.8l1.4 1.4M2.8 11.2l1.4-1.4M9.8 4.2l1.4-1.4"
        }
        Kind::Exec => "M1.5 3l4 4l-4 4M7.5 11.5h5",
        Kind::Git => {
            "M4 2a1.6 1.6 0 1 1 0 3.2a1.6 1.6 0 1 1 0-3.2M4 9.4a1.6 1.6 0 1 1 0 3.2\
             a1.6 1.6 0 1 1 0-3.2M10.5 3.4a1.6 1.6 0 1 1 0 3.2a1.6 1.6 0 1 1 0-3.2\
             M4 5.2v4.2M10.5 6.6c0 2.4-6.5 1.2-6.5 3"
        }
        Kind::Timer => "M7 1.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11M7 4v3.2l2.4 1.6",
        Kind::Event => "M1.5 3h11v8.5h-11ZM1.5 3.5l5.5 4.5l5.5-4.5",
        Kind::Final => "M7 1.5a5.5 5.5 0 1 1 0 11a5.5 5.5 0 1 1 0-11M4.8 4.8h4.4v4.4h-4.4Z",
        Kind::Call => "M1.5 2.5h11v9h-11ZM4 7h5.5M7.2 4.7l2.3 2.3l-2.3 2.3",
        _ => return None,
    })
}
