//! `camt.007.001.08`, `camt.008.001.08`, `camt.011.001.07`, `camt.012.001.07`, `camt.048.001.05` and
//! `camt.049.001.05`: what a bank has the system change.

use super::parts::{Amount, message_header};
use super::{Build, BuildError, agent, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// A change of a payment that waits (`camt.007`).
///
/// ```
/// use iso20022::build::{Build, TransactionAmendment};
///
/// let message = TransactionAmendment {
///     message_id: "CHANGE-1".to_owned(),
///     tx_id: "EXAMPLE-3".to_owned(),
///     priority: "HIGH".to_owned(),
///     ..TransactionAmendment::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>HIGH</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionAmendment {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `PmtId/TxId` of the payment, at most 35 characters.
    pub tx_id: String,
    /// The new priority: `HIGH`, `NORM` or `LOWW`.
    pub priority: String,
}

impl Build for TransactionAmendment {
    fn message(&self) -> MessageName {
        known("camt.007.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("ModfyTx");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let change = body.at("Mod");
        change.set("PmtId/TxId", &self.tx_id);
        change.set("NewPmtValSet/Prty/Cd", &self.priority);
        Ok(draft)
    }
}

/// The cancellation of a payment that waits (`camt.008`).
///
/// ```
/// use iso20022::build::{Build, TransactionWithdrawal};
///
/// let message = TransactionWithdrawal {
///     message_id: "CANCEL-1".to_owned(),
///     tx_id: "EXAMPLE-3".to_owned(),
///     reason: "CUST".to_owned(),
///     ..TransactionWithdrawal::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<CclTx>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionWithdrawal {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `PmtId/TxId` of the payment, at most 35 characters.
    pub tx_id: String,
    /// Why: a code of the external cancellation reasons.
    pub reason: String,
}

impl Build for TransactionWithdrawal {
    fn message(&self) -> MessageName {
        known("camt.008.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("CclTx");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        body.set("PmtId/TxId", &self.tx_id).set("CxlRsn/Rsn/Cd", &self.reason);
        Ok(draft)
    }
}

/// A new value of a limit (`camt.011`).
///
/// ```
/// use iso20022::build::{Amount, Build, LimitSetting};
/// use rust_decimal::Decimal;
///
/// let message = LimitSetting {
///     message_id: "LIMIT-1".to_owned(),
///     kind: "BILI".to_owned(),
///     counterparty: Some("BRAVFRPPXXX".to_owned()),
///     amount: Amount::new(Decimal::new(50_000_000, 2), "EUR"),
///     ..LimitSetting::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains(">500000.00</AmtWthCcy>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitSetting {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `Tp/Cd`, such as `BILI` or `MULT`.
    pub kind: String,
    /// BIC of whose account it is.
    pub owner: Option<String>,
    /// BIC of the bank against which it holds, for a bilateral one.
    pub counterparty: Option<String>,
    /// The new limit.
    pub amount: Amount,
}

impl Build for LimitSetting {
    fn message(&self) -> MessageName {
        known("camt.011.001.07")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("ModfyLmt");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let details = body.at("LmtDtls");
        limit(details.at("LmtId/Cur"), &self.kind, self.owner.as_ref(), self.counterparty.as_ref());
        self.amount.draft(details, "NewLmtValSet/Amt/AmtWthCcy")?;
        Ok(draft)
    }
}

/// The end of a limit (`camt.012`).
///
/// ```
/// use iso20022::build::{Build, LimitRemoval};
///
/// let message = LimitRemoval {
///     message_id: "LIMIT-2".to_owned(),
///     kind: "MULT".to_owned(),
///     ..LimitRemoval::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<DelLmt>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitRemoval {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `Tp/Cd`, such as `BILI` or `MULT`.
    pub kind: String,
    /// BIC of whose account it is.
    pub owner: Option<String>,
    /// BIC of the bank against which it holds, for a bilateral one.
    pub counterparty: Option<String>,
}

impl Build for LimitRemoval {
    fn message(&self) -> MessageName {
        known("camt.012.001.07")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("DelLmt");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let current = body.at("LmtDtls/CurLmtId");
        limit(current, &self.kind, self.owner.as_ref(), self.counterparty.as_ref());
        Ok(draft)
    }
}

/// A new value of a reservation (`camt.048`).
///
/// ```
/// use iso20022::build::{Amount, Build, ReservationSetting};
/// use rust_decimal::Decimal;
///
/// let message = ReservationSetting {
///     message_id: "RESERVE-1".to_owned(),
///     kind: "HPAR".to_owned(),
///     amount: Amount::new(Decimal::new(10_000_000, 2), "EUR"),
///     ..ReservationSetting::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains(">100000.00</AmtWthCcy>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservationSetting {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `Tp/Cd`, such as `HPAR` or `UPAR`.
    pub kind: String,
    /// BIC of whose account it is.
    pub owner: Option<String>,
    /// The new reservation.
    pub amount: Amount,
}

impl Build for ReservationSetting {
    fn message(&self) -> MessageName {
        known("camt.048.001.05")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("ModfyRsvatn");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        reservation(body.at("RsvatnId/Cur"), &self.kind, self.owner.as_ref());
        self.amount.draft(body, "NewRsvatnValSet/Amt/AmtWthCcy")?;
        Ok(draft)
    }
}

/// The end of a reservation (`camt.049`).
///
/// ```
/// use iso20022::build::{Build, ReservationRemoval};
///
/// let message = ReservationRemoval {
///     message_id: "RESERVE-2".to_owned(),
///     kind: "HPAR".to_owned(),
///     ..ReservationRemoval::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<DelRsvatn>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservationRemoval {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `Tp/Cd`, such as `HPAR` or `UPAR`.
    pub kind: String,
    /// BIC of whose account it is.
    pub owner: Option<String>,
}

impl Build for ReservationRemoval {
    fn message(&self) -> MessageName {
        known("camt.049.001.05")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("DelRsvatn");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        reservation(body.at("CurRsvatn"), &self.kind, self.owner.as_ref());
        Ok(draft)
    }
}

fn limit(draft: &mut Draft, kind: &str, owner: Option<&String>, counterparty: Option<&String>) {
    agent(draft, "BilLmtCtrPtyId", counterparty);
    draft.set("Tp/Cd", kind);
    agent(draft, "AcctOwnr", owner);
}

fn reservation(draft: &mut Draft, kind: &str, owner: Option<&String>) {
    draft.set("Tp/Cd", kind);
    agent(draft, "AcctOwnr", owner);
}
