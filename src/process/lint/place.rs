//! Paths such as `steps[3].transitions[0].when`, and what they lead to.

use crate::process::{
    source::Span,
    yaml::{Kind, Node},
};

/// The path of a key in what `path` leads to.
pub fn join(path: &str, key: &str) -> String {
    let is_plain = |it: char| it.is_ascii_alphanumeric() || it == '_' || it == '-';
    match (!key.is_empty() && key.chars().all(is_plain), path) {
        (true, "") => key.to_owned(),
        (true, _) => format!("{path}.{key}"),
        (false, _) => format!("{path}[{}]", serde_json::Value::from(key)),
    }
}

/// As far as the tree goes along a path: the key there, and the value.
pub fn locate<'a>(tree: &'a Node, path: &str) -> (Option<Span>, &'a Node) {
    let (mut key, mut node, mut rest) = (None, tree, path);
    while let Some((turn, behind)) = turn(rest) {
        let next = match (&node.kind, &turn) {
            (Kind::List(items), Turn::Item(at)) => items.get(*at).map(|it| (None, it)),
            (Kind::Map(_), Turn::Key(name)) => {
                node.entry(name).map(|it| (Some(it.key_span), &it.value))
            }
            // What may be one or a list of them stands for its first.
            (_, Turn::Item(0)) => Some((key, node)),
            _ => None,
        };
        let Some(next) = next else { break };
        (key, node) = next;
        rest = behind;
    }
    (key, node)
}

/// What a person is shown of it: the value if it is short, else its key.
pub fn span_of(tree: &Node, path: &str) -> Span {
    let (key, node) = locate(tree, path);
    match (&node.kind, key) {
        (Kind::List(_) | Kind::Map(_) | Kind::Null, Some(key)) => key,
        _ => node.span,
    }
}

enum Turn {
    Item(usize),
    Key(String),
}

fn turn(path: &str) -> Option<(Turn, &str)> {
    if let Some(rest) = path.strip_prefix("[\"") {
        let mut escaped = false;
        let end = rest.char_indices().find(|(_, it)| {
            let is_end = *it == '"' && !escaped;
            escaped = *it == '\\' && !escaped;
            is_end
        })?;
        let name = serde_json::from_str(&path[1..end.0 + 3]).ok()?;
        return Some((Turn::Key(name), rest[end.0 + 1..].strip_prefix(']')?));
    }
    if let Some(rest) = path.strip_prefix('[') {
        let (at, rest) = rest.split_once(']')?;
        return Some((Turn::Item(at.parse().ok()?), rest));
    }
    let path = path.strip_prefix('.').unwrap_or(path);
    let end = path.find(['.', '[']).unwrap_or(path.len());
    (end > 0).then(|| (Turn::Key(path[..end].to_owned()), &path[end..]))
}
