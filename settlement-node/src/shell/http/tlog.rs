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
use bytes::Bytes;
use ledger::TransferId;
use proof::tile::TileName;
use wire::{client::ReceiptFound, genesis::Genesis};

use super::{Context, look};
use crate::{
    event::Proof,
    finality::Certificate,
    mirror::{Asked, Mirror, MirrorError},
    past::Past,
    shell::evidence::Evidence,
    store::vfs::Vfs,
};

const TEXT: [(header::HeaderName, &str); 2] =
    [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
const BYTES: [(header::HeaderName, &str); 2] = [
    (header::CONTENT_TYPE, "application/octet-stream"),
    (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
];

pub(super) const OFF: &str = "this node takes no part in finality: it has no key for checkpoints\n";
const NOTHING_FINAL: &str = "nothing is final yet\n";

/// The log of this node, opened with the first question.
#[derive(Clone)]
pub(in crate::shell) struct Shared {
    source: Arc<Source>,
    mirror: Arc<Mutex<Option<Mirror>>>,
}

/// What the log is made from.
pub(in crate::shell) struct Source {
    pub(in crate::shell) vfs: Arc<dyn Vfs>,
    pub(in crate::shell) data: PathBuf,
    pub(in crate::shell) past: Past,
    pub(in crate::shell) genesis: Arc<Genesis>,
    pub(in crate::shell) evidence: Evidence,
}

impl Shared {
    pub(in crate::shell) fn new(source: Source) -> Self {
        Self { source: Arc::new(source), mirror: Arc::default() }
    }

    /// What enough nodes have cosigned last.
    fn certificate(&self) -> Option<Arc<Certificate>> {
        self.source.evidence.known.certificate.load_full()
    }

    /// What can be proven of a transfer, for a session. Blocking.
    pub(in crate::shell) fn prove(&self, proof: &Proof) -> Result<ReceiptFound, MirrorError> {
        let find = &proof.find;
        let Some(certificate) = self.certificate() else { return Ok(ReceiptFound::NotFinal) };
        let in_memory = [find.entry, find.end];
        if !proof.whole {
            let last = self.source.past.last_word(&find.id, in_memory)?;
            return Ok(match last {
                None => ReceiptFound::Unknown,
                Some(entry) if entry.leaf >= certificate.at.size => ReceiptFound::NotFinal,
                Some(_) => ReceiptFound::Final(Bytes::new()),
            });
        }
        let asked = self.with(|mirror| mirror.receipt(&find.id, in_memory, &certificate))?;
        Ok(match asked {
            Asked::Unknown => ReceiptFound::Unknown,
            Asked::NotFinal => ReceiptFound::NotFinal,
            Asked::Receipt(receipt) => ReceiptFound::Final(receipt.to_string().into()),
        })
    }

    /// Does something with the log; blocking, one at a time. After an error it is opened anew.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Mirror) -> Result<T, MirrorError>,
    ) -> Result<T, MirrorError> {
        let source = &self.source;
        let Some(cosigning) = source.evidence.cosigning.clone() else {
            return Err(std::io::Error::other(OFF.trim()).into());
        };
        let mut open = self.mirror.lock().unwrap_or_else(PoisonError::into_inner);
        let mut mirror = match open.take() {
            Some(mirror) => mirror,
            None => Mirror::open(
                Arc::clone(&source.vfs),
                &source.data,
                source.past.clone(),
                &source.genesis,
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
        Some(cosigning) => {
            // Of the time of the newest checkpoint.
            let newest = context.evidence.known.certificate.load();
            let members = &cosigning.members;
            let text = newest.as_ref().map(|newest| members.policy_of(&newest.voters));
            (TEXT, text.unwrap_or_else(|| members.policy())).into_response()
        }
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
        asked.tlog.with(|mirror| mirror.file(name, &certificate))
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
        asked.tlog.with(|mirror| mirror.receipt(&id, entries, &certificate))
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
