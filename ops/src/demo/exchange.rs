//! A scene of the demo: two banks exchange currencies by a payment against a payment, and one that is left waiting
//! gets its money back.
//!
//! What is done here a bank does with `corridor ledger`; the book keeps what has moved.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use ledger::{
    Amount, Command, Condition, LedgerTime, Leg, Legs, Transfer, TransferId, TransferOptions,
};

use crate::clock::now_ns;
use crate::init::uuid_v4;
use crate::layout::long_account;
use crate::ledger::{Network, ask, end_of};
use crate::money::format_grouped;

use super::scenario::{Stage, locked};

const EUROS: u64 = 100_000_000;
const DOLLARS: u64 = 108_050_000;
/// How long the first bank waits for the second.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long it waits for an answer that does not come.
const SHORT_PATIENCE: Duration = Duration::from_secs(2);

impl Stage {
    /// Euro against dollars: both or neither.
    pub(crate) async fn payment_against_payment(&mut self) -> Result<()> {
        self.voice.step("Payment against payment: euro for dollars, both settle or neither does");
        let network = Network::open(self.cluster.layout().dir()).await?;
        let (one, other) = (self.banks[0].bic.clone(), self.banks[1].bic.clone());
        self.say_accounts("before", &one, &other).await?;

        let offer = offer(&network, &one, &other, PATIENCE)?;
        let told = ask(&network, &one, Command::Transfer(offer.clone())).await?;
        ensure!(told.answer == "held", "the offer is answered {told:?}");
        self.voice.line(format!(
            "{:.4} offers EUR {} for USD {}; its euro are held, nothing has moved",
            one,
            format_grouped(i128::from(EUROS), 2),
            format_grouped(i128::from(DOLLARS), 2)
        ));
        let approve = Command::Approve(ledger::Approve { transfer: offer.id });
        let told = ask(&network, &other, approve).await?;
        ensure!(told.answer == "done", "the approval is answered {told:?}");
        let end = end_of(&network, &offer.id.to_string()).await?;
        ensure!(end.answer == "settled", "the exchange is {}", end.answer);
        self.voice.line(format!("{other:.4} agrees: both sides settled in one record"));
        for leg in offer.legs.as_slice() {
            let minor = i128::from(leg.amount.minor());
            let mut book = locked(&self.book);
            book.moved(&network.account_name(leg.debit), -minor);
            book.moved(&network.account_name(leg.credit), minor);
        }
        self.say_accounts("after", &one, &other).await?;
        self.nobody_answers(&network, &one, &other).await
    }

    /// Nobody answers: the deadline gives the money back, and nobody has to ask for it.
    async fn nobody_answers(&mut self, network: &Network, one: &str, other: &str) -> Result<()> {
        let offer = offer(network, one, other, SHORT_PATIENCE)?;
        let told = ask(network, one, Command::Transfer(offer.clone())).await?;
        ensure!(told.answer == "held", "the offer is answered {told:?}");
        let end = end_of(network, &offer.id.to_string()).await?;
        ensure!(end.answer == "released", "the offer is {}", end.answer);
        let ended = end.end.context("an end has a time")?;
        let deadline = offer.options.as_ref().and_then(|options| options.deadline);
        let late = deadline.map_or(0, |deadline| ended.time_ns.saturating_sub(deadline.0));
        self.voice.line(format!(
            "the same offer again, and {other:.4} does not answer: given back {:.0} ms after its deadline",
            late as f64 / 1e6
        ));
        Ok(())
    }

    /// Euro and dollars of two banks, as a node has them.
    pub(super) async fn say_accounts(&self, when: &str, one: &str, other: &str) -> Result<()> {
        let node = *self.cluster.node_ids().first().context("the demo has nodes")?;
        let balances = self.cluster.balances(node).await?;
        let mut parts = Vec::new();
        for bank in [one, other] {
            for code in ["EUR", "USD"] {
                let name = format!("{bank}/{code}");
                let found =
                    balances.accounts.iter().find(|account| long_account(&account.account) == name);
                let minor = found.with_context(|| format!("there is no {name}"))?.posted;
                parts.push(format!("{bank:.4} {code} {:>13}", format_grouped(minor, 2)));
            }
        }
        self.voice.line(format!("{when:<7}{}", parts.join("  ")));
        Ok(())
    }
}

fn offer(network: &Network, one: &str, other: &str, patience: Duration) -> Result<Transfer> {
    let leg = |from: &str, to: &str, code: &str, minor: u64| -> Result<Leg> {
        Ok(Leg {
            debit: network.account(&format!("{from}/{code}"))?,
            credit: network.account(&format!("{to}/{code}"))?,
            amount: Amount::new(minor),
        })
    };
    let legs = vec![leg(one, other, "EUR", EUROS)?, leg(other, one, "USD", DOLLARS)?];
    let id: TransferId = uuid_v4()?.parse().context("a UUID is an id")?;
    let patience = u64::try_from(patience.as_nanos()).context("a patience of minutes")?;
    let options = TransferOptions {
        deadline: Some(LedgerTime(now_ns() + patience)),
        conditions: vec![Condition::Approval { participant: network.participant(other)? }],
        ..TransferOptions::default()
    };
    let (legs, options) = (Legs::new(legs)?, Some(Box::new(options)));
    Ok(Transfer { id, legs, document: None, options })
}
