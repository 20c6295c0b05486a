//! The tables as bytes: what the state root covers and a checkpoint holds. One state, one byte string.
//!
//! Little-endian; counts are u32, tables ascending by their key:
//!
//! | table | bytes of each entry |
//! |---|---|
//! | policy | needed u16; voters: u32 |
//! | finality | 0, or 1 and u16 |
//! | states | participant u32, state u8; those that are not active |
//! | being swept | participant u32, next place u32 |
//! | keys | participant u32; keys: key 32, from u64, from leaf u64, until u64, how u8, until leaf u64; 2^64 - 1 and 0 for none |
//! | calendars | asset u32, calendar as in a command |
//! | leg limits, funding limits | asset u32, amount u64 |
//! | nodes | id u64, then 0, or 1 and the node as in a command |
//! | proposals | id 16, leaf u64, voters in favour: u32, voters against: u32, length u16 and the command that proposed it |
//! | acts | id 16, leaf u64, of u32, deadline u64, keys of the makers: 32, length u16 and the command |
//! | seats | node id u64, seat u8; the table is left out, with its count, where it is empty |

use crate::codec::govern::{put_calendar, put_node};
use crate::command::{Command, Propose};
use crate::id::{AssetNumber, Digest};

use super::keys::LEAF_NONE;
use super::{Act, Governance, KeyRecord, ParticipantState, Proposal};

impl Governance {
    /// Appends the bytes of all tables.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.policy.needed.to_le_bytes());
        put_count(self.policy.voters.len(), out);
        self.policy.voters.iter().for_each(|voter| out.extend_from_slice(&voter.0.to_le_bytes()));
        match self.finality {
            None => out.push(0),
            Some(faulty) => {
                out.push(1);
                out.extend_from_slice(&faulty.to_le_bytes());
            }
        }
        let states = (0u32..).zip(&self.states);
        let states: Vec<_> =
            states.filter(|(_, state)| **state != ParticipantState::Active).collect();
        put_count(states.len(), out);
        for (participant, state) in states {
            out.extend_from_slice(&participant.to_le_bytes());
            out.push(*state as u8);
        }
        put_count(self.sweeping.len(), out);
        for (participant, place) in &self.sweeping {
            out.extend_from_slice(&participant.0.to_le_bytes());
            out.extend_from_slice(&place.to_le_bytes());
        }
        put_count(self.keys.len(), out);
        for (owner, records) in &self.keys {
            out.extend_from_slice(&owner.0.to_le_bytes());
            put_count(records.len(), out);
            records.iter().for_each(|record| put_key(record, out));
        }
        put_count(self.calendars.len(), out);
        for (asset, calendar) in &self.calendars {
            out.extend_from_slice(&asset.0.to_le_bytes());
            put_calendar(calendar, out);
        }
        put_amounts(&self.leg_limits, out);
        put_amounts(&self.funding_limits, out);
        put_count(self.nodes.len(), out);
        for (id, node) in &self.nodes {
            out.extend_from_slice(&id.to_le_bytes());
            out.push(u8::from(node.is_some()));
            if let Some(node) = node {
                put_node(node, out);
            }
        }
        put_count(self.proposals.len(), out);
        for (id, proposal) in &self.proposals {
            out.extend_from_slice(&id.0);
            put_proposal(*id, proposal, out);
        }
        put_count(self.acts.len(), out);
        for (id, act) in &self.acts {
            out.extend_from_slice(&id.0);
            put_act(act, out);
        }
        if !self.seats.is_empty() {
            put_count(self.seats.len(), out);
            for (id, seat) in &self.seats {
                out.extend_from_slice(&id.to_le_bytes());
                out.push(*seat as u8);
            }
        }
    }

    /// SHA-256 of the tables; `None` when they are in their first state.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        if self.is_first() {
            return None;
        }
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        Some(Digest::of(&bytes).0)
    }

    /// Brings the digest up to date at the end of a block.
    pub(crate) fn seal(&mut self) {
        if std::mem::take(&mut self.changed) {
            self.sealed = self.digest();
        }
    }
}

fn put_count(count: usize, out: &mut Vec<u8>) {
    // Every table is bounded far below 2^32.
    out.extend_from_slice(&(count as u32).to_le_bytes());
}

fn put_amounts(map: &std::collections::BTreeMap<AssetNumber, u64>, out: &mut Vec<u8>) {
    put_count(map.len(), out);
    for (asset, amount) in map {
        out.extend_from_slice(&asset.0.to_le_bytes());
        out.extend_from_slice(&amount.to_le_bytes());
    }
}

fn put_key(record: &KeyRecord, out: &mut Vec<u8>) {
    out.extend_from_slice(&record.key.0);
    out.extend_from_slice(&record.from.0.to_le_bytes());
    out.extend_from_slice(&record.from_leaf.unwrap_or(LEAF_NONE).to_le_bytes());
    let (until, how) = record.until.map_or((u64::MAX, 0), |(until, end)| (until.0, end as u8));
    out.extend_from_slice(&until.to_le_bytes());
    out.push(how);
    out.extend_from_slice(&record.until_leaf.unwrap_or(LEAF_NONE).to_le_bytes());
}

fn put_proposal(id: crate::id::TransferId, proposal: &Proposal, out: &mut Vec<u8>) {
    out.extend_from_slice(&proposal.leaf.to_le_bytes());
    for votes in [&proposal.in_favour, &proposal.against] {
        put_count(votes.len(), out);
        votes.iter().for_each(|voter| out.extend_from_slice(&voter.0.to_le_bytes()));
    }
    let Proposal { content, proposer, expires, .. } = proposal;
    let (proposer, expires, content) = (*proposer, *expires, Box::new(content.clone()));
    put_command(&Command::Propose(Propose { id, proposer, expires, content }), out);
}

fn put_act(act: &Act, out: &mut Vec<u8>) {
    out.extend_from_slice(&act.leaf.to_le_bytes());
    out.extend_from_slice(&act.of.0.to_le_bytes());
    out.extend_from_slice(&act.deadline.0.to_le_bytes());
    put_count(act.makers.len(), out);
    act.makers.iter().for_each(|key| out.extend_from_slice(&key.0));
    put_command(&act.command, out);
}

/// Commands are bounded to 16 KiB.
fn put_command(command: &Command, out: &mut Vec<u8>) {
    let length_at = out.len();
    out.extend_from_slice(&[0; 2]);
    command.encode(out);
    let length = (out.len() - length_at - 2) as u16;
    out[length_at..length_at + 2].copy_from_slice(&length.to_le_bytes());
}
