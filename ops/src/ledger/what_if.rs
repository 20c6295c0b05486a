//! `corridor ledger what-if`: what would settle if something about an account were different. Nothing is changed, so
//! nothing is signed.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};
use ledger::Command;
use serde::{Deserialize, Serialize};
use wire::genesis::hex;

use super::{Action, actions, liquidity, network::Network};
use crate::layout::long_account;
use crate::question::{ask, print_json};
use crate::status::NodeChoice;

/// Something that might be different.
#[derive(Debug, Subcommand)]
pub enum WhatIfCommand {
    /// This amount came in on an account
    Incoming(Asked<Incoming>),
    /// An account had this credit line
    Floor(Asked<actions::Floor>),
    /// An account kept this for urgent or high transfers
    Reserve(Asked<liquidity::Reserve>),
    /// An account had this limit
    Limit(Asked<liquidity::Limit>),
}

/// A question: the words of what would be different, and whom to ask.
#[derive(Debug, Args)]
pub struct Asked<A: Args> {
    #[command(flatten)]
    change: A,
    /// Folder of the network
    #[arg(long)]
    dir: PathBuf,
    /// Print the answer as one JSON object
    #[arg(long)]
    json: bool,
}

/// The words of `incoming`.
#[derive(Debug, Args)]
pub struct Incoming {
    /// The account
    account: String,
    /// How much
    amount: String,
}

/// Runs `corridor ledger what-if`.
pub(super) async fn run(command: WhatIfCommand) -> Result<()> {
    match command {
        WhatIfCommand::Incoming(asked) => {
            let network = Network::open(&asked.dir).await?;
            let Incoming { account, amount } = &asked.change;
            network.account(account)?;
            let minor = network.amount(amount, account)?;
            let path = format!("account={}&incoming={minor}", long_account(account));
            tell(&asked.dir, &path, asked.json).await
        }
        WhatIfCommand::Floor(asked) => asked.run().await,
        WhatIfCommand::Reserve(asked) => asked.run().await,
        WhatIfCommand::Limit(asked) => asked.run().await,
    }
}

impl<A: Args + Action> Asked<A> {
    async fn run(self) -> Result<()> {
        let network = Network::open(&self.dir).await?;
        let command: Command = self.change.command(&network)?;
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        tell(&self.dir, &format!("command={}", hex(&bytes)), self.json).await
    }
}

/// Answer to `/v1/what-if`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WhatIfView {
    height: u64,
    settle: usize,
    transfers: Vec<WouldView>,
}

/// What would become of a transfer.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct WouldView {
    uetr: String,
    answer: String,
    reason: Option<String>,
    together: Option<u32>,
}

async fn tell(dir: &Path, question: &str, json: bool) -> Result<()> {
    let found: WhatIfView =
        ask(&NodeChoice::of_folder(dir), &format!("/v1/what-if?{question}")).await?;
    if json {
        return print_json(&found);
    }
    match found.settle {
        0 => println!("nothing in the queue would settle, at height {}", found.height),
        1 => println!("one transfer would settle, at height {}", found.height),
        count => println!("{count} transfers would settle, at height {}", found.height),
    }
    for one in found.transfers {
        let together = one.together.map(|number| format!(", together with group {number}"));
        let reason = one.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        println!("  {}  {}{reason}{}", one.uetr, one.answer, together.unwrap_or_default());
    }
    Ok(())
}
