//! The threads that do the heavy pure work before an event reaches the loop.
//!
//! Raft appends keep their order, because each peer has one thread that reads them; a reordered append
//! would be refused and sent again. Other Raft messages have a thread of their own, so that no work
//! on blocks can delay what keeps a leader a leader. Submissions and questions go to whoever is free,
//! see [`Work`].

use std::{
    io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use bytes::Bytes;
use crossbeam_channel::{Receiver, Sender, bounded};
use ledger::Digest;
use link::{Credit, OutFrame, SendResult, SessionId};
use order::MessageKind;
use wire::{
    batch::{Domain, RawSubmission},
    client::{self, Cursor, NotTaken, NotTakenReason, Query},
    peer::{ForwardRefusal, ForwardRefused, KIND_FORWARD, KIND_FORWARD_REFUSED},
};

use super::{
    Loop,
    quiet::Quiet,
    work::{THREADS, Task, Unchecked, Work},
};
use crate::{
    event::Event,
    limits::{BUSY_RETRY_MS, CONTROL_FRAMES_MAX},
    peer_message::{self, CheckError, RecentBlocks},
    prepare::{Admitted, OldIdSource, PrepareError, PreparedSubmission},
    shares::Shares,
};

/// A Raft message without blocks.
struct Control {
    peer: u64,
    payload: Bytes,
    credit: Credit,
}

/// The threads' queues.
#[derive(Clone)]
pub(super) struct Checkers {
    /// Closed to end its thread.
    control: Sender<Control>,
    work: Arc<Work>,
    quiet: Arc<Quiet>,
}

struct Checker {
    domain: Domain,
    old_ids: Arc<dyn OldIdSource>,
    handle: Loop,
    reply: Arc<dyn Fn(SessionId, OutFrame) -> SendResult + Send + Sync>,
    recent: RecentBlocks,
    admitted: Arc<Admitted>,
    shares: Arc<Shares>,
    quiet: Arc<Quiet>,
}

impl Checkers {
    pub(super) fn start(
        domain: Domain,
        old_ids: Arc<dyn OldIdSource>,
        handle: Loop,
        shares: Arc<Shares>,
        reply: impl Fn(SessionId, OutFrame) -> SendResult + Send + Sync + 'static,
    ) -> io::Result<(Self, Vec<JoinHandle<()>>)> {
        let reply: Arc<dyn Fn(SessionId, OutFrame) -> SendResult + Send + Sync> = Arc::new(reply);
        let work = Arc::new(Work::new(Arc::clone(&shares)));
        let admitted = Arc::new(Admitted::default());
        let quiet = Arc::new(Quiet::default());
        let checker = || Checker {
            domain,
            old_ids: Arc::clone(&old_ids),
            handle: handle.clone(),
            reply: Arc::clone(&reply),
            recent: RecentBlocks::new(Arc::clone(&admitted)),
            admitted: Arc::clone(&admitted),
            shares: Arc::clone(&shares),
            quiet: Arc::clone(&quiet),
        };
        let (control, control_queue) = bounded::<Control>(CONTROL_FRAMES_MAX);
        let control_checker = checker();
        let controls = thread::Builder::new()
            .name("checker-control".to_owned())
            .spawn(move || control_checker.controls(&control_queue))?;
        let mut threads = vec![controls];
        for number in 0..THREADS {
            let (checker, work) = (checker(), Arc::clone(&work));
            let thread = thread::Builder::new()
                .name(format!("checker-{number}"))
                .spawn(move || checker.turn(&work, number))?;
            threads.push(thread);
        }
        Ok((Self { control, work, quiet }, threads))
    }

    /// Puts a Raft message in line. What does not fit is lost, as it may be on the way: Raft repeats what
    /// matters, and the events of other peers must not wait here.
    pub(super) fn push_control(&self, peer: u64, payload: Bytes, credit: Credit) {
        // Whatever it is called, what can carry blocks is checked where blocks are.
        if wire::peer::raft_kind(&payload) == Some(MessageKind::Append as u8) {
            return self.push(Unchecked::Append { peer, payload, credit });
        }
        if self.control.try_send(Control { peer, payload, credit }).is_err()
            && let Some(more) = self.quiet.speak()
        {
            tracing::warn!(peer, more, "a message was lost: too many wait to be read");
        }
    }

    /// Puts a frame in line.
    pub(super) fn push(&self, unchecked: Unchecked) {
        self.work.push(unchecked);
    }

    /// Ends the threads; that of the Raft messages ends with the last handle.
    pub(super) fn stop(&self) {
        self.work.stop();
    }
}

impl Checker {
    fn controls(mut self, queue: &Receiver<Control>) {
        for control in queue {
            self.raft(control.peer, control.payload);
            drop(control.credit);
        }
    }

    fn turn(mut self, work: &Work, number: usize) {
        loop {
            match work.take(number) {
                Task::Check(unchecked) => self.check(unchecked),
                Task::Shed(unchecked) => self.shed(unchecked),
                Task::Stop => return,
            }
        }
    }

    fn check(&mut self, unchecked: Unchecked) {
        match unchecked {
            // The credit goes back to the peer or the session when its frame has been dealt with.
            Unchecked::Append { peer, payload, credit } => {
                self.raft(peer, payload);
                drop(credit);
            }
            Unchecked::Peer { peer, kind, payload, credit } => {
                self.peer(peer, kind, payload);
                drop(credit);
            }
            Unchecked::Submission { session, payload, credit, .. } => {
                self.submission(session, payload);
                drop(credit);
            }
            Unchecked::Request { session, kind, payload, credit } => {
                self.request(session, kind, payload);
                drop(credit);
            }
        }
    }

    /// Answers "busy" without a look at the signatures.
    fn shed(&self, unchecked: Unchecked) {
        let Unchecked::Submission { session, payload, .. } = unchecked else { return };
        match RawSubmission::decode(payload) {
            Ok(raw) => {
                let reason = NotTakenReason::Busy { retry_after_ms: BUSY_RETRY_MS };
                self.not_taken(session, NotTaken { batch: raw.batch.digest(), reason });
            }
            Err(error) => self.invalid(session, error.to_string()),
        }
    }

    fn raft(&mut self, peer: u64, payload: Bytes) {
        let checked =
            peer_message::check(peer, payload, &self.domain, &*self.old_ids, &mut self.recent);
        let event = match checked {
            Ok((message, blocks)) => Event::Peer { message, blocks },
            Err(CheckError::Misbehaved(what)) => Event::PeerMisbehaved { peer, what },
            Err(CheckError::OldIds(error)) => {
                return self.handle.fail_reading("look up old ids", &error);
            }
        };
        self.handle.send(event);
    }

    fn peer(&self, peer: u64, kind: u8, payload: Bytes) {
        let event = match kind {
            KIND_FORWARD => {
                match PreparedSubmission::check(payload, &self.domain, &*self.old_ids) {
                    Ok(prepared) => {
                        self.shares.sent(prepared.submission.bytes().len());
                        Event::Forwarded { peer, prepared }
                    }
                    Err(PrepareError::OldIds(error)) => {
                        return self.handle.fail_reading("look up old ids", &error);
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
            Ok(prepared) => {
                self.admitted.keep(&prepared.submission);
                self.shares.sent(prepared.submission.bytes().len());
                self.handle.send(Event::Submit { session, prepared });
            }
            Err(PrepareError::OldIds(error)) => {
                self.handle.fail_reading("look up old ids", &error);
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
        if let Some(more) = self.quiet.speak() {
            tracing::warn!(session, text, more, "refused a frame of a session");
        }
        let reason = NotTakenReason::Invalid { text };
        self.not_taken(session, NotTaken { batch: Digest([0; 32]), reason });
    }

    fn not_taken(&self, session: SessionId, message: NotTaken) {
        let frame = OutFrame::new(client::KIND_NOT_TAKEN, client::FRAME_VERSION, message.encode());
        // A session that is gone or does not read needs no answer.
        let _ = (self.reply)(session, frame);
    }
}
