//! `workspace.export`: a revision as one file: a bundle with its history, or an archive.

use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Result},
    git::{Export, FileName, Format, Output, RawName, RepositoryPath, Text},
    ops::{
        Context, Lane, Operation, about, paging,
        plain::Plain,
        read::{Content, Encoding},
    },
};

/// What a reply has besides content.
const ENVELOPE_BYTES: u64 = 1024;
/// Without what is in it: no system has longer paths than 4095.
const PREFIX_BYTES_MAX: usize = 2048;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exporting {
    path: RepositoryPath,
    #[serde(default = "head")]
    rev: Plain,
    format: Format,
    to: Option<RepositoryPath>,
    #[serde(default)]
    overwrite: bool,
    prefix: Option<RawName>,
    paths: Option<Vec<RawName>>,
    #[serde(default)]
    encoding: Encoding,
}

fn head() -> Plain {
    "HEAD".into()
}

#[derive(Serialize)]
pub struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Content>,
    bytes: u64,
    sha: String,
    format: Format,
}

impl Operation for Exporting {
    const NAME: &'static str = "workspace.export";

    type Reply = Reply;

    fn lane(&self) -> Lane {
        Lane::Search(self.path.to_path_buf())
    }

    fn run(self, context: &Context) -> Result<Reply> {
        let export = self.export()?;
        let output = match &self.to {
            Some(to) => place(to, self.overwrite, context)?,
            None => Output::memory(self.content_bytes_max(context)),
        };
        let repository = context.open(&self.path)?;
        let exported = repository.export(&self.rev, &export, output, context.watch);
        let exported = exported.map_err(about("rev"))?;
        let content = match &self.to {
            Some(_) => None,
            None => Some(self.encoding.encode(exported.content.into())?),
        };
        let file = self.to.as_ref().map(RepositoryPath::to_text);
        let (bytes, sha, format) = (exported.bytes, exported.sha, self.format);
        Ok(Reply { file, content, bytes, sha, format })
    }
}

impl Exporting {
    fn export(&self) -> Result<Export> {
        let paths = self.paths.as_ref().map(|it| paging::names(it)).transpose()?;
        let prefix = self.prefix.as_ref().map(FileName::try_from).transpose()?;
        let of_archives = [("prefix", prefix.is_some()), ("paths", paths.is_some())];
        if let (Format::Bundle, Some((field, _))) =
            (self.format, of_archives.iter().find(|(_, is_given)| *is_given))
        {
            let message = format!("a bundle is whole: `{field}` is for archives");
            return Err(Error::bad_request(message).with("field", *field));
        }
        if prefix.as_ref().is_some_and(|it| PREFIX_BYTES_MAX < it.as_bytes().len()) {
            let message = format!("`prefix` has at most {PREFIX_BYTES_MAX} bytes");
            return Err(Error::bad_request(message).with("field", "prefix"));
        }
        Ok(Export { format: self.format, prefix, paths })
    }

    fn content_bytes_max(&self, context: &Context) -> u64 {
        let left = u64::from(context.settings.reply_bytes_max).saturating_sub(ENVELOPE_BYTES);
        match self.encoding {
            Encoding::Base64 => left / 4 * 3,
            Encoding::Binary | Encoding::Utf8 => left,
        }
    }
}

/// A file that a request names, where it may be.
pub fn place(to: &RepositoryPath, overwrite: bool, context: &Context) -> Result<Output> {
    expect_outside(to, context)?;
    // A link there is replaced, wherever it leads.
    if let Some(folder) = to.parent() {
        expect_outside(&RepositoryPath::try_from(folder)?, context)?;
    }
    Output::file(to, overwrite)
}

/// Fails where a file that a request names would be in the data directory, or outside of the root.
pub fn expect_outside(to: &RepositoryPath, context: &Context) -> Result<()> {
    context.store.root().confine(to)?;
    match context.store.workspaces() {
        Some(workspaces) if workspaces.has(to) => {
            let message = "the data directory is for workspaces alone";
            Err(Error::denied(message).with("rule", "data"))
        }
        _ => Ok(()),
    }
}
