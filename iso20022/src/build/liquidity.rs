//! `camt.050.001.05`, `camt.057.001.06` and `camt.058.001.08`: money between a bank's own accounts,
//! and money that it expects.

use super::parts::{Amount, message_header};
use super::{Account, Build, BuildError, agent, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// A transfer between a bank's own accounts, or in and out of a system (`camt.050`).
///
/// ```
/// use iso20022::build::{Account, Amount, Build, LiquidityOrder};
/// use rust_decimal::Decimal;
///
/// let message = LiquidityOrder {
///     message_id: "LIQUIDITY-1".to_owned(),
///     end_to_end_id: Some("LIQUIDITY-1".to_owned()),
///     amount: Amount::new(Decimal::new(100_000_000, 2), "EUR"),
///     debtor_account: Some(Account::Other("ALPH-EUR".to_owned())),
///     creditor_account: Some(Account::Other("ALPH-EUR-RESERVE".to_owned())),
///     ..LiquidityOrder::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains(">1000000.00</AmtWthCcy>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LiquidityOrder {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `LqdtyTrfId/EndToEndId`, at most 35 characters.
    pub end_to_end_id: Option<String>,
    /// `LqdtyTrfId/UETR`, a lower-case version 4 UUID; comes with the end-to-end id.
    pub uetr: Option<String>,
    /// What is moved.
    pub amount: Amount,
    /// BIC of the bank whose account is debited.
    pub debtor: Option<String>,
    /// The account that is debited.
    pub debtor_account: Option<Account>,
    /// BIC of the bank whose account is credited.
    pub creditor: Option<String>,
    /// The account that is credited.
    pub creditor_account: Option<Account>,
    /// `SttlmDt`, a date.
    pub settlement_date: Option<String>,
}

impl Build for LiquidityOrder {
    fn message(&self) -> MessageName {
        known("camt.050.001.05")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("LqdtyCdtTrf");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let transfer = body.push("LqdtyCdtTrf");
        transfer
            .set_some("LqdtyTrfId/EndToEndId", self.end_to_end_id.as_ref())
            .set_some("LqdtyTrfId/UETR", self.uetr.as_ref())
            .set_some("SttlmDt", self.settlement_date.as_ref());
        self.amount.draft(transfer, "TrfdAmt/AmtWthCcy")?;
        agent(transfer, "Dbtr", self.debtor.as_ref());
        agent(transfer, "Cdtr", self.creditor.as_ref());
        for (name, account) in
            [("DbtrAcct", &self.debtor_account), ("CdtrAcct", &self.creditor_account)]
        {
            if let Some(account) = account {
                account.draft(transfer, &format!("{name}/Id"));
            }
        }
        Ok(draft)
    }
}

/// Notice of payments that are expected (`camt.057`).
///
/// ```
/// use iso20022::build::{Account, Amount, Build, ExpectedPayment, ReceiptExpectation};
/// use rust_decimal::Decimal;
///
/// let message = ReceiptExpectation {
///     message_id: "EXPECT-1".to_owned(),
///     creation_time: "2026-11-24T08:00:00+00:00".to_owned(),
///     id: "EXPECT-1".to_owned(),
///     account: Some(Account::Other("BRAV-EUR".to_owned())),
///     items: vec![ExpectedPayment {
///         id: "EXPECT-1-1".to_owned(),
///         amount: Amount::new(Decimal::new(125_000, 2), "EUR"),
///         ..ExpectedPayment::default()
///     }],
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Itm>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiptExpectation {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// `Ntfctn/Id`, at most 35 characters.
    pub id: String,
    /// The account on which they are expected.
    pub account: Option<Account>,
    /// At least one payment.
    pub items: Vec<ExpectedPayment>,
}

/// A payment that is expected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectedPayment {
    /// `Itm/Id`, at most 35 characters.
    pub id: String,
    /// `Itm/EndToEndId`.
    pub end_to_end_id: Option<String>,
    /// `Itm/UETR`, a lower-case version 4 UUID.
    pub uetr: Option<String>,
    /// How much.
    pub amount: Amount,
    /// When, a date.
    pub expected_date: Option<String>,
}

impl Build for ReceiptExpectation {
    fn message(&self) -> MessageName {
        known("camt.057.001.06")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("NtfctnToRcv");
        body.set("GrpHdr/MsgId", &self.message_id).set("GrpHdr/CreDtTm", &self.creation_time);
        let notice = body.at("Ntfctn");
        notice.set("Id", &self.id);
        if let Some(account) = &self.account {
            account.draft(notice, "Acct/Id");
        }
        for item in &self.items {
            let draft = notice.push("Itm");
            draft
                .set("Id", &item.id)
                .set_some("EndToEndId", item.end_to_end_id.as_ref())
                .set_some("UETR", item.uetr.as_ref())
                .set_some("XpctdValDt", item.expected_date.as_ref());
            item.amount.draft(draft, "Amt")?;
        }
        Ok(draft)
    }
}

/// The end of such a notice (`camt.058`).
///
/// ```
/// use iso20022::build::{Build, ExpectationWithdrawal};
///
/// let message = ExpectationWithdrawal {
///     message_id: "EXPECT-2".to_owned(),
///     creation_time: "2026-11-24T08:30:00+00:00".to_owned(),
///     original_message_id: "EXPECT-1".to_owned(),
///     original_id: "EXPECT-1".to_owned(),
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<NtfctnCxl>true</NtfctnCxl>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExpectationWithdrawal {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// `OrgnlNtfctn/OrgnlMsgId`: the message that is taken back.
    pub original_message_id: String,
    /// `OrgnlNtfctn/OrgnlNtfctnId`: the notice in it.
    pub original_id: String,
}

impl Build for ExpectationWithdrawal {
    fn message(&self) -> MessageName {
        known("camt.058.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("NtfctnToRcvCxlAdvc");
        body.set("GrpHdr/MsgId", &self.message_id).set("GrpHdr/CreDtTm", &self.creation_time);
        body.at("OrgnlNtfctn")
            .set("OrgnlMsgId", &self.original_message_id)
            .set("OrgnlNtfctnId", &self.original_id)
            .set("NtfctnCxl", "true");
        Ok(draft)
    }
}
