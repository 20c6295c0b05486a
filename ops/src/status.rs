//! `corridor status`: how the nodes of a network stand, one line each.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;

use crate::layout::Layout;
use crate::node_api::{self, NodeStatus};

/// Which nodes are asked.
#[derive(Debug, Args)]
pub struct NodeChoice {
    /// Address of a node, such as http://127.0.0.1:7102; may be repeated
    #[arg(long = "node", value_name = "URL")]
    nodes: Vec<String>,
    /// Folder of a network: all its nodes
    #[arg(long, conflicts_with = "nodes", required_unless_present = "nodes")]
    dir: Option<PathBuf>,
}

impl NodeChoice {
    /// These nodes, or those of a network's folder.
    pub fn new(nodes: Vec<String>, dir: Option<PathBuf>) -> Self {
        Self { nodes, dir }
    }

    /// All nodes of a network in a folder.
    pub fn of_folder(dir: &std::path::Path) -> Self {
        Self { nodes: Vec::new(), dir: Some(dir.to_owned()) }
    }

    /// The chosen nodes' addresses.
    pub fn addresses(&self) -> Result<Vec<String>> {
        let Some(dir) = &self.dir else { return Ok(self.nodes.clone()) };
        let layout = Layout::open(dir)?;
        layout.nodes().map(|(id, _)| layout.node_http(id)).collect()
    }
}

/// Arguments of `corridor status`.
#[derive(Debug, Args)]
pub struct StatusArguments {
    #[command(flatten)]
    nodes: NodeChoice,
}

/// Runs `corridor status`; fails when a node does not answer or the sums of money are wrong.
pub async fn run(arguments: StatusArguments) -> Result<()> {
    let mut all_well = true;
    println!(
        "{:<5} {:<10} {:>6} {:>6} {:>9} {:>9} {:>5} {:>10} {:>8} {:>9}  {:<16} CONSERVED",
        "NODE",
        "ROLE",
        "LEADER",
        "TERM",
        "HEIGHT",
        "FINAL",
        "LAG",
        "SETTLED",
        "REFUSED",
        "SETTLED/S",
        "STATE ROOT"
    );
    for address in arguments.nodes.addresses()? {
        match node_api::status(&address).await {
            Ok(status) => {
                all_well &= status.conserved;
                println!("{}", row(&status));
            }
            Err(error) => {
                all_well = false;
                println!("{address} does not answer: {error:#}");
            }
        }
    }
    ensure!(all_well, "not every node is well");
    Ok(())
}

fn row(status: &NodeStatus) -> String {
    let leader = status.known_leader().map_or("none".to_owned(), |id| id.to_string());
    format!(
        "{:<5} {:<10} {:>6} {:>6} {:>9} {:>9} {:>5} {:>10} {:>8} {:>9.1}  {:<16.16} {}",
        status.node,
        status.role,
        leader,
        status.term,
        status.height,
        status.final_height.map_or("-".to_owned(), |height| height.to_string()),
        status.lag(),
        status.settled,
        status.refused,
        status.settled_per_second,
        status.state_root,
        if status.conserved { "yes" } else { "NO" }
    )
}
