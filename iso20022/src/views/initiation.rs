//! `pain.001` and `pain.002`: a customer's payment orders, and what became of them.

use super::fields::{part, view};
use super::status::{Reason, TransactionStatus, reasons};

view! {
    /// A `pain.001` of any version: payment orders of a customer.
    Initiation of "pain.001", example "pain.001.001.09"
        "for payment in view.payments() {"
        "    println!(\"{:?}: {}\", payment.payment_id(), payment.transactions().count());"
        "}";
    /// `GrpHdr/MsgId`.
    text msg_id: "GrpHdr/MsgId";
    /// `GrpHdr/CreDtTm`.
    value creation_time: "GrpHdr/CreDtTm";
    /// `GrpHdr/NbOfTxs` as stated.
    number number_of_transactions: "GrpHdr/NbOfTxs";
    /// `GrpHdr/CtrlSum` as stated.
    value control_sum: "GrpHdr/CtrlSum";
    /// Name of the initiating party.
    text initiating_party: "GrpHdr/InitgPty/Nm";
    /// The payments, each from one account.
    each payments -> InitiatedPayment: "PmtInf";
}

part! {
    /// One `PmtInf` of an [`Initiation`].
    InitiatedPayment;
    /// `PmtInfId`.
    text payment_id: "PmtInfId";
    /// `PmtMtd`.
    value method: "PmtMtd";
    /// `NbOfTxs` as stated.
    number number_of_transactions: "NbOfTxs";
    /// `CtrlSum` as stated.
    value control_sum: "CtrlSum";
    /// Requested date, or date and time, of execution.
    value execution_date: "ReqdExctnDt/Dt" | "ReqdExctnDt/DtTm" | "ReqdExctnDt";
    /// Name of the debtor.
    text debtor_name: "Dbtr/Nm";
    /// Identification of the debtor's account.
    account debtor_account: "DbtrAcct";
    /// BIC of the debtor's agent.
    bic debtor_agent_bic: "DbtrAgt";
    /// `ChrgBr`.
    value charge_bearer: "ChrgBr";
    /// The transactions.
    each transactions -> InitiatedTransaction: "CdtTrfTxInf";
}

part! {
    /// One `CdtTrfTxInf` of an [`InitiatedPayment`].
    InitiatedTransaction;
    /// `PmtId/InstrId`.
    text instruction_id: "PmtId/InstrId";
    /// `PmtId/EndToEndId`.
    text end_to_end_id: "PmtId/EndToEndId";
    /// `PmtId/UETR`; versions before 09 have none.
    text uetr: "PmtId/UETR";
    /// The amount to pay, or its equivalent in another currency.
    money amount: "Amt/InstdAmt" | "Amt/EqvtAmt/Amt";
    /// `ChrgBr`; else that of the payment holds.
    value charge_bearer: "ChrgBr";
    /// BIC of the creditor's agent.
    bic creditor_agent_bic: "CdtrAgt";
    /// Name of the creditor.
    text creditor_name: "Cdtr/Nm";
    /// Identification of the creditor's account.
    account creditor_account: "CdtrAcct";
    /// `RmtInf/Ustrd`, line by line.
    texts remittance: "RmtInf/Ustrd";
}

view! {
    /// A `pain.002` of any version: what became of a customer's payment orders.
    InitiationStatus of "pain.002", example "pain.002.001.10"
        "println!(\"{:?}: {:?}\", view.original_msg_id(), view.group_status());"
        "for payment in view.payments() {"
        "    for transaction in payment.transactions() {"
        "        println!(\"{:?}\", transaction.status());"
        "    }"
        "}";
    /// `GrpHdr/MsgId`.
    text msg_id: "GrpHdr/MsgId";
    /// `GrpHdr/CreDtTm`.
    value creation_time: "GrpHdr/CreDtTm";
    /// `OrgnlMsgId`.
    text original_msg_id: "OrgnlGrpInfAndSts/OrgnlMsgId";
    /// `GrpSts`: `ACSC`, `RJCT`, `PART`, ...
    value group_status: "OrgnlGrpInfAndSts/GrpSts";
    /// Status by payment.
    each payments -> PaymentStatus: "OrgnlPmtInfAndSts";
}

part! {
    /// One `OrgnlPmtInfAndSts` of an [`InitiationStatus`].
    PaymentStatus;
    /// `OrgnlPmtInfId`.
    text original_payment_id: "OrgnlPmtInfId";
    /// `PmtInfSts`.
    value status: "PmtInfSts";
}

impl<'a> PaymentStatus<'a> {
    /// Reasons of the status.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + use<'a> {
        reasons(self.node(), "StsRsnInf")
    }

    /// Status by transaction.
    pub fn transactions(&self) -> impl Iterator<Item = TransactionStatus<'a>> + use<'a> {
        TransactionStatus::all(self.node())
    }
}
