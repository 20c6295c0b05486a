//! Keys that sign notes: Ed25519 note signatures (type 0x01) and timestamped cosignatures (0x04).
//!
//! A verifier key is written as `<name>+<id in hex>+<base64 of type and public key>`. Type 0x01
//! signs a note's text as it is; type 0x04 signs two header lines with the time in seconds, then
//! the text (C2SP tlog-cosignature). The two never sign the same bytes as long as no text begins
//! with the line `cosignature/v1`, which no checkpoint does, so that one key may serve for both.
//! Every signature is checked with `verify_strict`.

use std::fmt;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::{
    note::{KeyId, SignatureLine, is_key_name},
    text::{from_base64, to_base64},
};

/// Longest verifier key that is read, in bytes.
pub const VERIFIER_KEY_BYTES_MAX: usize = 400;

/// First line of what a cosignature signs.
const COSIGNATURE_HEADER: &str = "cosignature/v1";
/// Length of a cosignature: time u64 big-endian, Ed25519 signature.
const COSIGNATURE_BYTES: usize = 8 + 64;

/// What a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyType {
    /// 0x01: the text of a note.
    Note,
    /// 0x04: a checkpoint, with the time.
    Cosignature,
}

impl KeyType {
    /// The byte that stands for it.
    pub fn code(self) -> u8 {
        match self {
            Self::Note => 0x01,
            Self::Cosignature => 0x04,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        match code {
            0x01 => Some(Self::Note),
            0x04 => Some(Self::Cosignature),
            _ => None,
        }
    }
}

/// Why a text is no verifier key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not `name+id+base64`.
    #[error("a verifier key is `name+id+base64`, with eight hexadecimal digits for the id")]
    Form,
    /// The name cannot be one.
    #[error("{0:?} cannot be the name of a key")]
    Name(String),
    /// A type that is not known here.
    #[error("the key of {name} is of type {code:#04x}; 0x01 and 0x04 are known")]
    Type {
        /// Name of the key.
        name: String,
        /// Its type.
        code: u8,
    },
    /// Not 32 bytes, or no point of the curve, or one of small order.
    #[error("the key of {0} is no Ed25519 public key")]
    Public(String),
    /// The id is not that of name and key.
    #[error("the id of the key of {0} does not belong to it: name, id or key was changed")]
    Id(String),
}

/// What is wrong with a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Wrong length, or a time beyond 2^63 - 1.
    #[error("is malformed")]
    Form,
    /// Not made by this key over this text.
    #[error("was not made by that key over this text")]
    Wrong,
}

/// A public key with its name and what it signs.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    kind: KeyType,
    public: VerifyingKey,
    id: KeyId,
}

impl VerifierKey {
    /// A key of 32 bytes.
    pub fn new(name: &str, kind: KeyType, public: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name(name.to_owned()));
        }
        let public = VerifyingKey::from_bytes(public)
            .ok()
            .filter(|key| !key.is_weak())
            .ok_or_else(|| KeyError::Public(name.to_owned()))?;
        let id = key_id(name, kind, public.as_bytes());
        Ok(Self { name: name.to_owned(), kind, public, id })
    }

    /// Reads a verifier key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.len() > VERIFIER_KEY_BYTES_MAX {
            return Err(KeyError::Form);
        }
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(material)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(KeyError::Form);
        };
        let material = from_base64(material).ok_or(KeyError::Form)?;
        let (code, public) = material.split_first().ok_or(KeyError::Form)?;
        let kind = KeyType::from_code(*code)
            .ok_or_else(|| KeyError::Type { name: name.to_owned(), code: *code })?;
        let public = public.try_into().map_err(|_| KeyError::Public(name.to_owned()))?;
        let key = Self::new(name, kind, public)?;
        if id.len() == 8 && id == hex(&key.id) { Ok(key) } else { Err(KeyError::Id(key.name)) }
    }

    /// Name of the key.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it signs.
    pub fn kind(&self) -> KeyType {
        self.kind
    }

    /// Its id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The 32 bytes of the public key.
    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// Whether a signature line says that it is of this key.
    pub fn is_named_by(&self, line: &SignatureLine) -> bool {
        line.id == self.id && line.name == self.name
    }

    /// Checks a signature of this key over a note's text. A cosignature gives its time, in seconds
    /// since 1970.
    pub fn verify(&self, text: &str, signature: &[u8]) -> Result<Option<u64>, SignatureError> {
        match self.kind {
            KeyType::Note => {
                self.verify_bytes(text.as_bytes(), signature)?;
                Ok(None)
            }
            KeyType::Cosignature => {
                let signature: &[u8; COSIGNATURE_BYTES] =
                    signature.try_into().map_err(|_| SignatureError::Form)?;
                let (time, signature) = signature.split_at(8);
                let time = u64::from_be_bytes(time.try_into().expect("8 bytes"));
                if time > i64::MAX as u64 {
                    return Err(SignatureError::Form);
                }
                self.verify_bytes(cosigned(text, time).as_bytes(), signature)?;
                Ok(Some(time))
            }
        }
    }

    fn verify_bytes(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        let signature = Signature::from_slice(signature).map_err(|_| SignatureError::Form)?;
        self.public.verify_strict(message, &signature).map_err(|_| SignatureError::Wrong)
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut material = vec![self.kind.code()];
        material.extend_from_slice(self.public.as_bytes());
        write!(f, "{}+{}+{}", self.name, hex(&self.id), to_base64(&material))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({self})")
    }
}

/// A secret key with its name. Wiped when dropped; `Debug` shows the public key only.
#[derive(Clone, Debug)]
pub struct NoteSigner {
    secret: SigningKey,
    verifier: VerifierKey,
}

impl NoteSigner {
    /// The key of a 32-byte Ed25519 seed.
    pub fn from_seed(name: &str, kind: KeyType, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, kind, secret.verifying_key().as_bytes())?;
        Ok(Self { secret, verifier })
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Signs a note's text. `time` is in seconds since 1970, at most 2^63 - 1 (more is cut), and is
    /// part of a cosignature only.
    pub fn sign(&self, text: &str, time: u64) -> SignatureLine {
        let signature = match self.verifier.kind {
            KeyType::Note => self.secret.sign(text.as_bytes()).to_bytes().to_vec(),
            KeyType::Cosignature => {
                let time = time.min(i64::MAX as u64);
                let signature = self.secret.sign(cosigned(text, time).as_bytes());
                [&time.to_be_bytes()[..], &signature.to_bytes()].concat()
            }
        };
        SignatureLine { name: self.verifier.name.clone(), id: self.verifier.id, signature }
    }
}

/// What a cosignature signs: header, time, and the checkpoint's text.
fn cosigned(text: &str, time: u64) -> String {
    format!("{COSIGNATURE_HEADER}\ntime {time}\n{text}")
}

/// SHA-256(name, newline, type, public key), first four bytes.
fn key_id(name: &str, kind: KeyType, public: &[u8; 32]) -> KeyId {
    let mut hasher = Sha256::new();
    hasher.update(name.as_bytes());
    hasher.update([b'\n', kind.code()]);
    hasher.update(public);
    let digest: [u8; 32] = hasher.finalize().into();
    [digest[0], digest[1], digest[2], digest[3]]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::note::Note;

    /// Key and note of the documentation of Go's `golang.org/x/mod/sumdb/note`.
    const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn a_published_key_and_note_verify() {
        let key = VerifierKey::parse(GO_KEY).unwrap();
        assert_eq!(key.to_string(), GO_KEY);
        let note = Note::parse(GO_NOTE.as_bytes()).unwrap();
        let line = &note.signatures()[0];
        assert!(key.is_named_by(line));
        assert_eq!(key.verify(note.text(), &line.signature), Ok(None));
        assert_eq!(key.verify("other\n", &line.signature), Err(SignatureError::Wrong));
    }

    #[test]
    fn the_published_secret_key_signs_the_published_note() {
        // PRIVATE+KEY+PeterNeumann+c74f20a3+<this>: one byte of type, then the seed.
        let secret = from_base64("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz").unwrap();
        let seed = secret[1..].try_into().unwrap();
        let signer = NoteSigner::from_seed("PeterNeumann", KeyType::Note, seed).unwrap();
        let note = Note::parse(GO_NOTE.as_bytes()).unwrap();
        let line = signer.sign(note.text(), 0);
        assert_eq!(Note::new(note.text().into(), vec![line]).unwrap().to_string(), GO_NOTE);
    }

    #[test]
    fn each_type_signs_what_it_says() {
        for kind in [KeyType::Note, KeyType::Cosignature] {
            let signer = NoteSigner::from_seed("bank.example/a", kind, &[5; 32]).unwrap();
            let line = signer.sign("text\n", 1_679_315_147);
            let key = VerifierKey::parse(&signer.verifier().to_string()).unwrap();
            assert_eq!(&key, signer.verifier());
            let time = (kind == KeyType::Cosignature).then_some(1_679_315_147);
            assert_eq!(key.verify("text\n", &line.signature), Ok(time));
            assert_eq!(key.verify("taxt\n", &line.signature), Err(SignatureError::Wrong));
            let short = &line.signature[..line.signature.len() - 1];
            assert_eq!(key.verify("text\n", short), Err(SignatureError::Form));
        }
        let note = NoteSigner::from_seed("a", KeyType::Note, &[5; 32]).unwrap();
        let other = NoteSigner::from_seed("a", KeyType::Cosignature, &[5; 32]).unwrap();
        assert_ne!(note.verifier().id(), other.verifier().id());
    }

    #[test]
    fn the_time_of_a_cosignature_is_signed_and_bounded() {
        let signer = NoteSigner::from_seed("w", KeyType::Cosignature, &[5; 32]).unwrap();
        let mut signature = signer.sign("text\n", 7).signature;
        signature[7] = 8;
        assert_eq!(signer.verifier().verify("text\n", &signature), Err(SignatureError::Wrong));
        signature[0] = 0x80;
        assert_eq!(signer.verifier().verify("text\n", &signature), Err(SignatureError::Form));
        let late = signer.sign("text\n", u64::MAX).signature;
        assert_eq!(signer.verifier().verify("text\n", &late), Ok(Some(i64::MAX as u64)));
    }

    #[test]
    fn each_changed_bit_of_a_key_is_found() {
        for at in 0..GO_KEY.len() {
            for bit in 0..8 {
                let mut bytes = GO_KEY.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                if let Ok(text) = str::from_utf8(&bytes) {
                    assert!(VerifierKey::parse(text).is_err(), "{text}");
                }
            }
        }
    }

    #[test]
    fn weak_and_strange_keys_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert!(matches!(
            VerifierKey::new("a", KeyType::Note, &identity),
            Err(KeyError::Public(_))
        ));
        assert!(matches!(VerifierKey::new("", KeyType::Note, &[5; 32]), Err(KeyError::Name(_))));
        let ecdsa = format!("a+00000000+{}", to_base64(&[[2].as_slice(), &[7; 32]].concat()));
        assert!(matches!(VerifierKey::parse(&ecdsa), Err(KeyError::Type { code: 2, .. })));
        for bad in ["", "a", "a+b", "a+00000000+", "a+00000000+AQ==", "a+0+b+c"] {
            assert!(VerifierKey::parse(bad).is_err(), "{bad}");
        }
    }
}
