//! Receipts (C2SP tlog-proof): one record of the log with everything that proves it, in one text.
//!
//! The `extra` line holds the record's canonical bytes, so that a receipt stands alone: the policy
//! of the network, which is public keys only, is all that a reader needs beside it. [`Receipt::verify`]
//! hashes the record, follows the inclusion proof to the root, and asks the policy who signed that
//! root. A receipt written by [`Receipt::smallest`] carries no more signatures than are needed, and
//! then no bit of it can be changed without being noticed.

use std::fmt;

use crate::{
    Hash,
    note::{NOTE_BYTES_MAX, Note, NoteError, SignatureLine},
    path::{PATH_HASHES_MAX, PathError, verify_inclusion},
    policy::{Accepted, Policy, Refused},
    record::{self, RECORD_BYTES_MAX, RecordError},
    text::{decimal, from_base64, hash_from_base64, to_base64},
    tree::leaf_hash,
};

/// Longest receipt that is read, in bytes.
pub const RECEIPT_BYTES_MAX: usize =
    NOTE_BYTES_MAX + PATH_HASHES_MAX * 45 + RECORD_BYTES_MAX.div_ceil(3) * 4 + 256;
/// Name of a receipt's format, its first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Why a receipt is none, or proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Longer than is read.
    #[error("the receipt has {0} bytes; at most {RECEIPT_BYTES_MAX} are read")]
    TooLong(usize),
    /// Not the lines of a receipt.
    #[error("the receipt is malformed: {0}")]
    Form(&'static str),
    /// Its last part is no note.
    #[error("the checkpoint of the receipt is malformed: {0}")]
    Note(#[from] NoteError),
    /// It holds no record.
    #[error("the receipt does not hold the record that it is about")]
    NoRecord,
    /// The record is not one that is known.
    #[error("the record cannot be read: {0}")]
    Record(#[from] RecordError),
    /// The signatures are not enough or not good.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The record is not in the log that was signed.
    #[error("the record is not in the signed log at its place: {0}")]
    Path(#[from] PathError),
}

/// A receipt as it was read or made; nothing in it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Canonical bytes of the record: the `extra` line. Empty when there is none.
    pub record: Vec<u8>,
    /// Its leaf in the log.
    pub index: u64,
    /// Inclusion proof, from the leaf's sibling on.
    pub path: Vec<Hash>,
    /// The signed checkpoint.
    pub checkpoint: Note,
}

impl Receipt {
    /// Reads a receipt.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        if bytes.len() > RECEIPT_BYTES_MAX {
            return Err(ReceiptError::TooLong(bytes.len()));
        }
        let form = ReceiptError::Form;
        let text = str::from_utf8(bytes).map_err(|_| form("it is not UTF-8"))?;
        let (head, note) = text.split_once("\n\n").ok_or(form("it has no checkpoint"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(HEADER) {
            return Err(form("the first line does not name the format c2sp.org/tlog-proof@v1"));
        }
        let extra = lines.next_if(|line| line.starts_with("extra "));
        let record = match extra.map(|line| from_base64(&line["extra ".len()..])) {
            None => Vec::new(),
            Some(Some(record)) if !record.is_empty() => record,
            Some(_) => return Err(form("the line `extra` does not hold base64")),
        };
        if record.len() > RECORD_BYTES_MAX {
            return Err(form("the record is longer than records are"));
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(decimal).ok_or(form("the line `index` is missing"))?;
        let mut path = Vec::new();
        for line in lines {
            let hash = hash_from_base64(line).ok_or(form("a line of the proof is no hash"))?;
            if path.len() == PATH_HASHES_MAX {
                return Err(form("the proof has too many hashes"));
            }
            path.push(hash);
        }
        Ok(Self { record, index, path, checkpoint: Note::parse(note.as_bytes())? })
    }

    /// Checks everything: the record's form, who signed the checkpoint, and that the record is in the
    /// log that was signed.
    pub fn verify(&self, policy: &Policy) -> Result<Accepted, ReceiptError> {
        if self.record.is_empty() {
            return Err(ReceiptError::NoRecord);
        }
        record::decode(&self.record)?;
        let accepted = policy.judge(&self.checkpoint)?;
        let checkpoint = &accepted.checkpoint;
        let leaf = leaf_hash(&self.record);
        verify_inclusion(&leaf, self.index, checkpoint.size, &self.path, &checkpoint.root)?;
        Ok(accepted)
    }

    /// Drops the signatures that the policy does not need: those of unknown keys, all but one of the
    /// log, and cosignatures beyond the quorum, the last ones first.
    pub fn smallest(mut self, policy: &Policy) -> Result<Self, Refused> {
        policy.judge(&self.checkpoint)?;
        let mut lines: Vec<SignatureLine> = self.checkpoint.signatures().to_vec();
        let text = self.checkpoint.text().to_owned();
        for at in (0..lines.len()).rev() {
            let removed = lines.remove(at);
            let still = Note::new(text.clone(), lines.clone());
            match still.map(|note| policy.judge(&note).map(|_| note)) {
                Ok(Ok(note)) => self.checkpoint = note,
                _ => lines.insert(at, removed),
            }
        }
        Ok(self)
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if !self.record.is_empty() {
            writeln!(f, "extra {}", to_base64(&self.record))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.path.iter().try_for_each(|hash| writeln!(f, "{}", to_base64(hash)))?;
        write!(f, "\n{}", self.checkpoint)
    }
}
