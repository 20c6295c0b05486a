//! Statements, liquidity, notifications and charges.

use super::{Case, case, changed};
use iso20022::Profile::{Base, Cbpr, Corridor};

pub(crate) const CASES: &[Case] = &[
    case("base.statement-balance", Corridor, "camt.053", &[("\"EUR\">20.00", "\"EUR\">21.00")]),
    case(
        "base.statement-balance",
        Base,
        "camt.053",
        &[("<Cd>OPBD", "<Cd>PRCD"), (">50.00", ">5.00")],
    ),
    case("base.statement-balances-present", Base, "camt.053", &[("<Cd>CLBD", "<Cd>CLAV")]),
    case("base.balance-once", Base, "camt.053", &[("<Cd>CLBD", "<Cd>OPBD")]),
    case("base.statement-currency", Base, "camt.053", &[("<Ccy>EUR", "<Ccy>USD")]),
    case("base.summary-number", Base, "camt.053", &[("<NbOfNtries>2", "<NbOfNtries>3")]),
    case("base.summary-sum", Base, "camt.053", &[("<Sum>30<", "<Sum>31<")]),
    case("base.summary-net", Base, "camt.053", &[("<Amt>70.00", "<Amt>71.00")]),
    case("base.entry-batch-number", Base, "camt.053", &[("<NbOfTxs>2", "<NbOfTxs>3")]),
    case("base.entry-details-sum", Base, "camt.053", &[(">60.00<", ">61.00<")]),
    case(
        "base.entry-booking-date",
        Base,
        "camt.053",
        &[("<BookgDt><Dt>2030-01-15</Dt></BookgDt>", "")],
    ),
    case("base.statement-booked-only", Base, "camt.053", &[("<Cd>BOOK", "<Cd>PDNG")]),
    case("base.period-order", Base, "camt.053", &[("<FrDtTm>2030-01-15", "<FrDtTm>2030-01-16")]),
    case(
        "cbpr.report-single",
        Cbpr,
        "camt.053",
        &[(
            "</Stmt>",
            "</Stmt><Stmt><Id>2</Id><Acct><Id><Othr><Id>X</Id></Othr></Id></Acct><Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">0</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2030-01-15</Dt></Dt></Bal></Stmt>",
        )],
    ),
    case("base.liquidity-not-zero", Base, "camt.050", &[(">500.00<", ">0<")]),
    case("base.liquidity-accounts-differ", Base, "camt.050", &[("ALFA-EUR-2", "ALFA-EUR-1")]),
    changed(
        "base.liquidity-account-named",
        Base,
        "camt.050",
        &[("<CdtrAcct><Id><Othr><Id>ALFA-EUR-2</Id></Othr></Id></CdtrAcct>", "")],
        &[("<DbtrAcct><Id><Othr><Id>ALFA-EUR-1</Id></Othr></Id></DbtrAcct>", "")],
    ),
    case("base.notification-total", Base, "camt.057", &[(">20.00<", ">21.00<")]),
    case(
        "base.notification-date-once",
        Base,
        "camt.057",
        &[("10.00</Amt>", "10.00</Amt><XpctdValDt>2030-01-15</XpctdValDt>")],
    ),
    case(
        "base.notification-debtor-once",
        Base,
        "camt.057",
        &[(
            "10.00</Amt>",
            "10.00</Amt><DbtrAgt><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></DbtrAgt>",
        )],
    ),
    case(
        "base.report-request-message",
        Base,
        "camt.060",
        &[("camt.053.001.08</", "pacs.008.001.08</")],
    ),
    case(
        "base.report-request-period",
        Base,
        "camt.060",
        &[("<FrDt>2030-01-10", "<FrDt>2030-01-16")],
    ),
    case("base.charges-number", Base, "camt.106", &[("<NbOfChrgsRcrds>2", "<NbOfChrgsRcrds>3")]),
    case(
        "base.charges-number",
        Base,
        "camt.106",
        &[("<NbOfChrgsBrkdwnItms>2", "<NbOfChrgsBrkdwnItms>3")],
    ),
    case("base.charges-control-sum", Base, "camt.106", &[("<CtrlSum>7.50", "<CtrlSum>7.51")]),
    case("base.charges-total", Base, "camt.106", &[("\"EUR\">5.00", "\"EUR\">5.01")]),
];
