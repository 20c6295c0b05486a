//! What applying and sealing cost, without record, hash or disk: `cargo run --release -p ledger --example ledger_speed`.
//!
//! Blocks of 8,000 one-leg transfers with fresh random-looking ids between 2, 10,000 and 500,000 accounts, with
//! the duplicate table growing as in service. Prints nanoseconds per transfer and microseconds per seal.
#![allow(clippy::disallowed_types, missing_docs)]

use std::time::{Duration, Instant};

use ledger::*;

const BLOCK: u64 = 8_000;
const BLOCKS: u64 = 300;

/// A fixed sequence of well-mixed numbers.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}

fn genesis(accounts: u32) -> Ledger {
    let bank = ParticipantNumber;
    let banks = accounts.div_ceil(50_000).max(2);
    let mut commands = Vec::new();
    for number in 0..banks {
        let mut signing_key = [1; 32];
        signing_key[..4].copy_from_slice(&number.to_le_bytes());
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("BK{number:02}DEFF").parse().expect("a BIC"),
            name: "Bank".to_owned(),
            signing_keys: vec![PublicKey(signing_key)],
            sealing_key: [0; 32],
        }));
    }
    commands.push(Command::AddAsset(AddAsset {
        code: "EUR".parse().expect("a code"),
        exponent: Exponent::new(2).expect("two decimals"),
        issuer: bank(0),
    }));
    for number in 0..accounts {
        let label = format!("n{number}").parse().expect("a label");
        let (owner, asset) = (bank(number % banks), AssetNumber(0));
        commands.push(Command::OpenAccount(OpenAccount { owner, asset, label }));
        let mut id = [0xff; 16];
        id[..4].copy_from_slice(&number.to_le_bytes());
        let (account, amount) = (AccountNumber(number), Amount::new(1 << 40));
        commands.push(Command::Issue(Issue { id: TransferId(id), account, amount }));
    }
    Ledger::genesis(LedgerTime(0), &commands).expect("genesis is accepted")
}

fn block(numbers: &mut Numbers, accounts: u64, authorisations: &[Authorisation]) -> Batch {
    let transfer = |_| {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&numbers.next().to_le_bytes());
        id[8..].copy_from_slice(&numbers.next().to_le_bytes());
        let debit = numbers.next() % accounts;
        let credit = (debit + 1 + numbers.next() % (accounts - 1)) % accounts;
        CheckedCommand::new(Command::Transfer(Transfer {
            id: TransferId(id),
            legs: Legs::One(Leg {
                debit: AccountNumber(debit as u32),
                credit: AccountNumber(credit as u32),
                amount: Amount::new(1 + numbers.next() % 1_000),
            }),
            document: None,
            options: None,
        }))
    };
    Batch {
        submitter: authorisations[0].participant,
        valid_until: LedgerTime(u64::MAX),
        authorisations: authorisations.to_vec(),
        commands: (0..BLOCK).map(transfer).collect(),
    }
}

fn measure(accounts: u32) {
    let mut ledger = genesis(accounts);
    // At most 16 banks sign; the larger ledgers have more, so their transfers come from the first banks only.
    let authorisations: Vec<Authorisation> = ledger
        .participants()
        .iter()
        .take(limits::AUTHORISATIONS_PER_BATCH_MAX)
        .map(|one| Authorisation { participant: one.number, key: one.signing_keys[0] })
        .collect();
    let mut numbers = Numbers(7);
    let (mut apply, mut seal) = (Duration::ZERO, Duration::ZERO);
    let mut blocks = Vec::new();
    let (mut outcomes, mut events) = (Vec::new(), Vec::new());
    let mut settled = 0;
    for height in 0..BLOCKS {
        let batch = block(&mut numbers, u64::from(accounts), &authorisations);
        outcomes.clear();
        events.clear();
        let context = BatchContext {
            height: Height(height + 1),
            time: LedgerTime(height),
            first_leaf: height * BLOCK,
        };
        let start = Instant::now();
        ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut events);
        let applied = start.elapsed();
        ledger.seal_block();
        seal += start.elapsed() - applied;
        apply += applied;
        blocks.push(applied);
        settled += outcomes.iter().filter(|one| one.answer.is_settled()).count();
        let full = ledger.take_full_generation().map(|(number, _)| number);
        full.into_iter().for_each(|number| ledger.release_generation(number));
    }
    blocks.sort_unstable();
    let count = u128::from(BLOCK * BLOCKS);
    let mean = apply.as_nanos() / count;
    let median = blocks[blocks.len() / 2].as_nanos() / u128::from(BLOCK);
    let slowest = blocks[blocks.len() - 1].as_micros();
    let seal = seal.as_micros() / u128::from(BLOCKS);
    println!("{accounts} accounts, {settled} of {count} settled:");
    println!("  apply: median {median} ns, mean {mean} ns a transfer; slowest block {slowest} us");
    println!("  seal: mean {seal} us a block");
    measure_checkpoint(&mut ledger, &block(&mut numbers, u64::from(accounts), &authorisations));
}

/// What a checkpoint costs the ledger: taking it, and the block after it, which should cost no more than others.
/// And how long the work takes that another thread does.
fn measure_checkpoint(ledger: &mut Ledger, batch: &Batch) {
    let start = Instant::now();
    // Every full generation was released.
    let checkpoint = ledger.checkpoint(u64::MAX).expect("sealed");
    let taken = start.elapsed().as_micros();
    let context =
        BatchContext { height: Height(0), time: LedgerTime(0), first_leaf: BLOCK * BLOCKS };
    let start = Instant::now();
    ledger.apply_batch(&context, batch, &OldIds::NONE, &mut Vec::new(), &mut Vec::new());
    let next = start.elapsed().as_micros();
    let (start, mut bytes) = (Instant::now(), Vec::new());
    let append = &mut |piece: &[u8]| {
        bytes.extend_from_slice(piece);
        Ok(())
    };
    checkpoint.encode(append).expect("memory takes all");
    let encoded = start.elapsed().as_millis();
    let start = Instant::now();
    let restored = Ledger::restore(&mut &bytes[..], BLOCK * BLOCKS).expect("a sound checkpoint");
    let read = start.elapsed().as_millis();
    assert_eq!(restored.state_root(), checkpoint.state_root());
    println!(
        "  checkpoint: taken in {taken} us, next block {next} us; {} bytes encoded in {encoded} ms, read in {read} ms",
        bytes.len()
    );
}

fn main() {
    for accounts in [2, 10_000, 500_000] {
        measure(accounts);
    }
}
