//! `pacs.004.001.09`: money that goes back after settlement.

use super::parts::{group_header, reasons};
use super::{
    Amount, Build, BuildError, OriginalPayment, Party, Settlement, StatusReason, agent, known,
};
use crate::name::MessageName;
use crate::writer::Draft;

/// A payment return message.
///
/// ```
/// use iso20022::build::{Amount, Build, OriginalPayment, PaymentReturn, ReturnedPayment, StatusReason};
/// use rust_decimal::Decimal;
///
/// let message = PaymentReturn {
///     message_id: "RETURN-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     transactions: vec![ReturnedPayment {
///         return_id: Some("RETURN-1-1".to_owned()),
///         original: OriginalPayment {
///             uetr: Some("00000000-0000-4000-8000-000000000001".to_owned()),
///             ..OriginalPayment::default()
///         },
///         amount: Amount::new(Decimal::new(125_000, 2), "EUR"),
///         settlement_date: Some("2026-11-24".to_owned()),
///         reason: StatusReason::code("AC04"),
///         ..ReturnedPayment::default()
///     }],
///     ..PaymentReturn::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>AC04</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PaymentReturn {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// How the group is settled.
    pub settlement: Settlement,
    /// BIC of the group's instructing agent; leave out when transactions name theirs.
    pub instructing_agent: Option<String>,
    /// BIC of the group's instructed agent; leave out when transactions name theirs.
    pub instructed_agent: Option<String>,
    /// At least one transaction.
    pub transactions: Vec<ReturnedPayment>,
}

/// One payment that goes back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnedPayment {
    /// `RtrId`, at most 35 characters.
    pub return_id: Option<String>,
    /// The payment that goes back.
    pub original: OriginalPayment,
    /// What goes back: not more than the original.
    pub amount: Amount,
    /// `IntrBkSttlmDt`, a date.
    pub settlement_date: Option<String>,
    /// `ChrgBr`.
    pub charge_bearer: Option<String>,
    /// BIC of the transaction's instructing agent.
    pub instructing_agent: Option<String>,
    /// BIC of the transaction's instructed agent.
    pub instructed_agent: Option<String>,
    /// Who pays back and who gets it: the way of the return.
    pub chain: Option<ReturnChain>,
    /// Why it goes back: a code of the external return reasons.
    pub reason: StatusReason,
}

/// The way of a return: from the original creditor to the original debtor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReturnChain {
    /// Who pays back.
    pub debtor: Party,
    /// BIC of the bank that pays back.
    pub debtor_agent: Option<String>,
    /// BIC of the bank that gets it.
    pub creditor_agent: Option<String>,
    /// Who gets it.
    pub creditor: Party,
}

impl Build for PaymentReturn {
    fn message(&self) -> MessageName {
        known("pacs.004.001.09")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("PmtRtr");
        let (instructing, instructed) =
            (self.instructing_agent.as_ref(), self.instructed_agent.as_ref());
        group_header(body, &self.message_id, &self.creation_time, instructing, instructed);
        let group = body.at("GrpHdr");
        group.set("NbOfTxs", self.transactions.len().to_string());
        self.settlement.draft(group);
        for transaction in &self.transactions {
            transaction.draft(body.push("TxInf"))?;
        }
        if self.transactions.is_empty() {
            let path = "/Document/PmtRtr".to_owned();
            return Err(BuildError::Missing { path, names: "TxInf".to_owned() });
        }
        Ok(draft)
    }
}

impl ReturnedPayment {
    fn draft(&self, draft: &mut Draft) -> Result<(), BuildError> {
        draft.set_some("RtrId", self.return_id.as_ref());
        self.original.draft_settled(draft)?;
        self.amount.draft(draft, "RtrdIntrBkSttlmAmt")?;
        draft
            .set_some("IntrBkSttlmDt", self.settlement_date.as_ref())
            .set_some("ChrgBr", self.charge_bearer.as_ref());
        agent(draft, "InstgAgt", self.instructing_agent.as_ref());
        agent(draft, "InstdAgt", self.instructed_agent.as_ref());
        if let Some(chain) = &self.chain {
            let draft = draft.at("RtrChain");
            chain.debtor.draft(draft.at("Dbtr/Pty"));
            agent(draft, "DbtrAgt", chain.debtor_agent.as_ref());
            agent(draft, "CdtrAgt", chain.creditor_agent.as_ref());
            chain.creditor.draft(draft.at("Cdtr/Pty"));
        }
        reasons(draft, "RtrRsnInf", std::slice::from_ref(&self.reason));
        Ok(())
    }
}
