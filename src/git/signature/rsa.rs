//! RSA, where what `ssh-key` does with it is wrong, and for the sizes of keys that OpenSSH takes.

use rsa::{
    BigUint, RsaPrivateKey, RsaPublicKey,
    pkcs1v15::{Signature, SigningKey, VerifyingKey},
    rand_core::OsRng,
    signature::{RandomizedSigner, SignatureEncoding, Verifier},
    traits::PublicKeyParts,
};
use ssh_key::{
    Algorithm, HashAlg, Mpint,
    private::RsaKeypair,
    public,
    sha2::{Sha256, Sha512},
};

/// What OpenSSH takes.
const BITS_MIN: usize = 1024;
const BITS_MAX: usize = 16 * 1024;
/// What the library signs with.
const SIGNING_BITS_MAX: usize = RsaPublicKey::MAX_SIZE;

pub fn can_sign(keypair: &RsaKeypair) -> bool {
    number(&keypair.public.n).is_some_and(|it| (BITS_MIN..=SIGNING_BITS_MAX).contains(&it.bits()))
}

/// Signs as rsa-sha2-512, blinded so that the time it takes tells nothing of the key.
pub fn sign(keypair: &RsaKeypair, message: &[u8]) -> Option<ssh_key::Signature> {
    let RsaKeypair { public, private } = keypair;
    // `ssh-key` itself gives the same prime twice, which is refused.
    let primes = vec![number(&private.p)?, number(&private.q)?];
    let (n, e, d) = (number(&public.n)?, number(&public.e)?, number(&private.d)?);
    let key = RsaPrivateKey::from_components(n, e, d, primes).ok()?;
    let key = SigningKey::<Sha512>::new(key);
    let signature = key.try_sign_with_rng(&mut OsRng, message).ok()?;
    let algorithm = Algorithm::Rsa { hash: Some(HashAlg::Sha512) };
    ssh_key::Signature::new(algorithm, signature.to_vec()).ok()
}

pub fn verify(key: &public::RsaPublicKey, message: &[u8], signature: &ssh_key::Signature) -> bool {
    let Some(key) = public_key(key) else { return false };
    let Ok(bytes) = Signature::try_from(signature.as_bytes()) else { return false };
    match signature.algorithm() {
        Algorithm::Rsa { hash: Some(HashAlg::Sha512) } => {
            VerifyingKey::<Sha512>::new(key).verify(message, &bytes).is_ok()
        }
        Algorithm::Rsa { hash: Some(HashAlg::Sha256) } => {
            VerifyingKey::<Sha256>::new(key).verify(message, &bytes).is_ok()
        }
        _ => false,
    }
}

fn public_key(key: &public::RsaPublicKey) -> Option<RsaPublicKey> {
    let key = RsaPublicKey::new_with_max_size(number(&key.n)?, number(&key.e)?, BITS_MAX).ok()?;
    (key.n().bits() >= BITS_MIN).then_some(key)
}

fn number(number: &Mpint) -> Option<BigUint> {
    number.as_positive_bytes().map(BigUint::from_bytes_be)
}
