//! What an exchange costs beside a payment: `cargo run --release -p ledger --example exchange_speed`.
//!
//! Blocks of 8,000 exchanges that take the quotes of two providers each, directly and over a vehicle currency, in
//! books of different lengths; and blocks of 8,000 payments in the same ledger, with and without accounts that report
//! their credits. Prints nanoseconds apiece and exchanges a second.
#![allow(clippy::disallowed_types, missing_docs)]

use std::time::{Duration, Instant};

use ledger::limits::QUOTES_PER_PROVIDER_AND_PAIR_MAX;
use ledger::*;

const BLOCK: u64 = 8_000;
const BLOCKS: u64 = 40;
const PROVIDERS: u32 = 16;
const ASSETS: u32 = 3;

fn id(number: u64) -> TransferId {
    // A version 4 UUID of a well-mixed number.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mixed.to_le_bytes());
    bytes[8..].copy_from_slice(&number.to_le_bytes());
    bytes[6] = bytes[6] & 0x0f | 0x40;
    TransferId(bytes)
}

fn account(bank: u32, asset: u32) -> AccountNumber {
    AccountNumber(bank * ASSETS + asset)
}

struct Market {
    ledger: Ledger,
    signers: Vec<Authorisation>,
    height: u64,
    leaf: u64,
    fresh: u64,
}

impl Market {
    fn new() -> Self {
        let mut commands =
            vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
        let mut signers = Vec::new();
        for number in 0..PROVIDERS {
            let key = PublicKey([number as u8 + 1; 32]);
            commands.push(Command::AdmitParticipant(AdmitParticipant {
                bic: format!("BK{number:02}DEFF").parse().expect("a BIC"),
                name: "Bank".to_owned(),
                signing_keys: vec![key],
                sealing_key: [0; 32],
            }));
            signers.push(Authorisation { participant: ParticipantNumber(number), key });
        }
        for code in ["EUR", "USD", "JPY"] {
            commands.push(Command::AddAsset(AddAsset {
                code: code.parse().expect("a code"),
                exponent: Exponent::new(2).expect("two decimals"),
                issuer: ParticipantNumber(0),
            }));
        }
        for number in 0..PROVIDERS * ASSETS {
            let (owner, asset) = (ParticipantNumber(number / ASSETS), AssetNumber(number % ASSETS));
            commands.push(Command::OpenAccount(OpenAccount { owner, asset, label: Label::MAIN }));
            let amount = Amount::new(1 << 60);
            let (id, account) = (id(1 << 40 | u64::from(number)), AccountNumber(number));
            commands.push(Command::Issue(Issue { id, account, amount }));
        }
        let ledger = Ledger::genesis(LedgerTime(0), &commands).expect("genesis is accepted");
        Self { ledger, signers, height: 0, leaf: 0, fresh: 0 }
    }

    fn block(&mut self, commands: Vec<Command>) -> (Duration, usize) {
        self.height += 1;
        let batch = Batch {
            submitter: self.signers[0].participant,
            valid_until: LedgerTime(u64::MAX),
            authorisations: self.signers.clone(),
            commands: commands.into_iter().map(CheckedCommand::new).collect(),
        };
        let time = LedgerTime(self.height);
        let context = BatchContext { height: Height(self.height), time, first_leaf: self.leaf };
        self.leaf += batch.commands.len() as u64;
        let (mut outcomes, mut events) = (Vec::with_capacity(BLOCK as usize), Vec::new());
        let start = Instant::now();
        self.ledger.open_block(time);
        self.ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut events);
        self.ledger.close_block(self.leaf);
        let spent = start.elapsed();
        self.ledger.take_fx_outputs();
        self.ledger.seal_block();
        // As a node does, whose old ids are on disk.
        let full = self.ledger.take_full_generation().map(|(number, _)| number);
        full.into_iter().for_each(|number| self.ledger.release_generation(number));
        let settled = outcomes.iter().filter(|one| one.answer.is_settled()).count();
        (spent, settled)
    }

    fn next_id(&mut self) -> TransferId {
        self.fresh += 1;
        id(self.fresh)
    }

    /// Quotes of the providers in turn for a pair, each a little worse than the one before.
    fn fill(&mut self, pays: u32, gets: u32, depth: u32) {
        let mut quotes = Vec::new();
        for number in 0..depth {
            let bank = 1 + number % (PROVIDERS - 1);
            quotes.push(Command::PlaceQuote(PlaceQuote {
                id: self.next_id(),
                sells: account(bank, gets),
                buys: account(bank, pays),
                rate: Rate::new(1_000 + u64::from(number), 1_000).expect("terms within bounds"),
                amount: Amount::new(1 << 50),
                least: Amount::new(1),
                until: LedgerTime(1 << 40),
                replaces: None,
            }));
        }
        let count = quotes.len();
        assert!(depth <= (PROVIDERS - 1) * QUOTES_PER_PROVIDER_AND_PAIR_MAX as u32);
        assert_eq!(self.block(quotes).1, count);
    }

    /// Bank 0 pays EUR and the creditor gets exactly 1,000 USD: over JPY one fill on each step, directly one fill.
    fn exchange(&mut self) -> Command {
        let (exactly, at_most) = (Amount::new(1_000), Amount::MAX);
        Command::Exchange(Exchange {
            id: self.next_id(),
            debit: account(0, 0),
            credit: account(0, 1),
            amount: ExchangeAmount::Deliver { exactly, at_most },
            document: None,
            deadline: None,
        })
    }

    fn payment(&mut self) -> Command {
        let credit = account(1 + (self.fresh % 15) as u32, 0);
        let legs = Legs::One(Leg { debit: account(0, 0), credit, amount: Amount::new(1) });
        Command::Transfer(Transfer { id: self.next_id(), legs, document: None, options: None })
    }

    fn measure(&mut self, what: &str, mut next: impl FnMut(&mut Self) -> Command) {
        let (mut spent, mut count) = (Duration::ZERO, 0);
        for _ in 0..BLOCKS {
            let commands = (0..BLOCK).map(|_| next(self)).collect();
            let (took, settled) = self.block(commands);
            assert_eq!(settled as u64, BLOCK, "{what}");
            spent += took;
            count += settled;
        }
        let nanoseconds = spent.as_nanos() / count as u128;
        println!("{what}: {nanoseconds} ns, {} a second", 1_000_000_000 / nanoseconds.max(1));
    }
}

/// Quotes so small that every exchange takes one of each of two providers and uses both up; they are placed anew.
fn two_providers_used_up(market: &mut Market) -> Vec<Command> {
    let mut commands = Vec::new();
    for bank in [1, 2] {
        commands.push(Command::PlaceQuote(PlaceQuote {
            id: market.next_id(),
            sells: account(bank, 1),
            buys: account(bank, 0),
            rate: Rate::new(999, 1_000).expect("terms within bounds"),
            amount: Amount::new(500),
            least: Amount::new(1),
            until: LedgerTime(1 << 40),
            replaces: None,
        }));
    }
    commands.push(market.exchange());
    commands
}

fn main() {
    let mut market = Market::new();
    market.measure("payment, no quotes", Market::payment);
    market.fill(0, 1, 2);
    market.measure("exchange, direct, book of 2", Market::exchange);
    market.fill(0, 1, 30);
    market.measure("exchange, direct, book of 32", Market::exchange);
    let mut pending = Vec::new();
    market.measure(
        "two quotes placed and both used up by one exchange (mean of the three)",
        |market| {
            if pending.is_empty() {
                pending = two_providers_used_up(market);
                pending.reverse();
            }
            pending.pop().expect("three at a time")
        },
    );
    let mut market = Market::new();
    market.fill(0, 2, 2);
    market.fill(2, 1, 2);
    market.measure("exchange over a vehicle, two providers, books of 2", Market::exchange);
    market.measure("payment beside the quotes", Market::payment);
    let reporting = SetReporting { id: market.next_id(), account: account(0, 1), within: 1_000 };
    market.block(vec![Command::SetReporting(reporting)]);
    market.measure("payment to accounts that do not report, beside one that does", Market::payment);
}
