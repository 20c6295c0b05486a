//! What all benchmarks measure alike: latencies, processor time, memory and bytes written.

use std::time::Duration;

use anyhow::{Context, Result};
use hdrhistogram::Histogram;
use serde::Serialize;

use crate::cluster::Cluster;
use crate::http::HttpClient;
use crate::process::own_usage;

const LATENCY_MAX_US: u64 = 600_000_000;

/// Latencies from a microsecond to ten minutes, to three digits.
#[derive(Debug)]
pub(crate) struct Latencies(Histogram<u64>);

impl Latencies {
    /// No latency yet.
    pub(crate) fn new() -> Result<Self> {
        let histogram = Histogram::new_with_bounds(1, LATENCY_MAX_US, 3);
        Ok(Self(histogram.context("make a histogram of latencies")?))
    }

    /// Adds one.
    pub(crate) fn record(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LATENCY_MAX_US);
        self.0.saturating_record(micros.max(1));
    }

    /// Adds all of another.
    pub(crate) fn add(&mut self, other: &Self) -> Result<()> {
        self.0.add(&other.0).context("add histograms of latencies")
    }

    /// Milliseconds that this share (0 to 100 per cent) stayed below or at.
    pub(crate) fn ms_at(&self, percentile: f64) -> f64 {
        self.0.value_at_percentile(percentile) as f64 / 1000.0
    }

    /// The longest, in milliseconds.
    pub(crate) fn ms_max(&self) -> f64 {
        self.0.max() as f64 / 1000.0
    }
}

/// What a cluster had used at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    cpu_seconds: f64,
    disk_bytes: u64,
}

/// What a run cost.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(crate) struct Costs {
    /// Largest memory of any node, in bytes.
    pub(crate) rss_bytes_per_node: u64,
    /// Processor time for each transfer or payment, of all processes, in microseconds.
    pub(crate) cpu_us: f64,
    /// Processor time of all processes and of the load generator, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Bytes that one node wrote to its log and history for each transfer, on average.
    pub(crate) log_bytes_per_transfer: f64,
    /// Cores of the machine, which all processes shared.
    pub(crate) cores: usize,
}

impl Usage {
    /// What all processes have used so far.
    pub(crate) async fn now(cluster: &Cluster) -> Result<Self> {
        Ok(Self {
            cpu_seconds: cluster.cpu_seconds() + own_usage().cpu_seconds,
            disk_bytes: written_bytes(cluster).await?,
        })
    }

    /// What was used since, for a number of transfers.
    pub(crate) async fn costs_since(self, cluster: &Cluster, transfers: u64) -> Result<Costs> {
        let now = Self::now(cluster).await?;
        let nodes = cluster.node_ids().len().max(1) as f64;
        let bytes = now.disk_bytes.saturating_sub(self.disk_bytes) as f64;
        Ok(Costs {
            rss_bytes_per_node: cluster.node_rss_bytes(),
            cpu_us: rounded((now.cpu_seconds - self.cpu_seconds) * 1e6 / transfers.max(1) as f64),
            cpu_seconds: rounded(now.cpu_seconds - self.cpu_seconds),
            log_bytes_per_transfer: rounded(bytes / nodes / (transfers.max(1)) as f64),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        })
    }
}

/// Bytes that all nodes have written to log and history, by their own meters.
///
/// Files are made longer than what was written to them, so their sizes would say less.
async fn written_bytes(cluster: &Cluster) -> Result<u64> {
    let mut sum = 0;
    for id in cluster.node_ids() {
        let answer = HttpClient::new(&cluster.node_http(id)?)?.get("/metrics").await?;
        sum += metric_sum(
            &answer.text(),
            &["corridor_log_bytes_total", "corridor_history_bytes_total"],
        );
    }
    Ok(sum)
}

/// Sum of the metrics of these names in a text of the Prometheus format.
fn metric_sum(text: &str, names: &[&str]) -> u64 {
    let values = text.lines().filter_map(|line| {
        let (name, value) = line.rsplit_once(' ')?;
        let plain = name.split('{').next()?;
        // Large counters may be written with an exponent.
        names.contains(&plain).then(|| value.parse::<f64>().ok()).flatten()
    });
    values.sum::<f64>() as u64
}

/// The metric with exactly this name and these labels in a text of the Prometheus format, or 0.
pub(crate) fn metric_of(text: &str, name: &str) -> f64 {
    let values = text.lines().filter_map(|line| line.rsplit_once(' '));
    values
        .filter(|(found, _)| *found == name)
        .find_map(|(_, value)| value.parse().ok())
        .unwrap_or(0.0)
}

/// A figure with three decimals, so that a report stays readable.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn latencies_are_kept_to_three_digits() {
        let mut latencies = Latencies::new().unwrap();
        for milliseconds in 1..=100 {
            latencies.record(Duration::from_millis(milliseconds));
        }
        let mut sum = Latencies::new().unwrap();
        sum.add(&latencies).unwrap();
        assert!((sum.ms_at(50.0) - 50.0).abs() < 0.1);
        assert!((sum.ms_at(99.0) - 99.0).abs() < 0.1);
        assert!((sum.ms_max() - 100.0).abs() < 0.1);
    }

    #[test]
    fn metrics_are_added_up() {
        let text = "# HELP a x\n# TYPE a counter\na 5\na{x=\"1\"} 1e3\nab 7\nb 1\n";
        assert_eq!(metric_sum(text, &["a", "b"]), 1006);
        assert!((metric_of(text, "a{x=\"1\"}") - 1000.0).abs() < 1e-9);
        assert!(metric_of(text, "c").abs() < 1e-9);
    }
}
