//! What comes of quotes, exchanges and reports: for the record log, and for notices to the banks concerned.
//!
//! Collected while a block is applied and handed out after it (`Ledger::take_fx_outputs`). An exchange carries all that
//! an auditor needs to see its rate and to recompute every fill (`Exchanged::check`).

use crate::amount::Amount;
use crate::id::{AccountNumber, AssetNumber, LedgerTime, ParticipantNumber, TransferId};
use crate::name::ReasonCode;

use super::rate::Rate;

/// What came of one block.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FxOutputs {
    /// Exchanges that settled, in order.
    pub exchanges: Vec<Exchanged>,
    /// What became of quotes, in order.
    pub quotes: Vec<QuoteNotice>,
    /// What became of reports of credit, in order.
    pub credits: Vec<CreditNotice>,
}

/// What one quote gave in an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The quote.
    pub quote: TransferId,
    /// The provider's account that was debited.
    pub sells: AccountNumber,
    /// The provider's account that was credited.
    pub buys: AccountNumber,
    /// The rate of the quote.
    pub rate: Rate,
    /// What the provider gave.
    pub gave: Amount,
    /// What it received for that: the price, rounded up, or all that was left to spend.
    pub took: Amount,
}

/// An exchange that settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchanged {
    /// Its id.
    pub id: TransferId,
    /// Leaf of its command.
    pub leaf: u64,
    /// What the debtor paid.
    pub paid: Amount,
    /// What the creditor received.
    pub delivered: Amount,
    /// The currency between the two, when it went over one.
    pub via: Option<AssetNumber>,
    /// How many of the fills are of the first step, from what was paid into `via`; all of them when there is one step.
    pub first_step: u8,
    /// The quotes taken, in order; of the first step, then of the second.
    pub fills: Vec<Fill>,
}

impl Exchanged {
    /// True when the fills account for every minor unit: each step spends exactly what the one before gave, and each
    /// fill took the price of what it gave, rounded up, and beyond that at most a rest that buys nothing at its rate.
    #[must_use]
    pub fn check(&self) -> bool {
        let Some((first, second)) = self.fills.split_at_checked(usize::from(self.first_step))
        else {
            return false;
        };
        let gave = |fills: &[Fill]| -> u128 {
            fills.iter().map(|fill| u128::from(fill.gave.minor())).sum()
        };
        let took = |fills: &[Fill]| -> u128 {
            fills.iter().map(|fill| u128::from(fill.took.minor())).sum()
        };
        let fair = |fill: &Fill| {
            let (gave, took) = (fill.gave.minor(), fill.took.minor());
            let rest = fill.rate.cost_of(gave).and_then(|cost| took.checked_sub(cost));
            gave > 0 && rest.is_some_and(|rest| fill.rate.bought_with(rest) == 0)
        };
        let chained = match self.via {
            None => second.is_empty() && gave(first) == u128::from(self.delivered.minor()),
            Some(_) => {
                gave(first) == took(second)
                    && gave(second) == u128::from(self.delivered.minor())
                    && !second.is_empty()
            }
        };
        took(first) == u128::from(self.paid.minor()) && chained && self.fills.iter().all(fair)
    }
}

/// Why a quote was passed over although its price was better than that of one that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum PassedOver {
    /// Its time is over.
    Expired = 1,
    /// The account that gives may not pay, or not so much by its limits and reservations, or the one that receives
    /// may not receive.
    Account = 2,
    /// The account that gives has too little available for what would be taken of the quote.
    NoCover = 3,
    /// Less would be taken of it than its least take.
    BelowLeast = 4,
    /// It would move money from an account to itself.
    SameAccount = 5,
}

impl PassedOver {
    /// The reason as part of a sentence: "passed over because ...".
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Expired => "its time is over",
            Self::Account => "one of its accounts may not pay or not receive",
            Self::NoCover => "its provider has too little available",
            Self::BelowLeast => "less would be taken of it than its least take",
            Self::SameAccount => "it would move money from an account to itself",
        }
    }
}

/// What became of a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuoteNotice {
    /// It is in the book.
    Placed {
        /// The quote.
        quote: TransferId,
    },
    /// An exchange took some of it.
    Taken {
        /// The quote.
        quote: TransferId,
        /// The exchange.
        by: TransferId,
        /// What the provider gave.
        gave: Amount,
        /// What it received.
        took: Amount,
        /// What the quote still gives; zero when it ended with this take.
        left: Amount,
    },
    /// Its provider withdrew it.
    Withdrawn {
        /// The quote.
        quote: TransferId,
    },
    /// Its provider put another in its place.
    Replaced {
        /// The quote.
        quote: TransferId,
        /// The other.
        by: TransferId,
    },
    /// Its time is over.
    Expired {
        /// The quote.
        quote: TransferId,
        /// Who offered.
        provider: ParticipantNumber,
        /// What it had not given.
        left: Amount,
    },
    /// An exchange passed it over. Said once a block for each reason.
    PassedOver {
        /// The quote.
        quote: TransferId,
        /// The first exchange that did.
        by: TransferId,
        /// Why.
        why: PassedOver,
    },
}

/// What became of the report of a credit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditNotice {
    /// The bank is to report.
    Expected {
        /// The transfer that credited the account.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
        /// Its owner.
        bank: ParticipantNumber,
        /// The last time at which the report is not late.
        by: LedgerTime,
    },
    /// It has reported the credit to its customer.
    Credited {
        /// The transfer.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
        /// The bank that paid.
        payer: ParticipantNumber,
        /// When the customer had the money, as the bank says.
        at: LedgerTime,
        /// The report came after its time.
        late: bool,
    },
    /// It has reported that it could not credit its customer.
    Rejected {
        /// The transfer.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
        /// The bank that paid.
        payer: ParticipantNumber,
        /// Why not, of ExternalStatusReason1Code.
        reason: ReasonCode,
    },
    /// The time for the report is over.
    Overdue {
        /// The transfer.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
        /// Its owner.
        bank: ParticipantNumber,
    },
    /// The report never came and is not waited for any longer.
    Missing {
        /// The transfer.
        transfer: TransferId,
        /// The account.
        account: AccountNumber,
        /// Its owner.
        bank: ParticipantNumber,
    },
}
