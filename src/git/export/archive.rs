//! What can be put into an archive, whatever its format.

use super::blob::Blob;
use crate::error::Result;

/// Names are whole, with `/` between folders and none at the end.
pub trait Archive {
    fn folder(&mut self, name: &[u8]) -> Result<()>;

    fn file(&mut self, name: &[u8], is_executable: bool, content: Blob) -> Result<()>;

    fn link(&mut self, name: &[u8], target: &[u8]) -> Result<()>;

    fn end(self) -> Result<()>;
}
