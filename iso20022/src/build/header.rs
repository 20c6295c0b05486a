//! `head.001.001.02`: the business application header.

use super::{BuildError, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// The header of a message. The name of the message is filled in when it is written.
///
/// ```
/// use iso20022::build::BusinessHeader;
///
/// let header = BusinessHeader {
///     from: "ALPHDEFFXXX".to_owned(),
///     to: "BRAVFRPPXXX".to_owned(),
///     business_message_id: "EXAMPLE-1".to_owned(),
///     creation_time: "2026-11-24T10:00:00+00:00".to_owned(),
///     ..BusinessHeader::default()
/// };
/// let bytes = header.build("pacs.008.001.08".parse()?)?;
/// assert!(String::from_utf8(bytes)?.contains("<MsgDefIdr>pacs.008.001.08</MsgDefIdr>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusinessHeader {
    /// BIC of the sender.
    pub from: String,
    /// BIC of the receiver.
    pub to: String,
    /// `BizMsgIdr`, at most 35 characters, unique for the sender.
    pub business_message_id: String,
    /// `BizSvc`, at most 35 characters.
    pub business_service: Option<String>,
    /// `CreDt`, a date and time.
    pub creation_time: String,
    /// `PssblDplct`: set when this message may have been sent before.
    pub possible_duplicate: bool,
}

impl BusinessHeader {
    pub(crate) fn message(&self) -> MessageName {
        known("head.001.001.02")
    }

    /// The content, naming the message that follows.
    #[must_use]
    pub fn draft(&self, body: MessageName) -> Draft {
        let mut draft = Draft::new("AppHdr");
        draft
            .set("Fr/FIId/FinInstnId/BICFI", &self.from)
            .set("To/FIId/FinInstnId/BICFI", &self.to)
            .set("BizMsgIdr", &self.business_message_id)
            .set("MsgDefIdr", body.as_str())
            .set_some("BizSvc", self.business_service.as_ref())
            .set("CreDt", &self.creation_time);
        if self.possible_duplicate {
            draft.set("PssblDplct", "true");
        }
        draft
    }

    /// The header as a document of its own.
    ///
    /// # Errors
    /// The content does not make a valid header.
    pub fn build(&self, body: MessageName) -> Result<Vec<u8>, BuildError> {
        self.draft(body).write(self.message())
    }
}
