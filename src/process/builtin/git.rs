//! `git`: an operation on the repository that the run is in.

use serde_json::Value;

use super::{RESULT, Wrong, reader::Reader};
use crate::{engine::definition::Data, process::diagnostic::nearest};

pub const TYPE: &str = "git";
pub const DO: &str = "do";
/// Of any step.
const TIMEOUT: &str = "timeout";

/// What can be done, by the names of operations, and which of their arguments a definition may
/// give. Which repository it is about, and whose keys sign, is not for it to say.
pub const DEEDS: [(&str, &[&str]); 5] = [
    (
        "commit",
        &[
            "branch",
            "message",
            "message_encoding",
            "changes",
            "all",
            "encoding",
            "author",
            "committer",
            "expect",
            "empty",
            "fence",
        ],
    ),
    ("tag", &["tag", "target", "message", "tagger", "expect", "force", "delete", "fence"]),
    (
        "merge",
        &[
            "into",
            "from",
            "message",
            "strategy",
            "author",
            "committer",
            "expect",
            "favor",
            "unrelated",
            "fence",
        ],
    ),
    (
        "note",
        &[
            "target",
            "content",
            "notes",
            "encoding",
            "namespace",
            "append",
            "expect",
            "author",
            "committer",
            "message",
            "fence",
        ],
    ),
    ("branch", &["branch", "from", "expect", "force", "delete", "rename", "fence"]),
];

#[derive(Debug, PartialEq)]
pub struct GitStep {
    /// The name of the operation.
    pub deed: &'static str,
    /// Its arguments, in which there may be expressions.
    pub arguments: Value,
    /// The name in the data that takes what it answers.
    pub result: Option<String>,
}

impl GitStep {
    pub fn read(configuration: &Data) -> Result<GitStep, Vec<Wrong>> {
        let mut reader = Reader::of(configuration);
        let deed = deed(&mut reader);
        let step = deed.map(|(deed, known)| {
            let keys: Vec<&'static str> =
                [DO, RESULT, TIMEOUT].iter().chain(known).copied().collect();
            reader.expect_keys(&keys);
            let mut arguments = configuration.clone();
            arguments.retain(|key, value| known.contains(&key.as_str()) && !value.is_null());
            for (key, value) in &arguments {
                reader.expressions(key, value);
            }
            let result = reader.text(RESULT).map(str::to_owned);
            GitStep { deed, arguments: Value::Object(arguments), result }
        });
        reader.done(step)
    }
}

fn deed(reader: &mut Reader) -> Option<(&'static str, &'static [&'static str])> {
    let names = || DEEDS.iter().map(|it| it.0);
    let wanted = match reader.get(DO) {
        None => {
            reader.say(DO, "say what is to be done: `do`");
            return None;
        }
        Some(value) => value.as_str().unwrap_or_default(),
    };
    let found = DEEDS.iter().find(|it| it.0 == wanted).copied();
    if found.is_none() {
        let message = match nearest(wanted, names()) {
            Some(near) => format!("`{wanted}` cannot be done: `{near}` is meant?"),
            None => format!("write one of `{}`", names().collect::<Vec<_>>().join("`, `")),
        };
        reader.say(DO, message);
    }
    found
}
