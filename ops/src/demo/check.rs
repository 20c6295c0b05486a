//! The last part of the demo: the network's claims against the demo's own book.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::gateway_api;
use crate::layout::long_account;
use crate::node_api::Balances;

use super::DemoResult;
use super::scenario::{DemoBank, Stage, locked};
use super::traffic::Outage;

const EQUAL_TIME_MAX: Duration = Duration::from_secs(20);
const DELIVERY_TIME_MAX: Duration = Duration::from_secs(20);
const OUTBOX_WAIT: Duration = Duration::from_millis(200);

/// Compares nodes with each other, balances with the book, and outboxes with the settled payments.
pub(crate) async fn run(stage: &mut Stage, outage: Outage) -> Result<DemoResult> {
    stage.voice.step("Checks: the network's state against this program's own count");
    let counts = locked(&stage.book).counts();
    let nodes_equal = nodes_equal(stage).await;
    let conserved = conserved(stage).await?;

    let (mut lost, mut duplicated, mut delivered) = (counts.unanswered, 0, 0);
    for bank in &mut stage.banks {
        let expected: Vec<String> =
            locked(&stage.book).settled_for(&bank.bic).into_iter().map(str::to_owned).collect();
        let arrived = arrivals(bank, expected.len() as u64).await?;
        let (missing, surplus) = compare(&expected, &arrived);
        delivered += arrived.len() as u64;
        lost += missing;
        duplicated += surplus;
    }
    stage.voice.line(format!(
        "outboxes: {delivered} payments delivered of {} settled, {lost} lost, {duplicated} duplicated",
        counts.settled
    ));
    let book = locked(&stage.book);
    Ok(DemoResult {
        payments_sent: counts.sent,
        settled: counts.settled,
        refused: counts.refused,
        lost,
        duplicated,
        leader_kills: outage.leader_kills,
        recovery_ms: milliseconds(outage.recovery),
        catch_up_ms: milliseconds(outage.catch_up),
        settle_ms_p50: book.latency_ms(50.0),
        settle_ms_p99: book.latency_ms(99.0),
        conserved,
        nodes_equal,
        ..DemoResult::default()
    })
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

async fn nodes_equal(stage: &mut Stage) -> bool {
    match stage.cluster.wait_equal(EQUAL_TIME_MAX).await {
        Ok(all) => {
            if let Some(status) = all.first() {
                stage.voice.line(format!(
                    "{} nodes at block {} with state root {:.16}",
                    all.len(),
                    status.height,
                    status.state_root
                ));
            }
            true
        }
        Err(error) => {
            stage.voice.line(format!("{error:#}"));
            false
        }
    }
}

async fn conserved(stage: &Stage) -> Result<bool> {
    let expected = locked(&stage.book).expected_balances();
    let mut all = true;
    for id in stage.cluster.node_ids() {
        let balances = stage.cluster.balances(id).await?;
        if let Some(difference) = difference(&expected, &balances) {
            stage.voice.line(format!("node {id}: {difference}"));
            all = false;
        } else if !balances.conserved() {
            stage.voice.line(format!("node {id}: a currency does not add up"));
            all = false;
        }
    }
    if all {
        stage.voice.line(format!(
            "every balance of {} accounts is what the answers say, on every node, and every currency adds up",
            expected.len()
        ));
    }
    Ok(all)
}

/// The first account whose balance is not what the book says.
fn difference(expected: &BTreeMap<String, i128>, balances: &Balances) -> Option<String> {
    let actual: BTreeMap<String, i128> = balances
        .accounts
        .iter()
        .map(|account| (long_account(&account.account), account.posted))
        .collect();
    let names = expected.keys().chain(actual.keys());
    names
        .map(|name| (name, expected.get(name).copied(), actual.get(name).copied()))
        .find(|(_, book, node)| book.unwrap_or(0) != node.unwrap_or(0))
        .map(|(name, book, node)| {
            format!("{name} holds {} but should hold {}", node.unwrap_or(0), book.unwrap_or(0))
        })
}

/// UETRs of all payments in a bank's outbox, once as many have arrived as are expected.
async fn arrivals(bank: &mut DemoBank, expected: u64) -> Result<Vec<String>> {
    let start = Instant::now();
    let (mut after, mut arrived) = (0, Vec::new());
    loop {
        let page = gateway_api::outbox(&mut bank.client, after, OUTBOX_WAIT).await?;
        let empty = page.is_empty();
        for entry in page {
            after = entry.cursor;
            // A notice says that money came without a message that could be opened: not a delivery.
            if entry.is_payment() {
                arrived.push(entry.uetr);
            }
        }
        // An empty page after the last expected one shows that nothing came twice.
        let complete = arrived.len() as u64 >= expected;
        if empty && (complete || start.elapsed() > DELIVERY_TIME_MAX) {
            return Ok(arrived);
        }
    }
}

/// How many expected payments are missing, and how many arrivals are one too many.
fn compare(expected: &[String], arrived: &[String]) -> (u64, u64) {
    let mut open: BTreeMap<&str, u32> = BTreeMap::new();
    for uetr in expected {
        *open.entry(uetr).or_default() += 1;
    }
    let mut surplus = 0;
    for uetr in arrived {
        match open.get_mut(uetr.as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => surplus += 1,
        }
    }
    (open.values().map(|count| u64::from(*count)).sum(), surplus)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn missing_and_surplus_deliveries_are_counted() {
        assert_eq!(compare(&texts(&["a", "b"]), &texts(&["b", "a"])), (0, 0));
        assert_eq!(compare(&texts(&["a", "b"]), &texts(&["b", "b"])), (1, 1));
        assert_eq!(compare(&texts(&["a"]), &texts(&["a", "never settled"])), (0, 1));
        assert_eq!(compare(&texts(&["a"]), &[]), (1, 0));
    }

    #[test]
    fn a_wrong_balance_is_named() {
        let balances: Balances = serde_json::from_str(
            r#"{"height": 1, "assets": [], "accounts": [{"account": "ALPHDEFF/EUR", "posted": "5"}]}"#,
        )
        .unwrap();
        let mut expected = BTreeMap::from([("ALPHDEFFXXX/EUR".to_owned(), 5)]);
        assert_eq!(difference(&expected, &balances), None);
        expected.insert("BRAVFRPPXXX/EUR".to_owned(), 1);
        assert!(difference(&expected, &balances).unwrap().starts_with("BRAVFRPPXXX/EUR"));
    }
}
