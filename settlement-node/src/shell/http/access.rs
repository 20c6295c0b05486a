//! `GET /v1/access`: who read data of parties, when, what, and on what ground.

use axum::{
    Json,
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use ledger::{Bic, ParticipantNumber, TransferId};
use serde::{Deserialize, Serialize};

use super::{Context, look};
use crate::{
    access::{PAGE_ROWS_MAX, Page, Row, Wanted},
    past::PastError,
};

/// Rows of a page when nobody says how many.
const PAGE_ROWS: usize = 100;

#[derive(Debug, Deserialize)]
pub(super) struct AccessQuery {
    bank: Option<String>,
    payment: Option<String>,
    /// The first block; the `next` of the page before.
    from: Option<u64>,
    /// The last block; the newest when it is missing.
    to: Option<u64>,
    rows: Option<usize>,
}

#[derive(Debug, Serialize)]
struct PageView {
    /// With this as `to` the question can be repeated.
    to: u64,
    rows: Vec<RowView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct RowView {
    height: u64,
    time_ns: u64,
    leaf: u64,
    id: String,
    bank: String,
    access: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment: Option<String>,
    what: String,
    reader: String,
    ground: String,
}

impl RowView {
    fn of(row: Row, bics: &[String]) -> Self {
        let bank = bics.get(row.participant.0 as usize).cloned();
        Self {
            height: row.height,
            time_ns: row.time.0,
            leaf: row.leaf,
            id: row.id.to_string(),
            bank: bank.unwrap_or_else(|| row.participant.to_string()),
            access: row.access.name(),
            payment: row.payment.map(|payment| payment.to_string()),
            what: row.what.to_string(),
            reader: row.reader,
            ground: row.ground,
        }
    }
}

fn refuse(code: StatusCode, what: impl std::fmt::Display) -> Response {
    (code, format!("{what}\n")).into_response()
}

/// The records of accesses, in order, page by page.
pub(super) async fn accesses(
    State(context): State<Context>,
    Query(query): Query<AccessQuery>,
) -> Result<Response, Response> {
    let bad = |what: &str| refuse(StatusCode::BAD_REQUEST, what);
    let rows = query.rows.unwrap_or(PAGE_ROWS);
    if !(1..=PAGE_ROWS_MAX).contains(&rows) {
        return Err(bad(&format!("a page has 1 to {PAGE_ROWS_MAX} rows")));
    }
    let bank = query.bank.as_deref().map(str::parse::<Bic>).transpose();
    let bank = bank.map_err(|error| bad(&error.to_string()))?;
    let payment = query.payment.as_deref().map(str::parse::<TransferId>).transpose();
    let payment = payment.map_err(|_| bad("name the payment by its UETR, in lower case"))?;
    let seen = look(&context.handle, |node| {
        let ledger = node.chain().ledger();
        let banks = ledger.participants().iter().map(|one| (one.number, one.bic));
        banks.collect::<Vec<(ParticipantNumber, Bic)>>()
    });
    let banks = seen.await.map_err(IntoResponse::into_response)?;
    let participant = match bank {
        Some(bic) => {
            let known = banks.iter().find(|(_, other)| *other == bic).map(|(number, _)| *number);
            let missing = || refuse(StatusCode::NOT_FOUND, "there is no such participant");
            Some(known.ok_or_else(missing)?)
        }
        None => None,
    };
    let past = context.lookup.past.clone();
    let last = past.history.last_height().unwrap_or(0);
    let to = query.to.unwrap_or(last);
    if to > last {
        let what = format!("block {to} is not in the history yet; the last is {last}");
        return Err(refuse(StatusCode::NOT_FOUND, what));
    }
    let wanted = Wanted { participant, payment, from: query.from.unwrap_or(1), to, rows };
    let read = tokio::task::spawn_blocking(move || past.accesses(&wanted));
    let read: Result<Page, PastError> =
        read.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())?;
    match read {
        Ok(Page { rows, next }) => {
            let bics: Vec<String> = banks.iter().map(|(_, bic)| bic.to_string()).collect();
            let rows = rows.into_iter().map(|row| RowView::of(row, &bics)).collect();
            Ok(Json(PageView { to, rows, next }).into_response())
        }
        Err(error) => {
            super::audit::damaged(&context, &error);
            Err(refuse(StatusCode::INTERNAL_SERVER_ERROR, error))
        }
    }
}
