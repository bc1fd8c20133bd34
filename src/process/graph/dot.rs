//! A picture in Graphviz' language.

use std::fmt::Write;

use crate::{
    engine::definition::flow::End,
    process::graph::{
        model::{Arrow, ArrowKind, Kind, Node, Picture, Scope},
        order::{self, Way},
        text,
    },
};

/// Writing to a string cannot fail.
const WRITES: &str = "strings take everything";

pub fn dot(picture: &Picture) -> String {
    let mut out = format!(
        "digraph {} {{\n\
         \x20 graph [compound=true, labelloc=t, labeljust=l, label={}, fontname=\"Helvetica\"]\n\
         \x20 node [shape=box, style=\"filled\", fillcolor=\"#f6f8fa\", fontname=\"Helvetica\"]\n\
         \x20 edge [fontname=\"Helvetica\", fontsize=10]\n",
        quoted(&picture.title),
        quoted(&picture.title),
    );
    scope(&mut out, &picture.scope, 1);
    out.push_str("}\n");
    out
}

fn scope(out: &mut String, scope: &Scope, depth: usize) {
    let indent = "  ".repeat(depth);
    for it in &scope.nodes {
        node(out, it, depth);
    }
    let ways = order::ways(scope, usize::MAX);
    for (arrow, way) in scope.arrows.iter().zip(ways) {
        writeln!(out, "{indent}{}", line(scope, arrow, way)).expect(WRITES);
    }
}

fn node(out: &mut String, node: &Node, depth: usize) {
    let (indent, key) = ("  ".repeat(depth), node.key);
    let Some(inside) = &node.inside else {
        writeln!(out, "{indent}n{key} [{}]", attributes(node)).expect(WRITES);
        return;
    };
    let label = quoted(&node.said().join("\n"));
    let frame = if node.kind == Kind::Call { "rounded,dashed" } else { "rounded" };
    let width = if node.marks.is_empty() { 1 } else { 3 };
    writeln!(out, "{indent}subgraph cluster_n{key} {{").expect(WRITES);
    writeln!(out, "{indent}  label={label}; style=\"{frame}\"; penwidth={width}").expect(WRITES);
    scope(out, inside, depth + 1);
    // What leads from a block begins below everything in it.
    writeln!(out, "{indent}  n{key} [shape=point, style=invis, label=\"\"]").expect(WRITES);
    for last in lasts(inside) {
        writeln!(out, "{indent}  n{} -> n{key} [style=invis]", last.key).expect(WRITES);
    }
    writeln!(out, "{indent}}}").expect(WRITES);
}

/// The nodes that no arrow leads on from.
fn lasts(scope: &Scope) -> impl Iterator<Item = &Node> {
    let mut is_last = vec![true; scope.nodes.len()];
    for arrow in scope.arrows.iter().filter(|it| it.from != it.to) {
        is_last[arrow.from] = false;
    }
    scope.nodes.iter().zip(is_last).filter(|it| it.1).map(|it| it.0)
}

/// Where an arrow to a node comes to: of a block, where it begins; its own key is at its end.
fn above(node: &Node) -> &Node {
    node.inside.as_ref().and_then(|it| it.nodes.first()).unwrap_or(node)
}

fn line(scope: &Scope, arrow: &Arrow, way: Way) -> String {
    let (from, to) = (&scope.nodes[arrow.from], &scope.nodes[arrow.to]);
    let mut attributes = Vec::new();
    if !arrow.label.is_empty() {
        attributes.push(format!("label={}", quoted(&arrow.label.join("\n"))));
    }
    if from.inside.is_some() {
        attributes.push(format!("ltail=cluster_n{}", from.key));
    }
    if to.inside.is_some() {
        attributes.push(format!("lhead=cluster_n{}", to.key));
    }
    match arrow.kind {
        ArrowKind::Cancel => attributes
            .push("style=dashed, color=\"#cf222e\", arrowhead=tee, constraint=false".to_owned()),
        ArrowKind::Flow if way == Way::Up => attributes.push("color=\"#8250df\"".to_owned()),
        ArrowKind::Flow => (),
    }
    let attributes = match attributes.is_empty() {
        true => String::new(),
        false => format!(" [{}]", attributes.join(", ")),
    };
    format!("n{} -> n{}{attributes}", from.key, above(to).key)
}

fn attributes(node: &Node) -> String {
    let is_bad = matches!(node.end, Some(End::Cancelled | End::Failed));
    let look = match node.kind {
        Kind::Start => return "shape=circle, width=0.15, fillcolor=black, label=\"\"".to_owned(),
        Kind::Finish => return "shape=doublecircle, width=0.12, label=\"\"".to_owned(),
        Kind::Missing => "style=\"dashed\", color=\"#cf222e\"",
        Kind::Plain | Kind::Block => "",
        Kind::Person => "style=\"rounded,filled\", fillcolor=\"#ddf4ff\"",
        Kind::Worker => "fillcolor=\"#fff1e5\"",
        Kind::Exec => "shape=cds, fillcolor=\"#eaeef2\"",
        Kind::Git => "shape=octagon, fillcolor=\"#fbefff\"",
        Kind::Timer => "shape=oval, fillcolor=\"#fff8c5\"",
        Kind::Event => "shape=oval, fillcolor=\"#dff7f2\"",
        Kind::Route => "shape=hexagon, fillcolor=\"#ffffff\"",
        Kind::Final if is_bad => "style=\"rounded,filled\", peripheries=2, fillcolor=\"#ffebe9\"",
        Kind::Final => "style=\"rounded,filled\", peripheries=2, fillcolor=\"#dafbe1\"",
        Kind::Call => "shape=component, fillcolor=\"#ffeff7\"",
    };
    let mut all = vec![format!("label={}", quoted(&node.said().join("\n")))];
    all.extend((!look.is_empty()).then(|| look.to_owned()));
    all.extend((!node.marks.is_empty()).then(|| "penwidth=3".to_owned()));
    all.join(", ")
}

/// Graphviz reads entities in text that is quoted, so an ampersand is one too.
fn quoted(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(text::plain).collect();
    let text = lines.join("\n").replace('&', "&amp;").replace('\\', "\\\\").replace('"', "\\\"");
    format!("\"{}\"", text.replace('\n', "\\n"))
}
