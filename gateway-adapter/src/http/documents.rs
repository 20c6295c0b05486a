//! Documents opened for a person: handed out when the ledger has recorded who reads what on what ground, not before.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use wire::{genesis::hex, ledger::TransferId};

use super::{Api, Problem};
use crate::core::{AccessAsked, AccessError, OpenedFor};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    reader: String,
    ground: String,
}

#[derive(Serialize)]
struct AccessView {
    id: String,
    leaf: u64,
    /// A text: JSON numbers are not exact everywhere.
    time_ns: String,
}

/// The document, and what shows that it is the one in the ledger's record of the payment.
#[derive(Serialize)]
struct DocumentView {
    uetr: String,
    access: AccessView,
    /// Name of the message, such as `pacs.008.001.08`.
    name: String,
    document: String,
    /// Hex.
    salt: String,
    /// SHA-256 of the sealed bytes, hex.
    sealed_sha256: String,
    /// What the record of the payment carries, hex.
    commitment: String,
}

impl DocumentView {
    fn of(payment: &TransferId, opened: &OpenedFor) -> Self {
        let OpenedFor { recorded, entry, proof, commitment } = opened;
        Self {
            uetr: payment.to_string(),
            access: AccessView {
                id: recorded.id.to_string(),
                leaf: recorded.leaf,
                time_ns: recorded.time.to_string(),
            },
            name: entry.kind.as_str().to_owned(),
            document: String::from_utf8_lossy(&entry.content).into_owned(),
            salt: hex(&proof.salt),
            sealed_sha256: hex(&proof.sealed.0),
            commitment: hex(&commitment.0),
        }
    }
}

/// `POST /v1/documents/{uetr}/open`.
pub(super) async fn open(
    State(api): State<Api>,
    Path(uetr): Path<String>,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Problem> {
    let Ok(payment) = uetr.parse::<TransferId>() else {
        return Err(Problem::bad_request("Name the payment by its UETR, in lower case."));
    };
    let Ok(Json(Asked { reader, ground })) = asked else {
        let text = "Say who reads and why: {\"reader\": \"...\", \"ground\": \"...\"}.";
        return Err(Problem::bad_request(text));
    };
    let opened = api.0.core.open_for(AccessAsked { payment, reader, ground }).await?;
    Ok(Json(DocumentView::of(&payment, &opened)).into_response())
}

impl From<AccessError> for Problem {
    fn from(error: AccessError) -> Self {
        let text = format!("{error}.");
        match error {
            AccessError::NoDocument => Self::not_found(&text),
            AccessError::Erased(_) | AccessError::BeingErased => Self::new(StatusCode::GONE, text),
            AccessError::Words => Self::bad_request(text),
            AccessError::Refused(_) => Self::new(StatusCode::CONFLICT, text),
            AccessError::Busy | AccessError::NotRecorded => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, text, retry_after_s: Some(1) }
            }
            AccessError::Random => Self::internal(),
            AccessError::Store(error) => error.into(),
        }
    }
}
