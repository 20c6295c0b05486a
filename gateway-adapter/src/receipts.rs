//! Receipts in messages: what has settled and was told is told once more when it is final, with its proof.
//!
//! What is wanted stands in the store from the commit that told of the payment until the commit that puts the message into
//! the outbox, so each is sent once, whatever ends in between. Nobody waits for it: answers and credits are told before.
//! The receipt is that of the connected node; whoever gets it checks it, with the policy of the network.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::task::JoinSet;
use translate::{AnswerContext, FollowUp, Original};
use wire::{
    client::{Query, QueryAnswer, ReceiptFound},
    ledger::{Command, LedgerTime, TransferId},
};

use crate::{
    core::{Core, ReceiveError},
    store::{OutboxEntry, OutboxKind, StoreError, WantedReceipt, Write},
};

/// Receipts that are asked for together.
const ASKED_AT_ONCE: usize = 64;
/// Wait before what is not final yet is asked for again, and before the store is looked at again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// The message that the last payment came in: those of one message follow each other.
type LastMessage = Option<(u64, Option<Arc<AnswerContext>>)>;

/// Sends receipts until the store fails.
pub(crate) async fn run(core: Arc<Core>) {
    let (mut after, mut last) = (0, None);
    loop {
        match step(&core, after, &mut last).await {
            Ok((reached, sent)) => {
                after = reached;
                // At the end of the list, or where nothing is final yet.
                if sent == 0 || after == 0 {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
            Err(error) => {
                tracing::error!(%error, "send receipts");
                core.stop_if_store_failed(&error);
                return;
            }
        }
    }
}

/// Asks for the next ones; returns where to go on (0: from the beginning) and how many were sent.
async fn step(
    core: &Arc<Core>,
    after: u64,
    last: &mut LastMessage,
) -> Result<(u64, usize), ReceiveError> {
    let reading = core.clone();
    let read = core.environment.work(move || reading.store.wanted_receipts(after, ASKED_AT_ONCE));
    let wanted = read.await.map_err(|_| ReceiveError::Dropped)??;
    let reached = match wanted.last() {
        Some((number, _)) if wanted.len() == ASKED_AT_ONCE => *number,
        _ => 0,
    };
    let mut questions = JoinSet::new();
    for (number, wanted) in wanted {
        let core = core.clone();
        questions.spawn(async move {
            let query = Query::Receipt { id: wanted.uetr(), whole: true };
            match core.node.query(query).await {
                Some(QueryAnswer::Receipt(ReceiptFound::Final(receipt))) => {
                    Some((number, wanted, receipt))
                }
                // Not final yet, or a node that is behind or away: asked again.
                _ => None,
            }
        });
    }
    let mut found: Vec<_> = questions.join_all().await.into_iter().flatten().collect();
    if found.is_empty() {
        return Ok((reached, 0));
    }
    found.sort_by_key(|(number, ..)| *number);
    let (writing, mut known) = (core.clone(), last.take());
    let made = core.environment.work(move || -> Result<_, StoreError> {
        let (mut entries, mut done) = (Vec::new(), Vec::new());
        for (number, wanted, receipt) in found {
            entries.extend(messages(&writing, &wanted, &receipt, &mut known)?);
            done.push(number);
        }
        Ok((entries, done, known))
    });
    let (entries, done, known) = made.await.map_err(|_| ReceiveError::Dropped)??;
    *last = known;
    let sent = done.len();
    core.store.write(Write::Receipts(entries, done)).await?;
    core.note_outbox_depth().await;
    Ok((reached, sent))
}

/// The messages that bring the bank one receipt.
fn messages(
    core: &Core,
    wanted: &WantedReceipt,
    receipt: &Bytes,
    last: &mut LastMessage,
) -> Result<Vec<OutboxEntry>, StoreError> {
    let uetr = wanted.uetr();
    Ok(match wanted {
        WantedReceipt::Paid { place, settled, .. } => {
            let context = context_of(core, place.message, last)?;
            let original =
                context.as_deref().map(|context| Original { context, index: place.index as usize });
            let said = FollowUp::Final { settled: *settled, receipt };
            let id = format!("R{}", uetr.to_string().replace('-', ""));
            let now = core.environment.now();
            let xml = translate::follow_up(&uetr, original, core.bic, &said, &id, now)
                .expect("33 characters and texts that were checked make a report");
            let kind = OutboxKind::Message("pacs.002.001.10".to_owned());
            vec![entry(core, uetr, *settled, leaf_of(receipt), kind, xml.into())]
        }
        WantedReceipt::Credited { command, leaf, settled, .. } => {
            let Ok((Command::Transfer(transfer), _)) = Command::decode(command) else {
                return Err(StoreError::Corrupt("wanted receipt"));
            };
            let directory = core.directory.current();
            let own = core.participant;
            let told = translate::credit_notifications(
                &directory, own, &transfer, receipt, *leaf, *settled,
            );
            match told {
                Ok(messages) => messages
                    .into_iter()
                    .map(|(_, xml)| {
                        let kind = OutboxKind::Message("camt.054.001.08".to_owned());
                        entry(core, uetr, *settled, *leaf, kind, xml.into())
                    })
                    .collect(),
                // What is no currency has no words in ISO 20022.
                Err(error) => {
                    let note = serde_json::json!({
                        "notice": "receipt",
                        "uetr": uetr.to_string(),
                        "receipt": String::from_utf8_lossy(receipt),
                        "reason": error.to_string(),
                    });
                    let content = note.to_string().into_bytes().into();
                    vec![entry(core, uetr, *settled, *leaf, OutboxKind::Notice, content)]
                }
            }
        }
    })
}

fn context_of(
    core: &Core,
    message: u64,
    last: &mut LastMessage,
) -> Result<Option<Arc<AnswerContext>>, StoreError> {
    if let Some((known, context)) = last
        && *known == message
    {
        return Ok(context.clone());
    }
    let context = core.store.message(message)?.and_then(|row| row.context).map(Arc::new);
    *last = Some((message, context.clone()));
    Ok(context)
}

fn entry(
    core: &Core,
    uetr: TransferId,
    settled: LedgerTime,
    leaf: u64,
    kind: OutboxKind,
    content: Bytes,
) -> OutboxEntry {
    let received_ns = core.environment.now_ns();
    OutboxEntry { kind, uetr, settled, received_ns, leaf, credits: Vec::new(), content }
}

/// The leaf that a receipt says it is of; 0 when it says none.
fn leaf_of(receipt: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(receipt);
    let mut indices = text.lines().filter_map(|line| line.strip_prefix("index "));
    indices.next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
