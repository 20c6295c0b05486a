//! Whether a payment is final, and the receipt that proves it offline.
//!
//! Both are asked of the connected node, which shows them to the parties of the payment only. A receipt is
//! checked by whoever gets it, with the policy of the network; the gateway hands it on as it is.

use std::time::Duration;

use axum::{
    extract::{Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use wire::{
    client::{Query, QueryAnswer, ReceiptFound},
    ledger::TransferId,
};

use super::{Api, Problem};

/// Says in the answer to the question how a payment stands whether that is final.
const FINAL_HEADER: HeaderName = HeaderName::from_static("x-corridor-final");
/// How long that question waits for a node's word: the answer itself does not depend on it.
const FINAL_TIME_MAX: Duration = Duration::from_millis(300);

/// `GET /v1/receipts/{uetr}`.
pub(super) async fn receipt(
    State(api): State<Api>,
    Path(uetr): Path<String>,
) -> Result<Response, Problem> {
    let Ok(id) = uetr.parse::<TransferId>() else {
        return Err(Problem::bad_request("Name the payment by its UETR, in lower case."));
    };
    let answer = api.0.core.node.query(Query::Receipt { id, whole: true }).await;
    let later = |text: String| Problem {
        status: StatusCode::SERVICE_UNAVAILABLE,
        text,
        retry_after_s: Some(1),
    };
    match answer {
        Some(QueryAnswer::Receipt(ReceiptFound::Final(receipt))) => {
            let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
            Ok(([kind], receipt).into_response())
        }
        Some(QueryAnswer::Receipt(ReceiptFound::NotFinal)) => {
            Err(later("The payment is not final yet. Ask again.".to_owned()))
        }
        Some(QueryAnswer::Receipt(ReceiptFound::Unknown)) => Err(Problem::not_found(
            "The ledger has no payment of this bank with this UETR, as far as this node knows.",
        )),
        Some(QueryAnswer::Failed(text)) => Err(later(format!("The node answers: {text}"))),
        _ => Err(later("No node answers. Ask again.".to_owned())),
    }
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
        ReceiptFound::NotFinal => HeaderValue::from_static("false"),
        ReceiptFound::Final(_) => HeaderValue::from_static("true"),
    };
    response.headers_mut().insert(FINAL_HEADER, value);
}
