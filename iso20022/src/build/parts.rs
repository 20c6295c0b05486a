//! What several builders share: references to original payments, amounts, accounts, reasons.

use super::{Account, BuildError, StatusReason, agent, amount_text};
use crate::writer::Draft;
use rust_decimal::Decimal;

/// An amount with its ISO 4217 currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Not negative, payable in the currency.
    pub value: Decimal,
    /// ISO 4217 code.
    pub currency: String,
}

impl Amount {
    /// An amount in a currency.
    #[must_use]
    pub fn new(value: Decimal, currency: &str) -> Self {
        Self { value, currency: currency.to_owned() }
    }

    pub(super) fn draft(&self, draft: &mut Draft, path: &str) -> Result<(), BuildError> {
        draft.set_amount(path, amount_text(self.value, &self.currency)?, &self.currency);
        Ok(())
    }

    /// The amount at a place that has no attribute for the currency.
    pub(super) fn draft_without_currency(
        &self,
        draft: &mut Draft,
        path: &str,
    ) -> Result<(), BuildError> {
        draft.set(path, amount_text(self.value, &self.currency)?);
        Ok(())
    }
}

/// What identifies an earlier payment: as much of it as is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OriginalPayment {
    /// `OrgnlMsgId`, at most 35 characters; comes with the name.
    pub message_id: Option<String>,
    /// `OrgnlMsgNmId`, e.g. `pacs.008.001.08`.
    pub message_name: Option<String>,
    /// `OrgnlInstrId`.
    pub instruction_id: Option<String>,
    /// `OrgnlEndToEndId`.
    pub end_to_end_id: Option<String>,
    /// `OrgnlTxId`.
    pub tx_id: Option<String>,
    /// `OrgnlUETR`, a lower-case version 4 UUID.
    pub uetr: Option<String>,
    /// Settlement amount of the original, where the message has a place for it.
    pub amount: Option<Amount>,
    /// Settlement date of the original, where the message has a place for it.
    pub settlement_date: Option<String>,
}

impl OriginalPayment {
    /// The identifiers, with the group they were sent in.
    pub(super) fn draft(&self, draft: &mut Draft) {
        if self.message_id.is_some() || self.message_name.is_some() {
            draft
                .set_some("OrgnlGrpInf/OrgnlMsgId", self.message_id.as_ref())
                .set_some("OrgnlGrpInf/OrgnlMsgNmId", self.message_name.as_ref());
        }
        draft
            .set_some("OrgnlInstrId", self.instruction_id.as_ref())
            .set_some("OrgnlEndToEndId", self.end_to_end_id.as_ref())
            .set_some("OrgnlTxId", self.tx_id.as_ref())
            .set_some("OrgnlUETR", self.uetr.as_ref());
    }

    /// The identifiers and what was settled.
    pub(super) fn draft_settled(&self, draft: &mut Draft) -> Result<(), BuildError> {
        self.draft(draft);
        if let Some(amount) = &self.amount {
            amount.draft(draft, "OrgnlIntrBkSttlmAmt")?;
        }
        draft.set_some("OrgnlIntrBkSttlmDt", self.settlement_date.as_ref());
        Ok(())
    }
}

impl Account {
    /// Sets the identification at a path to an element with the choice of IBAN and other.
    pub(super) fn draft(&self, draft: &mut Draft, path: &str) {
        match self {
            Self::Iban(iban) => draft.set(&format!("{path}/IBAN"), iban),
            Self::Other(id) => draft.set(&format!("{path}/Othr/Id"), id),
        };
    }
}

/// Adds reasons under elements of this name.
pub(super) fn reasons(draft: &mut Draft, name: &str, reasons: &[StatusReason]) {
    for reason in reasons {
        reason.draft(draft.push(name));
    }
}

/// Adds a party that is a bank, known by its BIC.
pub(super) fn bank(draft: &mut Draft, path: &str, bic: &str) {
    draft.set(&format!("{path}/Agt/FinInstnId/BICFI"), bic);
}

/// Identifier and time that head a message to or from the system.
pub(super) fn message_header(body: &mut Draft, message_id: &str, creation_time: Option<&String>) {
    body.set("MsgHdr/MsgId", message_id).set_some("MsgHdr/CreDtTm", creation_time);
}

/// Identifiers, time and agents that head a message between institutions.
pub(super) fn group_header(
    body: &mut Draft,
    message_id: &str,
    creation_time: &str,
    instructing: Option<&String>,
    instructed: Option<&String>,
) {
    let group = body.at("GrpHdr");
    group.set("MsgId", message_id).set("CreDtTm", creation_time);
    agent(group, "InstgAgt", instructing);
    agent(group, "InstdAgt", instructed);
}
