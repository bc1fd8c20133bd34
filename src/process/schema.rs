//! The JSON Schema of the language, for editors: made of the types that definitions are read into.

use serde_json::{Value, json};

use crate::engine::definition::Definition;

/// The schema as it is published.
pub fn text() -> String {
    let mut schema = schemars::schema_for!(Definition).to_value();
    schema["title"] = json!("A process of gitport");
    old_names(&mut schema);
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

/// Names that are still read stand beside those they became.
fn old_names(schema: &mut Value) {
    let transition = schema.pointer_mut("/$defs/Transition/properties");
    if let Some(Value::Object(properties)) = transition {
        let old = json!({ "deprecated": true, "type": ["string", "null"] });
        properties.insert("on_signal".to_owned(), old);
    }
}

#[cfg(test)]
mod tests;
