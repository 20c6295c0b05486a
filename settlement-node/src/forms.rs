//! Between the loop's values and what storage keeps: storage knows bytes only. The only place that
//! knows both.

use bytes::Bytes;
use order::{Entry, Persist};
use proof::record;

use crate::{
    chain::AppliedBlock,
    store::{
        history::HistoryBlock,
        wal::{WalEntry, WalHardState, WalOp},
    },
};

/// What a block looks like in the history.
pub fn history_block(block: &AppliedBlock) -> HistoryBlock {
    let mut outcome = Vec::new();
    for submission in &block.submissions {
        for one in &submission.outcomes {
            wire::client::put_outcome(&mut outcome, one);
        }
    }
    // What follows the outcomes begins with the kind of its record.
    for one in &block.progress {
        outcome.push(record::KIND_PROGRESS);
        outcome.extend_from_slice(&wire::progress::encode(one));
    }
    for one in &block.exchanges {
        outcome.push(record::KIND_EXCHANGE);
        outcome.extend_from_slice(&wire::exchanged::encode(one));
    }
    for one in &block.notices {
        outcome.push(record::KIND_NOTICE);
        outcome.extend_from_slice(&wire::notice::encode(one));
    }
    HistoryBlock {
        height: block.height.0,
        log_index: block.log_index,
        time_ns: block.time.0,
        first_leaf: block.first_leaf,
        leaf_count: block.seal.records + 1,
        block: block.bytes.clone(),
        outcome: Bytes::from(outcome),
        seal: Bytes::copy_from_slice(&block.seal.encode()),
    }
}

/// What a write looks like in the log.
pub fn log_op(persist: Persist) -> WalOp {
    let log_entry =
        |entry: Entry| WalEntry { index: entry.index, term: entry.term, data: entry.data };
    WalOp {
        entries: persist.entries.into_iter().map(log_entry).collect(),
        hard_state: persist.hard_state.map(|state| WalHardState {
            term: state.term,
            vote: state.vote,
            commit: state.commit,
        }),
        must_sync: persist.must_sync,
    }
}

/// An entry of the log as the order knows it.
pub fn order_entry(entry: WalEntry) -> Entry {
    Entry { index: entry.index, term: entry.term, data: entry.data }
}
