//! Signatures by keys on a token: what the hardware would do is done here with keys in memory.

use base64::{Engine, engine::general_purpose::STANDARD};
use rsa::signature::Signer as _;
use ssh_encoding::Encode;
use ssh_key::{
    HashAlg, PrivateKey, Signature, SshSig,
    public::{KeyData, PublicKey, SkEcdsaSha2NistP256, SkEd25519},
};

use super::{KINDS, Keys, PAYLOAD, PRINCIPAL, Status, judged};
use crate::git::signature::key;

/// Where keys for ssh are registered.
const APPLICATION: &str = "ssh:";
/// Somebody touched it, for the 258th time.
const FLAGS_AND_COUNTER: [u8; 5] = [1, 0, 0, 1, 2];

fn on_token(key: &PrivateKey) -> KeyData {
    match key.public_key().key_data() {
        KeyData::Ed25519(key) => KeyData::SkEd25519(SkEd25519::new(*key, APPLICATION)),
        KeyData::Ecdsa(ssh_key::public::EcdsaPublicKey::NistP256(key)) => {
            KeyData::SkEcdsaSha2NistP256(SkEcdsaSha2NistP256::new(*key, APPLICATION))
        }
        _ => panic!("tokens have no other keys"),
    }
}

fn signature(key: &PrivateKey) -> String {
    let message = SshSig::signed_data("git", HashAlg::Sha512, PAYLOAD).unwrap();
    let digest = |it: &[u8]| HashAlg::Sha256.digest(it);
    let signed =
        [&*digest(APPLICATION.as_bytes()), &FLAGS_AND_COUNTER, &*digest(&message)].concat();
    let raw: Signature = key.try_sign(&signed).unwrap();
    let public = on_token(key);
    let mut blob = Vec::new();
    public.algorithm().as_str().encode(&mut blob).unwrap();
    raw.as_bytes().encode(&mut blob).unwrap();
    blob.extend(FLAGS_AND_COUNTER);
    let mut whole = b"SSHSIG\0\0\0\x01".to_vec();
    public.encode_prefixed(&mut whole).unwrap();
    for field in [&b"git"[..], b"", b"sha512", &blob] {
        field.encode(&mut whole).unwrap();
    }
    let whole = STANDARD.encode(whole);
    format!("-----BEGIN SSH SIGNATURE-----\n{whole}\n-----END SSH SIGNATURE-----\n")
}

#[test]
fn signatures_by_tokens_are_good_where_ssh_keygen_accepts_them() {
    let keys = Keys::new();
    for (index, kind) in KINDS[..2].iter().enumerate() {
        let file = keys.generate(&format!("key{index}"), kind, "");
        let key = PrivateKey::new(key::read(&file, None).unwrap(), "").unwrap();
        let public = PublicKey::from(on_token(&key)).to_openssh().unwrap();
        let allowed = format!("{PRINCIPAL} {public}\n");
        let armored = signature(&key);
        assert!(keys.keygen_verifies(&armored, &allowed, &[]), "{kind:?}");
        assert_eq!(judged(&armored, &allowed).status, Status::Good, "{kind:?}");
        // What the token counted is signed too.
        let bytes: String = armored.lines().filter(|it| !it.starts_with('-')).collect();
        let mut bytes = STANDARD.decode(bytes).unwrap();
        *bytes.last_mut().unwrap() += 1;
        let (begin, end) = ("-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----");
        let changed = format!("{begin}\n{}\n{end}\n", STANDARD.encode(bytes));
        assert_eq!(judged(&changed, &allowed).status, Status::Bad, "{kind:?}");
    }
}
