//! Where a remote is.

use std::{fmt, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use super::super::failure::redact;
use crate::{
    error::{Error, Result},
    git::percent,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Https,
    Http,
    Ssh,
    Git,
    File,
}

impl Transport {
    pub const ALL: [Transport; 5] =
        [Transport::Https, Transport::Http, Transport::Ssh, Transport::Git, Transport::File];

    pub fn name(self) -> &'static str {
        match self {
            Transport::Https => "https",
            Transport::Http => "http",
            Transport::Ssh => "ssh",
            Transport::Git => "git",
            Transport::File => "file",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A remote's url, with the credentials that were in it taken out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Url {
    pub transport: Transport,
    /// As it is stored and shown. For ssh it keeps the user's name, which is no secret.
    text: String,
    /// Host and port: whom credentials are for.
    pub authority: String,
    pub user: Option<String>,
    pub password: Option<String>,
}

impl Url {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether git writes this url as a local path: there depth means nothing.
    pub fn is_local(&self) -> bool {
        self.transport == Transport::File
    }

    /// The url to connect to: for ssh with the user who logs in.
    pub fn for_user(&self, user: Option<&str>) -> String {
        if !matches!(self.transport, Transport::Ssh | Transport::Git) {
            return self.text.clone();
        }
        // libgit2 asks the server for the path as it is written.
        if let Ok(url) = url::Url::parse(&self.text)
            && url.has_host()
        {
            let path = percent::decode(url.path()).unwrap_or_else(|| url.path().to_owned());
            let user = user.unwrap_or(url.username()).to_owned();
            let user = if user.is_empty() { user } else { format!("{user}@") };
            return format!("{}://{user}{}{path}", self.transport, self.authority);
        }
        let Some(user) = user else { return self.text.clone() };
        let place = self.text.split_once('@').map_or(&*self.text, |(_, place)| place);
        format!("{user}@{place}")
    }

    fn local(path: &str) -> Url {
        Url {
            transport: Transport::File,
            text: path.to_owned(),
            authority: String::new(),
            user: None,
            password: None,
        }
    }
}

impl FromStr for Url {
    type Err = Error;

    fn from_str(text: &str) -> Result<Url> {
        let bad = |why: &str| {
            Error::bad_request(format!("`url`: {why}: {}", redact(text))).with("field", "url")
        };
        if text.chars().any(char::is_control) {
            return Err(bad("it has a control character"));
        }
        if Path::new(text).is_absolute() {
            return Ok(Url::local(text));
        }
        let Some((scheme, _)) = text.split_once("://") else {
            if !text.contains(':') {
                return Err(bad("it is neither a url nor an absolute path"));
            }
            return scp_like(text).ok_or_else(|| not_allowed(text.split(':').next().unwrap_or("")));
        };
        let transport = Transport::ALL.into_iter().find(|it| it.name() == scheme);
        let transport = transport.ok_or_else(|| not_allowed(scheme))?;
        let mut url = url::Url::parse(text).map_err(|error| bad(&error.to_string()))?;
        if transport == Transport::File {
            let path = url.to_file_path().map_err(|()| bad("it is no local path"))?;
            let path = path.to_str().ok_or_else(|| bad("it is no text"))?;
            return Ok(Url::local(path));
        }
        let host = url.host_str().ok_or_else(|| bad("it has no host"))?.to_owned();
        let decode = |it: &str| percent::decode(it).ok_or_else(|| bad("it is no text"));
        let user = Some(url.username()).filter(|it| !it.is_empty()).map(decode).transpose()?;
        let password = url.password().map(decode).transpose()?;
        if host.starts_with('-') || user.as_deref().is_some_and(|it| it.starts_with('-')) {
            return Err(bad("a host or user cannot start with a dash"));
        }
        let cleared = url.set_password(None).is_ok()
            && (transport == Transport::Ssh || url.set_username("").is_ok());
        if !cleared {
            return Err(bad("its credentials cannot be taken out"));
        }
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host,
        };
        Ok(Url { transport, text: url.to_string(), authority, user, password })
    }
}

/// `user@host:path`, as ssh users write it.
fn scp_like(text: &str) -> Option<Url> {
    let (place, path) = text.split_once(':')?;
    let (user, host) = match place.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => return None,
    };
    let is_odd = |it: &str| it.is_empty() || it.starts_with('-') || it.contains(['/', '\0']);
    if is_odd(host) || user.is_some_and(is_odd) || path.is_empty() || path.starts_with(':') {
        return None;
    }
    Some(Url {
        transport: Transport::Ssh,
        text: text.to_owned(),
        authority: host.to_owned(),
        user: user.map(str::to_owned),
        password: None,
    })
}

pub fn not_allowed(transport: &str) -> Error {
    Error::denied(format!("the transport `{transport}` is not allowed")).with("rule", "transport")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, transport: Transport, shown: &str, user: Option<&str>) {
        let url: Url = text.parse().expect(text);
        assert_eq!((url.transport, url.as_str()), (transport, shown), "{text}");
        assert_eq!(url.user.as_deref(), user, "{text}");
    }

    #[test]
    fn urls_are_understood_and_keep_no_credentials() {
        check("https://h/x", Transport::Https, "https://h/x", None);
        check("https://u:p@h:8/x", Transport::Https, "https://h:8/x", Some("u"));
        check("https://a%40b:p%3A@h/x", Transport::Https, "https://h/x", Some("a@b"));
        check("ssh://git:p@h:22/x", Transport::Ssh, "ssh://git@h:22/x", Some("git"));
        check("git@h:a/b.git", Transport::Ssh, "git@h:a/b.git", Some("git"));
        check("git://h/x", Transport::Git, "git://h/x", None);
        check("/srv/x", Transport::File, "/srv/x", None);
        check("file:///srv/x%20y", Transport::File, "/srv/x y", None);
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "",
            "x",
            "ext::sh -c date",
            "fd::17",
            "ftp://h/x",
            "http://",
            "h:x",
            "-o@h:x",
            "a@-h:x",
            "ssh://-oProxyCommand=x/y",
            "ssh://-x@h/y",
            "file://host/x",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }
}
