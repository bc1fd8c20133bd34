//! Values on the command line: JSON where they are JSON, text where they are not.

use std::fs;

use serde_json::{Map, Value as Json};

use super::session::{Failure, Outcome};
use crate::config::Settings;

/// `key=value` or `key@file`: names of arguments have neither sign, so the first one decides.
pub fn pair(argument: &str) -> Result<(&str, Json), String> {
    let Some(at) = argument.find(['=', '@']) else {
        return Err(format!("`{argument}` is no argument: write key=value, or key@file"));
    };
    let (key, given) = (&argument[..at], &argument[at + 1..]);
    match argument.as_bytes()[at] {
        b'@' => Ok((key, content(given)?.into())),
        _ => Ok((key, value(given))),
    }
}

pub fn value(text: &str) -> Json {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

/// The text in a file, without the line end that editors put behind a token or a password.
fn content(file: &str) -> Result<String, String> {
    let text = fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// Puts a value where its key leads: `auth.token` is `token` in the map `auth`.
pub fn insert(map: &mut Map<String, Json>, key: &str, value: Json) -> Result<(), &'static str> {
    let (name, rest) = match key.split_once('.') {
        Some((name, rest)) => (name, Some(rest)),
        None => (key, None),
    };
    if name.is_empty() {
        return Err("has no name");
    }
    match (rest, map.get_mut(name)) {
        (None, None) => {
            map.insert(name.to_owned(), value);
            Ok(())
        }
        (Some(rest), None) => {
            let mut inner = Map::new();
            insert(&mut inner, rest, value)?;
            map.insert(name.to_owned(), inner.into());
            Ok(())
        }
        (Some(rest), Some(Json::Object(inner))) => insert(inner, rest, value),
        _ => Err("is given twice"),
    }
}

/// An object out of JSON, files with JSON (`@file`) and pairs; of a flag that is named if it is
/// wrong.
pub fn object<'a>(given: impl IntoIterator<Item = &'a str>, flag: &str) -> Outcome<Json> {
    let wrong = |why: String| Failure::Mistaken(format!("{flag}: {why}"));
    let mut map = Map::new();
    for it in given {
        if it.trim_start().starts_with('{') {
            map.extend(parsed(it).map_err(wrong)?);
        } else if let Some(file) = it.strip_prefix('@') {
            let text = content(file).map_err(wrong)?;
            map.extend(parsed(&text).map_err(|why| wrong(format!("{file}: {why}")))?);
        } else if it.contains(['=', '@']) {
            let (key, value) = pair(it).map_err(wrong)?;
            insert(&mut map, key, value).map_err(|why| wrong(format!("`{key}` {why}")))?;
        } else {
            let why = format!("`{it}` is none of: key=value, a JSON object, @file");
            return Err(wrong(why));
        }
    }
    Ok(map.into())
}

/// Fails where the folder of workspaces is none but what somebody wants to give a task.
pub fn expect_folder(settings: &Settings) -> Outcome<()> {
    let folder = settings.data.as_ref().map(|it| it.to_string_lossy().into_owned());
    match folder.filter(|it| it.starts_with(['{', '@']) || it.contains('=')) {
        None => Ok(()),
        Some(folder) => Err(Failure::Mistaken(format!(
            "--data is the folder of workspaces, and `{folder}` looks like data: give that with \
             --set"
        ))),
    }
}

fn parsed(text: &str) -> Result<Map<String, Json>, String> {
    match serde_json::from_str(text) {
        Ok(Json::Object(map)) => Ok(map),
        Ok(_) => Err("this is no JSON object".to_owned()),
        Err(error) => Err(format!("this is no JSON: {error}")),
    }
}

/// Texts by name, each `name=value`, of a flag.
pub fn texts(given: &[String], flag: &str) -> Outcome<Json> {
    let mut map = Map::new();
    for it in given {
        let Some((name, value)) = it.split_once('=') else {
            return Err(Failure::Mistaken(format!("{flag}: `{it}` is not name=value")));
        };
        if map.insert(name.to_owned(), value.into()).is_some() {
            return Err(Failure::Mistaken(format!("{flag}: `{name}` is given twice")));
        }
    }
    Ok(map.into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(given: &[&str], expected: Result<Json, &str>) {
        let object = object(given.iter().copied(), "--set").map_err(|it| match it {
            Failure::Mistaken(why) => why,
            _ => "another failure".to_owned(),
        });
        assert_eq!(object, expected.map_err(str::to_owned));
    }

    #[test]
    fn an_object_comes_from_json_from_pairs_and_from_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(&file, "{\"n\": 2}\n").unwrap();
        check(&[], Ok(json!({})));
        check(&["a=1", "b.c=x", "d=\"1\""], Ok(json!({"a": 1, "b": {"c": "x"}, "d": "1"})));
        check(&["{\"a\": [1]}", "b=y"], Ok(json!({"a": [1], "b": "y"})));
        check(&[&format!("@{}", file.path().display())], Ok(json!({"n": 2})));
    }

    #[test]
    fn what_is_no_object_is_told() {
        check(&["fine"], Err("--set: `fine` is none of: key=value, a JSON object, @file"));
        check(&["a=1", "a=2"], Err("--set: `a` is given twice"));
        let why = "--set: this is no JSON: expected `:` at line 1 column 5";
        check(&["{\"a\"}"], Err(why));
        let why = "--set: /nowhere: No such file or directory (os error 2)";
        check(&["@/nowhere"], Err(why));
    }
}
