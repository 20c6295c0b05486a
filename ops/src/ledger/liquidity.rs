//! The words of what an account is given for its liquidity: limits, reservations, acceptance, notices, and documents that
//! are attested.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use ledger::{Command, LimitSetter, Pace};

use super::network::{Network, id};
use super::transfer::PriorityWord;
use super::{Action, times};

/// Which limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LimitKind {
    /// The most that one transfer takes
    Payment,
    /// The most that is taken within a window of time
    Velocity,
    /// The most that may be owed in sum to one bank
    Bilateral,
    /// The most that may be owed in sum to all others
    Multilateral,
}

/// The words of `limit`.
#[derive(Debug, Args)]
pub struct Limit {
    /// The account
    account: String,
    /// Which limit
    #[arg(value_enum)]
    kind: LimitKind,
    /// The most, as an amount; `none` ends the limit
    most: String,
    /// Of a bilateral limit: towards this bank
    #[arg(long, value_name = "BIC")]
    towards: Option<String>,
    /// Of a velocity limit: the length of the window, such as 1h
    #[arg(long, value_name = "SPAN")]
    window: Option<String>,
    /// Of a velocity limit: the window moves along, instead of following the one before
    #[arg(long)]
    rolling: bool,
    /// Of a bilateral or multilateral limit: count from zero again
    #[arg(long)]
    restart: bool,
    /// The issuer's limit of the account, not the owner's
    #[arg(long)]
    by_issuer: bool,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Limit {
    fn command(&self, network: &Network) -> Result<Command> {
        let most = match &self.most[..] {
            "none" => None,
            text => Some(network.amount(text, &self.account)?.minor()),
        };
        let restart = self.restart;
        let limit = match self.kind {
            LimitKind::Payment => ledger::Limit::Payment { most },
            LimitKind::Velocity => {
                let pace = |amount| -> Result<Pace> {
                    let window =
                        self.window.as_deref().context("a velocity limit needs --window")?;
                    let window = times::span(window)?;
                    Ok(Pace { amount, window, rolling: self.rolling })
                };
                ledger::Limit::Velocity { most: most.map(pace).transpose()? }
            }
            LimitKind::Bilateral => {
                let bank = self.towards.as_deref().context("a bilateral limit needs --towards")?;
                let towards = network.participant(bank)?;
                ledger::Limit::Bilateral { towards, most, restart }
            }
            LimitKind::Multilateral => ledger::Limit::Multilateral { most, restart },
        };
        Ok(Command::SetLimit(ledger::SetLimit {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            by: if self.by_issuer { LimitSetter::Issuer } else { LimitSetter::Owner },
            limit,
        }))
    }
}

/// The words of `reserve`.
#[derive(Debug, Args)]
pub struct Reserve {
    /// The account
    account: String,
    /// How much; 0 ends it
    amount: String,
    /// The lowest priority that may use it: urgent or high
    #[arg(long, value_enum, default_value = "urgent")]
    priority: PriorityWord,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Reserve {
    fn command(&self, network: &Network) -> Result<Command> {
        if self.priority == PriorityWord::Normal {
            bail!(
                "what is kept for normal transfers is kept for all: give --priority urgent or high"
            );
        }
        Ok(Command::SetReservation(ledger::SetReservation {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            priority: self.priority.into(),
            amount: network.amount(&self.amount, &self.account)?.minor(),
        }))
    }
}

/// The words of `accept`.
#[derive(Debug, Args)]
pub struct Accept {
    /// The account whose owner accepts each credit before it settles
    account: String,
    /// How long the owner takes at most, such as 20s; `off` ends it
    within: String,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Accept {
    fn command(&self, network: &Network) -> Result<Command> {
        let within = match &self.within[..] {
            "off" => None,
            text => Some(times::span(text)?),
        };
        Ok(Command::SetAcceptance(ledger::SetAcceptance {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            within,
        }))
    }
}

/// The words of `notices`.
#[derive(Debug, Args)]
pub struct Notices {
    /// The account
    account: String,
    /// A notice when less than this is available
    #[arg(long, value_name = "AMOUNT")]
    floor: Option<String>,
    /// A notice when more than this is on it
    #[arg(long, value_name = "AMOUNT")]
    ceiling: Option<String>,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Notices {
    fn command(&self, network: &Network) -> Result<Command> {
        let line = |text: &Option<String>| -> Result<Option<i64>> {
            let Some(text) = text else { return Ok(None) };
            let minor = network.amount(text, &self.account)?.minor();
            Ok(Some(i64::try_from(minor).context("the amount is too large")?))
        };
        Ok(Command::SetNotices(ledger::SetNotices {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            floor: line(&self.floor)?,
            ceiling: line(&self.ceiling)?,
        }))
    }
}

/// The words of `attest`.
#[derive(Debug, Args)]
pub struct Attest {
    /// SHA-256 of the document, hex
    digest: String,
    /// The bank that attests
    #[arg(long, value_name = "BIC")]
    by: String,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Attest {
    fn command(&self, network: &Network) -> Result<Command> {
        let document = self.digest.parse();
        Ok(Command::Attest(ledger::Attest {
            id: id(self.id.as_deref())?,
            participant: network.participant(&self.by)?,
            document: document
                .with_context(|| format!("`{}` is no SHA-256 in hex", self.digest))?,
        }))
    }
}
