//! Proposals: what the participants decide by vote, and what follows when one is carried.
//!
//! A proposal is taken if it could be carried out now, and waits for votes until it expires. With the vote that makes
//! it enough it is carried out, in the same turn; what has become impossible since is not, and the proposal ends with
//! that reason. It ends at once when so many are against it that it cannot be carried any more. In genesis, where
//! everybody is of one mind, a proposal is carried out as it stands.

use std::collections::BTreeSet;

use crate::apply::{Authority, Turn};
use crate::command::{ActivateRules, AddAsset, AdmitParticipant};
use crate::event::Event;
use crate::id::{AssetNumber, LedgerTime, ParticipantNumber, PublicKey, TransferId};
use crate::limits::{
    CALENDARS_MAX, KEYS_EVER_MAX, NODE_ADDRESS_BYTES_MAX, NODES_DECIDED_MAX, SIGNING_KEYS_MAX,
};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::{Calendar, ParticipantState, Seat, VotingPolicy};

/// A proposal that waits for votes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// What is proposed.
    pub content: Content,
    /// Who proposed it; it does not vote.
    pub proposer: ParticipantNumber,
    /// Leaf of the command that proposed it.
    pub leaf: u64,
    /// It ends when the ledger's time is later than this.
    pub expires: LedgerTime,
    /// Who is in favour.
    pub in_favour: BTreeSet<ParticipantNumber>,
    /// Who is against it.
    pub against: BTreeSet<ParticipantNumber>,
}

/// A voting node as the participants decided on it. The ledger keeps the decision; the nodes act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDescription {
    /// Who runs it.
    pub operator: ParticipantNumber,
    /// Its Ed25519 link key.
    pub link_key: [u8; 32],
    /// Where its peers reach it: 1 to 255 visible ASCII characters.
    pub address: String,
    /// Where gateways reach it: 1 to 255 visible ASCII characters.
    pub client_address: String,
}

/// What is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A participant is admitted.
    Admit(AdmitParticipant),
    /// The state of a participant changes.
    SetState {
        /// The participant.
        participant: ParticipantNumber,
        /// Its new state.
        state: ParticipantState,
    },
    /// An asset is added.
    AddAsset(AddAsset),
    /// An asset gets business hours, others, or none.
    SetCalendar {
        /// The asset.
        asset: AssetNumber,
        /// Its hours; `None` to be open always.
        calendar: Option<Calendar>,
    },
    /// The most that one leg of a transfer may move changes.
    SetLegLimit {
        /// The asset.
        asset: AssetNumber,
        /// The most, in minor units; `None` for no limit.
        most: Option<u64>,
    },
    /// A voting node is added, or described anew.
    AddNode {
        /// Its id, not zero.
        id: u64,
        /// Who runs it, and where it is.
        node: NodeDescription,
    },
    /// A voting node is removed.
    RemoveNode {
        /// Its id, not zero.
        id: u64,
    },
    /// A version of the rules becomes active.
    ActivateRules(ActivateRules),
    /// The number of faulty nodes that a final checkpoint tolerates changes.
    SetFinality {
        /// The number.
        faulty: u16,
    },
    /// Who votes, and how many it takes, changes.
    SetVoting(VotingPolicy),
    /// A participant that lost its keys, or cannot trust them, gets others in their place.
    ReplaceKeys {
        /// The participant.
        participant: ParticipantNumber,
        /// Its new live keys: 1 to 8, never used before.
        signing_keys: Vec<PublicKey>,
    },
}

impl NodeDescription {
    fn is_well_formed(&self) -> bool {
        let fits = |text: &str| {
            (1..=NODE_ADDRESS_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        fits(&self.address) && fits(&self.client_address)
    }
}

impl Content {
    /// True when all counts and values are within their limits.
    pub(crate) fn is_well_formed(&self) -> bool {
        match self {
            Self::Admit(admit) => admit.check_form().is_ok(),
            Self::SetCalendar { calendar, .. } => {
                calendar.as_ref().is_none_or(Calendar::is_well_formed)
            }
            Self::AddNode { id, node } => *id != 0 && node.is_well_formed(),
            Self::RemoveNode { id } => *id != 0,
            Self::SetVoting(policy) => policy.is_well_formed(),
            Self::ReplaceKeys { signing_keys, .. } => {
                (1..=SIGNING_KEYS_MAX).contains(&signing_keys.len())
            }
            Self::SetState { .. }
            | Self::AddAsset(_)
            | Self::SetLegLimit { .. }
            | Self::ActivateRules(_)
            | Self::SetFinality { .. } => true,
        }
    }

    /// Whether it could be carried out now, and would change something.
    pub(crate) fn check(&self, ledger: &Ledger) -> Result<(), Refusal> {
        let gov = &ledger.gov;
        let changes = match self {
            Self::Admit(admit) => return admit.check(ledger, &Authority::Genesis),
            Self::AddAsset(add) => return add.check(ledger, &Authority::Genesis),
            Self::ActivateRules(activate) => return activate.check(ledger, &Authority::Genesis),
            Self::SetState { participant, state } => {
                return check_state(ledger, *participant, *state);
            }
            Self::ReplaceKeys { participant, signing_keys } => {
                return check_replacement(ledger, *participant, signing_keys);
            }
            Self::SetCalendar { asset, calendar } => {
                ledger.asset(*asset).ok_or(Refusal::UnknownAsset)?;
                let room = gov.calendars.len() < CALENDARS_MAX || gov.calendars.contains_key(asset);
                if calendar.is_some() && !room {
                    return Err(Refusal::LimitReached);
                }
                gov.calendars.get(asset) != calendar.as_ref()
            }
            Self::SetLegLimit { asset, most } => {
                ledger.asset(*asset).ok_or(Refusal::UnknownAsset)?;
                gov.leg_limits.get(asset) != most.as_ref()
            }
            Self::AddNode { id, node } => {
                ledger.participant(node.operator).ok_or(Refusal::UnknownParticipant)?;
                if gov.seats.get(id) == Some(&Seat::Gone) {
                    return Err(Refusal::RemovedForEver);
                }
                if gov.nodes.len() >= NODES_DECIDED_MAX && !gov.nodes.contains_key(id) {
                    return Err(Refusal::LimitReached);
                }
                gov.nodes.get(id) != Some(&Some(node.clone()))
            }
            Self::RemoveNode { id } => {
                if gov.nodes.len() >= NODES_DECIDED_MAX && !gov.nodes.contains_key(id) {
                    return Err(Refusal::LimitReached);
                }
                gov.nodes.get(id) != Some(&None)
            }
            Self::SetFinality { faulty } => gov.finality != Some(*faulty),
            Self::SetVoting(policy) => {
                let exists = |voter: &ParticipantNumber| ledger.participant(*voter).is_some();
                if !policy.voters.iter().all(exists) {
                    return Err(Refusal::UnknownParticipant);
                }
                gov.policy != *policy
            }
        };
        if changes { Ok(()) } else { Err(Refusal::NothingToChange) }
    }

    /// Carries out what `check` allowed, and says what has changed.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Event {
        let position = turn.position;
        let event = match self {
            Self::Admit(admit) => {
                let number = admit.apply(ledger);
                ledger.note_admission(number, turn.leaf);
                Event::ParticipantAdmitted { position, number }
            }
            Self::AddAsset(add) => Event::AssetAdded { position, number: add.apply(ledger) },
            Self::ActivateRules(activate) => {
                activate.apply(ledger);
                Event::RulesActivated { position, version: activate.version }
            }
            Self::SetState { participant, state } => {
                let at = participant.0 as usize;
                let states = &mut ledger.gov.states;
                states.resize(states.len().max(at + 1), ParticipantState::Active);
                states[at] = *state;
                if *state == ParticipantState::Removed {
                    ledger.gov.sweeping.insert(*participant, 0);
                }
                Event::ParticipantStateSet { position, participant: *participant, state: *state }
            }
            Self::ReplaceKeys { participant, signing_keys } => {
                ledger.replace_keys(*participant, signing_keys, turn.leaf);
                Event::KeysChanged { position, participant: *participant }
            }
            Self::SetCalendar { asset, calendar } => {
                set_or_clear(&mut ledger.gov.calendars, *asset, calendar.clone());
                ledger.look_at_hours_again();
                Event::CalendarSet { position, asset: *asset }
            }
            Self::SetLegLimit { asset, most } => {
                set_or_clear(&mut ledger.gov.leg_limits, *asset, *most);
                Event::LegLimitSet { position, asset: *asset }
            }
            Self::AddNode { id, node } => {
                ledger.gov.nodes.insert(*id, Some(node.clone()));
                Event::NodeDecided { position, node: *id }
            }
            Self::RemoveNode { id } => {
                ledger.gov.nodes.insert(*id, None);
                Event::NodeDecided { position, node: *id }
            }
            Self::SetFinality { faulty } => {
                ledger.gov.finality = Some(*faulty);
                Event::FinalitySet { position, faulty: *faulty }
            }
            Self::SetVoting(policy) => {
                ledger.gov.policy = policy.clone();
                Event::VotingSet { position }
            }
        };
        ledger.gov.note_change();
        event
    }
}

/// Sets an entry, or takes it out.
pub(super) fn set_or_clear<V>(
    map: &mut std::collections::BTreeMap<AssetNumber, V>,
    asset: AssetNumber,
    value: Option<V>,
) {
    match value {
        Some(value) => map.insert(asset, value),
        None => map.remove(&asset),
    };
}

fn check_state(
    ledger: &Ledger,
    participant: ParticipantNumber,
    state: ParticipantState,
) -> Result<(), Refusal> {
    ledger.participant(participant).ok_or(Refusal::UnknownParticipant)?;
    let before = ledger.participant_state(participant);
    if before == state {
        return Err(Refusal::NothingToChange);
    }
    if before == ParticipantState::Removed {
        return Err(Refusal::RemovedForEver);
    }
    // Its holders could not be paid out any more.
    let liable = |asset: &crate::registry::Asset| {
        asset.issuer == participant && asset.issued > asset.redeemed
    };
    if state == ParticipantState::Removed && ledger.assets().iter().any(liable) {
        return Err(Refusal::MoneyOutstanding);
    }
    Ok(())
}

fn check_replacement(
    ledger: &Ledger,
    participant: ParticipantNumber,
    keys: &[PublicKey],
) -> Result<(), Refusal> {
    ledger.participant(participant).ok_or(Refusal::UnknownParticipant)?;
    if ledger.participant_state(participant) == ParticipantState::Removed {
        return Err(Refusal::RemovedForEver);
    }
    let taken = |(at, key): (usize, &PublicKey)| {
        ledger.registry.owner_of_key(key).is_some() || keys[..at].contains(key)
    };
    if keys.iter().enumerate().any(taken) {
        return Err(Refusal::KeyInUse);
    }
    if keys.len() < ledger.keys_needed(participant) {
        return Err(Refusal::KeyNeeded);
    }
    // As many again as by the participant itself: who used up its own changes can still be helped.
    if ledger.key_history(participant).len() + keys.len() > 2 * KEYS_EVER_MAX {
        return Err(Refusal::LimitReached);
    }
    Ok(())
}

impl Ledger {
    /// The proposal of an id that waits for votes.
    #[must_use]
    pub fn proposal(&self, id: &TransferId) -> Option<&Proposal> {
        self.gov.proposals.get(id)
    }

    /// All proposals that wait for votes, by id.
    pub fn proposals(&self) -> impl ExactSizeIterator<Item = (&TransferId, &Proposal)> + '_ {
        self.gov.proposals.iter()
    }

    /// Decisions about voting nodes, by node id: added as described, or removed (`None`). Nodes that are in no
    /// decision are those of genesis.
    pub fn node_decisions(&self) -> impl Iterator<Item = (u64, Option<&NodeDescription>)> + '_ {
        self.gov.node_decisions()
    }

    /// The number of faulty nodes that a final checkpoint tolerates, where it was decided.
    #[must_use]
    pub const fn finality_faulty(&self) -> Option<u16> {
        self.gov.finality
    }
}
