//! Whether a repository is whole, and who signed what is in it.
//!
//! It only reads, and nobody waits for it. What is told was looked at twice: what somebody moved
//! or packed meanwhile is no damage.

mod fsck;
mod signatures;
mod walk;

use std::time::Instant;

use serde::Serialize;

use self::signatures::Signed;
use super::{
    AllowedSigners, Network, Repository, RepositoryPath, Store, Text, folder::files_below,
    lock::Writer, pack::Pack,
};
use crate::error::Result;

/// What is asked for.
pub struct Verification {
    /// Of which commits the signatures are looked at.
    pub range: Option<String>,
    pub allowed: Option<AllowedSigners>,
    /// Whether the objects are.
    pub fsck: bool,
    pub limit: usize,
    pub after: Option<String>,
}

#[derive(Debug, Serialize)]
pub struct Verified {
    /// Whether nothing is damaged and no signature is bad.
    ok: bool,
    /// The first of them.
    problems: Vec<Problem>,
    /// How many there are.
    found: usize,
    /// How many objects are there.
    objects: usize,
    signatures: Vec<Signed>,
    next: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Problem {
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    message: Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    /// An object is needed and is not there.
    Missing,
    /// It is not what its id says, or breaks Git's rules.
    Object,
    Pack,
    Ref,
    Other,
    /// Git finds it odd and lives with it.
    Warning,
}

impl Problem {
    fn new(kind: Kind, message: impl Into<String>) -> Problem {
        let message = Text(message.into().into_bytes());
        Problem { kind, object: None, reference: None, message }
    }

    fn of_object(kind: Kind, id: git2::Oid, message: impl Into<String>) -> Problem {
        Problem { object: Some(id.to_string()), ..Problem::new(kind, message) }
    }
}

impl Store {
    pub fn verify(
        &self,
        path: &RepositoryPath,
        verification: &Verification,
        network: &Network,
    ) -> Result<Verified> {
        let repository = self.open(path, Instant::now())?;
        let mut problems = match verification.fsck {
            true => repository.problems(network)?,
            false => Vec::new(),
        };
        problems.sort();
        problems.dedup();
        let (signatures, next) = repository.signatures(verification, network.watch)?;
        let is_sound = problems.iter().all(|it| it.kind == Kind::Warning);
        let ok = is_sound && !signatures.iter().any(Signed::is_bad);
        let (found, objects) = (problems.len(), repository.count_objects());
        problems.truncate(verification.limit);
        Ok(Verified { ok, problems, found, objects, signatures, next })
    }
}

impl Repository {
    fn problems(&self, network: &Network) -> Result<Vec<Problem>> {
        // While it is held nobody removes packs that are there. Where somebody else holds it, what
        // goes meanwhile is looked for again.
        let mark = Writer::of_maintenance(self.common_folder()).ok();
        let mark = mark.map(|mut it| it.stamp().map(|_| it)).transpose()?;
        let problems = match self.fsck(network)? {
            Some(problems) => problems,
            None => self.look_at_all(network.watch)?,
        };
        drop(mark);
        Ok(problems)
    }

    fn count_objects(&self) -> usize {
        let objects = self.common_folder().join("objects");
        let is_hex = |it: &str| it.len() == 38 && it.bytes().all(|it| it.is_ascii_hexdigit());
        let indexes = files_below(&objects.join("pack"), &|it| it.ends_with(".idx"));
        let packed = indexes.iter().filter_map(|it| Some(Pack::open(0, it)?.count()));
        packed.sum::<usize>() + files_below(&objects, &is_hex).len()
    }
}
