//! Returns: a transfer that gives back, in part or whole, what an earlier one moved; never more than it moved.
//!
//! A return has one leg, from an account that the original credited to the one that it debited. It shows the
//! original as it was sent; the content digest that was remembered with the original's id tells whether that is
//! true, so no list of settled transfers is kept. The sum returned so far is remembered under a derived id
//! (`progress::return_id`) for each return of a direction, at most 16. All these ids are exact for all time, in
//! memory or on disk (`OldIds`).

use crate::amount::Amount;
use crate::answer::Answer;
use crate::batch::CheckedCommand;
use crate::command::{Command, Legs, OnShortage, Transfer};
use crate::id::{AccountNumber, ContentDigest, TransferId};
use crate::ids::{IdEntry, OldIds};
use crate::limits::RETURNS_MAX;
use crate::progress::{number_as_content, resolution_id, return_id};
use crate::refusal::Refusal;
use crate::state::Ledger;

/// What is remembered of a return once it has settled.
pub(crate) struct Return {
    derived: TransferId,
    sum: u64,
}

impl Return {
    /// Remembers the sum under the leaf of the return.
    pub(crate) fn remember(&self, ledger: &mut Ledger, leaf: u64) {
        let content = number_as_content(self.sum);
        ledger
            .ids
            .insert_derived(&self.derived, IdEntry { leaf, code: Answer::Settled.code(), content });
    }
}

impl Transfer {
    /// `None` for a transfer that returns nothing. Otherwise checks it against the original and earlier returns.
    pub(crate) fn check_return(
        &self,
        ledger: &Ledger,
        old: &OldIds<'_>,
    ) -> Result<Option<Return>, Refusal> {
        let Some(options) = self.options.as_deref() else { return Ok(None) };
        let Some(id) = options.returns else { return Ok(None) };
        let Legs::One(leg) = &self.legs else { return Err(Refusal::ReturnMayNotWait) };
        if options.not_before.is_some()
            || options.on_shortage == OnShortage::Queue
            || !options.conditions.is_empty()
        {
            return Err(Refusal::ReturnMayNotWait);
        }
        let Some(original) = options.original.as_deref().filter(|original| original.id == id)
        else {
            return Err(Refusal::OriginalUnknown);
        };
        let find = |id: &TransferId| ledger.ids.get(id).or_else(|| old.get(id));
        let entry = find(&id).ok_or(Refusal::OriginalUnknown)?;
        let settled = match entry.answer() {
            Answer::Settled => true,
            Answer::Waiting(_) => ledger.end_of(&id, old) == Some(Answer::Settled),
            Answer::Refused(_) => false,
        };
        if !settled || entry.content != content_of(original) {
            return Err(Refusal::OriginalUnknown);
        }
        let moved = moved(original, leg.credit, leg.debit).ok_or(Refusal::NotTheReverse)?;
        let mut sum = u128::from(leg.amount.minor());
        let mut derived = None;
        for number in 0..RETURNS_MAX {
            let next = return_id(&id, leg.credit, leg.debit, number);
            match find(&next) {
                // Each entry holds the sum up to it, so the last one counts.
                Some(entry) => {
                    sum = u128::from(leg.amount.minor())
                        + u128::from(u64::from_le_bytes(entry.content.0));
                }
                None => {
                    derived = Some(next);
                    break;
                }
            }
        }
        let sum = u64::try_from(sum).ok().filter(|sum| u128::from(*sum) <= moved);
        match (derived, sum) {
            (Some(derived), Some(sum)) => Ok(Some(Return { derived, sum })),
            _ => Err(Refusal::ReturnTooLarge),
        }
    }
}

/// What a transfer moves from one account to another, over all its legs; `None` when no leg does.
fn moved(transfer: &Transfer, debit: AccountNumber, credit: AccountNumber) -> Option<u128> {
    let amounts = transfer.legs.as_slice().iter();
    let mut amounts =
        amounts.filter(|leg| leg.debit == debit && leg.credit == credit).map(|leg| leg.amount);
    let first: Amount = amounts.next()?;
    Some(amounts.fold(u128::from(first.minor()), |sum, next| sum + u128::from(next.minor())))
}

fn content_of(transfer: &Transfer) -> ContentDigest {
    CheckedCommand::new(Command::Transfer(transfer.clone())).content
}

impl Command {
    /// Gives `each` the ids whose entries decide about this command: its own, and for a return those of the original
    /// and of the returns before it. The caller looks them up on disk (`OldIds`).
    pub fn ids_consulted(&self, each: &mut impl FnMut(TransferId)) {
        if let Some(id) = self.id() {
            each(id);
        }
        if let Self::ReturnExchange(back) = self {
            back.ids_consulted(each);
        }
        if let Self::EraseDocument(erase) = self {
            erase.ids_consulted(each);
        }
        if let Self::Transfer(transfer) = self
            && let Some(options) = &transfer.options
            && let Some(original) = options.returns
        {
            each(original);
            each(resolution_id(&original));
            if let Legs::One(leg) = &transfer.legs {
                (0..RETURNS_MAX)
                    .for_each(|number| each(return_id(&original, leg.credit, leg.debit, number)));
            }
        }
    }
}
