//! Canonical bytes of quotes, exchanges and reports of credit: golden vectors and properties.
#![allow(clippy::unwrap_used, missing_docs)]

use ledger::*;
use proptest::prelude::*;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encoded(command: &Command) -> Vec<u8> {
    let mut bytes = Vec::new();
    command.encode(&mut bytes);
    bytes
}

fn exchange(amount: ExchangeAmount) -> Exchange {
    Exchange {
        id: TransferId([1; 16]),
        debit: AccountNumber(2),
        credit: AccountNumber(3),
        amount,
        document: None,
        deadline: None,
    }
}

const DELIVER: ExchangeAmount =
    ExchangeAmount::Deliver { exactly: Amount::new(4), at_most: Amount::new(5) };
const SPEND: ExchangeAmount =
    ExchangeAmount::Spend { exactly: Amount::new(4), at_least: Amount::new(5) };

#[test]
fn the_bytes_are_pinned() {
    let id = "01".repeat(16);
    let quote = |replaces| {
        Command::PlaceQuote(PlaceQuote {
            id: TransferId([1; 16]),
            sells: AccountNumber(2),
            buys: AccountNumber(3),
            rate: Rate::new(4, 5).unwrap(),
            amount: Amount::new(6),
            least: Amount::new(7),
            until: LedgerTime(8),
            replaces,
        })
    };
    let numbers = |of: &[u64]| -> String { of.iter().map(|one| hex(&one.to_le_bytes())).collect() };
    let terms = format!("{id}0200000003000000{}", numbers(&[4, 5, 6, 7, 8]));
    let full = Exchange {
        document: Some(Digest([6; 32])),
        deadline: Some(LedgerTime(7)),
        ..exchange(SPEND)
    };
    let plain = format!("34000000{id}0200000003000000{}", numbers(&[4, 5]));
    let rest = format!("{}{}", "06".repeat(32), numbers(&[7]));
    let back = ReturnExchange {
        id: TransferId([9; 16]),
        credit: AccountNumber(8),
        amount: Amount::new(7),
        original: exchange(DELIVER),
        document: Some(Digest([6; 32])),
        deadline: Some(LedgerTime(7)),
    };
    let report = |outcome| {
        let (transfer, account) = (TransferId([1; 16]), AccountNumber(2));
        Command::ReportCredit(ReportCredit { transfer, account, outcome })
    };
    let golden = [
        (quote(None), format!("32000000{terms}")),
        (quote(Some(TransferId([9; 16]))), format!("32010000{terms}{}", "09".repeat(16))),
        (
            Command::WithdrawQuote(WithdrawQuote { quote: TransferId([1; 16]) }),
            format!("33000000{id}"),
        ),
        (Command::Exchange(exchange(DELIVER)), plain.clone()),
        (
            Command::Exchange(full),
            format!("34070000{id}0200000003000000{}{rest}", numbers(&[4, 5])),
        ),
        (
            Command::ReturnExchange(back),
            format!("35030000{}08000000{}{rest}{plain}", "09".repeat(16), numbers(&[7])),
        ),
        (
            report(CreditOutcome::Credited(LedgerTime(3))),
            format!("36000000{id}02000000{}", numbers(&[3])),
        ),
        (
            report(CreditOutcome::Rejected("AC04".parse().unwrap())),
            format!("36010000{id}0200000041433034"),
        ),
        (
            Command::SetReporting(SetReporting {
                id: TransferId([1; 16]),
                account: AccountNumber(2),
                within: 3,
            }),
            format!("37000000{id}02000000{}", numbers(&[3])),
        ),
    ];
    for (command, expected) in golden {
        let bytes = encoded(&command);
        assert_eq!(hex(&bytes), expected, "{}", command.name());
        assert_eq!(Command::decode(&bytes), Ok((command.clone(), bytes.len())));
        for length in 0..bytes.len() {
            assert_eq!(Command::decode(&bytes[..length]), Err(DecodeError::Truncated));
        }
        let mut counted = bytes.clone();
        counted[2] = 1;
        assert!(matches!(Command::decode(&counted), Err(DecodeError::Count { .. })));
        let mut flagged = bytes;
        flagged[1] |= 0x80;
        assert!(matches!(Command::decode(&flagged), Err(DecodeError::Flags(_))));
    }
}

#[test]
fn a_return_shows_an_exchange_and_nothing_else() {
    let back = ReturnExchange {
        id: TransferId([9; 16]),
        credit: AccountNumber(8),
        amount: Amount::new(7),
        original: exchange(DELIVER),
        document: None,
        deadline: None,
    };
    let mut bytes = encoded(&Command::ReturnExchange(back));
    let original = bytes.len() - encoded(&Command::Exchange(exchange(DELIVER))).len();
    bytes[original] = 53;
    assert_eq!(Command::decode(&bytes), Err(DecodeError::Kind(53)));
    bytes[original] = 1;
    assert_eq!(Command::decode(&bytes), Err(DecodeError::Kind(1)));
}

#[test]
fn a_rate_without_a_price_is_no_rate() {
    let quote = PlaceQuote {
        id: TransferId([1; 16]),
        sells: AccountNumber(2),
        buys: AccountNumber(3),
        rate: Rate::new(1, 1).unwrap(),
        amount: Amount::new(6),
        least: Amount::new(7),
        until: LedgerTime(8),
        replaces: None,
    };
    let bytes = encoded(&Command::PlaceQuote(quote));
    for (term, value) in [(28, 0), (36, 0), (28, u64::MAX), (36, limits::RATE_TERM_MAX + 1)] {
        let mut changed = bytes.clone();
        changed[term..term + 8].copy_from_slice(&u64::to_le_bytes(value));
        assert_eq!(Command::decode(&changed), Err(DecodeError::Field("rate")));
    }
}

proptest! {
    #[test]
    fn what_is_read_has_one_spelling(
        kind in 50u8..=56, flags in 0u8..16, body in proptest::collection::vec(any::<u8>(), 0..200),
        small in any::<bool>(),
    ) {
        let mut bytes = vec![kind, flags, 0, 0];
        bytes.extend(body.into_iter().map(|byte| if small { byte % 3 } else { byte }));
        if let Ok((command, used)) = Command::decode(&bytes) {
            prop_assert_eq!(encoded(&command), &bytes[..used]);
        }
    }
}
