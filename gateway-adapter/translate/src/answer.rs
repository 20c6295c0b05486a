//! What must be remembered to answer a message later: its references, and the fate of each transaction.
//!
//! Plain owned values with a versioned binary form (`encode`, `decode`), so that a gateway can store them before
//! it submits anything and build the same answer after a restart. References are kept as they were sent, even
//! when they break the schema; the report leaves out what it may not repeat.

use iso20022::Finding;
use ledger::{Answer, Bic, LedgerTime, Refusal};

use crate::codec::{DecodeError, Reader, Writer};

/// Most reasons kept for one transaction or message. The first ones are the ones to repair first.
pub const REASONS_MAX: usize = 8;
/// Longest text of a reason, in characters.
pub const REASON_TEXT_CHARS_MAX: usize = 420;
/// Longest path of a reason, in characters.
pub const REASON_PATH_CHARS_MAX: usize = 420;
/// Longest reference that is kept, in characters. Schemas allow 35; more is kept for people to recognise it.
pub const REFERENCE_CHARS_MAX: usize = 140;

/// Version byte of `AnswerContext::encode`.
const CONTEXT_VERSION: u8 = 1;
/// Version byte of `Fate::encode`.
const FATE_VERSION: u8 = 1;

/// How the sender named a transaction, as sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct References {
    /// `PmtId/InstrId`.
    pub instruction_id: Option<String>,
    /// `PmtId/EndToEndId`.
    pub end_to_end_id: Option<String>,
    /// `PmtId/TxId`.
    pub tx_id: Option<String>,
    /// `PmtId/UETR`.
    pub uetr: Option<String>,
}

/// Why a message or transaction was rejected before it reached the ledger.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reason {
    /// ISO 20022 external status reason code, 4 characters.
    pub code: String,
    /// Identifier of the rule, e.g. `network.unknown-agent`; may be empty.
    pub rule: String,
    /// Where in the message; empty when it concerns the whole message.
    pub path: String,
    /// Line in the message from 1; 0 when it concerns no line.
    pub line: u32,
    /// What is wrong, as one plain sentence.
    pub text: String,
}

impl Reason {
    /// A reason that concerns no place in the message, such as `AB03`, "settlement timed out".
    #[must_use]
    pub fn new(code: &str, text: &str) -> Self {
        Self { code: code.to_owned(), text: cut(text, REASON_TEXT_CHARS_MAX), ..Self::default() }
    }
}

impl From<&Finding> for Reason {
    fn from(finding: &Finding) -> Self {
        Self {
            code: finding.code.to_owned(),
            rule: finding.rule.to_owned(),
            path: cut(&finding.path, REASON_PATH_CHARS_MAX),
            line: finding.line,
            text: cut(&finding.text, REASON_TEXT_CHARS_MAX),
        }
    }
}

/// The reasons in a list of findings: its errors, warnings left out, at most `REASONS_MAX`.
#[must_use]
pub fn reasons(findings: &[Finding]) -> Vec<Reason> {
    findings
        .iter()
        .filter(|finding| finding.is_error())
        .take(REASONS_MAX)
        .map(Reason::from)
        .collect()
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// The money has moved.
    Settled {
        /// When, by the ledger's clock.
        time: LedgerTime,
    },
    /// The ledger refused it.
    Refused(Refusal),
    /// It never reached the ledger.
    Rejected(Vec<Reason>),
    /// Not known yet.
    Pending,
}

impl Fate {
    /// The fate that follows from the ledger's answer.
    #[must_use]
    pub const fn of(answer: Answer, time: LedgerTime) -> Self {
        match answer {
            Answer::Settled => Self::Settled { time },
            Answer::Refused(refusal) => Self::Refused(refusal),
            Answer::Waiting(_) => Self::Pending,
        }
    }

    /// Rejected for the errors among these findings.
    #[must_use]
    pub fn rejected(findings: &[Finding]) -> Self {
        Self::Rejected(reasons(findings))
    }

    /// False while the answer may still change, which is only for `Pending`.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Pending)
    }

    /// The binary form: a version byte, a kind byte, the content.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(FATE_VERSION);
        match self {
            Self::Settled { time } => {
                writer.u8(1);
                writer.u64(time.0);
            }
            Self::Refused(refusal) => {
                writer.u8(2);
                writer.u16(refusal.code());
            }
            Self::Rejected(reasons) => {
                writer.u8(3);
                write_reasons(&mut writer, reasons);
            }
            Self::Pending => writer.u8(4),
        }
        writer.finish()
    }

    /// Reads what `encode` wrote.
    ///
    /// # Errors
    /// `DecodeError` for any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, FATE_VERSION)?;
        let fate = match reader.u8()? {
            1 => Self::Settled { time: LedgerTime(reader.u64()?) },
            2 => {
                let code = reader.u16()?;
                Self::Refused(Refusal::from_code(code).ok_or(DecodeError::Field("refusal"))?)
            }
            3 => Self::Rejected(read_reasons(&mut reader)?),
            4 => Self::Pending,
            _ => return Err(DecodeError::Field("kind of fate")),
        };
        reader.finish()?;
        Ok(fate)
    }
}

/// What an answer repeats of the message that it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerContext {
    /// `GrpHdr/MsgId` as sent.
    pub message_id: String,
    /// Name of the message, e.g. `pacs.008.001.08`.
    pub message_name: String,
    /// `GrpHdr/CreDtTm` as sent.
    pub created: Option<String>,
    /// `AppHdr/BizMsgIdr` as sent.
    pub header_id: Option<String>,
    /// The bank that sent the message and gets the answer.
    pub sender: Bic,
    /// Why the message was rejected as a whole; empty when it was not.
    pub group_reasons: Vec<Reason>,
    /// The transactions in the order of the message; fates are given in the same order.
    pub transactions: Vec<References>,
}

impl AnswerContext {
    /// The binary form: a version byte, then the fields in order. Lengths are 4 bytes, little-endian.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new(CONTEXT_VERSION);
        writer.text(&self.message_id);
        writer.text(&self.message_name);
        writer.optional_text(self.created.as_deref());
        writer.optional_text(self.header_id.as_deref());
        writer.array(self.sender.as_bytes());
        write_reasons(&mut writer, &self.group_reasons);
        writer.length(self.transactions.len());
        for references in &self.transactions {
            writer.optional_text(references.instruction_id.as_deref());
            writer.optional_text(references.end_to_end_id.as_deref());
            writer.optional_text(references.tx_id.as_deref());
            writer.optional_text(references.uetr.as_deref());
        }
        writer.finish()
    }

    /// Reads what `encode` wrote.
    ///
    /// # Errors
    /// `DecodeError` for any other bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes, CONTEXT_VERSION)?;
        let message_id = reader.text()?;
        let message_name = reader.text()?;
        let created = reader.optional_text()?;
        let header_id = reader.optional_text()?;
        let sender = Bic::from_bytes(reader.array()?).map_err(|_| DecodeError::Field("sender"))?;
        let group_reasons = read_reasons(&mut reader)?;
        // Each transaction takes at least one byte a reference.
        let count = reader.length(4)?;
        let mut transactions = Vec::with_capacity(count);
        for _ in 0..count {
            transactions.push(References {
                instruction_id: reader.optional_text()?,
                end_to_end_id: reader.optional_text()?,
                tx_id: reader.optional_text()?,
                uetr: reader.optional_text()?,
            });
        }
        reader.finish()?;
        Ok(Self {
            message_id,
            message_name,
            created,
            header_id,
            sender,
            group_reasons,
            transactions,
        })
    }
}

fn write_reasons(writer: &mut Writer, reasons: &[Reason]) {
    writer.length(reasons.len());
    for reason in reasons {
        writer.text(&reason.code);
        writer.text(&reason.rule);
        writer.text(&reason.path);
        writer.u32(reason.line);
        writer.text(&reason.text);
    }
}

fn read_reasons(reader: &mut Reader<'_>) -> Result<Vec<Reason>, DecodeError> {
    // Four texts with a length each, and a line.
    let count = reader.length(20)?;
    let mut reasons = Vec::with_capacity(count);
    for _ in 0..count {
        reasons.push(Reason {
            code: reader.text()?,
            rule: reader.text()?,
            path: reader.text()?,
            line: reader.u32()?,
            text: reader.text()?,
        });
    }
    Ok(reasons)
}

/// The first `chars_max` characters of a text.
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn reason() -> impl Strategy<Value = Reason> {
        ("[A-Z]{2}[0-9]{2}", ".{0,20}", ".{0,20}", any::<u32>(), ".{0,20}")
            .prop_map(|(code, rule, path, line, text)| Reason { code, rule, path, line, text })
    }

    fn fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            any::<u64>().prop_map(|time| Fate::Settled { time: LedgerTime(time) }),
            prop::sample::select(Refusal::ALL).prop_map(Fate::Refused),
            prop::collection::vec(reason(), 0..3).prop_map(Fate::Rejected),
            Just(Fate::Pending),
        ]
    }

    prop_compose! {
        fn references()(ids in prop::array::uniform4(prop::option::of(".{0,12}"))) -> References {
            let [instruction_id, end_to_end_id, tx_id, uetr] = ids;
            References { instruction_id, end_to_end_id, tx_id, uetr }
        }
    }

    prop_compose! {
        fn context()(
            message_id in ".{0,40}",
            created in prop::option::of(".{0,20}"),
            header_id in prop::option::of(".{0,20}"),
            group_reasons in prop::collection::vec(reason(), 0..3),
            transactions in prop::collection::vec(references(), 0..4),
        ) -> AnswerContext {
            AnswerContext {
                message_id,
                message_name: "pacs.008.001.08".to_owned(),
                created,
                header_id,
                sender: "BANKDEFF".parse().unwrap(),
                group_reasons,
                transactions,
            }
        }
    }

    proptest! {
        #[test]
        fn fate_round_trips(fate in fate()) {
            prop_assert_eq!(Fate::decode(&fate.encode()), Ok(fate));
        }

        #[test]
        fn context_round_trips_and_no_prefix_decodes(context in context()) {
            let bytes = context.encode();
            for length in 0..bytes.len() {
                prop_assert!(AnswerContext::decode(&bytes[..length]).is_err());
            }
            prop_assert_eq!(AnswerContext::decode(&bytes), Ok(context));
        }

        #[test]
        fn other_bytes_never_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Fate::decode(&bytes);
            let _ = AnswerContext::decode(&bytes);
            if let Some(version) = bytes.first_mut() {
                *version = 1;
            }
            let _ = Fate::decode(&bytes);
            let _ = AnswerContext::decode(&bytes);
        }
    }

    #[test]
    fn stored_form_is_pinned() {
        assert_eq!(Fate::Pending.encode(), [1, 4]);
        assert_eq!(Fate::Settled { time: LedgerTime(2) }.encode(), [1, 1, 2, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(Fate::Refused(Refusal::InsufficientCover).encode(), [1, 2, 190, 0]);
        let rejected = Fate::Rejected(vec![Reason::new("AB03", "x")]).encode();
        assert_eq!(
            rejected,
            [
                1, 3, 1, 0, 0, 0, 4, 0, 0, 0, b'A', b'B', b'0', b'3', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                0, 0, 1, 0, 0, 0, b'x'
            ]
        );
        assert_eq!(Fate::decode(&[2, 4]), Err(DecodeError::Version(2)));
    }
}
