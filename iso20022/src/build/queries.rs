//! `camt.003.001.07`, `camt.005.001.08`, `camt.009.001.07`, `camt.018.001.05`, `camt.046.001.05` and
//! `camt.060.001.05`: what a bank asks the system.
//!
//! A query without a criterion asks for everything that the bank may see.

use super::parts::{bank, message_header};
use super::{Account, Build, BuildError, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// A query of accounts and their balances (`camt.003`).
///
/// ```
/// use iso20022::build::{Account, AccountRequest, Build};
///
/// let message = AccountRequest {
///     message_id: "QUERY-1".to_owned(),
///     account: Some(Account::Other("ALPH-EUR".to_owned())),
///     ..AccountRequest::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<GetAcct>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountRequest {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// The account; all that the bank may see when it is left out.
    pub account: Option<Account>,
}

impl Build for AccountRequest {
    fn message(&self) -> MessageName {
        known("camt.003.001.07")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("GetAcct");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let criteria = "AcctQryDef/AcctCrit/NewCrit/SchCrit";
        if let Some(account) = &self.account {
            account.draft(body, &format!("{criteria}/AcctId/EQ"));
        }
        Ok(draft)
    }
}

/// A query of payments (`camt.005`).
///
/// ```
/// use iso20022::build::{Build, TransactionRequest};
///
/// let message = TransactionRequest {
///     message_id: "QUERY-2".to_owned(),
///     end_to_end_id: Some("INVOICE-2026-117".to_owned()),
///     ..TransactionRequest::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<EndToEndId>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionRequest {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `EndToEndId` of the payment.
    pub end_to_end_id: Option<String>,
    /// `TxId` of the payment.
    pub tx_id: Option<String>,
}

impl Build for TransactionRequest {
    fn message(&self) -> MessageName {
        known("camt.005.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("GetTx");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let criteria = [("EndToEndId", &self.end_to_end_id), ("TxId", &self.tx_id)];
        for (name, value) in criteria {
            let path = format!("TxQryDef/TxCrit/NewCrit/SchCrit/PmtSch/{name}");
            body.set_some(&path, value.as_ref());
        }
        Ok(draft)
    }
}

/// A query of limits (`camt.009`).
///
/// ```
/// use iso20022::build::{Build, LimitRequest};
///
/// let message = LimitRequest {
///     message_id: "QUERY-3".to_owned(),
///     kind: Some("BILI".to_owned()),
///     ..LimitRequest::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>BILI</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LimitRequest {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `CurLmtTp/Cd`, such as `BILI` or `MULT`.
    pub kind: Option<String>,
}

impl Build for LimitRequest {
    fn message(&self) -> MessageName {
        known("camt.009.001.07")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("GetLmt");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let path = "LmtQryDef/LmtCrit/NewCrit/SchCrit/CurLmtTp/Cd";
        body.set_some(path, self.kind.as_ref());
        Ok(draft)
    }
}

/// A query of the business day (`camt.018`).
///
/// ```
/// use iso20022::build::{Build, BusinessDayRequest};
///
/// let message = BusinessDayRequest {
///     message_id: "QUERY-5".to_owned(),
///     date: Some("2026-11-24".to_owned()),
///     ..BusinessDayRequest::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<SysDt>2026-11-24</SysDt>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusinessDayRequest {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `SysDt`, a date; today when it is left out.
    pub date: Option<String>,
}

impl Build for BusinessDayRequest {
    fn message(&self) -> MessageName {
        known("camt.018.001.05")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("GetBizDayInf");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let path = "BizDayInfQryDef/Crit/NewCrit/SchCrit/SysDt";
        body.set_some(path, self.date.as_ref());
        Ok(draft)
    }
}

/// A query of reservations (`camt.046`).
///
/// ```
/// use iso20022::build::{Build, ReservationRequest};
///
/// let message = ReservationRequest {
///     message_id: "QUERY-4".to_owned(),
///     kind: Some("HPAR".to_owned()),
///     ..ReservationRequest::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<CurRsvatnTp>HPAR</CurRsvatnTp>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReservationRequest {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `CurRsvatnTp`, such as `HPAR` or `UPAR`.
    pub kind: Option<String>,
}

impl Build for ReservationRequest {
    fn message(&self) -> MessageName {
        known("camt.046.001.05")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("GetRsvatn");
        message_header(body, &self.message_id, self.creation_time.as_ref());
        let path = "RsvatnQryDef/RsvatnCrit/NewCrit/SchCrit/CurRsvatnTp";
        body.set_some(path, self.kind.as_ref());
        Ok(draft)
    }
}

/// A request for a statement or report of an account (`camt.060`).
///
/// ```
/// use iso20022::build::{Account, Build, StatementRequest};
///
/// let message = StatementRequest {
///     message_id: "ASK-2".to_owned(),
///     creation_time: "2026-11-25T07:00:00+00:00".to_owned(),
///     requested: "camt.053.001.08".to_owned(),
///     account: Some(Account::Other("ALPH-EUR".to_owned())),
///     owner: "ALPHDEFFXXX".to_owned(),
///     from_date: "2026-11-24".to_owned(),
///     to_date: "2026-11-24".to_owned(),
///     ..StatementRequest::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Tp>ALLL</Tp>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatementRequest {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// `RptgReq/Id`, at most 35 characters.
    pub id: Option<String>,
    /// `ReqdMsgNmId`: the message that is asked for, e.g. `camt.053.001.08`.
    pub requested: String,
    /// The account; all of the owner's when it is left out.
    pub account: Option<Account>,
    /// BIC of the account's owner.
    pub owner: String,
    /// First day of the period, a date.
    pub from_date: String,
    /// Last day of the period, a date.
    pub to_date: String,
}

impl Build for StatementRequest {
    fn message(&self) -> MessageName {
        known("camt.060.001.05")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("AcctRptgReq");
        body.set("GrpHdr/MsgId", &self.message_id).set("GrpHdr/CreDtTm", &self.creation_time);
        let request = body.at("RptgReq");
        request.set_some("Id", self.id.as_ref()).set("ReqdMsgNmId", &self.requested);
        if let Some(account) = &self.account {
            account.draft(request, "Acct/Id");
        }
        bank(request, "AcctOwnr", &self.owner);
        request
            .set("RptgPrd/FrToDt/FrDt", &self.from_date)
            .set("RptgPrd/FrToDt/ToDt", &self.to_date)
            .set("RptgPrd/Tp", "ALLL");
        Ok(draft)
    }
}
