//! The gateway's metrics, one registry a process. Names are part of the interface; labels have few,
//! fixed values and never name a party, an account or a reference.

use std::{sync::LazyLock, time::Duration};

use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, Opts, Registry, TextEncoder};

/// All metrics.
pub struct Metrics {
    registry: Registry,
    /// Messages received, by channel (`http`, `folder`) and kind (`payments`, `unreadable`,
    /// `repeated`, `refused-busy`).
    pub messages: IntCounterVec,
    /// Payments answered, by result (`settled`, `refused`, `rejected`).
    pub payments: IntCounterVec,
    /// Payments that wait for the ledger's answer.
    pub open_payments: IntGauge,
    /// Messages that wait for their answer.
    pub open_messages: IntGauge,
    /// Outbox entries that the bank has not acknowledged.
    pub outbox_depth: IntGauge,
    /// 1 while a node has accepted this gateway.
    pub connected: IntGauge,
    /// Height of the connected node.
    pub height: IntGauge,
    /// Last block that is final, by the connected node's word.
    pub final_height: IntGauge,
    /// Batches by what became of them (`answered`, `busy`, `invalid`, `repeated`).
    pub batches: IntCounterVec,
    /// Deliveries, by result (`opened`, `no-document`, `not-opened`; `not-money`: something that waits,
    /// `no-message`: something that has no message yet; `exchange`, `exchange-as-note`, `notice`, `report`).
    pub deliveries: IntCounterVec,
    /// HTTP requests by status class (`2xx` ...).
    pub http: IntCounterVec,
    /// Files of the folder by result (`answered`, `failed`, `error`).
    pub files: IntCounterVec,
    /// Commands in a batch.
    pub batch_commands: Histogram,
    /// Seconds from arrival to answer.
    pub answer_seconds: Histogram,
    /// Seconds of one commit of the store.
    pub commit_seconds: Histogram,
    /// Writes in one commit.
    pub commit_writes: Histogram,
}

/// The process's metrics.
pub static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0];
const COUNTS: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1024.0, 8192.0];

impl Metrics {
    fn new() -> Self {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| {
            let metric = IntCounterVec::new(Opts::new(name, help), labels).expect("a valid name");
            registry.register(Box::new(metric.clone())).expect("names differ");
            metric
        };
        let gauge = |name: &str, help: &str| {
            let metric = IntGauge::new(name, help).expect("a valid name");
            registry.register(Box::new(metric.clone())).expect("names differ");
            metric
        };
        let histogram = |name: &str, help: &str, buckets: &[f64]| {
            let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
            let metric = Histogram::with_opts(options).expect("a valid name");
            registry.register(Box::new(metric.clone())).expect("names differ");
            metric
        };
        Self {
            messages: counter(
                "corridor_gateway_messages_total",
                "Messages received, by channel and kind.",
                &["channel", "kind"],
            ),
            payments: counter(
                "corridor_gateway_payments_total",
                "Payments answered, by result.",
                &["result"],
            ),
            open_payments: gauge(
                "corridor_gateway_open_payments",
                "Payments that wait for the ledger's answer.",
            ),
            open_messages: gauge(
                "corridor_gateway_open_messages",
                "Messages that wait for their answer.",
            ),
            outbox_depth: gauge(
                "corridor_gateway_outbox_depth",
                "Outbox entries that the bank has not acknowledged.",
            ),
            connected: gauge(
                "corridor_gateway_connected",
                "1 while a node has accepted this gateway.",
            ),
            height: gauge("corridor_gateway_node_height", "Height of the connected node."),
            final_height: gauge(
                "corridor_gateway_final_height",
                "Last block that is final, by the connected node's word.",
            ),
            batches: counter(
                "corridor_gateway_batches_total",
                "Batches by what became of them.",
                &["result"],
            ),
            deliveries: counter(
                "corridor_gateway_deliveries_total",
                "Credits received, by whether their document could be opened.",
                &["result"],
            ),
            http: counter(
                "corridor_gateway_http_responses_total",
                "HTTP responses by class of status.",
                &["status"],
            ),
            files: counter(
                "corridor_gateway_files_total",
                "Files of the folder channel by result.",
                &["result"],
            ),
            batch_commands: histogram(
                "corridor_gateway_batch_commands",
                "Commands in a batch.",
                COUNTS,
            ),
            answer_seconds: histogram(
                "corridor_gateway_answer_seconds",
                "Seconds from the arrival of a message to its answer.",
                SECONDS,
            ),
            commit_seconds: histogram(
                "corridor_gateway_commit_seconds",
                "Seconds of one durable commit of the store.",
                SECONDS,
            ),
            commit_writes: histogram(
                "corridor_gateway_commit_writes",
                "Writes in one commit of the store.",
                COUNTS,
            ),
            registry,
        }
    }

    /// All metrics in the text format of Prometheus.
    #[must_use]
    pub fn text(&self) -> String {
        TextEncoder::new()
            .encode_to_string(&self.registry.gather())
            .expect("gathered metrics have valid names")
    }
}

/// Counts one commit of the store.
pub(crate) fn observe_commit(time: Duration, writes: usize) {
    METRICS.commit_seconds.observe(time.as_secs_f64());
    METRICS.commit_writes.observe(writes as f64);
}
