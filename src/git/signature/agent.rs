//! An ssh agent: which keys it has, and signatures by them, in bounded time.

use std::{
    env,
    io::{self, Read, Write},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with,
    sockopt::{Timeout, set_socket_timeout},
};
use ssh_encoding::{Decode, Encode};
use ssh_key::{Signature, public::KeyData};

use super::fingerprint;
use crate::error::{Code, Error, Result};

/// How long an agent may take for all it is asked at once. Some ask a person.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// What OpenSSH's own agent stays below.
const ANSWER_BYTES_MAX: usize = 256 * 1024;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;
/// Without it RSA signatures are made with SHA-1.
const RSA_SHA2_512: u32 = 4;

pub struct Agent {
    socket: PathBuf,
    within: Duration,
}

impl Agent {
    pub fn new(socket: Option<PathBuf>, within: Duration) -> Result<Agent> {
        let own = || env::var_os("SSH_AUTH_SOCK").filter(|it| !it.is_empty()).map(PathBuf::from);
        match socket.or_else(own) {
            Some(socket) => Ok(Agent { socket, within }),
            None => Err(Error::unavailable("`SSH_AUTH_SOCK` names no agent, nor does `socket`")),
        }
    }

    /// Its keys in its own order, without those that this program does not know.
    pub fn keys(&self) -> Result<Vec<KeyData>> {
        let mut answer = &*self.ask(&[REQUEST_IDENTITIES], IDENTITIES_ANSWER)?;
        keys(&mut answer).map_err(|_| self.strange())
    }

    pub fn sign(&self, key: &KeyData, message: &[u8]) -> Result<Signature> {
        let flags = if key.is_rsa() { RSA_SHA2_512 } else { 0 };
        let request = sign_request(key, message, flags).map_err(|_| self.strange())?;
        let answer = self.ask(&request, SIGN_RESPONSE).map_err(|error| match error.code {
            Code::Denied => {
                Error::unauthorized(format!("the agent refuses to sign with {}", fingerprint(key)))
            }
            _ => error,
        })?;
        let blob = Vec::<u8>::decode(&mut &*answer).map_err(|_| self.strange())?;
        Signature::decode(&mut &*blob).map_err(|_| {
            Error::unsupported("the agent's kind of signature").with("feature", "signature")
        })
    }

    /// One request and its answer, over a connection of their own.
    fn ask(&self, request: &[u8], expected: u8) -> Result<Vec<u8>> {
        let mut answer = self.exchange(request).map_err(|error| self.unavailable(&error))?;
        match answer.first() {
            Some(kind) if *kind == expected => Ok(answer.split_off(1)),
            Some(&FAILURE) => Err(Error::denied("the agent refuses").with("rule", "agent")),
            _ => Err(self.strange()),
        }
    }

    fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let until = Instant::now() + self.within;
        let mut stream = open(&self.socket, self.within)?;
        let length = (request.len() as u32).to_be_bytes();
        stream.write_all(&[&length, request].concat())?;
        let mut length = [0; 4];
        read(&mut stream, &mut length, until)?;
        let length = u32::from_be_bytes(length) as usize;
        if length > ANSWER_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut answer = vec![0; length];
        read(&mut stream, &mut answer, until)?;
        Ok(answer)
    }

    fn unavailable(&self, error: &io::Error) -> Error {
        let socket = self.socket.display();
        Error::unavailable(match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                format!("the agent at {socket} did not answer in {:?}", self.within)
            }
            _ => format!("the agent at {socket}: {error}"),
        })
    }

    fn strange(&self) -> Error {
        Error::unavailable(format!("{} does not speak as an ssh agent", self.socket.display()))
    }
}

fn keys(answer: &mut &[u8]) -> ssh_key::Result<Vec<KeyData>> {
    let mut keys = Vec::new();
    for _ in 0..u32::decode(answer)? {
        let blob = Vec::<u8>::decode(answer)?;
        let _comment = Vec::<u8>::decode(answer)?;
        keys.extend(KeyData::decode(&mut &*blob));
    }
    Ok(keys)
}

fn sign_request(key: &KeyData, message: &[u8], flags: u32) -> ssh_key::Result<Vec<u8>> {
    let mut request = vec![SIGN_REQUEST];
    key.encode_prefixed(&mut request)?;
    message.encode(&mut request)?;
    flags.encode(&mut request)?;
    Ok(request)
}

/// Connects; where the agent has no room for one more that waits, only for so long.
fn open(socket: &Path, within: Duration) -> io::Result<UnixStream> {
    let descriptor =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    set_socket_timeout(&descriptor, Timeout::Send, Some(within))?;
    connect(&descriptor, &SocketAddrUnix::new(socket)?)?;
    Ok(UnixStream::from(descriptor))
}

fn read(stream: &mut UnixStream, mut rest: &mut [u8], until: Instant) -> io::Result<()> {
    while !rest.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(rest) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => rest = &mut rest[count..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
