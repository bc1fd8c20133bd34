//! `verify`: whether a repository is whole, and who signed what is in it.

use serde::Deserialize;

use super::{Context, Lane, Operation, about, maintain::housework, paging, plain::Plain};
use crate::{
    error::{Error, Result},
    git::{AllowedSigners, RepositoryPath, Verification, Verified},
};

/// More would not be a list of people.
const ALLOWED_BYTES_MAX: u64 = 16 * 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Verify {
    path: RepositoryPath,
    range: Option<Plain>,
    allowed_signers: Option<Plain>,
    allowed_signers_file: Option<RepositoryPath>,
    #[serde(default = "yes")]
    fsck: bool,
    #[serde(default = "paging::thousand")]
    limit: usize,
    after: Option<Plain>,
}

fn yes() -> bool {
    true
}

impl Operation for Verify {
    const NAME: &'static str = "verify";

    type Reply = Verified;

    fn lane(&self) -> Lane {
        Lane::Send(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Verified> {
        let signers = Signers { text: self.allowed_signers, file: self.allowed_signers_file };
        let allowed = signers.read()?;
        let verification = Verification {
            range: self.range.map(String::from),
            allowed,
            fsck: self.fsck,
            limit: paging::limit(self.limit)?,
            after: self.after.map(String::from),
        };
        let network = housework(context);
        context.store.verify(&self.path, &verification, &network).map_err(about("range"))
    }
}

/// Who may sign: a list as text, or in a file.
pub struct Signers {
    pub text: Option<Plain>,
    pub file: Option<RepositoryPath>,
}

impl Signers {
    pub fn read(&self) -> Result<Option<AllowedSigners>> {
        let (text, field) = match (&self.text, &self.file) {
            (None, None) => return Ok(None),
            (Some(text), None) => (text.to_string(), "allowed_signers"),
            (None, Some(file)) => (read(file)?, "allowed_signers_file"),
            (Some(_), Some(_)) => {
                let message =
                    "either `allowed_signers` or `allowed_signers_file` says who may sign";
                return Err(Error::bad_request(message).with("field", "allowed_signers"));
            }
        };
        AllowedSigners::parse(&text).map(Some).map_err(about(field))
    }
}

fn read(file: &RepositoryPath) -> Result<String> {
    let shown = file.display();
    let failed = |error: std::io::Error| Error::from_io(&shown, &error);
    let found = std::fs::metadata(&**file).map_err(failed)?;
    if !found.is_file() || ALLOWED_BYTES_MAX < found.len() {
        let message = format!("{shown} is no list of people who may sign");
        return Err(Error::bad_request(message).with("field", "allowed_signers_file"));
    }
    std::fs::read_to_string(&**file).map_err(failed)
}
