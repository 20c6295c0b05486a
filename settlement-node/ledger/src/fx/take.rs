//! Carrying out what `plan.rs` decided: money moves, quotes give, what comes of it is noted.

use crate::amount::Amount;
use crate::command::Exchange;
use crate::id::{AccountNumber, ParticipantNumber, TransferId};
use crate::ids::IdEntry;
use crate::progress::{exchange_id, number_as_content};
use crate::refusal::Refusal;
use crate::state::{Ledger, NetEffect};
use crate::{Answer, Exchanged};

use super::outputs::{PassedOver, QuoteNotice};
use super::plan::ExchangePlan;

impl Ledger {
    /// The net effects of a planned exchange, of which no asset keeps a rest.
    pub(crate) fn net_of_plan(&mut self, exchange: &Exchange, plan: &ExchangePlan) {
        self.net.clear();
        let mut add = |account, change| match self.net.iter_mut().find(|one| one.account == account)
        {
            Some(one) => one.change += change,
            None => self.net.push(NetEffect { account, change }),
        };
        add(exchange.debit, -i128::from(plan.paid.minor()));
        for fill in &plan.fills {
            add(fill.buys, i128::from(fill.took.minor()));
            add(fill.sells, -i128::from(fill.gave.minor()));
        }
        add(exchange.credit, i128::from(plan.delivered.minor()));
    }

    /// Whether an exchange, or the return of one, may go between these accounts now: the network lets their owners pay
    /// and receive, and both assets are open.
    pub(crate) fn check_exchange(
        &self,
        debit: AccountNumber,
        credit: AccountNumber,
    ) -> Result<(), Refusal> {
        let (debit, credit) = (self.authorised(debit), self.authorised(credit));
        self.check_may_pay(debit.owner)?;
        self.check_may_receive(credit.owner)?;
        let closed = self.is_closed(debit.asset) || self.is_closed(credit.asset);
        if closed { Err(Refusal::CutOffPassed) } else { Ok(()) }
    }

    /// Whether the network lets a provider both pay and receive.
    pub(crate) fn check_trades(&self, provider: ParticipantNumber) -> Result<(), Refusal> {
        self.check_may_pay(provider)?;
        self.check_may_receive(provider)
    }

    /// Sets the net effects of what is at hand, of different accounts.
    pub(crate) fn set_net(&mut self, effects: &[(AccountNumber, i128)]) {
        self.net.clear();
        let each = effects.iter().map(|&(account, change)| NetEffect { account, change });
        self.net.extend(each);
    }

    /// Moves the money whose net effects were checked, takes the quotes, and remembers what was delivered.
    pub(crate) fn carry_out_plan(&mut self, exchange: &Exchange, plan: ExchangePlan, leaf: u64) {
        self.post_net();
        for (quote, why) in plan.passed {
            self.fx.note_passed(quote, exchange.id, why);
        }
        for fill in &plan.fills {
            let place = self.fx.book.place_of(&fill.quote).expect("planned from the book");
            let quote = self.fx.book.quotes.at_mut(place);
            let left = quote.left.checked_sub(fill.gave).expect("planned within what is left");
            quote.left = left;
            let ends = left < quote.least;
            if ends {
                self.fx.book.remove(place);
            }
            self.fx.outputs.quotes.push(QuoteNotice::Taken {
                quote: fill.quote,
                by: exchange.id,
                gave: fill.gave,
                took: fill.took,
                left: if ends { Amount::ZERO } else { left },
            });
        }
        let ExchangePlan { paid, delivered, via, first_step, fills, .. } = plan;
        let content = number_as_content(delivered.minor());
        let entry = IdEntry { leaf, code: Answer::Settled.code(), content };
        self.ids.insert_derived(&exchange_id(&exchange.id), entry);
        let id = exchange.id;
        let exchanged = Exchanged { id, leaf, paid, delivered, via, first_step, fills };
        debug_assert!(exchanged.check(), "{exchanged:?}");
        self.fx.outputs.exchanges.push(exchanged);
    }
}

impl super::Fx {
    /// Says that a quote was passed over, once a block for each reason.
    fn note_passed(&mut self, quote: TransferId, by: TransferId, why: PassedOver) {
        if self.passed.insert((quote, why)) {
            self.outputs.quotes.push(QuoteNotice::PassedOver { quote, by, why });
        }
    }

    /// Counts the quotes looked at.
    pub(crate) fn count_looks(&mut self, looks: usize) {
        self.looks_left = self.looks_left.saturating_sub(looks);
    }

    /// True when this block may still look at quotes.
    pub(crate) const fn may_look(&self) -> bool {
        self.looks_left > 0
    }
}
