//! The words of a transfer: its legs, and what it asks beyond "now or never".

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use ledger::{
    Approver, Command, Condition, Leg, Legs, OnShortage, Priority, Transfer, TransferOptions,
};

use super::network::{Network, id};
use super::{Action, times};

/// Place in the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum PriorityWord {
    /// Before all others
    Urgent,
    /// After urgent ones
    High,
    /// After all others
    #[default]
    Normal,
}

impl From<PriorityWord> for Priority {
    fn from(word: PriorityWord) -> Self {
        match word {
            PriorityWord::Urgent => Self::Urgent,
            PriorityWord::High => Self::High,
            PriorityWord::Normal => Self::Normal,
        }
    }
}

/// The words of `corridor ledger transfer`.
#[derive(Debug, Args)]
pub struct TransferWords {
    /// A movement: account that pays, account that receives, amount; repeat it for several that all happen or none
    #[arg(long = "leg", num_args = 3, value_names = ["FROM", "TO", "AMOUNT"], required = true)]
    legs: Vec<String>,
    /// Its id [default: a new one]
    #[arg(long, value_name = "UUID")]
    id: Option<String>,
    /// Bank that must approve before it settles; may be repeated. A bank that pays and has not signed agrees so
    #[arg(long = "needs", value_name = "BIC")]
    needs: Vec<String>,
    /// Key whose holder must approve, hex; may be repeated
    #[arg(long = "needs-key", value_name = "HEX")]
    needs_keys: Vec<String>,
    /// So many of these must approve, such as 2:ALPHDEFF,BRAVFRPP,CHARGB2L; may be repeated
    #[arg(long = "any", value_name = "K:BIC,BIC")]
    any: Vec<String>,
    /// SHA-256 of the secret that must be shown, hex
    #[arg(long, value_name = "HEX")]
    hash: Option<String>,
    /// Settle no earlier (90s, 2h, or 2026-11-22T12:00:00Z); nothing is reserved until then
    #[arg(long, value_name = "TIME")]
    after: Option<String>,
    /// Settle no earlier, with the money reserved meanwhile
    #[arg(long, value_name = "TIME")]
    hold_until: Option<String>,
    /// Be told if it still waits at this time
    #[arg(long, value_name = "TIME")]
    till: Option<String>,
    /// Give up after this time; needed by all that may wait
    #[arg(long, value_name = "TIME")]
    deadline: Option<String>,
    /// Wait in the queue when cover is short, instead of being refused
    #[arg(long)]
    queue: bool,
    /// Place in the queue
    #[arg(long, value_enum, default_value_t)]
    priority: PriorityWord,
}

impl Action for TransferWords {
    fn command(&self, network: &Network) -> Result<Command> {
        let legs: Vec<Leg> =
            self.legs.chunks(3).map(|words| leg(network, words)).collect::<Result<_>>()?;
        let options = self.options(network)?;
        Ok(Command::Transfer(Transfer {
            id: id(self.id.as_deref())?,
            legs: Legs::new(legs)?,
            document: None,
            options: (options != TransferOptions::default()).then(|| Box::new(options)),
        }))
    }
}

fn leg(network: &Network, words: &[String]) -> Result<Leg> {
    let [from, to, amount] = words else { anyhow::bail!("--leg takes FROM TO AMOUNT") };
    Ok(Leg {
        debit: network.account(from)?,
        credit: network.account(to)?,
        amount: network.amount(amount, from)?,
    })
}

impl TransferWords {
    fn options(&self, network: &Network) -> Result<TransferOptions> {
        let time = |text: &Option<String>| text.as_deref().map(times::parse).transpose();
        Ok(TransferOptions {
            not_before: time(&self.after)?,
            deadline: time(&self.deadline)?,
            priority: self.priority.into(),
            on_shortage: if self.queue { OnShortage::Queue } else { OnShortage::Refuse },
            till: time(&self.till)?,
            returns: None,
            original: None,
            conditions: self.conditions(network)?,
        })
    }

    fn conditions(&self, network: &Network) -> Result<Vec<Condition>> {
        let mut conditions = Vec::new();
        for bic in &self.needs {
            let participant = network.participant(bic)?;
            conditions.push(Condition::Approval { participant });
        }
        for key in &self.needs_keys {
            let key = key.parse().with_context(|| format!("`{key}` is no key of 64 hex digits"))?;
            conditions.push(Condition::KeyApproval { key });
        }
        for any in &self.any {
            conditions.push(threshold(network, any)?);
        }
        if let Some(hash) = &self.hash {
            let sha256 = hash.parse();
            let sha256 = sha256.with_context(|| format!("`{hash}` is no SHA-256 in hex"))?;
            conditions.push(Condition::Preimage { sha256 });
        }
        if let Some(time) = &self.hold_until {
            conditions.push(Condition::NotBefore(times::parse(time)?));
        }
        Ok(conditions)
    }
}

fn threshold(network: &Network, text: &str) -> Result<Condition> {
    let meant = || format!("`{text}` is not of the form 2:ALPHDEFF,BRAVFRPP,CHARGB2L");
    let (k, banks) = text.split_once(':').with_context(meant)?;
    let k: u8 = k.parse().with_context(meant)?;
    let of: Vec<Approver> = banks
        .split(',')
        .map(|bic| Ok(Approver::Participant(network.participant(bic)?)))
        .collect::<Result<_>>()?;
    ensure!((1..=of.len()).contains(&usize::from(k)), "{k} of {} banks cannot be met", of.len());
    Ok(Condition::Threshold { k, of })
}
