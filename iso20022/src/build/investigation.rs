//! `camt.110.001.01` and `camt.111.001.02`: a question about a payment, and its answer.

use super::parts::bank;
use super::{Build, BuildError, OriginalPayment, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// A question about a payment (`camt.110`).
///
/// ```
/// use iso20022::build::{Amount, Build, InvestigationCase, InvestigationQuestion, OriginalPayment};
/// use rust_decimal::Decimal;
///
/// let message = InvestigationQuestion {
///     case: InvestigationCase {
///         message_id: "QUESTION-1".to_owned(),
///         investigation_id: "CASE-1".to_owned(),
///         kind: "RQFI".to_owned(),
///         requester: "BRAVFRPPXXX".to_owned(),
///         responder: "ALPHDEFFXXX".to_owned(),
///     },
///     original: OriginalPayment {
///         message_id: Some("EXAMPLE-1".to_owned()),
///         message_name: Some("pacs.008.001.08".to_owned()),
///         uetr: Some("00000000-0000-4000-8000-000000000001".to_owned()),
///         amount: Some(Amount::new(Decimal::new(125_000, 2), "EUR")),
///         settlement_date: Some("2026-11-24".to_owned()),
///         ..OriginalPayment::default()
///     },
///     questions: vec!["Address of the debtor".to_owned()],
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>RQFI</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvestigationQuestion {
    /// What identifies it, and who asks whom.
    pub case: InvestigationCase,
    /// The payment in question.
    pub original: OriginalPayment,
    /// At least one: what is asked, at most 35 characters each.
    pub questions: Vec<String>,
}

/// What identifies an investigation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvestigationCase {
    /// `MsgId` of the question, at most 35 characters.
    pub message_id: String,
    /// `RqstrInvstgtnId`, at most 35 characters.
    pub investigation_id: String,
    /// `InvstgtnTp/Cd`, such as `RQFI` or `UTAP`.
    pub kind: String,
    /// BIC of who asks.
    pub requester: String,
    /// BIC of who is asked.
    pub responder: String,
}

impl InvestigationCase {
    fn draft(&self, draft: &mut Draft) {
        draft
            .set("MsgId", &self.message_id)
            .set("RqstrInvstgtnId", &self.investigation_id)
            .set("InvstgtnTp/Cd", &self.kind);
        bank(draft, "Rqstr", &self.requester);
        bank(draft, "Rspndr", &self.responder);
    }
}

impl Build for InvestigationQuestion {
    fn message(&self) -> MessageName {
        known("camt.110.001.01")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("InvstgtnReq");
        let request = body.at("InvstgtnReq");
        self.case.draft(request);
        self.original.draft_settled(request.at("Undrlyg/IntrBk"))?;
        for question in &self.questions {
            body.push("InvstgtnData").set("Rsn/Prtry", question);
        }
        Ok(draft)
    }
}

/// The answer to a question about a payment (`camt.111`).
///
/// ```
/// use iso20022::build::{Build, InvestigationCase, InvestigationReply};
///
/// let message = InvestigationReply {
///     message_id: "REPLY-1".to_owned(),
///     status: "CLSD".to_owned(),
///     answers: vec!["Hauptstrasse 4, Frankfurt".to_owned()],
///     question: InvestigationCase {
///         message_id: "QUESTION-1".to_owned(),
///         investigation_id: "CASE-1".to_owned(),
///         kind: "RQFI".to_owned(),
///         requester: "BRAVFRPPXXX".to_owned(),
///         responder: "ALPHDEFFXXX".to_owned(),
///     },
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<RspnNrrtv>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvestigationReply {
    /// `InvstgtnRspn/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `InvstgtnSts/Sts`, such as `CLSD`, `PDNG` or `RJCT`.
    pub status: String,
    /// What is answered, at most 500 characters each.
    pub answers: Vec<String>,
    /// The question.
    pub question: InvestigationCase,
}

impl Build for InvestigationReply {
    fn message(&self) -> MessageName {
        known("camt.111.001.02")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("InvstgtnRspn");
        let response = body.at("InvstgtnRspn");
        response.set("MsgId", &self.message_id).set("InvstgtnSts/Sts", &self.status);
        for answer in &self.answers {
            response.push("InvstgtnData").set("RspnData/RspnNrrtv", answer);
        }
        self.question.draft(body.at("OrgnlInvstgtnReq"));
        Ok(draft)
    }
}
