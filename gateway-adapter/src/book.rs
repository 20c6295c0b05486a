//! What is open: messages without an answer, and payments without a fate.
//!
//! The book is the one place that decides whether a payment is new, a repetition or a clash. It
//! holds everything that is not durably finished; what it does not hold is finished in the store or
//! unknown. That is why an entry leaves the book only after its end was committed, and why a claim
//! on a payment looks into the store while it holds the lock.
//!
//! It is bounded by the limits on open messages and payments, and rebuilt from the store after a
//! start.

use std::{
    collections::HashMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};
use translate::{AnswerContext, Fate};
use wire::ledger::{Digest, Refusal, TransferId};

use crate::{
    metrics::METRICS,
    store::{Answer, MessageKey, Place, Store, StoreError, TransferRow},
};

/// How a caller learns the answer: `None` until there is one; closed without one when the message
/// was not taken after all.
pub(crate) type AnswerReceiver = watch::Receiver<Option<Answer>>;

/// What happened when a message's key was entered.
pub(crate) enum Entered {
    /// It is new here; whoever entered it carries on.
    New(Entry),
    /// The same message is being worked on: wait for the same answer.
    Open(AnswerReceiver),
    /// Too many messages are open.
    Full,
}

/// What a claim on a payment found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// The payment is new and now belongs to the claiming transaction.
    New,
    /// The same payment stands at this place; its fate, if it has one.
    Known(Place, Option<Fate>),
    /// The same payment stands at this place with this row and has no fate there: it is open again
    /// and has to be submitted.
    Reopened(Place, Box<TransferRow>),
    /// The UETR belongs to another payment.
    Clash,
}

/// An open message as its answer needs it.
pub(crate) struct Finished {
    /// Its sequence number.
    pub(crate) sequence: u64,
    /// What the answer repeats.
    pub(crate) context: Arc<AnswerContext>,
    /// The fates in order.
    pub(crate) fates: Vec<Fate>,
}

/// A fate that the book did not know.
pub(crate) struct News {
    /// The payment.
    pub(crate) uetr: TransferId,
    /// Where it stands.
    pub(crate) place: Place,
    /// Its fate.
    pub(crate) fate: Fate,
}

struct OpenMessage {
    key: MessageKey,
    context: Arc<AnswerContext>,
    fates: Vec<Fate>,
    open: usize,
    /// False until the message is durable.
    accepted: bool,
    answer: watch::Sender<Option<Answer>>,
    since: Instant,
}

struct OpenPayment {
    place: Place,
    instruction: Digest,
    /// Known, but not yet durable.
    fate: Option<Fate>,
    /// Transactions that wait for the fate, by message and position.
    waiting: Vec<(u64, u32)>,
}

#[derive(Default)]
struct Inner {
    keys: HashMap<MessageKey, (AnswerReceiver, Option<u64>)>,
    messages: HashMap<u64, OpenMessage>,
    payments: HashMap<TransferId, OpenPayment>,
    reserved: usize,
}

/// The book.
pub(crate) struct Book {
    inner: Mutex<Inner>,
    /// Told whenever a message has become durable.
    acceptances: Notify,
    /// Held while a message claims its payments.
    claiming: Mutex<()>,
    messages_max: usize,
    payments_max: usize,
}

/// The right to work on a message; dropping it unfinished lets the message be sent again.
pub(crate) struct Entry {
    book: Arc<Book>,
    /// The message's key.
    pub(crate) key: MessageKey,
    answer: Option<watch::Sender<Option<Answer>>>,
}

/// Room for payments that is given back when dropped.
pub(crate) struct Reservation {
    book: Arc<Book>,
    count: usize,
}

impl Book {
    /// An empty book with its limits.
    #[must_use]
    pub(crate) fn new(messages_max: usize, payments_max: usize) -> Self {
        Self {
            inner: Mutex::default(),
            acceptances: Notify::new(),
            claiming: Mutex::default(),
            messages_max,
            payments_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().expect("no holder of this lock panics")
    }

    /// Enters a message by its key.
    pub(crate) fn enter(self: &Arc<Self>, key: MessageKey) -> Entered {
        self.enter_within(key, self.messages_max)
    }

    /// Enters a message that was open before the gateway started: it counts, but is never refused.
    pub(crate) fn enter_restored(self: &Arc<Self>, key: MessageKey) -> Entered {
        self.enter_within(key, usize::MAX)
    }

    fn enter_within(self: &Arc<Self>, key: MessageKey, messages_max: usize) -> Entered {
        let mut inner = self.lock();
        if let Some((receiver, _)) = inner.keys.get(&key) {
            return Entered::Open(receiver.clone());
        }
        if inner.keys.len() >= messages_max {
            return Entered::Full;
        }
        let (answer, receiver) = watch::channel(None);
        inner.keys.insert(key, (receiver, None));
        METRICS.open_messages.set(inner.keys.len() as i64);
        Entered::New(Entry { book: self.clone(), key, answer: Some(answer) })
    }

    /// Reserves room for `count` payments, or nothing when that is too many.
    pub(crate) fn reserve(self: &Arc<Self>, count: usize) -> Option<Reservation> {
        let mut inner = self.lock();
        // A single bulk message may be larger than the limit; it is taken when nothing else is
        // open.
        let used = inner.payments.len() + inner.reserved;
        if used != 0 && used + count > self.payments_max {
            return None;
        }
        inner.reserved += count;
        Some(Reservation { book: self.clone(), count })
    }

    /// Reserves room for the payments of a bulk message, or nothing while too many are open. It may
    /// exceed the limit by its own: there is one at a time, with a limit of its own.
    pub(crate) fn reserve_bulk(self: &Arc<Self>, count: usize) -> Option<Reservation> {
        let mut inner = self.lock();
        if inner.payments.len() + inner.reserved >= self.payments_max {
            return None;
        }
        inner.reserved += count;
        Some(Reservation { book: self.clone(), count })
    }

    /// Registers a message before its payments are claimed, so that a fate can reach it at any
    /// time.
    pub(crate) fn register(
        &self,
        mut entry: Entry,
        sequence: u64,
        context: Arc<AnswerContext>,
        fates: Vec<Fate>,
    ) {
        let answer = entry.answer.take().expect("an entry is registered or finished once");
        let mut inner = self.lock();
        if let Some((_, known)) = inner.keys.get_mut(&entry.key) {
            *known = Some(sequence);
        }
        let message = OpenMessage {
            key: entry.key,
            context,
            open: 0,
            fates,
            accepted: false,
            answer,
            since: Instant::now(),
        };
        inner.messages.insert(sequence, message);
    }

    /// The turn to claim the payments of one message. One message claims at a time, so that of
    /// two messages that share payments one waits for the other and never each for each.
    pub(crate) fn turn_to_claim(&self) -> MutexGuard<'_, ()> {
        self.claiming.lock().expect("no holder of this lock panics")
    }

    /// Claims a payment for a transaction of a registered message, in the message's turn.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn claim(
        &self,
        store: &Store,
        uetr: TransferId,
        instruction: Digest,
        place: Place,
    ) -> Result<Claim, StoreError> {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let (claim, fate) = if let Some(payment) = inner.payments.get_mut(&uetr) {
            if payment.instruction != instruction {
                (Claim::Clash, Fate::Refused(Refusal::DuplicateId))
            } else if let Some(fate) = &payment.fate {
                (Claim::Known(payment.place, Some(fate.clone())), fate.clone())
            } else {
                payment.waiting.push((place.message, place.index));
                (Claim::Known(payment.place, None), Fate::Pending)
            }
        } else if let Some(found) = store.find_payment(&uetr)? {
            let row = store.payment(found)?.ok_or(StoreError::Corrupt("index of payments"))?;
            if row.instruction != instruction {
                (Claim::Clash, Fate::Refused(Refusal::DuplicateId))
            } else if let Some(fate) = store.fate(found)? {
                (Claim::Known(found, Some(fate.clone())), fate)
            } else {
                // Only the ledger knows; it gives the first answer again.
                let waiting = vec![(place.message, place.index)];
                let payment = OpenPayment { place: found, instruction, fate: None, waiting };
                inner.payments.insert(uetr, payment);
                (Claim::Reopened(found, Box::new(row)), Fate::Pending)
            }
        } else {
            let waiting = vec![(place.message, place.index)];
            inner.payments.insert(uetr, OpenPayment { place, instruction, fate: None, waiting });
            METRICS.open_payments.set(inner.payments.len() as i64);
            (Claim::New, Fate::Pending)
        };
        if let Some(message) = inner.messages.get_mut(&place.message) {
            message.open += usize::from(fate == Fate::Pending);
            message.fates[place.index as usize] = fate;
        }
        Ok(claim)
    }

    /// Takes over an open payment from the store after a start. True when it was not there yet.
    pub(crate) fn restore(
        &self,
        uetr: TransferId,
        instruction: Digest,
        place: Place,
        waits: Place,
    ) -> bool {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let before = inner.payments.len();
        let payment = inner.payments.entry(uetr).or_insert_with(|| OpenPayment {
            place,
            instruction,
            fate: None,
            waiting: Vec::new(),
        });
        payment.waiting.push((waits.message, waits.index));
        if let Some(message) = inner.messages.get_mut(&waits.message) {
            message.open += 1;
        }
        METRICS.open_payments.set(inner.payments.len() as i64);
        inner.payments.len() > before
    }

    /// Fates of a registered message as they are now, when none of them is open.
    #[must_use]
    pub(crate) fn settled_at_once(&self, sequence: u64) -> Option<Finished> {
        let inner = self.lock();
        let message = inner.messages.get(&sequence)?;
        (message.open == 0).then(|| message.finished(sequence))
    }

    /// Notes that a message is durable. Returns it when all its fates arrived meanwhile.
    #[must_use]
    pub(crate) fn accepted(&self, sequence: u64) -> Option<Finished> {
        let mut inner = self.lock();
        let message = inner.messages.get_mut(&sequence)?;
        message.accepted = true;
        let finished = (message.open == 0).then(|| message.finished(sequence));
        drop(inner);
        self.acceptances.notify_waiters();
        finished
    }

    /// Lets a message count as durable before it is.
    #[cfg(feature = "planted")]
    pub(crate) fn accept_early(&self, sequence: u64) {
        if let Some(message) = self.lock().messages.get_mut(&sequence) {
            message.accepted = true;
        }
    }

    /// Waits until these messages are durable: what refers to their payments must not be in the
    /// store before them.
    pub(crate) async fn wait_accepted(&self, sequences: &[u64]) {
        loop {
            // In the queue before the look, so that what comes between is not missed.
            let mut told = pin!(self.acceptances.notified());
            told.as_mut().enable();
            let waits = {
                let inner = self.lock();
                let waits = |sequence| inner.messages.get(sequence).is_some_and(|m| !m.accepted);
                sequences.iter().any(waits)
            };
            if !waits {
                return;
            }
            told.await;
        }
    }

    /// Notes fates of payments. Returns those that are news and the durable messages that have no
    /// open payment any more.
    #[must_use]
    pub(crate) fn resolve(
        &self,
        fates: impl IntoIterator<Item = (TransferId, Fate)>,
    ) -> (Vec<News>, Vec<Finished>) {
        let mut inner = self.lock();
        let inner = &mut *inner;
        let mut news = Vec::new();
        let mut finished = Vec::new();
        for (uetr, fate) in fates {
            let Some(payment) = inner.payments.get_mut(&uetr) else { continue };
            if payment.fate.is_some() {
                continue;
            }
            news.push(News { uetr, place: payment.place, fate: fate.clone() });
            for (sequence, index) in std::mem::take(&mut payment.waiting) {
                let Some(message) = inner.messages.get_mut(&sequence) else { continue };
                message.fates[index as usize] = fate.clone();
                message.open -= 1;
                if message.open == 0 && message.accepted {
                    finished.push(message.finished(sequence));
                }
            }
            payment.fate = Some(fate);
        }
        (news, finished)
    }

    /// Forgets payments whose fate is durable.
    pub(crate) fn forget(&self, uetrs: impl IntoIterator<Item = TransferId>) {
        let mut inner = self.lock();
        for uetr in uetrs {
            inner.payments.remove(&uetr);
        }
        METRICS.open_payments.set(inner.payments.len() as i64);
    }

    /// Hands a durable answer to all who wait and forgets the message.
    pub(crate) fn finish(&self, sequence: u64, answer: Answer) {
        let mut inner = self.lock();
        if let Some(message) = inner.messages.remove(&sequence) {
            inner.keys.remove(&message.key);
            METRICS.answer_seconds.observe(message.since.elapsed().as_secs_f64());
            message.answer.send_replace(Some(answer));
        }
        METRICS.open_messages.set(inner.keys.len() as i64);
        drop(inner);
        self.acceptances.notify_waiters();
    }

    /// The message that an open payment belongs to.
    #[must_use]
    pub(crate) fn message_of(&self, uetr: &TransferId) -> Option<u64> {
        self.lock().payments.get(uetr).map(|payment| payment.place.message)
    }

    /// The key of an open message.
    #[must_use]
    pub(crate) fn key_of(&self, sequence: u64) -> Option<MessageKey> {
        self.lock().messages.get(&sequence).map(|message| message.key)
    }

    /// How an open message stands; `Some(None)` while it is not yet durable, for nothing may be
    /// promised before; `None` when it is not open.
    #[must_use]
    pub(crate) fn standing(&self, key: &MessageKey) -> Option<Option<Finished>> {
        let inner = self.lock();
        let (_, sequence) = inner.keys.get(key)?;
        let message = sequence.and_then(|number| inner.messages.get(&number).map(|m| (number, m)));
        let message = message.filter(|(_, message)| message.accepted);
        Some(message.map(|(number, message)| message.finished(number)))
    }

    /// A durable open message with its fates as they are now.
    #[must_use]
    pub(crate) fn snapshot(&self, sequence: u64) -> Option<Finished> {
        let inner = self.lock();
        let message = inner.messages.get(&sequence).filter(|message| message.accepted)?;
        Some(message.finished(sequence))
    }

    /// Number of open messages and payments.
    #[must_use]
    pub(crate) fn counts(&self) -> (usize, usize) {
        let inner = self.lock();
        (inner.keys.len(), inner.payments.len())
    }
}

impl OpenMessage {
    fn finished(&self, sequence: u64) -> Finished {
        Finished { sequence, context: self.context.clone(), fates: self.fates.clone() }
    }
}

impl Entry {
    /// A receiver of the answer.
    #[must_use]
    pub(crate) fn subscribe(&self) -> AnswerReceiver {
        self.answer.as_ref().expect("an entry that is held has its sender").subscribe()
    }

    /// Hands out an answer that is durable and ends the work on the message.
    pub(crate) fn finish(mut self, answer: Answer) {
        if let Some(sender) = self.answer.take() {
            let mut inner = self.book.lock();
            inner.keys.remove(&self.key);
            METRICS.open_messages.set(inner.keys.len() as i64);
            drop(inner);
            sender.send_replace(Some(answer));
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.answer.take().is_some() {
            self.book.lock().keys.remove(&self.key);
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.book.lock().reserved -= self.count;
    }
}
