//! Opening a document for a person: the ledger records who reads what on what ground, and only then is it handed out.
//!
//! The record is a command that this bank signs. It is submitted like a payment and answered by the ledger; without that
//! answer nothing is shown. Who goes away in between leaves a record of something that was not read, never the other way
//! round. What the bank's own systems take from the outbox is delivery, and no access in this sense.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::sync::oneshot;
use wire::document::{commitment, salted_digest};
use wire::ledger::{
    Access, Answer, Command, Digest, LedgerTime, RecordAccess, Refusal, TransferId,
};

use super::{Certificate, Core};
use crate::{
    node::Prepared,
    store::{DocumentProof, OutboxEntry, StoreError},
};

/// Records that wait for the ledger's answer at one time.
const ACCESSES_MAX: usize = 16;
/// How long one is waited for.
const ACCESS_TIME_MAX: Duration = Duration::from_secs(10);

/// Who asks for a document, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessAsked {
    /// The payment.
    pub payment: TransferId,
    /// Who reads, as the bank names its people.
    pub reader: String,
    /// On what ground.
    pub ground: String,
}

/// Where an access is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Id of the record's command.
    pub id: TransferId,
    /// What the ledger answered.
    pub answer: Answer,
    /// Leaf of the record in the Merkle log.
    pub leaf: u64,
    /// Ledger time of its block.
    pub time: LedgerTime,
}

/// A document that was opened for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedFor {
    /// The record of that.
    pub recorded: Recorded,
    /// The document, as it was delivered.
    pub entry: OutboxEntry,
    /// What proves it.
    pub proof: DocumentProof,
    /// What the ledger's record of the payment commits to.
    pub commitment: Digest,
}

/// Why a document is not opened.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// It was erased.
    #[error("the document is {0}")]
    Erased(Certificate),
    /// Its erasure was ordered.
    #[error("the document is being erased: its keys are destroyed, the certificate follows")]
    BeingErased,
    /// No document of a payment to this bank.
    #[error("this gateway holds no opened document of a payment to this bank with this UETR")]
    NoDocument,
    /// Reader or ground are missing or too long.
    #[error("reader (1 to 64 bytes) and ground (1 to 140 bytes) must be named, in one line each")]
    Words,
    /// Others are being recorded.
    #[error("too many documents are being opened; ask again")]
    Busy,
    /// The ledger has not answered.
    #[error("the ledger has not recorded the access, so nothing is shown; ask again")]
    NotRecorded,
    /// The ledger refused the record.
    #[error("the ledger refuses to record the access, so nothing is shown: {}", .0.sender_text())]
    Refused(Refusal),
    /// The random source failed.
    #[error("the system's random source failed")]
    Random,
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Records that wait for the ledger's answer.
#[derive(Default)]
pub struct Accesses {
    waiting: Mutex<BTreeMap<TransferId, oneshot::Sender<Recorded>>>,
}

impl Accesses {
    fn wait(&self, id: TransferId) -> Option<oneshot::Receiver<Recorded>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, asker| !asker.is_closed());
        if waiting.len() >= ACCESSES_MAX {
            return None;
        }
        let (answer, answered) = oneshot::channel();
        waiting.insert(id, answer);
        Some(answered)
    }

    /// The ledger has answered.
    pub(crate) fn answered(&self, recorded: Recorded) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asker) = waiting.remove(&recorded.id) {
            // Whoever has gone away reads nothing.
            let _ = asker.send(recorded);
        }
    }
}

impl Core {
    /// Opens the document of a payment to this bank for a person, once the ledger has recorded that.
    ///
    /// # Errors
    /// [`AccessError`]; nothing is shown then, though a record may have been made.
    pub async fn open_for(self: &Arc<Self>, asked: AccessAsked) -> Result<OpenedFor, AccessError> {
        let (core, payment) = (self.clone(), asked.payment);
        let found = self.environment.work(move || core.opened_document(&payment));
        let found = found.await.map_err(|_| AccessError::NotRecorded)?;
        let (entry, proof) = match found {
            // Perhaps not here any more, or on another gateway of this bank.
            Err(error @ (AccessError::NoDocument | AccessError::BeingErased)) => {
                return Err(match self.certificate(payment).await? {
                    Some(certificate) => AccessError::Erased(certificate),
                    None => error,
                });
            }
            found => found?,
        };
        let salted = salted_digest(&proof.salt, &entry.content);
        let commitment = commitment(&salted, &proof.sealed);
        let record = RecordAccess {
            id: self.random_id()?,
            participant: self.participant,
            access: Access::Opened,
            payment: Some(asked.payment),
            what: commitment,
            reader: asked.reader,
            ground: asked.ground,
        };
        let recorded = self.record_access(record).await?;
        Ok(OpenedFor { recorded, entry, proof, commitment })
    }

    fn opened_document(
        &self,
        payment: &TransferId,
    ) -> Result<(OutboxEntry, DocumentProof), AccessError> {
        if self.store.erasure(payment)?.is_some() {
            return Err(AccessError::BeingErased);
        }
        self.store.document(payment)?.ok_or(AccessError::NoDocument)
    }

    /// Has the ledger record an access of this bank, and waits for it.
    ///
    /// # Errors
    /// [`AccessError`] when it is not known to be recorded.
    pub async fn record_access(&self, record: RecordAccess) -> Result<Recorded, AccessError> {
        if !record.is_well_formed() {
            return Err(AccessError::Words);
        }
        self.state(record.id, &Command::RecordAccess(Box::new(record))).await
    }

    /// Has the ledger record a statement of this bank, and waits for it.
    ///
    /// # Errors
    /// [`AccessError`] when it is not known to be recorded.
    pub(super) async fn state(
        &self,
        id: TransferId,
        command: &Command,
    ) -> Result<Recorded, AccessError> {
        let mut bytes = Vec::new();
        command.encode(&mut bytes);
        self.state_bytes(id, bytes.into()).await
    }

    /// As [`Core::state`], of canonical bytes.
    pub(super) async fn state_bytes(
        &self,
        id: TransferId,
        command: Bytes,
    ) -> Result<Recorded, AccessError> {
        let answered = self.accesses.wait(id).ok_or(AccessError::Busy)?;
        let prepared = Prepared::statement(id, command);
        let recorded = async {
            // Closed only when the gateway stops.
            self.submit.send(Arc::new(prepared)).await.ok()?;
            answered.await.ok()
        };
        let recorded = tokio::time::timeout(ACCESS_TIME_MAX, recorded).await;
        let recorded = recorded.ok().flatten().ok_or(AccessError::NotRecorded)?;
        match recorded.answer {
            Answer::Settled => Ok(recorded),
            Answer::Refused(refusal) => Err(AccessError::Refused(refusal)),
            Answer::Waiting(_) => Err(AccessError::NotRecorded),
        }
    }

    /// A version 4 UUID.
    pub(super) fn random_id(&self) -> Result<TransferId, AccessError> {
        let mut bytes = [0; 16];
        self.environment.fill(&mut bytes).map_err(|_| AccessError::Random)?;
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        Ok(TransferId(bytes))
    }
}

impl Prepared {
    /// A command without a document: a statement of this bank that is no payment.
    #[must_use]
    pub fn statement(id: TransferId, command: Bytes) -> Self {
        Self { uetr: id, command, salted: Digest([0; 32]), sealed: Bytes::new() }
    }

    /// Whether it is a statement.
    #[must_use]
    pub fn is_statement(&self) -> bool {
        self.sealed.is_empty()
    }
}
