//! What a gateway or a tool says to a node, and what the node says back.
//!
//! | frame | way | meaning |
//! |---|---|---|
//! | 1 submit | → | a submission; answered by 2 or 3, in any order |
//! | 2 outcomes | ← | what became of each command of a batch, once it is settled |
//! | 3 not taken | ← | the batch was not ordered: busy, or not well formed |
//! | 4 subscribe | → | deliveries after a cursor, then live |
//! | 5 deliveries | ← | transfers and exchanges that concern the session's bank, what becomes of those that wait, notices |
//! | 6 query | → | one question; answered by 7 with the same number |
//! | 7 answer | ← | |
//!
//! A submission may be repeated at will, also to another node: an id is answered once, for ever.

mod delivery;
mod directory;
mod standing;

use bytes::Bytes;
use ledger::{Answer, Digest, Height, LedgerTime, Outcome, TransferId};

use crate::{
    codec::{CodecError, Reader, put_bytes, put_count, put_text},
    limits::{BATCH_BYTES_MAX, RECEIPT_BYTES_MAX, TEXT_BYTES_MAX},
};

pub use delivery::{Deliveries, Delivery, Told};
pub use directory::{AccountRow, AssetRow, DirectoryAnswer, DirectoryCounts, ParticipantRow};
pub use standing::{End, Standing};

/// Version of the client protocol: the payload of the hello, both ways; nodes refuse another one.
pub const CLIENT_PROTOCOL: u16 = 5;
/// Version of all client frames.
pub const FRAME_VERSION: u8 = 1;
/// Frame kind: a submission ([`crate::batch::encode_submission`]).
pub const KIND_SUBMIT: u8 = 1;
/// Frame kind: [`Outcomes`].
pub const KIND_OUTCOMES: u8 = 2;
/// Frame kind: [`NotTaken`].
pub const KIND_NOT_TAKEN: u8 = 3;
/// Frame kind: [`Cursor`] after which deliveries are wanted.
pub const KIND_SUBSCRIBE: u8 = 4;
/// Frame kind: [`Deliveries`].
pub const KIND_DELIVERIES: u8 = 5;
/// Frame kind: a numbered [`Query`].
pub const KIND_QUERY: u8 = 6;
/// Frame kind: a numbered [`QueryAnswer`].
pub const KIND_ANSWER: u8 = 7;

/// A place in the history: all commands up to and including this one were seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    /// Height of the block.
    pub height: u64,
    /// Commands of that block that were seen, counted over its batches in order.
    pub commands: u32,
}

impl Cursor {
    /// Writes the cursor.
    pub fn encode(&self) -> Bytes {
        let mut out = self.height.to_le_bytes().to_vec();
        out.extend_from_slice(&self.commands.to_le_bytes());
        Bytes::from(out)
    }

    /// Reads a cursor.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let cursor = Self::read(&mut reader)?;
        reader.end()?;
        Ok(cursor)
    }

    fn read(reader: &mut Reader) -> Result<Self, CodecError> {
        Ok(Self { height: reader.u64("cursor height")?, commands: reader.u32("cursor commands")? })
    }
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcomes {
    /// The batch's digest.
    pub batch: Digest,
    /// Block that holds it.
    pub height: Height,
    /// Ledger time of that block.
    pub time: LedgerTime,
    /// Leaf of the first command in the Merkle log; the others follow it.
    pub first_leaf: u64,
    /// One outcome a command, in order.
    pub outcomes: Vec<Outcome>,
}

impl Outcomes {
    /// Writes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(60 + self.outcomes.len() * 3);
        out.extend_from_slice(&self.batch.0);
        out.extend_from_slice(&self.height.0.to_le_bytes());
        out.extend_from_slice(&self.time.0.to_le_bytes());
        out.extend_from_slice(&self.first_leaf.to_le_bytes());
        put_count(&mut out, self.outcomes.len());
        for outcome in &self.outcomes {
            put_outcome(&mut out, outcome);
        }
        Bytes::from(out)
    }

    /// Reads the message.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let batch = Digest(reader.array("batch digest")?);
        let height = Height(reader.u64("height")?);
        let time = LedgerTime(reader.u64("time")?);
        let first_leaf = reader.u64("first leaf")?;
        let count = reader.count(ledger::limits::COMMANDS_PER_BATCH_MAX, "number of outcomes")?;
        let outcomes = (0..count).map(|_| read_outcome(&mut reader)).collect::<Result<_, _>>()?;
        reader.end()?;
        Ok(Self { batch, height, time, first_leaf, outcomes })
    }
}

/// Appends one outcome: the numbered answer, and the leaf of the first answer for a repetition.
pub fn put_outcome(out: &mut Vec<u8>, outcome: &Outcome) {
    out.extend_from_slice(&outcome.answer.code().to_le_bytes());
    out.push(u8::from(outcome.original.is_some()));
    if let Some(leaf) = outcome.original {
        out.extend_from_slice(&leaf.to_le_bytes());
    }
}

/// Reads one outcome.
pub fn read_outcome(reader: &mut Reader) -> Result<Outcome, CodecError> {
    let code = reader.u16("outcome")?;
    let answer = Answer::from_code(code)
        .ok_or(CodecError::Unknown { field: "outcome", value: u64::from(code) })?;
    let original =
        if reader.bool("repetition flag")? { Some(reader.u64("original leaf")?) } else { None };
    Ok(Outcome { answer, original })
}

/// A batch that was not ordered. Nothing of it will happen unless it is sent again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotTaken {
    /// The batch's digest; all zero when the batch could not be read.
    pub batch: Digest,
    /// Why.
    pub reason: NotTakenReason,
}

/// Why a batch was not ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTakenReason {
    /// Too much is waiting, or there is no leader: send it again after the given time.
    Busy {
        /// Milliseconds to wait before sending it again.
        retry_after_ms: u32,
    },
    /// It is not well formed, a signature does not verify, or the bank is not the session's.
    Invalid {
        /// What is wrong, for the gateway's operator.
        text: String,
    },
}

impl NotTaken {
    /// Writes the message.
    pub fn encode(&self) -> Bytes {
        let mut out = self.batch.0.to_vec();
        match &self.reason {
            NotTakenReason::Busy { retry_after_ms } => {
                out.push(1);
                out.extend_from_slice(&retry_after_ms.to_le_bytes());
            }
            NotTakenReason::Invalid { text } => {
                out.push(2);
                put_text(&mut out, text, TEXT_BYTES_MAX);
            }
        }
        Bytes::from(out)
    }

    /// Reads the message.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let batch = Digest(reader.array("batch digest")?);
        let reason = match reader.u8("reason")? {
            1 => NotTakenReason::Busy { retry_after_ms: reader.u32("retry after")? },
            2 => NotTakenReason::Invalid { text: reader.text(TEXT_BYTES_MAX, "text")? },
            other => {
                return Err(CodecError::Unknown { field: "reason", value: u64::from(other) });
            }
        };
        reader.end()?;
        Ok(Self { batch, reason })
    }
}

/// A question to a node. It is answered from what this node has applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Query {
    /// The next participants, assets and accounts after those that are known.
    Directory(DirectoryCounts),
    /// What became of a transfer.
    Transfer(TransferId),
    /// Height, leader, roots.
    Status,
    /// Whether the last word on a transfer is final, and the receipt that proves it.
    Receipt {
        /// The transfer.
        id: TransferId,
        /// Whether the receipt itself is wanted, not only whether there is one.
        whole: bool,
    },
}

/// What a node can prove of a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptFound {
    /// No transfer of the asking bank with this id was ever answered at this node's height.
    Unknown,
    /// It was answered, and not enough nodes have cosigned that yet.
    NotFinal,
    /// It is final. The receipt (C2SP tlog-proof), empty unless it was wanted.
    Final(Bytes),
}

/// A transfer found by its id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransferFound {
    /// The first answer to it.
    pub answer: Answer,
    /// Its leaf in the Merkle log.
    pub leaf: u64,
    /// Block that holds it.
    pub height: u64,
    /// Ledger time of that block.
    pub time: LedgerTime,
    /// Canonical bytes of the command; only for a bank that takes part in it.
    pub command: Bytes,
    /// How it stands now, where that first answer was that it waits.
    pub standing: Option<Standing>,
}

/// How a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusAnswer {
    /// The node's id.
    pub node: u64,
    /// The leader's id; 0 when there is none.
    pub leader: u64,
    /// Last applied block.
    pub height: u64,
    /// Ledger time of that block.
    pub time: LedgerTime,
    /// Records in the Merkle log.
    pub leaves: u64,
    /// Root of the Merkle log.
    pub log_root: [u8; 32],
    /// Digest of the state.
    pub state_root: [u8; 32],
    /// Commands settled since genesis.
    pub settled: u64,
    /// Commands refused since genesis.
    pub refused: u64,
}

/// The answer to a [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryAnswer {
    /// To [`Query::Directory`].
    Directory(DirectoryAnswer),
    /// To [`Query::Transfer`]: `None` when no such id was ever answered at this node's height.
    Transfer(Option<TransferFound>),
    /// To [`Query::Status`].
    Status(StatusAnswer),
    /// To [`Query::Receipt`].
    Receipt(ReceiptFound),
    /// The node cannot answer now.
    Failed(String),
}

impl Query {
    /// Writes a numbered query.
    pub fn encode(&self, number: u64) -> Bytes {
        let mut out = number.to_le_bytes().to_vec();
        match self {
            Self::Directory(known) => {
                out.push(1);
                known.put(&mut out);
            }
            Self::Transfer(id) => {
                out.push(2);
                out.extend_from_slice(&id.0);
            }
            Self::Status => out.push(3),
            Self::Receipt { id, whole } => {
                out.push(4);
                out.extend_from_slice(&id.0);
                out.push(u8::from(*whole));
            }
        }
        Bytes::from(out)
    }

    /// Reads a numbered query.
    pub fn decode(bytes: Bytes) -> Result<(u64, Self), CodecError> {
        let mut reader = Reader::new(bytes);
        let number = reader.u64("query number")?;
        let query = match reader.u8("query")? {
            1 => Self::Directory(DirectoryCounts::read(&mut reader)?),
            2 => Self::Transfer(TransferId(reader.array("transfer id")?)),
            3 => Self::Status,
            4 => Self::Receipt {
                id: TransferId(reader.array("transfer id")?),
                whole: reader.bool("whole flag")?,
            },
            other => {
                return Err(CodecError::Unknown { field: "query", value: u64::from(other) });
            }
        };
        reader.end()?;
        Ok((number, query))
    }
}

impl QueryAnswer {
    /// Writes a numbered answer.
    pub fn encode(&self, number: u64) -> Bytes {
        let mut out = number.to_le_bytes().to_vec();
        match self {
            Self::Directory(directory) => {
                out.push(1);
                directory.put(&mut out);
            }
            Self::Transfer(found) => {
                out.push(2);
                out.push(u8::from(found.is_some()));
                if let Some(found) = found {
                    out.extend_from_slice(&found.answer.code().to_le_bytes());
                    for field in [found.leaf, found.height, found.time.0] {
                        out.extend_from_slice(&field.to_le_bytes());
                    }
                    put_bytes(&mut out, &found.command);
                    out.push(u8::from(found.standing.is_some()));
                    if let Some(standing) = &found.standing {
                        standing.put(&mut out);
                    }
                }
            }
            Self::Status(status) => {
                out.push(3);
                for field in
                    [status.node, status.leader, status.height, status.time.0, status.leaves]
                {
                    out.extend_from_slice(&field.to_le_bytes());
                }
                out.extend_from_slice(&status.log_root);
                out.extend_from_slice(&status.state_root);
                out.extend_from_slice(&status.settled.to_le_bytes());
                out.extend_from_slice(&status.refused.to_le_bytes());
            }
            Self::Failed(text) => {
                out.push(4);
                put_text(&mut out, text, TEXT_BYTES_MAX);
            }
            Self::Receipt(found) => {
                out.push(5);
                match found {
                    ReceiptFound::Unknown => out.push(0),
                    ReceiptFound::NotFinal => out.push(1),
                    ReceiptFound::Final(receipt) => {
                        out.push(2);
                        put_bytes(&mut out, receipt);
                    }
                }
            }
        }
        Bytes::from(out)
    }

    /// Reads a numbered answer.
    pub fn decode(bytes: Bytes) -> Result<(u64, Self), CodecError> {
        let mut reader = Reader::new(bytes);
        let number = reader.u64("query number")?;
        let answer = match reader.u8("answer")? {
            1 => Self::Directory(DirectoryAnswer::read(&mut reader)?),
            2 => Self::Transfer(if reader.bool("found flag")? {
                let code = reader.u16("outcome")?;
                let answer = Answer::from_code(code)
                    .ok_or(CodecError::Unknown { field: "outcome", value: u64::from(code) })?;
                Some(TransferFound {
                    answer,
                    leaf: reader.u64("leaf")?,
                    height: reader.u64("height")?,
                    time: LedgerTime(reader.u64("time")?),
                    command: reader.bytes(BATCH_BYTES_MAX, "command")?,
                    standing: match reader.bool("standing flag")? {
                        true => Some(Standing::read(&mut reader)?),
                        false => None,
                    },
                })
            } else {
                None
            }),
            3 => Self::Status(StatusAnswer {
                node: reader.u64("node")?,
                leader: reader.u64("leader")?,
                height: reader.u64("height")?,
                time: LedgerTime(reader.u64("time")?),
                leaves: reader.u64("leaves")?,
                log_root: reader.array("log root")?,
                state_root: reader.array("state root")?,
                settled: reader.u64("settled")?,
                refused: reader.u64("refused")?,
            }),
            4 => Self::Failed(reader.text(TEXT_BYTES_MAX, "text")?),
            5 => Self::Receipt(match reader.u8("receipt")? {
                0 => ReceiptFound::Unknown,
                1 => ReceiptFound::NotFinal,
                2 => ReceiptFound::Final(reader.bytes(RECEIPT_BYTES_MAX, "receipt")?),
                other => {
                    return Err(CodecError::Unknown { field: "receipt", value: u64::from(other) });
                }
            }),
            other => {
                return Err(CodecError::Unknown { field: "answer", value: u64::from(other) });
            }
        };
        reader.end()?;
        Ok((number, answer))
    }
}
