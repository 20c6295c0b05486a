//! Trains the compression dictionary for payment documents from synthetic messages.
//!
//! Run: `cargo run -p gateway-adapter --example train_dictionary --
//! gateway-adapter/assets/iso.dict`
//!
//! The result depends on the zstd version. A dictionary that was ever used for a sealed document
//! must stay readable: write a new one under a new name and number, do not replace one that is in
//! use.

use std::fmt::Write as _;

const SAMPLES: u64 = 2_000;
const DICTIONARY_BYTES: usize = 16 << 10;

/// A small generator of numbers (xorshift), so that every run has the same samples.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[(self.next() % choices.len() as u64) as usize]
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }
}

const GIVEN: &[&str] =
    &["Anna", "Bruno", "Chidi", "Dagmar", "Elif", "Farid", "Greta", "Hiro", "Ines", "Jonas"];
const FAMILY: &[&str] = &[
    "Alvarez", "Bauer", "Chen", "Dubois", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova",
    "Jensen",
];
const FIRMS: &[&str] = &[
    "Trading Ltd",
    "Handels GmbH",
    "Industries SA",
    "Logistics BV",
    "Foods SpA",
    "Textiles Pvt Ltd",
    "Holdings Inc",
    "Maschinenbau AG",
];
const TOWNS: &[(&str, &str)] = &[
    ("Berlin", "DE"),
    ("Paris", "FR"),
    ("London", "GB"),
    ("New York", "US"),
    ("Singapore", "SG"),
    ("Tokyo", "JP"),
    ("Zurich", "CH"),
    ("Madrid", "ES"),
];
const STREETS: &[&str] = &[
    "Main Street",
    "Hauptstrasse",
    "Rue de la Paix",
    "High Street",
    "Market Square",
    "Via Roma",
    "Harbour Road",
];
const CURRENCIES: &[&str] = &["EUR", "USD", "GBP", "JPY", "CHF", "SGD", "KWD"];
const BANKS: &[&str] = &[
    "AAAADEFFXXX",
    "BBBBUS33XXX",
    "CCCCGB2LXXX",
    "DDDDFRPPXXX",
    "EEEESGSGXXX",
    "FFFFCHZZXXX",
    "GGGGJPJTXXX",
    "HHHHESMMXXX",
];

fn party(numbers: &mut Numbers, tag: &str, xml: &mut String) {
    let (town, country) = TOWNS[(numbers.next() % TOWNS.len() as u64) as usize];
    let name = if numbers.chance(50) {
        format!("{} {}", numbers.of(GIVEN), numbers.of(FAMILY))
    } else {
        format!("{} {}", numbers.of(FAMILY), numbers.of(FIRMS))
    };
    write!(
        xml,
        "<{tag}><Nm>{name}</Nm><PstlAdr><StrtNm>{}</StrtNm><BldgNb>{}</BldgNb><PstCd>{:05}</PstCd><TwnNm>{town}</TwnNm><Ctry>{country}</Ctry></PstlAdr></{tag}>",
        numbers.of(STREETS),
        numbers.next() % 200 + 1,
        numbers.next() % 100_000,
    )
    .expect("writing to a String cannot fail");
}

fn account(numbers: &mut Numbers, tag: &str, xml: &mut String) {
    let text = if numbers.chance(60) {
        let country = numbers.of(&["DE", "FR", "GB", "ES", "CH"]);
        format!(
            "<IBAN>{country}{:02}{:018}</IBAN>",
            numbers.next() % 97,
            numbers.next() % 1_000_000_000_000_000_000
        )
    } else {
        format!("<Othr><Id>{:012}</Id></Othr>", numbers.next() % 1_000_000_000_000)
    };
    write!(xml, "<{tag}><Id>{text}</Id></{tag}>").expect("writing to a String cannot fail");
}

fn sample(numbers: &mut Numbers) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>");
    let version = numbers.of(&["08", "08", "08", "10", "12", "13"]);
    let (day, hour) = (numbers.next() % 28 + 1, numbers.next() % 24);
    let date = format!("2026-{:02}-{day:02}", numbers.next() % 12 + 1);
    let instructing = numbers.of(BANKS);
    let instructed = numbers.of(BANKS);
    let currency = numbers.of(CURRENCIES);
    let amount = format!("{}.{:02}", numbers.next() % 1_000_000, numbers.next() % 100);
    let (a, b) = (numbers.next(), numbers.next());
    write!(
        xml,
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:pacs.008.001.{version}\"><FIToFICstmrCdtTrf><GrpHdr><MsgId>MSG{a:016X}</MsgId><CreDtTm>{date}T{hour:02}:{:02}:00{}</CreDtTm><NbOfTxs>1</NbOfTxs><SttlmInf><SttlmMtd>CLRG</SttlmMtd><ClrSys><Prtry>CORRIDOR</Prtry></ClrSys></SttlmInf></GrpHdr><CdtTrfTxInf><PmtId><InstrId>INSTR{b:08X}</InstrId><EndToEndId>{}</EndToEndId>",
        numbers.next() % 60,
        numbers.of(&["+00:00", "Z", "+01:00"]),
        if numbers.chance(30) { "NOTPROVIDED".to_owned() } else { format!("E2E-{a:010}") },
    )
    .expect("writing to a String cannot fail");
    write!(
        xml,
        "<UETR>{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}</UETR></PmtId><PmtTpInf><SvcLvl><Cd>{}</Cd></SvcLvl><CtgyPurp><Cd>{}</Cd></CtgyPurp></PmtTpInf><IntrBkSttlmAmt Ccy=\"{currency}\">{amount}</IntrBkSttlmAmt><IntrBkSttlmDt>{date}</IntrBkSttlmDt><SttlmPrty>NORM</SttlmPrty><InstdAmt Ccy=\"{currency}\">{amount}</InstdAmt><ChrgBr>{}</ChrgBr>",
        a >> 32, a >> 16 & 0xffff, a & 0xfff, b & 0xfff, b >> 16,
        numbers.of(&["G001", "G004", "URGP"]),
        numbers.of(&["CASH", "CORT", "SUPP", "SALA", "TRAD", "INTC"]),
        numbers.of(&["SHAR", "DEBT", "CRED", "SLEV"]),
    )
    .expect("writing to a String cannot fail");
    write!(
        xml,
        "<InstgAgt><FinInstnId><BICFI>{instructing}</BICFI></FinInstnId></InstgAgt><InstdAgt><FinInstnId><BICFI>{instructed}</BICFI></FinInstnId></InstdAgt>"
    )
    .expect("writing to a String cannot fail");
    if numbers.chance(20) {
        party(numbers, "UltmtDbtr", &mut xml);
    }
    party(numbers, "Dbtr", &mut xml);
    account(numbers, "DbtrAcct", &mut xml);
    write!(
        xml,
        "<DbtrAgt><FinInstnId><BICFI>{instructing}</BICFI></FinInstnId></DbtrAgt><CdtrAgt><FinInstnId><BICFI>{instructed}</BICFI></FinInstnId></CdtrAgt>"
    )
    .expect("writing to a String cannot fail");
    party(numbers, "Cdtr", &mut xml);
    account(numbers, "CdtrAcct", &mut xml);
    if numbers.chance(15) {
        party(numbers, "UltmtCdtr", &mut xml);
    }
    if numbers.chance(50) {
        write!(
            xml,
            "<Purp><Cd>{}</Cd></Purp>",
            numbers.of(&["GDDS", "SALA", "SUPP", "TRAD", "SCVE"])
        )
        .expect("writing to a String cannot fail");
    }
    match numbers.next() % 3 {
        0 => write!(
            xml,
            "<RmtInf><Ustrd>{} {:06} {date}</Ustrd></RmtInf>",
            numbers.of(&["Invoice", "Rechnung", "Facture", "Order", "Contract"]),
            numbers.next() % 1_000_000
        ),
        1 => write!(
            xml,
            "<RmtInf><Strd><RfrdDocInf><Tp><CdOrPrtry><Cd>CINV</Cd></CdOrPrtry></Tp><Nb>{:08}</Nb><RltdDt>{date}</RltdDt></RfrdDocInf><RfrdDocAmt><RmtdAmt Ccy=\"{currency}\">{amount}</RmtdAmt></RfrdDocAmt><CdtrRefInf><Tp><CdOrPrtry><Cd>SCOR</Cd></CdOrPrtry></Tp><Ref>RF18{:012}</Ref></CdtrRefInf></Strd></RmtInf>",
            numbers.next() % 100_000_000,
            numbers.next() % 1_000_000_000_000
        ),
        _ => Ok(()),
    }
    .expect("writing to a String cannot fail");
    xml.push_str("</CdtTrfTxInf></FIToFICstmrCdtTrf></Document>");
    xml
}

fn main() -> std::io::Result<()> {
    let Some(path) = std::env::args().nth(1) else {
        return Err(std::io::Error::other("give the file to write"));
    };
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15);
    let samples: Vec<String> = (0..SAMPLES).map(|_| sample(&mut numbers)).collect();
    let dictionary = zstd::dict::from_samples(&samples, DICTIONARY_BYTES)?;
    std::fs::write(&path, &dictionary)?;
    let text = sample(&mut numbers);
    let plain = zstd::bulk::compress(text.as_bytes(), 3)?.len();
    let with =
        zstd::bulk::Compressor::with_dictionary(3, &dictionary)?.compress(text.as_bytes())?.len();
    println!("{} bytes of XML: {plain} without, {with} with the dictionary", text.len());
    Ok(())
}
