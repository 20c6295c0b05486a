//! The thread that gives peers what they lack, so that nothing else waits for its reads.

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use crossbeam_channel::{Sender, bounded};
use link::{Lane, OutFrame, PeerLinks};
use wire::{
    peer::{self, KIND_PIECE},
    repair::Request,
};

use super::{Loop, quiet::Quiet};
use crate::{event::Event, limits::SERVE_MAX, serve::Shelf};

/// The thread's queue. Dropping the last one ends the thread.
#[derive(Clone)]
pub(super) struct Server {
    queue: Sender<(u64, Request)>,
}

impl Server {
    pub(super) fn start(
        shelf: Shelf,
        peers: Arc<PeerLinks>,
        handle: Loop,
    ) -> io::Result<(Self, JoinHandle<()>)> {
        let (queue, requests) = bounded::<(u64, Request)>(SERVE_MAX);
        let thread = thread::Builder::new().name("disk-serve".to_owned()).spawn(move || {
            for (peer, request) in requests {
                let (answer, trouble) = shelf.answer(&request);
                if let Some(trouble) = trouble {
                    tracing::warn!(peer, trouble, "could not give a peer what it lacks");
                }
                if let Some(above) = Shelf::wanted_above(&request, &answer) {
                    // A loop that is too busy for it is asked again in a second.
                    let _ = handle.events.try_send(Event::SnapshotWanted { above });
                }
                let frame = OutFrame::new(KIND_PIECE, peer::FRAME_VERSION, answer.encode());
                // A peer that is gone, or whose queue is full, asks again.
                let _ = peers.send(peer, Lane::Append, frame);
            }
        })?;
        Ok((Self { queue }, thread))
    }

    /// Takes a request. More than a few at a time are dropped: a peer asks one thing after the other.
    pub(super) fn serve(&self, peer: u64, payload: Bytes, quiet: &Quiet) {
        let refused = match Request::decode(payload) {
            Ok(request) => match self.queue.try_send((peer, request)) {
                Ok(()) => return,
                Err(_) => "too many requests for pieces of files wait".to_owned(),
            },
            Err(error) => format!("a request that cannot be read: {error}"),
        };
        if let Some(more) = quiet.speak() {
            tracing::warn!(peer, more, refused);
        }
    }
}
