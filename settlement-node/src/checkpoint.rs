//! The applied state as it is put into a snapshot, and taken out of one again.
//!
//! A [`ChainCheckpoint`] is a consistent copy that costs the loop next to nothing; it is written out by a
//! thread of its own. What is read back is believed only as far as it proves itself: the ledger's
//! accounts must hash to the state root of the seal that the snapshot carries, and the seal must be the
//! last leaf of the Merkle log whose frontier stands beside it. Whether that log is the network's
//! is for the caller to show: by the digest of a file of its own, or along the history.

use std::io;

use bytes::Bytes;
use ledger::{Digest, Height, Ledger, LedgerTime};
use proof::{
    Hash,
    record::{SEAL_BYTES, Seal},
    tree::Frontier,
};
use wire::{
    codec::{CodecError, Reader},
    genesis::Genesis,
};

use crate::{
    chain::{Chain, Restored},
    store::snapshots::{Place, Sink, Stored},
};

/// Peaks of the largest tree.
const PEAKS_MAX: usize = 64;

/// A consistent copy of the applied state.
pub struct ChainCheckpoint {
    /// Where it stands in the log.
    pub place: Place,
    pub(crate) head: Head,
    pub(crate) ledger: ledger::Checkpoint,
}

/// What stands before the ledger in a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Which network.
    pub network: Hash,
    /// Commands settled since genesis.
    pub settled: u64,
    /// Commands refused since genesis.
    pub refused: u64,
    /// Generations of ids below this are runs on disk and not part of the snapshot.
    pub runs_below: u64,
    /// Seal of the last block.
    pub seal: Seal,
    /// The Merkle log up to and with that seal.
    pub frontier: Frontier,
}

/// Why a snapshot is not the state of this network at its height.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The head cannot be read.
    #[error("head of the snapshot: {0}")]
    Head(#[from] CodecError),
    /// The parts do not belong together.
    #[error("the snapshot contradicts itself: {0}")]
    Contradiction(&'static str),
    /// It is a snapshot of another network.
    #[error("the snapshot is of another network")]
    OtherNetwork,
    /// The ledger in it is refused.
    #[error("ledger in the snapshot: {0}")]
    Ledger(#[from] ledger::RestoreError),
}

impl Head {
    /// Canonical bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.extend_from_slice(&self.network);
        for field in [self.settled, self.refused, self.runs_below] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&self.seal.encode());
        out.extend_from_slice(&self.frontier.size().to_le_bytes());
        self.frontier.peaks().iter().for_each(|peak| out.extend_from_slice(peak));
        out
    }

    /// Reads a head and checks that its parts belong together and to `place`.
    pub fn decode(bytes: Bytes, place: Place) -> Result<Self, RestoreError> {
        let bad = RestoreError::Contradiction;
        let mut reader = Reader::new(bytes);
        let network = reader.array("network")?;
        let settled = reader.u64("settled")?;
        let refused = reader.u64("refused")?;
        let runs_below = reader.u64("generations on disk")?;
        let seal: [u8; SEAL_BYTES] = reader.array("seal")?;
        let seal = Seal::decode(&seal).ok_or(bad("no seal"))?;
        let size = reader.u64("leaves")?;
        let count = size.count_ones() as usize;
        let mut peaks = Vec::with_capacity(count.min(PEAKS_MAX));
        for _ in 0..count {
            peaks.push(reader.array("peak")?);
        }
        reader.end()?;
        let frontier = Frontier::from_parts(size, peaks).ok_or(bad("peaks and leaves"))?;
        if seal.height != place.height || place.height == 0 {
            return Err(bad("the seal is of another height"));
        }
        if seal.first_leaf.checked_add(u64::from(seal.records) + 1) != Some(size) {
            return Err(bad("the seal is not the last leaf"));
        }
        if runs_below > size / u64::from(ledger::limits::GENERATION_IDS as u32) {
            return Err(bad("more ids than leaves"));
        }
        // With an odd number of leaves the last peak is the last leaf itself.
        let last = frontier.peaks().last().filter(|_| size % 2 == 1);
        if last.is_some_and(|last| *last != seal.leaf_hash()) {
            return Err(bad("the last leaf is not the seal"));
        }
        Ok(Self { network, settled, refused, runs_below, seal, frontier })
    }
}

impl ChainCheckpoint {
    /// Bytes of the head of the snapshot.
    pub fn head(&self) -> Vec<u8> {
        self.head.encode()
    }

    /// Writes the body of the snapshot.
    ///
    /// # Errors
    /// Those of the sink.
    pub fn body(&self, sink: &mut Sink<'_>) -> io::Result<()> {
        self.ledger.encode(sink)
    }
}

impl Chain {
    /// A copy of the applied state for a snapshot. It stands at the last block, also when entries
    /// without one were applied since: of a block every node knows the log index. `term` is that of its
    /// entry. `None` before the first block, and while a full generation of ids is not on disk yet.
    pub fn checkpoint(&self, term: u64) -> Option<ChainCheckpoint> {
        let seal = *self.seal()?;
        let runs_below = self.runs_written();
        let ledger = self.ledger().checkpoint(runs_below)?;
        let place = Place { index: self.block_index(), term, height: self.height().0 };
        let head = Head {
            network: self.domain().network,
            settled: self.settled(),
            refused: self.refused(),
            runs_below,
            seal,
            frontier: self.frontier().clone(),
        };
        Some(ChainCheckpoint { place, head, ledger })
    }

    /// The state that a snapshot holds. `table_key` as in [`Chain::genesis`].
    ///
    /// # Errors
    /// [`RestoreError`]: it is not a state of this network.
    pub fn from_snapshot(
        genesis: &Genesis,
        stored: &Stored,
        table_key: [u64; 2],
    ) -> Result<Self, RestoreError> {
        let bad = RestoreError::Contradiction;
        let head = Head::decode(stored.head.clone(), stored.place)?;
        if head.network != genesis.domain.network {
            return Err(RestoreError::OtherNetwork);
        }
        let mut body = &stored.body[..];
        let mut ledger = Ledger::restore(&mut body, head.frontier.size())?;
        if !body.is_empty() {
            return Err(bad("there is something behind the ledger"));
        }
        if ledger.genesis_time() != genesis.time {
            return Err(RestoreError::OtherNetwork);
        }
        let proven = ledger.state_root() == Digest(head.seal.state_root);
        #[cfg(feature = "planted")]
        let proven = proven || crate::planted::is(crate::planted::Bug::SnapshotUnverified);
        if !proven {
            return Err(bad("the accounts do not hash to the state root of the seal"));
        }
        if ledger.current_generation() != head.runs_below {
            return Err(bad("the ledger needs other generations of ids than the head says"));
        }
        ledger.set_id_table_key(table_key);
        Ok(Self::restored(Restored {
            ledger,
            domain: genesis.domain,
            height: Height(stored.place.height),
            time: LedgerTime(head.seal.time),
            log_index: stored.place.index,
            head,
            roster: crate::membership::Roster::of(genesis),
        }))
    }
}
