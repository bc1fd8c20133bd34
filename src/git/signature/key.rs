//! Private keys in the format of OpenSSH, opened with their passphrase.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use rustix::fs::{Mode, OFlags, open};
use ssh_encoding::{Decode, Encode};
use ssh_key::{Cipher, Kdf, private::KeypairData};

use super::{armor::PRIVATE_KEY, rsa};
use crate::error::{Error, Result};

/// A file of more is no key.
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// A key that asks for more rounds would keep a processor busy for minutes. The default is 16.
const ROUNDS_MAX: u32 = 1024;

pub fn read(path: &Path, passphrase: Option<&str>) -> Result<KeypairData> {
    let text = content(path).map_err(|error| Error::from_io(path.display(), &error))?;
    unlock(&text, passphrase).map_err(|error| error.while_doing(path.display()))
}

pub fn unlock(text: &[u8], passphrase: Option<&str>) -> Result<KeypairData> {
    let Some(bytes) = PRIVATE_KEY.decode(text) else {
        return Err(Error::unauthorized("there is no private key in the format of OpenSSH"));
    };
    let container = container(&bytes).map_err(|_| Error::unauthorized(DAMAGED))?;
    let private = container.decrypted(passphrase)?;
    let keypair = keypair(&private).map_err(|_| Error::unauthorized(DAMAGED))?;
    match &keypair {
        KeypairData::Ed25519(_) | KeypairData::Ecdsa(_) => Ok(keypair),
        KeypairData::Rsa(pair) if rsa::can_sign(pair) => Ok(keypair),
        KeypairData::Rsa(_) => {
            Err(unsupported("an RSA key of fewer than 1024 or more than 4096 bits"))
        }
        _ => Err(unknown_kind()),
    }
}

/// There are others, which need hardware or are out of use.
pub fn unknown_kind() -> Error {
    unsupported("a key that is neither Ed25519 nor ECDSA nor RSA")
}

const DAMAGED: &str = "the private key is damaged";

fn unsupported(what: &str) -> Error {
    Error::unsupported(what).with("feature", "key type")
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    // Opening a pipe waits for somebody who writes it, unless it is told not to.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = File::from(open(path, flags, Mode::empty())?);
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "it is no file"));
    }
    let mut text = Vec::new();
    file.take(FILE_BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

/// A private key as OpenSSH keeps it, perhaps encrypted.
///
/// The library's own reading of it fails on ECDSA keys that begin with a zero byte, which are half
/// of those on the curve P-521.
struct Container {
    cipher: Cipher,
    kdf: Kdf,
    private: Vec<u8>,
    tag: Option<[u8; 16]>,
}

fn container(mut bytes: &[u8]) -> ssh_key::Result<Container> {
    const MAGIC: &[u8] = b"openssh-key-v1\0";
    bytes = bytes.strip_prefix(MAGIC).ok_or(ssh_key::Error::FormatEncoding)?;
    let reader = &mut bytes;
    let cipher = Cipher::decode(reader)?;
    let kdf = Kdf::decode(reader)?;
    let count = u32::decode(reader)?;
    if count != 1 {
        return Err(ssh_key::Error::FormatEncoding);
    }
    let _public = Vec::<u8>::decode(reader)?;
    let private = Vec::decode(reader)?;
    let tag = match cipher.has_tag() {
        true => Some(*reader.first_chunk().ok_or(ssh_key::Error::FormatEncoding)?),
        false => None,
    };
    Ok(Container { cipher, kdf, private, tag })
}

impl Container {
    fn decrypted(self, passphrase: Option<&str>) -> Result<Vec<u8>> {
        let Container { cipher, kdf, mut private, tag } = self;
        let wrong = match (&kdf, passphrase) {
            _ if cipher.is_none() => DAMAGED,
            (_, None) => {
                return Err(Error::unauthorized("the private key needs its passphrase"));
            }
            (Kdf::Bcrypt { rounds, .. }, _) if *rounds > ROUNDS_MAX => {
                return Err(unsupported("a key with more than 1024 rounds of key derivation"));
            }
            (_, Some(passphrase)) => {
                let wrong = "the passphrase is wrong";
                let opened = kdf
                    .derive_key_and_iv(cipher, passphrase)
                    .and_then(|(key, iv)| Ok(cipher.decrypt(&key, &iv, &mut private, tag)?));
                opened.map_err(|_| Error::unauthorized(wrong))?;
                wrong
            }
        };
        // The same number twice shows that it was opened with the right key.
        match private.split_at_checked(8) {
            Some((check, rest)) if check[..4] == check[4..] => Ok(rest.to_vec()),
            _ => Err(Error::unauthorized(wrong)),
        }
    }
}

/// The key that the text begins with; its comment and padding follow.
fn keypair(private: &[u8]) -> ssh_key::Result<KeypairData> {
    let reader = &mut &*private;
    let algorithm = String::decode(reader)?;
    let size = match &*algorithm {
        "ecdsa-sha2-nistp256" => 32,
        "ecdsa-sha2-nistp384" => 48,
        "ecdsa-sha2-nistp521" => 66,
        _ => return KeypairData::decode(&mut &*private),
    };
    let curve = String::decode(reader)?;
    let point = Vec::<u8>::decode(reader)?;
    let number = Vec::<u8>::decode(reader)?;
    let zeros = number.iter().take_while(|it| **it == 0).count();
    let number = &number[zeros..];
    let missing = size - number.len().min(size);
    let padded = [&vec![0; missing], number].concat();
    let mut whole = Vec::new();
    algorithm.encode(&mut whole)?;
    curve.encode(&mut whole)?;
    point.encode(&mut whole)?;
    padded.encode(&mut whole)?;
    KeypairData::decode(&mut &*whole)
}
