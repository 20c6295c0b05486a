//! Placing a quote: a firm offer to give one asset for another. What becomes of it is in `fx/book.rs`.
//!
//! Who must sign: the owner of both accounts, which is one participant, the provider. To replace a quote in the same
//! step, so that it is never taken beside its replacement, name it; where it is gone by then, wholly taken or over,
//! the new one is refused, because its provider has not seen that yet.

use crate::amount::Amount;
use crate::apply::{Authority, Turn};
use crate::fx::book::Quote;
use crate::fx::outputs::QuoteNotice;
use crate::fx::rate::Rate;
use crate::id::{AccountNumber, LedgerTime, TransferId};
use crate::limits::QUOTE_NANOSECONDS_MAX;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Offers to give one asset for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlaceQuote {
    /// Identity, from the same space as transfer ids.
    pub id: TransferId,
    /// The provider's account that gives.
    pub sells: AccountNumber,
    /// The provider's account that receives, in another asset.
    pub buys: AccountNumber,
    /// The price, in minor units received for minor units given.
    pub rate: Rate,
    /// The most that it gives in all, in minor units; at least `least`.
    pub amount: Amount,
    /// The least that it gives in one take, in minor units; 1 or more.
    pub least: Amount,
    /// The last ledger time at which it can be taken; within 7 days.
    pub until: LedgerTime,
    /// A quote of the same provider that goes when this one comes.
    pub replaces: Option<TransferId>,
}

impl PlaceQuote {
    /// Both accounts of one owner who has signed, also for what is replaced.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let sells = ledger.hot(self.sells).ok_or(Refusal::UnknownAccount)?;
        let buys = ledger.hot(self.buys).ok_or(Refusal::UnknownAccount)?;
        let replaced = self.replaces.and_then(|id| ledger.fx.book.get(&id));
        let own = replaced.is_none_or(|quote| quote.provider == sells.owner);
        if sells.owner == buys.owner && own && authority.includes(sells.owner) {
            Ok(())
        } else {
            Err(Refusal::NotAuthorised)
        }
    }

    /// Puts it into the book.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Result<(), Refusal> {
        if turn.time > self.until {
            return Err(Refusal::DeadlinePassed);
        }
        if self.until.0 - turn.time.0 > QUOTE_NANOSECONDS_MAX {
            return Err(Refusal::DeadlineTooFar);
        }
        let pair = ledger.pair_of(self.sells, self.buys);
        if pair.0 == pair.1 {
            return Err(Refusal::SameAsset);
        }
        let sells = ledger.authorised(self.sells);
        sells.check_may_pay()?;
        ledger.authorised(self.buys).check_may_receive()?;
        let provider = sells.owner;
        if self.least.is_zero() || self.least > self.amount {
            return Err(Refusal::LeastTake);
        }
        let book = &mut ledger.fx.book;
        let replaced = match &self.replaces {
            Some(id) => Some(book.place_of(id).ok_or(Refusal::ReplacedGone)?),
            None => None,
        };
        let old = replaced.map(|place| book.quotes.at(place));
        if !book.has_room(provider, pair, old) {
            return Err(Refusal::QuoteBookFull);
        }
        if let Some(place) = replaced {
            let quote = book.remove(place).id;
            ledger.fx.outputs.quotes.push(QuoteNotice::Replaced { quote, by: self.id });
        }
        let order = book.next_order;
        book.next_order += 1;
        let quote = Quote {
            id: self.id,
            leaf: turn.leaf,
            provider,
            sells: self.sells,
            buys: self.buys,
            rate: self.rate,
            left: self.amount,
            least: self.least,
            until: self.until,
            order,
        };
        ledger.fx.book.insert(quote, pair);
        ledger.fx.outputs.quotes.push(QuoteNotice::Placed { quote: self.id });
        Ok(())
    }
}
