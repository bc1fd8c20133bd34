//! What a push is asked for, in the names and ids that the repository has for it.

use crate::{
    error::{Error, Result},
    git::{
        Repository,
        refs::{BRANCHES, TAGS, expect_reference, in_full},
    },
};

impl Repository {
    /// The url that a configured remote is pushed to. Nothing but the repository's own
    /// configuration says so.
    pub fn push_url(&self, remote: &str) -> Result<String> {
        let config = self.inner.config()?.open_level(git2::ConfigLevel::Local)?;
        for key in ["pushurl", "url"] {
            let mut urls = Vec::new();
            let entries = config.multivar(&format!("remote.{remote}.{key}"), None);
            if let Ok(entries) = entries {
                entries.for_each(|it| urls.extend(it.value().ok().map(str::to_owned)))?;
            }
            if 1 < urls.len() {
                let message = format!("the remote `{remote}` has several urls; give one as `url`");
                return Err(Error::unsupported(message).with("feature", "several urls"));
            }
            if let Some(url) = urls.pop() {
                return Ok(url);
            }
        }
        Err(Error::not_found(format!("the repository has no remote `{remote}`")))
    }

    /// The full name of the ref to move at a remote, and the object to move it to.
    pub fn wanted(&self, from: Option<&str>, to: Option<&str>) -> Result<(String, Option<String>)> {
        let (name, rev) = match (from, to) {
            (None, None) => return Err(Error::bad_request("it has neither `from` nor `to`")),
            (from, Some(to)) => (in_full(to), from.map(str::to_owned)),
            (Some(from), None) => {
                let name = self.reference_called(from)?;
                (name.clone(), Some(name))
            }
        };
        expect_reference(&name)?;
        let id = match rev {
            None => None,
            Some(rev) if name.starts_with(BRANCHES) => Some(self.resolve_commit(&rev)?.id()),
            Some(rev) => Some(self.resolve(&rev)?.id()),
        };
        Ok((name, id.map(|it| it.to_string())))
    }

    /// The ref that people call so: a branch, or else a tag.
    fn reference_called(&self, name: &str) -> Result<String> {
        if name == "HEAD" {
            let head = self.inner.find_reference("HEAD")?;
            let branch = head.symbolic_target().ok().flatten();
            let detached = || Error::bad_request("HEAD is on no branch: say which ref `to` is");
            return branch.map(str::to_owned).ok_or_else(detached);
        }
        let names = match in_full(name) == name {
            true => vec![name.to_owned()],
            false => vec![format!("{BRANCHES}{name}"), format!("{TAGS}{name}")],
        };
        let found = names.into_iter().find(|it| self.inner.find_reference(it).is_ok());
        found.ok_or_else(|| {
            Error::not_found(format!("no ref is called `{name}`; where a rev goes `to` says"))
        })
    }
}
