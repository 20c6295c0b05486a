//! How a transfer stands whose first answer was that it waits: what a question by its id is told beside that answer.
//!
//! The first answer never changes, and an end that was told once stays; in between a transfer may move from one stage
//! to another.

use bytes::Bytes;
use ledger::{Answer, LedgerTime, Progress};

use crate::{
    codec::{CodecError, Reader, put_bytes},
    limits::BATCH_BYTES_MAX,
    progress,
};

/// How a transfer stands that had to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it waits, or how it ended.
    pub answer: Answer,
    /// How that came about; nothing while it waits.
    pub end: Option<End>,
}

/// The end of a transfer that had to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Leaf of the record that says so.
    pub leaf: u64,
    /// Block that holds it.
    pub height: u64,
    /// Ledger time of that block.
    pub time: LedgerTime,
    /// What that record says.
    pub progress: Progress,
    /// Canonical bytes of the command that brought it about; empty when none did, and for a bank that takes no part.
    pub because: Bytes,
}

impl Standing {
    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.answer.code().to_le_bytes());
        out.push(u8::from(self.end.is_some()));
        if let Some(end) = &self.end {
            for field in [end.leaf, end.height, end.time.0] {
                out.extend_from_slice(&field.to_le_bytes());
            }
            out.extend_from_slice(&progress::encode(&end.progress));
            put_bytes(out, &end.because);
        }
    }

    pub(super) fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let code = reader.u16("standing")?;
        let answer = Answer::from_code(code)
            .ok_or(CodecError::Unknown { field: "standing", value: u64::from(code) })?;
        let end = match reader.bool("end flag")? {
            true => Some(End {
                leaf: reader.u64("leaf of the end")?,
                height: reader.u64("height of the end")?,
                time: LedgerTime(reader.u64("time of the end")?),
                progress: progress::read(reader)?,
                because: reader.bytes(BATCH_BYTES_MAX, "command that ended it")?,
            }),
            false => None,
        };
        Ok(Self { answer, end })
    }
}
