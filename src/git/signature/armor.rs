//! Text around bytes, as OpenSSH writes its keys and signatures; read with lines of any length.

use base64::{Engine, engine::general_purpose::STANDARD};

pub struct Armor {
    pub begin: &'static str,
    pub end: &'static str,
}

pub const PRIVATE_KEY: Armor = Armor {
    begin: "-----BEGIN OPENSSH PRIVATE KEY-----",
    end: "-----END OPENSSH PRIVATE KEY-----",
};

pub const SIGNATURE: Armor =
    Armor { begin: "-----BEGIN SSH SIGNATURE-----", end: "-----END SSH SIGNATURE-----" };

impl Armor {
    /// The bytes inside; nothing where the text is more than the armor, or is damaged.
    pub fn decode(&self, text: &[u8]) -> Option<Vec<u8>> {
        let text = text.trim_ascii().strip_prefix(self.begin.as_bytes())?;
        let mut inside = text.strip_suffix(self.end.as_bytes())?.to_vec();
        inside.retain(|it| !it.is_ascii_whitespace());
        STANDARD.decode(inside).ok()
    }
}
