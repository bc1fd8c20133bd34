//! Many refs moved at once: all of them, or none.

use std::collections::{BTreeMap, HashMap};

use git2::Oid;
use serde::Serialize;

use super::{Expect, Person, Transaction, pack::Kind, refs::RefName, repository::Sha};
use crate::error::{Detail, Error, Result};

/// What shall become of one ref.
pub struct Update {
    pub name: RefName,
    /// A revision; nothing removes the ref.
    pub to: Option<String>,
    pub expect: Option<Expect>,
}

#[derive(Serialize)]
pub struct Updated {
    #[serde(rename = "ref")]
    pub name: String,
    pub sha: Option<Sha>,
    pub was: Option<Sha>,
}

impl Transaction<'_> {
    pub fn update(
        &mut self,
        updates: Vec<Update>,
        who: &Person,
        why: &[u8],
    ) -> Result<Vec<Updated>> {
        // The order of their names, in which every Git takes its locks.
        let mut by_name: BTreeMap<RefName, Update> = BTreeMap::new();
        for update in updates {
            let name = update.name.clone();
            if by_name.insert(name.clone(), update).is_some() {
                let message = format!("`{}` is updated twice", name.as_str());
                return Err(Error::bad_request(message).with("field", "updates"));
            }
        }
        let targets = self.targets(by_name.values())?;
        let mut elsewhere = Vec::new();
        for (name, update) in &by_name {
            let actual = self.at(name.as_str())?;
            if Expect::check(update.expect, actual, "").is_err() {
                elsewhere.push(told(name, update.expect, actual));
            } else if update.to.is_none() && actual.is_none() && update.expect.is_none() {
                return Err(Error::not_found(format!("no ref is called `{}`", name.as_str())));
            }
        }
        if let Some(first) = elsewhere.first() {
            let message = match elsewhere.len() {
                1 => format!("`{}` is elsewhere", first.0),
                count => format!("{count} refs are elsewhere, `{}` first", first.0),
            };
            let refs = elsewhere.into_iter().map(|it| it.1).collect::<Vec<Detail>>();
            return Err(Error::conflict(message).with("refs", refs));
        }
        if 1 < by_name.len() {
            self.move_as_one();
        }
        let mut updated = Vec::with_capacity(by_name.len());
        // What is removed makes room for what comes.
        let (removed, put): (Vec<_>, Vec<_>) = by_name.iter().partition(|it| it.1.to.is_none());
        for (name, update) in removed.into_iter().chain(put) {
            let was = self.at(name.as_str())?;
            let to = update.to.as_deref().map(|it| targets[it]);
            if was != to {
                self.move_because(name.as_str(), to, who, why)?;
            }
            let (sha, was) = (to.map(Sha::from), was.map(Sha::from));
            updated.push(Updated { name: name.as_str().to_owned(), sha, was });
        }
        updated.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(updated)
    }

    /// What the revisions name; each is looked up once.
    fn targets<'a>(
        &mut self,
        updates: impl Iterator<Item = &'a Update>,
    ) -> Result<HashMap<&'a str, Oid>> {
        let mut targets: HashMap<&str, Oid> = HashMap::new();
        for update in updates {
            let Some(rev) = update.to.as_deref() else { continue };
            let id = match targets.get(rev) {
                Some(id) => *id,
                None => self.object_named(rev)?,
            };
            if update.name.is_branch() && self.kind_of(id)? != Kind::Commit {
                let name = update.name.as_str();
                let message = format!("`{rev}` is no commit, so `{name}` cannot be there");
                return Err(Error::bad_request(message).with("field", "updates"));
            }
            targets.insert(rev, id);
        }
        Ok(targets)
    }
}

/// One ref that was elsewhere.
fn told(name: &RefName, expect: Option<Expect>, actual: Option<Oid>) -> (String, Detail) {
    let expected = match expect {
        Some(Expect::At(id)) => id,
        _ => Oid::ZERO_SHA1,
    };
    let actual = actual.unwrap_or(Oid::ZERO_SHA1);
    let detail = Detail::map([
        ("ref", name.as_str().into()),
        ("expected", expected.to_string().into()),
        ("actual", actual.to_string().into()),
    ]);
    (name.as_str().to_owned(), detail)
}
