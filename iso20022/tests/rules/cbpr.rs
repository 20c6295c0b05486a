//! CBPR+ and HVPS+: headers, parties, addresses, payments.

use super::{BATCH, Case, case, changed};
use iso20022::Profile::{Base, Cbpr, Hvps};

pub(crate) const CASES: &[Case] = &[
    case(
        "header.message-definition",
        Base,
        "pacs.008",
        &[(">pacs.008.001.08<", ">pacs.009.001.08<")],
    ),
    case(
        "header.message-version",
        Cbpr,
        "pacs.008",
        &[(">pacs.008.001.08<", ">pacs.008.001.08CORE<")],
    ),
    case(
        "header.business-message-id",
        Cbpr,
        "pacs.008",
        &[("<BizMsgIdr>ALFA", "<BizMsgIdr>OTHER")],
    ),
    case("header.parties", Cbpr, "pacs.008", &[("<BICFI>ALFADEFFXXX", "<BICFI>CHARJPJT")]),
    changed(
        "cbpr.header-present",
        Cbpr,
        "pacs.008",
        &[],
        &[
            ("<AppHdr xmlns=\"urn:iso:std:iso:20022:tech:xsd:head.001.001.02\">", "<Removed>"),
            ("</AppHdr>", "</Removed>"),
        ],
    ),
    case("cbpr.header-version", Cbpr, "pacs.008", &[("head.001.001.02", "head.001.001.03")]),
    case(
        "cbpr.header-bics",
        Cbpr,
        "pacs.008",
        &[(
            "<FIId><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></FIId>",
            "<OrgId><Id><OrgId><AnyBIC>ALFADEFFXXX</AnyBIC></OrgId></Id></OrgId>",
        )],
    ),
    case(
        "cbpr.header-service-present",
        Cbpr,
        "pacs.008",
        &[("<BizSvc>swift.cbprplus.04</BizSvc>", "")],
    ),
    case("cbpr.header-service-form", Cbpr, "pacs.008", &[("swift.cbprplus.04", "Swift.cbprplus")]),
    case("cbpr.header-service-fits", Cbpr, "pacs.009", &[("cbprplus.04", "cbprplus.cov.04")]),
    changed(
        "cbpr.header-priority",
        Cbpr,
        "pacs.008",
        &[("+01:00</CreDt>", "+01:00</CreDt><Prty>NORM</Prty>")],
        &[("<Prty>NORM", "<Prty>HIGH")],
    ),
    case(
        "cbpr.message-version",
        Cbpr,
        "pacs.008",
        &[("xsd:pacs.008.001.08", "xsd:pacs.008.001.10")],
    ),
    case("cbpr.characters-identifier", Cbpr, "pacs.008", &[("INVOICE 17", "INVOICE_17")]),
    case("cbpr.characters-text", Cbpr, "pacs.008", &[("Meier und Soehne", "Meier und Söhne")]),
    case(
        "cbpr.time-offset",
        Cbpr,
        "pacs.008",
        &[("09:30:00+01:00</CreDtTm>", "08:30:00Z</CreDtTm>")],
    ),
    case(
        "hvps.time-zone",
        Hvps,
        "pacs.009.clearing",
        &[("08:30:00Z</CreDtTm>", "08:30:00</CreDtTm>")],
    ),
    case(
        "cbpr.remittance-form",
        Cbpr,
        "pacs.008",
        &[("</Ustrd>", "</Ustrd><Strd><AddtlRmtInf>more</AddtlRmtInf></Strd>")],
    ),
    case("cbpr.remittance-lines", Cbpr, "pacs.008", &[("</Ustrd>", "</Ustrd><Ustrd>more</Ustrd>")]),
    case(
        "cbpr.address-unstructured",
        Cbpr,
        "pacs.008",
        &[("<TwnNm>Boston</TwnNm><Ctry>US</Ctry>", "")],
    ),
    case("cbpr.address-town-country", Cbpr, "pacs.008", &[("<TwnNm>Boston</TwnNm>", "")]),
    case(
        "cbpr.address-lines",
        Cbpr,
        "pacs.008",
        &[("</AdrLine>", "</AdrLine><AdrLine>Room 1</AdrLine><AdrLine>Desk 2</AdrLine>")],
    ),
    case(
        "cbpr.address-repeated",
        Cbpr,
        "pacs.008",
        &[("12 Main Street", "12 Main Street, BOSTON")],
    ),
    case(
        "cbpr.network-agent-bic",
        Cbpr,
        "pacs.008",
        &[("<InstgAgt><FinInstnId><BICFI>ALFADEFFXXX</BICFI>", "<InstgAgt><FinInstnId>")],
    ),
    case(
        "cbpr.network-agent-plain",
        Cbpr,
        "pacs.008",
        &[(
            "<InstdAgt><FinInstnId><BICFI>BRVOUS33</BICFI>",
            "<InstdAgt><FinInstnId><BICFI>BRVOUS33</BICFI><Nm>Bravo</Nm>",
        )],
    ),
    case(
        "cbpr.agent-name-address",
        Cbpr,
        "pacs.008",
        &[(
            "<CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI>",
            "<CdtrAgt><FinInstnId><Nm>Bravo</Nm>",
        )],
    ),
    case(
        "cbpr.agent-identified",
        Cbpr,
        "pacs.008",
        &[("<CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI>", "<CdtrAgt><FinInstnId>")],
    ),
    case(
        "cbpr.agent-clearing-alone",
        Cbpr,
        "pacs.008",
        &[(
            "<CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI>",
            "<CdtrAgt><FinInstnId><ClrSysMmbId><ClrSysId><Cd>USABA</Cd></ClrSysId><MmbId>021000021</MmbId></ClrSysMmbId>",
        )],
    ),
    case("cbpr.party-name", Cbpr, "pacs.008", &[("<Nm>Bright Tools Inc</Nm>", "")]),
    case(
        "cbpr.party-named",
        Cbpr,
        "pacs.009.cov",
        &[(
            "<Cdtr><Nm>Tanaka</Nm><PstlAdr><TwnNm>Osaka</TwnNm><Ctry>JP</Ctry></PstlAdr></Cdtr>",
            "<Cdtr/>",
        )],
    ),
    case(
        "cbpr.party-bic-alone",
        Cbpr,
        "pacs.008",
        &[(
            "<AdrLine>12 Main Street</AdrLine></PstlAdr>",
            "</PstlAdr><Id><OrgId><AnyBIC>BRVOUS33</AnyBIC></OrgId></Id>",
        )],
    ),
    case(
        "cbpr.party-address",
        Cbpr,
        "pacs.009.cov",
        &[("<PstlAdr><TwnNm>Osaka</TwnNm><Ctry>JP</Ctry></PstlAdr>", "")],
    ),
    case(
        "cbpr.single-transaction",
        Cbpr,
        "pacs.009",
        &[(
            "</CdtTrfTxInf>",
            "</CdtTrfTxInf><CdtTrfTxInf><PmtId><EndToEndId>2</EndToEndId></PmtId><IntrBkSttlmAmt Ccy=\"USD\">1</IntrBkSttlmAmt><Dbtr><FinInstnId/></Dbtr><Cdtr><FinInstnId/></Cdtr></CdtTrfTxInf>",
        )],
    ),
    case(
        "cbpr.group-header-plain",
        Cbpr,
        "pacs.009",
        &[("</NbOfTxs>", "</NbOfTxs><CtrlSum>1000000</CtrlSum>")],
    ),
    case("cbpr.settlement-method", Cbpr, "pacs.009", &[(">INDA<", ">COVE<")]),
    case("cbpr.settlement-method", Cbpr, "pacs.008", &[(">INDA<", ">CLRG<")]),
    changed(
        "cbpr.settlement-method",
        Cbpr,
        "pacs.009",
        &[("cbprplus.04", "cbprplus.adv.04"), (">INDA<", ">COVE<")],
        &[(">COVE<", ">INDA<")],
    ),
    case(
        "cbpr.direct-debit-single",
        Cbpr,
        "pacs.010",
        &[(
            "</CdtInstr>",
            "</CdtInstr><CdtInstr><CdtId>2</CdtId><Cdtr><FinInstnId/></Cdtr><DrctDbtTxInf><PmtId><EndToEndId>2</EndToEndId></PmtId><IntrBkSttlmAmt Ccy=\"EUR\">1</IntrBkSttlmAmt><Dbtr><FinInstnId/></Dbtr></DrctDbtTxInf></CdtInstr>",
        )],
    ),
    case("cbpr.instruction-id-present", Cbpr, "pacs.008", &[("<InstrId>INSTR-1</InstrId>", "")]),
    case("cbpr.instruction-id-length", Cbpr, "pacs.008", &[("INSTR-1", "INSTR-1-000000000")]),
    case("cbpr.instruction-id-slashes", Cbpr, "pacs.008", &[("INSTR-1", "INSTR//1")]),
    changed(
        "cbpr.cover-end-to-end",
        Cbpr,
        "pacs.009.cov",
        &[("OF 2030<", "OF 2030//1<")],
        &[("INVOICE 17 OF", "INVOICE//17 OF")],
    ),
    case(
        "cbpr.uetr-present",
        Hvps,
        "pacs.009.clearing",
        &[("<UETR>22222222-2222-4222-9222-222222222222</UETR>", "")],
    ),
    case(
        "cbpr.uetr-present",
        Cbpr,
        "pacs.010",
        &[("<UETR>33333333-3333-4333-a333-333333333333</UETR>", "")],
    ),
    case(
        "cbpr.settlement-date-present",
        Cbpr,
        "pacs.008",
        &[("<IntrBkSttlmDt>2030-01-15</IntrBkSttlmDt>", "")],
    ),
    case(
        "cbpr.agents-present",
        Cbpr,
        "pacs.008",
        &[("<InstdAgt><FinInstnId><BICFI>BRVOUS33</BICFI></FinInstnId></InstdAgt>", "")],
    ),
    case(
        "cbpr.agents-differ",
        Cbpr,
        "pacs.008",
        &[("<InstdAgt><FinInstnId><BICFI>BRVOUS33<", "<InstdAgt><FinInstnId><BICFI>ALFADEFF<")],
    ),
    case("cbpr.charge-bearer", Cbpr, "pacs.008", &[(">SHAR<", ">SLEV<")]),
    changed(
        "cbpr.charges-with-cred",
        Cbpr,
        "pacs.008",
        &[(">SHAR<", ">CRED<")],
        &[(
            "<ChrgsInf>
          <Amt Ccy=\"EUR\">5.00</Amt>
          <Agt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></Agt>
        </ChrgsInf>",
            "",
        )],
    ),
    changed(
        "cbpr.charges-with-debt",
        Cbpr,
        "pacs.008",
        &[(">SHAR<", ">DEBT<")],
        &[(
            "</ChrgsInf>",
            "</ChrgsInf><ChrgsInf><Amt Ccy=\"EUR\">1</Amt><Agt><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></Agt></ChrgsInf>",
        )],
    ),
    case("cbpr.amount-digits", Cbpr, "pacs.009", &[(">1000000.00<", ">1000000000000.01<")]),
    case(
        "cbpr.service-levels",
        Cbpr,
        "pacs.008",
        &[(
            "</SvcLvl>",
            "</SvcLvl><SvcLvl><Cd>URGP</Cd></SvcLvl><SvcLvl><Cd>SDVA</Cd></SvcLvl><SvcLvl><Cd>NURG</Cd></SvcLvl>",
        )],
    ),
    case("cbpr.tracked-service", Cbpr, "pacs.008", &[(">G001<", ">G002<")]),
    changed(
        "cbpr.institution-instruction",
        Cbpr,
        "pacs.009",
        &[
            ("xsd:pacs.009.001.08", "xsd:pacs.009.001.11"),
            ("</Cdtr>", "</Cdtr><InstrForCdtrAgt><Cd>PHOB</Cd></InstrForCdtrAgt>"),
        ],
        &[(">PHOB<", ">HOLD<")],
    ),
    case(
        "cbpr.debtor-identified",
        Cbpr,
        "pacs.008",
        &[("<DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></DbtrAcct>", "")],
    ),
    case(
        "hvps.settlement-clearing",
        Hvps,
        "pacs.009.clearing",
        &[("CLRG</SttlmMtd><ClrSys><Cd>TGT</Cd></ClrSys>", "INDA</SttlmMtd>")],
    ),
    case(
        "hvps.settlement-date",
        Hvps,
        "pacs.009.clearing",
        &[("<IntrBkSttlmDt>2030-01-15</IntrBkSttlmDt>", "")],
    ),
    case(
        "hvps.agents-identified",
        Hvps,
        "pacs.009.clearing",
        &[("<InstdAgt><FinInstnId><BICFI>BRVOUS33</BICFI></FinInstnId></InstdAgt>", "")],
    ),
    case(
        "hvps.total-single",
        Hvps,
        "pacs.009.clearing",
        &[("</NbOfTxs>", "</NbOfTxs><CtrlSum>1000000</CtrlSum>")],
    ),
    case(
        "cbpr.single-transaction",
        Cbpr,
        "pacs.008",
        &[(
            "</CdtTrfTxInf>",
            "</CdtTrfTxInf><CdtTrfTxInf><PmtId><EndToEndId>2</EndToEndId></PmtId><IntrBkSttlmAmt Ccy=\"EUR\">1</IntrBkSttlmAmt><ChrgBr>SHAR</ChrgBr><Dbtr/><DbtrAgt><FinInstnId/></DbtrAgt><CdtrAgt><FinInstnId/></CdtrAgt><Cdtr/></CdtTrfTxInf>",
        )],
    ),
    changed("base.reference-slashes", Base, BATCH, &[], &[("INSTR-1", "/INSTR-1")]),
];
