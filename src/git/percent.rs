//! Percent-encoding as it is read back. What is encoded differs from place to place.

/// The text that was encoded; nothing where this is no encoding, or not of a text.
pub fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => digit(rest.next()?)? << 4 | digit(rest.next()?)?,
            other => other,
        });
    }
    String::from_utf8(bytes).ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|it| u8::try_from(it).ok())
}

#[cfg(test)]
mod tests {
    use super::decode;

    #[test]
    fn two_digits_stand_for_a_byte_and_nothing_else_does() {
        assert_eq!(decode("a%2Fb%c3%A4").as_deref(), Some("a/bä"));
        for bad in ["%", "%4", "%+4", "% 4", "%g0", "%ff", "a%2"] {
            assert_eq!(decode(bad), None, "{bad}");
        }
    }
}
