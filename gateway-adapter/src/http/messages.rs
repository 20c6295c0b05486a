//! Messages from the bank and how they stand.

use axum::{
    body::Body,
    extract::{Path, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::Deserialize;
use wire::ledger::{Digest, TransferId};

use super::spool::Spooled;
use super::{Api, Problem};
use crate::{
    core::{Bulk, Channel, Standing, Ticket},
    limits::{BULK_ROOM_INTERVAL, HTTP_BODY_TIME_MAX, HTTP_BULK_TIME_MAX},
    store::{Answer, AnswerKind, MessageKey},
};

/// Names the message in later requests.
const MESSAGE_HEADER: &str = "x-corridor-message";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiveOptions {
    #[serde(default)]
    bulk: bool,
}

pub(super) async fn receive(
    State(api): State<Api>,
    Query(options): Query<ReceiveOptions>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let limit = if options.bulk { api.0.bulk_bytes } else { api.0.message_bytes };
    let announced = announced(&headers, limit)?;
    if options.bulk && announced.is_none_or(|length| length > api.0.message_bytes) {
        return receive_bulk(&api, body).await;
    }
    // A body takes memory from its first byte on, so its room is made before.
    let room = api.0.core.make_room(announced.unwrap_or(limit), Channel::Http)?;
    let raw = read_body(body, limit).await?;
    if raw.is_empty() {
        return Err(no_body());
    }
    let ticket = api.0.core.receive_into(room, raw, Channel::Http)?;
    answer_of(&api, ticket).await
}

/// A body that need not fit into the memory.
async fn receive_bulk(api: &Api, body: Body) -> Result<Response, Problem> {
    let Spooled { key, bytes, file } = api.0.spools.take(body, api.0.bulk_bytes).await?;
    if bytes == 0 {
        return Err(no_body());
    }
    let ticket = api.0.core.receive_bulk(Bulk { key, content: Box::new(file) }, Channel::Http)?;
    // Before it is journalled nothing can be promised, and to have it sent again would be worse.
    let until = tokio::time::Instant::now() + HTTP_BULK_TIME_MAX;
    while tokio::time::Instant::now() < until {
        match tokio::time::timeout(api.0.answer_deadline, ticket.clone().answer()).await {
            Ok(answer) => return Ok(answered(api, &answer?, &key)),
            Err(_) => match api.0.read(move |core| core.standing_of_key(&key)).await? {
                Standing::Reading => {}
                _ => break,
            },
        }
        // A deadline of nothing must not make this loop spin.
        tokio::time::sleep(BULK_ROOM_INTERVAL).await;
    }
    interim(api, &ticket).await
}

fn no_body() -> Problem {
    Problem::bad_request("The request has no body; send an ISO 20022 message.")
}

async fn answer_of(api: &Api, mut ticket: Ticket) -> Result<Response, Problem> {
    match tokio::time::timeout(api.0.answer_deadline, ticket.answer()).await {
        Ok(answer) => Ok(answered(api, &answer?, &ticket.key)),
        Err(_) => interim(api, &ticket).await,
    }
}

pub(super) fn too_large(limit: usize) -> Problem {
    let text = format!(
        "The message is larger than {limit} bytes. Bulk files: POST /v1/messages?bulk=true."
    );
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text)
}

/// The body's length as announced, if it is.
fn announced(headers: &HeaderMap, limit: usize) -> Result<Option<usize>, Problem> {
    let text = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    match text.and_then(|text| text.parse().ok()) {
        Some(length) if length > limit => Err(too_large(limit)),
        length => Ok(length),
    }
}

async fn read_body(body: Body, limit: usize) -> Result<Bytes, Problem> {
    match tokio::time::timeout(HTTP_BODY_TIME_MAX, axum::body::to_bytes(body, limit)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(_)) => Err(too_large(limit)),
        Err(_) => {
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time."))
        }
    }
}

/// The message is journalled and goes on; the caller asks again under the given location.
async fn interim(api: &Api, ticket: &Ticket) -> Result<Response, Problem> {
    let key = ticket.key;
    match api.0.read(move |core| core.standing_of_key(&key)).await? {
        Standing::Answered(answer) => Ok(answered(api, &answer, &key)),
        Standing::Open(report) => {
            let mut response = xml(StatusCode::ACCEPTED, report, Some(&key));
            let location = format!("/v1/messages/{key}");
            let location = HeaderValue::try_from(location).expect("a path of ASCII characters");
            response.headers_mut().insert(header::LOCATION, location);
            Ok(response)
        }
        // Not journalled yet, so nothing may be promised.
        Standing::Reading | Standing::Unknown => Err(Problem {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: "The gateway is busy and has not read the message yet. Send it again.".to_owned(),
            retry_after_s: Some(1),
        }),
    }
}

pub(super) async fn standing(
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Response, Problem> {
    let uetr = name.parse::<TransferId>().ok();
    let standing = if let Some(uetr) = uetr {
        api.0.read(move |core| core.standing_of_uetr(&uetr)).await?
    } else if let Ok(digest) = name.parse::<Digest>() {
        api.0.read(move |core| core.standing_of_key(&MessageKey(digest.0))).await?
    } else {
        let text = "Name the message by a UETR (lower case) or by the key in X-Corridor-Message.";
        return Err(Problem::bad_request(text));
    };
    match standing {
        // A stored rejection is the successful answer to the question how the message stands.
        Standing::Answered(answer) => {
            let mut response = xml(StatusCode::OK, answer.xml, None);
            if let Some(uetr) = uetr {
                super::finality::mark(&api, uetr, &mut response).await;
            }
            Ok(response)
        }
        Standing::Open(report) => Ok(xml(StatusCode::OK, report, None)),
        Standing::Reading => Err(Problem {
            status: StatusCode::SERVICE_UNAVAILABLE,
            text: "The message is being read. Ask again.".to_owned(),
            retry_after_s: Some(1),
        }),
        Standing::Unknown => Err(Problem::not_found("This gateway has no such message.")),
    }
}

fn answered(api: &Api, answer: &Answer, key: &MessageKey) -> Response {
    let status = match answer.kind {
        AnswerKind::Report | AnswerKind::Refusal => StatusCode::OK,
        AnswerKind::Unreadable => StatusCode::BAD_REQUEST,
    };
    let mut response = xml(status, answer.xml.clone(), Some(key));
    if let Some(height) = answer.height {
        super::finality::tell(api, height, &mut response);
    }
    response
}

fn xml(status: StatusCode, body: Bytes, key: Option<&MessageKey>) -> Response {
    let mut response = (status, [(header::CONTENT_TYPE, "application/xml")], body).into_response();
    if let Some(key) = key {
        let value = HeaderValue::try_from(key.to_string()).expect("hexadecimal digits");
        response.headers_mut().insert(MESSAGE_HEADER, value);
    }
    response
}
