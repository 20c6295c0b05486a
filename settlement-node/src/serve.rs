//! Gives peers what they lack: pieces of snapshots and runs, and blocks of the history.
//!
//! Read-only, by a thread of its own, from files that never change once they have their name. What cannot
//! be read is answered with "nothing": the peer then asks another node, and a scrub finds the damage here.
//! It also says what this node itself has seen, for those who have it from somebody else.

use bytes::Bytes;
use wire::repair::{
    Answer, BLOCKS_BYTES_MAX, BLOCKS_MAX, Got, HistoryRow, PIECE_BYTES_MAX, Request, RowsDigest,
    RunRow, SnapshotInfo, Want,
};

use crate::store::{
    history::{HistoryBlock, HistoryReader},
    runs::RunSets,
    snapshots::{Place, Snapshots},
    wal::WalReader,
};

/// Bytes of blocks that are read for one digest: what an answer with blocks holds at the most.
const SEEN_BYTES_MAX: usize = 3 * BLOCKS_BYTES_MAX;

/// What can be given away.
#[derive(Clone)]
pub struct Shelf {
    /// The applied state.
    pub snapshots: Snapshots,
    /// Old ids.
    pub runs: RunSets,
    /// The blocks.
    pub history: HistoryReader,
    /// The log, of which the terms are said.
    pub log: WalReader,
    /// Entries up to this one are committed: of later ones nothing is said. `u64::MAX` for a node that
    /// lives, because no later one is in its history.
    pub committed: u64,
}

impl Shelf {
    /// The answer to a peer's request, and what kept it from being a better one.
    pub fn answer(&self, request: &Request) -> (Answer, Option<String>) {
        let found = match request.want {
            Want::Snapshot { up_to, .. } => self.newest(up_to),
            Want::State { index, offset } => self
                .snapshots
                .piece(index, offset, PIECE_BYTES_MAX)
                .map(|(total, bytes)| Got::Piece { total, bytes })
                .map_err(|error| error.to_string()),
            Want::Run { first, generations, offset } => self.run(first, generations, offset),
            Want::History { from, to } => self.blocks(from, to),
            Want::Seen { from, to } => self.seen(from, to),
        };
        let (got, trouble) = match found {
            Ok(got) => (got, None),
            Err(trouble) => (Got::Nothing, Some(trouble)),
        };
        (Answer { number: request.number, got }, trouble)
    }

    /// The log index beyond which a snapshot was asked for, if the answer is none.
    #[must_use]
    pub fn wanted_above(request: &Request, answer: &Answer) -> Option<u64> {
        let Want::Snapshot { above, .. } = request.want else { return None };
        let has = match &answer.got {
            Got::Snapshot(info) => info.index,
            _ => 0,
        };
        (above > 0 && has <= above).then_some(above)
    }

    fn newest(&self, up_to: u64) -> Result<Got, String> {
        let known = self.snapshots.list().map_err(|error| error.to_string())?;
        let mut found = None;
        for index in known.into_iter().rev() {
            let label = self.snapshots.label(index).map_err(|error| error.to_string())?;
            if label.0.height <= up_to {
                found = Some(label);
                break;
            }
        }
        let Some((place, _, bytes, digest)) = found else { return Ok(Got::Nothing) };
        let runs = self.runs.current();
        let row = |run: &std::sync::Arc<crate::store::runs::Run>| {
            let info = run.info();
            RunRow {
                first: info.range.first(),
                generations: info.range.generations(),
                rows: info.rows,
                digest: info.digest,
            }
        };
        Ok(Got::Snapshot(SnapshotInfo {
            index: place.index,
            term: place.term,
            height: place.height,
            bytes,
            digest,
            runs: runs.runs().iter().map(row).collect(),
        }))
    }

    fn run(&self, first: u64, generations: u64, offset: u64) -> Result<Got, String> {
        let runs = self.runs.current();
        let same = |run: &&std::sync::Arc<crate::store::runs::Run>| {
            let range = run.info().range;
            (range.first(), range.generations()) == (first, generations)
        };
        let Some(run) = runs.runs().iter().find(same) else { return Ok(Got::Nothing) };
        let Some(total) = run.info().file_bytes() else { return Ok(Got::Nothing) };
        let mut bytes = vec![0; PIECE_BYTES_MAX.min(total.saturating_sub(offset) as usize)];
        let read = run.read_at(&mut bytes, offset).map_err(|error| error.to_string())?;
        bytes.truncate(read);
        Ok(Got::Piece { total, bytes: Bytes::from(bytes) })
    }

    fn blocks(&self, from: u64, to: u64) -> Result<Got, String> {
        let found =
            self.history.scan(from, BLOCKS_BYTES_MAX as u64).map_err(|error| error.to_string())?;
        let rows: Vec<HistoryRow> = found
            .into_iter()
            .take_while(|block| block.height <= to)
            .take(BLOCKS_MAX)
            .map(row_of)
            .collect();
        Ok(if rows.is_empty() { Got::Nothing } else { Got::Blocks(rows) })
    }
}

impl Shelf {
    fn seen(&self, from: u64, to: u64) -> Result<Got, String> {
        if from > to || to - from >= BLOCKS_MAX as u64 {
            return Ok(Got::Nothing);
        }
        let (mut digest, mut bytes, mut last) = (RowsDigest::default(), 0, None);
        let mut next = from;
        while next <= to {
            let found = self.history.scan(next, BLOCKS_BYTES_MAX as u64);
            let found = found.map_err(|error| error.to_string())?;
            if found.is_empty() || bytes > SEEN_BYTES_MAX {
                return Ok(Got::Nothing);
            }
            for block in found.into_iter().take_while(|block| block.height <= to) {
                next = block.height + 1;
                bytes += block.block.len() + block.outcome.len();
                last = Some(block.log_index);
                digest.add(&row_of(block));
            }
        }
        let Some(mut index) = last else { return Ok(Got::Nothing) };
        let known = (index > 0 && index <= self.committed).then(|| self.log.term(index)).flatten();
        let mut term = known.unwrap_or(0);
        if term == 0
            && let Some(place) = self.place_of(to)?
        {
            (index, term) = (place.index, place.term);
        }
        Ok(Got::Seen { digest: digest.end(), index, term })
    }

    /// Where a block stands in the log, if it is the last of a snapshot of this node.
    fn place_of(&self, height: u64) -> Result<Option<Place>, String> {
        for index in self.snapshots.list().map_err(|error| error.to_string())? {
            let (place, ..) = self.snapshots.label(index).map_err(|error| error.to_string())?;
            if place.height == height {
                return Ok(Some(place));
            }
        }
        Ok(None)
    }
}

/// A block as it travels.
pub fn row_of(block: HistoryBlock) -> HistoryRow {
    let HistoryBlock { height, log_index, time_ns, first_leaf, leaf_count, block, outcome, seal } =
        block;
    HistoryRow { height, log_index, time_ns, first_leaf, leaf_count, block, outcome, seal }
}

/// A block as the history keeps it.
pub fn block_of(row: HistoryRow) -> HistoryBlock {
    let HistoryRow { height, log_index, time_ns, first_leaf, leaf_count, block, outcome, seal } =
        row;
    HistoryBlock { height, log_index, time_ns, first_leaf, leaf_count, block, outcome, seal }
}
