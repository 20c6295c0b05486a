//! Opening a sealed document and checking it against what the ledger recorded.

use std::{collections::HashMap, sync::Mutex};

use hpke::{
    Deserializable as _, OpModeR,
    aead::{AeadCtxR, ExportOnlyAead},
    kdf::HkdfSha256,
};
use ring::aead::Aad;
use wire::document;
use wire::ledger::{Digest, ParticipantNumber, TransferId};
use zeroize::Zeroizing;

use super::{
    ENC_BYTES, KEY_BYTES, Kem, READER_BYTES, READERS_MAX, SALT_BYTES, VERSION, aead, compress,
    content_aad, context_info, export_context, zero_nonce,
};
use crate::limits::OPENING_CONTEXTS_MAX;

type ReceiverContext = AeadCtxR<ExportOnlyAead, HkdfSha256, Kem>;

/// Why a sealed document cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Not the sealed form of a version that this program knows.
    #[error("sealed document has an unknown form")]
    Form,
    /// This bank is not among the readers.
    #[error("this bank is not among the document's readers")]
    NotAReader,
    /// A key or a tag does not fit: altered, or sealed to another key.
    #[error("sealed document does not open with this bank's key")]
    Key,
    /// The plain bytes are not a compressed document.
    #[error("document cannot be decompressed")]
    Compressed,
    /// The document is not the one that the ledger recorded.
    #[error("document does not match the digest in the ledger")]
    Commitment,
}

/// An opened document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The salt, with which the document can be shown to others later.
    pub salt: [u8; SALT_BYTES],
    /// The document: XML.
    pub document: Vec<u8>,
}

/// Opens documents that were sealed to one bank. Shared by the worker threads.
pub struct Opener {
    network: [u8; 32],
    participant: ParticipantNumber,
    secret: <Kem as hpke::Kem>::PrivateKey,
    contexts: Mutex<HashMap<[u8; ENC_BYTES], ReceiverContext>>,
}

impl Opener {
    /// An opener for `participant` with its X25519 secret; `None` when the secret cannot be used.
    #[must_use]
    pub fn new(
        network: [u8; 32],
        participant: ParticipantNumber,
        secret: &[u8; 32],
    ) -> Option<Self> {
        let secret = <Kem as hpke::Kem>::PrivateKey::from_bytes(secret).ok()?;
        Some(Self { network, participant, secret, contexts: Mutex::new(HashMap::new()) })
    }

    /// Opens a sealed document.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(&self, uetr: TransferId, sealed: &[u8]) -> Result<Opened, OpenError> {
        let [VERSION, readers, rest @ ..] = sealed else { return Err(OpenError::Form) };
        let readers = usize::from(*readers);
        if readers == 0 || readers > READERS_MAX || rest.len() < readers * READER_BYTES {
            return Err(OpenError::Form);
        }
        let (rows, ciphertext) = rest.split_at(readers * READER_BYTES);
        let own = self.participant.0.to_le_bytes();
        let row = rows
            .chunks_exact(READER_BYTES)
            .find(|row| row[..4] == own)
            .ok_or(OpenError::NotAReader)?;
        let enc: [u8; ENC_BYTES] = row[4..4 + ENC_BYTES].try_into().expect("32 bytes");
        let mut wrapped = Zeroizing::new(row[4 + ENC_BYTES..].to_vec());

        let wrapping_key = self.wrapping_key(&enc, &export_context(uetr, ciphertext))?;
        let content_key = aead(&wrapping_key)
            .open_in_place(zero_nonce(), Aad::empty(), &mut wrapped)
            .map_err(|_| OpenError::Key)?;
        let content_key =
            Zeroizing::new(<[u8; KEY_BYTES]>::try_from(&*content_key).map_err(|_| OpenError::Key)?);
        let mut content = ciphertext.to_vec();
        let plain = aead(&content_key)
            .open_in_place(zero_nonce(), Aad::from(content_aad(uetr)), &mut content)
            .map_err(|_| OpenError::Key)?;
        let (salt, compressed) = plain.split_at_checked(SALT_BYTES).ok_or(OpenError::Compressed)?;
        let document = compress::decompress(compressed).ok_or(OpenError::Compressed)?;
        Ok(Opened { salt: salt.try_into().expect("16 bytes"), document })
    }

    /// Opens a sealed document and checks that it is the one whose salted digest and commitment are
    /// given.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open_checked(
        &self,
        uetr: TransferId,
        sealed: &[u8],
        salted: &Digest,
        commitment: &Digest,
    ) -> Result<Opened, OpenError> {
        if document::commitment(salted, &document::sealed_digest(sealed)) != *commitment {
            return Err(OpenError::Commitment);
        }
        let opened = self.open(uetr, sealed)?;
        if document::salted_digest(&opened.salt, &opened.document) != *salted {
            return Err(OpenError::Commitment);
        }
        Ok(opened)
    }

    fn wrapping_key(
        &self,
        enc: &[u8; ENC_BYTES],
        export: &[u8],
    ) -> Result<Zeroizing<[u8; KEY_BYTES]>, OpenError> {
        let mut contexts = self.contexts.lock().expect("no holder of this lock panics");
        if !contexts.contains_key(enc) {
            let context = self.new_context(enc)?;
            if contexts.len() >= OPENING_CONTEXTS_MAX {
                // Senders renew their contexts every second, so the old ones are not missed.
                contexts.clear();
            }
            contexts.insert(*enc, context);
        }
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        contexts[enc].export(export, &mut *key).map_err(|_| OpenError::Key)?;
        Ok(key)
    }

    fn new_context(&self, enc: &[u8; ENC_BYTES]) -> Result<ReceiverContext, OpenError> {
        let enc = <Kem as hpke::Kem>::EncappedKey::from_bytes(enc).map_err(|_| OpenError::Key)?;
        hpke::setup_receiver::<ExportOnlyAead, HkdfSha256, Kem>(
            &OpModeR::Base,
            &self.secret,
            &enc,
            &context_info(&self.network, self.participant),
        )
        .map_err(|_| OpenError::Key)
    }
}
