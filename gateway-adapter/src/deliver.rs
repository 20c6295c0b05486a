//! Credits on their way to the bank: unseal, check against the ledger's digest and against the
//! movement that settled, put into the outbox.
//!
//! The outbox entries and the cursor up to which the history was searched are one commit, so a
//! credit is neither lost nor doubled, whatever ends in between. A credit whose document cannot be
//! shown, or is not the payment that settled, is told as a notice: money has arrived either way.
//! What each entry says about bank and amount comes from the ledger, never from the document.
//!
//! An exchange is told to each bank whose accounts it moved, and a notice to its bank (`news.rs`). Of transfers that
//! wait the bank is told nothing until their money arrives: there is no message for that yet. The log and the metrics
//! name them, the ledger keeps them, and the cursor moves on.

mod document;
mod news;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use translate::{Directory, money::to_decimal_text};
use wire::client::{Cursor, Deliveries, Delivery, Told};
use wire::document::sealed_digest;
use wire::ledger::{AccountNumber, Answer, Command, Leg, ParticipantNumber, Transfer, TransferId};

use crate::{
    config::Receipts,
    core::{Certificate, Core, ReceiveError},
    metrics::METRICS,
    seal::OpenError,
    store::{
        Credit, Delivered, DocumentProof, OutboxEntry, OutboxKind, StoreError, WantedReceipt, Write,
    },
};

/// A cursor that moved without credits is written this often.
const CURSOR_WRITE_INTERVAL: Duration = Duration::from_secs(1);
/// Wait before the directory is asked for again that does not know an account yet.
const DIRECTORY_WAIT: Duration = Duration::from_millis(500);

/// Payments whose documents this bank has erased, by their certificates.
type Erased = BTreeMap<TransferId, Certificate>;

/// A credit without its document, as the bank sees it.
#[derive(Debug, Serialize)]
struct Notice<'a> {
    uetr: String,
    /// BIC of the bank that submitted the payment.
    from: Option<String>,
    settled_ns: String,
    leaf: String,
    legs: Vec<NoticeLeg>,
    /// Why there is no document.
    reason: &'a str,
}

#[derive(Debug, Serialize)]
struct NoticeLeg {
    credit_account: String,
    currency: Option<String>,
    /// A text: JSON numbers are not exact everywhere.
    amount_minor: String,
    exponent: Option<u8>,
}

/// Takes deliveries until the sender or the store ends.
pub(crate) async fn run(
    core: Arc<Core>,
    mut deliveries: mpsc::Receiver<Deliveries>,
    cursor: watch::Sender<Cursor>,
) {
    let mut written = Instant::now();
    while let Some(frame) = deliveries.recv().await {
        let done = *cursor.borrow();
        if frame.searched <= done {
            continue;
        }
        let searched = frame.searched;
        know_accounts(&core, &frame).await;
        let entries = match opened(&core, frame, done).await {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(%error, "open deliveries");
                let error = StoreError::Failed("opening deliveries failed".into());
                core.stop_if_store_failed(&ReceiveError::Store(error));
                return;
            }
        };
        // Without credits there is nothing to lose: the cursor alone is written now and then, so that
        // a start does not search from far back.
        if !entries.is_empty() || written.elapsed() >= CURSOR_WRITE_INTERVAL {
            if let Err(error) = core.store.write(Write::Deliver(entries, searched)).await {
                core.stop_if_store_failed(&ReceiveError::Store(error));
                return;
            }
            written = Instant::now();
            core.note_outbox_depth().await;
        }
        cursor.send_replace(searched);
    }
}

/// The entries of a frame. What does not open is looked up in the ledger: perhaps this bank has erased it.
async fn opened(
    core: &Arc<Core>,
    frame: Deliveries,
    done: Cursor,
) -> Result<Vec<Delivered>, tokio::task::JoinError> {
    let frame = Arc::new(frame);
    let mut erased = Erased::new();
    loop {
        let (worker, items, known) = (core.clone(), frame.clone(), erased.clone());
        let work = core.environment.work(move || {
            let mut shut = Vec::new();
            // A new subscription begins at the durable cursor and may repeat what was still queued.
            let items = items.items.iter().filter(|item| item.cursor > done);
            let entries = items.flat_map(|item| entries(&worker, &known, item, &mut shut));
            (entries.collect::<Vec<_>>(), shut)
        });
        let (entries, shut) = work.await?;
        let before = erased.len();
        for payment in shut {
            if let Ok(Some(certificate)) = core.certificate(payment).await {
                erased.insert(payment, certificate);
            }
        }
        if erased.len() == before {
            return Ok(entries);
        }
    }
}

/// Waits until the directory knows every account of these transfers, or is at least as new as they
/// are. Without it no bank and no amount could be told, and what is told stays.
async fn know_accounts(core: &Core, frame: &Deliveries) {
    loop {
        let directory = core.directory.current();
        let is_unknown = |account: &AccountNumber| directory.account(*account).is_none();
        let unknown =
            frame.items.iter().any(|item| match (Command::decode(&item.command), &item.told) {
                (Ok((Command::Transfer(transfer), _)), _) => {
                    let legs = transfer.legs.as_slice().iter();
                    legs.flat_map(|leg| [leg.debit, leg.credit]).any(|account| is_unknown(&account))
                }
                (Ok((Command::Exchange(exchange), _)), Told::Exchanged(exchanged)) => {
                    news::accounts(&exchange, exchanged).any(|account| is_unknown(&account))
                }
                (_, Told::Notice(notice)) => news::account(notice).as_ref().is_some_and(is_unknown),
                _ => false,
            });
        let newest = frame.items.iter().map(|item| item.cursor.height).max().unwrap_or(0);
        if !unknown || core.directory.height().is_some_and(|height| height >= newest) {
            return;
        }
        core.directory.refresh(&core.node).await;
        tokio::time::sleep(DIRECTORY_WAIT).await;
    }
}

/// What a bank is handed for one delivery.
fn entries(
    core: &Core,
    erased: &Erased,
    delivery: &Delivery,
    shut: &mut Vec<TransferId>,
) -> Vec<Delivered> {
    let directory = core.directory.current();
    match &delivery.told {
        Told::Notice(notice) => {
            vec![news::of_notice(core, &directory, delivery, notice).into()]
        }
        Told::Exchanged(exchanged) => match Command::decode(&delivery.command) {
            Ok((Command::Exchange(exchange), _)) => {
                let told = news::of_exchange(core, &directory, delivery, &exchange, exchanged);
                told.into_iter().map(Delivered::from).collect()
            }
            Ok((command, _)) => {
                tracing::error!(leaf = delivery.leaf, kind = command.name(), "no exchange");
                Vec::new()
            }
            Err(error) => {
                tracing::error!(leaf = delivery.leaf, %error, "read delivered command");
                Vec::new()
            }
        },
        Told::Settled | Told::Waits(_) | Told::Moved { .. } => {
            credit(core, erased, delivery, shut).into_iter().collect()
        }
    }
}

fn credit(
    core: &Core,
    erased: &Erased,
    delivery: &Delivery,
    shut: &mut Vec<TransferId>,
) -> Option<Delivered> {
    let transfer = match Command::decode(&delivery.command) {
        Ok((Command::Transfer(transfer), _)) => transfer,
        // Issues and returns of exchanges have no message of their own yet.
        Ok((command, _)) => {
            let (leaf, kind) = (delivery.leaf, command.name());
            tracing::info!(leaf, kind, "something of this bank has no message yet");
            METRICS.deliveries.with_label_values(&["no-message"]).inc();
            return None;
        }
        Err(error) => {
            tracing::error!(leaf = delivery.leaf, %error, "read delivered command");
            return None;
        }
    };
    let count = |result| METRICS.deliveries.with_label_values(&[result]).inc();
    let directory = core.directory.current();
    if !brings_money(core, &directory, delivery, &transfer) {
        count("not-money");
        note(delivery, &transfer);
        return None;
    }
    let opened = match (&delivery.document, &transfer.document) {
        // Of a stream that is read again: what was erased does not come back.
        _ if erased.contains_key(&transfer.id) => {
            Err(format!("the document is {}", erased[&transfer.id]))
        }
        (Some(_), Some(_)) if core.store.erasure(&transfer.id).is_ok_and(|one| one.is_some()) => {
            shut.push(transfer.id);
            Err("the document is being erased".to_owned())
        }
        (Some((salted, sealed)), Some(commitment)) => {
            let opened = core.sealing.open_checked(transfer.id, sealed, salted, commitment);
            opened.map_err(|error| {
                if error == OpenError::Key {
                    shut.push(transfer.id);
                }
                error.to_string()
            })
        }
        (None, Some(_)) => Err("the node does not hold the document".to_owned()),
        (_, None) => Err("the payment has no document".to_owned()),
    };
    let checked = opened.and_then(|(opened, generation)| {
        let own = core.participant;
        let name = document::check(&opened.document, &transfer, delivery.time, &directory, own)?;
        Ok((name, opened, generation))
    });
    let (kind, content, salt) = match checked {
        Ok((name, opened, generation)) => {
            count("opened");
            let salt = Some((opened.salt, generation));
            (OutboxKind::Message(name), Bytes::from(opened.document), salt)
        }
        Err(reason) => {
            count(if delivery.document.is_some() { "not-opened" } else { "no-document" });
            tracing::warn!(uetr = %transfer.id, leaf = delivery.leaf, %reason, "credit without a usable document");
            (OutboxKind::Notice, notice(core, &directory, delivery, &transfer, &reason), None)
        }
    };
    let sealed = delivery.document.as_ref().map(|(_, sealed)| sealed_digest(sealed));
    let proof = salt.zip(sealed).map(|((salt, generation), sealed)| DocumentProof {
        salt,
        sealed,
        generation,
    });
    let wants_receipt = core.receipts == Receipts::InMessages;
    let receipt = wants_receipt.then(|| WantedReceipt::Credited {
        uetr: transfer.id,
        command: delivery.command.clone(),
        leaf: delivery.leaf,
        settled: delivery.time,
    });
    let entry = OutboxEntry {
        kind,
        uetr: transfer.id,
        settled: delivery.time,
        received_ns: core.environment.now_ns(),
        leaf: delivery.leaf,
        credits: credits(core, &directory, &transfer),
        content,
    };
    Some(Delivered { entry, proof, receipt })
}

/// Whether money has arrived with this: what waits brings none, nor does the end of a transfer that this bank pays,
/// sends or approves.
fn brings_money(
    core: &Core,
    directory: &Directory,
    delivery: &Delivery,
    transfer: &Transfer,
) -> bool {
    match &delivery.told {
        Told::Settled => true,
        // Exchanges and notices have messages of their own.
        Told::Exchanged(_) | Told::Notice(_) | Told::Waits(_) => false,
        Told::Moved { progress, .. } => {
            let own = |leg: &Leg| {
                directory
                    .account(leg.credit)
                    .is_none_or(|account| account.owner == core.participant)
            };
            progress.answer.is_settled() && transfer.legs.as_slice().iter().any(own)
        }
    }
}

/// Tells the operator of what has no message yet.
fn note(delivery: &Delivery, transfer: &Transfer) {
    let (uetr, leaf) = (&transfer.id, delivery.leaf);
    match &delivery.told {
        Told::Settled | Told::Exchanged(_) | Told::Notice(_) => {}
        Told::Waits(stage) => {
            tracing::info!(%uetr, leaf, stage = stage.name(), "a transfer of this bank waits");
        }
        Told::Moved { progress, .. } => match progress.answer {
            Answer::Settled => tracing::info!(%uetr, leaf, "a transfer that waited has settled"),
            Answer::Waiting(stage) => {
                tracing::info!(%uetr, leaf, stage = stage.name(), "a transfer waits elsewhere");
            }
            Answer::Refused(reason) => {
                let (reason, iso) = (reason.name(), reason.iso_code());
                tracing::info!(%uetr, leaf, reason, iso, "a transfer that waited was released");
            }
        },
    }
}

/// The legs of a transfer that credit this bank, as the ledger has them.
fn credits(core: &Core, directory: &Directory, transfer: &Transfer) -> Vec<Credit> {
    let legs = transfer.legs.as_slice().iter().filter_map(|leg| {
        let account = directory.account(leg.credit)?;
        if account.owner != core.participant {
            return None;
        }
        let asset = directory.asset(account.asset)?;
        let debtor = directory
            .account(leg.debit)
            .and_then(|account| directory.participant(account.owner))
            .map_or_else(String::new, |bank| bank.bic.to_string());
        Some(Credit {
            debtor,
            currency: asset.code.to_string(),
            amount: to_decimal_text(leg.amount, asset.exponent),
        })
    });
    legs.collect()
}

fn notice(
    core: &Core,
    directory: &Directory,
    delivery: &Delivery,
    transfer: &Transfer,
    reason: &str,
) -> Bytes {
    let own = |participant: ParticipantNumber| participant == core.participant;
    let legs = transfer
        .legs
        .as_slice()
        .iter()
        .filter_map(|leg| {
            let account = directory.account(leg.credit);
            if account.is_some_and(|account| !own(account.owner)) {
                return None;
            }
            let asset = account.and_then(|account| directory.asset(account.asset));
            Some(NoticeLeg {
                credit_account: leg.credit.to_string(),
                currency: asset.map(|asset| asset.code.to_string()),
                amount_minor: leg.amount.to_string(),
                exponent: asset.map(|asset| asset.exponent.get()),
            })
        })
        .collect();
    let notice = Notice {
        uetr: transfer.id.to_string(),
        from: directory.participant(delivery.submitter).map(|bank| bank.bic.to_string()),
        settled_ns: delivery.time.to_string(),
        leaf: delivery.leaf.to_string(),
        legs,
        reason,
    };
    serde_json::to_vec(&notice).expect("a tree of texts is JSON").into()
}

#[cfg(test)]
mod tests;
