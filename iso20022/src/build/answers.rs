//! `camt.025.001.05`, `camt.004.001.08`, `camt.006.001.08`, `camt.010.001.08`, `camt.019.001.07` and
//! `camt.047.001.06`: what the system answers to banks that ask or order.

use super::parts::message_header;
use super::{Account, Amount, Build, BuildError, OriginalPayment, agent, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// The receipt for an order: what became of it.
///
/// ```
/// use iso20022::build::{Build, OrderReceipt};
///
/// let message = OrderReceipt {
///     message_id: "RECEIPT-1".to_owned(),
///     original_message_id: "LIQUIDITY-1".to_owned(),
///     original_message_name: Some("camt.050.001.05".to_owned()),
///     status: "STLD".to_owned(),
///     ..OrderReceipt::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<StsCd>STLD</StsCd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderReceipt {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// Identifier of the order, at most 35 characters.
    pub original_message_id: String,
    /// Name of the order's message.
    pub original_message_name: Option<String>,
    /// Up to four letters and digits.
    pub status: String,
    /// What the status means, at most 140 characters.
    pub description: Option<String>,
}

impl Build for OrderReceipt {
    fn message(&self) -> MessageName {
        known("camt.025.001.05")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("Rct");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        body.at("RctDtls")
            .set("OrgnlMsgId/MsgId", &self.original_message_id)
            .set_some("OrgnlMsgId/MsgNmId", self.original_message_name.as_ref())
            .set("ReqHdlg/StsCd", &self.status)
            .set_some("ReqHdlg/Desc", self.description.as_ref());
        Ok(draft)
    }
}

/// An answer that has no result: a code of the system and a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerError {
    /// Proprietary code, at most 35 characters.
    pub code: String,
    /// What is wrong, at most 140 characters.
    pub description: Option<String>,
}

/// What an answer to a query says: its results, or why there are none.
pub type Answer<T> = Result<Vec<T>, AnswerError>;

/// Identifiers of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnswerHeader {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `OrgnlBizQry/MsgId`: the query that is answered.
    pub original_query: Option<String>,
}

impl AnswerHeader {
    fn draft(&self, body: &mut Draft) {
        message_header(body, &self.message_id, self.creation_time.as_ref());
        body.set_some("MsgHdr/OrgnlBizQry/MsgId", self.original_query.as_ref());
    }
}

impl AnswerError {
    fn draft(&self, body: &mut Draft) {
        body.at("RptOrErr/OprlErr")
            .set("Err/Prtry", &self.code)
            .set_some("Desc", self.description.as_ref());
    }
}

/// Accounts with their balances.
///
/// ```
/// use iso20022::build::{Account, AccountAnswer, AccountState, Amount, AnswerHeader, Build};
/// use rust_decimal::Decimal;
///
/// let message = AccountAnswer {
///     header: AnswerHeader { message_id: "ANSWER-1".to_owned(), ..AnswerHeader::default() },
///     accounts: Ok(vec![AccountState {
///         account: Account::Other("EUR-1".to_owned()),
///         owner: Some("ALPHDEFFXXX".to_owned()),
///         balance: Amount::new(Decimal::new(1_000_000, 2), "EUR"),
///         ..AccountState::default()
///     }]),
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Amt>10000.00</Amt>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountAnswer {
    /// Identifiers.
    pub header: AnswerHeader,
    /// At least one account, or an error.
    pub accounts: Answer<AccountState>,
}

/// An account as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountState {
    /// The account.
    pub account: Account,
    /// BIC of its owner.
    pub owner: Option<String>,
    /// BIC of its servicer.
    pub servicer: Option<String>,
    /// Its balance without the sign.
    pub balance: Amount,
    /// True for an overdrawn account.
    pub is_debit: bool,
    /// When the balance was so, a date and time.
    pub time: Option<String>,
}

impl Build for AccountAnswer {
    fn message(&self) -> MessageName {
        known("camt.004.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("RtrAcct");
        self.header.draft(body);
        match &self.accounts {
            Err(error) => error.draft(body),
            Ok(accounts) => {
                let answer = body.at("RptOrErr");
                for state in accounts {
                    let report = answer.push("AcctRpt");
                    state.account.draft(report, "AcctId");
                    let account = report.at("AcctOrErr/Acct");
                    account.set("Ccy", &state.balance.currency);
                    account.set_some("Ownr/Id/OrgId/AnyBIC", state.owner.as_ref());
                    agent(account, "Svcr", state.servicer.as_ref());
                    let balance = account.at("MulBal");
                    state.balance.draft_without_currency(balance, "Amt")?;
                    balance
                        .set("CdtDbtInd", if state.is_debit { "DBIT" } else { "CRDT" })
                        .set_some("ValDt/DtTm", state.time.as_ref());
                }
            }
        }
        Ok(draft)
    }
}

/// Transactions and where they stand.
///
/// ```
/// use iso20022::build::{
///     Amount, AnswerHeader, Build, OriginalPayment, TransactionAnswer, TransactionState,
/// };
/// use rust_decimal::Decimal;
///
/// let message = TransactionAnswer {
///     header: AnswerHeader { message_id: "ANSWER-1".to_owned(), ..AnswerHeader::default() },
///     transactions: Ok(vec![TransactionState {
///         reference: "EXAMPLE-1".to_owned(),
///         payment: OriginalPayment {
///             amount: Some(Amount::new(Decimal::new(125_000, 2), "EUR")),
///             ..OriginalPayment::default()
///         },
///         status: "SETTLED".to_owned(),
///         ..TransactionState::default()
///     }]),
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Prtry>SETTLED</Prtry>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionAnswer {
    /// Identifiers.
    pub header: AnswerHeader,
    /// At least one transaction, or an error.
    pub transactions: Answer<TransactionState>,
}

/// A transaction as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionState {
    /// The system's identification, at most 70 characters.
    pub reference: String,
    /// The payment; its UETR and instruction are not sent.
    pub payment: OriginalPayment,
    /// Where it stands, at most 35 characters.
    pub status: String,
    /// Since when, a date and time.
    pub status_time: Option<String>,
    /// BIC of the instructing agent.
    pub instructing_agent: Option<String>,
    /// BIC of the instructed agent.
    pub instructed_agent: Option<String>,
}

impl Build for TransactionAnswer {
    fn message(&self) -> MessageName {
        known("camt.006.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("RtrTx");
        self.header.draft(body);
        match &self.transactions {
            Err(error) => error.draft(body),
            Ok(transactions) => {
                let answer = body.at("RptOrErr/BizRpt");
                for state in transactions {
                    state.draft(answer.push("TxRpt"))?;
                }
            }
        }
        Ok(draft)
    }
}

impl TransactionState {
    fn draft(&self, report: &mut Draft) -> Result<(), BuildError> {
        report.set("PmtId/PrtryId", &self.reference);
        let payment = report.at("TxOrErr/Tx/Pmt");
        payment
            .set_some("MsgId", self.payment.message_id.as_ref())
            .set("Sts/Cd/Prtry", &self.status)
            .set_some("Sts/DtTm/DtTm", self.status_time.as_ref());
        if let Some(amount) = &self.payment.amount {
            amount.draft(payment, "IntrBkSttlmAmt/AmtWthCcy")?;
        }
        payment
            .set_some("TxId", self.payment.tx_id.as_ref())
            .set_some("IntrBkSttlmDt", self.payment.settlement_date.as_ref())
            .set_some("EndToEndId", self.payment.end_to_end_id.as_ref());
        agent(payment, "Pties/InstgAgt", self.instructing_agent.as_ref());
        agent(payment, "Pties/InstdAgt", self.instructed_agent.as_ref());
        Ok(())
    }
}

/// Limits (`camt.010`) or reservations (`camt.047`) in force.
///
/// ```
/// use iso20022::build::{Amount, AnswerHeader, Build, LimitAnswer, LimitKind, LimitState};
/// use rust_decimal::Decimal;
///
/// let message = LimitAnswer {
///     header: AnswerHeader { message_id: "ANSWER-1".to_owned(), ..AnswerHeader::default() },
///     kind: LimitKind::Limit,
///     limits: Ok(vec![LimitState {
///         code: "BILI".to_owned(),
///         owner: Some("ALPHDEFFXXX".to_owned()),
///         counterparty: Some("BRAVFRPPXXX".to_owned()),
///         amount: Amount::new(Decimal::new(1_000_000, 2), "EUR"),
///         ..LimitState::default()
///     }]),
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>BILI</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitAnswer {
    /// Identifiers.
    pub header: AnswerHeader,
    /// Which of the two messages.
    pub kind: LimitKind,
    /// What is in force, or an error.
    pub limits: Answer<LimitState>,
}

/// Which answer a [`LimitAnswer`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitKind {
    /// `camt.010`.
    Limit,
    /// `camt.047`.
    Reservation,
}

/// A limit or a reservation as it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitState {
    /// Type: for limits `BILI`, `MULT`, ..., for reservations `HPAR`, `UPAR`, `CARE`, ...
    pub code: String,
    /// BIC of the owner of the account.
    pub owner: Option<String>,
    /// BIC of the counterparty of a bilateral limit.
    pub counterparty: Option<String>,
    /// The account.
    pub account: Option<Account>,
    /// How much.
    pub amount: Amount,
    /// How much of a limit is used.
    pub used: Option<Amount>,
    /// From when on it is in force, a date and time.
    pub start: Option<String>,
}

impl Build for LimitAnswer {
    fn message(&self) -> MessageName {
        known(match self.kind {
            LimitKind::Limit => "camt.010.001.08",
            LimitKind::Reservation => "camt.047.001.06",
        })
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let (body, entry) = match self.kind {
            LimitKind::Limit => ("RtrLmt", "CurLmt"),
            LimitKind::Reservation => ("RtrRsvatn", "CurRsvatn"),
        };
        let body = draft.at(body);
        self.header.draft(body);
        match &self.limits {
            Err(error) => error.draft(body),
            Ok(limits) => {
                let answer = body.at("RptOrErr/BizRpt");
                for limit in limits {
                    limit.draft(answer.push(entry), self.kind)?;
                }
            }
        }
        Ok(draft)
    }
}

impl LimitState {
    fn draft(&self, draft: &mut Draft, kind: LimitKind) -> Result<(), BuildError> {
        let (id, value) = match kind {
            LimitKind::Limit => ("LmtId", "LmtOrErr/Lmt"),
            LimitKind::Reservation => ("RsvatnId", "RsvatnOrErr/Rsvatn"),
        };
        let identity = draft.at(id);
        agent(identity, "BilLmtCtrPtyId", self.counterparty.as_ref());
        identity.set("Tp/Cd", &self.code);
        agent(identity, "AcctOwnr", self.owner.as_ref());
        if let Some(account) = &self.account {
            account.draft(identity, "AcctId");
        }
        let value = draft.at(value);
        self.amount.draft(value, "Amt/AmtWthCcy")?;
        value.set_some("StartDtTm/DtTm", self.start.as_ref());
        if let Some(used) = &self.used {
            used.draft(value, "UsdAmt/AmtWthCcy")?;
        }
        Ok(())
    }
}

/// The business day of the system.
///
/// ```
/// use iso20022::build::{AnswerHeader, Build, BusinessDayAnswer, DayEvent};
///
/// let message = BusinessDayAnswer {
///     header: AnswerHeader { message_id: "ANSWER-1".to_owned(), ..AnswerHeader::default() },
///     system: "CORRIDOR".to_owned(),
///     date: "2026-11-24".to_owned(),
///     status: "ACTV".to_owned(),
///     events: vec![DayEvent {
///         currency: "EUR".to_owned(),
///         name: "CUTOFF".to_owned(),
///         time: "2026-11-24T17:00:00+00:00".to_owned(),
///     }],
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>ACTV</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusinessDayAnswer {
    /// Identifiers.
    pub header: AnswerHeader,
    /// Name of the system, at most 35 characters.
    pub system: String,
    /// The day, a date.
    pub date: String,
    /// `ACTV`, `CLSD`, `CLSG` or `SUSP`.
    pub status: String,
    /// Events of the day, by currency.
    pub events: Vec<DayEvent>,
}

/// An event of the business day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DayEvent {
    /// ISO 4217 code of the currency it is for.
    pub currency: String,
    /// Proprietary name of the event, at most 35 characters.
    pub name: String,
    /// When it is to happen, a date and time.
    pub time: String,
}

impl Build for BusinessDayAnswer {
    fn message(&self) -> MessageName {
        known("camt.019.001.07")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("RtrBizDayInf");
        self.header.draft(body);
        let report = body.at("RptOrErr/BizRpt");
        report.set("SysId/MktInfrstrctrId/Prtry", &self.system);
        let day = report.at("BizDayOrErr/BizDayInf");
        day.set("SysDt/Dt", &self.date).set("SysSts/Sts/Cd", &self.status);
        let mut last: Option<&str> = None;
        for event in &self.events {
            if last != Some(event.currency.as_str()) {
                day.push("SysInfPerCcy").set("SysCcy", &event.currency);
                last = Some(&event.currency);
            }
            let entry = day.at("SysInfPerCcy").push("Evt");
            entry.set("Tp/Prtry/Id", &event.name).set("SchdldTm", &event.time);
        }
        Ok(draft)
    }
}
