//! `camt.003` to `camt.008`: questions about accounts and transactions, their answers, and changes
//! to transactions that wait.

use super::fields::{part, view};
use super::status::{Reason, reasons};

view! {
    /// A `camt.003` of any version: asks for accounts.
    AccountQuery of "camt.003", example "camt.003.001.07"
        "println!(\"{:?} {:?}\", view.msg_id(), view.accounts().next());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// `AcctQryDef/QryTp`: `ALLL`, `CHNG`, `MODF` or `DELD`.
    value query_type: "AcctQryDef/QryTp";
    /// Name of a query that was defined before.
    text query_name: "AcctQryDef/AcctCrit/QryNm";
    /// Accounts that are asked for by their IBAN.
    texts ibans: "AcctQryDef/AcctCrit/NewCrit/SchCrit/AcctId/EQ/IBAN";
    /// Accounts that are asked for by another identification.
    texts accounts: "AcctQryDef/AcctCrit/NewCrit/SchCrit/AcctId/EQ/Othr/Id";
}

view! {
    /// A `camt.004` of any version: accounts with their balances, or errors.
    AccountReport of "camt.004", example "camt.004.001.08"
        "for account in view.accounts() {"
        "    println!(\"{:?} in {:?}\", account.account(), account.currency());"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// Identifier of the query that is answered.
    text original_msg_id: "MsgHdr/OrgnlBizQry/MsgId";
    /// The accounts.
    each accounts -> ReportedAccount: "RptOrErr/AcctRpt";
    /// Code of the first error when the query could not be answered.
    text error: "RptOrErr/OprlErr/Err/Cd" | "RptOrErr/OprlErr/Err/Prtry";
}

part! {
    /// One account of an [`AccountReport`].
    ReportedAccount;
    /// Identification of the account.
    account account: "AcctId";
    /// Its currency.
    value currency: "AcctOrErr/Acct/Ccy";
    /// Its type.
    text kind: "AcctOrErr/Acct/Tp/Cd" | "AcctOrErr/Acct/Tp/Prtry";
    /// Its owner's BIC.
    bic owner: "AcctOrErr/Acct/Ownr";
    /// Its balances, multilateral ones first.
    each balances -> ReportedBalance: "AcctOrErr/Acct/MulBal";
    /// Code of the first error in place of the account.
    text error: "AcctOrErr/BizErr/Err/Cd" | "AcctOrErr/BizErr/Err/Prtry";
}

part! {
    /// A balance of a [`ReportedAccount`].
    ReportedBalance;
    /// The amount, in the account's currency.
    value amount: "Amt";
    /// `CRDT` or `DBIT`.
    value credit_debit: "CdtDbtInd";
    /// Kind of balance.
    text kind: "Tp/Cd" | "Tp/Prtry";
}

view! {
    /// A `camt.005` of any version: asks for transactions.
    TransactionQuery of "camt.005", example "camt.005.001.08"
        "println!(\"{:?} {:?}\", view.msg_id(), view.uetrs().next());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// `TxQryDef/QryTp`: `ALLL`, `CHNG`, `MODF` or `DELD`.
    value query_type: "TxQryDef/QryTp";
    /// Message identifiers that are searched for.
    texts msg_ids: "TxQryDef/TxCrit/NewCrit/SchCrit/PmtSch/MsgId";
    /// Transaction identifiers that are searched for.
    texts tx_ids: "TxQryDef/TxCrit/NewCrit/SchCrit/PmtSch/TxId";
    /// End-to-end identifiers that are searched for.
    texts end_to_end_ids: "TxQryDef/TxCrit/NewCrit/SchCrit/PmtSch/EndToEndId";
    /// UETRs that are searched for.
    texts uetrs: "TxQryDef/TxCrit/NewCrit/SchCrit/PmtSch/PmtId/LngBizId/UETR"
        | "TxQryDef/TxCrit/NewCrit/SchCrit/PmtSch/PmtId/UETR";
}

view! {
    /// A `camt.006` of any version: transactions, or errors.
    TransactionReport of "camt.006", example "camt.006.001.08"
        "for transaction in view.transactions() {"
        "    println!(\"{:?}\", transaction.payment().and_then(|payment| payment.uetr()));"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// Identifier of the query that is answered.
    text original_msg_id: "MsgHdr/OrgnlBizQry/MsgId";
    /// The transactions.
    each transactions -> ReportedTransaction: "RptOrErr/BizRpt/TxRpt";
    /// Code of the first error when the query could not be answered.
    text error: "RptOrErr/OprlErr/Err/Cd" | "RptOrErr/OprlErr/Err/Prtry";
}

part! {
    /// One transaction of a [`TransactionReport`].
    ReportedTransaction;
    /// Which payment.
    part payment -> PaymentReference: "PmtId";
    /// `Pmt/MsgId`.
    text msg_id: "TxOrErr/Tx/Pmt/MsgId";
    /// Where the payment stands: pending, final, or the system's own word.
    value status: "TxOrErr/Tx/Pmt/Sts/Cd/Pdg" | "TxOrErr/Tx/Pmt/Sts/Cd/Fnl"
        | "TxOrErr/Tx/Pmt/Sts/Cd/Sttlm" | "TxOrErr/Tx/Pmt/Sts/Cd/RTGS"
        | "TxOrErr/Tx/Pmt/Sts/Cd/Prtry";
    /// `IntrBkSttlmAmt` with its currency.
    money amount: "TxOrErr/Tx/Pmt/IntrBkSttlmAmt/AmtWthCcy";
    /// `IntrBkSttlmDt`.
    value settlement_date: "TxOrErr/Tx/Pmt/IntrBkSttlmDt";
    /// Code of the first error in place of the transaction.
    text error: "TxOrErr/BizErr/Err/Cd" | "TxOrErr/BizErr/Err/Prtry";
}

part! {
    /// How a payment is referred to: by one of several kinds of identification.
    PaymentReference;
    /// Transaction identification.
    text tx_id: "TxId" | "LngBizId/TxId" | "ShrtBizId/TxId";
    /// UETR.
    text uetr: "UETR" | "LngBizId/UETR" | "ShrtBizId/UETR";
    /// End-to-end identification.
    text end_to_end_id: "LngBizId/EndToEndId";
    /// Settlement amount, in the currency of the system.
    value amount_without_currency: "LngBizId/IntrBkSttlmAmt";
    /// Settlement date.
    value settlement_date: "LngBizId/IntrBkSttlmDt" | "ShrtBizId/IntrBkSttlmDt";
    /// BIC of the instructing agent.
    bic instructing_agent: "LngBizId/InstgAgt" | "ShrtBizId/InstgAgt";
    /// BIC of the instructed agent.
    bic instructed_agent: "LngBizId/InstdAgt";
    /// Place in a queue.
    text queue_position: "QId/PosInQ";
    /// The system's own identification.
    text proprietary: "PrtryId";
}

view! {
    /// A `camt.007` of any version: changes transactions that wait.
    TransactionModification of "camt.007", example "camt.007.001.08"
        "for change in view.changes() {"
        "    println!(\"{:?}\", change.priority());"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// The changes.
    each changes -> TransactionChange: "Mod";
}

part! {
    /// One change of a [`TransactionModification`].
    TransactionChange;
    /// Which payment.
    part payment -> PaymentReference: "PmtId";
    /// New priority.
    text priority: "NewPmtValSet/Prty/Cd" | "NewPmtValSet/Prty/Prtry";
    /// New instruction, e.g. `PDNG` or `BOOK`.
    value instruction: "NewPmtValSet/Instr";
    /// Not to be processed before.
    value not_before: "NewPmtValSet/PrcgVldtyTm/FrDtTm"
        | "NewPmtValSet/PrcgVldtyTm/DtTmRg/FrDtTm";
    /// Not to be processed after.
    value not_after: "NewPmtValSet/PrcgVldtyTm/ToDtTm"
        | "NewPmtValSet/PrcgVldtyTm/DtTmRg/ToDtTm";
}

view! {
    /// A `camt.008` of any version: cancels a transaction that waits.
    TransactionCancellation of "camt.008", example "camt.008.001.08"
        "println!(\"{:?}\", view.payment().and_then(|payment| payment.tx_id()));";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// Which payment.
    part payment -> PaymentReference: "PmtId";
    /// Identification of the account.
    account account: "CshAcct";
}

impl<'a> TransactionCancellation<'a> {
    /// Why the transaction is cancelled.
    pub fn reasons(&self) -> impl Iterator<Item = Reason<'a>> + use<'a> {
        self.place().into_iter().flat_map(|body| reasons(body, "CxlRsn"))
    }
}
