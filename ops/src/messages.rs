//! The messages that the tool sends as a bank's own systems would, and what it reads in the answers.
//!
//! Payments are written as plain text, not with the network's own builders, so that demo and
//! benchmarks feed the gateways what an outside program would. Answers are read with the message
//! library and must follow their schema.

use std::fmt::Write as _;

use anyhow::{Context, Result, bail, ensure};
use iso20022::{Limits, Node};

use crate::clock::{date, date_time};
use crate::money::format_minor;

/// Name of the customer who pays in every message written here.
pub const DEBTOR_NAME: &str = "Lindgren Maskin AB";

/// A credit transfer to be written as XML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    /// Its identity, a lower-case UUID of version 4.
    pub uetr: String,
    /// The debtor's reference, at most 35 characters.
    pub end_to_end_id: String,
    /// BIC of the bank that pays.
    pub debtor_bank: String,
    /// BIC of the bank that receives.
    pub creditor_bank: String,
    /// Currency.
    pub currency: String,
    /// Decimals of the currency.
    pub exponent: u8,
    /// Amount in minor units.
    pub minor: u64,
    /// What it is for, at most 140 characters.
    pub remittance: String,
}

/// Writes a `pacs.008.001.08` with one or more payments of one currency between the same two banks.
///
/// `message_id` has at most 35 characters; `now_ns` becomes its creation time and settlement date.
pub fn pacs008(message_id: &str, payments: &[Payment], now_ns: u64) -> String {
    let mut xml = String::with_capacity(1_200 + payments.len() * 1_400);
    xml.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.push_str("<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\">\n");
    xml.push_str(" <FIToFICstmrCdtTrf>\n  <GrpHdr>\n");
    let total: u64 = payments.iter().map(|payment| payment.minor).sum();
    let _ = write!(
        xml,
        "   <MsgId>{}</MsgId>\n   <CreDtTm>{}+00:00</CreDtTm>\n   <NbOfTxs>{}</NbOfTxs>\n",
        escaped(message_id),
        date_time(now_ns),
        payments.len()
    );
    if let Some(first) = payments.first() {
        let _ = write!(
            xml,
            "   <TtlIntrBkSttlmAmt Ccy=\"{}\">{}</TtlIntrBkSttlmAmt>\n   <IntrBkSttlmDt>{}</IntrBkSttlmDt>\n",
            escaped(&first.currency),
            format_minor(i128::from(total), first.exponent),
            date(now_ns)
        );
    }
    xml.push_str("   <SttlmInf><SttlmMtd>CLRG</SttlmMtd><ClrSys><Prtry>CORRIDOR</Prtry></ClrSys></SttlmInf>\n");
    if let Some(first) = payments.first() {
        agent(&mut xml, "InstgAgt", &first.debtor_bank);
        agent(&mut xml, "InstdAgt", &first.creditor_bank);
    }
    xml.push_str("  </GrpHdr>\n");
    for payment in payments {
        transaction(&mut xml, payment);
    }
    xml.push_str(" </FIToFICstmrCdtTrf>\n</Document>\n");
    xml
}

fn transaction(xml: &mut String, payment: &Payment) {
    let _ = write!(
        xml,
        "  <CdtTrfTxInf>\n   <PmtId><InstrId>{}</InstrId><EndToEndId>{}</EndToEndId><UETR>{}</UETR></PmtId>\n",
        // Sixteen characters of the id: as long as an instruction id may be on other networks.
        escaped(&payment.uetr.replace('-', "").chars().take(16).collect::<String>()),
        escaped(&payment.end_to_end_id),
        escaped(&payment.uetr)
    );
    let _ = write!(
        xml,
        "   <IntrBkSttlmAmt Ccy=\"{}\">{}</IntrBkSttlmAmt>\n   <ChrgBr>SHAR</ChrgBr>\n",
        escaped(&payment.currency),
        format_minor(i128::from(payment.minor), payment.exponent)
    );
    party(xml, "Dbtr", DEBTOR_NAME, "Storgatan 4", "DE89370400440532013000");
    agent(xml, "DbtrAgt", &payment.debtor_bank);
    agent(xml, "CdtrAgt", &payment.creditor_bank);
    party(xml, "Cdtr", "Orchard Tools Ltd", "9 Mill Lane", "GB29NWBK60161331926819");
    let _ = write!(
        xml,
        "   <RmtInf><Ustrd>{}</Ustrd></RmtInf>\n  </CdtTrfTxInf>\n",
        escaped(&payment.remittance)
    );
}

fn agent(xml: &mut String, element: &str, bic: &str) {
    let bic = escaped(bic);
    let _ =
        writeln!(xml, "   <{element}><FinInstnId><BICFI>{bic}</BICFI></FinInstnId></{element}>");
}

fn party(xml: &mut String, element: &str, name: &str, street: &str, iban: &str) {
    let _ = write!(
        xml,
        "   <{element}><Nm>{name}</Nm><PstlAdr><StrtNm>{street}</StrtNm><TwnNm>Riverton</TwnNm>\
         <Ctry>{}</Ctry></PstlAdr></{element}>\n   \
         <{element}Acct><Id><IBAN>{iban}</IBAN></Id></{element}Acct>\n",
        &iban[..2]
    );
}

/// Text as it may stand between tags or in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            other => out.push(other),
        }
    }
    out
}

/// What a gateway answered to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A `pacs.002`: one status a transaction.
    Status(StatusReport),
    /// An `admi.002`: the message could not be read.
    Unreadable {
        /// Reason code.
        code: String,
        /// Reason in words.
        text: String,
    },
}

/// The parts of a `pacs.002` that matter here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StatusReport {
    /// Status of the whole message, if given.
    pub group: Option<Status>,
    /// Status of each transaction.
    pub transactions: Vec<(String, Status)>,
}

/// A status with its reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// ISO status code such as `ACSC` or `RJCT`; empty when the message gives none.
    pub code: String,
    /// ISO reason code such as `AM04`; empty when there is none.
    pub reason: String,
    /// Reason in words, all lines joined by a blank.
    pub text: String,
}

impl StatusReport {
    /// Whether every transaction has an answer that will not change.
    pub fn is_definitive(&self) -> bool {
        let definitive = |status: &Status| matches!(status.code.as_str(), "ACSC" | "ACCC" | "RJCT");
        if self.transactions.is_empty() {
            return self.group.as_ref().is_some_and(definitive);
        }
        self.transactions.iter().all(|(_, status)| definitive(status))
    }

    /// The status of the only or first transaction, else of the message.
    pub fn first(&self) -> Status {
        let of_transaction = self.transactions.first().map(|(_, status)| status);
        of_transaction.or(self.group.as_ref()).cloned().unwrap_or_default()
    }
}

/// Reads a gateway's answer, which must follow its schema.
pub fn read_reply(bytes: &[u8]) -> Result<Reply> {
    let message = iso20022::read(bytes, &Limits::batch()).with_context(|| {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(200)]).into_owned();
        format!("the answer is no message: `{start}`")
    })?;
    if let Some(finding) = message.findings.first() {
        bail!("the answer breaks its schema at {}: {}", finding.path, finding.text);
    }
    let body = message.document.body().context("the answer is empty")?;
    match message.name.family() {
        "pacs.002" => Ok(Reply::Status(status_report(body))),
        "admi.002" => Ok(Reply::Unreadable {
            code: body.text_at("Rsn/RjctgPtyRsn").unwrap_or_default().to_owned(),
            text: body.text_at("Rsn/RsnDesc").unwrap_or_default().to_owned(),
        }),
        other => bail!("the answer is a {other}, which answers no payment"),
    }
}

fn status_report(body: Node<'_>) -> StatusReport {
    let group = body.child("OrgnlGrpInfAndSts").map(|node| status(node, "GrpSts"));
    let transactions = body.children("TxInfAndSts").map(|node| {
        let uetr = node.text_at("OrgnlUETR").unwrap_or_default();
        (uetr.to_owned(), status(node, "TxSts"))
    });
    StatusReport {
        transactions: transactions.collect(),
        group: group.filter(|status| !status.code.is_empty()),
    }
}

fn status(node: Node<'_>, element: &str) -> Status {
    let mut status =
        Status { code: node.text_at(element).unwrap_or_default().to_owned(), ..Status::default() };
    if let Some(reason) = node.child("StsRsnInf") {
        let code = reason.text_at("Rsn/Cd").or_else(|| reason.text_at("Rsn/Prtry"));
        status.reason = code.unwrap_or_default().to_owned();
        let lines: Vec<_> = reason.children("AddtlInf").map(Node::text).collect();
        status.text = lines.join(" ");
    }
    status
}

/// UETRs of the payments in a message that was delivered to a bank.
pub fn delivered_uetrs(bytes: &[u8]) -> Result<Vec<String>> {
    let message = iso20022::read(bytes, &Limits::default()).context("read a delivered message")?;
    let findings = &message.findings;
    ensure!(findings.is_empty(), "a delivered message breaks its schema: {}", findings[0].text);
    let body = message.document.body().context("a delivered message is empty")?;
    let ids = body.children("CdtTrfTxInf").filter_map(|one| one.text_at("PmtId/UETR"));
    Ok(ids.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use iso20022::Profile;

    fn payment(number: u64) -> Payment {
        Payment {
            uetr: format!("0a1b2c3d-0000-4000-8000-{number:012}"),
            end_to_end_id: format!("E2E-{number}"),
            debtor_bank: "ALPHDEFFXXX".into(),
            creditor_bank: "BRAVFRPPXXX".into(),
            currency: "EUR".into(),
            exponent: 2,
            minor: 125_000 + number,
            remittance: "Invoice 7 & 8".into(),
        }
    }

    #[test]
    fn payments_follow_the_schema_and_the_rules_of_the_network() {
        for count in [1, 3] {
            let payments: Vec<_> = (0..count).map(payment).collect();
            let xml = pacs008("MSG-1", &payments, 1_700_000_000_000_000_000);
            let message = iso20022::read(xml.as_bytes(), &Limits::default()).unwrap();
            let findings = message.validate(Profile::Corridor);
            let errors: Vec<_> = findings.iter().filter(|finding| finding.is_error()).collect();
            assert!(errors.is_empty(), "{errors:?}");
            let expected: Vec<_> = payments.iter().map(|payment| payment.uetr.clone()).collect();
            assert_eq!(delivered_uetrs(xml.as_bytes()).unwrap(), expected);
        }
    }

    #[test]
    fn a_status_report_is_read() {
        let xml = r#"<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.002.001.10"><FIToFIPmtStsRpt>
            <GrpHdr><MsgId>A</MsgId><CreDtTm>2026-01-01T00:00:00+00:00</CreDtTm></GrpHdr>
            <TxInfAndSts><OrgnlUETR>0a1b2c3d-0000-4000-8000-000000000001</OrgnlUETR><TxSts>RJCT</TxSts>
            <StsRsnInf><Rsn><Cd>AM04</Cd></Rsn><AddtlInf>No</AddtlInf><AddtlInf>cover</AddtlInf></StsRsnInf>
            </TxInfAndSts></FIToFIPmtStsRpt></Document>"#;
        let Reply::Status(report) = read_reply(xml.as_bytes()).unwrap() else {
            panic!("a pacs.002 is a status report")
        };
        assert!(report.is_definitive());
        let first = report.first();
        assert_eq!((first.code.as_str(), first.reason.as_str()), ("RJCT", "AM04"));
        assert_eq!(first.text, "No cover");
        assert!(read_reply(b"nothing").is_err());
    }
}
