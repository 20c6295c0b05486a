//! The receipt that proves offline that a payment is final.
//!
//! It is asked of the connected node, which shows it to the parties of the payment only. It is checked by whoever gets
//! it, with the policy of the network; the gateway hands it on as it is.

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use wire::{
    client::{Query, QueryAnswer, ReceiptFound},
    ledger::TransferId,
};

use super::{Api, Problem};

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
