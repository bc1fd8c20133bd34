//! Who signed the commits of a range, and whether they may.

use git2::{ObjectType, Oid};
use serde::Serialize;

use super::Verification;
use crate::{
    error::{Error, Result},
    git::{
        AllowedSigners, LogQuery, Repository,
        hash::time_of,
        signature::{
            Format, Status,
            object::{self, NAMESPACE},
            verify,
        },
    },
    watch::Watch,
};

#[derive(Debug, Serialize)]
pub struct Signed {
    object: String,
    #[serde(rename = "type")]
    kind: &'static str,
    /// Nothing where nobody signed it.
    status: Option<Status>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<Format>,
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    principals: Vec<String>,
}

impl Signed {
    pub fn is_bad(&self) -> bool {
        self.status == Some(Status::Bad)
    }

    /// Whether somebody who may sign did.
    pub fn is_good(&self) -> bool {
        self.status == Some(Status::Good)
    }
}

impl Repository {
    /// Of the commits in the range, in the order of `log`, and before them of the tag that it
    /// names; and where to go on.
    pub(super) fn signatures(
        &self,
        verification: &Verification,
        watch: &Watch,
    ) -> Result<(Vec<Signed>, Option<String>)> {
        let Some(range) = &verification.range else { return Ok((Vec::new(), None)) };
        let mut signed = Vec::new();
        if verification.after.is_none()
            && !range.contains("..")
            && let Ok(named) = self.resolve(range)
            && named.kind() == Some(ObjectType::Tag)
        {
            let allowed = verification.allowed.as_ref();
            signed.push(self.signed(object::Kind::Tag, named.id(), allowed)?);
        }
        let query = LogQuery {
            range: range.clone(),
            paths: Vec::new(),
            limit: verification.limit,
            after: verification.after.clone(),
        };
        let page = self.log(&query, watch)?;
        for commit in &page.commits {
            watch.check()?;
            let id = Oid::from_str(&commit.sha)?;
            let allowed = verification.allowed.as_ref();
            signed.push(self.signed(object::Kind::Commit, id, allowed)?);
        }
        Ok((signed, page.next.map(|it| it.0)))
    }

    pub(in crate::git) fn signed(
        &self,
        kind: object::Kind,
        id: Oid,
        allowed: Option<&AllowedSigners>,
    ) -> Result<Signed> {
        let (_, raw) = self.object(id)?;
        let object::Parts { payload, signature } = object::parts(kind, &raw);
        let (name, role) = match kind {
            object::Kind::Commit => ("commit", "committer "),
            object::Kind::Tag => ("tag", "tagger "),
        };
        let mut signed = Signed {
            object: id.to_string(),
            kind: name,
            status: None,
            format: None,
            algorithm: None,
            key: None,
            principals: Vec::new(),
        };
        if let Some(signature) = signature {
            let time = time_of(&payload, role)
                .ok_or_else(|| Error::corrupt(format!("nobody knows when {id} was made")))?;
            let verdict = verify(&payload, &signature, NAMESPACE, time, allowed);
            signed.status = Some(verdict.status);
            signed.format = Some(verdict.format);
            (signed.algorithm, signed.key) = (verdict.algorithm, verdict.key);
            signed.principals = verdict.principals;
        }
        Ok(signed)
    }
}
