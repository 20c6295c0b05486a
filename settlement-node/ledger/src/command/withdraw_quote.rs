//! Withdrawing a quote. Who must sign: its provider.
//!
//! It has no id: a quote can be withdrawn once, and its id is never used again.

use crate::apply::Authority;
use crate::fx::outputs::QuoteNotice;
use crate::id::TransferId;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Takes a quote out of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WithdrawQuote {
    /// The quote.
    pub quote: TransferId,
}

impl WithdrawQuote {
    /// The quote, and its provider among the signers.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let quote = ledger.fx.book.get(&self.quote).ok_or(Refusal::QuoteNotLive)?;
        if authority.includes(quote.provider) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Takes it out.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger) {
        let place = ledger.fx.book.place_of(&self.quote).expect("the authorisation step found it");
        ledger.fx.book.remove(place);
        ledger.fx.outputs.quotes.push(QuoteNotice::Withdrawn { quote: self.quote });
    }
}
