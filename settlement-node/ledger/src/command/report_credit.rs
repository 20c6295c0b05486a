//! The last mile: a bank says that its customer has the money, or why not. What becomes of it is in `fx/last_mile.rs`.
//!
//! Who must sign: the owner of the account that was credited. It has no id: each credit is reported once. A report
//! after its deadline counts as late; one after as long again finds nothing that is awaited.

use crate::apply::{Authority, Turn};
use crate::fx::outputs::CreditNotice;
use crate::id::{AccountNumber, LedgerTime, TransferId};
use crate::name::ReasonCode;
use crate::refusal::Refusal;
use crate::state::Ledger;

/// Reports what became of a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportCredit {
    /// The settled transfer, exchange or return.
    pub transfer: TransferId,
    /// The account that it credited.
    pub account: AccountNumber,
    /// What became of it.
    pub outcome: CreditOutcome,
}

/// What became of a credit at the creditor's bank.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditOutcome {
    /// The customer has the money since this time, by the bank's clock.
    Credited(LedgerTime),
    /// The customer could not be credited, for this reason of ExternalStatusReason1Code.
    Rejected(ReasonCode),
}

impl ReportCredit {
    /// The awaited report, and the bank among the signers.
    pub(crate) fn authorise(
        &self,
        ledger: &Ledger,
        authority: &Authority<'_>,
    ) -> Result<(), Refusal> {
        let awaited = ledger.awaited_report(&self.transfer, self.account);
        let bank = awaited.ok_or(Refusal::NoReportAwaited)?.bank;
        if authority.includes(bank) { Ok(()) } else { Err(Refusal::NotAuthorised) }
    }

    /// Takes the report.
    pub(crate) fn carry_out(&self, ledger: &mut Ledger, turn: &Turn<'_>) -> Result<(), Refusal> {
        let (transfer, account) = (self.transfer, self.account);
        let place = ledger.fx.last_mile.place_of(&transfer, account);
        let place = place.expect("the authorisation step found it");
        let report = ledger.fx.last_mile.awaited.at(place);
        let (late, payer) = (turn.time > report.by, report.payer);
        let notice = match self.outcome {
            CreditOutcome::Credited(at) if at < report.settled || at > turn.time => {
                return Err(Refusal::CreditTime);
            }
            CreditOutcome::Credited(at) => {
                CreditNotice::Credited { transfer, account, payer, at, late }
            }
            CreditOutcome::Rejected(reason) => {
                CreditNotice::Rejected { transfer, account, payer, reason }
            }
        };
        let credited = match self.outcome {
            CreditOutcome::Credited(at) => Some(at),
            CreditOutcome::Rejected(_) => None,
        };
        ledger.report(place, turn.time, credited);
        ledger.fx.outputs.credits.push(notice);
        Ok(())
    }
}
