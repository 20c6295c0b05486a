//! An exchange: pay from an account in one asset, deliver to an account in another, at the best quotes.
//!
//! Who must sign: the owner of the debited account. The creditor's amount is exact and the debtor's bounded, or the
//! other way round. Everything settles at once or nothing does: which quotes are taken is in `fx/plan.rs`. It never
//! waits: it has no queueing, no start and no release conditions, because a quote that reserves nothing could be gone
//! when they are met; what must wait is a transfer of two legs at a price that both sides have agreed.
//!
//! Checks after those of all commands: deadline; the credited account exists; two assets; status of both accounts;
//! amount; quotes; the taker's limit; the limit of one payment, cover, reservations and limits of the debited account
//! (`fx/settings.rs`). A credited account whose owner accepts what comes needs the owner's signature beside, because
//! an exchange cannot wait for it. Events, records and the price query give rate and
//! fills.

use crate::amount::Amount;
use crate::apply::{Authority, Turn};
use crate::command::check_bounds;
use crate::fx::plan::{Exact, Question};
use crate::id::{AccountNumber, Digest, LedgerTime, TransferId};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Pays in one asset and delivers in another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The UETR. The same id with the same content gets the first answer, with other content a refusal.
    pub id: TransferId,
    /// The account that pays.
    pub debit: AccountNumber,
    /// The account that receives, in another asset.
    pub credit: AccountNumber,
    /// How much.
    pub amount: ExchangeAmount,
    /// Digest of the document (an encrypted payment message) that belongs to it.
    pub document: Option<Digest>,
    /// Refuse when the ledger's time is later than this.
    pub deadline: Option<LedgerTime>,
}

/// Which side of an exchange is exact, and the bound of the other; in minor units of each side's asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExchangeAmount {
    /// The creditor receives exactly this.
    Deliver {
        /// What the creditor receives, more than zero.
        exactly: Amount,
        /// The most that the debtor pays.
        at_most: Amount,
    },
    /// The debtor pays exactly this.
    Spend {
        /// What the debtor pays, more than zero.
        exactly: Amount,
        /// The least that the creditor receives.
        at_least: Amount,
    },
}

impl Exchange {
    /// The debited account and its owner's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let debit = ledger.hot(self.debit).ok_or(Refusal::UnknownDebitAccount)?;
        if authority.includes(debit.owner) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Takes the quotes and settles.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Result<(), Refusal> {
        if self.deadline.is_some_and(|deadline| turn.time > deadline) {
            return Err(Refusal::DeadlinePassed);
        }
        let debit = ledger.authorised(self.debit);
        let credit = ledger.hot(self.credit).ok_or(Refusal::UnknownCreditAccount)?;
        let (pays, gets) = (debit.asset, credit.asset);
        if pays == gets {
            return Err(Refusal::SameAsset);
        }
        debit.check_may_pay()?;
        credit.check_may_receive()?;
        let controls = ledger.controls(self.credit);
        let asks = controls.is_some_and(|controls| controls.acceptance.is_some());
        if asks && !turn.authority.includes(credit.owner) {
            return Err(Refusal::ExchangeNotOffered);
        }
        ledger.check_exchange(self.debit, self.credit)?;
        let exact = match self.amount {
            ExchangeAmount::Deliver { exactly, .. } => Exact::Delivered(exactly),
            ExchangeAmount::Spend { exactly, .. } => Exact::Spent(exactly),
        };
        if !ledger.fx.may_look() {
            return Err(Refusal::TooManyExchanges);
        }
        let (debit, credit) = (Some(self.debit), Some(self.credit));
        let asked = Question { pays, gets, exact, debit, credit, now: turn.time };
        let mut looks = 0;
        let plan = ledger.plan(&asked, &mut looks);
        ledger.fx.count_looks(looks);
        let plan = plan?;
        let within = match self.amount {
            ExchangeAmount::Deliver { at_most, .. } => plan.paid <= at_most,
            ExchangeAmount::Spend { at_least, .. } => plan.delivered >= at_least,
        };
        if !within {
            return Err(Refusal::PriceBeyondLimit);
        }
        ledger.check_leg_limit(pays, plan.paid)?;
        ledger.check_leg_limit(gets, plan.delivered)?;
        let transfer = plan.as_transfer(self);
        ledger.check_payment_limits(&transfer, |_| true)?;
        ledger.net_of_plan(self, &plan);
        ledger.check_cover(|_| true)?;
        check_bounds(ledger)?;
        ledger.check_settings(&transfer, turn.time)?;
        ledger.carry_out_plan(self, plan, turn.leaf);
        ledger.count_settled(&transfer, turn.time);
        Ok(())
    }
}
