//! What a signature is worth.

use ::rsa::signature::Verifier;
use serde::Serialize;
use ssh_encoding::{Decode, Encode};
use ssh_key::{Algorithm, HashAlg, Signature, SshSig, public::KeyData};

use super::{
    allowed::{AllowedSigners, Standing},
    armor::SIGNATURE,
    fingerprint, rsa,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It fits, and who made it may sign.
    Good,
    /// It fits; nobody says that who made it may sign.
    Untrusted,
    /// It fits; who made it may sign, but not at this time.
    Expired,
    /// It does not fit, or was made for another purpose.
    Bad,
    /// Not of ssh, or by a kind of key that is not known.
    Unsupported,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Ssh,
    Pgp,
    X509,
    Unknown,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub status: Status,
    #[serde(rename = "type")]
    pub format: Format,
    /// The kind of the key, as ssh names it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub algorithm: Option<String>,
    /// Its fingerprint, SHA256:….
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Who the key is, in the words of the list: names or patterns.
    pub principals: Vec<String>,
}

const MAGIC: &[u8] = b"SSHSIG";

/// Keys whose signatures can be checked.
const ALGORITHMS: [&str; 7] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

/// Judges an armored signature of a payload. `at_time`, in seconds since 1970, is when it is said
/// to have been made.
pub fn verify(
    payload: &[u8],
    armored: &[u8],
    namespace: &str,
    at_time: i64,
    allowed: Option<&AllowedSigners>,
) -> Verdict {
    let format = format(armored);
    let verdict =
        |status| Verdict { status, format, algorithm: None, key: None, principals: Vec::new() };
    if format != Format::Ssh {
        return verdict(Status::Unsupported);
    }
    let Some(bytes) = SIGNATURE.decode(armored) else { return verdict(Status::Bad) };
    let Some((version, algorithm)) = head(&bytes) else { return verdict(Status::Bad) };
    let is_known = version == SshSig::VERSION && ALGORITHMS.contains(&&*algorithm);
    let verdict = |status| Verdict { algorithm: Some(algorithm.clone()), ..verdict(status) };
    if !is_known {
        return verdict(Status::Unsupported);
    }
    let Some(envelope) = envelope(&bytes) else { return verdict(Status::Bad) };
    let Envelope { key, namespace: purpose, hash, signature } = &envelope;
    let verdict =
        |status, principals| Verdict { key: Some(fingerprint(key)), principals, ..verdict(status) };
    let message = SshSig::signed_data(namespace, *hash, payload);
    let is_right = purpose == namespace && message.is_ok_and(|it| fits(key, &it, signature));
    let standing = allowed.map_or(Standing::Unknown, |it| it.standing(key, namespace, at_time));
    match (is_right, standing) {
        (false, _) => verdict(Status::Bad, Vec::new()),
        (true, Standing::Allowed(principals)) => verdict(Status::Good, principals),
        (true, Standing::Expired(principals)) => verdict(Status::Expired, principals),
        (true, Standing::Unknown) => verdict(Status::Untrusted, Vec::new()),
    }
}

/// Whether the key made the signature of this message.
pub(super) fn fits(key: &KeyData, message: &[u8], signature: &Signature) -> bool {
    match key {
        KeyData::Rsa(key) => rsa::verify(key, message, signature),
        key => key.verify(message, signature).is_ok(),
    }
}

fn format(armored: &[u8]) -> Format {
    let armored = armored.trim_ascii_start();
    let begins = |text: &str| armored.starts_with(text.as_bytes());
    match () {
        () if begins(SIGNATURE.begin) => Format::Ssh,
        () if begins("-----BEGIN PGP ") => Format::Pgp,
        () if begins("-----BEGIN SIGNED MESSAGE-----") => Format::X509,
        () => Format::Unknown,
    }
}

/// The version and the kind of key, which decide whether the rest can be understood.
fn head(bytes: &[u8]) -> Option<(u32, String)> {
    let reader = &mut bytes.strip_prefix(MAGIC)?;
    let version = u32::decode(reader).ok()?;
    let key = Vec::<u8>::decode(reader).ok()?;
    Some((version, String::decode(&mut &*key).ok()?))
}

/// What is in the armor.
struct Envelope {
    key: KeyData,
    namespace: String,
    hash: HashAlg,
    signature: Signature,
}

/// The library's own reading takes lengths that are longer than what follows; ssh-keygen does not.
fn envelope(bytes: &[u8]) -> Option<Envelope> {
    let reader = &mut bytes.strip_prefix(MAGIC)?;
    let _version = u32::decode(reader).ok()?;
    let blob = Vec::<u8>::decode(reader).ok()?;
    let namespace = String::decode(reader).ok()?;
    let _reserved = Vec::<u8>::decode(reader).ok()?;
    let hash = String::decode(reader).ok()?.parse().ok()?;
    let signature = signature(&Vec::<u8>::decode(reader).ok()?)?;
    let key = KeyData::decode(&mut &*blob).ok()?;
    let mut again = Vec::new();
    key.encode(&mut again).ok()?;
    let is_whole = reader.is_empty() && again == blob;
    is_whole.then_some(Envelope { key, namespace, hash, signature })
}

fn signature(mut blob: &[u8]) -> Option<Signature> {
    let reader = &mut blob;
    let algorithm: Algorithm = String::decode(reader).ok()?.parse().ok()?;
    let mut data = Vec::<u8>::decode(reader).ok()?;
    let is_by_token = matches!(algorithm, Algorithm::SkEd25519 | Algorithm::SkEcdsaSha2NistP256);
    if is_by_token {
        // Its flags and counter, which it signed too.
        data.extend(reader.split_off(..5)?);
    }
    Signature::new(algorithm, data).ok().filter(|_| reader.is_empty())
}
