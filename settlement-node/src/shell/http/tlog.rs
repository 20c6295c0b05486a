//! The log as others mirror and verify it (C2SP tlog-tiles): the signed checkpoint, tiles and entry
//! bundles, receipts, and the policy of the network.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use ledger::TransferId;
use proof::tile::TileName;

use super::{Context, look};
use crate::{
    finality::Certificate,
    mirror::{Asked, Mirror, MirrorError},
    store::vfs::Vfs,
};

const TEXT: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
const BYTES: [(header::HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "application/octet-stream"),
    (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
];

const OFF: &str = "this node takes no part in finality: it has no key for checkpoints\n";
const NOTHING_FINAL: &str = "nothing is final yet\n";

/// The log of this node, opened with the first question.
#[derive(Clone)]
pub(in crate::shell) struct Shared {
    vfs: Arc<dyn Vfs>,
    data: PathBuf,
    mirror: Arc<Mutex<Option<Mirror>>>,
}

impl Shared {
    pub(in crate::shell) fn new(vfs: Arc<dyn Vfs>, data: PathBuf) -> Self {
        Self { vfs, data, mirror: Arc::default() }
    }

    /// Does something with the log; blocking, one at a time. After an error it is opened anew.
    fn with<T>(
        &self,
        context: &Context,
        work: impl FnOnce(&mut Mirror) -> Result<T, MirrorError>,
    ) -> Result<T, MirrorError> {
        let Some(cosigning) = context.evidence.cosigning.clone() else {
            return Err(std::io::Error::other(OFF.trim()).into());
        };
        let mut open = self.mirror.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mirror = match open.take() {
            Some(mirror) => mirror,
            None => Mirror::open(
                Arc::clone(&self.vfs),
                &self.data,
                context.lookup.past.clone(),
                &context.genesis,
                cosigning,
            )?,
        };
        let done = work(&mut mirror)?;
        *open = Some(mirror);
        Ok(done)
    }
}

fn failed(context: &Context, error: &MirrorError) -> Response {
    if let MirrorError::Past(past) = error
        && let Some(damage) = past.damage()
    {
        context.handle.mend(crate::shell::Cause::Damaged(damage));
    }
    tracing::error!(%error, "the log cannot be handed out");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
}

fn certified(context: &Context) -> Result<Arc<Certificate>, (StatusCode, &'static str)> {
    if context.evidence.cosigning.is_none() {
        return Err((StatusCode::NOT_FOUND, OFF));
    }
    let known = context.evidence.known.certificate.load_full();
    known.ok_or((StatusCode::SERVICE_UNAVAILABLE, NOTHING_FINAL))
}

/// The newest checkpoint that a quorum has cosigned.
pub(super) async fn checkpoint(State(context): State<Context>) -> Response {
    let certificate = match certified(&context) {
        Ok(certificate) => certificate,
        Err(refused) => return refused.into_response(),
    };
    match context.evidence.cosigning.as_ref().map(|cosigning| certificate.note(cosigning)) {
        Some(Ok(note)) => (TEXT, note.to_string()).into_response(),
        Some(Err(error)) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        None => (StatusCode::NOT_FOUND, OFF).into_response(),
    }
}

/// The network's policy (C2SP tlog-policy). Who verifies takes it from somebody that it trusts.
pub(super) async fn policy(State(context): State<Context>) -> Response {
    match &context.evidence.cosigning {
        Some(cosigning) => (TEXT, cosigning.members.policy()).into_response(),
        None => (StatusCode::NOT_FOUND, OFF).into_response(),
    }
}

/// A tile or entry bundle.
pub(super) async fn tile(State(context): State<Context>, Path(rest): Path<String>) -> Response {
    let Some(name) = TileName::parse(&format!("tile/{rest}")) else {
        return (StatusCode::BAD_REQUEST, "this is no name of a tile\n").into_response();
    };
    let certificate = match certified(&context) {
        Ok(certificate) => certificate,
        Err(refused) => return refused.into_response(),
    };
    let asked = context.clone();
    let found = tokio::task::spawn_blocking(move || {
        asked.tlog.with(&asked, |mirror| mirror.file(name, &certificate))
    });
    match found.await {
        Ok(Ok(Some(bytes))) => (BYTES, bytes).into_response(),
        Ok(Ok(None)) => (StatusCode::NOT_FOUND, "the final log has no such tile\n").into_response(),
        Ok(Err(error)) => failed(&context, &error),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The receipt of a transfer.
pub(super) async fn receipt(State(context): State<Context>, Path(uetr): Path<String>) -> Response {
    let Ok(id) = uetr.parse::<TransferId>() else {
        let text = format!("`{uetr}` is not a UETR (a lower-case UUID)\n");
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    let entries = look(&context.handle, move |node| {
        let ledger = node.chain().ledger();
        [ledger.lookup(&id), ledger.lookup(&ledger::resolution_id(&id))]
    });
    let entries = match entries.await {
        Ok(entries) => entries,
        Err(code) => return code.into_response(),
    };
    let certificate = match certified(&context) {
        Ok(certificate) => certificate,
        Err(refused) => return refused.into_response(),
    };
    let asked = context.clone();
    let found = tokio::task::spawn_blocking(move || {
        asked.tlog.with(&asked, |mirror| mirror.receipt(&id, entries, &certificate))
    });
    match found.await {
        Ok(Ok(Asked::Receipt(receipt))) => (TEXT, receipt.to_string()).into_response(),
        Ok(Ok(Asked::Unknown)) => {
            (StatusCode::NOT_FOUND, "no transfer with this UETR was ever answered\n")
                .into_response()
        }
        Ok(Ok(Asked::NotFinal)) => {
            (StatusCode::SERVICE_UNAVAILABLE, "the transfer is not final yet; ask again\n")
                .into_response()
        }
        Ok(Err(error)) => failed(&context, &error),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
