//! What was handed over and is not answered: waiting, in a batch, or parked.
//!
//! No payment leaves here but by an outcome. A batch that is not answered in time, was refused as
//! busy or went down with its connection is sent again with the same bytes, so that nodes recognise
//! it and no copies pile up. Only when half of its validity is over is it taken apart, and its
//! payments go into the next one under a fresh signature: the bytes of their commands stay the
//! same, so the ledger sees repetitions, and an outcome of either batch counts. A batch that a node
//! calls invalid is halved until the one that is to blame stands
//! alone, which then waits.

use std::{
    collections::{BTreeMap, HashSet, VecDeque},
    sync::Arc,
};

use bytes::Bytes;
use tokio::time::Instant;
use wire::batch::{Attachment, BatchBuilder, encode_submission};
use wire::ledger::{Digest, LedgerTime, TransferId};

use super::{BatchSigner, Prepared};
use crate::{
    environment::Environment,
    limits::{
        BATCH_ANSWER_TIME_MAX, BATCH_COMMANDS_MAX, BATCH_CONTENT_BYTES_MAX, BATCHES_IN_FLIGHT_MAX,
        PARKED_TIME,
    },
    metrics::METRICS,
};

type Item = Arc<Prepared>;

/// Bytes that an attachment adds to its sealed document.
const ATTACHMENT_OVERHEAD: usize = 4 + 32 + 4;

/// Batches that were taken apart and whose late outcomes still count.
const REPLACED_MAX: usize = 16;

struct Batch {
    items: Vec<Item>,
    /// The submission as it was sent.
    bytes: Bytes,
    /// The same bytes are sent until then.
    renew: Instant,
    deadline: Instant,
}

/// A part of a batch that a node called invalid.
struct Suspect {
    items: Vec<Item>,
    not_before: Instant,
}

pub(super) struct Outstanding {
    signer: BatchSigner,
    clock: Environment,
    connected: bool,
    pause_until: Option<Instant>,
    ready: VecDeque<Item>,
    /// Sorted, so that the order in which they are sent again follows from their content.
    batches: BTreeMap<Digest, Batch>,
    /// Batches to be sent again with the same bytes.
    again: VecDeque<(Digest, Batch)>,
    /// Batches that others have replaced, oldest first.
    replaced: VecDeque<(Digest, Vec<Item>)>,
    suspects: VecDeque<Suspect>,
}

impl Outstanding {
    pub(super) fn new(signer: BatchSigner, clock: Environment) -> Self {
        Self {
            signer,
            clock,
            connected: false,
            pause_until: None,
            ready: VecDeque::new(),
            batches: BTreeMap::new(),
            again: VecDeque::new(),
            replaced: VecDeque::new(),
            suspects: VecDeque::new(),
        }
    }

    pub(super) fn connected(&mut self) {
        self.connected = true;
        self.pause_until = None;
    }

    /// Nothing that was sent on the lost connection is answered on it any more.
    pub(super) fn disconnected(&mut self) {
        self.connected = false;
        self.again.extend(std::mem::take(&mut self.batches));
    }

    /// Whether payments wait for a node, sent or not.
    pub(super) fn waits(&self) -> bool {
        // What every node calls invalid waits for none.
        !(self.ready.is_empty() && self.batches.is_empty() && self.again.is_empty())
    }

    /// Whether another payment fits into the next batch. What does not fit waits outside, in a
    /// bounded queue.
    pub(super) fn wants_more(&self) -> bool {
        self.ready.len() < BATCH_COMMANDS_MAX
    }

    pub(super) fn push(&mut self, item: Item) {
        self.ready.push_back(item);
    }

    /// Puts payments back to the front, to be submitted again.
    pub(super) fn give_back(&mut self, items: Vec<Item>) {
        for item in items.into_iter().rev() {
            self.ready.push_front(item);
        }
    }

    /// The next submission, if one can be sent now.
    pub(super) fn next_batch(&mut self, now: Instant) -> Option<Bytes> {
        let paused = self.pause_until.is_some_and(|until| now < until);
        if !self.connected || paused || self.batches.len() >= BATCHES_IN_FLIGHT_MAX {
            return None;
        }
        while let Some((digest, mut batch)) = self.again.pop_front() {
            if now < batch.renew {
                let bytes = batch.bytes.clone();
                batch.deadline = now + BATCH_ANSWER_TIME_MAX;
                self.batches.insert(digest, batch);
                return Some(bytes);
            }
            if self.replaced.len() == REPLACED_MAX {
                self.replaced.pop_front();
            }
            self.replaced.push_back((digest, batch.items.clone()));
            self.give_back(batch.items);
        }
        let items = match self.suspects.front() {
            Some(suspect) if suspect.not_before <= now => {
                self.suspects.pop_front().map(|suspect| suspect.items)?
            }
            _ => self.gather()?,
        };
        Some(self.sign(items, now))
    }

    /// Takes as many waiting payments as fit into one batch.
    fn gather(&mut self) -> Option<Vec<Item>> {
        let mut items = Vec::new();
        let mut bytes = 0;
        while let Some(item) = self.ready.front() {
            bytes += item.command.len() + item.sealed.len() + ATTACHMENT_OVERHEAD;
            let full = items.len() == BATCH_COMMANDS_MAX
                || (bytes > BATCH_CONTENT_BYTES_MAX && !items.is_empty());
            if full {
                break;
            }
            items.extend(self.ready.pop_front());
        }
        (!items.is_empty()).then_some(items)
    }

    fn sign(&mut self, items: Vec<Item>, now: Instant) -> Bytes {
        let valid = u64::try_from(self.signer.valid.as_nanos()).unwrap_or(u64::MAX);
        let valid_until = LedgerTime(self.clock.now_ns().saturating_add(valid));
        let signer = &self.signer;
        let mut builder = BatchBuilder::new(&signer.domain, signer.participant, valid_until);
        let mut attachments = Vec::with_capacity(items.len());
        for (position, item) in items.iter().enumerate() {
            builder.push_bytes(&item.command);
            if item.is_statement() {
                continue;
            }
            attachments.push(Attachment {
                position: position as u32,
                salted: item.salted,
                sealed: item.sealed.clone(),
            });
        }
        METRICS.batch_commands.observe(items.len() as f64);
        let (batch, digest) = builder.sign(&[(signer.participant, &signer.key)]);
        let bytes = encode_submission(&batch, &attachments);
        // What is sent in the second half could expire in a node's queue, which is final.
        let renew = now + self.signer.valid / 2;
        let deadline = now + BATCH_ANSWER_TIME_MAX;
        self.batches.insert(digest, Batch { items, bytes: bytes.clone(), renew, deadline });
        bytes
    }

    /// The payments of a batch that has its outcomes, however late they come.
    pub(super) fn answered(&mut self, batch: &Digest) -> Option<Vec<Item>> {
        if let Some(batch) = self.batches.remove(batch) {
            return Some(batch.items);
        }
        if let Some(at) = self.again.iter().position(|(digest, _)| digest == batch) {
            return self.again.remove(at).map(|(_, batch)| batch.items);
        }
        let at = self.replaced.iter().position(|(digest, _)| digest == batch)?;
        let (_, items) = self.replaced.remove(at)?;
        // Those that wait for the next batch need none any more.
        let answered: HashSet<TransferId> = items.iter().map(|item| item.uetr).collect();
        self.ready.retain(|item| !answered.contains(&item.uetr));
        Some(items)
    }

    /// The node has no room: everything waits until then.
    pub(super) fn busy(&mut self, batch: &Digest, until: Instant) {
        if let Some(found) = self.batches.remove(batch) {
            self.again.push_back((*batch, found));
            self.pause_until = Some(until);
        }
    }

    /// The node calls a batch invalid.
    pub(super) fn invalid(&mut self, batch: &Digest, now: Instant) {
        // A batch that could not even be read is not named; all of them may be meant.
        let digests: Vec<Digest> = match self.batches.contains_key(batch) {
            true => vec![*batch],
            false if batch.0 == [0; 32] => self.batches.keys().copied().collect(),
            false => return,
        };
        for digest in digests {
            let Some(Batch { mut items, .. }) = self.batches.remove(&digest) else { continue };
            if items.len() == 1 {
                tracing::error!(uetr = %items[0].uetr, "no node accepts this payment; it is kept and offered again");
                self.suspects.push_back(Suspect { items, not_before: now + PARKED_TIME });
            } else {
                let second = items.split_off(items.len() / 2);
                for items in [items, second] {
                    self.suspects.push_front(Suspect { items, not_before: now });
                }
            }
        }
    }

    /// Makes batches whose answer is overdue be sent again.
    pub(super) fn on_time(&mut self, now: Instant) {
        if self.pause_until.is_some_and(|until| until <= now) {
            self.pause_until = None;
        }
        let overdue: Vec<Digest> = self
            .batches
            .iter()
            .filter(|(_, batch)| batch.deadline <= now)
            .map(|(digest, _)| *digest)
            .collect();
        for digest in overdue {
            if let Some(batch) = self.batches.remove(&digest) {
                METRICS.batches.with_label_values(&["repeated"]).inc();
                self.again.push_back((digest, batch));
            }
        }
    }

    /// When [`Outstanding::on_time`] has something to do next.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        // A suspect that cannot be sent now must not wake anybody: what makes room for it does.
        let room = self.connected && self.batches.len() < BATCHES_IN_FLIGHT_MAX;
        let suspect = self.suspects.front().filter(|_| room);
        let suspect = suspect.map(|suspect| match self.pause_until {
            Some(until) => suspect.not_before.max(until),
            None => suspect.not_before,
        });
        self.batches
            .values()
            .map(|batch| batch.deadline)
            .chain(self.pause_until)
            .chain(suspect)
            .min()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use ed25519_dalek::SigningKey;
    use wire::batch::{Domain, RawSubmission};
    use wire::ledger::ParticipantNumber;

    use super::*;

    const DOMAIN: Domain = Domain { network: [1; 32], epoch: 1 };

    fn outstanding() -> Outstanding {
        let signer = BatchSigner {
            domain: DOMAIN,
            participant: ParticipantNumber(1),
            key: SigningKey::from_bytes(&[2; 32]),
            valid: Duration::from_secs(60),
        };
        let mut outstanding = Outstanding::new(signer, Environment::default());
        outstanding.connected();
        outstanding
    }

    fn item(number: u8, bytes: usize) -> Item {
        use wire::ledger::{AccountNumber, Amount, Command, Leg, Legs, Transfer};
        let sealed = Bytes::from(vec![number; bytes]);
        let salted = Digest([number; 32]);
        let document = wire::document::commitment(&salted, &wire::document::sealed_digest(&sealed));
        let leg = Leg { debit: AccountNumber(0), credit: AccountNumber(1), amount: Amount::new(5) };
        let uetr = TransferId([number; 16]);
        let transfer =
            Transfer { id: uetr, legs: Legs::One(leg), document: Some(document), options: None };
        let mut command = Vec::new();
        Command::Transfer(transfer).encode(&mut command);
        Arc::new(Prepared { uetr, command: command.into(), salted, sealed })
    }

    fn read(bytes: Bytes) -> (Digest, Vec<TransferId>) {
        let submission = RawSubmission::decode(bytes).unwrap().verify(&DOMAIN).unwrap();
        let digest = submission.batch.signed().digest();
        let commands = &submission.batch.batch().commands;
        (digest, commands.iter().map(|command| command.command.id().unwrap()).collect())
    }

    #[test]
    fn a_lone_payment_is_sent_at_once_and_more_are_gathered_while_four_are_under_way() {
        let now = Instant::now();
        let mut outstanding = outstanding();
        assert!(outstanding.next_batch(now).is_none());
        for number in 1..=4 {
            outstanding.push(item(number, 10));
            assert_eq!(read(outstanding.next_batch(now).unwrap()).1.len(), 1);
        }
        outstanding.push(item(5, 10));
        outstanding.push(item(6, 10));
        assert!(outstanding.next_batch(now).is_none(), "four are under way");
        let digest = *outstanding.batches.keys().next().unwrap();
        assert_eq!(outstanding.answered(&digest).unwrap().len(), 1);
        assert_eq!(read(outstanding.next_batch(now).unwrap()).1.len(), 2);
        assert!(outstanding.answered(&digest).is_none(), "answered once");
    }

    #[test]
    fn batches_keep_below_the_limit_of_bytes() {
        let now = Instant::now();
        let mut outstanding = outstanding();
        for number in 0..12 {
            outstanding.push(item(number, 100 << 10));
        }
        let sizes: Vec<usize> = std::iter::from_fn(|| outstanding.next_batch(now))
            .map(|bytes| read(bytes).1.len())
            .collect();
        assert_eq!(sizes, [5, 5, 2]);
    }

    #[test]
    fn nothing_is_lost_with_a_connection_and_the_commands_stay_the_same() {
        let now = Instant::now();
        let mut outstanding = outstanding();
        for number in 1..=3 {
            outstanding.push(item(number, 10));
        }
        let (_, before) = read(outstanding.next_batch(now).unwrap());
        outstanding.disconnected();
        outstanding.push(item(4, 10));
        assert!(outstanding.next_batch(now).is_none());
        outstanding.connected();
        let (_, after) = read(outstanding.next_batch(now).unwrap());
        assert_eq!(after, before);
        assert_eq!(read(outstanding.next_batch(now).unwrap()).1, [TransferId([4; 16])]);
    }

    #[test]
    fn the_same_bytes_are_sent_until_half_of_their_validity_and_either_outcome_counts() {
        let mut now = Instant::now();
        let mut outstanding = outstanding();
        outstanding.push(item(1, 10));
        let first = outstanding.next_batch(now).unwrap();
        let (digest, _) = read(first.clone());
        for _ in 0..2 {
            outstanding.busy(&digest, now + Duration::from_millis(50));
            now += Duration::from_millis(50);
            outstanding.on_time(now);
            assert_eq!(outstanding.next_batch(now), Some(first.clone()));
            now += BATCH_ANSWER_TIME_MAX;
            outstanding.on_time(now);
            assert_eq!(outstanding.next_batch(now), Some(first.clone()));
        }
        outstanding.disconnected();
        outstanding.connected();
        assert_eq!(outstanding.next_batch(now), Some(first.clone()));
        now += Duration::from_secs(30);
        outstanding.on_time(now);
        // Some time of its own, so that the validity differs.
        std::thread::sleep(Duration::from_millis(1));
        let (renewed, ids) = read(outstanding.next_batch(now).unwrap());
        assert_ne!(renewed, digest);
        assert_eq!(ids, [TransferId([1; 16])]);
        assert_eq!(outstanding.answered(&digest).unwrap().len(), 1, "the first one, late");
        assert_eq!(outstanding.answered(&renewed).unwrap().len(), 1);
        assert!(!outstanding.waits());
    }

    #[test]
    fn busy_pauses_and_an_overdue_batch_is_sent_again() {
        let now = Instant::now();
        let mut outstanding = outstanding();
        outstanding.push(item(1, 10));
        let (digest, _) = read(outstanding.next_batch(now).unwrap());
        outstanding.busy(&digest, now + Duration::from_millis(50));
        assert!(outstanding.next_batch(now).is_none());
        let wake = outstanding.next_wake().unwrap();
        assert_eq!(wake, now + Duration::from_millis(50));
        outstanding.on_time(wake);
        assert!(outstanding.next_batch(wake).is_some());
        let overdue = outstanding.next_wake().unwrap();
        assert_eq!(overdue, wake + BATCH_ANSWER_TIME_MAX);
        outstanding.on_time(overdue);
        assert_eq!(read(outstanding.next_batch(overdue).unwrap()).1, [TransferId([1; 16])]);
    }

    #[test]
    fn an_invalid_payment_is_found_and_parked_and_the_others_go_on() {
        let now = Instant::now();
        let mut outstanding = outstanding();
        for number in 1..=8 {
            outstanding.push(item(number, 10));
        }
        let bad = TransferId([6; 16]);
        let mut taken = 0;
        while let Some(bytes) = outstanding.next_batch(now) {
            let (digest, ids) = read(bytes);
            if ids.contains(&bad) {
                outstanding.invalid(&digest, now);
            } else {
                taken += outstanding.answered(&digest).unwrap().len();
            }
        }
        assert_eq!(taken, 7);
        assert_eq!(outstanding.next_wake(), Some(now + PARKED_TIME));
        assert_eq!(read(outstanding.next_batch(now + PARKED_TIME).unwrap()).1, [bad]);
    }
}
