//! What the nodes have made of the decisions about them: who has come, who votes, who is gone.
//!
//! The participants decide that a node is added or removed (`proposal`); the nodes carry it out one step at a time, each
//! step by a block of its own, and this table keeps what was done. So the state root says who voted at each height. Nodes
//! without an entry are what the genesis file says. A node that is gone never comes back: another machine with the same
//! id could vote a second time where the first has voted.

use crate::state::Ledger;

/// What a node has become by a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Seat {
    /// It gets the log and does not vote.
    Learner = 1,
    /// It votes.
    Voter = 2,
    /// It has left, for ever.
    Gone = 3,
}

impl Seat {
    /// The seat of a number in canonical bytes.
    #[must_use]
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Learner),
            2 => Some(Self::Voter),
            3 => Some(Self::Gone),
            _ => None,
        }
    }
}

/// One step in carrying out a decision about a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NodeStep {
    /// The node's id, not zero.
    pub node: u64,
    /// What it becomes.
    pub seat: Seat,
}

impl Ledger {
    /// Notes a step, within a block: after `open_block`, before `close_block`. Whether a decision asks for it is the
    /// nodes' to check, who know the genesis file; here it only must not bring back a node that is gone.
    ///
    /// # Panics
    /// If the node is gone.
    pub fn seat_node(&mut self, step: NodeStep) {
        let before = self.gov.seats.insert(step.node, step.seat);
        assert!(before != Some(Seat::Gone), "node {} is gone for ever", step.node);
        self.gov.note_change();
    }

    /// What nodes have become since genesis, by node id.
    pub fn node_seats(&self) -> impl Iterator<Item = (u64, Seat)> + '_ {
        self.gov.seats.iter().map(|(id, seat)| (*id, *seat))
    }

    /// True when something was decided about a node.
    #[must_use]
    pub fn has_node_decisions(&self) -> bool {
        !self.gov.nodes.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::command::{ActivateRules, AddAsset, AdmitParticipant, Command, Propose, RULES_LAST};
    use crate::govern::{Content, NodeDescription};
    use crate::id::{LedgerTime, ParticipantNumber, PublicKey, TransferId};
    use crate::refusal::Refusal;

    fn add(id: u64) -> Content {
        let node = NodeDescription {
            operator: ParticipantNumber(0),
            link_key: [id as u8; 32],
            address: "a:1".to_owned(),
            client_address: "a:2".to_owned(),
        };
        Content::AddNode { id, node }
    }

    /// A ledger in which this was decided about nodes.
    fn ledger(decided: &[Content]) -> Ledger {
        let mut commands = vec![
            Command::ActivateRules(ActivateRules { version: RULES_LAST }),
            Command::AdmitParticipant(AdmitParticipant {
                bic: "ALPHDEFF".parse().unwrap(),
                name: "Alpha".to_owned(),
                signing_keys: vec![PublicKey([7; 32])],
                sealing_key: [9; 32],
            }),
            Command::AddAsset(AddAsset {
                code: "EUR".parse().unwrap(),
                exponent: crate::amount::Exponent::new(2).unwrap(),
                issuer: ParticipantNumber(0),
            }),
        ];
        commands.extend(decided.iter().zip(1..).map(|(content, number)| {
            Command::Propose(Propose {
                id: TransferId([number; 16]),
                proposer: ParticipantNumber(0),
                expires: LedgerTime(0),
                content: Box::new(content.clone()),
            })
        }));
        Ledger::genesis(LedgerTime(5), &commands).unwrap()
    }

    fn step(ledger: &mut Ledger, time: u64, node: u64, seat: Seat) -> crate::id::Digest {
        ledger.open_block(LedgerTime(time));
        ledger.seat_node(NodeStep { node, seat });
        ledger.close_block(1);
        ledger.seal_block()
    }

    #[test]
    fn every_step_is_in_the_state_root_and_in_the_checkpoint() {
        let mut ledger = ledger(&[add(4), Content::RemoveNode { id: 1 }]);
        let mut roots = vec![ledger.seal_block()];
        for (time, node, seat) in
            [(10, 4, Seat::Learner), (11, 4, Seat::Voter), (12, 1, Seat::Gone)]
        {
            roots.push(step(&mut ledger, time, node, seat));
            let mut bytes = Vec::new();
            let mut write = |piece: &[u8]| {
                bytes.extend_from_slice(piece);
                Ok(())
            };
            ledger.checkpoint(0).unwrap().encode(&mut write).unwrap();
            let mut source = &bytes[..];
            let restored = Ledger::restore(&mut source, 1).unwrap();
            assert!(source.is_empty());
            assert!(restored.node_seats().eq(ledger.node_seats()));
            assert_eq!(restored.state_root(), *roots.last().unwrap());
        }
        assert_eq!(ledger.node_seats().collect::<Vec<_>>(), [(1, Seat::Gone), (4, Seat::Voter)]);
        roots.sort_by_key(|root| root.0);
        roots.dedup();
        assert_eq!(roots.len(), 4, "each step has a root of its own");
    }

    #[test]
    fn a_node_that_is_gone_is_not_added_again() {
        let mut ledger = ledger(&[add(4)]);
        step(&mut ledger, 10, 4, Seat::Learner);
        ledger.gov.nodes.insert(4, None);
        assert_eq!(add(4).check(&ledger), Ok(()), "it may stay while it is there");
        step(&mut ledger, 11, 4, Seat::Gone);
        assert_eq!(add(4).check(&ledger), Err(Refusal::RemovedForEver));
    }

    #[test]
    #[should_panic(expected = "gone for ever")]
    fn a_node_that_is_gone_gets_no_seat() {
        let mut ledger = ledger(&[Content::RemoveNode { id: 1 }]);
        step(&mut ledger, 10, 1, Seat::Gone);
        step(&mut ledger, 11, 1, Seat::Learner);
    }

    #[test]
    fn numbers_of_seats_are_fixed() {
        for (number, seat) in [(1, Seat::Learner), (2, Seat::Voter), (3, Seat::Gone)] {
            assert_eq!((seat as u8, Seat::from_number(number)), (number, Some(seat)));
        }
        assert_eq!((Seat::from_number(0), Seat::from_number(4)), (None, None));
    }
}
