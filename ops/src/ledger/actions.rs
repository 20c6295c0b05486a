//! The words of the other commands, each a few lines: what is typed, and the command of the ledger that it stands for.

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use ledger::{AccountStatus, Command, Leg, Legs, Position, Transfer, TransferOptions};
use wire::genesis::key_from_hex;

use super::network::{Network, id};
use super::transfer::PriorityWord;
use super::{Action, look};

/// The words of `approve`.
#[derive(Debug, Args)]
pub struct Approve {
    /// Id of the transfer
    uetr: String,
}

impl Action for Approve {
    fn command(&self, _: &Network) -> Result<Command> {
        Ok(Command::Approve(ledger::Approve { transfer: id(Some(&self.uetr))? }))
    }
}

/// The words of `refuse`.
#[derive(Debug, Args)]
pub struct Refuse {
    /// Id of the transfer
    uetr: String,
    /// Why, as a code of ISO 20022's ExternalStatusReason1Code, such as MS03 or AC04
    #[arg(long, default_value = "MS03")]
    reason: String,
}

impl Action for Refuse {
    fn command(&self, _: &Network) -> Result<Command> {
        let reason = self.reason.parse();
        let reason = reason.with_context(|| format!("`{}` is no reason code", self.reason))?;
        Ok(Command::Refuse(ledger::Refuse { transfer: id(Some(&self.uetr))?, reason }))
    }
}

/// The words of `reveal`.
#[derive(Debug, Args)]
pub struct Reveal {
    /// Id of the transfer
    uetr: String,
    /// The secret, as text
    #[arg(required_unless_present = "hex", conflicts_with = "hex")]
    secret: Option<String>,
    /// The secret, as 64 hex digits
    #[arg(long)]
    hex: Option<String>,
}

impl Action for Reveal {
    fn command(&self, _: &Network) -> Result<Command> {
        let preimage: Box<[u8]> = match (&self.secret, &self.hex) {
            (Some(text), _) => text.as_bytes().into(),
            (None, Some(hex)) => {
                key_from_hex(hex).with_context(|| format!("`{hex}` is no 64 hex digits"))?.into()
            }
            (None, None) => bail!("the secret is missing"),
        };
        Ok(Command::Reveal(ledger::Reveal { transfer: id(Some(&self.uetr))?, preimage }))
    }
}

/// The words of `cancel`.
#[derive(Debug, Args)]
pub struct Cancel {
    /// Id of the transfer
    uetr: String,
}

impl Action for Cancel {
    fn command(&self, _: &Network) -> Result<Command> {
        Ok(Command::Cancel(ledger::Cancel { transfer: id(Some(&self.uetr))? }))
    }
}

/// Place within a priority.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PositionWord {
    /// Where it stands
    #[default]
    Keep,
    /// Before all others
    First,
    /// After all others
    Last,
}

/// The words of `reorder`.
#[derive(Debug, Args)]
pub struct Reorder {
    /// Id of the transfer
    uetr: String,
    /// Its priority from now on
    #[arg(long, value_enum, default_value_t)]
    priority: PriorityWord,
    /// Its place within the priority
    #[arg(long, value_enum, default_value_t)]
    position: PositionWord,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Reorder {
    fn command(&self, _: &Network) -> Result<Command> {
        Ok(Command::Reorder(ledger::Reorder {
            id: id(self.id.as_deref())?,
            transfer: id(Some(&self.uetr))?,
            priority: self.priority.into(),
            position: match self.position {
                PositionWord::Keep => Position::Keep,
                PositionWord::First => Position::First,
                PositionWord::Last => Position::Last,
            },
        }))
    }
}

/// The words of `return`.
#[derive(Debug, Args)]
pub struct Return {
    /// Id of the transfer that settled
    uetr: String,
    /// How much [default: all that its first leg moved]
    amount: Option<String>,
    /// Which of its legs, from 1
    #[arg(long, default_value_t = 1)]
    leg: usize,
    /// Id of the return [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    /// The original as the node shows it; looked up
    #[arg(skip)]
    original: std::cell::OnceCell<Transfer>,
}

impl Action for Return {
    async fn prepare(&self, network: &Network) -> Result<()> {
        let original = look::original(&network.node, &self.uetr).await?;
        // It is prepared once.
        let _ = self.original.set(original);
        Ok(())
    }

    fn command(&self, network: &Network) -> Result<Command> {
        let original = self.original.get().context("the original was not looked up")?;
        let legs = original.legs.as_slice();
        let leg = self.leg.checked_sub(1).and_then(|at| legs.get(at));
        let leg = leg.with_context(|| format!("{} has {} legs", self.uetr, legs.len()))?;
        let account = network.account_name(leg.credit);
        let amount = match &self.amount {
            Some(text) => network.amount(text, &account)?,
            None => leg.amount,
        };
        let options = TransferOptions {
            returns: Some(original.id),
            original: Some(Box::new(original.clone())),
            ..TransferOptions::default()
        };
        Ok(Command::Transfer(Transfer {
            id: id(self.id.as_deref())?,
            legs: Legs::One(Leg { debit: leg.credit, credit: leg.debit, amount }),
            document: None,
            options: Some(Box::new(options)),
        }))
    }
}

/// The words of `issue`.
#[derive(Debug, Args)]
pub struct Issue {
    /// The account that receives
    account: String,
    /// How much
    amount: String,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Issue {
    fn command(&self, network: &Network) -> Result<Command> {
        Ok(Command::Issue(ledger::Issue {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            amount: network.amount(&self.amount, &self.account)?,
        }))
    }
}

/// The words of `redeem`.
#[derive(Debug, Args)]
pub struct Redeem {
    /// The account that gives
    account: String,
    /// How much
    amount: String,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Redeem {
    fn command(&self, network: &Network) -> Result<Command> {
        Ok(Command::Redeem(ledger::Redeem {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            amount: network.amount(&self.amount, &self.account)?,
        }))
    }
}

/// The words of `open`.
#[derive(Debug, Args)]
pub struct Open {
    /// Name of the new account: BIC/ASSET or BIC/ASSET/label
    account: String,
}

impl Action for Open {
    fn command(&self, network: &Network) -> Result<Command> {
        let parts: Vec<&str> = self.account.split('/').collect();
        let (bic, asset, label) = match parts[..] {
            [bic, asset] => (bic, asset, ""),
            [bic, asset, label] => (bic, asset, label),
            _ => bail!("`{}` is not of the form BIC/ASSET/label", self.account),
        };
        let label = label.parse().with_context(|| format!("`{label}` cannot be a label"))?;
        let (owner, asset) = (network.participant(bic)?, network.asset(asset)?);
        Ok(Command::OpenAccount(ledger::OpenAccount { owner, asset, label }))
    }
}

/// The words of `floor`.
#[derive(Debug, Args)]
pub struct Floor {
    /// The account
    account: String,
    /// How far it may go below zero, as an amount
    credit_line: String,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Floor {
    fn command(&self, network: &Network) -> Result<Command> {
        let line = network.amount(&self.credit_line, &self.account)?;
        let line = i64::try_from(line.minor()).context("the credit line is too large")?;
        Ok(Command::SetFloor(ledger::SetFloor {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            floor: -line,
        }))
    }
}

/// Status of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum StatusWord {
    /// May pay and receive
    Open,
    /// May only receive
    CreditOnly,
    /// May only pay
    DebitOnly,
    /// May neither pay nor receive
    Blocked,
    /// For ever; it must be empty
    Closed,
}

/// The words of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// The account
    account: String,
    /// Its status from now on
    #[arg(value_enum)]
    status: StatusWord,
    /// Id of this command [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
}

impl Action for Status {
    fn command(&self, network: &Network) -> Result<Command> {
        Ok(Command::SetAccountStatus(ledger::SetAccountStatus {
            id: id(self.id.as_deref())?,
            account: network.account(&self.account)?,
            status: match self.status {
                StatusWord::Open => AccountStatus::Open,
                StatusWord::CreditOnly => AccountStatus::CreditOnly,
                StatusWord::DebitOnly => AccountStatus::DebitOnly,
                StatusWord::Blocked => AccountStatus::Blocked,
                StatusWord::Closed => AccountStatus::Closed,
            },
        }))
    }
}
