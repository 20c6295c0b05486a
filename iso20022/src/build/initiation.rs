//! `pain.002.001.10`: what became of a customer's payment orders.

use super::parts::reasons;
use super::{Build, BuildError, StatusReason, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// A status report for a customer, on one original `pain.001`.
///
/// ```
/// use iso20022::build::{Build, InitiationReport, OrderStatus, PaymentOrderStatus};
///
/// let message = InitiationReport {
///     message_id: "STATUS-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     original_message_id: "ORDERS-1".to_owned(),
///     original_message_name: "pain.001.001.09".to_owned(),
///     payments: vec![PaymentOrderStatus {
///         original_payment_id: "ORDERS-1-1".to_owned(),
///         transactions: vec![OrderStatus {
///             original_end_to_end_id: Some("INVOICE-2026-117".to_owned()),
///             status: "ACSC".to_owned(),
///             ..OrderStatus::default()
///         }],
///         ..PaymentOrderStatus::default()
///     }],
///     ..InitiationReport::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<TxSts>ACSC</TxSts>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InitiationReport {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// `OrgnlMsgId`, at most 35 characters.
    pub original_message_id: String,
    /// `OrgnlMsgNmId`, e.g. `pain.001.001.09`.
    pub original_message_name: String,
    /// `GrpSts`: `ACSC`, `RJCT`, `PART`, ...
    pub group_status: Option<String>,
    /// Reasons of the group status.
    pub group_reasons: Vec<StatusReason>,
    /// Status by payment.
    pub payments: Vec<PaymentOrderStatus>,
}

/// What became of one `PmtInf`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentOrderStatus {
    /// `OrgnlPmtInfId`, at most 35 characters.
    pub original_payment_id: String,
    /// `PmtInfSts`.
    pub status: Option<String>,
    /// Reasons of the status.
    pub reasons: Vec<StatusReason>,
    /// Status by transaction.
    pub transactions: Vec<OrderStatus>,
}

/// What became of one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderStatus {
    /// `OrgnlInstrId`.
    pub original_instruction_id: Option<String>,
    /// `OrgnlEndToEndId`.
    pub original_end_to_end_id: Option<String>,
    /// `OrgnlUETR`, a lower-case version 4 UUID.
    pub original_uetr: Option<String>,
    /// `TxSts`.
    pub status: String,
    /// Reasons of the status.
    pub reasons: Vec<StatusReason>,
    /// `AccptncDtTm`, a date and time.
    pub acceptance_time: Option<String>,
}

impl Build for InitiationReport {
    fn message(&self) -> MessageName {
        known("pain.002.001.10")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("CstmrPmtStsRpt");
        body.set("GrpHdr/MsgId", &self.message_id).set("GrpHdr/CreDtTm", &self.creation_time);
        let group = body.at("OrgnlGrpInfAndSts");
        group
            .set("OrgnlMsgId", &self.original_message_id)
            .set("OrgnlMsgNmId", &self.original_message_name)
            .set_some("GrpSts", self.group_status.as_ref());
        reasons(group, "StsRsnInf", &self.group_reasons);
        for payment in &self.payments {
            let draft = body.push("OrgnlPmtInfAndSts");
            draft
                .set("OrgnlPmtInfId", &payment.original_payment_id)
                .set_some("PmtInfSts", payment.status.as_ref());
            reasons(draft, "StsRsnInf", &payment.reasons);
            for transaction in &payment.transactions {
                let draft = draft.push("TxInfAndSts");
                draft
                    .set_some("OrgnlInstrId", transaction.original_instruction_id.as_ref())
                    .set_some("OrgnlEndToEndId", transaction.original_end_to_end_id.as_ref())
                    .set_some("OrgnlUETR", transaction.original_uetr.as_ref())
                    .set("TxSts", &transaction.status);
                reasons(draft, "StsRsnInf", &transaction.reasons);
                draft.set_some("AccptncDtTm", transaction.acceptance_time.as_ref());
            }
        }
        Ok(draft)
    }
}
