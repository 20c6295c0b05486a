//! `pacs.002.001.10`: what became of payments.

use super::{Build, BuildError, agent, amount_text, known};
use crate::name::MessageName;
use crate::writer::Draft;
use rust_decimal::Decimal;
use std::collections::BTreeMap;

/// Longest line of additional information, in characters.
const LINE_CHARS_MAX: usize = 105;

/// A status report on one original message.
///
/// ```
/// use iso20022::build::{Build, StatusReason, StatusReport, TransactionReport};
///
/// let message = StatusReport {
///     message_id: "STATUS-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     original_message_id: "EXAMPLE-1".to_owned(),
///     original_message_name: "pacs.008.001.08".to_owned(),
///     transactions: vec![TransactionReport {
///         original_end_to_end_id: Some("INVOICE-2026-117".to_owned()),
///         status: "RJCT".to_owned(),
///         reasons: vec![StatusReason::code("AM04")],
///         ..TransactionReport::default()
///     }],
///     ..StatusReport::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Cd>AM04</Cd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusReport {
    /// `GrpHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `GrpHdr/CreDtTm`, a date and time.
    pub creation_time: String,
    /// BIC of the sender of the report.
    pub instructing_agent: Option<String>,
    /// BIC of the receiver of the report.
    pub instructed_agent: Option<String>,
    /// `OrgnlMsgId`, at most 35 characters.
    pub original_message_id: String,
    /// `OrgnlMsgNmId`, e.g. `pacs.008.001.08`.
    pub original_message_name: String,
    /// `OrgnlCreDtTm`, a date and time.
    pub original_creation_time: Option<String>,
    /// `OrgnlNbOfTxs`.
    pub original_number_of_transactions: Option<u64>,
    /// `GrpSts`, e.g. `ACSC`, `RJCT` or `PART`; `None` to speak of transactions only.
    pub group_status: Option<String>,
    /// Reasons of the group status.
    pub group_reasons: Vec<StatusReason>,
    /// Status by transaction; may be empty when the group status says it all.
    pub transactions: Vec<TransactionReport>,
}

/// Status of one transaction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TransactionReport {
    /// `StsId`, at most 35 characters.
    pub status_id: Option<String>,
    /// `OrgnlInstrId`.
    pub original_instruction_id: Option<String>,
    /// `OrgnlEndToEndId`.
    pub original_end_to_end_id: Option<String>,
    /// `OrgnlTxId`.
    pub original_tx_id: Option<String>,
    /// `OrgnlUETR`, a lower-case version 4 UUID.
    pub original_uetr: Option<String>,
    /// `TxSts`, e.g. `ACSC`, `RJCT`, `PDNG`.
    pub status: String,
    /// Reasons of the status.
    pub reasons: Vec<StatusReason>,
    /// `AccptncDtTm`, a date and time.
    pub acceptance_time: Option<String>,
    /// `FctvIntrBkSttlmDt/DtTm`, a date and time; goes before `settlement_date`.
    pub settlement_time: Option<String>,
    /// `FctvIntrBkSttlmDt/Dt`, a date.
    pub settlement_date: Option<String>,
    /// `OrgnlTxRef/IntrBkSttlmAmt`: value and currency.
    pub original_amount: Option<(Decimal, String)>,
}

/// A reason code with an explanation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusReason {
    /// External status reason code, e.g. `AM04`.
    pub code: String,
    /// Explanation; each text is split into lines of at most 105 characters.
    pub information: Vec<String>,
}

impl Build for StatusReport {
    fn message(&self) -> MessageName {
        known("pacs.002.001.10")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("FIToFIPmtStsRpt");
        body.set("GrpHdr/MsgId", &self.message_id).set("GrpHdr/CreDtTm", &self.creation_time);
        agent(body, "GrpHdr/InstgAgt", self.instructing_agent.as_ref());
        agent(body, "GrpHdr/InstdAgt", self.instructed_agent.as_ref());
        self.group(body.at("OrgnlGrpInfAndSts"));
        for transaction in &self.transactions {
            transaction.draft(body.push("TxInfAndSts"))?;
        }
        Ok(draft)
    }
}

impl StatusReport {
    fn group(&self, group: &mut Draft) {
        let count = self.original_number_of_transactions.map(|count| count.to_string());
        group
            .set("OrgnlMsgId", &self.original_message_id)
            .set("OrgnlMsgNmId", &self.original_message_name)
            .set_some("OrgnlCreDtTm", self.original_creation_time.as_ref())
            .set_some("OrgnlNbOfTxs", count)
            .set_some("GrpSts", self.group_status.as_ref());
        for reason in &self.group_reasons {
            reason.draft(group.push("StsRsnInf"));
        }
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for transaction in &self.transactions {
            *counts.entry(&transaction.status).or_default() += 1;
        }
        // Counts by status say something only where statuses differ.
        if counts.len() > 1 {
            for (status, count) in counts {
                let entry = group.push("NbOfTxsPerSts");
                entry.set("DtldNbOfTxs", count.to_string()).set("DtldSts", status);
            }
        }
    }
}

impl TransactionReport {
    fn draft(&self, draft: &mut Draft) -> Result<(), BuildError> {
        draft
            .set_some("StsId", self.status_id.as_ref())
            .set_some("OrgnlInstrId", self.original_instruction_id.as_ref())
            .set_some("OrgnlEndToEndId", self.original_end_to_end_id.as_ref())
            .set_some("OrgnlTxId", self.original_tx_id.as_ref())
            .set_some("OrgnlUETR", self.original_uetr.as_ref())
            .set("TxSts", &self.status);
        for reason in &self.reasons {
            reason.draft(draft.push("StsRsnInf"));
        }
        draft.set_some("AccptncDtTm", self.acceptance_time.as_ref());
        match (&self.settlement_time, &self.settlement_date) {
            (Some(time), _) => draft.set("FctvIntrBkSttlmDt/DtTm", time),
            (None, date) => draft.set_some("FctvIntrBkSttlmDt/Dt", date.as_ref()),
        };
        if let Some((value, currency)) = &self.original_amount {
            let text = amount_text(*value, currency)?;
            draft.set_amount("OrgnlTxRef/IntrBkSttlmAmt", text, currency);
        }
        Ok(())
    }
}

impl StatusReason {
    /// A reason without explanation.
    #[must_use]
    pub fn code(code: &str) -> Self {
        Self { code: code.to_owned(), information: Vec::new() }
    }

    pub(super) fn draft(&self, draft: &mut Draft) {
        draft.set("Rsn/Cd", &self.code);
        for text in &self.information {
            for line in lines(text) {
                draft.push_text("AddtlInf", line);
            }
        }
    }
}

/// Splits a text into lines of at most 105 characters, at spaces where there are any.
fn lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let mut word: Vec<char> = word.chars().collect();
        if length > 0 && length + 1 + word.len() > LINE_CHARS_MAX {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        while word.len() > LINE_CHARS_MAX {
            lines.push(word.drain(..LINE_CHARS_MAX).collect());
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        length += word.len();
        line.extend(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_become_lines() {
        assert_eq!(lines("one two"), ["one two"]);
        assert!(lines("  ").is_empty());
        let text = "word ".repeat(100);
        let split = lines(&text);
        assert!(split.iter().all(|line| line.chars().count() <= LINE_CHARS_MAX));
        assert_eq!(split.join(" "), text.trim_end());
        assert_eq!(lines(&"x".repeat(211)).len(), 3);
    }
}
