//! `admi.004.001.02`, `admi.006.001.01`, `admi.007.001.01` and `admi.011.001.01`: what the system
//! itself says, and acknowledgements.

use super::{Build, BuildError, known};
use crate::name::MessageName;
use crate::writer::Draft;

/// Something happened to the system.
///
/// ```
/// use iso20022::build::{Build, EventNotice};
///
/// let message = EventNotice {
///     code: "OPEN".to_owned(),
///     parameters: vec!["2026-11-24".to_owned()],
///     ..EventNotice::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<EvtCd>OPEN</EvtCd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventNotice {
    /// `EvtCd`: up to four letters and digits.
    pub code: String,
    /// `EvtParam`, each at most 35 characters.
    pub parameters: Vec<String>,
    /// `EvtDesc`, at most 1000 characters.
    pub description: Option<String>,
    /// `EvtTm`, a date and time.
    pub time: Option<String>,
}

impl Build for EventNotice {
    fn message(&self) -> MessageName {
        known("admi.004.001.02")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let event = draft.at("SysEvtNtfctn/EvtInf");
        event.set("EvtCd", &self.code);
        for parameter in &self.parameters {
            event.push_text("EvtParam", parameter);
        }
        event.set_some("EvtDesc", self.description.as_ref());
        event.set_some("EvtTm", self.time.as_ref());
        Ok(draft)
    }
}

/// A request to send messages again.
///
/// ```
/// use iso20022::build::{Build, ResendOrder};
///
/// let message = ResendOrder {
///     message_id: "AGAIN-1".to_owned(),
///     sequence: Some(("17".to_owned(), "19".to_owned())),
///     recipient: "ALPHDEFFXXX".to_owned(),
///     ..ResendOrder::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<FrSeq>17</FrSeq>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResendOrder {
    /// `MsgHdr/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgHdr/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// `BizDt`: the day the messages are of.
    pub business_date: Option<String>,
    /// First and last sequence number.
    pub sequence: Option<(String, String)>,
    /// `OrgnlMsgNmId`: messages of this name only.
    pub message_name: Option<String>,
    /// BIC of who shall get them.
    pub recipient: String,
}

impl Build for ResendOrder {
    fn message(&self) -> MessageName {
        known("admi.006.001.01")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        let body = draft.at("RsndReq");
        super::parts::message_header(body, &self.message_id, self.creation_time.as_ref());
        let criterion = body.at("RsndSchCrit");
        criterion.set_some("BizDt", self.business_date.as_ref());
        if let Some((from, to)) = &self.sequence {
            criterion.set("SeqRg/FrToSeq/FrSeq", from).set("SeqRg/FrToSeq/ToSeq", to);
        }
        criterion
            .set_some("OrgnlMsgNmId", self.message_name.as_ref())
            .set("Rcpt/Id/AnyBIC", &self.recipient);
        Ok(draft)
    }
}

/// A message was received, and is not refused.
///
/// ```
/// use iso20022::build::{Build, ReceiptNotice};
///
/// let message = ReceiptNotice {
///     message_id: "RECEIPT-1".to_owned(),
///     related_reference: "EXAMPLE-1".to_owned(),
///     related_message: Some("camt.011.001.07".to_owned()),
///     status: "OK".to_owned(),
///     ..ReceiptNotice::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<Ref>EXAMPLE-1</Ref>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiptNotice {
    /// `MsgId/MsgId`, at most 35 characters.
    pub message_id: String,
    /// `MsgId/CreDtTm`, a date and time.
    pub creation_time: Option<String>,
    /// Reference of the message that was received, at most 35 characters.
    pub related_reference: String,
    /// Name of the message that was received.
    pub related_message: Option<String>,
    /// Up to four letters and digits.
    pub status: String,
    /// When it was handled, a date and time.
    pub status_time: Option<String>,
    /// What the status means, at most 140 characters.
    pub description: Option<String>,
}

impl Build for ReceiptNotice {
    fn message(&self) -> MessageName {
        known("admi.007.001.01")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        draft
            .at("RctAck")
            .set("MsgId/MsgId", &self.message_id)
            .set_some("MsgId/CreDtTm", self.creation_time.as_ref())
            .set("Rpt/RltdRef/Ref", &self.related_reference)
            .set_some("Rpt/RltdRef/MsgNm", self.related_message.as_ref())
            .set("Rpt/ReqHdlg/StsCd", &self.status)
            .set_some("Rpt/ReqHdlg/StsDtTm", self.status_time.as_ref())
            .set_some("Rpt/ReqHdlg/Desc", self.description.as_ref());
        Ok(draft)
    }
}

/// A system event was noticed.
///
/// ```
/// use iso20022::build::{Build, EventReceipt};
///
/// let message = EventReceipt {
///     message_id: "SEEN-1".to_owned(),
///     code: Some("OPEN".to_owned()),
///     ..EventReceipt::default()
/// };
/// assert!(String::from_utf8(message.build()?)?.contains("<EvtCd>OPEN</EvtCd>"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventReceipt {
    /// `MsgId`, at most 35 characters.
    pub message_id: String,
    /// `OrgtrRef`, at most 35 characters.
    pub originator_reference: Option<String>,
    /// `AckDtls/EvtCd`: up to four letters and digits.
    pub code: Option<String>,
    /// `AckDtls/EvtTm`, a date and time; needs a code.
    pub time: Option<String>,
}

impl Build for EventReceipt {
    fn message(&self) -> MessageName {
        known("admi.011.001.01")
    }

    fn draft(&self) -> Result<Draft, BuildError> {
        let mut draft = Draft::new("Document");
        draft
            .at("SysEvtAck")
            .set("MsgId", &self.message_id)
            .set_some("OrgtrRef", self.originator_reference.as_ref())
            .set_some("AckDtls/EvtCd", self.code.as_ref())
            .set_some("AckDtls/EvtTm", self.time.as_ref());
        Ok(draft)
    }
}
