//! Erasure of a document, and the generations of the sealing key.
//!
//! Where the gateway knows more than one bearer token, what destroys something needs two of them: one in the usual place, another
//! one as `Corridor-Second-Token`. Whoever has only one cannot do it alone.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use wire::{genesis::hex, ledger::TransferId};

use super::{Api, Problem};
use crate::{
    core::{Certificate, EraseAsked, EraseError, SealingError},
    keyring::GenerationView,
};

const SECOND_TOKEN: &str = "corridor-second-token";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    by: String,
    ground: String,
    #[serde(default)]
    whole_message: bool,
}

#[derive(Serialize)]
struct CertificateView {
    uetr: String,
    /// Id of the certificate's command.
    id: String,
    leaf: u64,
    /// A text: JSON numbers are not exact everywhere.
    time_ns: String,
    by: String,
    ground: String,
}

impl CertificateView {
    fn of(payment: &TransferId, certificate: Certificate) -> Self {
        let Certificate { id, leaf, time, by, ground } = certificate;
        Self {
            uetr: payment.to_string(),
            id: id.to_string(),
            leaf,
            time_ns: time.to_string(),
            by,
            ground,
        }
    }
}

#[derive(Serialize)]
struct KeyView {
    generation: u32,
    /// X25519, hex.
    public_key: String,
    since_ns: Option<String>,
    retired_ns: Option<String>,
}

impl From<GenerationView> for KeyView {
    fn from(view: GenerationView) -> Self {
        Self {
            generation: view.number,
            public_key: hex(&view.public),
            since_ns: view.since_ns.map(|time| time.to_string()),
            retired_ns: view.retired_ns.map(|time| time.to_string()),
        }
    }
}

/// Asks for a second token where there are several.
fn two_people(api: &Api, headers: &HeaderMap) -> Result<(), Problem> {
    if api.0.tokens.len() < 2 {
        return Ok(());
    }
    let first = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let first = first.and_then(|value| value.strip_prefix(b"Bearer "));
    let second = headers.get(SECOND_TOKEN).map(|value| value.as_bytes());
    match second {
        Some(second) if Some(second) != first && api.0.knows(second) => Ok(()),
        _ => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "This takes two people: send another token of this gateway as Corridor-Second-Token.",
        )),
    }
}

/// `POST /v1/documents/{uetr}/erase`.
pub(super) async fn erase(
    State(api): State<Api>,
    Path(uetr): Path<String>,
    headers: HeaderMap,
    asked: Result<Json<Asked>, JsonRejection>,
) -> Result<Response, Problem> {
    let Ok(payment) = uetr.parse::<TransferId>() else {
        return Err(Problem::bad_request("Name the payment by its UETR, in lower case."));
    };
    let Ok(Json(Asked { by, ground, whole_message })) = asked else {
        let text = "Say who orders it and why: {\"by\": \"...\", \"ground\": \"...\"}.";
        return Err(Problem::bad_request(text));
    };
    two_people(&api, &headers)?;
    let asked = EraseAsked { payment, by, ground, whole_message };
    let core = api.0.core.clone();
    // What was begun goes on when the caller goes away.
    let erased = tokio::spawn(async move { core.erase(asked).await });
    let certificate = erased.await.map_err(|_| Problem::internal())??;
    Ok(Json(CertificateView::of(&payment, certificate)).into_response())
}

/// `GET /v1/sealing-keys`.
pub(super) async fn keys(State(api): State<Api>) -> Response {
    let keys: Vec<KeyView> = api.0.core.sealing_keys().into_iter().map(KeyView::from).collect();
    Json(keys).into_response()
}

/// `POST /v1/sealing-keys`.
pub(super) async fn rotate(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    two_people(&api, &headers)?;
    let core = api.0.core.clone();
    let rotated = tokio::spawn(async move { core.rotate_sealing_key().await });
    let view = rotated.await.map_err(|_| Problem::internal())??;
    Ok(Json(KeyView::from(view)).into_response())
}

/// `POST /v1/sealing-keys/{generation}/retire`.
pub(super) async fn retire(
    State(api): State<Api>,
    Path(generation): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let Ok(number) = generation.parse::<u32>() else {
        return Err(Problem::bad_request("Name the generation by its number."));
    };
    two_people(&api, &headers)?;
    let core = api.0.core.clone();
    let retired = tokio::spawn(async move { core.retire_sealing_key(number).await });
    let view = retired.await.map_err(|_| Problem::internal())??;
    Ok(Json(KeyView::from(view)).into_response())
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        let text = format!("{error}.");
        match error {
            EraseError::NoDocument => Self::not_found(&text),
            EraseError::AlreadyErased(_) => Self::new(StatusCode::GONE, text),
            EraseError::NotCertified(_) => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, text, retry_after_s: Some(1) }
            }
            EraseError::Access(error) => error.into(),
            EraseError::Sealing(error) => error.into(),
            EraseError::Store(error) => error.into(),
            EraseError::UnderWay
            | EraseError::NotTaken(_)
            | EraseError::SealingKey(_)
            | EraseError::SeveralPayments(_)
            | EraseError::InClear
            | EraseError::NotTheRecords
            | EraseError::Folder(_) => Self::new(StatusCode::CONFLICT, text),
        }
    }
}

impl From<SealingError> for Problem {
    fn from(error: SealingError) -> Self {
        let text = format!("{error}.");
        match error {
            SealingError::Ledger(error) => error.into(),
            SealingError::InForce(_) | SealingError::TooEarly { .. } => {
                Self::new(StatusCode::CONFLICT, text)
            }
            SealingError::Keyring(_) => Self::new(StatusCode::CONFLICT, text),
            SealingError::NotTold | SealingError::Behind | SealingError::Stopping => {
                Self { status: StatusCode::SERVICE_UNAVAILABLE, text, retry_after_s: Some(1) }
            }
        }
    }
}
