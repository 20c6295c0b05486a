//! What bounds quotes, exchanges and reports: books, fills, work of a block, and what a damaged checkpoint can say.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, missing_docs)]

use ledger::limits::*;
use ledger::*;

const PROVIDERS: u32 = 20;

fn key(number: u32) -> PublicKey {
    PublicKey([number as u8 + 1; 32])
}

fn id(number: u64) -> TransferId {
    let mut bytes = [0; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    TransferId(bytes)
}

/// A ledger of 20 banks with money in three assets; account `3 n + asset` belongs to bank `n`.
struct Market {
    ledger: Ledger,
    height: u64,
    leaf: u64,
    fresh: u64,
}

impl Market {
    fn new() -> Self {
        let mut commands =
            vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
        for number in 0..PROVIDERS {
            commands.push(Command::AdmitParticipant(AdmitParticipant {
                bic: format!("BNK{}DEFF", char::from(b'A' + number as u8)).parse().unwrap(),
                name: format!("Bank {number}"),
                signing_keys: vec![key(number)],
                sealing_key: [number as u8; 32],
            }));
        }
        for code in ["EUR", "USD", "JPY"] {
            commands.push(Command::AddAsset(AddAsset {
                code: code.parse().unwrap(),
                exponent: Exponent::new(2).unwrap(),
                issuer: ParticipantNumber(0),
            }));
        }
        for account in 0..PROVIDERS * 3 {
            commands.push(Command::OpenAccount(OpenAccount {
                owner: ParticipantNumber(account / 3),
                asset: AssetNumber(account % 3),
                label: Label::MAIN,
            }));
            commands.push(Command::Issue(Issue {
                id: id(1 << 40 | u64::from(account)),
                account: AccountNumber(account),
                amount: Amount::new(1 << 40),
            }));
        }
        let ledger = Ledger::genesis(LedgerTime(1), &commands).unwrap();
        Self { ledger, height: 1, leaf: 0, fresh: 0 }
    }

    /// One block with these commands, signed by one bank.
    fn block(&mut self, bank: u32, commands: Vec<Command>) -> (Vec<Answer>, FxOutputs) {
        self.height += 1;
        let batch = Batch {
            submitter: ParticipantNumber(bank),
            valid_until: LedgerTime(u64::MAX),
            authorisations: vec![Authorisation {
                participant: ParticipantNumber(bank),
                key: key(bank),
            }],
            commands: commands.into_iter().map(CheckedCommand::new).collect(),
        };
        let context = BatchContext {
            height: Height(self.height),
            time: LedgerTime(self.height),
            first_leaf: self.leaf,
        };
        self.ledger.open_block(context.time);
        let mut outcomes = Vec::new();
        self.ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut Vec::new());
        self.leaf += batch.commands.len() as u64;
        self.ledger.close_block(self.leaf);
        let outputs = self.ledger.take_fx_outputs();
        self.ledger.seal_block();
        self.ledger.check_invariants().unwrap();
        (outcomes.iter().map(|one| one.answer).collect(), outputs)
    }

    fn fresh(&mut self) -> TransferId {
        self.fresh += 1;
        id(self.fresh)
    }

    /// A quote of a bank: it gives an asset for another at `pay` for 100.
    fn quote(&mut self, bank: u32, gives: u32, takes: u32, pay: u64, amount: u64) -> Command {
        Command::PlaceQuote(PlaceQuote {
            id: self.fresh(),
            sells: AccountNumber(bank * 3 + gives),
            buys: AccountNumber(bank * 3 + takes),
            rate: Rate::new(pay, 100).unwrap(),
            amount: Amount::new(amount),
            least: Amount::new(1),
            until: LedgerTime(1 << 20),
            replaces: None,
        })
    }

    /// Bank 0 pays EUR and gets exactly this much USD.
    fn exchange(&mut self, exactly: u64) -> Command {
        let (exactly, at_most) = (Amount::new(exactly), Amount::MAX);
        Command::Exchange(Exchange {
            id: self.fresh(),
            debit: AccountNumber(0),
            credit: AccountNumber(1),
            amount: ExchangeAmount::Deliver { exactly, at_most },
            document: None,
            deadline: None,
        })
    }
}

#[test]
fn the_book_of_a_pair_is_bounded() {
    let mut market = Market::new();
    let mut answers = Vec::new();
    for bank in 1..PROVIDERS {
        let quotes = (0..5).map(|at| market.quote(bank, 1, 0, 100 + at, 10)).collect();
        answers.extend(market.block(bank, quotes).0);
    }
    let full = Answer::Refused(Refusal::QuoteBookFull);
    // Each bank its four, and all together what the book holds.
    for (bank, own) in answers.chunks(5).enumerate() {
        assert_eq!(own[4], full, "bank {bank}");
    }
    let placed = answers.iter().filter(|answer| answer.is_settled()).count();
    assert_eq!(placed, QUOTES_PER_PAIR_MAX);
    assert_eq!(market.ledger.quotes(AssetNumber(0), AssetNumber(1)).count(), placed);
    // The other direction has its own room.
    let quote = market.quote(1, 0, 1, 100, 10);
    assert_eq!(market.block(1, vec![quote]).0, [Answer::Settled]);
}

#[test]
fn an_exchange_takes_a_bounded_number_of_quotes() {
    let mut market = Market::new();
    for bank in 1..=5 {
        let quotes = (0..4).map(|_| market.quote(bank, 1, 0, 100, 10)).collect();
        market.block(bank, quotes);
    }
    let most = 10 * FILLS_MAX as u64;
    let (too_large, fits) = (market.exchange(most + 1), market.exchange(most));
    let (answers, outputs) = market.block(0, vec![too_large, fits]);
    assert_eq!(answers, [Answer::Refused(Refusal::QuotesTooSmall), Answer::Settled]);
    assert_eq!(outputs.exchanges[0].fills.len(), FILLS_MAX);
    assert_eq!(outputs.exchanges[0].paid, Amount::new(most));
}

#[test]
fn the_work_of_a_block_is_bounded() {
    let mut market = Market::new();
    // A long book in which only the last quote can be taken.
    for bank in 1..=16 {
        let quotes = (0..4).map(|_| market.quote(bank, 1, 0, 100, 1 << 40)).collect();
        market.block(bank, quotes);
    }
    for bank in 1..16 {
        let legs = Legs::One(Leg {
            debit: AccountNumber(bank * 3 + 1),
            credit: AccountNumber(16 * 3 + 1),
            amount: Amount::new(1 << 40),
        });
        let id = market.fresh();
        let away = Command::Transfer(Transfer { id, legs, document: None, options: None });
        assert_eq!(market.block(bank, vec![away]).0, [Answer::Settled]);
    }
    let each = 61;
    let enough = EXCHANGE_LOOKS_PER_BLOCK_MAX.div_ceil(each);
    let mut answers = Vec::new();
    let mut commands: Vec<Command> = (0..enough + 5).map(|_| market.exchange(1)).collect();
    // More than a batch holds: the block has several.
    market.height += 1;
    let time = LedgerTime(market.height);
    market.ledger.open_block(time);
    while !commands.is_empty() {
        let rest = commands.split_off(commands.len().min(COMMANDS_PER_BATCH_MAX));
        let batch = Batch {
            submitter: ParticipantNumber(0),
            valid_until: LedgerTime(u64::MAX),
            authorisations: vec![Authorisation { participant: ParticipantNumber(0), key: key(0) }],
            commands: commands.into_iter().map(CheckedCommand::new).collect(),
        };
        commands = rest;
        let context = BatchContext { height: Height(market.height), time, first_leaf: market.leaf };
        market.leaf += batch.commands.len() as u64;
        market.ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut answers, &mut Vec::new());
    }
    let outputs = {
        market.ledger.close_block(market.leaf);
        market.ledger.take_fx_outputs()
    };
    market.ledger.seal_block();
    let refused = Answer::Refused(Refusal::TooManyExchanges);
    let settled = answers.iter().filter(|one| one.answer.is_settled()).count();
    assert_eq!(settled, enough);
    assert!(answers[enough..].iter().all(|one| one.answer == refused));
    // Sixty quotes were passed over by every exchange, and it is said once.
    let passed = outputs.quotes.iter().filter(|one| matches!(one, QuoteNotice::PassedOver { .. }));
    assert_eq!(passed.count(), 60);
    // The next block goes on.
    let next = market.exchange(1);
    assert_eq!(market.block(0, vec![next]).0, [Answer::Settled]);
}

fn encoded(ledger: &Ledger) -> Vec<u8> {
    let mut bytes = Vec::new();
    let append = &mut |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    ledger.checkpoint(0).unwrap().encode(append).unwrap();
    bytes
}

#[test]
fn a_damaged_checkpoint_is_refused() {
    let mut market = Market::new();
    let (account, within) = (AccountNumber(1), 1 << 10);
    let reporting = SetReporting { id: market.fresh(), account, within };
    market.block(0, vec![Command::SetReporting(reporting)]);
    let before = encoded(&market.ledger).len();
    let (one, two) = (market.quote(1, 1, 0, 90, 50), market.quote(1, 1, 0, 91, 50));
    market.block(1, vec![one, two]);
    let exchange = market.exchange(20);
    market.block(0, vec![exchange]);
    let bytes = encoded(&market.ledger);
    let restore = |bytes: &[u8]| Ledger::restore(&mut &*bytes, 1 << 40);
    assert_eq!(restore(&bytes).unwrap().state_root(), market.ledger.state_root());
    let section = bytes.iter().rposition(|byte| *byte == b'F').unwrap();
    assert!(bytes.len() > before && section > bytes.len() - 400, "at {section} of {}", bytes.len());
    for length in section + 1..bytes.len() {
        assert!(restore(&bytes[..length]).is_err(), "cut at {length} of {}", bytes.len());
    }
    for at in section..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(restore(&flipped).is_err(), "bit {bit} of byte {at}, section at {section}");
        }
    }
}
