//! A connection string, which nothing shows.

use std::fmt;

use serde::Deserialize;

#[derive(Deserialize)]
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
