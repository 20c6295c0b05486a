//! From the answer to a payment to the word that it is final, as the paying bank hears both from its gateway.
//!
//! The answer names the block by whose end the payment has settled; one connection waits for each next final block.
//! Beside it the nodes' own meters tell for each second how long a block waited for its turn to be cosigned, how long
//! the disk took, and how long the quorum's cosignatures took to come together.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tokio::{sync::watch, task::JoinHandle};

use crate::bench::measure::{Latencies, metric_of, rounded};
use crate::http::HttpClient;

/// What `final` may take after `settled`, for 99 of 100 payments.
pub(super) const BAR: Duration = Duration::from_millis(250);
const WAIT: Duration = Duration::from_millis(200);
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// What is waited for after the last answer.
const FINAL_TIME_MAX: Duration = Duration::from_secs(10);
/// Seconds that are printed, the slowest ones.
const SECONDS_SHOWN: usize = 10;
const STAGES: [&str; 3] = ["turn", "sync", "gather"];

/// A payment was answered.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    /// It has settled by the end of this block.
    pub(super) height: u64,
    pub(super) at: Instant,
}

/// One second of the load.
#[derive(Debug, Serialize)]
pub(super) struct Second {
    second: usize,
    payments: u64,
    ms_p50: f64,
    ms_p99: f64,
    ms_max: f64,
    /// On the slowest node, on average: from the application of a block that is cosigned to its turn,
    turn_ms: f64,
    /// until the disk held it,
    sync_ms: f64,
    /// and from there to the certificate.
    gather_ms: f64,
}

/// How `final` followed `settled`.
#[derive(Debug, Serialize)]
pub(super) struct FinalAfter {
    /// Payments of which this is known: all but those that were answered to a repeated question.
    final_payments: usize,
    final_ms_p50: f64,
    final_ms_p99: f64,
    final_ms_max: f64,
    final_p99_bar_ms: f64,
    final_in_time: bool,
    /// Settled, and not known to be final long after the end.
    pub(super) not_final: u64,
    /// Blocks that were told to be final: their number says how often that happens.
    final_steps: u64,
    final_seconds: Vec<Second>,
}

#[derive(Deserialize)]
struct Reached {
    height: Option<u64>,
}

/// The nodes' meters of one moment: for each node and stage, how often and how long in all.
struct Sample {
    at: Instant,
    nodes: Vec<[(f64, f64); STAGES.len()]>,
}

/// Follows what is final.
pub(super) struct Watch {
    stop: watch::Sender<Option<u64>>,
    steps: JoinHandle<Result<Vec<Told>>>,
    samples: JoinHandle<Result<Vec<Sample>>>,
}

impl Watch {
    /// Begins to, at a gateway and at nodes with these addresses.
    pub(super) fn start(gateway: HttpClient, nodes: Vec<String>) -> Self {
        let (stop, stopped) = watch::channel(None);
        let steps = tokio::spawn(follow(gateway, stopped.clone()));
        let samples = tokio::spawn(sample_all(nodes, stopped));
        Self { stop, steps, samples }
    }

    /// Waits until what was told is final and puts together how long that took.
    pub(super) async fn end(self, start: Instant, told: &[Told]) -> Result<FinalAfter> {
        self.stop.send_replace(Some(told.iter().map(|one| one.height).max().unwrap_or(0)));
        let steps = self.steps.await.context("the reader of what is final broke")??;
        let samples = self.samples.await.context("the reader of the meters broke")??;
        judge(start, told, &steps, &samples)
    }
}

/// Each final block with the moment in which it was known, until the block that `stopped` names.
async fn follow(
    mut client: HttpClient,
    stopped: watch::Receiver<Option<u64>>,
) -> Result<Vec<Told>> {
    let mut steps: Vec<Told> = Vec::new();
    let mut ends = None;
    loop {
        let last = steps.last().map_or(0, |step| step.height);
        if let Some(wanted) = *stopped.borrow() {
            let until = *ends.get_or_insert_with(|| Instant::now() + FINAL_TIME_MAX);
            if last >= wanted || Instant::now() >= until {
                return Ok(steps);
            }
        }
        let path = format!("/v1/final?height={}&wait_ms={}", last + 1, WAIT.as_millis());
        let answer = client.get(&path).await?;
        let at = Instant::now();
        let reached: Reached = serde_json::from_slice(&answer.body).context("what is final")?;
        steps.extend(
            reached.height.filter(|height| *height > last).map(|height| Told { height, at }),
        );
    }
}

async fn sample_all(
    nodes: Vec<String>,
    mut stopped: watch::Receiver<Option<u64>>,
) -> Result<Vec<Sample>> {
    let mut clients =
        nodes.iter().map(|node| HttpClient::new(node)).collect::<Result<Vec<_>, _>>()?;
    let mut samples = Vec::new();
    loop {
        let mut nodes = Vec::new();
        for client in &mut clients {
            let text = client.get("/metrics").await?.text();
            nodes.push(STAGES.map(|stage| {
                let name = format!("corridor_cosign_{stage}");
                let count = metric_of(&text, &format!("{name}_below{{le=\"+Inf\"}}"));
                (count, metric_of(&text, &format!("{name}_seconds_total")))
            }));
        }
        samples.push(Sample { at: Instant::now(), nodes });
        if stopped.borrow().is_some() {
            return Ok(samples);
        }
        // Either way one more sample is taken.
        let _ = tokio::time::timeout(SAMPLE_INTERVAL, stopped.changed()).await;
    }
}

fn judge(start: Instant, told: &[Told], steps: &[Told], samples: &[Sample]) -> Result<FinalAfter> {
    let (mut all, mut seconds, mut not_final) = (Latencies::new()?, Vec::new(), 0);
    for one in told {
        let Some(step) = steps.get(steps.partition_point(|step| step.height < one.height)) else {
            not_final += 1;
            continue;
        };
        // It may have become final before the answer was told.
        let after = step.at.saturating_duration_since(one.at);
        all.record(after);
        let second = one.at.saturating_duration_since(start).as_secs() as usize;
        while seconds.len() <= second {
            seconds.push((0, Latencies::new()?));
        }
        if let Some((count, latencies)) = seconds.get_mut(second) {
            *count += 1;
            latencies.record(after);
        }
    }
    let second = |(second, (payments, latencies)): (usize, (u64, Latencies))| {
        let stages = stages_of(start + Duration::from_secs(second as u64), samples);
        let [turn_ms, sync_ms, gather_ms] = stages;
        Second {
            second,
            payments,
            ms_p50: latencies.ms_at(50.0),
            ms_p99: latencies.ms_at(99.0),
            ms_max: latencies.ms_max(),
            turn_ms,
            sync_ms,
            gather_ms,
        }
    };
    Ok(FinalAfter {
        final_payments: told.len() - not_final as usize,
        final_ms_p50: all.ms_at(50.0),
        final_ms_p99: all.ms_at(99.0),
        final_ms_max: all.ms_max(),
        final_p99_bar_ms: BAR.as_millis() as f64,
        final_in_time: not_final == 0
            && !told.is_empty()
            && all.ms_at(99.0) <= BAR.as_millis() as f64,
        not_final,
        final_steps: steps.len() as u64,
        final_seconds: seconds.into_iter().enumerate().map(second).collect(),
    })
}

/// Averages of the slowest node between the samples around a second, in milliseconds.
fn stages_of(begin: Instant, samples: &[Sample]) -> [f64; STAGES.len()] {
    let middle = begin + Duration::from_millis(500);
    let after = samples.partition_point(|sample| sample.at <= middle);
    let (Some(before), Some(after)) = (samples.get(after.wrapping_sub(1)), samples.get(after))
    else {
        return Default::default();
    };
    std::array::from_fn(|stage| {
        let averages = before.nodes.iter().zip(&after.nodes).filter_map(|(old, new)| {
            let ((count, sum), (counts, sums)) = (old.get(stage)?, new.get(stage)?);
            (counts > count).then(|| (sums - sum) * 1e3 / (counts - count))
        });
        rounded(averages.fold(0.0, f64::max))
    })
}

/// Prints it: the whole, and the slowest seconds.
pub(super) fn print(after: &FinalAfter) {
    println!(
        "final p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms after the answer ({} payments, {} steps); p99 within {:.0} ms: {}",
        after.final_ms_p50,
        after.final_ms_p99,
        after.final_ms_max,
        after.final_payments,
        after.final_steps,
        after.final_p99_bar_ms,
        if after.final_in_time { "met" } else { "MISSED" }
    );
    if after.not_final > 0 {
        println!("{} payments settled and did not become final", after.not_final);
    }
    println!(
        "  second  payments  p50 ms  p99 ms  max ms | a block's turn  its sync  to the quorum (ms, slowest node)"
    );
    let mut slowest: Vec<&Second> = after.final_seconds.iter().collect();
    slowest.sort_by(|one, other| other.ms_p99.total_cmp(&one.ms_p99));
    slowest.truncate(SECONDS_SHOWN);
    slowest.sort_by_key(|second| second.second);
    for one in slowest {
        println!(
            "  {:>6}  {:>8}  {:>6.1}  {:>6.1}  {:>6.1} | {:>14.2}  {:>8.2}  {:>13.2}",
            one.second,
            one.payments,
            one.ms_p50,
            one.ms_p99,
            one.ms_max,
            one.turn_ms,
            one.sync_ms,
            one.gather_ms
        );
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_payment_is_final_with_the_first_step_at_or_beyond_its_block() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let told = |height, ms| Told { height, at: at(ms) };
        let steps = [told(5, 100), told(9, 400), told(12, 1_400)];
        let payments = [told(4, 50), told(5, 120), told(6, 150), told(12, 1_100), told(13, 1_200)];
        let node = |count: f64, sum: f64| [(count, sum), (0.0, 0.0), (0.0, 0.0)];
        let samples = [
            Sample { at: at(0), nodes: vec![node(1.0, 1.0), node(0.0, 0.0)] },
            Sample { at: at(1_000), nodes: vec![node(3.0, 1.002), node(4.0, 0.012)] },
        ];
        let found = judge(start, &payments, &steps, &samples).unwrap();
        assert_eq!((found.not_final, found.final_steps, found.final_in_time), (1, 3, false));
        assert!((found.final_ms_max - 300.0).abs() < 1.0, "{found:?}");
        let [first, second] = &found.final_seconds[..] else { panic!("{found:?}") };
        assert_eq!((first.payments, second.payments), (3, 1));
        assert!(
            (first.ms_p50 - 50.0).abs() < 0.5 && (first.ms_max - 250.0).abs() < 0.5,
            "{first:?}"
        );
        assert!((first.turn_ms - 3.0).abs() < 1e-9 && second.turn_ms.abs() < 1e-9, "{found:?}");
    }
}
