//! `add-checkpoint` (C2SP tlog-witness): somebody hands over a checkpoint of the network's log and asks for this
//! node's cosignature. What is cosigned is decided in [`crate::witness`]; codes are those of the specification.

use axum::{
    body::Bytes,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use proof::witness::{AddCheckpoint, SIZE_TYPE};

use super::{Context, LOOK_WAIT, tlog::OFF};
use crate::shell::evidence::Witnessed;

/// Answers one request.
pub(super) async fn add_checkpoint(State(context): State<Context>, body: Bytes) -> Response {
    let Some(cosigning) = context.evidence.cosigning.clone() else {
        return (StatusCode::NOT_FOUND, OFF).into_response();
    };
    let asked = match AddCheckpoint::parse(&body) {
        Ok(asked) => asked,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    if asked.checkpoint.origin != cosigning.members.origin() {
        let text = "this node is a witness of its own network's log only\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    }
    let Some((signer, line)) = cosigning.members.signed_as_log(&asked.note) else {
        let text = "no node of the network has signed the checkpoint\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    };
    let Some(answer) = context.evidence.witness(asked, signer, line) else {
        return not_now();
    };
    match tokio::time::timeout(LOOK_WAIT, answer).await {
        Ok(Ok(Witnessed::Cosigned(line))) => line.to_string().into_response(),
        Ok(Ok(Witnessed::Conflict(size))) => {
            let kind = [(header::CONTENT_TYPE, SIZE_TYPE)];
            (StatusCode::CONFLICT, kind, format!("{size}\n")).into_response()
        }
        Ok(Ok(Witnessed::Refused(text))) => {
            (StatusCode::UNPROCESSABLE_ENTITY, format!("{text}\n")).into_response()
        }
        Ok(Ok(Witnessed::NotNow)) | Ok(Err(_)) | Err(_) => not_now(),
    }
}

fn not_now() -> Response {
    let later = [(header::RETRY_AFTER, "1")];
    let text = "this node cannot say now what the log was at that size; ask again\n";
    (StatusCode::SERVICE_UNAVAILABLE, later, text).into_response()
}
