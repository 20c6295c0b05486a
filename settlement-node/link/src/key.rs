//! The Ed25519 key that is a node's or gateway's identity on the network (RFC 7250).
//!
//! The public key itself is the identity: no certificate, no issuer, no expiry. The secret
//! never leaves this type except into the TLS library, and is wiped when dropped.

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::{SigningKey, VerifyingKey};
use ring::hmac;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;
use zeroize::Zeroizing;

/// DER of a SubjectPublicKeyInfo for Ed25519, up to the 32 bytes of the key.
const SPKI_ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0];
/// DER of a PKCS#8 (version 1) private key for Ed25519, up to the 32 bytes of the seed.
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

/// The Ed25519 secret behind one TLS identity. Wiped on drop; `Debug` shows the public key only.
#[derive(Clone)]
pub struct LinkKey(SigningKey);

impl LinkKey {
    /// The key of a 32-byte Ed25519 seed.
    pub fn from_seed(seed: [u8; 32]) -> LinkKey {
        let seed = Zeroizing::new(seed);
        LinkKey(SigningKey::from_bytes(&seed))
    }

    /// The public key: what the other side pins.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The key in the form that the TLS library signs handshakes with.
    pub(crate) fn certified(&self) -> Result<Arc<CertifiedKey>, rustls::Error> {
        let mut pkcs8 = Zeroizing::new([0u8; 48]);
        pkcs8[..16].copy_from_slice(&PKCS8_ED25519);
        pkcs8[16..].copy_from_slice(Zeroizing::new(self.0.to_bytes()).as_slice());
        let der = PrivatePkcs8KeyDer::from(pkcs8.as_slice());
        let signing = rustls::crypto::ring::sign::any_eddsa_type(&der)?;
        Ok(Arc::new(CertifiedKey::new(vec![spki(&self.public())], signing)))
    }

    /// Key of the stateless resets of the endpoint called `purpose`. It is the same after a
    /// restart, so that the other side learns at once that its old connection is gone.
    pub(crate) fn reset_key(&self, purpose: &str) -> hmac::Key {
        let seed = Zeroizing::new(self.0.to_bytes());
        let root = hmac::Key::new(hmac::HMAC_SHA256, seed.as_slice());
        let mut context = hmac::Context::with_key(&root);
        context.update(b"corridor/link/stateless-reset/v1/");
        context.update(purpose.as_bytes());
        hmac::Key::new(hmac::HMAC_SHA256, context.sign().as_ref())
    }
}

impl fmt::Debug for LinkKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkKey({})", hex(&self.public()))
    }
}

/// Lower-case hexadecimal text of a key.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key as a SubjectPublicKeyInfo, the form in which TLS carries it.
fn spki(public: &[u8; 32]) -> CertificateDer<'static> {
    CertificateDer::from([SPKI_ED25519.as_slice(), public].concat())
}

/// The public key in what the other side presented; `None` unless it is exactly an Ed25519
/// SubjectPublicKeyInfo.
pub(crate) fn public_of(presented: &[u8]) -> Option<[u8; 32]> {
    presented.strip_prefix(&SPKI_ED25519)?.try_into().ok()
}

/// Checks an Ed25519 signature of the handshake, refusing odd keys and malleable signatures.
pub(crate) fn signature_is_valid(public: &[u8; 32], message: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
    VerifyingKey::from_bytes(public).is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn debug_shows_only_the_public_key() {
        let key = LinkKey::from_seed([7; 32]);
        let text = format!("{key:?}");
        assert!(text.contains(&hex(&key.public())));
        assert!(!text.contains(&hex(&[7; 32])));
    }

    #[test]
    fn tls_library_accepts_the_key_and_signs_with_it() {
        let key = LinkKey::from_seed([9; 32]);
        let certified = key.certified().unwrap();
        assert_eq!(public_of(&certified.cert[0]), Some(key.public()));
        let signer = certified.key.choose_scheme(&[rustls::SignatureScheme::ED25519]).unwrap();
        let signature = signer.sign(b"message").unwrap();
        assert!(signature_is_valid(&key.public(), b"message", &signature));
        assert!(!signature_is_valid(&key.public(), b"massage", &signature));
    }

    #[test]
    fn only_the_exact_form_is_a_key() {
        let good = spki(&[1; 32]);
        assert_eq!(public_of(&good), Some([1; 32]));
        assert_eq!(public_of(&good[..43]), None);
        assert_eq!(public_of(&[good.as_ref(), &[0]].concat()), None);
        let mut other = good.to_vec();
        other[8] = 0x6e;
        assert_eq!(public_of(&other), None);
    }

    #[test]
    fn reset_keys_are_stable_and_differ_by_purpose() {
        let key = LinkKey::from_seed([3; 32]);
        let sign = |purpose| hmac::sign(&key.reset_key(purpose), b"x").as_ref().to_vec();
        assert_eq!(sign("peers"), sign("peers"));
        assert_ne!(sign("peers"), sign("clients"));
    }
}
