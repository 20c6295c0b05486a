//! Metrics in Prometheus' text form: name, unit and meaning of each.
//!
//! One prefix, base units, labels with few values only: never a transfer id or an account.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use link::{PeerLinks, PeerStats};
use prometheus::{Encoder, GaugeVec, IntGaugeVec, Opts, Registry, TextEncoder};

use super::{evidence::Known, http::StatusView, scrub::Scrubbed, space::Space};
use crate::store::meters::{BUCKET_BOUNDS_US, DurationMeter, WriterMeters};

/// Over how long "per second" is averaged.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// Everything that is measured outside the loop.
pub(super) struct Meters {
    log: Arc<WriterMeters>,
    history: Arc<WriterMeters>,
    peers: Arc<PeerLinks>,
    space: Space,
    scrubbed: Arc<Scrubbed>,
    known: Arc<Known>,
    node: u64,
    /// Samples of the settled counter, oldest first.
    settled: Mutex<VecDeque<(Instant, u64)>>,
}

impl Meters {
    pub(super) fn new(
        log: Arc<WriterMeters>,
        history: Arc<WriterMeters>,
        peers: Arc<PeerLinks>,
        space: Space,
        scrubbed: Arc<Scrubbed>,
        known: Arc<Known>,
        node: u64,
    ) -> Self {
        Self {
            log,
            history,
            peers,
            space,
            scrubbed,
            known,
            node,
            settled: Mutex::new(VecDeque::new()),
        }
    }

    /// The links to the other nodes.
    pub(super) fn links(&self) -> Vec<PeerStats> {
        self.peers.stats()
    }

    /// Bytes that may still be written to the disk of the data folder.
    pub(super) fn disk_free_bytes(&self) -> u64 {
        self.space.free_bytes()
    }

    /// Notes the settled counter; called about once a second.
    pub(super) fn sample(&self, settled: u64) {
        let now = Instant::now();
        let mut samples = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        samples.push_back((now, settled));
        while samples.len() > 2 && now.duration_since(samples[0].0) > RATE_WINDOW {
            samples.pop_front();
        }
    }

    /// Commands settled a second, averaged over the last seconds.
    pub(super) fn settled_per_second(&self) -> u64 {
        let samples = self.settled.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (samples.front(), samples.back()) else { return 0 };
        let millis = last.0.duration_since(first.0).as_millis() as u64;
        (last.1 - first.1).saturating_mul(1000).checked_div(millis).unwrap_or(0)
    }

    /// All metrics as text. Without `status` only what is measured outside the loop.
    pub(super) fn render(&self, status: Option<&StatusView>) -> Result<String, prometheus::Error> {
        let registry = Registry::new();
        let set = |name: &str, help: &str, value: u64| -> Result<(), prometheus::Error> {
            let gauge = prometheus::IntGauge::new(name, help)?;
            gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
            registry.register(Box::new(gauge))
        };
        let count = |name: &str, help: &str, value: u64| -> Result<(), prometheus::Error> {
            let counter = prometheus::IntCounter::new(name, help)?;
            counter.inc_by(value);
            registry.register(Box::new(counter))
        };
        set(
            "corridor_disk_free_bytes",
            "Free bytes on the disk of the data folder",
            self.disk_free_bytes(),
        )?;
        for (name, help, value) in [
            ("bytes", "Bytes that the scrubber has read", &self.scrubbed.bytes),
            ("passes", "Times that it has read everything", &self.scrubbed.passes),
            ("errors", "Damaged or unreadable places it has met", &self.scrubbed.errors),
        ] {
            let value = value.load(std::sync::atomic::Ordering::Relaxed);
            count(&format!("corridor_scrub_{name}_total"), help, value)?;
        }
        if let Some(status) = status {
            set("corridor_height", "Number of the last applied block", status.height)?;
            set("corridor_term", "Raft term", status.term)?;
            set(
                "corridor_has_leader",
                "1 when a leader is known",
                u64::from(status.leader.is_some()),
            )?;
            set(
                "corridor_is_leader",
                "1 when this node leads",
                u64::from(status.role == "leader"),
            )?;
            set("corridor_applied_index", "Last applied log index", status.applied_index)?;
            set("corridor_commit_index", "Last committed log index", status.commit_index)?;
            set("corridor_log_leaves", "Records in the Merkle log", status.leaves)?;
            count("corridor_settled_total", "Commands settled since genesis", status.settled)?;
            count("corridor_refused_total", "Commands refused since genesis", status.refused)?;
            for (name, help, value) in [
                ("leader_changes", "Changes of the leader seen", status.leader_changes),
                ("busy", "Submissions given back as busy", status.busy),
                (
                    "peer_misbehaviour",
                    "Forged or implausible peer messages",
                    status.peer_misbehaviour,
                ),
                ("blocks_proposed", "Blocks proposed as a leader", status.blocks_proposed),
                ("submissions", "Submissions taken from own sessions", status.submissions),
            ] {
                count(&format!("corridor_{name}_total"), help, value)?;
            }
            set(
                "corridor_open_submissions",
                "Submissions of own sessions not yet applied",
                status.open_submissions as u64,
            )?;
            set(
                "corridor_waiting_submissions",
                "Submissions waiting for a block",
                status.waiting_submissions as u64,
            )?;
            set("corridor_sessions", "Connected gateways and tools", status.sessions as u64)?;
            set(
                "corridor_recovering",
                "1 while the log lacks entries that it had, and the node does not vote",
                u64::from(status.recovering),
            )?;
            set("corridor_final_height", "Last final block", status.final_height.unwrap_or(0))?;
            set(
                "corridor_final_leaves",
                "Records of the log that are final",
                status.final_leaves.unwrap_or(0),
            )?;
            set(
                "corridor_cosigned_leaves",
                "Records of the log where this node cosigned last",
                status.cosigned_leaves,
            )?;
            set("corridor_mending", "1 while the node fetches what its disk lacks", 0)?;
            set(
                "corridor_snapshot_index",
                "Log index of the newest snapshot of the state",
                status.snapshot_index,
            )?;
            set(
                "corridor_snapshot_log_bytes",
                "Bytes of log applied since that snapshot",
                status.bytes_since_snapshot,
            )?;
            set(
                "corridor_conserved",
                "1 when the balances of each asset add up to what was issued",
                u64::from(status.conserved),
            )?;
        }
        finality_metrics(&registry, &self.known)?;
        self.peer_metrics(&registry, status)?;
        writer_metrics(&registry, "log", &self.log)?;
        writer_metrics(&registry, "history", &self.history)?;
        let info =
            IntGaugeVec::new(Opts::new("corridor_node_info", "Always 1"), &["node", "version"])?;
        info.with_label_values(&[&self.node.to_string(), env!("CARGO_PKG_VERSION")]).set(1);
        registry.register(Box::new(info))?;
        let mut text = Vec::new();
        TextEncoder::new().encode(&registry.gather(), &mut text)?;
        String::from_utf8(text).map_err(|error| prometheus::Error::Msg(error.to_string()))
    }

    fn peer_metrics(
        &self,
        registry: &Registry,
        status: Option<&StatusView>,
    ) -> Result<(), prometheus::Error> {
        let up = IntGaugeVec::new(
            Opts::new("corridor_peer_connected", "1 when the link stands"),
            &["peer"],
        )?;
        let rtt = GaugeVec::new(
            Opts::new("corridor_peer_rtt_seconds", "Round trip time of the link"),
            &["peer"],
        )?;
        let lag = IntGaugeVec::new(
            Opts::new("corridor_peer_lag_entries", "Entries a peer is behind; only at the leader"),
            &["peer"],
        )?;
        for link in self.links() {
            let peer = link.id.to_string();
            up.with_label_values(&[&peer]).set(i64::from(link.connected));
            rtt.with_label_values(&[&peer]).set(link.rtt_us as f64 / 1e6);
            let seen =
                status.and_then(|status| status.peers.iter().find(|peer| peer.id == link.id));
            if let Some(behind) = seen.and_then(|peer| peer.lag) {
                lag.with_label_values(&[&peer]).set(i64::try_from(behind).unwrap_or(i64::MAX));
            }
        }
        registry.register(Box::new(up))?;
        registry.register(Box::new(rtt))?;
        registry.register(Box::new(lag))
    }
}

fn finality_metrics(registry: &Registry, known: &Known) -> Result<(), prometheus::Error> {
    use std::sync::atomic::Ordering::Relaxed;
    for (name, help, value) in [
        ("cosignatures_verified", "Cosignatures of others verified", &known.verified),
        ("cosignatures_bad", "Cosignatures that did not verify", &known.bad),
        ("signatures_abused", "Abused signatures found, see the evidence folder", &known.findings),
    ] {
        let counter = prometheus::IntCounter::new(format!("corridor_{name}_total"), help)?;
        counter.inc_by(value.load(Relaxed));
        registry.register(Box::new(counter))?;
    }
    let fenced = prometheus::IntGauge::new(
        "corridor_fenced_nodes",
        "Nodes whose cosignatures no longer count",
    )?;
    fenced.set(i64::try_from(known.fenced.load(Relaxed)).unwrap_or(i64::MAX));
    registry.register(Box::new(fenced))?;
    let help = "From a block's application to its being final";
    durations(registry, "corridor_settled_to_final", help, &known.settled_to_final)?;
    for (name, help, meter) in [
        (
            "turn",
            "From the application of a block that is cosigned to its turn",
            &known.cosign_turn,
        ),
        ("sync", "Time until the disk holds that a block is cosigned", &known.cosign_sync),
        ("gather", "From an own cosignature to a certificate", &known.cosign_gather),
    ] {
        durations(registry, &format!("corridor_cosign_{name}"), help, meter)?;
    }
    Ok(())
}

fn writer_metrics(
    registry: &Registry,
    file: &str,
    meters: &WriterMeters,
) -> Result<(), prometheus::Error> {
    use std::sync::atomic::Ordering::Relaxed;
    for (what, help, value) in [
        ("groups_total", "Group writes", meters.groups.load(Relaxed)),
        ("steps_total", "Operations in group writes", meters.steps.load(Relaxed)),
        ("bytes_total", "Bytes written", meters.bytes.load(Relaxed)),
    ] {
        let counter = prometheus::IntCounter::new(format!("corridor_{file}_{what}"), help)?;
        counter.inc_by(value);
        registry.register(Box::new(counter))?;
    }
    durations(registry, &format!("corridor_{file}_write"), "Time of a write", &meters.write)?;
    durations(registry, &format!("corridor_{file}_sync"), "Time of an fdatasync", &meters.sync)
}

/// Counts by duration that are kept by the writer: how many took at most so long, and the sum.
fn durations(
    registry: &Registry,
    name: &str,
    help: &str,
    meter: &DurationMeter,
) -> Result<(), prometheus::Error> {
    let bucket = IntGaugeVec::new(
        Opts::new(format!("{name}_below"), format!("{help}: how many took at most le seconds")),
        &["le"],
    )?;
    let mut below = 0u64;
    for (number, count) in meter.buckets().iter().enumerate() {
        below += count;
        let bound = BUCKET_BOUNDS_US
            .get(number)
            .map_or_else(|| "+Inf".to_owned(), |us| format!("{}", *us as f64 / 1e6));
        bucket.with_label_values(&[&bound]).set(i64::try_from(below).unwrap_or(i64::MAX));
    }
    registry.register(Box::new(bucket))?;
    let longest = prometheus::Gauge::new(
        format!("{name}_longest_seconds"),
        format!("{help}, the longest since the start"),
    )?;
    longest.set(meter.longest_us() as f64 / 1e6);
    registry.register(Box::new(longest))?;
    let sum =
        prometheus::Counter::new(format!("{name}_seconds_total"), format!("{help}, added up"))?;
    sum.inc_by(meter.sum_us() as f64 / 1e6);
    registry.register(Box::new(sum))
}
