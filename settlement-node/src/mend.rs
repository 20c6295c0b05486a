//! Fetches from peers what a node lacks before it can start: a snapshot, blocks of the history, old ids.
//!
//! While it is being mended a node takes no part in the order of the log: it neither votes nor
//! acknowledges. It asks one peer at a time, in the order state, history, ids, and goes to the next
//! peer when one is silent, lacks something or sends what does not prove true. Proven is: the
//! signatures of every block, that the blocks lead the node's own Merkle log to exactly the log that
//! the snapshot names, that the accounts hash to the state root of its last seal, and the digest of
//! each run. Nothing has its final name before that, and all that was fetched is kept when the peer
//! changes or the process dies.
//!
//! Pure but for the storage: requests and answers are values, time comes in ticks.

mod blocks;
mod ids;

use std::collections::BTreeSet;

use wire::{
    genesis::Genesis,
    repair::{Answer, Got, Request, SnapshotInfo, Want},
};

use self::{blocks::Walk, ids::IncomingRun};
use crate::{
    chain::Chain,
    checkpoint::Head,
    recover::Wounds,
    storage::Storage,
    store::{
        history::HistoryError,
        runs::RunError,
        snapshots::{Incoming, Place, SnapshotError},
    },
};

/// Ticks without an answer after which the next peer is asked.
const PATIENCE_TICKS: u64 = 40;
/// Ticks between two rounds of asking when no peer had what is needed.
const ROUND_TICKS: u64 = 20;

/// Ticks after which a node that is only behind goes on as it is, when nobody who can be asked has more.
const GIVE_UP_TICKS: u64 = 40;

/// Why mending cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum MendError {
    /// The node's own history cannot be read.
    #[error("history: {0}")]
    History(#[from] HistoryError),
    /// Snapshots cannot be written.
    #[error("snapshots: {0}")]
    Snapshots(#[from] SnapshotError),
    /// Runs cannot be written.
    #[error("runs of old ids: {0}")]
    Runs(#[from] RunError),
    /// A file cannot be written.
    #[error("file operation: {0}")]
    Io(#[from] std::io::Error),
    /// The node's own history contradicts itself or the network's.
    #[error("the history of this node does not lead to the state of the network: {0}")]
    OtherHistory(String),
    /// The ledger refuses the genesis file.
    #[error(transparent)]
    Genesis(#[from] wire::genesis::GenesisError),
}

/// A request for a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Which peer.
    pub peer: u64,
    /// What is asked.
    pub request: Request,
}

/// Where the blocks must lead.
#[derive(Clone)]
struct Target {
    place: Place,
    head: Head,
}

enum Step {
    /// Looking for a peer that has what is needed.
    Choose,
    /// The state arrives.
    State { info: SnapshotInfo, incoming: Incoming },
    /// Blocks arrive.
    Blocks { info: SnapshotInfo, walk: Walk, target: Target },
    /// Runs arrive; `wanted` are those still to be asked for, the last one first.
    Ids { wanted: Vec<wire::repair::RunRow>, run: Option<IncomingRun> },
    /// All is there.
    Done,
}

/// A node being mended.
pub struct Mender {
    storage: Storage,
    genesis: Genesis,
    wounds: Wounds,
    step: Step,
    /// The snapshot that was received and awaits the blocks before it.
    received: Option<(Incoming, Target)>,
    /// Blocks up to this height were here before.
    own_height: u64,
    peer: Option<u64>,
    /// Peers that could not help in this round.
    tried: BTreeSet<u64>,
    number: u64,
    waiting: bool,
    tick: u64,
    asked_at: u64,
    round_at: u64,
    /// What an operator must know, since it was last taken.
    pub alarms: Vec<String>,
}

impl Mender {
    /// Begins to mend.
    #[must_use]
    pub fn new(storage: Storage, genesis: Genesis, wounds: Wounds) -> Self {
        Self {
            own_height: storage.history.last_height().unwrap_or(0),
            storage,
            genesis,
            wounds,
            step: Step::Choose,
            received: None,
            peer: None,
            tried: BTreeSet::new(),
            number: 0,
            waiting: false,
            tick: 0,
            asked_at: 0,
            round_at: 0,
            alarms: Vec::new(),
        }
    }

    /// Whether everything is there; then [`Mender::into_storage`] and a new start.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    /// What was fetched so far, for the operator.
    #[must_use]
    pub fn progress(&self) -> String {
        let peer = self.peer.map_or_else(String::new, |peer| format!(" from node {peer}"));
        match &self.step {
            Step::Choose => format!("looking for a node that has {}", self.wounds),
            Step::State { info, incoming } => {
                format!("state{peer}: {} of {} bytes", incoming.offset(), info.bytes)
            }
            Step::Blocks { walk, target, .. } => {
                format!("history{peer}: block {} of {}", walk.height, target.place.height)
            }
            Step::Ids { wanted, .. } => format!("old ids{peer}: {} runs to go", wanted.len() + 1),
            Step::Done => "everything is there".to_owned(),
        }
    }

    /// The storage, for the next start.
    #[must_use]
    pub fn into_storage(self) -> Storage {
        self.storage
    }

    /// Time passes; `connected` are the peers that can be asked.
    pub fn tick(&mut self, connected: &[u64]) -> Option<Ask> {
        self.tick += 1;
        let gone = self.peer.is_some_and(|peer| !connected.contains(&peer));
        if gone || self.waiting && self.asked_at + PATIENCE_TICKS <= self.tick {
            let choosing = matches!(self.step, Step::Choose);
            self.give_up_on_peer(choosing, if gone { "is gone" } else { "does not answer" });
        }
        if self.peer.is_some() || self.is_done() {
            return None;
        }
        let Some(peer) = connected.iter().copied().find(|peer| !self.tried.contains(peer)) else {
            if self.wounds.only_behind && self.tick >= GIVE_UP_TICKS {
                self.alarms.push(format!(
                    "mending: nobody who can be asked has {}; the node goes on as it is",
                    self.wounds
                ));
                self.step = Step::Done;
                return None;
            }
            if self.round_at + ROUND_TICKS <= self.tick {
                self.round_at = self.tick;
                self.tried.clear();
            }
            return None;
        };
        self.peer = Some(peer);
        Some(self.ask(peer, Want::Snapshot))
    }

    /// A peer answered. Returns what to ask next.
    ///
    /// # Errors
    /// [`MendError`]: this node's own disk, not the peer's, stands in the way.
    pub fn answer(&mut self, from: u64, answer: Answer) -> Result<Option<Ask>, MendError> {
        if !self.waiting || self.peer != Some(from) || answer.number != self.number {
            return Ok(None);
        }
        self.waiting = false;
        let choosing = matches!(self.step, Step::Choose);
        match self.take(answer.got)? {
            Ok(want) => Ok(want.map(|want| self.ask(from, want))),
            Err(reason) => {
                self.give_up_on_peer(choosing, &reason);
                Ok(None)
            }
        }
    }

    fn ask(&mut self, peer: u64, want: Want) -> Ask {
        self.number += 1;
        (self.waiting, self.asked_at) = (true, self.tick);
        Ask { peer, request: Request { number: self.number, want } }
    }

    /// That a peer has nothing to offer is no news; that it lets this node down on the way is.
    fn give_up_on_peer(&mut self, choosing: bool, reason: &str) {
        if let Some(peer) = self.peer.take() {
            if !choosing {
                self.alarms.push(format!("mending: node {peer} {reason}"));
            }
            self.tried.insert(peer);
        }
        self.waiting = false;
        self.received = None;
        if !self.is_done() {
            self.step = Step::Choose;
        }
    }

    /// Takes what arrived; the inner error is the peer's fault.
    fn take(&mut self, got: Got) -> Result<Result<Option<Want>, String>, MendError> {
        match std::mem::replace(&mut self.step, Step::Choose) {
            Step::Choose => match got {
                Got::Snapshot(info) => self.chosen(info),
                _ => Ok(Err("has no snapshot".to_owned())),
            },
            Step::State { info, incoming } => self.state(info, incoming, got),
            Step::Blocks { info, walk, target } => self.blocks(info, walk, target, got),
            Step::Ids { wanted, run } => self.ids(wanted, run, got),
            Step::Done => Ok(Ok(None)),
        }
    }

    fn chosen(&mut self, info: SnapshotInfo) -> Result<Result<Option<Want>, String>, MendError> {
        if let Some(above) = self.wounds.snapshot_above {
            if info.index <= above {
                return Ok(Err("has no later snapshot".to_owned()));
            }
            let incoming = self.storage.snapshots.incoming(info.index)?;
            let want = Want::State { index: info.index, offset: 0 };
            self.step = Step::State { info, incoming };
            return Ok(Ok(Some(want)));
        }
        // The state is this node's own.
        let Some(index) = self.storage.snapshots.list()?.last().copied() else {
            return Err(MendError::OtherHistory("there is no snapshot to lead to".to_owned()));
        };
        let stored = self.storage.snapshots.read(index)?;
        let head = Head::decode(stored.head, stored.place)
            .map_err(|error| MendError::OtherHistory(error.to_string()))?;
        self.begin_blocks(info, Target { place: stored.place, head })
    }

    fn state(
        &mut self,
        info: SnapshotInfo,
        mut incoming: Incoming,
        got: Got,
    ) -> Result<Result<Option<Want>, String>, MendError> {
        let Got::Piece { total, bytes } = got else {
            return Ok(Err("no longer has that snapshot".to_owned()));
        };
        let end = incoming.offset() + bytes.len() as u64;
        if total != info.bytes || bytes.is_empty() || end > total {
            return Ok(Err("sent a piece that does not fit its snapshot".to_owned()));
        }
        incoming.put(&bytes)?;
        if end < total {
            let want = Want::State { index: info.index, offset: end };
            self.step = Step::State { info, incoming };
            return Ok(Ok(Some(want)));
        }
        let verified = is_sound(&incoming, &info, &self.storage, &self.genesis);
        #[cfg(feature = "planted")]
        let verified = if crate::planted::is(crate::planted::Bug::SnapshotUnverified) {
            unverified(&incoming, &self.storage)
        } else {
            verified
        };
        match verified {
            Ok(target) => {
                self.received = Some((incoming, target.clone()));
                self.begin_blocks(info, target)
            }
            Err(reason) => Ok(Err(format!("sent a bad snapshot: {reason}"))),
        }
    }

    /// All was fetched: what was received gets its name.
    fn install(&mut self) -> Result<(), MendError> {
        if let Some((incoming, target)) = self.received.take() {
            self.storage.history.sync()?;
            incoming.install(&self.storage.snapshots)?;
            let Place { index, height, .. } = target.place;
            self.alarms.push(format!(
                "mended: the state at block {height}, log index {index}, was taken over from node {}",
                self.peer.unwrap_or(0)
            ));
        } else {
            self.storage.history.sync()?;
            self.alarms.push(format!("mended: {}", self.wounds));
        }
        self.step = Step::Done;
        Ok(())
    }
}

/// Whether a snapshot that was received is a state of this network.
fn is_sound(
    incoming: &Incoming,
    info: &SnapshotInfo,
    storage: &Storage,
    genesis: &Genesis,
) -> Result<Target, String> {
    if !incoming.is_whole(&info.digest) {
        return Err("its digest is not the one announced".to_owned());
    }
    let stored = incoming.content(&storage.snapshots).map_err(|error| error.to_string())?;
    let place = Place { index: info.index, term: info.term, height: info.height };
    if stored.place != place {
        return Err("it stands elsewhere than announced".to_owned());
    }
    // The key places ids in memory only.
    Chain::from_snapshot(genesis, &stored, [0; 2]).map_err(|error| error.to_string())?;
    let head = Head::decode(stored.head, place).map_err(|error| error.to_string())?;
    Ok(Target { place, head })
}

#[cfg(feature = "planted")]
fn unverified(incoming: &Incoming, storage: &Storage) -> Result<Target, String> {
    let stored = incoming.content(&storage.snapshots).map_err(|error| error.to_string())?;
    let head = Head::decode(stored.head, stored.place).map_err(|error| error.to_string())?;
    Ok(Target { place: stored.place, head })
}
