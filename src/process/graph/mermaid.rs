//! A picture as a Mermaid flowchart, which GitHub and many editors draw.

use std::fmt::Write;

use crate::{
    engine::definition::flow::End,
    process::graph::{
        marking::State,
        model::{Arrow, ArrowKind, Kind, Node, Picture, Scope},
        text,
    },
};

/// Writing to a string cannot fail.
const WRITES: &str = "strings take everything";

const CLASSES: &str = "  classDef person fill:#ddf4ff,stroke:#0969da,color:#1f2328
  classDef worker fill:#fff1e5,stroke:#bc4c00,color:#1f2328
  classDef exec fill:#eaeef2,stroke:#24292f,color:#1f2328
  classDef git fill:#fbefff,stroke:#8250df,color:#1f2328
  classDef timer fill:#fff8c5,stroke:#9a6700,color:#1f2328
  classDef event fill:#dff7f2,stroke:#0f766e,color:#1f2328
  classDef final fill:#dafbe1,stroke:#1a7f37,color:#1f2328
  classDef bad fill:#ffebe9,stroke:#cf222e,color:#1f2328
  classDef called fill:#ffeff7,stroke:#bf3989,color:#1f2328
  classDef missing fill:#ffebe9,stroke:#cf222e,color:#1f2328,stroke-dasharray:4 3
  classDef stuck stroke:#cf222e,stroke-width:4px
  classDef running stroke:#0969da,stroke-width:4px
  classDef offered stroke:#9a6700,stroke-width:4px
  classDef waiting stroke:#59636e,stroke-width:4px
  classDef done stroke:#1a7f37,stroke-width:4px
";

pub fn mermaid(picture: &Picture) -> String {
    let mut drawing = Drawing { out: "flowchart TB\n".to_owned(), arrows: 0, cancels: Vec::new() };
    drawing.scope(&picture.scope, 1);
    let used = drawing.out.clone();
    for class in CLASSES.lines() {
        let name = class.split_whitespace().nth(1).unwrap_or_default();
        if used.contains(&format!(":::{name}\n")) || used.contains(&format!(" {name}\n")) {
            writeln!(drawing.out, "{class}").expect(WRITES);
        }
    }
    if !drawing.cancels.is_empty() {
        let cancels = drawing.cancels.join(",");
        writeln!(drawing.out, "  linkStyle {cancels} stroke:#cf222e").expect(WRITES);
    }
    drawing.out
}

struct Drawing {
    out: String,
    /// Mermaid knows arrows by their place among all.
    arrows: usize,
    cancels: Vec<String>,
}

impl Drawing {
    fn scope(&mut self, scope: &Scope, depth: usize) {
        for node in &scope.nodes {
            self.node(node, depth);
        }
        for arrow in &scope.arrows {
            self.arrow(scope, arrow, depth);
        }
    }

    fn node(&mut self, node: &Node, depth: usize) {
        let (indent, key) = ("  ".repeat(depth), node.key);
        let label = quoted(&node.said());
        let state = node.marks.first().map(|it| it.0);
        match &node.inside {
            Some(inside) => {
                writeln!(self.out, "{indent}subgraph n{key} [{label}]").expect(WRITES);
                self.scope(inside, depth + 1);
                writeln!(self.out, "{indent}end").expect(WRITES);
                if let Some(state) = state {
                    writeln!(self.out, "{indent}class n{key} {}", state.as_str()).expect(WRITES);
                }
            }
            None => {
                let (shape, class) = (shape(node.kind, &label), class(node));
                let class = class.map(|it| format!(":::{it}")).unwrap_or_default();
                writeln!(self.out, "{indent}n{key}{shape}{class}").expect(WRITES);
                self.mark(key, state, &indent);
            }
        }
    }

    fn mark(&mut self, key: usize, state: Option<State>, indent: &str) {
        if let Some(state) = state {
            writeln!(self.out, "{indent}class n{key} {}", state.as_str()).expect(WRITES);
        }
    }

    fn arrow(&mut self, scope: &Scope, arrow: &Arrow, depth: usize) {
        let (from, to) = (scope.nodes[arrow.from].key, scope.nodes[arrow.to].key);
        let line = match arrow.kind {
            ArrowKind::Flow => "-->",
            ArrowKind::Cancel => "-.-x",
        };
        let label = match arrow.label.is_empty() {
            true => String::new(),
            false => format!("|{}|", quoted(&arrow.label)),
        };
        if arrow.kind == ArrowKind::Cancel {
            self.cancels.push(self.arrows.to_string());
        }
        self.arrows += 1;
        let indent = "  ".repeat(depth);
        writeln!(self.out, "{indent}n{from} {line}{label} n{to}").expect(WRITES);
    }
}

fn shape(kind: Kind, label: &str) -> String {
    match kind {
        Kind::Start => "((\" \"))".to_owned(),
        Kind::Finish => "(((\" \")))".to_owned(),
        Kind::Person => format!("({label})"),
        Kind::Timer | Kind::Event => format!("([{label}])"),
        Kind::Route => format!("{{{{{label}}}}}"),
        Kind::Final => format!("(({label}))"),
        Kind::Call => format!("[[{label}]]"),
        Kind::Git => format!("[/{label}\\]"),
        Kind::Exec => format!("[/{label}/]"),
        Kind::Plain | Kind::Missing | Kind::Worker | Kind::Block => format!("[{label}]"),
    }
}

fn class(node: &Node) -> Option<&'static str> {
    match (node.kind, node.end) {
        (Kind::Final, Some(End::Cancelled | End::Failed)) => Some("bad"),
        (Kind::Start | Kind::Finish | Kind::Plain | Kind::Route | Kind::Block, _) => None,
        // `call` is a word of Mermaid's.
        (Kind::Call, _) => Some("called"),
        (kind, _) => Some(kind.as_str()),
    }
}

/// Whatever might mean something to Mermaid, Markdown or HTML is written as a number.
fn quoted(lines: &[String]) -> String {
    let lines: Vec<String> = lines.iter().map(|it| escaped(&text::plain(it))).collect();
    format!("\"{}\"", lines.join("<br>"))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let all: Vec<char> = text.chars().collect();
    for (index, c) in all.iter().copied().enumerate() {
        let is_word = |it: Option<&char>| it.is_some_and(|it| it.is_alphanumeric());
        let is_inside =
            is_word(index.checked_sub(1).and_then(|it| all.get(it))) && is_word(all.get(index + 1));
        let is_plain = match c {
            ' ' | ',' | '(' | ')' | '?' | '!' | '\'' | '[' | ']' => true,
            '_' | '-' | '.' | ':' | '/' => is_inside,
            _ => c.is_alphanumeric() || !c.is_ascii(),
        };
        if is_plain {
            escaped.push(c);
        } else {
            write!(escaped, "#{};", u32::from(c)).expect(WRITES);
        }
    }
    escaped
}
