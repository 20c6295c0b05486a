//! When a node makes snapshots of its state, and when the log before them goes.

use super::Node;
use crate::{
    event::Effects,
    limits::SNAPSHOT_WANTED_TICKS,
    store::snapshots::{KEPT, Place},
};

/// When a node makes snapshots of its state, and which it has.
#[derive(Clone, Debug)]
pub struct SnapshotRule {
    /// Bytes of log after which the next one is made.
    pub every_bytes: u64,
    /// Bytes of log applied since the last one.
    pub since: u64,
    /// Those on disk, oldest first.
    pub kept: Vec<Place>,
    /// The tick at which one was last made because a peer needed it.
    pub wanted_at: Option<u64>,
    /// Term of the last block that was applied before the start; 0 when nothing tells.
    pub applied_term: u64,
}

impl Node {
    /// Begins a snapshot when enough log was applied since the last one. While a generation of ids is
    /// still on its way to disk it waits: that takes moments, and then the snapshot is small.
    pub(super) fn snapshot_if_due(&mut self, effects: &mut Effects) {
        let due = self.snapshots.since >= self.snapshots.every_bytes;
        if due
            && !self.snapshot_under_way
            && self.applied_term > 0
            && let Some(checkpoint) = self.chain.checkpoint(self.applied_term)
        {
            self.snapshot_under_way = true;
            self.snapshots.since = 0;
            effects.snapshot = Some(checkpoint);
        }
    }

    /// A peer cannot go on without a snapshot beyond a log index: one is made at once, of the last block. Only one in a while, so that nobody can keep this node busy with them.
    pub(super) fn on_snapshot_wanted(&mut self, above: u64) {
        let rule = &mut self.snapshots;
        let has = rule.kept.last().map_or(0, |place| place.index);
        let is_early = rule.wanted_at.is_some_and(|at| self.tick < at + SNAPSHOT_WANTED_TICKS);
        if self.chain.block_index() <= above.max(has) || is_early || self.snapshot_under_way {
            return;
        }
        rule.wanted_at = Some(self.tick);
        rule.since = rule.since.max(rule.every_bytes);
    }

    /// The log before the older of two snapshots is not needed any more: whoever lags behind it gets
    /// the newer one, and should that turn out damaged, the older and the log after it are there.
    pub(super) fn on_snapshot_written(&mut self, place: Place, effects: &mut Effects) {
        self.snapshot_under_way = false;
        self.order.snapshot_made(place.index, place.term);
        let kept = &mut self.snapshots.kept;
        kept.push(place);
        let surplus = kept.len().saturating_sub(KEPT);
        kept.drain(..surplus);
        if let [older, .., _] = kept[..] {
            self.order.compact(older.index + 1);
            effects.release_log_below = Some(older.index + 1);
        }
    }
}
