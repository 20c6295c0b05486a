//! Status reports, recalls and their answers.

use super::{Case, case, changed};
use iso20022::Profile::{Base, Cbpr, Hvps};

pub(crate) const CASES: &[Case] = &[
    case(
        "base.rejection-reason",
        Base,
        "pacs.002",
        &[("<StsRsnInf><Rsn><Cd>AC04</Cd></Rsn></StsRsnInf>", "")],
    ),
    case("base.rejection-reason", Cbpr, "pacs.002", &[("<Rsn><Cd>AC04</Cd></Rsn>", "")]),
    case("base.narrative-text", Base, "pacs.002", &[(">AC04<", ">NARR<")]),
    changed(
        "base.status-original-named",
        Base,
        "pacs.002",
        &[
            ("<OrgnlInstrId>INSTR-8</OrgnlInstrId>", ""),
            ("<OrgnlEndToEndId>INVOICE 8</OrgnlEndToEndId>", ""),
        ],
        &[("<OrgnlUETR>11111111-1111-4111-8111-111111111111</OrgnlUETR>", "")],
    ),
    case("base.group-rejected", Base, "pacs.002.group", &[("<GrpSts>PART", "<GrpSts>RJCT")]),
    case("base.group-accepted", Base, "pacs.002.group", &[("<GrpSts>PART", "<GrpSts>ACSC")]),
    case("base.group-pending", Base, "pacs.002.group", &[("<GrpSts>PART", "<GrpSts>PDNG")]),
    case("base.status-numbers", Base, "pacs.002.group", &[("<OrgnlNbOfTxs>2", "<OrgnlNbOfTxs>3")]),
    case(
        "base.status-once",
        Base,
        "pacs.002.group",
        &[("22222222-2222-4222-9222-222222222222", "11111111-1111-4111-8111-111111111111")],
    ),
    case(
        "cbpr.status-single",
        Cbpr,
        "pacs.002",
        &[("</TxInfAndSts>", "</TxInfAndSts><TxInfAndSts><TxSts>PDNG</TxSts></TxInfAndSts>")],
    ),
    case(
        "cbpr.status-original",
        Cbpr,
        "pacs.002",
        &[("<OrgnlEndToEndId>INVOICE 8</OrgnlEndToEndId>", "")],
    ),
    case("cbpr.status-code", Cbpr, "pacs.002", &[("<TxSts>RJCT", "<TxSts>ACSC")]),
    case(
        "cbpr.return-single",
        Hvps,
        "pacs.004",
        &[(
            "</TxInf>",
            "</TxInf><TxInf><RtrdIntrBkSttlmAmt Ccy=\"EUR\">1</RtrdIntrBkSttlmAmt></TxInf>",
        )],
    ),
    case(
        "cbpr.return-uetr",
        Cbpr,
        "pacs.004",
        &[("<OrgnlUETR>11111111-1111-4111-8111-111111111111</OrgnlUETR>", "")],
    ),
    case(
        "cbpr.return-quotes",
        Cbpr,
        "pacs.004",
        &[("<OrgnlIntrBkSttlmDt>2030-01-15</OrgnlIntrBkSttlmDt>", "")],
    ),
    case(
        "cbpr.return-chain",
        Cbpr,
        "pacs.004",
        &[(
            "<RtrChain>
          <Dbtr><Agt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></Agt></Dbtr>
          <Cdtr><Agt><FinInstnId><BICFI>BRVOUS33</BICFI></FinInstnId></Agt></Cdtr>
        </RtrChain>",
            "",
        )],
    ),
    case("cbpr.return-charge-bearer", Cbpr, "pacs.004", &[(">CRED<", ">DEBT<")]),
    case("base.recall-number", Base, "camt.056", &[("<NbOfTxs>1", "<NbOfTxs>2")]),
    case("base.recall-control-sum", Base, "camt.056", &[("<CtrlSum>100.00", "<CtrlSum>100.01")]),
    case(
        "base.recall-reason",
        Base,
        "camt.056",
        &[("<CxlRsnInf><Rsn><Cd>DUPL</Cd></Rsn></CxlRsnInf>", "")],
    ),
    case("base.recall-narrative-text", Base, "camt.056", &[(">DUPL<", ">NARR<")]),
    changed(
        "base.recall-original-named",
        Base,
        "camt.056",
        &[("<OrgnlEndToEndId>INVOICE 7</OrgnlEndToEndId>", "")],
        &[("<OrgnlUETR>11111111-1111-4111-8111-111111111111</OrgnlUETR>", "")],
    ),
    changed(
        "base.recall-group-whole",
        Base,
        "camt.056",
        &[(
            "<Undrlyg>",
            "<Undrlyg><OrgnlGrpInfAndCxl><OrgnlMsgId>ALFA-1</OrgnlMsgId><OrgnlMsgNmId>pacs.008.001.08</OrgnlMsgNmId><GrpCxl>false</GrpCxl></OrgnlGrpInfAndCxl>",
        )],
        &[("<GrpCxl>false", "<GrpCxl>true")],
    ),
    changed(
        "base.recall-once",
        Base,
        "camt.056",
        &[(
            "</TxInf>",
            "</TxInf><TxInf><OrgnlUETR>22222222-2222-4222-9222-222222222222</OrgnlUETR></TxInf>",
        )],
        &[("22222222-2222-4222-9222-222222222222", "11111111-1111-4111-8111-111111111111")],
    ),
    case("base.assignment-parties", Base, "camt.056", &[("BRVOUS33", "ALFADEFF")]),
    case(
        "cbpr.recall-single",
        Cbpr,
        "camt.056",
        &[(
            "</TxInf>",
            "</TxInf><TxInf><OrgnlUETR>22222222-2222-4222-9222-222222222222</OrgnlUETR></TxInf>",
        )],
    ),
    case(
        "cbpr.related-uetr",
        Cbpr,
        "camt.056",
        &[("<OrgnlUETR>11111111-1111-4111-8111-111111111111</OrgnlUETR>", "")],
    ),
    case(
        "cbpr.related-uetr",
        Cbpr,
        "camt.029",
        &[("<OrgnlUETR>11111111-1111-4111-8111-111111111111</OrgnlUETR>", "")],
    ),
    case(
        "base.resolution-reason",
        Base,
        "camt.029",
        &[("<CxlStsRsnInf><Rsn><Cd>AC04</Cd></Rsn></CxlStsRsnInf>", "")],
    ),
    case(
        "base.resolution-details",
        Base,
        "camt.029",
        &[(
            "<CxlDtls>
      <TxInfAndSts>
        <OrgnlEndToEndId>INVOICE 7</OrgnlEndToEndId>
        <OrgnlUETR>11111111-1111-4111-8111-111111111111</OrgnlUETR>
        <TxCxlSts>RJCR</TxCxlSts>
        <CxlStsRsnInf><Rsn><Cd>AC04</Cd></Rsn></CxlStsRsnInf>
      </TxInfAndSts>
    </CxlDtls>",
            "",
        )],
    ),
    case("base.resolution-agrees", Base, "camt.029", &[("<Conf>RJCR", "<Conf>CNCL")]),
    case(
        "base.request-original-named",
        Base,
        "pacs.028",
        &[("<OrgnlUETR>11111111-1111-4111-8111-111111111111</OrgnlUETR>", "")],
    ),
];
