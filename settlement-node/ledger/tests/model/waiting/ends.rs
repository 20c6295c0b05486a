//! The naive model of returns, and of what ends with a participant.

use ledger::{Answer, Legs, OnShortage, Refusal, Transfer};

use super::super::Model;

impl Model {
    pub(super) fn check_return(&self, transfer: &Transfer) -> Result<(), Refusal> {
        let Some(options) = transfer.options.as_ref() else { return Ok(()) };
        let Some(id) = options.returns else { return Ok(()) };
        let Legs::One(back) = &transfer.legs else { return Err(Refusal::ReturnMayNotWait) };
        if options.not_before.is_some() || options.on_shortage == OnShortage::Queue {
            return Err(Refusal::ReturnMayNotWait);
        }
        // The model remembers everything, so it need not be shown the original, only see that it was.
        let first = self.answered.iter().find(|(known, ..)| *known == id);
        let Some((_, ledger::Command::Transfer(original), code, _)) = first else {
            return Err(Refusal::OriginalUnknown);
        };
        let settled = *code == 1 || self.ended.contains(&(id, 1));
        if !settled || options.original.as_deref() != Some(original) {
            return Err(Refusal::OriginalUnknown);
        }
        let legs = original.legs.as_slice().iter();
        let moved: Vec<u128> = legs
            .filter(|leg| leg.debit == back.credit && leg.credit == back.debit)
            .map(|leg| u128::from(leg.amount.minor()))
            .collect();
        if moved.is_empty() {
            return Err(Refusal::NotTheReverse);
        }
        let before = self.returned.iter().filter(|(of, one)| {
            let leg = one.legs.as_slice()[0];
            *of == id && (leg.debit, leg.credit) == (back.debit, back.credit)
        });
        let before: Vec<u128> =
            before.map(|(_, one)| u128::from(one.legs.as_slice()[0].amount.minor())).collect();
        let sum = before.iter().sum::<u128>() + u128::from(back.amount.minor());
        if sum > moved.iter().sum() || before.len() >= 16 {
            return Err(Refusal::ReturnTooLarge);
        }
        Ok(())
    }

    /// Ends everything that waits and pays or is paid by somebody, by place.
    pub(crate) fn end_all_of(&mut self, who: u32) {
        let mut places: Vec<u32> = self.waiting.iter().map(|one| one.place).collect();
        places.sort_unstable();
        for place in places {
            let at = self.waiting.iter().position(|one| one.place == place).unwrap();
            let legs = self.waiting[at].transfer.legs.clone();
            let owns = |account: u32| self.accounts[&account].owner == who;
            if legs.as_slice().iter().any(|leg| owns(leg.debit.0)) {
                self.end(at, Answer::Refused(Refusal::DebtorSuspended));
            } else if legs.as_slice().iter().any(|leg| owns(leg.credit.0)) {
                self.end(at, Answer::Refused(Refusal::CreditorSuspended));
            }
        }
    }
}
