//! The state from a peer: which one, its pieces, and that it is sound in itself.

use ledger::LedgerTime;
use wire::{
    cosign::FinalAt,
    genesis::Genesis,
    repair::{Got, SnapshotInfo, Want},
};

use super::{MendError, Mender, Next, PIECE_BYTES_MIN, Received, Step, Taken, Target};
use crate::{
    chain::Chain,
    checkpoint::Head,
    consistency,
    event::Sealed,
    limits::STATE_BYTES_MAX,
    storage::Storage,
    store::{
        history::HistoryError,
        snapshots::{Incoming, Place},
    },
};

/// What this node's own data says of the place of a snapshot.
enum OwnWord {
    /// It is right.
    Right,
    /// It is wrong.
    Wrong,
    /// Nothing, or not enough.
    Unknown,
}

impl Mender {
    /// A peer has a snapshot.
    pub(super) fn chosen(&mut self, info: SnapshotInfo, own: bool) -> Taken {
        let Some(above) = self.wounds.snapshot_above else {
            // The state is this node's own.
            let Some(index) = self.storage.snapshots.list()?.last().copied() else {
                return Err(MendError::OtherHistory("there is no snapshot to lead to".to_owned()));
            };
            let stored = self.storage.snapshots.read(index)?;
            let head = Head::decode(stored.head, stored.place)
                .map_err(|error| MendError::OtherHistory(error.to_string()))?;
            let target = Target { place: stored.place, head, received: false };
            return self.begin_blocks(info, target);
        };
        if info.index <= above {
            return if own { self.ask_for_any() } else { self.pass_over_peer() };
        }
        if info.bytes > STATE_BYTES_MAX {
            return Ok(Err("has a snapshot larger than any".to_owned()));
        }
        match self.own_word(&info)? {
            OwnWord::Right => self.begin_state(info),
            OwnWord::Unknown => self.ask_about_place(info),
            OwnWord::Wrong if own => self.ask_for_any(),
            OwnWord::Wrong => Ok(Err(format!(
                "has a snapshot that contradicts this node's log at {}",
                info.index
            ))),
        }
    }

    /// Compares log index and term of a snapshot with the own history and the committed log.
    fn own_word(&self, info: &SnapshotInfo) -> Result<OwnWord, MendError> {
        let block = match self.storage.history.reader().block(info.height) {
            Ok(block) => block,
            Err(HistoryError::Corrupt { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let index = block.map(|block| block.log_index).filter(|index| *index != 0);
        let known = self.storage.wal.reader().term(info.index);
        let term = known.filter(|_| info.index <= self.committed());
        let wrong = |own: Option<u64>, said: u64| own.is_some_and(|own| own != said);
        Ok(if wrong(index, info.index) || wrong(term, info.term) {
            OwnWord::Wrong
        } else if index.is_some() && term.is_some() {
            OwnWord::Right
        } else {
            OwnWord::Unknown
        })
    }

    /// Fetches the state, or goes on with what is there of it.
    pub(super) fn begin_state(&mut self, info: SnapshotInfo) -> Taken {
        let is_same = |known: &SnapshotInfo| {
            (known.index, known.term, known.height, known.bytes, known.digest)
                == (info.index, info.term, info.height, info.bytes, info.digest)
        };
        if let Some(received) = self.received.take_if(|received| is_same(&received.info)) {
            let target = received.target.clone();
            self.received = Some(received);
            return self.begin_blocks(info, target);
        }
        self.received = None;
        let known = self.partial.take().filter(|(known, _)| is_same(known));
        let incoming = match known {
            Some((_, incoming)) => incoming,
            None => self.storage.snapshots.incoming(info.index)?,
        };
        let want = Want::State { index: info.index, offset: incoming.offset() };
        self.step = Step::State { info, incoming };
        Ok(Ok(Next::Ask(want)))
    }

    /// Takes a piece of the state.
    pub(super) fn state(&mut self, info: SnapshotInfo, mut incoming: Incoming, got: Got) -> Taken {
        let Got::Piece { total, bytes } = got else {
            return Ok(Err("no longer has that snapshot".to_owned()));
        };
        let end = incoming.offset() + bytes.len() as u64;
        let is_short = bytes.len() < PIECE_BYTES_MIN && end < total;
        if total != info.bytes || end > total || is_short {
            return Ok(Err("sent a piece that does not fit its snapshot".to_owned()));
        }
        incoming.put(&bytes)?;
        if end < total {
            let want = Want::State { index: info.index, offset: end };
            self.step = Step::State { info, incoming };
            return Ok(Ok(Next::Ask(want)));
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
                let received = Received { info: info.clone(), incoming, target: target.clone() };
                self.received = Some(received);
                self.begin_blocks(info, target)
            }
            Err(reason) => Ok(Err(format!("sent a bad snapshot: {reason}"))),
        }
    }

    /// All was fetched: what was received gets its name.
    pub(super) fn install(&mut self) -> Result<(), MendError> {
        self.storage.history.sync()?;
        if let Some(Received { incoming, target, .. }) = self.received.take() {
            self.check_cosigned(&target)?;
            incoming.install(&self.storage.snapshots)?;
            let Place { index, height, .. } = target.place;
            self.alarms.push(format!(
                "mended: the state at block {height}, log index {index}, was taken over from node {}",
                self.peer.unwrap_or(0)
            ));
        } else {
            self.alarms.push(format!("mended: {}", self.wounds));
        }
        self.step = Step::Done;
        Ok(())
    }

    /// A state that does not go on from what this node cosigned is not installed: it halts, with what it has.
    fn check_cosigned(&self, target: &Target) -> Result<(), MendError> {
        let Some(cosigned) = &self.cosigned else { return Ok(()) };
        let Head { seal, frontier, .. } = &target.head;
        let state = Sealed {
            at: FinalAt { height: target.place.height, size: frontier.size() },
            time: LedgerTime(seal.time),
            previous_seal: seal.leaf_hash(),
            frontier: frontier.clone(),
            // Who may vote then makes no difference to what this node itself has signed.
            voters: std::sync::Arc::default(),
        };
        consistency::check(cosigned, &state, &self.storage.history.reader(), &self.genesis.domain)?;
        Ok(())
    }
}

/// Whether a snapshot that was received is a state of this network, as far as it shows by itself.
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
    Ok(Target { place, head, received: true })
}

#[cfg(feature = "planted")]
fn unverified(incoming: &Incoming, storage: &Storage) -> Result<Target, String> {
    let stored = incoming.content(&storage.snapshots).map_err(|error| error.to_string())?;
    let head = Head::decode(stored.head, stored.place).map_err(|error| error.to_string())?;
    Ok(Target { place: stored.place, head, received: true })
}
