//! What the participants have decided, and the keys that each has had over time.

use ledger::{ParticipantNumber, PublicKey};
use serde::Serialize;
use wire::genesis::hex;

use super::waiting::bic;
use crate::chain::Chain;

/// What was decided by vote, where it is no property of an asset or a participant.
#[derive(Clone, Debug, Serialize)]
pub struct DecisionsView {
    /// Height at which it was read.
    pub height: u64,
    /// Version of the ledger's rules.
    pub rules: u16,
    /// How many votes beside the proposer's carry a proposal now; none when there are not two voters.
    pub votes_needed: Option<usize>,
    /// BICs of those who vote now.
    pub voters: Vec<String>,
    /// Whether the voters were named; otherwise all vote who are not out.
    pub voters_named: bool,
    /// Decisions about voting nodes. They are recorded; who orders blocks is in the genesis file.
    pub nodes: Vec<NodeDecision>,
    /// How many faulty nodes a final checkpoint shall tolerate, where that was decided. Recorded as well.
    pub finality_faulty: Option<u16>,
}

/// A decision about a voting node.
#[derive(Clone, Debug, Serialize)]
pub struct NodeDecision {
    /// The node's id.
    pub id: u64,
    /// The node that was added or described anew; none for one that was removed.
    pub node: Option<NodeView>,
}

/// A voting node as it was decided on.
#[derive(Clone, Debug, Serialize)]
pub struct NodeView {
    /// BIC of who runs it.
    pub operator: String,
    /// Its Ed25519 link key, hex.
    pub link_key: String,
    /// Where its peers reach it.
    pub address: String,
    /// Where gateways reach it.
    pub client_address: String,
}

/// A key of a participant: when it was, is or will be live.
#[derive(Clone, Debug, Serialize)]
pub struct KeyView {
    /// The Ed25519 key, hex.
    pub key: String,
    /// Live from this time.
    pub from_ns: u64,
    /// Batches that begin at this leaf or later may be signed with it; none while its time has not come.
    pub from_leaf: Option<u64>,
    /// Live until this time, where an end is known.
    pub until_ns: Option<u64>,
    /// Batches that begin at this leaf or later may not be signed with it.
    pub until_leaf: Option<u64>,
    /// `retired`, `revoked` or `replaced`, where an end is known.
    pub end: Option<&'static str>,
    /// Whether a batch that begins with the next leaf may be signed with it.
    pub live: bool,
}

/// Reads what was decided.
#[must_use]
pub fn decisions(chain: &Chain) -> DecisionsView {
    let ledger = chain.ledger();
    let voters = ledger.participants().iter().filter(|one| ledger.is_voter(one.number));
    let nodes = ledger.node_decisions().map(|(id, node)| NodeDecision {
        id,
        node: node.map(|node| NodeView {
            operator: bic(chain, node.operator),
            link_key: hex(&node.link_key),
            address: node.address.clone(),
            client_address: node.client_address.clone(),
        }),
    });
    DecisionsView {
        height: chain.height().0,
        rules: ledger.rules(),
        votes_needed: ledger.votes_needed().ok().map(|(needed, _)| needed),
        voters: voters.map(|one| one.bic.to_string()).collect(),
        voters_named: !ledger.voting_policy().voters.is_empty(),
        nodes: nodes.collect(),
        finality_faulty: ledger.finality_faulty(),
    }
}

/// Reads the keys of a participant, in order of addition; with a leaf only those with which a batch could be signed
/// that begins there.
#[must_use]
pub fn keys(chain: &Chain, of: ParticipantNumber, leaf: Option<u64>) -> Vec<KeyView> {
    let ledger = chain.ledger();
    let was_live = |key: &PublicKey, leaf| ledger.key_was_live(of, key, leaf);
    let history = ledger.key_history(of).into_iter();
    let wanted = history.filter(|one| leaf.is_none_or(|leaf| was_live(&one.key, leaf)));
    let each = wanted.map(|one| KeyView {
        key: hex(&one.key.0),
        from_ns: one.from.0,
        from_leaf: one.from_leaf,
        until_ns: one.until.map(|(time, _)| time.0),
        until_leaf: one.until_leaf,
        end: one.until.map(|(_, end)| end.name()),
        live: was_live(&one.key, chain.leaves()),
    });
    each.collect()
}
