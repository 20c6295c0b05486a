//! From what is on disk to a node that can take its first event.
//!
//! The applied state is the newest sound snapshot and the committed part of the log after it, applied
//! again; the signatures in the log were checked before it was written. The history is brought up to where
//! the log is. Where something is missing that only peers can give, the answer is [`Wounds`] instead.

use std::sync::Arc;

use ledger::LedgerTime;
use order::{Config, HardState, Order, OrderError, Restored};
use wire::{
    block::RawBlock,
    genesis::{Genesis, GenesisError},
};

use crate::{
    chain::{AppliedBlock, Chain},
    forms::{history_block, order_entry},
    limits::{ELECTION_TICKS, HEARTBEAT_TICKS, REPLAY_BYTES_MAX},
    node::{Node, SnapshotRule},
    old_ids::{OldIdsOnDisk, write_generation},
    prepare::{OldIdSource, PreparedBlock},
    storage::Storage,
    store::{
        history::HistoryError,
        runs::{Pace, RunError},
        snapshots::{Place, SnapshotError},
        wal::{ReadError, WalEntry, WalError},
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
    /// The log cannot be written.
    #[error("write the log: {0}")]
    WriteLog(#[from] WalError),
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
    /// The snapshots cannot be read.
    #[error("snapshots: {0}")]
    Snapshots(#[from] SnapshotError),
    /// The disk failed.
    #[error("look up old ids: {0}")]
    OldIds(#[from] std::io::Error),
    /// The log contradicts itself.
    #[error("order: {0}")]
    Order(#[from] OrderError),
}

/// What is missing on this node's disk and must come from a peer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wounds {
    /// The state cannot be computed: a snapshot above this log index is needed.
    pub snapshot_above: Option<u64>,
    /// These blocks of the history, first and last height.
    pub history: Option<(u64, u64)>,
    /// Ids of generations below this.
    pub runs_below: Option<u64>,
    /// All that this node ever had is there, and what is missing is only newer. It may go on without: it
    /// may vote, and others may need its vote to be able to help it.
    pub only_behind: bool,
}

impl Wounds {
    /// Whether nothing is missing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

impl std::fmt::Display for Wounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut parts = Vec::new();
        if let Some(index) = self.snapshot_above {
            parts.push(format!("a snapshot of the state above log index {index}"));
        }
        if let Some((from, to)) = self.history {
            parts.push(format!("the blocks {from} to {to}"));
        }
        if let Some(below) = self.runs_below {
            parts.push(format!("ids of the generations below {below}"));
        }
        write!(f, "{}", parts.join(", "))
    }
}

/// What to start a node with.
pub struct Start<'a> {
    /// The node's id.
    pub id: u64,
    /// The network.
    pub genesis: &'a Genesis,
    /// Seed of election timeouts.
    pub seed: u64,
    /// Secret key of the table of ids, so that nobody can choose ids that collide in it. It changes
    /// no answer and no digest.
    pub table_key: [u64; 2],
    /// When to make a snapshot: after so many bytes of log.
    pub snapshot_bytes: u64,
}

/// What came of a start.
pub enum Started {
    /// A node.
    Ready(Box<Node>),
    /// Something must be fetched from a peer first; the storage is as it was, or repaired in part.
    Wounded(Wounds),
}

/// Computes the applied state and puts the node together.
///
/// # Errors
/// [`RecoverError`].
pub fn start(start: &Start<'_>, storage: &mut Storage) -> Result<Started, RecoverError> {
    let (mut chain, places) = match base(start, storage)? {
        Ok(base) => base,
        Err(wounds) => return Ok(Started::Wounded(wounds)),
    };
    let wounds = missing_below(&chain, storage);
    if !wounds.is_none() {
        return Ok(Started::Wounded(wounds));
    }
    if let Some(place) = places.last() {
        align_log(*place, storage)?;
    }
    let hard_state = storage.recovered.hard_state.unwrap_or_default();
    let commit = hard_state.commit.max(chain.log_index());
    let last_index = storage.recovered.last_index;
    if commit > last_index {
        return Err(RecoverError::Order(OrderError::LogTooShort { commit, last_index }));
    }
    let tail = Tail::replay(start, storage, &mut chain, commit)?;
    let (order, latest) = order(start, storage, &chain, commit)?;
    let old_ids: Arc<dyn OldIdSource> = Arc::new(OldIdsOnDisk(storage.runs.clone()));
    let applied_term = applied_term(&chain, &places, storage);
    let rule = SnapshotRule {
        every_bytes: start.snapshot_bytes,
        since: tail.bytes,
        kept: places,
        wanted_at: None,
        applied_term,
    };
    let mut node = Node::new(start.id, order, chain, old_ids, rule);
    node.took(latest);
    for block in &tail.recent {
        node.remember(block);
    }
    Ok(Started::Ready(Box::new(node)))
}

/// The newest state on disk, and the places of all snapshots up to it, oldest first.
#[allow(clippy::type_complexity)]
fn base(
    start: &Start<'_>,
    storage: &mut Storage,
) -> Result<Result<(Chain, Vec<Place>), Wounds>, RecoverError> {
    let first_index = storage.recovered.first_index;
    let mut usable = storage.snapshots.list()?;
    while let Some(&index) = usable.last() {
        let stored = match storage.snapshots.read(index) {
            Err(SnapshotError::Corrupt { what, .. }) => {
                set_aside(storage, index, what)?;
                usable.pop();
                continue;
            }
            stored => stored?,
        };
        if index + 1 < first_index {
            break;
        }
        if contradicts_log(stored.place, storage) {
            set_aside(storage, index, "the committed log holds an entry of another term there")?;
            usable.pop();
            continue;
        }
        match Chain::from_snapshot(start.genesis, &stored, start.table_key) {
            Ok(chain) => {
                let place = |index: &u64| storage.snapshots.label(*index).ok().map(|label| label.0);
                let places = usable.iter().filter_map(place).collect();
                return Ok(Ok((chain, places)));
            }
            Err(error) => set_aside(storage, index, &error.to_string())?,
        }
        usable.pop();
    }
    if first_index > 1 {
        // One right before the first entry is enough, and the others may have no later one.
        let snapshot_above = Some(first_index - 2);
        return Ok(Err(Wounds { snapshot_above, ..Wounds::default() }));
    }
    Ok(Ok((Chain::genesis(start.genesis, start.table_key)?, Vec::new())))
}

/// Whether the log is known to be committed up to a snapshot and holds something else there. The log is
/// this node's own, and what it has acknowledged stands in it: it is the snapshot that is wrong.
fn contradicts_log(place: Place, storage: &Storage) -> bool {
    let commit = storage.recovered.hard_state.unwrap_or_default().commit;
    let known = storage.wal.reader().term(place.index);
    place.index <= commit && known.is_some_and(|term| term != place.term)
}

fn set_aside(storage: &mut Storage, index: u64, what: &str) -> Result<(), RecoverError> {
    storage.findings.push(format!("set aside the snapshot at log index {index}: {what}"));
    Ok(storage.snapshots.set_aside(index)?)
}

/// What the state stands on and is not there. What is above the state comes from the log again.
fn missing_below(chain: &Chain, storage: &Storage) -> Wounds {
    let (height, runs) = (chain.height().0, chain.runs_written());
    let have = storage.history.last_height().unwrap_or(0);
    Wounds {
        snapshot_above: None,
        only_behind: false,
        history: (have < height).then_some((have + 1, height)),
        runs_below: (storage.runs.version() < runs).then_some(runs),
    }
}

/// Lets the log go on after the snapshot when it ends before it, or holds something else there: the
/// entries up to a snapshot are committed, so whatever differs from it never was, nor what follows on it.
/// Still, entries that are dropped were acknowledged: the log is marked, and the node does not vote
/// until it has what a later leader has.
fn align_log(place: Place, storage: &mut Storage) -> Result<(), RecoverError> {
    let Place { index, term, .. } = place;
    if storage.wal.reader().term(index) != Some(term) {
        storage.findings.push(format!("the log goes on after the snapshot at log index {index}"));
        if storage.recovered.last_index > index {
            storage.recovered.lost_term = Some(storage.wal.lose()?);
        }
        storage.wal.reset_to(index, term)?;
        let recovered = &mut storage.recovered;
        (recovered.first_index, recovered.last_index) = (index + 1, index);
        (recovered.base_term, recovered.terms) = (term, vec![(index, term)]);
    }
    let mut state = storage.recovered.hard_state.unwrap_or_default();
    if state.term < term {
        (state.term, state.vote) = (term, 0);
    }
    state.commit = state.commit.max(index);
    storage.recovered.hard_state = Some(state);
    Ok(())
}

/// What was applied again.
struct Tail {
    recent: Vec<Arc<AppliedBlock>>,
    bytes: u64,
}

impl Tail {
    fn replay(
        start: &Start<'_>,
        storage: &mut Storage,
        chain: &mut Chain,
        commit: u64,
    ) -> Result<Self, RecoverError> {
        let mut tail = Self { recent: Vec::new(), bytes: 0 };
        let old_ids = OldIdsOnDisk(storage.runs.clone());
        let log = storage.wal.reader();
        let mut next = chain.log_index() + 1;
        while next <= commit {
            for entry in log.read(next, commit + 1, REPLAY_BYTES_MAX)? {
                next = entry.index + 1;
                tail.bytes += entry.data.len() as u64;
                if entry.data.is_empty() {
                    chain.skip(entry.index);
                    continue;
                }
                let applied = Arc::new(apply(chain, entry, start, &old_ids)?);
                append(storage, &applied)?;
                while let Some((number, generation)) = chain.take_full_generation() {
                    let dir = &storage.folders.runs;
                    write_generation(
                        &*storage.vfs,
                        dir,
                        &storage.runs,
                        number,
                        &generation,
                        Pace::without_rest(),
                    )?;
                    chain.run_written(number);
                }
                if tail.recent.len() == 2 * crate::limits::RECENT_BLOCKS_MAX {
                    tail.recent.drain(..crate::limits::RECENT_BLOCKS_MAX);
                }
                tail.recent.push(applied);
            }
        }
        storage.history.flush()?;
        Ok(tail)
    }
}

/// The term of the last applied block; 0 when nothing tells.
fn applied_term(chain: &Chain, places: &[Place], storage: &Storage) -> u64 {
    let index = chain.block_index();
    let place = places.last().filter(|place| place.index == index);
    place.map(|place| place.term).or_else(|| storage.wal.reader().term(index)).unwrap_or(0)
}

/// Brings a block into the history. Where that is damaged, it is cut, and written again from here on.
fn append(storage: &mut Storage, applied: &AppliedBlock) -> Result<(), RecoverError> {
    let block = history_block(applied);
    match storage.history.append(&block) {
        Err(HistoryError::Corrupt { height }) => {
            storage.findings.push(format!(
                "block {height} is damaged; the history is written again from it on"
            ));
            storage.history.cut_after(height - 1)?;
            Ok(storage.history.append(&block)?)
        }
        appended => Ok(appended?),
    }
}

fn apply(
    chain: &mut Chain,
    entry: WalEntry,
    start: &Start<'_>,
    old_ids: &OldIdsOnDisk,
) -> Result<AppliedBlock, RecoverError> {
    let index = entry.index;
    let runs_below = chain.runs_released();
    let block = PreparedBlock::trusted(entry.data, &start.genesis.domain, old_ids, runs_below)
        .map_err(|error| RecoverError::Entry { index, reason: error.to_string() })?;
    Ok(chain.apply(index, Arc::new(block), old_ids)?)
}

/// The order of the log, and the time of its last block.
fn order(
    start: &Start<'_>,
    storage: &Storage,
    chain: &Chain,
    commit: u64,
) -> Result<(Order, LedgerTime), RecoverError> {
    let recovered = &storage.recovered;
    let log = storage.wal.reader();
    let tail_from = (chain.log_index() + 1).max(recovered.first_index);
    let mut tail = Vec::new();
    let mut next = tail_from;
    while next <= recovered.last_index {
        for entry in log.read(next, recovered.last_index + 1, REPLAY_BYTES_MAX)? {
            next = entry.index + 1;
            tail.push(order_entry(entry));
        }
    }
    let mut latest = chain.time();
    if let Some(last) = tail.iter().rev().find(|entry| !entry.data.is_empty()) {
        let block = RawBlock::decode(last.data.clone()).map_err(|error| RecoverError::Entry {
            index: last.index,
            reason: error.to_string(),
        })?;
        latest = latest.max(block.time);
    }
    let hard_state = recovered.hard_state.unwrap_or_default();
    let mut terms = recovered.terms.clone();
    if recovered.first_index > 1
        && terms.first().is_none_or(|first| first.0 >= recovered.first_index)
    {
        terms.insert(0, (recovered.first_index - 1, recovered.base_term));
        terms.dedup_by_key(|run| run.1);
    }
    let membership = chain.membership();
    let config = Config {
        election_ticks: ELECTION_TICKS,
        heartbeat_ticks: HEARTBEAT_TICKS,
        entry_bytes_max: wire::limits::BLOCK_BYTES_MAX,
        learners: membership.learners.into_iter().collect(),
        others: membership.standby.into_iter().chain(membership.gone).collect(),
        change_of: crate::membership::change_of,
        ..Config::new(start.id, membership.voters.into_iter().collect(), start.seed)
    };
    let restored = Restored {
        hard_state: HardState { term: hard_state.term, vote: hard_state.vote, commit },
        applied: chain.log_index(),
        tail,
        first_index: recovered.first_index,
        last_index: recovered.last_index,
        terms,
        lost_term: recovered.lost_term,
    };
    Ok((Order::new(config, restored)?, latest))
}
