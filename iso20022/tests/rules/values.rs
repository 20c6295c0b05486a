//! Values: identifiers, texts, dates, codes.

use super::{Case, case, changed};
use iso20022::Profile::{Base, Cbpr, Hvps};

pub(crate) const CASES: &[Case] = &[
    case(
        "reference.iban",
        Base,
        "pacs.008",
        &[("DE89370400440532013000", "DE89370400440532013001")],
    ),
    changed(
        "reference.iban",
        Base,
        "pacs.008",
        &[("<Othr><Id>4711-0815</Id></Othr>", "<IBAN>GB29NWBK60161331926819</IBAN>")],
        &[("GB29NWBK60161331926819", "GB29NWBK6016133192681")],
    ),
    case(
        "reference.iban-country",
        Base,
        "pacs.008",
        &[("DE89370400440532013000", "US64SVBKUS6S3300958879")],
    ),
    changed(
        "reference.lei",
        Base,
        "pacs.008",
        &[(
            "<CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI>",
            "<CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI><LEI>7LTWFZYICNSX8D621K86</LEI>",
        )],
        &[("K86<", "K87<")],
    ),
    case("reference.bic-country", Base, "pacs.009", &[("CHARJPJT", "CHARQQJT")]),
    case("reference.bic-test", Cbpr, "pacs.009", &[("CHARJPJT", "CHARJPJ0")]),
    case("reference.country", Base, "pacs.008", &[("<Ctry>DE", "<Ctry>XX")]),
    changed(
        "reference.currency",
        Base,
        "pacs.008",
        &[("<InstdAmt Ccy=\"EUR\">", "<InstdAmt Ccy=\"EUR\">")],
        &[("<InstdAmt Ccy=\"EUR\">", "<InstdAmt Ccy=\"DEM\">")],
    ),
    case("reference.currency", Base, "pain.001", &[("<CcyOfTrf>USD", "<CcyOfTrf>DEM")]),
    case(
        "reference.amount-decimals",
        Base,
        "pacs.008",
        &[(">100.50</InstdAmt>", ">100.505</InstdAmt>")],
    ),
    changed(
        "reference.clearing-member",
        Base,
        "pacs.008",
        &[(
            "<CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI>",
            "<CdtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>GBDSC</Cd></ClrSysId><MmbId>601613</MmbId></ClrSysMmbId>",
        )],
        &[(">601613<", ">60-16-13<")],
    ),
    changed(
        "reference.routing-number",
        Hvps,
        "pacs.008",
        &[(
            "<CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI>",
            "<CdtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>USABA</Cd></ClrSysId><MmbId>021000021</MmbId></ClrSysMmbId>",
        )],
        &[(">021000021<", ">021000022<")],
    ),
    changed(
        "reference.creditor-reference",
        Base,
        "pacs.008",
        &[(
            "<Ustrd>Invoice 17</Ustrd>",
            "<Strd><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp><Ref>RF18539007547034</Ref></CdtrRefInf></Strd>",
        )],
        &[(">RF18", ">RF19")],
    ),
    changed(
        "reference.isin",
        Base,
        "camt.053",
        &[(
            "<CdtDbtInd>CRDT</CdtDbtInd></TxDtls>",
            "<CdtDbtInd>CRDT</CdtDbtInd><FinInstrmId><ISIN>US0378331005</ISIN></FinInstrmId></TxDtls>",
        )],
        &[("US0378331005", "US0378331006")],
    ),
    case("base.text-blank", Base, "pacs.008", &[("<Nm>Bright Tools Inc<", "<Nm>  <")]),
    case(
        "base.text-edges",
        Base,
        "pacs.008",
        &[("<Nm>Bright Tools Inc<", "<Nm>Bright Tools Inc <")],
    ),
    case("base.reference-slashes", Base, "pacs.008", &[("INVOICE 17<", "INVOICE//17<")]),
    case("base.date-zone", Cbpr, "pacs.008", &[("2030-01-15</Intr", "2030-01-15Z</Intr")]),
    case("base.year-four-digits", Base, "pacs.008", &[("2030-01-15</Intr", "12030-01-15</Intr")]),
    case(
        "base.year-four-digits",
        Base,
        "pacs.008",
        &[("2030-01-15T09:30:00+01:00</CreDtTm", "-2030-01-15T09:30:00+01:00</CreDtTm")],
    ),
    case("codes.unknown", Base, "pacs.004", &[("<Cd>AC04<", "<Cd>ZZ99<")]),
];
