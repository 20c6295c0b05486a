//! Provable erasure of one document: its keys are destroyed here, and the ledger keeps a certificate of that.
//!
//! The order stands in the store before a key is touched, the certificate before it is submitted; whatever ends in between,
//! the gateway goes on after its next start. Nothing is certified that is not so: a document that a sealing key still opens, that
//! the bank has not taken yet, or that lies here in clear, is refused. What others have, and what the bank's own systems took,
//! is out of reach, and the certificate does not speak of it.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use translate::{Fate, time::iso_date_time};
use wire::client::{Query, QueryAnswer};
use wire::document::{commitment, salted_digest};
use wire::ledger::{Command, EraseDocument, LedgerTime, Refusal, Transfer, TransferId, erasure_id};

use super::{AccessError, Core, ReceiveError, Recorded, SealingError};
use crate::{
    keyring::overwrite_and_remove,
    store::{Copies, Erasure, ErasureStage, StoreError, Write},
};

/// Wait before what is under way is tried again.
const AGAIN: Duration = Duration::from_secs(2);

/// Whose document is erased, by whom and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EraseAsked {
    /// The payment.
    pub payment: TransferId,
    /// Who orders it, as the bank names its people.
    pub by: String,
    /// On what ground.
    pub ground: String,
    /// Whether the copies of other payments may go that came in the same message of this bank.
    pub whole_message: bool,
}

/// A certificate in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Its id.
    pub id: TransferId,
    /// Its leaf.
    pub leaf: u64,
    /// Ledger time of its block.
    pub time: LedgerTime,
    /// Who ordered the erasure.
    pub by: String,
    /// On what ground.
    pub ground: String,
}

impl std::fmt::Display for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { leaf, time, by, ground, .. } = self;
        write!(
            f,
            "erased on {} by {by} ({ground}), certificate at leaf {leaf}",
            iso_date_time(*time)
        )
    }
}

/// Why a document is not erased.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// There is none.
    #[error("this gateway holds no document of a payment with this UETR")]
    NoDocument,
    /// It was erased before.
    #[error("the document is {0}")]
    AlreadyErased(Certificate),
    /// The payment is not settled, or its message not answered.
    #[error("the payment is still under way; a document is erased once it has settled")]
    UnderWay,
    /// The bank has not taken it.
    #[error("the bank has not taken the document yet; acknowledge outbox entry {0} first")]
    NotTaken(u64),
    /// The static key still opens it, here and wherever the sealed bytes are.
    #[error("sealing key generation {0} still opens the document; retire it first")]
    SealingKey(u32),
    /// Its message holds others.
    #[error("the message that brought the payment has {0} transactions; say that all of it may go")]
    SeveralPayments(usize),
    /// It cannot be destroyed.
    #[error(
        "the document was stored in clear by an older version, so its erasure cannot be proven"
    )]
    InClear,
    /// What is here is not what the ledger has.
    #[error("the document here is not the one of the ledger's record of the payment")]
    NotTheRecords,
    /// The certificate was not recorded.
    #[error("keys are destroyed or about to be; the certificate follows: {0}")]
    NotCertified(AccessError),
    /// Nothing was done.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The sealing keys.
    #[error(transparent)]
    Sealing(#[from] SealingError),
    /// A copy outside of the store cannot be removed.
    #[error("remove a copy in the folder: {0}")]
    Folder(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Core {
    /// The certificate of this bank about a payment's document, from here or from the ledger.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn certificate(
        self: &Arc<Self>,
        payment: TransferId,
    ) -> Result<Option<Certificate>, StoreError> {
        if let Some(erasure) = self.erasure_here(payment).await? {
            let Erasure { id, by, ground, stage } = erasure;
            return Ok(match stage {
                ErasureStage::Certified { leaf, time } => {
                    Some(Certificate { id, leaf, time, by, ground })
                }
                _ => None,
            });
        }
        let derived = erasure_id(&payment, self.participant);
        let Some(QueryAnswer::Transfer(Some(found))) =
            self.node.query(Query::Transfer(derived)).await
        else {
            return Ok(None);
        };
        let Ok((Command::EraseDocument(erase), _)) = Command::decode(&found.command) else {
            return Ok(None);
        };
        let (leaf, time) = (found.leaf, found.time);
        let EraseDocument { id, by, ground, participant, .. } = *erase;
        let own = participant == self.participant && erase.payment.id == payment;
        Ok(own.then_some(Certificate { id, leaf, time, by, ground }))
    }

    async fn erasure_here(
        self: &Arc<Self>,
        payment: TransferId,
    ) -> Result<Option<Erasure>, StoreError> {
        let core = self.clone();
        let read = self.environment.work(move || core.store.erasure(&payment)).await;
        read.unwrap_or(Err(StoreError::Closed))
    }

    /// Erases the document of a payment that this bank sent or received.
    ///
    /// # Errors
    /// [`EraseError`]. But for `NotCertified` nothing was destroyed.
    pub async fn erase(self: &Arc<Self>, asked: EraseAsked) -> Result<Certificate, EraseError> {
        let _turn = self.erasing.lock().await;
        let payment = asked.payment;
        if let Some(certificate) = self.certificate(payment).await? {
            return Err(EraseError::AlreadyErased(certificate));
        }
        let erasure = match self.erasure_here(payment).await? {
            Some(erasure) => erasure,
            None => {
                let core = self.clone();
                let copies = self.environment.work(move || core.store.copies(&payment)).await;
                let copies = copies.map_err(|_| StoreError::Closed)??;
                let transfer = self.payment_in_ledger(payment).await?;
                self.check_erasable(&asked, &copies, transfer).await?;
                let EraseAsked { by, ground, .. } = asked;
                let id = self.random_id()?;
                let erasure = Erasure { id, by, ground, stage: ErasureStage::Ordered };
                self.store.write(Write::Erase(payment, erasure.clone())).await?;
                erasure
            }
        };
        self.finish_erasure(payment, erasure).await
    }

    /// The payment as the ledger has it.
    async fn payment_in_ledger(&self, payment: TransferId) -> Result<Transfer, EraseError> {
        match self.node.query(Query::Transfer(payment)).await {
            Some(QueryAnswer::Transfer(Some(found))) => match Command::decode(&found.command) {
                Ok((Command::Transfer(transfer), _)) if transfer.id == payment => Ok(transfer),
                _ => Err(EraseError::NoDocument),
            },
            Some(QueryAnswer::Transfer(None)) => Err(EraseError::NoDocument),
            _ => Err(AccessError::NotRecorded.into()),
        }
    }

    /// Whether a certificate would be true once the keys are gone.
    async fn check_erasable(
        self: &Arc<Self>,
        asked: &EraseAsked,
        copies: &Copies,
        transfer: Transfer,
    ) -> Result<(), EraseError> {
        if copies.arrived.is_none() && copies.sent.is_empty() {
            return Err(EraseError::NoDocument);
        }
        let directory = self.directory.current();
        let is_reader = transfer.legs.as_slice().iter().any(|leg| {
            directory.account(leg.credit).is_some_and(|account| account.owner == self.participant)
        });
        // Of what was never opened here nobody can say which key opens it.
        if is_reader && copies.arrived.is_none() {
            return Err(EraseError::NoDocument);
        }
        let (core, uetr, found) = (self.clone(), asked.payment, copies.clone());
        let checked = self.environment.work(move || -> Result<(), EraseError> {
            let document = transfer.document.ok_or(EraseError::NoDocument)?;
            if let Some(copy) = &found.arrived {
                if copy.arrived.entry > core.store.taken()? {
                    return Err(EraseError::NotTaken(copy.arrived.entry));
                }
                let (entry, proof) = core.store.document(&uetr)?.ok_or(EraseError::InClear)?;
                let salted = salted_digest(&proof.salt, &entry.content);
                if commitment(&salted, &proof.sealed) != document {
                    return Err(EraseError::NotTheRecords);
                }
            } else {
                let place = core.store.find_payment(&uetr)?.ok_or(EraseError::NoDocument)?;
                if !matches!(core.store.fate(place)?, Some(Fate::Settled { .. })) {
                    return Err(EraseError::UnderWay);
                }
            }
            Ok(())
        });
        checked.await.map_err(|_| StoreError::Closed)??;
        if slots(copies).is_none() {
            return Err(EraseError::InClear);
        }
        if copies.sent.iter().any(|one| one.open) {
            return Err(EraseError::UnderWay);
        }
        let most = copies.sent.iter().map(|one| one.transactions).max().unwrap_or(0);
        if most > 1 && !asked.whole_message {
            return Err(EraseError::SeveralPayments(most));
        }
        if let Some(copy) = &copies.arrived {
            let public = self.retired_key(copy.arrived.generation)?;
            if self.key_in_force().await? == public {
                return Err(EraseError::SealingKey(copy.arrived.generation));
            }
        }
        let words = self.certificate_of(asked.payment, &asked.by, &asked.ground);
        if !words.is_well_formed() {
            return Err(AccessError::Words.into());
        }
        Ok(())
    }

    /// A certificate about nothing, to judge its words by.
    fn certificate_of(&self, payment: TransferId, by: &str, ground: &str) -> EraseDocument {
        EraseDocument {
            id: payment,
            participant: self.participant,
            destroyed: LedgerTime(0),
            sealing_key: None,
            by: by.to_owned(),
            ground: ground.to_owned(),
            payment: Transfer {
                id: payment,
                legs: wire::ledger::Legs::One(wire::ledger::Leg {
                    debit: wire::ledger::AccountNumber(0),
                    credit: wire::ledger::AccountNumber(0),
                    amount: wire::ledger::Amount::new(0),
                }),
                document: Some(wire::ledger::Digest([0; 32])),
                options: None,
            },
        }
    }

    /// The public key of a generation that is destroyed.
    fn retired_key(&self, generation: u32) -> Result<[u8; 32], EraseError> {
        let generations = self.sealing.generations();
        let found = generations.iter().find(|one| one.number == generation);
        let found = found.filter(|one| one.retired_ns.is_some());
        found.map(|one| one.public).ok_or(EraseError::SealingKey(generation))
    }

    /// Takes an erasure that was ordered to its end.
    async fn finish_erasure(
        self: &Arc<Self>,
        payment: TransferId,
        erasure: Erasure,
    ) -> Result<Certificate, EraseError> {
        let Erasure { id, by, ground, stage } = erasure;
        let step = |stage| {
            let (by, ground) = (by.clone(), ground.clone());
            Write::Erase(payment, Erasure { id, by, ground, stage })
        };
        let command = match stage {
            ErasureStage::Certified { leaf, time } => {
                return Ok(Certificate { id, leaf, time, by, ground });
            }
            ErasureStage::Destroyed(command) => command,
            ErasureStage::Ordered => {
                let transfer = self.payment_in_ledger(payment).await?;
                let core = self.clone();
                let destroyed = self.environment.work(move || core.destroy_copies(&payment)).await;
                let generation = destroyed.map_err(|_| StoreError::Closed)??;
                let sealing_key =
                    generation.map(|generation| self.retired_key(generation)).transpose()?;
                let certificate = EraseDocument {
                    id,
                    participant: self.participant,
                    destroyed: self.environment.now(),
                    sealing_key,
                    by: by.clone(),
                    ground: ground.clone(),
                    payment: transfer,
                };
                let mut command = Vec::new();
                Command::EraseDocument(Box::new(certificate)).encode(&mut command);
                let command = Bytes::from(command);
                self.store.write(step(ErasureStage::Destroyed(command.clone()))).await?;
                command
            }
        };
        let Recorded { leaf, time, .. } = match self.state_bytes(id, command).await {
            Ok(recorded) => recorded,
            Err(AccessError::Refused(Refusal::AlreadyErased)) => {
                // Another gateway of this bank has certified it.
                let derived = erasure_id(&payment, self.participant);
                match self.node.query(Query::Transfer(derived)).await {
                    Some(QueryAnswer::Transfer(Some(found))) => {
                        Recorded { id, answer: found.answer, leaf: found.leaf, time: found.time }
                    }
                    _ => return Err(EraseError::NotCertified(AccessError::NotRecorded)),
                }
            }
            Err(error) => return Err(EraseError::NotCertified(error)),
        };
        self.store.write(step(ErasureStage::Certified { leaf, time })).await?;
        tracing::info!(uetr = %payment, leaf, "a document is erased");
        Ok(Certificate { id, leaf, time, by, ground })
    }

    /// Destroys the keys of all copies, and the copies in the folder. Returns the generation of the sealing key that opened it,
    /// of a document that arrived. Doing it again changes nothing.
    fn destroy_copies(&self, payment: &TransferId) -> Result<Option<u32>, EraseError> {
        let copies = self.store.copies(payment)?;
        let slots = slots(&copies).ok_or(EraseError::InClear)?;
        self.store.destroy(&slots)?;
        if let Some(folder) = &self.folder {
            let removed = remove_from_folder(folder, payment, &copies);
            removed.map_err(|error| EraseError::Folder(error.to_string()))?;
        }
        Ok(copies.arrived.map(|copy| copy.arrived.generation))
    }

    /// Takes erasures to their end that were under way when the gateway ended.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub(crate) async fn resume_erasures(self: Arc<Self>) -> Result<(), ReceiveError> {
        loop {
            let core = self.clone();
            let read = self.environment.work(move || core.store.erasures_under_way()).await;
            let under_way = read.map_err(|_| ReceiveError::Dropped)??;
            if under_way.is_empty() {
                return Ok(());
            }
            for payment in under_way {
                let turn = self.erasing.lock().await;
                let Some(erasure) = self.erasure_here(payment).await? else { continue };
                let finished = self.finish_erasure(payment, erasure).await;
                drop(turn);
                match finished {
                    Ok(_) => {}
                    Err(EraseError::Store(error)) => return Err(error.into()),
                    Err(error) => tracing::warn!(uetr = %payment, %error, "go on with an erasure"),
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// The slots of all keys; `None` when a part is stored in clear.
fn slots(copies: &Copies) -> Option<Vec<u64>> {
    let arrived = copies.arrived.iter().map(|copy| copy.slot);
    let sent = copies.sent.iter().flat_map(|copy| copy.slots.iter().copied());
    arrived.chain(sent).collect()
}

/// Removes what the folder channel has of a document: the credit as it was handed out, and messages as they were archived.
fn remove_from_folder(folder: &Path, payment: &TransferId, copies: &Copies) -> io::Result<()> {
    if let Some(copy) = &copies.arrived {
        let name = format!("{:020}-{payment}.xml", copy.arrived.entry);
        overwrite_and_remove(&folder.join("out").join(name))?;
    }
    let archive: PathBuf = folder.join("archive");
    if copies.sent.is_empty() || !archive.exists() {
        return Ok(());
    }
    for file in fs::read_dir(&archive)? {
        let file = file?;
        let metadata = file.metadata()?;
        let mut alike = copies.sent.iter().filter(|copy| copy.bytes == metadata.len());
        if !metadata.is_file() || alike.clone().next().is_none() {
            continue;
        }
        let digest = digest_of(&file.path())?;
        if alike.any(|copy| copy.key.0 == digest) {
            overwrite_and_remove(&file.path())?;
        }
    }
    Ok(())
}

fn digest_of(path: &Path) -> io::Result<[u8; 32]> {
    let (mut file, mut digest) = (fs::File::open(path)?, Sha256::new());
    let mut piece = vec![0; 1 << 16];
    loop {
        match io::Read::read(&mut file, &mut piece)? {
            0 => return Ok(digest.finalize().into()),
            read => digest.update(&piece[..read]),
        }
    }
}

#[cfg(test)]
mod tests;
