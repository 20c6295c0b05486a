//! Foreign exchange and the last mile: what stands beside the accounts for both (rule version 2).
//!
//! Liquidity providers place firm offers (`book.rs`) at exact rates (`rate.rs`); an exchange takes the best of them
//! (`plan.rs` decides, `take.rs` carries out), and an auditor sees rate and fills in `outputs.rs`. `last_mile.rs`
//! keeps the settled transfers whose credit to the customer is still to be reported, and a scorecard of each bank.
//!
//! Everything here is a side table: a payment in one currency never reads it. The tables are part of the state root
//! and of checkpoints (`section.rs`) once anything was ever in them.

pub(crate) mod book;
pub(crate) mod last_mile;
pub(crate) mod outputs;
pub(crate) mod plan;
pub(crate) mod rate;
pub(crate) mod section;
pub(crate) mod settings;
mod slots;
mod take;

use std::collections::BTreeSet;

use crate::id::{LedgerTime, TransferId};
use crate::limits::{EXCHANGE_LOOKS_PER_BLOCK_MAX, FX_DUE_PER_BLOCK_MAX};
use crate::state::Ledger;

use book::Book;
use last_mile::LastMile;
use outputs::{FxOutputs, PassedOver, QuoteNotice};

/// Quotes, what is to be reported, and what came of both in this block.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fx {
    pub(crate) book: Book,
    pub(crate) last_mile: LastMile,
    /// Handed out after the block; no part of the state.
    pub(crate) outputs: FxOutputs,
    /// Passed over in this block and said so: each quote once for each reason.
    passed: BTreeSet<(TransferId, PassedOver)>,
    /// Quotes that may still be looked at in this block.
    looks_left: usize,
}

impl Ledger {
    /// Begins a block for quotes and reports: what is past its time goes, the earliest first.
    pub(crate) fn open_fx_block(&mut self, time: LedgerTime) {
        self.fx.outputs = FxOutputs::default();
        self.fx.passed.clear();
        self.fx.looks_left = EXCHANGE_LOOKS_PER_BLOCK_MAX;
        for _ in 0..FX_DUE_PER_BLOCK_MAX {
            match self.fx.book.first_expiry() {
                Some((until, place)) if until < time => {
                    let quote = self.fx.book.remove(place);
                    let (quote, provider, left) = (quote.id, quote.provider, quote.left);
                    self.fx.outputs.quotes.push(QuoteNotice::Expired { quote, provider, left });
                }
                _ => break,
            }
        }
        self.fx.expire_reports(time);
    }

    /// When quotes or reports are next to be looked at without a command.
    pub(crate) fn fx_due(&self) -> Option<LedgerTime> {
        let after = |(time, _): (LedgerTime, u32)| LedgerTime(time.0.saturating_add(1));
        let quote = self.fx.book.first_expiry().map(after);
        let report = self.fx.last_mile.first_due().map(after);
        [quote, report].into_iter().flatten().min()
    }

    /// What came of quotes, exchanges and reports since the block was opened; ask once, after `close_block`.
    ///
    /// It is no part of the state: who does not ask loses it when the next block is opened. `exchanges` belongs in the
    /// record log, one record each, so that rates and fills are seen without applying the block again.
    pub fn take_fx_outputs(&mut self) -> FxOutputs {
        std::mem::take(&mut self.fx.outputs)
    }
}
