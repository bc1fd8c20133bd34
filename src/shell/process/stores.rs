//! Definitions are published, and published ones are read.

use std::path::{Path, PathBuf};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value as Json, json};

use super::{
    Failure, Outcome, Session,
    check::write,
    files::{File, TESTS, collect, drafts},
};
use crate::{
    config::process::{Elsewhere, Store},
    shell::place::{absolute, repository},
};

pub fn publish(
    session: &mut Session,
    path: &Path,
    beside: &[PathBuf],
    store: &Store,
    sign_with: Option<&Path>,
) -> Outcome<bool> {
    let file = File::read(path)?;
    let mut paths = beside.to_vec();
    let tests = TESTS.map(|it| path.with_extension(it));
    paths.extend(tests.into_iter().filter(|it| it.is_file()));
    let beside = match &*paths {
        [] => Vec::new(),
        paths => collect(paths)?,
    };
    let request = publishing(&place(store)?, &file, &drafts(&beside), sign_with)?;
    let reply = session.ask(&request)?;
    let text = |key: &str| reply[key].as_str().unwrap_or_default();
    let (name, version, digest) = (text("name"), text("version"), text("digest"));
    let what = match reply["created"] == true {
        true => "is published",
        false => "was published before",
    };
    write(None, format!("{name} {version} {what}: {digest}\n").as_bytes())?;
    Ok(true)
}

/// The request that publishes a file.
pub fn publishing(
    place: &Json,
    file: &File,
    drafts: &Json,
    sign_with: Option<&Path>,
) -> Outcome<Json> {
    let mut request = request("process.publish", place);
    request["file"] = file.name.as_str().into();
    request["content"] = file.content().into();
    request["drafts"] = drafts.clone();
    if let Some(key) = sign_with {
        request["sign"] = json!({"key_file": absolute(key)?});
    }
    Ok(request)
}

pub fn get(
    session: &mut Session,
    process: &str,
    store: &Store,
    output: Option<&Path>,
) -> Outcome<bool> {
    let (name, version) = process.split_once('@').unwrap_or((process, "latest"));
    let content = content(session, &place(store)?, name, version)?;
    write(output, &content)?;
    Ok(true)
}

/// The bytes of a published version.
pub fn content(session: &mut Session, place: &Json, name: &str, version: &str) -> Outcome<Vec<u8>> {
    let mut request = request("process.get", place);
    request["name"] = name.into();
    request["version"] = version.into();
    let reply = session.ask(&request)?;
    let content = STANDARD.decode(reply["content"].as_str().unwrap_or_default());
    content.map_err(|error| Failure::Broken(std::io::Error::other(error)))
}

pub fn list(session: &mut Session, name: Option<&str>, store: &Store) -> Outcome<bool> {
    let place = place(store)?;
    let listed = listed(session, &place, name)?;
    if let Some(name) = name.filter(|_| listed.is_empty()) {
        // The refusal says what there is instead.
        content(session, &place, name, "latest")?;
    }
    let lines = listed.iter().map(|(name, version)| format!("{name} {version}\n"));
    write(None, lines.collect::<String>().as_bytes())?;
    Ok(true)
}

/// Names and versions of what is published, in their order.
pub fn listed(
    session: &mut Session,
    place: &Json,
    name: Option<&str>,
) -> Outcome<Vec<(String, String)>> {
    let mut request = request("process.list", place);
    request["name"] = name.into();
    let mut listed = Vec::new();
    loop {
        let reply = session.ask(&request)?;
        for it in reply["processes"].as_array().into_iter().flatten() {
            let text = |key: &str| it[key].as_str().unwrap_or_default().to_owned();
            listed.push((text("name"), text("version")));
        }
        match &reply["next"] {
            Json::Null => return Ok(listed),
            next => request["after"] = next.clone(),
        }
    }
}

fn request(op: &str, place: &Json) -> Json {
    let mut request = place.clone();
    request["op"] = op.into();
    request
}

/// The arguments that say where processes are published.
pub fn place(store: &Store) -> Outcome<Json> {
    if let Some(store) = elsewhere(&store.elsewhere)? {
        return Ok(json!({"store": store}));
    }
    let remedy = "say with --repository, --folder or --bucket where processes are published";
    Ok(json!({"path": repository(store.repository.as_deref(), remedy)?}))
}

/// The argument `store`, if they are not in a repository.
pub fn elsewhere(elsewhere: &Elsewhere) -> Outcome<Option<Json>> {
    let Elsewhere { folder, bucket, endpoint, region, prefix, ca_file } = elsewhere;
    let store = match (folder, bucket) {
        (Some(folder), _) => json!({"folder": absolute(folder)?}),
        (None, Some(bucket)) => {
            let ca_file = ca_file.as_deref().map(absolute).transpose()?;
            json!({"s3": {
                "bucket": bucket,
                "endpoint": endpoint,
                "region": region,
                "prefix": prefix,
                "ca_file": ca_file,
            }})
        }
        (None, None) => return Ok(None),
    };
    Ok(Some(store))
}
