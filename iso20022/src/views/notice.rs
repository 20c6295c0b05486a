//! `camt.057` and `camt.058`: money is on its way, and no longer is.

use super::fields::{part, view};

view! {
    /// A `camt.057` of any version: notification to receive.
    NoticeToReceive of "camt.057", example "camt.057.001.06"
        "for item in view.items() {"
        "    println!(\"{:?}\", item.amount());"
        "}";
    /// `GrpHdr/MsgId`.
    text msg_id: "GrpHdr/MsgId";
    /// `GrpHdr/CreDtTm`.
    value creation_time: "GrpHdr/CreDtTm";
    /// `Ntfctn/Id`.
    text notification_id: "Ntfctn/Id";
    /// Identification of the account that will be credited.
    account account: "Ntfctn/Acct";
    /// `Ntfctn/TtlAmt` as stated.
    money total_amount: "Ntfctn/TtlAmt";
    /// `Ntfctn/XpctdValDt`.
    value expected_date: "Ntfctn/XpctdValDt";
    /// What is expected.
    each items -> ExpectedItem: "Ntfctn/Itm";
}

view! {
    /// A `camt.058` of any version: cancels a notification to receive.
    NoticeCancellation of "camt.058", example "camt.058.001.08"
        "println!(\"{:?}\", view.original_notification_id());";
    /// `GrpHdr/MsgId`.
    text msg_id: "GrpHdr/MsgId";
    /// `GrpHdr/CreDtTm`.
    value creation_time: "GrpHdr/CreDtTm";
    /// Identifier of the message that is taken back.
    text original_msg_id: "OrgnlNtfctn/OrgnlMsgId";
    /// Identifier of the notification that is taken back.
    text original_notification_id: "OrgnlNtfctn/OrgnlNtfctnId";
    /// True when all of it is taken back.
    flag whole_notification: "OrgnlNtfctn/NtfctnCxl";
    /// The items that are taken back.
    each items -> ExpectedItem: "OrgnlNtfctn/OrgnlNtfctnRef/OrgnlItm";
}

part! {
    /// One item of a [`NoticeToReceive`] or a [`NoticeCancellation`].
    ExpectedItem;
    /// `Id`.
    text id: "Id" | "OrgnlItmId";
    /// `EndToEndId`.
    text end_to_end_id: "EndToEndId" | "OrgnlEndToEndId";
    /// `UETR`.
    text uetr: "UETR";
    /// The amount.
    money amount: "Amt";
    /// `XpctdValDt`.
    value expected_date: "XpctdValDt";
    /// BIC of the debtor's agent.
    bic debtor_agent_bic: "DbtrAgt";
}
