//! Three ordering nodes in one thread with perfect net and disk: what ordering costs by itself.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use order::{Config, Order, Restored};

const NODES: u64 = 3;
const TICKS_MAX: u32 = 1_000;

/// A group of three nodes in this thread.
pub(crate) struct Group {
    nodes: Vec<Order>,
    leader: usize,
    /// Entries with data that each node was given to apply.
    committed: Vec<usize>,
}

impl Group {
    /// A group that has elected a leader.
    pub(crate) fn new() -> Result<Self> {
        let nodes = (1..=NODES)
            .map(|id| Order::new(Config::new(id, (1..=NODES).collect(), id), Restored::default()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut group = Self { committed: vec![0; nodes.len()], nodes, leader: 0 };
        for _ in 0..TICKS_MAX {
            group.nodes.iter_mut().for_each(Order::tick);
            group.settle()?;
            let leads = |node: &Order| {
                node.status().role == order::Role::Leader && node.accepts_proposals()
            };
            if let Some(leader) = group.nodes.iter().position(leads) {
                group.leader = leader;
                return Ok(group);
            }
        }
        bail!("three nodes did not elect a leader")
    }

    /// Orders entries one after the other, each applied by all three nodes before the next.
    pub(crate) fn order(&mut self, entries: &[Bytes]) -> Result<()> {
        let before = self.committed.clone();
        for entry in entries {
            self.nodes[self.leader].propose(entry.clone()).context("propose an entry")?;
            self.settle()?;
        }
        // The last commit index travels with a heartbeat.
        for _ in 0..TICKS_MAX {
            let behind = |(now, before): (&usize, &usize)| now - before < entries.len();
            if !self.committed.iter().zip(&before).any(behind) {
                return Ok(());
            }
            self.nodes.iter_mut().for_each(Order::tick);
            self.settle()?;
        }
        bail!("not every node was given every entry")
    }

    /// Performs effects until there are none.
    fn settle(&mut self) -> Result<()> {
        loop {
            let mut messages = Vec::new();
            let mut idle = true;
            for (number, node) in self.nodes.iter_mut().enumerate() {
                let output = node.take_output();
                idle &= output.is_empty();
                messages.extend(output.messages);
                for write in output.persist.iter().filter(|write| write.must_sync) {
                    node.persisted(write.op);
                }
                for entry in output.committed {
                    self.committed[number] += usize::from(!entry.data.is_empty());
                    node.applied(entry.index);
                }
            }
            if idle {
                return Ok(());
            }
            for message in messages {
                let to = message.to as usize - 1;
                self.nodes[to].step(message).context("take a message")?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_node_is_given_every_entry() {
        let mut group = Group::new().unwrap();
        let entries: Vec<_> = (0..50u8).map(|number| Bytes::from(vec![number; 100])).collect();
        group.order(&entries).unwrap();
        assert_eq!(group.committed, [50, 50, 50]);
    }
}
