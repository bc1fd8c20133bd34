//! Which arrows lead back, so that all others lead down, and which are too many to draw.

use crate::process::graph::model::{ArrowKind, Scope};

/// What is done with an arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Down,
    /// Laid out from its end to its start.
    Up,
    Loop,
    /// Not drawn: it is said on the node it begins at.
    Said,
}

/// A way for each arrow; those that are drawn cross `cells_max` places at most.
pub fn ways(scope: &Scope, cells_max: usize) -> Vec<Way> {
    let mut ways = flow(scope);
    let ranks = ranks(scope, &ways);
    for (way, arrow) in ways.iter_mut().zip(&scope.arrows) {
        if arrow.kind == ArrowKind::Cancel && arrow.from != arrow.to {
            let place = |node: usize| (ranks[node], node);
            *way = if place(arrow.from) < place(arrow.to) { Way::Down } else { Way::Up };
        }
    }
    let spans: Vec<usize> =
        scope.arrows.iter().map(|it| ranks[it.from].abs_diff(ranks[it.to])).collect();
    let mut order: Vec<usize> = (0..ways.len()).collect();
    order.sort_by_key(|it| spans[*it]);
    let mut cells = scope.nodes.len();
    for index in order {
        cells += 2 * spans[index].max(1) - 1;
        if cells > cells_max {
            ways[index] = Way::Said;
        }
    }
    ways
}

/// Of the flow alone: what leads to a step that is being followed leads back.
fn flow(scope: &Scope) -> Vec<Way> {
    let mut out = vec![Vec::new(); scope.nodes.len()];
    for (index, arrow) in scope.arrows.iter().enumerate() {
        if arrow.kind == ArrowKind::Flow {
            out[arrow.from].push(index);
        }
    }
    let mut ways: Vec<Way> = scope.arrows.iter().map(|_| Way::Down).collect();
    for (way, arrow) in ways.iter_mut().zip(&scope.arrows) {
        if arrow.from == arrow.to {
            *way = Way::Loop;
        }
    }
    let (mut is_open, mut is_known) = (vec![false; out.len()], vec![false; out.len()]);
    for root in 0..out.len() {
        let mut path = if is_known[root] { Vec::new() } else { vec![(root, 0)] };
        while let Some((node, next)) = path.pop() {
            (is_open[node], is_known[node]) = (true, true);
            let Some(index) = out[node].get(next) else {
                is_open[node] = false;
                continue;
            };
            path.push((node, next + 1));
            let to = scope.arrows[*index].to;
            if ways[*index] != Way::Loop && is_open[to] {
                ways[*index] = Way::Up;
            }
            if !is_known[to] {
                path.push((to, 0));
            }
        }
    }
    ways
}

/// How far below the first each node is.
fn ranks(scope: &Scope, ways: &[Way]) -> Vec<usize> {
    let mut out = vec![Vec::new(); scope.nodes.len()];
    let mut before = vec![0_usize; scope.nodes.len()];
    for (arrow, way) in scope.arrows.iter().zip(ways) {
        let (from, to) = match way {
            _ if arrow.kind == ArrowKind::Cancel => continue,
            Way::Down => (arrow.from, arrow.to),
            Way::Up => (arrow.to, arrow.from),
            Way::Loop | Way::Said => continue,
        };
        out[from].push(to);
        before[to] += 1;
    }
    let mut ranks = vec![0; out.len()];
    let mut free: Vec<usize> = (0..out.len()).filter(|it| before[*it] == 0).collect();
    while let Some(node) = free.pop() {
        for to in &out[node] {
            ranks[*to] = ranks[*to].max(ranks[node] + 1);
            before[*to] -= 1;
            if before[*to] == 0 {
                free.push(*to);
            }
        }
    }
    ranks
}
