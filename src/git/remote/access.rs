//! The way in: credentials, host keys, certificates, proxies. For one request only.

use std::{cell::Cell, fmt, fs, os::fd::IntoRawFd, path::PathBuf};

use git2::{Cred, CredentialType, ErrorCode, ProxyOptions, RemoteCallbacks};
use serde::{Deserialize, Serialize, de};

use super::{Remote, Transport, stock::memory_file, url::Url};
use crate::error::{Error, Result};

/// A server that refuses everything is asked so many times.
const ATTEMPTS_MAX: u32 = 6;

#[derive(Default, Clone, Serialize, Deserialize)]
pub struct Access {
    pub auth: Option<Auth>,
    /// Host keys to trust instead of those in the usual files.
    pub known_hosts: Option<String>,
    /// Certificates to trust instead of the system's, as text.
    pub ca: Option<String>,
    pub ca_file: Option<PathBuf>,
    /// A url, or `none`.
    pub proxy: Option<String>,
}

impl Access {
    /// Whether nothing is said of it.
    pub fn is_usual(&self) -> bool {
        let Access { auth, known_hosts, ca, ca_file, proxy } = self;
        auth.is_none()
            && [known_hosts, ca, proxy].into_iter().all(Option::is_none)
            && ca_file.is_none()
    }
}

/// What proves who asks. Its own formatting never shows it.
#[derive(Clone, Serialize)]
#[serde(into = "Fields")]
pub enum Auth {
    Password { user: String, password: String },
    KeyFile { user: Option<String>, file: PathBuf, passphrase: Option<String> },
    Key { user: Option<String>, key: String, passphrase: Option<String> },
    Agent { user: Option<String> },
}

/// The same as the contract writes it.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    #[serde(default, deserialize_with = "line")]
    token: Option<String>,
    #[serde(default, deserialize_with = "line")]
    user: Option<String>,
    #[serde(default, deserialize_with = "line")]
    password: Option<String>,
    #[serde(default, deserialize_with = "text")]
    key_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "text")]
    key: Option<String>,
    #[serde(default, deserialize_with = "text")]
    passphrase: Option<String>,
    agent: Option<bool>,
}

/// What ends a header of http and a line of everything that passes credentials on.
const LINE_ENDS: [char; 3] = ['\r', '\n', '\0'];

fn line<'de, D: de::Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let line: Option<String> = text(deserializer)?;
    match line.as_ref().is_some_and(|it| it.contains(LINE_ENDS)) {
        true => Err(de::Error::custom("it is more than one line")),
        false => Ok(line),
    }
}

fn text<'de, D: de::Deserializer<'de>, T: From<String>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    match text.as_ref().is_some_and(|it| it.contains('\0')) {
        true => Err(de::Error::custom("it has a NUL byte")),
        false => Ok(text.map(T::from)),
    }
}

/// The user that hosting services expect beside a token.
const TOKEN_USER: &str = "x-access-token";

impl TryFrom<Fields> for Auth {
    type Error = &'static str;

    fn try_from(fields: Fields) -> Result<Auth, &'static str> {
        let Fields { token, user, password, key_file, key, passphrase, agent } = fields;
        let agent = agent.filter(|it| *it);
        match (token, password, key_file, key, agent, passphrase) {
            (Some(password), None, None, None, None, None) if user.is_none() => {
                Ok(Auth::Password { user: TOKEN_USER.to_owned(), password })
            }
            (None, Some(password), None, None, None, None) => match user {
                Some(user) => Ok(Auth::Password { user, password }),
                None => Err("a password needs a user"),
            },
            (None, None, Some(file), None, None, passphrase) => match file.is_absolute() {
                true => Ok(Auth::KeyFile { user, file, passphrase }),
                false => Err("`key_file` must be absolute"),
            },
            (None, None, None, Some(key), None, passphrase) => {
                Ok(Auth::Key { user, key, passphrase })
            }
            (None, None, None, None, Some(_), None) => Ok(Auth::Agent { user }),
            _ => Err("it takes one of: token; user and password; key_file; key; agent"),
        }
    }
}

impl From<Auth> for Fields {
    fn from(auth: Auth) -> Fields {
        let none = Fields::default();
        match auth {
            Auth::Password { user, password } => {
                Fields { user: Some(user), password: Some(password), ..none }
            }
            Auth::KeyFile { user, file, passphrase } => {
                Fields { user, key_file: Some(file), passphrase, ..none }
            }
            Auth::Key { user, key, passphrase } => {
                Fields { user, key: Some(key), passphrase, ..none }
            }
            Auth::Agent { user } => Fields { user, agent: Some(true), ..none },
        }
    }
}

impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Auth, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Auth;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of credentials, such as {token}")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Auth, A::Error> {
                let fields = Fields::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Auth::try_from(fields).map_err(de::Error::custom)
            }
        }
        // Only a map: an array would be taken for the fields in their order.
        deserializer.deserialize_any(Visitor)
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Auth")
    }
}

impl Remote {
    /// What a request says of a remote. Credentials in the url count where no others are given.
    pub fn new(url: &str, mut access: Access) -> Result<Remote> {
        let mut url: Url = url.parse()?;
        if [&url.user, &url.password].into_iter().flatten().any(|it| it.contains(LINE_ENDS)) {
            let message = "`url`: its credentials are more than one line";
            return Err(Error::bad_request(message).with("field", "url"));
        }
        if let (None, Some(password)) = (&access.auth, url.password.take()) {
            let user = url.user.clone().unwrap_or_else(|| TOKEN_USER.to_owned());
            access.auth = Some(Auth::Password { user, password });
        }
        if access.ca.is_some() && access.ca_file.is_some() {
            let message = "either `ca` or `ca_file` gives the certificates";
            return Err(Error::bad_request(message).with("field", "ca"));
        }
        access.expect_certificates()?;
        access.expect_proxy()?;
        Ok(Remote { url, access })
    }

    /// The url to connect to, which libgit2 takes the user of an ssh connection from.
    pub(super) fn connect_url(&self) -> String {
        self.url.for_user(self.access.auth.as_ref().and_then(Auth::user))
    }

    pub(super) fn proxy(&self) -> ProxyOptions<'_> {
        let mut options = ProxyOptions::new();
        match self.access.proxy.as_deref() {
            None => drop(options.auto()),
            Some("none") => (),
            Some(url) => drop(options.url(url)),
        }
        options
    }

    /// Callbacks that show each credential once; `refusal` keeps why no more is shown.
    pub(super) fn callbacks<'a>(&'a self, refusal: &'a Refusal) -> RemoteCallbacks<'a> {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.credentials(move |url, user, allowed| {
            refusal.attempts.set(refusal.attempts.get() + 1);
            self.credential(url, user, allowed, refusal)
        });
        callbacks
    }

    fn credential(
        &self,
        asked_by: &str,
        user: Option<&str>,
        allowed: CredentialType,
        refusal: &Refusal,
    ) -> Result<Cred, git2::Error> {
        let refuse = |why: &'static str| {
            refusal.reason.set(Some(why));
            Err(git2::Error::from_str(why))
        };
        let asks = asked_by.parse::<Url>().map(|it| it.authority).unwrap_or_default();
        if asks != self.url.authority {
            return refuse("another server asks for credentials");
        }
        let Some(auth) = &self.access.auth else {
            return refuse("the remote wants credentials, and none were given");
        };
        let user = auth.user().or(user).or(self.url.user.as_deref()).unwrap_or("git");
        if allowed.contains(CredentialType::USERNAME) && refusal.attempts.get() <= ATTEMPTS_MAX {
            return Cred::username(user);
        }
        if refusal.was_shown.replace(true) {
            return refuse("the remote refused the credentials");
        }
        let wants = |kind| allowed.contains(kind);
        match auth {
            Auth::Password { password, .. } if wants(CredentialType::USER_PASS_PLAINTEXT) => {
                Cred::userpass_plaintext(user, password)
            }
            Auth::KeyFile { file, passphrase, .. } if wants(CredentialType::SSH_KEY) => {
                Cred::ssh_key(user, None, file, passphrase.as_deref())
            }
            Auth::Key { key, passphrase, .. } if wants(CredentialType::SSH_KEY) => {
                Cred::ssh_key_from_memory(user, None, key, passphrase.as_deref())
            }
            Auth::Agent { .. } if wants(CredentialType::SSH_KEY) => Cred::ssh_key_from_agent(user),
            _ => refuse("the remote does not take credentials of this kind"),
        }
    }
}

impl Remote {
    /// The file with the certificates to trust, if not the system's.
    pub(super) fn certificates(&self) -> Result<Option<PathBuf>> {
        let Some(text) = &self.access.ca else { return Ok(self.access.ca_file.clone()) };
        let file = memory_file(text)?;
        // Left open: the library and stock git open it by this name for as long as they like.
        Ok(Some(PathBuf::from(format!("/proc/self/fd/{}", file.into_raw_fd()))))
    }
}

impl Access {
    fn expect_certificates(&self) -> Result<()> {
        let (field, text) = match (&self.ca, &self.ca_file) {
            (None, None) => return Ok(()),
            (Some(text), _) => ("ca", Ok(text.clone())),
            (None, Some(file)) => ("ca_file", fs::read_to_string(file)),
        };
        let why = match text {
            // The child that uses it is in another folder than the daemon.
            _ if self.ca_file.as_ref().is_some_and(|it| !it.is_absolute()) => {
                "its path must be absolute".to_owned()
            }
            Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => return Ok(()),
            Ok(_) => "no certificate in PEM is in it".to_owned(),
            Err(error) => error.to_string(),
        };
        Err(Error::bad_request(format!("`{field}`: {why}")).with("field", field))
    }

    fn expect_proxy(&self) -> Result<()> {
        let Some(proxy) = self.proxy.as_deref().filter(|it| *it != "none") else { return Ok(()) };
        match proxy.parse::<Url>().map(|it| it.transport) {
            Ok(Transport::Http | Transport::Https) => Ok(()),
            _ => Err(Error::bad_request("`proxy` is `none` or the url of an http proxy")
                .with("field", "proxy")),
        }
    }
}

impl Auth {
    pub fn user(&self) -> Option<&str> {
        match self {
            Auth::Password { user, .. } => Some(user),
            Auth::KeyFile { user, .. } | Auth::Key { user, .. } | Auth::Agent { user } => {
                user.as_deref()
            }
        }
    }
}

/// Why credentials were not shown, or not shown again.
#[derive(Default)]
pub(super) struct Refusal {
    attempts: Cell<u32>,
    was_shown: Cell<bool>,
    reason: Cell<Option<&'static str>>,
}

impl Refusal {
    /// The remote took what it was shown: the next connection may be shown it again.
    pub fn accepted(&self) {
        self.was_shown.set(false);
        self.attempts.set(0);
    }

    /// What a failed conversation with a remote means.
    pub fn explain(&self, url: &Url, error: git2::Error) -> Error {
        if let Some(reason) = self.reason.get() {
            return Error::unauthorized(format!("{}: {reason}", url.as_str()));
        }
        let is_ssh = url.transport == Transport::Ssh;
        let failure = match (error.code(), error.class()) {
            (ErrorCode::Certificate, _) if is_ssh => {
                Error::denied(format!("the host key of {} is not trusted", url.authority))
                    .with("rule", "host key")
            }
            (ErrorCode::Certificate, _) => Error::from(error),
            // A key that cannot be read or opened is as good as a wrong one.
            (_, git2::ErrorClass::Ssh) if self.was_shown.get() && is_about_keys(&error) => {
                Error::unauthorized(error.message())
            }
            _ => Error::from(error),
        };
        let message = &failure.message;
        let says = |words: &[&str]| words.iter().any(|it| message.contains(it));
        match failure.code {
            _ if says(&[
                "status code: 404",
                "does not appear to be a git",
                "epository not found",
                "repository not exported",
            ]) =>
            {
                Error::not_found(failure.message)
            }
            _ if says(&["status code: 401", "status code: 403", "status code: 407"]) => {
                Error::unauthorized(failure.message)
            }
            // Whatever a remote does wrong is no bug of ours, and nothing here is damaged.
            crate::error::Code::Internal | crate::error::Code::Corrupt => {
                Error::unavailable(failure.message)
            }
            _ => failure,
        }
        .while_doing(url.as_str())
    }
}

fn is_about_keys(error: &git2::Error) -> bool {
    let message = error.message();
    ["authenticat", "key", "agent", "passphrase"].iter().any(|it| message.contains(it))
}
