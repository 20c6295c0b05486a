//! `pacs.028.001.03`, `camt.056.001.08` and `camt.029.001.09`: asking after a payment, calling it
//! back, and the answer to that.

use super::parts::{bank, group_header, reasons};
use super::{Build, BuildError, OriginalPayment, StatusReason, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// A request for the status of payments.
///
/// ```
/// use iso20022::build::{Build, OriginalPayment, PaymentStatusRequest};
///
/// let message = PaymentStatusRequest {
///     message_id: "ASK-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     payments: vec![OriginalPayment {
///         uetr: Some("00000000-0000-4000-8000-000000000001".to_owned()),
///         ..OriginalPayment::default()
///     }],
///     ..PaymentStatusRequest::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<OrgnlUETR>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentStatusRequest {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// BIC of who asks.
    pub instructing_agent: Option<String>,
    /// BIC of who is asked.
    pub instructed_agent: Option<String>,
    /// The payments in question; amounts and dates are not sent.
    pub payments: Vec<OriginalPayment>,
}

impl Build for PaymentStatusRequest {
    fn message(&self) -> MessageName {
        known("pacs.028.001.03")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("FIToFIPmtStsReq");
        let (instructing, instructed) =
            (self.instructing_agent.as_ref(), self.instructed_agent.as_ref());
        group_header(body, &self.message_id, &self.creation_time, instructing, instructed);
        for payment in &self.payments {
            payment.draft(body.push("TxInf"));
        }
        Ok(draft)
    }
}

/// A request to cancel a payment.
///
/// ```
/// use iso20022::build::{Build, OriginalPayment, RecallRequest, StatusReason};
///
/// let message = RecallRequest {
///     id: "RECALL-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     assigner: "ALPHDEFFXXX".to_owned(),
///     assignee: "BRAVFRPPXXX".to_owned(),
///     original: OriginalPayment {
///         uetr: Some("00000000-0000-4000-8000-000000000001".to_owned()),
///         ..OriginalPayment::default()
///     },
///     reason: StatusReason::code("DUPL"),
///     ..RecallRequest::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>DUPL</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecallRequest {
    /// `Assgnmt/Id`, at most 35 characters.
    pub id: String,
    /// `Assgnmt/CreDtTm`, a date and time.
    pub creation_time: String,
    /// BIC of who asks.
    pub assigner: String,
    /// BIC of who is asked.
    pub assignee: String,
    /// `Case/Id`, with the assigner as its creator.
    pub case_id: Option<String>,
    /// `CxlId`, at most 35 characters.
    pub cancellation_id: Option<String>,
    /// The payment that is called back.
    pub original: OriginalPayment,
    /// Why: a code of the external cancellation reasons.
    pub reason: StatusReason,
}

impl Build for RecallRequest {
    fn message(&self) -> MessageName {
        known("camt.056.001.08")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("FIToFIPmtCxlReq");
        assignment(body, &self.id, &self.creation_time, &self.assigner, &self.assignee);
        if let Some(case) = &self.case_id {
            body.set("Case/Id", case);
            bank(body, "Case/Cretr", &self.assigner);
        }
        let transaction = body.at("Undrlyg/TxInf");
        transaction.set_some("CxlId", self.cancellation_id.as_ref());
        self.original.draft_settled(transaction)?;
        reasons(transaction, "CxlRsnInf", std::slice::from_ref(&self.reason));
        Ok(draft)
    }
}

/// The answer to a request to cancel.
///
/// ```
/// use iso20022::build::{Build, OriginalPayment, RecallResolution, StatusReason};
///
/// let message = RecallResolution {
///     id: "ANSWER-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     assigner: "BRAVFRPPXXX".to_owned(),
///     assignee: "ALPHDEFFXXX".to_owned(),
///     confirmation: "RJCR".to_owned(),
///     original: OriginalPayment {
///         uetr: Some("00000000-0000-4000-8000-000000000001".to_owned()),
///         ..OriginalPayment::default()
///     },
///     reasons: vec![StatusReason::code("CUST")],
///     ..RecallResolution::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Conf>RJCR</Conf>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecallResolution {
    /// `Assgnmt/Id`, at most 35 characters.
    pub id: String,
    /// `Assgnmt/CreDtTm`, a date and time.
    pub creation_time: String,
    /// BIC of who answers.
    pub assigner: String,
    /// BIC of who had asked.
    pub assignee: String,
    /// `RslvdCase/Id`, with the assignee as its creator.
    pub case_id: Option<String>,
    /// `Sts/Conf`: `CNCL`, `RJCR` or `PDCR`.
    pub confirmation: String,
    /// `CxlStsId`, at most 35 characters.
    pub status_id: Option<String>,
    /// The payment that was called back.
    pub original: OriginalPayment,
    /// Why: with `RJCR` at least one.
    pub reasons: Vec<StatusReason>,
}

impl Build for RecallResolution {
    fn message(&self) -> MessageName {
        known("camt.029.001.09")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("RsltnOfInvstgtn");
        if self.confirmation == "RJCR" && self.reasons.is_empty() {
            let path = "/Document/RsltnOfInvstgtn/CxlDtls/TxInfAndSts".to_owned();
            return Err(BuildError::Missing { path, names: "CxlStsRsnInf".to_owned() });
        }
        assignment(body, &self.id, &self.creation_time, &self.assigner, &self.assignee);
        if let Some(case) = &self.case_id {
            body.set("RslvdCase/Id", case);
            bank(body, "RslvdCase/Cretr", &self.assignee);
        }
        body.set("Sts/Conf", &self.confirmation);
        let transaction = body.at("CxlDtls/TxInfAndSts");
        transaction.set_some("CxlStsId", self.status_id.as_ref());
        self.original.draft_settled(transaction)?;
        reasons(transaction, "CxlStsRsnInf", &self.reasons);
        Ok(draft)
    }
}

fn assignment(body: &mut Draft, id: &str, time: &str, assigner: &str, assignee: &str) {
    let assignment = body.at("Assgnmt");
    assignment.set("Id", id).set("CreDtTm", time);
    bank(assignment, "Assgnr", assigner);
    bank(assignment, "Assgne", assignee);
}
