//! How much regular expressions of a schema are once they are compiled.

use regex::{Error, RegexBuilder};
use serde_json::Value;

/// What a pattern counts, in values, if it is compiled into so many bytes at most.
const SIZES: [(usize, usize); 3] = [(8 << 10, 10), (64 << 10, 100), (1 << 20, 2000)];

/// What the patterns behind a key count; nothing: one is too large to be compiled at all.
pub fn size(key: &str, inner: &Value) -> Option<usize> {
    match (key, inner) {
        ("pattern", Value::String(pattern)) => size_of(pattern),
        ("patternProperties", Value::Object(members)) => {
            members.keys().try_fold(0_usize, |sum, it| Some(sum + size_of(it)?))
        }
        _ => Some(0),
    }
}

fn size_of(pattern: &str) -> Option<usize> {
    // The validator reads these as ECMAScript does, which is far less.
    let pattern = pattern.replace(r"\w", "[A-Za-z0-9_]").replace(r"\d", "[0-9]");
    let fits = |bytes: usize| {
        let built = RegexBuilder::new(&pattern).size_limit(bytes).build();
        !matches!(built, Err(Error::CompiledTooBig(_)))
    };
    SIZES.iter().find(|it| fits(it.0)).map(|it| it.1)
}

#[cfg(test)]
mod tests {
    use super::size_of;

    #[test]
    fn a_pattern_counts_what_it_is_compiled_into() {
        assert_eq!(size_of("^[a-z]+$"), Some(10));
        assert_eq!(size_of(r"^\w{1,64}@\w{1,64}$"), Some(100));
        assert_eq!(size_of("(a{1000}){10}"), Some(2000));
        assert_eq!(size_of("(a{1000}){1000}"), None);
        // What is no pattern is refused by who compiles it.
        assert_eq!(size_of("("), Some(10));
    }
}
