//! Which bucket, on which server, and with which credentials; nothing shows these.

use std::{env, error::Error as _, fs, path::PathBuf, time::Duration};

use object_store::{
    BackoffConfig, Certificate, ClientOptions, Error as Failure, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    path::Path,
};
use serde::Deserialize;

use crate::{
    error::{Error, Result},
    git::{RepositoryPath, Transport, certificates},
};

const REGION: &str = "us-east-1";
const PREFIX: &str = "processes";
const CONNECT_TIME: Duration = Duration::from_secs(10);
const REQUEST_TIME: Duration = Duration::from_secs(60);
/// How long a server that fails (5xx) is asked again, and how often.
const RETRY_TIME: Duration = Duration::from_secs(30);
const RETRIES_MAX: usize = 5;
/// As much is told of what a server says.
const WORDS_MAX: usize = 300;

/// The argument `s3`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a map {bucket, endpoint?, …}")]
pub struct Bucket {
    bucket: String,
    /// The server; that of Amazon in the region if it is not said.
    endpoint: Option<String>,
    region: Option<String>,
    prefix: Option<String>,
    access_key_id: Option<String>,
    secret_access_key: Option<String>,
    session_token: Option<String>,
    ca: Option<String>,
    ca_file: Option<RepositoryPath>,
}

struct Credentials {
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Bucket {
    fn scheme(&self) -> &str {
        match &self.endpoint {
            Some(endpoint) => endpoint.split_once("://").map_or("", |(scheme, _)| scheme),
            None => "https",
        }
    }

    /// Fails for a server that is not to be spoken to.
    pub fn expect_allowed(&self, transports: &[Transport]) -> Result<()> {
        let bad = |why: &str| Error::bad_request(why).with("field", "store.s3.endpoint");
        let transport = match self.scheme() {
            "https" => Transport::Https,
            "http" => Transport::Http,
            _ => return Err(bad("`endpoint` begins with `https://` or `http://`")),
        };
        if self.endpoint.as_ref().is_some_and(|it| it.contains('@')) {
            return Err(bad("`endpoint` has no credentials in it"));
        }
        match transports.contains(&transport) {
            true => Ok(()),
            false => Err(Error::denied(format!("the transport {transport} is not allowed here"))
                .with("rule", "transport")),
        }
    }

    /// Tells it from every other one.
    pub fn identity(&self) -> String {
        let parts = [&self.endpoint, &self.region, &self.prefix];
        let parts = parts.map(|it| it.as_deref().unwrap_or_default());
        format!("{}\n{}", self.bucket, parts.join("\n"))
    }

    /// What people call it.
    pub fn shown(&self) -> String {
        let server = self.endpoint.as_deref().unwrap_or("Amazon S3");
        format!("the bucket `{}` at {server}", self.bucket)
    }

    pub fn prefix(&self) -> Result<Path> {
        Path::parse(self.prefix.as_deref().unwrap_or(PREFIX)).map_err(|error| {
            Error::bad_request(format!("`prefix`: {error}")).with("field", "store.s3.prefix")
        })
    }

    /// Fails for what can be no part of a request to a server.
    fn expect_sound(&self, credentials: &Credentials, region: Option<&str>) -> Result<()> {
        let bad = |field: &str| {
            let error = Error::bad_request(format!("`{field}` cannot be that of a server"));
            Err(error.with("field", format!("store.s3.{field}")))
        };
        let is_plain = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_graphic());
        let is_name = |it: &str| is_plain(it) && !it.contains(['/', '\\', '?', '#', '%']);
        let Credentials { access_key_id, secret_access_key, session_token } = credentials;
        if !is_name(&self.bucket) || self.bucket.contains("..") {
            return bad("bucket");
        }
        if self.endpoint.as_ref().is_some_and(|it| !is_plain(it) || url::Url::parse(it).is_err()) {
            return bad("endpoint");
        }
        if region.is_some_and(|it| !is_name(it)) {
            return bad("region");
        }
        let given = [
            ("access_key_id", Some(access_key_id)),
            ("secret_access_key", Some(secret_access_key)),
            ("session_token", session_token.as_ref()),
        ];
        match given.iter().find(|it| it.1.is_some_and(|it| !is_plain(it))) {
            Some((field, _)) => bad(field),
            None => Ok(()),
        }
    }

    pub fn client(&self) -> Result<AmazonS3> {
        // Another part of the program may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let region = self.region.clone().or_else(|| env::var("AWS_REGION").ok());
        let credentials = self.credentials()?;
        self.expect_sound(&credentials, region.as_deref())?;
        let Credentials { access_key_id, secret_access_key, session_token } = credentials;
        let retry = RetryConfig {
            backoff: BackoffConfig::default(),
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_TIME,
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&self.bucket)
            .with_region(region.unwrap_or_else(|| REGION.to_owned()))
            .with_access_key_id(access_key_id)
            .with_secret_access_key(secret_access_key)
            .with_retry(retry)
            .with_client_options(self.options()?);
        if let Some(token) = session_token {
            builder = builder.with_token(token);
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(endpoint);
        }
        builder.build().map_err(|error| {
            Error::bad_request(self.hidden(&error.to_string())).with("field", "store.s3")
        })
    }

    fn options(&self) -> Result<ClientOptions> {
        let mut options = ClientOptions::new()
            .with_connect_timeout(CONNECT_TIME)
            .with_timeout(REQUEST_TIME)
            .with_no_system_certificates(true);
        if self.scheme() == "http" {
            return Ok(options.with_allow_http(true));
        }
        let bad = |why: String| Error::bad_request(why).with("field", "store.s3.ca");
        let trusted = Certificate::from_pem_bundle(&self.trusted()?);
        for certificate in trusted.map_err(|error| bad(format!("no certificates: {error}")))? {
            options = options.with_root_certificate(certificate);
        }
        Ok(options)
    }

    /// The certificates to trust: those that the request names, or else the system's.
    fn trusted(&self) -> Result<Vec<u8>> {
        let file = match (&self.ca, &self.ca_file) {
            (Some(_), Some(_)) => {
                let message = "`ca` and `ca_file` are both given; give one";
                return Err(Error::bad_request(message).with("field", "store.s3.ca"));
            }
            (Some(text), None) => return Ok(text.clone().into_bytes()),
            (None, Some(file)) => Some(file.to_path_buf()),
            (None, None) => certificates()[0].clone(),
        };
        let read =
            |file: PathBuf| fs::read(&file).map_err(|error| Error::from_io(file.display(), &error));
        file.map_or_else(|| Ok(Vec::new()), read)
    }

    /// Those of the request, or else those of the daemon's environment.
    fn credentials(&self) -> Result<Credentials> {
        let Bucket { access_key_id, secret_access_key, session_token, .. } = self;
        let variable = |name| env::var(name).ok().filter(|it| !it.is_empty());
        let (id, secret, session_token) = match (access_key_id, secret_access_key) {
            (None, None) => (
                variable("AWS_ACCESS_KEY_ID"),
                variable("AWS_SECRET_ACCESS_KEY"),
                variable("AWS_SESSION_TOKEN"),
            ),
            (id, secret) => (id.clone(), secret.clone(), session_token.clone()),
        };
        match (id, secret) {
            (Some(access_key_id), Some(secret_access_key)) => {
                Ok(Credentials { access_key_id, secret_access_key, session_token })
            }
            _ => Err(Error::unauthorized(
                "the store needs `access_key_id` and `secret_access_key`, in the request or as \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the daemon's environment",
            )),
        }
    }

    /// What a failure means.
    pub fn failed(&self, failure: &Failure) -> Error {
        let message = format!("{}: {}", self.shown(), brief(&self.hidden(&words_of(failure))));
        match failure {
            Failure::NotFound { .. } => Error::not_found(message),
            Failure::AlreadyExists { .. } => Error::already_exists(message),
            Failure::PermissionDenied { .. } | Failure::Unauthenticated { .. } => {
                Error::unauthorized(message)
            }
            Failure::NotImplemented { .. } | Failure::NotSupported { .. } => {
                Error::unsupported(message).with("feature", "conditional put")
            }
            _ => Error::unavailable(message),
        }
    }

    /// The same without secrets, which a server may repeat.
    fn hidden(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in self.credentials().iter().flat_map(Credentials::secrets) {
            text = text.replace(secret, "…");
        }
        text
    }
}

impl Credentials {
    fn secrets(&self) -> impl Iterator<Item = &str> {
        let Credentials { secret_access_key, session_token, .. } = self;
        [Some(secret_access_key), session_token.as_ref()]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|it| !it.is_empty())
    }
}

/// What a failure came from, which says most, and then where it was met.
fn words_of(failure: &Failure) -> String {
    let (mut first, mut cause) = (None, failure.source());
    while let Some(it) = cause {
        (first, cause) = (Some(it), it.source());
    }
    match first {
        Some(first) => format!("{first}: {failure}"),
        None => failure.to_string(),
    }
}

/// The beginning of a text, in one line. What is to be hidden has to be so before.
fn brief(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(WORDS_MAX).collect()
}
