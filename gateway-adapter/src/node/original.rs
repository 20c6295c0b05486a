//! From outcomes to fates. A payment that was answered before is asked after: its report names the
//! time of its settlement, not of the repetition, and a payment that settled in another sealing is
//! no duplicate of somebody else's.

use std::{sync::Arc, time::Duration};

use tokio::task::JoinSet;
use translate::Fate;
use wire::{
    client::{Outcomes, Query, QueryAnswer, TransferFound},
    ledger::{Answer, Command, Height, Refusal, TransferId},
};

use super::Prepared;
use crate::core::{Core, ReceiveError, Recorded};

/// Questions that are under way together.
const QUESTIONS_AT_ONCE: usize = 64;
/// Wait before a question is asked again.
const QUESTION_WAIT: Duration = Duration::from_millis(500);
/// Answers without the payment until it is taken as given that the network does not tell.
const BLANK_ANSWERS_MAX: u32 = 10;

/// Records what the outcomes of a batch say about its payments. Those that have to be asked after
/// stay open until a node has answered; after a start the ledger repeats their outcomes.
///
/// # Errors
/// When the store fails.
pub(super) async fn record(
    core: &Arc<Core>,
    items: &[Arc<Prepared>],
    outcomes: &Outcomes,
) -> Result<(), ReceiveError> {
    core.reached(outcomes.height);
    let mut known: Vec<(TransferId, Fate)> = Vec::new();
    let mut unclear: Vec<(Arc<Prepared>, Fate)> = Vec::new();
    for ((item, outcome), leaf) in items.iter().zip(&outcomes.outcomes).zip(outcomes.first_leaf..) {
        if item.is_statement() {
            // A repetition is recorded where it was recorded first.
            let leaf = outcome.original.unwrap_or(leaf);
            let (id, answer, time) = (item.uetr, outcome.answer, outcomes.time);
            core.accesses.answered(Recorded { id, answer, leaf, time });
            continue;
        }
        let fate = Fate::of(outcome.answer, outcomes.time);
        let repeated = outcome.original.is_some() && outcome.answer.is_settled();
        if repeated || outcome.answer == Answer::Refused(Refusal::DuplicateId) {
            unclear.push((item.clone(), fate));
        } else {
            known.push((item.uetr, fate));
        }
    }
    core.answered(known).await?;
    for chunk in unclear.chunks(QUESTIONS_AT_ONCE) {
        let mut questions = JoinSet::new();
        for (item, fate) in chunk.iter().cloned() {
            let core = core.clone();
            questions.spawn(async move { (item.uetr, original_fate(&core, &item, fate).await) });
        }
        let fates = questions.join_all().await;
        core.answered(fates.into_iter().filter_map(|(uetr, fate)| Some((uetr, fate?))).collect())
            .await?;
    }
    Ok(())
}

/// The fate of the payment that the ledger has under this id; `outcome` when that is another one.
/// `None` when the gateway ends before a node has answered.
async fn original_fate(core: &Core, item: &Prepared, outcome: Fate) -> Option<Fate> {
    let mut blank = 0;
    loop {
        match core.node.query(Query::Transfer(item.uetr)).await {
            Some(QueryAnswer::Transfer(Some(found))) => {
                core.reached(Height(found.height));
                let same = matches!(outcome, Fate::Settled { .. }) || is_same(&found, item);
                return Some(if same { Fate::of(found.answer, found.time) } else { outcome });
            }
            Some(_) => {
                // Perhaps a node that is behind the one that gave the outcome. That of a repetition
                // is not taken in place of the first one: its time is another.
                blank += u32::from(!matches!(outcome, Fate::Settled { .. }));
                if blank == BLANK_ANSWERS_MAX {
                    tracing::warn!(uetr = %item.uetr, "no node tells of the payment's first answer");
                    return Some(outcome);
                }
            }
            None if core.node.is_closed() => return None,
            None => {}
        }
        tokio::time::sleep(QUESTION_WAIT).await;
    }
}

/// Whether the ledger's payment moves what this one asks for. The sealed documents differ: sealing
/// is random, so a bank that sealed the payment twice (two gateways, or a store that was lost) has
/// two commands for it.
fn is_same(found: &TransferFound, item: &Prepared) -> bool {
    match (Command::decode(&found.command), Command::decode(&item.command)) {
        (Ok((Command::Transfer(first), _)), Ok((Command::Transfer(own), _))) => {
            // What may wait is another thing than a payment that settles at once.
            first.id == own.id && first.legs == own.legs && first.options == own.options
        }
        _ => false,
    }
}
