//! A bank's gateway that submits: makes commands, groups them into signed batches, and asks again
//! until each is answered, at whichever node answers.
//!
//! On purpose it also does what gateways should not: sends answered commands again in other batches,
//! uses an id for another content, pays what it has not, pays from another's account, signs wrongly. Where transfers
//! may wait (rule version 2) it has some wait, and says what it likes to those that do (`asks.rs`).

use std::collections::BTreeMap;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use ledger::{
    AccountNumber, Amount, Answer, Command, Digest, Issue, Ledger, LedgerTime, Leg, Legs, Priority,
    PublicKey, RULES_LIFE_CYCLE, Transfer, TransferId, TransferOptions,
};
use link::SessionId;
use wire::{
    batch::{BatchBuilder, Domain, encode_submission},
    client::{NotTaken, NotTakenReason, Outcomes, TransferFound},
};

use super::{
    asks::{self, Known},
    decide::{KEYS, later_key},
    network::{Bank, account},
    plan::Plan,
    rng::Rng,
};

/// Microseconds without an answer after which a batch is sent again.
const PATIENCE: u64 = 1_500_000;
/// Batches without an answer at any time.
const OPEN_MAX: usize = 6;

struct Wish {
    /// Commands about what waits have none; their repetition may be answered otherwise.
    id: Option<TransferId>,
    bytes: Vec<u8>,
    answer: Option<Answer>,
}

struct Batch {
    frame: Bytes,
    wishes: Vec<usize>,
    /// When to send it (again); `None` once it is answered or given up for another batch.
    send_at: Option<u64>,
}

pub(super) struct Submitter {
    pub(super) bank: Bank,
    /// Those of its keys that the ledger takes, as far as the bank knows.
    live: Vec<SigningKey>,
    pub(super) session: Option<SessionId>,
    wishes: Vec<Wish>,
    batches: BTreeMap<Digest, Batch>,
    open: Vec<Digest>,
    pub(super) left: u64,
    forged: u64,
    huge: bool,
    rules: u16,
    /// What the session has said of ids, but refusals: those may be of another content.
    told: BTreeMap<TransferId, Answer>,
    /// Open questions, with what the session had said.
    asked: BTreeMap<u64, (TransferId, Option<Answer>)>,
    pub(super) answered: u64,
    pub(super) sent: u64,
}

impl Submitter {
    pub(super) fn new(bank: Bank, plan: &Plan, left: u64) -> Self {
        Self {
            live: vec![bank.key.clone()],
            bank,
            session: None,
            wishes: Vec::new(),
            batches: BTreeMap::new(),
            open: Vec::new(),
            left,
            forged: 0,
            huge: plan.huge_amounts,
            rules: plan.rules,
            told: BTreeMap::new(),
            asked: BTreeMap::new(),
            answered: 0,
            sent: 0,
        }
    }

    /// Looks up which of its keys are live.
    pub(super) fn knows_keys(&mut self, ledger: Option<&Ledger>) {
        let bank = self.bank.number;
        let Some(one) = ledger.and_then(|ledger| ledger.participant(bank)) else { return };
        let later = (1..KEYS).map(|number| later_key(bank.0 as usize, number));
        let all = std::iter::once(self.bank.key.clone()).chain(later);
        let is_live = |key: &SigningKey| {
            one.signing_keys.contains(&PublicKey(key.verifying_key().to_bytes()))
        };
        let live: Vec<SigningKey> = all.filter(is_live).collect();
        // Without any it goes on with those that it had, and is refused.
        if !live.is_empty() {
            self.live = live;
        }
    }

    pub(super) fn is_done(&self) -> bool {
        self.left == 0 && self.open.is_empty() && self.wishes.iter().all(|w| w.answer.is_some())
    }

    /// Batches without an answer, for the one who asks why a run does not end.
    pub(super) fn waiting(&self) -> Vec<Digest> {
        self.open.clone()
    }

    /// Some id of this bank, to ask for or to misuse.
    pub(super) fn some_id(&self, rng: &mut Rng) -> Option<TransferId> {
        (!self.wishes.is_empty()).then(|| self.wishes[rng.index(self.wishes.len())].id)?
    }

    /// A question with this number goes out.
    pub(super) fn asks(&mut self, number: u64, id: TransferId) {
        self.asked.insert(number, (id, self.told.get(&id).copied()));
    }

    /// Its answer: what a session has told stays so in that session.
    pub(super) fn found(&mut self, number: u64, found: Option<&TransferFound>) {
        let Some((id, told)) = self.asked.remove(&number) else { return };
        let now = found
            .map(|found| found.standing.as_ref().map_or(found.answer, |standing| standing.answer));
        match told {
            // Where it waits may change; that it was taken may not.
            Some(Answer::Waiting(_)) => assert!(now.is_some(), "{id} waited, and is unknown"),
            Some(told) => assert_eq!(Some(told), now, "{id} was {told:?}"),
            None => {}
        }
        let first = found.filter(|found| found.standing.is_some());
        if let (Some(_), Some(now)) = (first, now) {
            let known = self.told.insert(id, now);
            let same = known.is_none_or(|known| !known.is_final() || known == now);
            // A question that was asked before another one is answered before it.
            assert!(same, "{id} was {known:?}, and is now {now:?}");
        }
    }

    /// Makes a batch of new and old commands. `foreign` is an id that another bank uses.
    pub(super) fn make(&mut self, rng: &mut Rng, domain: &Domain, known: &Known<'_>, now: u64) {
        let (banks, clock) = (known.banks, known.clock);
        if self.left == 0 || self.open.len() >= OPEN_MAX {
            return;
        }
        self.left -= 1;
        let mut chosen = Vec::new();
        for _ in 0..rng.range(1, 7) {
            let old = self.wishes.len();
            if old > 0 && rng.percent(20) {
                chosen.push(rng.index(old));
                continue;
            }
            let id = match rng.range(0, 100) {
                0..8 => self.some_id(rng),
                8..12 => known.foreign,
                _ => None,
            };
            let own = self.bank.number.0 as usize;
            let command = match self.rules >= RULES_LIFE_CYCLE && rng.percent(55) {
                true => asks::command(rng, own, id, known),
                false => self.command(rng, id, banks, clock),
            };
            let mut bytes = Vec::new();
            command.encode(&mut bytes);
            // The same id and content is one wish.
            let known = self.wishes.iter().position(|wish| wish.bytes == bytes);
            chosen.push(known.unwrap_or(old));
            if known.is_none() {
                self.wishes.push(Wish { id: command.id(), bytes, answer: None });
            }
        }
        self.group(rng, domain, chosen, clock, now);
    }

    fn command(&self, rng: &mut Rng, id: Option<TransferId>, banks: usize, clock: u64) -> Command {
        let id = id.unwrap_or_else(|| {
            let mut bytes = [0; 16];
            bytes.chunks_mut(8).for_each(|part| part.copy_from_slice(&rng.next().to_le_bytes()));
            TransferId(bytes)
        });
        let (own, asset) = (self.bank.number.0 as usize, rng.index(2));
        let huge = self.huge;
        let amount = |rng: &mut Rng| match rng.range(0, 10) {
            0..3 if huge => Amount::new(u64::MAX - (rng.next() >> rng.range(1, 64))),
            0 => Amount::new(rng.range(50_000, 1_000_000)),
            1 | 2 => Amount::new(rng.range(5_000, 20_000)),
            _ => Amount::new(rng.range(1, 1_000)),
        };
        if rng.percent(if huge { 20 } else { 5 }) {
            let account = account(rng.index(banks), asset);
            return Command::Issue(Issue { id, account, amount: amount(rng) });
        }
        let payer = if rng.percent(4) { (own + 1) % banks } else { own };
        let leg = |rng: &mut Rng, asset: usize| {
            let other = (payer + 1 + rng.index(banks - 1)) % banks;
            let (debit, credit): (AccountNumber, _) =
                (account(payer, asset), account(other, asset));
            Leg { debit, credit, amount: amount(rng) }
        };
        let mut legs = vec![leg(rng, asset)];
        if rng.percent(15) {
            legs.push(leg(rng, 1 - asset));
        }
        let legs = Legs::new(legs).expect("one or two legs");
        let options = rng.percent(15).then(|| {
            let deadline = Some(LedgerTime(clock - 500_000_000 + rng.range(0, 3_000_000_000)));
            let priority = if rng.percent(10) { Priority::Urgent } else { Priority::Normal };
            Box::new(TransferOptions { deadline, priority, ..TransferOptions::default() })
        });
        Command::Transfer(Transfer { id, legs, document: None, options })
    }

    fn group(&mut self, rng: &mut Rng, domain: &Domain, wishes: Vec<usize>, clock: u64, now: u64) {
        let life = if rng.percent(5) { rng.range(0, 2_000) } else { rng.range(60_000, 90_000) };
        let valid_until = LedgerTime(clock + life * 1_000_000 + rng.range(0, 1_000_000));
        let mut builder = BatchBuilder::new(domain, self.bank.number, valid_until);
        wishes.iter().for_each(|wish| builder.push_bytes(&self.wishes[*wish].bytes));
        let key = &self.live[rng.index(self.live.len())];
        let (bytes, digest) = builder.sign(&[(self.bank.number, key)]);
        let frame = encode_submission(&bytes, &[]);
        self.batches.insert(digest, Batch { frame, wishes, send_at: Some(now) });
        self.open.push(digest);
    }

    /// A batch with a content of its own whose signature is wrong.
    pub(super) fn forge(
        &mut self,
        rng: &mut Rng,
        domain: &Domain,
        banks: usize,
        clock: u64,
    ) -> (Bytes, Digest) {
        let mut builder = BatchBuilder::new(domain, self.bank.number, LedgerTime(u64::MAX));
        builder.push(&self.command(rng, None, banks, clock));
        let (bytes, digest) = builder.sign(&[(self.bank.number, &self.bank.key)]);
        let mut bytes = bytes.to_vec();
        let last = bytes.len() - 1 - rng.index(64);
        bytes[last] ^= 1 << rng.range(0, 8);
        self.forged += 1;
        (encode_submission(&bytes, &[]), digest)
    }

    /// What is to be sent now. Batches that took too long may be grouped anew.
    pub(super) fn due(
        &mut self,
        rng: &mut Rng,
        domain: &Domain,
        clock: u64,
        now: u64,
    ) -> Vec<Bytes> {
        let mut frames = Vec::new();
        for digest in self.open.clone() {
            let batch = self.batches.get_mut(&digest).expect("an open batch is known");
            if batch.send_at.is_none_or(|at| at > now) {
                continue;
            }
            batch.send_at = Some(now + PATIENCE + rng.range(0, PATIENCE));
            frames.push(batch.frame.clone());
            if rng.percent(10) {
                // Its commands go into another batch as well; whichever is first answers both.
                let mut wishes = batch.wishes.clone();
                wishes.reverse();
                batch.send_at = None;
                self.open.retain(|open| *open != digest);
                self.group(rng, domain, wishes, clock, now);
            }
        }
        self.sent += frames.len() as u64;
        frames
    }

    /// The session is gone: what is open goes to the next one.
    pub(super) fn disconnected(&mut self, now: u64) {
        self.session = None;
        self.told.clear();
        self.asked.clear();
        for digest in &self.open {
            self.batches.get_mut(digest).expect("an open batch is known").send_at = Some(now);
        }
    }

    pub(super) fn outcomes(&mut self, outcomes: &Outcomes) {
        let batch = self.batches.get_mut(&outcomes.batch).expect("an own batch is answered");
        batch.send_at = None;
        self.open.retain(|open| *open != outcomes.batch);
        assert_eq!(batch.wishes.len(), outcomes.outcomes.len(), "one outcome a command");
        for (wish, outcome) in batch.wishes.iter().zip(&outcomes.outcomes) {
            let wish = &mut self.wishes[*wish];
            match (wish.answer, wish.id) {
                // Who may no longer sign is refused before it is seen that it asks again.
                (Some(known), Some(id)) if stays(known) && stays(outcome.answer) => {
                    assert_eq!(known, outcome.answer, "{id} was changed");
                }
                (Some(_), _) => {}
                (None, _) => self.answered += 1,
            }
            if wish.answer.is_none_or(|known| !stays(known)) {
                wish.answer = Some(outcome.answer);
            }
            if let (Some(id), false) = (wish.id, matches!(outcome.answer, Answer::Refused(_))) {
                self.told.entry(id).or_insert(outcome.answer);
            }
        }
    }

    pub(super) fn not_taken(&mut self, not_taken: &NotTaken, now: u64) {
        match &not_taken.reason {
            NotTakenReason::Busy { retry_after_ms } => {
                let batch = self.batches.get_mut(&not_taken.batch).expect("an own batch");
                if batch.send_at.is_some() {
                    batch.send_at = Some(now + u64::from(*retry_after_ms) * 1000);
                }
            }
            NotTakenReason::Invalid { text } => {
                assert!(self.forged > 0, "a good batch is called invalid: {text}");
                assert_eq!(not_taken.batch, Digest([0; 32]), "{text}");
            }
        }
    }
}

/// Whether an answer is kept with its id. One that leaves the id unused says how it was at the time.
fn stays(answer: Answer) -> bool {
    !matches!(answer, Answer::Refused(refusal) if refusal.leaves_id_unused())
}
