//! An error on its way between two processes of this program.

use serde::{Deserialize, Serialize};

use super::{Code, Detail, Error};

/// The names that details have in the contract.
const NAMES: &[&str] = &[
    "actual",
    "age_ms",
    "bytes",
    "column",
    "expected",
    "feature",
    "field",
    "limit",
    "line",
    "parent",
    "path",
    "project",
    "retry_after_ms",
    "rule",
    "state",
    "table",
    "timeout_ms",
];

#[derive(Serialize, Deserialize)]
pub struct Carried {
    code: String,
    message: String,
    details: Vec<(String, Detail)>,
}

impl From<Error> for Carried {
    fn from(error: Error) -> Carried {
        let details = error.details().iter();
        Carried {
            code: error.code.as_str().to_owned(),
            details: details.map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
            message: error.message,
        }
    }
}

impl From<Carried> for Error {
    fn from(carried: Carried) -> Error {
        let code = Code::ALL.iter().find(|it| it.as_str() == carried.code);
        let mut error = Error::new(*code.unwrap_or(&Code::Internal), carried.message);
        for (name, value) in carried.details {
            if let Some(name) = NAMES.iter().find(|it| **it == name) {
                error = error.with(name, value);
            }
        }
        error
    }
}
