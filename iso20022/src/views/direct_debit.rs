//! `pacs.010`: an institution collects money that another has agreed to pay.

use super::fields::{part, view};

view! {
    /// A `pacs.010` of any version: instructions to credit, each with the debits that fund it.
    DirectDebit of "pacs.010", example "pacs.010.001.03"
        "for transaction in view.transactions() {"
        "    println!(\"{:?} pays {:?}\", transaction.debtor_bic(), transaction.amount());"
        "}";
    /// `GrpHdr/MsgId`.
    text msg_id: "GrpHdr/MsgId";
    /// `GrpHdr/CreDtTm`.
    value creation_time: "GrpHdr/CreDtTm";
    /// `GrpHdr/NbOfTxs` as stated.
    number number_of_transactions: "GrpHdr/NbOfTxs";
    /// `GrpHdr/CtrlSum` as stated.
    value control_sum: "GrpHdr/CtrlSum";
    /// BIC of `GrpHdr/InstgAgt`.
    bic instructing_agent: "GrpHdr/InstgAgt";
    /// BIC of `GrpHdr/InstdAgt`.
    bic instructed_agent: "GrpHdr/InstdAgt";
    /// The instructions, each for one creditor.
    each instructions -> CreditInstruction: "CdtInstr";
    /// All debits of all instructions.
    each transactions -> DirectDebitTransaction: "CdtInstr/DrctDbtTxInf";
}

part! {
    /// One `CdtInstr` of a [`DirectDebit`].
    CreditInstruction;
    /// `CdtId`.
    text credit_id: "CdtId";
    /// `TtlIntrBkSttlmAmt` as stated.
    money total_amount: "TtlIntrBkSttlmAmt";
    /// `IntrBkSttlmDt`.
    value settlement_date: "IntrBkSttlmDt";
    /// BIC of the institution that is paid.
    bic creditor_bic: "Cdtr";
    /// BIC of the creditor's agent.
    bic creditor_agent_bic: "CdtrAgt";
    /// Identification of the creditor's account.
    account creditor_account: "CdtrAcct";
    /// BIC of `InstgAgt`.
    bic instructing_agent: "InstgAgt";
    /// BIC of `InstdAgt`.
    bic instructed_agent: "InstdAgt";
    /// The debits that fund it.
    each transactions -> DirectDebitTransaction: "DrctDbtTxInf";
}

part! {
    /// One `DrctDbtTxInf` of a [`DirectDebit`].
    DirectDebitTransaction;
    /// `PmtId/InstrId`.
    text instruction_id: "PmtId/InstrId";
    /// `PmtId/EndToEndId`.
    text end_to_end_id: "PmtId/EndToEndId";
    /// `PmtId/TxId`.
    text tx_id: "PmtId/TxId";
    /// `PmtId/UETR`.
    text uetr: "PmtId/UETR";
    /// `IntrBkSttlmAmt`.
    money amount: "IntrBkSttlmAmt";
    /// `IntrBkSttlmDt`.
    value settlement_date: "IntrBkSttlmDt";
    /// BIC of the institution that pays.
    bic debtor_bic: "Dbtr";
    /// BIC of the debtor's agent.
    bic debtor_agent_bic: "DbtrAgt";
    /// Identification of the debtor's account.
    account debtor_account: "DbtrAcct";
    /// `RmtInf/Ustrd`, line by line.
    texts remittance: "RmtInf/Ustrd";
}
