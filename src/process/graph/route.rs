//! The lines of arrows: upright where they pass the nodes of a rank, bent only between ranks.

use std::collections::BTreeMap;

use crate::process::graph::{
    layout::{Label, Placed},
    model::{Kind, Scope},
    order::Way,
};

/// Between two arrows at one side of a node.
const PORT_GAP: f64 = 14.0;
const NEAR: f64 = 0.5;

#[derive(Debug)]
pub struct Route {
    /// Its place in the scope's list.
    pub arrow: usize,
    pub way: Way,
    /// From the upper end to the lower one; of a loop, its right upper and right lower corner.
    pub points: Vec<(f64, f64)>,
    pub label: Label,
}

pub fn smooth(scope: &Scope, nodes: &[Placed], routes: &mut [Route]) {
    let bands = Bands::of(nodes);
    let ports = ports(scope, nodes, routes);
    let labels: Vec<Label> = routes.iter().map(|it| it.label.clone()).collect();
    for (route, (upper, lower)) in routes.iter_mut().zip(ports) {
        let arrow = &scope.arrows[route.arrow];
        if route.way == Way::Loop {
            route.points = around(&nodes[arrow.from], &route.label);
            continue;
        }
        let between = route.points.len().saturating_sub(2);
        let passed: Vec<(f64, f64)> = route.points.iter().skip(1).take(between).copied().collect();
        let (from, to) = ends(scope, route);
        let (start, end) =
            (border(scope, nodes, from, upper, 1.0), border(scope, nodes, to, lower, -1.0));
        let mut points = vec![start, (upper, bands.bottom(nodes[from].center().1))];
        for (index, (x, y)) in passed.iter().copied().enumerate() {
            let before = points[points.len() - 1].0;
            let after = passed.get(index + 1).map_or(lower, |it| it.0);
            let is_free = || !labels.iter().any(|it| it.is_between(before, after, x, y));
            match bands.height(y) {
                Some(_) => points.extend([(x, bands.top(y)), (x, bands.bottom(y))]),
                // Between two ranks, one long bend is better than two short ones.
                None if route.label.lines.is_empty() && is_free() => (),
                None => points.push((x, y)),
            }
        }
        points.extend([(lower, bands.top(nodes[to].center().1)), end]);
        points.dedup_by(|b, a| (a.0 - b.0).abs() < NEAR && (a.1 - b.1).abs() < NEAR);
        route.points = points;
    }
}

impl Label {
    /// Whether a line that goes from `before` to `after`, and not by way of `x`, may meet it.
    fn is_between(&self, before: f64, after: f64, x: f64, y: f64) -> bool {
        let half = self.width / 2.0 + 6.0;
        let (left, right) = (before.min(after).min(x) - half, before.max(after).max(x) + half);
        let is_in_row = (self.y - y).abs() < self.height / 2.0 + 1.0;
        !self.lines.is_empty() && is_in_row && left < self.x && self.x < right
    }
}

/// A loop begins and ends at the right side of its node.
fn around(node: &Placed, label: &Label) -> Vec<(f64, f64)> {
    let (_, middle) = node.center();
    let right = node.x + node.face.width;
    let far = label.x.max(right + 18.0);
    let reach = (node.face.height / 2.0 - 9.0).min(label.height / 2.0 + 12.0);
    vec![
        (right, middle - reach),
        (far, middle - reach),
        (far, middle + reach),
        (right, middle + reach),
    ]
}

/// The nodes at the upper and at the lower end.
fn ends(scope: &Scope, route: &Route) -> (usize, usize) {
    let arrow = &scope.arrows[route.arrow];
    if route.way == Way::Up { (arrow.to, arrow.from) } else { (arrow.from, arrow.to) }
}

/// The height that the nodes of each rank take, by the line through their centers.
struct Bands(BTreeMap<i64, f64>);

impl Bands {
    fn of(nodes: &[Placed]) -> Bands {
        let mut bands = BTreeMap::new();
        for node in nodes {
            let half: &mut f64 = bands.entry(Bands::key(node.center().1)).or_default();
            *half = half.max(node.face.height / 2.0);
        }
        Bands(bands)
    }

    fn key(y: f64) -> i64 {
        (y * 8.0).round() as i64
    }

    fn height(&self, y: f64) -> Option<f64> {
        self.0.get(&Bands::key(y)).copied()
    }

    fn top(&self, y: f64) -> f64 {
        y - self.height(y).unwrap_or_default()
    }

    fn bottom(&self, y: f64) -> f64 {
        y + self.height(y).unwrap_or_default()
    }
}

/// For each route, where it leaves the node above and where it comes to the one below.
fn ports(scope: &Scope, nodes: &[Placed], routes: &[Route]) -> Vec<(f64, f64)> {
    let mut sides: BTreeMap<(usize, bool), Vec<(f64, usize)>> = BTreeMap::new();
    for (index, route) in routes.iter().enumerate().filter(|it| it.1.way != Way::Loop) {
        let (from, to) = ends(scope, route);
        let after = |it: usize| route.points.get(it).map_or(nodes[from].center().0, |it| it.0);
        let last = route.points.len().saturating_sub(2);
        sides.entry((from, true)).or_default().push((after(1), index));
        sides.entry((to, false)).or_default().push((after(last), index));
    }
    let mut ports = vec![(0.0, 0.0); routes.len()];
    for ((node, is_bottom), mut wanted) in sides {
        wanted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let placed = spread(&wanted, &nodes[node], scope.nodes[node].kind);
        for (x, (_, route)) in placed.into_iter().zip(wanted) {
            if is_bottom { ports[route].0 = x } else { ports[route].1 = x }
        }
    }
    ports
}

/// Each as near to where it wants to be as the others and the node's corners allow.
fn spread(wanted: &[(f64, usize)], node: &Placed, kind: Kind) -> Vec<f64> {
    let (middle, _) = node.center();
    let share = if kind.is_dot() { 0.0 } else { 0.3 };
    let half = (node.face.width * share).min(node.face.width / 2.0 - 14.0).max(0.0);
    let (left, right) = (middle - half, middle + half);
    let gap = match wanted.len() {
        0 | 1 => 0.0,
        count => PORT_GAP.min((right - left) / (count - 1) as f64),
    };
    let mut ports: Vec<f64> = wanted.iter().map(|it| it.0.clamp(left, right)).collect();
    for index in 1..ports.len() {
        ports[index] = ports[index].max(ports[index - 1] + gap);
    }
    let mut limit = right;
    for port in ports.iter_mut().rev() {
        *port = port.min(limit);
        limit = *port - gap;
    }
    ports
}

/// The point of a node's outline below (1) or above (-1) its center at `x`.
fn border(scope: &Scope, nodes: &[Placed], node: usize, x: f64, side: f64) -> (f64, f64) {
    let (_, middle) = nodes[node].center();
    let half = nodes[node].face.height / 2.0;
    let is_stack = scope.nodes[node].is_many && side > 0.0;
    // The last copy of a stack begins and ends further right than its node.
    let short = if is_stack && x < nodes[node].x + 2.0 * super::face::STACK { 3.0 } else { 0.0 };
    (x, middle + side * (half - short))
}
