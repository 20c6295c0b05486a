//! Texts of rows: in clear, or locked under a key of their own, with which they are erased.

use std::io;

use bytes::Bytes;
use wire::codec::{CodecError, Reader, put_bytes};

use super::{
    StoreError,
    row::{FIELD_BYTES_MAX, compress, decompress, put_compressed, read_compressed},
};
use crate::vault::{Locked, Vault};

/// A text of a row: in clear, or under a key of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Clear(Bytes),
    Locked {
        /// Bytes of the text.
        size: usize,
        /// `salt | compressed text`; the salt is empty for what has none.
        content: Locked,
    },
}

/// What is behind a text that may be locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unlocked {
    pub(super) salt: Option<[u8; 16]>,
    pub(super) text: Bytes,
}

impl Kept {
    /// Locks a text with what goes before it.
    pub(super) fn lock(vault: &Vault, salt: &[u8], text: &[u8]) -> io::Result<Self> {
        let mut bytes = Vec::with_capacity(salt.len() + 64 + text.len() / 2);
        bytes.extend_from_slice(salt);
        bytes.extend_from_slice(&compress(text)?);
        Ok(Self::Locked { size: text.len(), content: vault.lock(bytes)? })
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Clear(text) => put_compressed(out, text),
            Self::Locked { size, content } => {
                out.extend_from_slice(&(*size as u32).to_le_bytes());
                out.extend_from_slice(&content.slot.to_le_bytes());
                out.extend_from_slice(&content.nonce);
                put_bytes(out, &content.bytes);
            }
        }
    }

    pub(super) fn read(
        reader: &mut Reader,
        locked: bool,
        field: &'static str,
    ) -> Result<Self, CodecError> {
        if !locked {
            return Ok(Self::Clear(read_compressed(reader, field)?));
        }
        let size = reader.count(FIELD_BYTES_MAX, field)?;
        let (slot, nonce) = (reader.u64(field)?, reader.array(field)?);
        let bytes = reader.bytes(FIELD_BYTES_MAX, field)?.to_vec();
        Ok(Self::Locked { size, content: Locked { slot, nonce, bytes } })
    }

    /// Bytes of the text.
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Clear(text) => text.len(),
            Self::Locked { size, .. } => *size,
        }
    }

    /// Slot of its key; `None` for what is in clear.
    pub(super) fn slot(&self) -> Option<u64> {
        match self {
            Self::Clear(_) => None,
            Self::Locked { content, .. } => Some(content.slot),
        }
    }

    /// The text; `None` when its key is destroyed.
    pub(super) fn text(
        self,
        vault: Option<&Vault>,
        salt_bytes: usize,
    ) -> Result<Option<Unlocked>, StoreError> {
        let (size, content) = match self {
            Self::Clear(text) => return Ok(Some(Unlocked { salt: None, text })),
            Self::Locked { size, content } => (size, content),
        };
        let vault = vault.ok_or(StoreError::Corrupt("file of keys: there is none"))?;
        let unlocked = vault.unlock(&content);
        let plain = unlocked.map_err(|error| StoreError::Failed(error.to_string().into()))?;
        let Some(plain) = plain else { return Ok(None) };
        let damaged = StoreError::Corrupt("locked text");
        let Some((salt, packed)) = plain.split_at_checked(salt_bytes) else { return Err(damaged) };
        let text = decompress(packed, size).map_err(|_| damaged)?;
        Ok(Some(Unlocked { salt: salt.try_into().ok(), text: text.into() }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::environment::Environment;

    #[test]
    fn a_locked_text_is_read_with_its_salt_and_with_its_key_only() {
        let directory = tempfile::tempdir().unwrap();
        let vault = Vault::open(&directory.path().join("keys"), Environment::default()).unwrap();
        let text = b"<Nm>Alice GmbH</Nm>".repeat(20);
        let kept = Kept::lock(&vault, &[7; 16], &text).unwrap();
        let mut row = Vec::new();
        kept.put(&mut row);
        let read = |row: &[u8]| {
            let mut reader = Reader::new(Bytes::copy_from_slice(row));
            let kept = Kept::read(&mut reader, true, "text")?;
            reader.end().map(|()| kept)
        };
        assert_eq!(read(&row).unwrap(), kept);
        for length in 0..row.len() {
            assert!(read(&row[..length]).is_err());
        }
        let unlocked = kept.clone().text(Some(&vault), 16).unwrap().unwrap();
        assert_eq!((unlocked.salt, &unlocked.text[..]), (Some([7; 16]), &text[..]));
        assert!(kept.clone().text(None, 16).is_err(), "without any keys");
        let at = row.len() - 1;
        row[at] ^= 1;
        assert!(read(&row).unwrap().text(Some(&vault), 16).is_err(), "altered");
        vault.destroy(kept.slot().unwrap()).unwrap();
        assert_eq!(kept.text(Some(&vault), 16).unwrap(), None);
    }
}
