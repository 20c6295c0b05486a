//! The phase before a life in which the node fetches from peers what its disk lacks.
//!
//! The links are up, but no message about the order of the log is answered: to the others the node is
//! down, but that it gives them what they lack, if they are mended at the same time. Health and metrics
//! say what it is doing.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use link::{Lane, OutFrame, PeerEvent};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};
use wire::{
    peer::{self, KIND_FETCH, KIND_PIECE},
    repair::{Answer, Request},
};

use super::{Links, RunError, http};
use crate::{
    config::NodeConfig,
    limits::TICK,
    mend::{Ask, Mender},
    recover::Wounds,
    storage::Storage,
    store::cosigned::CosignedFile,
};

/// Ticks between two words to the operator.
const WORD_TICKS: u64 = 40;

/// Mends until everything is there; nothing when the node was told to stop before.
pub(super) async fn mend(
    config: &Arc<NodeConfig>,
    links: &Links,
    storage: Storage,
    wounds: Wounds,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<Option<Storage>, RunError> {
    tracing::warn!(node = config.own.id, missing = %wounds, "fetching from the other nodes");
    let said = Arc::new(Mutex::new(wounds.to_string()));
    let (stop, stopped) = watch::channel(false);
    let page = http::serve_mending(config.http, Arc::clone(&said), stopped).await;
    let vfs = Arc::clone(&storage.vfs);
    let mut mender = Mender::new(storage, config.genesis.clone(), wounds);
    if config.cosigning.is_some() {
        let (_, last) = CosignedFile::open(&vfs, &config.data, config.genesis.domain.network)?;
        mender.hold_to(last);
    }
    if !config.believe.is_empty() {
        tracing::warn!(nodes = ?config.believe, "the word of these nodes alone is taken, as configured");
        mender.believe(config.believe.iter().copied());
    }
    let mended = fetch(config, links, &mut mender, &said, shutdown).await;
    let _ = stop.send(true);
    page.abort();
    // The address is free for the next life only after that; that it was aborted is no news.
    let _ = page.await;
    Ok(mended?.then(|| mender.into_storage()))
}

/// Asks and answers until everything is there; false when the node was told to stop before.
async fn fetch(
    config: &NodeConfig,
    links: &Links,
    mender: &mut Mender,
    said: &Mutex<String>,
    shutdown: &mut (impl Future<Output = ()> + Unpin),
) -> Result<bool, RunError> {
    let mut from_peers = links.events.lock().await;
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut tick = 0u64;
    while !mender.is_done() {
        let ask = tokio::select! {
            () = &mut *shutdown => return Ok(false),
            event = from_peers.recv() => match event {
                Some(PeerEvent::Frame { peer, frame, .. }) if frame.kind == KIND_PIECE => {
                    match Answer::decode(frame.payload) {
                        // Hashing and writing a piece takes milliseconds.
                        Ok(answer) => tokio::task::block_in_place(|| mender.answer(peer, answer))?,
                        Err(error) => {
                            tracing::warn!(peer, %error, "an answer that cannot be read");
                            None
                        }
                    }
                }
                Some(PeerEvent::Frame { peer, frame, .. }) if frame.kind == KIND_FETCH => {
                    tokio::task::block_in_place(|| give(links, mender, peer, frame.payload));
                    None
                }
                Some(_) => None,
                None => return Err(RunError::Fatal("the links have ended".to_owned())),
            },
            _ = ticks.tick() => {
                tick += 1;
                if tick.is_multiple_of(WORD_TICKS) {
                    let progress = mender.progress();
                    tracing::info!(node = config.own.id, progress, "mending");
                    *said.lock().unwrap_or_else(PoisonError::into_inner) = progress;
                }
                mender.tick(&links.peers.connected())
            }
        };
        if let Some(Ask { peer, request }) = ask {
            let frame = OutFrame::new(KIND_FETCH, peer::FRAME_VERSION, request.encode());
            // What is not sent is not answered, and asked of the next peer.
            let _ = links.peers.send(peer, Lane::Control, frame);
        }
        for alarm in mender.alarms.drain(..) {
            tracing::warn!(alarm);
        }
    }
    Ok(true)
}

/// Answers a peer that lacks something, too.
fn give(links: &Links, mender: &Mender, peer: u64, payload: Bytes) {
    match Request::decode(payload) {
        Ok(request) => {
            let (answer, trouble) = mender.shelf().answer(&request);
            if let Some(trouble) = trouble {
                tracing::warn!(peer, trouble, "could not give a peer what it lacks");
            }
            let frame = OutFrame::new(KIND_PIECE, peer::FRAME_VERSION, answer.encode());
            // A peer that is gone, or whose queue is full, asks again.
            let _ = links.peers.send(peer, Lane::Append, frame);
        }
        Err(error) => tracing::warn!(peer, %error, "a request that cannot be read"),
    }
}
