//! `camt.052.001.08`, `camt.053.001.08` and `camt.054.001.08`: what happened on an account.

use super::{Account, Amount, Build, BuildError, OriginalPayment, agent, known};
use crate::name::MessageName;
use crate::writer::Draft;
use rust_decimal::Decimal;

/// Which of the three messages about an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatementKind {
    /// `camt.052`: a report within the day.
    Report,
    /// `camt.053`: the statement of a day.
    #[default]
    Statement,
    /// `camt.054`: single entries as they happen, without balances.
    Notification,
}

/// A report, statement or notification on one account.
///
/// ```
/// use iso20022::build::{
///     Account, AccountBalance, AccountEntry, AccountStatement, Amount, Build,
/// };
/// use rust_decimal::Decimal;
///
/// let amount = |units| Amount::new(Decimal::new(units, 2), "EUR");
/// let message = AccountStatement {
///     message_id: "STATEMENT-1".to_owned(),
///     creation_time: "2026-11-24T18:00:00+00:00".to_owned(),
///     statement_id: "STATEMENT-1-1".to_owned(),
///     account: Account::Other("EUR-1".to_owned()),
///     balances: vec![
///         AccountBalance::new("OPBD", amount(10_000), "2026-11-24"),
///         AccountBalance::new("CLBD", amount(12_500), "2026-11-24"),
///     ],
///     entries: vec![AccountEntry {
///         amount: amount(2_500),
///         is_credit: true,
///         booking_time: Some("2026-11-24T12:00:00+00:00".to_owned()),
///         ..AccountEntry::default()
///     }],
///     ..AccountStatement::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>CLBD</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountStatement {
    /// Which of the three messages.
    pub kind: StatementKind,
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// `GrpHdr/OrgnlBizQry/MsgId`: the request that is answered.
    pub original_request: Option<String>,
    /// `Id` of the report itself, at most 35 characters.
    pub statement_id: String,
    /// `ElctrncSeqNb`, gap-free for the account.
    pub sequence_number: Option<u64>,
    /// `StmtPgntn` or alike: number of the page from 1, and whether it is the last.
    pub page: Option<(u32, bool)>,
    /// Start and end of the period, dates and times.
    pub period: Option<(String, String)>,
    /// The account.
    pub account: Account,
    /// BIC of its owner.
    pub owner: Option<String>,
    /// BIC of its servicer.
    pub servicer: Option<String>,
    /// Balances: a statement has an opening and a closing one; a notification none.
    pub balances: Vec<AccountBalance>,
    /// The entries. Their count and sums go into the message by themselves.
    pub entries: Vec<AccountEntry>,
}

impl Default for Account {
    fn default() -> Self {
        Self::Other(String::new())
    }
}

/// A balance; never negative, see `is_debit`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountBalance {
    /// `OPBD`, `CLBD`, `ITBD`, ...
    pub kind: String,
    /// The balance without its sign.
    pub amount: Amount,
    /// True for an overdrawn account.
    pub is_debit: bool,
    /// The day, a date.
    pub date: String,
}

impl AccountBalance {
    /// A balance that is not overdrawn.
    #[must_use]
    pub fn new(kind: &str, amount: Amount, date: &str) -> Self {
        Self { kind: kind.to_owned(), amount, is_debit: false, date: date.to_owned() }
    }
}

/// An entry on an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountEntry {
    /// `NtryRef`, at most 35 characters.
    pub reference: Option<String>,
    /// The amount without its sign.
    pub amount: Amount,
    /// True when the account gets the amount.
    pub is_credit: bool,
    /// True when the entry takes another one back.
    pub is_reversal: bool,
    /// `BOOK` unless another status is given.
    pub status: Option<String>,
    /// When it was booked, a date and time.
    pub booking_time: Option<String>,
    /// Its value date, a date.
    pub value_date: Option<String>,
    /// `AcctSvcrRef`, at most 35 characters.
    pub servicer_reference: Option<String>,
    /// `BkTxCd/Prtry/Cd`: what kind of entry it is, at most 35 characters; `NOTPROVIDED` if none.
    pub transaction_code: Option<String>,
    /// The payment behind it, by its references.
    pub payment: Option<OriginalPayment>,
    /// BIC of the debtor's bank.
    pub debtor_agent: Option<String>,
    /// BIC of the creditor's bank.
    pub creditor_agent: Option<String>,
    /// `AddtlNtryInf`: what else people should know, at most 500 characters.
    pub information: Option<String>,
}

impl Build for AccountStatement {
    fn message(&self) -> MessageName {
        known(match self.kind {
            StatementKind::Report => "camt.052.001.08",
            StatementKind::Statement => "camt.053.001.08",
            StatementKind::Notification => "camt.054.001.08",
        })
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let (body, report, pagination) = match self.kind {
            StatementKind::Report => ("BkToCstmrAcctRpt", "Rpt", "RptPgntn"),
            StatementKind::Statement => ("BkToCstmrStmt", "Stmt", "StmtPgntn"),
            StatementKind::Notification => ("BkToCstmrDbtCdtNtfctn", "Ntfctn", "NtfctnPgntn"),
        };
        let body = draft.at(body);
        body.set("GrpHdr/MsgId", &self.message_id)
            .set("GrpHdr/CreDtTm", &self.creation_time)
            .set_some("GrpHdr/OrgnlBizQry/MsgId", self.original_request.as_ref());
        let report = body.at(report);
        report.set("Id", &self.statement_id);
        if let Some((number, last)) = self.page {
            report
                .set(&format!("{pagination}/PgNb"), number.to_string())
                .set(&format!("{pagination}/LastPgInd"), last.to_string());
        }
        report.set_some("ElctrncSeqNb", self.sequence_number.map(|number| number.to_string()));
        report.set("CreDtTm", &self.creation_time);
        if let Some((from, to)) = &self.period {
            report.set("FrToDt/FrDtTm", from).set("FrToDt/ToDtTm", to);
        }
        self.account.draft(report, "Acct/Id");
        let currencies = self.entries.iter().map(|entry| &entry.amount.currency);
        let mut currencies =
            self.balances.iter().map(|balance| &balance.amount.currency).chain(currencies);
        report.set_some("Acct/Ccy", currencies.next());
        report.set_some("Acct/Ownr/Id/OrgId/AnyBIC", self.owner.as_ref());
        agent(report, "Acct/Svcr", self.servicer.as_ref());
        for balance in &self.balances {
            balance.draft(report.push("Bal"))?;
        }
        self.summary(report.at("TxsSummry"));
        for entry in &self.entries {
            entry.draft(report.push("Ntry"))?;
        }
        Ok(draft)
    }
}

impl AccountStatement {
    /// Count and sum of the entries by sign.
    fn summary(&self, summary: &mut Draft) {
        for (name, is_credit) in [("TtlCdtNtries", true), ("TtlDbtNtries", false)] {
            let entries = self.entries.iter().filter(|entry| entry.is_credit == is_credit);
            let (mut count, mut sum) = (0_usize, Decimal::ZERO);
            for entry in entries {
                count += 1;
                sum += entry.amount.value;
            }
            summary.at(name).set("NbOfNtries", count.to_string()).set("Sum", sum.to_string());
        }
    }
}

const fn sign(is_credit: bool) -> &'static str {
    if is_credit { "CRDT" } else { "DBIT" }
}

impl AccountBalance {
    fn draft(&self, draft: &mut Draft) -> Result<(), BuildError> {
        draft.set("Tp/CdOrPrtry/Cd", &self.kind);
        self.amount.draft(draft, "Amt")?;
        draft.set("CdtDbtInd", sign(!self.is_debit)).set("Dt/Dt", &self.date);
        Ok(())
    }
}

impl AccountEntry {
    fn draft(&self, draft: &mut Draft) -> Result<(), BuildError> {
        draft.set_some("NtryRef", self.reference.as_ref());
        self.amount.draft(draft, "Amt")?;
        draft.set("CdtDbtInd", sign(self.is_credit));
        if self.is_reversal {
            draft.set("RvslInd", "true");
        }
        draft
            .set("Sts/Cd", self.status.as_deref().unwrap_or("BOOK"))
            .set_some("BookgDt/DtTm", self.booking_time.as_ref())
            .set_some("ValDt/Dt", self.value_date.as_ref())
            .set_some("AcctSvcrRef", self.servicer_reference.as_ref())
            .set("BkTxCd/Prtry/Cd", self.transaction_code.as_deref().unwrap_or("NOTPROVIDED"));
        let agents = self.debtor_agent.is_some() || self.creditor_agent.is_some();
        if self.payment.is_some() || agents {
            let details = draft.at("NtryDtls/TxDtls");
            if let Some(payment) = &self.payment {
                details
                    .set_some("Refs/MsgId", payment.message_id.as_ref())
                    .set_some("Refs/InstrId", payment.instruction_id.as_ref())
                    .set_some("Refs/EndToEndId", payment.end_to_end_id.as_ref())
                    .set_some("Refs/UETR", payment.uetr.as_ref())
                    .set_some("Refs/TxId", payment.tx_id.as_ref());
            }
            self.amount.draft(details, "Amt")?;
            details.set("CdtDbtInd", sign(self.is_credit));
            agent(details, "RltdAgts/DbtrAgt", self.debtor_agent.as_ref());
            agent(details, "RltdAgts/CdtrAgt", self.creditor_agent.as_ref());
        }
        draft.set_some("AddtlNtryInf", self.information.as_ref());
        Ok(())
    }
}
