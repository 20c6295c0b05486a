//! `camt.052`, `camt.053`, `camt.054` and `camt.060`: what happened on an account.

use super::fields::{part, view};

view! {
    /// A report (`camt.052`), statement (`camt.053`) or notification (`camt.054`) of any version.
    Statement of "camt.052" | "camt.053" | "camt.054", example "camt.053.001.08"
        "for report in view.reports() {"
        "    println!(\"{:?}: {} entries\", report.account(), report.entries().count());"
        "}";
    /// `GrpHdr/MsgId`.
    text msg_id: "GrpHdr/MsgId";
    /// `GrpHdr/CreDtTm`.
    value creation_time: "GrpHdr/CreDtTm";
    /// `GrpHdr/MsgPgntn/PgNb`.
    number page: "GrpHdr/MsgPgntn/PgNb";
    /// `GrpHdr/MsgPgntn/LastPgInd`.
    flag last_page: "GrpHdr/MsgPgntn/LastPgInd";
    /// Identifier of the request that is answered.
    text original_msg_id: "GrpHdr/OrgnlBizQry/MsgId";
    /// One for each account and period.
    each reports -> StatementReport: "Stmt" | "Rpt" | "Ntfctn";
}

part! {
    /// One `Rpt`, `Stmt` or `Ntfctn` of a [`Statement`].
    StatementReport;
    /// `Id`.
    text id: "Id";
    /// `ElctrncSeqNb`, gap-free.
    number sequence_number: "ElctrncSeqNb";
    /// `LglSeqNb`, gap-free.
    number legal_sequence_number: "LglSeqNb";
    /// `CreDtTm`.
    value creation_time: "CreDtTm";
    /// `FrToDt/FrDtTm`.
    value from: "FrToDt/FrDtTm";
    /// `FrToDt/ToDtTm`.
    value to: "FrToDt/ToDtTm";
    /// Identification of the account.
    account account: "Acct";
    /// Currency of the account.
    value currency: "Acct/Ccy";
    /// BIC of the owner of the account.
    bic owner: "Acct/Ownr";
    /// BIC of the servicer of the account.
    bic servicer: "Acct/Svcr";
    /// Balances; a notification has none.
    each balances -> Balance: "Bal";
    /// `TxsSummry/TtlCdtNtries/NbOfNtries` as stated.
    number credit_count: "TxsSummry/TtlCdtNtries/NbOfNtries";
    /// `TxsSummry/TtlCdtNtries/Sum` as stated.
    value credit_sum: "TxsSummry/TtlCdtNtries/Sum";
    /// `TxsSummry/TtlDbtNtries/NbOfNtries` as stated.
    number debit_count: "TxsSummry/TtlDbtNtries/NbOfNtries";
    /// `TxsSummry/TtlDbtNtries/Sum` as stated.
    value debit_sum: "TxsSummry/TtlDbtNtries/Sum";
    /// The entries.
    each entries -> Entry: "Ntry";
}

part! {
    /// A balance of a [`StatementReport`].
    Balance;
    /// `OPBD`, `CLBD`, `ITBD`, `CLAV`, ...
    text kind: "Tp/CdOrPrtry/Cd" | "Tp/CdOrPrtry/Prtry" | "Tp/Cd" | "Tp/Prtry";
    /// The amount, never negative; see [`Self::credit_debit`].
    money amount: "Amt";
    /// `CRDT` or `DBIT`.
    value credit_debit: "CdtDbtInd";
    /// Date of the balance.
    value date: "Dt/Dt" | "Dt/DtTm";
}

part! {
    /// An entry of a [`StatementReport`].
    Entry;
    /// `NtryRef`.
    text reference: "NtryRef";
    /// The amount, never negative; see [`Self::credit_debit`].
    money amount: "Amt";
    /// `CRDT` or `DBIT`: what the entry does to the account.
    value credit_debit: "CdtDbtInd";
    /// `RvslInd`: the entry takes another one back.
    flag reversal: "RvslInd";
    /// `BOOK`, `PDNG`, `INFO` or `FUTR`.
    text status: "Sts/Cd" | "Sts/Prtry" | "Sts";
    /// Booking date or time.
    value booking_date: "BookgDt/Dt" | "BookgDt/DtTm";
    /// Value date or time.
    value value_date: "ValDt/Dt" | "ValDt/DtTm";
    /// `AcctSvcrRef`.
    text servicer_reference: "AcctSvcrRef";
    /// Name of the message that tells more.
    text message_name: "AddtlInfInd/MsgNmId";
    /// `AddtlNtryInf`.
    text information: "AddtlNtryInf";
    /// The payments behind the entry.
    each details -> EntryDetails: "NtryDtls/TxDtls";
}

part! {
    /// A payment behind an [`Entry`].
    EntryDetails;
    /// `Refs/MsgId`.
    text msg_id: "Refs/MsgId";
    /// `Refs/InstrId`.
    text instruction_id: "Refs/InstrId";
    /// `Refs/EndToEndId`.
    text end_to_end_id: "Refs/EndToEndId";
    /// `Refs/TxId`.
    text tx_id: "Refs/TxId";
    /// `Refs/UETR`.
    text uetr: "Refs/UETR";
    /// `Amt`, in newer versions.
    money amount: "Amt" | "AmtDtls/TxAmt/Amt";
    /// Name of the debtor.
    text debtor_name: "RltdPties/Dbtr/Pty/Nm" | "RltdPties/Dbtr/Nm";
    /// Identification of the debtor's account.
    account debtor_account: "RltdPties/DbtrAcct";
    /// Name of the creditor.
    text creditor_name: "RltdPties/Cdtr/Pty/Nm" | "RltdPties/Cdtr/Nm";
    /// Identification of the creditor's account.
    account creditor_account: "RltdPties/CdtrAcct";
    /// BIC of the debtor's agent.
    bic debtor_agent_bic: "RltdAgts/DbtrAgt";
    /// BIC of the creditor's agent.
    bic creditor_agent_bic: "RltdAgts/CdtrAgt";
    /// `RmtInf/Ustrd`, line by line.
    texts remittance: "RmtInf/Ustrd";
}

view! {
    /// A `camt.060` of any version: asks for a report, statement or notification.
    ReportingRequest of "camt.060", example "camt.060.001.05"
        "println!(\"{:?} for {:?}\", view.requested_message(), view.account());";
    /// `GrpHdr/MsgId`.
    text msg_id: "GrpHdr/MsgId";
    /// `GrpHdr/CreDtTm`.
    value creation_time: "GrpHdr/CreDtTm";
    /// Identifier of the first request.
    text request_id: "RptgReq/Id";
    /// `ReqdMsgNmId`, e.g. `camt.053.001.08`.
    text requested_message: "RptgReq/ReqdMsgNmId";
    /// Identification of the account.
    account account: "RptgReq/Acct";
    /// BIC of the owner of the account.
    bic owner: "RptgReq/AcctOwnr";
    /// First day of the period.
    value from_date: "RptgReq/RptgPrd/FrToDt/FrDt";
    /// Last day of the period.
    value to_date: "RptgReq/RptgPrd/FrToDt/ToDt";
    /// First sequence number wanted.
    text from_sequence: "RptgReq/RptgSeq/FrSeq" | "RptgReq/RptgSeq/FrToSeq/FrSeq";
    /// Last sequence number wanted.
    text to_sequence: "RptgReq/RptgSeq/ToSeq" | "RptgReq/RptgSeq/FrToSeq/ToSeq";
}
