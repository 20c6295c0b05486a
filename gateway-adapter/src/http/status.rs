//! What operators and machines ask: how it stands, whether it lives, whether it is ready.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{Api, Problem};
use crate::{metrics::METRICS, store::StoreError};

pub(super) async fn status(State(api): State<Api>) -> Result<Response, Problem> {
    let node = api.0.core.node.state().borrow().clone();
    let final_at = *api.0.core.node.final_at().borrow();
    let (messages, payments) = api.0.core.book.counts();
    let (received, last, acknowledged) = api
        .0
        .read(|core| {
            let last = *core.store.outbox_last().borrow();
            Ok::<_, StoreError>((core.store.message_count()?, last, core.store.taken()?))
        })
        .await?;
    let body = serde_json::json!({
        "bank": api.0.core.bic.to_string(),
        "participant": api.0.core.participant.0,
        "node": node.connected,
        "node_leader": node.status.as_ref().map(|status| status.leader),
        "node_height": node.status.as_ref().map(|status| status.height),
        "node_time_ns": node.status.as_ref().map(|status| status.time.to_string()),
        "final_height": final_at.map(|at| at.height),
        "final_leaves": final_at.map(|at| at.size),
        "directory_height": api.0.core.directory.height(),
        "messages_received": received,
        "open_messages": messages,
        "open_payments": payments,
        "outbox_last": last,
        "outbox_acknowledged": acknowledged,
        "outbox_depth": last.saturating_sub(acknowledged),
        "store_healthy": api.0.core.store.is_healthy(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    Ok(json(StatusCode::OK, &body))
}

/// The process serves requests.
pub(super) async fn health() -> &'static str {
    "ok\n"
}

/// Payments can be answered now: the store works, the connected node has a leader and answers, and
/// its directory is known.
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let store = api.0.core.store.is_healthy();
    let node = api.0.core.node.state().borrow().clone();
    let connected = node.connected.is_some();
    let answers = node.answers();
    let directory = api.0.core.directory.height().is_some();
    let ready = store && answers && directory;
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "ready": ready,
        "store": store,
        "connected": connected,
        "node_answers": answers,
        "directory": directory,
    });
    json(status, &body)
}

pub(super) async fn metrics() -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], METRICS.text()).into_response()
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}
