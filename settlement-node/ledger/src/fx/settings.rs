//! What is set about the liquidity of accounts that take part in an exchange: asked and counted like in any transfer.
//!
//! An exchange does what a transfer of several legs would do: the taker pays each provider, each provider pays the
//! taker's creditor; over a vehicle currency the providers of the first step pay those of the second, in order. That
//! transfer is of normal priority; it is what limits, windows and reservations judge, and what is counted.
//!
//! A provider never makes an exchange fail: a quote that the settings of its account would object to is passed over.
//! There the settings are judged without what the exchange brings, and where it is not known yet whom a provider
//! pays (the first step of two, or a question without accounts) towards everybody to whom a limit is set.

use crate::amount::Amount;
use crate::command::{Exchange, Leg, Legs, Priority, Transfer};
use crate::id::{AccountNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::liquidity::{Position, Usable};
use crate::refusal::Refusal;
use crate::state::Ledger;

use super::outputs::Fill;
use super::plan::ExchangePlan;

impl ExchangePlan {
    /// The transfer that would do the same as the exchange.
    pub(crate) fn as_transfer(&self, exchange: &Exchange) -> Transfer {
        let mut legs = Vec::with_capacity(3 * self.fills.len());
        let mut pay = |debit, credit, amount: u64| {
            if debit != credit && amount > 0 {
                legs.push(Leg { debit, credit, amount: Amount::new(amount) });
            }
        };
        let (first, second) = self.fills.split_at(usize::from(self.first_step));
        first.iter().for_each(|fill| pay(exchange.debit, fill.buys, fill.took.minor()));
        let last = if self.via.is_some() { second } else { first };
        if self.via.is_some() {
            hand_over(first, second, &mut pay);
        }
        last.iter().for_each(|fill| pay(fill.sells, exchange.credit, fill.gave.minor()));
        let legs = Legs::new(legs).expect("at most 16 fills, so at most 48 legs; and it pays");
        Transfer { id: exchange.id, legs, document: None, options: None }
    }
}

/// What the first step gives goes to the second, each in order.
fn hand_over(
    first: &[Fill],
    second: &[Fill],
    pay: &mut impl FnMut(AccountNumber, AccountNumber, u64),
) {
    let mut takers = second.iter().map(|fill| (fill.buys, fill.took.minor()));
    let mut taker = takers.next();
    for fill in first {
        let mut left = fill.gave.minor();
        while let Some((buys, wants)) = taker.filter(|_| left > 0) {
            let part = left.min(wants);
            pay(fill.sells, buys, part);
            left -= part;
            taker = if part == wants { takers.next() } else { Some((buys, wants - part)) };
        }
    }
}

/// A transfer of one leg, to be judged by the settings.
pub(crate) fn one_leg(
    id: TransferId,
    debit: AccountNumber,
    credit: AccountNumber,
    amount: Amount,
) -> Transfer {
    let legs = Legs::One(Leg { debit, credit, amount });
    Transfer { id, legs, document: None, options: None }
}

impl Ledger {
    /// Whether reservations, windows and positions let this be paid now.
    pub(crate) fn check_settings(
        &self,
        transfer: &Transfer,
        now: LedgerTime,
    ) -> Result<(), Refusal> {
        self.check_controls(&[(transfer, Priority::Normal)], |_| true, now)
    }

    /// The most that the settings of a provider's account let it give in one exchange: to this participant, or to any.
    pub(crate) fn room_of(
        &self,
        number: AccountNumber,
        to: Option<ParticipantNumber>,
        now: LedgerTime,
    ) -> i128 {
        let account = self.authorised(number);
        let Some(controls) = self.liquidity.of(number).filter(|_| account.controlled) else {
            return i128::MAX;
        };
        let usable = Usable::of(account, Some(controls)).from(Priority::Normal);
        let mut room = usable.min(self.pace_left(controls, now));
        room = controls.payment.iter().flatten().fold(room, |room, most| room.min((*most).into()));
        if to == Some(account.owner) {
            return room;
        }
        let left = |limit: &Position, to| {
            i128::from(limit.most) - limit.settled - self.liquidity.pending(number, to)
        };
        let towards = controls.bilateral.iter().filter(|(who, _)| to.is_none_or(|to| to == **who));
        room = towards.fold(room, |room, (who, limit)| room.min(left(limit, Some(*who))));
        controls.multilateral.iter().fold(room, |room, limit| room.min(left(limit, None)))
    }
}
