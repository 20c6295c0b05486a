//! Files with many transactions.

use std::fmt::Write;

fn head(count: u64, space: &str) -> String {
    let cents = total(count);
    let total = format!("{}.{:02}", cents / 100, cents % 100);
    [
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Envelope>",
        "<AppHdr xmlns=\"urn:iso:std:iso:20022:tech:xsd:head.001.001.02\">",
        "<Fr><FIId><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></FIId></Fr>",
        "<To><FIId><FinInstnId><BICFI>BRVOUS33XXX</BICFI></FinInstnId></FIId></To>",
        "<BizMsgIdr>ALFA-0001</BizMsgIdr><MsgDefIdr>pacs.008.001.08</MsgDefIdr>",
        "<CreDt>2030-01-15T09:30:00+01:00</CreDt></AppHdr>",
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\">",
        "<FIToFICstmrCdtTrf><GrpHdr><MsgId>ALFA-0001</MsgId>",
        "<CreDtTm>2030-01-15T09:30:00+01:00</CreDtTm>",
        &format!("<NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>"),
        &format!("<TtlIntrBkSttlmAmt Ccy=\"EUR\">{total}</TtlIntrBkSttlmAmt>"),
        "<IntrBkSttlmDt>2030-01-15</IntrBkSttlmDt>",
        "<SttlmInf><SttlmMtd>CLRG</SttlmMtd><ClrSys><Prtry>CORRIDOR</Prtry></ClrSys></SttlmInf>",
        "<InstgAgt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></InstgAgt>",
        "<InstdAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI></FinInstnId></InstdAgt></GrpHdr>",
    ]
    .join(space)
}

/// Transaction `n` has `n` euro cents.
fn total(count: u64) -> u64 {
    count * (count + 1) / 2
}

fn transaction(n: u64, space: &str) -> String {
    let amount = format!("{}.{:02}", n / 100, n % 100);
    [
        "<CdtTrfTxInf>",
        &format!("<PmtId><InstrId>I-{n}</InstrId><EndToEndId>E2E-{n}</EndToEndId>"),
        &format!("<UETR>{n:08x}-1111-4111-8111-111111111111</UETR></PmtId>"),
        &format!("<IntrBkSttlmAmt Ccy=\"EUR\">{amount}</IntrBkSttlmAmt><ChrgBr>SHAR</ChrgBr>"),
        "<Dbtr><Nm>Meier &amp; Söhne</Nm><PstlAdr><TwnNm>Kiel</TwnNm><Ctry>DE</Ctry></PstlAdr></Dbtr>",
        "<DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></DbtrAcct>",
        "<DbtrAgt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></DbtrAgt>",
        "<CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI></FinInstnId></CdtrAgt>",
        "<Cdtr><Nm>Bright Tools Inc</Nm></Cdtr>",
        "<CdtrAcct><Id><Othr><Id>4711-0815</Id></Othr></Id></CdtrAcct>",
        "<RmtInf><Ustrd>Invoice 17</Ustrd></RmtInf></CdtTrfTxInf>",
    ]
    .join(space)
}

const TAIL: &str = "</FIToFICstmrCdtTrf></Document></Envelope>\n";

/// A `pacs.008` with this white space here and there.
pub(crate) fn credit_transfers(count: u64, space: &str) -> String {
    let mut file = head(count, space);
    for n in 1..=count {
        file.push_str(space);
        file.push_str(&transaction(n, space));
    }
    file.push_str(space);
    file + TAIL
}

/// A `pain.001` with groups of so many transactions, one euro each.
pub(crate) fn initiation(groups: &[u64]) -> String {
    let count: u64 = groups.iter().sum();
    let party = "<Nm>Anna Beispiel</Nm>";
    let mut file = format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pain.001.001.09\"><CstmrCdtTrfInitn>\n\
         <GrpHdr><MsgId>M-1</MsgId><CreDtTm>2030-01-15T09:30:00Z</CreDtTm>\
         <NbOfTxs>{count}</NbOfTxs><CtrlSum>{count}.00</CtrlSum><InitgPty>{party}</InitgPty></GrpHdr>\n"
    );
    for (at, group) in groups.iter().enumerate() {
        let _ = writeln!(
            file,
            "<PmtInf><PmtInfId>GROUP-{}</PmtInfId><PmtMtd>TRF</PmtMtd><NbOfTxs>{group}</NbOfTxs>\
             <CtrlSum>{group}</CtrlSum><ReqdExctnDt><Dt>2030-01-16</Dt></ReqdExctnDt>\
             <Dbtr>{party}</Dbtr><DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></DbtrAcct>\
             <DbtrAgt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></DbtrAgt>",
            at + 1
        );
        for n in 0..*group {
            let _ = writeln!(
                file,
                "<CdtTrfTxInf><PmtId><EndToEndId>E-{n}</EndToEndId></PmtId>\
                 <Amt><InstdAmt Ccy=\"EUR\">1.00</InstdAmt></Amt><Cdtr><Nm>John Sample</Nm></Cdtr>\
                 </CdtTrfTxInf>"
            );
        }
        file.push_str("</PmtInf>\n");
    }
    file + "</CstmrCdtTrfInitn></Document>\n"
}

/// A file that is never in memory whole.
pub(crate) struct Stream {
    count: u64,
    next: u64,
    pending: String,
}

impl Stream {
    pub(crate) fn new(count: u64) -> Self {
        Self { count, next: 1, pending: head(count, "\n") }
    }

    /// About `size` more bytes.
    pub(crate) fn next_chunk(&mut self, size: usize) -> Option<String> {
        while self.pending.len() < size && self.next <= self.count {
            self.pending.push_str(&transaction(self.next, "\n"));
            self.next += 1;
            if self.next > self.count {
                self.pending.push_str(TAIL);
            }
        }
        let chunk = std::mem::take(&mut self.pending);
        (!chunk.is_empty()).then_some(chunk)
    }
}
