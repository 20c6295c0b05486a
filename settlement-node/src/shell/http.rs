//! What a person or a monitoring system sees of a node: status page, JSON, health, metrics.
//!
//! Read-only but for what a witness may be asked; for this node's operator: it shows the balances of all banks, so it listens on a
//! loopback address unless the configuration says otherwise. Every answer is read from the loop in
//! one look, so that its figures belong to one height.

mod access;
pub(super) mod audit;
mod questions;
pub(super) mod tlog;
mod witness;

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, State},
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::{get, post},
};
use ledger::{AccountName, TransferId};
use order::Role;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::oneshot, sync::watch, task::JoinHandle};
use wire::genesis::{Genesis, hex};

use super::{
    Loop,
    evidence::Evidence,
    lookup::{Lookup, Seen},
    metrics::Meters,
    page,
};
use crate::{
    event::{Event, Room},
    node::Node,
    view,
};

/// How long a look at the node may take before it counts as not answering.
const LOOK_WAIT: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub(super) struct Context {
    pub(super) handle: Loop,
    pub(super) meters: Arc<Meters>,
    pub(super) genesis: Arc<Genesis>,
    pub(super) lookup: Lookup,
    pub(super) evidence: Evidence,
    pub(super) tlog: tlog::Shared,
    pub(super) audit: audit::Shared,
}

/// One other node as this one sees it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct PeerView {
    pub(super) id: u64,
    pub(super) bic: String,
    pub(super) connected: bool,
    /// Last log index known to be on that node's disk; only a leader knows it.
    pub(super) matched: Option<u64>,
    /// Entries that node is behind this one; only a leader knows it.
    pub(super) lag: Option<u64>,
    pub(super) rtt_us: u64,
}

/// How the node stands.
#[derive(Clone, Debug, Serialize)]
pub(super) struct StatusView {
    pub(super) node: u64,
    pub(super) bic: String,
    pub(super) network: String,
    pub(super) network_id: String,
    pub(super) version: &'static str,
    pub(super) role: &'static str,
    pub(super) leader: Option<u64>,
    /// Nodes that vote as of the last block.
    pub(super) voters: Vec<u64>,
    pub(super) term: u64,
    pub(super) height: u64,
    pub(super) applied_index: u64,
    pub(super) commit_index: u64,
    pub(super) time_ns: u64,
    pub(super) leaves: u64,
    pub(super) log_root: String,
    pub(super) state_root: String,
    pub(super) settled: u64,
    pub(super) refused: u64,
    pub(super) settled_per_second: u64,
    pub(super) open_submissions: usize,
    pub(super) waiting_submissions: usize,
    pub(super) sessions: usize,
    /// Since this process started: the leader was another one than before.
    pub(super) leader_changes: u64,
    /// Since this process started: submissions given back to their gateways as busy.
    pub(super) busy: u64,
    /// Since this process started: messages of other nodes dropped as forged or implausible.
    pub(super) peer_misbehaviour: u64,
    /// Since this process started: blocks proposed as a leader.
    pub(super) blocks_proposed: u64,
    /// Since this process started: submissions taken from own sessions.
    pub(super) submissions: u64,
    /// Whether this node's log has lost entries and is not whole again: it does not vote then.
    pub(super) recovering: bool,
    /// Everything up to this block is final; nothing before the first certificate.
    pub(super) final_height: Option<u64>,
    /// Records of the log up to there.
    pub(super) final_leaves: Option<u64>,
    /// Records of the log where this node cosigned last; 0 when it never did.
    pub(super) cosigned_leaves: u64,
    /// Since this process started: signatures that were abused, and are kept as evidence.
    pub(super) evidence: u64,
    /// Log index of the newest snapshot of the state; 0 before the first.
    pub(super) snapshot_index: u64,
    /// Bytes of log applied since that snapshot.
    pub(super) bytes_since_snapshot: u64,
    pub(super) conserved: bool,
    pub(super) peers: Vec<PeerView>,
}

pub(super) async fn serve(
    address: SocketAddr,
    context: Context,
    mut stopped: watch::Receiver<bool>,
) -> std::io::Result<JoinHandle<()>> {
    let listener = TcpListener::bind(address).await?;
    tracing::info!(address = %listener.local_addr()?, "status page and metrics");
    let router = Router::new()
        .route("/", get(status_page))
        .route("/metrics", get(metrics))
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/openapi.json", get(openapi))
        .route("/v1/status", get(status))
        .route("/v1/balances", get(balances))
        .route("/v1/quotes", get(quotes))
        .route("/v1/proposals", get(proposals))
        .route("/v1/registry", get(registry))
        .route("/v1/transfers/{uetr}", get(transfer))
        .route("/v1/waiting", get(waiting))
        .merge(questions::routes())
        .route("/v1/statement", get(audit::statement))
        .route("/v1/access", get(access::accesses))
        .route("/v1/position", get(audit::position))
        .route("/v1/blocks/{height}", get(audit::block))
        .route("/checkpoint", get(tlog::checkpoint))
        .route("/add-checkpoint", post(witness::add_checkpoint))
        .route("/ledger.policy", get(tlog::policy))
        .route("/tile/{*rest}", get(tlog::tile))
        .route("/v1/receipts/{uetr}", get(tlog::receipt))
        .with_state(context.clone());
    let sampling = sample(context, stopped.clone());
    Ok(tokio::spawn(async move {
        tokio::spawn(sampling);
        let stop = async move {
            // An error means that the sender is gone, which is a stop too.
            let _ = stopped.wait_for(|stop| *stop).await;
        };
        if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stop).await {
            tracing::error!(%error, "status page stopped");
        }
    }))
}

/// What can be said before the node lives: alive, not ready, and why. Without an address to listen on
/// nothing is said; the next attempt is that of the living node.
pub(super) async fn serve_mending(
    address: SocketAddr,
    said: Arc<std::sync::Mutex<String>>,
    mut stopped: watch::Receiver<bool>,
) -> JoinHandle<()> {
    let text = move || said.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let on_page = text.clone();
    let ready = move || async move {
        let body = serde_json::json!({ "ready": false, "mending": text() });
        (StatusCode::SERVICE_UNAVAILABLE, Json(body))
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok" }))
        .route("/readyz", get(ready))
        .route("/", get(move || async move { format!("mending: {}\n", on_page()) }))
        .route(
            "/metrics",
            get(|| async {
                "# HELP corridor_mending Whether the node fetches from others what it lacks.\n\
                 # TYPE corridor_mending gauge\ncorridor_mending 1\n"
            }),
        );
    tokio::spawn(async move {
        match TcpListener::bind(address).await {
            Ok(listener) => {
                // Connections that stay open must not go on hearing of this phase after it.
                let stop = async move {
                    let _ = stopped.wait_for(|stop| *stop).await;
                };
                let served = axum::serve(listener, router).with_graceful_shutdown(stop).await;
                if let Err(error) = served {
                    tracing::error!(%error, "status page stopped");
                }
            }
            Err(error) => tracing::warn!(%address, %error, "no status page while mending"),
        }
    })
}

/// Notes once a second how much was settled, for the rate, until this life of the node ends.
async fn sample(context: Context, stopped: watch::Receiver<bool>) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    // Without a sender it has ended, too.
    while stopped.has_changed().is_ok() && !*stopped.borrow() {
        every.tick().await;
        match look(&context.handle, |node| node.chain().settled()).await {
            Ok(settled) => context.meters.sample(settled),
            // Busy or stopping; the next second tells which.
            Err(_) => tokio::task::yield_now().await,
        }
    }
}

/// Runs a look at the node on the loop.
async fn look<T: Send + 'static>(
    handle: &Loop,
    look: impl FnOnce(&Node) -> T + Send + 'static,
) -> Result<T, StatusCode> {
    let (answer, wait) = oneshot::channel();
    let event = Event::Inspect(Box::new(move |node| {
        // The asker may have gone away.
        let _ = answer.send(look(node));
    }));
    handle.events.try_send(event).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    match tokio::time::timeout(LOOK_WAIT, wait).await {
        Ok(Ok(seen)) => Ok(seen),
        _ => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}

async fn status_view(context: &Context) -> Result<StatusView, StatusCode> {
    let links = context.meters.links();
    let rate = context.meters.settled_per_second();
    let known = Arc::clone(&context.evidence.known);
    let final_at = known.final_at();
    let genesis = Arc::clone(&context.genesis);
    look(&context.handle, move |node| {
        let order = node.order_status();
        let (open, waiting, sessions) = node.load();
        let chain = node.chain();
        let counters = node.counters();
        let (snapshots, bytes_since_snapshot) = node.snapshots();
        let bic_of = |id: u64| {
            let known = genesis.nodes.iter().find(|known| known.id == id);
            known.map_or_else(String::new, |known| known.bic.to_string())
        };
        StatusView {
            node: node.id(),
            bic: bic_of(node.id()),
            network: genesis.name.clone(),
            network_id: hex(&genesis.domain.network),
            version: env!("CARGO_PKG_VERSION"),
            role: match order.role {
                Role::Leader => "leader",
                Role::Follower => "follower",
                Role::Candidate | Role::PreCandidate => "candidate",
            },
            leader: node.leader(),
            voters: node.membership().voters.iter().copied().collect(),
            term: order.term,
            height: chain.height().0,
            applied_index: chain.log_index(),
            commit_index: order.commit,
            time_ns: chain.time().0,
            leaves: chain.leaves(),
            log_root: hex(&chain.log_root()),
            state_root: chain.state_root().to_string(),
            settled: chain.settled(),
            refused: chain.refused(),
            settled_per_second: rate,
            open_submissions: open,
            waiting_submissions: waiting,
            sessions,
            leader_changes: counters.leader_changes,
            busy: counters.busy,
            peer_misbehaviour: counters.peer_misbehaviour,
            blocks_proposed: counters.blocks_proposed,
            submissions: counters.submissions,
            recovering: order.recovering,
            final_height: final_at.map(|at| at.height),
            final_leaves: final_at.map(|at| at.size),
            cosigned_leaves: known.cosigned.load(Ordering::Relaxed),
            evidence: known.findings.load(Ordering::Relaxed),
            snapshot_index: snapshots.last().map_or(0, |place| place.index),
            bytes_since_snapshot,
            conserved: view::asset_balances(chain).iter().all(|asset| asset.conserved),
            peers: links
                .iter()
                .map(|link| {
                    let progress = order.peers.iter().find(|peer| peer.id == link.id);
                    let matched = progress.map(|peer| peer.matched);
                    PeerView {
                        id: link.id,
                        bic: bic_of(link.id),
                        connected: link.connected,
                        matched,
                        lag: matched.map(|matched| order.last_index.saturating_sub(matched)),
                        rtt_us: link.rtt_us,
                    }
                })
                .collect(),
        }
    })
    .await
}

async fn status(State(context): State<Context>) -> Result<Json<StatusView>, StatusCode> {
    status_view(&context).await.map(Json)
}

async fn balances(State(context): State<Context>) -> Result<Json<view::Balances>, StatusCode> {
    look(&context.handle, |node| view::balances(node.chain())).await.map(Json)
}

async fn quotes(State(context): State<Context>) -> Result<Json<Vec<view::QuoteView>>, StatusCode> {
    look(&context.handle, |node| view::quotes(node.chain())).await.map(Json)
}

async fn proposals(
    State(context): State<Context>,
) -> Result<Json<Vec<view::ProposalView>>, StatusCode> {
    look(&context.handle, |node| view::proposals(node.chain())).await.map(Json)
}

async fn registry(State(context): State<Context>) -> Result<Json<view::Registry>, StatusCode> {
    look(&context.handle, |node| view::registry(node.chain())).await.map(Json)
}

/// Which waiting transfers are wanted.
#[derive(Debug, Deserialize)]
struct WaitingQuery {
    /// Those that debit or credit this account.
    account: Option<String>,
}

async fn waiting(
    State(context): State<Context>,
    Query(wanted): Query<WaitingQuery>,
) -> Result<Response, StatusCode> {
    let name = match wanted.account.as_deref().map(str::parse::<AccountName>).transpose() {
        Ok(name) => name,
        Err(error) => return Ok((StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()),
    };
    let found = look(&context.handle, move |node| {
        let chain = node.chain();
        let Some(name) = name else { return Some(view::waiting(chain, None)) };
        let account = chain.ledger().account_by_name(&name)?;
        Some(view::waiting(chain, Some(account.number)))
    })
    .await?;
    Ok(match found {
        Some(list) => Json(list).into_response(),
        None => (StatusCode::NOT_FOUND, "there is no such account\n").into_response(),
    })
}

async fn status_page(State(context): State<Context>) -> Result<Html<String>, StatusCode> {
    let status = status_view(&context).await?;
    let balances = look(&context.handle, |node| view::balances(node.chain())).await?;
    Ok(Html(page::render(&status, &balances)))
}

async fn metrics(State(context): State<Context>) -> Response {
    let status = status_view(&context).await;
    match context.meters.render(status.as_ref().ok()) {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
            .into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// This interface in OpenAPI 3.1.
async fn openapi() -> Response {
    const DOCUMENT: &str = include_str!("../../../ops/docs/openapi/node.json");
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

/// Alive: the loop answers.
async fn healthz(State(context): State<Context>) -> (StatusCode, &'static str) {
    match look(&context.handle, |_| ()).await {
        Ok(()) => (StatusCode::OK, "ok\n"),
        Err(code) => (code, "the loop does not answer\n"),
    }
}

/// Ready: there is a leader, everything known to be committed is applied, and the disk has room.
async fn readyz(State(context): State<Context>) -> (StatusCode, String) {
    let seen = look(&context.handle, |node| {
        (node.leader(), node.order_status().commit, node.chain().log_index(), node.room())
    })
    .await;
    match seen {
        Err(code) => (code, "the loop does not answer\n".to_owned()),
        Ok((.., Room::Low | Room::Nothing)) => {
            let free = context.meters.disk_free_bytes();
            let text = format!("disk nearly full: {free} bytes are free, new work is refused\n");
            (StatusCode::SERVICE_UNAVAILABLE, text)
        }
        Ok((None, ..)) => (StatusCode::SERVICE_UNAVAILABLE, "no leader is known\n".to_owned()),
        Ok((_, commit, applied, _)) if applied < commit => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("applied {applied} of {commit} entries\n"))
        }
        Ok(_) => (StatusCode::OK, "ready\n".to_owned()),
    }
}

async fn transfer(
    State(context): State<Context>,
    Path(uetr): Path<String>,
) -> Result<Response, StatusCode> {
    let Ok(id) = uetr.parse::<TransferId>() else {
        let text = format!("`{uetr}` is not a UETR (a lower-case UUID)\n");
        return Ok((StatusCode::BAD_REQUEST, text).into_response());
    };
    let seen = look(&context.handle, move |node| Seen::read(node.chain(), &id)).await?;
    let lookup = context.lookup.clone();
    let found = tokio::task::spawn_blocking(move || lookup.find(&id, seen))
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(match found {
        Ok(Some(view)) => Json(view).into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "no transfer with this UETR was ever answered\n")
            .into_response(),
        Err(error) => {
            if let Some(damage) = error.damage() {
                context.handle.mend(super::Cause::Damaged(damage));
            }
            (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
        }
    })
}
