//! Sealing: a payment's document is readable by its readers only, whoever carries or stores it.
//!
//! ```text
//! sealed   version u8 = 1 | readers u8 | for each: participant u32, enc 32, wrapped 48 | ciphertext
//! inside   salt 16 | dictionary u8 | zstd frame of the XML
//! ```
//! Each document has a fresh random content key (AES-256-GCM). For each reader that key is wrapped
//! under a key-encryption key exported from an HPKE context (RFC 9180, DHKEM X25519, HKDF-SHA256,
//! export only). The export context names the UETR and the ciphertext's digest, so one context
//! serves many payments and no wrapping key is ever used twice; every AEAD key here is single-use,
//! which is why its nonce is zero. Numbers are little-endian.
//!
//! What this does not hide: that two payments to one bank were sealed in the same second (they
//! share `enc`), the sizes, and who the readers are.

mod compress;
mod open;

use std::{collections::HashMap, sync::Mutex};

use hpke::{
    Deserializable as _, Kem as _, OpModeS, Serializable as _,
    aead::{AeadCtxS, ExportOnlyAead},
    kdf::HkdfSha256,
    kem::X25519HkdfSha256,
};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;
use wire::ledger::{Digest, ParticipantNumber, TransferId};
use wire::{document, limits::ATTACHMENT_BYTES_MAX};
use zeroize::Zeroizing;

pub use open::{OpenError, Opened, Opener};

use crate::{
    environment::{Chance, Environment},
    limits::{DOCUMENT_BYTES_MAX, SEALING_CONTEXT_AGE_MAX, SEALING_CONTEXT_USES_MAX},
};

/// Version of the sealed form.
pub const VERSION: u8 = 1;
/// Most readers of one document.
pub const READERS_MAX: usize = 16;

type Kem = X25519HkdfSha256;
type SenderContext = AeadCtxS<ExportOnlyAead, HkdfSha256, Kem>;

const ENC_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const WRAPPED_BYTES: usize = KEY_BYTES + TAG_BYTES;
const READER_BYTES: usize = 4 + ENC_BYTES + WRAPPED_BYTES;
const SALT_BYTES: usize = 16;

const DOMAIN_INFO: &[u8] = b"corridor sealing v1\0";
const DOMAIN_EXPORT: &[u8] = b"corridor document key v1\0";
const DOMAIN_CONTENT: &[u8] = b"corridor content v1\0";

/// Why a document cannot be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The system's random source failed.
    #[error("read the system's random source: {0}")]
    Random(String),
    /// A reader's public key is not a usable X25519 key.
    #[error("sealing key of participant {0} cannot be used")]
    ReaderKey(ParticipantNumber),
    /// No readers or too many.
    #[error("a document has 1 to {READERS_MAX} readers, not {0}")]
    Readers(usize),
    /// The document is too large to travel with a payment.
    #[error("document of {0} bytes is too large to be sealed")]
    TooLarge(usize),
    /// Compression failed.
    #[error("compress document: {0}")]
    Compress(std::io::Error),
}

/// A bank or regulator to which documents are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its number.
    pub participant: ParticipantNumber,
    /// Its X25519 public key.
    pub key: [u8; 32],
}

/// A sealed document and the digest of the salted plain one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// `wire::document::salted_digest` of salt and document.
    pub salted: Digest,
    /// The sealed form.
    pub bytes: Vec<u8>,
}

impl Sealed {
    /// What the command carries.
    #[must_use]
    pub fn commitment(&self) -> Digest {
        document::commitment(&self.salted, &document::sealed_digest(&self.bytes))
    }
}

/// The X25519 public key of a secret.
///
/// # Errors
/// `None` when the secret is not usable.
#[must_use]
pub fn public_key(secret: &[u8; 32]) -> Option<[u8; 32]> {
    let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret).ok()?;
    Kem::sk_to_pk(&secret).to_bytes().as_slice().try_into().ok()
}

struct Context {
    key: [u8; 32],
    enc: [u8; ENC_BYTES],
    sender: SenderContext,
    uses: u32,
    made: Instant,
}

/// Seals documents for a network. Shared by the worker threads.
pub struct Sealer {
    network: [u8; 32],
    chance: Environment,
    contexts: Mutex<HashMap<ParticipantNumber, Context>>,
}

impl Sealer {
    /// A sealer for the network with this id.
    #[must_use]
    pub fn new(network: [u8; 32]) -> Self {
        Self::with_chance(network, Environment::default())
    }

    /// A sealer whose keys and salts come from this machine's chance.
    #[must_use]
    pub fn with_chance(network: [u8; 32], chance: Environment) -> Self {
        Self { network, chance, contexts: Mutex::new(HashMap::new()) }
    }

    /// Seals the document of one payment to its readers.
    ///
    /// # Errors
    /// See [`SealError`]; nothing is kept of a document that could not be sealed.
    pub fn seal(
        &self,
        uetr: TransferId,
        document: &[u8],
        readers: &[Reader],
    ) -> Result<Sealed, SealError> {
        if readers.is_empty() || readers.len() > READERS_MAX {
            return Err(SealError::Readers(readers.len()));
        }
        if document.len() > DOCUMENT_BYTES_MAX {
            return Err(SealError::TooLarge(document.len()));
        }
        let mut salt = [0; SALT_BYTES];
        self.random(&mut salt)?;
        let mut content_key = Zeroizing::new([0; KEY_BYTES]);
        self.random(&mut *content_key)?;

        let mut ciphertext = Vec::with_capacity(document.len() / 2 + 64);
        ciphertext.extend_from_slice(&salt);
        compress::compress(document, &mut ciphertext).map_err(SealError::Compress)?;
        aead(&content_key)
            .seal_in_place_append_tag(zero_nonce(), Aad::from(content_aad(uetr)), &mut ciphertext)
            .expect("AES-GCM seals any document below the limit");

        let mut bytes = Vec::with_capacity(2 + readers.len() * READER_BYTES + ciphertext.len());
        bytes.push(VERSION);
        bytes.push(readers.len() as u8);
        let export = export_context(uetr, &ciphertext);
        for reader in readers {
            let (enc, wrapping_key) = self.wrapping_key(reader, &export)?;
            let mut wrapped = content_key.to_vec();
            aead(&wrapping_key)
                .seal_in_place_append_tag(zero_nonce(), Aad::empty(), &mut wrapped)
                .expect("AES-GCM seals 32 bytes");
            bytes.extend_from_slice(&reader.participant.0.to_le_bytes());
            bytes.extend_from_slice(&enc);
            bytes.extend_from_slice(&wrapped);
        }
        bytes.extend_from_slice(&ciphertext);
        if bytes.len() > ATTACHMENT_BYTES_MAX {
            return Err(SealError::TooLarge(document.len()));
        }
        Ok(Sealed { salted: document::salted_digest(&salt, document), bytes })
    }

    /// The key that wraps one content key for one reader, from a context that is renewed often.
    fn wrapping_key(
        &self,
        reader: &Reader,
        export: &[u8],
    ) -> Result<([u8; ENC_BYTES], Zeroizing<[u8; KEY_BYTES]>), SealError> {
        let mut contexts = self.contexts.lock().expect("no holder of this lock panics");
        let current = contexts.get(&reader.participant).is_some_and(|context| {
            context.key == reader.key
                && context.uses < SEALING_CONTEXT_USES_MAX
                && context.made.elapsed() < SEALING_CONTEXT_AGE_MAX
        });
        if !current {
            let context = self.new_context(reader)?;
            contexts.insert(reader.participant, context);
        }
        let context = contexts.get_mut(&reader.participant).expect("inserted above");
        context.uses += 1;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        context.sender.export(export, &mut *key).expect("32 bytes are a valid export length");
        Ok((context.enc, key))
    }

    fn new_context(&self, reader: &Reader) -> Result<Context, SealError> {
        let refused = |_| SealError::ReaderKey(reader.participant);
        let public = <Kem as hpke::Kem>::PublicKey::from_bytes(&reader.key).map_err(refused)?;
        let info = context_info(&self.network, reader.participant);
        let (enc, sender) = hpke::setup_sender_with_rng::<ExportOnlyAead, HkdfSha256, Kem>(
            &OpModeS::Base,
            &public,
            &info,
            &mut Chance(&self.chance),
        )
        .map_err(refused)?;
        let enc = enc.to_bytes().as_slice().try_into().expect("an X25519 key has 32 bytes");
        Ok(Context { key: reader.key, enc, sender, uses: 0, made: Instant::now() })
    }

    fn random(&self, bytes: &mut [u8]) -> Result<(), SealError> {
        self.chance.fill(bytes).map_err(|error| SealError::Random(error.to_string()))
    }
}

fn aead(key: &[u8; KEY_BYTES]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}

/// Every key is used once: see the module's text.
fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn content_aad(uetr: TransferId) -> Vec<u8> {
    [DOMAIN_CONTENT, &[VERSION], &uetr.0].concat()
}

fn context_info(network: &[u8; 32], participant: ParticipantNumber) -> Vec<u8> {
    [DOMAIN_INFO, network, &participant.0.to_le_bytes()].concat()
}

fn export_context(uetr: TransferId, ciphertext: &[u8]) -> Vec<u8> {
    [DOMAIN_EXPORT, &uetr.0, &Sha256::digest(ciphertext)].concat()
}

#[cfg(test)]
mod tests;
