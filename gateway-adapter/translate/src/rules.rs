//! The rules that translation itself adds to those of the schema and the profile: one row a rule.
//!
//! They compare a message with the network's directory, which the message library knows nothing of. Each row has
//! the identifier that an integrator reads in the answer, the layer and the ISO reason code.

use iso20022::{Finding, Layer, Severity};

use crate::time::DateError;

/// One rule: identifier, layer, reason code, sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Identifier, e.g. `network.unknown-agent`.
    pub id: &'static str,
    /// The layer that objects.
    pub layer: Layer,
    /// ISO 20022 external status reason code.
    pub code: &'static str,
    /// What is wrong when it is broken.
    pub text: &'static str,
}

macro_rules! rules {
    ($($(#[doc = $doc:literal])+ $name:ident = $id:literal, $layer:ident, $code:literal;)*) => {
        $($(#[doc = $doc])+ pub const $name: Rule = Rule {
            id: $id,
            layer: Layer::$layer,
            code: $code,
            text: concat!($($doc),+).trim_ascii(),
        };)*

        /// Every rule of translation.
        pub const ALL: &[Rule] = &[$($name,)*];
    };
}

rules! {
    /// A copy for information must not move money a second time.
    COPY = "network.copy", Profile, "NARR";
    /// The money of this message moves by another one (cover method, advice).
    COVER = "network.settlement-method", Profile, "AG03";
    /// The message asks for settlement in another clearing system.
    CLEARING_SYSTEM = "network.clearing-system", Profile, "AG03";
    /// The settlement date is no date that can be read.
    DATE_INVALID = "network.settlement-date-invalid", Profile, "DT01";
    /// The settlement date is before yesterday (UTC).
    DATE_PAST = "network.settlement-date-past", Profile, "DT01";
    /// The settlement date is after tomorrow (UTC): the network settles at once and keeps nothing for later.
    DATE_FUTURE = "network.settlement-date-future", Profile, "DT04";
    /// More errors than are listed, so it is not known which transactions are sound.
    TOO_MANY_FINDINGS = "network.too-many-findings", Profile, "FF01";
    /// The message has no id, by which its answer would name it.
    MESSAGE_ID_MISSING = "network.message-id-missing", Profile, "CH21";
    /// The message has more transactions than one message may have.
    TOO_MANY_TRANSACTIONS = "network.too-many-transactions", Profile, "AM18";
    /// The message holds no transaction.
    NO_TRANSACTIONS = "network.no-transactions", Profile, "CH21";
    /// The transaction has no UETR, by which the network knows it.
    UETR_MISSING = "network.uetr-missing", Profile, "CH21";
    /// The UETR is not a lower-case UUID.
    UETR_FORM = "network.uetr-form", Profile, "CH16";
    /// An earlier transaction of the message has this UETR.
    UETR_REPEATED = "network.uetr-repeated", CrossField, "RF01";
    /// Neither the instructing or instructed agent nor the one that stands in for it is named by BIC.
    AGENT_MISSING = "network.agent-missing", Profile, "CH21";
    /// The agent is not a participant of the network.
    UNKNOWN_AGENT = "network.unknown-agent", ReferenceData, "RC01";
    /// The instructing agent is not the bank that sends.
    NOT_THE_SENDER = "network.not-the-sender", ReferenceData, "AGNT";
    /// The instructing and the instructed agent are the same bank.
    SAME_AGENT = "network.same-agent", ReferenceData, "AGNT";
    /// The network does not settle this currency.
    UNKNOWN_CURRENCY = "network.unknown-currency", ReferenceData, "AM03";
    /// The instructing agent has no settlement account in the currency.
    NO_DEBTOR_ACCOUNT = "network.no-debtor-account", ReferenceData, "AC02";
    /// The instructed agent has no settlement account in the currency.
    NO_CREDITOR_ACCOUNT = "network.no-creditor-account", ReferenceData, "AC03";
    /// The amount is missing or no amount.
    AMOUNT_INVALID = "network.amount-invalid", ReferenceData, "AM12";
    /// The amount is zero.
    AMOUNT_ZERO = "network.amount-zero", ReferenceData, "AM01";
    /// The amount is more than a transfer can move.
    AMOUNT_TOO_LARGE = "network.amount-too-large", ReferenceData, "AM02";
    /// The amount has more decimals than the currency.
    AMOUNT_DECIMALS = "network.amount-decimals", ReferenceData, "CH20";
}

/// The rule against a settlement date.
pub(crate) const fn of_date(error: DateError) -> Rule {
    match error {
        DateError::Invalid => DATE_INVALID,
        DateError::Past => DATE_PAST,
        DateError::Future => DATE_FUTURE,
    }
}

/// Where in the input a finding belongs.
#[derive(Debug, Clone, Default)]
pub(crate) struct Place {
    /// Path as in `Finding::path`.
    pub(crate) path: String,
    /// Byte offset.
    pub(crate) offset: usize,
    /// Line from 1.
    pub(crate) line: u32,
    /// The offending value.
    pub(crate) value: String,
}

impl Rule {
    /// The finding that this rule is broken.
    pub(crate) fn broken(self, message: &str, place: Place, text: String) -> Finding {
        Finding {
            layer: self.layer,
            severity: Severity::Error,
            message: message.to_owned(),
            path: place.path,
            offset: place.offset,
            line: place.line,
            value: crate::answer::cut(&place.value, iso20022::limits::EXCERPT_CHARS_MAX),
            rule: self.id,
            code: self.code,
            text,
        }
    }
}
