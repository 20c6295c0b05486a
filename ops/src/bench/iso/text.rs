//! What `corridor bench iso` reads: credit transfers as a bank would write them.

use std::fmt::Write;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<Envelope>
<AppHdr xmlns=\"urn:iso:std:iso:20022:tech:xsd:head.001.001.02\">
  <Fr><FIId><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></FIId></Fr>
  <To><FIId><FinInstnId><BICFI>BRVOUS33XXX</BICFI></FinInstnId></FIId></To>
  <BizMsgIdr>MESSAGE-1</BizMsgIdr>
  <MsgDefIdr>pacs.008.001.08</MsgDefIdr>
  <BizSvc>corridor.settlement.01</BizSvc>
  <CreDt>2030-01-15T09:30:00+01:00</CreDt>
</AppHdr>
<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08\">
  <FIToFICstmrCdtTrf>
";
const TAIL: &str = "  </FIToFICstmrCdtTrf>\n</Document>\n</Envelope>\n";

fn group_header(count: u64) -> String {
    let total = count * (count + 1) / 2;
    let total = format!("{}.{:02}", total / 100, total % 100);
    format!(
        "    <GrpHdr>
      <MsgId>MESSAGE-1</MsgId>
      <CreDtTm>2030-01-15T09:30:00+01:00</CreDtTm>
      <NbOfTxs>{count}</NbOfTxs>
      <TtlIntrBkSttlmAmt Ccy=\"EUR\">{total}</TtlIntrBkSttlmAmt>
      <IntrBkSttlmDt>2030-01-15</IntrBkSttlmDt>
      <SttlmInf>
        <SttlmMtd>CLRG</SttlmMtd>
        <ClrSys><Prtry>CORRIDOR</Prtry></ClrSys>
      </SttlmInf>
      <InstgAgt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></InstgAgt>
      <InstdAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI></FinInstnId></InstdAgt>
    </GrpHdr>
"
    )
}

fn transaction(number: u64, minor: u64) -> String {
    let amount = format!("{}.{:02}", minor / 100, minor % 100);
    format!(
        "    <CdtTrfTxInf>
      <PmtId>
        <InstrId>INSTR-{number}</InstrId>
        <EndToEndId>INVOICE-{number}</EndToEndId>
        <UETR>{number:08x}-1111-4111-8111-111111111111</UETR>
      </PmtId>
      <IntrBkSttlmAmt Ccy=\"EUR\">{amount}</IntrBkSttlmAmt>
      <ChrgBr>SHAR</ChrgBr>
      <Dbtr>
        <Nm>Lindgren Maskin AB</Nm>
        <PstlAdr>
          <StrtNm>Storgatan</StrtNm>
          <BldgNb>{number}</BldgNb>
          <PstCd>11455</PstCd>
          <TwnNm>Stockholm</TwnNm>
          <Ctry>SE</Ctry>
        </PstlAdr>
      </Dbtr>
      <DbtrAcct><Id><IBAN>DE89370400440532013000</IBAN></Id></DbtrAcct>
      <DbtrAgt><FinInstnId><BICFI>ALFADEFFXXX</BICFI></FinInstnId></DbtrAgt>
      <CdtrAgt><FinInstnId><BICFI>BRVOUS33XXX</BICFI></FinInstnId></CdtrAgt>
      <Cdtr>
        <Nm>Bright Tools Incorporated</Nm>
        <PstlAdr>
          <StrtNm>Harbour Street</StrtNm>
          <BldgNb>42</BldgNb>
          <PstCd>02110</PstCd>
          <TwnNm>Boston</TwnNm>
          <CtrySubDvsn>MA</CtrySubDvsn>
          <Ctry>US</Ctry>
        </PstlAdr>
      </Cdtr>
      <CdtrAcct><Id><Othr><Id>4711-0815-{number}</Id></Othr></Id></CdtrAcct>
      <Purp><Cd>SUPP</Cd></Purp>
      <RmtInf><Ustrd>Invoice {number} of 2030-01-02, machine parts and delivery</Ustrd></RmtInf>
    </CdtTrfTxInf>
"
    )
}

/// A message of about three kilobytes with one transaction.
pub(super) fn message(number: u64) -> String {
    let mut text = HEAD.to_owned();
    text.push_str(&group_header(1));
    text.push_str(&transaction(number, 1));
    text.push_str(TAIL);
    text
}

/// A file that is never in memory whole: transaction `n` has `n` cents.
pub(super) struct Stream {
    count: u64,
    next: u64,
    pending: String,
}

impl Stream {
    pub(super) fn new(count: u64) -> Self {
        let mut pending = HEAD.to_owned();
        let _ = write!(pending, "{}", group_header(count));
        Self { count, next: 1, pending }
    }

    /// About `size` more bytes; `None` at the end.
    pub(super) fn next_chunk(&mut self, size: usize) -> Option<String> {
        while self.pending.len() < size && self.next <= self.count {
            self.pending.push_str(&transaction(self.next, self.next));
            self.next += 1;
            if self.next > self.count {
                self.pending.push_str(TAIL);
            }
        }
        let chunk = std::mem::take(&mut self.pending);
        (!chunk.is_empty()).then_some(chunk)
    }
}
