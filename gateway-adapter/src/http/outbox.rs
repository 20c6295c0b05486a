//! The outbox: credits for the bank, read by cursor and acknowledged up to one.

use std::time::Duration;

use axum::{
    extract::{Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use super::{Api, Problem};
use crate::{
    limits::{OUTBOX_PAGE_BYTES_MAX, OUTBOX_PAGE_MAX, OUTBOX_WAIT_MAX},
    store::{Credit, OutboxEntry, OutboxKind, OutboxReader},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PageOptions {
    /// Entries after this one; without it, after what was acknowledged.
    after: Option<u64>,
    limit: Option<usize>,
    #[serde(default)]
    wait_ms: u64,
}

#[derive(Serialize)]
struct Page {
    entries: Vec<Entry>,
    /// Cursor to ask with next time: that of the last entry.
    next: u64,
}

#[derive(Serialize)]
struct Entry {
    cursor: u64,
    kind: String,
    uetr: String,
    /// When the payment settled, nanoseconds since the Unix epoch, as text.
    settled_ns: String,
    /// When this gateway received it, nanoseconds since the Unix epoch, as text.
    received_ns: String,
    leaf: u64,
    /// What it brought by the ledger; usually one.
    credits: Vec<Credit>,
    /// The message: XML, or JSON for a notice.
    content: String,
}

pub(super) async fn page(
    State(api): State<Api>,
    Query(options): Query<PageOptions>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let single = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|text| text.contains("application/xml"));
    let limit = if single { 1 } else { options.limit.unwrap_or(100).clamp(1, OUTBOX_PAGE_MAX) };
    let after = match options.after {
        Some(after) => after,
        None => api.0.read(|core| core.store.acknowledged(OutboxReader::Http)).await?,
    };
    let wait = Duration::from_millis(options.wait_ms).min(OUTBOX_WAIT_MAX);
    let mut last = api.0.core.store.outbox_last();
    // However the wait ends, what is there is the answer.
    tokio::select! {
        _ = last.wait_for(|last| *last > after) => {}
        () = tokio::time::sleep(wait) => {}
        () = api.0.stopping() => {}
    }
    let entries =
        api.0.read(move |core| core.store.outbox(after, limit, OUTBOX_PAGE_BYTES_MAX)).await?;
    Ok(if single { single_entry(entries) } else { page_of(entries, after) })
}

fn page_of(entries: Vec<(u64, OutboxEntry)>, after: u64) -> Response {
    let next = entries.last().map_or(after, |(sequence, _)| *sequence);
    let entries = entries
        .into_iter()
        .map(|(cursor, entry)| Entry {
            cursor,
            kind: entry.kind.as_str().to_owned(),
            uetr: entry.uetr.to_string(),
            settled_ns: entry.settled.to_string(),
            received_ns: entry.received_ns.to_string(),
            leaf: entry.leaf,
            credits: entry.credits,
            content: String::from_utf8_lossy(&entry.content).into_owned(),
        })
        .collect();
    let body = serde_json::to_vec(&Page { entries, next }).expect("texts and numbers are JSON");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn single_entry(entries: Vec<(u64, OutboxEntry)>) -> Response {
    let Some((cursor, entry)) = entries.into_iter().next() else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let media = match entry.kind {
        OutboxKind::Message(_) => "application/xml",
        OutboxKind::Notice => "application/json",
    };
    let value = |text: String| {
        HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
    };
    let headers = [
        ("x-corridor-cursor", value(cursor.to_string())),
        ("x-corridor-kind", value(entry.kind.as_str().to_owned())),
        ("x-corridor-uetr", value(entry.uetr.to_string())),
        ("content-type", HeaderValue::from_static(media)),
    ];
    (headers, entry.content).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AcknowledgeOptions {
    cursor: u64,
}

pub(super) async fn acknowledge(
    State(api): State<Api>,
    Query(options): Query<AcknowledgeOptions>,
) -> Result<Response, Problem> {
    let last = *api.0.core.store.outbox_last().borrow();
    if options.cursor > last {
        let text = format!("The outbox ends at {last}; {} cannot be acknowledged.", options.cursor);
        return Err(Problem::bad_request(text));
    }
    let acknowledged = api.0.core.acknowledge(OutboxReader::Http, options.cursor).await?;
    let body = serde_json::json!({ "acknowledged": acknowledged }).to_string();
    Ok(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}
