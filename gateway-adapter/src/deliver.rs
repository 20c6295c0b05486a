//! Credits on their way to the bank: unseal, check against the ledger's digest, put into the
//! outbox.
//!
//! The outbox entries and the cursor up to which the history was searched are one commit, so a
//! credit is neither lost nor doubled, whatever ends in between. A credit whose document cannot be
//! shown is told as a notice: money has arrived either way.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use ledger::{Command, ParticipantNumber, Transfer};
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use wire::client::{Cursor, Deliveries, Delivery};

use crate::{
    core::{Core, ReceiveError, now_ns},
    metrics::METRICS,
    seal::Opener,
    store::{OutboxEntry, OutboxKind, StoreError, Write},
};

/// A cursor that moved without credits is written this often.
const CURSOR_WRITE_INTERVAL: Duration = Duration::from_secs(1);

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
    opener: Opener,
    mut deliveries: mpsc::Receiver<Deliveries>,
    cursor: watch::Sender<Cursor>,
) {
    let opener = Arc::new(opener);
    let mut written = Instant::now();
    while let Some(frame) = deliveries.recv().await {
        let done = *cursor.borrow();
        if frame.searched <= done {
            continue;
        }
        let searched = frame.searched;
        let (worker, opener) = (core.clone(), opener.clone());
        let entries = tokio::task::spawn_blocking(move || {
            // A new subscription begins at the durable cursor and may repeat what was still queued.
            let items = frame.items.iter().filter(|item| item.cursor > done);
            items.filter_map(|item| entry(&worker, &opener, item)).collect::<Vec<_>>()
        });
        let entries = match entries.await {
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

fn entry(core: &Core, opener: &Opener, delivery: &Delivery) -> Option<OutboxEntry> {
    let transfer = match Command::decode(&delivery.command) {
        Ok((Command::Transfer(transfer), _)) => transfer,
        // Issues and other credits have no document and no message of their own yet.
        Ok(_) => return None,
        Err(error) => {
            tracing::error!(leaf = delivery.leaf, %error, "read delivered command");
            return None;
        }
    };
    let count = |result| METRICS.deliveries.with_label_values(&[result]).inc();
    let opened = match (&delivery.document, &transfer.document) {
        (Some((salted, sealed)), Some(commitment)) => opener
            .open_checked(transfer.id, sealed, salted, commitment)
            .map_err(|error| error.to_string()),
        (None, Some(_)) => Err("the node does not hold the document".to_owned()),
        (_, None) => Err("the payment has no document".to_owned()),
    };
    let (kind, content) = match opened {
        Ok(opened) => {
            count("opened");
            let name = message_name(&opened.document).unwrap_or_else(|| "pacs.008".to_owned());
            (OutboxKind::Message(name), Bytes::from(opened.document))
        }
        Err(reason) => {
            count(if delivery.document.is_some() { "not-opened" } else { "no-document" });
            tracing::warn!(uetr = %transfer.id, leaf = delivery.leaf, %reason, "credit without a readable document");
            (OutboxKind::Notice, notice(core, delivery, &transfer, &reason))
        }
    };
    Some(OutboxEntry {
        kind,
        uetr: transfer.id,
        settled: delivery.time,
        received_ns: now_ns(),
        leaf: delivery.leaf,
        content,
    })
}

/// The message's name from its namespace: `urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08`. A
/// document may carry a business application header before it, so the last namespace of that form
/// that is no header counts.
fn message_name(document: &[u8]) -> Option<String> {
    const PREFIX: &str = "urn:iso:std:iso:20022:tech:xsd:";
    let head = String::from_utf8_lossy(&document[..document.len().min(8 << 10)]);
    let names = head.split(PREFIX).skip(1).filter_map(|rest| rest.split(['"', '\'']).next());
    names
        .filter(|name| !name.starts_with("head.") && name.len() <= 35 && name.is_ascii())
        .map(str::to_owned)
        .next()
}

fn notice(core: &Core, delivery: &Delivery, transfer: &Transfer, reason: &str) -> Bytes {
    let directory = core.directory.current();
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
mod tests {
    use super::message_name;

    #[test]
    fn the_name_is_that_of_the_business_message() {
        let text = br#"<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pacs.008.001.08">"#;
        assert_eq!(message_name(text).as_deref(), Some("pacs.008.001.08"));
        let text = br#"<BizMsg><AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02"/>
            <p:Document xmlns:p='urn:iso:std:iso:20022:tech:xsd:pacs.009.001.08'>"#;
        assert_eq!(message_name(text).as_deref(), Some("pacs.009.001.08"));
        assert_eq!(message_name(b"<Document/>"), None);
    }
}
