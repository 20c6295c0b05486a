//! The last mile: what a bank says of the credit to its customer, and how well it does.
//!
//! An account whose mode asks for it (`command/set_reporting.rs`) has every settled transfer that credits it written
//! down here with a deadline. Its owner reports that the customer has the money, or why not. What is not reported by
//! the deadline is overdue; as long again after that it is missing and no longer waited for. Each credit is counted
//! once on the scorecard of its bank. Where the table is full the transfer settles all the same, and is counted as
//! not asked for.
//!
//! A report changes no money and never reverses anything: a bank that cannot credit its customer returns the money.

use std::collections::{BTreeMap, BTreeSet};

use crate::command::Transfer;
use crate::id::{AccountNumber, Digest, LedgerTime, ParticipantNumber, TransferId};
use crate::limits::{FX_DUE_PER_BLOCK_MAX, REPORTS_MAX, REPORTS_PER_BANK_MAX};
use crate::state::Ledger;

use super::outputs::CreditNotice;
use super::slots::{Slots, Stored};

/// A credit whose report is awaited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwaitedReport {
    /// The transfer.
    pub transfer: TransferId,
    /// The account that it credited.
    pub account: AccountNumber,
    /// The owner of the account.
    pub bank: ParticipantNumber,
    /// The owner of the account that paid, who is told of the report.
    pub payer: ParticipantNumber,
    /// When it settled.
    pub settled: LedgerTime,
    /// The last time at which the report is not late.
    pub by: LedgerTime,
    /// That time is over.
    pub overdue: bool,
}

impl AwaitedReport {
    /// The last time at which the next thing has not yet happened: being overdue, then being missing.
    const fn due(&self) -> LedgerTime {
        if self.overdue {
            let within = self.by.0 - self.settled.0;
            LedgerTime(self.by.0.saturating_add(within))
        } else {
            self.by
        }
    }
}

impl Stored for AwaitedReport {
    const TAG: u8 = 6;

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.transfer.0);
        out.extend_from_slice(&self.account.0.to_le_bytes());
        out.extend_from_slice(&self.settled.0.to_le_bytes());
        out.extend_from_slice(&self.by.0.to_le_bytes());
        out.push(u8::from(self.overdue));
        out.extend_from_slice(&self.payer.0.to_le_bytes());
    }
}

/// How a bank does in telling of credits to its customers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scorecard {
    /// Reported as credited in time.
    pub in_time: u64,
    /// Reported as credited, late.
    pub late: u64,
    /// Reported as not credited, in time or late.
    pub rejected: u64,
    /// Never reported.
    pub missing: u64,
    /// Not asked for, because too many were awaited.
    pub not_asked: u64,
    /// Sum of the times from settlement to the report, of those credited, in nanoseconds.
    pub delay: u128,
}

/// All that is to be reported, and what was.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastMile {
    pub(crate) awaited: Slots<AwaitedReport>,
    /// Accounts whose credits are reported, and within how many nanoseconds.
    pub(crate) within: BTreeMap<AccountNumber, u64>,
    pub(crate) cards: BTreeMap<ParticipantNumber, Scorecard>,
    by_key: BTreeMap<(TransferId, AccountNumber), u32>,
    due: BTreeSet<(LedgerTime, u32)>,
    by_bank: BTreeMap<ParticipantNumber, u32>,
    /// Digests of `within` and `cards`, none while there was never a row; and whether they are to be computed again.
    pub(crate) digests: [Option<Digest>; 2],
    pub(crate) changed: [bool; 2],
}

impl LastMile {
    pub(crate) fn place_of(&self, transfer: &TransferId, account: AccountNumber) -> Option<u32> {
        self.by_key.get(&(*transfer, account)).copied()
    }

    pub(crate) fn first_due(&self) -> Option<(LedgerTime, u32)> {
        self.due.first().copied()
    }

    fn has_room(&self, bank: ParticipantNumber) -> bool {
        let own = self.by_bank.get(&bank).copied().unwrap_or(0);
        self.awaited.count() < REPORTS_MAX && own < REPORTS_PER_BANK_MAX
    }

    /// Makes a report findable that is in its place.
    pub(crate) fn index(&mut self, place: u32) {
        let report = self.awaited.at(place);
        self.by_key.insert((report.transfer, report.account), place);
        self.due.insert((report.due(), place));
        *self.by_bank.entry(report.bank).or_default() += 1;
    }

    fn remove(&mut self, place: u32) -> AwaitedReport {
        let report = self.awaited.remove(place);
        self.by_key.remove(&(report.transfer, report.account));
        self.due.remove(&(report.due(), place));
        if let Some(own) = self.by_bank.get_mut(&report.bank) {
            *own -= 1;
            if *own == 0 {
                self.by_bank.remove(&report.bank);
            }
        }
        report
    }

    fn card(&mut self, bank: ParticipantNumber) -> &mut Scorecard {
        self.changed[1] = true;
        self.cards.entry(bank).or_default()
    }
}

impl super::Fx {
    /// Marks what is overdue and gives up what is missing.
    pub(super) fn expire_reports(&mut self, time: LedgerTime) {
        for _ in 0..FX_DUE_PER_BLOCK_MAX {
            let Some((due, place)) = self.last_mile.first_due() else { break };
            if due >= time {
                break;
            }
            let AwaitedReport { transfer, account, bank, overdue, .. } =
                *self.last_mile.awaited.at(place);
            if overdue {
                self.last_mile.remove(place);
                self.last_mile.card(bank).missing += 1;
                self.outputs.credits.push(CreditNotice::Missing { transfer, account, bank });
            } else {
                self.last_mile.due.remove(&(due, place));
                let report = self.last_mile.awaited.at_mut(place);
                report.overdue = true;
                let due = report.due();
                self.last_mile.due.insert((due, place));
                self.outputs.credits.push(CreditNotice::Overdue { transfer, account, bank });
            }
        }
    }

    /// Sets or ends the mode of an account.
    pub(crate) fn set_within(&mut self, account: AccountNumber, within: u64) {
        self.last_mile.changed[0] = true;
        if within == 0 {
            self.last_mile.within.remove(&account);
        } else {
            self.last_mile.within.insert(account, within);
        }
    }
}

impl Ledger {
    /// Notes the credits of a settled transfer that are to be reported. For most accounts that is one look at a flag.
    #[inline]
    pub(crate) fn expect_reports(&mut self, transfer: &Transfer, settled: LedgerTime) {
        for leg in transfer.legs.as_slice() {
            self.expect_report_of(transfer.id, leg.credit, leg.debit, settled);
        }
    }

    /// Notes that a credit is to be reported, if the account is in that mode; `from` is the account that paid.
    #[inline]
    pub(crate) fn expect_report_of(
        &mut self,
        transfer: TransferId,
        account: AccountNumber,
        from: AccountNumber,
        settled: LedgerTime,
    ) {
        if self.authorised(account).reports {
            let payer = self.authorised(from).owner;
            self.expect_report(transfer, account, payer, settled);
        }
    }

    /// Notes that the credit of an account in this mode is to be reported; of a transfer that credits it twice, once,
    /// to the payer of the first.
    #[cold]
    fn expect_report(
        &mut self,
        transfer: TransferId,
        account: AccountNumber,
        payer: ParticipantNumber,
        settled: LedgerTime,
    ) {
        let Some(within) = self.fx.last_mile.within.get(&account).copied() else { return };
        let bank = self.authorised(account).owner;
        let last_mile = &mut self.fx.last_mile;
        if last_mile.place_of(&transfer, account).is_some() {
            return;
        }
        if !last_mile.has_room(bank) {
            last_mile.card(bank).not_asked += 1;
            return;
        }
        let by = LedgerTime(settled.0.saturating_add(within));
        let report = AwaitedReport { transfer, account, bank, payer, settled, by, overdue: false };
        let place = last_mile.awaited.insert(report);
        last_mile.index(place);
        self.fx.outputs.credits.push(CreditNotice::Expected { transfer, account, bank, by });
    }

    /// Takes the report of a credit off the list.
    pub(crate) fn report(&mut self, place: u32, now: LedgerTime, credited: Option<LedgerTime>) {
        let report = self.fx.last_mile.remove(place);
        let card = self.fx.last_mile.card(report.bank);
        if credited.is_none() {
            card.rejected += 1;
            return;
        }
        card.delay += u128::from(now.0.saturating_sub(report.settled.0));
        if now > report.by {
            card.late += 1;
        } else {
            card.in_time += 1;
        }
    }

    /// All credits whose report is awaited, by their place in the table.
    pub fn awaited_reports(&self) -> impl Iterator<Item = &AwaitedReport> + '_ {
        self.fx.last_mile.awaited.iter()
    }

    /// The awaited report of a credit.
    #[must_use]
    pub fn awaited_report(
        &self,
        transfer: &TransferId,
        account: AccountNumber,
    ) -> Option<&AwaitedReport> {
        let place = self.fx.last_mile.place_of(transfer, account)?;
        Some(self.fx.last_mile.awaited.at(place))
    }

    /// How a bank has done in reporting credits since genesis; all zero for one that never had to.
    #[must_use]
    pub fn scorecard(&self, bank: ParticipantNumber) -> Scorecard {
        self.fx.last_mile.cards.get(&bank).copied().unwrap_or_default()
    }

    /// Within how many nanoseconds the owner of an account reports each credit of it; `None` when it need not.
    #[must_use]
    pub fn reports_within(&self, account: AccountNumber) -> Option<u64> {
        self.fx.last_mile.within.get(&account).copied()
    }
}
