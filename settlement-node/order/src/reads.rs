//! Linearizable reads under way on this node.
//!
//! raft-rs knows a read only by its tag and silently drops a second one with the same tag, and a
//! tag may come back after a restart. So every read gets a tag that no other read of the group has:
//! the node, and a number that begins at a drawn value. An answer is taken once, and only for a read
//! that this life of the node has asked.

use std::collections::BTreeMap;

use crate::NodeId;

/// Reads waiting at a time on one node; each may stand for many callers.
pub(crate) const READS_MAX: usize = 1024;
/// Bytes of a tag.
pub(crate) const TAG_BYTES: usize = 16;

struct Waiting {
    context: u64,
    expires_at_tick: u64,
}

/// The reads of this node that wait for an index.
pub(crate) struct Reads {
    id: NodeId,
    next_number: u64,
    now_ticks: u64,
    ticks_max: u64,
    waiting: BTreeMap<u64, Waiting>,
}

impl Reads {
    pub(crate) fn new(id: NodeId, first_number: u64, ticks_max: u64) -> Self {
        Reads { id, next_number: first_number, now_ticks: 0, ticks_max, waiting: BTreeMap::new() }
    }

    /// Forgets reads that got no answer in time: they were lost on the way or with a leader.
    pub(crate) fn tick(&mut self) {
        self.now_ticks += 1;
        let now = self.now_ticks;
        self.waiting.retain(|_, waiting| waiting.expires_at_tick > now);
    }

    /// The tag for a new read, or `None` if too many wait.
    pub(crate) fn begin(&mut self, context: u64) -> Option<[u8; TAG_BYTES]> {
        if self.waiting.len() >= READS_MAX {
            return None;
        }
        let number = self.next_number;
        self.next_number = number.wrapping_add(1);
        let expires_at_tick = self.now_ticks + self.ticks_max;
        self.waiting.insert(number, Waiting { context, expires_at_tick });
        let mut tag = [0; TAG_BYTES];
        tag[..8].copy_from_slice(&self.id.to_be_bytes());
        tag[8..].copy_from_slice(&number.to_be_bytes());
        Some(tag)
    }

    /// The caller's context of an answered read; `None` if nobody waits for it.
    pub(crate) fn finish(&mut self, tag: &[u8]) -> Option<u64> {
        let (id, number) = split_tag(tag)?;
        if id != self.id {
            return None;
        }
        self.waiting.remove(&number).map(|waiting| waiting.context)
    }
}

/// The node and the number of a read, if it is a tag at all.
pub(crate) fn split_tag(tag: &[u8]) -> Option<(NodeId, u64)> {
    let (id, number) = tag.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*id), u64::from_be_bytes(number.try_into().ok()?)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_counts_once_and_only_in_the_life_that_asked() {
        let mut reads = Reads::new(3, 1000, 5);
        let tag = reads.begin(42).unwrap();
        assert_eq!(Reads::new(3, 5000, 5).finish(&tag), None);
        assert_eq!(Reads::new(4, 1000, 5).finish(&tag), None);
        assert_eq!(reads.finish(&tag), Some(42));
        assert_eq!(reads.finish(&tag), None);
        assert_eq!(reads.finish(b"short"), None);
    }

    #[test]
    fn reads_are_bounded_and_expire() {
        let mut reads = Reads::new(3, u64::MAX - 2, 5);
        let tag = reads.begin(0).unwrap();
        for context in 1..READS_MAX as u64 {
            reads.begin(context).unwrap();
        }
        assert_eq!(reads.begin(0), None);
        (0..5).for_each(|_| reads.tick());
        assert_eq!(reads.finish(&tag), None);
        assert!(reads.begin(0).is_some());
    }
}
