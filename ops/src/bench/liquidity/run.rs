//! One day through the real ledger, with given balances, in one of three ways; and a ring without any cover.
//!
//! A block is closed every ten seconds of the day. *FIFO gross* and *by-pass* keep their queues here and send a transfer
//! to the ledger, which settles it at once, when it has cover alone. By FIFO it also waits for all that came before it on
//! an account that it debits and lack cover there; one that waits for the other side of a payment against payment
//! does not stand in the way. With by-pass any may go. They are tried again as long as something settles, so these queues are released to the last one in
//! each block. *Offsetting* sends each transfer on arrival and lets the ledger's own queue release it. A transfer's delay
//! counts from the block that it arrived in to the block that it settled in. What has not settled at closing time is taken to
//! settle when the next day opens, 13 hours later.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use ledger::{
    ActivateRules, AddAsset, AdmitParticipant, Amount, Answer, AssetNumber, Authorisation, Batch,
    BatchContext, Cause, CheckedCommand, Command, Exponent, Height, Issue, Label, Ledger,
    LedgerTime, Leg, Legs, OldIds, OnShortage, OpenAccount, ParticipantNumber, PublicKey,
    RULES_LIFE_CYCLE, Transfer, TransferId, TransferOptions,
};
use serde::Serialize;

use super::checker::Checker;
use super::day::{CURRENCIES, Day, DayTransfer, Movement};

const BLOCK_SECONDS: u32 = 10;
const SECOND: u64 = 1_000_000_000;
/// From closing time to the next opening.
const NIGHT_SECONDS: u32 = 13 * 3600;

/// How the day is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    FifoGross,
    BypassGross,
    Offsetting,
}

/// What became of a day.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fate {
    /// Average over all transfers, and over their value.
    pub(super) delay_each: f64,
    pub(super) delay_of_value: f64,
    pub(super) unsettled: u64,
    pub(super) checked: u64,
    pub(super) groups: u64,
    /// Longest opening and closing of a block.
    pub(super) block_ms: f64,
}

/// What became of the ring.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct RingResult {
    pub(super) transfers: usize,
    pub(super) blocks: usize,
    pub(super) groups: usize,
}

/// The ledger with a bank's account in each currency: bank `b`, currency `c` is account `3 b + c`.
struct Network {
    ledger: Ledger,
    signers: Vec<Authorisation>,
    height: u64,
    leaf: u64,
    block_ms: f64,
}

/// The id of transfer `number`, in the form of a UUID.
fn id(number: u64) -> TransferId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    bytes[6] = bytes[6] & 0x0f | 0x40;
    TransferId(bytes)
}

fn account(bank: u32, currency: usize) -> ledger::AccountNumber {
    ledger::AccountNumber(bank * CURRENCIES.len() as u32 + currency as u32)
}

impl Network {
    fn new(banks: u32, balances: &BTreeMap<(u32, usize), u64>) -> Result<Self> {
        let mut commands =
            vec![Command::ActivateRules(ActivateRules { version: RULES_LIFE_CYCLE })];
        let key = |number: u32| {
            let mut key = [1; 32];
            key[..4].copy_from_slice(&number.to_le_bytes());
            PublicKey(key)
        };
        // The banks, and one issuer for each currency.
        for number in 0..banks + CURRENCIES.len() as u32 {
            let letter = char::from(b'A' + (number % 26) as u8);
            commands.push(Command::AdmitParticipant(AdmitParticipant {
                bic: format!("BNK{letter}DEFF").parse().context("a BIC")?,
                name: format!("Bank {letter}"),
                signing_keys: vec![key(number)],
                sealing_key: [0; 32],
            }));
        }
        for (number, (code, exponent, _)) in (banks..).zip(CURRENCIES) {
            commands.push(Command::AddAsset(AddAsset {
                code: code.parse().context("a currency")?,
                exponent: Exponent::new(exponent).context("decimals")?,
                issuer: ParticipantNumber(number),
            }));
        }
        for bank in 0..banks {
            for currency in 0..CURRENCIES.len() {
                let (owner, asset) = (ParticipantNumber(bank), AssetNumber(currency as u32));
                commands.push(Command::OpenAccount(OpenAccount {
                    owner,
                    asset,
                    label: Label::MAIN,
                }));
            }
        }
        for ((bank, currency), minor) in balances.iter().filter(|(_, minor)| **minor > 0) {
            let (account, amount) = (account(*bank, *currency), Amount::new(*minor));
            let id = id(1 << 40 | u64::from(account.0));
            commands.push(Command::Issue(Issue { id, account, amount }));
        }
        let signer =
            |number| Authorisation { participant: ParticipantNumber(number), key: key(number) };
        Ok(Self {
            ledger: Ledger::genesis(LedgerTime(0), &commands)?,
            signers: (0..banks).map(signer).collect(),
            height: 0,
            leaf: 0,
            block_ms: 0.0,
        })
    }

    fn context(&self, time: LedgerTime) -> BatchContext {
        BatchContext { height: Height(self.height), time, first_leaf: self.leaf }
    }

    fn open(&mut self, time: LedgerTime) -> f64 {
        self.height += 1;
        let start = Instant::now();
        self.ledger.open_block(time);
        start.elapsed().as_secs_f64()
    }

    fn apply(&mut self, time: LedgerTime, commands: Vec<CheckedCommand>) -> Vec<Answer> {
        let context = self.context(time);
        let mut answers = Vec::with_capacity(commands.len());
        let (mut outcomes, mut events) = (Vec::new(), Vec::new());
        let batch = Batch {
            submitter: self.signers[0].participant,
            valid_until: LedgerTime(u64::MAX),
            authorisations: self.signers.clone(),
            commands,
        };
        self.ledger.apply_batch(&context, &batch, &OldIds::NONE, &mut outcomes, &mut events);
        self.leaf += outcomes.len() as u64;
        answers.extend(outcomes.iter().map(|outcome| outcome.answer));
        answers
    }

    /// Closes the block; what settled, in groups.
    fn close(&mut self, opening: f64) -> Result<Vec<Vec<TransferId>>> {
        let start = Instant::now();
        let progress = self.ledger.close_block(self.leaf);
        self.block_ms = self.block_ms.max((opening + start.elapsed().as_secs_f64()) * 1e3);
        self.leaf += progress.len() as u64;
        self.ledger.seal_block();
        let mut groups: Vec<Vec<TransferId>> = Vec::new();
        let mut last = None;
        for one in progress {
            ensure!(one.answer == Answer::Settled, "a queued transfer ended otherwise: {one:?}");
            let together = match one.cause {
                Cause::Together(number) => Some(number),
                _ => None,
            };
            match groups.last_mut() {
                Some(group) if together.is_some() && together == last => group.push(one.id),
                _ => groups.push(vec![one.id]),
            }
            last = together;
        }
        Ok(groups)
    }
}

fn command(number: usize, transfer: &DayTransfer, waits: bool) -> Result<CheckedCommand> {
    let leg = |movement: &Movement| Leg {
        debit: account(movement.debtor, movement.currency),
        credit: account(movement.creditor, movement.currency),
        amount: Amount::new(movement.minor),
    };
    let options = waits.then(|| {
        Box::new(TransferOptions {
            deadline: Some(LedgerTime(SECOND * 86_400)),
            on_shortage: OnShortage::Queue,
            ..TransferOptions::default()
        })
    });
    Ok(CheckedCommand::new(Command::Transfer(Transfer {
        id: id(number as u64),
        legs: Legs::new(transfer.legs.iter().map(leg).collect())?,
        document: None,
        options,
    })))
}

/// Runs a day with `step` of `steps` shares of the balances with which nothing waits.
pub(super) fn run(day: &Day, way: Way, step: u32, steps: u32) -> Result<Fate> {
    let share = |minor: u64| {
        u64::try_from(u128::from(minor) * u128::from(step) / u128::from(steps)).unwrap_or(u64::MAX)
    };
    let balances: BTreeMap<(u32, usize), u64> =
        day.unlimited.iter().map(|(account, minor)| (*account, share(*minor))).collect();
    let mut network = Network::new(day.banks, &balances)?;
    let mut checker = Checker::new(&day.transfers, balances.iter().map(|(at, of)| (*at, *of)));
    let mut gross = Gross::new(&balances, way == Way::BypassGross);
    let numbers: BTreeMap<TransferId, usize> =
        (0..day.transfers.len()).map(|number| (id(number as u64), number)).collect();
    let (mut waited, mut waited_each, mut sent) = (0.0, 0.0, 0);
    let arrived = |number: usize| day.transfers[number].second / BLOCK_SECONDS;
    for block in 0..=day.seconds() / BLOCK_SECONDS {
        let first = sent;
        while sent < day.transfers.len() && arrived(sent) == block {
            sent += 1;
        }
        checker.sent(sent);
        let time = LedgerTime(SECOND * u64::from((block + 1) * BLOCK_SECONDS));
        let opening = network.open(time);
        let mut settled: Vec<Vec<usize>> = Vec::new();
        if way == Way::Offsetting {
            let arrivals = (first..sent).map(|one| command(one, &day.transfers[one], true));
            let answers = network.apply(time, arrivals.collect::<Result<_>>()?);
            for (number, answer) in (first..sent).zip(answers) {
                match answer {
                    Answer::Settled => settled.push(vec![number]),
                    Answer::Waiting(_) => {}
                    Answer::Refused(refusal) => anyhow::bail!("{number}: {refusal:?}"),
                }
            }
            for group in network.close(opening)? {
                let known = |id| numbers.get(id).copied().context("an unknown transfer settled");
                settled.push(group.iter().map(known).collect::<Result<_>>()?);
            }
        } else {
            (first..sent).for_each(|number| gross.arrive(number, &day.transfers[number]));
            let found = gross.release(&day.transfers);
            let commands = found.iter().map(|one| command(*one, &day.transfers[*one], false));
            let answers = network.apply(time, commands.collect::<Result<_>>()?);
            ensure!(answers.iter().all(|one| one.is_settled()), "the ledger sees no cover");
            settled.extend(found.into_iter().map(|number| vec![number]));
            network.close(opening)?;
        }
        for group in &settled {
            checker.settle(group)?;
            for number in group {
                let seconds = f64::from((block - arrived(*number)) * BLOCK_SECONDS);
                waited += seconds * day.transfers[*number].value();
                waited_each += seconds;
            }
        }
    }
    let mut unsettled = 0;
    for number in checker.open() {
        let seconds = day.seconds() - day.transfers[number].second + NIGHT_SECONDS;
        waited += f64::from(seconds) * day.transfers[number].value();
        waited_each += f64::from(seconds);
        unsettled += 1;
    }
    for at in balances.keys() {
        let found = network.ledger.account(account(at.0, at.1)).context("no such account")?;
        ensure!(Some(found.posted.minor()) == checker.balance(*at), "books differ at {at:?}");
    }
    Ok(Fate {
        delay_each: waited_each / day.transfers.len() as f64,
        delay_of_value: waited / (day.value() * 100.0),
        unsettled,
        checked: checker.checked,
        groups: checker.groups,
        block_ms: network.block_ms,
    })
}

/// Queues of payments that settle alone.
struct Gross {
    balances: BTreeMap<(u32, usize), i128>,
    queues: BTreeMap<(u32, usize), VecDeque<usize>>,
    bypass: bool,
    /// Accounts that something has changed for.
    changed: BTreeSet<(u32, usize)>,
}

impl Gross {
    fn new(balances: &BTreeMap<(u32, usize), u64>, bypass: bool) -> Self {
        Self {
            balances: balances.iter().map(|(at, minor)| (*at, i128::from(*minor))).collect(),
            queues: balances.keys().map(|at| (*at, VecDeque::new())).collect(),
            bypass,
            changed: BTreeSet::new(),
        }
    }

    fn arrive(&mut self, number: usize, transfer: &DayTransfer) {
        for leg in &transfer.legs {
            let at = (leg.debtor, leg.currency);
            self.queues.entry(at).or_default().push_back(number);
            self.changed.insert(at);
        }
    }

    /// It has cover alone, and by FIFO nobody before it lacks cover on an account that it debits.
    fn may_settle(&self, number: usize, transfers: &[DayTransfer]) -> bool {
        let transfer = &transfers[number];
        transfer.legs.iter().all(|leg| {
            let at = (leg.debtor, leg.currency);
            let mut before = self.queues[&at].iter().take_while(|other| **other != number);
            self.has_cover_at(at, transfer)
                && (self.bypass || before.all(|other| self.has_cover_at(at, &transfers[*other])))
        })
    }

    fn has_cover_at(&self, at: (u32, usize), transfer: &DayTransfer) -> bool {
        let mut debits = transfer.legs.iter().filter(|leg| (leg.debtor, leg.currency) == at);
        debits.all(|leg| self.balances[&at] >= i128::from(leg.minor))
    }

    /// Settles whatever may, again and again until nothing does, in this order.
    fn release(&mut self, transfers: &[DayTransfer]) -> Vec<usize> {
        let mut settled = Vec::new();
        while let Some(at) = self.changed.pop_first() {
            let mut place = 0;
            while let Some(&number) = self.queues[&at].get(place) {
                let transfer = &transfers[number];
                if self.may_settle(number, transfers) {
                    self.settle(number, transfer);
                    settled.push(number);
                } else if self.bypass || self.has_cover_at(at, transfer) {
                    place += 1;
                } else {
                    break;
                }
            }
        }
        settled
    }

    fn settle(&mut self, number: usize, transfer: &DayTransfer) {
        for leg in &transfer.legs {
            let (from, to) = ((leg.debtor, leg.currency), (leg.creditor, leg.currency));
            *self.balances.entry(from).or_default() -= i128::from(leg.minor);
            *self.balances.entry(to).or_default() += i128::from(leg.minor);
            self.queues.entry(from).or_default().retain(|other| *other != number);
            self.changed.extend([from, to]);
        }
    }
}

/// Five banks owe each other in a ring in three currencies, partly payment against payment, and nobody has anything.
pub(super) fn ring() -> Result<RingResult> {
    const BANKS: u32 = 5;
    let movement = |debtor: u32, far: u32, currency, minor| Movement {
        debtor,
        creditor: (debtor + far) % BANKS,
        currency,
        minor,
    };
    let mut transfers = Vec::new();
    for bank in 0..BANKS {
        // In euro round the ring, against dollars the other way round; yen to the one after the next.
        let back = movement((bank + 1) % BANKS, BANKS - 1, 1, 1_100);
        transfers.push(DayTransfer { second: 0, legs: vec![movement(bank, 1, 0, 1_000), back] });
        transfers.push(DayTransfer { second: 0, legs: vec![movement(bank, 2, 2, 70_000)] });
    }
    let none: BTreeMap<(u32, usize), u64> =
        (0..BANKS).flat_map(|bank| (0..3).map(move |currency| ((bank, currency), 0))).collect();
    let mut network = Network::new(BANKS, &none)?;
    let mut checker = Checker::new(&transfers, none.iter().map(|(at, of)| (*at, *of)));
    checker.sent(transfers.len());
    let time = LedgerTime(SECOND);
    let opening = network.open(time);
    let commands = transfers.iter().enumerate().map(|(number, one)| command(number, one, true));
    let answers = network.apply(time, commands.collect::<Result<_>>()?);
    ensure!(answers.iter().all(|one| !one.is_final()), "one of the ring settles alone");
    let groups = network.close(opening)?;
    let numbers: BTreeMap<TransferId, usize> =
        (0..transfers.len()).map(|number| (id(number as u64), number)).collect();
    for group in &groups {
        let known = |id| numbers.get(id).copied().context("an unknown transfer settled");
        checker.settle(&group.iter().map(known).collect::<Result<Vec<_>>>()?)?;
    }
    let open = checker.open().count();
    ensure!(open == 0, "{open} of the ring's transfers did not settle in one block");
    Ok(RingResult { transfers: transfers.len(), blocks: 1, groups: groups.len() })
}
