//! `camt.110` and `camt.111`: a question about a payment, and its answer.

use super::fields::{part, view};

view! {
    /// A `camt.110` of any version: an investigation request.
    Investigation of "camt.110", example "camt.110.001.01"
        "println!(\"{:?} about {:?}\", view.kind(), view.original_uetr());";
    /// `InvstgtnReq/MsgId`.
    text msg_id: "InvstgtnReq/MsgId";
    /// The requester's identifier of the case.
    text requester_case_id: "InvstgtnReq/RqstrInvstgtnId";
    /// The responder's identifier of the case, when it has one already.
    text responder_case_id: "InvstgtnReq/RspndrInvstgtnId";
    /// `EIR`: the case's identifier along the chain.
    text case_uuid: "InvstgtnReq/EIR";
    /// `InvstgtnTp`: `RQFI`, `CCNR`, `UTAP`, ...
    text kind: "InvstgtnReq/InvstgtnTp/Cd" | "InvstgtnReq/InvstgtnTp/Prtry";
    /// BIC of who asks.
    bic requester: "InvstgtnReq/Rqstr";
    /// BIC of who is asked.
    bic responder: "InvstgtnReq/Rspndr";
    /// `OrgnlUETR` of the payment in question.
    text original_uetr: "InvstgtnReq/Undrlyg/IntrBk/OrgnlUETR"
        | "InvstgtnReq/Undrlyg/Initn/OrgnlUETR" | "InvstgtnReq/Undrlyg/StmtNtry/OrgnlUETR";
    /// `OrgnlEndToEndId` of the payment in question.
    text original_end_to_end_id: "InvstgtnReq/Undrlyg/IntrBk/OrgnlEndToEndId"
        | "InvstgtnReq/Undrlyg/Initn/OrgnlEndToEndId";
    /// Settlement amount of the payment in question.
    money original_amount: "InvstgtnReq/Undrlyg/IntrBk/OrgnlIntrBkSttlmAmt"
        | "InvstgtnReq/Undrlyg/Initn/OrgnlInstdAmt";
    /// The questions.
    each data -> InvestigationData: "InvstgtnData";
}

view! {
    /// A `camt.111` of any version: the answer to an investigation request.
    InvestigationAnswer of "camt.111", example "camt.111.001.02"
        "println!(\"{:?} {:?}\", view.original_msg_id(), view.status());";
    /// `InvstgtnRspn/MsgId`.
    text msg_id: "InvstgtnRspn/MsgId";
    /// The responder's identifier of the case.
    text responder_case_id: "InvstgtnRspn/RspndrInvstgtnId";
    /// `Sts`: `CLSD`, `PDNG` or `RJCT`.
    value status: "InvstgtnRspn/InvstgtnSts/Sts";
    /// Why that is the status.
    text status_reason: "InvstgtnRspn/InvstgtnSts/StsRsn/Cd"
        | "InvstgtnRspn/InvstgtnSts/StsRsn/Prtry";
    /// `MsgId` of the request.
    text original_msg_id: "OrgnlInvstgtnReq/MsgId";
    /// The requester's identifier of the case.
    text requester_case_id: "OrgnlInvstgtnReq/RqstrInvstgtnId";
    /// What was asked for.
    text kind: "OrgnlInvstgtnReq/InvstgtnTp/Cd" | "OrgnlInvstgtnReq/InvstgtnTp/Prtry";
    /// BIC of who had asked.
    bic requester: "OrgnlInvstgtnReq/Rqstr";
    /// BIC of who was asked.
    bic responder: "OrgnlInvstgtnReq/Rspndr";
    /// `OrgnlUETR` of the payment in question.
    text original_uetr: "OrgnlInvstgtnReq/Undrlyg/IntrBk/OrgnlUETR"
        | "OrgnlInvstgtnReq/Undrlyg/Initn/OrgnlUETR"
        | "OrgnlInvstgtnReq/Undrlyg/StmtNtry/OrgnlUETR";
    /// The answers.
    each data -> InvestigationData: "InvstgtnRspn/InvstgtnData";
}

part! {
    /// One question of an [`Investigation`], or one answer of an [`InvestigationAnswer`].
    InvestigationData;
    /// Number of the question in its message.
    number sequence: "Seq" | "OrgnlInvstgtnSeq";
    /// Why the question is asked.
    text reason: "Rsn/Cd" | "Rsn/Prtry" | "OrgnlInvstgtnRsn/Cd" | "OrgnlInvstgtnRsn/Prtry";
    /// Free text of the question or of the answer.
    text narrative: "AddtlReqData/ReqNrrtv" | "RspnData/RspnNrrtv";
}
