//! Gives peers what they lack: pieces of snapshots and runs, and blocks of the history.
//!
//! Read-only, by a thread of its own, from files that never change once they have their name. What cannot
//! be read is answered with "nothing": the peer then asks another node, and a scrub finds the damage here.

use bytes::Bytes;
use wire::repair::{
    Answer, BLOCKS_BYTES_MAX, BLOCKS_MAX, Got, HistoryRow, PIECE_BYTES_MAX, Request, RunRow,
    SnapshotInfo, Want,
};

use crate::store::{
    history::{HistoryBlock, HistoryReader},
    runs::RunSets,
    snapshots::Snapshots,
};

/// What can be given away.
#[derive(Clone)]
pub struct Shelf {
    /// The applied state.
    pub snapshots: Snapshots,
    /// Old ids.
    pub runs: RunSets,
    /// The blocks.
    pub history: HistoryReader,
}

impl Shelf {
    /// The answer to a peer's request, and what kept it from being a better one.
    pub fn answer(&self, request: &Request) -> (Answer, Option<String>) {
        let found = match request.want {
            Want::Snapshot => self.newest(),
            Want::State { index, offset } => self
                .snapshots
                .piece(index, offset, PIECE_BYTES_MAX)
                .map(|(total, bytes)| Got::Piece { total, bytes })
                .map_err(|error| error.to_string()),
            Want::Run { first, generations, offset } => self.run(first, generations, offset),
            Want::History { from, to } => self.blocks(from, to),
        };
        let (got, trouble) = match found {
            Ok(got) => (got, None),
            Err(trouble) => (Got::Nothing, Some(trouble)),
        };
        (Answer { number: request.number, got }, trouble)
    }

    fn newest(&self) -> Result<Got, String> {
        let known = self.snapshots.list().map_err(|error| error.to_string())?;
        let Some(index) = known.last() else { return Ok(Got::Nothing) };
        let (place, _, bytes, digest) =
            self.snapshots.label(*index).map_err(|error| error.to_string())?;
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

fn row_of(block: HistoryBlock) -> HistoryRow {
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
