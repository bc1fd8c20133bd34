//! Receipts: one record for each task that is finished, as a note on the commit that says so.
//!
//! A receipt follows from the commits of its run, but for its signature, so it need not be written
//! in the step that it is about: [`waiting`] has those that are written a moment later, many in one
//! commit, and [`again`] makes those that a kill took.

mod again;
mod check;
mod list;
mod made;
mod stray;
mod table;
mod waiting;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::{
    check::{Checked, Checking, Judged, Wrong, of_task},
    list::{Page, Query, naming, newest_of_task, page, page_of},
    made::{Ended, Finished},
    stray::{Known, Standing},
    table::csv,
    waiting::Waiting,
};
use crate::{
    engine::canonical::canonical,
    error::{Error, Result},
    git::{ObjectId, RECEIPT, Signer, chosen, line},
};

/// The version of the record.
const VERSION: u64 = 1;

/// What became of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// The version of the record.
    pub receipt: u64,
    pub run: String,
    pub process: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest of what the definition says.
    pub definition: String,
    /// Where, such as `review` or `order/pay#2`.
    pub step: String,
    /// Nothing where nobody could have claimed it: a time or an event was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Which attempt it was, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u64>,
    /// Which time a loop went round, from 1, where it was not the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round: Option<u64>,
    /// Who said that it is finished.
    pub actor: String,
    /// Who had claimed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    pub outcome: String,
    /// The type of what went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// Whether it is tried again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub again: bool,
    /// The digest of the data that the task saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The digest of what it brought, or of what went wrong.
    pub output: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offered_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_ms: Option<i64>,
    pub finished_ms: i64,
    /// The commit that says so, and which of the run's commits it is.
    pub commit: String,
    pub seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
}

impl Receipt {
    /// As a line, signed if there is a key; without the line end.
    pub fn line(&self, signer: Option<&Signer>) -> Result<String> {
        let unsigned = self.text();
        let Some(signer) = signer else { return Ok(unsigned) };
        let signature = Some(line::member(&unsigned, RECEIPT, signer)?);
        Ok(Receipt { signature, ..self.clone() }.text())
    }

    /// What the note on something says, and how many lines the note has.
    pub fn noted(target: ObjectId, note: &[u8]) -> Result<(Receipt, &str, usize)> {
        let (line, count) = chosen(&target.to_string(), note)?;
        Ok((Receipt::read(line)?, line, count))
    }

    fn read(line: &str) -> Result<Receipt> {
        let unreadable = |error: serde_json::Error| Error::corrupt(error.to_string());
        let value: Value = serde_json::from_str(line).map_err(unreadable)?;
        match value["receipt"].as_u64() {
            Some(VERSION) => serde_json::from_value(value).map_err(unreadable),
            Some(later) => Err(Error::unsupported(format!("it is a receipt of version {later}"))
                .with("feature", "receipt")),
            None => Err(Error::corrupt("it does not say which version of a receipt it is")),
        }
    }

    pub fn text(&self) -> String {
        canonical(&serde_json::to_value(self).expect("it is made of text and numbers"))
    }
}
