//! `pacs.028`: what has become of payments?

use super::fields::{part, view};

view! {
    /// A `pacs.028` of any version. It is always answered with a `pacs.002`.
    StatusRequest of "pacs.028", example "pacs.028.001.03"
        "for transaction in view.transactions() {"
        "    println!(\"{:?}\", transaction.original_uetr());"
        "}";
    /// `GrpHdr/MsgId`.
    text msg_id: "GrpHdr/MsgId";
    /// `GrpHdr/CreDtTm`.
    value creation_time: "GrpHdr/CreDtTm";
    /// BIC of `GrpHdr/InstgAgt`.
    bic instructing_agent: "GrpHdr/InstgAgt";
    /// BIC of `GrpHdr/InstdAgt`.
    bic instructed_agent: "GrpHdr/InstdAgt";
    /// `OrgnlMsgId` of the first original message.
    text original_msg_id: "OrgnlGrpInf/OrgnlMsgId";
    /// `OrgnlMsgNmId` of the first original message.
    text original_msg_name: "OrgnlGrpInf/OrgnlMsgNmId";
    /// The transactions that are asked for; none when the whole message is meant.
    each transactions -> RequestedStatus: "TxInf";
}

part! {
    /// One `TxInf` of a [`StatusRequest`].
    RequestedStatus;
    /// `StsReqId`.
    text request_id: "StsReqId";
    /// `OrgnlGrpInf/OrgnlMsgId`.
    text original_msg_id: "OrgnlGrpInf/OrgnlMsgId";
    /// `OrgnlInstrId`.
    text original_instruction_id: "OrgnlInstrId";
    /// `OrgnlEndToEndId`.
    text original_end_to_end_id: "OrgnlEndToEndId";
    /// `OrgnlTxId`.
    text original_tx_id: "OrgnlTxId";
    /// `OrgnlUETR`.
    text original_uetr: "OrgnlUETR";
    /// `AccptncDtTm`.
    value acceptance_time: "AccptncDtTm";
    /// BIC of `InstgAgt`.
    bic instructing_agent: "InstgAgt";
    /// BIC of `InstdAgt`.
    bic instructed_agent: "InstdAgt";
}
