//! What the participants are asked to decide, as people are shown it.

use ledger::{Content, ParticipantNumber};
use serde::Serialize;

use super::waiting::bic;
use crate::chain::Chain;

/// A proposal that waits for votes.
#[derive(Clone, Debug, Serialize)]
pub struct ProposalView {
    /// Its id.
    pub id: String,
    /// What is proposed, in words.
    pub what: String,
    /// Who proposed it.
    pub proposer: String,
    /// Until when votes may be given.
    pub expires_ns: u64,
    /// Who is in favour.
    pub in_favour: Vec<String>,
    /// Who is against it.
    pub against: Vec<String>,
    /// How many in favour it takes now.
    pub needed: usize,
}

/// Reads the proposals that wait.
#[must_use]
pub fn proposals(chain: &Chain) -> Vec<ProposalView> {
    let ledger = chain.ledger();
    // Without enough voters nothing can be carried now.
    let needed = ledger.votes_needed().map_or(0, |(needed, _)| needed);
    let names = |of: &std::collections::BTreeSet<ParticipantNumber>| {
        of.iter().map(|one| bic(chain, *one)).collect()
    };
    let each = ledger.proposals().map(|(id, proposal)| ProposalView {
        id: id.to_string(),
        what: words(chain, &proposal.content),
        proposer: bic(chain, proposal.proposer),
        expires_ns: proposal.expires.0,
        in_favour: names(&proposal.in_favour),
        against: names(&proposal.against),
        needed,
    });
    each.collect()
}

fn words(chain: &Chain, content: &Content) -> String {
    let asset = |number| {
        let found = chain.ledger().asset(number);
        found.map_or_else(|| number.to_string(), |asset| asset.code.to_string())
    };
    match content {
        Content::Admit(admit) => format!("admit {} ({})", admit.bic, admit.name),
        Content::SetState { participant, state } => {
            format!("{} becomes {}", bic(chain, *participant), state.name())
        }
        Content::AddAsset(add) => format!("add {}, issued by {}", add.code, bic(chain, add.issuer)),
        Content::SetCalendar { asset: number, calendar: Some(_) } => {
            format!("set the business hours of {}", asset(*number))
        }
        Content::SetCalendar { asset: number, calendar: None } => {
            format!("{} is open always", asset(*number))
        }
        Content::SetLegLimit { asset: number, most: Some(most) } => {
            format!("one leg moves at most {most} minor units of {}", asset(*number))
        }
        Content::SetLegLimit { asset: number, most: None } => {
            format!("one leg moves any amount of {}", asset(*number))
        }
        Content::AddNode { id, node } => {
            format!("add node {id} of {} at {}", bic(chain, node.operator), node.address)
        }
        Content::RemoveNode { id } => format!("remove node {id}"),
        Content::ActivateRules(activate) => format!("activate rules {}", activate.version),
        Content::SetFinality { faulty } => format!("finality tolerates {faulty} faulty nodes"),
        Content::SetVoting(policy) => {
            format!("votes needed {}, voters named {}", policy.needed, policy.voters.len())
        }
        Content::ReplaceKeys { participant, signing_keys } => {
            format!(
                "{} gets {} keys in place of its own",
                bic(chain, *participant),
                signing_keys.len()
            )
        }
    }
}
