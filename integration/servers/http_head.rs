//! The head of an HTTP request, as far as servers without a web server look at it.

use std::{io::Read, net::TcpStream};

#[derive(Clone, Debug)]
pub struct Head {
    pub method: String,
    pub target: String,
    text: String,
}

impl Head {
    /// The head of the next request on `stream`; none when there is none.
    pub fn read(mut stream: &TcpStream) -> Option<Head> {
        let mut bytes = Vec::new();
        let mut byte = [0];
        while !bytes.ends_with(b"\r\n\r\n") && bytes.len() < 65536 {
            stream.read_exact(&mut byte).ok()?;
            bytes.push(byte[0]);
        }
        let text = String::from_utf8(bytes).ok()?;
        let mut words = text.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        Some(Head { method, target, text })
    }

    /// Reads past the body that follows on `stream`.
    pub fn skip_body(&self, stream: &TcpStream) {
        let length = self.value("content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
        let _ = std::io::copy(&mut stream.take(length), &mut std::io::sink());
    }

    /// The value of the header `name`.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.text.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn text(&self) -> &str {
        &self.text
    }
}
