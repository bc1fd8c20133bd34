//! Arguments that several listing operations share.

use crate::{
    error::{Error, Result},
    git::{FileName, RawName},
};

const LIMIT_MAX: usize = 10_000;

/// How long a page is where it is not said.
pub fn thousand() -> usize {
    1000
}

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

/// The entry to go on after: no file need have that name any more.
pub fn after(name: Option<RawName>) -> Result<Option<Vec<u8>>> {
    match name {
        Some(RawName(bytes)) if bytes.contains(&0) => {
            let message = "`after`: a name cannot have a NUL byte";
            Err(Error::bad_request(message).with("field", "after"))
        }
        name => Ok(name.map(|it| it.0)),
    }
}

pub fn names(names: &[RawName]) -> Result<Vec<FileName>> {
    names.iter().map(FileName::try_from).collect()
}
