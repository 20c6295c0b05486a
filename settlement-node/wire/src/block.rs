//! What one log entry holds: the leader's time and the submissions that it ordered.
//!
//! `version u8 = 1 | time u64 | submissions u32 | { length u32 | submission }*`. Nothing in a block
//! is signed by the leader: what moves money is signed by its owner, and the time is checked
//! against each node's clock and against the block before.
//!
//! A block that carries out one step of a decision about a voting node holds nothing else:
//! `version u8 = 2 | time u64 | seat u8 | node u64`. Such a block is also what changes who votes in the order of the log.

use bytes::Bytes;
use ledger::{LedgerTime, NodeStep, Seat};

use crate::{
    batch::{BatchError, Domain, RawSubmission, Submission},
    codec::{CodecError, Reader, put_bytes, put_count},
    limits::{BATCHES_PER_BLOCK_MAX, BLOCK_BYTES_MAX, SUBMISSION_BYTES_MAX},
};

/// Version of the block format.
pub const VERSION: u8 = 1;
/// Version of a block that carries out a step of membership.
pub const STEP_VERSION: u8 = 2;
/// Bytes of such a block.
const STEP_BYTES: usize = 1 + 8 + 1 + 8;
/// Bytes of a block beside its submissions.
pub const HEADER_BYTES: usize = 1 + 8 + 4;
/// Bytes that each submission costs beside itself.
pub const PER_SUBMISSION_BYTES: usize = 4;

/// Writes a block.
pub fn encode<'a>(
    time: LedgerTime,
    submissions: impl ExactSizeIterator<Item = &'a Bytes>,
) -> Bytes {
    let mut out = Vec::with_capacity(4096);
    out.push(VERSION);
    out.extend_from_slice(&time.0.to_le_bytes());
    put_count(&mut out, submissions.len());
    for submission in submissions {
        put_bytes(&mut out, submission);
    }
    Bytes::from(out)
}

/// Writes a block that carries out a step of membership.
pub fn encode_step(time: LedgerTime, step: NodeStep) -> Bytes {
    let mut out = Vec::with_capacity(STEP_BYTES);
    out.push(STEP_VERSION);
    out.extend_from_slice(&time.0.to_le_bytes());
    out.push(step.seat as u8);
    out.extend_from_slice(&step.node.to_le_bytes());
    Bytes::from(out)
}

/// The step of membership that a block carries out; `None` for all others, and for what is no block.
pub fn step_of(block: &[u8]) -> Option<NodeStep> {
    let block: &[u8; STEP_BYTES] = block.try_into().ok()?;
    let [STEP_VERSION, _, _, _, _, _, _, _, _, seat, node @ ..] = *block else { return None };
    let node = u64::from_le_bytes(node);
    let seat = Seat::from_number(seat).filter(|_| node != 0)?;
    Some(NodeStep { node, seat })
}

/// A block as received: form checked, signatures not yet.
#[derive(Clone, Debug)]
pub struct RawBlock {
    /// The leader's time.
    pub time: LedgerTime,
    /// Submissions in order.
    pub submissions: Vec<RawSubmission>,
}

/// A block whose every signature was checked.
#[derive(Clone, Debug)]
pub struct Block {
    /// The leader's time.
    pub time: LedgerTime,
    /// Submissions in order.
    pub submissions: Vec<Submission>,
}

/// The leader's time of a block and the bytes of each submission in it, not yet looked into.
pub fn split(bytes: Bytes) -> Result<(LedgerTime, Vec<Bytes>), BatchError> {
    if bytes.len() > BLOCK_BYTES_MAX {
        return Err(CodecError::TooLarge {
            field: "block",
            value: bytes.len(),
            limit: BLOCK_BYTES_MAX,
        }
        .into());
    }
    let step = step_of(&bytes);
    let mut reader = Reader::new(bytes);
    let version = reader.u8("block version")?;
    if version == STEP_VERSION && step.is_some() {
        return Ok((LedgerTime(reader.u64("block time")?), Vec::new()));
    }
    if version != VERSION {
        return Err(
            CodecError::Unknown { field: "block version", value: u64::from(version) }.into()
        );
    }
    let time = LedgerTime(reader.u64("block time")?);
    let count = reader.count(BATCHES_PER_BLOCK_MAX, "number of submissions")?;
    let mut submissions = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        submissions.push(reader.bytes(SUBMISSION_BYTES_MAX, "submission")?);
    }
    reader.end()?;
    Ok((time, submissions))
}

impl RawBlock {
    /// Checks the form of a block and of all submissions in it.
    pub fn decode(bytes: Bytes) -> Result<Self, BatchError> {
        let (time, submissions) = split(bytes)?;
        let submissions =
            submissions.into_iter().map(RawSubmission::decode).collect::<Result<_, _>>()?;
        Ok(Self { time, submissions })
    }

    /// Checks every signature, all together, and every attachment in the block.
    pub fn verify(self, domain: &Domain) -> Result<Block, BatchError> {
        let submissions = RawSubmission::verify_together(self.submissions, domain)?;
        Ok(Block { time: self.time, submissions })
    }

    /// Reads it without checking signatures: for bytes from this node's own checked log.
    pub fn trusted(self, domain: &Domain) -> Result<Block, BatchError> {
        let open = |submission: RawSubmission| submission.trusted(domain);
        let submissions = self.submissions.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Block { time: self.time, submissions })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_step_is_eighteen_bytes_and_nothing_else_is_one() {
        for (number, seat) in [(1, Seat::Learner), (2, Seat::Voter), (3, Seat::Gone)] {
            let step = NodeStep { node: 0x0807_0605_0403_0201, seat };
            let bytes = encode_step(LedgerTime(77), step);
            let golden = [2, 77, 0, 0, 0, 0, 0, 0, 0, number, 1, 2, 3, 4, 5, 6, 7, 8];
            assert_eq!(bytes[..], golden);
            assert_eq!(step_of(&bytes), Some(step));
            let (time, submissions) = split(bytes.clone()).unwrap();
            assert_eq!((time, submissions.len()), (LedgerTime(77), 0));
            for end in 0..bytes.len() {
                assert_eq!(step_of(&bytes[..end]), None);
                assert!(split(bytes.slice(..end)).is_err(), "cut at {end}");
            }
            let longer = Bytes::from([&bytes[..], &[0]].concat());
            assert_eq!(step_of(&longer), None);
            assert!(split(longer).is_err());
        }
        let wrong = |at: usize, byte: u8| {
            let mut bytes = [2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0];
            bytes[at] = byte;
            assert_eq!(step_of(&bytes), None);
            assert!(split(Bytes::copy_from_slice(&bytes)).is_err());
        };
        [(0, 3), (0, 0), (9, 0), (9, 4), (10, 0)]
            .into_iter()
            .for_each(|(at, byte)| wrong(at, byte));
        let empty = encode(LedgerTime(5), std::iter::empty());
        assert_eq!(step_of(&empty), None);
    }
}
