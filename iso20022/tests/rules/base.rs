//! Cross-field rules of payments and of what starts them.

use super::{BATCH, Case, case, changed};
use iso20022::Profile::{Base, Corridor};

pub(crate) const CASES: &[Case] = &[
    case("base.number-of-transactions", Base, BATCH, &[("<NbOfTxs>2<", "<NbOfTxs>3<")]),
    case("base.number-of-transactions", Base, "pacs.004", &[("<NbOfTxs>1<", "<NbOfTxs>2<")]),
    case("base.number-of-transactions", Base, "pacs.010", &[("<NbOfTxs>1<", "<NbOfTxs>2<")]),
    case("base.control-sum", Base, BATCH, &[("<CtrlSum>350.75", "<CtrlSum>350.76")]),
    case("base.total-amount", Base, BATCH, &[("\"EUR\">350.75", "\"EUR\">350.76")]),
    case("base.total-amount", Base, "pacs.010", &[("\"EUR\">250.00</Ttl", "\"EUR\">251.00</Ttl")]),
    case("base.total-currency", Base, BATCH, &[("\"EUR\">350.75", "\"USD\">350.75")]),
    case("base.one-currency", Base, BATCH, &[("\"EUR\">+0250", "\"USD\">+0250")]),
    case(
        "base.settlement-date-with-total",
        Base,
        BATCH,
        &[("<IntrBkSttlmDt>2030-01-15</IntrBkSttlmDt>", "")],
    ),
    case(
        "base.settlement-date-once",
        Base,
        BATCH,
        &[("</IntrBkSttlmAmt>", "</IntrBkSttlmAmt><IntrBkSttlmDt>2030-01-15</IntrBkSttlmDt>")],
    ),
    changed(
        "base.payment-type-once",
        Base,
        "pacs.008",
        &[],
        &[("</SttlmInf>", "</SttlmInf><PmtTpInf><InstrPrty>NORM</InstrPrty></PmtTpInf>")],
    ),
    changed(
        "base.instructing-agent-once",
        Base,
        "pacs.008",
        &[],
        &[(
            "</SttlmInf>",
            "</SttlmInf><InstgAgt><FinInstnId><BICFI>ALFADEFF</BICFI></FinInstnId></InstgAgt>",
        )],
    ),
    changed(
        "base.instructed-agent-once",
        Base,
        "pacs.008",
        &[],
        &[(
            "</SttlmInf>",
            "</SttlmInf><InstdAgt><FinInstnId><BICFI>BRVOUS33</BICFI></FinInstnId></InstdAgt>",
        )],
    ),
    case("base.currency-known", Base, "pacs.009", &[("Ccy=\"USD\"", "Ccy=\"DEM\"")]),
    case("base.currency-is-money", Base, "pacs.009", &[("Ccy=\"USD\"", "Ccy=\"XAU\"")]),
    changed(
        "base.currency-decimals",
        Base,
        "pacs.009",
        &[("Ccy=\"USD\"", "Ccy=\"JPY\"")],
        &[("1000000.00", "1000000.50")],
    ),
    case("base.amount-not-zero", Base, "pacs.009", &[(">1000000.00<", ">0.00<")]),
    changed(
        "base.exchange-rate-needed",
        Base,
        "pacs.008",
        &[(
            "<InstdAmt Ccy=\"EUR\">100.50</InstdAmt>",
            "<InstdAmt Ccy=\"USD\">100.50</InstdAmt><XchgRate>0.95</XchgRate>",
        )],
        &[("<XchgRate>0.95</XchgRate>", "")],
    ),
    case(
        "base.exchange-rate-superfluous",
        Base,
        "pacs.008",
        &[("</InstdAmt>", "</InstdAmt><XchgRate>1</XchgRate>")],
    ),
    case(
        "base.difference-explained",
        Base,
        "pacs.008",
        &[(
            "<ChrgsInf>
          <Amt Ccy=\"EUR\">5.00</Amt>
          <Agt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></Agt>
        </ChrgsInf>",
            "",
        )],
    ),
    case("base.charges-taken", Base, "pacs.008", &[(">5.00<", ">4.00<")]),
    changed(
        "base.charges-prepaid",
        Base,
        "pacs.008",
        &[(">SHAR<", ">DEBT<"), ("<InstdAmt Ccy=\"EUR\">100.50<", "<InstdAmt Ccy=\"EUR\">90.50<")],
        &[("<InstdAmt Ccy=\"EUR\">90.50<", "<InstdAmt Ccy=\"EUR\">100.50<")],
    ),
    case(
        "base.settlement-method-excludes",
        Base,
        "pacs.008",
        &[("</SttlmMtd>", "</SttlmMtd><ClrSys><Cd>TGT</Cd></ClrSys>")],
    ),
    changed(
        "base.cover-needs-agent",
        Base,
        "pacs.008",
        &[(
            "INDA</SttlmMtd>",
            "COVE</SttlmMtd><InstgRmbrsmntAgt><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></InstgRmbrsmntAgt>",
        )],
        &[(
            "<InstgRmbrsmntAgt><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></InstgRmbrsmntAgt>",
            "",
        )],
    ),
    changed(
        "base.third-agent-needs-both",
        Base,
        "pacs.008",
        &[(
            "INDA</SttlmMtd>",
            "COVE</SttlmMtd><InstgRmbrsmntAgt><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></InstgRmbrsmntAgt>",
        )],
        &[(
            "</InstgRmbrsmntAgt>",
            "</InstgRmbrsmntAgt><ThrdRmbrsmntAgt><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></ThrdRmbrsmntAgt>",
        )],
    ),
    changed(
        "base.reimbursement-account-needs-agent",
        Base,
        "pacs.008",
        &[(
            "INDA</SttlmMtd>",
            "COVE</SttlmMtd><InstgRmbrsmntAgt><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></InstgRmbrsmntAgt>",
        )],
        &[(
            "</InstgRmbrsmntAgt>",
            "</InstgRmbrsmntAgt><InstdRmbrsmntAgtAcct><Id><Othr><Id>1</Id></Othr></Id></InstdRmbrsmntAgtAcct>",
        )],
    ),
    case(
        "base.clearing-system-named",
        Base,
        "pacs.009.clearing",
        &[("<ClrSys><Cd>TGT</Cd></ClrSys>", "")],
    ),
    changed(
        "base.agent-chain",
        Base,
        "pacs.008",
        &[(
            "</InstdAgt>\n        <Dbtr>",
            "</InstdAgt><IntrmyAgt1><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></IntrmyAgt1><Dbtr>",
        )],
        &[("<IntrmyAgt1>", "<IntrmyAgt2>"), ("</IntrmyAgt1>", "</IntrmyAgt2>")],
    ),
    changed(
        "base.agent-account-needs-agent",
        Base,
        "pacs.008",
        &[("</InstdAgt>\n        <Dbtr>", "</InstdAgt><Dbtr>")],
        &[(
            "</InstdAgt><Dbtr>",
            "</InstdAgt><IntrmyAgt1Acct><Id><Othr><Id>1</Id></Othr></Id></IntrmyAgt1Acct><Dbtr>",
        )],
    ),
    changed(
        "base.instruction-once",
        Base,
        "pacs.008",
        &[("</CdtrAcct>", "</CdtrAcct><InstrForCdtrAgt><Cd>PHOB</Cd></InstrForCdtrAgt>")],
        &[(
            "</InstrForCdtrAgt>",
            "</InstrForCdtrAgt><InstrForCdtrAgt><Cd>PHOB</Cd></InstrForCdtrAgt>",
        )],
    ),
    changed(
        "base.instruction-conflict",
        Base,
        "pacs.008",
        &[("</CdtrAcct>", "</CdtrAcct><InstrForCdtrAgt><Cd>PHOB</Cd></InstrForCdtrAgt>")],
        &[(
            "</InstrForCdtrAgt>",
            "</InstrForCdtrAgt><InstrForCdtrAgt><Cd>TELB</Cd></InstrForCdtrAgt>",
        )],
    ),
    changed(
        "base.cheque-excludes-account",
        Base,
        "pacs.008",
        &[("</CdtrAcct>", "</CdtrAcct><InstrForCdtrAgt><Cd>HOLD</Cd></InstrForCdtrAgt>")],
        &[(">HOLD<", ">CHQB<")],
    ),
    case(
        "base.remittance-once",
        Base,
        "pacs.008",
        &[("<RmtInf>", "<RltdRmtInf><RmtId>PAPER 17</RmtId></RltdRmtInf><RmtInf>")],
    ),
    case("base.return-not-more", Base, "pacs.004", &[("\"EUR\">98.00", "\"EUR\">100.01")]),
    case(
        "base.return-currency",
        Base,
        "pacs.004",
        &[("<OrgnlIntrBkSttlmAmt Ccy=\"EUR\"", "<OrgnlIntrBkSttlmAmt Ccy=\"USD\"")],
    ),
    changed(
        "base.return-original-named",
        Base,
        "pacs.004",
        &[
            ("<OrgnlInstrId>INSTR-7</OrgnlInstrId>", ""),
            ("<OrgnlEndToEndId>INVOICE 7</OrgnlEndToEndId>", ""),
            (
                "<OrgnlGrpInf>
          <OrgnlMsgId>BRAVO-7</OrgnlMsgId>
          <OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId>
        </OrgnlGrpInf>",
                "",
            ),
        ],
        &[("<OrgnlUETR>11111111-1111-4111-8111-111111111111</OrgnlUETR>", "")],
    ),
    case(
        "base.return-reason-present",
        Base,
        "pacs.004",
        &[("<RtrRsnInf><Rsn><Cd>AC04</Cd></Rsn></RtrRsnInf>", "")],
    ),
    case("base.return-narrative-text", Base, "pacs.004", &[("<Cd>AC04<", "<Cd>NARR<")]),
    case(
        "base.return-charges-told",
        Base,
        "pacs.004",
        &[(
            "<ChrgsInf>
          <Amt Ccy=\"EUR\">2.00</Amt>
          <Agt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></Agt>
        </ChrgsInf>",
            "",
        )],
    ),
    case(
        "base.return-quoted-once",
        Base,
        "pacs.004",
        &[(
            "</RtrRsnInf>",
            "</RtrRsnInf><OrgnlTxRef><IntrBkSttlmAmt Ccy=\"EUR\">100.00</IntrBkSttlmAmt></OrgnlTxRef>",
        )],
    ),
    case(
        "corridor.uetr-present",
        Corridor,
        BATCH,
        &[("<UETR>22222222-2222-4222-9222-222222222222</UETR>", "")],
    ),
    case(
        "corridor.uetr-unique",
        Corridor,
        BATCH,
        &[("22222222-2222-4222-9222-222222222222", "11111111-1111-4111-8111-111111111111")],
    ),
    case("base.initiation-number", Base, "pain.001", &[("<NbOfTxs>2<", "<NbOfTxs>1<")]),
    case("base.initiation-control-sum", Base, "pain.001", &[("<CtrlSum>350.75", "<CtrlSum>350.7")]),
    case(
        "base.block-number",
        Base,
        "pain.001",
        &[("</PmtMtd>\n      <NbOfTxs>2<", "</PmtMtd><NbOfTxs>3<")],
    ),
    case(
        "base.block-control-sum",
        Base,
        "pain.001",
        &[("<CtrlSum>350.75</CtrlSum>\n      <PmtTpInf>", "<CtrlSum>1</CtrlSum><PmtTpInf>")],
    ),
    case(
        "base.initiation-payment-type-once",
        Base,
        "pain.001",
        &[("</PmtId>", "</PmtId><PmtTpInf><InstrPrty>HIGH</InstrPrty></PmtTpInf>")],
    ),
    case(
        "base.initiation-charge-bearer-once",
        Base,
        "pain.001",
        &[("</InstdAmt></Amt>", "</InstdAmt></Amt><ChrgBr>DEBT</ChrgBr>")],
    ),
    case(
        "base.initiation-ultimate-once",
        Base,
        "pain.001",
        &[("</InstdAmt></Amt>", "</InstdAmt></Amt><UltmtDbtr><Nm>Other</Nm></UltmtDbtr>")],
    ),
    changed(
        "base.charges-agent-needs-account",
        Base,
        "pain.001",
        &[(
            "</ChrgBr>",
            "</ChrgBr><ChrgsAcct><Id><Othr><Id>1</Id></Othr></Id></ChrgsAcct><ChrgsAcctAgt><FinInstnId><BICFI>CHARJPJT</BICFI></FinInstnId></ChrgsAcctAgt>",
        )],
        &[("<ChrgsAcct><Id><Othr><Id>1</Id></Othr></Id></ChrgsAcct>", "")],
    ),
    changed(
        "base.cheque-needs-method",
        Base,
        "pain.001",
        &[
            (">TRF<", ">CHK<"),
            ("</InstdAmt></Amt>", "</InstdAmt></Amt><ChqInstr><ChqNb>1</ChqNb></ChqInstr>"),
        ],
        &[(">CHK<", ">TRF<")],
    ),
    changed(
        "base.block-identification-once",
        Base,
        "pain.001",
        &[(
            "</PmtInf>",
            "</PmtInf><PmtInf><PmtInfId>BLOCK-2</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>2030-01-16</Dt></ReqdExctnDt><Dbtr/><DbtrAcct><Id><Othr><Id>1</Id></Othr></Id></DbtrAcct><DbtrAgt><FinInstnId/></DbtrAgt><CdtTrfTxInf><PmtId><EndToEndId>1</EndToEndId></PmtId><Amt><InstdAmt Ccy=\"EUR\">1</InstdAmt></Amt></CdtTrfTxInf></PmtInf>",
        )],
        &[("BLOCK-2", "BLOCK-1")],
    ),
    case(
        "base.transfer-needs-creditor",
        Base,
        "pain.001",
        &[("<Cdtr><Nm>John Sample</Nm></Cdtr>", "")],
    ),
    case("base.equivalent-currency", Base, "pain.001", &[("<CcyOfTrf>USD", "<CcyOfTrf>EUR")]),
    case("base.instructed-amount-not-zero", Base, "pain.001", &[(">100.50<", ">0.00<")]),
];
