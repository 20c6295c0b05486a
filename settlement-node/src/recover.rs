//! From what is on disk to a node that can take its first event.
//!
//! The applied state is not stored: it is computed again from the committed part of the log, whose
//! signatures were checked before they were written. The history is brought up to where the log is.

use std::sync::Arc;

use order::{Config, HardState, Order, OrderError, Restored};
use wire::genesis::{Genesis, GenesisError};

use crate::{
    chain::{AppliedBlock, Chain},
    forms::{history_block, order_entry},
    limits::{ELECTION_TICKS, HEARTBEAT_TICKS, REPLAY_BYTES_MAX},
    node::Node,
    prepare::{OldIdSource, PreparedBlock},
    store::{
        history::{History, HistoryError},
        runs::RunError,
        wal::{ReadError, Recovered, WalEntry, WalReader},
    },
};

/// Why a node cannot start from what is on its disk.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// The ledger refuses the genesis file.
    #[error(transparent)]
    Genesis(#[from] GenesisError),
    /// The log cannot be read.
    #[error("read the log: {0}")]
    Log(#[from] ReadError),
    /// The log does not reach back to the first entry, from which the state is computed.
    #[error("the log begins at entry {0}; the state cannot be computed without what was before")]
    NoBeginning(u64),
    /// An entry of the log is no block.
    #[error("entry {index} of the log: {reason}")]
    Entry {
        /// Its index.
        index: u64,
        /// What is wrong.
        reason: String,
    },
    /// The history cannot be written.
    #[error("bring the history up to the log: {0}")]
    History(#[from] HistoryError),
    /// The runs cannot be read or written.
    #[error("runs of old ids: {0}")]
    Runs(#[from] RunError),
    /// The runs cannot be read.
    #[error("look up old ids: {0}")]
    OldIds(#[from] std::io::Error),
    /// The log contradicts itself.
    #[error("order: {0}")]
    Order(#[from] OrderError),
}

/// What to start a node with.
pub struct Start<'a> {
    /// The node's id.
    pub id: u64,
    /// The network.
    pub genesis: &'a Genesis,
    /// What the log said when it was opened.
    pub recovered: &'a Recovered,
    /// The log.
    pub log: &'a WalReader,
    /// Old ids on disk.
    pub old_ids: Arc<dyn OldIdSource>,
    /// Seed of election timeouts.
    pub seed: u64,
    /// Secret key of the table of ids, so that nobody can choose ids that collide in it. It changes
    /// no answer and no digest.
    pub table_key: [u64; 2],
}

/// Computes the applied state and puts the node together. `write_run` writes a generation of ids
/// that fills up on the way, and returns once it is on disk.
pub fn start(
    start: &Start<'_>,
    history: &mut History,
    mut write_run: impl FnMut(u64, Arc<ledger::Generation>) -> Result<(), RunError>,
) -> Result<Node, RecoverError> {
    let mut chain = Chain::genesis(start.genesis, start.table_key)?;
    let commit = start.recovered.hard_state.unwrap_or_default().commit;
    if start.recovered.first_index > 1 {
        return Err(RecoverError::NoBeginning(start.recovered.first_index));
    }
    if commit > start.recovered.last_index {
        let last_index = start.recovered.last_index;
        return Err(RecoverError::Order(OrderError::LogTooShort { commit, last_index }));
    }
    let mut recent: Vec<Arc<AppliedBlock>> = Vec::new();
    let mut next = start.recovered.first_index;
    while next <= commit {
        for entry in start.log.read(next, commit + 1, REPLAY_BYTES_MAX)? {
            next = entry.index + 1;
            if entry.data.is_empty() {
                chain.skip(entry.index);
                continue;
            }
            let applied = Arc::new(replay(&mut chain, entry, start)?);
            history.append(&history_block(&applied))?;
            while let Some((number, generation)) = chain.take_full_generation() {
                write_run(number, generation)?;
                chain.run_written(number);
            }
            if recent.len() == 2 * crate::limits::RECENT_BLOCKS_MAX {
                recent.drain(..crate::limits::RECENT_BLOCKS_MAX);
            }
            recent.push(applied);
        }
    }
    history.flush()?;
    let order = order(start, &chain, commit)?;
    let mut node = Node::new(start.id, order, chain, Arc::clone(&start.old_ids));
    for block in &recent {
        node.remember(block);
    }
    Ok(node)
}

fn replay(
    chain: &mut Chain,
    entry: WalEntry,
    start: &Start<'_>,
) -> Result<AppliedBlock, RecoverError> {
    let index = entry.index;
    let block = PreparedBlock::trusted(
        entry.data,
        &start.genesis.domain,
        &*start.old_ids,
        chain.runs_released(),
    )
    .map_err(|error| RecoverError::Entry { index, reason: error.to_string() })?;
    Ok(chain.apply(index, Arc::new(block), &*start.old_ids)?)
}

fn order(start: &Start<'_>, chain: &Chain, commit: u64) -> Result<Order, RecoverError> {
    let recovered = start.recovered;
    let tail_from = (chain.log_index() + 1).max(recovered.first_index);
    let mut tail = Vec::new();
    let mut next = tail_from;
    while next <= recovered.last_index {
        for entry in start.log.read(next, recovered.last_index + 1, REPLAY_BYTES_MAX)? {
            next = entry.index + 1;
            tail.push(order_entry(entry));
        }
    }
    let hard_state = recovered.hard_state.unwrap_or_default();
    let mut terms = recovered.terms.clone();
    if recovered.first_index > 1
        && terms.first().is_none_or(|first| first.0 >= recovered.first_index)
    {
        terms.insert(0, (recovered.first_index - 1, recovered.base_term));
        terms.dedup_by_key(|run| run.1);
    }
    let config = Config {
        election_ticks: ELECTION_TICKS,
        heartbeat_ticks: HEARTBEAT_TICKS,
        entry_bytes_max: wire::limits::BLOCK_BYTES_MAX,
        ..Config::new(
            start.id,
            start.genesis.nodes.iter().map(|node| node.id).collect(),
            start.seed,
        )
    };
    let restored = Restored {
        hard_state: HardState { term: hard_state.term, vote: hard_state.vote, commit },
        applied: chain.log_index(),
        tail,
        first_index: recovered.first_index,
        last_index: recovered.last_index,
        terms,
    };
    Ok(Order::new(config, restored)?)
}
