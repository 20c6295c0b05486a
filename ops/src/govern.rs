//! `corridor govern`: proposals and votes of the participants, and each bank's own keys.
//!
//! Like `corridor ledger`: each command is signed by a bank and sent to a node. A bank's new key is written into its
//! folder beside the one in use; `keys use` puts it in its place, and the gateway takes it at its next start.

mod keys;
mod propose;
mod show;

use anyhow::Result;
use clap::{Args, Subcommand};
use ledger::{Command, Confirm, SetFundingLimit, Vote, Withdraw};

use crate::ledger::{Action, Network, Signed, id};

pub(crate) use propose::weekday_words;

/// `corridor govern ...`.
#[derive(Debug, Subcommand)]
pub enum GovernCommand {
    /// Propose something that the participants decide on
    Propose(Signed<propose::ProposeWords>),
    /// Vote on a proposal
    Vote(Signed<VoteWords>),
    /// Withdraw an own proposal, or an act that waits for a second person
    Withdraw(Signed<IdWords>),
    /// Confirm, as the second person, an act that waits for one
    Confirm(Signed<ConfirmWords>),
    /// From which amount on the issue and redemption of an asset take two people
    FundingLimit(Signed<FundingLimitWords>),
    /// Proposals that wait for votes
    Proposals(show::ProposalsArguments),
    /// What was decided: the rules in force, who votes, voting nodes, finality
    Decisions(show::DecisionsArguments),
    /// A bank's own signing keys
    #[command(subcommand)]
    Keys(keys::KeysCommand),
}

/// Runs `corridor govern ...`.
pub async fn run(command: GovernCommand) -> Result<()> {
    match command {
        GovernCommand::Propose(signed) => signed.run().await,
        GovernCommand::Vote(signed) => signed.run().await,
        GovernCommand::Withdraw(signed) => signed.run().await,
        GovernCommand::Confirm(signed) => signed.run().await,
        GovernCommand::FundingLimit(signed) => signed.run().await,
        GovernCommand::Proposals(arguments) => show::proposals(arguments).await,
        GovernCommand::Decisions(arguments) => show::decisions(arguments).await,
        GovernCommand::Keys(command) => keys::run(command).await,
    }
}

/// The words of `vote`.
#[derive(Debug, Args)]
pub struct VoteWords {
    /// Id of the proposal
    proposal: String,
    /// Against it, not in favour
    #[arg(long)]
    against: bool,
}

impl Action for VoteWords {
    fn command(&self, _: &Network) -> Result<Command> {
        let proposal = id(Some(&self.proposal))?;
        Ok(Command::Vote(Vote { proposal, in_favour: !self.against }))
    }
}

/// The words of `withdraw`.
#[derive(Debug, Args)]
pub struct IdWords {
    /// Id of the proposal or act
    id: String,
}

impl Action for IdWords {
    fn command(&self, _: &Network) -> Result<Command> {
        Ok(Command::Withdraw(Withdraw { id: id(Some(&self.id))? }))
    }
}

/// The words of `confirm`.
#[derive(Debug, Args)]
pub struct ConfirmWords {
    /// Id of the command that began it
    id: String,
}

impl Action for ConfirmWords {
    fn command(&self, _: &Network) -> Result<Command> {
        Ok(Command::Confirm(Confirm { id: id(Some(&self.id))? }))
    }
}

/// The words of `funding-limit`.
#[derive(Debug, Args)]
pub struct FundingLimitWords {
    /// Code of the asset
    asset: String,
    /// More than this takes two people; `none` for never
    above: String,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for FundingLimitWords {
    fn command(&self, network: &Network) -> Result<Command> {
        let above = match &self.above[..] {
            "none" => None,
            text => Some(network.amount(text, &format!("/{}", self.asset))?),
        };
        Ok(Command::SetFundingLimit(SetFundingLimit {
            id: id(self.id.as_deref())?,
            asset: network.asset(&self.asset)?,
            above,
        }))
    }
}
