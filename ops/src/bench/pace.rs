//! How steady a run is: answers in each second, pauses without any answer, and which of those the
//! disks caused.
//!
//! Beside the run the nodes' own meters are read: how many writes and syncs of the log took longer
//! than a tenth of a second. A pause in whose time such a count rose is the disk's; all others are
//! not, and each of them is a fault of the program.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;
use tokio::task::JoinHandle;

use super::measure::{metric_of, rounded};
use crate::http::HttpClient;

/// A pause of this length is counted.
pub(crate) const PAUSE: Duration = Duration::from_millis(100);
/// The bound of the meters' bucket that ends where a pause begins, in seconds.
const SLOW_FROM: &str = "0.1";
const SAMPLE_INTERVAL: Duration = Duration::from_millis(400);

/// What the clients of a run report to.
#[derive(Debug)]
pub(crate) struct Pace {
    start: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Duration,
    /// Transfers answered in each second.
    seconds: Vec<u64>,
    /// Begin and end of each pause.
    pauses: Vec<(Duration, Duration)>,
}

/// How steady it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Steadiness {
    /// Fewest transfers answered in a whole second.
    pub(crate) slowest_second: u64,
    /// Most transfers answered in a whole second.
    pub(crate) fastest_second: u64,
    /// Longest time in which no batch was answered, in milliseconds.
    pub(crate) longest_gap_ms: f64,
    /// Writes and syncs of any node's log that took longer than 100 ms, by the nodes' meters.
    pub(crate) disk_stalls_over_100ms: u64,
    /// The longest of them since the nodes were started, in milliseconds.
    pub(crate) disk_stall_longest_ms: f64,
    /// Pauses over 100 ms while a disk stalled.
    pub(crate) stalls_over_100ms_disk: u64,
    /// Pauses over 100 ms while no disk did.
    pub(crate) stalls_over_100ms_not_disk: u64,
}

impl Pace {
    /// Starts now.
    pub(crate) fn start() -> Arc<Self> {
        Arc::new(Self { start: Instant::now(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many transfers were answered just now.
    pub(crate) fn answered(&self, count: u64) {
        let mut state = self.state();
        let now = self.start.elapsed();
        if now.saturating_sub(state.last) > PAUSE {
            let pause = (state.last, now);
            state.pauses.push(pause);
        }
        state.last = now;
        let second = now.as_secs() as usize;
        if state.seconds.len() <= second {
            state.seconds.resize(second + 1, 0);
        }
        if let Some(counted) = state.seconds.get_mut(second) {
            *counted += count;
        }
    }
}

/// Reads the nodes' meters beside a run.
pub(crate) struct DiskWatch {
    task: JoinHandle<Result<Vec<DiskSample>>>,
    stop: tokio::sync::watch::Sender<bool>,
}

#[derive(Clone, Copy, Debug)]
struct DiskSample {
    at: Duration,
    slow: u64,
    longest_ms: f64,
}

impl DiskWatch {
    /// Starts to read the metrics of nodes at these addresses.
    pub(crate) fn start(addresses: Vec<String>, pace: Arc<Pace>) -> Self {
        let (stop, mut stopped) = tokio::sync::watch::channel(false);
        let task = tokio::spawn(async move {
            let mut samples = Vec::new();
            loop {
                samples.push(sample(&addresses, pace.start).await?);
                if *stopped.borrow() {
                    return Ok(samples);
                }
                // Either way one more sample is taken.
                let _ = tokio::time::timeout(SAMPLE_INTERVAL, stopped.changed()).await;
            }
        });
        Self { task, stop }
    }

    /// Ends and puts together what was seen.
    pub(crate) async fn end(self, pace: &Pace) -> Result<Steadiness> {
        self.stop.send_replace(true);
        let samples = self.task.await??;
        Ok(judge(&pace.state(), &samples))
    }
}

async fn sample(addresses: &[String], start: Instant) -> Result<DiskSample> {
    let mut sample = DiskSample { at: Duration::ZERO, slow: 0, longest_ms: 0.0 };
    for address in addresses {
        let text = HttpClient::new(address)?.get("/metrics").await?.text();
        for what in ["write", "sync"] {
            let below = format!("corridor_log_{what}_below");
            let all = metric_of(&text, &format!("{below}{{le=\"+Inf\"}}"));
            let quick = metric_of(&text, &format!("{below}{{le=\"{SLOW_FROM}\"}}"));
            sample.slow += (all - quick).max(0.0) as u64;
            let longest = metric_of(&text, &format!("corridor_log_{what}_longest_seconds"));
            sample.longest_ms = sample.longest_ms.max(longest * 1_000.0);
        }
    }
    sample.at = start.elapsed();
    Ok(sample)
}

fn judge(state: &State, samples: &[DiskSample]) -> Steadiness {
    // The first and the last second are not whole.
    let whole = state.seconds.get(1..state.seconds.len().saturating_sub(1)).unwrap_or(&[]);
    // Each stall is counted by its meter when it is over, so by the first sample after the pause.
    let by_disk = |(begin, end): &(Duration, Duration)| {
        let before = samples.iter().rev().find(|sample| sample.at <= *begin);
        let after = samples.iter().find(|sample| sample.at >= *end).or(samples.last());
        let slow = |sample: Option<&DiskSample>| sample.map_or(0, |sample| sample.slow);
        slow(after) > slow(before.or(samples.first()))
    };
    let longest = state.pauses.iter().map(|(begin, end)| *end - *begin).max();
    let disk = state.pauses.iter().filter(|pause| by_disk(pause)).count() as u64;
    let slow = |sample: Option<&DiskSample>| sample.map_or(0, |sample| sample.slow);
    Steadiness {
        slowest_second: whole.iter().copied().min().unwrap_or(0),
        fastest_second: whole.iter().copied().max().unwrap_or(0),
        longest_gap_ms: rounded(longest.unwrap_or(PAUSE).as_secs_f64() * 1_000.0),
        disk_stalls_over_100ms: slow(samples.last()) - slow(samples.first()),
        disk_stall_longest_ms: rounded(samples.last().map_or(0.0, |sample| sample.longest_ms)),
        stalls_over_100ms_disk: disk,
        stalls_over_100ms_not_disk: state.pauses.len() as u64 - disk,
    }
}

/// Prints how steady it was.
pub(crate) fn print(steady: &Steadiness) {
    println!(
        "in a second {} to {} transfers; longest time without an answer {}{:.0} ms",
        steady.slowest_second,
        steady.fastest_second,
        if steady.longest_gap_ms <= PAUSE.as_millis() as f64 { "below " } else { "" },
        steady.longest_gap_ms
    );
    println!(
        "stalls over 100 ms: {} of a disk (longest {:.0} ms); pauses over 100 ms: {} with a disk's stall, {} without",
        steady.disk_stalls_over_100ms,
        steady.disk_stall_longest_ms,
        steady.stalls_over_100ms_disk,
        steady.stalls_over_100ms_not_disk
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_are_told_apart_by_what_the_disks_did() {
        let ms = Duration::from_millis;
        let state = State {
            last: ms(3_500),
            seconds: vec![5, 9, 7, 3],
            pauses: vec![(ms(1_000), ms(1_150)), (ms(2_000), ms(2_300))],
        };
        let sample = |at, slow| DiskSample { at: ms(at), slow, longest_ms: 250.0 };
        let samples = [sample(0, 4), sample(900, 4), sample(1_400, 4), sample(2_400, 6)];
        let steady = judge(&state, &samples);
        assert_eq!(
            steady,
            Steadiness {
                slowest_second: 7,
                fastest_second: 9,
                longest_gap_ms: 300.0,
                disk_stalls_over_100ms: 2,
                disk_stall_longest_ms: 250.0,
                stalls_over_100ms_disk: 1,
                stalls_over_100ms_not_disk: 1,
            }
        );
    }

    #[test]
    fn answers_are_counted_by_the_second() {
        let pace = Pace::start();
        pace.answered(3);
        pace.answered(4);
        std::thread::sleep(PAUSE + Duration::from_millis(30));
        pace.answered(1);
        let state = pace.state();
        assert_eq!(state.seconds.iter().sum::<u64>(), 8);
        assert_eq!(state.pauses.len(), 1);
    }
}
