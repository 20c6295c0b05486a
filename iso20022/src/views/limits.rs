//! `camt.009` to `camt.012` and `camt.046` to `camt.049`: limits and reservations.

use super::fields::{part, view};

view! {
    /// A `camt.009` of any version: asks for limits.
    LimitQuery of "camt.009", example "camt.009.001.07"
        "println!(\"{:?} {:?}\", view.msg_id(), view.owner());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// Types of current limits that are asked for.
    texts kinds: "LmtQryDef/LmtCrit/NewCrit/SchCrit/CurLmtTp/Cd";
    /// BIC of the owner of the account.
    bic owner: "LmtQryDef/LmtCrit/NewCrit/SchCrit/AcctOwnr";
    /// Identification of the account.
    account account: "LmtQryDef/LmtCrit/NewCrit/SchCrit/AcctId";
}

view! {
    /// A `camt.010` of any version: limits, or errors.
    LimitReport of "camt.010", example "camt.010.001.08"
        "for limit in view.current() {"
        "    println!(\"{:?} {:?}\", limit.kind(), limit.amount());"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// Identifier of the query that is answered.
    text original_msg_id: "MsgHdr/OrgnlBizQry/MsgId";
    /// Limits in force.
    each current -> ReportedLimit: "RptOrErr/BizRpt/CurLmt";
    /// Limits by default.
    each standing -> ReportedLimit: "RptOrErr/BizRpt/DfltLmt";
    /// Code of the first error when the query could not be answered.
    text error: "RptOrErr/OprlErr/Err/Cd" | "RptOrErr/OprlErr/Err/Prtry";
}

part! {
    /// One limit of a [`LimitReport`].
    ReportedLimit;
    /// Type of limit.
    text kind: "LmtId/Tp/Cd" | "LmtId/Tp/Prtry";
    /// BIC of the counterparty of a bilateral limit.
    bic counterparty: "LmtId/BilLmtCtrPtyId";
    /// BIC of the owner of the account.
    bic owner: "LmtId/AcctOwnr";
    /// Identification of the account.
    account account: "LmtId/AcctId";
    /// The limit with its currency.
    money amount: "LmtOrErr/Lmt/Amt/AmtWthCcy";
    /// The limit in the currency of the account.
    value amount_without_currency: "LmtOrErr/Lmt/Amt/AmtWthtCcy";
    /// How much of it is used, with its currency.
    money used: "LmtOrErr/Lmt/UsdAmt/AmtWthCcy";
    /// `ENAB`, `DISA`, ...
    value status: "LmtOrErr/Lmt/Sts";
    /// Code of the first error in place of the limit.
    text error: "LmtOrErr/BizErr/Err/Cd" | "LmtOrErr/BizErr/Err/Prtry";
}

view! {
    /// A `camt.011` of any version: sets limits.
    LimitChange of "camt.011", example "camt.011.001.07"
        "for limit in view.limits() {"
        "    println!(\"{:?} {:?}\", limit.kind(), limit.amount());"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// The limits with their new values.
    each limits -> StatedLimit: "LmtDtls";
}

view! {
    /// A `camt.012` of any version: takes a limit away.
    LimitDeletion of "camt.012", example "camt.012.001.07"
        "println!(\"{:?} {:?}\", view.kind(), view.account());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// Type of limit.
    text kind: "LmtDtls/CurLmtId/Tp/Cd" | "LmtDtls/CurLmtId/Tp/Prtry"
        | "LmtDtls/AllCurLmts/Tp/Cd" | "LmtDtls/AllCurLmts/Tp/Prtry";
    /// BIC of the counterparty of a bilateral limit.
    bic counterparty: "LmtDtls/CurLmtId/BilLmtCtrPtyId";
    /// BIC of the owner of the account.
    bic owner: "LmtDtls/CurLmtId/AcctOwnr" | "LmtDtls/AllCurLmts/AcctOwnr";
    /// Identification of the account.
    account account: "LmtDtls/CurLmtId/AcctId" | "LmtDtls/AllCurLmts/AcctId";
}

part! {
    /// One limit of a [`LimitChange`].
    StatedLimit;
    /// Type of limit.
    text kind: "LmtId/Cur/Tp/Cd" | "LmtId/Cur/Tp/Prtry" | "LmtId/Dflt/Tp/Cd"
        | "LmtId/Dflt/Tp/Prtry" | "LmtId/AllCur/Tp/Cd" | "LmtId/AllDflt/Tp/Cd";
    /// BIC of the counterparty of a bilateral limit.
    bic counterparty: "LmtId/Cur/BilLmtCtrPtyId" | "LmtId/Dflt/BilLmtCtrPtyId";
    /// BIC of the owner of the account.
    bic owner: "LmtId/Cur/AcctOwnr" | "LmtId/Dflt/AcctOwnr";
    /// Identification of the account.
    account account: "LmtId/Cur/AcctId" | "LmtId/Dflt/AcctId";
    /// The new limit with its currency.
    money amount: "NewLmtValSet/Amt/AmtWthCcy";
    /// The new limit in the currency of the account.
    value amount_without_currency: "NewLmtValSet/Amt/AmtWthtCcy";
    /// From when on it is in force.
    value start: "NewLmtValSet/StartDtTm/DtTm" | "NewLmtValSet/StartDtTm/Dt";
}

view! {
    /// A `camt.046` of any version: asks for reservations.
    ReservationQuery of "camt.046", example "camt.046.001.05"
        "println!(\"{:?} {:?}\", view.msg_id(), view.owner());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// Types of current reservations that are asked for.
    texts kinds: "RsvatnQryDef/RsvatnCrit/NewCrit/SchCrit/CurRsvatnTp";
    /// BIC of the owner of the account.
    bic owner: "RsvatnQryDef/RsvatnCrit/NewCrit/SchCrit/AcctOwnr";
    /// Identification of the account.
    account account: "RsvatnQryDef/RsvatnCrit/NewCrit/SchCrit/AcctId";
}

view! {
    /// A `camt.047` of any version: reservations, or errors.
    ReservationReport of "camt.047", example "camt.047.001.06"
        "for reservation in view.current() {"
        "    println!(\"{:?} {:?}\", reservation.kind(), reservation.amount());"
        "}";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// Identifier of the query that is answered.
    text original_msg_id: "MsgHdr/OrgnlBizQry/MsgId";
    /// Reservations in force.
    each current -> ReportedReservation: "RptOrErr/BizRpt/CurRsvatn";
    /// Reservations by default.
    each standing -> ReportedReservation: "RptOrErr/BizRpt/DfltRsvatn";
    /// Code of the first error when the query could not be answered.
    text error: "RptOrErr/OprlErr/Err/Cd" | "RptOrErr/OprlErr/Err/Prtry";
}

part! {
    /// One reservation of a [`ReservationReport`].
    ReportedReservation;
    /// Identifier of the reservation.
    text reservation_id: "RsvatnId/RsvatnId";
    /// Type of reservation.
    text kind: "RsvatnId/Tp/Cd" | "RsvatnId/Tp/Prtry";
    /// BIC of the owner of the account.
    bic owner: "RsvatnId/AcctOwnr";
    /// Identification of the account.
    account account: "RsvatnId/AcctId";
    /// The reserved amount with its currency.
    money amount: "RsvatnOrErr/Rsvatn/Amt/AmtWthCcy";
    /// The reserved amount in the currency of the account.
    value amount_without_currency: "RsvatnOrErr/Rsvatn/Amt/AmtWthtCcy";
    /// `ENAB`, `DISA`, ...
    value status: "RsvatnOrErr/Rsvatn/Sts/Cd" | "RsvatnOrErr/Rsvatn/Sts";
    /// Code of the first error in place of the reservation.
    text error: "RsvatnOrErr/BizErr/Err/Cd" | "RsvatnOrErr/BizErr/Err/Prtry";
}

view! {
    /// A `camt.048` of any version: sets a reservation.
    ReservationChange of "camt.048", example "camt.048.001.05"
        "println!(\"{:?} {:?}\", view.kind(), view.amount());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// Identifier of the reservation.
    text reservation_id: "RsvatnId/Cur/RsvatnId" | "RsvatnId/Dflt/RsvatnId";
    /// Type of reservation.
    text kind: "RsvatnId/Cur/Tp/Cd" | "RsvatnId/Cur/Tp/Prtry" | "RsvatnId/Dflt/Tp/Cd"
        | "RsvatnId/Dflt/Tp/Prtry";
    /// BIC of the owner of the account.
    bic owner: "RsvatnId/Cur/AcctOwnr" | "RsvatnId/Dflt/AcctOwnr";
    /// Identification of the account.
    account account: "RsvatnId/Cur/AcctId" | "RsvatnId/Dflt/AcctId";
    /// The new amount with its currency.
    money amount: "NewRsvatnValSet/Amt/AmtWthCcy";
    /// The new amount in the currency of the account.
    value amount_without_currency: "NewRsvatnValSet/Amt/AmtWthtCcy";
    /// From when on it is in force.
    value start: "NewRsvatnValSet/StartDtTm/DtTm" | "NewRsvatnValSet/StartDtTm/Dt";
}

view! {
    /// A `camt.049` of any version: takes a reservation away.
    ReservationDeletion of "camt.049", example "camt.049.001.05"
        "println!(\"{:?} {:?}\", view.kind(), view.account());";
    /// `MsgHdr/MsgId`.
    text msg_id: "MsgHdr/MsgId";
    /// `MsgHdr/CreDtTm`.
    value creation_time: "MsgHdr/CreDtTm";
    /// Identifier of the reservation.
    text reservation_id: "CurRsvatn/RsvatnId";
    /// Type of reservation.
    text kind: "CurRsvatn/Tp/Cd" | "CurRsvatn/Tp/Prtry";
    /// BIC of the owner of the account.
    bic owner: "CurRsvatn/AcctOwnr";
    /// Identification of the account.
    account account: "CurRsvatn/AcctId";
}
