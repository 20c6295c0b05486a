//! The HTTP channel.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v1/messages` (XML; `?bulk=true` for large ones, up to 512 MiB by default) | 200 pacs.002; 400 admi.002; 202 while open at the deadline; 503 when too much waits |
//! | `GET /v1/messages/{uetr or key}` | 200 pacs.002 as it stands; 404 |
//! | `GET /v1/outbox?after=&limit=&wait_ms=` | 200 entries after a cursor; with `Accept: application/xml` the next one |
//! | `POST /v1/outbox/ack?cursor=` | 200; everything up to the cursor was taken |
//! | `GET /v1/final?height=&wait_ms=` | 200 JSON: up to which block everything is final, as soon as it is that block |
//! | `GET /v1/receipts/{uetr}` | 200 receipt (tlog-proof); 503 while it is not final; 404 |
//! | `POST /v1/documents/{uetr}/open` (JSON: reader, ground) | 200 JSON with the document, once the ledger has recorded who reads it; 404; 409 when it refuses to; 410 when it is erased; 503 |
//! | `POST /v1/documents/{uetr}/erase` (JSON: by, ground, whole_message) | 200 JSON with the certificate; 404; 409 with what is to be done first; 410 when it was erased before; 503 |
//! | `GET`, `POST /v1/sealing-keys`, `POST /v1/sealing-keys/{generation}/retire` | 200 JSON: the generations; a new one; one that is destroyed; 409; 503 |
//! | `GET /v1/status` | 200 JSON |
//! | `GET /healthz`, `/readyz`, `/metrics` | without token |
//!
//! `/v1` needs a bearer token. Errors are JSON with one sentence that says what to do.

mod documents;
mod erasure;
mod finality;
mod messages;
mod outbox;
mod receipts;
mod serve;
mod spool;
mod status;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};
use tokio::sync::watch;

use crate::{
    config::Config,
    core::{Core, ReceiveError},
    metrics::METRICS,
    store::StoreError,
};

pub(crate) use serve::serve;

/// What the handlers share.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

struct Shared {
    core: Arc<Core>,
    tokens: Vec<[u8; 32]>,
    answer_deadline: Duration,
    message_bytes: usize,
    bulk_bytes: usize,
    spools: spool::Spools,
    stopped: watch::Receiver<bool>,
}

impl Api {
    pub(crate) fn new(core: Arc<Core>, config: &Config, stopped: watch::Receiver<bool>) -> Self {
        Self(Arc::new(Shared {
            core,
            tokens: config.token_sha256.clone(),
            answer_deadline: config.answer_deadline,
            message_bytes: config.limits.message_bytes,
            bulk_bytes: config.limits.bulk_bytes,
            spools: spool::Spools::new(&config.data),
            stopped,
        }))
    }

    fn router(self) -> Router {
        let protected = Router::new()
            .route("/v1/messages", post(messages::receive))
            .route("/v1/messages/{name}", get(messages::standing))
            .route("/v1/outbox", get(outbox::page))
            .route("/v1/outbox/ack", post(outbox::acknowledge))
            .route("/v1/final", get(finality::reached))
            .route("/v1/receipts/{uetr}", get(receipts::receipt))
            .route("/v1/documents/{uetr}/open", post(documents::open))
            .route("/v1/documents/{uetr}/erase", post(erasure::erase))
            .route("/v1/sealing-keys", get(erasure::keys))
            .route("/v1/sealing-keys", post(erasure::rotate))
            .route("/v1/sealing-keys/{generation}/retire", post(erasure::retire))
            .route("/v1/status", get(status::status))
            .layer(middleware::from_fn_with_state(self.clone(), authenticate));
        Router::new()
            .merge(protected)
            .route("/healthz", get(status::health))
            .route("/readyz", get(status::ready))
            .route("/metrics", get(status::metrics))
            .route("/openapi.json", get(openapi))
            .fallback(|| async { Problem::not_found("There is no such resource.") })
            .layer(middleware::from_fn(count))
            .with_state(self)
    }
}

/// This interface in OpenAPI 3.1.
async fn openapi() -> Response {
    const DOCUMENT: &str = include_str!("../../ops/docs/openapi/gateway.json");
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}

/// An error as clients see it: `{"error": "..."}`.
struct Problem {
    status: StatusCode,
    text: String,
    retry_after_s: Option<u32>,
}

impl Problem {
    fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into(), retry_after_s: None }
    }

    fn not_found(text: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    fn bad_request(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "The gateway could not do this. Its log says why; the request may be repeated.",
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "error": self.text }).to_string();
        let mut response =
            (self.status, [(header::CONTENT_TYPE, "application/json")], body).into_response();
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}

impl From<ReceiveError> for Problem {
    fn from(error: ReceiveError) -> Self {
        match error {
            ReceiveError::Busy | ReceiveError::Dropped => Self {
                status: StatusCode::SERVICE_UNAVAILABLE,
                text: error.to_string(),
                retry_after_s: Some(1),
            },
            ReceiveError::TooLarge { .. } => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
            }
            ReceiveError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "serve request");
        Self::internal()
    }
}

impl Shared {
    /// Runs a read of the store beside the async threads.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Core) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Problem> {
        let core = self.core.clone();
        let done = tokio::task::spawn_blocking(move || read(&core)).await;
        Ok(done.map_err(|_| Problem::internal())??)
    }

    /// Completes when the gateway stops.
    async fn stopping(&self) {
        let mut stopped = self.stopped.clone();
        // A closed channel means that the gateway is gone.
        let _ = stopped.wait_for(|stopped| *stopped).await;
    }

    /// Compares with every token, so that the time does not tell which one or how much of it fits.
    fn knows(&self, token: &[u8]) -> bool {
        let digest: [u8; 32] = Sha256::digest(token).into();
        let known =
            self.tokens.iter().fold(Choice::from(0), |known, own| known | own.ct_eq(&digest));
        known.into()
    }
}

async fn authenticate(State(api): State<Api>, request: Request, next: Next) -> Response {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if token.is_some_and(|token| api.0.knows(token)) {
        next.run(request).await
    } else {
        let text = "A bearer token of this gateway is needed: Authorization: Bearer <token>.";
        Problem::new(StatusCode::UNAUTHORIZED, text).into_response()
    }
}

async fn count(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    let class = match response.status().as_u16() {
        200..=299 => "2xx",
        400..=499 => "4xx",
        500..=599 => "5xx",
        _ => "other",
    };
    METRICS.http.with_label_values(&[class]).inc();
    response
}

#[cfg(test)]
mod tests;
