//! What a node that is being mended asks of its peers, and what they answer.
//!
//! A node whose files are damaged, or that is too far behind for the log, fetches what it lacks: the newest
//! snapshot of the state, runs of old ids, blocks of the history. Requests carry a number that the
//! answer repeats. Nothing in an answer is trusted: the asker checks all of it before it is put in place,
//! and what no check can show it has confirmed by other nodes ([`Want::Seen`]).

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::{
    codec::{CodecError, Reader, put_bytes, put_count},
    limits::BLOCK_BYTES_MAX,
};

/// Longest piece of a file in an answer.
pub const PIECE_BYTES_MAX: usize = 1 << 20;
/// Bytes of blocks in an answer; one block may be longer than that.
pub const BLOCKS_BYTES_MAX: usize = 2 << 20;
/// Blocks in an answer.
pub const BLOCKS_MAX: usize = 4_096;
/// Runs that a snapshot may stand on: far more than a century of ids needs.
pub const RUNS_MAX: usize = 4_096;
/// Longest outcome of a block: eleven bytes a command.
const OUTCOME_BYTES_MAX: usize = 4 << 20;
/// Where the log index is in a row.
const INDEX_AT: std::ops::Range<usize> = 8..16;
/// Longest seal.
const SEAL_BYTES_MAX: usize = 256;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Which snapshot is the newest at or below a height.
    Snapshot {
        /// Number of the last block that may be in it; `u64::MAX` for any.
        up_to: u64,
        /// The asker needs one beyond this log index; a node that has applied more but has no such
        /// snapshot makes one, to be asked for again. 0: what there is will do.
        above: u64,
    },
    /// A piece of the snapshot at this log index.
    State {
        /// Log index of the snapshot.
        index: u64,
        /// First byte.
        offset: u64,
    },
    /// A piece of a run of ids.
    Run {
        /// Its first generation.
        first: u64,
        /// How many generations it covers.
        generations: u64,
        /// First byte.
        offset: u64,
    },
    /// Blocks of the history in order.
    History {
        /// The first height.
        from: u64,
        /// The last height.
        to: u64,
    },
    /// What the asked node's own history says of these blocks, all of which it must have.
    Seen {
        /// The first height.
        from: u64,
        /// The last height.
        to: u64,
    },
}

/// A request for something that a node lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Repeated in the answer.
    pub number: u64,
    /// What is asked for.
    pub want: Want,
}

/// A run that a snapshot stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// Its first generation.
    pub first: u64,
    /// How many generations it covers.
    pub generations: u64,
    /// How many ids it holds.
    pub rows: u64,
    /// SHA-256 that names its content.
    pub digest: [u8; 32],
}

/// A snapshot that a node has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotInfo {
    /// Log index of the last entry in it.
    pub index: u64,
    /// Term of that entry.
    pub term: u64,
    /// Number of the last block in it.
    pub height: u64,
    /// Size of its file.
    pub bytes: u64,
    /// SHA-256 of its file, without the digest at its end.
    pub digest: [u8; 32],
    /// Runs of ids that it stands on.
    pub runs: Vec<RunRow>,
}

/// A block of the history as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRow {
    /// Its number.
    pub height: u64,
    /// Index of its log entry; 0 when the asked node does not know it. Nothing in a block proves it.
    pub log_index: u64,
    /// Ledger time, nanoseconds since 1970.
    pub time_ns: u64,
    /// Its first leaf.
    pub first_leaf: u64,
    /// How many leaves it added.
    pub leaf_count: u32,
    /// The block as ordered.
    pub block: Bytes,
    /// What applying it resulted in.
    pub outcome: Bytes,
    /// Its seal.
    pub seal: Bytes,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Got {
    /// The asked node does not have it, or cannot read it.
    Nothing,
    /// Its newest snapshot.
    Snapshot(SnapshotInfo),
    /// A piece of a file.
    Piece {
        /// Size of the whole file.
        total: u64,
        /// The bytes from the asked offset on.
        bytes: Bytes,
    },
    /// Blocks from the asked height on, at least one, without gaps.
    Blocks(Vec<HistoryRow>),
    /// What the asked node has in its history.
    Seen {
        /// [`RowsDigest`] of the blocks.
        digest: [u8; 32],
        /// Log index of the last of them; 0 when the asked node does not know it.
        index: u64,
        /// Term of that log entry; 0 when the asked node does not know it any more.
        term: u64,
    },
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Number of the request.
    pub number: u64,
    /// What was found.
    pub got: Got,
}

impl HistoryRow {
    /// Appends the canonical bytes of the row.
    fn put(&self, out: &mut Vec<u8>) {
        for field in [self.height, self.log_index, self.time_ns, self.first_leaf] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.leaf_count.to_le_bytes());
        put_bytes(out, &self.block);
        put_bytes(out, &self.outcome);
        put_bytes(out, &self.seal);
    }
}

/// SHA-256 over the canonical bytes of blocks one after the other, with 0 for their log indexes: equal on
/// two nodes that have the same blocks, with all that stands beside them.
#[derive(Clone, Default)]
pub struct RowsDigest {
    hash: Sha256,
    bytes: Vec<u8>,
}

impl RowsDigest {
    /// Adds the next block.
    pub fn add(&mut self, row: &HistoryRow) {
        self.bytes.clear();
        row.put(&mut self.bytes);
        self.bytes[INDEX_AT].fill(0);
        self.hash.update(&self.bytes);
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn end(self) -> [u8; 32] {
        self.hash.finalize().into()
    }
}

impl Request {
    /// Writes the request.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(33);
        out.extend_from_slice(&self.number.to_le_bytes());
        let (kind, fields) = match self.want {
            Want::Snapshot { up_to, above } => (1, [up_to, above, 0]),
            Want::State { index, offset } => (2, [index, offset, 0]),
            Want::Run { first, generations, offset } => (3, [first, generations, offset]),
            Want::History { from, to } => (4, [from, to, 0]),
            Want::Seen { from, to } => (5, [from, to, 0]),
        };
        out.push(kind);
        fields.iter().for_each(|field| out.extend_from_slice(&field.to_le_bytes()));
        Bytes::from(out)
    }

    /// Reads the request.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let number = reader.u64("number")?;
        let kind = reader.u8("wish")?;
        let [a, b, c] =
            [reader.u64("first field")?, reader.u64("second field")?, reader.u64("third field")?];
        let unused = match kind {
            1 | 2 | 4 | 5 => c,
            _ => 0,
        };
        if unused != 0 {
            return Err(CodecError::Unknown { field: "unused field", value: unused });
        }
        let want = match kind {
            1 => Want::Snapshot { up_to: a, above: b },
            2 => Want::State { index: a, offset: b },
            3 => Want::Run { first: a, generations: b, offset: c },
            4 => Want::History { from: a, to: b },
            5 => Want::Seen { from: a, to: b },
            other => return Err(CodecError::Unknown { field: "wish", value: u64::from(other) }),
        };
        reader.end()?;
        Ok(Self { number, want })
    }
}

impl Answer {
    /// Writes the answer.
    pub fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(64);
        out.extend_from_slice(&self.number.to_le_bytes());
        match &self.got {
            Got::Nothing => out.push(1),
            Got::Snapshot(info) => {
                out.push(2);
                for field in [info.index, info.term, info.height, info.bytes] {
                    out.extend_from_slice(&field.to_le_bytes());
                }
                out.extend_from_slice(&info.digest);
                put_runs(&mut out, &info.runs);
            }
            Got::Piece { total, bytes } => {
                out.push(3);
                out.extend_from_slice(&total.to_le_bytes());
                put_bytes(&mut out, bytes);
            }
            Got::Blocks(rows) => {
                out.push(4);
                put_count(&mut out, rows.len());
                rows.iter().for_each(|row| row.put(&mut out));
            }
            Got::Seen { digest, index, term } => {
                out.push(5);
                out.extend_from_slice(digest);
                out.extend_from_slice(&index.to_le_bytes());
                out.extend_from_slice(&term.to_le_bytes());
            }
        }
        Bytes::from(out)
    }

    /// Reads the answer.
    pub fn decode(bytes: Bytes) -> Result<Self, CodecError> {
        let mut reader = Reader::new(bytes);
        let number = reader.u64("number")?;
        let got = match reader.u8("finding")? {
            1 => Got::Nothing,
            2 => Got::Snapshot(SnapshotInfo {
                index: reader.u64("log index")?,
                term: reader.u64("term")?,
                height: reader.u64("height")?,
                bytes: reader.u64("size")?,
                digest: reader.array("digest")?,
                runs: read_runs(&mut reader)?,
            }),
            3 => Got::Piece {
                total: reader.u64("size")?,
                bytes: reader.bytes(PIECE_BYTES_MAX, "piece")?,
            },
            4 => {
                let count = reader.count(BLOCKS_MAX, "number of blocks")?;
                let mut rows = Vec::new();
                for _ in 0..count {
                    rows.push(HistoryRow {
                        height: reader.u64("height")?,
                        log_index: reader.u64("log index")?,
                        time_ns: reader.u64("time")?,
                        first_leaf: reader.u64("first leaf")?,
                        leaf_count: reader.u32("number of leaves")?,
                        block: reader.bytes(BLOCK_BYTES_MAX, "block")?,
                        outcome: reader.bytes(OUTCOME_BYTES_MAX, "outcome")?,
                        seal: reader.bytes(SEAL_BYTES_MAX, "seal")?,
                    });
                }
                Got::Blocks(rows)
            }
            5 => Got::Seen {
                digest: reader.array("digest")?,
                index: reader.u64("log index")?,
                term: reader.u64("term")?,
            },
            other => return Err(CodecError::Unknown { field: "finding", value: u64::from(other) }),
        };
        reader.end()?;
        Ok(Self { number, got })
    }
}

/// Appends a list of runs.
pub fn put_runs(out: &mut Vec<u8>, runs: &[RunRow]) {
    put_count(out, runs.len());
    for run in runs {
        for field in [run.first, run.generations, run.rows] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&run.digest);
    }
}

/// Reads what [`put_runs`] wrote.
pub fn read_runs(reader: &mut Reader) -> Result<Vec<RunRow>, CodecError> {
    let count = reader.count(RUNS_MAX, "number of runs")?;
    let mut runs = Vec::with_capacity(count);
    for _ in 0..count {
        runs.push(RunRow {
            first: reader.u64("first generation")?,
            generations: reader.u64("number of generations")?,
            rows: reader.u64("number of ids")?,
            digest: reader.array("digest")?,
        });
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn answers() -> Vec<Answer> {
        let run = RunRow { first: 4, generations: 4, rows: 9, digest: [7; 32] };
        let info = SnapshotInfo {
            index: 1,
            term: 2,
            height: 3,
            bytes: 4,
            digest: [5; 32],
            runs: vec![run, RunRow { first: 8, ..run }],
        };
        let row = HistoryRow {
            height: 1,
            log_index: 2,
            time_ns: 3,
            first_leaf: 4,
            leaf_count: 5,
            block: Bytes::from_static(b"block"),
            outcome: Bytes::from_static(b"outcome"),
            seal: Bytes::from_static(b"seal"),
        };
        let found = [
            Got::Nothing,
            Got::Snapshot(info),
            Got::Piece { total: 9, bytes: Bytes::from_static(b"piece") },
            Got::Blocks(vec![row.clone(), HistoryRow { height: 2, ..row }]),
            Got::Seen { digest: [8; 32], index: 1, term: 2 },
        ];
        (0..).zip(found).map(|(number, got)| Answer { number, got }).collect()
    }

    #[test]
    fn everything_survives_its_codec_and_every_cut_is_noticed() {
        let wants = [
            Want::Snapshot { up_to: 9, above: 3 },
            Want::State { index: 1, offset: 2 },
            Want::Run { first: 1, generations: 2, offset: 3 },
            Want::History { from: 1, to: 2 },
            Want::Seen { from: 1, to: 2 },
        ];
        for (number, want) in (0..).zip(wants) {
            let request = Request { number, want };
            let bytes = request.encode();
            assert_eq!(Request::decode(bytes.clone()), Ok(request));
            assert!((0..bytes.len()).all(|end| Request::decode(bytes.slice(..end)).is_err()));
        }
        for answer in answers() {
            let bytes = answer.encode();
            assert_eq!(Answer::decode(bytes.clone()), Ok(answer));
            assert!((0..bytes.len()).all(|end| Answer::decode(bytes.slice(..end)).is_err()));
        }
    }

    #[test]
    fn the_digest_of_blocks_is_of_all_but_their_log_indexes() {
        let row = HistoryRow {
            height: 1,
            log_index: 2,
            time_ns: 3,
            first_leaf: 4,
            leaf_count: 5,
            block: Bytes::from_static(b"block"),
            outcome: Bytes::from_static(b"outcome"),
            seal: Bytes::from_static(b"seal"),
        };
        let digest = |row: &HistoryRow| {
            let mut digest = RowsDigest::default();
            digest.add(row);
            digest.end()
        };
        assert_eq!(digest(&row), digest(&HistoryRow { log_index: 0, ..row.clone() }));
        for changed in [
            HistoryRow { height: 2, ..row.clone() },
            HistoryRow { time_ns: 2, ..row.clone() },
            HistoryRow { first_leaf: 2, ..row.clone() },
            HistoryRow { leaf_count: 2, ..row.clone() },
            HistoryRow { block: Bytes::new(), ..row.clone() },
            HistoryRow { outcome: Bytes::new(), ..row.clone() },
            HistoryRow { seal: Bytes::new(), ..row.clone() },
        ] {
            assert_ne!(digest(&row), digest(&changed), "{changed:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let bytes = Bytes::from(bytes);
            if let Ok(answer) = Answer::decode(bytes.clone()) {
                prop_assert_eq!(answer.encode(), bytes.clone());
            }
            if let Ok(request) = Request::decode(bytes.clone()) {
                prop_assert_eq!(request.encode(), bytes);
            }
        }
    }
}
