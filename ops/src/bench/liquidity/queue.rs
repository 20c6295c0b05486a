//! What 100,000 waiting transfers cost those that do not wait.
//!
//! Two ledgers with the same accounts, one of them with the queue, get the same blocks of 8,000 payments in turns. The
//! payments go between all accounts, so nearly every account that somebody waits for is credited again and again. What
//! is compared is the time to apply the payments; opening and closing the block, where the queue is released and offset,
//! is given beside it.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ledger::{
    AccountNumber, ActivateRules, AddAsset, AdmitParticipant, Amount, AssetNumber, Authorisation,
    Batch, BatchContext, CheckedCommand, Command, Exponent, Height, Issue, Ledger, LedgerTime, Leg,
    Legs, OldIds, OnShortage, OpenAccount, ParticipantNumber, PublicKey, RULES_LIFE_CYCLE,
    Transfer, TransferId, TransferOptions,
};
use serde::Serialize;

use super::super::measure::rounded;
use crate::chance::Chance;

const QUEUED: u32 = 100_000;
const BANKS: u32 = 16;
const ACCOUNTS: u32 = 10_000;
const BLOCK: usize = 8_000;
const BLOCKS: u64 = 120;
const SECOND: u64 = 1_000_000_000;
/// A block every 20 milliseconds: offsetting is tried every tenth block.
const BLOCK_NANOSECONDS: u64 = SECOND / 50;

/// What the queue costs.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct QueueCost {
    pub(super) queued: u32,
    /// Nanoseconds to apply a payment, median over blocks.
    pub(super) without_ns: f64,
    pub(super) with_queue_ns: f64,
    pub(super) more_percent: f64,
    /// Opening and closing a block with the queue, in milliseconds.
    pub(super) block_ms_mean: f64,
    pub(super) block_ms_max: f64,
}

fn key(bank: u32) -> PublicKey {
    let mut key = [1; 32];
    key[..4].copy_from_slice(&bank.to_le_bytes());
    PublicKey(key)
}

fn genesis() -> Result<Ledger> {
    let mut commands = vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
    for bank in 0..BANKS {
        let letter = char::from(b'A' + bank as u8);
        commands.push(Command::AdmitParticipant(AdmitParticipant {
            bic: format!("BNK{letter}DEFF").parse().context("a BIC")?,
            name: "Bank".to_owned(),
            signing_keys: vec![key(bank)],
            sealing_key: [0; 32],
        }));
    }
    commands.push(Command::AddAsset(AddAsset {
        code: "EUR".parse().context("a currency")?,
        exponent: Exponent::new(2).context("decimals")?,
        issuer: ParticipantNumber(0),
    }));
    for number in 0..ACCOUNTS {
        let label = format!("N{number}").parse().context("a label")?;
        let (owner, asset) = (ParticipantNumber(number % BANKS), AssetNumber(0));
        commands.push(Command::OpenAccount(OpenAccount { owner, asset, label }));
        let (account, amount) = (AccountNumber(number), Amount::new(1 << 40));
        let id = id(1 << 40 | u64::from(number));
        commands.push(Command::Issue(Issue { id, account, amount }));
    }
    Ok(Ledger::genesis(LedgerTime(0), &commands)?)
}

fn id(number: u64) -> TransferId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes[6] = bytes[6] & 0x0f | 0x40;
    TransferId(bytes)
}

fn transfer(number: u64, legs: Legs, options: Option<TransferOptions>) -> CheckedCommand {
    let options = options.map(Box::new);
    CheckedCommand::new(Command::Transfer(Transfer {
        id: id(number),
        legs,
        document: None,
        options,
    }))
}

fn batch(commands: Vec<CheckedCommand>) -> Batch {
    let signed = |bank| Authorisation { participant: ParticipantNumber(bank), key: key(bank) };
    Batch {
        // Two submitters in turn would be needed for more than 65,536 waiting transfers of one.
        submitter: ParticipantNumber(commands.len() as u32 % BANKS),
        valid_until: LedgerTime(u64::MAX),
        authorisations: (0..BANKS).map(signed).collect(),
        commands,
    }
}

fn leg(chance: &mut Chance, amount: u64) -> Leg {
    let debit = chance.below(u64::from(ACCOUNTS));
    let credit = chance.below_but(u64::from(ACCOUNTS), debit);
    Leg {
        debit: AccountNumber(debit as u32),
        credit: AccountNumber(credit as u32),
        amount: Amount::new(amount),
    }
}

/// Lets transfers wait for far more than their debtors have. Their amounts differ by much, so that hardly any two can
/// pay for each other, and offsetting has to find out.
fn fill(ledger: &mut Ledger, chance: &mut Chance) -> Result<()> {
    for first in (0..QUEUED).step_by(5_000) {
        let mut commands = Vec::new();
        for number in first..(first + 5_000).min(QUEUED) {
            let amount = (1 << 44) + (chance.bits() >> 14);
            let mut leg = leg(chance, amount);
            // From lower to higher numbers: no ring among them.
            (leg.debit, leg.credit) = (leg.debit.min(leg.credit), leg.debit.max(leg.credit));
            let options = TransferOptions {
                deadline: Some(LedgerTime(SECOND * 86_400)),
                on_shortage: OnShortage::Queue,
                ..TransferOptions::default()
            };
            commands.push(transfer(2 << 40 | u64::from(number), Legs::One(leg), Some(options)));
        }
        let mut batch = batch(commands);
        batch.submitter = ParticipantNumber(first / 5_000 % BANKS);
        block(ledger, LedgerTime(1), &batch);
    }
    ensure!(ledger.waiting_count() == QUEUED as usize, "{} wait", ledger.waiting_count());
    Ok(())
}

/// One block; seconds for the batch, and for opening and closing.
fn block(ledger: &mut Ledger, time: LedgerTime, batch: &Batch) -> (f64, f64) {
    let context = BatchContext { height: Height(1), time, first_leaf: 0 };
    let (mut outcomes, mut events) = (Vec::with_capacity(BLOCK), Vec::with_capacity(BLOCK));
    let start = Instant::now();
    ledger.open_block(time);
    let opened = start.elapsed();
    ledger.apply_batch(&context, batch, &OldIds::NONE, &mut outcomes, &mut events);
    let applied = start.elapsed();
    ledger.close_block(0);
    let closed = start.elapsed();
    ledger.seal_block();
    ((applied - opened).as_secs_f64(), (opened + closed - applied).as_secs_f64())
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// Measures.
pub(super) fn measure() -> Result<QueueCost> {
    let mut chance = Chance::new(1);
    let mut without = genesis()?;
    let mut with = without.clone();
    fill(&mut with, &mut chance)?;
    let (mut plain, mut queued) = (Vec::new(), Vec::new());
    let (mut sum, mut longest) = (0.0f64, 0.0f64);
    for number in 0..BLOCKS {
        let payment = |at: usize| {
            let amount = 1 + chance.below(1_000);
            let leg = leg(&mut chance, amount);
            transfer((number + 1) << 20 | at as u64, Legs::One(leg), None)
        };
        let batch = batch((0..BLOCK).map(payment).collect());
        let time = LedgerTime(SECOND + number * BLOCK_NANOSECONDS);
        plain.push(block(&mut without, time, &batch).0);
        let (applied, frame) = block(&mut with, time, &batch);
        queued.push(applied);
        sum += frame;
        longest = longest.max(frame);
        for ledger in [&mut without, &mut with] {
            let full = ledger.take_full_generation().map(|(number, _)| number);
            full.into_iter().for_each(|number| ledger.release_generation(number));
        }
    }
    ensure!(with.waiting_count() == QUEUED as usize, "the queue shrank");
    let [without_ns, with_queue_ns] =
        [plain, queued].map(|times| median(times) * 1e9 / BLOCK as f64);
    Ok(QueueCost {
        queued: QUEUED,
        without_ns: rounded(without_ns),
        with_queue_ns: rounded(with_queue_ns),
        more_percent: rounded(100.0 * (with_queue_ns / without_ns - 1.0)),
        block_ms_mean: rounded(sum * 1e3 / BLOCKS as f64),
        block_ms_max: rounded(longest * 1e3),
    })
}
