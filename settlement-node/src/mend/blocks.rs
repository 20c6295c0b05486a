//! Blocks from a peer, and the walk along the Merkle log that proves them.

use proof::{Hash, record::Seal, tree::Frontier};
use wire::repair::{BLOCKS_BYTES_MAX, Got, SnapshotInfo, Want};

use super::{MendError, Mender, Step, Target};
use crate::{
    chain::Chain,
    checkpoint::Head,
    past::PastBlock,
    serve::block_of,
    store::history::{HistoryBlock, HistoryError},
};

/// How far the log was walked.
pub(super) struct Walk {
    /// The last block walked over.
    pub(super) height: u64,
    frontier: Frontier,
    previous: Hash,
}

impl Walk {
    fn step(&mut self, past: &PastBlock, seal: &[u8]) -> Result<(), String> {
        let seal = Seal::decode(seal).ok_or_else(|| format!("block {}: no seal", past.height))?;
        if past.height != self.height + 1 {
            return Err(format!("block {} does not follow block {}", past.height, self.height));
        }
        past.append_to(&mut self.frontier, &seal, &self.previous)?;
        (self.height, self.previous) = (past.height, seal.leaf_hash());
        Ok(())
    }
}

impl Mender {
    /// Goes on with the blocks up to the target.
    pub(super) fn begin_blocks(
        &mut self,
        info: SnapshotInfo,
        target: Target,
    ) -> Result<Result<Option<Want>, String>, MendError> {
        let have = self.storage.history.last_height().unwrap_or(0);
        if have >= target.place.height {
            return self.begin_ids(info, &target);
        }
        let walk = match self.walk_own(have) {
            Err(MendError::OtherHistory(reason)) => return self.distrust(have, reason),
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
        let (from, to) = (walk.height + 1, target.place.height);
        self.step = Step::Blocks { info, walk, target };
        Ok(Ok(Some(Want::History { from, to })))
    }

    /// Walks over the node's own blocks, from its newest sound snapshot or from the beginning.
    fn walk_own(&mut self, have: u64) -> Result<Walk, MendError> {
        self.storage.history.flush()?;
        let mut walk = self.walk_begin(have)?;
        let reader = self.storage.history.reader();
        while walk.height < have {
            for block in reader.scan(walk.height + 1, BLOCKS_BYTES_MAX as u64)? {
                let past = PastBlock::read(&block, &self.genesis.domain)
                    .map_err(MendError::OtherHistory)?;
                walk.step(&past, &block.seal).map_err(MendError::OtherHistory)?;
            }
        }
        Ok(walk)
    }

    fn walk_begin(&self, have: u64) -> Result<Walk, MendError> {
        for index in self.storage.snapshots.list()?.into_iter().rev() {
            // A damaged one is set aside at the next start; here it is of no use.
            let Ok(stored) = self.storage.snapshots.read(index) else { continue };
            let Ok(head) = Head::decode(stored.head, stored.place) else { continue };
            if stored.place.height <= have {
                let previous = head.seal.leaf_hash();
                return Ok(Walk { height: stored.place.height, frontier: head.frontier, previous });
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
        mut walk: Walk,
        target: Target,
        got: Got,
    ) -> Result<Result<Option<Want>, String>, MendError> {
        let Got::Blocks(rows) = got else {
            return Ok(Err("lacks blocks of the history".to_owned()));
        };
        let began = walk.height;
        for row in rows {
            if row.height > target.place.height {
                return self.distrust(began, "sent blocks that were not asked for".to_owned());
            }
            let block: HistoryBlock = block_of(row);
            let checked = PastBlock::check(&block, &self.genesis.domain)
                .and_then(|past| walk.step(&past, &block.seal));
            if let Err(reason) = checked {
                return self.distrust(began, format!("sent a bad block: {reason}"));
            }
            if walk.height == target.place.height {
                let sealed = Seal::decode(&block.seal) == Some(target.head.seal);
                if !sealed || walk.frontier != target.head.frontier {
                    let reason = "sent blocks that do not lead to its snapshot";
                    return self.distrust(began, reason.to_owned());
                }
            }
            self.storage.history.append(&block)?;
        }
        if walk.height < target.place.height {
            let want = Want::History { from: walk.height + 1, to: target.place.height };
            self.step = Step::Blocks { info, walk, target };
            return Ok(Ok(Some(want)));
        }
        self.begin_ids(info, &target)
    }

    /// Takes back the blocks that this peer sent: the fault may be in any of them. When it sent none
    /// that fitted, those before it may be at fault, and all that no snapshot here vouches for goes:
    /// it is on the disks of the others.
    fn distrust(
        &mut self,
        began: u64,
        reason: String,
    ) -> Result<Result<Option<Want>, String>, MendError> {
        let proven = self.walk_begin(began)?.height;
        let keep = if began > self.own_height { self.own_height.max(proven) } else { proven };
        self.storage.history.cut_after(keep)?;
        self.own_height = keep;
        Ok(Err(reason))
    }
}
