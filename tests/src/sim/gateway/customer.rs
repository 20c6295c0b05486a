//! A bank's own systems: send messages, ask how they stand, take the outbox, and believe nothing.
//!
//! What they were told once must hold for ever, whatever happened to the gateway meanwhile: a message
//! that was taken in is never unknown again, an answer never changes by a byte, a payment is called
//! settled only when the ledger has settled it and rejected only when it never will, and the outbox
//! has every credit once, in the ledger's order.

use std::collections::BTreeMap;

use bytes::Bytes;
use corridor::{
    clock::date_time,
    messages::{Reply, StatusReport, read_reply},
};
use gateway_adapter::{
    Gateway,
    core::Standing,
    store::{Answer, AnswerKind, MessageKey, OutboxKind, OutboxReader},
};
use iso20022::Limits;
use ledger::{Command, TransferId};
use wire::client;

use super::{
    super::{Plan, checks::Truth, rng::Rng},
    messages::{Made, Writer},
    process::{Process, Told},
};

struct Message {
    raw: Bytes,
    key: MessageKey,
    /// Ids of its payments; empty when the message cannot be read.
    ids: Vec<TransferId>,
    /// When to send it (again), in simulated milliseconds.
    due: Option<u64>,
    /// Times that it was handed over to the running process without an answer yet.
    open: u32,
    /// It was seen as taken in.
    accepted: bool,
    answer: Option<Answer>,
}

pub(super) struct Customer {
    writer: Writer,
    messages: Vec<Message>,
    /// The messages that hold a payment.
    holders: BTreeMap<TransferId, Vec<usize>>,
    /// Nothing is said a second time any more.
    rests: bool,
    /// Messages that are still to be made, when the next one is, and how long it takes on average.
    left: u64,
    next_ms: u64,
    every_ms: u64,
    /// Outbox entries: the last seen, the last acknowledged for sure, the last tried.
    seen: u64,
    taken: u64,
    tried: u64,
    pub(super) answers: u64,
    pub(super) repeats: u64,
    /// When the last of its answers came.
    pub(super) last_answer_ms: u64,
}

impl Customer {
    pub(super) fn new(writer: Writer, plan: &Plan) -> Self {
        // All are made while there are faults, so that some are open at the end of them.
        let every_ms = plan.faults_ms / plan.gateway_messages.max(1);
        Self {
            writer,
            messages: Vec::new(),
            holders: BTreeMap::new(),
            rests: false,
            left: plan.gateway_messages,
            next_ms: 0,
            every_ms,
            seen: 0,
            taken: 0,
            tried: 0,
            answers: 0,
            repeats: 0,
            last_answer_ms: 0,
        }
    }

    pub(super) fn sent(&self) -> u64 {
        self.messages.len() as u64
    }

    pub(super) fn outbox(&self) -> u64 {
        self.seen
    }

    /// Nothing new is wished for any more, and nothing again that is answered.
    pub(super) fn rest(&mut self) {
        self.left = 0;
        self.rests = true;
    }

    /// Whether every message has its answer and every credit was taken.
    pub(super) fn is_done(&self, credits: usize) -> bool {
        let done = |message: &Message| message.answer.is_some() && message.due.is_none();
        self.left == 0 && self.messages.iter().all(done) && self.taken == credits as u64
    }

    /// What is missing, for the one who asks why a run does not end.
    pub(super) fn missing(&self) -> String {
        let open = self.messages.iter().enumerate().filter(|(_, one)| one.answer.is_none());
        let open: Vec<_> = open.map(|(number, one)| (number, one.open, &one.ids)).collect();
        format!("open {open:?}, outbox seen {}, taken {}", self.seen, self.taken)
    }

    /// The process has ended: nobody answers any more.
    pub(super) fn disconnected(&mut self, now_ms: u64, rng: &mut Rng) {
        for message in &mut self.messages {
            if std::mem::take(&mut message.open) > 0 {
                // Who has no answer asks again, sooner or later.
                message.due = Some(now_ms + rng.range(1, 3_000));
            }
        }
    }

    /// What a new process must know of what was promised before.
    pub(super) fn check_restart(&mut self, process: &Process, truth: &Truth) {
        for number in 0..self.messages.len() {
            self.ask(number, process, truth);
        }
        let last = process.enter(|gateway| *gateway.store().outbox_last().borrow());
        assert!(last >= self.seen, "the outbox ended at {} and ends at {last}", self.seen);
    }

    /// Does what a bank does now and then.
    pub(super) fn act(
        &mut self,
        process: &Process,
        truth: &Truth,
        rng: &mut Rng,
        now_ms: u64,
        wall_ns: u64,
    ) {
        if self.left > 0 && self.next_ms <= now_ms {
            self.left -= 1;
            self.next_ms = now_ms + rng.range(0, 2 * self.every_ms);
            let made = self.writer.make(rng, wall_ns);
            self.add(made, now_ms);
        }
        for (number, message) in self.messages.iter_mut().enumerate() {
            if message.due.is_some_and(|due| due <= now_ms) {
                let sent = process.send(number, message.raw.clone());
                message.open += u32::from(sent);
                self.repeats += u64::from(sent && message.answer.is_some());
                // Now and then a message is sent a second time before its answer is there.
                let again = !sent || (message.answer.is_none() && rng.percent(8));
                message.due = again.then(|| now_ms + rng.range(1, 500));
            }
        }
        if !self.messages.is_empty() && rng.percent(8) {
            let number = rng.index(self.messages.len());
            self.ask(number, process, truth);
            if let Some(id) = self.messages[number].ids.first() {
                self.ask_for_payment(*id, process);
            }
        }
        if rng.percent(10) {
            self.look_into_outbox(process, truth, rng);
        }
    }

    fn add(&mut self, made: Made, now_ms: u64) {
        let raw = Bytes::from(made.raw);
        let key = MessageKey::of(&raw);
        let number = self.messages.len();
        for id in &made.ids {
            self.holders.entry(*id).or_default().push(number);
        }
        let due = Some(now_ms);
        let (ids, accepted, answer) = (made.ids, false, None);
        self.messages.push(Message { raw, key, ids, due, open: 0, accepted, answer });
    }

    /// Asks how a message stands, by its key or by a payment in it.
    fn ask(&mut self, number: usize, process: &Process, truth: &Truth) {
        let message = &mut self.messages[number];
        let standing = process
            .enter(|gateway| gateway.core().standing_of_key(&message.key))
            .expect("the store can be read");
        match standing {
            Standing::Answered(answer) => self.answered(number, answer, truth),
            Standing::Open(report) => {
                assert!(message.answer.is_none(), "message {number} was answered and is open");
                message.accepted = true;
                let count = status_report(&report, number).transactions.len();
                assert_eq!(count, message.ids.len(), "message {number}");
                check_settled(&report, truth, number);
            }
            Standing::Reading => {
                let promised = message.accepted || message.answer.is_some();
                assert!(!promised, "message {number} was taken in and is being read");
            }
            Standing::Unknown => {
                let promised = message.accepted || message.answer.is_some();
                assert!(!promised, "message {number} was taken in and is unknown");
            }
        }
    }

    /// Asks for the message of a payment.
    fn ask_for_payment(&self, id: TransferId, process: &Process) {
        let standing = process
            .enter(|gateway| gateway.core().standing_of_uetr(&id))
            .expect("the store can be read");
        let mut holders = self.holders[&id].iter().map(|number| &self.messages[*number]);
        let promised = holders.clone().any(|one| one.accepted || one.answer.is_some());
        match standing {
            Standing::Unknown => assert!(!promised, "{id} was taken in and is unknown"),
            Standing::Answered(answer) => {
                // Answers that were not told yet are not known here.
                let fits = holders.any(|one| one.answer.as_ref().is_none_or(|own| *own == answer));
                assert!(fits, "{id}: an answer that no message has");
            }
            Standing::Open(_) | Standing::Reading => {}
        }
    }

    /// What the process told since the last time.
    pub(super) fn hear(&mut self, told: Vec<Told>, truth: &Truth, rng: &mut Rng, now_ms: u64) {
        let before = self.answers;
        for one in told {
            match one {
                Told::Answer(number, Some(answer)) => {
                    self.messages[number].open = self.messages[number].open.saturating_sub(1);
                    self.answered(number, answer, truth);
                    let message = &mut self.messages[number];
                    let again = rng.percent(15) && !self.rests;
                    message.due = again.then(|| now_ms + rng.range(1, 4_000));
                }
                Told::Answer(number, None) => {
                    let message = &mut self.messages[number];
                    message.open = message.open.saturating_sub(1);
                    message.due = Some(now_ms + rng.range(50, 500));
                }
                Told::Taken(sequence) => {
                    assert!(sequence >= self.taken, "{} was taken, now {sequence}", self.taken);
                    assert!(sequence <= self.tried, "{sequence} counts as taken and was not");
                    self.taken = sequence;
                }
            }
        }
        if self.answers > before {
            self.last_answer_ms = now_ms;
        }
    }

    fn answered(&mut self, number: usize, answer: Answer, truth: &Truth) {
        let message = &mut self.messages[number];
        if let Some(known) = &message.answer {
            assert_eq!(known, &answer, "the answer to message {number} has changed");
            return;
        }
        self.answers += 1;
        let readable = !message.ids.is_empty();
        assert_eq!(answer.kind != AnswerKind::Unreadable, readable, "message {number}");
        let ids = message.ids.clone();
        message.answer = Some(answer.clone());
        if readable {
            let report = status_report(&answer.xml, number);
            assert!(report.is_definitive(), "message {number}: {report:?}");
            assert_eq!(report.transactions.len(), ids.len(), "message {number}");
            check_settled(&answer.xml, truth, number);
            self.check_rejected(&report, truth, number);
        }
    }

    /// A payment that only one message holds is rejected only if the ledger has not settled it.
    fn check_rejected(&self, report: &StatusReport, truth: &Truth, number: usize) {
        for (uetr, status) in &report.transactions {
            let id: TransferId = uetr.parse().expect("every payment here has a UETR");
            if status.code == "RJCT" && self.holders[&id].len() == 1 {
                assert!(
                    truth.settled_at(&id).is_none(),
                    "message {number}: {id} settled, is {status:?}"
                );
            }
        }
    }

    fn look_into_outbox(&mut self, process: &Process, truth: &Truth, rng: &mut Rng) {
        let count = rng.range(1, 12) as usize;
        let bank = self.writer.bank();
        let entries = process.enter(|gateway: &Gateway| {
            let store = gateway.store();
            let after = store.acknowledged(OutboxReader::Http).expect("the store can be read");
            assert!(after >= self.taken, "bank {bank}: {} was taken, now {after}", self.taken);
            assert!(after <= self.tried, "bank {bank}: {after} counts as taken and was not");
            self.check_outbox(gateway, after, count, truth)
        });
        self.seen = self.seen.max(entries);
        if entries > self.taken && rng.percent(60) {
            self.tried = self.tried.max(entries);
            process.take(entries);
        }
    }

    /// Reads entries after one; returns the last one's number.
    fn check_outbox(&self, gateway: &Gateway, after: u64, count: usize, truth: &Truth) -> u64 {
        let entries = gateway.store().outbox(after, count, 1 << 20).expect("the store can be read");
        let (bank, mut last) = (self.writer.bank(), after);
        for (sequence, entry) in entries {
            assert_eq!(sequence, last + 1, "bank {bank}: an outbox entry is missing");
            last = sequence;
            let credit = truth.credit(bank, sequence as usize - 1);
            let credit = credit.unwrap_or_else(|| panic!("bank {bank} has no credit {sequence}"));
            if let client::Told::Exchanged(_) | client::Told::Notice(_) = credit.told {
                let own = (entry.leaf, entry.settled);
                assert_eq!(own, (credit.leaf, credit.time), "bank {bank}: entry {sequence}");
                continue;
            }
            let Ok((Command::Transfer(transfer), _)) = Command::decode(&credit.command) else {
                panic!("a credit is a transfer")
            };
            let expected = (transfer.id, credit.leaf, credit.time);
            let own = (entry.uetr, entry.leaf, entry.settled);
            assert_eq!(own, expected, "bank {bank}: entry {sequence} of the outbox");
            let legs = transfer.legs.as_slice().iter();
            let legs = legs.filter(|leg| leg.credit.0 as usize / 2 == bank).count();
            assert_eq!(entry.credits.len(), legs, "bank {bank}: credits of entry {sequence}");
            let opened = matches!(entry.kind, OutboxKind::Message(_));
            assert_eq!(opened, credit.document.is_some(), "bank {bank}: entry {sequence}");
            if opened {
                let text = String::from_utf8_lossy(&entry.content);
                assert!(text.contains(&transfer.id.to_string()), "bank {bank}: entry {sequence}");
            }
        }
        last
    }

    /// At the end of a run: all of it once more.
    pub(super) fn check_end(&mut self, process: &Process, truth: &Truth) {
        let bank = self.writer.bank();
        let last = process.enter(|gateway| self.check_outbox(gateway, 0, usize::MAX, truth));
        assert_eq!(last, truth.credits(bank) as u64, "bank {bank}: the outbox is incomplete");
        self.check_restart(process, truth);
        let mut settled = BTreeMap::new();
        for (number, message) in self.messages.iter().enumerate() {
            let answer = message.answer.as_ref().expect("everything is answered");
            if message.ids.is_empty() {
                continue;
            }
            let report = status_report(&answer.xml, number);
            self.check_rejected(&report, truth, number);
            for (uetr, status) in report.transactions {
                *settled.entry(uetr).or_insert(false) |= is_settled(&status.code);
            }
        }
        for id in self.holders.keys() {
            let told = settled[&id.to_string()];
            assert_eq!(told, truth.settled_at(id).is_some(), "{id}: what was told and what is");
        }
    }
}

fn is_settled(code: &str) -> bool {
    matches!(code, "ACSC" | "ACCC")
}

fn status_report(xml: &[u8], number: usize) -> StatusReport {
    match read_reply(xml) {
        Ok(Reply::Status(report)) => report,
        other => panic!("message {number} should have a report and has {other:?}"),
    }
}

/// Nothing is called settled that the ledger has not settled, nor at another time.
fn check_settled(xml: &[u8], truth: &Truth, number: usize) {
    let message = iso20022::read(xml, &Limits::default()).expect("an answer can be read");
    let body = message.document.body().expect("an answer has a body");
    for one in body.children("TxInfAndSts") {
        if !one.text_at("TxSts").is_some_and(is_settled) {
            continue;
        }
        let uetr = one.text_at("OrgnlUETR").expect("every payment here has a UETR");
        let time = truth.settled_at(&uetr.parse().expect("a UETR is an id"));
        let time = time.unwrap_or_else(|| panic!("message {number}: {uetr} is called settled"));
        let told = one.text_at("FctvIntrBkSttlmDt/DtTm").unwrap_or_default();
        let expected = date_time(time.0);
        assert!(told.starts_with(&expected), "message {number}: {uetr} at {told}, not {expected}");
    }
}
