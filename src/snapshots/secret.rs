//! A connection string, which nothing shows. It goes to the child that uses it, through a pipe.

use std::fmt;

use serde::{Deserialize, Serialize};

#[derive(Clone, PartialEq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "nobody else asks"))]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}
