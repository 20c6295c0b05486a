//! Fetches from peers what a node lacks before it can start: a snapshot, blocks of the history, old ids.
//!
//! While it is being mended a node takes no part in the order of the log: it neither votes nor
//! acknowledges. It asks one peer at a time, in the order state, history, ids, and goes to the next
//! peer when one is silent, lacks something or sends what does not prove true. Proven from this node's own
//! data is: that the blocks lead its own Merkle log to exactly the log that the snapshot names, that the
//! accounts hash to the state root of its last seal, and all signatures. What its own data cannot show
//! (`voices`) is taken over only if so many nodes say the same that one of them is honest: blocks beyond its own
//! history, the place of a snapshot in the log, and the digests of old ids. Nothing has its final name
//! before that, and all that was fetched is kept when the peer changes.
//!
//! Pure but for the storage: requests and answers are values, time comes in ticks.

mod blocks;
mod ids;
mod state;
mod voices;

use std::collections::BTreeSet;

use wire::{
    genesis::Genesis,
    repair::{Answer, Got, Request, RunRow, SnapshotInfo, Want},
};

use self::{blocks::Walk, ids::IncomingRun, voices::Poll};
use crate::{
    checkpoint::Head,
    consistency::ConsistencyError,
    recover::Wounds,
    serve::Shelf,
    storage::Storage,
    store::{
        cosigned::Cosigned,
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
/// Ticks of waiting for one peer after which it must have sent enough.
const SLOW_TICKS: u64 = 2_400;
/// Bytes that it must have sent for each of these ticks: 64 KiB a second.
const SLOW_BYTES_PER_TICK: u64 = (64 << 10) / 20;
/// A piece of a file that is shorter than this, and not its last, is no progress.
const PIECE_BYTES_MIN: usize = 64 << 10;
/// Ticks after which the same words are worth saying again.
const WORD_AGAIN_TICKS: u64 = 1_200;

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
    /// The state of the network does not go on from what this node has cosigned.
    #[error(transparent)]
    Consistency(#[from] ConsistencyError),
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
    /// Whether a peer named it; else it is a snapshot of this node itself.
    received: bool,
}

/// A state that was received and is sound in itself, under its temporary name.
struct Received {
    info: SnapshotInfo,
    incoming: Incoming,
    target: Target,
}

enum Step {
    /// Looking for a peer that has what is needed. `own`: the one that is asked was asked for a state that
    /// this node's own history can prove.
    Choose { own: bool },
    /// Others are asked whether they say the same.
    Voices(Box<Poll>),
    /// The state arrives.
    State { info: SnapshotInfo, incoming: Incoming },
    /// Blocks arrive.
    Blocks { info: SnapshotInfo, walk: Walk, target: Target },
    /// Runs arrive; `wanted` are those still to be asked for, the last one first.
    Ids { wanted: Vec<RunRow>, run: Option<IncomingRun> },
    /// All is there.
    Done,
}

/// What to ask after an answer.
enum Next {
    /// This, of the peer that things are fetched from.
    Ask(Want),
    /// Another one whether it says the same.
    Voice,
    /// Nothing.
    Nothing,
}

/// The inner error is the peer's fault.
type Taken = Result<Result<Next, String>, MendError>;

/// A node being mended.
pub struct Mender {
    storage: Storage,
    genesis: Genesis,
    wounds: Wounds,
    /// Peers whose word alone is enough.
    believed: BTreeSet<u64>,
    /// What the state must go on from.
    cosigned: Option<Cosigned>,
    step: Step,
    /// The snapshot that was received and awaits the blocks before it.
    received: Option<Received>,
    /// The beginning of a snapshot, from a peer that is gone.
    partial: Option<(SnapshotInfo, Incoming)>,
    /// Blocks up to this height were here before.
    own_height: u64,
    /// Log index of the last of them, if this node has applied it itself; else 0.
    applied: u64,
    /// Peers whose state does not stand on this node's history.
    strangers: BTreeSet<u64>,
    connected: Vec<u64>,
    /// From which peer things are fetched.
    peer: Option<u64>,
    /// Peers that could not help in this round.
    tried: BTreeSet<u64>,
    number: u64,
    waiting: bool,
    /// Who was asked last.
    asked: u64,
    tick: u64,
    asked_at: u64,
    round_at: u64,
    /// Ticks that were spent waiting for the peer, and bytes that it has sent.
    spent: u64,
    sent: u64,
    /// The last words, and when they were said.
    said: (String, u64),
    /// What an operator must know, since it was last taken.
    pub alarms: Vec<String>,
}

impl Mender {
    /// Begins to mend.
    #[must_use]
    pub fn new(storage: Storage, genesis: Genesis, wounds: Wounds) -> Self {
        let own_height = storage.history.last_height().unwrap_or(0);
        // Damage is found and mended later.
        let last = storage.history.reader().block(own_height).ok().flatten();
        Self {
            own_height,
            applied: last.map_or(0, |block| block.log_index),
            storage,
            genesis,
            wounds,
            believed: BTreeSet::new(),
            cosigned: None,
            step: Step::Choose { own: false },
            received: None,
            partial: None,
            strangers: BTreeSet::new(),
            connected: Vec::new(),
            peer: None,
            tried: BTreeSet::new(),
            number: 0,
            waiting: false,
            asked: 0,
            tick: 0,
            asked_at: 0,
            round_at: 0,
            spent: 0,
            sent: 0,
            said: (String::new(), 0),
            alarms: Vec::new(),
        }
    }

    /// Takes the word of these nodes alone, as this node's operator has decided.
    pub fn believe(&mut self, nodes: impl IntoIterator<Item = u64>) {
        self.believed.extend(nodes);
    }

    /// Holds what is fetched to the log that this node cosigned last: a state that does not go on from there gets
    /// no name, see [`crate::consistency`].
    pub fn hold_to(&mut self, cosigned: Cosigned) {
        self.cosigned = Some(cosigned);
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
            Step::Choose { .. } => format!("looking for a node that has {}", self.wounds),
            Step::Voices(poll) => self.waits_for(poll),
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

    /// What this node can give to others meanwhile.
    #[must_use]
    pub fn shelf(&self) -> Shelf {
        let storage = &self.storage;
        Shelf {
            snapshots: storage.snapshots.clone(),
            runs: storage.runs.clone(),
            history: storage.history.reader(),
            log: storage.wal.reader(),
            committed: self.committed(),
        }
    }

    /// Log entries up to this one are known to be committed.
    fn committed(&self) -> u64 {
        let known = self.storage.recovered.hard_state.unwrap_or_default().commit;
        known.max(self.applied)
    }

    /// Time passes; `connected` are the peers that can be asked.
    pub fn tick(&mut self, connected: &[u64]) -> Option<Ask> {
        self.tick += 1;
        self.connected.clear();
        self.connected.extend_from_slice(connected);
        self.watch();
        if matches!(self.step, Step::Voices(_)) && !self.waiting {
            return self.next_voice();
        }
        if self.peer.is_some() || self.is_done() {
            return None;
        }
        let Some(peer) = connected.iter().copied().find(|peer| !self.tried.contains(peer)) else {
            if self.wounds.only_behind && self.tick >= GIVE_UP_TICKS {
                self.alarms.push(format!(
                    "mending: nobody who can be asked has {}, or none to confirm it; the node goes on as it is",
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
        (self.peer, self.spent, self.sent) = (Some(peer), 0, 0);
        // A state that its own history leads to needs nobody's word, and its log goes on from there.
        let own = self.wounds.snapshot_above.is_some() && !self.wounds.only_behind;
        let up_to = self.storage.history.last_height().filter(|_| own);
        self.step = Step::Choose { own: up_to.is_some() };
        Some(self.ask(peer, self.wish(up_to)))
    }

    /// Leaves those who are gone or silent.
    fn watch(&mut self) {
        let is_there = |peer: &u64| self.connected.contains(peer);
        let asks_peer = Some(self.asked) == self.peer;
        self.spent += u64::from(self.waiting && asks_peer);
        if self.peer.is_some_and(|peer| !is_there(&peer)) {
            self.give_up_on_peer("is gone");
        } else if self.waiting
            && (self.asked_at + PATIENCE_TICKS <= self.tick || !is_there(&self.asked))
        {
            if asks_peer {
                self.give_up_on_peer("does not answer");
            }
            self.waiting = false;
        }
    }

    /// A peer answered. Returns what to ask next.
    ///
    /// # Errors
    /// [`MendError`]: this node's own disk, not the peer's, stands in the way.
    pub fn answer(&mut self, from: u64, answer: Answer) -> Result<Option<Ask>, MendError> {
        if !self.waiting || self.asked != from || answer.number != self.number {
            return Ok(None);
        }
        self.waiting = false;
        if self.peer == Some(from) {
            self.sent += bytes_of(&answer.got);
            let expected = self.spent.saturating_sub(SLOW_TICKS) * SLOW_BYTES_PER_TICK;
            if self.sent < expected {
                self.give_up_on_peer("is too slow");
                return Ok(None);
            }
        }
        match self.take(from, answer.got)? {
            Ok(Next::Ask(want)) => Ok(self.peer.map(|peer| self.ask(peer, want))),
            Ok(Next::Voice) => Ok(self.next_voice()),
            Ok(Next::Nothing) => Ok(None),
            Err(reason) => {
                self.give_up_on_peer(&reason);
                Ok(None)
            }
        }
    }

    fn ask(&mut self, peer: u64, want: Want) -> Ask {
        self.number += 1;
        (self.waiting, self.asked, self.asked_at) = (true, peer, self.tick);
        Ask { peer, request: Request { number: self.number, want } }
    }

    /// That a peer has nothing to offer is no news; that it lets this node down on the way is.
    fn give_up_on_peer(&mut self, reason: &str) {
        if let Some(peer) = self.peer.take() {
            self.say(format!("mending: node {peer} {reason}"));
            self.tried.insert(peer);
        }
        self.waiting = false;
        if let Step::State { info, incoming } = self.leave_step() {
            self.partial = Some((info, incoming));
        }
    }

    /// Goes to the next peer without a word.
    fn pass_over_peer(&mut self) -> Taken {
        self.tried.extend(self.peer.take());
        self.leave_step();
        Ok(Ok(Next::Nothing))
    }

    fn leave_step(&mut self) -> Step {
        let next = if self.is_done() { Step::Done } else { Step::Choose { own: false } };
        std::mem::replace(&mut self.step, next)
    }

    /// The same words again and again would only hide others.
    fn say(&mut self, words: String) {
        if words != self.said.0 || self.said.1 + WORD_AGAIN_TICKS <= self.tick {
            self.said = (words.clone(), self.tick);
            self.alarms.push(words);
        }
    }

    /// Takes what arrived.
    fn take(&mut self, from: u64, got: Got) -> Taken {
        match self.leave_step() {
            Step::Choose { own } => match got {
                Got::Snapshot(info) => self.chosen(info, own),
                _ if own => self.ask_for_any(),
                _ => self.pass_over_peer(),
            },
            Step::Voices(poll) => self.voice(poll, from, got),
            Step::State { info, incoming } => self.state(info, incoming, got),
            Step::Blocks { info, walk, target } => self.blocks(info, walk, target, got),
            Step::Ids { wanted, run } => self.ids(wanted, run, got),
            Step::Done => Ok(Ok(Next::Nothing)),
        }
    }

    /// Asks the peer for its newest state, whatever it is.
    fn ask_for_any(&mut self) -> Taken {
        self.step = Step::Choose { own: false };
        Ok(Ok(Next::Ask(self.wish(None))))
    }

    /// The newest state, or the newest that this node's own history leads to. The peer may have to make
    /// one first: without traffic nobody would ever make one that is new enough by itself.
    fn wish(&self, up_to: Option<u64>) -> Want {
        let above = self.wounds.snapshot_above.filter(|_| up_to.is_none()).unwrap_or(0);
        Want::Snapshot { up_to: up_to.unwrap_or(u64::MAX), above }
    }
}

fn bytes_of(got: &Got) -> u64 {
    match got {
        Got::Piece { bytes, .. } => bytes.len() as u64,
        Got::Blocks(rows) => {
            rows.iter().map(|row| (row.block.len() + row.outcome.len()) as u64).sum()
        }
        Got::Nothing | Got::Snapshot(_) | Got::Seen { .. } => SLOW_BYTES_PER_TICK,
    }
}
