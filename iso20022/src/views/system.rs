//! `admi.002`, `.004`, `.006`, `.007`, `.011` and `camt.018`, `.019`: the system itself speaks, or is
//! asked about its day.

use super::fields::{part, view};
use super::liquidity::RequestHandling;

view! {
    /// An `admi.002`: a message was refused as a whole.
    Rejection of "admi.002", example "admi.002.001.01"
        "println!(\"{:?}: {:?}\", view.related_reference(), view.description());";
    /// Reference of the message that was refused.
    text related_reference: "RltdRef/Ref";
    /// Reason, as the refusing party codes it.
    text reason: "Rsn/RjctgPtyRsn";
    /// When it was refused.
    value time: "Rsn/RjctnDtTm";
    /// Where the error is.
    text location: "Rsn/ErrLctn";
    /// What is wrong.
    text description: "Rsn/RsnDesc";
    /// More data.
    text additional_data: "Rsn/AddtlData";
}

view! {
    /// An `admi.004` of any version: something happened to the system.
    SystemEvent of "admi.004", example "admi.004.001.02"
        "println!(\"{:?} {:?}\", view.code(), view.parameters().next());";
    /// `EvtCd`.
    value code: "EvtInf/EvtCd";
    /// `EvtParam`.
    texts parameters: "EvtInf/EvtParam";
    /// `EvtDesc`.
    text description: "EvtInf/EvtDesc";
    /// `EvtTm`.
    value time: "EvtInf/EvtTm";
}

view! {
    /// An `admi.006`: asks to send messages again.
    ResendRequest of "admi.006", example "admi.006.001.01"
        "for criterion in view.criteria() {"
        "    println!(\"{:?} {:?}\", criterion.message_name(), criterion.from_sequence());"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// What to send again.
    each criteria -> ResendCriterion: "RsndSchCrit";
}

part! {
    /// One criterion of a [`ResendRequest`].
    ResendCriterion;
    /// `BizDt`.
    value business_date: "BizDt";
    /// `SeqNb`.
    text sequence_number: "SeqNb";
    /// First sequence number wanted.
    text from_sequence: "SeqRg/FrSeq" | "SeqRg/FrToSeq/FrSeq" | "SeqRg/EQSeq";
    /// Last sequence number wanted.
    text to_sequence: "SeqRg/ToSeq" | "SeqRg/FrToSeq/ToSeq" | "SeqRg/EQSeq";
    /// `OrgnlMsgNmId`.
    text message_name: "OrgnlMsgNmId";
    /// `FileRef`.
    text file_reference: "FileRef";
    /// BIC of the recipient.
    bic recipient: "Rcpt";
}

view! {
    /// An `admi.007`: messages were received.
    ReceiptAcknowledgement of "admi.007", example "admi.007.001.01"
        "println!(\"{:?} {:?}\", view.related_reference(), view.status());";
    /// `MsgId/MsgId`.
    text msg_id: "MsgId/MsgId";
    /// `MsgId/CreDtTm`.
    value creation_time: "MsgId/CreDtTm";
    /// Reference of the first message that was received.
    text related_reference: "Rpt/RltdRef/Ref";
    /// Name of the first message that was received.
    text related_message: "Rpt/RltdRef/MsgNm";
    /// What became of the first message.
    value status: "Rpt/ReqHdlg/StsCd";
    /// What became of each message.
    each handling -> RequestHandling: "Rpt/ReqHdlg";
}

view! {
    /// An `admi.011`: a system event was noticed.
    EventAcknowledgement of "admi.011", example "admi.011.001.01"
        "println!(\"{:?} {:?}\", view.msg_id(), view.code());";
    /// `MsgId`.
    text msg_id: "MsgId";
    /// `OrgtrRef`.
    text originator_reference: "OrgtrRef";
    /// `AckDtls/EvtCd`.
    value code: "AckDtls/EvtCd";
    /// `AckDtls/EvtParam`.
    texts parameters: "AckDtls/EvtParam";
    /// `AckDtls/EvtTm`.
    value time: "AckDtls/EvtTm";
}

view! {
    /// A `camt.018` of any version: asks about the business day.
    BusinessDayQuery of "camt.018", example "camt.018.001.05"
        "println!(\"{:?} {:?}\", view.msg_id(), view.date());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// The day that is asked about.
    value date: "BizDayInfQryDef/Crit/NewCrit/SchCrit/SysDt";
    /// Currencies that are asked about.
    texts currencies: "BizDayInfQryDef/Crit/NewCrit/SchCrit/SysCcy";
}

view! {
    /// A `camt.019` of any version: the business day, or errors.
    BusinessDayReport of "camt.019", example "camt.019.001.07"
        "for day in view.days() {"
        "    println!(\"{:?} {:?}\", day.date(), day.status());"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// Identifier of the query that is answered.
    text original_msg_id: "MsgHdr/OrgnlBizQry/MsgId";
    /// One for each system.
    each days -> ReportedDay: "RptOrErr/BizRpt";
    /// Code of the first error when the query could not be answered.
    text error: "RptOrErr/OprlErr/Err/Cd" | "RptOrErr/OprlErr/Err/Prtry";
}

part! {
    /// One system's day in a [`BusinessDayReport`].
    ReportedDay;
    /// The day.
    value date: "BizDayOrErr/BizDayInf/SysDt/Dt" | "BizDayOrErr/BizDayInf/SysDt/DtTm";
    /// State of the system.
    text status: "BizDayOrErr/BizDayInf/SysSts/Sts/Cd" | "BizDayOrErr/BizDayInf/SysSts/Sts/Prtry";
    /// Currencies with their events.
    texts currencies: "BizDayOrErr/BizDayInf/SysInfPerCcy/SysCcy";
}
