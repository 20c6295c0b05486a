//! What the participants decide together, and what each decides about its own keys and money (rule version 2).
//!
//! Everything here is a side table: a network that never used it has none of it in its state root or checkpoint, and
//! a payment pays one test of `watch` for it. Parts: who votes and how many it takes (`policy`), proposals
//! (`proposal`), states of participants (`standing`), keys and their history (`keys`), business hours (`calendar`),
//! acts that need a second person (`acts`), and what the time of a block brings about (`block`).

mod acts;
mod block;
mod bytes;
mod calendar;
mod keys;
mod policy;
mod proposal;
mod restore;
mod seats;
mod standing;

use std::collections::{BTreeMap, BTreeSet};

pub use calendar::{BusinessDay, Calendar};
pub use keys::{KeyEnd, KeyRecord};
pub use policy::VotingPolicy;
pub use proposal::{Content, NodeDescription, Proposal};
pub use seats::{NodeStep, Seat};
pub use standing::ParticipantState;

pub(crate) use acts::Act;
pub(crate) use restore::{TAG, read};

use crate::id::{AssetNumber, LedgerTime, ParticipantNumber, TransferId};

/// All tables of this module. The default is that of a network which has decided nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Governance {
    /// Something restricts payments: a state, a limit, or business hours that are over. Follows from the rest.
    pub(crate) watch: bool,
    /// The tables have changed since they were last hashed.
    pub(crate) changed: bool,
    /// SHA-256 of the tables as of the last seal; none when they are in their first state.
    pub(crate) sealed: Option<[u8; 32]>,

    pub(crate) policy: VotingPolicy,
    pub(crate) proposals: BTreeMap<TransferId, Proposal>,
    /// States by participant number; those beyond the end are active, and the last is not.
    pub(crate) states: Vec<ParticipantState>,
    /// Removed participants whose waiting transfers are being ended, and the place that is looked at next.
    pub(crate) sweeping: BTreeMap<ParticipantNumber, u32>,
    /// Keys of those participants that ever changed them or were admitted by vote, in order of addition.
    pub(crate) keys: BTreeMap<ParticipantNumber, Vec<KeyRecord>>,
    pub(crate) calendars: BTreeMap<AssetNumber, Calendar>,
    /// The most that one leg may move, in minor units.
    pub(crate) leg_limits: BTreeMap<AssetNumber, u64>,
    /// Above this an issue or redemption needs a second person, in minor units.
    pub(crate) funding_limits: BTreeMap<AssetNumber, u64>,
    /// Acts that wait for their second person.
    pub(crate) acts: BTreeMap<TransferId, Act>,
    /// Decisions about voting nodes by node id: added as described, or removed.
    pub(crate) nodes: BTreeMap<u64, Option<NodeDescription>>,
    /// What was made of these decisions, by node id.
    pub(crate) seats: BTreeMap<u64, Seat>,
    /// Faulty nodes that a final checkpoint tolerates, where it was decided.
    pub(crate) finality: Option<u16>,

    /// When proposals and acts end by themselves. Follows from them.
    deadlines: BTreeSet<(LedgerTime, TransferId)>,
    /// When keys begin and end, by owner and place. Follows from the keys.
    key_times: BTreeSet<(LedgerTime, ParticipantNumber, u16)>,
    /// Keys that began or ended with this block, whose first leaf is not known yet. Empty between blocks.
    unstamped: Vec<(ParticipantNumber, u16)>,
    /// Assets whose business hours are over at the time of the block, and when that is looked at again.
    closed: BTreeSet<AssetNumber>,
    look_again: LedgerTime,
}

impl Governance {
    /// Notes a change of the tables, and works out what follows from them.
    pub(crate) fn note_change(&mut self) {
        while self.states.last() == Some(&ParticipantState::Active) {
            self.states.pop();
        }
        self.changed = true;
        self.watch =
            !self.states.is_empty() || !self.leg_limits.is_empty() || !self.closed.is_empty();
    }

    /// True when nothing was ever decided.
    pub(crate) fn is_first(&self) -> bool {
        self.policy == VotingPolicy::default()
            && self.proposals.is_empty()
            && self.states.is_empty()
            && self.sweeping.is_empty()
            && self.keys.is_empty()
            && self.calendars.is_empty()
            && self.leg_limits.is_empty()
            && self.funding_limits.is_empty()
            && self.acts.is_empty()
            && self.nodes.is_empty()
            && self.seats.is_empty()
            && self.finality.is_none()
    }

    /// Decisions about voting nodes, by node id: added as described, or removed (`None`).
    pub(crate) fn node_decisions(&self) -> impl Iterator<Item = (u64, Option<&NodeDescription>)> {
        self.nodes.iter().map(|(id, node)| (*id, node.as_ref()))
    }
}
