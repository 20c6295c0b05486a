//! The path of a message through the gateway: receive, translate, seal, journal, submit, answer.
//!
//! A message is answered exactly once, and a repetition gets the same bytes. Before anything leaves
//! the gateway the message and the exact bytes of every command are durable; before anybody sees an
//! answer, the answer is. So a crash at any step ends in a repetition, which the ledger recognises
//! by its id.
//!
//! Work on a message does not stop when its caller goes away.

mod access;
mod answer;
mod bulk;
mod erase;
mod prepare;
mod restore;
mod sealing;

use std::{
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::{Mutex, MutexGuard, OwnedSemaphorePermit, Semaphore, mpsc, watch};
use translate::Fate;
use wire::client::Cursor;
use wire::ledger::{Bic, Height, ParticipantNumber, TransferId};

#[cfg(feature = "planted")]
use crate::planted;
use crate::{
    book::{AnswerReceiver, Book, Entered, Entry, Finished, News},
    config::{RawLimits, Receipts},
    directory::DirectoryView,
    environment::Environment,
    keyring::Keyring,
    limits::{AT_ONCE_BYTES_MAX, BULKS_MAX, INTAKE_BYTES_MAX, REPORT_BYTES},
    metrics::METRICS,
    node::{NodeHandle, Prepared},
    seal::Sealer,
    store::{
        Answer, AnswerKind, MessageKey, MessageRow, NewMessage, NewTransfer, Place, Settlement,
        Store, StoreError, TransactionRow, WantedReceipt, Write,
    },
};

pub use access::{AccessAsked, AccessError, Accesses, OpenedFor, Recorded};
pub use bulk::Bulk;
pub use erase::{Certificate, EraseAsked, EraseError};
use prepare::Claims;
pub use sealing::SealingError;

/// Which way a message came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// The HTTP API.
    Http,
    /// The folder.
    Folder,
}

impl Channel {
    const fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Folder => "folder",
        }
    }
}

/// Why a message was not taken in. It can be sent again.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// Too much is waiting.
    #[error("the gateway has too many open messages or payments; send the message again later")]
    Busy,
    /// The message is larger than is allowed.
    #[error("the message has {size} bytes; {limit} are allowed")]
    TooLarge {
        /// Its size.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// It was given up before it was answered: the gateway stops or was too busy.
    #[error("the message was not taken in; send it again")]
    Dropped,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why the gateway cannot go on.
#[derive(Clone, Debug)]
pub(crate) enum Fatal {
    /// The store failed.
    Store(StoreError),
    /// A part ended that should run as long as the gateway.
    Ended(&'static str),
}

/// A message that was taken in.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Its key.
    pub key: MessageKey,
    answer: AnswerReceiver,
}

impl Ticket {
    /// Waits for the answer.
    ///
    /// # Errors
    /// `Dropped` when the message was not taken in after all.
    pub async fn answer(&mut self) -> Result<Answer, ReceiveError> {
        let answer = self.answer.wait_for(Option::is_some).await;
        answer.ok().and_then(|answer| answer.clone()).ok_or(ReceiveError::Dropped)
    }
}

/// Room for the bytes of one message; given back when dropped.
#[derive(Debug)]
pub struct Room {
    permit: OwnedSemaphorePermit,
    bytes: usize,
}

/// The bytes of a large message that is in memory, with the room that it takes.
struct Kept {
    bytes: io::Cursor<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl io::Read for Kept {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

/// How a message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Answered for good.
    Answered(Answer),
    /// Open: an interim report (pacs.002 with PDNG).
    Open(Bytes),
    /// Being read: nothing can be said yet.
    Reading,
    /// Not known.
    Unknown,
}

/// Everything that the channels and the node's side share.
pub struct Core {
    pub(crate) bic: Bic,
    pub(crate) participant: ParticipantNumber,
    pub(crate) store: Store,
    pub(crate) book: Arc<Book>,
    pub(crate) directory: DirectoryView,
    pub(crate) node: NodeHandle,
    pub(crate) limits: RawLimits,
    pub(crate) receipts: Receipts,
    pub(crate) accesses: Accesses,
    pub(crate) environment: Environment,
    pub(crate) sealing: Arc<Keyring>,
    sealing_overlap: Duration,
    folder: Option<PathBuf>,
    /// How far the blocks were searched for what concerns this bank.
    searched: watch::Receiver<Cursor>,
    /// One erasure, or change of the sealing key, at a time.
    erasing: Mutex<()>,
    sealer: Sealer,
    submit: mpsc::Sender<Arc<Prepared>>,
    pub(crate) fatal: watch::Sender<Option<Fatal>>,
    intake: Arc<Semaphore>,
    workers: Semaphore,
    /// Bulk messages that may be read.
    bulks: Semaphore,
    /// Held from taking fates into the book until their write is queued.
    resolving: Mutex<()>,
    next_message: AtomicU64,
    /// The last block in which something was answered that this life of the gateway has recorded.
    reached: AtomicU64,
}

/// What [`Core::new`] needs.
pub struct CoreParts {
    /// The bank.
    pub bic: Bic,
    /// Its number.
    pub participant: ParticipantNumber,
    /// Id of the network.
    pub network: [u8; 32],
    /// The store.
    pub store: Store,
    /// The first directory.
    pub directory: DirectoryView,
    /// Queries to the node.
    pub node: NodeHandle,
    /// Where prepared payments go.
    pub submit: mpsc::Sender<Arc<Prepared>>,
    /// Limits.
    pub limits: RawLimits,
    /// How the bank gets receipts.
    pub receipts: Receipts,
    /// Clock, chance and threads.
    pub environment: Environment,
    /// The bank's sealing keys.
    pub sealing: Arc<Keyring>,
    /// How long an older one is kept after another came into force.
    pub sealing_overlap: Duration,
    /// Directory of the folder channel.
    pub folder: Option<PathBuf>,
    /// How far the blocks were searched for what concerns this bank.
    pub searched: watch::Receiver<Cursor>,
}

/// Bytes are counted in units of 1 KiB, at least one, so that small messages are bounded as well.
fn intake_units(bytes: usize) -> u32 {
    (bytes / 1024 + 1) as u32
}

impl Core {
    /// The core over its parts.
    #[must_use]
    pub fn new(parts: CoreParts) -> Arc<Self> {
        Arc::new(Self {
            bic: parts.bic,
            participant: parts.participant,
            book: Arc::new(Book::new(parts.limits.open_messages, parts.limits.open_payments)),
            next_message: AtomicU64::new(parts.store.next_message()),
            store: parts.store,
            directory: parts.directory,
            node: parts.node,
            limits: parts.limits,
            receipts: parts.receipts,
            accesses: Accesses::default(),
            sealing: parts.sealing,
            sealing_overlap: parts.sealing_overlap,
            folder: parts.folder,
            searched: parts.searched,
            erasing: Mutex::new(()),
            sealer: Sealer::with_chance(parts.network, parts.environment.clone()),
            workers: Semaphore::new(parts.environment.workers()),
            bulks: Semaphore::new(BULKS_MAX),
            environment: parts.environment,
            submit: parts.submit,
            fatal: watch::channel(None).0,
            intake: Arc::new(Semaphore::new(intake_units(INTAKE_BYTES_MAX) as usize)),
            resolving: Mutex::new(()),
            reached: AtomicU64::new(0),
        })
    }

    /// Room for a message of at most this size, before its bytes are fetched.
    ///
    /// # Errors
    /// `Busy` or `TooLarge`.
    pub fn make_room(&self, bytes: usize, channel: Channel) -> Result<Room, ReceiveError> {
        if bytes > self.limits.bulk_bytes {
            return Err(ReceiveError::TooLarge { size: bytes, limit: self.limits.bulk_bytes });
        }
        match self.intake.clone().try_acquire_many_owned(intake_units(bytes)) {
            Ok(permit) => Ok(Room { permit, bytes }),
            Err(_) => {
                METRICS.messages.with_label_values(&[channel.name(), "busy"]).inc();
                Err(ReceiveError::Busy)
            }
        }
    }

    /// Takes a message in and returns at once; the ticket waits for its answer.
    ///
    /// # Errors
    /// `Busy` or `TooLarge`; nothing was kept then.
    pub fn receive(self: &Arc<Self>, raw: Bytes, channel: Channel) -> Result<Ticket, ReceiveError> {
        let room = self.make_room(raw.len(), channel)?;
        self.receive_into(room, raw, channel)
    }

    /// As [`Core::receive`], into room that was made before.
    ///
    /// # Errors
    /// `Busy`, or `TooLarge` for the room; nothing was kept then.
    pub fn receive_into(
        self: &Arc<Self>,
        room: Room,
        raw: Bytes,
        channel: Channel,
    ) -> Result<Ticket, ReceiveError> {
        let Room { mut permit, bytes } = room;
        if raw.len() > bytes {
            return Err(ReceiveError::TooLarge { size: raw.len(), limit: bytes });
        }
        // What the message turned out not to need is for others.
        let spare = intake_units(bytes) - intake_units(raw.len());
        drop(permit.split(spare as usize));
        let key = MessageKey::of(&raw);
        if raw.len() > self.limits.message_bytes {
            let content = Box::new(Kept { bytes: io::Cursor::new(raw), _permit: permit });
            return self.receive_bulk(Bulk { key, content }, channel);
        }
        self.enter(key, channel, move |core, entry| async move {
            if let Err(error) = core.clone().process(entry, raw, permit).await {
                tracing::warn!(message = %key, %error, "give up message");
                core.stop_if_store_failed(&error);
            }
        })
    }

    /// Enters a message into the book; if it is new, the work on it begins.
    fn enter<W: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        key: MessageKey,
        channel: Channel,
        work: impl FnOnce(Arc<Self>, Entry) -> W,
    ) -> Result<Ticket, ReceiveError> {
        let count = |kind| METRICS.messages.with_label_values(&[channel.name(), kind]).inc();
        match self.book.enter(key) {
            Entered::Full => {
                count("busy");
                Err(ReceiveError::Busy)
            }
            Entered::Open(answer) => {
                count("repeated");
                Ok(Ticket { key, answer })
            }
            Entered::New(entry) => {
                count("new");
                let answer = entry.subscribe();
                tokio::spawn(work(self.clone(), entry));
                Ok(Ticket { key, answer })
            }
        }
    }

    async fn process(
        self: Arc<Self>,
        entry: Entry,
        raw: Bytes,
        permit: OwnedSemaphorePermit,
    ) -> Result<(), ReceiveError> {
        let (core, bytes) = (self.clone(), raw.len());
        let mut outcome = self.on_worker(bytes, move || core.first_look(entry, raw)).await?;
        if let prepare::Outcome::UnknownName { entry, raw } = outcome {
            // Without a node the directory stays as it is, and the answer is that of today.
            self.directory.refresh(&self.node).await;
            let core = self.clone();
            outcome = self
                .on_worker(bytes, move || {
                    let received = core.translate(&raw);
                    core.prepare(entry, raw, received)
                })
                .await?;
        }
        match outcome {
            prepare::Outcome::Repeated { entry, answer } => entry.finish(answer),
            prepare::Outcome::UnknownName { .. } => return Err(ReceiveError::Dropped),
            prepare::Outcome::Answered { entry, message, answer } => {
                self.store.write(Write::Accept(message)).await?;
                entry.finish(answer);
            }
            prepare::Outcome::Registered { message, submissions, after } => {
                let sequence = message.sequence;
                let answer = message.answer.clone();
                self.book.wait_accepted(&after).await;
                #[cfg(feature = "planted")]
                if planted::is(planted::ANSWER_BEFORE_COMMIT) {
                    self.book.accept_early(sequence);
                }
                self.store.write(Write::Accept(message)).await?;
                drop(permit);
                if let Some(answer) = answer {
                    self.book.finish(sequence, answer);
                    return Ok(());
                }
                // From here on its state may be told, and others may be stored that refer to it.
                if let Some(finished) = self.book.accepted(sequence) {
                    self.settle(Vec::new(), vec![finished]).await?;
                }
                for prepared in submissions {
                    // Closed only when the gateway stops; the payment is journalled and open.
                    if self.submit.send(prepared).await.is_err() {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// Runs CPU-bound or disk-bound work on so many bytes beside the async threads, at most one a
    /// core. Little work is done at once: to hand it to another thread and back costs as much again.
    async fn on_worker<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> Result<T, ReceiveError> + Send + 'static,
    ) -> Result<T, ReceiveError> {
        if bytes <= AT_ONCE_BYTES_MAX {
            return work();
        }
        let _worker = self.workers.acquire().await.map_err(|_| ReceiveError::Dropped)?;
        self.environment.work(work).await.unwrap_or(Err(ReceiveError::Dropped))
    }

    /// After a failure of the store the state in memory may be ahead of it: only a new start is
    /// safe.
    pub(crate) fn stop_if_store_failed(&self, error: &ReceiveError) {
        if let ReceiveError::Store(error) = error {
            self.stop_for(Fatal::Store(error.clone()));
        }
    }

    /// Ends the gateway; the first reason is the one that is told.
    pub(crate) fn stop_for(&self, reason: Fatal) {
        self.fatal.send_if_modified(|first| {
            let news = first.is_none();
            first.get_or_insert(reason);
            news
        });
    }

    fn stored_answer(&self, key: &MessageKey) -> Result<Option<Answer>, StoreError> {
        match self.store.find_message(key)? {
            Some(sequence) => self.store.answer(sequence),
            None => Ok(None),
        }
    }

    /// What is recorded from now on was answered in this block, or in one before it.
    pub(crate) fn reached(&self, height: Height) {
        self.reached.fetch_max(height.0, Ordering::Relaxed);
    }

    /// Notes what the ledger answered, makes it durable together with the answers that it
    /// completes, and tells everybody who waits.
    ///
    /// # Errors
    /// When the store fails; the payments stay open then.
    pub async fn answered(
        self: &Arc<Self>,
        fates: Vec<(TransferId, Fate)>,
    ) -> Result<(), ReceiveError> {
        // An answer may follow from fates of several calls. It must not be in the store before
        // any of them, so the store gets them in the order in which the book did.
        let turn = self.resolving.lock().await;
        let (news, finished) = self.book.resolve(fates);
        self.settle_in_turn(news, finished, turn).await
    }

    async fn settle(
        self: &Arc<Self>,
        news: Vec<News>,
        finished: Vec<Finished>,
    ) -> Result<(), ReceiveError> {
        let turn = self.resolving.lock().await;
        self.settle_in_turn(news, finished, turn).await
    }

    async fn settle_in_turn(
        self: &Arc<Self>,
        news: Vec<News>,
        finished: Vec<Finished>,
        turn: MutexGuard<'_, ()>,
    ) -> Result<(), ReceiveError> {
        if news.is_empty() && finished.is_empty() {
            return Ok(());
        }
        for News { fate, .. } in &news {
            let result = if matches!(fate, Fate::Settled { .. }) { "settled" } else { "refused" };
            METRICS.payments.with_label_values(&[result]).inc();
        }
        let core = self.clone();
        let height = match self.reached.load(Ordering::Relaxed) {
            0 => None,
            height => Some(Height(height)),
        };
        let payments: usize = finished.iter().map(|message| message.fates.len()).sum();
        let bytes = payments * REPORT_BYTES;
        let answers = self.on_worker(bytes, move || core.final_answers(finished, height)).await?;
        let fates = news.iter().map(|news| (news.place, news.fate.clone())).collect();
        let receipts = self.receipts_of(&news);
        let settlement = Settlement { fates, answers: answers.clone(), receipts };
        let written = self.store.enqueue(Write::Settle(settlement)).await?;
        drop(turn);
        #[cfg(feature = "planted")]
        if planted::is(planted::ANSWER_BEFORE_COMMIT) {
            answers.iter().for_each(|(sequence, answer)| {
                self.book.finish(*sequence, answer.clone());
            });
        }
        written.done().await?;
        // Only what this commit made durable: another task may be at work on the others.
        self.book.forget(news.iter().map(|news| news.uetr));
        for (sequence, answer) in answers {
            self.book.finish(sequence, answer);
        }
        Ok(())
    }

    /// The receipts that are to follow what has settled, if the bank wants them in messages.
    fn receipts_of(&self, news: &[News]) -> Vec<WantedReceipt> {
        if self.receipts == Receipts::OnRequest {
            return Vec::new();
        }
        let wanted = news.iter().filter_map(|News { uetr, place, fate }| match fate {
            Fate::Settled { time } => {
                Some(WantedReceipt::Paid { uetr: *uetr, place: *place, settled: *time })
            }
            Fate::Refused(_) | Fate::Rejected(_) | Fate::Pending => None,
        });
        wanted.collect()
    }

    fn final_answers(
        &self,
        finished: Vec<Finished>,
        height: Option<Height>,
    ) -> Result<Vec<(u64, Answer)>, ReceiveError> {
        let now = self.environment.now();
        finished
            .into_iter()
            .map(|message| {
                let key = self.book.key_of(message.sequence).ok_or(ReceiveError::Dropped)?;
                let answer = answer::report(&key, &message.context, &message.fates, now);
                let height = height.filter(|_| answer.kind == AnswerKind::Report);
                Ok((message.sequence, Answer { height, ..answer }))
            })
            .collect()
    }

    /// How the message with this key stands. Reads the store: for blocking threads.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn standing_of_key(&self, key: &MessageKey) -> Result<Standing, StoreError> {
        if let Some(open) = self.book.standing(key) {
            return Ok(match open {
                // Perhaps a repetition that is only now recognised: its answer stands.
                None => self.stored_answer(key)?.map_or(Standing::Reading, Standing::Answered),
                Some(message) => {
                    Standing::Open(answer::interim(key, &message, self.environment.now()))
                }
            });
        }
        Ok(self.stored_answer(key)?.map_or(Standing::Unknown, Standing::Answered))
    }

    /// How the message stands that holds the payment with this UETR, or else the first one with a
    /// transaction of this UETR that was rejected. Reads the store.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn standing_of_uetr(&self, uetr: &TransferId) -> Result<Standing, StoreError> {
        let sequence = match self.book.message_of(uetr) {
            Some(sequence) => sequence,
            None => match self.store.find_payment(uetr)? {
                Some(place) => place.message,
                None => match self.store.find_named(uetr)? {
                    Some(sequence) => sequence,
                    None => return Ok(Standing::Unknown),
                },
            },
        };
        if let Some(key) = self.book.key_of(sequence)
            && let Some(message) = self.book.snapshot(sequence)
        {
            return Ok(Standing::Open(answer::interim(&key, &message, self.environment.now())));
        }
        Ok(self.store.answer(sequence)?.map_or(Standing::Reading, Standing::Answered))
    }
}

#[cfg(test)]
mod tests;
