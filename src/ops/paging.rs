//! Arguments that several listing operations share.

use crate::{
    error::{Error, Result},
    git::{FileName, RawName},
};

const LIMIT_MAX: usize = 10_000;

pub fn limit_max() -> usize {
    LIMIT_MAX
}

pub fn limit(limit: usize) -> Result<usize> {
    match limit {
        1..=LIMIT_MAX => Ok(limit),
        _ => {
            Err(Error::bad_request(format!("`limit` is from 1 to {LIMIT_MAX}"))
                .with("field", "limit"))
        }
    }
}

pub fn names(names: &[RawName]) -> Result<Vec<FileName>> {
    names.iter().map(FileName::try_from).collect()
}
