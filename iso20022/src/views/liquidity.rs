//! `camt.050` and `camt.025`: money between own accounts, and the receipt for a request.

use super::fields::{part, view};
use super::queries::PaymentReference;

view! {
    /// A `camt.050` of any version: a liquidity transfer between two accounts of one owner.
    LiquidityTransfer of "camt.050", example "camt.050.001.05"
        "println!(\"{:?} to {:?}\", view.debtor_account(), view.creditor_account());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// `LqdtyTrfId/InstrId`.
    text instruction_id: "LqdtyCdtTrf/LqdtyTrfId/InstrId";
    /// `LqdtyTrfId/EndToEndId`.
    text end_to_end_id: "LqdtyCdtTrf/LqdtyTrfId/EndToEndId";
    /// `LqdtyTrfId/TxId`.
    text tx_id: "LqdtyCdtTrf/LqdtyTrfId/TxId";
    /// `LqdtyTrfId/UETR`.
    text uetr: "LqdtyCdtTrf/LqdtyTrfId/UETR";
    /// `TrfdAmt/AmtWthCcy`.
    money amount: "LqdtyCdtTrf/TrfdAmt/AmtWthCcy";
    /// `TrfdAmt/AmtWthtCcy`: the amount when its currency is that of the accounts.
    value amount_without_currency: "LqdtyCdtTrf/TrfdAmt/AmtWthtCcy";
    /// BIC of `Dbtr`.
    bic debtor_bic: "LqdtyCdtTrf/Dbtr";
    /// Identification of the account that is debited.
    account debtor_account: "LqdtyCdtTrf/DbtrAcct";
    /// BIC of `Cdtr`.
    bic creditor_bic: "LqdtyCdtTrf/Cdtr";
    /// Identification of the account that is credited.
    account creditor_account: "LqdtyCdtTrf/CdtrAcct";
    /// `SttlmDt`.
    value settlement_date: "LqdtyCdtTrf/SttlmDt";
}

view! {
    /// A `camt.025` of any version: the receipt for a request.
    Receipt of "camt.025", example "camt.025.001.05"
        "for details in view.details() {"
        "    let status = details.handling().next().and_then(|one| one.status());"
        "    println!(\"{:?}: {status:?}\", details.original_msg_id());"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// One for each original message.
    each details -> ReceiptDetails: "RctDtls";
}

part! {
    /// One `RctDtls` of a [`Receipt`].
    ReceiptDetails;
    /// `OrgnlMsgId/MsgId`.
    text original_msg_id: "OrgnlMsgId/MsgId";
    /// `OrgnlMsgId/MsgNmId`.
    text original_msg_name: "OrgnlMsgId/MsgNmId";
    /// The payment that the original message was about.
    part payment -> PaymentReference: "OrgnlPmtId";
    /// How the request was handled.
    each handling -> RequestHandling: "ReqHdlg";
}

part! {
    /// How a request was handled.
    RequestHandling;
    /// Status code.
    value status: "StsCd" | "Sts/Cd" | "Sts/Prtry";
    /// When it was handled.
    value time: "StsDtTm";
    /// What the status means.
    text description: "Desc";
}
