//! The threads that do the heavy pure work before an event reaches the loop.
//!
//! Raft appends keep their order, because each peer has one thread that reads them; a reordered append
//! would be refused and sent again. Other Raft messages have a thread of their own, so that no work
//! on blocks can delay what keeps a leader a leader. Submissions and questions have no order and go
//! to whoever is free.

use std::{io, sync::Arc, thread};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use ledger::Digest;
use link::{OutFrame, SendResult, SessionId};
use wire::{
    batch::Domain,
    client::{self, Cursor, NotTaken, NotTakenReason, Query},
    peer::{ForwardRefusal, ForwardRefused, KIND_FORWARD, KIND_FORWARD_REFUSED},
};

use super::Loop;
use crate::{
    event::Event,
    limits::UNCHECKED_FRAMES_MAX,
    peer_message::{self, CheckError, RecentBlocks},
    prepare::{OldIdSource, PrepareError, PreparedSubmission},
};

/// A frame as it came from the link.
pub(super) enum Unchecked {
    Control { peer: u64, payload: Bytes },
    Append { peer: u64, payload: Bytes },
    Peer { peer: u64, kind: u8, payload: Bytes },
    Submission { session: SessionId, payload: Bytes },
    Request { session: SessionId, kind: u8, payload: Bytes },
    Stop,
}

const THREADS: usize = 2;

/// The threads' queues.
#[derive(Clone)]
pub(super) struct Checkers {
    control: Sender<Unchecked>,
    ordered: Vec<Sender<Unchecked>>,
    free: Sender<Unchecked>,
}

struct Checker {
    domain: Domain,
    old_ids: Arc<dyn OldIdSource>,
    handle: Loop,
    reply: Arc<dyn Fn(SessionId, OutFrame) -> SendResult + Send + Sync>,
    recent: RecentBlocks,
}

impl Checkers {
    pub(super) fn start(
        domain: Domain,
        old_ids: Arc<dyn OldIdSource>,
        handle: Loop,
        reply: impl Fn(SessionId, OutFrame) -> SendResult + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let reply: Arc<dyn Fn(SessionId, OutFrame) -> SendResult + Send + Sync> = Arc::new(reply);
        let (free, free_queue) = bounded(UNCHECKED_FRAMES_MAX);
        let checker = || Checker {
            domain,
            old_ids: Arc::clone(&old_ids),
            handle: handle.clone(),
            reply: Arc::clone(&reply),
            recent: RecentBlocks::default(),
        };
        let (control, control_queue) = bounded(UNCHECKED_FRAMES_MAX);
        let control_checker = checker();
        thread::Builder::new()
            .name("checker-control".to_owned())
            .spawn(move || control_checker.turn(&control_queue, &crossbeam_channel::never()))?;
        let mut ordered = Vec::with_capacity(THREADS);
        for number in 0..THREADS {
            let (sender, queue) = bounded(UNCHECKED_FRAMES_MAX);
            ordered.push(sender);
            let checker = checker();
            let free_queue = free_queue.clone();
            thread::Builder::new()
                .name(format!("checker-{number}"))
                .spawn(move || checker.turn(&queue, &free_queue))?;
        }
        Ok(Self { control, ordered, free })
    }

    /// Waits for room in a queue without blocking the runtime: a slow node slows its peers down.
    pub(super) async fn push(&self, unchecked: Unchecked) {
        let queue = match &unchecked {
            Unchecked::Control { .. } => &self.control,
            Unchecked::Append { peer, .. } => &self.ordered[*peer as usize % self.ordered.len()],
            Unchecked::Peer { .. }
            | Unchecked::Submission { .. }
            | Unchecked::Request { .. }
            | Unchecked::Stop => &self.free,
        };
        let mut unchecked = unchecked;
        while let Err(error) = queue.try_send(unchecked) {
            let crossbeam_channel::TrySendError::Full(back) = error else { return };
            unchecked = back;
            tokio::time::sleep(std::time::Duration::from_micros(500)).await;
        }
    }

    pub(super) fn stop(&self) {
        for queue in self.ordered.iter().chain([&self.control]) {
            // A full queue belongs to a thread that ends with the process.
            let _ = queue.try_send(Unchecked::Stop);
        }
    }
}

impl Checker {
    fn turn(mut self, ordered: &Receiver<Unchecked>, free: &Receiver<Unchecked>) {
        loop {
            let received = select! {
                recv(ordered) -> received => received,
                recv(free) -> received => received,
            };
            match received {
                Ok(Unchecked::Stop) | Err(_) => return,
                Ok(unchecked) => self.check(unchecked),
            }
        }
    }

    fn check(&mut self, unchecked: Unchecked) {
        match unchecked {
            Unchecked::Control { peer, payload } | Unchecked::Append { peer, payload } => {
                self.raft(peer, payload);
            }
            Unchecked::Peer { peer, kind, payload } => self.peer(peer, kind, payload),
            Unchecked::Submission { session, payload } => self.submission(session, payload),
            Unchecked::Request { session, kind, payload } => self.request(session, kind, payload),
            Unchecked::Stop => {}
        }
    }

    fn raft(&mut self, peer: u64, payload: Bytes) {
        let checked =
            peer_message::check(peer, payload, &self.domain, &*self.old_ids, &mut self.recent);
        let event = match checked {
            Ok((message, blocks)) => Event::Peer { message, blocks },
            Err(CheckError::Misbehaved(what)) => Event::PeerMisbehaved { peer, what },
            Err(error @ CheckError::OldIds(_)) => return self.handle.fail(error.to_string()),
        };
        self.handle.send(event);
    }

    fn peer(&self, peer: u64, kind: u8, payload: Bytes) {
        let event = match kind {
            KIND_FORWARD => {
                match PreparedSubmission::check(payload, &self.domain, &*self.old_ids) {
                    Ok(prepared) => Event::Forwarded { peer, prepared },
                    Err(PrepareError::OldIds(error)) => {
                        return self.handle.fail(format!("look up old ids: {error}"));
                    }
                    Err(error) => {
                        let what = format!("forwarded a bad submission: {error}");
                        Event::PeerMisbehaved { peer, what }
                    }
                }
            }
            KIND_FORWARD_REFUSED => match ForwardRefused::decode(payload) {
                Ok(refused) => Event::ForwardRefused {
                    peer,
                    batch: refused.batch,
                    busy: refused.reason == ForwardRefusal::Busy,
                },
                Err(error) => Event::PeerMisbehaved { peer, what: error.to_string() },
            },
            other => Event::PeerMisbehaved { peer, what: format!("frame of unknown kind {other}") },
        };
        self.handle.send(event);
    }

    fn submission(&self, session: SessionId, payload: Bytes) {
        match PreparedSubmission::check(payload, &self.domain, &*self.old_ids) {
            Ok(prepared) => self.handle.send(Event::Submit { session, prepared }),
            Err(PrepareError::OldIds(error)) => {
                self.handle.fail(format!("look up old ids: {error}"));
            }
            Err(error) => self.invalid(session, error.to_string()),
        }
    }

    fn request(&self, session: SessionId, kind: u8, payload: Bytes) {
        let event = match kind {
            client::KIND_SUBSCRIBE => {
                Cursor::decode(payload).map(|after| Event::Subscribe { session, after })
            }
            client::KIND_QUERY => Query::decode(payload).map(|(number, query)| Event::Query {
                session,
                number,
                query,
            }),
            other => return self.invalid(session, format!("frame of unknown kind {other}")),
        };
        match event {
            Ok(event) => self.handle.send(event),
            Err(error) => self.invalid(session, error.to_string()),
        }
    }

    fn invalid(&self, session: SessionId, text: String) {
        tracing::warn!(session, text, "refused a frame of a session");
        let message = NotTaken { batch: Digest([0; 32]), reason: NotTakenReason::Invalid { text } };
        let frame = OutFrame::new(client::KIND_NOT_TAKEN, client::FRAME_VERSION, message.encode());
        // A session that is gone or does not read needs no answer.
        let _ = (self.reply)(session, frame);
    }
}
