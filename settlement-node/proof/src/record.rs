//! Canonical bytes of one line of history. A record is a leaf of the Merkle log.
//!
//! | kind | bytes after `[kind u8][version u8 = 1]` |
//! |---|---|
//! | 1 batch | signed batch header, then its signatures, as the wire carries them |
//! | 2 command | `answer u16, flags u8, reserved u8 = 0`, `original leaf u64` if flag bit 0, canonical bytes of the command |
//! | 3 seal | `height u64, time u64, first leaf u64, records u32, commands u32, previous seal 32, state root 32` |
//! | 4 genesis | SHA-256 of the genesis file (the network id), state root after it |
//! | 5 progress | `transfer id 16, first leaf u64, answer u16, cause u8, number u64`: what became of a transfer that waited |
//! | 6 exchange | `id 16, leaf u64, paid u64, delivered u64, via u32, first step u8, fills u8`, then 56 bytes a fill |
//! | 7 notice | `kind u8, bank u32`, then 20 to 44 bytes by kind: what one bank is told although it sent nothing |
//! | 8 step | `node u64, seat u8`: a node gets the log (1), votes (2), has left (3) from this block on |
//!
//! All integers are little-endian. A block is written as: for each batch one batch record and its
//! command records in order; then a progress record for each change of a waiting transfer, in the order in which
//! they happened; then an exchange record for each exchange that settled, in their order; then a notice
//! record for each notice to a bank; then a step record where the block carries out a step of membership; then one seal. The signature of a batch covers its header and the
//! concatenated bytes of its commands, so the records of a block are enough to check every
//! signature again. Sealed documents travel beside the log: a command names them by digest.

use crate::{Hash, tree::leaf_hash};

/// Version of the record format.
pub const VERSION: u8 = 1;
/// Kind of a batch record.
pub const KIND_BATCH: u8 = 1;
/// Kind of a command record.
pub const KIND_COMMAND: u8 = 2;
/// Kind of a seal record.
pub const KIND_SEAL: u8 = 3;
/// Kind of the genesis record, leaf 0 of every log.
pub const KIND_GENESIS: u8 = 4;
/// Kind of a progress record.
pub const KIND_PROGRESS: u8 = 5;
/// Kind of an exchange record.
pub const KIND_EXCHANGE: u8 = 6;
/// Kind of a notice record.
pub const KIND_NOTICE: u8 = 7;
/// Kind of a step record.
pub const KIND_STEP: u8 = 8;
/// Length of what an exchange record says before its fills.
pub const EXCHANGE_HEAD_BYTES: usize = 16 + 8 + 8 + 8 + 4 + 1 + 1;
/// Length of a fill in an exchange record.
pub const FILL_BYTES: usize = 16 + 4 + 4 + 8 + 8 + 8 + 8;
/// Length of a progress record in bytes.
pub const PROGRESS_BYTES: usize = 2 + PROGRESS_BODY_BYTES;
/// Length of what a progress record says, without kind and version.
pub const PROGRESS_BODY_BYTES: usize = 16 + 8 + 2 + 1 + 8;
/// Longest record, in bytes (tlog-tiles bundles carry 16-bit lengths).
pub const RECORD_BYTES_MAX: usize = 65_535;
/// Length of a seal record in bytes.
pub const SEAL_BYTES: usize = 2 + 8 + 8 + 8 + 4 + 4 + 32 + 32;

/// Writes the genesis record into `out`, which is cleared first.
pub fn genesis(out: &mut Vec<u8>, network: &Hash, state_root: &Hash) {
    out.clear();
    out.extend_from_slice(&[KIND_GENESIS, VERSION]);
    out.extend_from_slice(network);
    out.extend_from_slice(state_root);
}

/// Writes a batch record into `out`, which is cleared first.
///
/// `header` and `signatures` are the bytes that the wire carries before and after the commands.
pub fn batch(out: &mut Vec<u8>, header: &[u8], signatures: &[u8]) {
    out.clear();
    out.extend_from_slice(&[KIND_BATCH, VERSION]);
    out.extend_from_slice(header);
    out.extend_from_slice(signatures);
}

/// Writes a command record into `out`, which is cleared first.
///
/// `answer` is the numbered outcome (1 settled, 100 and above refused); `original` is the leaf of
/// the first answer when this command repeats an id with the same content.
pub fn command(out: &mut Vec<u8>, answer: u16, original: Option<u64>, command: &[u8]) {
    out.clear();
    let answer = answer.to_le_bytes();
    out.extend_from_slice(&[
        KIND_COMMAND,
        VERSION,
        answer[0],
        answer[1],
        u8::from(original.is_some()),
        0,
    ]);
    if let Some(leaf) = original {
        out.extend_from_slice(&leaf.to_le_bytes());
    }
    out.extend_from_slice(command);
}

/// Writes a progress record into `out`, which is cleared first.
///
/// `body` is what the wire carries of it: the transfer's id 16, the leaf of its first answer u64, where it stands
/// now as a numbered outcome u16 (2 to 4 still waiting, 1 settled, 100 and above released), what brought that about
/// u8 (1 a command, 2 time, 3 cover, 4 together with others), and the leaf of that command, or the number that those
/// that settled together share, u64.
pub fn progress(out: &mut Vec<u8>, body: &[u8; PROGRESS_BODY_BYTES]) {
    out.clear();
    out.extend_from_slice(&[KIND_PROGRESS, VERSION]);
    out.extend_from_slice(body);
}

/// Writes an exchange record into `out`, which is cleared first.
///
/// `body` is what the wire carries of it: the exchange's id 16, the leaf of its command u64, what was paid and what was
/// delivered u64 each, the asset between the two u32 (all bits set when there is none), how many of the fills are of
/// the first step u8, their number u8, and of each fill: the quote's id 16, the accounts of its provider that gave and
/// received u32 each, the terms of its rate (minor units paid, for minor units got) u64 each, what it gave and what it
/// took u64 each.
pub fn exchange(out: &mut Vec<u8>, body: &[u8]) {
    out.clear();
    out.extend_from_slice(&[KIND_EXCHANGE, VERSION]);
    out.extend_from_slice(body);
}

/// Writes a notice record into `out`, which is cleared first.
///
/// `body` is what the wire carries of it: its kind u8 and the bank u32; then for kinds 1 and 2 (less is available than
/// the floor, more is posted than the ceiling) the account u32, the line i64, what is posted and what is available i128
/// each; for kinds 3 and 4 (the report of a credit is overdue, or missing) the transfer's id 16 and the account u32;
/// for kind 5 (the time of a quote is over) the quote's id 16 and what it had not given u64; for kinds 6 and 7 (the bank
/// that paid is told that the customer was credited, or not) the transfer's id 16, the account u32, and the time u64 or
/// the reason 4.
pub fn notice(out: &mut Vec<u8>, body: &[u8]) {
    out.clear();
    out.extend_from_slice(&[KIND_NOTICE, VERSION]);
    out.extend_from_slice(body);
}

/// Length of a notice record without kind and version, by its own kind.
const fn notice_bytes(kind: u8) -> Option<usize> {
    match kind {
        1 | 2 => Some(1 + 4 + 4 + 8 + 16 + 16),
        3 | 4 => Some(1 + 4 + 16 + 4),
        5 => Some(1 + 4 + 16 + 8),
        6 => Some(1 + 4 + 16 + 4 + 8),
        7 => Some(1 + 4 + 16 + 4 + 4),
        _ => None,
    }
}

/// The record that closes a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// Number of the block; the first block after genesis is 1.
    pub height: u64,
    /// Ledger time of the block: nanoseconds since the Unix epoch, UTC.
    pub time: u64,
    /// Leaf index of the block's first record.
    pub first_leaf: u64,
    /// Records of the block before the seal.
    pub records: u32,
    /// Commands among them.
    pub commands: u32,
    /// Leaf hash of the seal before this one (of the genesis record for block 1).
    pub previous: Hash,
    /// Digest of the whole state after the block.
    pub state_root: Hash,
}

impl Seal {
    /// Canonical bytes of the seal.
    pub fn encode(&self) -> [u8; SEAL_BYTES] {
        let mut out = [0u8; SEAL_BYTES];
        out[0] = KIND_SEAL;
        out[1] = VERSION;
        out[2..10].copy_from_slice(&self.height.to_le_bytes());
        out[10..18].copy_from_slice(&self.time.to_le_bytes());
        out[18..26].copy_from_slice(&self.first_leaf.to_le_bytes());
        out[26..30].copy_from_slice(&self.records.to_le_bytes());
        out[30..34].copy_from_slice(&self.commands.to_le_bytes());
        out[34..66].copy_from_slice(&self.previous);
        out[66..98].copy_from_slice(&self.state_root);
        out
    }

    /// Reads a seal; `None` when the bytes are not a seal record of this version.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; SEAL_BYTES] = bytes.try_into().ok()?;
        if bytes[0] != KIND_SEAL || bytes[1] != VERSION {
            return None;
        }
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"));
        Some(Self {
            height: u64_at(2),
            time: u64_at(10),
            first_leaf: u64_at(18),
            records: u32_at(26),
            commands: u32_at(30),
            previous: bytes[34..66].try_into().expect("32 bytes"),
            state_root: bytes[66..98].try_into().expect("32 bytes"),
        })
    }

    /// Leaf hash of the seal: what the next seal names as its predecessor.
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.encode())
    }
}

/// Writes a step record into `out`, which is cleared first.
///
/// `seat` is 1 for a node that gets the log, 2 for one that votes, 3 for one that has left.
pub fn step(out: &mut Vec<u8>, node: u64, seat: u8) {
    out.clear();
    out.extend_from_slice(&[KIND_STEP, VERSION]);
    out.extend_from_slice(&node.to_le_bytes());
    out.push(seat);
}

/// A record taken apart again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record<'a> {
    /// Header and signatures of a batch.
    Batch(&'a [u8]),
    /// One command with its outcome.
    Command {
        /// Numbered outcome.
        answer: u16,
        /// Leaf of the first answer, for a repetition.
        original: Option<u64>,
        /// Canonical bytes of the command.
        command: &'a [u8],
    },
    /// What became of a transfer that waited.
    Progress(&'a [u8; PROGRESS_BODY_BYTES]),
    /// At which rates an exchange settled, and what each quote gave for it.
    Exchange(&'a [u8]),
    /// What one bank is told although it sent nothing.
    Notice(&'a [u8]),
    /// A node becomes something by a step that was decided on.
    Step {
        /// Its id.
        node: u64,
        /// What it becomes: 1 to 3.
        seat: u8,
    },
    /// The end of a block.
    Seal(Seal),
    /// The beginning of the log.
    Genesis {
        /// Network id.
        network: Hash,
        /// State root after genesis.
        state_root: Hash,
    },
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Shorter than its kind needs.
    #[error("record of {0} bytes is too short")]
    Short(usize),
    /// Kind or version that this code does not know.
    #[error("unknown record kind {kind} version {version}")]
    Unknown {
        /// First byte.
        kind: u8,
        /// Second byte.
        version: u8,
    },
    /// Bytes that must be zero are not, or a flag is unknown.
    #[error("record is not canonical")]
    NotCanonical,
}

/// Takes a record apart.
pub fn decode(bytes: &[u8]) -> Result<Record<'_>, RecordError> {
    let short = || RecordError::Short(bytes.len());
    let [kind, version, body @ ..] = bytes else { return Err(short()) };
    match (*kind, *version) {
        (KIND_BATCH, VERSION) => Ok(Record::Batch(body)),
        (KIND_COMMAND, VERSION) => {
            let [low, high, flags, reserved, rest @ ..] = body else { return Err(short()) };
            if *reserved != 0 || *flags > 1 {
                return Err(RecordError::NotCanonical);
            }
            let (original, command) = if *flags == 1 {
                let (leaf, rest) = rest.split_first_chunk::<8>().ok_or_else(short)?;
                (Some(u64::from_le_bytes(*leaf)), rest)
            } else {
                (None, rest)
            };
            Ok(Record::Command { answer: u16::from_le_bytes([*low, *high]), original, command })
        }
        (KIND_SEAL, VERSION) => Seal::decode(bytes).map(Record::Seal).ok_or_else(short),
        (KIND_PROGRESS, VERSION) => match <&[u8; PROGRESS_BODY_BYTES]>::try_from(body) {
            Ok(body) => Ok(Record::Progress(body)),
            Err(_) if body.len() < PROGRESS_BODY_BYTES => Err(short()),
            Err(_) => Err(RecordError::NotCanonical),
        },
        (KIND_EXCHANGE, VERSION) => {
            let fills = body.get(EXCHANGE_HEAD_BYTES - 1).copied().ok_or_else(short)?;
            match EXCHANGE_HEAD_BYTES + usize::from(fills) * FILL_BYTES {
                expected if expected > body.len() => Err(short()),
                expected if expected == body.len() => Ok(Record::Exchange(body)),
                _ => Err(RecordError::NotCanonical),
            }
        }
        (KIND_NOTICE, VERSION) => {
            let kind = body.first().copied().ok_or_else(short)?;
            match notice_bytes(kind).ok_or(RecordError::NotCanonical)? {
                expected if expected > body.len() => Err(short()),
                expected if expected == body.len() => Ok(Record::Notice(body)),
                _ => Err(RecordError::NotCanonical),
            }
        }
        (KIND_STEP, VERSION) => {
            let (node, seat) = body.split_first_chunk::<8>().ok_or_else(short)?;
            match (u64::from_le_bytes(*node), seat) {
                (_, []) => Err(short()),
                (node @ 1.., [seat @ 1..=3]) => Ok(Record::Step { node, seat: *seat }),
                _ => Err(RecordError::NotCanonical),
            }
        }
        (KIND_GENESIS, VERSION) => {
            let body: &[u8; 64] = body.try_into().map_err(|_| short())?;
            let (network, state_root) = body.split_at(32);
            Ok(Record::Genesis {
                network: network.try_into().expect("32 bytes"),
                state_root: state_root.try_into().expect("32 bytes"),
            })
        }
        (kind, version) => Err(RecordError::Unknown { kind, version }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn golden_bytes_of_each_kind() {
        let mut out = Vec::new();
        batch(&mut out, b"HEAD", b"SIG");
        assert_eq!(hex(&out), "0101484541445349 47".replace(' ', ""));
        command(&mut out, 1, None, b"PAY");
        assert_eq!(hex(&out), "020101000000504159");
        command(&mut out, 300, Some(7), b"PAY");
        assert_eq!(hex(&out), "02012c0101000700000000000000504159");
        let seal = Seal {
            height: 1,
            time: 2,
            first_leaf: 3,
            records: 4,
            commands: 5,
            previous: [6; 32],
            state_root: [7; 32],
        };
        let expected = format!(
            "0301{}{}{}{}{}{}{}",
            "0100000000000000",
            "0200000000000000",
            "0300000000000000",
            "04000000",
            "05000000",
            "06".repeat(32),
            "07".repeat(32)
        );
        assert_eq!(hex(&seal.encode()), expected);
        assert_eq!(decode(&seal.encode()), Ok(Record::Seal(seal)));
        genesis(&mut out, &[8; 32], &[9; 32]);
        assert_eq!(hex(&out), format!("0401{}{}", "08".repeat(32), "09".repeat(32)));
        let body: [u8; PROGRESS_BODY_BYTES] = std::array::from_fn(|at| at as u8);
        progress(&mut out, &body);
        assert_eq!(hex(&out), format!("0501{}", hex(&body)));
        assert_eq!(out.len(), PROGRESS_BYTES);
        assert_eq!(decode(&out), Ok(Record::Progress(&body)));
        assert_eq!(decode(&out[..PROGRESS_BYTES - 1]), Err(RecordError::Short(PROGRESS_BYTES - 1)));
        out.push(0);
        assert_eq!(decode(&out), Err(RecordError::NotCanonical));
        let mut body = vec![7; EXCHANGE_HEAD_BYTES + 2 * FILL_BYTES];
        body[EXCHANGE_HEAD_BYTES - 1] = 2;
        exchange(&mut out, &body);
        assert_eq!(hex(&out), format!("0601{}", hex(&body)));
        assert_eq!(decode(&out), Ok(Record::Exchange(&body)));
        assert_eq!(decode(&out[..out.len() - 1]), Err(RecordError::Short(out.len() - 1)));
        assert_eq!(
            decode(&out[..EXCHANGE_HEAD_BYTES]),
            Err(RecordError::Short(EXCHANGE_HEAD_BYTES))
        );
        out.push(0);
        assert_eq!(decode(&out), Err(RecordError::NotCanonical));
    }

    proptest! {
        #[test]
        fn a_command_record_reads_back(
            answer: u16, original: Option<u64>, bytes in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let mut out = Vec::new();
            command(&mut out, answer, original, &bytes);
            prop_assert_eq!(
                decode(&out),
                Ok(Record::Command { answer, original, command: &bytes })
            );
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
        }
    }
}
