//! Signatures by ssh keys: made for commits, tags and other texts, and judged.
//!
//! `git verify-commit`, `git verify-tag` and `ssh-keygen -Y verify` say the same of them.

mod agent;
mod allowed;
mod armor;
mod key;
pub mod line;
pub mod object;
mod pattern;
mod rsa;
mod verdict;
mod with;

use std::{fmt, time::Duration};

use ::rsa::signature::Signer as _;
use ssh_key::{
    HashAlg, LineEnding, PublicKey, Signature, SshSig, private::KeypairData, public::KeyData,
};

use self::agent::{ANSWER_WITHIN, Agent};
pub use self::{
    allowed::AllowedSigners,
    verdict::{Format, Status, Verdict, verify},
    with::SignWith,
};
use crate::error::{Error, Result};

/// A key that is ready to sign. Its own formatting does not show it.
pub struct Signer {
    public: KeyData,
    key: Key,
    /// Whether it has made a signature that was right, and is the same for ever.
    is_proven: bool,
}

enum Key {
    /// Opened, in this process.
    Own(Box<KeypairData>),
    Agents(Agent),
}

/// How long an agent may take for each of the two things it is asked while others wait for the
/// repository.
const ANSWER_IN_A_STEP_WITHIN: Duration = Duration::from_secs(1);

impl Signer {
    pub fn new(with: &SignWith) -> Result<Signer> {
        Signer::answering(with, ANSWER_WITHIN)
    }

    /// One that signs what a transaction makes, so that those behind it do not wait for long.
    pub fn in_a_step(with: &SignWith) -> Result<Signer> {
        Signer::answering(with, ANSWER_IN_A_STEP_WITHIN)
    }

    fn answering(with: &SignWith, within: Duration) -> Result<Signer> {
        let keypair = match with {
            SignWith::KeyFile { file, passphrase } => key::read(file, passphrase.as_deref())?,
            SignWith::Key { key, passphrase } => {
                key::unlock(key.as_bytes(), passphrase.as_deref())?
            }
            SignWith::Agent { public_key, socket } => {
                let agent = Agent::new(socket.clone(), within)?;
                return Signer::by_agent(agent, public_key.as_deref());
            }
        };
        let public = KeyData::try_from(&keypair).map_err(unusable)?;
        Ok(Signer { public, key: Key::Own(Box::new(keypair)), is_proven: false })
    }

    /// One that signs very often: that its signatures are right is found out once.
    pub fn proven(with: &SignWith) -> Result<Signer> {
        let signer = Signer::new(with)?;
        signer.sign("gitport-probe", b"")?;
        Ok(Signer { is_proven: matches!(signer.key, Key::Own(_)), ..signer })
    }

    fn by_agent(agent: Agent, wanted: Option<&PublicKey>) -> Result<Signer> {
        let mut keys = agent.keys()?.into_iter();
        let signs = |it: &KeyData| it.is_ed25519() || it.is_ecdsa() || it.is_rsa();
        let public = match wanted.map(PublicKey::key_data) {
            Some(wanted) if !signs(wanted) => return Err(key::unknown_kind()),
            Some(wanted) => keys.find(|it| it == wanted).ok_or_else(|| {
                let wanted = fingerprint(wanted);
                Error::not_found(format!("the agent does not have the key {wanted}"))
            })?,
            None => keys
                .find(signs)
                .ok_or_else(|| Error::not_found("the agent has no key that signs"))?,
        };
        Ok(Signer { public, key: Key::Agents(agent), is_proven: false })
    }

    /// SHA256:… as ssh-keygen shows it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.public)
    }

    /// The armored signature of a payload, for one purpose: the namespace.
    pub fn sign(&self, namespace: &str, payload: &[u8]) -> Result<String> {
        if namespace.is_empty() {
            return Err(Error::bad_request("a signature needs a namespace"));
        }
        let message = SshSig::signed_data(namespace, HashAlg::Sha512, payload).map_err(unusable)?;
        let signature = self.signature(&message)?;
        // A damaged key, or a damaged agent, makes signatures that nobody would accept.
        if !self.is_proven && !verdict::fits(&self.public, &message, &signature) {
            return Err(Error::unauthorized("the key makes signatures that are none of its own"));
        }
        let signature = SshSig::new(self.public.clone(), namespace, HashAlg::Sha512, signature);
        signature.and_then(|it| it.to_pem(LineEnding::LF)).map_err(unusable)
    }

    fn signature(&self, message: &[u8]) -> Result<Signature> {
        let signature = match &self.key {
            Key::Agents(agent) => return agent.sign(&self.public, message),
            Key::Own(keypair) => match &**keypair {
                KeypairData::Rsa(pair) => rsa::sign(pair, message),
                other => other.try_sign(message).ok(),
            },
        };
        signature.ok_or_else(|| Error::unauthorized("the parts of the key do not fit"))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

fn fingerprint(key: &KeyData) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn unusable(error: ssh_key::Error) -> Error {
    Error::unauthorized(format!("the key cannot be used: {error}"))
}

#[cfg(test)]
mod tests;
