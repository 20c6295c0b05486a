//! Giving back what an exchange delivered, in part or whole, in the creditor's asset; never more than it delivered.
//!
//! It leads from the account that the exchange credited to an account of the original debtor's bank in the same
//! asset: what was paid in the other asset is with the providers, whose quotes were firm, and nobody is asked to
//! undo them. The debtor's bank may exchange it back at the quotes of its day.
//!
//! Who must sign: the owner of the account that the original credited. The original is shown as it was sent; its
//! content digest, and what it delivered, are remembered with its id for all time. At most 16 returns of one exchange.

use crate::amount::Amount;
use crate::answer::Answer;
use crate::apply::{Authority, Turn};
use crate::batch::CheckedCommand;
use crate::command::Command;
use crate::fx::settings::one_leg;
use crate::id::{AccountNumber, Digest, LedgerTime, TransferId};
use crate::ids::{IdEntry, OldIds};
use crate::limits::RETURNS_MAX;
use crate::progress::{exchange_id, exchange_return_id, number_as_content};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::exchange::Exchange;

/// Gives back what an exchange delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnExchange {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// An account of the original debtor's owner, in the asset that was delivered.
    pub credit: AccountNumber,
    /// How much, in minor units of what was delivered; more than zero.
    pub amount: Amount,
    /// The exchange as it was sent. It pays from the account that it credited.
    pub original: Exchange,
    /// Digest of the document (an encrypted payment message) that belongs to the return.
    pub document: Option<Digest>,
    /// Refuse when the ledger's time is later than this.
    pub deadline: Option<LedgerTime>,
}

/// What is remembered of a return.
struct Returned {
    derived: TransferId,
    sum: u64,
}

impl ReturnExchange {
    /// The account that pays, and its owner's signature.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let debit = ledger.hot(self.original.credit).ok_or(Refusal::UnknownDebitAccount)?;
        if authority.includes(debit.owner) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Moves the money back.
    pub(crate) fn carry_out(
        &self,
        ledger: &mut Ledger,
        turn: &Turn<'_>,
        old: &OldIds<'_>,
    ) -> Result<(), Refusal> {
        if self.deadline.is_some_and(|deadline| turn.time > deadline) {
            return Err(Refusal::DeadlinePassed);
        }
        if self.original.credit == self.credit {
            return Err(Refusal::SameAccount);
        }
        let debit = ledger.authorised(self.original.credit);
        let credit = ledger.hot(self.credit).ok_or(Refusal::UnknownCreditAccount)?;
        if debit.asset != credit.asset {
            return Err(Refusal::AssetMismatch);
        }
        debit.check_may_pay()?;
        credit.check_may_receive()?;
        let asset = debit.asset;
        ledger.check_exchange(self.original.credit, self.credit)?;
        ledger.check_leg_limit(asset, self.amount)?;
        if self.amount.is_zero() {
            return Err(Refusal::AmountZero);
        }
        let amount = i128::from(self.amount.minor());
        if credit.posted.checked_add(amount).is_none() {
            return Err(Refusal::AmountTooLarge);
        }
        let payer = ledger.hot(self.original.debit).ok_or(Refusal::OriginalUnknown)?.owner;
        let to_payer = credit.owner == payer;
        let returned = self.check_original(ledger, old, to_payer)?;
        let net = [(self.original.credit, -amount), (self.credit, amount)];
        let transfer = one_leg(self.id, self.original.credit, self.credit, self.amount);
        ledger.check_payment_limits(&transfer, |_| true)?;
        ledger.set_net(&net);
        ledger.check_cover(|_| true)?;
        ledger.check_settings(&transfer, turn.time)?;
        ledger.post_net();
        ledger.count_settled(&transfer, turn.time);
        let content = number_as_content(returned.sum);
        let entry = IdEntry { leaf: turn.leaf, code: Answer::Settled.code(), content };
        ledger.ids.insert_derived(&returned.derived, entry);
        Ok(())
    }

    /// The original as it was, and what earlier returns have left of it.
    fn check_original(
        &self,
        ledger: &Ledger,
        old: &OldIds<'_>,
        to_payer: bool,
    ) -> Result<Returned, Refusal> {
        let id = self.original.id;
        let find = |id: &TransferId| ledger.ids.get(id).or_else(|| old.get(id));
        let first = find(&id).filter(|entry| entry.answer() == Answer::Settled);
        let shown = CheckedCommand::new(Command::Exchange(self.original.clone())).content;
        let first = first.filter(|entry| entry.content == shown);
        // What was delivered is remembered with every exchange that settled.
        let delivered = first.and_then(|_| find(&exchange_id(&id)));
        let delivered = delivered.ok_or(Refusal::OriginalUnknown)?.content;
        if !to_payer {
            return Err(Refusal::NotTheReverse);
        }
        let mut sum = self.amount.minor();
        for number in 0..RETURNS_MAX {
            let derived = exchange_return_id(&id, number);
            let Some(entry) = find(&derived) else {
                let fits = sum <= u64::from_le_bytes(delivered.0);
                return if fits {
                    Ok(Returned { derived, sum })
                } else {
                    Err(Refusal::ReturnTooLarge)
                };
            };
            // Each entry holds the sum up to it, so the last one counts.
            let before = u64::from_le_bytes(entry.content.0);
            sum = before.checked_add(self.amount.minor()).ok_or(Refusal::ReturnTooLarge)?;
        }
        Err(Refusal::ReturnTooLarge)
    }

    /// The ids whose entries decide about it beside its own.
    pub(crate) fn ids_consulted(&self, each: &mut impl FnMut(TransferId)) {
        let id = self.original.id;
        each(id);
        each(exchange_id(&id));
        (0..RETURNS_MAX).for_each(|number| each(exchange_return_id(&id, number)));
    }
}
