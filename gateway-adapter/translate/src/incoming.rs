//! What a document that arrived for a bank says, in a few words for logs and lists.

use iso20022::Limits;
use iso20022::views::CreditTransfer;

use crate::answer::{REFERENCE_CHARS_MAX, cut};

/// The first transaction of a payment message, as written. For people: nothing is checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Name of the message, e.g. `pacs.008.001.08`.
    pub message_name: String,
    /// `GrpHdr/MsgId`.
    pub message_id: Option<String>,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: Option<String>,
    /// `PmtId/UETR`.
    pub uetr: Option<String>,
    /// `IntrBkSttlmAmt`.
    pub amount: Option<String>,
    /// The currency of the amount.
    pub currency: Option<String>,
    /// BIC of the instructing agent, else of the debtor's agent.
    pub debtor_bank: Option<String>,
    /// BIC of the instructed agent, else of the creditor's agent.
    pub creditor_bank: Option<String>,
}

/// Summarises the document of a payment; `None` when it is not a readable payment message.
#[must_use]
pub fn incoming(document: &[u8]) -> Option<Summary> {
    let message = iso20022::read(document, &Limits::message()).ok()?;
    let view = CreditTransfer::of(&message)?;
    let transaction = view.transaction(0)?;
    let owned = |text: Option<&str>| text.map(|text| cut(text, REFERENCE_CHARS_MAX));
    let money = transaction.amount().ok();
    Some(Summary {
        message_name: message.name.to_string(),
        message_id: owned(view.msg_id()),
        end_to_end_id: owned(transaction.end_to_end_id()),
        uetr: owned(transaction.uetr()),
        amount: owned(money.map(|money| money.lexical)),
        currency: owned(money.map(|money| money.currency)),
        debtor_bank: owned(
            transaction.instructing_agent_bic().or_else(|| transaction.debtor_agent_bic()),
        ),
        creditor_bank: owned(
            transaction.instructed_agent_bic().or_else(|| transaction.creditor_agent_bic()),
        ),
    })
}
