//! What a payer's bank is told of a payment after its answer: `pacs.002` that it is final, with the receipt, and what the
//! other bank reports of the credit to its customer.
//!
//! The answer itself never changes: a follow-up says more of a payment that has settled, never that it has not.
//! `ACSC` with a receipt says that it is final; `ACCC` that the customer has the money; `ACWP`, accepted without
//! posting, that the other bank has the money and could not credit its customer, with its reason. The money then comes back by a
//! payment of its own, or stays there.

use iso20022::writer::Draft;
use ledger::{Bic, LedgerTime, ReasonCode, TransferId};

use crate::answer::{AnswerContext, Reason, References};
use crate::receipt::supplementary;
use crate::report::{NOT_PROVIDED, ReportError, is_max35_text, repeat, status_reason, write};
use crate::time::{is_iso_date_time, iso_date_time};

/// The message that a payment came in, and its transaction there.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// What answers repeat of the message.
    pub context: &'a AnswerContext,
    /// Position of the transaction, from 0.
    pub index: usize,
}

/// What there is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowUp<'a> {
    /// The payment is final.
    Final {
        /// When it settled.
        settled: LedgerTime,
        /// What proves it: a C2SP tlog-proof.
        receipt: &'a [u8],
    },
    /// The customer has the money.
    Credited {
        /// Since when, by the clock of the customer's bank.
        at: LedgerTime,
    },
    /// The customer could not be credited.
    NotCredited {
        /// Why not, of ExternalStatusReason1Code.
        reason: ReasonCode,
    },
}

/// The `pacs.002.001.10` about one payment that has settled, for `receiver`, its payer's bank.
///
/// `original` is `None` for a payment that no message of this bank brought: then only its UETR is named. `message_id`: 1
/// to 35 characters, the same again when the same follow-up is built again.
///
/// # Errors
/// `ReportError::MessageId` for an id of another length; `Build`, which would be a mistake in this crate.
pub fn follow_up(
    payment: &TransferId,
    original: Option<Original<'_>>,
    receiver: Bic,
    said: &FollowUp<'_>,
    message_id: &str,
    now: LedgerTime,
) -> Result<Vec<u8>, ReportError> {
    if !is_max35_text(message_id) {
        return Err(ReportError::MessageId(message_id.to_owned()));
    }
    let mut document = Draft::new("Document");
    let report = document.push("FIToFIPmtStsRpt");
    let header = report.push("GrpHdr");
    header.set("MsgId", message_id);
    header.set("CreDtTm", iso_date_time(now));
    header.set("InstdAgt/FinInstnId/BICFI", receiver.as_str());
    let answer = report.push("TxInfAndSts");
    let known = original.and_then(|original| {
        let references = original.context.transactions.get(original.index)?;
        Some((original.context, references))
    });
    match known {
        Some((context, references)) => {
            let group = answer.push("OrgnlGrpInf");
            let id = Some(context.message_id.as_str()).filter(|id| is_max35_text(id));
            group.set("OrgnlMsgId", id.unwrap_or(NOT_PROVIDED));
            group.set("OrgnlMsgNmId", context.message_name.as_str());
            let created = context.created.as_deref().map(str::trim);
            group.set_some("OrgnlCreDtTm", created.filter(|text| is_iso_date_time(text)));
            repeat(answer, references);
        }
        None => {
            repeat(answer, &References { uetr: Some(payment.to_string()), ..References::default() })
        }
    }
    match said {
        FollowUp::Final { settled, receipt } => {
            answer.set("TxSts", "ACSC");
            answer.set("FctvIntrBkSttlmDt/DtTm", iso_date_time(*settled));
            answer.push_draft(supplementary(receipt));
        }
        FollowUp::Credited { at } => {
            answer.set("TxSts", "ACCC");
            answer.set("AccptncDtTm", iso_date_time(*at));
        }
        FollowUp::NotCredited { reason } => {
            answer.set("TxSts", "ACWP");
            let text = "The bank that was paid reports that it could not credit its customer.";
            status_reason(answer, &Reason::new(reason.as_str(), text));
        }
    }
    write(&document, "pacs.002.001.10")
}
