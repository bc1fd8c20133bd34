//! Nothing lies on anything else, whatever is drawn.

use crate::{
    engine::definition::Definition,
    process::graph::{
        build, face,
        layout::{self, LABEL, Layout},
        model::Scope,
        order::Way,
        tests::{patterns, processes},
    },
};

/// Left, top, right, bottom.
type Area = (f64, f64, f64, f64);

pub fn check(definition: &Definition) {
    for has_status in [false, true] {
        let picture = build::picture(definition, &[], None);
        let layout = layout::layout(&picture.scope, has_status);
        check_scope(&picture.scope, &layout, &definition.process_name);
    }
}

fn check_scope(scope: &Scope, layout: &Layout, name: &str) {
    let nodes: Vec<Area> = layout
        .nodes
        .iter()
        .map(|it| (it.x, it.y, it.x + it.face.width, it.y + it.face.height))
        .collect();
    let labels: Vec<(usize, Area)> = layout
        .routes
        .iter()
        .filter(|it| !it.label.lines.is_empty())
        .map(|it| {
            let (x, y, label) = (it.label.x, it.label.y, &it.label);
            let (width, height) = (label.width / 2.0, label.height / 2.0);
            (it.arrow, (x - width, y - height, x + width, y + height))
        })
        .collect();
    let all = nodes.iter().chain(labels.iter().map(|it| &it.1)).collect::<Vec<_>>();
    for (index, one) in all.iter().enumerate() {
        for other in &all[index + 1..] {
            assert!(!overlap(one, other), "{name}: {one:?} and {other:?}");
        }
        let is_inside = one.0 >= -1.0 && one.1 >= -1.0 && one.2 <= layout.width + 1.0;
        assert!(is_inside && one.3 <= layout.height + 1.0, "{name}: {one:?} is outside");
    }
    for route in &layout.routes {
        let arrow = &scope.arrows[route.arrow];
        if route.way == Way::Loop {
            continue;
        }
        for (x, y) in points(&route.points) {
            for (index, area) in nodes.iter().enumerate() {
                let is_end = index == arrow.from || index == arrow.to;
                let is_in = overlap(area, &(x, y, x, y));
                assert!(is_end || !is_in, "{name}: an arrow passes {}", scope.nodes[index].id);
            }
        }
    }
    for (node, placed) in scope.nodes.iter().zip(&layout.nodes) {
        for line in &placed.face.lines {
            let width = line.style.font().width(&line.text);
            assert!(width <= placed.face.width - 8.0, "{name}: {} is too long", line.text);
        }
        for line in placed.face.join.iter().chain(&placed.face.split) {
            assert!(face::GATE.width(line) <= placed.face.width - 8.0, "{name}: {line}");
        }
        if let (Some(scope), Some(layout)) = (&node.inside, &placed.inside) {
            let (x, y) = placed.face.inside;
            let is_in =
                x + layout.width <= placed.face.width && y + layout.height <= placed.face.height;
            assert!(is_in, "{name}: {} is too small", node.path);
            check_scope(scope, layout, name);
        }
    }
    for route in &layout.routes {
        for line in &route.label.lines {
            assert!(LABEL.width(line) <= route.label.width, "{name}: {line}");
        }
    }
}

fn overlap(a: &Area, b: &Area) -> bool {
    let by = 1.0;
    a.0 + by < b.2 && b.0 + by < a.2 && a.1 + by < b.3 && b.1 + by < a.3
}

/// Points of the curve that goes upright through each of `ends`.
fn points(ends: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    for pair in ends.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let middle = (y0 + y1) / 2.0;
        for step in 0..=20 {
            let t = f64::from(step) / 20.0;
            let s = 1.0 - t;
            let (a, b, c, d) = (s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t);
            points.push(((a + b) * x0 + (c + d) * x1, a * y0 + (b + c) * middle + d * y1));
        }
    }
    points
}

#[test]
fn nothing_lies_on_anything_in_the_conformance_set() {
    patterns().iter().for_each(check);
}

#[test]
fn nothing_lies_on_anything_in_real_processes() {
    processes().iter().for_each(check);
}
