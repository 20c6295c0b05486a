//! Blocks from a peer, and the walk along the Merkle log that proves them.
//!
//! Blocks up to a snapshot of this node itself are proven by it, at the end of the walk. Blocks up to a
//! snapshot that was received are not: they are appended only after others have confirmed them, so
//! that nothing in this node's history is one peer's word.

use proof::{Hash, record::Seal, tree::Frontier};
use wire::repair::{BLOCKS_BYTES_MAX, Got, HistoryRow, RowsDigest, SnapshotInfo, Want};

use super::{MendError, Mender, Next, Step, Taken, Target};
use crate::{
    chain::Chain,
    checkpoint::Head,
    past::PastBlock,
    serve::block_of,
    store::history::{HistoryBlock, HistoryError},
};

/// How far the log was walked.
#[derive(Clone)]
pub(super) struct Walk {
    /// The last block walked over.
    pub(super) height: u64,
    frontier: Frontier,
    previous: Hash,
}

impl Walk {
    fn step(&mut self, past: &PastBlock, block: &HistoryBlock) -> Result<(), String> {
        let height = block.height;
        let seal = Seal::decode(&block.seal).ok_or_else(|| format!("block {height}: no seal"))?;
        if height != self.height + 1 {
            return Err(format!("block {height} does not follow block {}", self.height));
        }
        past.append_to(&mut self.frontier, &seal, &self.previous)?;
        (self.height, self.previous) = (height, seal.leaf_hash());
        Ok(())
    }

    /// Whether the walk has led to a state.
    fn leads_to(&self, target: &Target) -> bool {
        self.height == target.place.height
            && self.previous == target.head.seal.leaf_hash()
            && self.frontier == target.head.frontier
    }
}

/// Blocks of one answer, checked as far as they show by themselves.
pub(super) struct Batch {
    pub(super) info: SnapshotInfo,
    pub(super) target: Target,
    pub(super) blocks: Vec<HistoryBlock>,
    /// The walk over them.
    pub(super) walk: Walk,
    pub(super) digest: [u8; 32],
}

impl Mender {
    /// Goes on with the blocks up to the target.
    pub(super) fn begin_blocks(&mut self, info: SnapshotInfo, target: Target) -> Taken {
        let have = self.storage.history.last_height().unwrap_or(0);
        if have >= target.place.height && !target.received {
            return self.begin_ids(info, &target);
        }
        let up_to = have.min(target.place.height);
        let walk = match self.walk_own(up_to) {
            Err(MendError::OtherHistory(reason)) => return self.distrust(up_to, reason),
            Err(MendError::History(HistoryError::Corrupt { height })) => {
                self.alarms.push(format!(
                    "block {height} of this node's history is damaged; it and those after it are \
                     fetched again"
                ));
                self.storage.history.cut_after(height - 1)?;
                self.own_height = self.own_height.min(height - 1);
                return self.begin_blocks(info, target);
            }
            walk => walk?,
        };
        if walk.height < target.place.height {
            return self.go_on(info, walk, target);
        }
        if walk.leads_to(&target) {
            return self.begin_ids(info, &target);
        }
        self.stranger(up_to, "has a state that does not stand on this node's history".to_owned())
    }

    /// Asks for the blocks after those walked over.
    fn go_on(&mut self, info: SnapshotInfo, walk: Walk, target: Target) -> Taken {
        let want = Want::History { from: walk.height + 1, to: target.place.height };
        self.step = Step::Blocks { info, walk, target };
        Ok(Ok(Next::Ask(want)))
    }

    /// Walks over the node's own blocks, from its newest sound snapshot or from the beginning.
    fn walk_own(&mut self, up_to: u64) -> Result<Walk, MendError> {
        self.storage.history.flush()?;
        let mut walk = self.walk_begin(up_to)?;
        let reader = self.storage.history.reader();
        while walk.height < up_to {
            for block in reader.scan(walk.height + 1, BLOCKS_BYTES_MAX as u64)? {
                if block.height > up_to {
                    break;
                }
                let past = PastBlock::read(&block, &self.genesis.domain)
                    .map_err(MendError::OtherHistory)?;
                walk.step(&past, &block).map_err(MendError::OtherHistory)?;
            }
        }
        Ok(walk)
    }

    fn walk_begin(&self, have: u64) -> Result<Walk, MendError> {
        for index in self.storage.snapshots.list()?.into_iter().rev() {
            // A damaged one is set aside at the next start; here it is of no use.
            let Ok(stored) = self.storage.snapshots.read(index) else { continue };
            let Ok(head) = Head::decode(stored.head, stored.place) else { continue };
            let height = stored.place.height;
            if height <= have {
                let previous = head.seal.leaf_hash();
                return Ok(Walk { height, frontier: head.frontier, previous });
            }
        }
        let genesis = Chain::genesis(&self.genesis, [0; 2])?;
        let (frontier, previous) = (genesis.frontier().clone(), *genesis.previous_seal());
        Ok(Walk { height: 0, frontier, previous })
    }

    /// Takes blocks.
    pub(super) fn blocks(
        &mut self,
        info: SnapshotInfo,
        walk: Walk,
        target: Target,
        got: Got,
    ) -> Taken {
        let Got::Blocks(rows) = got else {
            return Ok(Err("lacks blocks of the history".to_owned()));
        };
        if rows.is_empty() {
            return Ok(Err("sent no block".to_owned()));
        }
        let began = walk.height;
        let mut batch = Batch { info, target, blocks: Vec::new(), walk, digest: [0; 32] };
        if let Err(reason) = self.check(&mut batch, rows) {
            let follows = !batch.blocks.is_empty();
            return match batch.target.received {
                true if follows => Ok(Err(format!("sent a bad block: {reason}"))),
                true => self.stranger(began, format!("sent a bad block: {reason}")),
                false => self.distrust(began, format!("sent a bad block: {reason}")),
            };
        }
        if batch.target.received { self.ask_about_rows(batch) } else { self.append(batch) }
    }

    /// Checks what an answer shows by itself; those that are good are in the batch.
    fn check(&self, batch: &mut Batch, rows: Vec<HistoryRow>) -> Result<(), String> {
        let place = batch.target.place;
        let mut digest = RowsDigest::default();
        for row in rows {
            digest.add(&row);
            let mut block: HistoryBlock = block_of(row);
            if block.height > place.height {
                return Err("it was not asked for".to_owned());
            }
            let past = PastBlock::check(&block, &self.genesis.domain)?;
            batch.walk.step(&past, &block)?;
            let is_last = block.height == place.height;
            if is_last && !batch.walk.leads_to(&batch.target) {
                return Err("it does not lead to the snapshot".to_owned());
            }
            // Nothing proves where a block stood in the log.
            block.log_index = 0;
            batch.blocks.push(block);
        }
        batch.digest = digest.end();
        Ok(())
    }

    /// Puts blocks into the history, and goes on after them.
    pub(super) fn append(&mut self, batch: Batch) -> Taken {
        let Batch { info, target, blocks, walk, .. } = batch;
        for block in &blocks {
            match self.storage.history.append(block) {
                Err(
                    error @ (HistoryError::Gap { .. }
                    | HistoryError::Leaf { .. }
                    | HistoryError::TooLarge { .. }
                    | HistoryError::Differs { .. }),
                ) => return self.distrust(walk.height, format!("sent a bad block: {error}")),
                appended => appended?,
            }
        }
        if walk.height < target.place.height {
            return self.go_on(info, walk, target);
        }
        self.begin_ids(info, &target)
    }

    /// The peer's state does not stand on this node's history. One peer that says so lies. When so many
    /// do that one of them is honest, this node's own blocks are at fault, and those that no
    /// snapshot here vouches for go: they are on the disks of the others.
    fn stranger(&mut self, own: u64, reason: String) -> Taken {
        let Some(peer) = self.peer else { return Ok(Err(reason)) };
        self.strangers.insert(peer);
        // Two at the least: against a single other node this node's own word stands.
        let enough = if self.is_believed(peer) { 1 } else { self.voices_needed().max(2) };
        if self.strangers.len() < enough {
            return Ok(Err(reason));
        }
        let keep = self.walk_begin(own.saturating_sub(1))?.height;
        self.alarms.push(format!(
            "the states of the nodes {:?} do not stand on this node's history; its blocks above {keep} are \
             fetched again",
            self.strangers
        ));
        self.strangers.clear();
        self.storage.history.cut_after(keep)?;
        self.own_height = self.own_height.min(keep);
        Ok(Err(reason))
    }

    /// Takes back the blocks that this peer sent: the fault may be in any of them. When it sent none
    /// that fitted, those before it may be at fault, and all that no snapshot here vouches for goes:
    /// it is on the disks of the others.
    fn distrust(&mut self, began: u64, reason: String) -> Taken {
        let proven = self.walk_begin(began)?.height;
        let keep = if began > self.own_height { self.own_height.max(proven) } else { proven };
        self.storage.history.cut_after(keep)?;
        self.own_height = keep;
        Ok(Err(reason))
    }
}
