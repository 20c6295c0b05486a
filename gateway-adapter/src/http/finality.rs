//! Whether what has settled is final, by the connected node's word.
//!
//! The answer to a message tells the block by whose end all of it has settled; who wants to know when that is final waits
//! for the block, once for many payments. Who asks for one payment is told as well. What proves it to others is the
//! receipt.

use std::time::Duration;

use axum::{
    extract::{Query as Words, State},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use wire::{
    client::{Query, QueryAnswer, ReceiptFound},
    cosign::FinalAt,
    ledger::{Height, TransferId},
};

use super::Api;
use crate::limits::FINAL_WAIT_MAX;

/// Whether all that an answer reports as settled is final.
const FINAL_HEADER: HeaderName = HeaderName::from_static("x-corridor-final");
/// The block by whose end it has settled.
const HEIGHT_HEADER: HeaderName = HeaderName::from_static("x-corridor-height");
/// How long the question how a payment stands waits for a node's word: the answer itself does not depend on it.
const FINAL_TIME_MAX: Duration = Duration::from_millis(300);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WaitOptions {
    /// The block that should be final.
    #[serde(default)]
    height: u64,
    #[serde(default)]
    wait_ms: u64,
}

/// Up to where everything is final; both are left out before the first certificate.
#[derive(Serialize)]
struct Reached {
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    leaves: Option<u64>,
}

impl Reached {
    fn of(at: Option<FinalAt>) -> Self {
        Self { height: at.map(|at| at.height), leaves: at.map(|at| at.size) }
    }
}

/// `GET /v1/final`.
pub(super) async fn reached(
    State(api): State<Api>,
    Words(options): Words<WaitOptions>,
) -> Response {
    let wait = Duration::from_millis(options.wait_ms).min(FINAL_WAIT_MAX);
    let mut known = api.0.core.node.final_at();
    // However the wait ends, what is known is the answer.
    tokio::select! {
        _ = known.wait_for(|at| at.is_some_and(|at| at.height >= options.height)) => {}
        () = tokio::time::sleep(wait) => {}
        () = api.0.stopping() => {}
    }
    let reached = Reached::of(*known.borrow());
    let body = serde_json::to_vec(&reached).expect("numbers are JSON");
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Adds to the answer to a message where it has settled, and whether that is final by now.
pub(super) fn tell(api: &Api, height: Height, response: &mut Response) {
    let is_final = api.0.core.node.final_at().borrow().is_some_and(|at| at.height >= height.0);
    response.headers_mut().insert(HEIGHT_HEADER, HeaderValue::from(height.0));
    response.headers_mut().insert(FINAL_HEADER, word(is_final));
}

const fn word(is_final: bool) -> HeaderValue {
    HeaderValue::from_static(if is_final { "true" } else { "false" })
}

/// Adds to an answer whether the ledger's last word on the payment is final, if a node says so in time.
pub(super) async fn mark(api: &Api, id: TransferId, response: &mut Response) {
    let asked = api.0.core.node.query(Query::Receipt { id, whole: false });
    let Ok(Some(QueryAnswer::Receipt(found))) = tokio::time::timeout(FINAL_TIME_MAX, asked).await
    else {
        return;
    };
    let value = match found {
        // A payment that never reached the ledger has nothing that could become final there.
        ReceiptFound::Unknown => return,
        ReceiptFound::NotFinal => word(false),
        ReceiptFound::Final(_) => word(true),
    };
    response.headers_mut().insert(FINAL_HEADER, value);
}
