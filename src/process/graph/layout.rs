//! Where everything is: each scope by itself, the innermost first, so that a block is a node of a
//! known size to what is around it.

use dagre::{
    EdgeLabel, LayoutOptions, NodeLabel,
    graph::{Graph, GraphOptions},
};

use crate::process::graph::{
    face::{self, Face},
    model::{Arrow, ArrowKind, Scope},
    order::{self, Way},
    route::{self, Route},
    text::Font,
};

pub const LABEL: Font = Font { size: 11.0, is_bold: false };

const BETWEEN_NODES: f64 = 36.0;
const BETWEEN_ARROWS: f64 = 18.0;
/// From rank to rank; half of it is above and half below the labels between them.
const BETWEEN_RANKS: f64 = 52.0;
/// Nodes, and places where an arrow passes those of a rank: what is more would take seconds.
const CELLS_MAX: usize = 2200;
/// In a scope with more nodes than the library's recursion is good for, they stand in rows.
const NODES_MAX: usize = 1500;
const LABEL_WIDTH_MAX: f64 = 150.0;
const LABEL_LINES_MAX: usize = 3;
const WAYS_MAX: usize = 4;
const SAID_MAX: usize = 6;

/// A scope with its upper left corner at 0, 0.
#[derive(Debug)]
pub struct Layout {
    pub width: f64,
    pub height: f64,
    /// In the order of the scope's.
    pub nodes: Vec<Placed>,
    pub routes: Vec<Route>,
}

#[derive(Debug)]
pub struct Placed {
    pub x: f64,
    pub y: f64,
    pub face: Face,
    pub inside: Option<Layout>,
}

impl Placed {
    pub fn center(&self) -> (f64, f64) {
        (self.x + self.face.width / 2.0, self.y + self.face.height / 2.0)
    }
}

/// Text beside an arrow, by its center.
#[derive(Debug, Clone, Default)]
pub struct Label {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
    pub lines: Vec<String>,
}

pub fn layout(scope: &Scope, has_status: bool) -> Layout {
    lay_out(scope, has_status, CELLS_MAX / count(scope).max(1))
}

fn count(scope: &Scope) -> usize {
    scope.nodes.iter().map(|it| 1 + it.inside.as_ref().map_or(0, count)).sum()
}

fn lay_out(scope: &Scope, has_status: bool, cells_per_node: usize) -> Layout {
    let is_crowd = scope.nodes.len() > NODES_MAX;
    let cells_max = if is_crowd { 0 } else { cells_per_node * scope.nodes.len() };
    let ways = order::ways(scope, cells_max);
    let said = said(scope, &ways);
    let mut nodes: Vec<Placed> = Vec::with_capacity(scope.nodes.len());
    for (node, said) in scope.nodes.iter().zip(&said) {
        let inside = node.inside.as_ref().map(|it| lay_out(it, has_status, cells_per_node));
        let size = inside.as_ref().map(|it| (it.width, it.height));
        let face = face::face(node, said, size, has_status);
        nodes.push(Placed { x: 0.0, y: 0.0, face, inside });
    }
    let mut layout = Layout { width: 0.0, height: 0.0, nodes, routes: Vec::new() };
    if is_crowd {
        layout.in_rows();
    } else {
        layout.in_ranks(scope, &ways);
    }
    layout.fit();
    layout
}

/// For each node, what leads from it and is not drawn.
fn said(scope: &Scope, ways: &[Way]) -> Vec<Vec<String>> {
    let mut said = vec![Vec::new(); scope.nodes.len()];
    for (arrow, way) in scope.arrows.iter().zip(ways) {
        let lines: &mut Vec<String> = &mut said[arrow.from];
        if *way == Way::Said && lines.len() <= SAID_MAX {
            let to = &scope.nodes[arrow.to].headline;
            lines.push(format!("→ {to} {}", arrow.label.join(", ")));
        }
        if lines.len() > SAID_MAX {
            lines[SAID_MAX] = "→ …".to_owned();
        }
    }
    said
}

fn label(arrow: &Arrow) -> Label {
    let mut lines = Vec::new();
    for way in arrow.label.iter().take(WAYS_MAX) {
        lines.extend(LABEL.wrap(way, LABEL_WIDTH_MAX, LABEL_LINES_MAX));
    }
    if lines.is_empty() {
        return Label::default();
    }
    if arrow.label.len() > WAYS_MAX {
        lines.push("…".to_owned());
    }
    let width = lines.iter().map(|it| LABEL.width(it)).fold(0.0, f64::max).ceil() + 8.0;
    let height = LABEL.line_height() * lines.len() as f64 + 2.0;
    Label { x: 0.0, y: 0.0, width, height, lines }
}

impl Layout {
    fn in_ranks(&mut self, scope: &Scope, ways: &[Way]) {
        let labels: Vec<Label> = scope.arrows.iter().map(label).collect();
        let mut graph = self.graph(scope, ways, &labels);
        let options = LayoutOptions {
            nodesep: BETWEEN_NODES,
            edgesep: BETWEEN_ARROWS,
            ranksep: BETWEEN_RANKS,
            tie_keep_first: true,
            ..LayoutOptions::default()
        };
        dagre::layout(&mut graph, Some(options));
        for (index, node) in self.nodes.iter_mut().enumerate() {
            if let Some(NodeLabel { x: Some(x), y: Some(y), .. }) = graph.node(&name(index)) {
                (node.x, node.y) = (x - node.face.width / 2.0, y - node.face.height / 2.0);
            }
        }
        for (index, mut label) in labels.into_iter().enumerate() {
            let Arrow { from, to, .. } = scope.arrows[index];
            let (from, to) = if ways[index] == Way::Up { (to, from) } else { (from, to) };
            let known = graph.edge(&name(from), &name(to), Some(&name(index)));
            let Some(known) = known.filter(|_| ways[index] != Way::Said) else { continue };
            if let (Some(x), Some(y)) = (known.x, known.y) {
                (label.x, label.y) = (x, y);
            }
            let points = known.points.iter().map(|it| (it.x, it.y)).collect();
            self.routes.push(Route { arrow: index, way: ways[index], points, label });
        }
        route::smooth(scope, &self.nodes, &mut self.routes);
    }

    fn graph(&self, scope: &Scope, ways: &[Way], labels: &[Label]) -> Graph<NodeLabel, EdgeLabel> {
        let options = GraphOptions { directed: true, multigraph: true, compound: false };
        let mut graph = Graph::with_options(options);
        for (index, node) in self.nodes.iter().enumerate() {
            let (width, height) = (node.face.width, node.face.height);
            let label = NodeLabel { width, height, ..NodeLabel::default() };
            graph.set_node(name(index), Some(label));
        }
        for (index, (arrow, way)) in scope.arrows.iter().zip(ways).enumerate() {
            let (from, to) = match way {
                Way::Said => continue,
                Way::Up => (arrow.to, arrow.from),
                Way::Down | Way::Loop => (arrow.from, arrow.to),
            };
            // What is done first and mostly is to be straight.
            let weight = match (arrow.kind, way) {
                (ArrowKind::Flow, Way::Down) => 4,
                _ => 1,
            };
            let Label { width, height, .. } = labels[index];
            let labelpos = dagre::layout::types::LabelPos::Center;
            let label = EdgeLabel { weight, width, height, labelpos, ..EdgeLabel::default() };
            graph.set_edge(name(from), name(to), Some(label), Some(&name(index)));
        }
        graph
    }

    fn in_rows(&mut self) {
        let columns = self.nodes.len().isqrt().max(1);
        let (mut x, mut y, mut height) = (0.0, 0.0, 0.0_f64);
        for (index, node) in self.nodes.iter_mut().enumerate() {
            if index % columns == 0 && index > 0 {
                (x, y, height) = (0.0, y + height + BETWEEN_RANKS, 0.0);
            }
            (node.x, node.y) = (x, y);
            x += node.face.width + BETWEEN_NODES;
            height = height.max(node.face.height);
        }
    }

    /// Moves everything so that nothing is left of or above 0, 0.
    fn fit(&mut self) {
        let (mut low, mut high) = ((f64::MAX, f64::MAX), (0.0_f64, 0.0_f64));
        let mut see = |x: f64, y: f64| {
            low = (low.0.min(x), low.1.min(y));
            high = (high.0.max(x), high.1.max(y));
        };
        for node in &self.nodes {
            see(node.x, node.y);
            see(node.x + node.face.width, node.y + node.face.height);
        }
        for route in &self.routes {
            route.points.iter().for_each(|it| see(it.0, it.1));
            let label = &route.label;
            if !label.lines.is_empty() {
                see(label.x - label.width / 2.0, label.y - label.height / 2.0);
                see(label.x + label.width / 2.0, label.y + label.height / 2.0);
            }
        }
        let (x, y) = low;
        (self.width, self.height) = (high.0 - x, high.1 - y);
        // Halves have short names.
        let half = |it: f64| (it * 2.0).round() / 2.0;
        (self.width, self.height) = (half(self.width), half(self.height));
        for node in &mut self.nodes {
            (node.x, node.y) = (half(node.x - x), half(node.y - y));
        }
        for route in &mut self.routes {
            route.points.iter_mut().for_each(|it| *it = (half(it.0 - x), half(it.1 - y)));
            (route.label.x, route.label.y) = (half(route.label.x - x), half(route.label.y - y));
        }
    }
}

fn name(index: usize) -> String {
    index.to_string()
}
