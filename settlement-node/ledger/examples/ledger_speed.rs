//! What applying and sealing cost, without record, hash or disk: `cargo run --release -p ledger --example ledger_speed`.
//!
//! Blocks of 8,000 one-leg transfers with fresh random-looking ids between 2, 10,000 and 500,000 accounts, with
//! the duplicate table growing as in service. Prints nanoseconds per transfer and microseconds per seal. Then the same
//! with 100,000 transfers in the queue, and what opening and closing a block costs with offsetting.
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

fn genesis(accounts: u32, rules: u16) -> Ledger {
    let bank = ParticipantNumber;
    let banks = accounts.div_ceil(50_000).max(2);
    let mut commands = Vec::new();
    if rules > RULES_FIRST {
        commands.push(Command::ActivateRules(ActivateRules { version: rules }));
    }
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
        let mut id = [0x4f; 16];
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
        // The version of a UUID.
        id[6] = id[6] & 0x0f | 0x40;
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

/// Lets `count` transfers wait, each for more than its debtor will ever have.
fn fill_queue(ledger: &mut Ledger, numbers: &mut Numbers, accounts: u64, count: u64) {
    let submitters: Vec<Authorisation> = ledger
        .participants()
        .iter()
        .map(|one| Authorisation { participant: one.number, key: one.signing_keys[0] })
        .collect();
    for first in (0..count).step_by(BLOCK as usize) {
        let mut batch = block(numbers, accounts, &submitters);
        batch.submitter = submitters[(first / BLOCK) as usize % submitters.len()].participant;
        batch.commands.truncate((count - first).min(BLOCK) as usize);
        for checked in &mut batch.commands {
            let Command::Transfer(transfer) = &mut checked.command else { continue };
            let Legs::One(leg) = &mut transfer.legs else { continue };
            leg.amount = Amount::new(1 << 50);
            // No two of them can pay for each other.
            (leg.debit, leg.credit) = (leg.debit.min(leg.credit), leg.debit.max(leg.credit));
            transfer.options = Some(Box::new(TransferOptions {
                deadline: Some(LedgerTime(1 << 50)),
                on_shortage: OnShortage::Queue,
                ..TransferOptions::default()
            }));
            *checked = CheckedCommand::new(checked.command.clone());
        }
        let context = BatchContext { height: Height(0), time: LedgerTime(0), first_leaf: 0 };
        ledger.open_block(context.time);
        let mut outcomes = Vec::new();
        ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut Vec::new());
        ledger.close_block(0);
        ledger.seal_block();
    }
    assert_eq!(ledger.waiting_count() as u64, count);
}

fn measure(accounts: u32, rules: u16, queued: u64) {
    let mut ledger = genesis(accounts, rules);
    // At most 16 banks sign; the larger ledgers have more, so their transfers come from the first banks only.
    let authorisations: Vec<Authorisation> = ledger
        .participants()
        .iter()
        .take(limits::AUTHORISATIONS_PER_BATCH_MAX)
        .map(|one| Authorisation { participant: one.number, key: one.signing_keys[0] })
        .collect();
    let mut numbers = Numbers(7);
    fill_queue(&mut ledger, &mut numbers, u64::from(accounts), queued);
    let (mut frame, mut frame_slowest) = (Duration::ZERO, Duration::ZERO);
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
            // A block every two milliseconds.
            time: LedgerTime(height * 2_000_000),
            first_leaf: height * BLOCK,
        };
        let start = Instant::now();
        ledger.open_block(context.time);
        let opened = start.elapsed();
        let start = Instant::now();
        ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut events);
        let applied = start.elapsed();
        let start = Instant::now();
        ledger.close_block((height + 1) * BLOCK);
        let framed = opened + start.elapsed();
        frame += framed;
        frame_slowest = frame_slowest.max(framed);
        let start = Instant::now();
        ledger.seal_block();
        seal += start.elapsed();
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
    println!("{accounts} accounts, rules {rules}, {queued} queued, {settled} of {count} settled:");
    println!("  apply: median {median} ns, mean {mean} ns a transfer; slowest block {slowest} us");
    println!("  seal: mean {seal} us a block");
    let (frame, slowest) = (frame.as_micros() / u128::from(BLOCKS), frame_slowest.as_micros());
    println!("  open and close: mean {frame} us a block, slowest {slowest} us");
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
    ledger.open_block(LedgerTime(1 << 40));
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
    // With a number: only the first rules, or only the second, without a queue.
    let only: Option<u16> = std::env::args().nth(1).and_then(|text| text.parse().ok());
    for accounts in [2, 10_000, 500_000] {
        for rules in [RULES_FIRST, RULES_LIFE_CYCLE] {
            if only.is_none_or(|only| only == rules) {
                measure(accounts, rules, 0);
            }
        }
        if accounts > 2 && only.is_none() {
            measure(accounts, RULES_LIFE_CYCLE, 100_000);
        }
    }
}
