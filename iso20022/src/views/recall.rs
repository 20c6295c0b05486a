//! `camt.056` and `camt.029`: a payment is called back, and what came of that.

use super::fields::{part, view};
use super::status::{Reason, reasons};

view! {
    /// A `camt.056` of any version: the request to cancel payments.
    CancellationRequest of "camt.056", example "camt.056.001.08"
        "for transaction in view.transactions() {"
        "    let reason = transaction.reasons().next().and_then(|reason| reason.code());"
        "    println!(\"{:?}: {reason:?}\", transaction.original_uetr());"
        "}";
    /// `Assgnmt/Id`: the request's own identifier.
    text assignment_id: "Assgnmt/Id";
    /// BIC of who asks, `Assgnmt/Assgnr`.
    bic assigner: "Assgnmt/Assgnr";
    /// BIC of who is asked, `Assgnmt/Assgne`.
    bic assignee: "Assgnmt/Assgne";
    /// `Assgnmt/CreDtTm`.
    value creation_time: "Assgnmt/CreDtTm";
    /// `Case/Id`.
    text case_id: "Case/Id";
    /// `CtrlData/NbOfTxs` as stated.
    number number_of_transactions: "CtrlData/NbOfTxs";
    /// `OrgnlMsgId` of the first group that is to be cancelled, or that transactions are of.
    text original_msg_id: "Undrlyg/OrgnlGrpInfAndCxl/OrgnlMsgId";
    /// `GrpCxl`: true when the whole original message is to be cancelled.
    flag whole_group: "Undrlyg/OrgnlGrpInfAndCxl/GrpCxl";
    /// The transactions that are to be cancelled.
    each transactions -> CancelledTransaction: "Undrlyg/TxInf";
}

part! {
    /// One `TxInf` of a [`CancellationRequest`].
    CancelledTransaction;
    /// `CxlId`.
    text cancellation_id: "CxlId";
    /// `Case/Id`.
    text case_id: "Case/Id";
    /// `OrgnlGrpInf/OrgnlMsgId`.
    text original_msg_id: "OrgnlGrpInf/OrgnlMsgId";
    /// `OrgnlGrpInf/OrgnlMsgNmId`.
    text original_msg_name: "OrgnlGrpInf/OrgnlMsgNmId";
    /// `OrgnlInstrId`.
    text original_instruction_id: "OrgnlInstrId";
    /// `OrgnlEndToEndId`.
    text original_end_to_end_id: "OrgnlEndToEndId";
    /// `OrgnlTxId`.
    text original_tx_id: "OrgnlTxId";
    /// `OrgnlUETR`.
    text original_uetr: "OrgnlUETR";
    /// `OrgnlIntrBkSttlmAmt`.
    money original_amount: "OrgnlIntrBkSttlmAmt";
    /// `OrgnlIntrBkSttlmDt`.
    value original_settlement_date: "OrgnlIntrBkSttlmDt";
}

impl<'a> CancelledTransaction<'a> {
    /// Why the payment is called back.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + use<'a> {
        reasons(self.node(), "CxlRsnInf")
    }
}

view! {
    /// A `camt.029` of any version: the answer to a cancellation request.
    Resolution of "camt.029", example "camt.029.001.09"
        "println!(\"{:?} {:?}\", view.confirmation(), view.original_case_id());"
        "for transaction in view.transactions() {"
        "    println!(\"{:?}: {:?}\", transaction.original_uetr(), transaction.status());"
        "}";
    /// `Assgnmt/Id`: the answer's own identifier.
    text assignment_id: "Assgnmt/Id";
    /// BIC of who answers, `Assgnmt/Assgnr`.
    bic assigner: "Assgnmt/Assgnr";
    /// BIC of who had asked, `Assgnmt/Assgne`.
    bic assignee: "Assgnmt/Assgne";
    /// `Assgnmt/CreDtTm`.
    value creation_time: "Assgnmt/CreDtTm";
    /// Identifier of the case that is resolved.
    text original_case_id: "RslvdCase/Id";
    /// `Sts/Conf`: `CNCL`, `RJCR`, `PDCR`, `UWFW`, ...
    value confirmation: "Sts/Conf";
    /// What is said of each transaction.
    each transactions -> ResolvedTransaction: "CxlDtls/TxInfAndSts";
}

part! {
    /// One `CxlDtls/TxInfAndSts` of a [`Resolution`].
    ResolvedTransaction;
    /// `CxlStsId`.
    text cancellation_status_id: "CxlStsId";
    /// Identifier of the case that is resolved.
    text case_id: "RslvdCase/Id";
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
    /// `TxCxlSts`.
    value status: "TxCxlSts";
    /// `OrgnlIntrBkSttlmAmt`.
    money original_amount: "OrgnlIntrBkSttlmAmt";
}

impl<'a> ResolvedTransaction<'a> {
    /// Why, in particular for `RJCR`.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + use<'a> {
        reasons(self.node(), "CxlStsRsnInf")
    }
}
