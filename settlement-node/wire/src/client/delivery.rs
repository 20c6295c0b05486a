//! What a bank is told of by its subscription: transfers that credit it, and how those go on that wait.
//!
//! Whatever a bank must know it is told once, at one place of the history: a transfer that settles at once to the
//! banks that it credits; one that waits, and each change of it, to all banks that take part in it; an exchange, with
//! its rates, to those who pay, get, sent or provided it; a notice to its bank. After the
//! message that it settled or was released nothing follows. The sealed document travels to a bank that is
//! credited, with the message that it waits as well as with the one that it settled.

use bytes::Bytes;
use ledger::{Answer, Digest, Exchanged, LedgerTime, ParticipantNumber, Progress, Stage};

use super::Cursor;
use crate::{
    codec::{CodecError, Reader, put_bytes, put_count},
    exchanged,
    limits::{ATTACHMENT_BYTES_MAX, BATCH_BYTES_MAX, DELIVERIES_PER_FRAME_MAX},
    notice::{self, BankNotice},
    progress,
};

/// What is told of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// It settled as it was ordered, and credits the bank.
    Settled,
    /// It was taken and waits.
    Waits(Stage),
    /// It had waited, and this became of it.
    Moved {
        /// Where it stands, and what brought that about.
        progress: Progress,
        /// Canonical bytes of the command that did, such as a refusal with its reason; empty when none did.
        because: Bytes,
    },
    /// An exchange that the bank pays, gets, sent or provided has settled at these rates.
    Exchanged(Exchanged),
    /// Something that the bank is told although it sent nothing. There is no command then.
    Notice(BankNotice),
}

/// A transfer that credits an account of the receiving bank, or waits and concerns it otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The place of this message in the history.
    pub cursor: Cursor,
    /// The leaf in the Merkle log that says so.
    pub leaf: u64,
    /// Ledger time of that block.
    pub time: LedgerTime,
    /// Bank that submitted it.
    pub submitter: ParticipantNumber,
    /// Canonical bytes of the transfer.
    pub command: Bytes,
    /// The salted document's digest and the sealed document, if one travels with it.
    pub document: Option<(Digest, Bytes)>,
    /// What is told of it.
    pub told: Told,
}

impl Delivery {
    /// True when its money has moved with this message.
    #[must_use]
    pub fn has_settled(&self) -> bool {
        match &self.told {
            Told::Settled | Told::Exchanged(_) => true,
            Told::Waits(_) | Told::Notice(_) => false,
            Told::Moved { progress, .. } => progress.answer.is_settled(),
        }
    }
}

impl Told {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Settled => out.push(1),
            Self::Waits(stage) => {
                out.push(2);
                out.extend_from_slice(&Answer::Waiting(*stage).code().to_le_bytes());
            }
            Self::Moved { progress, because } => {
                out.push(3);
                out.extend_from_slice(&progress::encode(progress));
                put_bytes(out, because);
            }
            Self::Exchanged(exchanged) => {
                out.push(4);
                out.extend_from_slice(&exchanged::encode(exchanged));
            }
            Self::Notice(notice) => {
                out.push(5);
                out.extend_from_slice(&notice::encode(notice));
            }
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        let unknown = |field, value| CodecError::Unknown { field, value };
        match reader.u8("what is told")? {
            1 => Ok(Self::Settled),
            2 => {
                let code = reader.u16("stage")?;
                let stage = Stage::from_number(code);
                stage.map(Self::Waits).ok_or(unknown("stage", code.into()))
            }
            3 => Ok(Self::Moved {
                progress: progress::read(reader)?,
                because: reader.bytes(BATCH_BYTES_MAX, "command that moved it")?,
            }),
            4 => exchanged::read(reader).map(Self::Exchanged),
            5 => notice::read(reader).map(Self::Notice),
            other => Err(unknown("what is told", other.into())),
        }
    }
}

/// Several deliveries, and how far the history was searched for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deliveries {
    /// In order of the history.
    pub items: Vec<Delivery>,
    /// Everything up to here was searched: where to subscribe from next time.
    pub searched: Cursor,
}

impl Deliveries {
    /// Writes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(64 + self.items.len() * 256);
        out.extend_from_slice(&self.searched.encode());
        put_count(&mut out, self.items.len());
        for item in &self.items {
            out.extend_from_slice(&item.cursor.encode());
            out.extend_from_slice(&item.leaf.to_le_bytes());
            out.extend_from_slice(&item.time.0.to_le_bytes());
            out.extend_from_slice(&item.submitter.0.to_le_bytes());
            put_bytes(&mut out, &item.command);
            match &item.document {
                None => out.push(0),
                Some((salted, sealed)) => {
                    out.push(1);
                    out.extend_from_slice(&salted.0);
                    put_bytes(&mut out, sealed);
                }
            }
            item.told.put(&mut out);
        }
        Bytes::from(out)
    }

    /// Reads the message.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let searched = Cursor::read(&mut reader)?;
        let count = reader.count(DELIVERIES_PER_FRAME_MAX, "number of deliveries")?;
        let mut items = Vec::with_capacity(count.min(256));
        for _ in 0..count {
            let cursor = Cursor::read(&mut reader)?;
            let leaf = reader.u64("leaf")?;
            let time = LedgerTime(reader.u64("time")?);
            let submitter = ParticipantNumber(reader.u32("submitter")?);
            let command = reader.bytes(BATCH_BYTES_MAX, "command")?;
            let document = if reader.bool("document flag")? {
                let salted = Digest(reader.array("salted digest")?);
                Some((salted, reader.bytes(ATTACHMENT_BYTES_MAX, "sealed document")?))
            } else {
                None
            };
            let told = Told::read(&mut reader)?;
            items.push(Delivery { cursor, leaf, time, submitter, command, document, told });
        }
        reader.end()?;
        Ok(Self { items, searched })
    }
}
