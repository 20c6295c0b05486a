//! When a node makes snapshots of its state, and when the log before them goes.

use super::Node;
use crate::{
    event::Effects,
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
