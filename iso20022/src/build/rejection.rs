//! `admi.002.001.01`: the answer to a message that could not be read.

use super::{Build, BuildError, known};
use crate::finding::Finding;
use crate::message::Unreadable;
use crate::name::MessageName;
use crate::writer::Draft;

/// Longest `ErrLctn` and `RsnDesc`, in characters.
const TEXT_CHARS_MAX: usize = 350;
/// What a reference says when the rejected message's own could not be read.
const NO_REFERENCE: &str = "NOTPROVIDED";

/// A rejection of a whole message.
///
/// ```
/// use iso20022::build::{Build, MessageRejection};
/// use iso20022::{Limits, read};
///
/// let unreadable = read(b"<Document", &Limits::message()).expect_err("it is cut off");
/// let time = Some("2026-11-24T10:00:00+00:00".to_owned());
/// let message = MessageRejection::of_unreadable(&unreadable, None, time);
/// assert!(String::from_utf8(message.build()?)?.contains("<RjctgPtyRsn>FF01"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageRejection {
    /// Reference of the rejected message, at most 35 characters; `NOTPROVIDED` when `None`.
    pub related_reference: Option<String>,
    /// Reason as the rejecting party codes it, at most 35 characters.
    pub reason: String,
    /// When it was rejected, a date and time.
    pub rejection_time: Option<String>,
    /// Where the error is; cut to 350 characters.
    pub error_location: Option<String>,
    /// What is wrong; cut to 350 characters.
    pub description: Option<String>,
    /// More data, at most 20,000 characters.
    pub additional_data: Option<String>,
}

impl MessageRejection {
    /// The rejection that a finding calls for.
    #[must_use]
    pub fn of_finding(
        finding: &Finding,
        related_reference: Option<String>,
        rejection_time: Option<String>,
    ) -> Self {
        let place = format!("{} line {} offset {}", finding.path, finding.line, finding.offset);
        Self {
            related_reference,
            reason: finding.code.to_owned(),
            rejection_time,
            error_location: Some(place.trim().to_owned()),
            description: Some(finding.text.clone()),
            additional_data: None,
        }
    }

    /// The rejection of an input that is not a message at all.
    #[must_use]
    pub fn of_unreadable(
        unreadable: &Unreadable,
        related_reference: Option<String>,
        rejection_time: Option<String>,
    ) -> Self {
        unreadable.findings.first().map_or_else(
            || Self { reason: "FF01".to_owned(), ..Self::default() },
            |finding| Self::of_finding(finding, related_reference, rejection_time),
        )
    }
}

fn cut(text: &str) -> Option<String> {
    let text: String = text.chars().take(TEXT_CHARS_MAX).collect();
    (!text.is_empty()).then_some(text)
}

impl Build for MessageRejection {
    fn message(&self) -> MessageName {
        known("admi.002.001.01")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let reference = self.related_reference.as_deref().unwrap_or(NO_REFERENCE);
        let location = self.error_location.as_deref().and_then(cut);
        let description = self.description.as_deref().and_then(cut);
        draft
            .at("admi.002.001.01")
            .set("RltdRef/Ref", reference)
            .set("Rsn/RjctgPtyRsn", &self.reason)
            .set_some("Rsn/RjctnDtTm", self.rejection_time.as_ref())
            .set_some("Rsn/ErrLctn", location)
            .set_some("Rsn/RsnDesc", description)
            .set_some("Rsn/AddtlData", self.additional_data.as_ref());
        Ok(draft)
    }
}
