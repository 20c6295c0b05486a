//! `corridor govern proposals` and `decisions`: what is being decided, and what was.

use anyhow::{Context, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::clock::date_time;
use crate::ledger::first;
use crate::status::NodeChoice;

/// Arguments of `proposals`.
#[derive(Debug, Args)]
pub struct ProposalsArguments {
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON array
    #[arg(long)]
    json: bool,
}

/// A proposal, as `/v1/proposals` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ProposalView {
    id: String,
    what: String,
    proposer: String,
    expires_ns: u64,
    in_favour: Vec<String>,
    against: Vec<String>,
    needed: usize,
}

pub(super) async fn proposals(arguments: ProposalsArguments) -> Result<()> {
    let (_, found) = first::<Vec<ProposalView>>(&arguments.nodes, "/v1/proposals").await?;
    let found = found.context("the node shows no proposals")?;
    if arguments.json {
        println!("{}", serde_json::to_string(&found).context("write the answer")?);
        return Ok(());
    }
    println!("{} proposals wait for votes", found.len());
    for one in found {
        println!("{}  {}", one.id, one.what);
        println!("  by {}, until {} UTC", one.proposer, date_time(one.expires_ns));
        println!(
            "  in favour {} of {}: {}",
            one.in_favour.len(),
            one.needed,
            one.in_favour.join(", ")
        );
        if !one.against.is_empty() {
            println!("  against {}", one.against.join(", "));
        }
    }
    Ok(())
}

/// Arguments of `decisions`.
#[derive(Debug, Args)]
pub struct DecisionsArguments {
    #[command(flatten)]
    nodes: NodeChoice,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// What was decided, as `/v1/decisions` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct DecisionsView {
    height: u64,
    rules: u16,
    votes_needed: Option<usize>,
    voters: Vec<String>,
    /// Whether the voters were named; otherwise all vote who are not out.
    voters_named: bool,
    nodes: Vec<NodeDecision>,
    finality_faulty: Option<u16>,
}

/// A decision about a voting node.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NodeDecision {
    id: u64,
    /// Without it the node was removed.
    node: Option<NodeView>,
}

/// A node that was decided on.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct NodeView {
    operator: String,
    link_key: String,
    address: String,
    client_address: String,
}

pub(super) async fn decisions(arguments: DecisionsArguments) -> Result<()> {
    let (_, found) = first::<DecisionsView>(&arguments.nodes, "/v1/decisions").await?;
    let found = found.context("the node shows no decisions")?;
    if arguments.json {
        println!("{}", serde_json::to_string(&found).context("write the answer")?);
        return Ok(());
    }
    println!("rules       version {}", found.rules);
    let who = if found.voters_named { "named" } else { "all that are not blocked or removed" };
    println!("voters      {} ({who}): {}", found.voters.len(), found.voters.join(", "));
    match found.votes_needed {
        Some(needed) => println!("votes       {needed} beside the proposer carry a proposal"),
        None => println!("votes       nothing can be carried: there are not two voters"),
    }
    match found.finality_faulty {
        Some(faulty) => println!("finality    shall tolerate {faulty} faulty nodes (recorded)"),
        None => println!("finality    as in the genesis file"),
    }
    if found.nodes.is_empty() {
        println!("nodes       as in the genesis file");
    }
    for one in found.nodes {
        let NodeDecision { id, node } = one;
        match node {
            None => println!("node {id:<6} shall leave (recorded)"),
            Some(node) => println!(
                "node {id:<6} of {} at {}, for gateways at {} (recorded)",
                node.operator, node.address, node.client_address
            ),
        }
    }
    Ok(())
}
