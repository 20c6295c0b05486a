//! What the library has to say against a message.
//!
//! A finding names the layer that objects, the rule, the place (path, byte offset, line), an
//! excerpt of the value, and the reason code an answer should carry. Findings are values: the
//! caller decides what to answer; this crate never does.

use crate::limits::EXCERPT_CHARS_MAX;
use std::fmt;

/// Which layer of checking objects. The order is the order in which layers run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// L0: size, encoding, well-formedness, unknown namespace.
    Transport,
    /// L1: the message does not follow its schema.
    Schema,
    /// L2: rules between elements that every user of the base message must keep.
    CrossField,
    /// L3: rules of the network or scheme.
    Profile,
    /// L4: reference data (currencies, countries, check digits).
    ReferenceData,
    /// L5: the ledger. Never produced by this crate; here so that one type serves all layers.
    Ledger,
}

impl Layer {
    /// The short form, `L0` to `L5`.
    #[must_use]
    pub const fn short(self) -> &'static str {
        match self {
            Self::Transport => "L0",
            Self::Schema => "L1",
            Self::CrossField => "L2",
            Self::Profile => "L3",
            Self::ReferenceData => "L4",
            Self::Ledger => "L5",
        }
    }
}

/// Whether a finding stops the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth telling, but the message goes on.
    Warning,
    /// The message, or the transaction in `path`, must be refused.
    Error,
}

/// One objection to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The layer that objects.
    pub layer: Layer,
    /// Whether it stops the message.
    pub severity: Severity,
    /// Name of the message, e.g. `pacs.008.001.08`; empty when it could not be read.
    pub message: String,
    /// Where, as an XPath of local names with indices among equal siblings,
    /// e.g. `/Document/FIToFICstmrCdtTrf/CdtTrfTxInf[2]/IntrBkSttlmAmt`. A missing element is
    /// named by the path it would have. Empty when the place is the whole input.
    pub path: String,
    /// Byte offset in the input.
    pub offset: usize,
    /// Line in the input, from 1.
    pub line: u32,
    /// Start of the offending value, at most [`EXCERPT_CHARS_MAX`] characters.
    pub value: String,
    /// Identifier of the rule, e.g. `schema.missing` or `base.number-of-transactions`.
    pub rule: &'static str,
    /// ISO 20022 external status reason code for a refusal, e.g. `CH16`.
    pub code: &'static str,
    /// What is wrong, as one plain sentence.
    pub text: String,
}

impl Finding {
    /// True when the message or transaction must be refused.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.layer.short(), self.rule, self.code)?;
        if !self.path.is_empty() {
            write!(f, " at {}", self.path)?;
        }
        write!(f, " (line {}): {}", self.line, self.text)
    }
}

/// The start of a value, short enough for a finding.
#[must_use]
pub(crate) fn excerpt(value: &str) -> String {
    value.chars().take(EXCERPT_CHARS_MAX).collect()
}

/// Line number (from 1) of a byte offset.
#[must_use]
pub(crate) fn line_at(source: &str, offset: usize) -> u32 {
    let end = offset.min(source.len());
    let breaks = memchr::memchr_iter(b'\n', &source.as_bytes()[..end]).count();
    u32::try_from(breaks + 1).unwrap_or(u32::MAX)
}
