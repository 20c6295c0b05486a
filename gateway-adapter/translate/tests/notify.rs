//! What a bank is told without having asked is a valid message, and says what the ledger said.

#![allow(clippy::unwrap_used)]

mod common;

use common::{NOW, assert_valid_but, directory};
use ledger::{
    AccountNumber, Amount, Exchange, ExchangeAmount, Exchanged, Fill, NoticeKind,
    ParticipantNumber, Rate, TransferId,
};
use translate::{
    NotifyError, Passed, balance_notice, exchange_notifications, quote_notice, report_notice,
};

fn id(byte: u8) -> TransferId {
    let mut bytes = [byte; 16];
    bytes[6] = 0x40;
    bytes[8] = 0x80;
    TransferId(bytes)
}

/// BANKDEFF pays EUR and BANKGB2L gets JPY; the provider gives from the one and takes on the other account.
fn exchange(provider: [u32; 2]) -> (Exchange, Exchanged) {
    let exchange = Exchange {
        id: id(1),
        debit: AccountNumber(10),
        credit: AccountNumber(21),
        amount: ExchangeAmount::Spend { exactly: Amount::new(10_050), at_least: Amount::new(1) },
        document: None,
        deadline: None,
    };
    let [sells, buys] = provider.map(AccountNumber);
    let rate = Rate::new(10_050, 16_000).unwrap();
    let (gave, took) = (Amount::new(16_000), Amount::new(10_050));
    let fill = Fill { quote: id(2), sells, buys, rate, gave, took };
    let exchanged = Exchanged {
        id: id(1),
        leaf: 7,
        paid: took,
        delivered: gave,
        via: None,
        first_step: 1,
        fills: vec![fill],
    };
    (exchange, exchanged)
}

fn told(bank: u32, provider: [u32; 2]) -> Result<Vec<(u32, String)>, NotifyError> {
    let (exchange, exchanged) = exchange(provider);
    let bank = ParticipantNumber(bank);
    let found = exchange_notifications(&directory(), bank, &exchange, &exchanged, 9, NOW)?;
    Ok(found
        .into_iter()
        .map(|(account, xml)| {
            // Entries of the network have no account servicer, and their owner is named by BIC.
            assert_valid_but(&xml, "camt.054.001.08", &[]);
            (account.0, String::from_utf8(xml).unwrap())
        })
        .collect())
}

#[test]
fn both_sides_and_the_provider_are_told_what_moved_on_their_accounts() {
    let payer = told(1, [11, 20]).unwrap();
    // BANKDEFF pays, and gives the yen as well.
    assert_eq!(payer.iter().map(|(account, _)| *account).collect::<Vec<_>>(), [10, 11]);
    let says = |xml: &str, text: &str| assert!(xml.contains(text), "{text} is not in {xml}");
    let (debited, gave) = (&payer[0].1, &payer[1].1);
    says(debited, "<Amt Ccy=\"EUR\">100.50</Amt><CdtDbtInd>DBIT</CdtDbtInd>");
    says(debited, "EUR 100.50 paid, JPY 16000 delivered");
    says(debited, &format!("<UETR>{}</UETR>", id(1)));
    says(debited, "<Id>54-9-10</Id>");
    says(gave, "<Amt Ccy=\"JPY\">16000</Amt><CdtDbtInd>DBIT</CdtDbtInd>");
    says(gave, &format!("quote {}", id(2)));
    let payee = told(2, [11, 20]).unwrap();
    assert_eq!(payee.iter().map(|(account, _)| *account).collect::<Vec<_>>(), [20, 21]);
    says(&payee[0].1, "<Amt Ccy=\"EUR\">100.50</Amt><CdtDbtInd>CRDT</CdtDbtInd>");
    says(&payee[1].1, "<Amt Ccy=\"JPY\">16000</Amt><CdtDbtInd>CRDT</CdtDbtInd>");
    assert_eq!(told(3, [11, 20]), Ok(Vec::new()));
    assert_eq!(told(1, [99, 20]), Err(NotifyError::UnknownAccount(AccountNumber(99))));
}

#[test]
fn notices_say_what_has_passed_which_line() {
    let text = |xml: Vec<u8>| {
        assert_valid_but(&xml, "admi.004.001.02", &[]);
        String::from_utf8(xml).unwrap()
    };
    let passed = Passed {
        account: AccountNumber(30),
        kind: NoticeKind::BelowFloor,
        line: -50,
        posted: -12_345,
        available: 100,
    };
    // The largest balance of the ledger has more digits than a decimal.
    let huge = Passed { available: 1 << 99, ..passed };
    assert_eq!(balance_notice(&directory(), &huge, NOW), Err(NotifyError::Amount));
    let low = text(balance_notice(&directory(), &passed, NOW).unwrap());
    for part in ["<EvtCd>LOWB</EvtCd>", "EUR/NOSTRO", "EUR -0.50", "EUR -123.45", "EUR 1.00"] {
        assert!(low.to_uppercase().contains(&part.to_uppercase()), "{part} is not in {low}");
    }
    let high = Passed { account: AccountNumber(11), kind: NoticeKind::AboveCeiling, ..passed };
    let high = text(balance_notice(&directory(), &high, NOW).unwrap());
    assert!(high.contains("<EvtCd>HIGB</EvtCd>") && high.contains("JPY -12345"), "{high}");
    let late = |missing| {
        text(report_notice(&directory(), &id(3), AccountNumber(10), missing, NOW).unwrap())
    };
    assert!(late(false).contains("<EvtCd>RPTO</EvtCd>") && late(true).contains("RPTM"));
    assert!(late(false).contains(&id(3).to_string().replace('-', "")));
    let over = text(quote_notice(&id(4), Amount::new(70), NOW).unwrap());
    assert!(over.contains("<EvtCd>QUOX</EvtCd>") && over.contains("<EvtParam>70</EvtParam>"));
}
